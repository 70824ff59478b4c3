/*
 * check_frame.c - parsing and building headers: every rule a row, every length a boundary.
 */
#include "proto/frame.h"
#include "tests/frames.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAC "02:00:00:00:00:01"

/* ---- what is found in a frame ---- */

#define ETH         "\2\0\0\0\0\1\2\0\0\0\0\2"
#define C_TAG(id)   "\x81\0\0" id
#define S_TAG(id)   "\x88\xa8\0" id
#define OLD_TAG(id) "\x91\0\0" id
#define IP4(total, frag, proto)                                                            \
	"\x45\0\0" total "\0\0" frag "\x40" proto "\0\0\x0a\0\0\1\x0a\0\0\2"
#define IP6(len, next)                                                                     \
	"\x60\0\0\0\0" len next "\x40"                                                     \
	"\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define UDP(len)   "\0\x43\0\x44\0" len "\0\0"
#define ROW(bytes) bytes, sizeof(bytes) - 1

static const struct row {
	const char *name, *bytes;
	uint32_t len;
	enum ecp_frame_verdict verdict;
	uint16_t vlan[2], ethertype, l3_off, l3_len, l4_off;
	uint8_t protocol;
	bool udp, fragment;
	struct ecp_tag tag;
} rows[] = {
#define NOVLAN                                                                             \
	{                                                                                  \
		ECP_NO_VLAN, ECP_NO_VLAN                                                   \
	}
    {"no payload", ROW(ETH "\x88\xb5"), 0, NOVLAN, 0x88b5, 14, 0},
    {"ARP",
     ROW(ETH "\x08\x06"
	     "0123456789"),
     0, NOVLAN, 0x0806, 14, 10},
    {"one tag",
     ROW(ETH C_TAG("\x64") "\x08\x06"
			   "0123"),
     0,
     {100, ECP_NO_VLAN},
     0x0806,
     18,
     4},
    {"priority tag",
     ROW(ETH C_TAG("\0") "\x08\x06"
			 "0123"),
     0,
     {0, ECP_NO_VLAN},
     0x0806,
     18,
     4},
    {"PCP and DEI are not the id",
     ROW(ETH "\x81\0\xf0\x64\x08\x06"),
     0,
     {100, ECP_NO_VLAN},
     0x0806,
     18,
     0},
    {"S-tag and C-tag",
     ROW(ETH S_TAG("\xc8") C_TAG("\x64") "\x08\x06"),
     0,
     {200, 100},
     0x0806,
     22,
     0},
    {"old S-tag",
     ROW(ETH OLD_TAG("\xc8") "\x08\x06"),
     0,
     {200, ECP_NO_VLAN},
     0x0806,
     18,
     0},
    {"tag beside the frame",
     ROW(ETH "\x08\x06"
	     "0123"),
     0,
     {200, ECP_NO_VLAN},
     0x0806,
     18,
     4,
     .tag = {true, 0x8100, 200}},
    {"one beside, one in it",
     ROW(ETH C_TAG("\x64") "\x08\x06"),
     0,
     {200, 100},
     0x0806,
     22,
     0,
     .tag = {true, 0x88a8, 0x60c8}},
    {"three tags", ROW(ETH C_TAG("\1") C_TAG("\2") C_TAG("\3") "\x08\x06"),
     ECP_FRAME_VLAN_DEPTH},
    {"one beside, two in it", ROW(ETH C_TAG("\1") C_TAG("\2") "\x08\x06"),
     ECP_FRAME_VLAN_DEPTH, .tag = {true, 0x8100, 3}},
    {"empty", ROW(""), ECP_FRAME_RUNT},
    {"cut in the EtherType", ROW(ETH "\x08"), ECP_FRAME_RUNT},
    {"cut in a tag", ROW(ETH "\x81\0\0"), ECP_FRAME_RUNT},
    {"cut behind a tag", ROW(ETH C_TAG("\x64")), ECP_FRAME_RUNT},
    {"cut behind a tag, by one", ROW(ETH C_TAG("\x64") "\x08"), ECP_FRAME_RUNT},
    {"802.3 length",
     ROW(ETH "\0\3"
	     "\x42\x42\3pad"),
     0, NOVLAN, ECP_ETHERTYPE_LLC, 14, 3},
    {"802.3 length beyond the end",
     ROW(ETH "\0\4"
	     "\x42\x42\3"),
     ECP_FRAME_RUNT},
    {"802.3 length behind a tag",
     ROW(ETH C_TAG("\x64") "\0\1"
			   "\x42"),
     0,
     {100, ECP_NO_VLAN},
     ECP_ETHERTYPE_LLC,
     18,
     1},
    {"UDP", ROW(ETH "\x08\0" IP4("\x1e", "\x40\0", "\x11") UDP("\x0a") "hi"), 0, NOVLAN,
     0x0800, 14, 30, 34, 17, true},
    {"UDP, padded",
     ROW(ETH "\x08\0" IP4("\x1e", "\x40\0", "\x11") UDP("\x0a") "hi"
								"padding"),
     0, NOVLAN, 0x0800, 14, 30, 34, 17, true},
    {"UDP, no payload", ROW(ETH "\x08\0" IP4("\x1c", "\x40\0", "\x11") UDP("\x08")), 0,
     NOVLAN, 0x0800, 14, 28, 34, 17, true},
    {"UDP shorter than the packet",
     ROW(ETH "\x08\0" IP4("\x1e", "\0\0", "\x11") UDP("\x08") "hi"), 0, NOVLAN, 0x0800, 14,
     30, 34, 17, true},
    {"UDP behind options",
     ROW(ETH "\x08\0"
	     "\x46\0\0\x20\0\0\0\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2"
	     "\1\1\1\1" UDP("\x08")),
     0, NOVLAN, 0x0800, 14, 32, 38, 17, true},
    {"ICMP", ROW(ETH "\x08\0" IP4("\x15", "\0\0", "\1") "\x08"), 0, NOVLAN, 0x0800, 14, 21,
     34, 1},
    {"IP header alone", ROW(ETH "\x08\0" IP4("\x14", "\0\0", "\6")), 0, NOVLAN, 0x0800, 14,
     20, 0, 6},
    {"first fragment", ROW(ETH "\x08\0" IP4("\x1e", "\x20\0", "\x11") UDP("\xff") "hi"), 0,
     NOVLAN, 0x0800, 14, 30, 34, 17, true, true},
    {"first fragment, ports cut", ROW(ETH "\x08\0" IP4("\x16", "\x20\0", "\x11") "\0\x43"),
     0, NOVLAN, 0x0800, 14, 22, 34, 17, false, true},
    {"later fragment", ROW(ETH "\x08\0" IP4("\x16", "\0\1", "\x11") "hi"), 0, NOVLAN,
     0x0800, 14, 22, 0, 17, false, true},
    {"IPv4 header cut",
     ROW(ETH "\x08\0"
	     "\x45\0\0\x14"),
     ECP_FRAME_BAD_IP},
    {"no IPv4 header", ROW(ETH "\x08\0"), ECP_FRAME_BAD_IP},
    {"version 6 as IPv4",
     ROW(ETH "\x08\0"
	     "\x65\0\0\x14\0\0\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"),
     ECP_FRAME_BAD_IP},
    {"IHL 4",
     ROW(ETH "\x08\0"
	     "\x44\0\0\x14\0\0\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"),
     ECP_FRAME_BAD_IP},
    {"IHL beyond the total",
     ROW(ETH "\x08\0"
	     "\x46\0\0\x14\0\0\0\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2"
	     "\1\1\1\1"),
     ECP_FRAME_BAD_IP},
    {"total beyond the frame", ROW(ETH "\x08\0" IP4("\x15", "\0\0", "\6")),
     ECP_FRAME_BAD_IP},
    {"total under the header", ROW(ETH "\x08\0" IP4("\x13", "\0\0", "\6")),
     ECP_FRAME_BAD_IP},
    {"UDP header cut", ROW(ETH "\x08\0" IP4("\x1b", "\0\0", "\x11") "\0\x43\0\x44\0\x08\0"),
     ECP_FRAME_BAD_UDP},
    {"no UDP header", ROW(ETH "\x08\0" IP4("\x14", "\0\0", "\x11")), ECP_FRAME_BAD_UDP},
    {"UDP length 7", ROW(ETH "\x08\0" IP4("\x1c", "\0\0", "\x11") UDP("\7")),
     ECP_FRAME_BAD_UDP},
    {"UDP length beyond the packet",
     ROW(ETH "\x08\0" IP4("\x1c", "\0\0", "\x11") UDP("\x09") "x"), ECP_FRAME_BAD_UDP},
    {"IPv6 UDP",
     ROW(ETH "\x86\xdd" IP6("\x0a", "\x11") UDP("\x0a") "hi"
							"pad"),
     0, NOVLAN, 0x86dd, 14, 50, 54, 17, true},
    {"IPv6 no next header", ROW(ETH "\x86\xdd" IP6("\0", "\x3b")), 0, NOVLAN, 0x86dd, 14,
     40, 0, 59},
    {"IPv6 hop-by-hop, UDP",
     ROW(ETH "\x86\xdd" IP6("\x10", "\0") "\x11\0\1\4\0\0\0\0" UDP("\x08")), 0, NOVLAN,
     0x86dd, 14, 56, 62, 17, true},
    {"IPv6 three extensions, UDP",
     ROW(ETH "\x86\xdd" IP6("\x28", "\0") "\x2b\0\1\4\0\0\0\0"
					  "\x3c\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
					  "\x11\0\1\4\0\0\0\0" UDP("\x08")),
     0, NOVLAN, 0x86dd, 14, 80, 86, 17, true},
    {"IPv6 AH, UDP",
     ROW(ETH "\x86\xdd" IP6("\x14", "\x33") "\x11\1\0\0\0\0\0\0\0\0\0\0" UDP("\x08")), 0,
     NOVLAN, 0x86dd, 14, 60, 66, 17, true},
    {"IPv6 first fragment",
     ROW(ETH "\x86\xdd" IP6("\x10", "\x2c") "\x11\0\0\1\0\0\0\0" UDP("\xff")), 0, NOVLAN,
     0x86dd, 14, 56, 62, 17, true, true},
    {"IPv6 later fragment",
     ROW(ETH "\x86\xdd" IP6("\x0a", "\x2c") "\x11\0\0\x08\0\0\0\0"
					    "hi"),
     0, NOVLAN, 0x86dd, 14, 50, 0, 17, false, true},
    {"IPv6 atomic fragment",
     ROW(ETH "\x86\xdd" IP6("\x10", "\x2c") "\x11\0\0\0\0\0\0\0" UDP("\x08")), 0, NOVLAN,
     0x86dd, 14, 56, 62, 17, true},
    {"IPv6 extension cut", ROW(ETH "\x86\xdd" IP6("\7", "\0") "\x11\0\1\4\0\0\0"),
     ECP_FRAME_BAD_IP},
    {"IPv6 extension beyond the packet",
     ROW(ETH "\x86\xdd" IP6("\x08", "\0") "\x11\1\1\4\0\0\0\0"
					  "12345678"),
     ECP_FRAME_BAD_IP},
    {"IPv6 extension missing", ROW(ETH "\x86\xdd" IP6("\0", "\x2b")), ECP_FRAME_BAD_IP},
    {"IPv6 jumbogram", ROW(ETH "\x86\xdd" IP6("\0", "\0") "\x11\0\xc2\4\0\1\0\0"),
     ECP_FRAME_BAD_IP},
    {"IPv6 header cut",
     ROW(ETH "\x86\xdd"
	     "\x60\0\0\0"),
     ECP_FRAME_BAD_IP},
    {"IPv6 payload beyond the frame", ROW(ETH "\x86\xdd" IP6("\1", "\6")),
     ECP_FRAME_BAD_IP},
    {"version 4 as IPv6",
     ROW(ETH "\x86\xdd"
	     "\x45\0\0\0\0\0\x3b\0"
	     "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2"),
     ECP_FRAME_BAD_IP},
    {"IPv6 UDP length lies", ROW(ETH "\x86\xdd" IP6("\x08", "\x11") UDP("\x09")),
     ECP_FRAME_BAD_UDP},
};

#define N_ROWS (int)(sizeof(rows) / sizeof(*rows))

/* A copy that ends where the frame ends, so that the sanitizer sees every overrun. */
static uint8_t *exact(const void *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, bytes, len);
	return copy;
}

START_TEST(test_row)
{
	const struct row *r = &rows[_i];
	struct ecp_frame f;
	uint8_t *bytes = exact(r->bytes, r->len);
	enum ecp_frame_verdict verdict = ecp_frame_parse(bytes, r->len, &r->tag, &f);
	free(bytes);
	ck_assert_msg(verdict == r->verdict, "%s: verdict %d", r->name, verdict);
	if (verdict != ECP_FRAME_OK)
		return;
	ck_assert_msg(f.key.vlan[0] == r->vlan[0] && f.key.vlan[1] == r->vlan[1],
		      "%s: VLANs %u %u", r->name, f.key.vlan[0], f.key.vlan[1]);
	ck_assert_msg(f.ethertype == r->ethertype, "%s: EtherType %x", r->name,
		      f.ethertype);
	ck_assert_msg(f.l3_off == r->l3_off, "%s: l3_off %u", r->name, f.l3_off);
	ck_assert_msg(f.l3_len == r->l3_len, "%s: l3_len %u", r->name, f.l3_len);
	ck_assert_msg(f.l4_off == r->l4_off, "%s: l4_off %u", r->name, f.l4_off);
	ck_assert_msg(f.protocol == r->protocol, "%s: protocol %u", r->name, f.protocol);
	ck_assert_msg(f.udp == r->udp, "%s: udp", r->name);
	ck_assert_msg(f.fragment == r->fragment, "%s: fragment", r->name);
	if (r->udp)
		ck_assert_msg(f.src_port == 0x43 && f.dst_port == 0x44, "%s: ports",
			      r->name);
	ck_assert_mem_eq(f.key.mac, "\2\0\0\0\0\1", 6);
}
END_TEST

/* What the parser promises to whoever believes its offsets. */
static void check_offsets(const struct ecp_frame *f, uint32_t whole, const char *name)
{
	ck_assert_msg(f->l3_off + f->l3_len <= whole, "%s: l3 beyond %u", name, whole);
	ck_assert_msg(f->l4_off <= f->l3_off + f->l3_len, "%s: l4 beyond l3", name);
	if (f->udp)
		ck_assert_msg(f->l4_off + 8 <= f->l3_off + f->l3_len, "%s: UDP header",
			      name);
}

START_TEST(test_every_prefix)
{
	const struct row *r = &rows[_i];
	struct ecp_frame f;
	for (uint32_t len = 0; len < r->len; len++) {
		uint8_t *bytes = exact(r->bytes, len);
		if (ecp_frame_parse(bytes, len, &r->tag, &f) == ECP_FRAME_OK)
			check_offsets(&f, len + (r->tag.present ? 4 : 0), r->name);
		free(bytes);
	}
}
END_TEST

/* Good frames with a few bytes changed, and sheer noise: no verdict may be a wrong promise. */
START_TEST(test_noise)
{
	struct ecp_frame f;
	unsigned verdicts[5] = {0};
	srand(11);
	for (unsigned n = 0; n < 300000; n++) {
		const struct row *r = &rows[rand() % N_ROWS];
		uint8_t *bytes = exact(r->bytes, r->len);
		for (int k = rand() % 4; k > 0 && r->len; k--)
			bytes[rand() % (int)r->len] = (uint8_t)rand();
		enum ecp_frame_verdict v = ecp_frame_parse(bytes, r->len, &r->tag, &f);
		verdicts[v]++;
		if (v == ECP_FRAME_OK) {
			if (f.l3_off + f.l3_len > r->len + 4 || (f.udp && !f.l4_off))
				check_offsets(&f, r->len + (r->tag.present ? 4 : 0),
					      r->name);
			if (!r->tag.present)
				ecp_l4_checksum_complete(bytes, &f);
		}
		free(bytes);
	}
	for (unsigned v = 0; v < 5; v++)
		ck_assert_uint_gt(verdicts[v], 100); /* every one of them was met */
}
END_TEST

/* ---- building ---- */

START_TEST(test_header_build)
{
	static const struct {
		struct ecp_l2addr addr;
		const char *bytes;
		unsigned len;
	} headers[] = {
	    {{{2, 0, 0, 0, 0, 1}, 0, {{0}}}, "\0\0\0\0\0\0\2\0\0\0\0\1\0\0", 14},
	    {{{2, 0, 0, 0, 0, 1}, 1, {{100, 0x8100, 5, 1}}},
	     "\0\0\0\0\0\0\2\0\0\0\0\1\x81\0\xb0\x64\0\0",
	     18},
	    {{{2, 0, 0, 0, 0, 1}, 2, {{4095, 0x88a8, 0, 0}, {0, 0x8100, 7, 0}}},
	     "\0\0\0\0\0\0\2\0\0\0\0\1\x88\xa8\x0f\xff\x81\0\xe0\0\0\0",
	     22},
	};
	uint8_t out[ECP_ETH_HLEN_MAX];
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		ck_assert_uint_eq(ecp_header_build(&headers[i].addr, out), headers[i].len);
		struct ecp_l2addr back;
		ecp_header_addr(out, headers[i].len, &back);
		ck_assert_mem_eq(&back, &headers[i].addr, sizeof(back));
		ck_assert_mem_eq(out, headers[i].bytes, headers[i].len);
	}
}
END_TEST

/* As the kernel lets them pass, measured: see frame.c. */
START_TEST(test_payload_max)
{
	static const struct ecp_vlan c = {1, 0x8100, 0, 0}, s = {1, 0x88a8, 0, 0};
	const struct ecp_vlan cc[] = {c, c}, sc[] = {s, c};
	ck_assert_uint_eq(ecp_payload_max(1500, NULL, 0), 1500);
	ck_assert_uint_eq(ecp_payload_max(1500, cc, 1), 1500);
	ck_assert_uint_eq(ecp_payload_max(1500, cc, 2), 1496);
	ck_assert_uint_eq(ecp_payload_max(1500, sc, 1), 1496);
	ck_assert_uint_eq(ecp_payload_max(1500, sc, 2), 1492);
	ck_assert_uint_eq(ecp_payload_max(1504, cc, 2), 1500);
	ck_assert_uint_eq(ecp_payload_max(9000, cc, 1), 9000);
}
END_TEST

/* RFC 1071 as its text says it, two bytes at a time. */
static uint16_t naive_sum(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	if (len % 2)
		sum += (uint32_t)(at[len - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Over pseudo-header and segment of a frame: 0xffff where the checksum in it is right. */
static uint16_t naive_l4(const uint8_t *frame, const struct ecp_frame *f, uint32_t len)
{
	const uint8_t *ip = frame + f->l3_off;
	uint32_t sum =
	    f->ip_version == 4 ? naive_sum(ip + 12, 8, 0) : naive_sum(ip + 8, 32, 0);
	return naive_sum(frame + f->l4_off, len, sum + f->protocol + len);
}

static const char *const sources[] = {"10.0.0.1:67", "[fd00::1]:547"};
static const char *const destinations[] = {"10.0.0.2:68", "[fd00::2]:546"};

START_TEST(test_udp_build_lengths)
{
	uint8_t payload[70], frame[ECP_FRAME_MAX];
	struct ecp_frame f;
	srand(5);
	for (uint32_t len = 0; len <= sizeof(payload); len++) {
		for (uint32_t i = 0; i < len; i++)
			payload[i] = (uint8_t)rand();
		struct test_frame t = {.to = MAC "|100",
				       .src_ip = sources[_i],
				       .dst_ip = destinations[_i],
				       .payload = payload,
				       .len = len};
		uint32_t n = test_frame_build(&t, frame);
		ck_assert_int_eq(ecp_frame_parse(frame, n, NULL, &f), ECP_FRAME_OK);
		ck_assert(f.udp);
		ck_assert_uint_eq(f.l3_off + f.l3_len, n);
		ck_assert_uint_eq(naive_l4(frame, &f, 8 + len), 0xffff);
		ck_assert_int_eq(ecp_l4_checksum_check(frame, &f), ECP_CSUM_GOOD);
		ck_assert_mem_eq(frame + n - len, payload, len);
		if (f.ip_version == 4)
			ck_assert_uint_eq(naive_sum(frame + f.l3_off, 20, 0), 0xffff);
		if (!len)
			continue;
		frame[n - 1] ^= 1;
		ck_assert_int_eq(ecp_l4_checksum_check(frame, &f), ECP_CSUM_BAD);
	}
}
END_TEST

/* RFC 768: a sum of zero is sent as all ones, for zero means "none". */
START_TEST(test_zero_sum_is_sent_as_ones)
{
	struct ecp_addr src, dst;
	uint8_t packet[100];
	unsigned met = 0;
	ecp_addr_parse(sources[_i], &src);
	ecp_addr_parse(destinations[_i], &dst);
	struct ecp_udp_build b = {.src = &src, .dst = &dst, .ttl = 1};
	for (unsigned n = 0; n < 0x10000; n++) {
		uint8_t payload[2] = {(uint8_t)(n >> 8), (uint8_t)n};
		ssize_t len = ecp_udp_build(packet, sizeof(packet), &b, payload, 2);
		const uint8_t *sum = packet + len - 4;
		ck_assert(sum[0] || sum[1]);
		met += sum[0] == 0xff && sum[1] == 0xff;
	}
	ck_assert_uint_ge(met, 1);
}
END_TEST

START_TEST(test_udp_build_limits)
{
	static uint8_t packet[70000], payload[70000];
	struct ecp_addr v4, v6, none = {.family = 0};
	ecp_addr_parse("10.0.0.1:1", &v4);
	ecp_addr_parse("[::1]:1", &v6);
	struct ecp_udp_build b = {.src = &v4, .dst = &v4};
	ck_assert_int_eq(ecp_udp_build(packet, 28, &b, payload, 0), 28);
	ck_assert_int_eq(ecp_udp_build(packet, 27, &b, payload, 0), -EMSGSIZE);
	ck_assert_int_eq(ecp_udp_build(packet, 100, &b, payload, 73), -EMSGSIZE);
	ck_assert_int_eq(ecp_udp_build(packet, sizeof(packet), &b, payload, 65507), 65535);
	ck_assert_int_eq(ecp_udp_build(packet, sizeof(packet), &b, payload, 65508),
			 -EMSGSIZE);
	ck_assert_int_eq(ecp_udp_build(packet, sizeof(packet), &b, payload, SIZE_MAX),
			 -EMSGSIZE);
	b.dst = &v6;
	ck_assert_int_eq(ecp_udp_build(packet, 100, &b, payload, 1), -EAFNOSUPPORT);
	b.src = b.dst = &none;
	ck_assert_int_eq(ecp_udp_build(packet, 100, &b, payload, 1), -EAFNOSUPPORT);
}
END_TEST

/* One IPv4 datagram, byte for byte (its sums worked out by hand: 0x141e + 0x68fa, complemented). */
START_TEST(test_udp_build_golden)
{
	static const uint8_t golden[] = {
	    0x45, 0x10, 0, 30, 0x12, 0x34, 0x40, 0, 9,  17, 0x4b, 0x89, 10,   0,   0,
	    1,    10,   0, 0,  2,    0,    67,   0, 68, 0,  10,   0x82, 0xe7, 'h', 'i'};
	struct ecp_addr src, dst;
	uint8_t packet[64];
	ecp_addr_parse(sources[0], &src);
	ecp_addr_parse(destinations[0], &dst);
	struct ecp_udp_build b = {
	    .src = &src, .dst = &dst, .ttl = 9, .tclass = 0x10, .ident = 0x1234};
	ck_assert_int_eq(ecp_udp_build(packet, sizeof(packet), &b, "hi", 2), 30);
	ck_assert_mem_eq(packet, golden, sizeof(golden));
}
END_TEST

/* ---- unfinished checksums ---- */

/* A TCP or UDP frame over either IP whose checksum holds the pseudo-header's sum alone. */
static uint32_t partial_frame(uint8_t *frame, bool v6, bool tcp, uint32_t payload,
			      struct ecp_frame *f)
{
	static uint8_t segment[200];
	uint32_t head = tcp ? 20 : 8, len = head + payload;
	uint8_t *ip = frame + 14, *l4 = ip + (v6 ? 40 : 20);
	memset(frame, 0, 14 + 40 + len);
	memcpy(frame, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	memcpy(frame + 12, v6 ? "\x86\xdd" : "\x08\0", 2);
	memcpy(ip, v6 ? "\x60" : "\x45", 1);
	ip[v6 ? 5 : 3] = (uint8_t)(v6 ? len : 20 + len);
	ip[v6 ? 6 : 9] = tcp ? 6 : 17;
	for (unsigned i = 0; i < (v6 ? 32u : 8u); i++)
		ip[(v6 ? 8 : 12) + i] = (uint8_t)rand();
	for (uint32_t i = 0; i < len; i++)
		l4[i] = segment[i] = (uint8_t)rand();
	if (!tcp) {
		l4[4] = 0;
		l4[5] = (uint8_t)len;
	}
	uint8_t *field = l4 + (tcp ? 16 : 6);
	field[0] = field[1] = 0;
	f->l3_off = 14;
	f->l4_off = (uint16_t)(l4 - frame);
	f->ip_version = v6 ? 6 : 4;
	f->protocol = tcp ? 6 : 17;
	uint16_t sum = naive_l4(frame, f, 0);
	uint32_t pseudo = (uint32_t)sum + len;
	pseudo = (pseudo & 0xffff) + (pseudo >> 16);
	field[0] = (uint8_t)(pseudo >> 8);
	field[1] = (uint8_t)pseudo;
	return (uint32_t)(l4 - frame) + len;
}

START_TEST(test_checksum_is_completed)
{
	bool v6 = _i & 1, tcp = _i & 2;
	uint8_t frame[300];
	struct ecp_frame f;
	srand(9);
	for (uint32_t payload = 0; payload <= 64; payload++) {
		uint32_t len = partial_frame(frame, v6, tcp, payload, &f);
		ck_assert_int_eq(ecp_frame_parse(frame, len, NULL, &f), ECP_FRAME_OK);
		ck_assert_int_eq(ecp_l4_checksum_check(frame, &f), ECP_CSUM_PARTIAL);
		ecp_l4_checksum_complete(frame, &f);
		ck_assert_int_eq(ecp_l4_checksum_check(frame, &f), ECP_CSUM_GOOD);
		ck_assert_uint_eq(naive_l4(frame, &f, (tcp ? 20 : 8) + payload), 0xffff);
	}
}
END_TEST

START_TEST(test_nothing_to_check)
{
	struct ecp_frame f;
	uint8_t frame[ECP_FRAME_MAX];
	struct test_frame t = {.to = MAC, .src_ip = sources[0], .dst_ip = destinations[0]};
	uint32_t len = test_frame_build(&t, frame);
	ecp_frame_parse(frame, len, NULL, &f);
	frame[40] = frame[41] = 0;
	ck_assert_int_eq(ecp_l4_checksum_check(frame, &f),
			 ECP_CSUM_NONE); /* IPv4: allowed */
	t.src_ip = sources[1];
	t.dst_ip = destinations[1];
	len = test_frame_build(&t, frame);
	ecp_frame_parse(frame, len, NULL, &f);
	frame[60] = frame[61] = 0;
	ck_assert_int_eq(ecp_l4_checksum_check(frame, &f),
			 ECP_CSUM_BAD); /* IPv6: RFC 8200 8.1 */
	f.fragment = true;
	ck_assert_int_eq(ecp_l4_checksum_check(frame, &f), ECP_CSUM_NONE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("frame");
	TCase *tc = tcase_create("frame");
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, test_row, 0, N_ROWS);
	tcase_add_loop_test(tc, test_every_prefix, 0, N_ROWS);
	tcase_add_test(tc, test_noise);
	tcase_add_test(tc, test_header_build);
	tcase_add_test(tc, test_payload_max);
	tcase_add_loop_test(tc, test_udp_build_lengths, 0, 2);
	tcase_add_loop_test(tc, test_zero_sum_is_sent_as_ones, 0, 2);
	tcase_add_test(tc, test_udp_build_limits);
	tcase_add_test(tc, test_udp_build_golden);
	tcase_add_loop_test(tc, test_checksum_is_completed, 0, 4);
	tcase_add_test(tc, test_nothing_to_check);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
