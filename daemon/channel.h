/*
 * channel.h - the daemon's end of one client's rings: makes the memory, writes what is
 * received, reads and checks what the client wrote.
 *
 * Knows proto/channel.h and endpoints by number only: slots[] maps the client's numbers to
 * whatever object the caller keeps behind them.  What an endpoint holds of the RX ring is
 * counted by its number: at most its limit, and at most a quarter of what is free, so that
 * twenty busy endpoints cannot starve ten thousand quiet ones.  Used by datapath.c (hot) and
 * client.c (cold).  One thread.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "daemon/bucket.h"
#include "proto/channel.h"
#include "proto/counters.h"
#include "proto/frame.h"

struct endpoint;

/* Who sends under a number. */
struct channel_slot {
	struct endpoint *endpoint; /* NULL: free */
	uint32_t generation;       /* grows whenever the slot is taken again */
	uint32_t next_free;
};

/* Where a received frame is to go.  Kept by the endpoint, whose line is in the cache then. */
struct channel_dest {
	uint32_t id, generation;
	uint32_t limit; /* bytes of the RX ring it may hold */
};

/* Whose it is, for those who look at its frames. */
struct channel_owner {
	uint32_t client, pid, uid;
	char comm[16];
};

struct channel {
	/* RX: to the client */
	struct ecp_out rx;
	uint64_t reclaimed; /* used[] was given back up to this position */
	uint32_t fanout_used;
	bool touched;                    /* written to in this turn, not yet published */
	struct ecp_client_row *counters; /* of all its endpoints; NULL: it has none */
	uint8_t *chunks;                 /* where the rows of each of them are */
	/* TX: from the client */
	struct ecp_in tx;
	struct bucket tx_rate; /* frames that may be sent */
	bool awake;            /* polled every turn; asleep, it rings its bell */
	bool broken;           /* the client wrote nonsense into its ring or its indices */
	struct ecp_daemon_page *d;
	const struct ecp_client_page *c;
	int bell_rx, bell_tx; /* to ring, and to hear; both non-blocking */
	int bell_rx_keep; /* the ringing pipe's read end, never read: no SIGPIPE for us */
	struct channel_slot *slots;
	/* Bytes of the RX ring that records with this number hold.  Apart from the slots: it
	   is touched twice for each frame, and so 50,000 of them stay in the cache. */
	uint32_t *used;
	uint32_t n_slots, max_slots, first_free, n_endpoints;
	int peer_fds
	    [ECP_N_CHANNEL_FDS]; /* the client's copies until they are sent, then -1 */
	struct channel_owner owner;
};

/* ---- cold ---- */

/*
 * Make a channel: two sealed and populated memfds, two pipes.  Ring sizes in bytes must satisfy
 * ecp_ring_size_ok(), but tx_size may be 0: then the client sends nothing.  max_slots is how
 * many endpoints it may ever hold at one time.  0 with *ret, or -errno (-ENOMEM, -EMFILE, ...).
 */
int channel_new(struct channel **ret, uint32_t rx_size, uint32_t tx_size,
		uint32_t max_slots, uint64_t session);
void channel_free(struct channel *ch);
/*
 * Before channel_free(), for a client that is not to read on: the pages go back to the kernel
 * although it may keep the memory mapped, or its descriptors; what it touches from now on is
 * its own to pay for.  state_too: also the page that says how the channel ended.
 */
void channel_give_back(struct channel *ch, bool state_too);
/* The client's descriptors were sent: close our copies. */
void channel_forget_peer_fds(struct channel *ch);

/*
 * Take a free slot for an endpoint that may hold limit bytes (0: no limit of its own).
 * 0 with *ret, its number among it, or -ENOSPC or -ENOMEM.
 */
int channel_slot_take(struct channel *ch, struct endpoint *endpoint, uint32_t limit,
		      struct channel_dest *ret);
void channel_slot_give(struct channel *ch, uint32_t id);
/* Tell the client whether its interface is up. */
void channel_set_state(struct channel *ch, enum ecp_channel_state state);
/* The interface has changed, or is told of first: tell the client, and wake it. */
void channel_set_link(struct channel *ch, bool up, uint32_t mtu,
		      const uint8_t mac[static ECP_MAC_LEN]);
/* ... and how many frames its capture has missed. */
void channel_set_missed(struct channel *ch, uint64_t n);
uint32_t channel_rx_used(const struct channel *ch); /* bytes */

/* ---- hot ---- */

/* The endpoint of this number and generation, or NULL. */
static inline struct endpoint *channel_endpoint(const struct channel *ch, uint32_t id,
						uint32_t generation)
{
	if (id >= ch->n_slots || ch->slots[id].generation != generation)
		return NULL;
	return ch->slots[id].endpoint;
}

/* What an endpoint with this row has sent. */
static inline struct ecp_endpoint_tx *channel_tx_counters(const struct channel *ch,
							  uint32_t row)
{
	return (void *)(ch->chunks + ecp_counters_tx(row));
}

/* channel_endpoint() will follow.  id may be any. */
static inline void channel_prefetch_slot(const struct channel *ch, uint32_t id)
{
	if (id < ch->n_slots)
		__builtin_prefetch(&ch->slots[id]);
}

/* channel_put() will follow. */
static inline void channel_prefetch_used(const struct channel *ch,
					 const struct channel_dest *dest)
{
	__builtin_prefetch(&ch->used[dest->id], 1);
}

/* Write a whole frame to `to`: the tag that was handed over beside it stands in its place. */
static inline void channel_write_frame(uint8_t *to, const struct ecp_tag *tag,
				       const uint8_t *data, uint32_t len)
{
	if (!tag->present) {
		memcpy(to, data, len);
		return;
	}
	const uint8_t wire[ECP_TAG_LEN] = {tag->tpid >> 8, tag->tpid & 0xff, tag->tci >> 8,
					   tag->tci & 0xff};
	memcpy(to, data, 2 * ECP_MAC_LEN);
	memcpy(to + 2 * ECP_MAC_LEN, wire, sizeof(wire));
	memcpy(to + 2 * ECP_MAC_LEN + sizeof(wire), data + 2 * ECP_MAC_LEN,
	       len - 2 * ECP_MAC_LEN);
}

/*
 * Copy one frame, its tag back in place, into the RX ring for an endpoint (dest NULL: for
 * every multicast receiver of the client).  Returns where the whole frame now stands, so that
 * its checksum may be finished there before channel_publish(); NULL if the ring, or the
 * endpoint's share of it, is full, or the client is broken.
 */
uint8_t *channel_put(struct channel *ch, const struct channel_dest *dest,
		     const struct ecp_rx_aux *aux, const struct ecp_tag *tag,
		     const uint8_t *data, uint32_t len);
/* Show the client everything put since the last time; ring its bell if it sleeps. */
void channel_publish(struct channel *ch);

/* One record of the TX ring: a checked copy of its head, and its payload still in the ring. */
struct channel_tx {
	struct ecp_record head;
	struct ecp_tx_aux aux;
	/* the client may write here while we look: copy, then judge */
	const uint8_t *payload;
	uint32_t len;
};

/*
 * See what the client has produced: true if there is something to read.  Sets ch->broken if
 * its index is a lie.
 */
bool channel_tx_refresh(struct channel *ch);
/* The next record seen, consumed; false if there is none (ch->broken: it was no record). */
bool channel_tx_next(struct channel *ch, struct channel_tx *tx);
/* Give consumed room back; ring the bell if the client waits for it. */
void channel_tx_release(struct channel *ch);
/* Ask for the bell at the next record.  False if one has come meanwhile. */
bool channel_tx_sleep(struct channel *ch);

#endif
