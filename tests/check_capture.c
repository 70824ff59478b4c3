/*
 * check_capture.c - a client that captures, on the memory relay: each frame once, with what became
 * of it and whose it is; and nobody is harmed by one that reads badly, or not at all.
 */
#include "tests/frames.h"
#include "tests/inside.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAC   "02:00:00:00:00:01"
#define BCAST "ff:ff:ff:ff:ff:ff"

static struct client *client, *watcher;
static struct peer peer, eye;
static int far_end, watcher_end;

static struct client *connect_client(int *far)
{
	struct client *c = inside_client(far);
	c->may_capture = true;
	return c;
}

static void setup(void)
{
	struct ecp_error err = {0};
	inside_start(8, 1000);
	client = connect_client(&far_end);
	watcher = connect_client(&watcher_end);
	inside_attach(client, &peer, 1 << 20, ECP_RING_MIN);
	int r = client_capture(watcher, &dp, 1, ECP_RING_MIN, 0, &err);
	ck_assert_msg(r == 0, "%s", err.text);
	peer_open(&eye, watcher->capture->channel);
}

static void teardown(void)
{
	while (clients.first)
		client_free(clients.first);
	ck_assert_uint_eq(dp.captures.n, 0);
	ck_assert_ptr_null(dp.captures.image);
	ck_assert_uint_eq(dp.relay.n_claims, 0);
	inside_stop();
	peer_close(&peer);
	peer_close(&eye);
	close(far_end);
	close(watcher_end);
}

/* What the capture shows next. */
static struct ecp_record head;
static struct ecp_capture_aux aux;
static const uint8_t *data;
static uint32_t data_len;

static bool look(struct peer *at)
{
	int error = 0;
	ck_assert_int_eq(ecp_in_refresh(&at->rx, &at->d->rx_prod), 0);
	const uint8_t *record = ecp_in_peek(&at->rx, &head, &error);
	ck_assert_int_eq(error, 0);
	if (!record)
		return false;
	ck_assert_uint_eq(head.type, ECP_RECORD_CAPTURE);
	ck_assert_uint_eq(head.aux_len, sizeof(aux));
	memcpy(&aux, record + sizeof(head), sizeof(aux));
	data = record + sizeof(head) + sizeof(aux);
	data_len = head.len - (uint32_t)(sizeof(head) + sizeof(aux));
	ecp_in_consume(&at->rx, &head);
	peer_release(at);
	return true;
}

/* Exactly one frame was seen since, and met this end; dropped unless reason is "". */
static void check_seen(const char *name, enum ecp_capture_direction direction,
		       const char *reason)
{
	ck_assert_msg(look(&eye), "%s: not seen", name);
	ck_assert_msg(!strcmp(aux.reason, reason), "%s: reason \"%s\"", name, aux.reason);
	ck_assert_msg(!(aux.flags & ECP_CAPTURE_DROPPED) == !*reason, "%s: flags", name);
	ck_assert_msg(aux.direction == direction, "%s: direction", name);
	ck_assert_msg(aux.time_ns != 0 || direction == ECP_CAPTURE_IN, "%s: time", name);
	ck_assert_str_eq(aux.interface, RELAY_MEMORY_NAME);
	ck_assert_msg(!look(&eye), "%s: seen twice", name);
}

static void check_is_of(const char *name, const struct endpoint *ep)
{
	const struct ecp_l2addr addr = endpoint_l2addr(ep);
	const struct ecp_addr local = endpoint_local(ep);
	ck_assert_msg(aux.flags & ECP_CAPTURE_ENDPOINT, "%s: nobody's", name);
	ck_assert_uint_eq(aux.client, client->id);
	ck_assert_uint_eq(aux.pid, client->pid);
	ck_assert_uint_eq(aux.uid, client->uid);
	ck_assert_str_eq(aux.comm, client->comm);
	ck_assert_uint_eq(head.endpoint, ep->dest.id);
	ck_assert_uint_eq(head.generation, ep->dest.generation);
	ck_assert_mem_eq(aux.mac, addr.mac, ECP_MAC_LEN);
	ck_assert_uint_eq(aux.n_vlans, addr.n_vlans);
	for (unsigned i = 0; i < addr.n_vlans; i++)
		ck_assert_uint_eq(aux.vlan[i], addr.vlans[i].id);
	ck_assert_uint_eq(aux.family, local.family);
	ck_assert_uint_eq(aux.port, local.port);
	ck_assert_mem_eq(aux.ip, local.ip, sizeof(aux.ip));
}

/* ---- received ---- */

#define UDP .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"

static void receive(const struct test_frame *f, uint32_t cut, uint32_t flags)
{
	uint8_t bytes[ECP_FRAME_MAX];
	struct ecp_tag tag;
	uint32_t len = test_frame_strip(bytes, test_frame_build(f, bytes), &tag);
	relay_memory_push(&dp.relay, bytes, len - cut, &tag, flags);
	datapath_turn(&dp);
}

static const struct {
	const char *name;
	struct test_frame frame;
	uint32_t cut, flags;
	const char *reason;
	enum { NOBODY, ENDPOINT, CLIENT } whose;
} received[] = {
    {"to an endpoint", {.to = MAC "|100", UDP}, .reason = "", .whose = ENDPOINT},
    {"behind two tags", {.to = MAC "|200|100", UDP}, .reason = "rx_miss"},
    {"another VLAN", {.to = MAC "|101", UDP}, .reason = "rx_miss"},
    {"multicast of a client", {.to = BCAST "|100", UDP}, .reason = "", .whose = CLIENT},
    {"multicast of nobody", {.to = BCAST "|101", UDP}, .reason = "rx_multicast_ignored"},
    {"runt", {.to = MAC, .ethertype = 0x0800}, .cut = 1, .reason = "rx_runt"},
    {"three tags",
     {.to = MAC "|100|200", .ethertype = 0x8100, .payload = "0123456789", .len = 10},
     .reason = "rx_vlan_depth"},
    {"cut IP packet", {.to = MAC "|100", UDP}, .cut = 1, .reason = "rx_bad_ip"},
    {"longer than the buffers",
     {.to = MAC "|100", UDP},
     .flags = RELAY_FRAME_TRUNCATED,
     .reason = "rx_oversize"},
};

START_TEST(test_received)
{
	const char *name = received[_i].name;
	uint8_t whole[ECP_FRAME_MAX];
	uint32_t len = test_frame_build(&received[_i].frame, whole) - received[_i].cut;
	const struct endpoint *ep = open_l2(client, MAC "|100", ECP_EP_MULTICAST);
	receive(&received[_i].frame, received[_i].cut, received[_i].flags);
	check_seen(name, ECP_CAPTURE_IN, received[_i].reason);
	ck_assert_uint_eq(data_len, len);
	ck_assert_uint_eq(aux.frame_len, len);
	ck_assert_mem_eq(data, whole, len);
	if (received[_i].whose == ENDPOINT)
		check_is_of(name, ep);
	else
		ck_assert(!(aux.flags & ECP_CAPTURE_ENDPOINT));
	ck_assert_uint_eq(aux.client, received[_i].whose == NOBODY ? 0 : client->id);
}
END_TEST

START_TEST(test_received_by_udp_endpoint)
{
	const struct endpoint *udp =
	    open_udp(client, open_l2(client, MAC "|5", 0), "10.0.0.1:2", 0);
	receive(&(struct test_frame){.to = MAC "|5", UDP}, 0, 0);
	check_seen("UDP", ECP_CAPTURE_IN, "");
	check_is_of("UDP", udp);
}
END_TEST

START_TEST(test_received_by_default)
{
	const struct endpoint *ep = open_l2(client, MAC, ECP_EP_DEFAULT);
	receive(&(struct test_frame){.to = MAC "|9", UDP}, 0, 0);
	check_seen("default", ECP_CAPTURE_IN, "");
	check_is_of("default", ep);
}
END_TEST

START_TEST(test_full_ring_is_a_reason)
{
	static const uint8_t big[1000];
	const struct test_frame f = {
	    .to = MAC, .ethertype = 0x0800 + 0x700, .payload = big, .len = sizeof(big)};
	struct ecp_open_item item = {.kind = ECP_KIND_L2, .depth = 2000, .n_ethertypes = 1};
	ck_assert_int_eq(ecp_l2addr_parse(MAC, &item.l2), 0);
	item.ethertypes[0] = 0x0f00;
	const struct endpoint *ep = open_item(client, item);
	receive(&f, 0, 0);
	check_seen("the first", ECP_CAPTURE_IN, "");
	receive(&f, 0, 0);
	check_seen("the second", ECP_CAPTURE_IN, "rx_buffer_full");
	check_is_of("the second", ep);
}
END_TEST

/* ---- sent ---- */

static const uint8_t dst[] = {2, 0, 0, 0, 0, 9};

static void send_from(const struct endpoint *ep, uint32_t generation, uint16_t type,
		      const void *payload, uint32_t len)
{
	ck_assert(peer_send(&peer, ep->dest.id, generation, dst, type, payload, len));
	peer_publish(&peer);
	datapath_wake(&dp, client->channel);
	datapath_turn(&dp);
}

static uint32_t generation_of(const struct endpoint *ep)
{
	return ep->dest.generation;
}

START_TEST(test_sent)
{
	static uint8_t big[4000];
	const struct endpoint *ep = open_l2(client, MAC "|200|100", 0);
	const struct {
		const char *name;
		uint16_t type;
		uint32_t len;
		const char *reason;
	} rows[] = {
	    {"sent", 0x88b5, 100, ""},
	    {"a length", ECP_ETHERTYPE_LLC, 100, ""},
	    {"over the MTU", 0x88b5, 1600, "tx_oversize"},
	    {"a tag of its own", 0x8100, 100, "tx_invalid"},
	};
	memset(big, 0x5a, sizeof(big));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		relay_memory_forget_sent(&dp.relay);
		send_from(ep, generation_of(ep), rows[i].type, big, rows[i].len);
		check_seen(rows[i].name, ECP_CAPTURE_OUT, rows[i].reason);
		check_is_of(rows[i].name, ep);
		ck_assert_uint_eq(data_len, 22 + rows[i].len);
		ck_assert_mem_eq(data, dst, sizeof(dst));
		ck_assert_mem_eq(data + 12, "\x81\0\0\xc8\x81\0\0\x64", 8);
		ck_assert_mem_eq(data + 22, big, rows[i].len);
		uint32_t len;
		ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), !*rows[i].reason);
		if (!*rows[i].reason)
			ck_assert_mem_eq(relay_memory_sent(&dp.relay, 0, &len), data,
					 data_len);
	}
}
END_TEST

/* The endpoint is gone: what is left is whose it was, destination and payload. */
START_TEST(test_sent_by_nobody)
{
	const struct endpoint *ep = open_l2(client, MAC "|100", 0);
	send_from(ep, generation_of(ep) + 1, 0x88b5, "late", 4);
	check_seen("closed", ECP_CAPTURE_OUT, "tx_closed");
	ck_assert(!(aux.flags & ECP_CAPTURE_ENDPOINT));
	ck_assert_uint_eq(aux.client, client->id);
	ck_assert_uint_eq(data_len, 18);
	ck_assert_mem_eq(data, "\2\0\0\0\0\x09\0\0\0\0\0\0\x88\xb5late", 18);
}
END_TEST

START_TEST(test_sent_under_a_policy)
{
	set_policy(",\"ips\":[\"10.0.0.0/8\"]");
	const struct endpoint *l2 = open_l2(client, MAC, 0);
	const struct endpoint *udp = open_udp(client, l2, "10.0.0.1:68", 0);
	set_policy(",\"limits\":{\"frames_per_s\":1,\"burst\":2}");
	send_from(l2, generation_of(l2), 0x88b5, "x", 1);
	check_seen("no UDP", ECP_CAPTURE_OUT, "tx_denied");
	check_is_of("no UDP", l2);
	send_from(udp, generation_of(udp), 0x0800, "x", 1);
	check_seen("another source", ECP_CAPTURE_OUT, "tx_spoofed");
	check_is_of("another source", udp);
	set_policy("");
	const struct endpoint *free = open_l2(client, MAC "|7", 0);
	set_policy(",\"limits\":{\"frames_per_s\":1,\"burst\":2}");
	unsigned limited = 0;
	for (unsigned i = 0; i < 20; i++) {
		send_from(free, generation_of(free), 0x88b5, "x", 1);
		ck_assert(look(&eye));
		limited += !strcmp(aux.reason, "tx_limited");
	}
	ck_assert_uint_ge(limited, 1);
	ck_assert_uint_eq(limited, dp.relay.stats.tx_limited);
}
END_TEST

START_TEST(test_sent_while_down)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	relay_memory_set_down(&dp.relay, true);
	send_from(ep, generation_of(ep), 0x88b5, "x", 1);
	check_seen("down", ECP_CAPTURE_OUT, "tx_down");
}
END_TEST

/* A burst keeps its order, and each frame its own end. */
START_TEST(test_mixed_burst)
{
	const struct endpoint *ep = open_l2(client, MAC, 0);
	for (unsigned i = 0; i < 60; i++)
		ck_assert(peer_send(&peer, ep->dest.id, generation_of(ep), dst,
				    i % 3 ? 0x88b5 : 0x8100, &i, sizeof(i)));
	peer_publish(&peer);
	datapath_wake(&dp, client->channel);
	datapath_turn(&dp);
	for (unsigned i = 0; i < 60; i++) {
		ck_assert(look(&eye));
		ck_assert_mem_eq(data + 14, &i, sizeof(i));
		ck_assert_str_eq(aux.reason, i % 3 ? "" : "tx_invalid");
	}
	ck_assert_uint_eq(relay_memory_n_sent(&dp.relay), 40);
	ck_assert_uint_eq(endpoint_stats(ep).tx, 40);
	ck_assert_uint_eq(endpoint_stats(ep).tx_dropped, 20);
}
END_TEST

/* ---- those who capture ---- */

START_TEST(test_who_does_not_read_misses)
{
	const struct test_frame f = {.to = MAC, UDP};
	const struct endpoint *ep = open_l2(client, MAC, 0);
	struct ecp_record rx_head;
	struct ecp_rx_aux rx_aux;
	unsigned seen = 0;
	for (unsigned i = 0; i < 1000; i++) {
		receive(&f, 0, 0);
		ck_assert(peer_recv(&peer, &rx_head, &rx_aux, &data, &data_len));
		peer_release(&peer);
	}
	ck_assert_uint_eq(endpoint_stats(ep).rx, 1000);
	uint64_t missed = atomic_load(&eye.d->capture_missed);
	ck_assert_uint_eq(missed, watcher->capture->missed);
	while (look(&eye))
		seen++;
	ck_assert_uint_gt(missed, 0);
	ck_assert_uint_eq(seen + missed, 1000);
	/* it reads again: nothing more is missed */
	receive(&f, 0, 0);
	check_seen("later", ECP_CAPTURE_IN, "");
	ck_assert_uint_eq(atomic_load(&eye.d->capture_missed), missed);
}
END_TEST

START_TEST(test_a_liar_is_ended)
{
	open_l2(client, MAC, 0);
	atomic_store(&eye.c->rx_cons, 1 << 30);
	for (unsigned i = 0; i < 1000 && !dp.trouble; i++)
		receive(&(struct test_frame){.to = MAC, UDP}, 0, 0);
	ck_assert(dp.trouble);
	ck_assert(watcher->capture->channel->broken);
	ck_assert(!client->channel->broken);
}
END_TEST

START_TEST(test_several_at_once)
{
	struct peer other;
	struct ecp_error err = {0};
	int end;
	struct client *second = connect_client(&end);
	ck_assert_int_eq(client_capture(second, &dp, 1, ECP_RING_MIN, 20, &err), 0);
	peer_open(&other, second->capture->channel);
	receive(&(struct test_frame){.to = MAC, UDP}, 0, 0);
	check_seen("whole", ECP_CAPTURE_IN, "rx_miss");
	ck_assert_uint_eq(data_len, aux.frame_len);
	ck_assert(look(&other));
	ck_assert_uint_eq(data_len, 20);
	ck_assert_uint_gt(aux.frame_len, 20);
	client_free(second);
	receive(&(struct test_frame){.to = MAC, UDP}, 0, 0);
	check_seen("after the other has gone", ECP_CAPTURE_IN, "rx_miss");
	peer_close(&other);
	close(end);
}
END_TEST

/* One capture of two relays: each frame says where it was. */
START_TEST(test_all_relays)
{
	static struct datapath both[2];
	struct relay_config config = {.interface = RELAY_MEMORY_NAME};
	struct ecp_error err = {0};
	struct peer other;
	char text[200];
	int end;
	struct client *c = connect_client(&end);
	for (unsigned i = 0; i < 2; i++) {
		both[i] = (struct datapath){0};
		ck_assert_int_eq(relay_open_ops(&both[i].relay, &relay_memory_ops, &config,
						text, sizeof(text)),
				 0);
		snprintf(both[i].relay.netif.name, NETIF_NAME, "mem%u", i + 1);
		ck_assert_int_eq(datapath_start(&both[i], 1), 0);
	}
	ck_assert_int_eq(client_capture(c, both, 2, 0, 0, &err), 0);
	peer_open(&other, c->capture->channel);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t bytes[ECP_FRAME_MAX];
		uint32_t len =
		    test_frame_build(&(struct test_frame){.to = MAC, UDP}, bytes);
		ck_assert_uint_eq(both[i].relay.n_claims, 1);
		relay_memory_push(&both[i].relay, bytes, len, NULL, 0);
		datapath_turn(&both[i]);
		ck_assert(look(&other));
		ck_assert_str_eq(aux.interface, i ? "mem2" : "mem1");
		ck_assert_str_eq(aux.reason, "rx_miss");
	}
	ck_assert(!look(&other) && !look(&eye));
	client_free(c);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(both[i].captures.n + both[i].relay.n_claims, 0);
		datapath_stop(&both[i]);
	}
	peer_close(&other);
	close(end);
}
END_TEST

/* What is beyond half a ring would be no record. */
START_TEST(test_whole_means_what_fits)
{
	ck_assert_uint_eq(watcher->capture->snaplen,
			  ECP_RING_MIN / 2 - sizeof(head) - sizeof(aux));
}
END_TEST

START_TEST(test_refused)
{
	struct ecp_error err = {0};
	int end;
	struct client *c = connect_client(&end);
	ck_assert_int_eq(client_capture(client, &dp, 1, 0, 0, &err), -EALREADY);
	err.code = 0;
	ck_assert_int_eq(client_capture(watcher, &dp, 1, 0, 0, &err), -EALREADY);
	err.code = 0;
	ck_assert_int_eq(client_attach(watcher, &dp, 0, 0, &err), -EALREADY);
	err.code = 0;
	ck_assert_int_eq(client_capture(c, &dp, 1, 5000, 0, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "ring of 5000 bytes"));
	err.code = 0;
	set_policy(",\"limits\":{\"ring\":131072}");
	ck_assert_int_eq(client_capture(c, &dp, 1, 1 << 18, 0, &err), -EDQUOT);
	err.code = 0;
	set_policy(",\"capture\":false");
	ck_assert_int_eq(client_capture(c, &dp, 1, 0, 0, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "does not allow"));
	ck_assert_uint_eq(c->denied, 2);
	err.code = 0;
	set_policy(",\"limits\":{\"ring\":131072}");
	ck_assert_int_eq(client_capture(c, &dp, 1, 0, 0, &err), 0);
	ck_assert_uint_eq(c->capture->channel->rx.size, 131072);
	client_free(c);
	close(end);
}
END_TEST

/* What could not be made is not counted. */
START_TEST(test_failed_costs_nothing)
{
	struct ecp_error err = {0};
	int end;
	struct client *c = connect_client(&end);
	struct rlimit before, none;
	uint64_t all = c->all->memory;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(client_capture(c, &dp, 1, 0, 0, &err), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(c->memory, 0);
	ck_assert_uint_eq(c->all->memory, all);
	client_free(c);
	close(end);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("capture");
	TCase *tc = tcase_create("capture");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_received, 0, sizeof(received) / sizeof(*received));
	tcase_add_test(tc, test_received_by_udp_endpoint);
	tcase_add_test(tc, test_received_by_default);
	tcase_add_test(tc, test_full_ring_is_a_reason);
	tcase_add_test(tc, test_sent);
	tcase_add_test(tc, test_sent_by_nobody);
	tcase_add_test(tc, test_sent_under_a_policy);
	tcase_add_test(tc, test_sent_while_down);
	tcase_add_test(tc, test_mixed_burst);
	tcase_add_test(tc, test_who_does_not_read_misses);
	tcase_add_test(tc, test_a_liar_is_ended);
	tcase_add_test(tc, test_several_at_once);
	tcase_add_test(tc, test_all_relays);
	tcase_add_test(tc, test_whole_means_what_fits);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_failed_costs_nothing);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
