/*
 * check_odd_packets.c - packets as they are seldom sent: options, extension headers, padding,
 * fragments, wrong lengths and sums, over a real link; and frames as long as they can be.
 */
#include "tests/scene.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ec_l2 *l2;
static struct ec_udp *udp4, *udp6;

static void start(int loop, unsigned mtu)
{
	link_make(mtu);
	scene_start(loop);
	l2 = scene_l2(MAC, 0, 0);
	udp4 = user_udp(l2, "10.0.0.1:68", NULL);
	udp6 = user_udp(l2, "[fd00::1]:68", NULL);
}

static void stop(void)
{
	scene_stop();
	link_remove();
}

/* ---- packets ---- */

struct packet {
	uint8_t bytes[2000];
	uint32_t len;
};

static void put(struct packet *p, const void *bytes, uint32_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static void put16_at(struct packet *p, uint32_t at, uint32_t value)
{
	p->bytes[at] = (uint8_t)(value >> 8);
	p->bytes[at + 1] = (uint8_t)value;
}

/* A datagram to 10.0.0.1:68 or [fd00::1]:68, whole, from behind the Ethernet header. */
static struct packet datagram(bool six, const char *payload)
{
	uint8_t frame[ECP_FRAME_MAX];
	struct packet p = {.len = 0};
	struct test_frame f = {.to = MAC,
			       .src_ip = six ? "[fd00::9]:67" : "10.0.0.9:67",
			       .dst_ip = six ? "[fd00::1]:68" : "10.0.0.1:68",
			       .payload = payload,
			       .len = (uint32_t)strlen(payload)};
	uint32_t len = test_frame_build(&f, frame);
	put(&p, frame + 14, len - 14);
	return p;
}

static void sum_again(struct packet *p, uint32_t header)
{
	memset(p->bytes + 10, 0, 2);
	uint16_t sum = ecp_sum_fold(ecp_sum(p->bytes, header, 0));
	memcpy(p->bytes + 10, &sum, 2);
}

/* len bytes between the IP header and what follows it. */
static void insert(struct packet *p, uint32_t at, const void *bytes, uint32_t len)
{
	memmove(p->bytes + at + len, p->bytes + at, p->len - at);
	memcpy(p->bytes + at, bytes, len);
	p->len += len;
}

static struct packet with_options(const char *payload)
{
	struct packet p = datagram(false, payload);
	insert(&p, 20, "\x94\4\0\0\1\1\1\1", 8); /* router alert, no operation */
	p.bytes[0] = 0x47;
	put16_at(&p, 2, p.len);
	sum_again(&p, 28);
	return p;
}

static struct packet with_extensions(const char *payload)
{
	struct packet p = datagram(true, payload);
	insert(&p, 40, "\x3c\0\1\4\0\0\0\0\x11\0\1\4\0\0\0\0",
	       16); /* hop by hop, destination */
	p.bytes[6] = 0;
	put16_at(&p, 4, p.len - 40);
	return p;
}

static struct packet fragment4(const char *payload, uint32_t offset, bool more)
{
	struct packet p = datagram(false, payload);
	put16_at(&p, 6, offset / 8 | (more ? 0x2000 : 0));
	sum_again(&p, 20);
	return p;
}

static struct packet fragment6(const char *payload, uint32_t offset, bool more)
{
	struct packet p = datagram(true, payload);
	insert(&p, 40, "\x11\0\0\0\0\0\0\1", 8);
	put16_at(&p, 42, offset | more);
	p.bytes[6] = 44;
	put16_at(&p, 4, p.len - 40);
	return p;
}

static void send_packet_to(const char *to, const struct packet *p, bool six,
			   uint32_t padding)
{
	uint8_t frame[ECP_FRAME_MAX];
	struct test_frame f = {.to = to,
			       .ethertype = six ? ECP_ETHERTYPE_IPV6 : ECP_ETHERTYPE_IPV4,
			       .payload = p->bytes,
			       .len = p->len};
	uint32_t len = test_frame_build(&f, frame);
	memset(frame + len, 0xaa, padding);
	link_send(frame, len + padding);
}

static void send_packet(const struct packet *p, bool six, uint32_t padding)
{
	send_packet_to(MAC, p, six, padding);
}

static void receive(struct ec_frame *f)
{
	ck_assert_msg(ec_relay_recv(scene.relay, f, 1, 5000) == 1, "nothing came");
}

static void expect_payload(const struct ec_frame *f, const struct ec_udp *udp,
			   const char *payload)
{
	ck_assert_ptr_eq(f->udp, udp);
	ck_assert_uint_eq(f->payload_len, strlen(payload));
	ck_assert_mem_eq(f->payload, payload, f->payload_len);
}

static unsigned port_of(const struct ec_frame *f,
			int (*which)(const struct ec_frame *, struct sockaddr_storage *))
{
	struct sockaddr_storage a;
	ck_assert_int_eq(which(f, &a), 0);
	return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port
					    : ((struct sockaddr_in6 *)&a)->sin6_port);
}

/* ---- what comes of them ---- */

START_TEST(test_options_and_extensions)
{
	struct ec_frame f;
	start(2 * _i, 1500);
	struct packet p = with_options("behind options");
	send_packet(&p, false, 0);
	receive(&f);
	expect_payload(&f, udp4, "behind options");
	p = with_extensions("behind headers");
	send_packet(&p, true, 0);
	receive(&f);
	expect_payload(&f, udp6, "behind headers");
	stop();
}
END_TEST

/* A short packet fills its frame up to 60 bytes: that is no payload. */
START_TEST(test_padding)
{
	struct ec_frame f;
	char buf[100];
	start(2 * _i, 1500);
	struct packet p = datagram(false, "5 byt");
	send_packet(&p, false, 13);
	receive(&f);
	expect_payload(&f, udp4, "5 byt");
	ck_assert_uint_eq(f.l3_len, 33);
	p = datagram(true, "abc");
	send_packet(&p, true, 40);
	ec_udp_set_read_deadline(udp6, ec_now() + 5000000000);
	ck_assert_int_eq(ec_udp_recvfrom(udp6, buf, sizeof(buf), 0, NULL, NULL), 3);
	stop();
}
END_TEST

/* The first one has the ports and goes to them, flagged; the others to the L2 endpoint. */
START_TEST(test_fragments)
{
	struct ec_frame f;
	start(_i, 1500);
	const bool six = scene.six;
	struct packet first =
	    six ? fragment6("1st part", 0, true) : fragment4("1st part", 0, true);
	struct packet last =
	    six ? fragment6("2nd part", 16, false) : fragment4("2nd part", 16, false);
	send_packet(&first, six, 0);
	receive(&f);
	ck_assert_ptr_eq(f.udp, six ? udp6 : udp4);
	ck_assert(f.flags & EC_FRAME_FRAGMENT && !(f.flags & EC_FRAME_UDP));
	ck_assert_uint_eq(port_of(&f, ec_frame_src), 67);
	ck_assert_uint_eq(port_of(&f, ec_frame_dst), 68);
	send_packet(&last, six, 0);
	receive(&f);
	ck_assert_ptr_null(f.udp);
	ck_assert_ptr_eq(f.l2, l2);
	ck_assert(f.flags & EC_FRAME_FRAGMENT);
	ck_assert_uint_eq(port_of(&f, ec_frame_dst), 0);
	/* the same of broadcast ones */
	struct ec_l2 *many = scene_l2("02:00:00:00:00:04", EC_L2_MULTICAST, 0);
	struct ec_udp *any = scene_udp(many, "any:68", 0);
	send_packet_to(BCAST, &first, six, 0);
	receive(&f);
	ck_assert_ptr_eq(f.udp, any);
	ck_assert(f.flags & EC_FRAME_FRAGMENT && !(f.flags & EC_FRAME_UDP));
	send_packet_to(BCAST, &last, six, 0);
	receive(&f);
	ck_assert(f.l2 == many && !f.udp);
	stop();
}
END_TEST

/* Counted where they end: a wrong length in the daemon, a wrong sum in the library. */
START_TEST(test_wrong_datagrams)
{
	struct ecp_relay_stats s;
	struct ec_relay_stats mine;
	char buf[100] = "";
	start(_i, 1500);
	const bool six = scene.six;
	struct ec_udp *udp = six ? udp6 : udp4;
	uint32_t header = six ? 40 : 20;
	struct packet p = datagram(six, "a wrong length");
	put16_at(&p, header + 4, 500);
	send_packet(&p, six, 0);
	p = datagram(six, "a wrong sum");
	p.bytes[header + 8] ^= 1;
	send_packet(&p, six, 0);
	p = datagram(six, "good");
	send_packet(&p, six, 0);
	ec_udp_set_read_deadline(udp, ec_now() + 5000000000);
	ck_assert_int_eq(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL), 4);
	ck_assert_str_eq(buf, "good");
	daemon_process_stats(&scene.served, &s);
	ec_relay_stats(scene.relay, &mine);
	ck_assert_uint_eq(s.rx_bad_udp, 1);
	ck_assert_uint_eq(mine.rx_bad_checksum, 1);
	stop();
}
END_TEST

/* RFC 768: without a sum, it is not looked at; RFC 8200, 8.1: over IPv6 there must be one. */
START_TEST(test_no_sum)
{
	struct ec_relay_stats mine;
	char buf[100] = "";
	start(_i, 1500);
	const bool six = scene.six;
	struct ec_udp *udp = six ? udp6 : udp4;
	struct packet p = datagram(six, "no sum");
	put16_at(&p, (six ? 40 : 20) + 6, 0);
	send_packet(&p, six, 0);
	p = datagram(six, "a good one");
	send_packet(&p, six, 0);
	ec_udp_set_read_deadline(udp, ec_now() + 5000000000);
	ck_assert_int_gt(ec_udp_recvfrom(udp, buf, sizeof(buf) - 1, 0, NULL, NULL), 0);
	ck_assert_str_eq(buf, six ? "a good one" : "no sum");
	ec_relay_stats(scene.relay, &mine);
	ck_assert_uint_eq(mine.rx_bad_checksum, six);
	stop();
}
END_TEST

/* A kernel at the other end, with everything it would leave to hardware. */
static int kernel_peer(bool six, int type, struct sockaddr_storage *to)
{
	if (six)
		sh("echo 0 >/proc/sys/net/ipv6/conf/" LINK_PEER_IF "/disable_ipv6 && "
		   "ip addr add fd00::9/64 dev " LINK_PEER_IF " nodad && "
		   "ip neigh replace fd00::1 lladdr " MAC " dev " LINK_PEER_IF);
	else
		sh("ip addr add 10.0.0.9/24 dev " LINK_PEER_IF " && "
		   "ip neigh replace 10.0.0.1 lladdr " MAC " dev " LINK_PEER_IF);
	*to = scene_sockaddr("me:68");
	int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static enum ecp_csum sum_of(const struct ec_frame *f)
{
	struct ecp_frame parsed;
	ck_assert_int_eq(ecp_frame_parse(f->data, f->len, NULL, &parsed), ECP_FRAME_OK);
	return ecp_l4_checksum_check(f->data, &parsed);
}

/* What such a kernel leaves unfinished is finished before anybody sees it, of TCP, too. */
START_TEST(test_unfinished_sums)
{
	struct sockaddr_storage to;
	struct ec_frame f;
	start(_i, 1500);
	const bool six = scene.six;
	int fd = kernel_peer(six, SOCK_DGRAM, &to);
	ck_assert_int_eq(
	    sendto(fd, "unfinished", 10, 0, (struct sockaddr *)&to, sizeof(to)), 10);
	receive(&f);
	expect_payload(&f, six ? udp6 : udp4, "unfinished");
	ck_assert_int_eq(sum_of(&f), ECP_CSUM_GOOD);
	close(fd);
	sh("ip addr flush dev " LINK_PEER_IF);
	fd = kernel_peer(six, SOCK_STREAM, &to);
	ck_assert(connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
		  errno == EINPROGRESS);
	receive(&f);
	ck_assert(f.l2 == l2 && !f.udp && f.protocol == 6);
	ck_assert_uint_eq(port_of(&f, ec_frame_dst), 68);
	ck_assert_uint_gt(port_of(&f, ec_frame_src), 1023);
	ck_assert_int_eq(sum_of(&f), ECP_CSUM_GOOD);
	close(fd);
	stop();
}
END_TEST

/* Jumbo frames, both ways, with two tags, too: 9216 bytes of payload, and one more is refused. */
START_TEST(test_jumbo)
{
	static uint8_t payload[9217], got[LINK_ROOM], frame[ECP_FRAME_MAX];
	static const uint8_t dst[6] = {2, 0, 0, 0, 0, 2};
	static const char *const to[] = {MAC, "02:00:00:00:00:03|100|200"};
	struct ec_frame f;
	bool tags = _i & 1;
	start(_i, tags ? 9220 : 9216); /* the outer tag has room of its own */
	struct ec_l2 *ends[2] = {l2, scene_l2(to[1], 0, 0)};
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	payload[0] = 0x45; /* IPv4 of that length */
	payload[2] = 9216 >> 8;
	payload[3] = 9216 & 255;
	payload[9] = 99;
	ck_assert_uint_eq(ec_l2_payload_max(ends[tags]), 9216);
	ck_assert_int_eq(ec_l2_send_ip(ends[tags], payload, 9217, dst, 0), -EMSGSIZE);
	link_forget();
	ck_assert_int_eq(ec_l2_send_ip(ends[tags], payload, 9216, dst, 0), 9216);
	const uint32_t head = tags ? 22 : 14;
	ck_assert_uint_eq(link_receive(got), 9216 + head);
	ck_assert_mem_eq(got + head, payload, 9216);
	link_send(frame, test_frame_build(&(struct test_frame){.to = to[tags],
							       .ethertype = 0x0800,
							       .payload = payload,
							       .len = 9216},
					  frame));
	receive(&f);
	ck_assert_ptr_eq(f.l2, ends[tags]);
	ck_assert_uint_eq(f.l3_len, 9216);
	ck_assert_mem_eq(f.l3, payload, 9216);
	stop();
}
END_TEST

int main(void)
{
	link_enter_namespace();
	Suite *suite = suite_create("odd packets");
	TCase *tc = tcase_create("odd packets");
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test_options_and_extensions, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_padding, 0, LINK_N_BACKENDS);
	tcase_add_loop_test(tc, test_fragments, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_wrong_datagrams, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_no_sum, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_unfinished_sums, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_jumbo, 0, SCENE_N_LOOPS);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
