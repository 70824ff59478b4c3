/*
 * bench_packets.c - receive, send and round trip: through the daemon and a client, beside a
 * bare packet socket in one process and the kernel's UDP.
 *
 *   bench_packets IF PEER-IF PEER-NETNS ETHERCONND SOCKET JSON
 *
 * Runs in the daemon's namespace.  Generator, echo server and daemon are processes of its own.
 */
#include "bench/bench.h"
#include "client-lib/etherconn.h"
#include "proto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define VLAN          100
#define FRAME_LEN     64
#define LONG_LEN      1500
#define SPIN_US       50
#define SECONDS       1.0
#define PINGS         2000
#define ENDPOINTS_MAX 50000

static struct {
	const char *ifname, *peer_if, *peer_ns, *etherconnd, *socket, *json;
	char spinning[120]; /* a configuration */
	int own_ns, runs;
} o;

/* ---- processes and namespaces ---- */

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		die("setns");
}

static void enter_peer(void)
{
	int ns = open(o.peer_ns, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		die(o.peer_ns);
	enter(ns);
	close(ns);
}

static uint64_t peer_received(void)
{
	enter_peer();
	uint64_t n = interface_rx_packets(o.peer_if);
	enter(o.own_ns);
	return n;
}

static void end(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* How the daemon is to be. */
struct setting {
	const char *backend, *send;
	bool spin; /* it, and its client */
};

static struct ec_relay *try_connect(const struct setting *how)
{
	struct ec_relay *relay = NULL;
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.socket = o.socket;
	opts.spin_us = how->spin ? SPIN_US : 0;
	ec_relay_open(&relay, NULL, &opts);
	return relay;
}

/* A daemon that serves: its pid, and a client of it. */
static pid_t start_daemon(struct ec_relay **relay, const struct setting *how)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(o.etherconnd, o.etherconnd, "-i", o.ifname, "-s", o.socket, "-l",
		      "error", "--backend", how->backend ? how->backend : "af_packet",
		      "--send", how->send ? how->send : "auto", how->spin ? "-c" : NULL,
		      o.spinning, (char *)NULL);
		die(o.etherconnd);
	}
	double limit = seconds_now() + 5;
	while (!(*relay = try_connect(how)) && seconds_now() < limit)
		poll(NULL, 0, 1);
	if (!*relay) {
		fprintf(stderr, "bench: %s\n", ec_error_text());
		exit(1);
	}
	return pid;
}

/* ---- frames ---- */

static void endpoint_mac(unsigned i, uint8_t mac[6])
{
	const uint8_t bytes[6] = {0x02, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
	memcpy(mac, bytes, 6);
}

/* n frames of FRAME_LEN bytes with one tag, to (or from) n endpoints in random order. */
static uint8_t *make_frames(unsigned n, bool from, unsigned len)
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

static struct ec_claim claims[ENDPOINTS_MAX];

static void open_endpoints(struct ec_relay *relay, unsigned n)
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

/* ---- receive ---- */

/* What is sent to the relay: to so many endpoints, by which means. */
struct load {
	unsigned n_endpoints, len;
	bool by_xdp, foreign;
};

static uint64_t generate(const struct load *load)
{
	uint8_t *frames = make_frames(load->n_endpoints, false, load->len);
	for (unsigned i = 0; load->foreign && i < load->n_endpoints; i++)
		frames[(size_t)i * load->len + 1] = 0xff;
	if (load->by_xdp)
		return raw_xdp_send_for(raw_xdp_open(o.peer_if), frames, load->n_endpoints,
					load->len, SECONDS);
	return raw_send_for(raw_socket(o.peer_if, 0), frames, load->n_endpoints, load->len,
			    SECONDS);
}

/* The generator: sends for SECONDS from the peer's namespace, writes how many. */
static pid_t start_generator(const struct load *load, int *report)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		enter_peer();
		uint64_t sent = generate(load);
		if (write(ends[1], &sent, sizeof(sent)) < 0)
			die("report");
		_exit(0);
	}
	close(ends[1]);
	*report = ends[0];
	return pid;
}

static uint64_t generator_sent(pid_t pid, int report)
{
	uint64_t sent = 0;
	if (read(report, &sent, sizeof(sent)) != sizeof(sent))
		die("the generator said nothing");
	close(report);
	waitpid(pid, NULL, 0);
	return sent;
}

static void receive_figures(const char *name, const char *against, uint64_t sent,
			    uint64_t got, double seconds, double cpu)
{
	figure_add(name, "kpps", against, (double)got / seconds / 1e3);
	figure_add(name, "cpu ns", against, cpu / (double)got * 1e9);
	figure_add(name, "loss %", NULL, 100.0 * (1 - (double)got / (double)sent));
}

static void receive_bare(const char *name, const struct load *load)
{
	struct raw_ring *ring = raw_ring_open(o.ifname);
	int report;
	pid_t generator = start_generator(load, &report);
	double begin = 0, last = 0, cpu = 0, deadline = seconds_now() + SECONDS + 2;
	uint64_t got = 0;
	for (unsigned n; (n = raw_ring_take(ring, last ? last + 0.1 : deadline));) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self();
		}
		got += n;
		last = seconds_now();
	}
	cpu = cpu_seconds_self() - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, NULL, sent, got, last - begin, cpu);
	raw_ring_close(ring);
}

static void receive_daemon(const char *name, const char *against, const struct load *load,
			   const char *backend)
{
	const struct setting how = {.backend = backend};
	struct ec_frame frames[64];
	struct ec_relay *relay;
	int report, n;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, load->n_endpoints);
	pid_t generator = start_generator(load, &report);
	double begin = 0, last = 0, cpu = 0;
	uint64_t got = 0;
	while ((n = ec_relay_recv(relay, frames, 64, got ? 100 : 3000)) > 0) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
		}
		got += (unsigned)n;
		last = seconds_now();
	}
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, against, sent, got, last - begin, cpu);
	ec_relay_close(relay);
	end(daemon);
}

/* A flood that nobody here wants: what it costs the daemon. */
static void receive_foreign(void)
{
	const struct setting how = {.send = "socket"};
	const struct load load = {.n_endpoints = 1000, .len = FRAME_LEN, .foreign = true};
	struct ec_relay *relay;
	int report;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, 1000);
	double cpu = cpu_seconds_of(daemon), begin = seconds_now();
	pid_t generator = start_generator(&load, &report);
	uint64_t sent = generator_sent(generator, report);
	double took = seconds_now() - begin;
	figure_add("a flood of foreign frames", "kpps", NULL, (double)sent / took / 1e3);
	figure_add("a flood of foreign frames", "% of a core", NULL,
		   100 * (cpu_seconds_of(daemon) - cpu) / took);
	ec_relay_close(relay);
	end(daemon);
}

/* ---- send ---- */

#define SEND_BARE     "send: bare sendmmsg"
#define SEND_BARE_XDP "send: bare AF_XDP"

/* Beside the ratio of medians: of each run to the bare sendmmsg() of the same run. */
static void send_figures(const char *name, const char *against, uint64_t arrived,
			 double seconds, double cpu)
{
	static double bare;
	double kpps = (double)arrived / seconds / 1e3;
	if (!strcmp(name, SEND_BARE))
		bare = kpps;
	figure_add(name, "kpps", against, kpps);
	figure_add(name, "cpu ns", against, cpu / (double)arrived * 1e9);
	figure_add(name, "% sendmmsg", NULL, 100 * kpps / bare);
}

static void send_by_socket(const uint8_t *frames)
{
	int fd = raw_socket(o.ifname, 0);
	raw_send_for(fd, frames, ENDPOINTS_MAX, FRAME_LEN, SECONDS);
	close(fd);
}

static void send_by_xdp(const uint8_t *frames)
{
	struct raw_xdp *xdp = raw_xdp_open(o.ifname);
	raw_xdp_send_for(xdp, frames, ENDPOINTS_MAX, FRAME_LEN, SECONDS);
	raw_xdp_close(xdp);
}

static void send_bare(const char *name, void (*send)(const uint8_t *frames))
{
	uint8_t *frames = make_frames(ENDPOINTS_MAX, true, FRAME_LEN);
	uint64_t before = peer_received();
	double begin = seconds_now(), cpu = cpu_seconds_self();
	send(frames);
	double took = seconds_now() - begin;
	cpu = cpu_seconds_self() - cpu;
	send_figures(name, SEND_BARE, peer_received() - before, took, cpu);
	free(frames);
}

static void send_daemon(const char *name, const char *send, unsigned n_endpoints)
{
	const struct setting how = {.send = send};
	static const uint8_t dst[6] = {0x02, 0xee, 0, 0, 0, 1};
	struct ec_relay *relay;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, n_endpoints);
	uint8_t *frames = make_frames(1, true, FRAME_LEN);
	const uint8_t *packet = frames + 18;
	uint64_t before = peer_received(), sent = 0, arrived = 0;
	double begin = seconds_now(), cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
	while (seconds_now() < begin + SECONDS)
		for (unsigned i = 0; i < 64; i++, sent++)
			if (ec_l2_send(claims[sent % n_endpoints].l2, packet,
				       FRAME_LEN - 18, ECP_ETHERTYPE_IPV4, dst,
				       i < 63 ? EC_MORE : 0) < 0)
				die(ec_error_text());
	double took = seconds_now() - begin, limit = seconds_now() + 2;
	while ((arrived = peer_received() - before) < sent && seconds_now() < limit)
		took = seconds_now() - begin;
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	if (arrived < sent)
		printf("%s: %lu of %lu frames did not arrive\n", name, sent - arrived,
		       sent);
	send_figures(name, strcmp(send, "xdp") ? SEND_BARE : SEND_BARE_XDP, arrived, took,
		     cpu);
	free(frames);
	ec_relay_close(relay);
	end(daemon);
}

/* ---- round trip ---- */

#define RTT_KERNEL "round trip: kernel UDP, blocking"

static pid_t start_echo(void)
{
	int ready[2];
	char byte;
	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		char buf[2048];
		struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(7)},
				   peer;
		enter_peer();
		int fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
		    write(ready[1], "", 1) < 0)
			die("echo server");
		for (;;) {
			socklen_t len = sizeof(peer);
			ssize_t n = recvfrom(fd, buf, sizeof(buf), 0,
					     (struct sockaddr *)&peer, &len);
			if (n >= 0)
				sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&peer,
				       len);
		}
	}
	if (read(ready[0], &byte, 1) != 1)
		die("echo server");
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Time PINGS questions; ask() sends one and waits for its answer. */
static void round_trips(const char *name, bool (*ask)(void *), void *arg)
{
	static double us[PINGS];
	char p99[80];
	for (int i = 0; i < PINGS; i++) {
		double begin = seconds_now();
		if (!ask(arg)) {
			printf("%s: no answer to question %d\n", name, i);
			return;
		}
		us[i] = (seconds_now() - begin) * 1e6;
	}
	qsort(us, PINGS, sizeof(*us), compare);
	figure_add(name, "p50 us", RTT_KERNEL, us[PINGS / 2]);
	snprintf(p99, sizeof(p99), "%s", name);
	figure_add(p99, "p99 us", RTT_KERNEL, us[PINGS * 99 / 100]);
}

static const char question[18] = "how are you?";

static bool ask_kernel(void *arg)
{
	char answer[64];
	int fd = *(int *)arg;
	return send(fd, question, sizeof(question), 0) > 0 &&
	       recv(fd, answer, sizeof(answer), 0) == sizeof(question);
}

static struct sockaddr_in peer_addr(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7)};
	inet_pton(AF_INET, "10.9.0.1", &a.sin_addr);
	return a;
}

static void rtt_kernel(void)
{
	struct sockaddr_in to = peer_addr();
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	round_trips(RTT_KERNEL, ask_kernel, &fd);
	close(fd);
}

struct raw_question {
	int fd;
	uint8_t frame[128];
	size_t len;
};

static bool ask_raw(void *arg)
{
	struct raw_question *q = arg;
	uint8_t answer[2048];
	if (send(q->fd, q->frame, q->len, 0) < 0)
		return false;
	for (;;) {
		struct pollfd p = {.fd = q->fd, .events = POLLIN};
		if (poll(&p, 1, 1000) != 1)
			return false;
		ssize_t n = recv(q->fd, answer, sizeof(answer), 0);
		if (n > 0 && !memcmp(answer, q->frame + 6, 6))
			return true;
	}
}

static const uint8_t raw_mac[6] = {0x02, 0, 0, 0, 9, 3}, ec_mac[6] = {0x02, 0, 0, 0, 9, 4};

static void rtt_raw(const uint8_t peer_mac[6])
{
	struct raw_question q = {.fd = raw_socket(o.ifname, ETH_P_IP)};
	struct ecp_l2addr l2 = {.n_vlans = 0};
	struct ecp_addr src = {.family = 4, .ip = {10, 9, 0, 3}, .port = 1000};
	struct ecp_addr dst = {.family = 4, .ip = {10, 9, 0, 1}, .port = 7};
	struct ecp_udp_build udp = {.src = &src, .dst = &dst, .ttl = 64};
	memcpy(l2.mac, raw_mac, 6);
	unsigned head = ecp_header_build(&l2, q.frame);
	memcpy(q.frame, peer_mac, 6);
	q.frame[12] = 0x08;
	q.len = head + (size_t)ecp_udp_build(q.frame + head, sizeof(q.frame) - head, &udp,
					     question, sizeof(question));
	struct raw_ring *promisc = raw_ring_open(o.ifname);
	round_trips("round trip: raw packet socket, blocking", ask_raw, &q);
	raw_ring_close(promisc);
	close(q.fd);
}

static bool ask_daemon(void *arg)
{
	struct ec_udp *udp = arg;
	struct sockaddr_in to = peer_addr();
	char answer[64];
	ec_udp_set_read_deadline(udp, ec_now() + 1000000000);
	return ec_udp_sendto(udp, question, sizeof(question), 0, (struct sockaddr *)&to,
			     sizeof(to)) > 0 &&
	       ec_udp_recvfrom(udp, answer, sizeof(answer), 0, NULL, NULL) ==
		   sizeof(question);
}

static int resolve(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)dst;
	memcpy(mac, arg, 6);
	return 0;
}

static void rtt_daemon(const char *name, const struct setting *how, uint8_t peer_mac[6])
{
	struct ec_relay *relay;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct ec_l2addr addr = {.n_vlans = 0};
	struct ec_udp_opts opts = EC_UDP_OPTS;
	pid_t daemon = start_daemon(&relay, how);
	memcpy(addr.mac, ec_mac, 6);
	opts.resolve = resolve;
	opts.resolve_arg = peer_mac;
	if (ec_l2_open(&l2, relay, &addr, NULL) < 0 ||
	    ec_udp_open(&udp, l2, "10.9.0.4:1000", &opts) < 0)
		die(ec_error_text());
	round_trips(name, ask_daemon, udp);
	ec_relay_close(relay);
	end(daemon);
}

/* ---- all of it ---- */

#define BARE      "receive: bare packet ring"
#define BARE_XDP  "receive, faster generator: bare packet ring"
#define BARE_LONG "receive, 1500 B: bare packet ring"

static void receive_all(void)
{
	const struct load one = {1, FRAME_LEN}, thousand = {1000, FRAME_LEN},
			  many = {ENDPOINTS_MAX, FRAME_LEN}, long_ones = {1000, LONG_LEN};
	const struct load one_fast = {1, FRAME_LEN, .by_xdp = true},
			  many_fast = {ENDPOINTS_MAX, FRAME_LEN, .by_xdp = true};
	receive_bare(BARE, &many);
	receive_daemon("receive: daemon + client, 1 endpoint", BARE, &one, NULL);
	receive_daemon("receive: daemon + client, 1,000 endpoints", BARE, &thousand, NULL);
	receive_daemon("receive: daemon + client, 50,000 endpoints", BARE, &many, NULL);
	receive_daemon("receive: by the block, 1 endpoint", BARE, &one, "af_packet_v3");
	receive_daemon("receive: by the block, 50,000 endpoints", BARE, &many,
		       "af_packet_v3");
	receive_bare(BARE_LONG, &long_ones);
	receive_daemon("receive, 1500 B: daemon + client", BARE_LONG, &long_ones, NULL);
	receive_foreign();
	if (!raw_xdp_possible())
		return;
	receive_bare(BARE_XDP, &many_fast);
	receive_daemon("receive, faster: daemon + client, 1 endpoint", BARE_XDP, &one_fast,
		       NULL);
	receive_daemon("receive, faster: daemon + client, 50,000", BARE_XDP, &many_fast,
		       NULL);
	receive_daemon("receive, faster: by the block, 50,000", BARE_XDP, &many_fast,
		       "af_packet_v3");
}

static void send_all(void)
{
	send_bare(SEND_BARE, send_by_socket);
	send_daemon("send: daemon by socket, 1 endpoint", "socket", 1);
	send_daemon("send: daemon by socket, 50,000 endpoints", "socket", ENDPOINTS_MAX);
	if (!raw_xdp_possible())
		return;
	send_bare(SEND_BARE_XDP, send_by_xdp);
	send_daemon("send: daemon by AF_XDP, 1 endpoint", "xdp", 1);
	send_daemon("send: daemon by AF_XDP, 50,000 endpoints", "xdp", ENDPOINTS_MAX);
}

static void rtt_all(uint8_t peer_mac[6])
{
	const struct setting socket = {.send = "socket"}, xdp = {.send = "xdp"},
			     spin = {.spin = true};
	pid_t echo = start_echo();
	rtt_kernel();
	rtt_raw(peer_mac);
	rtt_daemon("round trip: daemon by socket, blocking", &socket, peer_mac);
	if (raw_xdp_possible())
		rtt_daemon("round trip: daemon by AF_XDP, blocking", &xdp, peer_mac);
	rtt_daemon("round trip: daemon and client spin 50 us", &spin, peer_mac);
	end(echo);
}

static void write_spinning(void)
{
	snprintf(o.spinning, sizeof(o.spinning), "%s.conf", o.socket);
	FILE *f = fopen(o.spinning, "w");
	if (!f || fprintf(f, "{\"spin_us\": %d}\n", SPIN_US) < 0 || fclose(f) != 0)
		die(o.spinning);
}

/* Part of it by name: receive, send, rtt. */
static void run(const char *only, uint8_t peer_mac[6])
{
	if (!only || !strcmp(only, "receive"))
		receive_all();
	if (!only || !strcmp(only, "send"))
		send_all();
	if (!only || !strcmp(only, "rtt"))
		rtt_all(peer_mac);
}

int main(int argc, char **argv)
{
	uint8_t peer_mac[6];
	const char *runs = getenv("BENCH_RUNS");
	if (argc != 8 || ecp_mac_parse(argv[7], peer_mac) < 0) {
		fprintf(stderr,
			"usage: bench_packets IF PEER-IF PEER-NETNS ETHERCONND SOCKET "
			"JSON PEER-MAC\n");
		return 2;
	}
	o.ifname = argv[1];
	o.peer_if = argv[2];
	o.peer_ns = argv[3];
	o.etherconnd = argv[4];
	o.socket = argv[5];
	write_spinning();
	o.json = argv[6];
	o.runs = runs ? atoi(runs) : 5;
	o.own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < o.runs && i < BENCH_RUNS_MAX; i++) {
		printf("run %d of %d\n", i + 1, o.runs);
		fflush(stdout);
		run(getenv("BENCH_ONLY"), peer_mac);
	}
	figures_print();
	return figures_write(o.json) < 0;
}
