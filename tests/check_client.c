/*
 * check_client.c - the library against a real daemon, whose relay sends everything back.
 */
#include "proto/frame.h"
#include "tests/suite.h"
#include "tests/user.h"
#include "tests/when.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"
#define MAC3 "02:00:00:00:00:03"
#define MS   INT64_C(1000000)
#define SOON (2000 * MS) /* what must come comes before this */

static struct daemon_process served;
static struct ec_relay *relay;

static struct ec_relay *connect_relay(uint32_t queue_depth)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.tx_ring = 64 << 10;
	opts.queue_depth = queue_depth;
	opts.reconnect_ms = -1; /* check_reconnect.c */
	return user_connect(&served, &opts);
}

static void setup(void)
{
	daemon_process_start(&served, 0, 0);
	relay = connect_relay(0);
}

static void teardown(void)
{
	ec_relay_close(relay);
	int status = daemon_process_stop(&served);
	ck_assert_msg(WIFEXITED(status) || WTERMSIG(status) == SIGKILL, "status %x",
		      status);
}

/* ---- short names ---- */

static struct ec_l2 *open_l2(const char *text, unsigned flags)
{
	struct ec_l2 *l2 = user_l2(relay, text, flags, 0);
	ec_l2_set_read_deadline(l2, ec_now() + SOON);
	return l2;
}

static struct ec_udp *open_udp(struct ec_l2 *l2, const char *local, unsigned flags)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	opts.flags = flags;
	struct ec_udp *udp = user_udp(l2, local, &opts);
	ec_udp_set_read_deadline(udp, ec_now() + SOON);
	return udp;
}

static const uint8_t *mac_of(const struct ec_l2 *l2)
{
	return ec_l2_addr(l2)->mac;
}

static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
#define TYPE 0x88b5 /* IEEE 802: for local experiments */
static const uint16_t type_list[] = {TYPE};

/* An endpoint for TYPE frames. */
static struct ec_l2 *open_raw(const char *text, unsigned flags)
{
	struct ec_l2 *l2 = user_l2(relay, text, flags, TYPE);
	ec_l2_set_read_deadline(l2, ec_now() + SOON);
	return l2;
}

static void send_raw(struct ec_l2 *from, const uint8_t *to, const char *text)
{
	ssize_t n = ec_l2_send(from, text, strlen(text), TYPE, to, 0);
	ck_assert_msg(n == (ssize_t)strlen(text), "%s", ec_error_text());
}

static void expect_raw(struct ec_l2 *l2, const char *text)
{
	char buf[100] = "";
	ssize_t n = ec_l2_recv(l2, buf, sizeof(buf) - 1, 0, NULL);
	ck_assert_msg(n == (ssize_t)strlen(text), "%zd, %s", n, ec_error_text());
	ck_assert_str_eq(buf, text);
}

static void expect_nothing(struct ec_l2 *l2)
{
	char buf[10];
	ck_assert_int_eq(ec_l2_recv(l2, buf, sizeof(buf), EC_DONTWAIT, NULL), -EAGAIN);
}

/* ---- L2 ---- */

START_TEST(test_l2_frame)
{
	static const char *const vlans[] = {"", "|100", "|200|100"};
	char a[40], b[40], buf[100];
	snprintf(a, sizeof(a), MAC1 "%s", vlans[_i]);
	snprintf(b, sizeof(b), MAC2 "%s", vlans[_i]);
	struct ec_l2 *from = open_raw(a, 0), *to = open_raw(b, 0);
	struct ec_frame info;
	struct ec_vlan tags[EC_VLANS_MAX];
	send_raw(from, mac_of(to), "hello");
	ck_assert_int_eq(ec_l2_recv(to, buf, sizeof(buf), 0, &info), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	ck_assert_ptr_eq(info.l2, to);
	ck_assert_uint_eq(info.ethertype, TYPE);
	ck_assert_uint_eq(info.len, 14 + 4 * (unsigned)_i + 5);
	ck_assert_mem_eq(ec_frame_src_mac(&info), mac_of(from), 6);
	ck_assert_mem_eq(ec_frame_dst_mac(&info), mac_of(to), 6);
	ck_assert_uint_eq(ec_frame_vlans(&info, tags), (unsigned)_i);
	if (_i)
		ck_assert_uint_eq(tags[_i - 1].id, 100);
	ck_assert(info.time_ns > 0);
	expect_nothing(from);
}
END_TEST

START_TEST(test_truncation_is_reported)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	char buf[4];
	send_raw(a, mac_of(b), "0123456789");
	ck_assert_int_eq(ec_l2_recv(b, buf, 4, 0, NULL), 10);
	ck_assert_mem_eq(buf, "0123", 4);
	expect_nothing(b);
}
END_TEST

START_TEST(test_send_refusals)
{
	static char big[2000];
	struct ec_l2 *l2 = open_l2(MAC1 "|100|200", 0);
	ck_assert_uint_eq(ec_l2_payload_max(l2), 1496);
	ck_assert_int_eq(ec_l2_send(l2, big, 1496, TYPE, everybody, 0), 1496);
	ck_assert_int_eq(ec_l2_send(l2, big, 1497, TYPE, everybody, 0), -EMSGSIZE);
	ck_assert_ptr_nonnull(strstr(ec_error_text(), "lets 1496 pass"));
	ck_assert_int_eq(ec_l2_send(l2, big, 10, 0x8100, everybody, 0), -EINVAL);
	ck_assert_int_eq(ec_l2_send_ip(l2, "\x50", 1, everybody, 0), -EPROTONOSUPPORT);
	ck_assert_int_eq(ec_l2_send_ip(l2, "", 0, everybody, 0), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(test_relay_refusals)
{
	static const struct {
		const char *name, *interface, *socket;
		uint32_t rx_ring;
		int error;
		const char *says;
	} rows[] = {
	    {"nobody there", NULL, "/nonexistent/sock", 0, -ENOENT,
	     "is etherconnd running"},
	    {"another interface", "eth99", NULL, 0, -ENODEV, "no relay on eth99"},
	    {"no interface's name", "a-name-of-sixteen", NULL, 0, -ENODEV, "too long"},
	    {"odd ring", NULL, NULL, 100000, -EINVAL, "power of two"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ec_relay_opts opts = EC_RELAY_OPTS;
		struct ec_relay *r = NULL;
		opts.socket = rows[i].socket ? rows[i].socket : served.sock;
		opts.rx_ring = rows[i].rx_ring;
		int e = ec_relay_open(&r, rows[i].interface, &opts);
		ck_assert_msg(e == rows[i].error, "%s: %d", rows[i].name, e);
		ck_assert_msg(strstr(ec_error_text(), rows[i].says), "%s: %s", rows[i].name,
			      ec_error_text());
		ck_assert_ptr_null(r);
	}
}
END_TEST

#if !SANITIZED
/* Bytes: the first number of /proc/self/statm, in pages. */
static uint64_t addresses_in_use(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert(f && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* An address space with no room for one ring, or for the other. */
START_TEST(test_no_room_for_rings)
{
	static const uint32_t rings[][2] = {{1 << 26, 1 << 16}, {1 << 16, 1 << 26}};
	const struct rlimit tight = {(rlim_t)addresses_in_use() + (32 << 20),
				     RLIM_INFINITY},
			    loose = {RLIM_INFINITY, RLIM_INFINITY};
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay *r = NULL;
	opts.socket = served.sock;
	opts.rx_ring = rings[_i][0];
	opts.tx_ring = rings[_i][1];
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
	ck_assert_int_eq(ec_relay_open(&r, NULL, &opts), -ENOMEM);
	ck_assert_str_eq(ec_error_text(), "cannot map the rings");
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &loose), 0);
	ck_assert_int_eq(ec_relay_open(&r, NULL, &opts), 0);
	ec_relay_close(r);
}
END_TEST
#endif

/* Who has it is said to another client of the same user. */
START_TEST(test_taken_by_another)
{
	struct ec_relay *other = connect_relay(0);
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	char says[60];
	open_l2(MAC1 "|100", 0);
	ec_l2addr_parse(MAC1 "|100", &addr);
	ck_assert_int_eq(ec_l2_open(&l2, other, &addr, NULL), -EADDRINUSE);
	snprintf(says, sizeof(says), MAC1 "|100 is taken by pid %d (", getpid());
	ck_assert_msg(strstr(ec_error_text(), says), "%s", ec_error_text());
	ec_relay_close(other);
}
END_TEST

START_TEST(test_open_refusals)
{
	static const struct {
		struct ec_l2addr addr;
		int error;
		const char *says;
	} rows[] = {
	    {{{2, 0, 0, 0, 0, 1}, 0, {{0}}}, -EADDRINUSE, "taken by this client already"},
	    {{{3, 0, 0, 0, 0, 1}, 0, {{0}}}, -EINVAL, "multicast"},
	    {{{2, 0, 0, 0, 0, 9}, 3, {{0}}}, -EINVAL, "two VLAN tags"},
	    {{{2, 0, 0, 0, 0, 9}, 1, {{.id = 5000}}}, -EINVAL, "4095"},
	    {{{2, 0, 0, 0, 0, 9}, 1, {{.id = 1, .tpid = 0x1234}}}, -EINVAL, "TPID"},
	    {{{2, 0, 0, 0, 0xff, 0xff}, 0, {{0}}}, -EACCES, "own address"},
	};
	struct ec_l2 *l2;
	open_l2(MAC1, 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ck_assert_int_eq(ec_l2_open(&l2, relay, &rows[i].addr, NULL),
				 rows[i].error);
		ck_assert_msg(strstr(ec_error_text(), rows[i].says), "%s", ec_error_text());
	}
}
END_TEST

/* No option is ignored: not those that were not begun as they should, nor those of the future. */
START_TEST(test_options_are_taken_or_refused)
{
	const struct ec_relay_opts r_none = {.socket = served.sock};
	const struct ec_l2_opts l2_none = {.flags = EC_L2_MULTICAST};
	const struct ec_udp_opts udp_none = {.ttl = 3};
	struct {
		struct ec_l2_opts now;
		unsigned later;
	} future = {{.size = sizeof(future)}, 0};
	struct ec_l2addr addr = {.mac = {2, 0, 0, 0, 0, 9}};
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts udp_opts = EC_UDP_OPTS;
	struct ec_relay *r;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	ck_assert_int_eq(ec_relay_open(&r, NULL, &r_none), -EINVAL);
	ck_assert_ptr_nonnull(strstr(ec_error_text(), "EC_RELAY_OPTS"));
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, &l2_none), -EINVAL);
	l2_opts.size = SIZE_MAX / 2; /* of no version */
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, &l2_opts), -EINVAL);
	l2_opts.size = sizeof(l2_opts);
	l2_opts.flags = 1u << 30;
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, &l2_opts), -EINVAL);
	ck_assert_ptr_nonnull(strstr(ec_error_text(), "0x40000000"));
	future.later = 1;
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, &future.now), -EINVAL);
	future.later = 0;
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, &future.now), 0);
	ck_assert_int_eq(ec_udp_open(&udp, l2, "10.0.0.1:1", &udp_none), -EINVAL);
	udp_opts.flags = 2;
	ck_assert_int_eq(ec_udp_open(&udp, l2, "10.0.0.1:1", &udp_opts), -EINVAL);
	udp_opts.flags = 0;
	ck_assert_int_eq(ec_udp_open(&udp, l2, "10.0.0.1:1", &udp_opts), 0);
}
END_TEST

START_TEST(test_close_gives_back)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	int fd = ec_relay_fd(relay);
	expect_nothing(b);
	send_raw(a, mac_of(b), "for the old one");
	ck_assert(readable(fd, 2000)); /* it is in our ring */
	ec_l2_close(b);
	b = open_raw(MAC2, 0);
	send_raw(a, mac_of(b), "for the new one");
	expect_raw(b, "for the new one");
}
END_TEST

/* What was sent before a close is on its way: nobody takes it back. */
START_TEST(test_close_after_send)
{
	struct ec_relay *here = relay, *there = connect_relay(0);
	struct ec_l2 *b = open_raw(MAC2, 0);
	relay = there;
	struct ec_l2 *a = open_raw(MAC1, 0);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ec_l2_send(a, "bye", 3, TYPE, mac_of(b), i & EC_MORE), 3);
	if (_i)
		ec_l2_close(a);
	else
		ec_relay_close(there);
	relay = here;
	for (unsigned i = 0; i < 100; i++)
		expect_raw(b, "bye");
	if (_i)
		ec_relay_close(there);
}
END_TEST

/* From one endpoint and another in turn; the seventh is too long and ends it. */
START_TEST(test_many_in_one_call)
{
	static const uint8_t large[9999];
	enum { N = 20, BAD = 7 };
	struct ec_l2 *to = open_raw(MAC2, 0),
		     *from[] = {open_raw(MAC1, 0), open_raw(MAC3, 0)};
	struct ec_send frames[N];
	uint8_t bytes[N], got;
	for (unsigned i = 0; i < N; i++) {
		bytes[i] = (uint8_t)i;
		frames[i] = (struct ec_send){from[i % 2], &bytes[i], 1, TYPE, {0}};
		memcpy(frames[i].dst, mac_of(to), 6);
	}
	ck_assert_int_eq(ec_relay_send(relay, frames, N, 0), N);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(ec_l2_recv(to, &got, 1, 0, NULL), 1);
		ck_assert_uint_eq(got, i);
	}
	frames[BAD].payload = large;
	frames[BAD].len = sizeof(large);
	ck_assert_int_eq(ec_relay_send(relay, frames, N, 0), BAD);
	for (unsigned i = 0; i < BAD; i++)
		ck_assert_int_eq(ec_l2_recv(to, &got, 1, 0, NULL), 1);
	ck_assert_int_eq(ec_relay_send(relay, frames + BAD, N - BAD, 0), -EMSGSIZE);
	ck_assert_int_eq(ec_relay_send(relay, frames, 0, 0), 0);
	expect_nothing(to);
	/* held back, and let go */
	ck_assert_int_eq(ec_relay_send(relay, frames, BAD, EC_MORE), BAD);
	ck_assert_int_eq(ec_relay_flush(relay), 0);
	for (unsigned i = 0; i < BAD; i++)
		ck_assert_int_eq(ec_l2_recv(to, &got, 1, 0, NULL), 1);
}
END_TEST

START_TEST(test_no_buffer)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	struct ec_frame info;
	ck_assert_int_eq(ec_l2_send(a, NULL, 0, TYPE, mac_of(b), 0), 0);
	ck_assert_int_eq(ec_l2_recv(b, NULL, 0, 0, &info), 0);
	send_raw(a, mac_of(b), "in the ring");
	ck_assert_int_eq(ec_l2_recv(b, NULL, 0, 0, &info), 11);
	ck_assert_mem_eq(info.l3, "in the ring", 11);
}
END_TEST

START_TEST(test_broadcast_by_vlan)
{
	struct ec_l2 *from = open_raw(MAC1 "|100", 0);
	struct ec_l2 *a = open_raw("02:00:00:00:00:0a|100", EC_L2_MULTICAST);
	struct ec_l2 *b = open_raw("02:00:00:00:00:0b|100", EC_L2_MULTICAST);
	struct ec_l2 *other = open_raw("02:00:00:00:00:0c|200", EC_L2_MULTICAST);
	struct ec_l2 *any = open_raw("02:00:00:00:00:0d", EC_L2_MULTICAST_ANY);
	struct ec_l2 *deaf = open_raw("02:00:00:00:00:0e|100", 0);
	struct ec_l2 *ip = open_l2("02:00:00:00:00:0f|100", EC_L2_MULTICAST);
	send_raw(from, everybody, "to all");
	expect_raw(a, "to all");
	expect_raw(b, "to all");
	expect_raw(any, "to all");
	expect_nothing(other);
	expect_nothing(deaf);
	expect_nothing(ip);
	expect_nothing(from);
}
END_TEST

START_TEST(test_closing_amid_a_fanout)
{
	struct ec_l2 *from = open_raw(MAC1, 0);
	struct ec_l2 *a = open_raw("02:00:00:00:00:0a", EC_L2_MULTICAST);
	struct ec_l2 *b = open_raw("02:00:00:00:00:0b", EC_L2_MULTICAST);
	struct ec_l2 *c = open_raw("02:00:00:00:00:0c", EC_L2_MULTICAST);
	struct ec_frame f;
	send_raw(from, everybody, "to all");
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 2000), 1);
	ck_assert_ptr_eq(f.l2, c); /* the last that was opened comes first */
	ec_l2_close(b);            /* the next in line */
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 2000), 1);
	ck_assert_ptr_eq(f.l2, a);
	ck_assert_mem_eq(f.l3, "to all", 6);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 0), 0);
}
END_TEST

/* A UDP endpoint gets what its L2 endpoint asked for, whoever else a record is for. */
START_TEST(test_multicast_goes_by_ethertypes)
{
	struct ec_l2 *deaf = open_raw(MAC1, EC_L2_MULTICAST), *hears;
	struct ec_udp *none = open_udp(deaf, "0.0.0.0:68", 0), *udp;
	struct sockaddr_storage to = user_address("255.255.255.255:68");
	char buf[10];
	hears = open_l2(MAC2, EC_L2_MULTICAST);
	udp = open_udp(hears, "0.0.0.0:68", 0);
	ck_assert_int_eq(
	    ec_udp_sendto(udp, "all", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), 3);
	ck_assert_int_eq(ec_udp_recvfrom(none, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL),
			 -EAGAIN);
}
END_TEST

/* ---- order, queues, batches ---- */

START_TEST(test_others_are_set_aside)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	send_raw(a, mac_of(b), "b1");
	send_raw(b, mac_of(a), "a1");
	send_raw(a, mac_of(b), "b2");
	send_raw(b, mac_of(a), "a2");
	expect_raw(a, "a1");
	expect_raw(a, "a2");
	expect_raw(b, "b1");
	expect_raw(b, "b2");
	expect_nothing(a);
	expect_nothing(b);
}
END_TEST

START_TEST(test_queues_drop_the_oldest)
{
	struct ec_relay_stats stats;
	ec_relay_close(relay);
	relay = connect_relay(3);
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	char text[2] = "0";
	for (; *text < '8'; ++*text)
		send_raw(a, mac_of(b), text);
	send_raw(b, mac_of(a), "last");
	expect_raw(a, "last");
	expect_raw(b, "5");
	expect_raw(b, "6");
	expect_raw(b, "7");
	expect_nothing(b);
	ec_relay_stats(relay, &stats);
	ck_assert_uint_eq(stats.rx_queue_drops, 5);
	ck_assert_uint_eq(stats.rx, 9);
	ck_assert_uint_eq(stats.tx, 9);
}
END_TEST

/* All queues together: who floods loses his own, else the oldest goes, whosever it is. */
START_TEST(test_queues_share_a_bound)
{
	static char big[1000];
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay_stats stats;
	struct ec_l2 *flooded, *first, *second, *a;
	unsigned left = 0;
	ec_relay_close(relay);
	opts.queue_bytes = 10000;
	relay = user_connect(&served, &opts);
	a = open_raw(MAC1, 0);
	first = open_raw(MAC2, 0);
	flooded = open_raw(MAC3, 0);
	second = open_raw("02:00:00:00:00:04", 0);
	send_raw(a, mac_of(first), "rare");
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ec_l2_send(a, big, sizeof(big), TYPE, mac_of(flooded), 0),
				 sizeof(big));
	send_raw(a, mac_of(a), "last");
	expect_raw(a, "last");
	expect_raw(first, "rare");
	send_raw(a, mac_of(second), "also rare"); /* without any of its own to drop */
	send_raw(a, mac_of(a), "last");
	expect_raw(a, "last");
	expect_raw(second, "also rare");
	while (ec_l2_recv(flooded, big, sizeof(big), EC_DONTWAIT, NULL) > 0)
		left++;
	ck_assert_uint_ge(left, 7);
	ck_assert_uint_le(left, 9);
	ec_relay_stats(relay, &stats);
	ck_assert_uint_eq(stats.rx_queue_drops, 100 - left);
}
END_TEST

/* Those that nobody reads take all there is, and do not keep it from one that gets a few. */
START_TEST(test_hogs_give_way)
{
	enum { HOGS = 3, MODEST = 4 };
	static char big[1000];
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_l2 *hogs[HOGS], *modest, *a;
	ec_relay_close(relay);
	opts.queue_bytes = 20000;
	relay = user_connect(&served, &opts);
	a = open_raw(MAC1, 0);
	modest = open_raw(MAC2, 0);
	for (unsigned i = 0; i < HOGS; i++) {
		char mac[EC_L2ADDR_TEXT];
		snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x", i);
		hogs[i] = open_raw(mac, 0);
	}
	for (unsigned i = 0; i < 30 * HOGS; i++)
		ck_assert_int_eq(
		    ec_l2_send(a, big, sizeof(big), TYPE, mac_of(hogs[i % HOGS]), 0),
		    sizeof(big));
	for (unsigned i = 0; i < MODEST; i++) {
		big[0] = (char)i;
		ck_assert_int_eq(ec_l2_send(a, big, sizeof(big), TYPE, mac_of(modest), 0),
				 sizeof(big));
		ck_assert_int_eq(
		    ec_l2_send(a, big, sizeof(big), TYPE, mac_of(hogs[i % HOGS]), 0),
		    sizeof(big));
	}
	send_raw(a, mac_of(a), "last");
	expect_raw(a, "last");
	for (unsigned i = 0; i < MODEST; i++) {
		ck_assert_int_eq(ec_l2_recv(modest, big, sizeof(big), EC_DONTWAIT, NULL),
				 sizeof(big));
		ck_assert_int_eq(big[0], i);
	}
	expect_nothing(modest);
}
END_TEST

START_TEST(test_batch)
{
	struct ec_l2addr addr;
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_frame frames[8];
	struct ec_l2 *b;
	char here;
	struct ec_l2 *a = open_raw(MAC1, 0);
	opts.user = &here;
	opts.ethertypes = type_list;
	opts.n_ethertypes = 1;
	ec_l2addr_parse(MAC2, &addr);
	ck_assert_int_eq(ec_l2_open(&b, relay, &addr, &opts), 0);
	for (unsigned i = 0; i < 20; i++)
		ck_assert_int_eq(ec_l2_send(a, &i, sizeof(i), TYPE, addr.mac, EC_MORE), 4);
	ck_assert_int_eq(ec_relay_recv(relay, frames, 8, 0), 0); /* not published */
	ck_assert_int_eq(ec_relay_flush(relay), 0);
	for (unsigned got = 0; got < 20;) {
		int n = ec_relay_recv(relay, frames, 8, 2000);
		ck_assert_int_gt(n, 0);
		for (int i = 0; i < n; i++, got++) {
			ck_assert_ptr_eq(frames[i].user, &here);
			ck_assert_ptr_eq(frames[i].l2, b);
			ck_assert_mem_eq(frames[i].l3, &got, 4);
		}
	}
}
END_TEST

static uint64_t counter(const char *name)
{
	struct ec_counter counters[64];
	int n = ec_relay_counters(relay, counters, 64);
	ck_assert_msg(n > 20 && n <= 64, "%d: %s", n, ec_error_text());
	for (int i = 0; i < n; i++) {
		ck_assert_uint_gt(strlen(counters[i].text), 0);
		if (!strcmp(counters[i].name, name))
			return counters[i].value;
	}
	ck_abort_msg("no %s", name);
}

/* The daemon's own, asked for by the program: etherconn's GetStats(). */
START_TEST(test_counters)
{
	struct ec_counter few[2] = {{.value = 7}, {.value = 7}};
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	for (unsigned i = 0; i < 5; i++) {
		send_raw(a, mac_of(b), "x");
		expect_raw(b, "x");
	}
	send_raw(a, everybody, "nobody asked for it");
	send_raw(a, (uint8_t[6]){2, 9, 9, 9, 9, 9}, "nobody is there");
	send_raw(a, mac_of(b), "x");
	expect_raw(b, "x");
	ck_assert_uint_eq(counter("tx_offered"), 8);
	ck_assert_uint_eq(counter("tx"), 8);
	ck_assert_uint_eq(counter("rx_offered"), 8);
	ck_assert_uint_eq(counter("rx"), 6);
	ck_assert_uint_eq(counter("rx_miss"), 1);
	ck_assert_uint_eq(counter("rx_multicast_ignored"), 1);
	ck_assert_int_gt(ec_relay_counters(relay, few, 1), 20);
	ck_assert_str_eq(few[0].name, "rx_offered");
	ck_assert(few[0].value == 8 && few[1].value == 7);
	ck_assert_int_gt(ec_relay_counters(relay, NULL, 0), 20);
	kill(served.pid, SIGKILL);
	waitid(P_PID, (id_t)served.pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	ck_assert_int_eq(ec_relay_counters(relay, few, 1), -ESHUTDOWN);
}
END_TEST

/* ---- time ---- */

START_TEST(test_deadlines)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	char buf[10];
	int64_t begin = ec_now();
	ec_l2_set_read_deadline(b, begin + 50 * MS);
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), 0, NULL), -ETIMEDOUT);
	ck_assert_int_ge(ec_now() - begin, 50 * MS);
	/* a past one fails at once, but not if something is there */
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), 0, NULL), -ETIMEDOUT);
	ec_l2_set_read_deadline(b, -1); /* also one before the clock began */
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), 0, NULL), -ETIMEDOUT);
	send_raw(a, mac_of(b), "x");
	send_raw(b, mac_of(a), "y");
	expect_raw(a, "y"); /* now "x" is set aside */
	expect_raw(b, "x");
	ec_l2_set_read_deadline(b, 0);
	send_raw(a, mac_of(b), "x");
	expect_raw(b, "x");
}
END_TEST

START_TEST(test_fd_is_level_triggered)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	struct ec_frame f;
	int fd = ec_relay_fd(relay);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 0), 0);
	ck_assert(!readable(fd, 0));
	for (int round = 0; round < 3; round++) {
		send_raw(a, mac_of(b), "1");
		send_raw(a, mac_of(b), "2");
		ck_assert(readable(fd, 2000));
		expect_raw(b, "1");
		ck_assert(readable(fd, 2000));
		ck_assert(readable(fd, 2000)); /* still */
		expect_raw(b, "2");
		expect_nothing(b);
		ck_assert(!readable(fd, 0));
	}
	/* what is set aside counts as unread */
	send_raw(a, mac_of(b), "3");
	send_raw(b, mac_of(a), "4");
	expect_raw(a, "4");
	expect_nothing(a);
	ck_assert(readable(fd, 0));
	expect_raw(b, "3");
	expect_nothing(b);
	ck_assert(!readable(fd, 0));
}
END_TEST

/* A stopped daemon takes nothing: the ring fills, and nothing in it is lost. */
START_TEST(test_full_ring)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	static char payload[1000];
	unsigned sent = 0;
	ssize_t n;
	kill(served.pid, SIGSTOP);
	while ((n = ec_l2_send(a, payload, sizeof(payload), TYPE, mac_of(b), EC_DONTWAIT)) >
	       0)
		sent++;
	ck_assert_int_eq(n, -EAGAIN);
	ck_assert_uint_ge(sent, 60);
	int64_t begin = ec_now();
	ec_l2_set_write_deadline(a, begin + 20 * MS);
	ck_assert_int_eq(ec_l2_send(a, payload, 1000, TYPE, mac_of(b), 0), -ETIMEDOUT);
	ck_assert_int_ge(ec_now() - begin, 20 * MS);
	kill(served.pid, SIGCONT);
	ec_l2_set_write_deadline(a, ec_now() + SOON);
	for (; sent < 500; sent++)
		ck_assert_int_eq(ec_l2_send(a, payload, 1000, TYPE, mac_of(b), 0), 1000);
	for (unsigned got = 0; got < sent; got++)
		ck_assert_int_eq(ec_l2_recv(b, payload, 1000, 0, NULL), 1000);
	expect_nothing(b);
}
END_TEST

START_TEST(test_daemon_gone)
{
	struct ec_l2 *a = open_raw(MAC1, 0), *b = open_raw(MAC2, 0);
	struct ec_frame f;
	char buf[10];
	int fd = ec_relay_fd(relay);
	send_raw(a, mac_of(b), "was there");
	expect_raw(b, "was there");
	kill(served.pid, SIGKILL);
	waitid(P_PID, (id_t)served.pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	send_raw(a, mac_of(b), "not noticed yet"); /* and no SIGPIPE */
	ec_l2_set_read_deadline(b, 0);
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), 0, NULL), -ESHUTDOWN);
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), EC_DONTWAIT, NULL), -ESHUTDOWN);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, -1), -ESHUTDOWN);
	ck_assert_int_eq(ec_l2_send(a, "x", 1, TYPE, mac_of(b), 0), -ESHUTDOWN);
	ck_assert(readable(fd, 0));
	ec_l2_close(a);
	ec_l2_close(b);
}
END_TEST

/* ---- UDP ---- */

START_TEST(test_udp_round_trip)
{
	bool v6 = _i;
	struct ec_l2 *la = open_l2(MAC1 "|7", EC_L2_MULTICAST);
	struct ec_l2 *lb = open_l2(MAC2 "|7", EC_L2_MULTICAST);
	struct ec_udp *a = open_udp(la, v6 ? "[fd00::1]:1000" : "10.0.0.1:1000", 0);
	struct ec_udp *b = open_udp(lb, v6 ? "[fd00::2]:7" : "10.0.0.2:7", 0);
	struct sockaddr_storage to = user_address(v6 ? "[fd00::2]:7" : "10.0.0.2:7");
	struct sockaddr_storage from, own;
	socklen_t from_len = sizeof(from);
	char buf[2000];
	static const size_t lens[] = {0, 1, 2, 3, 100, 1400};
	for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		memset(buf, (int)i, sizeof(buf));
		ck_assert_int_eq(
		    ec_udp_sendto(a, buf, lens[i], 0, (struct sockaddr *)&to, sizeof(to)),
		    (ssize_t)lens[i]);
		memset(buf, 0xff, sizeof(buf));
		ck_assert_int_eq(ec_udp_recvfrom(b, buf, sizeof(buf), 0,
						 (struct sockaddr *)&from, &from_len),
				 (ssize_t)lens[i]);
		for (size_t n = 0; n < lens[i]; n++)
			ck_assert_int_eq(buf[n], (char)i);
		ec_udp_local(a, &own);
		ck_assert_mem_eq(&from, &own, from_len);
	}
	ck_assert_ptr_eq(ec_udp_l2(b), lb);
}
END_TEST

START_TEST(test_udp_addresses)
{
	struct ec_l2 *from_l2 = open_l2(MAC1, 0), *l2 = open_l2(MAC2, EC_L2_MULTICAST);
	struct ec_udp *from = open_udp(from_l2, "10.0.0.9:9", 0);
	struct ec_udp *exact = open_udp(l2, "10.0.0.1:68", 0);
	struct ec_udp *any_ip = open_udp(l2, "0.0.0.0:68", 0);
	struct ec_udp *rest = open_udp(l2, "10.0.0.1:1", EC_UDP_ACCEPT_ANY);
	const struct {
		const char *to;
		struct ec_udp *winner;
	} rows[] = {
	    {"10.0.0.1:68", exact},
	    {"10.0.0.2:68", any_ip},
	    {"255.255.255.255:68", any_ip},
	    {"10.0.0.1:69", rest},
	};
	struct ec_frame f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct sockaddr_storage to = user_address(rows[i].to);
		ck_assert_int_eq(
		    ec_udp_sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 2000), 1);
		ck_assert_msg(f.udp == rows[i].winner, "%s", rows[i].to);
		ck_assert_ptr_eq(f.l2, l2);
		ck_assert_uint_eq(f.payload_len, 1);
		ck_assert(f.flags & EC_FRAME_MULTICAST); /* by the default next hop */
	}
}
END_TEST

START_TEST(test_udp_becomes_another)
{
	struct ec_l2 *la = open_l2(MAC1, 0), *lb = open_l2(MAC2, EC_L2_MULTICAST);
	struct ec_udp *a = open_udp(la, "10.0.0.1:1", 0),
		      *b = open_udp(lb, "0.0.0.0:68", 0);
	struct sockaddr_storage own = user_address("10.0.0.2:68"), got;
	struct sockaddr_storage taken = user_address("10.0.0.3:68");
	char buf[10];
	ck_assert_int_eq(ec_udp_set_local(b, (struct sockaddr *)&own), 0);
	ec_udp_local(b, &got);
	ck_assert_mem_eq(&got, &own, sizeof(got));
	ck_assert_int_eq(ec_udp_sendto(a, "x", 1, 0, (struct sockaddr *)&own, sizeof(own)),
			 1);
	ck_assert_int_eq(ec_udp_recvfrom(b, buf, sizeof(buf), 0, NULL, NULL), 1);
	/* a datagram to what it no longer is goes to the L2 endpoint */
	ck_assert_int_eq(
	    ec_udp_sendto(a, "y", 1, 0, (struct sockaddr *)&taken, sizeof(taken)), 1);
	ck_assert_int_eq(ec_l2_recv(lb, buf, sizeof(buf), 0, NULL), 29);
	open_udp(lb, "10.0.0.3:68", 0);
	ck_assert_int_eq(ec_udp_set_local(b, (struct sockaddr *)&taken), -EADDRINUSE);
	ec_udp_local(b, &got);
	ck_assert_mem_eq(&got, &own, sizeof(got));
}
END_TEST

static int no_hop(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)dst;
	(void)mac;
	return *(int *)arg;
}

START_TEST(test_udp_refusals)
{
	struct ec_l2 *l2 = open_l2(MAC1, 0);
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct ec_udp *udp, *udp2;
	int hop = -EHOSTUNREACH;
	struct sockaddr_storage v4 = user_address("10.0.0.2:7"),
				v6 = user_address("[::1]:7");
	static char big[2000];
	opts.resolve = no_hop;
	opts.resolve_arg = &hop;
	ck_assert_int_eq(ec_udp_open(&udp, l2, "10.0.0.1:1", &opts), 0);
	ck_assert_int_eq(ec_udp_open(&udp2, l2, "10.0.0.1:1", &opts), -EADDRINUSE);
	ck_assert_int_eq(ec_udp_open(&udp2, l2, "10.0.0.1", &opts), -EINVAL);
	ck_assert_int_eq(ec_udp_sendto(udp, "x", 1, 0, (struct sockaddr *)&v4, sizeof(v4)),
			 -EHOSTUNREACH);
	ck_assert_int_eq(ec_udp_sendto(udp, "x", 1, 0, (struct sockaddr *)&v6, sizeof(v6)),
			 -EAFNOSUPPORT);
	ck_assert_int_eq(ec_udp_sendto(udp, "x", 1, 0, (struct sockaddr *)&v4, 4), -EINVAL);
	hop = 0;
	ck_assert_int_eq(
	    ec_udp_sendto(udp, big, 1472, 0, (struct sockaddr *)&v4, sizeof(v4)), 1472);
	ck_assert_int_eq(
	    ec_udp_sendto(udp, big, 1473, 0, (struct sockaddr *)&v4, sizeof(v4)),
	    -EMSGSIZE);
}
END_TEST

START_TEST(test_sends_before_the_other_address)
{
	struct ec_l2 *la = open_l2(MAC1, 0), *lb = open_l2(MAC2, EC_L2_MULTICAST);
	struct ec_udp *a = open_udp(la, "0.0.0.0:68", 0);
	struct ec_udp *b = open_udp(lb, "10.0.0.9:9", 0);
	struct sockaddr_storage own = user_address("10.0.0.2:68"),
				to = user_address("10.0.0.9:9");
	struct sockaddr_storage from;
	char buf[10];
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(ec_udp_sendto(a, "x", 1, i & EC_MORE,
					       (struct sockaddr *)&to, sizeof(to)),
				 1);
	ck_assert_int_eq(ec_udp_set_local(a, (struct sockaddr *)&own), 0);
	for (unsigned i = 0; i < 100; i++) {
		socklen_t len = sizeof(from);
		ck_assert_int_eq(
		    ec_udp_recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len),
		    1);
		ck_assert_uint_eq(((struct sockaddr_in *)&from)->sin_addr.s_addr, 0);
	}
}
END_TEST

/* An IPv4 packet from 10.0.0.1:1 to 10.0.0.2:2 that carries "x". */
static size_t datagram(uint8_t packet[64])
{
	struct ecp_addr src, dst;
	struct ecp_udp_build b = {.src = &src, .dst = &dst, .ttl = 1};
	ecp_addr_parse("10.0.0.1:1", &src);
	ecp_addr_parse("10.0.0.2:2", &dst);
	ssize_t len = ecp_udp_build(packet, 64, &b, "x", 1);
	ck_assert_int_eq(len, 29);
	return (size_t)len;
}

/* What comes before the good datagram is no datagram: counted, and not delivered. */
START_TEST(test_udp_not_delivered)
{
	static const struct {
		const char *name;
		unsigned at; /* the byte that is changed */
		uint8_t bits;
		uint64_t bad_checksum, fragments;
	} rows[] = {
	    {"payload changed", 28, 1, 1, 0},
	    {"checksum changed", 27, 0x80, 1, 0},
	    {"more fragments follow", 6, 0x20, 0, 1},
	};
	struct ec_l2 *a = open_l2(MAC1, 0), *b = open_l2(MAC2, 0);
	struct ec_udp *udp = open_udp(b, "10.0.0.2:2", 0);
	struct ec_relay_stats stats;
	uint8_t packet[64];
	char buf[10];
	size_t len = datagram(packet);
	packet[rows[_i].at] ^= rows[_i].bits;
	ck_assert_int_eq(ec_l2_send_ip(a, packet, len, mac_of(b), 0), (ssize_t)len);
	packet[rows[_i].at] ^= rows[_i].bits;
	ck_assert_int_eq(ec_l2_send_ip(a, packet, len, mac_of(b), 0), (ssize_t)len);
	ck_assert_msg(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL) == 1, "%s: %s",
		      rows[_i].name, ec_error_text());
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL),
			 -EAGAIN);
	ec_relay_stats(relay, &stats);
	ck_assert_msg(stats.rx_bad_checksum == rows[_i].bad_checksum, "%s", rows[_i].name);
	ck_assert_msg(stats.rx_fragments == rows[_i].fragments, "%s", rows[_i].name);
}
END_TEST

START_TEST(test_l2_close_takes_udp_along)
{
	struct ec_l2 *l2 = open_l2(MAC1, 0);
	open_udp(l2, "10.0.0.1:1", 0);
	open_udp(l2, "10.0.0.1:2", 0);
	ec_l2_close(l2);
	l2 = open_l2(MAC1, 0);
	open_udp(l2, "10.0.0.1:1", 0);
}
END_TEST

START_TEST(test_thousand_endpoints)
{
	struct ec_udp *udps[1000];
	struct ec_l2 *from = open_l2("02:00:00:00:ff:01|9", 0);
	struct ec_frame f;
	for (unsigned i = 0; i < 1000; i++) {
		char l2[40];
		snprintf(l2, sizeof(l2), "02:00:00:01:%02x:%02x|9", i >> 8, i & 255);
		udps[i] = open_udp(open_l2(l2, 0), "0.0.0.0:68", EC_UDP_ACCEPT_ANY);
	}
	struct ecp_addr src, dst;
	ecp_addr_parse("10.0.0.1:67", &src);
	ecp_addr_parse("10.0.0.2:68", &dst);
	struct ecp_udp_build b = {.src = &src, .dst = &dst, .ttl = 1};
	uint8_t packet[64];
	ssize_t len = ecp_udp_build(packet, sizeof(packet), &b, "x", 1);
	for (unsigned i = 0; i < 1000; i += 37) {
		const uint8_t *mac = mac_of(ec_udp_l2(udps[i]));
		ck_assert_int_eq(ec_l2_send_ip(from, packet, (size_t)len, mac, 0), len);
		ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 2000), 1);
		ck_assert_ptr_eq(f.udp, udps[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("client");
	TCase *tc = tcase_create("client");
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_l2_frame, 0, 3);
	tcase_add_test(tc, test_truncation_is_reported);
	tcase_add_test(tc, test_send_refusals);
	tcase_add_test(tc, test_relay_refusals);
#if !SANITIZED
	tcase_add_loop_test(tc, test_no_room_for_rings, 0, 2);
#endif
	tcase_add_test(tc, test_taken_by_another);
	tcase_add_test(tc, test_open_refusals);
	tcase_add_test(tc, test_options_are_taken_or_refused);
	tcase_add_test(tc, test_close_gives_back);
	tcase_add_loop_test(tc, test_close_after_send, 0, 2);
	tcase_add_test(tc, test_no_buffer);
	tcase_add_test(tc, test_broadcast_by_vlan);
	tcase_add_test(tc, test_closing_amid_a_fanout);
	tcase_add_test(tc, test_others_are_set_aside);
	tcase_add_test(tc, test_multicast_goes_by_ethertypes);
	tcase_add_test(tc, test_queues_drop_the_oldest);
	tcase_add_test(tc, test_queues_share_a_bound);
	tcase_add_test(tc, test_hogs_give_way);
	tcase_add_test(tc, test_batch);
	tcase_add_test(tc, test_many_in_one_call);
	tcase_add_test(tc, test_counters);
	tcase_add_test(tc, test_deadlines);
	tcase_add_test(tc, test_fd_is_level_triggered);
	tcase_add_test(tc, test_full_ring);
	tcase_add_test(tc, test_daemon_gone);
	tcase_add_loop_test(tc, test_udp_round_trip, 0, 2);
	tcase_add_test(tc, test_udp_addresses);
	tcase_add_test(tc, test_udp_becomes_another);
	tcase_add_test(tc, test_udp_refusals);
	tcase_add_test(tc, test_sends_before_the_other_address);
	tcase_add_loop_test(tc, test_udp_not_delivered, 0, 3);
	tcase_add_test(tc, test_l2_close_takes_udp_along);
	tcase_add_test(tc, test_thousand_endpoints);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
