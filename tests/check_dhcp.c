/*
 * check_dhcp.c - what the examples share: DHCP messages of any length and wrongness, VLAN stacks
 * as people write them.
 */
#include "examples/dhcp.h"
#include "examples/vlan_set.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIXED 240

static const uint8_t mac[6] = {2, 0xdc, 0, 0, 0, 1};
static const uint32_t xid = 0x12345678;

/* An answer with these options, in exactly as many bytes as it has. */
static uint8_t *answer(const void *options, size_t n)
{
	static const uint8_t cookie[4] = {99, 130, 83, 99};
	uint8_t *m = calloc(1, FIXED + n);
	m[0] = 2;
	m[1] = 1;
	m[2] = 6;
	memcpy(m + 4, &xid, 4);
	memcpy(m + 16, "\x0a\x01\x02\x03", 4);
	memcpy(m + 28, mac, 6);
	memcpy(m + 236, cookie, 4);
	memcpy(m + FIXED, options, n);
	return m;
}

static bool parse(const uint8_t *m, size_t len, struct dhcp_lease *lease)
{
	return dhcp_parse(m, len, xid, mac, lease);
}

START_TEST(an_ack_is_read)
{
	static const uint8_t options[] = {53, 1, 5, 1, 4,  255, 255, 0, 0,   3,  8,
					  10, 1, 0, 1, 10, 1,   0,   2, 0,   54, 4,
					  9,  8, 7, 6, 51, 4,   0,   0, 0xe, 16, 255};
	struct dhcp_lease lease;
	uint8_t *m = answer(options, sizeof(options));
	ck_assert(parse(m, FIXED + sizeof(options), &lease));
	ck_assert_int_eq(lease.type, DHCP_ACK);
	ck_assert_uint_eq(lease.address, inet_addr("10.1.2.3"));
	ck_assert_uint_eq(lease.mask, inet_addr("255.255.0.0"));
	ck_assert_uint_eq(lease.router, inet_addr("10.1.0.1"));
	ck_assert_uint_eq(lease.server, inet_addr("9.8.7.6"));
	ck_assert_uint_eq(ntohl(lease.seconds), 3600);
	/* cut anywhere, it is either no answer or says no more than what is there */
	for (size_t len = 0; len < FIXED + sizeof(options); len++) {
		uint8_t *cut = malloc(len + 1);
		memcpy(cut, m, len);
		ck_assert(!parse(cut, len, &lease) || len >= FIXED + 3);
		free(cut);
	}
	free(m);
}
END_TEST

static const struct {
	const char *name;
	uint8_t options[8];
	size_t n;
	bool good;
} options_rows[] = {
    {"type alone", {53, 1, 2}, 3, true},
    {"pads before and behind", {0, 0, 53, 1, 2, 0}, 6, true},
    {"nothing", {0}, 0, false},
    {"no type", {255}, 1, false},
    {"type behind the end", {255, 53, 1, 2}, 4, false},
    {"a type of two bytes", {53, 2, 2, 2, 255}, 5, false},
    {"a code without length", {53, 1, 2, 1}, 4, false},
    {"a length without bytes", {53, 1, 2, 1, 4}, 5, false},
    {"a length one too long", {53, 1, 2, 1, 4, 1, 1, 1}, 8, false},
    {"an empty option", {12, 0, 53, 1, 2, 255}, 6, true},
};

START_TEST(options_are_held_to_their_lengths)
{
	struct dhcp_lease lease;
	uint8_t *m = answer(options_rows[_i].options, options_rows[_i].n);
	ck_assert_msg(parse(m, FIXED + options_rows[_i].n, &lease) == options_rows[_i].good,
		      "%s", options_rows[_i].name);
	free(m);
}
END_TEST

/* One byte changed at this place makes it somebody else's message, or none. */
static const size_t places[] = {0, 1, 2, 4, 7, 28, 33, 236, 239};

START_TEST(what_is_not_for_us_is_passed_over)
{
	static const uint8_t options[] = {53, 1, 2, 255};
	struct dhcp_lease lease = {.type = 77};
	uint8_t *m = answer(options, sizeof(options));
	m[places[_i]] ^= 0x40;
	ck_assert(!parse(m, FIXED + sizeof(options), &lease));
	ck_assert_int_eq(lease.type, 77);
	free(m);
}
END_TEST

START_TEST(a_request_says_what_it_should)
{
	struct dhcp_ask ask = {.type = DHCP_REQUEST, .xid = xid, .waited_s = 258};
	uint8_t m[DHCP_MESSAGE_MAX];
	static const uint8_t options[] = {53, 1, 3, 50, 4,  1, 2, 3, 4,  54,  4,
					  5,  6, 7, 8,  55, 3, 1, 3, 51, 255, 0};
	memcpy(ask.mac, mac, 6);
	ask.wanted = inet_addr("1.2.3.4");
	ask.server = inet_addr("5.6.7.8");
	ck_assert_uint_eq(dhcp_build(&ask, m), 300);
	ck_assert_mem_eq(m + FIXED, options, sizeof(options));
	ck_assert_mem_eq(m + 4, &xid, 4);
	ck_assert_mem_eq(m + 8, "\1\2", 2);
	ck_assert_mem_eq(m + 28, mac, 6);
}
END_TEST

START_TEST(a_release_names_its_address)
{
	struct dhcp_ask ask = {.type = DHCP_RELEASE, .xid = xid};
	uint8_t m[DHCP_MESSAGE_MAX];
	ask.own = inet_addr("1.2.3.4");
	ask.server = inet_addr("5.6.7.8");
	dhcp_build(&ask, m);
	ck_assert_mem_eq(m + 12, "\1\2\3\4", 4);
	ck_assert_mem_eq(m + FIXED, "\x35\1\7\x36\4\5\6\7\x8\xff", 10);
}
END_TEST

static const struct {
	const char *text;
	uint32_t count; /* 0: refused */
	uint32_t i;
	uint16_t ids[2]; /* of stack i */
} vlan_rows[] = {
    {"", 1, 5, {0, 0}},
    {"100", 1, 3, {100, 0}},
    {"100-199", 100, 99, {199, 0}},
    {"100-199", 100, 100, {100, 0}},
    {"10-19.100-199", 1000, 0, {10, 100}},
    {"10-19.100-199", 1000, 101, {11, 101}},
    {"10-19.100-199", 1000, 999, {19, 199}},
    {"10.100-199", 100, 7, {10, 107}},
    {"1-4094.1-4094", 4094 * 4094, 4094 * 4094 - 1, {4094, 4094}},
    {"0", 0},
    {"4095", 0},
    {"99999999999999999999", 0},
    {"200-100", 0},
    {"100-", 0},
    {"-100", 0},
    {"100.", 0},
    {".100", 0},
    {"1.2.3", 0},
    {"100 ", 0},
    {"100,200", 0},
    {"ten", 0},
};

START_TEST(vlan_stacks_are_read)
{
	struct vlan_set set = {.n_tags = 99};
	uint16_t ids[VLAN_SET_TAGS];
	int r = vlan_set_parse(vlan_rows[_i].text, &set);
	if (!vlan_rows[_i].count) {
		ck_assert_int_eq(r, -EINVAL);
		ck_assert_int_eq(set.n_tags, 99);
		return;
	}
	ck_assert_int_eq(r, 0);
	ck_assert_uint_eq(vlan_set_count(&set), vlan_rows[_i].count);
	vlan_set_nth(&set, vlan_rows[_i].i, ids);
	ck_assert_mem_eq(ids, vlan_rows[_i].ids, sizeof(ids));
}
END_TEST

#define ROWS(table) (int)(sizeof(table) / sizeof((table)[0]))

int main(void)
{
	Suite *suite = suite_create("dhcp");
	TCase *tc = tcase_create("all");
	tcase_add_test(tc, an_ack_is_read);
	tcase_add_loop_test(tc, options_are_held_to_their_lengths, 0, ROWS(options_rows));
	tcase_add_loop_test(tc, what_is_not_for_us_is_passed_over, 0, ROWS(places));
	tcase_add_test(tc, a_request_says_what_it_should);
	tcase_add_test(tc, a_release_names_its_address);
	tcase_add_loop_test(tc, vlan_stacks_are_read, 0, ROWS(vlan_rows));
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
