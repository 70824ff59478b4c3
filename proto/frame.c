/*
 * frame.c - parsing and building headers.
 *
 * ecp_frame_parse() reads one header after the other through a cursor that knows where the
 * bytes end; every step either fits or ends the parse with the reason.  Offsets count in the
 * whole frame, so where a tag was handed over beside the bytes `shift` is its length.
 */
#include "proto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define MACS_LEN    (2 * ECP_MAC_LEN)
#define TYPE_MIN    0x600 /* below: an 802.3 length */
#define IPV4_HLEN   20
#define IPV6_HLEN   40
#define IPV4_MF     0x2000
#define IPV4_DF     0x4000
#define IPV4_OFFSET 0x1fff

/* IPv6 extension headers (RFC 8200, 4; RFC 4302). */
enum {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_AH = 51,
	EXT_NONE = 59,
	EXT_DESTINATION = 60,
};

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* ---- parse ---- */

/* Layer 3: bytes [0, len) at data, which begin at off in the whole frame. */
struct l3 {
	const uint8_t *data;
	uint32_t len, off;
};

/* A UDP header at `at`, `len` bytes of IP payload from there on. */
static enum ecp_frame_verdict parse_udp(const uint8_t *at, uint32_t len,
					struct ecp_frame *f)
{
	if (len < ECP_UDP_HLEN)
		return f->fragment ? ECP_FRAME_OK : ECP_FRAME_BAD_UDP;
	uint32_t udp_len = get16(at + 4);
	/* of a first fragment the length speaks of the whole datagram */
	if (udp_len < ECP_UDP_HLEN || (udp_len > len && !f->fragment))
		return ECP_FRAME_BAD_UDP;
	f->udp = true;
	f->src_port = get16(at);
	f->dst_port = get16(at + 2);
	return ECP_FRAME_OK;
}

/* What stands behind the IP headers, at offset at in layer 3. */
static enum ecp_frame_verdict parse_l4(const struct l3 *l3, uint32_t at,
				       struct ecp_frame *f)
{
	uint32_t len = f->l3_len - at;
	if (len == 0)
		return f->protocol == ECP_IP_PROTO_UDP && !f->fragment ? ECP_FRAME_BAD_UDP
								       : ECP_FRAME_OK;
	f->l4_off = (uint16_t)(l3->off + at);
	if (f->protocol != ECP_IP_PROTO_UDP)
		return ECP_FRAME_OK;
	return parse_udp(l3->data + at, len, f);
}

static enum ecp_frame_verdict parse_ipv4(const struct l3 *l3, struct ecp_frame *f)
{
	const uint8_t *ip = l3->data;
	if (l3->len < IPV4_HLEN || ip[0] >> 4 != 4)
		return ECP_FRAME_BAD_IP;
	uint32_t header = (ip[0] & 15) * 4u, total = get16(ip + 2);
	if (header < IPV4_HLEN || total < header || total > l3->len)
		return ECP_FRAME_BAD_IP;
	f->ip_version = 4;
	f->l3_len = (uint16_t)total;
	f->protocol = ip[9];
	memcpy(f->dst_ip, ip + 16, 4);
	uint16_t fragment = get16(ip + 6);
	f->fragment = fragment & (IPV4_MF | IPV4_OFFSET);
	if (fragment & IPV4_OFFSET)
		return ECP_FRAME_OK;
	return parse_l4(l3, header, f);
}

/* Length of an extension header, or 0 if protocol is none; at least 8 bytes are there. */
static uint32_t ext_len(uint8_t protocol, const uint8_t *at)
{
	switch (protocol) {
	case EXT_HOP_BY_HOP:
	case EXT_ROUTING:
	case EXT_DESTINATION:
		return 8 + at[1] * 8u;
	case EXT_AH:
		return 8 + at[1] * 4u;
	case EXT_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static bool ext_is_one(uint8_t protocol)
{
	return protocol == EXT_HOP_BY_HOP || protocol == EXT_ROUTING ||
	       protocol == EXT_DESTINATION || protocol == EXT_AH ||
	       protocol == EXT_FRAGMENT;
}

static enum ecp_frame_verdict parse_ipv6(const struct l3 *l3, struct ecp_frame *f)
{
	const uint8_t *ip = l3->data;
	if (l3->len < IPV6_HLEN || ip[0] >> 4 != 6)
		return ECP_FRAME_BAD_IP;
	uint32_t total = IPV6_HLEN + get16(ip + 4), at = IPV6_HLEN;
	if (total > l3->len)
		return ECP_FRAME_BAD_IP;
	f->ip_version = 6;
	f->l3_len = (uint16_t)total;
	f->protocol = ip[6];
	memcpy(f->dst_ip, ip + 24, 16);
	/* RFC 2675: a jumbogram says 0 here, and no Ethernet frame can hold one */
	if (total == IPV6_HLEN && f->protocol == EXT_HOP_BY_HOP)
		return ECP_FRAME_BAD_IP;
	while (ext_is_one(f->protocol)) {
		if (total - at < 8)
			return ECP_FRAME_BAD_IP;
		uint32_t len = ext_len(f->protocol, ip + at);
		if (len > total - at)
			return ECP_FRAME_BAD_IP;
		bool fragment = f->protocol == EXT_FRAGMENT;
		uint16_t where = get16(ip + at + 2);
		f->protocol = ip[at];
		at += len;
		if (!fragment)
			continue;
		f->fragment = where & 0xfff9; /* offset, more; RFC 6946: neither is whole */
		if (where & 0xfff8)
			return ECP_FRAME_OK;
	}
	return f->protocol == EXT_NONE ? ECP_FRAME_OK : parse_l4(l3, at, f);
}

/* Take the tags off; *at ends at the innermost EtherType. */
static enum ecp_frame_verdict parse_tags(const uint8_t *data, uint32_t len,
					 const struct ecp_tag *tag, uint32_t *at,
					 struct ecp_frame *f)
{
	f->key.vlan[0] = f->key.vlan[1] = ECP_NO_VLAN;
	if (tag && tag->present)
		f->key.vlan[f->n_vlans++] = tag->tci & ECP_VLAN_ID_MAX;
	for (*at = MACS_LEN;; *at += ECP_TAG_LEN) {
		if (len - *at < 2)
			return ECP_FRAME_RUNT;
		f->ethertype = get16(data + *at);
		if (!ecp_tpid_known(f->ethertype))
			return ECP_FRAME_OK;
		if (f->n_vlans == ECP_VLANS_MAX)
			return ECP_FRAME_VLAN_DEPTH;
		if (len - *at < ECP_TAG_LEN)
			return ECP_FRAME_RUNT;
		f->key.vlan[f->n_vlans++] = get16(data + *at + 2) & ECP_VLAN_ID_MAX;
	}
}

enum ecp_frame_verdict ecp_frame_parse(const uint8_t *data, uint32_t len,
				       const struct ecp_tag *tag, struct ecp_frame *f)
{
	memset(f, 0, sizeof(*f));
	if (len < ECP_ETH_HLEN)
		return ECP_FRAME_RUNT;
	memcpy(f->key.mac, data, ECP_MAC_LEN);
	f->multicast = ecp_mac_is_multicast(data);
	uint32_t at;
	enum ecp_frame_verdict verdict = parse_tags(data, len, tag, &at, f);
	if (verdict != ECP_FRAME_OK)
		return verdict;
	at += 2;
	struct l3 l3 = {.data = data + at, .len = len - at};
	l3.off = at + (tag && tag->present ? ECP_TAG_LEN : 0);
	if (l3.len > UINT16_MAX)
		return ECP_FRAME_RUNT;
	f->l3_off = (uint16_t)l3.off;
	f->l3_len = (uint16_t)l3.len;
	if (f->ethertype == ECP_ETHERTYPE_IPV4)
		return parse_ipv4(&l3, f);
	if (f->ethertype == ECP_ETHERTYPE_IPV6)
		return parse_ipv6(&l3, f);
	if (f->ethertype >= TYPE_MIN)
		return ECP_FRAME_OK;
	if (f->ethertype > l3.len)
		return ECP_FRAME_RUNT;
	f->l3_len = f->ethertype;
	f->ethertype = ECP_ETHERTYPE_LLC;
	return ECP_FRAME_OK;
}

/* ---- build ---- */

unsigned ecp_header_build(const struct ecp_l2addr *addr,
			  uint8_t header[static ECP_ETH_HLEN_MAX])
{
	uint8_t *at = header + MACS_LEN;
	memset(header, 0, ECP_ETH_HLEN_MAX);
	memcpy(header + ECP_MAC_LEN, addr->mac, ECP_MAC_LEN);
	for (unsigned i = 0; i < addr->n_vlans; i++, at += ECP_TAG_LEN) {
		const struct ecp_vlan *v = &addr->vlans[i];
		put16(at, v->tpid);
		put16(at + 2, (uint32_t)(v->pcp << 13 | v->dei << 12 | v->id));
	}
	return (unsigned)(at + 2 - header);
}

void ecp_header_addr(const uint8_t *header, unsigned len, struct ecp_l2addr *ret)
{
	const uint8_t *at = header + MACS_LEN, *end = header + len - 2;
	*ret = (struct ecp_l2addr){.n_vlans = 0};
	memcpy(ret->mac, header + ECP_MAC_LEN, ECP_MAC_LEN);
	for (; at < end; at += ECP_TAG_LEN) {
		uint16_t tci = get16(at + 2);
		ret->vlans[ret->n_vlans++] = (struct ecp_vlan){
		    .id = tci & ECP_VLAN_ID_MAX,
		    .tpid = get16(at),
		    .pcp = (uint8_t)(tci >> 13),
		    .dei = tci >> 12 & 1,
		};
	}
}

/*
 * The kernel lets a frame leave that is MTU + 14 bytes long, and 4 more if an 802.1Q tag
 * stands right behind the MACs (packet_snd() in net/packet/af_packet.c); other tags get none.
 */
uint32_t ecp_payload_max(uint32_t mtu, const struct ecp_vlan *vlans, unsigned n_vlans)
{
	uint32_t frame = mtu + ECP_ETH_HLEN;
	uint32_t header = ECP_ETH_HLEN + n_vlans * ECP_TAG_LEN;
	if (n_vlans && vlans[0].tpid == ECP_TPID_8021Q)
		frame += ECP_TAG_LEN;
	return frame > header ? frame - header : 0;
}

/* ---- checksums ---- */

uint64_t ecp_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *at = data;
	for (; len >= 8; len -= 8, at += 8) {
		uint64_t word;
		memcpy(&word, at, 8);
		/* end-around carry: the sum is one's complement at any width */
		sum += word;
		sum += sum < word;
	}
	for (; len >= 2; len -= 2, at += 2) {
		uint16_t word;
		memcpy(&word, at, 2);
		sum += word;
		sum += sum < word;
	}
	if (len) {
		uint16_t word = 0;
		memcpy(&word, at, 1); /* RFC 1071: padded with a zero byte behind */
		sum += word;
		sum += sum < word;
	}
	return sum;
}

static uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint16_t ecp_sum_fold(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

/* Pseudo-header (RFC 768, RFC 8200 8.1) over the addresses as they stand in an IP header. */
static uint64_t sum_pseudo(const uint8_t *ip, uint8_t version, uint8_t protocol,
			   uint32_t l4_len)
{
	uint64_t sum = version == 4 ? ecp_sum(ip + 12, 8, 0) : ecp_sum(ip + 8, 32, 0);
	return sum + htons(protocol) + htons((uint16_t)l4_len);
}

/* ---- UDP ---- */

static void put_ipv4(uint8_t *ip, const struct ecp_udp_build *b, uint32_t total)
{
	memset(ip, 0, IPV4_HLEN);
	ip[0] = 0x45;
	ip[1] = b->tclass;
	put16(ip + 2, total);
	put16(ip + 4, b->ident);
	put16(ip + 6, IPV4_DF);
	ip[8] = b->ttl;
	ip[9] = ECP_IP_PROTO_UDP;
	memcpy(ip + 12, b->src->ip, 4);
	memcpy(ip + 16, b->dst->ip, 4);
	uint16_t sum = ecp_sum_fold(ecp_sum(ip, IPV4_HLEN, 0));
	memcpy(ip + 10, &sum, 2);
}

static void put_ipv6(uint8_t *ip, const struct ecp_udp_build *b, uint32_t payload)
{
	put16(ip, 0x6000u | (uint32_t)(b->tclass << 4));
	put16(ip + 2, 0);
	put16(ip + 4, payload);
	ip[6] = ECP_IP_PROTO_UDP;
	ip[7] = b->ttl;
	memcpy(ip + 8, b->src->ip, 16);
	memcpy(ip + 24, b->dst->ip, 16);
}

ssize_t ecp_udp_build(uint8_t *out, size_t room, const struct ecp_udp_build *b,
		      const void *payload, size_t len)
{
	uint8_t family = b->src->family;
	size_t header = ecp_udp_overhead(family), udp_len = ECP_UDP_HLEN + len;
	if (family != b->dst->family || (family != 4 && family != 6))
		return -EAFNOSUPPORT;
	if (len > room || header > room - len || header + len > UINT16_MAX)
		return -EMSGSIZE;
	uint8_t *udp = out + header - ECP_UDP_HLEN;
	if (family == 4)
		put_ipv4(out, b, (uint32_t)(header + len));
	else
		put_ipv6(out, b, (uint32_t)udp_len);
	put16(udp, b->src->port);
	put16(udp + 2, b->dst->port);
	put16(udp + 4, (uint32_t)udp_len);
	put16(udp + 6, 0);
	if (len)
		memcpy(udp + ECP_UDP_HLEN, payload, len);
	uint64_t pseudo = sum_pseudo(out, family, ECP_IP_PROTO_UDP, (uint32_t)udp_len);
	uint16_t sum = ecp_sum_fold(ecp_sum(udp, udp_len, pseudo));
	if (sum == 0)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
	return (ssize_t)(header + len);
}

/* ---- checksums of received frames ---- */

/* Where the L4 checksum of a frame stands and what it covers. */
struct l4_sum {
	uint32_t off, len; /* of the segment, in the whole frame */
	uint32_t field;    /* of the checksum */
};

static bool l4_find(const uint8_t *data, const struct ecp_frame *f, struct l4_sum *l4)
{
	if (!f->l4_off || f->fragment)
		return false;
	l4->off = f->l4_off;
	l4->len = (uint32_t)(f->l3_off + f->l3_len) - l4->off;
	if (f->protocol == ECP_IP_PROTO_UDP && f->udp) {
		l4->len = get16(data + l4->off + 4);
		l4->field = l4->off + 6;
		return true;
	}
	l4->field = l4->off + 16;
	return f->protocol == ECP_IP_PROTO_TCP && l4->len >= 20;
}

static uint64_t l4_pseudo(const uint8_t *data, const struct ecp_frame *f,
			  const struct l4_sum *l4)
{
	return sum_pseudo(data + f->l3_off, f->ip_version, f->protocol, l4->len);
}

enum ecp_csum ecp_l4_checksum_check(const uint8_t *data, const struct ecp_frame *frame)
{
	struct l4_sum l4;
	uint16_t field;
	if (!l4_find(data, frame, &l4))
		return ECP_CSUM_NONE;
	memcpy(&field, data + l4.field, 2);
	if (field == 0 && frame->protocol == ECP_IP_PROTO_UDP)
		return frame->ip_version == 4 ? ECP_CSUM_NONE : ECP_CSUM_BAD;
	uint64_t pseudo = l4_pseudo(data, frame, &l4);
	if (fold(ecp_sum(data + l4.off, l4.len, pseudo)) == 0xffff)
		return ECP_CSUM_GOOD;
	return field == fold(pseudo) ? ECP_CSUM_PARTIAL : ECP_CSUM_BAD;
}

void ecp_l4_checksum_complete(uint8_t *data, const struct ecp_frame *frame)
{
	struct l4_sum l4;
	if (!l4_find(data, frame, &l4))
		return;
	memset(data + l4.field, 0, 2);
	uint16_t sum =
	    ecp_sum_fold(ecp_sum(data + l4.off, l4.len, l4_pseudo(data, frame, &l4)));
	if (sum == 0 && frame->protocol == ECP_IP_PROTO_UDP)
		sum = 0xffff;
	memcpy(data + l4.field, &sum, 2);
}
