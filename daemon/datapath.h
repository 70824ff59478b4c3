/*
 * datapath.h - the walk of a frame: relay <-> endpoint table <-> channels, both ways.
 *
 * One datapath is one interface.  It is the only part that sees both ends of a frame, and the
 * hot one: no allocation, no log, no lock, no system call per frame.  Everything happens in
 * bounded turns of the daemon's loop: datapath_rx.c, then datapath_tx.c.  Knows relay,
 * endpoint_table, channel; used by client.c (which adds channels and endpoints) and daemon.c
 * (which turns it).
 */
#ifndef DATAPATH_H
#define DATAPATH_H

#include "daemon/capture.h"
#include "daemon/channel.h"
#include "daemon/endpoint_table.h"
#include "daemon/relay.h"

struct datapath {
	struct relay relay;
	struct ecp_relay_row *row; /* where all may read what it counts, or NULL */
	struct endpoint_table *table;
	struct channel **channels; /* attached */
	uint32_t n_channels, max_channels;
	uint32_t n_endpoints;     /* of all of them; client.c counts */
	struct channel **awake;   /* polled for sends in every turn */
	struct channel **touched; /* written to in this turn */
	uint32_t n_awake, n_touched;
	bool backlog; /* the last turn left full bursts behind: no time to sleep */
	bool trouble; /* some channel was found broken: the caller ends its client */
	struct captures
	    captures; /* looked at once a burst; while there is one, all is slower */
};

/*
 * Start on dp->relay, which the caller has opened, in otherwise zeroed memory.  max_channels:
 * attached at one time.  0, or -ENOMEM (then the relay is still open).
 */
int datapath_start(struct datapath *dp, uint32_t max_channels);
void datapath_stop(struct datapath *dp); /* closes the relay; no channel may be attached */

/* 0 or -ENOSPC. */
int datapath_attach(struct datapath *dp, struct channel *ch);
/* Forget a channel; its endpoints must have left the table. */
void datapath_detach(struct datapath *dp, struct channel *ch);

/* Copy all frames to a capture, until datapath_capture_stop().  0 or -ENOMEM. */
int datapath_capture(struct datapath *dp, struct capture *capture);
void datapath_capture_stop(struct datapath *dp, struct capture *capture);

/* ch has rung: poll it from now on. */
void datapath_wake(struct datapath *dp, struct channel *ch);

/*
 * One turn: at most a few bursts from the relay and one from each channel that is awake.
 * Returns how many frames moved.  Channels found broken are marked so (ch->broken), not
 * touched again, and dp->trouble is set: the caller ends their clients.  For
 * tests alone: the daemon calls the halves.
 */
unsigned datapath_turn(struct datapath *dp);
unsigned datapath_rx_turn(struct datapath *dp); /* its halves */
unsigned datapath_tx_turn(struct datapath *dp);

/*
 * Show what the relay has counted: while somebody looks, after turns that moved frames, and when it
 * is asked.
 */
void datapath_show(struct datapath *dp);
/* Show what clients have left in their rings since the last frame: it is not said to us. */
void datapath_show_rings(const struct datapath *dp);

/*
 * Send what an attached channel still holds, up to some bursts: for a client that has gone
 * right after its last send.
 */
void datapath_tx_last(struct datapath *dp, struct channel *ch);

/*
 * Ask every channel that is awake for its bell.  True if all sleep and nothing has come
 * meanwhile: the loop may block until the relay's descriptor or a bell is readable.
 */
bool datapath_sleep(struct datapath *dp);

#endif
