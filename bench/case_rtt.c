/*
 * case_rtt.c - a question and its answer, with a UDP echo in the kernel at the other end.
 */
#include "bench/stage.h"

#include "proto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PINGS 2000

/* ---- round trip ---- */

/*
 * Where the processes run decides what it costs to wake one.  On two cores: the echo on one, who
 * asks, and the daemon, on the other.
 */
static const struct layout {
	const char *name;
	int asking, echo;
} layouts[] = {{"2 cores", 0, 1}, {"1 core", 0, 0}},
  anywhere = {"anywhere", ANY_CORE, ANY_CORE};

static const struct layout *layout;

#define KERNEL "kernel UDP, blocking"
#define RAW    "raw packet socket, blocking"

static const char *in_layout(char name[80], const char *what)
{
	snprintf(name, 80, "round trip, %s: %s", layout->name, what);
	return name;
}

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
		pin_to(layout->echo);
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

/* Time PINGS questions; ask() sends one and waits for its answer.  against: KERNEL or RAW. */
static void round_trips(const char *what, const char *than, bool (*ask)(void *), void *arg)
{
	static double us[PINGS];
	char name[80], against[80];
	in_layout(name, what);
	in_layout(against, than);
	if (!case_wanted(name))
		return;
	for (int i = 0; i < PINGS; i++) {
		double begin = seconds_now();
		if (!ask(arg)) {
			printf("%s: no answer to question %d\n", name, i);
			return;
		}
		us[i] = (seconds_now() - begin) * 1e6;
	}
	values_sort(us, PINGS);
	figure_add(name, "p50 us", against, us[PINGS / 2]);
	figure_add(name, "p99 us", against, us[PINGS * 99 / 100]);
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
	round_trips(KERNEL, KERNEL, ask_kernel, &fd);
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
	struct raw_question q = {.fd = raw_socket(stage.ifname, ETH_P_IP)};
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
	struct raw_ring *promisc = raw_ring_open(stage.ifname, 0);
	round_trips(RAW, RAW, ask_raw, &q);
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

/* An endpoint of this client that asks. */
static struct ec_udp *open_asking(struct ec_relay *relay)
{
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct ec_l2addr addr = {.n_vlans = 0};
	struct ec_udp_opts opts = EC_UDP_OPTS;
	memcpy(addr.mac, ec_mac, 6);
	opts.resolve = resolve_to;
	opts.resolve_arg = stage.peer_mac;
	if (ec_l2_open(&l2, relay, &addr, NULL) < 0 ||
	    ec_udp_open(&udp, l2, "10.9.0.4:1000", &opts) < 0)
		die(ec_error_text());
	return udp;
}

static void rtt_daemon(const char *what, const char *than, const struct setting *how)
{
	struct ec_relay *relay;
	pid_t daemon = start_daemon(&relay, how);
	round_trips(what, than, ask_daemon, open_asking(relay));
	ec_relay_close(relay);
	end(daemon);
}

/* Another process that claims and gives back, until it is ended. */
static pid_t start_storm(const struct setting *how)
{
	pid_t pid = fork();
	struct ec_relay *relay;
	if (pid)
		return pid;
	relay = connect_again(how);
	if (!relay)
		die(ec_error_text());
	for (;;) {
		open_endpoints(relay, ENDPOINTS_MAX);
		ec_close_many(claims, ENDPOINTS_MAX);
	}
}

static void rtt_in_a_storm(void)
{
	const struct setting how = {0};
	struct ec_relay *relay;
	pid_t daemon = start_daemon(&relay, &how), storm = start_storm(&how);
	round_trips("while another claims 50,000", RAW, ask_daemon, open_asking(relay));
	end(storm);
	ec_relay_close(relay);
	end(daemon);
}

static void rtt_in_layout(void)
{
	const struct setting socket = {.send = "socket"}, xdp = {.send = "xdp"};
	pid_t echo = start_echo();
	pin_to(layout->asking);
	rtt_kernel();
	rtt_raw(stage.peer_mac);
	rtt_daemon("daemon by socket, blocking", RAW, &socket);
	if (raw_xdp_possible())
		rtt_daemon("daemon by AF_XDP, blocking", RAW, &xdp);
	pin_to(ANY_CORE);
	end(echo);
}

/* Who spins needs a core, and three are at work: the scheduler places them. */
static void rtt_anywhere(void)
{
	const struct setting spin = {.spin = true};
	layout = &anywhere;
	pid_t echo = start_echo();
	rtt_kernel();
	rtt_raw(stage.peer_mac);
	rtt_daemon("daemon and client spin 50 us", KERNEL, &spin);
	rtt_in_a_storm();
	end(echo);
}

void rtt_all(void)
{
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		layout = &layouts[i];
		rtt_in_layout();
	}
	rtt_anywhere();
}
