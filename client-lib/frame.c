/*
 * frame.c - asking a received frame, and the text forms of addresses.
 *
 * The daemon has parsed every frame before it came here: tags and IP headers are whole.
 */
#include "client-lib/internal.h"

#include <netinet/in.h>

/* ---- addresses as text ---- */

static struct ec_vlan vlan_from(const struct ecp_vlan *v)
{
	return (struct ec_vlan){.id = v->id, .tpid = v->tpid, .pcp = v->pcp, .dei = v->dei};
}

EC_API int ec_l2addr_parse(const char *text, struct ec_l2addr *addr)
{
	struct ecp_l2addr found;
	if (ecp_l2addr_parse(text, &found) < 0)
		return eci_error_set(
		    -EINVAL,
		    "\"%.60s\" is no address like 02:00:00:00:00:01|100|200 (at most two "
		    "VLANs, ids up to 4095)",
		    text);
	*addr = (struct ec_l2addr){.n_vlans = found.n_vlans};
	memcpy(addr->mac, found.mac, sizeof(addr->mac));
	for (unsigned i = 0; i < found.n_vlans; i++)
		addr->vlans[i] = vlan_from(&found.vlans[i]);
	return 0;
}

EC_API char *ec_l2addr_format(const struct ec_l2addr *addr, char *text)
{
	struct ecp_l2addr ours = eci_l2addr_to_proto(addr);
	return ecp_l2addr_format(&ours, text);
}

struct ecp_l2addr eci_l2addr_to_proto(const struct ec_l2addr *addr)
{
	struct ecp_l2addr ours = {.n_vlans = addr->n_vlans};
	memcpy(ours.mac, addr->mac, sizeof(ours.mac));
	for (unsigned i = 0; i < addr->n_vlans && i < ECP_VLANS_MAX; i++) {
		const struct ec_vlan *v = &addr->vlans[i];
		ours.vlans[i] =
		    (struct ecp_vlan){.id = v->id,
				      .tpid = v->tpid ? v->tpid : ECP_TPID_8021Q,
				      .pcp = v->pcp,
				      .dei = v->dei};
	}
	return ours;
}

/* ---- addresses as sockaddr ---- */

void eci_addr_to_sockaddr(const struct ecp_addr *addr, struct sockaddr_storage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (addr->family == 4) {
		struct sockaddr_in *sin = (struct sockaddr_in *)ret;
		sin->sin_family = AF_INET;
		sin->sin_port = htons(addr->port);
		memcpy(&sin->sin_addr, addr->ip, 4);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(addr->port);
		memcpy(&sin6->sin6_addr, addr->ip, 16);
	}
}

int eci_addr_from_sockaddr(const struct sockaddr *sa, struct ecp_addr *ret)
{
	*ret = (struct ecp_addr){.family = 0};
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *sin = (const struct sockaddr_in *)sa;
		ret->family = 4;
		ret->port = ntohs(sin->sin_port);
		memcpy(ret->ip, &sin->sin_addr, 4);
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)sa;
		ret->family = 6;
		ret->port = ntohs(sin6->sin6_port);
		memcpy(ret->ip, &sin6->sin6_addr, 16);
		return 0;
	}
	return eci_error_set(
	    -EAFNOSUPPORT, "an address of family %d: neither IPv4 nor IPv6", sa->sa_family);
}

/* ---- frames ---- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

EC_API unsigned ec_frame_vlans(const struct ec_frame *frame,
			       struct ec_vlan vlans[EC_VLANS_MAX])
{
	const uint8_t *at = frame->data + 2 * ECP_MAC_LEN;
	for (unsigned i = 0; i < frame->n_vlans; i++, at += ECP_TAG_LEN) {
		uint16_t tci = get16(at + 2);
		vlans[i] = (struct ec_vlan){.tpid = get16(at),
					    .id = tci & ECP_VLAN_ID_MAX,
					    .pcp = (uint8_t)(tci >> 13),
					    .dei = tci >> 12 & 1};
	}
	return frame->n_vlans;
}

EC_API const uint8_t *ec_frame_dst_mac(const struct ec_frame *frame)
{
	return frame->data;
}

EC_API const uint8_t *ec_frame_src_mac(const struct ec_frame *frame)
{
	return frame->data + ECP_MAC_LEN;
}

static bool has_ports(uint8_t protocol)
{
	enum { DCCP = 33, SCTP = 132, UDP_LITE = 136 };
	return protocol == ECP_IP_PROTO_TCP || protocol == ECP_IP_PROTO_UDP ||
	       protocol == SCTP || protocol == DCCP || protocol == UDP_LITE;
}

/* They stand first in layer 4, which is the payload but for whole datagrams: it is behind. */
static uint16_t port(const struct ec_frame *frame, unsigned off)
{
	if (frame->flags & EC_FRAME_UDP)
		return get16(frame->payload - ECP_UDP_HLEN + off);
	return frame->payload && frame->payload_len >= 4 && has_ports(frame->protocol)
		   ? get16(frame->payload + off)
		   : 0;
}

/* The addresses of an IP header: source, or the destination behind it. */
int eci_frame_addr(const struct ec_frame *frame, bool destination, struct ecp_addr *ret)
{
	*ret = (struct ecp_addr){.port = port(frame, destination ? 2 : 0)};
	if (frame->ethertype == ECP_ETHERTYPE_IPV4) {
		ret->family = 4;
		memcpy(ret->ip, frame->l3 + (destination ? 16 : 12), 4);
		return 0;
	}
	if (frame->ethertype == ECP_ETHERTYPE_IPV6) {
		ret->family = 6;
		memcpy(ret->ip, frame->l3 + (destination ? 24 : 8), 16);
		return 0;
	}
	return -EAFNOSUPPORT;
}

static int frame_sockaddr(const struct ec_frame *frame, bool destination,
			  struct sockaddr_storage *ret)
{
	struct ecp_addr addr;
	if (eci_frame_addr(frame, destination, &addr) < 0)
		return eci_error_set(-EAFNOSUPPORT,
				     "a frame of EtherType 0x%04x has no IP address",
				     frame->ethertype);
	eci_addr_to_sockaddr(&addr, ret);
	return 0;
}

EC_API int ec_frame_src(const struct ec_frame *frame, struct sockaddr_storage *addr)
{
	return frame_sockaddr(frame, false, addr);
}

EC_API int ec_frame_dst(const struct ec_frame *frame, struct sockaddr_storage *addr)
{
	return frame_sockaddr(frame, true, addr);
}
