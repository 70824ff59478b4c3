/*
 * stage.c - namespaces, daemon, claims, generator.
 */
#include "bench/stage.h"

#include "proto/frame.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct stage stage;

/* ---- processes and namespaces ---- */

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		die("setns");
}

void enter_peer(void)
{
	int ns = open(stage.peer_ns, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		die(stage.peer_ns);
	enter(ns);
	close(ns);
}

void leave_peer(void)
{
	enter(stage.own_ns);
}

uint64_t peer_received(void)
{
	enter_peer();
	uint64_t n = interface_rx_packets(stage.peer_if);
	leave_peer();
	return n;
}

void end(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

struct ec_relay *connect_again(const struct setting *how)
{
	struct ec_relay *relay = NULL;
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.socket = stage.socket;
	opts.spin_us = how->spin ? SPIN_US : 0;
	ec_relay_open(&relay, NULL, &opts);
	return relay;
}

pid_t start_daemon(struct ec_relay **relay, const struct setting *how)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(stage.etherconnd, stage.etherconnd, "-i", stage.ifname, "-s",
		      stage.socket, "-l", "error", "--backend",
		      how->backend ? how->backend : "af_packet", "--send",
		      how->send ? how->send : "auto", how->spin ? "-c" : NULL,
		      stage.spinning, (char *)NULL);
		die(stage.etherconnd);
	}
	double limit = seconds_now() + 5;
	while (!(*relay = connect_again(how)) && seconds_now() < limit)
		poll(NULL, 0, 1);
	if (!*relay) {
		fprintf(stderr, "bench: %s\n", ec_error_text());
		exit(1);
	}
	return pid;
}

/* ---- frames ---- */

uint8_t *make_frames(unsigned n, bool from, unsigned len)
{
	uint8_t *frames = calloc(n, len);
	unsigned *order = malloc(n * sizeof(*order));
	struct ecp_addr src = {.family = 4, .ip = {10, 0, 0, 1}, .port = 67};
	struct ecp_addr dst = {.family = 4, .ip = {10, 0, 0, 2}, .port = 68};
	struct ecp_udp_build udp = {.src = &src, .dst = &dst, .ttl = 64};
	static const uint8_t payload[LONG_LEN];
	if (!frames || !order)
		die("memory");
	for (unsigned i = 0; i < n; i++)
		order[i] = i;
	srand(1);
	for (unsigned i = n; i > 1; i--) {
		unsigned j = (unsigned)rand() % i, t = order[j];
		order[j] = order[i - 1];
		order[i - 1] = t;
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t *f = frames + (size_t)i * len;
		struct ecp_l2addr l2 = {
		    {0x02, 0xee, 0, 0, 0, 1}, 1, {{VLAN, ECP_TPID_8021Q, 0, 0}}};
		if (from)
			endpoint_mac(order[i], l2.mac);
		unsigned head = ecp_header_build(&l2, f);
		endpoint_mac(from ? 0xffff : order[i], f);
		f[head - 2] = 0x08;
		ecp_udp_build(f + head, len - head, &udp, payload, len - 46);
	}
	free(order);
	return frames;
}

struct ec_claim claims[ENDPOINTS_MAX];

void open_endpoints(struct ec_relay *relay, unsigned n)
{
	memset(claims, 0, sizeof(claims));
	for (unsigned i = 0; i < n; i++) {
		endpoint_mac(i, claims[i].addr.mac);
		claims[i].addr.n_vlans = 1;
		claims[i].addr.vlans[0].id = VLAN;
	}
	if (ec_open_many(relay, claims, n, NULL, NULL) != (ssize_t)n) {
		fprintf(stderr, "bench: %s\n", ec_error_text());
		exit(1);
	}
}

/* ---- generator ---- */

static uint64_t generate(const struct load *load)
{
	double seconds = load->seconds > 0 ? load->seconds : SECONDS;
	const uint8_t *frames = load->frames;
	uint8_t *own = frames ? NULL : make_frames(load->n_endpoints, false, load->len);
	for (unsigned i = 0; load->foreign && i < load->n_endpoints; i++)
		own[(size_t)i * load->len + 1] = 0xff;
	if (!frames)
		frames = own;
	if (load->by == BY_LIVE_FRAMES)
		return live_frames_for(stage.ifname, frames, load->n_endpoints, load->len,
				       seconds, load->datagrams);
	enter_peer();
	if (load->by == BY_XDP)
		return raw_xdp_send_for(raw_xdp_open(stage.peer_if), frames,
					load->n_endpoints, load->len, seconds);
	return raw_send_paced(raw_socket(stage.peer_if, 0), frames, load->n_endpoints,
			      load->len, seconds, load->kpps * 1e3);
}

pid_t start_generator(const struct load *load, int *report)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		uint64_t sent = generate(load);
		if (write(ends[1], &sent, sizeof(sent)) < 0)
			die("report");
		_exit(0);
	}
	close(ends[1]);
	*report = ends[0];
	return pid;
}

uint64_t generator_sent(pid_t pid, int report)
{
	uint64_t sent = 0;
	if (read(report, &sent, sizeof(sent)) != sizeof(sent))
		die("the generator said nothing");
	close(report);
	waitpid(pid, NULL, 0);
	return sent;
}

/* ---- what all cases have ---- */

void receive_figures(const char *name, const char *against, uint64_t sent, uint64_t got,
		     double seconds, double cpu)
{
	figure_add(name, "kpps", against, (double)got / seconds / 1e3);
	figure_add(name, "cpu ns", against, cpu / (double)got * 1e9);
	figure_add(name, "loss %", NULL, 100.0 * (1 - (double)got / (double)sent));
}

int resolve_to(void *mac, const struct sockaddr *dst, uint8_t ret[6])
{
	(void)dst;
	memcpy(ret, mac, 6);
	return 0;
}
