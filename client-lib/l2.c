/*
 * l2.c - L2 endpoints: claiming, sending, receiving, multicast groups.
 */
#include "client-lib/internal.h"

#include <stdlib.h>

/* ---- multicast groups ---- */

static unsigned group_bucket(const uint16_t vlan[ECP_VLANS_MAX])
{
	return (vlan[0] ^ vlan[1] * 31u) % GROUP_BUCKETS;
}

struct l2_list *eci_l2_group(const struct ec_relay *relay,
			     const uint16_t vlan[ECP_VLANS_MAX])
{
	return relay->groups ? &relay->groups[group_bucket(vlan)] : NULL;
}

bool eci_l2_wants(const struct ec_l2 *l2, uint16_t ethertype)
{
	for (unsigned i = 0; i < l2->n_ethertypes; i++)
		if (l2->ethertypes[i] == ethertype)
			return true;
	return false;
}

static int group_join(struct ec_l2 *l2)
{
	struct ec_relay *relay = l2->ep.relay;
	if (l2->flags & EC_L2_MIRROR) /* multicast comes to it as all else does */
		return 0;
	if (l2->flags & EC_L2_MULTICAST_ANY) {
		LIST_INSERT_HEAD(&relay->any_group, l2, of_group);
		return 0;
	}
	if (!(l2->flags & EC_L2_MULTICAST))
		return 0;
	if (!relay->groups)
		relay->groups = calloc(GROUP_BUCKETS, sizeof(*relay->groups));
	if (!relay->groups)
		return eci_error_set(-ENOMEM, "out of memory");
	LIST_INSERT_HEAD(&relay->groups[group_bucket(l2->key.vlan)], l2, of_group);
	return 0;
}

static void group_leave(struct ec_l2 *l2)
{
	struct fanout *fan = &l2->ep.relay->fanout;
	if (l2->flags & EC_L2_MIRROR ||
	    !(l2->flags & (EC_L2_MULTICAST | EC_L2_MULTICAST_ANY)))
		return;
	if (fan->next == l2)
		fan->next = LIST_NEXT(l2, of_group);
	LIST_REMOVE(l2, of_group);
}

/* ---- opening and closing ---- */

static const uint16_t ethertypes_default[] = {ECP_ETHERTYPE_IPV4, ECP_ETHERTYPE_IPV6};

#define FLAGS_KNOWN                                                                        \
	(EC_L2_MULTICAST | EC_L2_MULTICAST_ANY | EC_L2_SHARE | ECI_L2_NEIGH |              \
	 EC_L2_DEFAULT | EC_L2_MIRROR)

static int l2_opts(const struct ec_l2_opts *given, struct ec_l2_opts *opts)
{
	*opts = (struct ec_l2_opts)EC_L2_OPTS;
	int r = eci_opts_take(opts, sizeof(*opts), given);
	if (r == 0)
		r = eci_flags_check(opts->flags, FLAGS_KNOWN);
	if (!opts->n_ethertypes) {
		opts->ethertypes = ethertypes_default;
		opts->n_ethertypes = 2;
	}
	return r;
}

static unsigned flags_to_proto(unsigned flags)
{
	return (flags & (EC_L2_MULTICAST | EC_L2_ANSWER) ? ECP_EP_MULTICAST : 0) |
	       (flags & EC_L2_MULTICAST_ANY ? ECP_EP_MULTICAST_ANY : 0) |
	       (flags & EC_L2_SHARE ? ECP_EP_SHARE : 0) |
	       (flags & EC_L2_DEFAULT ? ECP_EP_DEFAULT : 0) |
	       (flags & EC_L2_MIRROR ? ECP_EP_MIRROR : 0);
}

/* What can be judged here is: the daemon would answer the same, but for all at once. */
static int l2_check(const struct ec_l2addr *addr, const struct ec_l2_opts *opts)
{
	struct ecp_l2addr ours = eci_l2addr_to_proto(addr);
	char text[ECP_MAC_TEXT];
	const char *why;
	if (ecp_l2addr_check(&ours, &why) < 0)
		return eci_error_set(-EINVAL, "%s: %s", ecp_mac_format(addr->mac, text),
				     why);
	if (opts->flags & ECI_L2_NEIGH && opts->flags & (EC_L2_DEFAULT | EC_L2_MIRROR))
		return eci_error_set(-EINVAL, "who receives what is not for it cannot "
					      "resolve or answer for itself");
	/* ARP and IPv6 are claimed beside them where they are needed */
	unsigned most = EC_ETHERTYPES_MAX - (opts->flags & ECI_L2_NEIGH ? 2 : 0);
	if (opts->n_ethertypes > most)
		return eci_error_set(-EINVAL, "%u EtherTypes: at most %u",
				     opts->n_ethertypes, most);
	return 0;
}

static void claim_ethertype(struct ecp_open_item *item, uint16_t ethertype)
{
	for (unsigned i = 0; i < item->n_ethertypes; i++)
		if (item->ethertypes[i] == ethertype)
			return;
	if (item->n_ethertypes < ECP_ETHERTYPES_MAX)
		item->ethertypes[item->n_ethertypes++] = ethertype;
}

void eci_l2_item(const struct ec_l2 *l2, struct ecp_open_item *item)
{
	*item = (struct ecp_open_item){
	    .kind = ECP_KIND_L2,
	    .flags = flags_to_proto(l2->flags),
	    .depth = l2->ep.depth,
	    .l2 = eci_l2addr_to_proto(&l2->addr),
	    .n_ethertypes = l2->n_ethertypes,
	};
	memcpy(item->ethertypes, l2->ethertypes,
	       l2->n_ethertypes * sizeof(*l2->ethertypes));
	if (l2->flags & ECI_L2_NEIGH) {
		claim_ethertype(item, ECP_ETHERTYPE_ARP);
		claim_ethertype(item, ECP_ETHERTYPE_IPV6);
	}
}

struct ec_l2 *eci_l2_new(struct ec_relay *relay, const struct ec_l2addr *addr,
			 const struct ec_l2_opts *given, struct ecp_open_item *item)
{
	struct ec_l2_opts opts;
	if (l2_opts(given, &opts) < 0 || l2_check(addr, &opts) < 0)
		return NULL;
	struct ec_l2 *l2 = (struct ec_l2 *)eci_endpoint_new(relay, ECP_KIND_L2, opts.user);
	if (!l2)
		return NULL;
	l2->ep.depth = opts.depth;
	l2->addr = *addr;
	l2->flags = opts.flags;
	l2->n_ethertypes = (uint8_t)opts.n_ethertypes;
	memcpy(l2->ethertypes, opts.ethertypes,
	       opts.n_ethertypes * sizeof(*opts.ethertypes));
	LIST_INIT(&l2->udps);
	TAILQ_INIT(&l2->neighs);
	eci_l2_item(l2, item);
	l2->key = ecp_key_of(&item->l2);
	return l2;
}

int eci_l2_start(struct ec_l2 *l2, const struct ecp_opened_item *opened)
{
	int r = eci_endpoint_adopt(&l2->ep, opened);
	if (r < 0)
		return r;
	r = eci_neigh_start(l2);
	if (r == 0)
		r = group_join(l2);
	if (r < 0) {
		eci_endpoint_close(&l2->ep);
		return r;
	}
	LIST_INSERT_HEAD(&l2->ep.relay->l2s, l2, of_relay);
	return 0;
}

EC_API int ec_l2_open(struct ec_l2 **ret, struct ec_relay *relay,
		      const struct ec_l2addr *addr, const struct ec_l2_opts *opts)
{
	struct ecp_open *open = &relay->question->request.open;
	struct ec_l2 *l2 = eci_l2_new(relay, addr, opts, &open->items[0]);
	if (!l2)
		return eci_error_code();
	open->n = 1;
	int r = eci_relay_ask_open(relay, NULL);
	if (r == 0)
		r = eci_l2_start(l2, &relay->question->reply.opened.items[0]);
	if (r < 0)
		eci_endpoint_free(&l2->ep);
	else
		*ret = l2;
	return r;
}

void eci_l2_free(struct ec_l2 *l2)
{
	while (!LIST_EMPTY(&l2->udps))
		eci_udp_free(LIST_FIRST(&l2->udps));
	eci_neigh_stop(l2);
	group_leave(l2);
	LIST_REMOVE(l2, of_relay);
	eci_endpoint_forget(&l2->ep);
	eci_endpoint_free(&l2->ep);
}

/* The daemon closes what stands on it too: one question does for all. */
EC_API void ec_l2_close(struct ec_l2 *l2)
{
	if (!l2)
		return;
	eci_endpoint_close(&l2->ep);
	eci_l2_free(l2);
}

EC_API const struct ec_l2addr *ec_l2_addr(const struct ec_l2 *l2)
{
	return &l2->addr;
}

EC_API uint32_t ec_l2_payload_max(const struct ec_l2 *l2)
{
	return l2->ep.payload_max;
}

EC_API void ec_l2_set_read_deadline(struct ec_l2 *l2, int64_t deadline_ns)
{
	l2->ep.read_deadline = eci_deadline(deadline_ns);
}

EC_API void ec_l2_set_write_deadline(struct ec_l2 *l2, int64_t deadline_ns)
{
	l2->ep.write_deadline = eci_deadline(deadline_ns);
}

/* ---- sending and receiving ---- */

EC_API ssize_t ec_l2_send(struct ec_l2 *l2, const void *payload, size_t len,
			  uint16_t ethertype, const uint8_t dst[6], unsigned flags)
{
	uint8_t *at;
	int r = eci_endpoint_check_length(&l2->ep, len);
	if (r < 0)
		return r;
	if (ecp_tpid_known(ethertype) ||
	    (ethertype < 0x600 && ethertype != EC_ETHERTYPE_LLC))
		return eci_error_set(
		    -EINVAL, "EtherType 0x%04x is a VLAN tag's or a length", ethertype);
	r = eci_tx_reserve(&l2->ep, (uint32_t)len, ethertype, dst, flags, &at);
	if (r < 0)
		return r;
	if (len)
		memcpy(at, payload, len);
	eci_tx_submit(l2->ep.relay, (uint32_t)len, flags);
	return (ssize_t)len;
}

/* Handles in random order are cache misses: fetch them some frames ahead. */
#define SEND_AHEAD 8

EC_API int ec_relay_send(struct ec_relay *relay, const struct ec_send *frames, unsigned n,
			 unsigned flags)
{
	for (unsigned i = 0; i < n && i < SEND_AHEAD; i++)
		__builtin_prefetch(frames[i].l2);
	for (unsigned i = 0; i < n; i++) {
		const struct ec_send *f = &frames[i];
		if (i + SEND_AHEAD < n)
			__builtin_prefetch(frames[i + SEND_AHEAD].l2);
		ssize_t r = ec_l2_send(f->l2, f->payload, f->len, f->ethertype, f->dst,
				       flags | EC_MORE);
		if (r < 0 && i == 0)
			return (int)r;
		if (r < 0) {
			n = i;
			break;
		}
	}
	if (!(flags & EC_MORE))
		ec_relay_flush(relay);
	return (int)n;
}

EC_API ssize_t ec_l2_send_ip(struct ec_l2 *l2, const void *packet, size_t len,
			     const uint8_t dst[6], unsigned flags)
{
	unsigned version = len ? *(const uint8_t *)packet >> 4 : 0;
	if (version != 4 && version != 6)
		return eci_error_set(-EPROTONOSUPPORT, "IP version %u: neither 4 nor 6",
				     version);
	uint16_t ethertype = version == 4 ? ECP_ETHERTYPE_IPV4 : ECP_ETHERTYPE_IPV6;
	return ec_l2_send(l2, packet, len, ethertype, dst, flags);
}

EC_API ssize_t ec_l2_recv(struct ec_l2 *l2, void *buf, size_t len, unsigned flags,
			  struct ec_frame *info)
{
	struct ec_frame frame;
	int r = eci_endpoint_next(&l2->ep, flags, &frame);
	if (r < 0)
		return r;
	if (len) /* buf may be NULL then, for who wants *info alone */
		memcpy(buf, frame.l3, frame.l3_len < len ? frame.l3_len : len);
	if (info)
		*info = frame;
	return frame.l3_len;
}
