/*
 * check_filter.c - what the kernel hands over, and what it keeps to itself: the filter made of
 * claims, and filters in libpcap's words, over a real link and each back-end.
 *
 *   the relay -> la <=== veth ===> lb <- raw socket    in a network namespace of its own
 */
#include "daemon/relay.h"
#include "tests/frames.h"
#include "tests/link.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static struct relay relay;

static int open_with(const char *filter, int backend, char *text, size_t room)
{
	struct relay_config config = {.interface = LINK_IF,
				      .backend = link_backends[backend],
				      .promiscuous = true,
				      .filter = filter};
	return relay_open(&relay, &config, text, room);
}

static void send_to(const char *to, uint16_t outer_tpid, uint16_t inner_tpid)
{
	static const uint8_t payload[46];
	uint8_t frame[ECP_FRAME_MAX];
	const struct test_frame f = {.to = to,
				     .tpid = {outer_tpid, inner_tpid},
				     .ethertype = 0x88b5,
				     .payload = payload,
				     .len = sizeof(payload)};
	link_send(frame, test_frame_build(&f, frame));
}

/* The marker is let through by every filter of this file; it ends what is looked at. */
#define MARKER "02:00:00:00:00:ee"

/* How many frames pass until the marker comes. */
static unsigned passed(void)
{
	static const uint8_t marker[] = {2, 0, 0, 0, 0, 0xee};
	unsigned n = 0;
	send_to(MARKER, 0, 0);
	for (;;) {
		struct relay_frame frames[RELAY_BURST];
		struct pollfd p = {.fd = relay.fd, .events = POLLIN};
		int got = relay.ops->rx_peek(&relay, frames, RELAY_BURST);
		for (int i = 0; i < got; i++, n++)
			if (!memcmp(frames[i].data, marker, 6)) {
				relay.ops->rx_release(&relay);
				return n;
			}
		relay.ops->rx_release(&relay);
		if (got == 0)
			ck_assert_msg(poll(&p, 1, 5000) == 1, "the marker never came");
	}
}

static struct kernel_claim claim_of(const char *l2)
{
	struct ecp_l2addr addr;
	ck_assert_int_eq(ecp_l2addr_parse(l2, &addr), 0);
	return (struct kernel_claim){.key = ecp_key_of(&addr)};
}

static void open_by_claims(int backend)
{
	char text[200] = "";
	ck_assert_msg(open_with(NULL, backend, text, sizeof(text)) == 0, "%s", text);
	ck_assert_msg(relay.filter, "no filter: %s", strerror(-relay.filter_error));
	struct kernel_claim marker = claim_of(MARKER);
	relay_claim_add(&relay, &marker);
}

static uint64_t filtered(void)
{
	relay_stats_refresh(&relay);
	return relay.stats.rx_filtered;
}

/* A claim lets its own frames pass and no others; when it goes, they stop. */
START_TEST(claims)
{
	static const struct {
		const char *claim, *others[4];
		uint16_t tpid[2];
	} rows[] = {
	    {"02:00:00:00:00:01",
	     {"02:00:00:00:00:02", "02:00:00:00:00:01|1", "02:00:00:00:00:01|0"},
	     {0}},
	    {"02:00:00:00:00:01|5",
	     {"02:00:00:00:00:01", "02:00:00:00:00:01|6", "02:00:00:00:00:01|5|5",
	      "02:00:00:00:00:02|5"},
	     {0}},
	    {"02:00:00:00:00:01|5|7",
	     {"02:00:00:00:00:01|5", "02:00:00:00:00:01|7|5", "02:00:00:00:00:01|5|8"},
	     {0}},
	    {"02:00:00:00:00:01|4095|4095",
	     {"02:00:00:00:00:01|4095", "02:00:00:00:00:01|4095|4094"},
	     {0x88a8, 0x8100}},
	    {"02:00:00:00:00:01|5|7", {"02:00:00:00:00:01|5"}, {0x88a8, 0x88a8}},
	    {"02:00:00:00:00:01|5|7", {"02:00:00:00:00:01|5"}, {0x8100, 0x9100}},
	    /* tags that the kernel does not know, and leaves in their place */
	    {"02:00:00:00:00:01|5|7",
	     {"02:00:00:00:00:01|5", "02:00:00:00:00:01|5|8"},
	     {0x9100, 0x8100}},
	    {"02:00:00:00:00:01|5", {"02:00:00:00:00:01|5|5"}, {0x9100, 0x9100}},
	};
	open_by_claims(_i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct kernel_claim claim = claim_of(rows[i].claim);
		uint64_t before = filtered();
		unsigned others = 0;
		relay_claim_add(&relay, &claim);
		for (; others < 4 && rows[i].others[others]; others++)
			send_to(rows[i].others[others], rows[i].tpid[0], rows[i].tpid[1]);
		ck_assert_msg(passed() == 0, "row %zu: others pass", i);
		ck_assert_uint_eq(filtered() - before, others);
		send_to(rows[i].claim, rows[i].tpid[0], rows[i].tpid[1]);
		ck_assert_msg(passed() == 1, "row %zu: it does not pass", i);
		relay_claim_remove(&relay, &claim);
		send_to(rows[i].claim, rows[i].tpid[0], rows[i].tpid[1]);
		ck_assert_msg(passed() == 0, "row %zu: it passes when it is gone", i);
	}
	relay_close(&relay);
}
END_TEST

/* Two claims on one address: the frames stop when both are gone. */
START_TEST(claims_are_counted)
{
	struct kernel_claim claim = claim_of("02:00:00:00:00:01|5");
	open_by_claims(_i);
	relay_claim_add(&relay, &claim);
	relay_claim_add(&relay, &claim);
	relay_claim_remove(&relay, &claim);
	send_to("02:00:00:00:00:01|5", 0, 0);
	ck_assert_uint_eq(passed(), 1);
	relay_claim_remove(&relay, &claim);
	send_to("02:00:00:00:00:01|5", 0, 0);
	ck_assert_uint_eq(passed(), 0);
	relay_close(&relay);
}
END_TEST

START_TEST(multicast)
{
	struct kernel_claim claim = claim_of("02:00:00:00:00:01|5");
	open_by_claims(_i);
	relay_claim_add(&relay, &claim);
	send_to("ff:ff:ff:ff:ff:ff|5", 0, 0);
	ck_assert_uint_eq(passed(), 0);
	relay_claim_remove(&relay, &claim);

	claim.multicast = true;
	relay_claim_add(&relay, &claim);
	send_to("ff:ff:ff:ff:ff:ff|5", 0, 0);
	send_to("01:00:5e:00:00:01|5", 0, 0);
	send_to("ff:ff:ff:ff:ff:ff|6", 0, 0);
	send_to("ff:ff:ff:ff:ff:ff", 0, 0);
	ck_assert_uint_eq(passed(), 2);
	relay_claim_remove(&relay, &claim);

	claim.multicast = false;
	claim.multicast_any = true;
	relay_claim_add(&relay, &claim);
	send_to("ff:ff:ff:ff:ff:ff|6", 0, 0);
	send_to("01:00:5e:00:00:01", 0, 0);
	send_to("02:00:00:00:00:02|5", 0, 0);
	ck_assert_uint_eq(passed(), 2);
	relay_claim_remove(&relay, &claim);
	send_to("ff:ff:ff:ff:ff:ff|6", 0, 0);
	ck_assert_uint_eq(passed(), 0);
	relay_close(&relay);
}
END_TEST

START_TEST(everything)
{
	struct kernel_claim claim = claim_of("02:00:00:00:00:01");
	claim.everything = true;
	open_by_claims(_i);
	relay_claim_add(&relay, &claim);
	send_to("02:00:00:00:00:77|9|9", 0, 0);
	send_to("ff:ff:ff:ff:ff:ff|6", 0, 0);
	ck_assert_uint_eq(passed(), 2);
	relay_claim_remove(&relay, &claim);
	send_to("02:00:00:00:00:77|9|9", 0, 0);
	ck_assert_uint_eq(passed(), 0);
	relay_close(&relay);
}
END_TEST

/* With 50,000 claims next to nothing foreign passes, and what is claimed does. */
START_TEST(many_claims)
{
	unsigned foreign = 0;
	open_by_claims(_i);
	for (unsigned i = 0; i < 50000; i++) {
		struct kernel_claim claim = {
		    .key = {.mac = {2, 0, 1, 0, (uint8_t)(i >> 8), (uint8_t)i},
			    .vlan = {(uint16_t)(i / 4000), ECP_NO_VLAN}}};
		relay_claim_add(&relay, &claim);
	}
	send_to("02:00:01:00:00:00|0", 0, 0);
	send_to("02:00:01:00:c3:4f|12", 0, 0); /* the last one */
	ck_assert_uint_eq(passed(), 2);
	for (unsigned i = 0; i < 1000; i++) {
		char to[40];
		snprintf(to, sizeof(to), "02:00:02:00:%02x:%02x|1", i >> 8, i & 255);
		send_to(to, 0, 0);
		if (i % 100 == 99)
			foreign += passed();
	}
	/* 50,000 of 2^21 bits: 24 of 1,000, and three times that never */
	ck_assert_uint_le(foreign, 72);
	relay_close(&relay);
}
END_TEST

/* ---- in libpcap's words ---- */

START_TEST(expressions)
{
	static const struct {
		const char *filter;
		unsigned passes;
	} rows[] = {
	    {"", 4},
	    {"ether dst 02:00:00:00:00:ee", 0},
	    {"ether dst 02:00:00:00:00:ee or vlan 5", 2},
	    {"ether dst 02:00:00:00:00:ee or (vlan 5 and vlan 7)", 1},
	    /* the kernel keeps the outer tag beside the frame */
	    {"ether dst 02:00:00:00:00:ee or ether proto 0x88b5", 3},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[200] = "";
		int r = open_with(rows[i].filter, _i, text, sizeof(text));
		ck_assert_msg(r == 0, "%s: %s", rows[i].filter, text);
		ck_assert_ptr_null(relay.filter);
		send_to("02:00:00:00:00:01", 0, 0);
		send_to("02:00:00:00:00:02", 0, 0);
		send_to("02:00:00:00:00:01|5", 0, 0);
		send_to("02:00:00:00:00:01|5|7", 0, 0);
		unsigned n = passed();
		ck_assert_msg(n == rows[i].passes, "\"%s\": %u", rows[i].filter, n);
		relay_close(&relay);
	}
}
END_TEST

START_TEST(bad_expression)
{
	char text[200] = "";
	ck_assert_int_eq(open_with("vlan and banana", _i, text, sizeof(text)), -EINVAL);
	ck_assert_msg(strstr(text, "vlan and banana") && strstr(text, "syntax error"), "%s",
		      text);
	ck_assert_int_eq(open_with("udp port", _i, text, sizeof(text)), -EINVAL);
	ck_assert_msg(strstr(text, "syntax error"), "%s", text);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {claims,        claims_are_counted, multicast,
				      everything,    many_claims,        expressions,
				      bad_expression};
	return suite_run(link_suite("filter", 1500, LINK_N_BACKENDS, tests,
				    sizeof(tests) / sizeof(*tests)));
}
