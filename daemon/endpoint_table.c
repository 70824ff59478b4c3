/*
 * endpoint_table.c - three hash tables: stations, UDP claims, multicast groups.
 *
 * A lookup touches one slot, one station and the endpoint; datapath.c prefetches the slots of
 * a whole burst first.  Claims are compared whole, so equal hashes do no harm.
 */
#include "daemon/endpoint_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In a group's VLANs: the group of those who want multicast whatever the tags. */
#define GROUP_ANY_VLAN 0xfffe

struct station {
	struct ecp_key key;
	uint64_t hash;
	uint32_t n_udp;
	struct endpoint *l2;  /* list */
	struct endpoint *udp; /* list */
	struct endpoint *accept_any;
};

struct endpoint_table {
	struct hash stations, udp, groups;
	uint32_t n_any_groups;
	struct endpoint *defaults; /* list */
};

struct endpoint_table *endpoint_table_new(void)
{
	struct endpoint_table *table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
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
	free(table);
}

/* ---- stations ---- */

uint64_t endpoint_table_hash(const struct endpoint_table *table, const struct ecp_key *key)
{
	uint64_t mac_and_outer = 0;
	memcpy(&mac_and_outer, key->mac, ECP_MAC_LEN);
	mac_and_outer |= (uint64_t)key->vlan[0] << 48;
	return hash_mix(&table->stations, mac_and_outer, key->vlan[1]);
}

void endpoint_table_prefetch_slot(const struct endpoint_table *table, uint64_t hash)
{
	hash_prefetch(&table->stations, hash);
}

void endpoint_table_prefetch_station(const struct endpoint_table *table, uint64_t hash)
{
	__builtin_prefetch(hash_guess(&table->stations, hash));
}

static struct station *station_find(const struct endpoint_table *table,
				    const struct ecp_key *key, uint64_t hash)
{
	size_t at;
	struct station *st = hash_first(&table->stations, hash, &at);
	while (st && !ecp_key_equal(&st->key, key))
		st = hash_next(&table->stations, hash, &at);
	return st;
}

/* The station of key, made if it is not there.  NULL: out of memory. */
static struct station *station_get(struct endpoint_table *table, const struct ecp_key *key)
{
	uint64_t hash = endpoint_table_hash(table, key);
	struct station *st = station_find(table, key, hash);
	if (st)
		return st;
	st = calloc(1, sizeof(*st));
	if (!st)
		return NULL;
	st->key = *key;
	st->hash = hash;
	if (hash_insert(&table->stations, hash, st) == 0)
		return st;
	free(st);
	return NULL;
}

static void station_put(struct endpoint_table *table, struct station *st)
{
	if (st->l2 || st->udp)
		return;
	hash_remove(&table->stations, st->hash, st);
	free(st);
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
	struct ecp_key key = ecp_key_of(&ep->addr);
	bool any = ep->flags & ECP_EP_MULTICAST_ANY;
	vlan[0] = any ? GROUP_ANY_VLAN : key.vlan[0];
	vlan[1] = any ? GROUP_ANY_VLAN : key.vlan[1];
	return true;
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
	if (a->client != b->client)
		return true;
	for (unsigned i = 0; i < a->n_ethertypes; i++)
		if (has_ethertype(b, a->ethertypes[i]))
			return true;
	return false;
}

static int l2_insert(struct endpoint_table *table, struct endpoint *ep,
		     struct endpoint **holder)
{
	struct ecp_key key = ecp_key_of(&ep->addr);
	struct station *st = station_get(table, &key);
	if (!st)
		return -ENOMEM;
	struct endpoint **last = &st->l2;
	for (; *last; last = &(*last)->next)
		if (l2_conflict(ep, *last)) {
			*holder = *last;
			return -EADDRINUSE;
		}
	int r = groups_join(table, ep);
	if (r < 0) {
		station_put(table, st);
		return r;
	}
	ep->next = NULL;
	ep->station = st;
	*last = ep;
	if (is_default(ep)) {
		ep->next_default = table->defaults;
		table->defaults = ep;
	}
	return 0;
}

/* ---- UDP claims ---- */

static uint64_t udp_hash(const struct endpoint_table *table, const struct station *st,
			 const uint8_t ip[16], uint16_t port, uint8_t family)
{
	uint64_t words[2];
	memcpy(words, ip, sizeof(words));
	uint64_t where = (uint64_t)(uintptr_t)st ^ (uint64_t)port << 48 ^ family;
	return hash_mix(&table->udp, words[0] ^ words[1] * 0x9ddfea08eb382d69, where);
}

static struct endpoint *udp_find(const struct endpoint_table *table,
				 const struct station *st, const struct ecp_addr *a)
{
	uint64_t hash = udp_hash(table, st, a->ip, a->port, a->family);
	size_t at;
	struct endpoint *ep = hash_first(&table->udp, hash, &at);
	while (ep && (ep->station != st || !ecp_addr_equal(&ep->local, a)))
		ep = hash_next(&table->udp, hash, &at);
	return ep;
}

static int udp_insert(struct endpoint_table *table, struct endpoint *ep,
		      struct endpoint **holder)
{
	struct station *st = ep->l2->station;
	*holder = udp_find(table, st, &ep->local);
	if (!*holder && ep->flags & ECP_EP_ACCEPT_ANY)
		*holder = st->accept_any;
	if (*holder)
		return -EADDRINUSE;
	uint64_t hash = udp_hash(table, st, ep->local.ip, ep->local.port, ep->local.family);
	int r = hash_insert(&table->udp, hash, ep);
	if (r < 0)
		return r;
	if (ep->flags & ECP_EP_ACCEPT_ANY)
		st->accept_any = ep;
	ep->station = st;
	ep->next = st->udp;
	st->udp = ep;
	st->n_udp++;
	return 0;
}

static void udp_remove(struct endpoint_table *table, struct endpoint *ep)
{
	struct station *st = ep->station;
	uint64_t hash = udp_hash(table, st, ep->local.ip, ep->local.port, ep->local.family);
	hash_remove(&table->udp, hash, ep);
	list_remove(&st->udp, ep);
	if (st->accept_any == ep)
		st->accept_any = NULL;
	st->n_udp--;
}

int endpoint_table_set_local(struct endpoint_table *table, struct endpoint *ep,
			     const struct ecp_addr *local, struct endpoint **holder)
{
	*holder = udp_find(table, ep->station, local);
	if (*holder == ep)
		return 0;
	if (*holder)
		return -EADDRINUSE;
	uint64_t hash = udp_hash(table, ep->station, local->ip, local->port, local->family);
	int r = hash_insert(&table->udp, hash, ep);
	if (r < 0)
		return r;
	hash = udp_hash(table, ep->station, ep->local.ip, ep->local.port, ep->local.family);
	hash_remove(&table->udp, hash, ep);
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
	struct station *st = ep->station;
	if (ep->kind == ECP_KIND_L2) {
		groups_leave(table, ep, ep->n_ethertypes);
		defaults_remove(table, ep);
		list_remove(&st->l2, ep);
	} else {
		udp_remove(table, ep);
	}
	ep->station = NULL;
	station_put(table, st);
}

struct endpoint *endpoint_table_child(const struct endpoint *l2)
{
	struct endpoint *ep = l2->station->udp;
	while (ep && ep->l2 != l2)
		ep = ep->next;
	return ep;
}

/* ---- lookup ---- */

static struct endpoint *lookup_udp(const struct endpoint_table *table,
				   const struct station *st, const struct ecp_frame *frame)
{
	struct ecp_addr to = {.port = frame->dst_port, .family = frame->ip_version};
	memcpy(to.ip, frame->dst_ip, frame->ip_version == 4 ? 4 : sizeof(to.ip));
	struct endpoint *ep = udp_find(table, st, &to);
	if (ep)
		return ep;
	memset(to.ip, 0, sizeof(to.ip));
	ep = udp_find(table, st, &to);
	return ep ? ep : st->accept_any;
}

struct endpoint *endpoint_table_lookup(const struct endpoint_table *table,
				       const struct ecp_frame *frame, uint64_t hash)
{
	const struct station *st = station_find(table, &frame->key, hash);
	if (!st)
		return NULL;
	if (frame->udp && st->n_udp) {
		struct endpoint *ep = lookup_udp(table, st, frame);
		if (ep)
			return ep;
	}
	struct endpoint *ep = st->l2;
	while (ep && !has_ethertype(ep, frame->ethertype))
		ep = ep->next;
	return ep;
}

struct endpoint *endpoint_table_next_sharing(const struct endpoint *ep, uint16_t ethertype)
{
	if (ep->kind != ECP_KIND_L2)
		return NULL;
	ep = ep->next;
	while (ep && !has_ethertype(ep, ethertype))
		ep = ep->next;
	return (struct endpoint *)(uintptr_t)ep;
}
