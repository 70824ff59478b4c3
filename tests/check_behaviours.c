/*
 * check_behaviours.c - what etherconn's own tests ask of it, over a real link: one table of rows,
 * each over every back-end, with IPv4 and with IPv6; and over the memory relay.
 *
 *   test  --link (veth)--> relay -> daemon --rings--> library in this process
 *   a client of the test   ------->   (memory: what is sent comes in again)
 *
 * "Not delivered" is shown without waiting: behind the frame of a row comes a marker, and by
 * the time it is there the frame has been lost, with the counter that names why.
 */
#include "tests/scene.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

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

static void check_delivered(const struct row *row, const struct ec_frame *f,
			    const struct ec_l2 *l2, const struct ec_udp *udp)
{
	const struct ec_udp *expected = row->verdict ? NULL : udp;
	ck_assert_msg(f->l2 == l2 && f->udp == expected, "%s: to another endpoint",
		      row->name);
	ck_assert_msg(f->payload_len == strlen(row->name) &&
			  !memcmp(f->payload, row->name, f->payload_len),
		      "%s: payload", row->name);
	ck_assert_int_eq(f->ethertype, scene.six ? 0x86dd : 0x0800);
}

static void run_row(const struct row *row, const struct ec_l2 *marker)
{
	char dst[ECP_ADDR_TEXT], src[ECP_ADDR_TEXT];
	struct ec_frame frame;
	struct ec_l2 *l2 = scene_l2(row->l2, row->flags, 0);
	struct ec_udp *udp = row->udp ? scene_udp(l2, row->udp, row->udp_flags) : NULL;
	bool drops = row->verdict && strcmp(row->verdict, L2);
	uint64_t before = drops ? scene_lost(row->verdict) : 0;
	scene_send(&(struct test_frame){.to = row->to,
					.tpid = {row->tpid[0], row->tpid[1]},
					.src_ip = scene_address("peer:67", src),
					.dst_ip = scene_address(row->dst, dst),
					.payload = row->name,
					.len = (uint32_t)strlen(row->name)});
	unsigned n = scene_until_marker(marker, &frame);
	/* a mirror sees the marker, too, before him whom it is for */
	unsigned most = row->flags & EC_L2_MIRROR ? 2 : 1;
	ck_assert_msg(n == (drops ? 0 : most), "%s: %u delivered", row->name, n);
	if (drops)
		ck_assert_msg(scene_lost(row->verdict) == before + 1, "%s: not counted",
			      row->name);
	else
		check_delivered(row, &frame, l2, udp);
	ec_relay_release(scene.relay);
	ec_l2_close(l2);
}

START_TEST(test_rows)
{
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		run_row(&rows[i], marker);
	scene_stop();
}
END_TEST

/* A filter of the user's own words stands before all claims. */
START_TEST(test_filter_blocks)
{
	struct ec_frame f;
	scene_start_filtered(_i, "ether dst " MARKER " or (vlan 5 and ether dst " MAC ")");
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5), *plain = scene_l2(MAC, 0, 0),
		     *tagged = scene_l2(MAC "|5", 0, 0);
	scene_send_udp(MAC, "peer:67", "me:68");
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	scene_send_udp(MAC "|5", "peer:67", "me:68");
	ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
	ck_assert(f.l2 == tagged && f.l2 != plain);
	ck_assert_uint_eq(scene_counter("rx_miss"), 0);
	scene_stop();
}
END_TEST

/* A default receiver has what nobody claims and nothing else, a mirror has all, once each. */
START_TEST(test_default_and_mirror)
{
	char src[ECP_ADDR_TEXT], dst[ECP_ADDR_TEXT];
	struct ec_frame f;
	scene_start(_i);
	struct ec_relay *mine = scene.relay, *theirs = user_connect(&scene.served, NULL);
	struct ec_l2 *rest = user_l2(theirs, "02:00:00:00:00:98", EC_L2_DEFAULT, 0x88b6),
		     *all = user_l2(theirs, "02:00:00:00:00:99", EC_L2_MIRROR, 0x88b6);
	struct ec_l2 *l2 = scene_l2(MAC "|5", EC_L2_MULTICAST, 0);
	const struct {
		const char *to;
		bool claimed;
	} cases[] = {
	    {MAC "|5", true}, {OTHER "|5", false}, {BCAST "|5", true}, {BCAST "|6", false}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		scene_send(&(struct test_frame){.to = cases[i].to,
						.src_ip = scene_address("peer:67", src),
						.dst_ip = scene_address("me:68", dst),
						.payload = cases[i].to,
						.len = (uint32_t)strlen(cases[i].to)});
		for (bool was_rest = cases[i].claimed, was_all = false;
		     !was_rest || !was_all;) {
			ck_assert_msg(ec_relay_recv(theirs, &f, 1, 5000) == 1, "%s",
				      cases[i].to);
			ck_assert_uint_eq(f.payload_len, strlen(cases[i].to));
			ck_assert_mem_eq(f.payload, cases[i].to, f.payload_len);
			ck_assert(f.l2 == all ? !was_all : f.l2 == rest && !was_rest);
			was_all |= f.l2 == all;
			was_rest |= f.l2 == rest;
		}
		if (cases[i].claimed) {
			ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
			ck_assert_ptr_eq(f.l2, l2);
		}
	}
	ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 0), 0);
	ck_assert_int_eq(ec_relay_recv(theirs, &f, 1, 0), 0);
	ck_assert_uint_eq(scene_counter("rx_default"), 2);
	ec_relay_close(theirs);
	scene_stop();
}
END_TEST

/* One record in the ring, however many of a client's endpoints it is for. */
START_TEST(test_broadcast_is_one_record)
{
	char mac[EC_L2ADDR_TEXT];
	struct ec_relay_stats before, after;
	struct ec_l2 *want[20];
	struct ec_frame f;
	unsigned seen = 0;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(mac, sizeof(mac), "02:00:00:00:01:%02x|5", i);
		want[i] = scene_l2(mac, EC_L2_MULTICAST, 0);
	}
	ec_relay_stats(scene.relay, &before);
	scene_send_udp(BCAST "|5", "peer:67", "me:68");
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_int_eq(ec_relay_recv(scene.relay, &f, 1, 5000), 1);
		for (unsigned j = 0; j < 20; j++)
			seen |= (f.l2 == want[j]) << j;
	}
	ck_assert_uint_eq(seen, (1 << 20) - 1);
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	ec_relay_stats(scene.relay, &after);
	ck_assert_uint_eq(after.rx - before.rx, 2);
	scene_stop();
}
END_TEST

/* ---- one descriptor for all ---- */

static bool readable(int epoll, int timeout_ms)
{
	struct epoll_event event;
	return epoll_wait(epoll, &event, 1, timeout_ms) == 1;
}

/* Level-triggered beneath epoll: readable as long as something is left, for whomever, and no longer. */
START_TEST(test_one_descriptor)
{
	enum { N = 10 };
	char text[ECP_ADDR_TEXT];
	struct ec_claim claims[2] = {{.local = NULL}};
	struct epoll_event in = {.events = EPOLLIN};
	unsigned got[2] = {0};
	scene_start(_i);
	claims[0].local = scene_address("me:68", text);
	for (unsigned i = 0; i < 2; i++) {
		ec_l2addr_parse(i ? OTHER "|7" : MAC, &claims[i].addr);
		claims[i].user = &got[i];
	}
	ck_assert_int_eq(ec_open_many(scene.relay, claims, 2, NULL, NULL), 2);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, ec_relay_fd(scene.relay), &in), 0);
	for (unsigned round = 1; round <= 3; round++) {
		ck_assert_int_eq(ec_relay_recv(scene.relay, &(struct ec_frame){0}, 1, 0),
				 0);
		ck_assert(!readable(epoll, 0));
		for (unsigned i = 0; i < N; i++)
			scene_send_udp(i % 2 ? OTHER "|7" : MAC, "peer:67", "me:68");
		for (unsigned n = 0; n < N;) {
			struct ec_frame frames[3];
			ck_assert(readable(epoll, 5000));
			ck_assert(readable(epoll, 0)); /* still */
			int some = ec_relay_recv(scene.relay, frames, 3, 0);
			ck_assert_int_ge(some, 0);
			for (int i = 0; i < some; i++, n++)
				++*(unsigned *)frames[i].user;
		}
		ck_assert(got[0] == round * N / 2 && got[1] == round * N / 2);
	}
	/* set aside while another one was read, it is still unread */
	char buf[100];
	ck_assert_int_eq(ec_relay_recv(scene.relay, &(struct ec_frame){0}, 1, 0), 0);
	ck_assert(!readable(epoll, 0));
	scene_send_udp(MAC, "peer:67", "me:68");
	ck_assert(readable(epoll, 5000));
	while (ec_l2_recv(claims[1].l2, buf, sizeof(buf), EC_DONTWAIT, NULL) != -EAGAIN)
		;
	ck_assert(readable(epoll, 0));
	ck_assert_int_eq(
	    ec_udp_recvfrom(claims[0].udp, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL), 0);
	ck_assert_int_eq(ec_relay_recv(scene.relay, &(struct ec_frame){0}, 1, 0), 0);
	ck_assert(!readable(epoll, 0));
	close(epoll);
	scene_stop();
}
END_TEST

/* ---- several on one address ---- */

START_TEST(test_ethertypes_to_their_endpoints)
{
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5);
	struct ec_l2 *ppp = scene_l2(MAC "|5", 0, 0x8864),
		     *llc = scene_l2(MAC "|5", 0, EC_ETHERTYPE_LLC);
	scene_send(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 0x8864, .payload = "pppoe", .len = 5});
	ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
	ck_assert(f.l2 == ppp && !memcmp(f.l3, "pppoe", 5));
	scene_send(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 7, .payload = "\x42\x42\3stp.", .len = 7});
	ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
	ck_assert(f.l2 == llc && f.l3_len == 7 && f.ethertype == EC_ETHERTYPE_LLC);
	scene_send(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 0x8863, .payload = "padi", .len = 4});
	ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	scene_stop();
}
END_TEST

START_TEST(test_ports_to_their_endpoints)
{
	struct ec_udp *udps[20];
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5), *l2 = scene_l2(MAC, 0, 0);
	for (unsigned i = 0; i < 20; i++) {
		char word[20];
		snprintf(word, sizeof(word), "me:%u", 1000 + i);
		udps[i] = scene_udp(l2, word, 0);
	}
	for (unsigned i = 0; i < 20; i++) {
		char word[20];
		snprintf(word, sizeof(word), "me:%u", 1000 + i);
		scene_send_udp(MAC, "peer:1", word);
		ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
		ck_assert_ptr_eq(f.udp, udps[i]);
	}
	scene_stop();
}
END_TEST

/* Two clients that both say so share a MAC and VLANs, each with ports of its own. */
START_TEST(test_shared_by_two_clients)
{
	struct ec_frame f;
	scene_start(_i);
	struct ec_relay *mine = scene.relay, *yours = user_connect(&scene.served, NULL);
	struct ec_udp *a = scene_udp(user_l2(mine, MAC, EC_L2_SHARE, 0), "me:1", 0);
	struct ec_udp *b = scene_udp(user_l2(yours, MAC, EC_L2_SHARE, 0), "me:2", 0);
	scene_send_udp(MAC, "peer:1", "me:2");
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, b);
	scene_send_udp(MAC, "peer:1", "me:1");
	ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, a);
	ec_relay_close(yours);
	scene_stop();
}
END_TEST

/* The same with EtherTypes, and with whoever takes the datagrams that nobody claims. */
START_TEST(test_shared_kinds)
{
	char text[ECP_ADDR_TEXT];
	struct ec_udp_opts any = EC_UDP_OPTS;
	struct ec_udp *udp;
	struct ec_frame f;
	scene_start(_i);
	struct ec_relay *mine = scene.relay, *yours = user_connect(&scene.served, NULL);
	struct ec_l2 *ppp = user_l2(mine, MAC "|5", EC_L2_SHARE, 0x8864),
		     *llc = user_l2(yours, MAC "|5", EC_L2_SHARE, EC_ETHERTYPE_LLC);
	scene_send(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 7, .payload = "\x42\x42\3stp.", .len = 7});
	scene_send(&(struct test_frame){
	    .to = MAC "|5", .ethertype = 0x8864, .payload = "pppoe", .len = 5});
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.l2, llc);
	ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.l2, ppp);
	any.flags = EC_UDP_ACCEPT_ANY;
	struct ec_udp *rest = scene_udp(llc, "any:9", EC_UDP_ACCEPT_ANY);
	ck_assert_int_eq(ec_udp_open(&udp, ppp, scene_address("any:8", text), &any),
			 -EADDRINUSE);
	udp = scene_udp(ppp, "me:8", 0);
	scene_send_udp(MAC "|5", "peer:1", "other:8");
	scene_send_udp(MAC "|5", "peer:1", "me:8");
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, rest);
	ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
	ck_assert_ptr_eq(f.udp, udp);
	ck_assert_int_eq(ec_relay_recv(yours, &f, 1, 0), 0);
	ec_relay_close(yours);
	scene_stop();
}
END_TEST

START_TEST(test_another_address)
{
	struct ec_frame f;
	scene_start(_i);
	const struct sockaddr_storage to = scene_sockaddr("other:68");
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5), *l2 = scene_l2(MAC, 0, 0);
	struct ec_udp *udp = scene_udp(l2, "me:68", 0);
	ck_assert_msg(ec_udp_set_local(udp, (const struct sockaddr *)&to) == 0, "%s",
		      ec_error_text());
	scene_send_udp(MAC, "peer:67", "me:68");
	ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
	ck_assert_ptr_null(f.udp);
	scene_send_udp(MAC, "peer:67", "other:68");
	ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
	ck_assert_ptr_eq(f.udp, udp);
	scene_stop();
}
END_TEST

/* Closed, nothing comes; opened again, it does. */
START_TEST(test_close_and_open_again)
{
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5);
	for (unsigned i = 0; i < 20; i++) {
		struct ec_l2 *l2 = scene_l2(MAC "|5", 0, 0);
		scene_send_udp(MAC "|5", "peer:67", "me:68");
		ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
		ec_relay_release(scene.relay);
		ec_l2_close(l2);
		scene_send_udp(MAC "|5", "peer:67", "me:68");
		ck_assert_uint_eq(scene_until_marker(marker, &f), 0);
	}
	scene_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_rows,
				      test_filter_blocks,
				      test_default_and_mirror,
				      test_broadcast_is_one_record,
				      test_one_descriptor,
				      test_ethertypes_to_their_endpoints,
				      test_ports_to_their_endpoints,
				      test_shared_by_two_clients,
				      test_shared_kinds,
				      test_another_address,
				      test_close_and_open_again};
	/* full frames with two tags */
	Suite *suite = link_suite("behaviours", 1504, SCENE_N_LOOPS, tests,
				  sizeof(tests) / sizeof(*tests));
	TCase *memory = tcase_create("memory");
	tcase_set_timeout(memory, 60);
	tcase_add_loop_test(memory, test_rows, SCENE_N_LOOPS, SCENE_N_LOOPS + 2);
	suite_add_tcase(suite, memory);
	return suite_run(suite);
}
