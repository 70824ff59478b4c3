/*
 * check_link.c - an interface that goes down, comes back, is deleted and made again, renamed,
 * made wider or narrower, while a client uses it: it is told, and goes on.
 */
#include "daemon/netif.h"
#include "tests/scene.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TYPE 0x88b5
#define SOON INT64_C(5000000000)

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};

static struct ec_l2 *l2;

static void begin(int backend)
{
	scene_start(2 * backend);
	l2 = scene_l2(MAC, 0, TYPE);
}

/* Wait, as an event-driven program does, until the link is so. */
static struct ec_link await(bool up, uint32_t mtu)
{
	struct ec_link link;
	struct ec_frame frame;
	struct pollfd p = {.fd = ec_relay_fd(scene.relay), .events = POLLIN};
	for (ec_relay_link(scene.relay, &link); link.up != up || link.mtu != mtu;
	     ec_relay_link(scene.relay, &link)) {
		ck_assert_msg(poll(&p, 1, 5000) == 1, "no event: up %d, MTU %u", link.up,
			      link.mtu);
		ck_assert_int_ge(ec_relay_recv(scene.relay, &frame, 1, 0), 0);
	}
	return link;
}

/* Payloads of len bytes go both ways. */
static void exchange(uint32_t len)
{
	static uint8_t payload[LINK_ROOM], frame[LINK_ROOM], got[LINK_ROOM];
	memset(payload, (int)len, len);
	memcpy(frame, mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	frame[12] = TYPE >> 8;
	frame[13] = TYPE & 0xff;
	memcpy(frame + 14, payload, len);
	link_forget();
	link_send(frame, 14 + len);
	ec_l2_set_read_deadline(l2, ec_now() + SOON);
	ssize_t n = ec_l2_recv(l2, got, sizeof(got), 0, NULL);
	ck_assert_msg(n == (ssize_t)len, "%zd, %s", n, ec_error_text());
	ck_assert_mem_eq(got, payload, len);
	n = ec_l2_send(l2, payload, len, TYPE, peer_mac, 0);
	ck_assert_msg(n == (ssize_t)len, "%zd, %s", n, ec_error_text());
	ck_assert_uint_eq(link_receive(frame), 14 + len);
	ck_assert_mem_eq(frame + 14, payload, len);
}

/* The interface is up since just now: frames go both ways within a second. */
static void expect_soon(uint32_t len)
{
	const int64_t up_at = ec_now();
	await(true, 1500);
	exchange(len);
	ck_assert_int_lt(ec_now() - up_at, INT64_C(1000000000));
}

static void expect_down(void)
{
	uint8_t byte = 0;
	ck_assert_int_eq(ec_l2_send(l2, &byte, 1, TYPE, peer_mac, 0), -ENETDOWN);
	ck_assert_str_eq(ec_error_text(), LINK_IF " is down");
	/* who waits for frames goes on waiting: it may come back */
	ec_l2_set_read_deadline(l2, ec_now() + 20000000);
	ck_assert_int_eq(ec_l2_recv(l2, &byte, 1, 0, NULL), -ETIMEDOUT);
}

/* What was offered to be sent was sent, or is counted with its reason. */
static void expect_all_counted(void)
{
	struct ecp_relay_stats s;
	daemon_process_stats(&scene.served, &s);
	ck_assert_uint_eq(s.tx_offered, s.tx + s.tx_down + s.tx_error + s.tx_oversize +
					    s.tx_closed + s.tx_invalid);
	ck_assert_uint_eq(s.rx_offered, s.rx + s.rx_miss + s.rx_oversize +
					    s.rx_multicast_ignored + s.rx_buffer_full);
}

START_TEST(test_down_and_up)
{
	struct ec_link link;
	begin(_i);
	ec_relay_link(scene.relay, &link);
	ck_assert(link.up);
	ck_assert_uint_eq(link.changes, 0);
	exchange(100);
	for (unsigned round = 1; round <= 3; round++) {
		link_set(false);
		ck_assert_uint_eq(await(false, 1500).changes, 2 * round - 1);
		expect_down();
		link_set(true);
		expect_soon(100 + round);
		ck_assert_uint_eq(await(true, 1500).changes, 2 * round);
	}
	expect_all_counted();
	scene_stop();
}
END_TEST

/* Who does nothing but answer is not silent for ever because it once met ENETDOWN. */
START_TEST(test_answers_again)
{
	static const uint8_t request[60] = {
	    255, 255, 255, 255, 255, 255, 2,  0, 0, 0, 0, 2, 8, 6, /* Ethernet */
	    0,   1,   8,   0,   6,   4,   0,  1,                   /* who has */
	    2,   0,   0,   0,   0,   2,   10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
	struct ec_frame frame;
	struct ec_relay_stats stats;
	uint8_t got[LINK_ROOM];
	begin(_i);
	struct ec_l2 *answering =
	    scene_l2("02:00:00:00:00:03", EC_L2_MULTICAST | EC_L2_ANSWER, 0);
	scene_udp(answering, "me:7", 0);
	link_set(false);
	await(false, 1500);
	expect_down();
	struct pollfd p = {.fd = ec_relay_fd(scene.relay), .events = POLLIN};
	link_set(true);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	link_forget();
	link_send(request, sizeof(request));
	do {
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_eq(ec_relay_recv(scene.relay, &frame, 1, 0), 0);
		ec_relay_stats(scene.relay, &stats);
	} while (stats.rx == 0);
	ck_assert_uint_ge(link_receive(got), 42);
	ck_assert_uint_eq(got[21], 2); /* is at */
	ck_assert_mem_eq(got + 22, ec_l2_addr(answering)->mac, 6);
	scene_stop();
}
END_TEST

START_TEST(test_carrier)
{
	begin(_i);
	sh("ip link set " LINK_PEER_IF " down");
	await(false, 1500);
	expect_down();
	sh("ip link set " LINK_PEER_IF " up");
	await(true, 1500);
	exchange(100);
	expect_all_counted();
	scene_stop();
}
END_TEST

/* One that is made again has another. */
static void expect_mac_of_now(void)
{
	struct ec_link link;
	struct netif now;
	ec_relay_link(scene.relay, &link);
	ck_assert_int_eq(netif_query(LINK_IF, &now), 0);
	ck_assert_mem_eq(link.mac, now.mac, sizeof(now.mac));
}

START_TEST(test_made_again)
{
	begin(_i);
	exchange(100);
	for (unsigned round = 1; round <= 2; round++) {
		link_remove();
		await(false, 1500);
		expect_down();
		link_make(1500);
		expect_soon(100 + round);
		expect_mac_of_now();
	}
	expect_all_counted();
	scene_stop();
}
END_TEST

START_TEST(test_mac)
{
	struct ec_link link;
	struct pollfd p = {.fd = -1, .events = POLLIN};
	begin(_i);
	expect_mac_of_now();
	p.fd = ec_relay_fd(scene.relay);
	sh("ip link set " LINK_IF " address 02:00:00:00:00:99");
	do {
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ec_relay_recv(scene.relay, &(struct ec_frame){0}, 1, 0);
		ec_relay_link(scene.relay, &link);
	} while (!link.changes);
	ck_assert_uint_eq(link.changes, 1);
	ck_assert_uint_eq(link.mac[5], 0x99);
	exchange(100);
	scene_stop();
}
END_TEST

static void set_mtu(unsigned mtu)
{
	link_set_mtu(mtu);
	await(true, mtu);
}

static void expect_counted_as_oversize(void)
{
	static uint8_t frame[3014] = {2, 0, 0, 0, 0, 1,         2,
				      0, 0, 0, 0, 2, TYPE >> 8, TYPE & 0xff};
	struct ecp_relay_stats s;
	link_send(frame, sizeof(frame));
	do
		daemon_process_stats(&scene.served, &s);
	while (s.rx_offered < 4); /* three were exchanged before */
	ck_assert_uint_eq(s.rx_oversize, 1);
}

START_TEST(test_mtu)
{
	static const uint8_t payload[3000];
	begin(_i);
	exchange(1500);
	set_mtu(1400);
	ck_assert_uint_eq(ec_l2_payload_max(l2), 1400);
	ck_assert_int_eq(ec_l2_send(l2, payload, 1401, TYPE, peer_mac, 0), -EMSGSIZE);
	exchange(1400);
	set_mtu(3000);
	ck_assert_uint_eq(ec_relay_mtu(scene.relay), 3000);
	ck_assert_int_eq(ec_l2_send(l2, payload, 3000, TYPE, peer_mac, 0), 3000);
	uint8_t frame[LINK_ROOM];
	ck_assert_uint_eq(link_receive(frame), 3014);
	exchange(_i == LINK_PCAP ? 1500 : 3000); /* libpcap keeps its snapshot length */
	if (_i == LINK_PCAP)
		expect_counted_as_oversize();
	expect_all_counted();
	scene_stop();
}
END_TEST

/* Somebody's switch for everybody is not the daemon's own. */
START_TEST(test_promiscuity_is_kept)
{
	static const char ours[] = "ip -d link show " LINK_IF " | grep -q 'promiscuity 1 '";
	begin(_i);
	sh(ours);
	sh("ip link set " LINK_IF " promisc on && ip link set " LINK_IF " promisc off");
	sh(ours);
	link_remove();
	await(false, 1500);
	link_make(1500);
	expect_soon(100);
	sh(ours);
	scene_stop();
}
END_TEST

/* As fast as may be, until pid has ended.  Returns how many were taken from us. */
static uint64_t send_while(pid_t pid, uint64_t *refused)
{
	static const uint8_t payload[64];
	uint64_t taken = 0;
	int status;
	for (*refused = 0; waitpid(pid, &status, WNOHANG) == 0;) {
		ssize_t n = ec_l2_send(l2, payload, sizeof(payload), TYPE, peer_mac, 0);
		ck_assert_msg(n == sizeof(payload) || n == -ENETDOWN, "%zd, %s", n,
			      ec_error_text());
		taken += n > 0;
		*refused += n < 0;
	}
	ck_assert_int_eq(status, 0);
	return taken;
}

/* Each frame that the library took has been sent, or is counted with the reason why not. */
START_TEST(test_flaps_under_traffic)
{
	struct ecp_relay_stats s;
	uint64_t refused;
	begin(_i);
	const pid_t pid = fork();
	if (pid == 0)
		_exit(system("for i in 1 2 3 4 5 6 7 8; do ip link set " LINK_IF
			     " down && ip link set " LINK_IF " up || exit 1; done") != 0);
	uint64_t taken = send_while(pid, &refused);
	link_set(true);
	await(true, 1500);
	do /* what is in the ring yet */
		daemon_process_stats(&scene.served, &s);
	while (s.tx_offered < taken);
	ck_assert_uint_eq(s.tx_offered, taken);
	ck_assert_uint_gt(refused + s.tx_down, 0);
	expect_soon(100);
	expect_all_counted();
	scene_stop();
}
END_TEST

/* The configuration's name is the one that programs and policies know. */
static void expect_known_as(const char *name)
{
	struct ec_relay *other;
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.socket = scene.served.sock;
	ck_assert_msg(ec_relay_open(&other, name, &opts) == 0, "%s", ec_error_text());
	ck_assert_str_eq(ec_relay_ifname(other), name);
	ec_relay_close(other);
}

START_TEST(test_renamed)
{
	begin(_i);
	sh("ip link set " LINK_IF " down && ip link set " LINK_IF " name lc && "
	   "ip link set lc up");
	await(true, 1500);
	exchange(100);
	expect_known_as(LINK_IF);
	sh("ip link set lc down && ip link set lc name " LINK_IF " && "
	   "ip link set " LINK_IF " up");
	await(true, 1500);
	exchange(100);
	scene_stop();
}
END_TEST

/* Another namespace, which gives the interface back to this one when it is asked, and ends. */
static pid_t other_namespace(int *ask)
{
	int ready[2], asked[2];
	char byte, command[80];
	const pid_t here = getpid();
	ck_assert(pipe(ready) == 0 && pipe(asked) == 0);
	const pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "", 1) != 1 ||
		    read(asked[0], &byte, 1) != 1)
			_exit(1);
		snprintf(command, sizeof(command), "ip link set " LINK_IF " netns %d",
			 here);
		_exit(system(command) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	close(asked[0]);
	*ask = asked[1];
	return pid;
}

/* As a container takes it, and gives it back: the kernel lets it keep its number. */
START_TEST(test_away_and_back)
{
	char command[80];
	int ask, status;
	begin(_i);
	exchange(100);
	const unsigned index = if_nametoindex(LINK_IF);
	const pid_t pid = other_namespace(&ask);
	snprintf(command, sizeof(command), "ip link set " LINK_IF " netns %d", pid);
	sh(command);
	await(false, 1500);
	expect_down();
	ck_assert_int_eq(write(ask, "", 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(if_nametoindex(LINK_IF), index);
	link_set(true);
	expect_soon(101);
	expect_all_counted();
	scene_stop();
	close(ask);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_down_and_up,
				      test_answers_again,
				      test_carrier,
				      test_made_again,
				      test_mac,
				      test_mtu,
				      test_flaps_under_traffic,
				      test_promiscuity_is_kept,
				      test_renamed,
				      test_away_and_back};
	return suite_run(link_suite("link", 1500, LINK_N_BACKENDS, tests,
				    sizeof(tests) / sizeof(*tests)));
}
