/*
 * check_scale.c - many endpoints over a real link, claims that come and go under traffic, and
 * the sum that every frame is part of.
 */
#include "tests/counters_view.h"
#include "tests/ends.h"
#include "tests/scene.h"
#include "tests/suite.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TYPE    0x88b5
#define PEER    "02:00:00:00:ff:0b"
#define MOST_NS (INT64_C(5000000000) * SLOWER) /* for 50,000, to open or to close */

static const uint16_t type_list[] = {TYPE};
static struct ec_l2_opts raw = EC_L2_OPTS;
static pthread_barrier_t all_open;

static void setup(void)
{
	link_make(1500);
	raw.ethertypes = type_list;
	raw.n_ethertypes = 1;
}

static void teardown(void)
{
	scene_stop();
	link_remove();
}

static void send_to(const char *to, uint32_t number)
{
	uint8_t frame[ECP_FRAME_MAX];
	struct test_frame f = {
	    .to = to, .ethertype = TYPE, .payload = &number, .len = sizeof(number)};
	link_send(frame, test_frame_build(&f, frame));
}

/* Claims of "MAC|VLAN" by number; a frame to each reaches that one and no other. */
static void each_gets_its_own(unsigned n, void (*name)(unsigned i, char *to))
{
	struct ec_claim *claims = calloc(n, sizeof(*claims));
	char to[EC_L2ADDR_TEXT];
	for (unsigned i = 0; i < n; i++) {
		name(i, to);
		ck_assert_int_eq(ec_l2addr_parse(to, &claims[i].addr), 0);
		claims[i].user = &claims[i];
	}
	ck_assert_msg(ec_open_many(scene.relay, claims, n, &raw, NULL) == n, "%s",
		      ec_error_text());
	for (unsigned i = 0, sent = 0; i < n; i++) {
		struct ec_frame frame;
		uint32_t number;
		for (; sent < n && sent < i + 50; sent++) {
			name(sent, to);
			send_to(to, sent);
		}
		ck_assert_msg(ec_relay_recv(scene.relay, &frame, 1, 5000) == 1,
			      "%u: nothing", i);
		memcpy(&number, frame.l3, sizeof(number));
		ck_assert_msg(frame.user == &claims[i] && number == i, "%u: another", i);
	}
	ec_relay_release(scene.relay);
	ec_close_many(claims, n);
	free(claims);
}

static void name_by_vlan(unsigned i, char *to)
{
	snprintf(to, EC_L2ADDR_TEXT, "02:00:00:00:%02x:%02x|%u", i >> 8, i & 255, i + 1);
}

static void name_same_mac(unsigned i, char *to)
{
	snprintf(to, EC_L2ADDR_TEXT, "02:00:00:00:00:01|%u|%u", i % 50 + 1, i / 50 + 1);
}

static void name_same_vlan(unsigned i, char *to)
{
	snprintf(to, EC_L2ADDR_TEXT, "02:00:00:00:%02x:%02x|7", i >> 8, i & 255);
}

START_TEST(test_all_vlans_at_once)
{
	scene_start(2 * _i);
	each_gets_its_own(4094, name_by_vlan);
}
END_TEST

START_TEST(test_one_mac_on_many_vlans)
{
	scene_start(2 * _i);
	each_gets_its_own(2000, name_same_mac);
}
END_TEST

START_TEST(test_many_macs_on_one_vlan)
{
	scene_start(2 * _i);
	each_gets_its_own(2000, name_same_vlan);
}
END_TEST

/* Others come and go; who stays misses nothing and sees every frame in order. */
START_TEST(test_claims_under_traffic)
{
	scene_start(2 * _i);
	struct ec_relay *other = user_connect(&scene.served, NULL);
	struct ec_claim claims[100] = {0};
	struct ec_frame frames[64];
	uint32_t sent = 0, got = 0;
	scene_l2(PEER "|7", 0, TYPE); /* who stays */
	for (unsigned i = 0; i < 100; i++) {
		char to[EC_L2ADDR_TEXT];
		name_same_vlan(i, to);
		ec_l2addr_parse(to, &claims[i].addr);
	}
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 20; i++)
			send_to(PEER "|7", sent++);
		ck_assert_int_eq(ec_open_many(other, claims, 100, &raw, NULL), 100);
		for (unsigned i = 0; i < 20; i++)
			send_to(PEER "|7", sent++);
		ec_close_many(claims, 100);
		while (got < sent) {
			int n = ec_relay_recv(scene.relay, frames, 64, 5000);
			ck_assert_msg(n > 0, "%u of %u frames", got, sent);
			for (int i = 0; i < n; i++, got++)
				ck_assert_mem_eq(frames[i].l3, &got, sizeof(got));
		}
	}
	ec_relay_close(other);
}
END_TEST

/* 50,000 with a UDP endpoint each, from one client.  Printed; the bound has room for slow machines. */
START_TEST(test_fifty_thousand)
{
	enum { N = 50000 };
	struct ec_claim *claims = calloc(N, sizeof(*claims));
	struct ec_frame frame;
	for (unsigned i = 0; i < N; i++) {
		char to[EC_L2ADDR_TEXT];
		snprintf(to, sizeof(to), "02:00:00:01:%02x:%02x|%u", i >> 8, i & 255,
			 i % 4094 + 1);
		ec_l2addr_parse(to, &claims[i].addr);
		claims[i].local = "0.0.0.0:68";
		claims[i].user = &claims[i];
	}
	scene_start(2 * _i);
	const int64_t begin = ec_now();
	ck_assert_msg(ec_open_many(scene.relay, claims, N, NULL, NULL) == N, "%s",
		      ec_error_text());
	const int64_t open = ec_now();
	uint8_t bytes[ECP_FRAME_MAX];
	link_send(bytes,
		  test_frame_build(&(struct test_frame){.to = "02:00:00:01:c3:4f|872",
							.src_ip = "10.0.0.9:67",
							.dst_ip = "255.255.255.255:68"},
				   bytes));
	ck_assert_int_eq(ec_relay_recv(scene.relay, &frame, 1, 5000), 1);
	ck_assert_ptr_eq(frame.udp, claims[N - 1].udp);
	ec_relay_release(scene.relay);
	const int64_t used = ec_now();
	ec_close_many(claims, N);
	const int64_t closed = ec_now();
	printf("# %s: 50000 L2 and 50000 UDP endpoints: open in %ld ms, closed in %ld ms\n",
	       link_backends[_i], (open - begin) / 1000000, (closed - used) / 1000000);
	ck_assert_int_lt(open - begin, MOST_NS);
	ck_assert_int_lt(closed - used, MOST_NS);
	free(claims);
}
END_TEST

/* ---- threads ---- */

#define N_THREADS  4
#define PER_THREAD 500

/* Its own relay handle, its own endpoint: what comes in order goes back. */
static void *echo(void *arg)
{
	static const uint8_t dst[6] = {2, 0xee, 0, 0, 0, 1};
	const uintptr_t number = (uintptr_t)arg;
	struct ec_relay *mine = user_connect(&scene.served, NULL);
	struct ec_frame f;
	char to[EC_L2ADDR_TEXT];
	name_same_vlan((unsigned)number, to);
	struct ec_l2 *l2 = user_l2(mine, to, 0, TYPE);
	pthread_barrier_wait(&all_open);
	for (uint32_t i = 0; i < PER_THREAD; i++) {
		ck_assert_int_eq(ec_relay_recv(mine, &f, 1, 5000), 1);
		ck_assert_mem_eq(f.l3, &i, sizeof(i));
		ck_assert_int_eq(ec_l2_send(l2, &i, sizeof(i), TYPE, dst, 0), sizeof(i));
	}
	ec_relay_close(mine);
	return NULL;
}

START_TEST(test_threads)
{
	static const uint8_t vlan[] = {0x81, 0, 0, 7};
	pthread_t threads[N_THREADS];
	uint8_t got[LINK_ROOM];
	scene_start(2 * _i);
	pthread_barrier_init(&all_open, NULL, N_THREADS + 1);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, echo, (void *)i), 0);
	pthread_barrier_wait(&all_open);
	link_forget();
	for (uint32_t i = 0; i < PER_THREAD; i++)
		for (unsigned t = 0; t < N_THREADS; t++) {
			char to[EC_L2ADDR_TEXT];
			name_same_vlan(t, to);
			send_to(to, i);
		}
	uint32_t from[N_THREADS] = {0};
	for (unsigned i = 0; i < N_THREADS * PER_THREAD; i++) {
		ck_assert_uint_ge(link_receive(got), 22);
		ck_assert(got[11] < N_THREADS && !memcmp(got + 12, vlan, sizeof(vlan)));
		ck_assert_mem_eq(got + 18, &from[got[11]], 4);
		from[got[11]]++;
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&all_open);
}
END_TEST

/* ---- memory ---- */

/* Frames for many endpoints that nobody reads, while one is: the library keeps so much of them. */
START_TEST(test_unread_queues_are_bounded)
{
	enum { N = 100, BURSTS = 2000, BURST = 50, SIZE = 1000 };
	static uint8_t frame[N][ECP_FRAME_MAX], payload[SIZE];
	struct ec_claim claims[N] = {0};
	struct ec_relay_stats stats;
	uint32_t len = 0;
	char to[EC_L2ADDR_TEXT];
	scene_start(2 * LINK_AF_PACKET);
	for (unsigned i = 0; i < N; i++) {
		name_same_vlan(i, to);
		ec_l2addr_parse(to, &claims[i].addr);
		len = test_frame_build(
		    &(struct test_frame){
			.to = to, .ethertype = TYPE, .payload = payload, .len = SIZE},
		    frame[i]);
	}
	ck_assert_int_eq(ec_open_many(scene.relay, claims, N, &raw, NULL), N);
	struct ec_l2 *end = scene_l2(PEER, 0, TYPE);
	ec_l2_set_read_deadline(end, ec_now() + 50000000000);
	for (unsigned i = 0, n = 0; i < BURSTS; i++) {
		for (unsigned j = 0; j < BURST; j++, n++)
			link_send(frame[n % N], len);
		send_to(PEER, i);
		ck_assert_int_eq(ec_l2_recv(end, payload, SIZE, 0, NULL), 4);
	}
	ec_relay_stats(scene.relay, &stats);
	ck_assert_uint_eq(stats.rx, (BURST + 1) * BURSTS);
	/* each of them has had its share, and none is lost uncounted */
	uint64_t left = 0;
	for (unsigned i = 0; i < N; i++) {
		uint64_t mine = 0;
		while (ec_l2_recv(claims[i].l2, payload, SIZE, EC_DONTWAIT, NULL) == SIZE)
			mine++;
		ck_assert_msg(mine > 500, "%u: %lu", i, mine);
		left += mine;
	}
	ck_assert_uint_eq(left + stats.rx_queue_drops, BURST * BURSTS);
	ck_assert_uint_lt(left * SIZE, 64 << 20);
}
END_TEST

/* ---- the sum ---- */

static void send_cut(const struct test_frame *f, uint32_t cut)
{
	uint8_t frame[ECP_FRAME_MAX];
	link_send(frame, test_frame_build(f, frame) - cut);
}

static void add(struct ecp_endpoint_stats *sum, const struct ecp_endpoint_stats *more)
{
	for (unsigned i = 0; i < ECP_N_ENDPOINT_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_endpoint_counters[i];
		ecp_counter_set(c, sum, ecp_counter_get(c, sum) + ecp_counter_get(c, more));
	}
}

/* Over all clients, or all endpoints, as etherconnctl shows them. */
static struct ecp_endpoint_stats sum_shown(enum ecp_show what)
{
	struct ecp_request request = {.type = ECP_REQ_SHOW, .show = {.what = what}};
	struct ecp_endpoint_stats sum = {0};
	const struct ecp_reply *reply;
	do {
		reply = daemon_process_ask(&scene.served, &request);
		ck_assert_int_eq(reply->type, ECP_REP_PAGE);
		for (unsigned i = 0; i < reply->page.n; i++)
			add(&sum, what == ECP_SHOW_CLIENTS
				      ? &reply->page.clients[i].stats
				      : &reply->page.endpoints[i].stats);
		request.show.after = reply->page.next;
	} while (reply->page.more);
	return sum;
}

/* What those who do not ask see is what those are told who do. */
static void check_memory(const struct ecp_endpoint_stats *shown,
			 const struct ecp_relay_stats *relay_says)
{
	struct counters_view view;
	struct ecp_endpoint_stats clients = {0}, endpoints = {0}, one;
	struct ecp_relay_stats seen;
	counters_view_open(&view, scene.served.sock);
	for (uint32_t i = 0; i < view.head->clients_used; i++) {
		const struct ecp_client_row *row = counters_view_client(&view, i);
		one = ecp_client_row_read(row);
		if (row->id)
			add(&clients, &one);
	}
	for (uint32_t i = 0; i < view.head->endpoints_used; i++) {
		const struct ecp_endpoint_rx *row = counters_view_rx(&view, i);
		one = ecp_endpoint_rows_read(row, counters_view_tx(&view, i));
		if (row->of)
			add(&endpoints, &one);
	}
	ck_assert_mem_eq(&clients, shown, sizeof(clients));
	ck_assert_mem_eq(&endpoints, shown, sizeof(endpoints));
	ck_assert(ecp_relay_row_read(counters_view_relay(&view, 0), &seen));
	/* these two are the kernel's, and looked up at another moment */
	seen.rx_kernel_drops = relay_says->rx_kernel_drops;
	seen.rx_filtered = relay_says->rx_filtered;
	ck_assert_mem_eq(&seen, relay_says, sizeof(seen));
	counters_view_close(&view);
}

/* The relay's counters, its clients' and its endpoints' tell the same story. */
static void check_shown(const struct ecp_relay_stats *relay_says)
{
	const struct ecp_endpoint_stats clients = sum_shown(ECP_SHOW_CLIENTS),
					endpoints = sum_shown(ECP_SHOW_ENDPOINTS);
	ck_assert_mem_eq(&clients, &endpoints, sizeof(clients));
	ck_assert_uint_eq(endpoints.rx, relay_says->rx);
	ck_assert_uint_eq(endpoints.rx_bytes, relay_says->rx_bytes);
	ck_assert_uint_eq(endpoints.rx_buffer_full, relay_says->rx_buffer_full);
	ck_assert_uint_eq(endpoints.tx, relay_says->tx);
	ck_assert_uint_eq(endpoints.tx_bytes, relay_says->tx_bytes);
	ck_assert_uint_eq(endpoints.tx_dropped, relay_says->tx_offered - relay_says->tx);
	check_memory(&endpoints, relay_says);
}

/*
 * Good, foreign, malformed frames, and more than the ring holds: each is counted once, and by
 * its own name.  Malformed ones go to a claimed address: what does not is the kernel's to drop.
 */
START_TEST(test_every_frame_is_counted)
{
	static const char bad_udp[] =
	    "E\0\0\x1c\0\0\0\0@\x11\0\0\n\0\0\x09\n\0\0\x01\0\x01\0\x02\0\x09\0";
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay_stats mine;
	struct ecp_relay_stats s;
	struct ec_frame frame;
	uint32_t good = 0, in_ring = 0;
	scene_start(2 * _i);
	opts.rx_ring = 64 << 10;
	struct ec_relay *narrow = user_connect(&scene.served, &opts);
	struct ec_l2 *l2 = user_l2(narrow, PEER "|7", 0, 0);
	user_l2(narrow, PEER "|7|7", 0, 0); /* whoever has a third one looks like it */
	user_udp(l2, "10.0.0.1:3", NULL);
	struct ec_l2 *end = scene_l2("02:00:00:00:00:0c", 0, TYPE);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert_int_eq(ec_l2_send(l2, "sent", 4, 0x0800, dst, 0), 4);
		ck_assert_int_eq(ec_l2_send(end, "sent", 4, TYPE, dst, 0), 4);
		struct test_frame f = {.to = PEER "|7",
				       .src_ip = "10.0.0.9:1",
				       .dst_ip = "10.0.0.1:2",
				       .payload = "0123456789",
				       .len = 10};
		for (unsigned n = 0; n < 20; n++, good++) {
			f.dst_ip = n % 3 ? "10.0.0.1:2" : "10.0.0.1:3";
			send_cut(&f, 0);
		}
		send_cut(&f, 3); /* bad IP */
		f.to = PEER "|8";
		send_cut(&f, 0); /* foreign */
		send_cut(&(struct test_frame){.to = PEER "|7",
					      .ethertype = 0x8100,
					      .payload = "\0\7\x81\0\0\5\x08",
					      .len = 7},
			 0); /* three tags */
		send_cut(&(struct test_frame){.to = PEER "|7",
					      .ethertype = 0x0800,
					      .payload = bad_udp,
					      .len = 28},
			 0);
		send_cut(
		    &(struct test_frame){
			.to = PEER "|7", .ethertype = TYPE, .payload = "a type", .len = 6},
		    0); /* EtherType */
	}
	send_to("02:00:00:00:00:0c", 0);
	/* all is dealt with ... */
	ck_assert_int_eq(ec_relay_recv(scene.relay, &frame, 1, 5000), 1);
	do /* ... and what we sent is taken */
		daemon_process_stats(&scene.served, &s);
	while (s.tx_offered < 100);
	check_shown(&s);
	while (ec_relay_recv(narrow, &frame, 1, 0) == 1)
		in_ring++;
	ck_assert_uint_eq(s.rx_offered, sum_of_ends(&s, 'r'));
	ck_assert_uint_eq(s.tx_offered, sum_of_ends(&s, 't'));
	ck_assert_uint_eq(s.tx, 100);
	ec_relay_stats(narrow, &mine);
	ck_assert_uint_eq(mine.rx, in_ring);
	ck_assert_uint_eq(s.rx, in_ring + 1);
	ck_assert_uint_gt(s.rx_buffer_full, 0);
	ck_assert_uint_eq(s.rx + s.rx_buffer_full, good + 1);
	ck_assert_uint_eq(s.rx_bad_ip, 50);
	ck_assert_uint_eq(s.rx_bad_udp, 50);
	ck_assert_uint_eq(s.rx_vlan_depth, 50);
	ck_assert_msg(s.rx_miss + s.rx_filtered == 100, "miss %lu filtered %lu offered %lu",
		      s.rx_miss, s.rx_filtered, s.rx_offered);
	ck_assert_uint_eq(s.rx_kernel_drops, 0);
	ec_relay_close(narrow);
}
END_TEST

int main(void)
{
	link_enter_namespace();
	Suite *suite = suite_create("scale");
	TCase *tc = tcase_create("scale");
	tcase_set_timeout(tc, 50 + 10 * SLOWER);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_all_vlans_at_once, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_one_mac_on_many_vlans, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_many_macs_on_one_vlan, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_claims_under_traffic, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_fifty_thousand, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_threads, 0, LINK_N_BACKENDS);
	tcase_add_test(tc, test_unread_queues_are_bounded);
	tcase_add_loop_test(tc, test_every_frame_is_counted, 0, LINK_N_BACKENDS);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
