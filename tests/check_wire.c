/*
 * check_wire.c - how frames look on a real link: what a received one tells of itself, and that what
 * leaves is what a kernel would send; over every back-end, with IPv4 and with IPv6.
 */
#include "tests/scene.h"
#include "tests/suite.h"
#include "tests/when.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* ---- what a received frame tells ---- */

static void expect_address(const struct sockaddr_storage *got, const char *text)
{
	char says[ECP_ADDR_TEXT], ip[INET6_ADDRSTRLEN];
	if (scene.six) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)got;
		snprintf(says, sizeof(says), "[%s]:%u",
			 inet_ntop(AF_INET6, &a->sin6_addr, ip, sizeof(ip)),
			 ntohs(a->sin6_port));
	} else {
		const struct sockaddr_in *a = (const struct sockaddr_in *)got;
		snprintf(says, sizeof(says), "%s:%u",
			 inet_ntop(AF_INET, &a->sin_addr, ip, sizeof(ip)),
			 ntohs(a->sin_port));
	}
	ck_assert_str_eq(says, text);
}

/* Priorities and types of all tags, the whole frame, addresses, ports, and when it came. */
START_TEST(test_received_frame)
{
	static const uint16_t tpids[][2] = {{0x8100, 0x8100}, {0x88a8, 0x8100},
					    {0x9100, 0x88a8}, {0x88a8, 0x9100},
					    {0x8100, 0x9100}, {0x9100, 0x9100}};
	char src[ECP_ADDR_TEXT], dst[ECP_ADDR_TEXT];
	scene_start(_i);
	struct ec_l2 *marker = scene_l2(MARKER, 0, 0x88b5),
		     *l2 = scene_l2(MAC "|1|2", 0, 0);
	scene_address("peer:67", src);
	scene_address("me:68", dst);
	for (size_t i = 0; i < sizeof(tpids) / sizeof(*tpids); i++) {
		uint8_t frame[ECP_FRAME_MAX];
		struct sockaddr_storage addr;
		struct ec_vlan v[EC_VLANS_MAX];
		struct ec_frame f;
		uint32_t len = test_frame_build(
		    &(struct test_frame){.to = MAC "|1|2",
					 .tpid = {tpids[i][0], tpids[i][1]},
					 .src_ip = src,
					 .dst_ip = dst,
					 .payload = "payload",
					 .len = 7},
		    frame);
		frame[14] |= 0xb0; /* PCP 5, DEI */
		frame[18] |= 0x60; /* PCP 3 */
		const int64_t sent = now_real_ns();
		link_send(frame, len);
		ck_assert_uint_eq(scene_until_marker(marker, &f), 1);
		ck_assert_ptr_eq(f.l2, l2);
		ck_assert(f.len == len && !memcmp(f.data, frame, len));
		ck_assert_uint_eq(ec_frame_vlans(&f, v), 2);
		ck_assert_uint_eq(f.n_vlans, 2);
		ck_assert(v[0].id == 1 && v[0].tpid == tpids[i][0] && v[0].pcp == 5 &&
			  v[0].dei == 1);
		ck_assert(v[1].id == 2 && v[1].tpid == tpids[i][1] && v[1].pcp == 3 &&
			  v[1].dei == 0);
		ck_assert(f.l3 == f.data + 22 && f.l3_len == len - 22);
		ck_assert(f.protocol == 17 && f.payload_len == 7);
		ck_assert_mem_eq(ec_frame_dst_mac(&f), frame, 6);
		ck_assert_mem_eq(ec_frame_src_mac(&f), frame + 6, 6);
		ck_assert_int_eq(ec_frame_src(&f, &addr), 0);
		expect_address(&addr, src);
		ck_assert_int_eq(ec_frame_dst(&f, &addr), 0);
		expect_address(&addr, dst);
		/* libpcap's clock has microseconds */
		ck_assert_int_ge((int64_t)f.time_ns, sent - 1000);
		ck_assert_int_le((int64_t)f.time_ns, now_real_ns());
	}
	scene_stop();
}
END_TEST

/* ---- sending: what leaves is what a kernel would send ---- */

START_TEST(test_sent_frames)
{
	static const struct {
		const char *to;
		uint16_t tpid[2];
	} shapes[] = {{OTHER, {0}},
		      {OTHER "|100", {0}},
		      {OTHER "|100|200", {0}},
		      {OTHER "|1|2", {0x88a8, 0x8100}},
		      {OTHER "|1|2", {0x9100, 0x88a8}},
		      {OTHER "|0", {0}}};
	char src[ECP_ADDR_TEXT], dst[ECP_ADDR_TEXT];
	static const uint8_t mac[] = {2, 0xee, 0, 0, 0, 1}, to_mac[] = {2, 0, 0, 0, 0, 2};
	scene_start(_i);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		uint8_t sent[ECP_FRAME_MAX], got[LINK_ROOM];
		struct ec_l2addr addr;
		struct ec_l2 *l2;
		struct test_frame f = {.to = shapes[i].to,
				       .tpid = {shapes[i].tpid[0], shapes[i].tpid[1]},
				       .src_ip = scene_address("me:68", src),
				       .dst_ip = scene_address("peer:67", dst),
				       .payload = "a datagram that is long enough",
				       .len = 30};
		uint32_t len = test_frame_build(&f, sent);
		ec_l2addr_parse(shapes[i].to, &addr);
		memcpy(addr.mac, mac, sizeof(mac));
		for (unsigned v = 0; v < addr.n_vlans; v++)
			addr.vlans[v].tpid = shapes[i].tpid[v];
		uint32_t head = 14 + 4u * addr.n_vlans;
		ck_assert_msg(ec_l2_open(&l2, scene.relay, &addr, NULL) == 0, "%s",
			      ec_error_text());
		link_forget();
		ck_assert_int_eq(ec_l2_send_ip(l2, sent + head, len - head, to_mac, 0),
				 len - head);
		ck_assert_msg(link_receive(got) == len && !memcmp(got, sent, len),
			      "shape %zu", i);
		ec_l2_close(l2);
	}
	scene_stop();
}
END_TEST

START_TEST(test_priority_and_drop_eligible)
{
	static const struct {
		struct ec_vlan vlans[EC_VLANS_MAX];
		uint8_t n, wire[8];
	} rows[] = {
	    {{{.id = 100, .pcp = 7}}, 1, {0x81, 0, 0xe0, 0x64}},
	    {{{.id = 100, .tpid = 0x88a8, .pcp = 5, .dei = 1}},
	     1,
	     {0x88, 0xa8, 0xb0, 0x64}},
	    {{{.id = 100, .tpid = 0x9100, .dei = 1}}, 1, {0x91, 0, 0x10, 0x64}},
	    {{{.id = 1, .tpid = 0x88a8, .pcp = 6, .dei = 1}, {.id = 2, .pcp = 1}},
	     2,
	     {0x88, 0xa8, 0xd0, 1, 0x81, 0, 0x20, 2}},
	    {{{.id = 1, .pcp = 2}, {.id = 0xabc, .tpid = 0x9100, .pcp = 3, .dei = 1}},
	     2,
	     {0x81, 0, 0x40, 1, 0x91, 0, 0x7a, 0xbc}},
	};
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	scene_start(_i);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t got[LINK_ROOM];
		struct ec_l2addr addr = {.mac = {2, 0, 0, 0, 0, 1}, .n_vlans = rows[i].n};
		struct ec_l2 *l2;
		memcpy(addr.vlans, rows[i].vlans, sizeof(addr.vlans));
		ck_assert_int_eq(ec_l2_open(&l2, scene.relay, &addr, NULL), 0);
		link_forget();
		ck_assert_int_eq(ec_l2_send(l2, "payload", 7, 0x88b5, dst, 0), 7);
		ck_assert_uint_ge(link_receive(got), 14 + 4u * rows[i].n + 7);
		ck_assert_mem_eq(got + 12, rows[i].wire, 4u * rows[i].n);
		ec_l2_close(l2);
	}
	scene_stop();
}
END_TEST

/* The length in the EtherType's place. */
START_TEST(test_sent_llc)
{
	static const uint8_t dst[6] = {1, 0x80, 0xc2, 0, 0, 0},
			     head[] = {0x81, 0, 0, 5, 0, 7};
	uint8_t got[LINK_ROOM];
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MAC "|5", 0, EC_ETHERTYPE_LLC);
	link_forget();
	ck_assert_int_eq(ec_l2_send(l2, "\x42\x42\3stp.", 7, EC_ETHERTYPE_LLC, dst, 0), 7);
	ck_assert_uint_ge(link_receive(got), 18 + 7);
	ck_assert_mem_eq(got + 12, head, sizeof(head));
	ck_assert_mem_eq(got + 18, "\x42\x42\3stp.", 7);
	scene_stop();
}
END_TEST

/* RFC 768, RFC 8200: a sum that comes out as zero is sent as its complement. */
START_TEST(test_sum_of_zero)
{
	uint8_t got[LINK_ROOM], payload[64] = {0};
	scene_start(_i);
	const struct sockaddr_storage to = scene_sockaddr("peer:7");
	const uint32_t sum_at = 14 + (scene.six ? 40 : 20) + 6;
	struct ec_udp *udp = scene_udp(scene_l2(MAC, 0, 0), "me:68", 0);
	link_forget();
	ck_assert_int_eq(ec_udp_sendto(udp, payload, sizeof(payload), 0,
				       (const struct sockaddr *)&to, sizeof(to)),
			 sizeof(payload));
	ck_assert_uint_gt(link_receive(got), sum_at + 2);
	/* what the sum lacked, it has now */
	memcpy(payload, got + sum_at, 2);
	ck_assert_int_eq(ec_udp_sendto(udp, payload, sizeof(payload), 0,
				       (const struct sockaddr *)&to, sizeof(to)),
			 sizeof(payload));
	ck_assert_uint_gt(link_receive(got), sum_at + 2);
	ck_assert_mem_eq(got + sum_at, "\xff\xff", 2);
	scene_stop();
}
END_TEST

/* Both ends are endpoints, each of a daemon of its own, and the link between them. */
START_TEST(test_udp_round_trip)
{
	struct daemon_process far;
	char text[ECP_ADDR_TEXT];
	struct sockaddr_storage to, from;
	char buf[100];
	scene_start(_i);
	daemon_process_start_on(&far, LINK_PEER_IF, link_backends[_i / 2]);
	struct ec_relay *yours = user_connect(&far, NULL);
	struct ec_udp *a =
	    scene_udp(scene_l2(MAC "|1|2", EC_L2_MULTICAST, 0), "me:1000", 0);
	struct ec_udp *b =
	    scene_udp(user_l2(yours, OTHER "|1|2", EC_L2_MULTICAST, 0), "other:7", 0);
	ec_udp_set_read_deadline(a, ec_now() + 5000000000);
	ec_udp_set_read_deadline(b, ec_now() + 5000000000);
	for (unsigned i = 0; i < 3; i++) {
		socklen_t from_len = sizeof(from);
		ec_udp_local(b, &to);
		ck_assert_int_eq(
		    ec_udp_sendto(a, "ping", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
		ck_assert_int_eq(ec_udp_recvfrom(b, buf, sizeof(buf), 0,
						 (struct sockaddr *)&from, &from_len),
				 4);
		ck_assert_mem_eq(buf, "ping", 4);
		expect_address(&from, scene_address("me:1000", text));
		ck_assert_int_eq(
		    ec_udp_sendto(b, "pong!", 5, 0, (struct sockaddr *)&from, from_len), 5);
		from_len = sizeof(from);
		ck_assert_int_eq(ec_udp_recvfrom(a, buf, sizeof(buf), 0,
						 (struct sockaddr *)&from, &from_len),
				 5);
		ck_assert_mem_eq(buf, "pong!", 5);
		expect_address(&from, scene_address("other:7", text));
	}
	ec_relay_close(yours);
	daemon_process_stop(&far);
	scene_stop();
}
END_TEST

/* What a UDP endpoint's options say stands in its packets, with checksums that are right. */
START_TEST(test_ttl_and_traffic_class)
{
	char text[ECP_ADDR_TEXT];
	uint8_t got[LINK_ROOM];
	struct ecp_frame parsed;
	struct ec_udp_opts opts = EC_UDP_OPTS;
	scene_start(_i);
	const struct sockaddr_storage to = scene_sockaddr("peer:7");
	opts.ttl = 7;
	opts.tclass = 0xb8;
	struct ec_udp *udp =
	    user_udp(scene_l2(MAC, 0, 0), scene_address("me:68", text), &opts);
	link_forget();
	ck_assert_int_eq(ec_udp_sendto(udp, "a datagram of some length", 25, 0,
				       (const struct sockaddr *)&to, sizeof(to)),
			 25);
	uint32_t n = link_receive(got);
	ck_assert_int_eq(ecp_frame_parse(got, n, NULL, &parsed), ECP_FRAME_OK);
	ck_assert_int_eq(ecp_l4_checksum_check(got, &parsed), ECP_CSUM_GOOD);
	ck_assert_uint_eq(scene.six ? got[14 + 7] : got[14 + 8], 7);
	ck_assert_uint_eq(scene.six ? (got[14] & 15) << 4 | got[15] >> 4 : got[15], 0xb8);
	scene_stop();
}
END_TEST

/* One datagram too long fails by itself, and sending goes on. */
START_TEST(test_too_long)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2}, payload[1600];
	uint8_t got[LINK_ROOM];
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MAC "|100|200", 0, 0);
	uint32_t most = ec_l2_payload_max(l2);
	ck_assert_uint_eq(most, 1500);
	link_forget();
	ck_assert_int_eq(ec_l2_send(l2, payload, most + 1, 0x88b5, dst, 0), -EMSGSIZE);
	ck_assert_int_eq(ec_l2_send(l2, payload, most, 0x88b5, dst, 0), most);
	ck_assert_uint_eq(link_receive(got), most + 22);
	scene_stop();
}
END_TEST

/* The daemon is told by the kernel, and tells its clients. */
static void await_link(bool up)
{
	struct ec_link link = {.up = !up};
	struct pollfd p = {.fd = ec_relay_fd(scene.relay), .events = POLLIN};
	for (ec_relay_link(scene.relay, &link); link.up != up;
	     ec_relay_link(scene.relay, &link)) {
		struct ec_frame f;
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_ge(ec_relay_recv(scene.relay, &f, 1, 0), 0);
	}
}

/* Down, sends are refused; up again, it goes on by itself, both ways. */
START_TEST(test_down_and_up)
{
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	uint8_t got[LINK_ROOM];
	struct ec_frame f;
	scene_start(_i);
	struct ec_l2 *l2 = scene_l2(MARKER, 0, 0x88b5);
	link_set(false);
	await_link(false);
	ck_assert_int_eq(ec_l2_send(l2, "lost", 4, 0x88b5, dst, 0), -ENETDOWN);
	link_set(true);
	await_link(true);
	ck_assert_int_eq(ec_l2_send(l2, "again", 5, 0x88b5, dst, 0), 5);
	ck_assert_uint_ge(link_receive(got), 19);
	ck_assert_mem_eq(got + 14, "again", 5);
	ck_assert_uint_eq(scene_counter("tx_offered"), 1);
	ck_assert_uint_eq(scene_until_marker(l2, &f), 0);
	scene_stop();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {test_received_frame,
				      test_sent_frames,
				      test_priority_and_drop_eligible,
				      test_sent_llc,
				      test_sum_of_zero,
				      test_udp_round_trip,
				      test_ttl_and_traffic_class,
				      test_too_long,
				      test_down_and_up};
	/* full frames with two tags */
	return suite_run(
	    link_suite("wire", 1504, SCENE_N_LOOPS, tests, sizeof(tests) / sizeof(*tests)));
}
