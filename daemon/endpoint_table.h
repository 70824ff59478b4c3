/*
 * endpoint_table.h - who gets a frame: endpoints by MAC and VLANs, UDP claims, multicast
 * groups by VLAN.
 *
 *   (MAC, VLANs) -> station -+-> L2 endpoints by EtherType
 *                            +-> UDP endpoints: ip:port, any:port, accept-any
 *   (VLANs, EtherType) -> group -> one member for each channel that asked for multicast
 *
 * A station exists while some endpoint lives there.  The table links endpoints, it does not own
 * them.  Knows proto/; used by datapath.c (hot: the lookups) and client.c (cold).  One thread.
 */
#ifndef ENDPOINT_TABLE_H
#define ENDPOINT_TABLE_H

#include "daemon/hash.h"
#include "proto/frame.h"
#include "proto/msg.h"
#include "proto/stats.h"

struct channel;
struct client;
struct policy;
struct sending;
struct station;
struct endpoint_table;

struct endpoint {
	/* what each received frame touches: one cache line, and the counters in the next */
	struct channel *channel;
	struct endpoint *next; /* of its kind on the same station */
	uint32_t id;           /* the client's number for it */
	uint8_t kind;          /* enum ecp_endpoint_kind */
	uint8_t n_ethertypes;
	uint8_t header_len;
	uint16_t ethertypes[ECP_ETHERTYPES_MAX];
	struct ecp_endpoint_stats stats;
	/* ... and each sent one: prebuilt, destination and EtherType left zero */
	uint8_t header[ECP_ETH_HLEN_MAX];
	uint32_t payload_max;
	const struct sending *sending; /* NULL: it may send everything, as what it is */
	struct endpoint *next_default;
	/* what it was asked for */
	struct client *client;
	struct policy *policy; /* a reference, if sending is its */
	struct endpoint *l2;   /* kind UDP: the L2 endpoint it stands on */
	unsigned flags;        /* enum ecp_endpoint_flags */
	struct ecp_l2addr addr;
	struct ecp_addr local;
	struct station *station; /* the table's; NULL while not inserted */
};

/* One channel in a multicast group. */
struct group_member {
	struct channel *channel;
	uint32_t n_endpoints; /* of that channel in this group */
};

struct group {
	uint16_t vlan[ECP_VLANS_MAX];
	uint16_t ethertype;
	uint32_t n_members;
	struct group_member *members;
};

struct endpoint_table *endpoint_table_new(void);        /* NULL: out of memory */
void endpoint_table_free(struct endpoint_table *table); /* must be empty */

/*
 * Put ep, its request fields filled in, where its claim says (kind UDP: on ep->l2's station).
 * 0, -ENOMEM, or -EADDRINUSE with *holder the endpoint that has what it asks for:
 *   L2   the same MAC, VLANs and EtherType, or the same MAC and VLANs in another client; unless both share
 *   UDP  the same ip:port, or accept-any twice, on the same MAC and VLANs
 */
int endpoint_table_insert(struct endpoint_table *table, struct endpoint *ep,
			  struct endpoint **holder);
void endpoint_table_remove(struct endpoint_table *table, struct endpoint *ep);

/* Give a UDP endpoint another address.  As insert; after an error it has its old one. */
int endpoint_table_set_local(struct endpoint_table *table, struct endpoint *ep,
			     const struct ecp_addr *local, struct endpoint **holder);

/* A UDP endpoint that stands on l2, or NULL. */
struct endpoint *endpoint_table_child(const struct endpoint *l2);

/* ---- hot ---- */

uint64_t endpoint_table_hash(const struct endpoint_table *table, const struct ecp_key *key);
/*
 * Bring what a lookup will read into the cache.  Each step reads what the one before has
 * fetched: do one for a whole burst, then the next, then look up.
 */
void endpoint_table_prefetch_slot(const struct endpoint_table *table, uint64_t hash);
void endpoint_table_prefetch_station(const struct endpoint_table *table, uint64_t hash);

/*
 * The endpoint that gets this unicast frame, or NULL.  hash is its key's.  Further L2 endpoints that share
 * it follow by endpoint_table_next_sharing().
 */
struct endpoint *endpoint_table_lookup(const struct endpoint_table *table,
				       const struct ecp_frame *frame, uint64_t hash);
struct endpoint *endpoint_table_next_sharing(const struct endpoint *ep, uint16_t ethertype);

/* The first of those who want what nobody claims, or, with ECP_EP_MIRROR, everything; or NULL. */
struct endpoint *endpoint_table_defaults(const struct endpoint_table *table);

/* Who wants multicast of these VLANs: NULL if nobody.
any: those who want it of any VLAN. */
const struct group *endpoint_table_group(const struct endpoint_table *table,
					 const struct ecp_frame *frame);
const struct group *endpoint_table_group_any(const struct endpoint_table *table,
					     const struct ecp_frame *frame);

#endif
