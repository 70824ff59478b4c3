/*
 * check_relay.c - the back-ends over a real link: every test runs over each of them, and
 * over each way to send.
 *
 *   la (02:..:0a) <=== veth ===> lb (02:..:0b)
 *   the relay                    a raw socket, the kernel's UDP
 */
#include "daemon/afxdp_send.h"
#include "daemon/relay.h"
#include "tests/link.h"
#include "tests/suite.h"
#include "tests/when.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 5000
#define MTU         1500

static const struct way {
	const char *name, *backend;
	enum relay_send send;
} ways[] = {
    {"af_packet by socket", "af_packet", RELAY_SEND_SOCKET},
    {"pcap", "pcap", RELAY_SEND_AUTO},
    {"af_packet_v3 by socket", "af_packet_v3", RELAY_SEND_SOCKET},
    /* the last: a kernel without it runs the others */
    {"af_packet by AF_XDP", "af_packet", RELAY_SEND_XDP},
};
enum { PCAP = 1, V3 = 2, XDP = 3, N_WAYS };

static struct relay relay;

/* ---- the link and its ends ---- */

static void setup(void)
{
	link_make(MTU);
	sh("ip link set " LINK_IF " address 02:00:00:00:00:0a && "
	   "ip link set " LINK_PEER_IF " address 02:00:00:00:00:0b");
}

static void open_as(struct relay_config config, int way)
{
	char text[200] = "";
	config.interface = LINK_IF;
	config.filter = ""; /* nobody claims anything here */
	config.backend = ways[way].backend;
	config.send = ways[way].send;
	int r = relay_open(&relay, &config, text, sizeof(text));
	ck_assert_msg(r == 0, "%s: %s", ways[way].name, text);
}

/* ---- frames ---- */

struct bytes {
	uint8_t data[LINK_ROOM];
	uint32_t len;
};

static void put16(struct bytes *b, uint16_t value)
{
	b->data[b->len++] = (uint8_t)(value >> 8);
	b->data[b->len++] = (uint8_t)value;
}

/* 02:..:from to 02:..:to, tags as TPID and TCI up to a zero, a number, filling. */
static struct bytes make(uint8_t to, uint8_t from, const uint16_t tags[4], uint16_t number,
			 uint32_t len)
{
	struct bytes b = {.data = {2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from}, .len = 12};
	for (int i = 0; tags && i < 4 && tags[i]; i++)
		put16(&b, tags[i]);
	put16(&b, 0x88b5); /* for local experiments */
	put16(&b, number);
	for (; b.len < len; b.len++)
		b.data[b.len] = (uint8_t)(b.len * 7);
	return b;
}

static struct bytes plain(uint16_t number)
{
	return make(0x0a, 0x0b, NULL, number, 60);
}

static uint16_t number_of(const uint8_t *frame)
{
	return (uint16_t)(frame[14] << 8 | frame[15]);
}

/* The frame as it was on the wire: the tag beside it is put back. */
static struct bytes whole(const uint8_t *data, uint32_t len, const struct ecp_tag *tag)
{
	struct bytes b = {.len = 12};
	memcpy(b.data, data, 12);
	if (tag->present) {
		put16(&b, tag->tpid);
		put16(&b, tag->tci);
	}
	memcpy(b.data + b.len, data + 12, len - 12);
	b.len += len - 12;
	return b;
}

/* Wait until the relay lends something; returns how many, still lent. */
static int await_frames(struct relay_frame *frames, unsigned max)
{
	int64_t end = now_ms() + DEADLINE_MS;
	for (;;) {
		int n = relay.ops->rx_peek(&relay, frames, max);
		int64_t left = end - now_ms();
		if (n != 0 || left <= 0)
			return n;
		readable(relay.fd, (int)left);
	}
}

/* Receive one frame and copy it. */
static struct relay_frame await_one(struct bytes *copy)
{
	struct relay_frame frame;
	ck_assert_int_eq(await_frames(&frame, 1), 1);
	*copy = whole(frame.data, frame.len, &frame.tag);
	relay.ops->rx_release(&relay);
	return frame;
}

/* Nothing more comes: a marker sent now is the next thing received. */
static void expect_nothing_before_marker(void)
{
	struct bytes marker = plain(0xfeed), got;
	link_send(marker.data, marker.len);
	await_one(&got);
	ck_assert_uint_eq(number_of(got.data), 0xfeed);
}

/* Send frames[0..n) as one burst. */
static void submit(const struct bytes *frames, unsigned n)
{
	struct relay_buffer buffers[RELAY_BURST];
	ck_assert_uint_eq(relay.ops->tx_reserve(&relay, buffers, n), n);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_ge(buffers[i].room, MTU + ECP_ETH_HLEN_MAX);
		ck_assert_uint_le(frames[i].len, buffers[i].room);
		memcpy(buffers[i].data, frames[i].data, frames[i].len);
		buffers[i].len = frames[i].len;
	}
	relay.ops->tx_submit(&relay, buffers, n);
}

static struct bytes peer_receive(void)
{
	struct bytes b;
	b.len = link_receive(b.data);
	ck_assert_msg(b.len, "the peer received nothing");
	return b;
}

static void ck_same(const struct bytes *got, const struct bytes *sent, const char *row)
{
	ck_assert_msg(got->len == sent->len, "%s: %u bytes became %u", row, sent->len,
		      got->len);
	ck_assert_msg(memcmp(got->data, sent->data, got->len) == 0, "%s: bytes", row);
}

/* ---- opening ---- */

START_TEST(open_says_why_not)
{
	static const struct {
		const char *row, *interface, *backend, *before;
		int expected;
		const char *text;
	} rows[] = {
	    {"unknown", "eth9", NULL, NULL, -ENODEV, "no interface called eth9"},
	    {"loopback", "lo", NULL, NULL, -EINVAL, "lo is not an Ethernet interface"},
	    {"back-end", LINK_IF, "dpdk", NULL, -EINVAL,
	     "no back-end called dpdk: there are af_packet, af_packet_v3, pcap, "
	     "pcapfile"},
	    {"down", LINK_IF, NULL, "ip link set " LINK_IF " down", -ENETDOWN,
	     LINK_IF " is down: ip link set " LINK_IF " up"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200] = "";
		const char *backend = rows[i].backend ? rows[i].backend : ways[_i].backend;
		struct relay_config config = {.interface = rows[i].interface,
					      .backend = backend};
		if (rows[i].before)
			sh(rows[i].before);
		int r = relay_open(&relay, &config, text, sizeof(text));
		ck_assert_msg(r == rows[i].expected, "%s: %d", rows[i].row, r);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

START_TEST(open_without_privilege)
{
	char text[200] = "";
	struct relay_config config = {.interface = LINK_IF, .backend = ways[_i].backend};
	ck_assert_int_eq(seteuid(65534), 0);
	int r = relay_open(&relay, &config, text, sizeof(text));
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(r, -EPERM);
	ck_assert_str_eq(text,
			 "opening " LINK_IF " needs CAP_NET_RAW: run as root, by systemctl "
			 "start etherconnd, or give the capability");
}
END_TEST

/* Which descriptor is free next: nothing was left open if it is the same afterwards. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);
	close(fd);
	return fd;
}

START_TEST(close_leaves_nothing)
{
	int before = next_fd();
	open_as((struct relay_config){.promiscuous = true}, _i);
	sh("ip -d -o link show " LINK_IF " | grep -q 'promiscuity 1 '");
	relay_close(&relay);
	ck_assert_int_eq(next_fd(), before);
	sh("ip -d -o link show " LINK_IF " | grep -q 'promiscuity 0 '");
	open_as((struct relay_config){.promiscuous = false}, _i);
	sh("ip -d -o link show " LINK_IF " | grep -q 'promiscuity 0 '");
	relay_close(&relay);
}
END_TEST

/* ---- receiving ---- */

static const struct shape {
	const char *row;
	uint16_t tags[4]; /* TPID, TCI, TPID, TCI */
	uint32_t len;
	bool outer_taken; /* the kernel moves the outer tag beside the bytes */
} shapes[] = {
    {"untagged", {0}, 60, false},
    {"802.1Q", {0x8100, 100}, 64, true},
    {"with priority and DEI", {0x8100, 0xb000 | 100}, 64, true},
    {"802.1ad", {0x88a8, 300}, 64, true},
    {"QinQ 8100+8100", {0x8100, 200, 0x8100, 100}, 68, true},
    {"QinQ 88a8+8100", {0x88a8, 300, 0x8100, 30}, 68, true},
    {"9100 is no tag to the kernel", {0x9100, 7}, 64, false},
    {"full size", {0}, MTU + 14, false},
    {"full size with a tag", {0x8100, 100}, MTU + 18, true},
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

START_TEST(receives_every_shape)
{
	open_as((struct relay_config){.promiscuous = true}, _i);
	bool beside = strncmp(relay.ops->name, "af_packet", 9) == 0;
	for (size_t i = 0; i < N_SHAPES; i++) {
		const struct shape *s = &shapes[i];
		struct bytes sent = make(0x0a, 0x0b, s->tags, 1, s->len), got;
		link_send(sent.data, sent.len);
		struct relay_frame frame = await_one(&got);
		ck_same(&got, &sent, s->row);
		ck_assert_msg(frame.tag.present == (beside && s->outer_taken),
			      "%s: place of the tag", s->row);
		uint32_t flags = beside ? 0 : RELAY_FRAME_CSUM_UNKNOWN;
		ck_assert_msg(frame.flags == flags, "%s: flags %u", s->row, frame.flags);
	}
	relay_close(&relay);
}
END_TEST

START_TEST(tells_the_time)
{
	struct bytes sent = plain(1), got;
	open_as((struct relay_config){.promiscuous = true}, _i);
	const uint64_t before = (uint64_t)now_real_ns();
	link_send(sent.data, sent.len);
	struct relay_frame frame = await_one(&got);
	const uint64_t after = (uint64_t)now_real_ns();
	/* the kernel's clock of the soft interrupt may lag by a tick */
	ck_assert_uint_ge(frame.time_ns + 20000000, before);
	ck_assert_uint_le(frame.time_ns, after);
	relay_close(&relay);
}
END_TEST

/* Receive n plain frames, in order from first on. */
static void await_in_order(unsigned first, unsigned n)
{
	struct relay_frame frames[RELAY_BURST];
	for (unsigned got = 0; got < n;) {
		int lent = await_frames(frames, RELAY_BURST);
		ck_assert_msg(lent > 0, "%u of %u frames, then %d", got, n, lent);
		for (int i = 0; i < lent; i++, got++)
			ck_assert_uint_eq(number_of(frames[i].data), first + got);
		relay.ops->rx_release(&relay);
	}
}

START_TEST(receives_bursts_in_order)
{
	/* a small ring, so that it wraps */
	open_as((struct relay_config){.promiscuous = true, .ring_frames = 256}, _i);
	for (unsigned round = 0; round < 10; round++) {
		for (uint16_t i = 0; i < 200; i++) {
			struct bytes b = plain((uint16_t)(round * 200 + i));
			link_send(b.data, b.len);
		}
		await_in_order(round * 200, 200);
	}
	ck_assert_int_eq(relay.ops->rx_peek(&relay, (struct relay_frame[1]){0}, 1), 0);
	relay.ops->stats_refresh(&relay);
	ck_assert_uint_eq(relay.stats.rx_kernel_drops, 0);
	relay_close(&relay);
}
END_TEST

START_TEST(counts_what_the_kernel_drops)
{
	enum { SENT = 20000 };
	struct relay_frame frames[RELAY_BURST];
	struct bytes b = make(0x0a, 0x0b, NULL, 1, 1000);
	open_as((struct relay_config){.promiscuous = true, .ring_frames = 128}, _i);
	for (unsigned i = 0; i < SENT; i++)
		link_send(b.data, b.len);
	relay.ops->stats_refresh(&relay);
	uint64_t drops = relay.stats.rx_kernel_drops, got = 0;
	ck_assert_uint_gt(drops, 0);
	ck_assert_uint_lt(drops, SENT);
	while (got < SENT - drops) {
		int lent = await_frames(frames, RELAY_BURST);
		ck_assert_msg(lent > 0, "%u of %u", (unsigned)got,
			      (unsigned)(SENT - drops));
		got += (unsigned)lent;
		relay.ops->rx_release(&relay);
	}
	relay.ops->stats_refresh(&relay);
	ck_assert_msg(relay.stats.rx_kernel_drops == drops, "counted twice");
	ck_assert_uint_eq(got + drops, SENT);
	expect_nothing_before_marker();
	relay_close(&relay);
}
END_TEST

START_TEST(receives_a_foreign_mac)
{
	struct bytes sent = make(0x77, 0x0b, NULL, 1, 60), got;
	open_as((struct relay_config){.promiscuous = true}, _i);
	link_send(sent.data, sent.len);
	await_one(&got);
	ck_same(&got, &sent, "02:00:00:00:00:77");
	relay_close(&relay);
}
END_TEST

/* Neither what the relay sends nor what others on its interface send comes back. */
START_TEST(own_frames_are_ignored)
{
	struct bytes b = make(0x0b, 0x0a, NULL, 1, 60);
	open_as((struct relay_config){.promiscuous = true}, _i);
	submit(&b, 1);
	struct bytes at_peer = peer_receive();
	ck_same(&at_peer, &b, "sent");
	struct sockaddr_ll at = {
	    .sll_family = AF_PACKET, .sll_ifindex = relay.netif.index, .sll_halen = 6};
	int other = socket(AF_PACKET, SOCK_RAW, 0);
	ck_assert_int_eq(
	    sendto(other, b.data, b.len, 0, (struct sockaddr *)&at, sizeof(at)), b.len);
	close(other);
	peer_receive();
	expect_nothing_before_marker();
	relay_close(&relay);
}
END_TEST

START_TEST(long_frames)
{
	static const struct {
		const char *row;
		uint32_t frame_size, len, flags;
		uint32_t least;
	} rows[] = {
	    {"jumbo fits by itself", 0, 9014, 0, 9014},
	    {"jumbo in buffers that are asked for", 9014, 9014, 0, 9014},
	    {"cut", 1514, 4000, RELAY_FRAME_TRUNCATED, 1514},
	};
	link_set_mtu(9000);
	/* version 3 has no buffers to choose the size of: all fit */
	size_t n = sizeof(rows) / sizeof(rows[0]) - (_i == V3);
	for (size_t i = 0; i < n; i++) {
		struct relay_config config = {.frame_size = rows[i].frame_size,
					      .promiscuous = true};
		struct bytes sent = make(0x0a, 0x0b, NULL, 1, rows[i].len), got;
		open_as(config, _i);
		link_send(sent.data, sent.len);
		struct relay_frame frame = await_one(&got);
		ck_assert_msg((frame.flags & RELAY_FRAME_TRUNCATED) == rows[i].flags, "%s",
			      rows[i].row);
		ck_assert_msg(got.len >= rows[i].least && got.len <= sent.len, "%s: %u",
			      rows[i].row, got.len);
		ck_assert_msg(memcmp(got.data, sent.data, got.len) == 0, "%s", rows[i].row);
		relay_close(&relay);
	}
}
END_TEST

/* A kernel on this host leaves the checksum to hardware that a veth pair has not. */
START_TEST(unfinished_checksum_is_flagged)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(4000)};
	struct bytes got;
	sh("ip addr add 10.9.0.2/24 dev " LINK_PEER_IF);
	sh("ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:0a dev " LINK_PEER_IF);
	open_as((struct relay_config){.promiscuous = true}, _i);
	inet_pton(AF_INET, "10.9.0.1", &to.sin_addr);
	int udp = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(sendto(udp, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	close(udp);
	struct relay_frame frame = await_one(&got);
	ck_assert_mem_eq(got.data + 42, "hello", 5);
	bool knows = strncmp(relay.ops->name, "af_packet", 9) == 0;
	ck_assert_uint_eq(frame.flags,
			  knows ? RELAY_FRAME_CSUM_PARTIAL : RELAY_FRAME_CSUM_UNKNOWN);
	relay_close(&relay);
}
END_TEST

/* ---- sending ---- */

START_TEST(sends_every_shape)
{
	open_as((struct relay_config){.promiscuous = true}, _i);
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct bytes sent = make(0x0b, 0x0a, shapes[i].tags, 1, shapes[i].len);
		submit(&sent, 1);
		struct bytes got = peer_receive();
		ck_same(&got, &sent, shapes[i].row);
	}
	ck_assert_uint_eq(relay.stats.tx, N_SHAPES);
	relay_close(&relay);
}
END_TEST

START_TEST(sends_bursts_in_order)
{
	/* more than any ring holds, in bursts of every size */
	enum { BURSTS = 2 * RELAY_BURST };
	static struct bytes frames[RELAY_BURST];
	uint64_t sent = 0, bytes = 0;
	open_as((struct relay_config){.promiscuous = true}, _i);
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		unsigned n = burst % RELAY_BURST + 1;
		for (unsigned i = 0; i < n; i++)
			frames[i] =
			    make(0x0b, 0x0a, NULL, (uint16_t)(sent + i), 60u + burst + i);
		submit(frames, n);
		for (unsigned i = 0; i < n; i++, sent++) {
			struct bytes got = peer_receive();
			ck_same(&got, &frames[i], "burst");
			bytes += got.len;
		}
	}
	ck_assert_uint_eq(relay.stats.tx, sent);
	ck_assert_uint_eq(relay.stats.tx_bytes, bytes);
	relay_close(&relay);
}
END_TEST

/* Frames that are refused are counted, and those around them go out. */
START_TEST(oversize_is_counted_and_skipped)
{
	static const uint16_t ad[4] = {0x88a8, 300}, q[4] = {0x8100, 100};
	struct bytes frames[] = {
	    make(0x0b, 0x0a, NULL, 0, 60),       make(0x0b, 0x0a, NULL, 1, MTU + 15),
	    make(0x0b, 0x0a, NULL, 2, MTU + 14), make(0x0b, 0x0a, ad, 3, MTU + 18),
	    make(0x0b, 0x0a, q, 4, MTU + 19),    make(0x0b, 0x0a, NULL, 5, 60),
	};
	static const unsigned arrive[] = {0, 2, 5};
	open_as((struct relay_config){.promiscuous = true}, _i);
	submit(frames, 6);
	ck_assert_uint_eq(relay.stats.tx, 3);
	ck_assert_uint_eq(relay.stats.tx_oversize, 3);
	ck_assert_uint_eq(relay.stats.tx_bytes, 60 + MTU + 14 + 60);
	for (size_t i = 0; i < 3; i++) {
		struct bytes got = peer_receive();
		ck_same(&got, &frames[arrive[i]], "the others");
	}
	relay_close(&relay);
}
END_TEST

/* A frame shorter than a header: refused by the kernel, alone. */
START_TEST(nonsense_is_an_error_of_its_own)
{
	struct bytes frames[] = {{.len = 5}, make(0x0b, 0x0a, NULL, 9, 60)};
	open_as((struct relay_config){.promiscuous = true}, _i);
	submit(frames, 2);
	ck_assert_uint_eq(relay.stats.tx_error, 1);
	ck_assert_uint_eq(relay.stats.tx, 1);
	struct bytes got = peer_receive();
	ck_same(&got, &frames[1], "the other");
	relay_close(&relay);
}
END_TEST

/* ---- trouble ---- */

/* The relay says so, and its descriptor does not stay ready for it. */
static void expect_down(int expected)
{
	struct relay_frame frame;
	ck_assert_int_eq(await_frames(&frame, 1), expected);
	int again = relay.ops->rx_peek(&relay, &frame, 1);
	ck_assert_int_eq(again, expected);
	ck_assert_msg(!readable(relay.fd, 0),
		      "the descriptor would keep the loop spinning");
}

/* The relay may come back a moment after the link: repeat until one gets through. */
static void expect_frames_again(void)
{
	struct relay_frame frame;
	int64_t end = now_ms() + DEADLINE_MS;
	struct bytes b = plain(1);
	int n = 0;
	link_await(true);
	while (n <= 0 && now_ms() < end) {
		link_send(b.data, b.len);
		readable(relay.fd, 20);
		n = relay.ops->rx_peek(&relay, &frame, 1);
	}
	ck_assert_int_eq(n, 1);
	relay.ops->rx_release(&relay);
}

START_TEST(down_and_up_again)
{
	struct bytes frames[] = {make(0x0b, 0x0a, NULL, 1, 60),
				 make(0x0b, 0x0a, NULL, 2, 60),
				 make(0x0b, 0x0a, NULL, 3, 60)};
	open_as((struct relay_config){.promiscuous = true}, _i);
	for (unsigned round = 1; round <= 2; round++) {
		sh("ip link set " LINK_IF " down");
		if (round == 1)
			expect_down(-ENETDOWN);
		submit(frames, 3);
		/* in the second round sending has found out first */
		expect_down(-ENETDOWN);
		ck_assert_uint_eq(relay.stats.tx_down, 3 * round);
		sh("ip link set " LINK_IF " up");
		expect_frames_again();
		submit(frames, 3);
		ck_assert_uint_eq(relay.stats.tx, 3 * round);
	}
	ck_assert_uint_eq(relay.stats.tx_error, 0);
	relay_close(&relay);
}
END_TEST

/* Up is noticed without a frame, too: by asking. */
START_TEST(up_without_a_frame)
{
	struct relay_frame frame;
	int64_t end = now_ms() + DEADLINE_MS;
	open_as((struct relay_config){.promiscuous = true}, _i);
	sh("ip link set " LINK_IF " down");
	expect_down(-ENETDOWN);
	sh("ip link set " LINK_IF " up");
	while (relay.ops->rx_peek(&relay, &frame, 1) == -ENETDOWN && now_ms() < end)
		readable(relay.fd, 10);
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), 0);
	relay_close(&relay);
}
END_TEST

/* A ring of larger slots takes the place of one where frames lie that nobody has seen. */
START_TEST(a_grown_mtu_loses_by_the_count)
{
	const struct bytes frame = plain(1);
	struct relay_frame lent;
	struct bytes got;
	open_as((struct relay_config){.promiscuous = true}, _i);
	for (unsigned i = 0; i < 10; i++)
		link_send(frame.data, frame.len);
	ck_assert_int_eq(await_frames(&lent, 1), 1);
	relay.ops->rx_release(&relay);
	link_set_mtu(9000);
	ck_assert(relay_look(&relay));
	ck_assert_uint_eq(relay.netif.mtu, 9000);
	relay_stats_refresh(&relay);
	ck_assert_uint_eq(relay.stats.rx_kernel_drops, 9);
	const struct bytes jumbo = make(0x0a, 0x0b, NULL, 2, 9000);
	link_send(jumbo.data, jumbo.len);
	await_one(&got);
	ck_same(&got, &jumbo, ways[_i].name);
	relay_stats_refresh(&relay);
	ck_assert_uint_eq(relay.stats.rx_kernel_drops, 9);
	relay_close(&relay);
}
END_TEST

/* At most so many bytes of address space more than there are now. */
static struct rlimit leave_room(size_t bytes)
{
	unsigned long pages = 0;
	struct rlimit before, tight;
	FILE *statm = fopen("/proc/self/statm", "r");
	ck_assert(statm && fscanf(statm, "%lu", &pages) == 1);
	fclose(statm);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	tight = before;
	tight.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
	return before;
}

/* It is down until it can be had, or needs not be. */
START_TEST(a_ring_that_cannot_grow)
{
	const struct bytes frame = plain(1);
	struct bytes got;
	struct relay_frame lent;
	open_as((struct relay_config){.promiscuous = true}, _i);
	const struct rlimit before = leave_room(4 << 20);
	sh("ip link set " LINK_IF " mtu 9000");
	ck_assert(relay_look(&relay));
	ck_assert(!relay.netif.up && relay.lost);
	ck_assert(!relay_look(&relay));
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &lent, 1), 0);
	if (_i == V3)
		sh("ip link set " LINK_IF " mtu 1500");
	else
		ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
	ck_assert(relay_look(&relay));
	ck_assert(relay.netif.up && !relay.lost);
	link_send(frame.data, frame.len);
	await_one(&got);
	ck_same(&got, &frame, ways[_i].name);
	relay_close(&relay);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &before), 0);
}
END_TEST

/* What could not be sent is lost: it does not leave later, and it fills up nothing. */
START_TEST(lost_is_lost)
{
	enum { BURSTS = 40, ROUNDS = 3 };
	static struct bytes frames[RELAY_BURST];
	open_as((struct relay_config){.promiscuous = true}, _i);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		for (uint16_t i = 0; i < RELAY_BURST; i++)
			frames[i] = make(0x0b, 0x0a, NULL, i, 60);
		sh("ip link set " LINK_IF " down");
		expect_down(-ENETDOWN);
		for (unsigned burst = 0; burst < BURSTS; burst++)
			submit(frames, RELAY_BURST);
		ck_assert_uint_eq(relay.stats.tx_down, round * BURSTS * RELAY_BURST);
		sh("ip link set " LINK_IF " up");
		expect_frames_again();
		for (uint16_t i = 0; i < RELAY_BURST; i++)
			frames[i] = make(0x0b, 0x0a, NULL, 1000 + i, 60);
		submit(frames, RELAY_BURST);
		ck_assert_uint_eq(relay.stats.tx, round * RELAY_BURST);
		ck_assert_uint_eq(relay.stats.tx_bytes, round * RELAY_BURST * 60);
		for (unsigned i = 0; i < RELAY_BURST; i++) {
			struct bytes got = peer_receive();
			ck_same(&got, &frames[i], "after it came up");
		}
	}
	relay_close(&relay);
}
END_TEST

START_TEST(opens_without_carrier)
{
	struct relay_frame frame;
	sh("ip link set " LINK_PEER_IF " down");
	link_await(false);
	open_as((struct relay_config){.promiscuous = true}, _i);
	ck_assert_int_eq(relay.ops->rx_peek(&relay, &frame, 1), -ENETDOWN);
	sh("ip link set " LINK_PEER_IF " up");
	expect_frames_again();
	relay_close(&relay);
}
END_TEST

START_TEST(interface_goes_away)
{
	struct bytes b = make(0x0b, 0x0a, NULL, 1, 60);
	open_as((struct relay_config){.promiscuous = true}, _i);
	sh("ip link del " LINK_IF);
	expect_down(-ENODEV);
	submit(&b, 1);
	ck_assert_uint_eq(relay.stats.tx_down, 1);
	relay_close(&relay);
	setup();
}
END_TEST

/* ---- sending by AF_XDP alone ---- */

/* A packet socket's frames vanish in a device without a carrier, and count as sent. */
START_TEST(without_carrier)
{
	struct bytes frames[] = {make(0x0b, 0x0a, NULL, 1, 60),
				 make(0x0b, 0x0a, NULL, 2, 60),
				 make(0x0b, 0x0a, NULL, 3, 60)};
	open_as((struct relay_config){.promiscuous = true}, XDP);
	sh("ip link set " LINK_PEER_IF " down");
	link_await(false);
	submit(frames, 2);
	ck_assert_uint_eq(relay.stats.tx_down, 2);
	ck_assert_uint_eq(relay.stats.tx, 0);
	sh("ip link set " LINK_PEER_IF " up");
	expect_frames_again();
	submit(frames + 2, 1);
	ck_assert_uint_eq(relay.stats.tx, 1);
	struct bytes got = peer_receive();
	ck_same(&got, &frames[2], "the one after");
	relay_close(&relay);
}
END_TEST

/* The peer of a veth takes nothing above its own MTU, and the driver says so. */
START_TEST(dropped_by_the_driver)
{
	static const struct {
		const char *row;
		unsigned lens[6]; /* those over 1000 are dropped */
	} rows[] = {
	    {"first", {1200, 60, 61}},
	    {"last", {60, 61, 1200}},
	    {"alone", {1200}},
	    {"all", {1200, 1201, 1202, 1203}},
	    {"between", {60, 1200, 61, 1201, 1202, 62}},
	};
	sh("ip link set " LINK_PEER_IF " mtu 986");
	open_as((struct relay_config){.promiscuous = true}, XDP);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		struct bytes frames[6];
		struct ecp_relay_stats before = relay.stats;
		uint64_t n = 0, sent = 0, bytes = 0;
		for (; n < 6 && rows[row].lens[n]; n++)
			frames[n] = make(0x0b, 0x0a, NULL, (uint16_t)n, rows[row].lens[n]);
		submit(frames, (unsigned)n);
		for (unsigned i = 0; i < n; i++) {
			if (frames[i].len > 1000)
				continue;
			struct bytes got = peer_receive();
			ck_same(&got, &frames[i], rows[row].row);
			sent++;
			bytes += got.len;
		}
		ck_assert_msg(relay.stats.tx - before.tx == sent, "%s: tx", rows[row].row);
		ck_assert_msg(relay.stats.tx_error - before.tx_error == n - sent,
			      "%s: tx_error", rows[row].row);
		ck_assert_msg(relay.stats.tx_bytes - before.tx_bytes == bytes,
			      "%s: tx_bytes", rows[row].row);
	}
	relay_close(&relay);
}
END_TEST

/* A tap whose queue nobody empties: what fits is sent, the rest is counted. */
START_TEST(full_device)
{
	enum { BURSTS = 20, SENT = BURSTS * RELAY_BURST };
	static struct bytes frames[RELAY_BURST];
	struct ifreq tap_name = {.ifr_name = "rt", .ifr_flags = IFF_TAP | IFF_NO_PI};
	int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0) {
		printf("SKIP: /dev/net/tun: %s\n", strerror(errno));
		return;
	}
	ck_assert_int_eq(ioctl(tap, TUNSETIFF, &tap_name), 0);
	sh("ip link set rt up");
	struct relay_config config = {.interface = "rt", .send = RELAY_SEND_XDP};
	char text[200];
	ck_assert_msg(relay_open(&relay, &config, text, sizeof(text)) == 0, "%s", text);
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		for (unsigned i = 0; i < RELAY_BURST; i++)
			frames[i] = make(0x0b, 0x0a, NULL, (uint16_t)i, 60);
		submit(frames, RELAY_BURST);
	}
	uint64_t got = 0;
	while (read(tap, frames[0].data, LINK_ROOM) > 0)
		got++;
	ck_assert_uint_gt(relay.stats.tx_error, 0);
	ck_assert_uint_eq(relay.stats.tx, got);
	ck_assert_uint_eq(relay.stats.tx + relay.stats.tx_error, SENT);
	submit(frames + 1, 1);
	ck_assert_uint_eq(relay.stats.tx, got + 1);
	relay_close(&relay);
	close(tap);
}
END_TEST

/*
 * A device that holds frames back until the socket may have no more of them: what it took
 * arrives, what was given up after waiting does not, and afterwards all is well.
 */
START_TEST(slow_device)
{
	enum { BURSTS = 50 };
	static struct bytes frames[RELAY_BURST];
	struct relay_config config = {.interface = "rk", .send = RELAY_SEND_XDP};
	char text[200];
	if (system("ip link add rk link " LINK_IF " type macvlan mode bridge && "
		   "tc qdisc add dev " LINK_IF
		   " root tbf rate 2mbit burst 2k limit 4m") != 0) {
		printf("SKIP: no macvlan, or no tbf\n");
		return;
	}
	sh("ip link set rk up");
	ck_assert_msg(relay_open(&relay, &config, text, sizeof(text)) == 0, "%s", text);
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		for (unsigned i = 0; i < RELAY_BURST; i++)
			frames[i] =
			    make(0x0b, 0x0a, NULL, (uint16_t)(burst * RELAY_BURST + i), 60);
		submit(frames, RELAY_BURST);
	}
	ck_assert_uint_gt(relay.stats.tx_error, 0);
	ck_assert_uint_eq(relay.stats.tx + relay.stats.tx_error, BURSTS * RELAY_BURST);
	int last = -1;
	for (uint64_t got = 0; got < relay.stats.tx; got++) {
		struct bytes b = peer_receive();
		ck_assert_int_gt(number_of(b.data), last);
		last = number_of(b.data);
	}
	uint64_t before = relay.stats.tx;
	for (unsigned i = 0; i < RELAY_BURST; i++)
		frames[i] = make(0x0b, 0x0a, NULL, (uint16_t)(20000 + i), 60);
	submit(frames, RELAY_BURST);
	ck_assert_uint_eq(relay.stats.tx, before + RELAY_BURST);
	for (unsigned i = 0; i < RELAY_BURST; i++) {
		struct bytes b = peer_receive();
		ck_same(&b, &frames[i], "afterwards");
	}
	relay_close(&relay);
}
END_TEST

/* No driver needs to know of AF_XDP. */
START_TEST(on_devices_of_all_kinds)
{
	static const struct {
		const char *row, *make;
		bool arrives; /* at the veth peer */
	} rows[] = {
	    {"dummy", "ip link add rk type dummy", false},
	    {"macvlan", "ip link add rk link " LINK_IF " type macvlan mode bridge", true},
	    {"bridge",
	     "ip link add rk type bridge mcast_snooping 0 && ip link set " LINK_IF
	     " master rk",
	     true},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const uint16_t tag[4] = {0x8100, 100};
		struct bytes b = make(0x0b, 0x0a, tag, (uint16_t)i, 64);
		struct relay_config config = {.interface = "rk", .send = RELAY_SEND_XDP};
		char text[200];
		if (system(rows[i].make) != 0) {
			printf("SKIP: no %s device here\n", rows[i].row);
			continue;
		}
		sh("ip link set rk up");
		int r = relay_open(&relay, &config, text, sizeof(text));
		ck_assert_msg(r == 0, "%s: %s", rows[i].row, text);
		submit(&b, 1);
		ck_assert_msg(relay.stats.tx == 1, "%s", rows[i].row);
		if (rows[i].arrives) {
			struct bytes got = peer_receive();
			ck_same(&got, &b, rows[i].row);
		}
		relay_close(&relay);
		sh("ip link del rk");
	}
}
END_TEST

/* What auto does when AF_XDP cannot be had, and what xdp says then. */
START_TEST(without_af_xdp)
{
	static const struct {
		const char *row;
		unsigned mtu;
		bool queue_taken;
		int error;
		const char *text, *sends_by;
	} rows[] = {
	    {"the queue is another's", MTU, true, -EBUSY,
	     "cannot open " LINK_IF ": AF_XDP on queue 0: Device or resource busy",
	     "sendmmsg (AF_XDP on queue 0: Device or resource busy)"},
	    {"large MTU", 4075, false, -EMSGSIZE,
	     "cannot open " LINK_IF ": AF_XDP with this MTU: Message too long",
	     "sendmmsg (AF_XDP with this MTU: Message too long)"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[200] = "";
		struct relay other;
		struct relay_config config = {.interface = LINK_IF, .send = RELAY_SEND_XDP};
		link_set_mtu(rows[i].mtu);
		if (rows[i].queue_taken)
			ck_assert_int_eq(relay_open(&other, &config, text, 200), 0);
		ck_assert_int_eq(relay_open(&relay, &config, text, 200), rows[i].error);
		ck_assert_str_eq(text, rows[i].text);
		config.send = RELAY_SEND_AUTO;
		ck_assert_int_eq(relay_open(&relay, &config, text, 200), 0);
		ck_assert_str_eq(relay.sends_by, rows[i].sends_by);
		struct bytes b = make(0x0b, 0x0a, NULL, 1, 60);
		submit(&b, 1);
		struct bytes got = peer_receive();
		ck_same(&got, &b, rows[i].row);
		relay_close(&relay);
		if (rows[i].queue_taken)
			relay_close(&other);
	}
}
END_TEST

/* The kernel lets go of the queue only a while after it was closed. */
START_TEST(takes_over_at_once)
{
	struct netif netif;
	ck_assert_int_eq(netif_query(LINK_IF, &netif), 0);
	for (unsigned i = 0; i < 5; i++) {
		struct afxdp_send *xs;
		const char *why = "";
		int r = afxdp_send_open(&xs, &netif, &why);
		ck_assert_msg(r == 0, "%u: %s: %s", i, why, strerror(-r));
		afxdp_send_close(xs);
	}
}
END_TEST

/* The largest MTU in whole frames. */
START_TEST(as_large_as_it_gets)
{
	static const uint16_t tag[4] = {0x8100, 100};
	static const uint32_t mtus[] = {2026, 2027, 4074};
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		char text[200];
		struct relay_config config = {.interface = LINK_IF};
		link_set_mtu(mtus[i]);
		ck_assert_int_eq(relay_open(&relay, &config, text, sizeof(text)), 0);
		ck_assert_str_eq(relay.sends_by, "AF_XDP");
		struct bytes b = make(0x0b, 0x0a, tag, 1, mtus[i] + 18);
		submit(&b, 1);
		struct bytes got = peer_receive();
		ck_same(&got, &b, "the largest");
		relay_close(&relay);
	}
}
END_TEST

START_TEST(pcap_has_no_choice)
{
	char text[200];
	struct relay_config config = {
	    .interface = LINK_IF, .backend = "pcap", .send = RELAY_SEND_XDP};
	ck_assert_int_eq(relay_open(&relay, &config, text, sizeof(text)), -EOPNOTSUPP);
	ck_assert_str_eq(text,
			 "cannot open " LINK_IF ": libpcap sends in its own way only: "
			 "Operation not supported");
}
END_TEST

/* ---- */

/* May this process have such a socket? */
static bool have_af_xdp(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	else
		printf("SKIP: AF_XDP: %s\n", strerror(errno));
	return fd >= 0;
}

static TCase *all_tests(void)
{
	const TTest *const receiving[] = {
	    open_says_why_not,
	    open_without_privilege,
	    receives_every_shape,
	    tells_the_time,
	    receives_bursts_in_order,
	    counts_what_the_kernel_drops,
	    receives_a_foreign_mac,
	    long_frames,
	    unfinished_checksum_is_flagged,
	};
	const TTest *const sending[] = {
	    close_leaves_nothing,
	    own_frames_are_ignored,
	    sends_every_shape,
	    sends_bursts_in_order,
	    oversize_is_counted_and_skipped,
	    nonsense_is_an_error_of_its_own,
	    down_and_up_again,
	    up_without_a_frame,
	    lost_is_lost,
	    opens_without_carrier,
	    interface_goes_away,
	};
	const TTest *const xdp_tests[] = {
	    without_carrier,    dropped_by_the_driver,   full_device,
	    slow_device,        on_devices_of_all_kinds, without_af_xdp,
	    takes_over_at_once, as_large_as_it_gets,
	};
	bool xdp = have_af_xdp();
	TCase *tc = tcase_create("back-ends");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, link_remove);
	for (size_t i = 0; i < sizeof(receiving) / sizeof(receiving[0]); i++)
		tcase_add_loop_test(tc, receiving[i], 0, XDP);
	for (size_t i = 0; i < sizeof(sending) / sizeof(sending[0]); i++)
		tcase_add_loop_test(tc, sending[i], 0, xdp ? N_WAYS : XDP);
	for (size_t i = 0; xdp && i < sizeof(xdp_tests) / sizeof(xdp_tests[0]); i++)
		tcase_add_test(tc, xdp_tests[i]);
	tcase_add_test(tc, pcap_has_no_choice);
	tcase_add_loop_test(tc, a_grown_mtu_loses_by_the_count, 0, PCAP);
	tcase_add_loop_test(tc, a_grown_mtu_loses_by_the_count, V3, XDP);
	tcase_add_loop_test(tc, a_ring_that_cannot_grow, 0, PCAP);
	tcase_add_loop_test(tc, a_ring_that_cannot_grow, V3, XDP);
	return tc;
}

int main(void)
{
	link_enter_namespace();
	Suite *suite = suite_create("relay");
	suite_add_tcase(suite, all_tests());
	return suite_run(suite);
}
