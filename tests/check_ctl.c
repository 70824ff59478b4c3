/*
 * check_ctl.c - etherconnctl as its users call it, against a daemon of cardboard.
 *
 *   test  --popen-->  $BUILD/etherconnctl  --socket-->  thread: canned lists of any length
 */
#include "proto/msg.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_ENDPOINTS (2 * ECP_PAGE_MAX + 6) /* three pages */
#define THE_ODD_ONE (N_ENDPOINTS - 1) /* an endpoint unlike the others, on the last page */
#define N_CLIENTS   3
#define HUGE_COUNT  UINT64_C(9007199254740991) /* 2^53 - 1 */

static char folder[64], path[96], output[1 << 18];
static struct ecp_request request;
static struct ecp_reply reply;
static _Atomic bool hangs_up; /* after the first page of a list */
static _Atomic unsigned n_endpoints = N_ENDPOINTS;
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
}

static void fill_client(struct ecp_client_info *client, unsigned i)
{
	static const char *const names[N_CLIENTS] = {"a", "dhcp_client", "x\"\\{y"};
	*client = (struct ecp_client_info){
	    .id = i + 1,
	    .pid = i ? 100000 * i : 7,
	    .uid = 1000 * i,
	    .interface = "eth1",
	    .rx_ring = 1000,
	    .rx_used = 250,
	};
	client->stats.rx_buffer_full = i == 1 ? 3 : 0;
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

static void fill_page(struct ecp_page *page, const struct ecp_show_request *show)
{
	const unsigned lengths[] = {
	    [ECP_SHOW_RELAYS] = 1,
	    [ECP_SHOW_CLIENTS] = N_CLIENTS,
	    [ECP_SHOW_ENDPOINTS] = n_endpoints,
	};
	unsigned at = (unsigned)show->after;
	page->what = show->what;
	for (page->n = 0; at < lengths[show->what] && page->n < ECP_PAGE_MAX; at++) {
		unsigned i = page->n++;
		if (show->what == ECP_SHOW_RELAYS)
			fill_relay(&page->relays[i]);
		else if (show->what == ECP_SHOW_CLIENTS)
			fill_client(&page->clients[i], at);
		else
			fill_endpoint(&page->endpoints[i], at);
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
		reply.status = (struct ecp_status){"9.9", 42, 0, 77, 1, 2, N_ENDPOINTS, 31};
		return;
	}
	if (request.type == ECP_REQ_POLICY) {
		answer_policy(&request.policy_test, &reply.policy);
		return;
	}
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
		if (hangs_up && request.type == ECP_REQ_SHOW && request.show.after)
			break;
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

static void make_folder(void)
{
	hangs_up = false;
	n_endpoints = N_ENDPOINTS;
	snprintf(folder, sizeof(folder), "/tmp/check_ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/sock", folder);
}

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
}

static void start_daemon(void)
{
	make_folder();
	listener = ecp_sock_listen(path, 0600);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void stop_daemon(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	remove_folder();
}

/* ---- the program ---- */

/* Run it; redirect says which of its streams goes to output.  Returns its exit code. */
static int run(const char *arguments, const char *redirect)
{
	const char *build = getenv("BUILD");
	char command[512];
	snprintf(command, sizeof(command), "ETHERCONN_SOCKET=%s %s/etherconnctl %s %s",
		 path, build ? build : "build", arguments, redirect);
	FILE *pipe = popen(command, "re");
	ck_assert_ptr_nonnull(pipe);
	size_t len = fread(output, 1, sizeof(output) - 1, pipe);
	output[len] = 0;
	int status = pclose(pipe);
	ck_assert_msg(WIFEXITED(status), "%s: ended by a signal", arguments);
	return WEXITSTATUS(status);
}

#define STDOUT ""
#define STDERR "2>&1 >/dev/null"

static unsigned count_lines(const char *text)
{
	unsigned n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* ---- without a daemon ---- */

static const struct {
	const char *name, *arguments;
	int code;
	const char *sentence;
} complaints[] = {
    {"no daemon", "status", 1, "is etherconnd running?"},
    {"no daemon at -s", "-s /nowhere/x status", 1, "no daemon answers at /nowhere/x:"},
    {"path too long", "-s $(printf %0200d 1) status", 1, "File name too long"},
    {"no command", "", 2, "usage:"},
    {"unknown command", "frobnicate", 2, "no command \"frobnicate\""},
    {"empty command", "''", 2, "may be"},
    {"ambiguous command", "stat", 2, "\"stat\" may be status or stats"},
    {"unknown option", "-x status", 2, "invalid option"},
    {"option without value", "-s", 2, "requires an argument"},
};

START_TEST(test_complaint)
{
	int code = run(complaints[_i].arguments, STDERR);
	ck_assert_msg(code == complaints[_i].code, "%s: exit %d", complaints[_i].name,
		      code);
	ck_assert_msg(strstr(output, complaints[_i].sentence), "%s: said: %.800s",
		      complaints[_i].name, output);
	run(complaints[_i].arguments, "2>/dev/null");
	ck_assert_msg(!*output, "%s: talks on stdout: %s", complaints[_i].name, output);
}
END_TEST

START_TEST(test_help_needs_no_daemon)
{
	ck_assert_int_eq(run("--help", STDOUT), 0);
	ck_assert_ptr_nonnull(strstr(output, "relays|clients|endpoints"));
	ck_assert_int_eq(run("-V", STDOUT), 0);
	ck_assert_int_eq(strncmp(output, "etherconnctl ", 13), 0);
}
END_TEST

/* ---- with one ---- */

static const struct {
	const char *name, *arguments;
	int code;
	const char *redirect, *text;
} answers[] = {
    {"status", "status", 0, STDOUT, "etherconnd 9.9 at "},
    {"status as JSON", "-j status", 0, STDOUT, "\"uptime_s\":77"},
    {"indented JSON", "-jp status", 0, STDOUT, "\n  \"uptime_s\": 77,\n"},
    {"beginnings of words", "sh rel", 0, STDOUT, "af_packet"},
    {"a short name", "sh ep", 0, STDOUT, "02:00:00:00:00:00|100"},
    {"a down interface", "show relays", 0, STDOUT, " down "},
    {"drops are summed", "show relays", 0, STDOUT, "  5         7   0         0\n"},
    {"fill of a ring", "show clients", 0, STDOUT, "  25%  "},
    {"l2 endpoint", "show ep", 0, STDOUT,
     "l2    02:00:00:00:00:00|100  -            0x0806,llc  multicast,share"},
    {"udp endpoint", "show ep", 0, STDOUT,
     "udp   02:00:00:00:00:00|100  10.0.0.1:68  -           accept-any"},
    {"what a counter means", "stats", 0, STDOUT, "7  dropped: unicast frames that no"},
    {"counters are exact", "stats", 0, STDOUT, " 9007199254740991 "},
    {"... in JSON too", "-j stats", 0, STDOUT, "\"tx_bytes\":9007199254740991"},
    {"zero counters on demand", "stats -a", 0, STDOUT, "  rx_runt "},
    {"show what?", "show", 2, STDERR, "show what?"},
    {"show nothing", "show ''", 2, STDERR, "show what?"},
    {"unknown list", "show people", 2, STDERR, "\"people\" is none of relays"},
    {"half a filter", "show ep mac", 2, STDERR, "mac of what?"},
    {"a filter twice", "show ep uid 1 uid 2", 2, STDERR, "uid is given twice"},
    {"no such filter", "show ep colour red", 2, STDERR, "\"colour\" is none of mac,"},
    {"ambiguous filter", "show ep p 1", 2, STDERR, "\"p\" may be port or pid"},
    {"relays have no owner", "show relays pid 1", 2, STDERR, "by their interface only"},
    {"drops of a relay", "show drops", 0, STDOUT,
     "rx_miss             7  unicast frames that no endpoint"},
    {"drops of a client", "show drops", 0, STDOUT, "client    2 dhcp_client[100000]"},
    {"drops of an endpoint", "show drops", 0, STDOUT,
     "endpoint  2/69 02:00:00:00:00:09|100|200 10.0.0.5:1000"},
    {"drops as JSON", "-j show drops client 2", 0, STDOUT,
     "\n{\"kind\":\"client\",\"interface\":\"eth1\",\"client\":2,\"counter\":\"rx_buffer_"
     "full\","
     "\"count\":3,"},
    {"brief", "-br show relays", 0, STDOUT, "eth1  down  00:00:00:00:00:00  1500\n"},
    {"a command's own help", "show --help", 0, STDOUT, "usage: etherconnctl show "},
    {"too many words", "status now", 2, STDERR, "takes no argument"},
    {"what was denied", "status", 0, STDOUT, "  denied     31\n"},
    {"policy: allowed", "policy test root 02:00:00:00:00:01", 0, STDOUT,
     "allowed by rule \"lab\"\n  sends UDP only\n  clients         4\n  frames_per_s    "
     "1000\n"},
    {"policy: denied", "policy test nobody '02:00:00:00:00:01|5' 10.0.0.1:68", 1, STDOUT,
     "denied: 65534 1 65534 02:00:00:00:00:01|5 10.0.0.1:68"},
    {"policy: by group", "-i x policy test 71234:nogroup 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 1 65534 02:00:00:00:00:01 none x\n"},
    {"policy: by numbers", "pol te 71234:7 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 1 7 "},
    {"policy: no account", "policy test 71234 02:00:00:00:00:01", 1, STDOUT,
     "denied: 71234 0 0 "},
    {"policy as JSON", "-j policy test nobody 02:00:00:00:00:01", 1, STDOUT,
     "{\"reply\":\"policy\",\"allowed\":false,\"code\":\"EACCES\","},
    {"policy what?", "policy", 2, STDERR, "policy test USER"},
    {"policy which?", "policy show root 02:00:00:00:00:01", 2, STDERR, "policy test USER"},
    {"policy: no user", "policy test nobody-such 02:00:00:00:00:01", 2, STDERR,
     "no user \"nobody-such\""},
    {"policy: empty user", "policy test :nogroup 02:00:00:00:00:01", 2, STDERR,
     "no user \"\""},
    {"policy: no group", "policy test root:no-such 02:00:00:00:00:01", 2, STDERR,
     "no group \"no-such\""},
    {"policy: no MAC", "policy test root 02:00", 2, STDERR, "\"02:00\" is no address"},
    {"policy: no UDP", "policy test root 02:00:00:00:00:01 10.0.0.1", 2, STDERR,
     "\"10.0.0.1\" is no address"},
    {"stdout is full", "show endpoints", 1, "2>&1 >/dev/full", "No space left"},
};

START_TEST(test_answer)
{
	int code = run(answers[_i].arguments, answers[_i].redirect);
	ck_assert_msg(code == answers[_i].code, "%s: exit %d", answers[_i].name, code);
	ck_assert_msg(strstr(output, answers[_i].text), "%s: said: %.800s",
		      answers[_i].name, output);
	ck_assert_msg(!strchr(output, '\033'), "%s: colour in a pipe", answers[_i].name);
}
END_TEST

START_TEST(test_zero_counters_are_left_out)
{
	ck_assert_int_eq(run("stats", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + 4);
	ck_assert_int_eq(run("-a stats", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + ECP_N_RELAY_COUNTERS);
}
END_TEST

/* Names and numbers of any length leave the column behind them where it is. */
START_TEST(test_columns_fit)
{
	ck_assert_int_eq(run("show clients", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + N_CLIENTS);
	const char *line = output;
	const char *title = strstr(line, "INTERFACE");
	ck_assert_ptr_nonnull(title);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		const char *next = strchr(line, '\n') + 1;
		const char *cell = strstr(next, "eth1");
		ck_assert_int_eq(cell - next, title - output);
		line = next;
	}
}
END_TEST

START_TEST(test_text_of_many_pages)
{
	ck_assert_int_eq(run("show endpoints", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 1 + N_ENDPOINTS);
	ck_assert_ptr_nonnull(strstr(output, "CLIENT"));
	ck_assert_ptr_null(strstr(strstr(output, "CLIENT") + 1, "CLIENT"));
}
END_TEST

/* One document, whatever its pages; the ids of its objects count from first. */
static void check_list(const char *key, unsigned n, unsigned first)
{
	struct ecp_error err = {0};
	struct ecp_json *root = ecp_json_parse(output, strlen(output), false, &err);
	ck_assert_msg(root, "%s: %s", key, err.text);
	size_t found;
	const struct ecp_json *item = ecp_json_array(root, key, 1000, &found, &err);
	ck_assert_uint_eq(found, n);
	for (unsigned i = 0; i < n; i++, item = ecp_json_next(item))
		ck_assert_uint_eq(ecp_json_u64(item, "id", 0, 1000, 999, &err), first + i);
	ck_assert_msg(!err.code, "%s: %s", key, err.text);
	ecp_json_free(root);
}

START_TEST(test_json_of_many_pages)
{
	ck_assert_int_eq(run("-j show endpoints", STDOUT), 0);
	check_list("endpoints", N_ENDPOINTS, 0);
	ck_assert_int_eq(run("-jp show endpoints", STDOUT), 0);
	check_list("endpoints", N_ENDPOINTS, 0);
}
END_TEST

/* A program may call itself what it likes. */
START_TEST(test_json_of_odd_names)
{
	ck_assert_int_eq(run("-jp show clients", STDOUT), 0);
	check_list("clients", N_CLIENTS, 1);
	ck_assert_ptr_nonnull(strstr(output, "\"comm\": \"x\\\"\\\\{y\",\n"));
}
END_TEST

/* ---- filters ---- */

static const struct {
	const char *arguments;
	unsigned n; /* lines beneath the titles */
} filters[] = {
    {"endpoints mac 02:00:00:00:00:09", 1},
    {"endpoints mac 02:00:00:00:00:08", 0},
    {"endpoints vlan 100.200", 1},
    {"endpoints vlan 100", N_ENDPOINTS},
    {"endpoints vlan 200", 0},
    {"endpoints vlan none", 0},
    {"endpoints ip 10.0.0.1", N_ENDPOINTS / 2 - 1},
    {"endpoints ip 10.0.0.5 port 1000", 1},
    {"endpoints ip ::1", 0},
    {"endpoints port 68", N_ENDPOINTS / 2 - 1},
    {"endpoints port 0", 0},
    {"endpoints client 2", 1},
    {"endpoints uid 1000", 1},
    {"endpoints pid 7", N_ENDPOINTS - 1},
    {"endpoints comm 'dhcp*' mac 02:00:00:00:00:09", 1},
    {"endpoints comm a mac 02:00:00:00:00:09", 0},
    {"endpoints comm nobody", 0},
    {"endpoints interface eth1", N_ENDPOINTS},
    {"endpoints interface eth2", 0},
    {"clients mac 02:00:00:00:00:09", 1},
    {"clients vlan 100", 2},
    {"clients vlan 300", 0},
    {"clients uid 2000", 1},
    {"clients comm a", 1},
    {"clients port 1000 uid 0", 0},
    {"clients client 3", 1},
    {"relays interface eth1", 1},
    {"relays interface lo", 0},
    {"drops", 3},
    {"drops client 2", 2},
    {"drops mac 02:00:00:00:00:09", 2},
    {"drops client 1", 0},
};

START_TEST(test_filter)
{
	char arguments[128];
	snprintf(arguments, sizeof(arguments), "show %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	ck_assert_msg(count_lines(output) == 1 + filters[_i].n, "%s: %s", arguments,
		      output);
	snprintf(arguments, sizeof(arguments), "show -br %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), filters[_i].n);
	/* a document of the same length */
	snprintf(arguments, sizeof(arguments), "-j show %s", filters[_i].arguments);
	ck_assert_int_eq(run(arguments, STDOUT), 0);
	struct ecp_error err = {0};
	struct ecp_json *root = ecp_json_parse(output, strlen(output), false, &err);
	ck_assert_msg(root, "%s: %s", arguments, err.text);
	ecp_json_free(root);
	ck_assert_uint_eq(count_lines(output), 1 + filters[_i].n);
}
END_TEST

/* What filters are given must be what it says. */
START_TEST(test_wrong_values)
{
	static const char *const wrong[] = {
	    "mac 02:00",  "vlan 4096", "vlan ''", "vlan 1.2.3", "ip 10.0.0",         "ip x",
	    "port 65536", "port 1x",   "uid ''",  "pid root",   "client 4294967296",
	};
	char arguments[128];
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(arguments, sizeof(arguments), "show ep %s", wrong[i]);
		ck_assert_msg(run(arguments, STDERR) == 2, "%s", arguments);
		ck_assert_msg(strstr(output, "\" is no "), "%s: %s", arguments, output);
	}
}
END_TEST

/* ---- size ---- */

/* A list of any length takes the memory of a page. */
static void check_memory(const char *arguments, unsigned lines)
{
	struct rusage usage;
	char number[16];
	n_endpoints = 50000;
	ck_assert_int_eq(run(arguments, "| wc -l"), 0);
	snprintf(number, sizeof(number), "%u\n", lines);
	ck_assert_str_eq(output, number);
	getrusage(RUSAGE_CHILDREN, &usage);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_msg(usage.ru_maxrss < 10000, "%s: %ld kB", arguments, usage.ru_maxrss);
#endif
}

START_TEST(test_memory_of_many_endpoints)
{
	check_memory("show endpoints", 1 + 50000);
}
END_TEST

START_TEST(test_memory_of_a_join)
{
	check_memory("-j show endpoints pid 7", 50000);
}
END_TEST

START_TEST(test_half_a_list_is_a_failure)
{
	hangs_up = true;
	ck_assert_int_eq(run("-j show endpoints", STDERR), 1);
	ck_assert_ptr_nonnull(strstr(output, "closed the connection"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl");
	TCase *alone = tcase_create("without a daemon");
	tcase_add_checked_fixture(alone, make_folder, remove_folder);
	tcase_add_loop_test(alone, test_complaint, 0,
			    sizeof(complaints) / sizeof(*complaints));
	tcase_add_test(alone, test_help_needs_no_daemon);
	suite_add_tcase(s, alone);

	TCase *served = tcase_create("with a daemon");
	tcase_add_checked_fixture(served, start_daemon, stop_daemon);
	tcase_add_loop_test(served, test_answer, 0, sizeof(answers) / sizeof(*answers));
	tcase_add_test(served, test_zero_counters_are_left_out);
	tcase_add_test(served, test_columns_fit);
	tcase_add_test(served, test_text_of_many_pages);
	tcase_add_test(served, test_json_of_many_pages);
	tcase_add_test(served, test_json_of_odd_names);
	tcase_add_loop_test(served, test_filter, 0, sizeof(filters) / sizeof(*filters));
	tcase_add_test(served, test_wrong_values);
	tcase_add_test(served, test_memory_of_many_endpoints);
	tcase_add_test(served, test_memory_of_a_join);
	tcase_add_test(served, test_half_a_list_is_a_failure);
	tcase_set_timeout(served, 30);
	suite_add_tcase(s, served);

	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
