/*
 * frames.c - building the frames that tests push through the datapath.
 */
#include "tests/frames.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t peer_mac[ECP_MAC_LEN] = {0x02, 0xee, 0, 0, 0, 1};

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	*at++ = (uint8_t)(value >> 8);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *put_header(const struct test_frame *f, uint16_t ethertype, uint8_t *at)
{
	struct ecp_l2addr to;
	if (ecp_l2addr_parse(f->to, &to) < 0)
		abort();
	memcpy(at, to.mac, ECP_MAC_LEN);
	memcpy(at + ECP_MAC_LEN, peer_mac, ECP_MAC_LEN);
	at += 2 * ECP_MAC_LEN;
	for (unsigned i = 0; i < to.n_vlans; i++) {
		at = put16(at, f->tpid[i] ? f->tpid[i] : ECP_TPID_8021Q);
		at = put16(at, to.vlans[i].id);
	}
	return put16(at, ethertype);
}

uint32_t test_frame_build(const struct test_frame *f, uint8_t *out)
{
	struct ecp_addr src, dst;
	if (!f->dst_ip) {
		uint8_t *at = put_header(f, f->ethertype, out);
		if (f->len)
			memcpy(at, f->payload, f->len);
		return (uint32_t)(at - out) + f->len;
	}
	if (ecp_addr_parse(f->dst_ip, &dst) < 0 || ecp_addr_parse(f->src_ip, &src) < 0)
		abort();
	bool v4 = dst.family == 4;
	uint8_t *at = put_header(f, v4 ? ECP_ETHERTYPE_IPV4 : ECP_ETHERTYPE_IPV6, out);
	struct ecp_udp_build udp = {.src = &src, .dst = &dst, .ttl = 64};
	ssize_t n =
	    ecp_udp_build(at, ECP_FRAME_MAX - ECP_ETH_HLEN_MAX, &udp, f->payload, f->len);
	if (n < 0)
		abort();
	return (uint32_t)(at - out) + (uint32_t)n;
}

uint32_t test_frame_strip(uint8_t *frame, uint32_t len, struct ecp_tag *tag)
{
	uint8_t *at = frame + 2 * ECP_MAC_LEN;
	uint16_t tpid = (uint16_t)(at[0] << 8 | at[1]);
	*tag = (struct ecp_tag){0};
	if (!ecp_tpid_known(tpid))
		return len;
	*tag = (struct ecp_tag){true, tpid, (uint16_t)(at[2] << 8 | at[3])};
	memmove(at, at + ECP_TAG_LEN, len - 2 * ECP_MAC_LEN - ECP_TAG_LEN);
	return len - ECP_TAG_LEN;
}
