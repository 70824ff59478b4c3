/*
 * check_datapath.c - frames through relay, table and rings, both ways, on the memory relay; and
 * the sums that every counter is part of.
 */
#include "tests/ends.h"
#include "tests/frames.h"
#include "tests/inside.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct client *client;
static struct peer peer;
static int far_end;

/* A client that is attached, and the test in its place at the other end. */
static struct client *connect_client(struct peer *p, int *far)
{
	struct client *c = inside_client(far);
	inside_attach(c, p, ECP_RING_MIN, ECP_RING_MIN);
	return c;
}

static void setup(void)
{
	inside_start(8, 1000);
	client = connect_client(&peer, &far_end);
}

static void teardown(void)
{
	inside_stop();
	peer_close(&peer);
	close(far_end);
}

/* rx_offered and tx_offered are exactly what became of the frames. */
static void check_identity(void)
{
	const struct ecp_relay_stats *s = &dp.relay.stats;
	ck_assert_uint_eq(s->rx_offered, sum_of_ends(s, 'r'));
	ck_assert_uint_eq(s->tx_offered, sum_of_ends(s, 't'));
}

#define MAC   "02:00:00:00:00:01"
#define BCAST "ff:ff:ff:ff:ff:ff"

/* Push a frame, its outer tag beside it as the kernel does it, and let the datapath have it. */
static void push_flags(const struct test_frame *f, uint32_t flags)
{
	uint8_t bytes[ECP_FRAME_MAX];
	struct ecp_tag tag;
	uint32_t len = test_frame_strip(bytes, test_frame_build(f, bytes), &tag);
	relay_memory_push(&dp.relay, bytes, len, &tag, flags);
	datapath_turn(&dp);
}

static void push(const struct test_frame *f)
{
	push_flags(f, 0);
}

static struct ecp_record head;
static struct ecp_rx_aux aux;
static const uint8_t *data;
static uint32_t data_len;

static bool received(void)
{
	return peer_recv(&peer, &head, &aux, &data, &data_len);
}

/* ---- receiving ---- */

START_TEST(test_received_frame_is_the_sent_one)
{
	static const char *const addrs[] = {MAC, MAC "|100", MAC "|200|100"};
	struct test_frame f = {.to = addrs[_i],
			       .src_ip = "10.0.0.9:67",
			       .dst_ip = "10.0.0.1:68",
			       .payload = "hello",
			       .len = 5};
	uint8_t whole[ECP_FRAME_MAX];
	uint32_t len = test_frame_build(&f, whole);
	const struct endpoint *ep = open_l2(client, addrs[_i], 0);
	push(&f);
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, ep->dest.id);
	ck_assert_uint_eq(data_len, len);
	ck_assert_mem_eq(data, whole, len);
	ck_assert_uint_eq(aux.ethertype, ECP_ETHERTYPE_IPV4);
	ck_assert_uint_eq(aux.info >> ECP_RX_L3_SHIFT, 14 + 4 * _i);
	ck_assert_uint_eq(aux.l3_len, 33);
	ck_assert_uint_eq(aux.l4_off, 14 + 4 * _i + 20);
	ck_assert_uint_eq(aux.protocol, ECP_IP_PROTO_UDP);
	ck_assert(aux.info & ECP_RX_UDP);
	ck_assert(aux.time_ns != 0);
	ck_assert(!received());
	ck_assert_uint_eq(endpoint_stats(ep).rx, 1);
	ck_assert_uint_eq(endpoint_stats(ep).rx_bytes, len);
	ck_assert_uint_eq(dp.relay.stats.rx, 1);
	check_identity();
}
END_TEST

/* One frame each, and the one counter that must name its end. */
START_TEST(test_drop_reasons)
{
#define COUNTER(name) offsetof(struct ecp_relay_stats, name)
	static const struct {
		const char *name;
		struct test_frame frame;
		uint32_t cut; /* bytes taken from its end */
		uint32_t flags;
		size_t counter;
	} rows[] = {
	    {"delivered",
	     {.to = MAC "|100", .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	     .counter = COUNTER(rx)},
	    {"other VLAN",
	     {.to = MAC "|101", .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	     .counter = COUNTER(rx_miss)},
	    {"other MAC",
	     {.to = "02:00:00:00:00:02|100",
	      .src_ip = "10.0.0.9:1",
	      .dst_ip = "10.0.0.1:2"},
	     .counter = COUNTER(rx_miss)},
	    {"EtherType nobody asked for",
	     {.to = MAC "|100", .ethertype = 0x0806, .payload = "0123456789", .len = 10},
	     .counter = COUNTER(rx_miss)},
	    {"multicast nobody asked for",
	     {.to = BCAST "|100", .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	     .counter = COUNTER(rx_multicast_ignored)},
	    {"runt",
	     {.to = MAC, .ethertype = 0x0800},
	     .cut = 1,
	     .counter = COUNTER(rx_runt)},
	    {"three tags",
	     {.to = MAC "|100|200",
	      .ethertype = 0x8100,
	      .payload = "0123456789",
	      .len = 10},
	     .counter = COUNTER(rx_vlan_depth)},
	    {"cut IP packet",
	     {.to = MAC "|100", .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	     .cut = 1,
	     .counter = COUNTER(rx_bad_ip)},
	    {"bad UDP length",
	     {.to = MAC "|100",
	      .ethertype = 0x0800,
	      .payload =
		  "E\0\0\x1c\0\0\0\0@\x11\0\0\n\0\0\x09\n\0\0\x01\0\x01\0\x02\0\x09\0",
	      .len = 28},
	     .counter = COUNTER(rx_bad_udp)},
	    {"longer than the buffers",
	     {.to = MAC "|100", .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	     .flags = RELAY_FRAME_TRUNCATED,
	     .counter = COUNTER(rx_oversize)},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		teardown();
		setup();
		open_l2(client, MAC "|100", 0);
		uint8_t bytes[ECP_FRAME_MAX];
		uint32_t len = test_frame_build(&rows[i].frame, bytes) - rows[i].cut;
		relay_memory_push(&dp.relay, bytes, len, NULL, rows[i].flags);
		datapath_turn(&dp);
		uint64_t n = *(uint64_t *)((char *)&dp.relay.stats + rows[i].counter);
		ck_assert_msg(n == 1, "%s", rows[i].name);
		ck_assert_msg(received() == (i == 0), "%s", rows[i].name);
		check_identity();
	}
}
END_TEST

/* What it was refused before it had a row is counted in its row. */
START_TEST(test_denied_before_it_is_attached)
{
	const struct ecp_counters_head *all = clients.counters.head;
	const struct ecp_error no = {.code = -EACCES, .text = "no"};
	struct ecp_error err = {0};
	int its_end;
	struct client *c = inside_client(&its_end);
	uint64_t before = ecp_count_changes(&all->clients_changed);
	client_denied(c, &no);
	ck_assert_uint_gt(ecp_count_changes(&all->clients_changed), before);
	ck_assert_int_eq(client_attach(c, &dp, ECP_RING_MIN, ECP_RING_MIN, &err), 0);
	ck_assert_uint_eq(c->channel->counters->denied, 1);
	client_denied(c, &no);
	ck_assert_uint_eq(c->channel->counters->denied, 2);
	close(its_end);
}
END_TEST

/* What it has read is seen, also if no frame comes after it. */
START_TEST(test_ring_that_was_read_is_empty)
{
	struct channel *ch = client->channel;
	open_l2(client, MAC, 0);
	push(
	    &(struct test_frame){.to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:2"});
	datapath_turn(&dp);
	uint32_t used = channel_rx_used(ch);
	ck_assert_uint_gt(used, 0);
	ck_assert_uint_eq(ch->counters->rx_used, used);
	datapath_show_rings(&dp);
	ck_assert_uint_eq(ch->counters->rx_used, used);
	ck_assert(received());
	peer_release(&peer);
	ck_assert_uint_eq(channel_rx_used(ch), 0);
	datapath_show_rings(&dp);
	ck_assert_uint_eq(ch->counters->rx_used, 0);
	/* an index that cannot be is not believed */
	atomic_store(&peer.c->rx_cons, UINT64_C(1) << 40);
	ck_assert_uint_eq(channel_rx_used(ch), used);
}
END_TEST

START_TEST(test_udp_claim_goes_before_l2)
{
	const struct endpoint *l2 = open_l2(client, MAC, 0);
	const struct endpoint *udp = open_udp(client, l2, "10.0.0.1:68", 0);
	push(&(struct test_frame){
	    .to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:68"});
	push(&(struct test_frame){
	    .to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:69"});
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, udp->dest.id);
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, l2->dest.id);
	check_identity();
}
END_TEST

START_TEST(test_unfinished_checksum_is_finished)
{
	static const uint32_t flags[] = {RELAY_FRAME_CSUM_PARTIAL,
					 RELAY_FRAME_CSUM_UNKNOWN};
	struct test_frame f = {.to = MAC,
			       .src_ip = "10.0.0.9:67",
			       .dst_ip = "10.0.0.1:68",
			       .payload = "hello",
			       .len = 5};
	uint8_t bytes[ECP_FRAME_MAX], good[2];
	uint32_t len = test_frame_build(&f, bytes);
	memcpy(good, bytes + 40, 2);
	/* leave just the pseudo-header's sum, as a kernel does for hardware that is not there */
	uint16_t partial = (uint16_t)~ecp_sum_fold(
	    ecp_sum(bytes + 26, 8, (uint64_t)htons(ECP_IP_PROTO_UDP) + htons(13)));
	memcpy(bytes + 40, &partial, 2);
	open_l2(client, MAC, 0);
	relay_memory_push(&dp.relay, bytes, len, NULL, flags[_i]);
	datapath_turn(&dp);
	ck_assert(received());
	ck_assert_mem_eq(data + 40, good, 2);
}
END_TEST

START_TEST(test_broadcast_once_per_client)
{
	struct peer other;
	int far;
	struct client *second = connect_client(&other, &far);
	open_l2(client, MAC "|100", ECP_EP_MULTICAST);
	open_l2(client, "02:00:00:00:00:02|100", ECP_EP_MULTICAST);
	open_l2(client, "02:00:00:00:00:03|200", ECP_EP_MULTICAST);
	open_l2(second, "02:00:00:00:00:04", ECP_EP_MULTICAST_ANY);
	struct test_frame f = {
	    .to = BCAST "|100", .src_ip = "10.0.0.9:67", .dst_ip = "255.255.255.255:68"};
	push(&f);
	ck_assert(received());
	ck_assert(head.flags & ECP_RX_FANOUT);
	ck_assert(!received());
	ck_assert_int_eq(peer_recv(&other, &head, &aux, &data, &data_len), 1);
	f.to = BCAST "|300";
	push(&f);
	ck_assert(!received());
	ck_assert_int_eq(peer_recv(&other, &head, &aux, &data, &data_len), 1);
	ck_assert_uint_eq(dp.relay.stats.rx_multicast, 2);
	ck_assert_uint_eq(dp.relay.stats.rx_copies, 3);
	check_identity();
	client_free(second);
	peer_close(&other);
	close(far);
}
END_TEST

START_TEST(test_sharers_get_a_copy_each)
{
	struct peer other;
	int far;
	struct client *second = connect_client(&other, &far);
	open_l2(client, MAC, ECP_EP_SHARE);
	open_l2(second, MAC, ECP_EP_SHARE);
	push(
	    &(struct test_frame){.to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:2"});
	ck_assert(received());
	ck_assert_int_eq(peer_recv(&other, &head, &aux, &data, &data_len), 1);
	ck_assert_uint_eq(dp.relay.stats.rx, 1);
	ck_assert_uint_eq(dp.relay.stats.rx_copies, 1);
	check_identity();
	client_free(second);
	peer_close(&other);
	close(far);
}
END_TEST

/* What nobody claims goes to the default receivers: the frame once, the others copies. */
START_TEST(test_default_receivers)
{
	client->may_capture = true;
	const struct endpoint *own = open_l2(client, MAC, 0);
	const struct endpoint *a = open_l2(client, "02:00:00:00:00:0a", ECP_EP_DEFAULT);
	const struct endpoint *b =
	    open_l2(client, "02:00:00:00:00:0b", ECP_EP_DEFAULT | ECP_EP_MULTICAST);
	struct test_frame f = {.to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:2"};
	push(&f); /* claimed */
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, own->dest.id);
	ck_assert(!received());
	f.to = "02:00:00:00:00:77|5"; /* unclaimed */
	push(&f);
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, b->dest.id);
	ck_assert(received());
	ck_assert_uint_eq(head.endpoint, a->dest.id);
	f.to = BCAST "|5"; /* nobody's group */
	push(&f);
	ck_assert(received() && received() && !received());
	f.to = BCAST; /* b's group */
	push(&f);
	ck_assert(received());
	ck_assert(head.flags & ECP_RX_FANOUT);
	ck_assert(!received());
	ck_assert_uint_eq(dp.relay.stats.rx, 1);
	ck_assert_uint_eq(dp.relay.stats.rx_default, 2);
	ck_assert_uint_eq(dp.relay.stats.rx_multicast, 1);
	ck_assert_uint_eq(dp.relay.stats.rx_copies, 3);
	ck_assert_uint_eq(dp.relay.stats.rx_miss, 0);
	check_identity();
	client_close(client, a->dest.id);
	client_close(client, b->dest.id);
	f.to = "02:00:00:00:00:77|5";
	push(&f);
	ck_assert(!received());
	ck_assert_uint_eq(dp.relay.stats.rx_miss, 1);
}
END_TEST

/* A mirror sees everything, once each. */
START_TEST(test_mirror)
{
	client->may_capture = true;
	const struct endpoint *mirror = open_l2(
	    client, "02:00:00:00:00:0a", ECP_EP_DEFAULT | ECP_EP_MIRROR | ECP_EP_MULTICAST);
	struct test_frame f = {.src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:2"};
	open_l2(client, MAC, ECP_EP_MULTICAST);
	static const struct {
		const char *to;
		unsigned records, mirrored;
	} rows[] = {
	    {MAC, 2, 1},   {"02:00:00:00:00:0a", 1, 1}, {"02:00:00:00:00:77", 1, 1},
	    {BCAST, 2, 1}, {BCAST "|9", 1, 1},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		unsigned records = 0, mirrored = 0;
		f.to = rows[i].to;
		push(&f);
		for (; received(); records++)
			mirrored += head.endpoint == mirror->dest.id &&
				    !(head.flags & ECP_RX_FANOUT);
		ck_assert_msg(records == rows[i].records && mirrored == rows[i].mirrored,
			      "%s: %u, %u", f.to, records, mirrored);
	}
	check_identity();
}
END_TEST

START_TEST(test_default_needs_permission)
{
	struct ecp_open_item item = {.kind = ECP_KIND_L2, .flags = ECP_EP_DEFAULT};
	struct ecp_opened earlier = {0};
	struct ecp_opened_item ret;
	ecp_l2addr_parse(MAC, &item.l2);
	client->may_capture = false;
	ck_assert_int_eq(client_open(client, &item, &earlier, &ret), -EACCES);
	item.flags = ECP_EP_MIRROR;
	ck_assert_int_eq(client_open(client, &item, &earlier, &ret), -EACCES);
	ck_assert_msg(strstr(ret.error.text, "capture_group"), "%s", ret.error.text);
}
END_TEST

START_TEST(test_overflow_is_counted)
{
	struct endpoint *ep = open_l2(client, MAC, 0);
	struct test_frame f = {.to = MAC,
			       .src_ip = "1.1.1.1:1",
			       .dst_ip = "10.0.0.1:2",
			       .payload = "0123456789",
			       .len = 10};
	for (unsigned i = 0; i < 1000; i++)
		push(&f);
	unsigned n = 0;
	while (received())
		n++;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_eq(dp.relay.stats.rx, n);
	ck_assert_uint_eq(dp.relay.stats.rx_buffer_full, 1000 - n);
	ck_assert_uint_eq(endpoint_stats(ep).rx_buffer_full, 1000 - n);
	check_identity();
	peer_release(&peer);
	push(&f);
	ck_assert(received());
}
END_TEST

/* ---- sending ---- */

static const uint8_t dst[6] = {2, 0, 0, 0, 0, 9};

static void send_from(const struct endpoint *ep, uint16_t ethertype, const void *payload,
		      uint32_t len)
{
	uint32_t generation = ep->dest.generation;
	ck_assert(peer_send(&peer, ep->dest.id, generation, dst, ethertype, payload, len));
	peer_publish(&peer);
	datapath_wake(&dp, ep->channel); /* the bell's work */
	datapath_turn(&dp);
}

START_TEST(test_sent_frame)
{
	static const struct {
		const char *addr;
		const char *header;
		unsigned len;
	} rows[] = {
	    {MAC, "\2\0\0\0\0\x09\2\0\0\0\0\1\x08\x06", 14},
	    {MAC "|100", "\2\0\0\0\0\x09\2\0\0\0\0\1\x81\0\0\x64\x08\x06", 18},
	    {MAC "|200|100", "\2\0\0\0\0\x09\2\0\0\0\0\1\x81\0\0\xc8\x81\0\0\x64\x08\x06",
	     22},
	};
	const struct endpoint *ep = open_l2(client, rows[_i].addr, 0);
	uint32_t len;
	send_from(ep, 0x0806, "payload", 7);
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 1);
	const uint8_t *sent = relay_memory_sent(&dp.relay, 0, &len);
	ck_assert_uint_eq(len, rows[_i].len + 7);
	ck_assert_mem_eq(sent, rows[_i].header, rows[_i].len);
	ck_assert_mem_eq(sent + rows[_i].len, "payload", 7);
	ck_assert_uint_eq(endpoint_stats(ep).tx, 1);
	ck_assert_uint_eq(endpoint_stats(ep).tx_bytes, len);
	check_identity();
}
END_TEST

START_TEST(test_refused_to_send)
{
	static uint8_t big[1501];
	static const struct {
		const char *name;
		uint16_t ethertype;
		uint32_t len;
		size_t counter;
	} rows[] = {
	    {"good", 0x0800, 1500, COUNTER(tx)},
	    {"over the MTU", 0x0800, 1501, COUNTER(tx_oversize)},
	    {"a tag of its own", 0x8100, 100, COUNTER(tx_invalid)},
	    {"an S-tag of its own", 0x88a8, 100, COUNTER(tx_invalid)},
	    {"an old S-tag of its own", 0x9100, 100, COUNTER(tx_invalid)},
	    {"a length as EtherType", 0x05ff, 100, COUNTER(tx_invalid)},
	    {"LLC", ECP_ETHERTYPE_LLC, 100, COUNTER(tx)},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		teardown();
		setup();
		const struct endpoint *ep = open_l2(client, MAC "|100", 0);
		send_from(ep, rows[i].ethertype, big, rows[i].len);
		uint64_t n = *(uint64_t *)((char *)&dp.relay.stats + rows[i].counter);
		ck_assert_msg(n == 1, "%s", rows[i].name);
		ck_assert_msg(relay_memory_n_sent(&dp.relay) ==
				  (rows[i].counter == COUNTER(tx)),
			      "%s", rows[i].name);
		check_identity();
	}
}
END_TEST

START_TEST(test_llc_carries_its_length)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	uint32_t len;
	send_from(ep, ECP_ETHERTYPE_LLC, "\x42\x42\x03", 3);
	ck_assert_mem_eq(relay_memory_sent(&dp.relay, 0, &len) + 12, "\0\3\x42\x42\3", 5);
}
END_TEST

START_TEST(test_udp_claim_cannot_spoof)
{
	static const struct {
		const char *name, *local, *src, *dst;
		bool sent;
	} rows[] = {
	    {"its own", "10.0.0.1:68", "10.0.0.1:68", "10.0.0.9:67", true},
	    {"another port", "10.0.0.1:68", "10.0.0.1:69", "10.0.0.9:67", false},
	    {"another address", "10.0.0.1:68", "10.0.0.2:68", "10.0.0.9:67", false},
	    {"no address", "10.0.0.1:68", "0.0.0.0:68", "10.0.0.9:67", false},
	    {"any means 0.0.0.0", "0.0.0.0:68", "0.0.0.0:68", "255.255.255.255:67", true},
	    {"any is not another", "0.0.0.0:68", "10.0.0.1:68", "255.255.255.255:67",
	     false},
	    {"IPv6", "[fe80::1]:546", "[fe80::1]:546", "[ff02::1:2]:547", true},
	    {"IPv6, another", "[fe80::1]:546", "[fe80::2]:546", "[ff02::1:2]:547", false},
	    {"another family", "[fe80::1]:546", "10.0.0.1:546", "10.0.0.9:547", false},
	};
	uint8_t packet[200];
	struct ecp_addr src, to;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		teardown();
		setup();
		const struct endpoint *l2 = open_l2(client, MAC, 0);
		const struct endpoint *udp = open_udp(client, l2, rows[i].local, 0);
		ecp_addr_parse(rows[i].src, &src);
		ecp_addr_parse(rows[i].dst, &to);
		struct ecp_udp_build b = {.src = &src, .dst = &to, .ttl = 1};
		ssize_t n = ecp_udp_build(packet, sizeof(packet), &b, "x", 1);
		send_from(udp, src.family == 4 ? 0x0800 : 0x86dd, packet, (uint32_t)n);
		ck_assert_msg(relay_memory_n_sent(&dp.relay) == rows[i].sent, "%s",
			      rows[i].name);
		ck_assert_msg(dp.relay.stats.tx_spoofed == !rows[i].sent, "%s",
			      rows[i].name);
		check_identity();
	}
}
END_TEST

START_TEST(test_udp_claim_sends_nothing_but_udp)
{
	const struct endpoint *l2 = open_l2(client, MAC, 0);
	const struct endpoint *udp = open_udp(client, l2, "10.0.0.1:68", 0);
	send_from(udp, 0x0806, "not even IP", 11);
	send_from(udp, 0x0800, "", 0);
	ck_assert_uint_eq(dp.relay.stats.tx_spoofed, 2);
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 0);
	check_identity();
}
END_TEST

/* ---- under a policy ---- */

/* An ARP reply from 10.0.0.1 and from 11.0.0.1, both at MAC. */
static const uint8_t arp_mine[28] = {0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1};
static const uint8_t arp_other[28] = {0, 1, 8, 0, 6, 4,  0, 2, 2,
				      0, 0, 0, 0, 1, 11, 0, 0, 1};

/* An endpoint is held to the rule under which it was opened, also when that is no more. */
START_TEST(test_udp_only)
{
	struct ecp_addr src = {.ip = {10, 0, 0, 1}, .port = 68, .family = 4};
	struct ecp_udp_build b = {.src = &src, .dst = &src, .ttl = 1};
	uint8_t packet[100];
	uint32_t len = (uint32_t)ecp_udp_build(packet, sizeof(packet), &b, "x", 1);
	set_policy(",\"ips\":[\"10.0.0.0/8\"]");
	const struct endpoint *l2 = open_l2(client, MAC "|5", 0);
	const struct endpoint *udp = open_udp(client, l2, "10.0.0.1:68", 0);
	set_policy("");
	const struct endpoint *later = open_l2(client, "02:00:00:00:00:02", 0);
	send_from(l2, 0x0800, packet, len);
	send_from(l2, 0x88b5, "x", 1);
	send_from(l2, 0x0806, arp_other, sizeof(arp_other));
	ck_assert_uint_eq(dp.relay.stats.tx_denied, 3);
	ck_assert_uint_eq(endpoint_stats(l2).tx_dropped, 3);
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 0);
	send_from(l2, 0x0806, arp_mine, sizeof(arp_mine));
	send_from(udp, 0x0800, packet, len);
	send_from(later, 0x88b5, "x", 1);
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 3);
	ck_assert_uint_eq(dp.relay.stats.tx_denied, 3);
	check_identity();
}
END_TEST

START_TEST(test_ethertypes_of_the_policy)
{
	static const uint16_t types[] = {0x88b5};
	struct ecp_open_item item = {.kind = ECP_KIND_L2, .n_ethertypes = 1};
	item.ethertypes[0] = types[0];
	ecp_l2addr_parse(MAC, &item.l2);
	set_policy(",\"ethertypes\":[\"0x88b5\"]");
	const struct endpoint *ep = open_item(client, item);
	send_from(ep, 0x88b5, "x", 1);
	send_from(ep, 0x88cc, "x", 1);
	send_from(ep, ECP_ETHERTYPE_LLC, "x", 1);
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 1);
	ck_assert_uint_eq(dp.relay.stats.tx_denied, 2);
	check_identity();
}
END_TEST

static void send_many(const struct endpoint *ep, unsigned n)
{
	uint32_t generation = ep->dest.generation;
	for (unsigned i = 0; i < n; i++)
		ck_assert(peer_send(&peer, ep->dest.id, generation, dst, 0x0800, "x", 1));
	peer_publish(&peer);
	datapath_wake(&dp, client->channel);
	while (datapath_turn(&dp))
		;
}

/* What is beyond the rate is dropped and counted, over bursts and turns. */
START_TEST(test_rate)
{
	const struct ecp_relay_stats *stats = &dp.relay.stats;
	const struct endpoint *ep = open_l2(client, MAC, 0);
	set_policy(",\"limits\":{\"frames_per_s\":1,\"burst\":100}");
	send_many(ep, 70);
	ck_assert_uint_eq(stats->tx_limited, 0);
	send_many(ep, 430);
	/* a machine under load may take seconds, each of them worth one frame */
	ck_assert_uint_ge(stats->tx, 100);
	ck_assert_uint_le(stats->tx, 110);
	ck_assert_uint_eq(stats->tx + stats->tx_limited, 500);
	ck_assert_uint_eq(endpoint_stats(ep).tx_dropped, stats->tx_limited);
	ck_assert_uint_eq(endpoint_stats(ep).tx, stats->tx);
	check_identity();
	/* what was not sent for another reason costs nothing, and no limit is none at once */
	set_policy(",\"limits\":{\"frames_per_s\":1,\"burst\":1}");
	uint64_t before = stats->tx;
	send_from(ep, 0x8100, "x", 1);
	send_many(ep, 1);
	ck_assert_uint_eq(stats->tx, before + 1);
	set_policy("");
	send_many(ep, 200);
	ck_assert_uint_eq(stats->tx, before + 201);
	check_identity();
}
END_TEST

START_TEST(test_closed_endpoint_sends_nothing)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	uint32_t id = ep->dest.id, generation = ep->dest.generation;
	ck_assert(client_close(client, id));
	ep = open_l2(client, "02:00:00:00:00:02", 0); /* takes the same number */
	ck_assert_uint_eq(ep->dest.id, id);
	peer_send(&peer, id, generation, dst, 0x0800, "x", 1);
	peer_send(&peer, 9999, 1, dst, 0x0800, "x", 1);
	peer_publish(&peer);
	datapath_wake(&dp, client->channel);
	datapath_turn(&dp);
	ck_assert_uint_eq(dp.relay.stats.tx_closed, 2);
	ck_assert(!client->channel->broken);
	check_identity();
}
END_TEST

START_TEST(test_down_is_counted)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	relay_memory_set_down(&dp.relay, true);
	send_from(ep, 0x0800, "x", 1);
	ck_assert_uint_eq(dp.relay.stats.tx_down, 1);
	check_identity();
}
END_TEST

/* A process sends and ends at once: its ring is all that is left of it. */
START_TEST(test_last_words)
{
	static const unsigned counts[] = {1, 500, 1500};
	struct peer other;
	int far;
	struct client *second = connect_client(&other, &far);
	const struct endpoint *ep = open_l2(second, MAC, 0);
	uint32_t generation = ep->dest.generation;
	unsigned n = 0;
	while (n < counts[_i] &&
	       peer_send(&other, ep->dest.id, generation, dst, 0x0800, "x", 1))
		n++;
	peer_publish(&other);
	client_free(second);
	ck_assert_uint_eq(dp.relay.stats.tx_offered, n);
	ck_assert_uint_eq(dp.relay.stats.tx, n < 1024 ? n : 1024);
	check_identity();
	peer_close(&other);
	close(far);
}
END_TEST

START_TEST(test_one_burst_per_turn)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	uint32_t generation = ep->dest.generation;
	for (unsigned i = 0; i < 100; i++)
		peer_send(&peer, ep->dest.id, generation, dst, 0x0800, "x", 1);
	peer_publish(&peer);
	datapath_wake(&dp, client->channel);
	ck_assert_uint_eq(datapath_turn(&dp), RELAY_BURST);
	ck_assert(dp.backlog);
	ck_assert(!datapath_sleep(&dp)); /* there is more */
	ck_assert_uint_eq(datapath_turn(&dp), 100 - RELAY_BURST);
	ck_assert(!dp.backlog);
	ck_assert(datapath_sleep(&dp));
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 100);
}
END_TEST

START_TEST(test_broken_client_is_noticed)
{
	open_l2(client, MAC, 0);
	atomic_store(&peer.c->tx_prod, 7);
	datapath_wake(&dp, client->channel);
	datapath_turn(&dp);
	ck_assert(client->channel->broken);
	ck_assert(dp.trouble);
	ck_assert_uint_eq(datapath_turn(&dp), 0);
}
END_TEST

/* ---- claims, through client.c ---- */

START_TEST(test_claims_that_are_refused)
{
	static const struct {
		const char *name, *addr;
		int error;
		const char *says;
	} rows[] = {
	    {"taken", MAC "|100", -EADDRINUSE, "is taken by this client already"},
	    {"multicast", "01:00:5e:00:00:01", -EINVAL, "multicast"},
	    {"the interface's own", "02:00:00:00:ff:ff", -EACCES,
	     "the own address of mem0"},
	    {"all zero", "00:00:00:00:00:00", -EINVAL, ""},
	};
	open_l2(client, MAC "|100", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_open_item item = {.kind = ECP_KIND_L2};
		struct ecp_opened earlier = {0};
		struct ecp_opened_item ret;
		ck_assert_int_eq(ecp_l2addr_parse(rows[i].addr, &item.l2), 0);
		int r = client_open(client, &item, &earlier, &ret);
		ck_assert_msg(r == rows[i].error, "%s: %d", rows[i].name, r);
		ck_assert_msg(strstr(ret.error.text, rows[i].says), "%s: %s", rows[i].name,
			      ret.error.text);
	}
	ck_assert_uint_eq(client->channel->n_endpoints, 1);
}
END_TEST

START_TEST(test_closing_l2_closes_what_stands_on_it)
{
	const struct endpoint *l2 = open_l2(client, MAC, 0);
	uint32_t id = l2->dest.id;
	for (unsigned port = 1; port < 100; port++) {
		char local[32];
		snprintf(local, sizeof(local), "10.0.0.1:%u", port);
		open_udp(client, l2, local, 0);
	}
	ck_assert_uint_eq(client->channel->n_endpoints, 100);
	ck_assert(client_close(client, id));
	ck_assert_uint_eq(client->channel->n_endpoints, 0);
	ck_assert(!client_close(client, id));
}
END_TEST

START_TEST(test_stats_outlive_endpoints)
{
	struct ecp_endpoint_stats sum;
	const struct endpoint *ep = open_l2(client, MAC, 0);
	send_from(ep, 0x0800, "x", 1);
	push(
	    &(struct test_frame){.to = MAC, .src_ip = "1.1.1.1:1", .dst_ip = "10.0.0.1:2"});
	client_close(client, ep->dest.id);
	sum = client_stats(client);
	ck_assert_uint_eq(sum.rx, 1);
	ck_assert_uint_eq(sum.tx, 1);
	ck_assert_uint_eq(sum.tx_bytes, 15);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("datapath");
	TCase *tc = tcase_create("datapath");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_received_frame_is_the_sent_one, 0, 3);
	tcase_add_test(tc, test_drop_reasons);
	tcase_add_test(tc, test_denied_before_it_is_attached);
	tcase_add_test(tc, test_ring_that_was_read_is_empty);
	tcase_add_test(tc, test_udp_claim_goes_before_l2);
	tcase_add_loop_test(tc, test_unfinished_checksum_is_finished, 0, 2);
	tcase_add_test(tc, test_broadcast_once_per_client);
	tcase_add_test(tc, test_sharers_get_a_copy_each);
	tcase_add_test(tc, test_default_receivers);
	tcase_add_test(tc, test_mirror);
	tcase_add_test(tc, test_default_needs_permission);
	tcase_add_test(tc, test_overflow_is_counted);
	tcase_add_loop_test(tc, test_sent_frame, 0, 3);
	tcase_add_test(tc, test_refused_to_send);
	tcase_add_test(tc, test_llc_carries_its_length);
	tcase_add_test(tc, test_udp_claim_cannot_spoof);
	tcase_add_test(tc, test_udp_claim_sends_nothing_but_udp);
	tcase_add_test(tc, test_udp_only);
	tcase_add_test(tc, test_ethertypes_of_the_policy);
	tcase_add_test(tc, test_rate);
	tcase_add_test(tc, test_closed_endpoint_sends_nothing);
	tcase_add_test(tc, test_down_is_counted);
	tcase_add_loop_test(tc, test_last_words, 0, 3);
	tcase_add_test(tc, test_one_burst_per_turn);
	tcase_add_test(tc, test_broken_client_is_noticed);
	tcase_add_test(tc, test_claims_that_are_refused);
	tcase_add_test(tc, test_closing_l2_closes_what_stands_on_it);
	tcase_add_test(tc, test_stats_outlive_endpoints);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
