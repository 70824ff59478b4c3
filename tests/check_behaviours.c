/*
 * check_behaviours.c - what etherconn's own tests ask of it, and what its faults teach, over a
 * real link: one table of rows, each over every back-end, with IPv4 and with IPv6.
 *
 *   test  --link (veth)--> relay -> daemon --rings--> library in this process
 *
 * "Not delivered" is shown without waiting: behind the frame of a row comes a marker, and by
 * the time it is there the frame has been lost, with the counter that names why.
 */
#include "client-lib/etherconn.h"
#include "tests/daemon_process.h"
#include "tests/frames.h"
#include "tests/link.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const backends[] = {"af_packet", "af_packet_v3", "pcap"};
#define N_BACKENDS 3
#define N_LOOPS    (2 * N_BACKENDS) /* with each IP version */

#define MAC    "02:00:00:00:00:01"
#define OTHER  "02:00:00:00:00:02"
#define BCAST  "ff:ff:ff:ff:ff:ff"
#define MARKER "02:00:00:00:00:ee"

static struct daemon_process served;
static struct ec_relay *relay;
static bool six; /* IPv6 */

static void setup(void)
{
	link_make(1504); /* full frames with two tags */
}

static void teardown(void)
{
	link_remove();
}

static void start(int loop)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	six = loop & 1;
	daemon_process_start_on(&served, LINK_IF, backends[loop / 2]);
	opts.socket = served.sock;
	ck_assert_msg(ec_relay_open(&relay, NULL, &opts) == 0, "%s", ec_error_text());
}

static void stop(void)
{
	ec_relay_close(relay);
	daemon_process_stop(&served);
}

/* ---- short names ---- */

static struct ec_l2 *open_l2(const char *text, unsigned flags, uint16_t ethertype)
{
	struct ec_l2addr addr;
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2 *l2;
	opts.flags = flags;
	opts.ethertypes = &ethertype;
	opts.n_ethertypes = ethertype != 0;
	ck_assert_int_eq(ec_l2addr_parse(text, &addr), 0);
	ck_assert_msg(ec_l2_open(&l2, relay, &addr, &opts) == 0, "%s", ec_error_text());
	return l2;
}

static struct ec_udp *open_udp(struct ec_l2 *l2, const char *local, unsigned flags)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct ec_udp *udp;
	opts.flags = flags;
	ck_assert_msg(ec_udp_open(&udp, l2, local, &opts) == 0, "%s", ec_error_text());
	return udp;
}

/* "me:68": the address that a row speaks of, in the family of this run. */
static const char *address(const char *word, char text[ECP_ADDR_TEXT])
{
	static const struct {
		const char *word, *four, *six;
	} words[] = {{"me", "10.0.0.1", "[fd00::1]"},
		     {"other", "10.0.0.2", "[fd00::2]"},
		     {"any", "0.0.0.0", "[::]"},
		     {"peer", "10.0.0.9", "[fd00::9]"}};
	size_t len = strcspn(word, ":");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(words[i].word, word, len)) {
			snprintf(text, ECP_ADDR_TEXT, "%s%s",
				 six ? words[i].six : words[i].four, word + len);
			return text;
		}
	abort();
}

static void send_frame(const struct test_frame *f)
{
	uint8_t frame[ECP_FRAME_MAX];
	link_send(frame, test_frame_build(f, frame));
}

static void send_marker(void)
{
	send_frame(&(struct test_frame){
	    .to = MARKER, .ethertype = 0x88b5, .payload = "end", .len = 3});
}

/* What comes before the marker: how many frames; the last of them in *frame. */
static unsigned until_marker(const struct ec_l2 *marker, struct ec_frame *frame)
{
	unsigned n = 0;
	struct ec_frame got;
	send_marker();
	for (;; n++) {
		ck_assert_msg(ec_relay_recv(relay, &got, 1, 5000) == 1,
			      "the marker is lost");
		if (got.l2 == marker)
			return n;
		*frame = got;
	}
}

/* ---- the table ---- */

#define L2 "l2" /* delivered to the L2 endpoint, not to a UDP one on it */

static const struct row {
	const char *name, *l2; /* the endpoint */
	unsigned flags;        /* enum ec_l2_flags */
	const char *udp;       /* a UDP endpoint on it, or NULL */
	unsigned udp_flags;
	const char *to, *dst; /* the frame's MAC and tags, its address and port */
	uint16_t tpid[2];
	const char *verdict; /* NULL: delivered where the row is about; else the counter */
} rows[] = {
    /* VLANs */
    {"untagged", MAC, 0, NULL, 0, MAC, "me:68", {0}, NULL},
    {"802.1Q", MAC "|100", 0, NULL, 0, MAC "|100", "me:68", {0}, NULL},
    {"QinQ", MAC "|100|200", 0, NULL, 0, MAC "|100|200", "me:68", {0}, NULL},
    {"QinQ, 802.1ad outside", MAC "|1|2", 0, NULL, 0, MAC "|1|2", "me:68", {0x88a8}, NULL},
    {"QinQ, 0x9100 outside", MAC "|1|2", 0, NULL, 0, MAC "|1|2", "me:68", {0x9100}, NULL},
    {"one tag, 802.1ad", MAC "|7", 0, NULL, 0, MAC "|7", "me:68", {0x88a8}, NULL},
    {"priority tag", MAC "|0", 0, NULL, 0, MAC "|0", "me:68", {0}, NULL},
    {"highest ids", MAC "|4095|4095", 0, NULL, 0, MAC "|4095|4095", "me:68", {0}, NULL},
    {"other VLAN", MAC "|100", 0, NULL, 0, MAC "|101", "me:68", {0}, "rx_miss"},
    {"other inner VLAN", MAC "|1|2", 0, NULL, 0, MAC "|1|3", "me:68", {0}, "rx_miss"},
    {"VLANs the other way round",
     MAC "|1|2",
     0,
     NULL,
     0,
     MAC "|2|1",
     "me:68",
     {0},
     "rx_miss"},
    {"tagged for untagged", MAC, 0, NULL, 0, MAC "|100", "me:68", {0}, "rx_miss"},
    {"untagged for tagged", MAC "|100", 0, NULL, 0, MAC, "me:68", {0}, "rx_miss"},
    {"one tag for two", MAC "|1|2", 0, NULL, 0, MAC "|1", "me:68", {0}, "rx_miss"},
    /* addresses */
    {"other MAC", MAC, 0, NULL, 0, OTHER, "me:68", {0}, "rx_miss"},
    {"broadcast, asked for",
     MAC "|5",
     EC_L2_MULTICAST,
     NULL,
     0,
     BCAST "|5",
     "me:68",
     {0},
     NULL},
    {"broadcast, not asked for",
     MAC "|5",
     0,
     NULL,
     0,
     BCAST "|5",
     "me:68",
     {0},
     "rx_multicast_ignored"},
    {"broadcast of another VLAN",
     MAC "|5",
     EC_L2_MULTICAST,
     NULL,
     0,
     BCAST "|6",
     "me:68",
     {0},
     "rx_multicast_ignored"},
    {"broadcast of any VLAN",
     MAC "|5",
     EC_L2_MULTICAST_ANY,
     NULL,
     0,
     BCAST "|6|7",
     "me:68",
     {0},
     NULL},
    {"multicast, asked for",
     MAC,
     EC_L2_MULTICAST,
     NULL,
     0,
     "01:00:5e:00:00:05",
     "me:68",
     {0},
     NULL},
    /* what nobody claims, and what others claim */
    {"default: other MAC", MAC, EC_L2_DEFAULT, NULL, 0, OTHER "|9", "me:68", {0}, NULL},
    {"default: broadcast", MAC, EC_L2_DEFAULT, NULL, 0, BCAST "|9", "me:68", {0}, NULL},
    {"mirror: other MAC", MAC, EC_L2_MIRROR, NULL, 0, OTHER "|9", "me:68", {0}, NULL},
    /* UDP */
    {"UDP", MAC "|3", 0, "me:68", 0, MAC "|3", "me:68", {0}, NULL},
    {"UDP, other port", MAC, 0, "me:68", 0, MAC, "me:69", {0}, L2},
    {"UDP, other address", MAC, 0, "me:68", 0, MAC, "other:68", {0}, L2},
    {"UDP, any address", MAC, 0, "any:68", 0, MAC, "other:68", {0}, NULL},
    {"UDP, any address, other port", MAC, 0, "any:68", 0, MAC, "other:69", {0}, L2},
    {"UDP, accepts any: port", MAC, 0, "me:68", EC_UDP_ACCEPT_ANY, MAC, "me:69", {0}, NULL},
    {"UDP, accepts any: address",
     MAC,
     0,
     "me:68",
     EC_UDP_ACCEPT_ANY,
     MAC,
     "other:70",
     {0},
     NULL},
    {"UDP, broadcast",
     MAC "|8",
     EC_L2_MULTICAST,
     "any:68",
     0,
     BCAST "|8",
     "other:68",
     {0},
     NULL},
};

static uint64_t counter(const char *name)
{
	struct ecp_relay_stats stats;
	daemon_process_stats(&served, &stats);
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		if (!strcmp(ecp_relay_counters[i].name, name))
			return ecp_counter_get(&ecp_relay_counters[i], &stats);
	abort();
}

/* Lost in the daemon by that reason, or before it by the kernel's filter. */
static uint64_t lost(const char *name)
{
	return counter(name) + counter("rx_filtered");
}

static void check_delivered(const struct row *row, const struct ec_frame *f,
			    const struct ec_l2 *l2, const struct ec_udp *udp)
{
	const struct ec_udp *expected = row->verdict ? NULL : udp;
	ck_assert_msg(f->l2 == l2 && f->udp == expected, "%s: to another endpoint",
		      row->name);
	ck_assert_msg(f->payload_len == strlen(row->name) &&
			  !memcmp(f->payload, row->name, f->payload_len),
		      "%s: payload", row->name);
	ck_assert_int_eq(f->ethertype, six ? 0x86dd : 0x0800);
}

static void run_row(const struct row *row, const struct ec_l2 *marker)
{
	char dst[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT], local[ECP_ADDR_TEXT];
	struct ec_frame frame;
	struct ec_l2 *l2 = open_l2(row->l2, row->flags, 0);
	struct ec_udp *udp =
	    row->udp ? open_udp(l2, address(row->udp, local), row->udp_flags) : NULL;
	bool drops = row->verdict && strcmp(row->verdict, L2);
	uint64_t before = drops ? lost(row->verdict) : 0;
	send_frame(&(struct test_frame){.to = row->to,
					.tpid = {row->tpid[0], row->tpid[1]},
					.src_ip = address("peer:67", src),
					.dst_ip = address(row->dst, dst),
					.payload = row->name,
					.len = (uint32_t)strlen(row->name)});
	unsigned n = until_marker(marker, &frame);
	/* a mirror sees the marker, too, before or behind it */
	bool mirror = row->flags & EC_L2_MIRROR;
	ck_assert_msg(mirror || n == !drops, "%s: %u delivered", row->name, n);
	if (drops)
		ck_assert_msg(lost(row->verdict) == before + 1, "%s: not counted",
			      row->name);
	else if (!mirror)
		check_delivered(row, &frame, l2, udp);
	ec_relay_release(relay);
	ec_l2_close(l2);
}

START_TEST(test_rows)
{
	start(_i);
	struct ec_l2 *marker = open_l2(MARKER, 0, 0x88b5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		run_row(&rows[i], marker);
	stop();
}
END_TEST

/* ---- several on one address ---- */

START_TEST(test_ethertypes_to_their_endpoints)
{
	struct ec_frame f;
	start(_i);
	struct ec_l2 *marker = open_l2(MARKER, 0, 0x88b5);
	struct ec_l2 *ppp = open_l2(MAC "|5", 0, 0x8864),
		     *llc = open_l2(MAC "|5", 0, EC_ETHERTYPE_LLC);
	send_frame(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 0x8864, .payload = "pppoe", .len = 5});
	ck_assert_uint_eq(until_marker(marker, &f), 1);
	ck_assert(f.l2 == ppp && !memcmp(f.l3, "pppoe", 5));
	send_frame(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 7, .payload = "\x42\x42\3stp.", .len = 7});
	ck_assert_uint_eq(until_marker(marker, &f), 1);
	ck_assert(f.l2 == llc && f.l3_len == 7 && f.ethertype == EC_ETHERTYPE_LLC);
	send_frame(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 0x8863, .payload = "padi", .len = 4});
	ck_assert_uint_eq(until_marker(marker, &f), 0);
	stop();
}
END_TEST

START_TEST(test_ports_to_their_endpoints)
{
	char text[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT];
	struct ec_udp *udps[20];
	struct ec_frame f;
	start(_i);
	struct ec_l2 *marker = open_l2(MARKER, 0, 0x88b5), *l2 = open_l2(MAC, 0, 0);
	for (unsigned i = 0; i < 20; i++) {
		char word[20];
		snprintf(word, sizeof(word), "me:%u", 1000 + i);
		udps[i] = open_udp(l2, address(word, text), 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		char word[20];
		snprintf(word, sizeof(word), "me:%u", 1000 + i);
		send_frame(&(struct test_frame){.to = MAC,
						.src_ip = address("peer:1", src),
						.dst_ip = address(word, text)});
		ck_assert_uint_eq(until_marker(marker, &f), 1);
		ck_assert_ptr_eq(f.udp, udps[i]);
	}
	stop();
}
END_TEST

/* Two clients that both say so share a MAC and VLANs, each with ports of its own. */
START_TEST(test_shared_by_two_clients)
{
	char text[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT];
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay *mine, *yours;
	struct ec_frame f;
	start(_i);
	mine = relay;
	opts.socket = served.sock;
	ck_assert_int_eq(ec_relay_open(&yours, NULL, &opts), 0);
	struct ec_udp *a = open_udp(open_l2(MAC, EC_L2_SHARE, 0), address("me:1", text), 0);
	relay = yours;
	struct ec_udp *b = open_udp(open_l2(MAC, EC_L2_SHARE, 0), address("me:2", text), 0);
	send_frame(&(struct test_frame){
	    .to = MAC, .src_ip = address("peer:1", src), .dst_ip = address("me:2", text)});
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, b);
	send_frame(&(struct test_frame){
	    .to = MAC, .src_ip = address("peer:1", src), .dst_ip = address("me:1", text)});
	ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, a);
	ec_relay_close(yours);
	relay = mine;
	stop();
}
END_TEST

START_TEST(test_another_address)
{
	char text[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT];
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(68)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(68)};
	struct ec_frame f;
	start(_i);
	inet_pton(AF_INET, "10.0.0.2", &four.sin_addr);
	inet_pton(AF_INET6, "fd00::2", &to6.sin6_addr);
	struct ec_l2 *marker = open_l2(MARKER, 0, 0x88b5), *l2 = open_l2(MAC, 0, 0);
	struct ec_udp *udp = open_udp(l2, address("me:68", text), 0);
	const struct sockaddr *to =
	    six ? (struct sockaddr *)&to6 : (struct sockaddr *)&four;
	ck_assert_msg(ec_udp_set_local(udp, to) == 0, "%s", ec_error_text());
	struct test_frame frame = {.to = MAC, .src_ip = address("peer:67", src)};
	frame.dst_ip = address("me:68", text);
	send_frame(&frame);
	ck_assert_uint_eq(until_marker(marker, &f), 1);
	ck_assert_ptr_null(f.udp);
	frame.dst_ip = address("other:68", text);
	send_frame(&frame);
	ck_assert_uint_eq(until_marker(marker, &f), 1);
	ck_assert_ptr_eq(f.udp, udp);
	stop();
}
END_TEST

/* Closed, nothing comes; opened again, it does. */
START_TEST(test_close_and_open_again)
{
	char text[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT];
	struct ec_frame f;
	start(_i);
	struct ec_l2 *marker = open_l2(MARKER, 0, 0x88b5);
	struct test_frame frame = {.to = MAC "|5",
				   .src_ip = address("peer:67", src),
				   .dst_ip = address("me:68", text)};
	for (unsigned i = 0; i < 20; i++) {
		struct ec_l2 *l2 = open_l2(MAC "|5", 0, 0);
		send_frame(&frame);
		ck_assert_uint_eq(until_marker(marker, &f), 1);
		ec_relay_release(relay);
		ec_l2_close(l2);
		send_frame(&frame);
		ck_assert_uint_eq(until_marker(marker, &f), 0);
	}
	stop();
}
END_TEST

/* ---- sending: what leaves is what a kernel would send ---- */

START_TEST(test_sent_frames)
{
	static const struct {
		const char *to;
		uint16_t tpid[2];
	} shapes[] = {{OTHER, {0}},
		      {OTHER "|100", {0}},
		      {OTHER "|100|200", {0}},
		      {OTHER "|1|2", {0x88a8, 0x8100}},
		      {OTHER "|1|2", {0x9100, 0x88a8}},
		      {OTHER "|0", {0}}};
	char src[ECP_ADDR_TEXT], dst[ECP_ADDR_TEXT];
	static const uint8_t mac[] = {2, 0xee, 0, 0, 0, 1}, to_mac[] = {2, 0, 0, 0, 0, 2};
	start(_i);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		uint8_t sent[ECP_FRAME_MAX], got[LINK_ROOM];
		struct ec_l2addr addr;
		struct ec_l2 *l2;
		struct test_frame f = {.to = shapes[i].to,
				       .tpid = {shapes[i].tpid[0], shapes[i].tpid[1]},
				       .src_ip = address("me:68", src),
				       .dst_ip = address("peer:67", dst),
				       .payload = "a datagram that is long enough",
				       .len = 30};
		uint32_t len = test_frame_build(&f, sent);
		ec_l2addr_parse(shapes[i].to, &addr);
		memcpy(addr.mac, mac, sizeof(mac));
		for (unsigned v = 0; v < addr.n_vlans; v++)
			addr.vlans[v].tpid = shapes[i].tpid[v];
		uint32_t head = 14 + 4u * addr.n_vlans;
		ck_assert_msg(ec_l2_open(&l2, relay, &addr, NULL) == 0, "%s",
			      ec_error_text());
		link_forget();
		ck_assert_int_eq(ec_l2_send_ip(l2, sent + head, len - head, to_mac, 0),
				 len - head);
		ck_assert_msg(link_receive(got) == len && !memcmp(got, sent, len),
			      "shape %zu", i);
		ec_l2_close(l2);
	}
	stop();
}
END_TEST

START_TEST(test_priority_and_drop_eligible)
{
	uint8_t got[LINK_ROOM];
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, wire[] = {0x88, 0xa8, 0xb0, 0x64};
	start(_i);
	ec_l2addr_parse(MAC "|100", &addr);
	addr.vlans[0] = (struct ec_vlan){.id = 100, .tpid = 0x88a8, .pcp = 5, .dei = 1};
	ck_assert_int_eq(ec_l2_open(&l2, relay, &addr, NULL), 0);
	link_forget();
	ck_assert_int_eq(ec_l2_send(l2, "payload", 7, 0x88b5, dst, 0), 7);
	ck_assert_uint_ge(link_receive(got), 18 + 7);
	ck_assert_mem_eq(got + 12, wire, sizeof(wire));
	stop();
}
END_TEST

/* What a UDP endpoint's options say stands in its packets, with checksums that are right. */
START_TEST(test_ttl_and_traffic_class)
{
	char text[ECP_ADDR_TEXT];
	uint8_t got[LINK_ROOM];
	struct ecp_frame parsed;
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(7)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
	struct ec_udp *udp;
	start(_i);
	inet_pton(AF_INET, "10.0.0.9", &four.sin_addr);
	inet_pton(AF_INET6, "fd00::9", &to6.sin6_addr);
	opts.ttl = 7;
	opts.tclass = 0xb8;
	struct ec_l2 *l2 = open_l2(MAC, 0, 0);
	ck_assert_int_eq(ec_udp_open(&udp, l2, address("me:68", text), &opts), 0);
	link_forget();
	const struct sockaddr *to =
	    six ? (struct sockaddr *)&to6 : (struct sockaddr *)&four;
	socklen_t len = six ? sizeof(to6) : sizeof(four);
	ck_assert_int_eq(ec_udp_sendto(udp, "a datagram of some length", 25, 0, to, len),
			 25);
	uint32_t n = link_receive(got);
	ck_assert_int_eq(ecp_frame_parse(got, n, NULL, &parsed), ECP_FRAME_OK);
	ck_assert_int_eq(ecp_l4_checksum_check(got, &parsed), ECP_CSUM_GOOD);
	ck_assert_uint_eq(six ? got[14 + 7] : got[14 + 8], 7);
	ck_assert_uint_eq(six ? (got[14] & 15) << 4 | got[15] >> 4 : got[15], 0xb8);
	stop();
}
END_TEST

/* One datagram too long fails by itself, and sending goes on. */
START_TEST(test_too_long)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, payload[1600];
	uint8_t got[LINK_ROOM];
	start(_i);
	struct ec_l2 *l2 = open_l2(MAC "|100|200", 0, 0);
	uint32_t most = ec_l2_payload_max(l2);
	ck_assert_uint_eq(most, 1500);
	link_forget();
	ck_assert_int_eq(ec_l2_send(l2, payload, most + 1, 0x88b5, dst, 0), -EMSGSIZE);
	ck_assert_int_eq(ec_l2_send(l2, payload, most, 0x88b5, dst, 0), most);
	ck_assert_uint_eq(link_receive(got), most + 22);
	stop();
}
END_TEST

/* Down, it is counted; up again, it goes on by itself, both ways. */
/* The daemon is told by the kernel, and tells its clients. */
static void await_link(bool up)
{
	struct ec_link link = {.up = !up};
	struct pollfd p = {.fd = ec_relay_fd(relay), .events = POLLIN};
	for (ec_relay_link(relay, &link); link.up != up; ec_relay_link(relay, &link)) {
		struct ec_frame f;
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_ge(ec_relay_recv(relay, &f, 1, 0), 0);
	}
}

START_TEST(test_down_and_up)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	uint8_t got[LINK_ROOM];
	struct ec_frame f;
	start(_i);
	struct ec_l2 *l2 = open_l2(MARKER, 0, 0x88b5);
	link_set(false);
	await_link(false);
	ck_assert_int_eq(ec_l2_send(l2, "lost", 4, 0x88b5, dst, 0), -ENETDOWN);
	link_set(true);
	await_link(true);
	ck_assert_int_eq(ec_l2_send(l2, "again", 5, 0x88b5, dst, 0), 5);
	ck_assert_uint_ge(link_receive(got), 19);
	ck_assert_mem_eq(got + 14, "again", 5);
	ck_assert_uint_eq(counter("tx_offered"), 1);
	ck_assert_uint_eq(until_marker(l2, &f), 0);
	stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_rows,
				      test_ethertypes_to_their_endpoints,
				      test_ports_to_their_endpoints,
				      test_shared_by_two_clients,
				      test_another_address,
				      test_close_and_open_again,
				      test_sent_frames,
				      test_priority_and_drop_eligible,
				      test_ttl_and_traffic_class,
				      test_too_long,
				      test_down_and_up};
	if (!link_enter_namespace()) {
		printf("SKIP: a network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	Suite *suite = suite_create("behaviours");
	TCase *tc = tcase_create("behaviours");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		tcase_add_loop_test(tc, tests[i], 0, N_LOOPS);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
