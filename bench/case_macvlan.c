/*
 * case_macvlan.c - what people use today: a thousand macvlan devices with a UDP socket each,
 * beside a thousand L2 and UDP endpoints in one client.
 */
#include "bench/stage.h"

#include "proto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N       1000
#define PORT    68
#define PAYLOAD 22 /* in a frame of 64 bytes without a tag */

#define RECEIVE      "receive UDP: 1,000 macvlans"
#define RECEIVE_LIVE "receive UDP, live frames: 1,000 macvlans"
#define SEND         "send UDP: 1,000 macvlans"

static uint8_t sink_mac[6] = {0x02, 0xee, 0, 0, 0, 1};

static void endpoint_ip(unsigned i, char text[20])
{
	snprintf(text, 20, "10.50.%u.%u", i / 250, i % 250 + 1);
}

/* ---- macvlans ---- */

static void run_ip(const char *path)
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		execlp("ip", "ip", "-batch", path, (char *)NULL);
		die("ip");
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		die("ip -batch");
}

/* Commands for each, %u its number; run at once. */
static void for_each_macvlan(void (*write_lines)(FILE *f, unsigned i))
{
	char path[140];
	snprintf(path, sizeof(path), "%s.batch", stage.socket);
	FILE *f = fopen(path, "w");
	if (!f)
		die(path);
	for (unsigned i = 0; i < N; i++)
		write_lines(f, i);
	fclose(f);
	run_ip(path);
	unlink(path);
}

static void line_add(FILE *f, unsigned i)
{
	uint8_t mac[6];
	char ip[20], text[ECP_MAC_TEXT];
	endpoint_mac(i, mac);
	endpoint_ip(i, ip);
	fprintf(f,
		"link add link %s name mv%u address %s type macvlan mode private\n"
		"addr add %s/32 dev mv%u\n"
		"link set mv%u up\n"
		"route add 10.77.0.1/32 dev mv%u metric %u\n"
		"neigh add 10.77.0.1 lladdr 02:ee:00:00:00:01 dev mv%u nud permanent\n",
		stage.ifname, i, ecp_mac_format(mac, text), ip, i, i, i, i + 1, i);
}

static void line_remove(FILE *f, unsigned i)
{
	fprintf(f, "link del mv%u\n", i);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		die(path);
}

static int socket_on(unsigned i)
{
	char ip[20], name[16];
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in sink = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), size = 1 << 20;
	endpoint_ip(i, ip);
	inet_pton(AF_INET, ip, &local.sin_addr);
	inet_pton(AF_INET, "10.77.0.1", &sink.sin_addr);
	snprintf(name, sizeof(name), "mv%u", i);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, sizeof(name)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0 ||
	    bind(fd, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    connect(fd, (struct sockaddr *)&sink, sizeof(sink)) < 0)
		die("a socket on a macvlan");
	return fd;
}

/* ---- receive ---- */

/* Frames from the peer the sockets are connected to, to each in random order. */
static uint8_t *make_datagrams(void)
{
	uint8_t *frames = calloc(N, FRAME_LEN);
	static const uint8_t payload[PAYLOAD];
	unsigned order[N];
	srand(1);
	for (unsigned i = 0; i < N; i++) {
		unsigned j = (unsigned)rand() % (i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	for (unsigned i = 0; frames && i < N; i++) {
		uint8_t *f = frames + (size_t)i * FRAME_LEN;
		char text[32], ip[20];
		struct ecp_l2addr l2 = {.mac = {0x02, 0xee, 0, 0, 0, 1}};
		struct ecp_addr src, dst;
		struct ecp_udp_build udp = {.src = &src, .dst = &dst, .ttl = 64};
		endpoint_ip(order[i], ip);
		snprintf(text, sizeof(text), "%s:%u", ip, PORT);
		ecp_addr_parse("10.77.0.1:9", &src);
		ecp_addr_parse(text, &dst);
		unsigned head = ecp_header_build(&l2, f);
		endpoint_mac(order[i], f);
		f[head - 2] = 0x08;
		ecp_udp_build(f + head, FRAME_LEN - head, &udp, payload, PAYLOAD);
	}
	return frames;
}

/* All that a socket has, 32 at a call. */
static unsigned drain(int fd)
{
	static uint8_t bytes[32][64];
	static struct iovec iov[32];
	static struct mmsghdr msgs[32];
	unsigned got = 0;
	for (unsigned i = 0; !iov[i].iov_len && i < 32; i++) {
		iov[i] = (struct iovec){bytes[i], sizeof(bytes[i])};
		msgs[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	for (int n = 32; n == 32;) {
		n = recvmmsg(fd, msgs, 32, MSG_DONTWAIT, NULL);
		got += n > 0 ? (unsigned)n : 0;
	}
	return got;
}

static void receive_macvlan(const char *name, const int *fds, const struct load *load)
{
	struct epoll_event events[64];
	int epoll = epoll_create1(EPOLL_CLOEXEC), report, n;
	uint64_t got = 0;
	double begin = 0, last = 0, cpu = 0;
	for (unsigned i = 0; i < N; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	pid_t generator = start_generator(load, &report);
	while ((n = epoll_wait(epoll, events, 64, got ? 100 : 3000)) > 0) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self();
		}
		for (int i = 0; i < n; i++)
			got += drain(events[i].data.fd);
		last = seconds_now();
	}
	cpu = cpu_seconds_self() - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, NULL, sent, got, last - begin, cpu);
	close(epoll);
}

static void receive_endpoints(const char *name, const char *against, struct ec_relay *relay,
			      pid_t daemon, const struct load *load)
{
	struct ec_frame frames[64];
	int report, n;
	uint64_t got = 0;
	double begin = 0, last = 0, cpu = 0;
	pid_t generator = start_generator(load, &report);
	while ((n = ec_relay_recv(relay, frames, 64, got ? 100 : 3000)) > 0) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
		}
		for (int i = 0; i < n; i++)
			got += frames[i].udp && frames[i].payload_len == PAYLOAD;
		last = seconds_now();
	}
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, against, sent, got, last - begin, cpu);
}

/* ---- send ---- */

static void send_figures(const char *name, const char *against, uint64_t before,
			 double seconds, double cpu)
{
	uint64_t arrived = peer_received() - before;
	figure_add(name, "kpps", against, (double)arrived / seconds / 1e3);
	figure_add(name, "cpu ns", against, cpu / (double)arrived * 1e9);
}

static void send_macvlan(const int *fds)
{
	static const uint8_t payload[PAYLOAD];
	uint64_t before = peer_received();
	double begin = seconds_now(), cpu = cpu_seconds_self();
	while (seconds_now() < begin + SECONDS)
		for (unsigned i = 0; i < N; i++)
			if (send(fds[i], payload, PAYLOAD, 0) < 0 && errno != ENOBUFS)
				die("send on a macvlan");
	send_figures(SEND, NULL, before, seconds_now() - begin, cpu_seconds_self() - cpu);
}

static void send_endpoints(struct ec_relay *relay, pid_t daemon)
{
	static const uint8_t payload[PAYLOAD];
	struct sockaddr_in sink = {.sin_family = AF_INET, .sin_port = htons(9)};
	inet_pton(AF_INET, "10.77.0.1", &sink.sin_addr);
	uint64_t before = peer_received();
	double begin = seconds_now(), cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
	while (seconds_now() < begin + SECONDS)
		for (unsigned i = 0; i < N; i++)
			if (ec_udp_sendto(claims[i].udp, payload, PAYLOAD,
					  i % 64 < 63 ? EC_MORE : 0,
					  (struct sockaddr *)&sink, sizeof(sink)) < 0)
				die(ec_error_text());
	ec_relay_flush(relay);
	double took = seconds_now() - begin;
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	send_figures("send UDP: 1,000 endpoints", SEND, before, took, cpu);
}

/* ---- both ---- */

static void with_macvlans(const struct load *load, const struct load *live)
{
	static int fds[N];
	double begin = seconds_now();
	write_file("/proc/sys/net/ipv4/conf/all/rp_filter", "0");
	write_file("/proc/sys/net/ipv4/conf/default/rp_filter", "0");
	for_each_macvlan(line_add);
	figure_add("make 1,000 macvlans", "s", NULL, seconds_now() - begin);
	for (unsigned i = 0; i < N; i++)
		fds[i] = socket_on(i);
	receive_macvlan(RECEIVE, fds, load);
	if (live_frames_possible())
		receive_macvlan(RECEIVE_LIVE, fds, live);
	send_macvlan(fds);
	for (unsigned i = 0; i < N; i++)
		close(fds[i]);
	for_each_macvlan(line_remove);
}

static void with_endpoints(const struct load *load, const struct load *live)
{
	const struct setting how = {0};
	static char locals[N][32];
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct ec_relay *relay;
	pid_t daemon = start_daemon(&relay, &how);
	opts.resolve = resolve_to;
	opts.resolve_arg = sink_mac;
	memset(claims, 0, sizeof(claims));
	for (unsigned i = 0; i < N; i++) {
		char ip[20];
		endpoint_ip(i, ip);
		endpoint_mac(i, claims[i].addr.mac);
		snprintf(locals[i], sizeof(locals[i]), "%s:%u", ip, PORT);
		claims[i].local = locals[i];
	}
	double begin = seconds_now();
	if (ec_open_many(relay, claims, N, NULL, &opts) != N)
		die(ec_error_text());
	figure_add("make 1,000 endpoints", "s", "make 1,000 macvlans",
		   seconds_now() - begin);
	receive_endpoints("receive UDP: 1,000 endpoints", RECEIVE, relay, daemon, load);
	if (live_frames_possible())
		receive_endpoints("receive UDP, live frames: 1,000 endpoints", RECEIVE_LIVE,
				  relay, daemon, live);
	send_endpoints(relay, daemon);
	ec_relay_close(relay);
	end(daemon);
}

void macvlan_all(void)
{
	uint8_t *frames = make_datagrams();
	const struct load load = {N, FRAME_LEN, .frames = frames};
	const struct load live = {N, FRAME_LEN, .by = BY_LIVE_FRAMES, .datagrams = true,
				  .frames = frames};
	with_macvlans(&load, &live);
	with_endpoints(&load, &live);
	free(frames);
}
