/*
 * frame.h - parse and build Ethernet, VLAN, IPv4, IPv6 and UDP headers.
 *
 * Pure functions over bytes: no allocation, no state, any thread.  All bounds live here;
 * nobody else in the project does arithmetic on lengths that came off a wire.
 *
 * Formats: IEEE 802.3 and 802.1Q-2022; RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP),
 * RFC 1071 (checksum).
 */
#ifndef ECP_FRAME_H
#define ECP_FRAME_H

#include "proto/endpoint.h"

#include <sys/types.h>

#define ECP_ETH_HLEN     14
#define ECP_TAG_LEN      4
#define ECP_ETH_HLEN_MAX (ECP_ETH_HLEN + ECP_VLANS_MAX * ECP_TAG_LEN)
#define ECP_FRAME_MAX    9238 /* a jumbo of 9216 bytes of payload and two tags */
#define ECP_UDP_HLEN     8
#define ECP_IP_PROTO_TCP 6
#define ECP_IP_PROTO_UDP 17

/* The VLAN tag that the kernel took out of a frame before it handed it over. */
struct ecp_tag {
	bool present;
	uint16_t tpid, tci; /* host order */
};

/* What is wrong with a frame; each is one drop counter of the relay. */
enum ecp_frame_verdict {
	ECP_FRAME_OK,
	ECP_FRAME_RUNT,       /* shorter than its Ethernet header and tags say */
	ECP_FRAME_VLAN_DEPTH, /* a third VLAN tag */
	ECP_FRAME_BAD_IP,  /* an IPv4 or IPv6 header that is cut, or lies about a length */
	ECP_FRAME_BAD_UDP, /* a UDP header that is cut, or lies about its length */
};

/*
 * What ecp_frame_parse() found.  All offsets and lengths count in the whole frame: a tag that
 * was handed over beside the bytes counts as if it stood in its place after the MACs.
 */
struct ecp_frame {
	struct ecp_key key; /* destination MAC, VLAN ids */
	/* of the innermost header; ECP_ETHERTYPE_LLC for 802.3 lengths */
	uint16_t ethertype;
	uint16_t l3_off; /* 14, 18 or 22 */
	uint16_t l3_len; /* IP: by its own length field, padding cut; else to the end */
	uint16_t l4_off; /* behind options and extension headers; 0: no whole L4 here */
	uint8_t n_vlans;
	uint8_t ip_version; /* 4, 6, or 0 */
	uint8_t protocol;   /* last IP protocol number; 0 where there is no IP */
	bool multicast;     /* group bit of the destination */
	bool fragment;      /* part of a fragmented packet, first or later */
	bool udp;           /* ports below are valid: whole, or a first fragment */
	uint16_t src_port, dst_port;
	uint8_t dst_ip[16]; /* valid where ip_version is not 0 */
};

/*
 * Parse the len bytes at data, with the tag (may be NULL) that belongs before them.  *frame is
 * written whole for ECP_FRAME_OK; for other verdicts only its key may be looked at, and only
 * if len was at least 14.  Reads only below len.
 */
enum ecp_frame_verdict ecp_frame_parse(const uint8_t *data, uint32_t len,
				       const struct ecp_tag *tag, struct ecp_frame *frame);

/*
 * Write the Ethernet header of frames that addr sends: destination (left zero), source, tags,
 * EtherType (left zero).  Returns its length: 14, 18 or 22.
 */
unsigned ecp_header_build(const struct ecp_l2addr *addr,
			  uint8_t header[static ECP_ETH_HLEN_MAX]);
/* The same backwards: whose header of len bytes this is, which was built so. */
void ecp_header_addr(const uint8_t *header, unsigned len, struct ecp_l2addr *ret);

/* Largest L3 payload that an interface of this MTU carries under these tags; see frame.c. */
uint32_t ecp_payload_max(uint32_t mtu, const struct ecp_vlan *vlans, unsigned n_vlans);

/* RFC 1071 sums.  ecp_sum() may be chained over pieces of even length; fold ends the chain. */
uint64_t ecp_sum(const void *data, size_t len, uint64_t sum);
uint16_t ecp_sum_fold(uint64_t sum); /* the checksum field's value, in wire byte order */

/* IP and UDP options of one datagram. */
struct ecp_udp_build {
	const struct ecp_addr *src, *dst; /* same family */
	uint8_t ttl;                      /* TTL or hop limit */
	uint8_t tclass;                   /* TOS or traffic class */
	uint16_t ident;                   /* IPv4 identification */
};

/*
 * Write an IP packet (DF set on IPv4) with one UDP datagram into out: headers, payload, both
 * checksums (RFC 768: a computed zero is sent as 0xffff).  Returns its length, -EMSGSIZE if
 * room or the 16-bit length fields do not suffice, -EAFNOSUPPORT if the families differ.
 */
ssize_t ecp_udp_build(uint8_t *out, size_t room, const struct ecp_udp_build *b,
		      const void *payload, size_t len);

/* The bytes ecp_udp_build() puts in front of the payload: 28 or 48. */
static inline unsigned ecp_udp_overhead(uint8_t family)
{
	return (family == 4 ? 20 : 40) + ECP_UDP_HLEN;
}

/* Checksum of the UDP or TCP segment of a parsed whole frame (all its bytes in place). */
enum ecp_csum {
	ECP_CSUM_NONE, /* nothing to check: no L4, a fragment, or UDP over IPv4 with zero */
	ECP_CSUM_GOOD,
	ECP_CSUM_BAD,
	ECP_CSUM_PARTIAL, /* holds just the pseudo-header's sum: the sender's kernel left the rest */
};
enum ecp_csum ecp_l4_checksum_check(const uint8_t *data, const struct ecp_frame *frame);

/*
 * Finish the L4 checksum of a frame whose sender left it to hardware that is not there (local
 * peers on veth and tap).  data is the whole frame.  No-op where there is nothing to finish.
 */
void ecp_l4_checksum_complete(uint8_t *data, const struct ecp_frame *frame);

#endif
