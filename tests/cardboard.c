/*
 * cardboard.c - canned lists, and the program that asks for them.
 */
#include "tests/cardboard.h"

#include "proto/msg.h"

#include <errno.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct cardboard cardboard;
char output[OUTPUT_MAX];
static char folder[64];
static struct ecp_request request;
static struct ecp_reply reply;
static int listener = -1;
static pthread_t thread;

/* ---- the daemon ---- */

static void fill_relay(struct ecp_relay_info *relay)
{
	*relay = (struct ecp_relay_info){
	    .interface = "eth1",
	    .backend = "af_packet",
	    .mtu = 1500,
	    .stats = {.rx_offered = 12, .rx = 5, .rx_miss = 7, .tx_bytes = HUGE_COUNT},
	};
	relay->stats.rx += cardboard.traffic;
	snprintf(relay->interface, sizeof(relay->interface), "%s", cardboard.interface);
}

static void fill_client(struct ecp_client_info *client, unsigned i)
{
	static const char *const names[N_CLIENTS] = {"a", "dhcp_client", "x\"\\{y\033[2J"};
	*client = (struct ecp_client_info){
	    .id = i + 1,
	    .pid = i ? 100000 * i : 7,
	    .uid = 1000 * i,
	    .interface = "eth1",
	    .endpoints = i == 1 ? 1
			 : i    ? 0
				: cardboard.n_endpoints - 1,
	    .rx_ring = 1000,
	    .rx_used = 250,
	};
	client->stats.rx_buffer_full = i == 1 ? 3 : 0;
	client->stats.rx = (uint64_t)cardboard.traffic * i;
	client->stats.rx_bytes = 1000 * client->stats.rx;
	snprintf(client->comm, sizeof(client->comm), "%s", names[i]);
}

static void make_odd(struct ecp_endpoint_info *endpoint)
{
	endpoint->client = 2;
	endpoint->l2 = (struct ecp_l2addr){
	    .mac = {2, 0, 0, 0, 0, 9},
	    .n_vlans = 2,
	    .vlans = {{.id = 100, .tpid = 0x8100}, {.id = 200, .tpid = 0x8100}},
	};
	endpoint->local = (struct ecp_addr){.ip = {10, 0, 0, 5}, .port = 1000, .family = 4};
	endpoint->stats.tx_dropped = 9;
}

static void fill_endpoint(struct ecp_endpoint_info *endpoint, unsigned i)
{
	*endpoint = (struct ecp_endpoint_info){
	    .client = 1,
	    .id = i,
	    .interface = "eth1",
	    .kind = ECP_KIND_L2,
	    .flags = ECP_EP_MULTICAST | ECP_EP_SHARE,
	    .l2 = {.mac = {2}, .n_vlans = 1, .vlans = {{.id = 100, .tpid = 0x8100}}},
	    .n_ethertypes = 2,
	    .ethertypes = {ECP_ETHERTYPE_ARP, ECP_ETHERTYPE_LLC},
	};
	if (i % 2 == 0)
		return;
	endpoint->kind = ECP_KIND_UDP;
	endpoint->n_ethertypes = 0;
	endpoint->flags = ECP_EP_ACCEPT_ANY;
	endpoint->local = (struct ecp_addr){.ip = {10, 0, 0, 1}, .port = 68, .family = 4};
	if (i == THE_ODD_ONE)
		make_odd(endpoint);
}

static void fill_rule(struct ecp_rule_info *rule, unsigned i)
{
	*rule = (struct ecp_rule_info){.multicast = "own", .deny = i == N_RULES - 1};
	snprintf(rule->name, sizeof(rule->name), "rule\033 %u", i);
	if (rule->deny)
		return;
	rule->limits.endpoints = 20000;
	ecp_rule_add_word(rule, 0, "0");
	ecp_rule_add_word(rule, 0, "71234");
	ecp_rule_add_word(rule, 4, "100-199");
}

static void fill_page(struct ecp_page *page, const struct ecp_show_request *show)
{
	const unsigned lengths[] = {
	    [ECP_SHOW_RELAYS] = 1,
	    [ECP_SHOW_CLIENTS] = N_CLIENTS,
	    [ECP_SHOW_ENDPOINTS] = cardboard.n_endpoints,
	    [ECP_SHOW_POLICY] = N_RULES,
	};
	unsigned at = (unsigned)show->after;
	page->what = show->what;
	for (page->n = 0; at < lengths[show->what] && page->n < ecp_page_max(show->what);
	     at++) {
		unsigned i = page->n++;
		if (show->what == ECP_SHOW_RELAYS)
			fill_relay(&page->relays[i]);
		else if (show->what == ECP_SHOW_CLIENTS)
			fill_client(&page->clients[i], at);
		else if (show->what == ECP_SHOW_ENDPOINTS)
			fill_endpoint(&page->endpoints[i], at);
		else
			fill_rule(&page->rules[i], at);
	}
	page->next = at;
	page->more = at < lengths[show->what];
}

/* Root may; for others it says back what it was asked. */
static void answer_policy(const struct ecp_policy_test *test,
			  struct ecp_policy_verdict *verdict)
{
	char l2[ECP_L2ADDR_TEXT], udp[ECP_ADDR_TEXT];
	reply.type = ECP_REP_POLICY;
	*verdict = (struct ecp_policy_verdict){
	    .rule = "lab",
	    .limits = {.clients = 4, .frames_per_s = 1000},
	};
	if (test->uid == 0)
		return;
	ecp_error_set(&verdict->denied, -EACCES, "%u %u %u %s %s %s", test->uid,
		      test->n_gids, test->gids[0], ecp_l2addr_format(&test->l2.l2, l2),
		      test->have_udp ? ecp_addr_format(&test->udp, udp) : "none",
		      test->interface);
}

static void answer(void)
{
	if (request.type == ECP_REQ_STATUS) {
		reply.type = ECP_REP_STATUS;
		reply.status = (struct ecp_status){
		    .pid = 42,
		    .uptime_s = 77,
		    .relays = 1,
		    .clients = 2,
		    .endpoints = cardboard.n_endpoints,
		    .denied = 31,
		};
		snprintf(reply.status.version, sizeof(reply.status.version), "%s",
			 cardboard.version);
		return;
	}
	if (request.type == ECP_REQ_POLICY) {
		answer_policy(&request.policy_test, &reply.policy);
		return;
	}
	if (request.show.what == ECP_SHOW_RELAYS)
		cardboard.traffic += cardboard.traffic_step;
	reply.type = ECP_REP_PAGE;
	fill_page(&reply.page, &request.show);
}

static void serve_client(int fd)
{
	static char text[ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	ssize_t len;
	while ((len = ecp_sock_recv(fd, text, ECP_MSG_MAX, NULL, NULL)) > 0) {
		if (ecp_request_parse(text, (size_t)len, &request, &err) < 0)
			break;
		if (cardboard.ends && cardboard.ends--)
			break;
		if (cardboard.hangs_up && request.type == ECP_REQ_SHOW &&
		    request.show.after)
			break;
		if (cardboard.stuck) {
			sem_post(&cardboard.asked_in_vain);
			continue;
		}
		answer();
		len = ecp_reply_format(&reply, text, sizeof(text));
		if (len < 0 || ecp_sock_send(fd, text, (size_t)len, NULL, 0) < 0)
			break;
	}
	close(fd);
}

/* Until the listener is shut down. */
static void *serve(void *arg)
{
	(void)arg;
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	while (poll(&ready, 1, -1) == 1) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			break;
		serve_client(fd);
	}
	return NULL;
}

void cardboard_folder_make(void)
{
	cardboard.hangs_up = false;
	cardboard.ends = 0;
	cardboard.stuck = false;
	ck_assert_int_eq(sem_init(&cardboard.asked_in_vain, 0, 0), 0);
	cardboard.n_endpoints = N_ENDPOINTS;
	cardboard.version = "9.9";
	cardboard.interface = "eth1";
	cardboard.traffic = 0;
	cardboard.traffic_step = 0;
	snprintf(folder, sizeof(folder), "/tmp/check_ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(cardboard.path, sizeof(cardboard.path), "%s/sock", folder);
}

void cardboard_folder_remove(void)
{
	unlink(cardboard.path);
	rmdir(folder);
}

void cardboard_start(void)
{
	cardboard_folder_make();
	listener = ecp_sock_listen(cardboard.path, 0600);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

void cardboard_stop(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	cardboard_folder_remove();
}

/* ---- the program ---- */

int run(const char *arguments, const char *redirect)
{
	const char *build = getenv("BUILD");
	char command[512];
	snprintf(command, sizeof(command), "ETHERCONN_SOCKET=%s %s/etherconnctl %s %s",
		 cardboard.path, build ? build : "build", arguments, redirect);
	FILE *pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	size_t len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = 0;
	int status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status), "%s: ended by a signal", arguments);
	return WEXITSTATUS(status);
}

unsigned count_lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}
