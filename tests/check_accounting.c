/*
 * check_accounting.c - frames of every kind, mixed by chance, both ways: each ends in exactly one
 * counter, and in the one that its kind says.
 *
 * What may have two ends is counted at the other side: by the client that reads the records, by
 * the relay that is handed the frames.  A million frames; SOAK=1: a hundred million.
 */
#include "tests/frames.h"
#include "tests/inside.h"
#include "tests/suite.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MIX           4096 /* frames in a lap */
#define TURNS         (MIX / 256)
#define SENDS         16 /* of each client in a turn */
#define MILLION       1000000
#define LAZY_TURNS    101 /* the lazy client reads in every such turn alone */
#define DOWN_TURNS    5   /* in every such turn the interface is down */
#define MAC           "02:00:00:00:00:01|100"
#define LAZY_MAC      "02:00:00:00:00:02|100"
#define BCAST         "ff:ff:ff:ff:ff:ff|100"
#define COUNTER(name) offsetof(struct ecp_relay_stats, name)

/* A client with one L2 endpoint, one UDP endpoint on it, and what it has seen. */
struct party {
	struct client *client;
	struct peer peer;
	uint32_t l2, udp;
	uint64_t got, sent;
};

static struct party prompt, lazy, limited;
/* what the counters must be in the end */
static struct ecp_relay_stats want;
static uint64_t for_lazy;

static void want_one(size_t counter)
{
	++*(uint64_t *)(void *)((char *)&want + counter);
}

static uint32_t chance(void)
{
	static uint32_t state = 2463534242;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* ---- who takes part ---- */

static void party_join(struct party *p, const char *mac, unsigned flags, uint32_t ring)
{
	int far_end;
	p->client = inside_client(&far_end);
	inside_attach(p->client, &p->peer, ring, 1 << 20);
	const struct endpoint *l2 = open_l2(p->client, mac, flags);
	p->l2 = l2->dest.id;
	p->udp = open_udp(p->client, l2, "10.0.0.1:7", 0)->dest.id;
	datapath_wake(&dp, p->client->channel);
}

static void setup(void)
{
	inside_start(3, 10);
	party_join(&prompt, MAC, ECP_EP_MULTICAST, 1 << 20);
	party_join(&lazy, LAZY_MAC, 0, ECP_RING_MIN);
	party_join(&limited, "02:00:00:00:00:03|100", 0, ECP_RING_MIN);
	bucket_set(&limited.client->channel->tx_rate, 1000, 64, bucket_clock_ns());
	static const struct policy_rule nothing_raw = {.sending = {.raw = false}};
	lazy.client->channel->slots[lazy.l2].endpoint->sending = &nothing_raw.sending;
}

static void party_read(struct party *p)
{
	struct ecp_record head;
	struct ecp_rx_aux aux;
	const uint8_t *data;
	uint32_t len;
	while (peer_recv(&p->peer, &head, &aux, &data, &len))
		p->got++;
	peer_release(&p->peer);
}

/* ---- what comes ---- */

#define UDP_TO(mac, port)                                                                  \
	{                                                                                  \
		.to = mac, .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:" port              \
	}
#define BAD_LENGTH "E\0\0\x1c\0\0\0\0@\x11\0\0\n\0\0\x09\n\0\0\x01\0\x01\0\x02\0\x09\0"

static const struct kind {
	const char *name;
	struct test_frame frame;
	uint32_t cut;   /* bytes taken from its end */
	uint32_t spoil; /* the byte so far from its end is changed */
	uint32_t flags;
	size_t counter; /* of the relay */
} kinds[] = {
    {"UDP claim", UDP_TO(MAC, "7"), .counter = COUNTER(rx)},
    {"L2 claim", UDP_TO(MAC, "8"), .counter = COUNTER(rx)},
    {"wrong UDP checksum", UDP_TO(MAC, "7"), .spoil = 1, .counter = COUNTER(rx)},
    {"checksum unknown", UDP_TO(MAC, "7"), .flags = RELAY_FRAME_CSUM_UNKNOWN,
     .counter = COUNTER(rx)},
    {"checksum unfinished", UDP_TO(MAC, "7"), .spoil = 1, .flags = RELAY_FRAME_CSUM_PARTIAL,
     .counter = COUNTER(rx)},
    {"to the lazy", UDP_TO(LAZY_MAC, "7"), .counter = COUNTER(rx_buffer_full)},
    {"other VLAN", UDP_TO("02:00:00:00:00:01|101", "7"), .counter = COUNTER(rx_miss)},
    {"two VLANs", UDP_TO("02:00:00:00:00:01|100|7", "7"), .counter = COUNTER(rx_miss)},
    {"foreign", UDP_TO("02:00:00:00:00:09|100", "7"), .counter = COUNTER(rx_miss)},
    {"other EtherType",
     {.to = MAC, .ethertype = 0x0806, .payload = "0123456789", .len = 10},
     .counter = COUNTER(rx_miss)},
    {"broadcast", UDP_TO(BCAST, "7"), .counter = COUNTER(rx_multicast)},
    {"broadcast elsewhere", UDP_TO("ff:ff:ff:ff:ff:ff|101", "7"),
     .counter = COUNTER(rx_multicast_ignored)},
    {"runt",
     {.to = "02:00:00:00:00:01", .ethertype = 0x0800},
     .cut = 1,
     .counter = COUNTER(rx_runt)},
    {"three tags",
     {.to = "02:00:00:00:00:01|100|200",
      .ethertype = 0x8100,
      .payload = "0123456789",
      .len = 10},
     .counter = COUNTER(rx_vlan_depth)},
    {"cut IP packet", UDP_TO(MAC, "7"), .cut = 1, .counter = COUNTER(rx_bad_ip)},
    {"bad UDP length",
     {.to = MAC, .ethertype = 0x0800, .payload = BAD_LENGTH, .len = 28},
     .counter = COUNTER(rx_bad_udp)},
    {"truncated", UDP_TO(MAC, "7"), .flags = RELAY_FRAME_TRUNCATED,
     .counter = COUNTER(rx_oversize)},
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint8_t bytes[N_KINDS][256];
static uint32_t lens[N_KINDS];
static struct relay_frame mix[MIX];
static uint8_t kind_of[MIX];

static void build_kinds(void)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		lens[i] = test_frame_build(&kinds[i].frame, bytes[i]) - kinds[i].cut;
		if (kinds[i].spoil)
			bytes[i][lens[i] - kinds[i].spoil] ^= 0x55;
	}
}

static void make_mix(void)
{
	for (unsigned i = 0; i < MIX; i++) {
		unsigned k = kind_of[i] = (uint8_t)(chance() % N_KINDS);
		mix[i] = (struct relay_frame){
		    .data = bytes[k], .len = lens[k], .flags = kinds[k].flags};
	}
}

static void count_mix(void)
{
	want.rx_offered += MIX;
	for (unsigned i = 0; i < MIX; i++) {
		size_t counter = kinds[kind_of[i]].counter;
		if (counter == COUNTER(rx_buffer_full))
			for_lazy++; /* how many it got, it says in the end */
		else
			want_one(counter);
	}
}

/* ---- what goes ---- */

static const uint8_t to[6] = {2, 0, 0, 0, 0, 9};

static bool party_send(struct party *p, uint32_t id, uint32_t older, uint16_t type,
		       const void *payload, uint32_t len)
{
	uint32_t generation = p->client->channel->slots[id].generation;
	bool sent = peer_send(&p->peer, id, generation - older, to, type, payload, len);
	want.tx_offered += sent;
	p->sent += sent;
	return sent;
}

/* Frames that may go, and frames that may not. */
static void send_prompt(bool down)
{
	static uint8_t payload[1600], datagram[64];
	static uint32_t datagram_len;
	if (!datagram_len)
		datagram_len =
		    test_frame_build(&(struct test_frame){.to = "02:00:00:00:00:09",
							  .src_ip = "10.0.0.1:7",
							  .dst_ip = "10.0.0.9:9"},
				     datagram) -
		    14;
	size_t good = down ? COUNTER(tx_down) : COUNTER(tx);
	const struct {
		uint32_t id, older;
		uint16_t type;
		const uint8_t *payload;
		uint32_t len;
		size_t counter;
	} sends[] = {
	    {prompt.l2, 0, 0x0800, payload, 46, good},
	    {prompt.l2, 0, 0x88b5, payload, 1500, good},
	    {prompt.udp, 0, 0x0800, datagram + 14, datagram_len, good},
	    {prompt.udp, 0, 0x0800, payload, 46, COUNTER(tx_spoofed)},
	    {prompt.l2, 0, 0x8100, payload, 46, COUNTER(tx_invalid)},
	    {prompt.l2, 0, 0x0800, payload, 1600, COUNTER(tx_oversize)},
	    {prompt.l2, 1, 0x0800, payload, 46, COUNTER(tx_closed)},
	};
	for (unsigned i = 0; i < SENDS; i++) {
		unsigned k = chance() % (sizeof(sends) / sizeof(sends[0]));
		if (party_send(&prompt, sends[k].id, sends[k].older, sends[k].type,
			       sends[k].payload, sends[k].len))
			want_one(sends[k].counter);
	}
	peer_publish(&prompt.peer);
}

static void send_others(void)
{
	static const uint8_t payload[46];
	for (unsigned i = 0; i < SENDS; i++) {
		if (party_send(&lazy, lazy.l2, 0, 0x0800, payload, sizeof(payload)))
			want_one(COUNTER(tx_denied));
		party_send(&limited, limited.l2, 0, 0x0800, payload, sizeof(payload));
	}
	peer_publish(&lazy.peer);
	peer_publish(&limited.peer);
}

/* ---- the sum ---- */

static void check_relay(void)
{
	const struct ecp_relay_stats *stats = &dp.relay.stats;
	uint64_t in[2] = {0}, out[2] = {0};
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_relay_counters[i];
		uint64_t value = ecp_counter_get(c, stats);
		bool tx = c->name[0] == 't';
		if (c->kind == ECP_COUNTER_extra)
			continue;
		ck_assert_msg(value == ecp_counter_get(c, &want),
			      "%s: %" PRIu64 ", not %" PRIu64, c->name, value,
			      ecp_counter_get(c, &want));
		if (c->kind == ECP_COUNTER_in)
			in[tx] += value;
		else
			out[tx] += value;
	}
	ck_assert_uint_eq(in[0], out[0]);
	ck_assert_uint_eq(in[1], out[1]);
}

/* Ends that two places know of: what the one says must be what the other counts. */
static void settle(void)
{
	struct ecp_endpoint_stats ep;
	uint64_t limited_sent;
	want.rx += lazy.got;
	want.rx_buffer_full = for_lazy - lazy.got;
	ck_assert_uint_gt(lazy.got, 0);
	ck_assert_uint_gt(want.rx_buffer_full, 0);
	ep = client_stats(limited.client);
	limited_sent = ep.tx;
	ck_assert_uint_eq(ep.tx + ep.tx_dropped, limited.sent);
	ck_assert_uint_gt(ep.tx_dropped, 0);
	want.tx_limited = limited.sent - limited_sent;
	/* those of the limited that met a link that was down, and the relay's own count */
	want.tx_down += limited_sent - (relay_memory_n_sent(&dp.relay) - want.tx);
	want.tx = relay_memory_n_sent(&dp.relay);
	ep = client_stats(lazy.client);
	ck_assert_uint_eq(ep.rx, lazy.got);
	ck_assert_uint_eq(ep.rx_buffer_full, want.rx_buffer_full);
	ep = client_stats(prompt.client);
	ck_assert_uint_eq(ep.rx, want.rx - lazy.got);
	ck_assert_uint_eq(prompt.got, ep.rx + want.rx_multicast);
	ck_assert_uint_eq(ep.tx + ep.tx_dropped + want.tx_closed, prompt.sent);
}

static uint64_t frames_to_walk(void)
{
	const char *soak = getenv("SOAK");
	return soak && *soak == '1' ? UINT64_C(100) * MILLION : MILLION;
}

START_TEST(test_every_frame_once)
{
	uint64_t n = frames_to_walk();
	unsigned turn = 0;
	setup();
	build_kinds();
	while (want.rx_offered < n) {
		make_mix();
		count_mix();
		relay_memory_loop(&dp.relay, mix, MIX, 1);
		for (unsigned i = 0; i < TURNS; i++) {
			bool down = ++turn % DOWN_TURNS == 0;
			relay_memory_set_down(&dp.relay, down);
			send_prompt(down);
			send_others();
			datapath_turn(&dp);
			party_read(&prompt);
			if (turn % LAZY_TURNS == 0)
				party_read(&lazy);
		}
	}
	party_read(&lazy);
	settle();
	check_relay();
	printf("# %" PRIu64 " frames received, %" PRIu64 " sent: every one counted once\n",
	       want.rx_offered, want.tx_offered);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accounting");
	TCase *tc = tcase_create("accounting");
	tcase_set_timeout(tc, 3600);
	tcase_add_test(tc, test_every_frame_once);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
