/*
 * check_endpoint.c - text forms, keys and checks of endpoint names; and the counters' tables.
 */
#include "proto/endpoint.h"
#include "proto/stats.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define MAC "02:00:00:00:00:01"

START_TEST(test_vlans)
{
	/* the forms that people have in scripts, and what must not pass for one */
	static const struct {
		const char *text;
		int n;
		uint16_t ids[2];
		const char *written;
	} rows[] = {
	    {"", 0, {0, 0}, ""},
	    {"|100|200", 2, {100, 200}, "|100|200"},
	    {"100|200", 2, {100, 200}, "|100|200"},
	    {"100.200", 2, {100, 200}, "|100|200"},
	    {".300", 1, {300, 0}, "|300"},
	    {"|300", 1, {300, 0}, "|300"},
	    {"300", 1, {300, 0}, "|300"},
	    {"0", 1, {0, 0}, "|0"},
	    {"4095.0", 2, {4095, 0}, "|4095|0"},
	    {"5000", -EINVAL, {0, 0}, NULL},
	    {"4096", -EINVAL, {0, 0}, NULL},
	    {"99999999999999999999", -EINVAL, {0, 0}, NULL},
	    {"1.2.3", -EINVAL, {0, 0}, NULL},
	    {"1..2", -EINVAL, {0, 0}, NULL},
	    {"1.", -EINVAL, {0, 0}, NULL},
	    {"|", -EINVAL, {0, 0}, NULL},
	    {"-1", -EINVAL, {0, 0}, NULL},
	    {"1 2", -EINVAL, {0, 0}, NULL},
	    {"0x64", -EINVAL, {0, 0}, NULL},
	    {"100x", -EINVAL, {0, 0}, NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_vlan vlans[ECP_VLANS_MAX] = {{7, 7, 7, 7}, {7, 7, 7, 7}};
		char text[ECP_VLANS_TEXT];
		int n = ecp_vlans_parse(rows[i].text, vlans);
		ck_assert_msg(n == rows[i].n, "\"%s\": %d", rows[i].text, n);
		for (int k = 0; k < 2; k++) {
			bool meant = k < n;
			ck_assert_msg(vlans[k].id == (meant ? rows[i].ids[k] : 7), "\"%s\"",
				      rows[i].text);
			ck_assert_uint_eq(vlans[k].tpid, meant ? 0x8100 : 7);
		}
		if (n >= 0)
			ck_assert_str_eq(ecp_vlans_format(vlans, (unsigned)n, text),
					 rows[i].written);
	}
}
END_TEST

START_TEST(test_mac)
{
	static const char *const good[] = {MAC, "02-00-00-00-00-01"};
	static const char *const bad[] = {"",
					  "02",
					  "02:00:00:00:00",
					  "02:00:00:00:00:0",
					  "02:00:00:00:00:001",
					  "02:00:00:00:00:01:02",
					  "02:00:00:00:00:0g",
					  " 02:00:00:00:00:1",
					  "0200:00:00:00:001"};
	uint8_t mac[6];
	char text[ECP_MAC_TEXT];
	for (size_t i = 0; i < 2; i++) {
		memset(mac, 9, 6);
		ck_assert_int_eq(ecp_mac_parse(good[i], mac), 0);
		ck_assert_str_eq(ecp_mac_format(mac, text), MAC);
	}
	ck_assert_int_eq(ecp_mac_parse("AA:bb:CC:dd:EE:ff", mac), 0);
	ck_assert_str_eq(ecp_mac_format(mac, text), "aa:bb:cc:dd:ee:ff");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(mac, 9, 6);
		ck_assert_msg(ecp_mac_parse(bad[i], mac) == -EINVAL, "\"%s\"", bad[i]);
		ck_assert_uint_eq(mac[0], 9);
	}
}
END_TEST

START_TEST(test_l2addr)
{
	static const struct {
		const char *text, *plain;
	} good[] = {
	    {MAC, MAC},
	    {MAC "|100", MAC "|100"},
	    {MAC "|4095|4095", MAC "|4095|4095"},
	    {"l2ep&" MAC, MAC},
	    {"l2ep&" MAC "|1|2", MAC "|1|2"},
	    {"l2ep&" MAC "#0x0800", MAC},
	    {"l2ep&" MAC "|1|2#0x86DD", MAC "|1|2"},
	};
	static const char *const bad[] = {"",
					  "|100",
					  MAC "|",
					  MAC "|1|2|3",
					  MAC "|5000",
					  MAC ".1x",
					  MAC " ",
					  MAC "100",
					  "l2ep&",
					  "02:00",
					  MAC "#",
					  MAC "#0800",
					  MAC "#0x800",
					  MAC "#0x08000",
					  MAC "#0x08g0",
					  MAC "|#0x0800",
					  MAC "|1#0x0800|2",
					  "#0x0800"};
	struct ecp_l2addr addr;
	char text[ECP_L2ADDR_TEXT];
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_msg(ecp_l2addr_parse(good[i].text, &addr) == 0, "%s",
			      good[i].text);
		ck_assert_str_eq(ecp_l2addr_format(&addr, text), good[i].plain);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		addr.n_vlans = 77;
		ck_assert_msg(ecp_l2addr_parse(bad[i], &addr) == -EINVAL, "\"%s\"", bad[i]);
		ck_assert_uint_eq(addr.n_vlans, 77);
	}
}
END_TEST

START_TEST(test_addr)
{
	static const struct {
		const char *text, *written;
	} good[] = {
	    {"10.0.0.1:67", "10.0.0.1:67"},
	    {":68", "0.0.0.0:68"},
	    {"0.0.0.0:0", "0.0.0.0:0"},
	    {"255.255.255.255:65535", "255.255.255.255:65535"},
	    {"[::]:547", "[::]:547"},
	    {"[2001:DB8::1]:1", "[2001:db8::1]:1"},
	};
	static const char *const bad[] = {
	    "",
	    "10.0.0.1",
	    "10.0.0.1:",
	    "10.0.0.1:65536",
	    "10.0.0.1:-1",
	    "10.0.0:1",
	    "10.0.0.1:1x",
	    "::1:547",
	    "[::1]",
	    "[::1]547",
	    "[::1:547",
	    "[]:1",
	    "[10.0.0.1]:1",
	    "host:1",
	    "010.0.0.256:1",
	    "10.0.0.1 :1",
	};
	struct ecp_addr addr;
	char text[ECP_ADDR_TEXT];
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_msg(ecp_addr_parse(good[i].text, &addr) == 0, "%s", good[i].text);
		ck_assert_str_eq(ecp_addr_format(&addr, text), good[i].written);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		addr.port = 4321;
		ck_assert_msg(ecp_addr_parse(bad[i], &addr) == -EINVAL, "\"%s\"", bad[i]);
		ck_assert_uint_eq(addr.port, 4321);
	}
	struct ecp_addr none = {.family = 0}, any4, any6;
	ck_assert_str_eq(ecp_addr_format(&none, text), "-");
	ecp_addr_parse(":1", &any4);
	ecp_addr_parse("[::]:1", &any6);
	ck_assert(ecp_addr_is_any(&any4) && ecp_addr_is_any(&any6));
	ck_assert(!ecp_addr_equal(&any4, &any6));
	ecp_addr_parse("[::1]:1", &any6);
	ck_assert(!ecp_addr_is_any(&any6));
}
END_TEST

START_TEST(test_keys)
{
	/* ids are compared, TPIDs and priorities are not; their number is */
	struct ecp_l2addr a, b;
	ecp_l2addr_parse(MAC "|100|200", &a);
	b = a;
	b.vlans[0].tpid = 0x88a8;
	b.vlans[1].pcp = 5;
	struct ecp_key ka = ecp_key_of(&a), kb = ecp_key_of(&b);
	ck_assert(ecp_key_equal(&ka, &kb));
	ck_assert(!ecp_l2addr_equal(&a, &b));
	b = a;
	b.n_vlans = 1;
	kb = ecp_key_of(&b);
	ck_assert_uint_eq(kb.vlan[1], ECP_NO_VLAN);
	ck_assert(!ecp_key_equal(&ka, &kb));
	ck_assert(!ecp_l2addr_equal(&a, &b));
	b = a;
	b.mac[5] ^= 1;
	kb = ecp_key_of(&b);
	ck_assert(!ecp_key_equal(&ka, &kb));
}
END_TEST

START_TEST(test_check)
{
	static const struct {
		struct ecp_l2addr addr;
		const char *says; /* NULL: good */
	} rows[] = {
	    {{{2, 0, 0, 0, 0, 1}, 0, {{0}}}, NULL},
	    {{{0, 0x11, 0x22, 0, 0, 1}, 2, {{4095, 0x9100, 7, 1}, {0, 0x88a8, 0, 0}}},
	     NULL},
	    {{{1, 0, 0x5e, 0, 0, 1}, 0, {{0}}}, "multicast"},
	    {{{255, 255, 255, 255, 255, 255}, 0, {{0}}}, "multicast"},
	    {{{0}, 0, {{0}}}, "all-zero"},
	    {{{2, 0, 0, 0, 0, 1}, 3, {{0}}}, "two VLAN tags"},
	    {{{2, 0, 0, 0, 0, 1}, 1, {{4096, 0x8100, 0, 0}}}, "4095"},
	    {{{2, 0, 0, 0, 0, 1}, 2, {{1, 0x8100, 0, 0}, {1, 0x0800, 0, 0}}}, "TPID"},
	    {{{2, 0, 0, 0, 0, 1}, 1, {{1, 0x8100, 8, 0}}}, "PCP"},
	    {{{2, 0, 0, 0, 0, 1}, 1, {{1, 0x8100, 0, 2}}}, "DEI"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *why;
		int r = ecp_l2addr_check(&rows[i].addr, &why);
		ck_assert_msg(r == (rows[i].says ? -EINVAL : 0), "row %zu", i);
		ck_assert_msg(!rows[i].says || strstr(why, rows[i].says), "row %zu: %s", i,
			      why);
	}
}
END_TEST

/* ---- counters ---- */

static void check_table(const struct ecp_counter *c, unsigned n, size_t size)
{
	ck_assert_uint_eq(n * sizeof(uint64_t), size);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(c[i].offset, i * sizeof(uint64_t));
		ck_assert_uint_gt(strlen(c[i].text), 10);
		for (unsigned k = 0; k < i; k++)
			ck_assert_str_ne(c[i].name, c[k].name);
	}
}

START_TEST(test_counters)
{
	struct ecp_relay_stats stats = {.rx_miss = 7};
	check_table(ecp_relay_counters, ECP_N_RELAY_COUNTERS, sizeof(stats));
	check_table(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
		    sizeof(struct ecp_endpoint_stats));
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_relay_counters[i];
		ck_assert_uint_eq(ecp_counter_get(c, &stats),
				  strcmp(c->name, "rx_miss") ? 0 : 7);
	}
	ecp_counter_set(&ecp_relay_counters[0], &stats, UINT64_MAX);
	ck_assert_uint_eq(stats.rx_offered, UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("endpoint");
	TCase *tc = tcase_create("endpoint");
	tcase_add_test(tc, test_vlans);
	tcase_add_test(tc, test_mac);
	tcase_add_test(tc, test_l2addr);
	tcase_add_test(tc, test_addr);
	tcase_add_test(tc, test_keys);
	tcase_add_test(tc, test_check);
	tcase_add_test(tc, test_counters);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
