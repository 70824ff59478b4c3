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

#include "daemon/channel.h"
#include "daemon/hash.h"
#include "proto/counters.h"
#include "proto/frame.h"
#include "proto/msg.h"

#include <assert.h>
#include <stdbool.h>

struct sending;
struct station;
struct endpoint_table;

/* A header without the destination before it and the EtherType behind it. */
#define ENDPOINT_SOURCE (ECP_ETH_HLEN_MAX - ECP_MAC_LEN - 2)

struct endpoint {
	/* What a frame received on an L2 endpoint touches: this cache line and its counters. */
	_Alignas(64) struct channel *channel; /* the client's: who it is */
	struct endpoint *next;                /* of its kind on the same station */
	struct ecp_endpoint_rx *rx;           /* its counters: a row that all may read */
	struct channel_dest dest;             /* the client's number for it among it */
	struct ecp_key key;
	uint8_t n_ethertypes : 7; /* of kind L2; 0 of kind UDP */
	bool udp_here : 1; /* first of its station, and UDP endpoints stand there, too */
	uint8_t flags;     /* enum ecp_endpoint_flags */
	union {
		uint16_t
		    ethertypes[ECP_ETHERTYPES_MAX]; /* L2; the first eight on this line */
		struct ecp_addr
		    local; /* UDP: the rest of it on the next; endpoint_local() */
	};
	/* The rest. */
	union {
		struct station *station; /* L2: the table's; NULL while not inserted */
		struct endpoint *before; /* UDP: its neighbour on the same station */
	};
	union {
		struct endpoint *next_default; /* L2 */
		struct endpoint *l2;           /* UDP: what it stands on */
	};
	/* What a sent frame touches. */
	const struct sending *sending; /* NULL: it may send everything, as what it is */
	uint32_t row;                  /* of its counters, by its number */
	/* its address as it stands in its frames: its MAC and its tags; endpoint_l2addr() */
	uint8_t source[ENDPOINT_SOURCE];
	uint8_t header_len;
	uint8_t kind; /* enum ecp_endpoint_kind */
	uint32_t payload_max;
};
static_assert(offsetof(struct endpoint, ethertypes[8]) == 64, "line 0");
static_assert(offsetof(struct endpoint, sending) >= 64, "line 1");
static_assert(sizeof(struct endpoint) == 128, "two lines");

/* Where it lives: sets its source and its key. */
void endpoint_set_l2addr(struct endpoint *ep, const struct ecp_l2addr *addr);
struct ecp_l2addr endpoint_l2addr(const struct endpoint *ep);
/* The address of one of kind UDP; of kind L2 none, family 0. */
struct ecp_addr endpoint_local(const struct endpoint *ep);

/*
 * L2 endpoints at most on one MAC with its VLANs: a frame is looked at, and copied, for each of
 * them.
 */
#define ENDPOINT_TABLE_SHARERS 32

/* A copy of its counters. */
static inline struct ecp_endpoint_stats endpoint_stats(const struct endpoint *ep)
{
	return ecp_endpoint_rows_read(ep->rx, channel_tx_counters(ep->channel, ep->row));
}

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
 * 0, -ENOMEM, -EUSERS (as many L2 endpoints as may share an address), or -EADDRINUSE with *holder the endpoint that has what it asks for:
 *   L2   the same MAC, VLANs and EtherType, or the same MAC and VLANs in another client; unless both share
 *   UDP  the same ip:port, or accept-any twice, on the same MAC and VLANs
 */
int endpoint_table_insert(struct endpoint_table *table, struct endpoint *ep,
			  struct endpoint **holder);
void endpoint_table_remove(struct endpoint_table *table, struct endpoint *ep);

/* Give a UDP endpoint another address.  As insert; after an error it has its old one. */
int endpoint_table_set_local(struct endpoint_table *table, struct endpoint *ep,
			     const struct ecp_addr *local, struct endpoint **holder);

/* In how many multicast groups ep is while it is inserted. */
unsigned endpoint_table_n_groups(const struct endpoint *ep);

/*
 * The UDP endpoint that stands on l2 and comes after that one of them, NULL: the first; or NULL.
 * The list is shared by all on that address: who closes them all walks on.
 */
struct endpoint *endpoint_table_child(const struct endpoint *l2,
				      const struct endpoint *after);

/* ---- hot ---- */

/* Under which hashes a frame's claims stand. */
struct endpoint_hashes {
	uint64_t station;
	uint64_t udp, udp_any; /* 0: no such claim */
};

void endpoint_table_hash(const struct endpoint_table *table, const struct ecp_frame *frame,
			 struct endpoint_hashes *hashes);
/*
 * Bring what a lookup will read into the cache.  Each step reads what the one before has
 * fetched: do one for a whole burst, then the next, then look up.
 */
void endpoint_table_prefetch_slots(const struct endpoint_table *table,
				   const struct endpoint_hashes *hashes);
void endpoint_table_prefetch_endpoints(const struct endpoint_table *table,
				       const struct endpoint_hashes *hashes);

/*
 * The endpoint that gets this unicast frame, or NULL.  Further L2 endpoints that share it
 * follow by endpoint_table_next_sharing().
 */
struct endpoint *endpoint_table_lookup(const struct endpoint_table *table,
				       const struct ecp_frame *frame,
				       const struct endpoint_hashes *hashes);
struct endpoint *endpoint_table_next_sharing(const struct endpoint *ep, uint16_t ethertype);

/* The first of those who want what nobody claims, or, with ECP_EP_MIRROR, everything; or NULL. */
struct endpoint *endpoint_table_defaults(const struct endpoint_table *table);

/* Who wants multicast of these VLANs, or NULL: nobody; any: those who want it of any VLAN. */
const struct group *endpoint_table_group(const struct endpoint_table *table,
					 const struct ecp_frame *frame);
const struct group *endpoint_table_group_any(const struct endpoint_table *table,
					     const struct ecp_frame *frame);

#endif
