/*
 * check_reconnect.c - the daemon dies and comes back: what the application does not notice, what
 * it counts, and when it is over all the same.
 */
#include "daemon/config.h"
#include "proto/channel.h"
#include "proto/msg.h"
#include "tests/proc.h"
#include "tests/suite.h"
#include "tests/user.h"
#include "tests/when.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAC1 "02:00:00:00:00:01"
#define MAC2 "02:00:00:00:00:02"
#define MAC3 "02:00:00:00:00:03"
#define MS   INT64_C(1000000)
#define SOON (20000 * MS) /* what must come comes before this */
#define TYPE 0x88b5       /* IEEE 802: for local experiments */

static struct config config;
static struct daemon_process served;
static struct ec_relay *relay;

static struct ec_relay *connect_relay(int reconnect_ms)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.queue_depth = 16;
	opts.reconnect_ms = reconnect_ms;
	return user_connect(&served, &opts);
}

static void setup(void)
{
	daemon_process_defaults(&config);
	config.max_endpoints = 200000;
	daemon_process_start_config(&served, &config);
	relay = connect_relay(0);
}

static void teardown(void)
{
	ec_relay_close(relay);
	daemon_process_stop(&served);
}

/* ---- short names ---- */

/* Go on receiving until the daemon of this generation is there. */
static void until_generation(uint32_t generation)
{
	struct ec_frame frame;
	for (int64_t end = ec_now() + SOON;
	     ec_relay_generation(relay) < generation && ec_now() < end;)
		ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 10), 0);
	ck_assert_uint_eq(ec_relay_generation(relay), generation);
}

static void die(void)
{
	daemon_process_die(&served, SIGKILL);
}

static void come_back(void)
{
	daemon_process_stand_by(&served, &config);
	daemon_process_take_over(&served);
}

static struct ec_l2 *open_on(struct ec_relay *on, const char *text)
{
	struct ec_l2 *l2 = user_l2(on, text, 0, TYPE);
	ec_l2_set_read_deadline(l2, ec_now() + SOON);
	ec_l2_set_write_deadline(l2, ec_now() + SOON);
	return l2;
}

static ssize_t send_number(struct ec_l2 *from, const struct ec_l2 *to, uint32_t number,
			   unsigned flags)
{
	return ec_l2_send(from, &number, sizeof(number), TYPE, ec_l2_addr(to)->mac, flags);
}

static void expect_number(struct ec_l2 *l2, uint32_t number)
{
	uint32_t got;
	ssize_t n = ec_l2_recv(l2, &got, sizeof(got), 0, NULL);
	ck_assert_msg(n == sizeof(got), "%zd, %s", n, ec_error_text());
	ck_assert_uint_eq(got, number);
}

/* What is sent from one to the other arrives there. */
static void expect_traffic(struct ec_l2 *from, struct ec_l2 *to)
{
	static uint32_t number = 1000000;
	ck_assert_msg(send_number(from, to, ++number, 0) == sizeof(number), "%s",
		      ec_error_text());
	expect_number(to, number);
}

static struct ec_relay_stats stats_of(const struct ec_relay *r)
{
	struct ec_relay_stats stats;
	ec_relay_stats(r, &stats);
	return stats;
}

/* ---- asking the daemon itself ---- */

static struct ecp_reply *ask(const struct ecp_request *request)
{
	return daemon_process_ask(&served, request);
}

static unsigned endpoints_there(void)
{
	const struct ecp_reply *reply = ask(&(struct ecp_request){.type = ECP_REQ_STATUS});
	ck_assert_int_eq(reply->type, ECP_REP_STATUS);
	return reply->status.endpoints;
}

/* All endpoints, as the daemon shows them, but for their counters. */
static struct ecp_page show_endpoints(void)
{
	struct ecp_reply *reply = ask(&(struct ecp_request){
	    .type = ECP_REQ_SHOW, .show = {.what = ECP_SHOW_ENDPOINTS}});
	ck_assert_int_eq(reply->type, ECP_REP_PAGE);
	for (unsigned i = 0; i < reply->page.n; i++)
		reply->page.endpoints[i].stats = (struct ecp_endpoint_stats){0};
	return reply->page;
}

/* ---- others that act meanwhile ---- */

/* A thread that lets the daemon die and come back, and then sends to whom somebody waits for. */
struct meanwhile {
	pthread_t thread;
	int signal;       /* 0: it is dead already */
	unsigned away_ms; /* between the two */
	struct ec_relay *relay;
	struct ec_l2 *from; /* on it; NULL: nothing is sent */
	const struct ec_l2 *to;
	_Atomic int64_t ready_at; /* when it was back */
	atomic_bool enough;
};

static void *meanwhile_run(void *arg)
{
	struct meanwhile *m = arg;
	if (m->signal)
		daemon_process_die(&served, m->signal);
	usleep(m->away_ms * 1000); /* the time is what is tested */
	daemon_process_take_over(&served);
	m->ready_at = ec_now();
	while (m->from && !m->enough) {
		if (send_number(m->from, m->to, 7, 0) < 0)
			abort();
		usleep(1000); /* a sender of that rate */
	}
	return NULL;
}

static void meanwhile_start(struct meanwhile *m)
{
	daemon_process_stand_by(&served, &config);
	ck_assert_int_eq(pthread_create(&m->thread, NULL, meanwhile_run, m), 0);
}

static void meanwhile_end(struct meanwhile *m)
{
	m->enough = true;
	pthread_join(m->thread, NULL);
	if (m->relay)
		ec_relay_close(m->relay);
}

static struct meanwhile sender_to(const struct ec_l2 *to)
{
	struct meanwhile m = {.signal = SIGKILL, .relay = connect_relay(0), .to = to};
	m.from = open_on(m.relay, MAC3);
	return m;
}

/* ---- receiving ---- */

START_TEST(test_blocking_receiver)
{
	static const int signals[] = {SIGKILL, SIGABRT, SIGTERM};
	struct ec_l2 *l2 = open_on(relay, MAC1 "|100");
	struct ec_l2 *to = open_on(relay, MAC1);
	struct meanwhile m = sender_to(to);
	m.signal = signals[_i];
	m.away_ms = 50;
	meanwhile_start(&m);
	expect_number(to, 7);
	printf("# ready to first frame, blocking: %.1f ms\n",
	       (double)(ec_now() - m.ready_at) / 1e6);
	ck_assert_uint_eq(ec_relay_generation(relay), 2);
	ck_assert_uint_eq(stats_of(relay).reconnects, 1);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 0);
	meanwhile_end(&m);
	expect_traffic(l2, l2);
}
END_TEST

/* An event loop: it comes by itself, and without being busy while the daemon is away. */
START_TEST(test_polling_receiver)
{
	struct ec_l2 *to = open_on(relay, MAC1);
	struct meanwhile m = sender_to(to);
	uint32_t got;
	unsigned turns = 0;
	int fd = ec_relay_fd(relay);
	ssize_t n = ec_l2_recv(to, &got, sizeof(got), EC_DONTWAIT, NULL);
	ck_assert_int_eq(n, -EAGAIN);
	m.away_ms = 500;
	meanwhile_start(&m);
	for (; n == -EAGAIN; turns++) {
		ck_assert(readable(fd, 20000));
		n = ec_l2_recv(to, &got, sizeof(got), EC_DONTWAIT, NULL);
	}
	ck_assert_msg(n == sizeof(got), "%zd, %s", n, ec_error_text());
	printf("# ready to first frame, polling: %.1f ms, %u turns\n",
	       (double)(ec_now() - m.ready_at) / 1e6, turns);
	ck_assert_uint_le(turns, 100);
	ck_assert_uint_eq(ec_relay_generation(relay), 2);
	meanwhile_end(&m);
}
END_TEST

START_TEST(test_relay_receiver)
{
	struct ec_l2 *to = open_on(relay, MAC1);
	struct meanwhile m = sender_to(to);
	struct ec_frame frame;
	meanwhile_start(&m);
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, -1), 1);
	ck_assert_ptr_eq(frame.l2, to);
	meanwhile_end(&m);
}
END_TEST

/* More than a queue holds, and a frame that is being looked at. */
START_TEST(test_unread_frames_survive)
{
	enum { N = 1000 };
	struct ec_l2 *from = open_on(relay, MAC1), *to = open_on(relay, MAC2);
	struct ec_frame lent;
	uint32_t number;
	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(send_number(from, to, i, 0), sizeof(i));
	struct ecp_relay_stats stats = {0};
	while (stats.rx < N)
		daemon_process_stats(&served, &stats);
	ck_assert_int_eq(ec_relay_recv(relay, &lent, 1, 5000), 1);
	die();
	come_back();
	open_on(relay, MAC3); /* brings the new rings with it */
	ck_assert_uint_eq(ec_relay_generation(relay), 2);
	memcpy(&number, lent.l3, sizeof(number));
	ck_assert_uint_eq(number, 0);
	ck_assert_int_eq(send_number(from, to, N, 0), sizeof(number));
	for (uint32_t i = 1; i <= N; i++)
		expect_number(to, i);
	ck_assert_uint_eq(stats_of(relay).rx_queue_drops, 0);
}
END_TEST

/* What they left above the depth is not lost to the first frame that comes. */
START_TEST(test_saved_frames_go_slowly)
{
	enum { N = 1000, MORE = 5 };
	struct ec_l2 *from = open_on(relay, MAC1), *to = open_on(relay, MAC2);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_int_eq(send_number(from, to, i, 0), sizeof(i));
	struct ecp_relay_stats stats = {0};
	while (stats.rx < N)
		daemon_process_stats(&served, &stats);
	die();
	come_back();
	open_on(relay, MAC3); /* brings the new rings with it */
	for (uint32_t i = N; i < N + MORE; i++)
		ck_assert_int_eq(send_number(from, to, i, 0), sizeof(i));
	expect_traffic(to, from); /* the others are set aside */
	ck_assert_uint_eq(stats_of(relay).rx_queue_drops, 2 * MORE);
	for (uint32_t i = 2 * MORE; i < N + MORE; i++)
		expect_number(to, i);
}
END_TEST

/* ---- sending ---- */

/* Who only sends learns of it, too, and loses next to nothing. */
START_TEST(test_sender_alone)
{
	struct ec_l2 *from = open_on(relay, MAC1);
	struct meanwhile m = {.signal = SIGKILL, .away_ms = 300};
	uint32_t sent = 0;
	meanwhile_start(&m);
	for (int64_t end = ec_now() + SOON;
	     ec_relay_generation(relay) == 1 && ec_now() < end; sent++) {
		ck_assert_msg(send_number(from, from, sent, 0) == 4, "%s", ec_error_text());
		usleep(1000); /* a sender of that rate */
	}
	ck_assert_uint_eq(ec_relay_generation(relay), 2);
	ck_assert_uint_le(stats_of(relay).tx_lost, 100);
	meanwhile_end(&m);
}
END_TEST

START_TEST(test_full_ring_is_lost)
{
	struct ec_l2 *from = open_on(relay, MAC1);
	uint64_t sent = 0;
	kill(served.pid, SIGSTOP);
	while (send_number(from, from, 0, EC_DONTWAIT) > 0)
		sent++;
	die();
	come_back();
	ck_assert_int_eq(send_number(from, from, 1, 0), 4); /* waits for room */
	ck_assert_uint_eq(ec_relay_generation(relay), 2);
	ck_assert_msg(stats_of(relay).tx_lost + 64 >= sent &&
			  stats_of(relay).tx_lost <= sent,
		      "%lu of %lu", stats_of(relay).tx_lost, sent);
	expect_number(from, 1);
}
END_TEST

/* ---- while nobody is there ---- */

START_TEST(test_deadlines_hold)
{
	struct ec_l2 *l2 = open_on(relay, MAC1);
	struct ec_frame frame;
	int64_t begin = ec_now();
	die();
	ec_l2_set_read_deadline(l2, ec_now() + 20 * MS);
	ck_assert_int_eq(ec_l2_recv(l2, NULL, 0, 0, NULL), -ETIMEDOUT);
	ec_l2_set_write_deadline(l2, ec_now() + 20 * MS);
	ck_assert_int_eq(send_number(l2, l2, 0, 0), -ETIMEDOUT);
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 20), 0);
	ck_assert_int_ge(ec_now() - begin, 60 * MS);
	begin = ec_now();
	ck_assert_int_eq(ec_l2_recv(l2, NULL, 0, EC_DONTWAIT, NULL), -EAGAIN);
	ck_assert_int_eq(send_number(l2, l2, 0, EC_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 0), 0);
	ck_assert_int_eq(ec_relay_flush(relay), 0);
	ck_assert_int_lt(ec_now() - begin, 1000 * MS);
	ck_assert_uint_eq(ec_relay_generation(relay), 1);
	come_back();
	ec_l2_set_write_deadline(l2, 0);
	ec_l2_set_read_deadline(l2, 0);
	expect_traffic(l2, l2);
}
END_TEST

START_TEST(test_stop_while_away)
{
	struct ec_l2 *l2 = open_on(relay, MAC1);
	pthread_t thread;
	die();
	ec_l2_set_read_deadline(l2, 0);
	pthread_create(&thread, NULL, user_stop, relay);
	ck_assert_int_eq(ec_l2_recv(l2, NULL, 0, 0, NULL), -ESHUTDOWN);
	pthread_join(thread, NULL);
	ck_assert_int_eq(send_number(l2, l2, 0, 0), -ESHUTDOWN);
}
END_TEST

/* Opened, closed and given another address while nobody is there: by the next daemon it is so. */
START_TEST(test_changes_while_away)
{
	struct ec_l2 *closed = open_on(relay, MAC1), *stays = open_on(relay, MAC2);
	struct meanwhile m = {.away_ms = 50};
	struct sockaddr_storage lease = user_address("10.0.0.7:68");
	struct ec_udp *udp = user_udp(stays, "0.0.0.0:68", NULL);
	die();
	meanwhile_start(&m);
	if (_i) /* it is noticed beforehand, or by what follows */
		ck_assert_int_eq(ec_relay_recv(relay, &(struct ec_frame){0}, 1, 10), 0);
	ec_l2_close(closed);
	ck_assert_int_eq(ec_udp_set_local(udp, (struct sockaddr *)&lease), 0);
	struct ec_l2 *opened = open_on(relay, MAC3);
	meanwhile_end(&m);
	ck_assert_uint_eq(endpoints_there(), 3);
	const struct ecp_page page = show_endpoints();
	ck_assert_uint_eq(page.n, 3);
	ck_assert_uint_eq(page.endpoints[1].kind, ECP_KIND_UDP);
	ck_assert_uint_eq(page.endpoints[1].local.ip[3], 7);
	expect_traffic(opened, stays);
}
END_TEST

/* ---- what is claimed again ---- */

/* One of each kind. */
static void open_all_kinds(void)
{
	static const unsigned flags[] = {
	    0,
	    EC_L2_MULTICAST,
	    EC_L2_MULTICAST_ANY,
	    EC_L2_SHARE,
	    EC_L2_DEFAULT,
	    EC_L2_MIRROR,
	    EC_L2_RESOLVE | EC_L2_ANSWER,
	};
	static const uint16_t types[] = {TYPE, 0x0800, 0x86dd};
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		struct ec_l2addr addr = {
		    .mac = {2, 0, 0, 0, 1, (uint8_t)i},
		    .n_vlans = i % 3,
		    .vlans = {{.id = 5, .tpid = 0x88a8, .pcp = 3}, {.id = 6}},
		};
		struct ec_l2_opts opts = EC_L2_OPTS;
		struct ec_udp_opts udp_opts = EC_UDP_OPTS;
		struct ec_l2 *l2;
		struct ec_udp *udp;
		opts.flags = flags[i];
		opts.ethertypes = types;
		opts.n_ethertypes = 1 + i % 3;
		opts.depth = 5000 + i;
		udp_opts.flags = i % 2 ? EC_UDP_ACCEPT_ANY : 0;
		ck_assert_msg(ec_l2_open(&l2, relay, &addr, &opts) == 0, "%s",
			      ec_error_text());
		ck_assert_int_eq(ec_udp_open(&udp, l2, "10.0.0.1:53", &udp_opts), 0);
		ck_assert_int_eq(ec_udp_open(&udp, l2, "[fd00::1]:54", NULL), 0);
	}
}

START_TEST(test_all_as_it_was)
{
	static struct ecp_page before, after;
	struct ec_frame frame;
	open_all_kinds();
	before = show_endpoints();
	ck_assert_uint_eq(before.n, 21);
	die();
	come_back();
	until_generation(2);
	for (int64_t end = ec_now() + SOON; endpoints_there() < 21 && ec_now() < end;)
		ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 10), 0);
	after = show_endpoints();
	ck_assert_uint_eq(after.n, before.n);
	for (unsigned i = 0; i < after.n; i++)
		ck_assert_msg(!memcmp(&after.endpoints[i], &before.endpoints[i],
				      sizeof(after.endpoints[i])),
			      "endpoint %u", i);
}
END_TEST

static void expect_datagram(struct ec_udp *from, struct ec_udp *to)
{
	struct sockaddr_storage local;
	char buf[10];
	ec_udp_local(to, &local);
	ec_udp_set_read_deadline(to, ec_now() + SOON);
	ck_assert_int_eq(
	    ec_udp_sendto(from, "hi", 2, 0, (struct sockaddr *)&local, sizeof(local)), 2);
	ssize_t n = ec_udp_recvfrom(to, buf, sizeof(buf), 0, NULL, NULL);
	ck_assert_msg(n == 2, "%zd, %s", n, ec_error_text());
}

START_TEST(test_the_address_it_has_by_now)
{
	static const char *const later[] = {"10.0.0.8:101", "10.0.0.8:102", "10.0.0.8:103"};
	struct ec_udp *udp = user_udp(user_l2(relay, MAC1, EC_L2_MULTICAST, 0),
				      "0.0.0.0:68", NULL),
		      *peer = user_udp(user_l2(relay, MAC2, EC_L2_MULTICAST, 0),
				       "10.0.0.1:67", NULL);
	struct sockaddr_storage lease = user_address("10.0.0.7:68");
	ck_assert_int_eq(ec_udp_set_local(udp, (struct sockaddr *)&lease), 0);
	for (unsigned i = 1; i <= 3; i++) {
		die();
		come_back();
		while (ec_relay_generation(relay) == i)
			ec_udp_recvfrom(udp, NULL, 0, EC_DONTWAIT, NULL, NULL);
		ck_assert_int_eq(ec_udp_set_local(udp, (struct sockaddr *)&lease), 0);
		expect_datagram(peer, udp);
		expect_datagram(udp, peer);
		lease = user_address(later[i - 1]);
		ck_assert_int_eq(ec_udp_set_local(udp, (struct sockaddr *)&lease), 0);
	}
}
END_TEST

/* Somebody else was faster: the rest works, and it comes back once it is free. */
START_TEST(test_refused)
{
	struct ec_l2 *taken = open_on(relay, MAC1), *other = open_on(relay, MAC2);
	struct ec_udp *udp, *more;
	ck_assert_int_eq(ec_udp_open(&udp, taken, "10.0.0.1:1", NULL), 0);
	die();
	come_back();
	struct ec_relay *thief = connect_relay(0);
	open_on(thief, MAC1);
	until_generation(2);
	expect_traffic(other, other);
	ck_assert_int_eq(send_number(taken, other, 0, 0), -ENODEV);
	ck_assert_ptr_nonnull(strstr(ec_error_text(), "Address already in use"));
	ck_assert_int_eq(ec_udp_open(&more, taken, "10.0.0.1:2", NULL), -ENODEV);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 2);
	expect_traffic(other, other);
	ec_relay_close(thief);
	for (int64_t end = ec_now() + SOON; stats_of(relay).unclaimed && ec_now() < end;)
		ck_assert_int_eq(ec_relay_recv(relay, &(struct ec_frame){0}, 1, 100), 0);
	expect_traffic(taken, taken);
	ck_assert_uint_eq(endpoints_there(), 3);
}
END_TEST

/* ---- many ---- */

static struct ec_claim *claim_many(unsigned n)
{
	struct ec_claim *claims = calloc(n, sizeof(*claims));
	for (unsigned i = 0; i < n; i++) {
		claims[i].addr = (struct ec_l2addr){
		    .mac = {2, 0, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
		    .n_vlans = 1,
		    .vlans = {{.id = (uint16_t)(1 + i % 4094)}},
		};
		claims[i].local = "10.0.0.1:4000";
	}
	ck_assert_msg(ec_open_many(relay, claims, n, NULL, NULL) == n, "%s",
		      ec_error_text());
	return claims;
}

static void expect_echo(const struct ec_claim *claim)
{
	uint8_t packet[28] = {0x45,     [3] = 28,  [8] = 64, [9] = 17, [12] = 10,
			      [15] = 1, [16] = 10, [19] = 1, 0x0f,     0xa0,
			      0x0f,     0xa0,      [25] = 8};
	struct ec_frame frame;
	ck_assert_msg(ec_l2_send_ip(claim->l2, packet, sizeof(packet), claim->addr.mac,
				    0) == sizeof(packet),
		      "%s", ec_error_text());
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 20000), 1);
	ck_assert_ptr_eq(frame.udp, claim->udp);
}

#define TRIES 5 /* the machine may have other things to do */

/* The daemon dies and another comes.  From then, or from its death, to the last one's frame. */
static int64_t restart_with(const struct ec_claim *claims, unsigned n, unsigned generation)
{
	int64_t begin = ec_now();
	die();
	come_back();
	int64_t ready = ec_now();
	until_generation(generation);
	expect_echo(&claims[0]);
	int64_t first = ec_now();
	expect_echo(&claims[n - 1]);
	int64_t last = ec_now();
	printf("# %u L2 and %u UDP endpoints: ready to first frame %.1f ms, to last "
	       "%.1f ms; from its death %.1f ms\n",
	       n, n, (double)(first - ready) / 1e6, (double)(last - ready) / 1e6,
	       (double)(last - begin) / 1e6);
	return last - ready;
}

/* L2 and UDP endpoints each; how soon all are back. */
START_TEST(test_many)
{
	static const struct {
		unsigned n, ms;
	} numbers[] = {{1000, 200}, {50000, 1000}};
	unsigned n = numbers[_i].n, tries = 0;
	int64_t most = numbers[_i].ms * MS * SLOWER;
	struct ec_claim *claims = claim_many(n);
	while (restart_with(claims, n, 2 + tries) > most)
		ck_assert_uint_lt(++tries, TRIES);
	ck_assert_uint_eq(endpoints_there(), 2 * n);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 0);
	free(claims);
}
END_TEST

/* Endpoints that are closed while they are on their way back are not left behind. */
START_TEST(test_closed_on_the_way)
{
	enum { N = 3000 };
	struct ec_claim *claims = claim_many(N);
	struct ec_frame frame;
	unsigned there = 2 * N;
	die();
	come_back();
	until_generation(2);
	for (unsigned i = 0; i < N; i += 3) {
		if (i % 2)
			ec_udp_close(claims[i].udp);
		else
			ec_l2_close(claims[i].l2);
		there -= i % 2 ? 1 : 2;
		ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 0), 0);
	}
	expect_echo(&claims[N - 2]);
	ck_assert_uint_eq(endpoints_there(), there);
	free(claims);
}
END_TEST

/* ---- under another policy ---- */

static void come_back_under(const char *rule)
{
	snprintf(config.policy, sizeof(config.policy), "%s.policy", served.sock);
	FILE *f = fopen(config.policy, "we");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "{\"rules\": [{\"users\": [\"%u\"], \"name\": \"me\", %s}]}\n", getuid(),
		rule);
	fclose(f);
	come_back();
	unlink(config.policy); /* read, and in the way of removing the folder */
	config.policy[0] = 0;
}

START_TEST(test_requests_are_limited)
{
	enum { N = 1500 };
	struct ec_claim *claims = claim_many(N);
	die();
	come_back_under("\"raw\": true, \"limits\": {\"requests_per_s\": 5}");
	until_generation(2);
	expect_echo(&claims[N - 1]);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 0);
	ck_assert_uint_eq(endpoints_there(), 2 * N);
	free(claims);
}
END_TEST

/* What the policy does not allow any more is refused for as long as it does not. */
START_TEST(test_claims_are_refused)
{
	enum { N = 1500, ALLOWED = 100 };
	struct ec_claim *claims = claim_many(N);
	struct ec_l2 *more;
	struct ec_l2addr addr;
	die();
	come_back_under("\"raw\": true, \"vlans\": [\"1-100\"]");
	until_generation(2);
	ec_l2addr_parse(MAC1 "|5", &addr);
	ck_assert_int_eq(ec_l2_open(&more, relay, &addr, NULL), 0); /* all was asked for */
	ec_l2_close(more);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 2 * (N - ALLOWED));
	expect_echo(&claims[ALLOWED - 1]);
	ck_assert_int_eq(ec_l2_send_ip(claims[ALLOWED].l2, "E", 1, addr.mac, 0), -ENODEV);
	ck_assert_ptr_nonnull(strstr(ec_error_text(), "Permission denied"));
	ec_l2_close(claims[ALLOWED].l2);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 2 * (N - ALLOWED - 1));
	die();
	come_back();
	until_generation(3);
	expect_echo(&claims[N - 1]);
	ck_assert_uint_eq(stats_of(relay).unclaimed, 0);
	ck_assert_uint_eq(endpoints_there(), 2 * (N - 1));
	free(claims);
}
END_TEST

/* ---- the end ---- */

/* Every way to learn that it is over, at once. */
static void expect_over(struct ec_l2 *l2, const char *why)
{
	struct ec_frame frame;
	struct ec_l2 *more;
	ck_assert_int_eq(ec_l2_recv(l2, NULL, 0, 0, NULL), -ESHUTDOWN);
	ck_assert_msg(strstr(ec_error_text(), why), "%s", ec_error_text());
	ck_assert_int_eq(ec_l2_recv(l2, NULL, 0, EC_DONTWAIT, NULL), -ESHUTDOWN);
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, -1), -ESHUTDOWN);
	ck_assert_int_eq(send_number(l2, l2, 0, 0), -ESHUTDOWN);
	ck_assert_int_eq(ec_relay_flush(relay), -ESHUTDOWN);
	ck_assert_int_eq(ec_l2_open(&more, relay, ec_l2_addr(l2), NULL), -ESHUTDOWN);
	ck_assert(readable(ec_relay_fd(relay), 0));
	ck_assert_uint_eq(ec_relay_generation(relay), 1);
	ec_l2_close(l2);
}

START_TEST(test_killed_stays_dead)
{
	struct ec_l2 *l2 = open_on(relay, MAC1);
	ec_l2_set_read_deadline(l2, 0);
	ck_assert_int_eq(
	    ask(&(struct ecp_request){.type = ECP_REQ_KILL, .kill.client = 1})->type,
	    ECP_REP_DONE);
	expect_over(l2, "ended the connection");
}
END_TEST

/* The library's own page of the rings. */
static struct ecp_client_page *client_page(void)
{
	char line[500];
	unsigned long at = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) && !strstr(line, "memfd:etherconn-c"))
		;
	fclose(f);
	ck_assert_int_eq(sscanf(line, "%lx", &at), 1);
	return (struct ecp_client_page *)at;
}

START_TEST(test_breaker_of_rules_stays_dead)
{
	struct ec_l2 *l2 = open_on(relay, MAC1);
	ec_l2_set_read_deadline(l2, 0);
	kill(served.pid, SIGSTOP);
	ck_assert_int_eq(send_number(l2, l2, 0, 0), 4);
	client_page()->tx_prod = 7; /* no multiple of 16 */
	kill(served.pid, SIGCONT);
	expect_over(l2, "ended the connection");
}
END_TEST

START_TEST(test_patience_runs_out)
{
	struct ec_l2 *l2;
	ec_relay_close(relay);
	relay = connect_relay(50);
	l2 = open_on(relay, MAC1);
	if (_i)
		ec_relay_fd(relay);
	die();
	int64_t begin = ec_now();
	ec_l2_set_read_deadline(l2, 0);
	expect_over(l2, served.sock);
	ck_assert_int_ge(ec_now() - begin, 50 * MS);
	ck_assert_int_lt(ec_now() - begin, SOON);
}
END_TEST

START_TEST(test_never_again)
{
	ec_relay_close(relay);
	relay = connect_relay(-1);
	struct ec_l2 *l2 = open_on(relay, MAC1);
	die();
	come_back();
	expect_over(l2, "ended the connection");
}
END_TEST

/* In the place of a daemon: whoever attaches is told this. */
static void *serve_answer(void *arg)
{
	static const char answer[] =
	    "{\"error\":\"EPROTO\",\"text\":\"protocol version 1: this daemon speaks 2\"}";
	char text[1000];
	int client = -1, listening = *(int *)arg;
	struct pollfd p = {.fd = listening, .events = POLLIN};
	if (poll(&p, 1, 20000) == 1)
		client = accept(listening, NULL, NULL);
	if (read(client, text, sizeof(text)) <= 0 ||
	    write(client, answer, strlen(answer)) < 0)
		abort();
	close(client);
	return NULL;
}

START_TEST(test_another_version)
{
	struct ec_l2 *l2 = open_on(relay, MAC1);
	pthread_t thread;
	die();
	int listening = ecp_sock_listen(served.sock, 0600);
	ck_assert_int_ge(listening, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve_answer, &listening), 0);
	expect_over(l2, "speaks 2");
	pthread_join(thread, NULL);
	close(listening);
}
END_TEST

/* ---- again and again ---- */

/* Mappings of rings. */
static unsigned rings_mapped(void)
{
	char line[500];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "memfd:etherconn") != NULL;
	fclose(f);
	return n;
}

START_TEST(test_nothing_leaks)
{
	struct ec_l2 *a = open_on(relay, MAC1), *b = open_on(relay, MAC2);
	if (_i)
		ec_relay_fd(relay);
	expect_traffic(a, b);
	unsigned fds = proc_count(getpid(), "fd"), threads = proc_count(getpid(), "task");
	ck_assert_uint_eq(rings_mapped(), 2);
	for (uint32_t i = 1; i <= 50; i++) {
		die();
		if (i % 2) /* noticed before there is another one, or only then */
			ck_assert_int_eq(ec_l2_recv(a, NULL, 0, EC_DONTWAIT, NULL),
					 -EAGAIN);
		come_back();
		until_generation(i + 1);
		expect_traffic(a, b);
		expect_traffic(b, a);
	}
	ck_assert_uint_eq(stats_of(relay).reconnects, 50);
	ec_relay_release(relay);
	/* one is closed a second later, by whoever waits for frames; with _i there is a timer */
	int64_t end = ec_now() + 5000 * MS;
	while (proc_count(getpid(), "fd") > fds + _i && ec_now() < end) {
		ec_l2_set_read_deadline(a, ec_now() + 20 * MS);
		ck_assert_int_eq(ec_l2_recv(a, NULL, 0, 0, NULL), -ETIMEDOUT);
	}
	ck_assert_uint_le(proc_count(getpid(), "fd"), fds + _i);
	ck_assert_uint_eq(proc_count(getpid(), "task"), threads);
	ck_assert_uint_eq(rings_mapped(), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("reconnect");
	TCase *tc = tcase_create("reconnect");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_blocking_receiver, 0, 3);
	tcase_add_test(tc, test_polling_receiver);
	tcase_add_test(tc, test_relay_receiver);
	tcase_add_test(tc, test_unread_frames_survive);
	tcase_add_test(tc, test_saved_frames_go_slowly);
	tcase_add_test(tc, test_sender_alone);
	tcase_add_test(tc, test_full_ring_is_lost);
	tcase_add_test(tc, test_deadlines_hold);
	tcase_add_test(tc, test_stop_while_away);
	tcase_add_loop_test(tc, test_changes_while_away, 0, 2);
	tcase_add_test(tc, test_all_as_it_was);
	tcase_add_test(tc, test_the_address_it_has_by_now);
	tcase_add_test(tc, test_refused);
	tcase_add_loop_test(tc, test_many, 0, 2);
	tcase_add_test(tc, test_closed_on_the_way);
	tcase_add_test(tc, test_requests_are_limited);
	tcase_add_test(tc, test_claims_are_refused);
	tcase_add_test(tc, test_killed_stays_dead);
	tcase_add_test(tc, test_breaker_of_rules_stays_dead);
	tcase_add_loop_test(tc, test_patience_runs_out, 0, 2);
	tcase_add_test(tc, test_never_again);
	tcase_add_test(tc, test_another_version);
	tcase_add_loop_test(tc, test_nothing_leaks, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
