/*
 * check_go_faults.c - what went wrong with the Go package etherconn, each seen by experiment: that
 * it cannot happen here, over a real link, over every back-end, with IPv4 and with IPv6.
 */
#include "tests/scene.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_poll
#define SYS_poll SYS_ppoll /* where there is no other */
#endif
#define MS   INT64_C(1000000)
#define SOON (5000 * MS)
#define TYPE 0x88b5

static struct test_frame datagram(void)
{
	static char src[ECP_ADDR_TEXT], dst[ECP_ADDR_TEXT];
	return (struct test_frame){.to = MAC,
				   .src_ip = scene_address("peer:67", src),
				   .dst_ip = scene_address("me:68", dst),
				   .payload = "0123456789",
				   .len = 10};
}

static struct ec_udp *open_me(struct ec_l2 *l2)
{
	return scene_udp(l2, "me:68", 0);
}

/* A client with a small ring that does not read, full now; its endpoint has MAC. */
static struct ec_relay *open_lazy(void)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.rx_ring = 64 << 10;
	struct ec_relay *lazy = user_connect(&scene.served, &opts);
	user_l2(lazy, MAC, 0, 0);
	return lazy;
}

/* ---- "the only receiver blocks for ever on a queue that is full" ---- */

START_TEST(test_who_does_not_read_stops_nobody)
{
	unsigned got = 0;
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, TYPE);
	struct ec_relay *lazy = open_lazy();
	const struct test_frame frame = datagram();
	for (unsigned i = 0; i < 2000; i++) {
		scene_send(&frame);
		if (i % 20 == 0)
			ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	}
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	while (ec_relay_recv(lazy, &f, 1, 0) == 1)
		got++;
	ck_assert_uint_gt(got, 50);
	ck_assert_uint_eq(got + scene_counter("rx_buffer_full"), 2000);
	/* and when it reads again, it is served again */
	scene_send(&frame);
	ck_assert_int_eq(ec_relay_recv(lazy, &f, 1, 5000), 1);
	ec_relay_close(lazy);
	scene_stop();
}
END_TEST

/* ---- "a line logged for each overflow" ---- */

static void log_everything(void)
{
	const struct ecp_request request = {.type = ECP_REQ_LOG, .log = {.level = "debug"}};
	ck_assert_int_eq(daemon_process_ask(&scene.served, &request)->type, ECP_REP_DONE);
}

static off_t size_of(FILE *f)
{
	struct stat st;
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	return st.st_size;
}

START_TEST(test_overflow_is_counted_not_logged)
{
	struct ec_frame f;
	FILE *log = tmpfile();
	const int stderr_was = dup(STDERR_FILENO);
	ck_assert(log && dup2(fileno(log), STDERR_FILENO) >= 0);
	scene_start(_i);
	log_everything();
	struct ec_l2 *marker = scene_l2(MARKER, 0, TYPE);
	struct ec_relay *lazy = open_lazy();
	dup2(stderr_was, STDERR_FILENO);
	close(stderr_was);
	const uint64_t full = scene_counter("rx_buffer_full");
	const off_t before = size_of(log);
	ck_assert_int_gt(before, 0);
	const struct test_frame frame = datagram();
	for (unsigned i = 0; i < 1000; i++)
		scene_send(&frame);
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	const off_t after = size_of(log);
	ck_assert_uint_gt(scene_counter("rx_buffer_full"), full + 100);
	/* a line or two about who has come and gone */
	ck_assert_int_lt(after - before, 500);
	ec_relay_close(lazy);
	scene_stop();
	fclose(log);
}
END_TEST

/* ---- "a short frame kills the process" ---- */

/* Cut anywhere, for whomever: counted, and never a payload. */
START_TEST(test_cut_frames)
{
	static const char *const to[] = {MAC, MAC "|5", BCAST};
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, TYPE);
	struct ec_udp *udp = open_me(scene_l2(MAC, EC_L2_MULTICAST, 0));
	open_me(scene_l2(MAC "|5", 0, 0));
	for (size_t row = 0; row < sizeof(to) / sizeof(*to); row++) {
		uint8_t frame[ECP_FRAME_MAX];
		struct test_frame whole = datagram();
		whole.to = to[row];
		const uint32_t len = test_frame_build(&whole, frame);
		const uint64_t before = scene_counter("rx_bad_ip") +
					scene_counter("rx_bad_udp") +
					scene_counter("rx_runt");
		for (uint32_t cut = 14; cut < len; cut++)
			link_send(frame, cut);
		ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
		uint64_t counted = scene_counter("rx_bad_ip") +
				   scene_counter("rx_bad_udp") + scene_counter("rx_runt") -
				   before;
		/* without its tag and two bytes more the kernel drops it */
		ck_assert_uint_eq(counted, len - 14 - (row == 1 ? 6 : 0));
		link_send(frame, len);
		ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
		ck_assert(row == 1 || f.udp == udp);
		ck_assert_uint_eq(f.payload_len, 10);
	}
	scene_stop();
}
END_TEST

/* ---- "a round trip takes 64 ms" ---- */

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* Measured by itself in the benchmark; here with room for whatever else the machine does. */
START_TEST(test_lone_frames_come_at_once)
{
	enum { N = 31 };
	int64_t took[N];
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MAC, 0, 0);
	const struct test_frame frame = datagram();
	for (unsigned i = 0; i < N; i++) {
		const int64_t begin = ec_now();
		scene_send(&frame);
		ck_assert_int_eq(ec_relay_recv(scene.relay, &f, 1, 5000), 1);
		ck_assert_ptr_eq(f.l2, l2);
		took[i] = ec_now() - begin;
	}
	qsort(took, N, sizeof(*took), by_size);
	ck_assert_msg(took[N / 2] < 20 * MS, "%ld us", took[N / 2] / 1000);
	scene_stop();
}
END_TEST

/* ---- "a past deadline blocks for ever; Close and Stop leave readers blocked" ---- */

START_TEST(test_deadlines)
{
	char buf[100];
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MAC, 0, 0);
	struct ec_udp *udp = open_me(l2);
	struct pollfd p = {.fd = ec_relay_fd(scene.relay), .events = POLLIN};
	const struct test_frame frame = datagram();
	int64_t begin = ec_now();
	ec_udp_set_read_deadline(udp, begin + 30 * MS);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), -ETIMEDOUT);
	ck_assert_int_ge(ec_now() - begin, 30 * MS);
	ec_l2_set_read_deadline(l2, begin);
	ck_assert_int_eq(ec_l2_recv(l2, buf, sizeof(buf), 0, NULL), -ETIMEDOUT);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), -ETIMEDOUT);
	scene_send(&frame);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	/* what is there is delivered all the same */
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), 10);
	ec_udp_set_read_deadline(udp, 0);
	scene_send(&frame);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), 10);
	scene_stop();
}
END_TEST

/* A thread in one of the calls that wait, for ever. */
struct waiter {
	enum { IN_RELAY_RECV, IN_L2_RECV, IN_UDP_RECVFROM, IN_SEND, N_WAITS } in;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	_Atomic pid_t tid;
	ssize_t result;
};

static void *wait_in_call(void *arg)
{
	static uint8_t payload[1000];
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	struct waiter *w = arg;
	struct ec_frame f;
	char buf[100];
	w->tid = gettid();
	switch (w->in) {
	case IN_RELAY_RECV:
		w->result = ec_relay_recv(scene.relay, &f, 1, -1);
		break;
	case IN_L2_RECV:
		w->result = ec_l2_recv(w->l2, buf, sizeof(buf), 0, NULL);
		break;
	case IN_UDP_RECVFROM:
		w->result = ec_udp_recvfrom(w->udp, buf, sizeof(buf), 0, NULL, NULL);
		break;
	case IN_SEND: /* the daemon stands still, and the ring is full in the end */
		do
			w->result = ec_l2_send(w->l2, payload, 1000, TYPE, dst, 0);
		while (w->result > 0);
		break;
	case N_WAITS:
		break;
	}
	return NULL;
}

static void until_asleep_in_poll(const struct waiter *w)
{
	char path[64], call[64] = "";
	const struct timespec pause = {.tv_nsec = MS};
	for (unsigned ms = 0; ms < 5000; ms++, nanosleep(&pause, NULL)) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", w->tid);
		FILE *f = w->tid ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		/* "7 0x...", or "running" */
		bool there = fgets(call, sizeof(call), f) != NULL;
		fclose(f);
		/* or again, after SIGCHLD */
		const long number = there && call[0] != 'r' ? atol(call) : -1;
		if (number == SYS_poll || number == SYS_restart_syscall)
			return;
	}
	ck_abort_msg("call %d does not wait: %s", w->in, call);
}

START_TEST(test_stop_ends_what_waits)
{
	for (int in = 0; in < N_WAITS; in++) {
		pthread_t thread;
		scene_start(_i);
		struct waiter w = {.in = in, .l2 = scene_l2(MAC, 0, 0)};
		w.udp = open_me(w.l2);
		if (in == IN_SEND)
			kill(scene.served.pid, SIGSTOP);
		ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_call, &w), 0);
		until_asleep_in_poll(&w);
		ec_relay_stop(scene.relay);
		pthread_join(thread, NULL);
		ck_assert_msg(w.result == -ESHUTDOWN, "call %d: %zd", in, w.result);
		kill(scene.served.pid, SIGCONT);
		/* and nothing goes out any more */
		link_forget();
		ck_assert_int_eq(ec_l2_send(w.l2, "x", 1, TYPE, (uint8_t[6]){2}, 0),
				 -ESHUTDOWN);
		scene_stop();
	}
}
END_TEST

/* ---- "closing an old connection removes a newer one's registration" ---- */

START_TEST(test_closing_the_old_leaves_the_new)
{
	struct ec_frame f;
	scene_start(_i);
	struct ec_relay *mine = scene.relay, *yours = user_connect(&scene.served, NULL);
	const struct test_frame frame = datagram();
	struct ec_l2 *old = user_l2(mine, MAC, EC_L2_SHARE, 0);
	struct ec_udp *new = open_me(user_l2(yours, MAC, EC_L2_SHARE, 0));
	ec_l2_close(old);
	scene_send(&frame);
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, new);
	/* the same address under the same number, and what was kept of the one before */
	ec_relay_release(yours);
	ec_l2_close(ec_udp_l2(new));
	ec_l2_close(user_l2(mine, MAC, 0, 0));
	new = open_me(user_l2(yours, MAC, 0, 0));
	ec_relay_close(mine);
	scene.relay = yours;
	scene_send(&frame);
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, new);
	scene_stop();
}
END_TEST

/* ---- "a tagged frame from another socket of the same host reaches the untagged endpoint" ---- */

START_TEST(test_frames_of_this_host)
{
	uint8_t frame[LINK_ROOM];
	struct ec_frame f;
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(LINK_IF)};
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, TYPE);
	scene_l2(MAC, 0, 0);
	scene_l2(MAC "|5", 0, 0);
	int other = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(other, (struct sockaddr *)&at, sizeof(at)), 0);
	struct test_frame tagged = datagram();
	tagged.to = MAC "|5";
	const ssize_t len = test_frame_build(&tagged, frame);
	link_forget();
	ck_assert_int_eq(send(other, frame, (size_t)len, 0), len);
	ck_assert_uint_eq(link_receive(frame), (uint32_t)len); /* it went out */
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	close(other);
	scene_stop();
}
END_TEST

/* ---- "a read into a small buffer returns more than it holds" ---- */

START_TEST(test_small_buffer)
{
	char buf[8] = "........";
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MAC, 0, 0);
	const struct test_frame to_me = datagram();
	ec_l2_set_read_deadline(l2, ec_now() + SOON);
	scene_send(&to_me);
	ck_assert_int_eq(ec_l2_recv(l2, buf, 2, 0, NULL), (scene.six ? 48 : 28) + 10);
	ck_assert_int_eq(buf[0], scene.six ? 0x60 : 0x45);
	ck_assert_mem_eq(buf + 2, "......", 6);
	struct ec_udp *udp = open_me(l2);
	ec_udp_set_read_deadline(udp, ec_now() + SOON);
	scene_send(&to_me);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, 3, 0, NULL, NULL), 10);
	ck_assert_mem_eq(buf, "012.....", 8);
	scene_stop();
}
END_TEST

/* ---- "the XDP program stays attached after a crash and swallows traffic" ---- */

static bool link_says(const char *pattern)
{
	char command[120];
	snprintf(command, sizeof(command), "ip -d link show " LINK_IF " | grep -q '%s'",
		 pattern);
	return system(command) == 0;
}

START_TEST(test_killed_daemon_leaves_nothing)
{
	uint8_t frame[ECP_FRAME_MAX], got[64];
	struct ec_frame f;
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(TYPE),
				 .sll_ifindex = (int)if_nametoindex(LINK_IF)};
	const struct timeval patience = {.tv_sec = 5};
	scene_start(_i);
	scene_l2(MAC, 0, 0);
	ck_assert(link_says("promiscuity [1-9]"));
	int other = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(other, (struct sockaddr *)&at, sizeof(at)), 0);
	setsockopt(other, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	daemon_process_die(&scene.served, SIGKILL);
	ck_assert(link_says("promiscuity 0"));
	ck_assert(!link_says("xdp"));
	link_send(frame, test_frame_build(&(struct test_frame){.to = BCAST,
							       .ethertype = TYPE,
							       .payload = "for others",
							       .len = 10},
					  frame));
	ck_assert_int_eq(recv(other, got, sizeof(got), 0), 10);
	close(other);
	ec_relay_close(scene.relay);
	/* and the next one begins anew */
	scene_start(_i);
	scene_l2(MAC, 0, 0);
	const struct test_frame frame_to_me = datagram();
	scene_send(&frame_to_me);
	ck_assert_int_eq(ec_relay_recv(scene.relay, &f, 1, 5000), 1);
	scene_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_who_does_not_read_stops_nobody,
				      test_overflow_is_counted_not_logged,
				      test_cut_frames,
				      test_lone_frames_come_at_once,
				      test_deadlines,
				      test_stop_ends_what_waits,
				      test_closing_the_old_leaves_the_new,
				      test_frames_of_this_host,
				      test_small_buffer,
				      test_killed_daemon_leaves_nothing};
	return suite_run(link_suite("go faults", 1500, SCENE_N_LOOPS, tests,
				    sizeof(tests) / sizeof(*tests)));
}
