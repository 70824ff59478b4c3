/*
 * neigh.c - ARP and Neighbour Discovery messages.
 */
#include "proto/neigh.h"

#include <arpa/inet.h>
#include <string.h>

#define ARP_LEN       28
#define IPV6_HLEN     40
#define ND_LEN        24 /* without options */
#define ND_OPTION_LEN 8
#define HOP_LIMIT     255 /* RFC 4861, 7.1: nobody beyond the link can have sent it */

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };
enum { ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136 };
enum { ND_SOURCE_MAC = 1, ND_TARGET_MAC = 2 };
#define ND_SOLICITED 0x40
#define ND_OVERRIDE  0x20

static const uint8_t broadcast[ECP_MAC_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
/* RFC 826 over Ethernet and IPv4: hardware 1, protocol 0x0800, lengths 6 and 4 */
static const uint8_t arp_start[] = {0, 1, 8, 0, 6, 4, 0};
static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

static bool is_zero(const uint8_t ip[static 16])
{
	static const uint8_t zero[16];
	return !memcmp(ip, zero, sizeof(zero));
}

/* ---- read ---- */

bool ecp_arp_parse(const uint8_t *arp, size_t len, struct ecp_neigh *ret)
{
	if (len < ARP_LEN || memcmp(arp, arp_start, sizeof(arp_start)) ||
	    (arp[7] != ARP_REQUEST && arp[7] != ARP_REPLY))
		return false;
	*ret =
	    (struct ecp_neigh){.reply = arp[7] == ARP_REPLY, .family = 4, .have_mac = true};
	memcpy(ret->mac, arp + 8, ECP_MAC_LEN);
	memcpy(ret->ip, arp + 14, 4);
	memcpy(ret->target_mac, arp + 18, ECP_MAC_LEN);
	memcpy(ret->target, arp + 24, 4);
	return !ecp_mac_is_multicast(ret->mac);
}

/* The link-layer address among the options.  False if their lengths lie (RFC 4861, 7.1). */
static bool nd_options(const uint8_t *at, size_t len, uint8_t wanted, struct ecp_neigh *ret)
{
	while (len >= ND_OPTION_LEN) {
		size_t option = at[1] * 8u;
		if (option == 0 || option > len)
			return false;
		if (at[0] == wanted && !ecp_mac_is_multicast(at + 2)) {
			memcpy(ret->mac, at + 2, ECP_MAC_LEN);
			ret->have_mac = true;
		}
		at += option;
		len -= option;
	}
	return len == 0;
}

static uint16_t icmpv6_sum(const uint8_t *ip, const uint8_t *l4, size_t len)
{
	uint64_t sum = ecp_sum(ip + 8, 32, htons(ECP_IP_PROTO_ICMPV6));
	return ecp_sum_fold(ecp_sum(l4, len, sum + htons((uint16_t)len)));
}

bool ecp_nd_parse(const uint8_t *ip, const uint8_t *l4, size_t l4_len,
		  struct ecp_neigh *ret)
{
	if (l4_len < ND_LEN || ip[7] != HOP_LIMIT || l4[1] != 0 || l4[8] == 0xff ||
	    (l4[0] != ND_SOLICITATION && l4[0] != ND_ADVERTISEMENT) ||
	    icmpv6_sum(ip, l4, l4_len) != 0)
		return false;
	*ret = (struct ecp_neigh){.reply = l4[0] == ND_ADVERTISEMENT, .family = 6};
	memcpy(ret->ip, ret->reply ? l4 + 8 : ip + 8, 16);
	memcpy(ret->target, ret->reply ? ip + 24 : l4 + 8, 16);
	return nd_options(l4 + ND_LEN, l4_len - ND_LEN,
			  ret->reply ? ND_TARGET_MAC : ND_SOURCE_MAC, ret);
}

/* ---- write ---- */

static size_t arp_build(const struct ecp_neigh *n, uint8_t *out, uint8_t *dst)
{
	memcpy(out, arp_start, sizeof(arp_start));
	out[7] = n->reply ? ARP_REPLY : ARP_REQUEST;
	memcpy(out + 8, n->mac, ECP_MAC_LEN);
	memcpy(out + 14, n->ip, 4);
	memcpy(out + 18, n->target_mac, ECP_MAC_LEN);
	memcpy(out + 24, n->target, 4);
	memcpy(dst, n->reply ? n->target_mac : broadcast, ECP_MAC_LEN);
	return ARP_LEN;
}

/* Addresses of the IPv6 header.  Who asks from :: (RFC 4862) is answered with a multicast. */
static void nd_addresses(const struct ecp_neigh *n, uint8_t *ip, uint8_t *dst)
{
	static const uint8_t solicited[13] = {0xff, 0x02, [11] = 1, 0xff};
	memcpy(ip + 8, n->ip, 16);
	memcpy(ip + 24, n->target, 16);
	if (n->reply && !is_zero(n->target)) {
		memcpy(dst, n->target_mac, ECP_MAC_LEN);
		return;
	}
	memcpy(ip + 24, n->reply ? all_nodes : solicited, n->reply ? 16 : 13);
	ecp_multicast_mac(6, ip + 24, dst);
}

static size_t nd_build(const struct ecp_neigh *n, uint8_t *out, uint8_t *dst)
{
	uint8_t *l4 = out + IPV6_HLEN, *option = l4 + ND_LEN;
	size_t l4_len = ND_LEN + ND_OPTION_LEN;
	memset(out, 0, IPV6_HLEN + l4_len);
	out[0] = 0x60;
	out[5] = (uint8_t)l4_len;
	out[6] = ECP_IP_PROTO_ICMPV6;
	out[7] = HOP_LIMIT;
	nd_addresses(n, out, dst);
	l4[0] = n->reply ? ND_ADVERTISEMENT : ND_SOLICITATION;
	if (n->reply)
		l4[4] = ND_OVERRIDE | (is_zero(n->target) ? 0 : ND_SOLICITED);
	memcpy(l4 + 8, n->reply ? n->ip : n->target, 16);
	option[0] = n->reply ? ND_TARGET_MAC : ND_SOURCE_MAC;
	option[1] = 1;
	memcpy(option + 2, n->mac, ECP_MAC_LEN);
	uint16_t sum = icmpv6_sum(out, l4, l4_len);
	memcpy(l4 + 2, &sum, 2);
	return IPV6_HLEN + l4_len;
}

size_t ecp_neigh_build(const struct ecp_neigh *n, uint8_t out[static ECP_NEIGH_LEN_MAX],
		       uint16_t *ethertype, uint8_t dst[static ECP_MAC_LEN])
{
	*ethertype = n->family == 4 ? ECP_ETHERTYPE_ARP : ECP_ETHERTYPE_IPV6;
	return n->family == 4 ? arp_build(n, out, dst) : nd_build(n, out, dst);
}

/* ---- addresses ---- */

bool ecp_multicast_mac(uint8_t family, const uint8_t *ip, uint8_t mac[static ECP_MAC_LEN])
{
	static const uint8_t everybody[4] = {255, 255, 255, 255};
	if (family == 4 && !memcmp(ip, everybody, 4)) {
		memcpy(mac, broadcast, ECP_MAC_LEN);
		return true;
	}
	if (family == 4 && ip[0] >> 4 == 14) {
		memcpy(mac, (uint8_t[]){1, 0, 0x5e, ip[1] & 0x7f, ip[2], ip[3]},
		       ECP_MAC_LEN);
		return true;
	}
	if (family == 6 && ip[0] == 0xff) {
		memcpy(mac, (uint8_t[]){0x33, 0x33, ip[12], ip[13], ip[14], ip[15]},
		       ECP_MAC_LEN);
		return true;
	}
	return false;
}

void ecp_link_local(const uint8_t mac[static ECP_MAC_LEN], uint8_t ip[static 16])
{
	const uint8_t made[16] = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2],
				  0xff, 0xfe, mac[3],           mac[4], mac[5]};
	memcpy(ip, made, sizeof(made));
}
