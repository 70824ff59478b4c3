/*
 * check_neigh.c - ARP and ND: the messages, and endpoints that find each other by them.
 *
 * The daemon's relay sends everything back, so two endpoints of one relay are two hosts on a
 * link.  Time: an answer comes at once or not at all, so only giving up takes its three seconds.
 */
#include "proto/neigh.h"
#include "tests/suite.h"
#include "tests/user.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MS   INT64_C(1000000)
#define SOON (5000 * MS)

/* ---- messages ---- */

static struct ecp_neigh message(uint8_t family, bool reply)
{
	struct ecp_neigh n = {.reply = reply,
			      .family = family,
			      .have_mac = true,
			      .mac = {2, 0, 0, 0, 0, 1},
			      .target_mac = {2, 0, 0, 0, 0, 2}};
	if (family == 4) {
		memcpy(n.ip, (uint8_t[]){10, 0, 0, 1}, 4);
		memcpy(n.target, (uint8_t[]){10, 0, 0, 2}, 4);
	} else {
		memcpy(n.ip, (uint8_t[]){0xfd, [15] = 1}, 16);
		memcpy(n.target, (uint8_t[]){0xfd, [13] = 0xaa, 0xbb, 0xcc}, 16);
	}
	return n;
}

static bool parse(uint8_t family, const uint8_t *packet, size_t len, struct ecp_neigh *ret)
{
	return family == 4 ? ecp_arp_parse(packet, len, ret)
			   : ecp_nd_parse(packet, packet + 40, len - 40, ret);
}

START_TEST(test_what_is_built_is_read)
{
	uint8_t family = _i & 1 ? 6 : 4, packet[ECP_NEIGH_LEN_MAX], dst[6];
	struct ecp_neigh n = message(family, _i & 2), got;
	uint16_t ethertype;
	size_t len = ecp_neigh_build(&n, packet, &ethertype, dst);
	ck_assert_int_eq(len, family == 4 ? 28 : 72);
	ck_assert_int_eq(ethertype, family == 4 ? 0x0806 : 0x86dd);
	ck_assert(parse(family, packet, len, &got));
	ck_assert(got.reply == n.reply && got.have_mac && got.family == family);
	ck_assert_mem_eq(got.mac, n.mac, 6);
	ck_assert_mem_eq(got.ip, n.ip, 16);
	ck_assert_mem_eq(got.target, n.target, 16);
	static const uint8_t everybody[] = {255, 255, 255, 255, 255, 255},
			     solicited[] = {0x33, 0x33, 0xff, 0xaa, 0xbb, 0xcc};
	const uint8_t *to = family == 4 ? everybody : solicited;
	if (n.reply)
		to = n.target_mac;
	ck_assert_mem_eq(dst, to, 6);
}
END_TEST

/* Cut anywhere, or with any byte that matters wrong, it is no message. */
START_TEST(test_damaged)
{
	uint8_t family = _i & 1 ? 6 : 4, packet[ECP_NEIGH_LEN_MAX], dst[6];
	struct ecp_neigh n = message(family, _i & 2), got;
	uint16_t ethertype;
	size_t len = ecp_neigh_build(&n, packet, &ethertype, dst);
	for (size_t cut = family == 4 ? 0 : 40; cut < len; cut++)
		ck_assert_msg(!parse(family, packet, cut, &got), "cut at %zu", cut);
	/* ARP: types, lengths and operation; ND is held by its checksum, all of it */
	for (size_t i = family == 4 ? 0 : 40; i < (family == 4 ? 8 : len); i++) {
		packet[i] ^= 0x40;
		ck_assert_msg(!parse(family, packet, len, &got), "byte %zu", i);
		packet[i] ^= 0x40;
	}
	ck_assert(parse(family, packet, len, &got));
	if (family == 6) {
		packet[7] = 254; /* it has crossed a router */
		ck_assert(!parse(family, packet, len, &got));
	}
}
END_TEST

/* RFC 4861, 7.1: an option of length zero.  The checksum is right. */
START_TEST(test_nd_option_of_no_length)
{
	uint8_t packet[ECP_NEIGH_LEN_MAX], dst[6];
	struct ecp_neigh n = message(6, false), got;
	uint16_t ethertype, sum;
	size_t len = ecp_neigh_build(&n, packet, &ethertype, dst);
	packet[65] = 0;
	memcpy(&sum, packet + 42, 2);
	uint32_t more = sum + htons(1); /* what was 1 is 0: the complement grows by it */
	sum = (uint16_t)((more & 0xffff) + (more >> 16));
	memcpy(packet + 42, &sum, 2);
	ck_assert(!parse(6, packet, len, &got));
}
END_TEST

START_TEST(test_multicast_mac)
{
	static const struct {
		const char *ip;
		uint8_t mac[6];
	} rows[] = {
	    {"224.0.0.251", {1, 0, 0x5e, 0, 0, 251}},
	    {"239.255.1.2", {1, 0, 0x5e, 0x7f, 1, 2}},
	    {"255.255.255.255", {255, 255, 255, 255, 255, 255}},
	    {"ff02::1:ff00:1234", {0x33, 0x33, 0xff, 0, 0x12, 0x34}},
	    {"10.0.0.1", {0}},
	    {"fd00::1", {0}},
	};
	static const uint8_t none[6];
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t ip[16] = {0}, mac[6] = {0};
		bool six = strchr(rows[i].ip, ':');
		ck_assert_int_eq(inet_pton(six ? AF_INET6 : AF_INET, rows[i].ip, ip), 1);
		ck_assert_msg(ecp_multicast_mac(six ? 6 : 4, ip, mac) ==
				  !!memcmp(rows[i].mac, none, 6),
			      "%s", rows[i].ip);
		ck_assert_mem_eq(mac, rows[i].mac, 6);
	}
}
END_TEST

/* ---- endpoints ---- */

static struct daemon_process served;
static struct ec_relay *relay;

static void setup(void)
{
	daemon_process_start(&served, 0, 0);
	relay = user_connect(&served, NULL);
}

static void teardown(void)
{
	ec_relay_close(relay);
	daemon_process_stop(&served);
}

static struct ec_l2 *open_l2(const char *text, unsigned flags)
{
	return user_l2(relay, text, flags, 0);
}

static struct ec_udp *open_udp(struct ec_l2 *l2, const char *local, unsigned prefix_len,
			       const char *gateway)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	opts.prefix_len = prefix_len;
	opts.gateway = gateway;
	struct ec_udp *udp = user_udp(l2, local, &opts);
	ec_udp_set_read_deadline(udp, ec_now() + SOON);
	return udp;
}

static ssize_t send_text(struct ec_udp *udp, const char *text, const char *ip,
			 unsigned flags)
{
	char address[ECP_ADDR_TEXT];
	snprintf(address, sizeof(address), strchr(ip, ':') ? "[%s]:7" : "%s:7", ip);
	const struct sockaddr_storage to = user_address(address);
	return ec_udp_sendto(udp, text, strlen(text), flags, (const struct sockaddr *)&to,
			     sizeof(to));
}

static void expect_text(struct ec_udp *udp, const char *text)
{
	char buf[100] = "";
	ssize_t n = ec_udp_recvfrom(udp, buf, sizeof(buf) - 1, 0, NULL, NULL);
	ck_assert_msg(n == (ssize_t)strlen(text), "%zd: %s", n, ec_error_text());
	ck_assert_str_eq(buf, text);
}

static uint64_t unresolved(void)
{
	struct ec_relay_stats stats;
	ec_relay_stats(relay, &stats);
	return stats.tx_unresolved;
}

#define BOTH (EC_L2_RESOLVE | EC_L2_ANSWER)

static const struct {
	const char *l2_a, *l2_b, *a, *b, *ip_a, *ip_b;
} links[] = {
    {"02:00:00:00:00:01", "02:00:00:00:00:02", "10.0.0.1:7", "10.0.0.2:7", "10.0.0.1",
     "10.0.0.2"},
    {"02:00:00:00:00:01|5", "02:00:00:00:00:02|5", "[fd00::1]:7", "[fd00::2]:7", "fd00::1",
     "fd00::2"},
    {"02:00:00:00:00:01|5|6", "02:00:00:00:00:02|5|6", "10.0.0.1:7", "10.0.0.2:7",
     "10.0.0.1", "10.0.0.2"},
};

/* The first datagram waits and arrives; the answer finds its way without asking. */
START_TEST(test_ping_pong)
{
	struct ec_udp *a = open_udp(open_l2(links[_i].l2_a, BOTH), links[_i].a, 0, NULL);
	struct ec_udp *b = open_udp(open_l2(links[_i].l2_b, BOTH), links[_i].b, 0, NULL);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(send_text(a, "ping", links[_i].ip_b, 0), 4);
		expect_text(b, "ping");
		ck_assert_int_eq(send_text(b, "pong", links[_i].ip_a, 0), 4);
		expect_text(a, "pong");
	}
	ck_assert_int_eq(unresolved(), 0);
}
END_TEST

/* It is not broadcast: a third host that listens to every broadcast sees no datagram. */
START_TEST(test_unicast)
{
	struct ec_l2 *third = open_l2("02:00:00:00:00:03", EC_L2_MULTICAST);
	struct ec_udp *a = open_udp(open_l2(links[0].l2_a, BOTH), links[0].a, 0, NULL);
	struct ec_udp *b = open_udp(open_l2(links[0].l2_b, BOTH), links[0].b, 0, NULL);
	char buf[10];
	ck_assert_int_eq(send_text(a, "ping", links[0].ip_b, 0), 4);
	expect_text(b, "ping");
	ck_assert_int_eq(ec_l2_recv(third, buf, sizeof(buf), EC_DONTWAIT, NULL), -EAGAIN);
}
END_TEST

/* Datagrams to a gateway go to its MAC address, whatever their own. */
START_TEST(test_gateway)
{
	struct ec_udp *a =
	    open_udp(open_l2(links[0].l2_a, BOTH), "10.0.0.1:7", 24, "10.0.0.2");
	struct ec_l2 *router = open_l2(links[0].l2_b, BOTH);
	struct ec_frame f;
	open_udp(router, "10.0.0.2:9", 0, NULL);
	ck_assert_int_eq(send_text(a, "far", "192.0.2.1", 0), 3);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.l2, router); /* not its UDP endpoint: another address */
	ck_assert_int_eq(f.payload_len, 3);

	const struct sockaddr_storage other = user_address("10.0.0.2:0");
	ck_assert_int_eq(ec_udp_set_route(a, 24, NULL), 0);
	ck_assert_int_eq(send_text(a, "far", "192.0.2.1", 0), -ENETUNREACH);
	ck_assert_int_eq(ec_udp_set_route(a, 33, NULL), -EINVAL);
	ck_assert_int_eq(ec_udp_set_route(a, 24, (const struct sockaddr *)&other), 0);
	ck_assert_int_eq(send_text(a, "far", "192.0.2.1", 0), 3);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 5000), 1);
}
END_TEST

/* Nobody answers: counted, said once, and then there is a new attempt. */
START_TEST(test_nobody)
{
	struct ec_udp *a = open_udp(open_l2(links[0].l2_a, BOTH), links[0].a, 0, NULL);
	char buf[10];
	int64_t begin = ec_now();
	for (unsigned i = 0; i < 64; i++)
		ck_assert_int_eq(send_text(a, "ping", "10.0.0.9", EC_DONTWAIT), 4);
	ck_assert_int_eq(send_text(a, "ping", "10.0.0.9", EC_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(unresolved(), 0);
	if (_i == 0) { /* the time passes in a send that waits for its turn ... */
		ck_assert_int_eq(send_text(a, "ping", "10.0.0.9", 0), -EHOSTUNREACH);
	} else { /* ... or in a program that polls */
		struct pollfd p = {.fd = ec_relay_fd(relay), .events = POLLIN};
		while (unresolved() == 0) {
			ck_assert_int_eq(poll(&p, 1, 5000), 1);
			ck_assert_int_eq(
			    ec_udp_recvfrom(a, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL),
			    -EAGAIN);
		}
		ck_assert_int_eq(send_text(a, "ping", "10.0.0.9", 0), -EHOSTUNREACH);
		ck_assert_int_eq(poll(&p, 1, 0), 0); /* and the timer is quiet again */
	}
	ck_assert_int_ge(ec_now() - begin, 2900 * MS);
	ck_assert_int_eq(unresolved(), 64);
	ck_assert_int_eq(send_text(a, "ping", "10.0.0.9", 0), 4);
	/* closing loses what waits, and says so */
	ec_udp_close(a);
	ck_assert_int_eq(unresolved(), 65);
}
END_TEST

/* Frames lent to the application stay where they are while a send listens for an answer. */
START_TEST(test_lent_frames_stay)
{
	struct ec_udp *a = open_udp(open_l2(links[0].l2_a, BOTH), links[0].a, 0, NULL);
	struct ec_udp *b = open_udp(open_l2(links[0].l2_b, BOTH), links[0].b, 0, NULL);
	struct ec_udp *c =
	    open_udp(open_l2("02:00:00:00:00:03", BOTH), "10.0.0.3:7", 0, NULL);
	struct ec_frame f;
	ck_assert_int_eq(send_text(a, "first", links[0].ip_b, 0), 5);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, b);
	ck_assert_int_eq(send_text(b, "another", "10.0.0.3", 0), 7);
	expect_text(c, "another");
	ck_assert_int_eq(send_text(a, "first", links[0].ip_b, 0), 5);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 5000), 1);
	ck_assert_int_eq(send_text(c, "x", "10.0.0.9", 0), 1); /* listens meanwhile */
	ck_assert_mem_eq(f.payload, "first", 5);
}
END_TEST

/* The library's own ARP is not seen by an application that did not ask for it. */
START_TEST(test_arp_is_not_delivered)
{
	static const uint16_t types[] = {0x0806, 0x0800};
	struct ec_l2 *a = open_l2(links[0].l2_a, BOTH);
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	struct ec_l2 *b;
	char buf[100];
	open_udp(a, links[0].a, 0, NULL);
	opts.flags = EC_L2_RESOLVE;
	opts.ethertypes = types;
	opts.n_ethertypes = 2;
	ec_l2addr_parse(links[0].l2_b, &addr);
	ck_assert_int_eq(ec_l2_open(&b, relay, &addr, &opts), 0);
	struct ec_udp *udp = open_udp(b, links[0].b, 0, NULL);
	ck_assert_int_eq(send_text(udp, "ping", links[0].ip_a, 0), 4);
	ec_l2_set_read_deadline(b, ec_now() + SOON);
	/* b asked for ARP, so it sees the answer; a did not, and sees no question */
	ck_assert_int_eq(ec_l2_recv(b, buf, sizeof(buf), 0, NULL), 28);
	ck_assert_int_eq(ec_l2_recv(a, buf, sizeof(buf), EC_DONTWAIT, NULL), -EAGAIN);
}
END_TEST

/* A question for 10.0.0.1 from that address at host, to a alone. */
static void ask_as(struct ec_l2 *host, const struct ec_l2 *a, unsigned number)
{
	uint8_t packet[ECP_NEIGH_LEN_MAX], dst[6];
	uint16_t ethertype;
	struct ecp_neigh n = {.family = 4,
			      .ip = {10, 1, (uint8_t)(number >> 8), (uint8_t)number},
			      .target = {10, 0, 0, 1}};
	memcpy(n.mac, ec_l2_addr(host)->mac, 6);
	size_t len = ecp_neigh_build(&n, packet, &ethertype, dst);
	ck_assert_int_eq(
	    ec_l2_send(host, packet, len, ethertype, ec_l2_addr(a)->mac, EC_MORE), len);
}

/* Does a datagram from udp to ip leave without a question that the listener hears? */
static bool leaves_at_once(struct ec_udp *udp, struct ec_l2 *listener, const char *ip)
{
	struct ec_frame f;
	ck_assert_int_eq(send_text(udp, "ping", ip, 0), 4);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.l2, listener);
	return f.ethertype == 0x0800;
}

/* Whoever asks is remembered, but not without bound; who is talked to is not forgotten for it. */
START_TEST(test_many_ask)
{
	static const uint16_t types[] = {0x0806, 0x0800};
	enum { N = 5000 };
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	struct ec_l2 *a = open_l2(links[0].l2_a, BOTH), *host;
	struct ec_udp *udp = open_udp(a, links[0].a, 0, NULL);
	struct ec_frame frames[64];
	opts.flags = EC_L2_MULTICAST;
	opts.ethertypes = types;
	opts.n_ethertypes = 2;
	ec_l2addr_parse(links[0].l2_b, &addr);
	ck_assert_int_eq(ec_l2_open(&host, relay, &addr, &opts), 0);
	unsigned answers = 0;
	for (unsigned i = 0; i < N; i++) {
		ask_as(host, a, i);
		if (i % 50 != 49)
			continue;
		ec_relay_flush(relay);
		while (answers <= i) {
			int n = ec_relay_recv(relay, frames, 64, 5000);
			ck_assert_int_gt(n, 0);
			answers += (unsigned)n;
		}
		/* the first one is talked to all the while */
		ck_assert(leaves_at_once(udp, host, "10.1.0.0"));
	}
	ck_assert(leaves_at_once(udp, host, "10.1.19.135")); /* the last */
	ck_assert(!leaves_at_once(udp, host, "10.1.0.1"));
}
END_TEST

/* A reply for a from the host 10.2.0.1, which is host. */
static void reply_as(struct ec_l2 *host, const struct ec_l2 *a)
{
	uint8_t packet[ECP_NEIGH_LEN_MAX], dst[6];
	uint16_t ethertype;
	struct ecp_neigh n = {
	    .reply = true, .family = 4, .ip = {10, 2, 0, 1}, .target = {10, 0, 0, 1}};
	memcpy(n.mac, ec_l2_addr(host)->mac, 6);
	memcpy(n.target_mac, ec_l2_addr(a)->mac, 6);
	size_t len = ecp_neigh_build(&n, packet, &ethertype, dst);
	ck_assert_int_eq(ec_l2_send(host, packet, len, ethertype, dst, 0), len);
}

/*
 * The answer comes, and behind it more strangers than are remembered, all in one look at the ring
 * that a send takes: what it asked for is still there when it comes back from that.
 */
START_TEST(test_many_ask_while_sending)
{
	static const uint16_t types[] = {0x0806, 0x0800};
	enum { N = 5000 };
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_counter counters[4];
	struct ec_l2addr addr;
	struct ec_l2 *a = open_l2(links[0].l2_a, BOTH), *host;
	struct ec_udp *udp = open_udp(a, links[0].a, 0, NULL);
	opts.ethertypes = types;
	opts.n_ethertypes = 2;
	ec_l2addr_parse(links[0].l2_b, &addr);
	ck_assert_int_eq(ec_l2_open(&host, relay, &addr, &opts), 0);
	ck_assert_int_eq(send_text(udp, "first", "10.2.0.1", EC_DONTWAIT), 5);
	reply_as(host, a);
	for (unsigned i = 0; i < N; i++)
		ask_as(host, a, i);
	ec_relay_flush(relay);
	do /* until all of it is in our ring */
		ck_assert_int_ge(ec_relay_counters(relay, counters, 4), 4);
	while (counters[1].value < N + 1);
	ck_assert_str_eq(counters[1].name, "rx");
	ck_assert_int_eq(send_text(udp, "second", "10.2.0.1", 0), 6);
	ec_l2_set_read_deadline(host, ec_now() + SOON);
	for (unsigned got = 0; got < 2;) {
		struct ec_frame f;
		ck_assert_int_ge(ec_l2_recv(host, NULL, 0, 0, &f), 0);
		got += f.ethertype == 0x0800;
	}
}
END_TEST

/* The answer is there, but no room for what waits for it, nor anybody who would make some. */
START_TEST(test_close_with_a_full_ring)
{
	struct ec_counter counters[4];
	struct ec_l2 *a = open_l2(links[0].l2_a, BOTH), *host = open_l2(links[0].l2_b, 0);
	struct ec_udp *udp = open_udp(a, links[0].a, 0, NULL);
	ck_assert_int_eq(send_text(udp, "first", "10.2.0.1", EC_DONTWAIT), 5);
	reply_as(host, a);
	do /* until it is in our ring */
		ck_assert_int_ge(ec_relay_counters(relay, counters, 4), 4);
	while (counters[1].value < 1);
	kill(served.pid, SIGSTOP);
	while (ec_l2_send(host, "", 1, 0x0800, ec_l2_addr(a)->mac, EC_DONTWAIT) > 0)
		;
	int64_t begin = ec_now();
	ec_relay_close(relay);
	relay = NULL;
	ck_assert_int_lt(ec_now() - begin, SOON);
	kill(served.pid, SIGCONT);
}
END_TEST

/* The route was of the family that is gone: IPv6 is not sent to an IPv4 gateway. */
START_TEST(test_another_family)
{
	struct ec_udp *a =
	    open_udp(open_l2(links[0].l2_a, BOTH), "10.0.0.1:7", 24, "10.0.0.2");
	struct ec_udp *b =
	    open_udp(open_l2(links[0].l2_b, BOTH), "[2001:db8::1]:7", 0, NULL);
	const struct sockaddr_storage six = user_address("[fd00::1]:7");
	ck_assert_int_eq(ec_udp_set_local(a, (const struct sockaddr *)&six), 0);
	ck_assert_int_eq(send_text(a, "x", "10.0.0.2", 0), -EAFNOSUPPORT);
	ck_assert_int_eq(send_text(a, "six", "2001:db8::1", 0), 3);
	expect_text(b, "six");
}
END_TEST

/* What waits was of the old address: it does not leave from the new one. */
START_TEST(test_another_address_while_waiting)
{
	struct ec_udp *a = open_udp(open_l2(links[0].l2_a, BOTH), links[0].a, 0, NULL);
	const struct sockaddr_storage four = user_address("10.0.0.5:7");
	ck_assert_int_eq(send_text(a, "old", links[0].ip_b, 0), 3);
	ck_assert_int_eq(ec_udp_set_local(a, (const struct sockaddr *)&four), 0);
	ck_assert_uint_eq(unresolved(), 1);
	struct ec_udp *b = open_udp(open_l2(links[0].l2_b, BOTH), links[0].b, 0, NULL);
	ck_assert_int_eq(send_text(a, "new", links[0].ip_b, 0), 3);
	expect_text(b, "new");
	ck_assert_int_eq(send_text(b, "back", "10.0.0.5", 0), 4);
	expect_text(a, "back");
	ck_assert_uint_eq(unresolved(), 1);
}
END_TEST

/* 10.0.0.1 and a00:1:: have the same bytes; both are answered for. */
START_TEST(test_families_are_not_mixed_up)
{
	struct ec_l2 *here = open_l2(links[0].l2_a, BOTH);
	struct ec_udp *four = open_udp(here, "10.0.0.1:7", 0, NULL),
		      *six = open_udp(here, "[a00:1::]:7", 0, NULL);
	struct ec_l2 *there = open_l2(links[0].l2_b, BOTH);
	struct ec_udp *from4 = open_udp(there, "10.0.0.2:7", 0, NULL),
		      *from6 = open_udp(there, "[fd00::2]:7", 0, NULL);
	ck_assert_int_eq(send_text(from4, "four", "10.0.0.1", 0), 4);
	expect_text(four, "four");
	ck_assert_int_eq(send_text(from6, "six", "a00:1::", 0), 3);
	expect_text(six, "six");
}
END_TEST

/* ---- stopping ---- */

START_TEST(test_stop_ends_what_waits)
{
	struct ec_udp *a = open_udp(open_l2(links[0].l2_a, 0), links[0].a, 0, NULL);
	pthread_t thread;
	struct ec_frame f;
	char buf[10];
	ec_udp_set_read_deadline(a, 0); /* for ever */
	ck_assert_int_eq(pthread_create(&thread, NULL, user_stop, relay), 0);
	ck_assert_int_eq(ec_udp_recvfrom(a, buf, sizeof(buf), 0, NULL, NULL), -ESHUTDOWN);
	pthread_join(thread, NULL);
	ck_assert_int_eq(ec_relay_recv(relay, &f, 1, -1), -ESHUTDOWN);
	ck_assert_int_eq(send_text(a, "x", "10.0.0.2", 0), -ESHUTDOWN);
	struct pollfd p = {.fd = ec_relay_fd(relay), .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("neigh");
	TCase *messages = tcase_create("messages"), *tc = tcase_create("endpoints");
	tcase_add_loop_test(messages, test_what_is_built_is_read, 0, 4);
	tcase_add_loop_test(messages, test_damaged, 0, 4);
	tcase_add_test(messages, test_nd_option_of_no_length);
	tcase_add_test(messages, test_multicast_mac);
	suite_add_tcase(suite, messages);
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_ping_pong, 0, 3);
	tcase_add_test(tc, test_unicast);
	tcase_add_test(tc, test_gateway);
	tcase_add_loop_test(tc, test_nobody, 0, 2);
	tcase_add_test(tc, test_lent_frames_stay);
	tcase_add_test(tc, test_arp_is_not_delivered);
	tcase_add_test(tc, test_many_ask);
	tcase_add_test(tc, test_many_ask_while_sending);
	tcase_add_test(tc, test_close_with_a_full_ring);
	tcase_add_test(tc, test_another_family);
	tcase_add_test(tc, test_another_address_while_waiting);
	tcase_add_test(tc, test_families_are_not_mixed_up);
	tcase_add_test(tc, test_stop_ends_what_waits);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
