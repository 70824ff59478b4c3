/*
 * neigh.h - who has this IP address?  ARP and Neighbour Discovery messages, read and written.
 *
 * Pure functions over bytes, any thread.  Knows frame.h.  Formats: RFC 826 (ARP), RFC 4861
 * (ND: 4.3, 4.4, 4.6.1), RFC 1112 and RFC 2464 (multicast addresses).
 */
#ifndef ECP_NEIGH_H
#define ECP_NEIGH_H

#include "proto/frame.h"

#define ECP_IP_PROTO_ICMPV6 58
#define ECP_NEIGH_LEN_MAX   72 /* IPv6 header, solicitation, one option */

/*
 * One message.  A request: ip (which may be zero) at mac looks for target.  A reply: ip is at
 * mac, says it to target at target_mac.  IPv4 addresses stand in the first four bytes.
 */
struct ecp_neigh {
	bool reply;
	bool have_mac;  /* else the message does not tell it */
	uint8_t family; /* 4 or 6 */
	uint8_t mac[ECP_MAC_LEN], target_mac[ECP_MAC_LEN];
	uint8_t ip[16], target[16];
};

/*
 * Read an ARP packet of len bytes, or an ICMPv6 message l4 of l4_len bytes behind the whole
 * IPv6 header at ip.  False: it is none of these, or malformed; then *ret is not to be used.
 */
bool ecp_arp_parse(const uint8_t *arp, size_t len, struct ecp_neigh *ret);
bool ecp_nd_parse(const uint8_t *ip, const uint8_t *l4, size_t l4_len,
		  struct ecp_neigh *ret);

/*
 * Write it as an L3 payload, with the EtherType it goes under and the MAC address it goes to
 * (broadcast or solicited-node multicast for a request).  Returns its length: 28 or 72.
 */
size_t ecp_neigh_build(const struct ecp_neigh *n, uint8_t out[static ECP_NEIGH_LEN_MAX],
		       uint16_t *ethertype, uint8_t dst[static ECP_MAC_LEN]);

/* The MAC address of a multicast, or IPv4 broadcast, IP address.  False: it is a unicast one. */
bool ecp_multicast_mac(uint8_t family, const uint8_t *ip, uint8_t mac[static ECP_MAC_LEN]);

/* The link-local address that a MAC address makes (RFC 4291, appendix A). */
void ecp_link_local(const uint8_t mac[static ECP_MAC_LEN], uint8_t ip[static 16]);

#endif
