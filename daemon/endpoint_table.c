/*
 * endpoint_table.c - three hash tables: stations, UDP claims, multicast groups.
 *
 * Under the hash of a MAC and its VLANs stands the first L2 endpoint that lives there, under
 * that of an ip:port beside them the UDP endpoint, so a lookup touches one slot and one
 * endpoint; the station between them is for who comes and goes.  datapath_rx.c prefetches both
 * for a whole burst.  Claims are compared whole, so equal hashes do no harm.
 */
#include "daemon/endpoint_table.h"

#include "proto/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In a group's VLANs: the group of those who want multicast whatever the tags. */
#define GROUP_ANY_VLAN 0xfffe

struct station {
	struct endpoint *l2;  /* list; its first is in the hash table */
	struct endpoint *udp; /* list */
	struct endpoint *accept_any;
	uint32_t n_udp;
};

struct endpoint_table {
	struct hash stations, udp, groups;
	struct ecp_pool pool; /* of struct station */
	uint32_t n_any_groups;
	struct endpoint *defaults; /* list */
};

/* ---- what an endpoint says of itself ---- */

void endpoint_set_l2addr(struct endpoint *ep, const struct ecp_l2addr *addr)
{
	ep->key = ecp_key_of(addr);
	uint8_t header[ECP_ETH_HLEN_MAX];
	ep->header_len = (uint8_t)ecp_header_build(addr, header);
	memcpy(ep->source, header + ECP_MAC_LEN, sizeof(ep->source));
}

struct ecp_l2addr endpoint_l2addr(const struct endpoint *ep)
{
	struct ecp_l2addr addr;
	uint8_t header[ECP_ETH_HLEN_MAX];
	memcpy(header + ECP_MAC_LEN, ep->source, sizeof(ep->source));
	ecp_header_addr(header, ep->header_len, &addr);
	return addr;
}

struct ecp_addr endpoint_local(const struct endpoint *ep)
{
	return ep->kind == ECP_KIND_UDP ? ep->local : (struct ecp_addr){.family = 0};
}

/* ---- the table ---- */

struct endpoint_table *endpoint_table_new(void)
{
	struct endpoint_table *table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->pool = (struct ecp_pool)ECP_POOL(struct station);
	if (hash_init(&table->stations) == 0 && hash_init(&table->udp) == 0 &&
	    hash_init(&table->groups) == 0)
		return table;
	endpoint_table_free(table);
	return NULL;
}

void endpoint_table_free(struct endpoint_table *table)
{
	hash_fini(&table->stations);
	hash_fini(&table->udp);
	hash_fini(&table->groups);
	ecp_pool_fini(&table->pool);
	free(table);
}

/* ---- stations ---- */

static uint64_t key_hash(const struct endpoint_table *table, const struct ecp_key *key)
{
	uint64_t mac_and_outer = 0;
	memcpy(&mac_and_outer, key->mac, ECP_MAC_LEN);
	mac_and_outer |= (uint64_t)key->vlan[0] << 48;
	return hash_mix(&table->stations, mac_and_outer, key->vlan[1]);
}

/* The first L2 endpoint of a key, or NULL. */
static struct endpoint *first_of(const struct endpoint_table *table,
				 const struct ecp_key *key, uint64_t hash)
{
	size_t at;
	struct endpoint *ep = hash_first(&table->stations, hash, &at);
	while (ep && !ecp_key_equal(&ep->key, key))
		ep = hash_next(&table->stations, hash, &at);
	return ep;
}

/* Put ep first on a new station.  0 or -ENOMEM. */
static int station_new(struct endpoint_table *table, struct endpoint *ep, uint64_t hash)
{
	struct station *st = ecp_pool_get(&table->pool);
	if (!st)
		return -ENOMEM;
	int r = hash_insert(&table->stations, hash, ep);
	if (r < 0) {
		ecp_pool_put(&table->pool, st);
		return r;
	}
	st->l2 = ep;
	ep->station = st;
	return 0;
}

static void list_remove(struct endpoint **list, struct endpoint *ep)
{
	while (*list != ep)
		list = &(*list)->next;
	*list = ep->next;
	ep->next = NULL;
}

/* ---- multicast groups ---- */

static uint64_t group_hash(const struct endpoint_table *table, const uint16_t vlan[2],
			   uint16_t ethertype)
{
	return hash_mix(&table->groups, (uint64_t)vlan[0] << 16 | vlan[1], ethertype);
}

static struct group *group_find(const struct endpoint_table *table, const uint16_t vlan[2],
				uint16_t ethertype)
{
	uint64_t hash = group_hash(table, vlan, ethertype);
	size_t at;
	struct group *g = hash_first(&table->groups, hash, &at);
	while (g && (g->vlan[0] != vlan[0] || g->vlan[1] != vlan[1] ||
		     g->ethertype != ethertype))
		g = hash_next(&table->groups, hash, &at);
	return g;
}

static struct group *group_get(struct endpoint_table *table, const uint16_t vlan[2],
			       uint16_t ethertype)
{
	struct group *g = group_find(table, vlan, ethertype);
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->vlan[0] = vlan[0];
	g->vlan[1] = vlan[1];
	g->ethertype = ethertype;
	if (hash_insert(&table->groups, group_hash(table, vlan, ethertype), g) < 0) {
		free(g);
		return NULL;
	}
	table->n_any_groups += vlan[0] == GROUP_ANY_VLAN;
	return g;
}

static void group_put(struct endpoint_table *table, struct group *g)
{
	if (g->n_members)
		return;
	table->n_any_groups -= g->vlan[0] == GROUP_ANY_VLAN;
	hash_remove(&table->groups, group_hash(table, g->vlan, g->ethertype), g);
	free(g->members);
	free(g);
}

static int group_join(struct group *g, struct channel *channel)
{
	for (uint32_t i = 0; i < g->n_members; i++)
		if (g->members[i].channel == channel) {
			g->members[i].n_endpoints++;
			return 0;
		}
	struct group_member *members =
	    realloc(g->members, (g->n_members + 1) * sizeof(*members));
	if (!members)
		return -ENOMEM;
	g->members = members;
	g->members[g->n_members++] = (struct group_member){channel, 1};
	return 0;
}

static void group_leave(struct group *g, const struct channel *channel)
{
	for (uint32_t i = 0; i < g->n_members; i++)
		if (g->members[i].channel == channel) {
			if (--g->members[i].n_endpoints == 0)
				g->members[i] = g->members[--g->n_members];
			return;
		}
}

/* The VLANs under which ep's groups stand; false if it wants no multicast. */
static bool groups_vlan(const struct endpoint *ep, uint16_t vlan[2])
{
	if (ep->kind != ECP_KIND_L2 || ep->flags & ECP_EP_MIRROR || /* it has all anyway */
	    !(ep->flags & (ECP_EP_MULTICAST | ECP_EP_MULTICAST_ANY)))
		return false;
	bool any = ep->flags & ECP_EP_MULTICAST_ANY;
	vlan[0] = any ? GROUP_ANY_VLAN : ep->key.vlan[0];
	vlan[1] = any ? GROUP_ANY_VLAN : ep->key.vlan[1];
	return true;
}

unsigned endpoint_table_n_groups(const struct endpoint *ep)
{
	uint16_t vlan[ECP_VLANS_MAX];
	return groups_vlan(ep, vlan) ? ep->n_ethertypes : 0;
}

/* Leave the groups of ep's first n EtherTypes. */
static void groups_leave(struct endpoint_table *table, struct endpoint *ep, unsigned n)
{
	uint16_t vlan[ECP_VLANS_MAX];
	if (!groups_vlan(ep, vlan))
		return;
	for (unsigned i = 0; i < n; i++) {
		struct group *g = group_find(table, vlan, ep->ethertypes[i]);
		group_leave(g, ep->channel);
		group_put(table, g);
	}
}

static int groups_join(struct endpoint_table *table, struct endpoint *ep)
{
	uint16_t vlan[ECP_VLANS_MAX];
	if (!groups_vlan(ep, vlan))
		return 0;
	for (unsigned i = 0; i < ep->n_ethertypes; i++) {
		struct group *g = group_get(table, vlan, ep->ethertypes[i]);
		int r = g ? group_join(g, ep->channel) : -ENOMEM;
		if (r < 0) {
			if (g)
				group_put(table, g);
			groups_leave(table, ep, i);
			return r;
		}
	}
	return 0;
}

const struct group *endpoint_table_group(const struct endpoint_table *table,
					 const struct ecp_frame *frame)
{
	return group_find(table, frame->key.vlan, frame->ethertype);
}

const struct group *endpoint_table_group_any(const struct endpoint_table *table,
					     const struct ecp_frame *frame)
{
	const uint16_t any[] = {GROUP_ANY_VLAN, GROUP_ANY_VLAN};
	return table->n_any_groups ? group_find(table, any, frame->ethertype) : NULL;
}

/* ---- default receivers ---- */

static bool is_default(const struct endpoint *ep)
{
	return ep->kind == ECP_KIND_L2 && ep->flags & (ECP_EP_DEFAULT | ECP_EP_MIRROR);
}

static void defaults_remove(struct endpoint_table *table, struct endpoint *ep)
{
	struct endpoint **at = &table->defaults;
	if (!is_default(ep))
		return;
	while (*at != ep)
		at = &(*at)->next_default;
	*at = ep->next_default;
}

struct endpoint *endpoint_table_defaults(const struct endpoint_table *table)
{
	return table->defaults;
}

/* ---- L2 claims ---- */

static bool has_ethertype(const struct endpoint *ep, uint16_t ethertype)
{
	for (unsigned i = 0; i < ep->n_ethertypes; i++)
		if (ep->ethertypes[i] == ethertype)
			return true;
	return false;
}

static bool l2_conflict(const struct endpoint *a, const struct endpoint *b)
{
	if (a->flags & b->flags & ECP_EP_SHARE)
		return false;
	if (a->channel != b->channel)
		return true;
	for (unsigned i = 0; i < a->n_ethertypes; i++)
		if (has_ethertype(b, a->ethertypes[i]))
			return true;
	return false;
}

static int l2_insert(struct endpoint_table *table, struct endpoint *ep,
		     struct endpoint **holder)
{
	uint64_t hash = key_hash(table, &ep->key);
	struct endpoint *first = first_of(table, &ep->key, hash), *last = first;
	unsigned n = 0;
	for (struct endpoint *at = first; at; last = at, at = at->next, n++)
		if (l2_conflict(ep, at)) {
			*holder = at;
			return -EADDRINUSE;
		}
	if (n >= ENDPOINT_TABLE_SHARERS)
		return -EUSERS;
	int r = groups_join(table, ep);
	if (r < 0)
		return r;
	ep->next = NULL;
	if (first) {
		last->next = ep;
		ep->station = first->station;
	} else {
		r = station_new(table, ep, hash);
	}
	if (r < 0) {
		groups_leave(table, ep, ep->n_ethertypes);
		return r;
	}
	if (is_default(ep)) {
		ep->next_default = table->defaults;
		table->defaults = ep;
	}
	return 0;
}

static void l2_remove(struct endpoint_table *table, struct endpoint *ep)
{
	struct station *st = ep->station;
	groups_leave(table, ep, ep->n_ethertypes);
	defaults_remove(table, ep);
	if (st->l2 != ep) {
		list_remove(&st->l2, ep);
		ep->station = NULL;
		return;
	}
	uint64_t hash = key_hash(table, &ep->key);
	ep->station = NULL;
	st->l2 = ep->next;
	if (st->l2) {
		hash_replace(&table->stations, hash, ep, st->l2);
		st->l2->udp_here = ep->udp_here;
	} else {
		hash_remove(&table->stations, hash, ep);
		ecp_pool_put(&table->pool, st);
	}
}

/* ---- UDP claims ---- */

/* station: the hash of the key beneath.  Never 0. */
static uint64_t udp_hash(const struct endpoint_table *table, uint64_t station,
			 const uint8_t ip[16], uint16_t port, uint8_t family)
{
	uint64_t words[2];
	memcpy(words, ip, sizeof(words));
	uint64_t where = station ^ (uint64_t)port << 48 ^ family;
	return hash_mix(&table->udp, hash_shorten(&table->udp, words[0], words[1]), where) |
	       1;
}

/* The same of an address on the station of a claimed endpoint. */
static uint64_t udp_hash_of(const struct endpoint_table *table, const struct ecp_key *key,
			    const struct ecp_addr *a)
{
	return udp_hash(table, key_hash(table, key), a->ip, a->port, a->family);
}

static struct endpoint *udp_find(const struct endpoint_table *table,
				 const struct ecp_key *key, const struct ecp_addr *a,
				 uint64_t hash)
{
	size_t at;
	struct endpoint *ep = hash_first(&table->udp, hash, &at);
	while (ep && (!ecp_key_equal(&ep->key, key) || !ecp_addr_equal(&ep->local, a)))
		ep = hash_next(&table->udp, hash, &at);
	return ep;
}

/* There may be very many on one station: none is looked for. */
static void udp_list_insert(struct endpoint **list, struct endpoint *ep)
{
	ep->before = NULL;
	ep->next = *list;
	if (*list)
		(*list)->before = ep;
	*list = ep;
}

static void udp_list_remove(struct endpoint **list, struct endpoint *ep)
{
	*(ep->before ? &ep->before->next : list) = ep->next;
	if (ep->next)
		ep->next->before = ep->before;
	ep->next = ep->before = NULL;
}

static int udp_insert(struct endpoint_table *table, struct endpoint *ep,
		      struct endpoint **holder)
{
	struct station *st = ep->l2->station;
	uint64_t hash = udp_hash_of(table, &ep->key, &ep->local);
	*holder = udp_find(table, &ep->key, &ep->local, hash);
	if (!*holder && ep->flags & ECP_EP_ACCEPT_ANY)
		*holder = st->accept_any;
	if (*holder)
		return -EADDRINUSE;
	int r = hash_insert(&table->udp, hash, ep);
	if (r < 0)
		return r;
	if (ep->flags & ECP_EP_ACCEPT_ANY)
		st->accept_any = ep;
	udp_list_insert(&st->udp, ep);
	st->n_udp++;
	st->l2->udp_here = true;
	return 0;
}

static void udp_remove(struct endpoint_table *table, struct endpoint *ep)
{
	struct station *st = ep->l2->station;
	hash_remove(&table->udp, udp_hash_of(table, &ep->key, &ep->local), ep);
	udp_list_remove(&st->udp, ep);
	if (st->accept_any == ep)
		st->accept_any = NULL;
	st->n_udp--;
	st->l2->udp_here = st->n_udp > 0;
}

int endpoint_table_set_local(struct endpoint_table *table, struct endpoint *ep,
			     const struct ecp_addr *local, struct endpoint **holder)
{
	uint64_t hash = udp_hash_of(table, &ep->key, local);
	*holder = udp_find(table, &ep->key, local, hash);
	if (*holder == ep)
		return 0;
	if (*holder)
		return -EADDRINUSE;
	int r = hash_insert(&table->udp, hash, ep);
	if (r < 0)
		return r;
	hash_remove(&table->udp, udp_hash_of(table, &ep->key, &ep->local), ep);
	ep->local = *local;
	return 0;
}

/* ---- both ---- */

int endpoint_table_insert(struct endpoint_table *table, struct endpoint *ep,
			  struct endpoint **holder)
{
	*holder = NULL;
	return ep->kind == ECP_KIND_L2 ? l2_insert(table, ep, holder)
				       : udp_insert(table, ep, holder);
}

void endpoint_table_remove(struct endpoint_table *table, struct endpoint *ep)
{
	if (ep->kind == ECP_KIND_L2)
		l2_remove(table, ep);
	else
		udp_remove(table, ep);
}

struct endpoint *endpoint_table_child(const struct endpoint *l2,
				      const struct endpoint *after)
{
	struct endpoint *ep = after ? after->next : l2->station->udp;
	while (ep && ep->l2 != l2)
		ep = ep->next;
	return ep;
}

/* ---- lookup ---- */

static const uint8_t any_ip[16];

/* Where a datagram goes. */
static struct ecp_addr destination(const struct ecp_frame *frame)
{
	struct ecp_addr to = {.port = frame->dst_port, .family = frame->ip_version};
	memcpy(to.ip, frame->dst_ip, frame->ip_version == 4 ? 4 : sizeof(to.ip));
	return to;
}

void endpoint_table_hash(const struct endpoint_table *table, const struct ecp_frame *frame,
			 struct endpoint_hashes *hashes)
{
	hashes->station = key_hash(table, &frame->key);
	hashes->udp = hashes->udp_any = 0;
	if (!frame->udp || !table->udp.n)
		return;
	struct ecp_addr to = destination(frame);
	hashes->udp = udp_hash(table, hashes->station, to.ip, to.port, to.family);
	hashes->udp_any = udp_hash(table, hashes->station, any_ip, to.port, to.family);
}

void endpoint_table_prefetch_slots(const struct endpoint_table *table,
				   const struct endpoint_hashes *hashes)
{
	hash_prefetch(&table->stations, hashes->station);
	if (hashes->udp) {
		hash_prefetch(&table->udp, hashes->udp);
		hash_prefetch(&table->udp, hashes->udp_any);
	}
}

/* What has the hash is almost surely it. */
void endpoint_table_prefetch_endpoints(const struct endpoint_table *table,
				       const struct endpoint_hashes *hashes)
{
	size_t at;
	const struct endpoint *ep = hash_first(&table->stations, hashes->station, &at);
	__builtin_prefetch(ep);
	if (!hashes->udp)
		return;
	ep = hash_first(&table->udp, hashes->udp, &at);
	if (!ep)
		ep = hash_first(&table->udp, hashes->udp_any, &at);
	if (ep) {
		__builtin_prefetch(ep);
		__builtin_prefetch(&ep->local);
	}
}

static struct endpoint *lookup_udp(const struct endpoint_table *table,
				   const struct endpoint *first,
				   const struct ecp_frame *frame,
				   const struct endpoint_hashes *hashes)
{
	struct ecp_addr to = destination(frame);
	struct endpoint *ep = udp_find(table, &frame->key, &to, hashes->udp);
	if (ep)
		return ep;
	memset(to.ip, 0, sizeof(to.ip));
	ep = udp_find(table, &frame->key, &to, hashes->udp_any);
	return ep ? ep : first->station->accept_any;
}

struct endpoint *endpoint_table_lookup(const struct endpoint_table *table,
				       const struct ecp_frame *frame,
				       const struct endpoint_hashes *hashes)
{
	struct endpoint *ep = first_of(table, &frame->key, hashes->station);
	if (ep && ep->udp_here && hashes->udp) {
		struct endpoint *udp = lookup_udp(table, ep, frame, hashes);
		if (udp)
			return udp;
	}
	while (ep && !has_ethertype(ep, frame->ethertype))
		ep = ep->next;
	return ep;
}

struct endpoint *endpoint_table_next_sharing(const struct endpoint *ep, uint16_t ethertype)
{
	if (!ep->n_ethertypes) /* kind UDP: that itself stands on a line of sent frames */
		return NULL;
	ep = ep->next;
	while (ep && !has_ethertype(ep, ethertype))
		ep = ep->next;
	return (struct endpoint *)(uintptr_t)ep;
}
