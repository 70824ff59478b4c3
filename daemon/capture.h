/*
 * capture.h - a copy of every frame, with what became of it, for those who look.
 *
 *   datapath_rx.c, datapath_tx.c -> struct captured -> each capture's ring -> etherconnctl capture
 *
 * A capture is a channel of which only the daemon's half is used.  Who does not read it misses
 * frames, and is told how many; nobody waits for it.  Which counter has grown while a frame went
 * its way is why it was dropped, so a new counter is known here by itself.  Without a capture
 * nothing of this runs.  Knows channel and endpoint_table; used by datapath (to fill them) and
 * client (which owns them).  One thread.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "daemon/channel.h"
#include "daemon/endpoint_table.h"

/* Room for a frame of any MTU (at most 65,535) with two tags. */
#define CAPTURE_IMAGE (65536 + ECP_ETH_HLEN_MAX)

struct capture {
	struct channel *channel;
	uint32_t snaplen; /* bytes of each frame that are copied, at most */
	uint64_t missed;  /* found a full ring */
};

/* Those of one datapath. */
struct captures {
	unsigned n;
	struct capture **all;
	uint8_t
	    *image; /* CAPTURE_IMAGE bytes to make a whole frame in; NULL while n is 0 */
};

/* One frame, and what became of it. */
struct captured {
	enum ecp_capture_direction direction;
	uint64_t time_ns;
	const char *interface;
	const uint8_t *data; /* whole, tags in their places */
	uint32_t len;
	const struct endpoint *ep;   /* whose; NULL: nobody's, or */
	const struct channel *owner; /* ... this client's, without an endpoint; or NULL */
	const char *reason;          /* a counter's name, or NULL */
	bool dropped;
};

/* Make a capture of its own ring, in bytes.  0 with *ret, or -errno. */
int capture_new(struct capture **ret, uint32_t ring, uint32_t snaplen, uint64_t session);
void capture_free(struct capture *capture);

int captures_add(struct captures *captures, struct capture *capture); /* 0 or -ENOMEM */
/* False: it is none of these. */
bool captures_remove(struct captures *captures, struct capture *capture);

/* ---- while there is one ---- */

/* Which drop counter, if any, has grown since before? */
void capture_find_reason(struct captured *seen, const struct ecp_relay_stats *before,
			 const struct ecp_relay_stats *after);
void captures_put(struct captures *captures, const struct captured *seen);
/* Show what was put.  True: some capture's reader has lied about its index. */
bool captures_publish(struct captures *captures);
uint64_t capture_now_ns(void); /* CLOCK_REALTIME */

#endif
