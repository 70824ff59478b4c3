/*
 * fuzz_frame.c - any bytes as a frame: what the parser says of them holds.
 *
 *   input: 0 or 1 (a tag was handed over beside the bytes), its TPID and TCI, then the frame
 *
 * All offsets lie within the frame; the tag beside the bytes and the tag in its place are the
 * same frame; a checksum that was completed is right; and a datagram built from what was found
 * is found again.
 */
#include "proto/frame.h"
#include "tests/fuzz.h"

/* The frame with its tag in place; the caller frees it. */
static uint8_t *whole_frame(const uint8_t *data, uint32_t len, const struct ecp_tag *tag)
{
	if (!tag->present)
		return fuzz_copy(data, len);
	const uint8_t wire[ECP_TAG_LEN] = {tag->tpid >> 8, tag->tpid & 0xff, tag->tci >> 8,
					   tag->tci & 0xff};
	uint8_t *whole = malloc(len + ECP_TAG_LEN);
	MUST(whole);
	memcpy(whole, data, 2 * ECP_MAC_LEN);
	memcpy(whole + 2 * ECP_MAC_LEN, wire, ECP_TAG_LEN);
	memcpy(whole + 2 * ECP_MAC_LEN + ECP_TAG_LEN, data + 2 * ECP_MAC_LEN,
	       len - 2 * ECP_MAC_LEN);
	return whole;
}

static void check_offsets(const struct ecp_frame *f, uint32_t len)
{
	MUST(f->n_vlans <= ECP_VLANS_MAX);
	MUST(f->l3_off == ECP_ETH_HLEN + f->n_vlans * ECP_TAG_LEN);
	MUST((uint32_t)f->l3_off + f->l3_len <= len);
	MUST(f->ethertype == ECP_ETHERTYPE_LLC ||
	     (f->ethertype >= 0x600 && !ecp_tpid_known(f->ethertype)));
	for (unsigned i = 0; i < ECP_VLANS_MAX; i++)
		MUST(i < f->n_vlans ? f->key.vlan[i] <= ECP_VLAN_ID_MAX
				    : f->key.vlan[i] == ECP_NO_VLAN);
	if (f->ip_version == 4)
		MUST(f->ethertype == ECP_ETHERTYPE_IPV4 && f->l3_len >= 20);
	if (f->ip_version == 6)
		MUST(f->ethertype == ECP_ETHERTYPE_IPV6 && f->l3_len >= 40);
	if (f->l4_off)
		MUST(f->ip_version && f->l4_off >= f->l3_off + 20 &&
		     f->l4_off < f->l3_off + f->l3_len);
	if (f->udp)
		MUST(f->protocol == ECP_IP_PROTO_UDP && f->l4_off &&
		     f->l4_off + ECP_UDP_HLEN <= f->l3_off + f->l3_len);
}

/* The header that an endpoint there would send carries the same tags. */
static void check_header(const struct ecp_frame *f)
{
	uint8_t header[ECP_ETH_HLEN_MAX];
	struct ecp_l2addr addr = {.n_vlans = f->n_vlans};
	struct ecp_frame again;
	memcpy(addr.mac, f->key.mac, ECP_MAC_LEN);
	for (unsigned i = 0; i < f->n_vlans; i++)
		addr.vlans[i] =
		    (struct ecp_vlan){.id = f->key.vlan[i], .tpid = ECP_TPID_8021Q};
	unsigned len = ecp_header_build(&addr, header);
	MUST(len == f->l3_off);
	uint32_t most = ecp_payload_max(1500, addr.vlans, addr.n_vlans);
	MUST(most + len <= 1500 + ECP_ETH_HLEN + ECP_TAG_LEN && most >= 1492);
	MUST(ecp_payload_max(0, addr.vlans, addr.n_vlans) == 0);
	MUST(!memcmp(header + ECP_MAC_LEN, addr.mac, ECP_MAC_LEN));
	memcpy(header, addr.mac, ECP_MAC_LEN);
	MUST(ecp_frame_parse(header, len, NULL, &again) == ECP_FRAME_OK);
	MUST(ecp_key_equal(&again.key, &f->key));
	struct ecp_key key = ecp_key_of(&addr);
	MUST(ecp_key_equal(&key, &f->key));
}

/* Finished, a checksum is right: by the field or by there being none. */
static void check_checksum(uint8_t *whole, const struct ecp_frame *f)
{
	enum ecp_csum before = ecp_l4_checksum_check(whole, f);
	ecp_l4_checksum_complete(whole, f);
	enum ecp_csum after = ecp_l4_checksum_check(whole, f);
	if (before == ECP_CSUM_NONE)
		MUST(after == ECP_CSUM_NONE || (f->udp && after == ECP_CSUM_GOOD));
	else
		MUST(after == ECP_CSUM_GOOD);
}

/* A datagram with this payload between the frame's addresses. */
static void check_udp_build(const struct ecp_frame *f, const uint8_t *whole)
{
	struct ecp_addr src = {.family = f->ip_version, .port = f->src_port};
	struct ecp_addr dst = {.family = f->ip_version, .port = f->dst_port};
	struct ecp_udp_build build = {.src = &src, .dst = &dst, .ttl = 64, .ident = 7};
	uint32_t len = (uint32_t)f->l3_off + f->l3_len - f->l4_off;
	const uint8_t *payload = whole + f->l4_off;
	size_t room = ecp_udp_overhead(f->ip_version) + len;
	uint8_t *frame = malloc(ECP_ETH_HLEN + room);
	struct ecp_frame again;
	MUST(frame);
	memcpy(dst.ip, f->dst_ip, sizeof(dst.ip));
	memset(frame, 0, ECP_ETH_HLEN);
	frame[12] = f->ip_version == 4 ? 0x08 : 0x86;
	frame[13] = f->ip_version == 4 ? 0x00 : 0xdd;
	MUST(ecp_udp_build(frame + ECP_ETH_HLEN, room - 1, &build, payload, len) < 0);
	ssize_t built = ecp_udp_build(frame + ECP_ETH_HLEN, room, &build, payload, len);
	dst.family = 10 - dst.family; /* of 4 and 6 the other one */
	MUST(ecp_udp_build(frame + ECP_ETH_HLEN, room, &build, payload, len) < 0);
	if (room > UINT16_MAX) {
		MUST(built < 0);
		free(frame);
		return;
	}
	MUST(built == (ssize_t)room);
	MUST(ecp_frame_parse(frame, ECP_ETH_HLEN + (uint32_t)room, NULL, &again) ==
	     ECP_FRAME_OK);
	MUST(again.udp && again.src_port == src.port && again.dst_port == dst.port);
	MUST(!memcmp(again.dst_ip, f->dst_ip, sizeof(again.dst_ip)));
	MUST(ecp_l4_checksum_check(frame, &again) == ECP_CSUM_GOOD);
	MUST(!memcmp(frame + again.l4_off + ECP_UDP_HLEN, payload, len));
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct ecp_tag tag = {.present = fuzz_take(&in, 1) & 1};
	struct ecp_frame f, again;
	tag.tpid = (uint16_t)fuzz_take(&in, 2);
	tag.tci = (uint16_t)fuzz_take(&in, 2);
	if (!ecp_tpid_known(tag.tpid))
		tag.tpid = ECP_TPID_8021Q; /* the kernel hands over no other */
	uint8_t *frame = fuzz_copy(in.data, in.size);
	uint32_t len = (uint32_t)in.size;
	enum ecp_frame_verdict verdict = ecp_frame_parse(frame, len, &tag, &f);
	if (len >= ECP_ETH_HLEN) {
		uint32_t whole_len = len + (tag.present ? ECP_TAG_LEN : 0);
		uint8_t *whole = whole_frame(frame, len, &tag);
		MUST(ecp_frame_parse(whole, whole_len, NULL, &again) == verdict);
		MUST(ecp_key_equal(&f.key, &again.key));
		if (verdict == ECP_FRAME_OK) {
			MUST(!memcmp(&f, &again, sizeof(f)));
			check_offsets(&f, whole_len);
			check_header(&f);
			if (f.udp)
				check_udp_build(&f, whole);
			check_checksum(whole, &f);
		}
		free(whole);
	} else {
		MUST(verdict == ECP_FRAME_RUNT);
	}
	free(frame);
	return 0;
}
