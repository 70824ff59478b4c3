/*
 * sending.c - judging what an L2 endpoint sends under a rule that limits it.
 */
#include "daemon/sending.h"

#include "proto/neigh.h"

#include <string.h>

#define IPV6_HLEN 40

bool sending_has_ethertype(const struct sending *sending, uint16_t ethertype)
{
	for (unsigned i = 0; i < sending->n_ethertypes; i++)
		if (sending->ethertypes[i] == ethertype)
			return true;
	return sending->n_ethertypes == 0;
}

static bool prefix_has(const struct ip_prefix *prefix, uint8_t family, const uint8_t *ip)
{
	unsigned bytes = prefix->bits / 8, rest = prefix->bits % 8;
	if (prefix->family != family || memcmp(prefix->ip, ip, bytes))
		return false;
	return !rest || (prefix->ip[bytes] ^ ip[bytes]) >> (8 - rest) == 0;
}

bool sending_has_ip(const struct sending *sending, uint8_t family, const uint8_t *ip)
{
	for (unsigned i = 0; i < sending->n_ips; i++)
		if (prefix_has(&sending->ips[i], family, ip))
			return true;
	return sending->n_ips == 0;
}

/* Who asks may have no address yet; and the one that a MAC address makes is its own. */
static bool neighbour_ip_ok(const struct sending *sending, const uint8_t *mac,
			    uint8_t family, const uint8_t *ip, bool may_be_none)
{
	static const uint8_t none[16];
	uint8_t own[16];
	size_t len = family == 4 ? 4 : 16;
	if (may_be_none && !memcmp(ip, none, len))
		return true;
	ecp_link_local(mac, own);
	return (family == 6 && !memcmp(ip, own, len)) ||
	       sending_has_ip(sending, family, ip);
}

static bool arp_ok(const struct sending *sending, const uint8_t *mac, const uint8_t *arp,
		   uint32_t len)
{
	struct ecp_neigh n;
	return ecp_arp_parse(arp, len, &n) && !memcmp(n.mac, mac, ECP_MAC_LEN) &&
	       neighbour_ip_ok(sending, mac, 4, n.ip, !n.reply);
}

static bool nd_ok(const struct sending *sending, const uint8_t *mac, const uint8_t *frame,
		  uint32_t len)
{
	struct ecp_frame f;
	struct ecp_neigh n;
	if (ecp_frame_parse(frame, len, NULL, &f) != ECP_FRAME_OK || f.ip_version != 6 ||
	    f.protocol != ECP_IP_PROTO_ICMPV6 || f.fragment ||
	    f.l4_off != f.l3_off + IPV6_HLEN)
		return false;
	const uint8_t *ip = frame + f.l3_off;
	return ecp_nd_parse(ip, frame + f.l4_off, f.l3_len - IPV6_HLEN, &n) &&
	       (!n.have_mac || !memcmp(n.mac, mac, ECP_MAC_LEN)) &&
	       neighbour_ip_ok(sending, mac, 6, ip + 8, !n.reply) &&
	       neighbour_ip_ok(sending, mac, 6, n.ip, !n.reply);
}

bool sending_allows(const struct sending *sending, const uint8_t mac[static ECP_MAC_LEN],
		    uint16_t type, const uint8_t *frame, uint32_t len)
{
	if (!sending_has_ethertype(sending, type))
		return false;
	if (sending->raw)
		return true;
	if (type == ECP_ETHERTYPE_IPV6)
		return nd_ok(sending, mac, frame, len);
	struct ecp_frame f;
	return type == ECP_ETHERTYPE_ARP &&
	       ecp_frame_parse(frame, len, NULL, &f) == ECP_FRAME_OK &&
	       arp_ok(sending, mac, frame + f.l3_off, len - f.l3_off);
}
