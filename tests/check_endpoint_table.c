/*
 * check_endpoint_table.c - who gets which frame, and which claims cannot stand beside each other.
 */
#include "daemon/endpoint_table.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The table never looks into clients and channels: any address will do. */
#define CHANNEL(n) ((struct channel *)(uintptr_t)(0x200 + (n)))

static struct endpoint_table *table;

static void setup(void)
{
	table = endpoint_table_new();
	ck_assert_ptr_nonnull(table);
}

static void teardown(void)
{
	endpoint_table_free(table);
}

/* A claim in words: "02:00:00:00:00:01|100", EtherTypes until 0, or a UDP address on `l2`. */
struct claim {
	const char *l2;
	uint16_t ethertypes[4];
	const char *udp;
	unsigned client, flags;
};

static void fill(struct endpoint *ep, const struct claim *c, struct endpoint *l2)
{
	*ep = (struct endpoint){.channel = CHANNEL(c->client),
				.kind = c->udp ? ECP_KIND_UDP : ECP_KIND_L2,
				.flags = c->flags,
				.l2 = l2};
	struct ecp_l2addr addr;
	if (c->udp)
		ck_assert_int_eq(ecp_addr_parse(c->udp, &ep->local), 0);
	if (l2)
		addr = endpoint_l2addr(l2);
	else
		ck_assert_int_eq(ecp_l2addr_parse(c->l2, &addr), 0);
	endpoint_set_l2addr(ep, &addr);
	while (ep->n_ethertypes < 4 && c->ethertypes[ep->n_ethertypes]) {
		ep->ethertypes[ep->n_ethertypes] = c->ethertypes[ep->n_ethertypes];
		ep->n_ethertypes++;
	}
}

static int insert(struct endpoint *ep, struct claim c, struct endpoint *l2)
{
	struct endpoint *holder;
	fill(ep, &c, l2);
	int r = endpoint_table_insert(table, ep, &holder);
	ck_assert_int_eq(holder != NULL, r == -EADDRINUSE);
	return r;
}

/* A frame in words: destination MAC and VLANs, EtherType, and a UDP destination or NULL. */
static struct ecp_frame frame_to(const char *l2, uint16_t ethertype, const char *udp)
{
	struct ecp_l2addr to;
	struct ecp_addr addr = {0};
	ck_assert_int_eq(ecp_l2addr_parse(l2, &to), 0);
	if (udp)
		ck_assert_int_eq(ecp_addr_parse(udp, &addr), 0);
	struct ecp_frame f = {
	    .key = ecp_key_of(&to),
	    .ethertype = ethertype,
	    .udp = udp != NULL,
	    .ip_version = addr.family,
	    .dst_port = addr.port,
	    .multicast = to.mac[0] & 1,
	};
	memcpy(f.dst_ip, addr.ip, sizeof(f.dst_ip));
	return f;
}

static struct endpoint *lookup(const char *l2, uint16_t ethertype, const char *udp)
{
	struct ecp_frame f = frame_to(l2, ethertype, udp);
	struct endpoint_hashes hashes;
	endpoint_table_hash(table, &f, &hashes);
	return endpoint_table_lookup(table, &f, &hashes);
}

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"
#define IP4  0x0800
#define IP6  0x86dd
#define ARP  0x0806

START_TEST(test_exact_key)
{
	static const char *const addrs[] = {
	    MAC1,
	    MAC2,
	    MAC1 "|0",
	    MAC1 "|100",
	    MAC1 "|101",
	    MAC1 "|4095",
	    MAC1 "|100|200",
	    MAC1 "|200|100",
	    MAC1 "|100|100",
	    MAC2 "|100|200",
	};
	enum { N = sizeof(addrs) / sizeof(*addrs) };
	struct endpoint eps[N];
	for (unsigned i = 0; i < N; i++) {
		ck_assert_ptr_null(lookup(addrs[i], IP4, NULL));
		ck_assert_int_eq(insert(&eps[i], (struct claim){addrs[i], {IP4}}, NULL), 0);
	}
	for (unsigned i = 0; i < N; i++)
		ck_assert_msg(lookup(addrs[i], IP4, NULL) == &eps[i], "%s", addrs[i]);
	for (unsigned i = 0; i < N; i++) {
		endpoint_table_remove(table, &eps[i]);
		ck_assert_msg(lookup(addrs[i], IP4, NULL) == NULL, "%s", addrs[i]);
	}
}
END_TEST

START_TEST(test_ethertypes_side_by_side)
{
	struct endpoint ip, arp, again;
	ck_assert_int_eq(insert(&ip, (struct claim){MAC1, {IP4, IP6}}, NULL), 0);
	ck_assert_int_eq(insert(&arp, (struct claim){MAC1, {ARP}}, NULL), 0);
	ck_assert_ptr_eq(lookup(MAC1, IP4, NULL), &ip);
	ck_assert_ptr_eq(lookup(MAC1, IP6, NULL), &ip);
	ck_assert_ptr_eq(lookup(MAC1, ARP, NULL), &arp);
	ck_assert_ptr_null(lookup(MAC1, 0x8863, NULL));
	ck_assert_int_eq(insert(&again, (struct claim){MAC1, {0x8863, IP6}}, NULL),
			 -EADDRINUSE);
	endpoint_table_remove(table, &ip);
	ck_assert_ptr_null(lookup(MAC1, IP4, NULL));
	ck_assert_ptr_eq(lookup(MAC1, ARP, NULL), &arp);
	ck_assert_int_eq(insert(&again, (struct claim){MAC1, {0x8863, IP6}}, NULL), 0);
	endpoint_table_remove(table, &arp);
	endpoint_table_remove(table, &again);
}
END_TEST

START_TEST(test_l2_conflicts)
{
	static const struct {
		const char *name;
		struct claim first, second;
		int result;
	} rows[] = {
	    {"the same twice", {MAC1, {IP4}}, {MAC1, {IP4}}, -EADDRINUSE},
	    {"other EtherType, same client", {MAC1, {IP4}}, {MAC1, {ARP}}, 0},
	    {"other EtherType, other client",
	     {MAC1, {IP4}},
	     {MAC1, {ARP}, .client = 1},
	     -EADDRINUSE},
	    {"other VLAN, other client", {MAC1, {IP4}}, {MAC1 "|5", {IP4}, .client = 1}, 0},
	    {"both share",
	     {MAC1, {IP4}, .flags = ECP_EP_SHARE},
	     {MAC1, {IP4}, .client = 1, .flags = ECP_EP_SHARE},
	     0},
	    {"only the first shares",
	     {MAC1, {IP4}, .flags = ECP_EP_SHARE},
	     {MAC1, {IP4}, .client = 1},
	     -EADDRINUSE},
	    {"only the second shares",
	     {MAC1, {IP4}},
	     {MAC1, {IP4}, .client = 1, .flags = ECP_EP_SHARE},
	     -EADDRINUSE},
	};
	struct endpoint a, b;
	ck_assert_int_eq(insert(&a, rows[_i].first, NULL), 0);
	int r = insert(&b, rows[_i].second, NULL);
	ck_assert_msg(r == rows[_i].result, "%s: %d", rows[_i].name, r);
	endpoint_table_remove(table, &a);
	if (r == 0)
		endpoint_table_remove(table, &b);
}
END_TEST

START_TEST(test_sharers_follow_each_other)
{
	struct endpoint a, b, c;
	struct claim claim = {MAC1, {IP4}, .flags = ECP_EP_SHARE};
	ck_assert_int_eq(insert(&a, claim, NULL), 0);
	claim.client = 1;
	claim.ethertypes[0] = ARP;
	ck_assert_int_eq(insert(&b, claim, NULL), 0);
	claim.client = 2;
	claim.ethertypes[1] = IP4;
	ck_assert_int_eq(insert(&c, claim, NULL), 0);
	ck_assert_ptr_eq(lookup(MAC1, IP4, NULL), &a);
	ck_assert_ptr_eq(endpoint_table_next_sharing(&a, IP4), &c);
	ck_assert_ptr_null(endpoint_table_next_sharing(&c, IP4));
	ck_assert_ptr_eq(lookup(MAC1, ARP, NULL), &b);
	endpoint_table_remove(table, &a);
	ck_assert_ptr_eq(lookup(MAC1, IP4, NULL), &c);
	endpoint_table_remove(table, &b);
	endpoint_table_remove(table, &c);
}
END_TEST

START_TEST(test_udp_order)
{
	static const char *const names[] = {"the L2 endpoint", "10.0.0.1:68", "0.0.0.0:68",
					    "[fe80::1]:546",   "[::]:547",    "accept any"};
	static const struct {
		uint16_t ethertype;
		const char *udp;
		int winner; /* index into names */
	} rows[] = {
	    {IP4, NULL, 0},
	    {ARP, NULL, -1},
	    {IP4, "10.0.0.1:68", 1},
	    {IP4, "10.0.0.2:68", 2},
	    {IP4, "255.255.255.255:68", 2},
	    {IP4, "10.0.0.1:69", 5},
	    {IP6, "[fe80::1]:546", 3},
	    {IP6, "[fe80::1]:547", 4},
	    {IP6, "[ff02::1:2]:547", 4},
	    {IP6, "[fe80::1]:68", 5},
	    {IP4, "0.0.0.0:0", 5},
	};
	struct endpoint eps[6];
	ck_assert_int_eq(insert(&eps[0], (struct claim){MAC1 "|7", {IP4, IP6}}, NULL), 0);
	for (unsigned i = 1; i < 5; i++)
		ck_assert_int_eq(insert(&eps[i], (struct claim){.udp = names[i]}, &eps[0]),
				 0);
	ck_assert_int_eq(
	    insert(&eps[5], (struct claim){.udp = "0.0.0.0:9", .flags = ECP_EP_ACCEPT_ANY},
		   &eps[0]),
	    0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct endpoint *got =
		    lookup(MAC1 "|7", rows[i].ethertype, rows[i].udp);
		const struct endpoint *want =
		    rows[i].winner < 0 ? NULL : &eps[rows[i].winner];
		ck_assert_msg(got == want, "%04x %s: not %s", rows[i].ethertype,
			      rows[i].udp ? rows[i].udp : "-",
			      want ? names[rows[i].winner] : "nobody");
	}
	ck_assert_ptr_null(lookup(MAC1, IP4, "10.0.0.1:68"));
	endpoint_table_remove(table, &eps[5]);
	ck_assert_ptr_eq(lookup(MAC1 "|7", IP4, "10.0.0.1:69"), &eps[0]);
	for (unsigned i = 5; i-- > 0;)
		endpoint_table_remove(table, &eps[i]);
}
END_TEST

START_TEST(test_udp_conflicts_and_set_local)
{
	struct endpoint l2, a, b, c, *holder;
	struct ecp_addr to;
	struct claim any = {.udp = "0.0.0.0:68", .flags = ECP_EP_ACCEPT_ANY};
	ck_assert_int_eq(insert(&l2, (struct claim){MAC1, {IP4}}, NULL), 0);
	ck_assert_int_eq(insert(&a, any, &l2), 0);
	ck_assert_int_eq(insert(&b, (struct claim){.udp = "0.0.0.0:68"}, &l2), -EADDRINUSE);
	any.udp = "0.0.0.0:69";
	ck_assert_int_eq(insert(&b, any, &l2), -EADDRINUSE); /* two that accept any */
	ck_assert_int_eq(insert(&b, (struct claim){.udp = "10.0.0.1:68"}, &l2), 0);
	ck_assert_int_eq(insert(&c, (struct claim){.udp = "[::]:68"}, &l2), 0);

	ecp_addr_parse("10.0.0.1:68", &to);
	ck_assert_int_eq(endpoint_table_set_local(table, &a, &to, &holder), -EADDRINUSE);
	ck_assert_ptr_eq(holder, &b);
	ecp_addr_parse("10.0.0.9:68", &to);
	ck_assert_int_eq(endpoint_table_set_local(table, &b, &to, &holder), 0);
	ck_assert_int_eq(endpoint_table_set_local(table, &b, &to, &holder), 0); /* again */
	ck_assert_ptr_eq(lookup(MAC1, IP4, "10.0.0.9:68"), &b);
	ck_assert_ptr_eq(lookup(MAC1, IP4, "10.0.0.1:68"), &a); /* 0.0.0.0:68 */
	ck_assert_ptr_nonnull(endpoint_table_child(&l2, NULL));
	endpoint_table_remove(table, &a);
	endpoint_table_remove(table, &b);
	endpoint_table_remove(table, &c);
	ck_assert_ptr_null(endpoint_table_child(&l2, NULL));
	endpoint_table_remove(table, &l2);
}
END_TEST

/* ---- multicast ---- */

#define BCAST "ff:ff:ff:ff:ff:ff"

static uint32_t members(const char *l2, uint16_t ethertype, bool any)
{
	struct ecp_frame f = frame_to(l2, ethertype, NULL);
	const struct group *g =
	    any ? endpoint_table_group_any(table, &f) : endpoint_table_group(table, &f);
	return g ? g->n_members : 0;
}

START_TEST(test_groups_by_vlan)
{
	struct endpoint a, b, c, d, any;
	unsigned mc = ECP_EP_MULTICAST;
	insert(&a, (struct claim){MAC1 "|100", {IP4, ARP}, .flags = mc}, NULL);
	insert(&b, (struct claim){MAC2 "|100", {IP4}, .flags = mc}, NULL); /* same client */
	insert(&c, (struct claim){MAC2 "|200", {IP4}, .flags = mc, .client = 1}, NULL);
	insert(&d, (struct claim){"02:00:00:00:00:04|100", {IP4}, .client = 2}, NULL);
	ck_assert_uint_eq(members(BCAST "|100", IP4, false), 1); /* once per client */
	ck_assert_uint_eq(members(BCAST "|200", IP4, false), 1);
	ck_assert_uint_eq(members(BCAST "|200", ARP, false), 0);
	ck_assert_uint_eq(members(BCAST, IP4, false), 0);
	ck_assert_uint_eq(members(BCAST "|100|100", IP4, false), 0);
	ck_assert_uint_eq(members(BCAST, IP4, true), 0);

	insert(&any,
	       (struct claim){MAC1, {IP4}, .flags = ECP_EP_MULTICAST_ANY, .client = 3},
	       NULL);
	ck_assert_uint_eq(members(BCAST "|1|2", IP4, true), 1);
	ck_assert_uint_eq(members(BCAST, ARP, true), 0);

	endpoint_table_remove(table, &a);
	ck_assert_uint_eq(members(BCAST "|100", IP4, false), 1);
	ck_assert_uint_eq(members(BCAST "|100", ARP, false), 0);
	endpoint_table_remove(table, &b);
	ck_assert_uint_eq(members(BCAST "|100", IP4, false), 0);
	endpoint_table_remove(table, &c);
	endpoint_table_remove(table, &d);
	endpoint_table_remove(table, &any);
	ck_assert_uint_eq(members(BCAST, IP4, true), 0);
}
END_TEST

/* ---- many ---- */

START_TEST(test_fifty_thousand)
{
	enum { N = 50000 };
	struct endpoint *eps = calloc(2 * N, sizeof(*eps));
	char l2[ECP_L2ADDR_TEXT];
	for (unsigned i = 0; i < N; i++) {
		snprintf(l2, sizeof(l2), "02:00:00:%02x:%02x:%02x|%u", i >> 16,
			 i >> 8 & 255, i & 255, i % 4094);
		ck_assert_int_eq(insert(&eps[2 * i], (struct claim){l2, {IP4, IP6}}, NULL),
				 0);
		ck_assert_int_eq(insert(&eps[2 * i + 1],
					(struct claim){.udp = "0.0.0.0:68"}, &eps[2 * i]),
				 0);
	}
	unsigned wrong = 0;
	for (unsigned i = 0; i < N; i += 7) {
		snprintf(l2, sizeof(l2), "02:00:00:%02x:%02x:%02x|%u", i >> 16,
			 i >> 8 & 255, i & 255, i % 4094);
		wrong += lookup(l2, IP4, "10.1.2.3:68") != &eps[2 * i + 1];
		wrong += lookup(l2, IP6, NULL) != &eps[2 * i];
	}
	ck_assert_uint_eq(wrong, 0);
	for (unsigned i = 2 * N; i-- > 0;)
		endpoint_table_remove(table, &eps[i]);
	ck_assert_ptr_null(lookup("02:00:00:00:00:00|0", IP4, NULL));
	free(eps);
}
END_TEST

/* The k-th of many IPv6 addresses that somebody chose, knowing the source and not the secret. */
static void chosen_plain(uint64_t k, uint64_t words[2])
{
	words[0] = 0xfd;
	words[1] = __builtin_bswap64(k);
}

/* What a sum of the words with a known factor makes equal. */
static void chosen_sum(uint64_t k, uint64_t words[2])
{
	words[0] = k * 0x9ddfea08eb382d69;
	words[1] = k;
}

/* What a product with a known factor makes zero. */
static void chosen_zero(uint64_t k, uint64_t words[2])
{
	words[0] = k;
	words[1] = 0x9e3779b97f4a7c15;
}

#define CHOSEN 20000

static double claim_chosen(struct endpoint *l2, void (*choose)(uint64_t, uint64_t *))
{
	struct endpoint *udp = calloc(CHOSEN, sizeof(*udp)), *holder;
	clock_t begin = clock();
	for (unsigned i = 0; i < CHOSEN; i++) {
		uint64_t words[2];
		choose(i + 1, words);
		fill(&udp[i], &(struct claim){.udp = "[::1]:7"}, l2);
		memcpy(udp[i].local.ip, words, sizeof(words));
		ck_assert_int_eq(endpoint_table_insert(table, &udp[i], &holder), 0);
	}
	double took = (double)(clock() - begin) / CLOCKS_PER_SEC;
	for (unsigned i = 0; i < CHOSEN; i++)
		endpoint_table_remove(table, &udp[i]);
	free(udp);
	return took;
}

/* One client's choice of addresses must not make the table slow for all. */
START_TEST(test_chosen_addresses)
{
	struct endpoint l2;
	ck_assert_int_eq(insert(&l2, (struct claim){.l2 = "02:00:00:00:00:01"}, NULL), 0);
	double plain = claim_chosen(&l2, chosen_plain);
	double sum = claim_chosen(&l2, chosen_sum), zero = claim_chosen(&l2, chosen_zero);
	printf("# %d addresses: %.3f s, chosen %.3f and %.3f s\n", CHOSEN, plain, sum,
	       zero);
	ck_assert(sum < 10 * plain + 0.05 && zero < 10 * plain + 0.05);
	endpoint_table_remove(table, &l2);
}
END_TEST

/* Some stand on the L2 endpoint and the others, in front of them, on one that shares with it. */
static void stand_on(struct endpoint *l2, struct endpoint *udp, unsigned first, unsigned n)
{
	struct endpoint *holder;
	for (unsigned i = first; i < first + n; i++) {
		fill(&udp[i], &(struct claim){.udp = "[::1]:7"}, l2);
		memcpy(udp[i].local.ip, &i, sizeof(i));
		ck_assert_int_eq(endpoint_table_insert(table, &udp[i], &holder), 0);
	}
}

/* As client_close() does. */
static unsigned close_children(const struct endpoint *l2)
{
	unsigned n = 0;
	struct endpoint *child, *next = endpoint_table_child(l2, NULL);
	while ((child = next)) {
		next = endpoint_table_child(l2, child);
		endpoint_table_remove(table, child);
		n++;
	}
	return n;
}

/* Closed in any order, those on one station do not search for each other. */
START_TEST(test_closing_many)
{
	static const struct claim claims[] = {
	    {.l2 = "02:00:00:00:00:01", .ethertypes = {0x800}},
	    {.l2 = "02:00:00:00:00:01", .ethertypes = {0x86dd}}};
	struct endpoint l2, other, *udp = calloc(2 * CHOSEN, sizeof(*udp));
	double took[3];
	ck_assert_int_eq(insert(&l2, claims[0], NULL), 0);
	ck_assert_int_eq(insert(&other, claims[1], NULL), 0);
	for (unsigned forward = 0; forward < 2; forward++) {
		stand_on(&l2, udp, 0, 2 * CHOSEN);
		clock_t begin = clock();
		for (unsigned i = 0; i < 2 * CHOSEN; i++)
			endpoint_table_remove(table,
					      &udp[forward ? i : 2 * CHOSEN - 1 - i]);
		took[forward] = (double)(clock() - begin) / CLOCKS_PER_SEC;
		ck_assert_ptr_null(endpoint_table_child(&l2, NULL));
	}
	stand_on(&l2, udp, 0, CHOSEN);
	stand_on(&other, udp, CHOSEN, CHOSEN);
	clock_t begin = clock();
	ck_assert_uint_eq(close_children(&l2), CHOSEN);
	took[2] = (double)(clock() - begin) / CLOCKS_PER_SEC;
	ck_assert_uint_eq(close_children(&other), CHOSEN);
	printf("# closing %d: %.3f s, the oldest first %.3f s, behind others' %.3f s\n",
	       2 * CHOSEN, took[0], took[1], took[2]);
	ck_assert(took[1] < 10 * took[0] + 0.05 && took[2] < 10 * took[0] + 0.05);
	endpoint_table_remove(table, &other);
	endpoint_table_remove(table, &l2);
	free(udp);
}
END_TEST

/* Each that shares costs every frame to that address a look, and a copy. */
START_TEST(test_too_many_share)
{
	static struct endpoint ep[ENDPOINT_TABLE_SHARERS + 1];
	struct endpoint *holder;
	const struct claim claim = {
	    .l2 = "02:00:00:00:00:01", .ethertypes = {0x800}, .flags = ECP_EP_SHARE};
	for (unsigned i = 0; i < ENDPOINT_TABLE_SHARERS; i++)
		ck_assert_int_eq(insert(&ep[i], claim, NULL), 0);
	fill(&ep[ENDPOINT_TABLE_SHARERS], &claim, NULL);
	ck_assert_int_eq(endpoint_table_insert(table, &ep[ENDPOINT_TABLE_SHARERS], &holder),
			 -EUSERS);
	endpoint_table_remove(table, &ep[7]);
	ck_assert_int_eq(insert(&ep[ENDPOINT_TABLE_SHARERS], claim, NULL), 0);
	for (unsigned i = 0; i <= ENDPOINT_TABLE_SHARERS; i++)
		if (i != 7)
			endpoint_table_remove(table, &ep[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("endpoint_table");
	TCase *tc = tcase_create("endpoint_table");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_exact_key);
	tcase_add_test(tc, test_ethertypes_side_by_side);
	tcase_add_loop_test(tc, test_l2_conflicts, 0, 7);
	tcase_add_test(tc, test_sharers_follow_each_other);
	tcase_add_test(tc, test_udp_order);
	tcase_add_test(tc, test_udp_conflicts_and_set_local);
	tcase_add_test(tc, test_groups_by_vlan);
	tcase_add_test(tc, test_fifty_thousand);
	tcase_add_test(tc, test_chosen_addresses);
	tcase_add_test(tc, test_closing_many);
	tcase_add_test(tc, test_too_many_share);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
