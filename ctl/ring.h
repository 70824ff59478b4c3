/*
 * ring.h - the reading end of a capture's ring (proto/channel.h).
 *
 *   ring_open -> ( ring_look -> ring_next ... -> ring_release -> ring_wait )* -> ring_close
 *
 * Knows ctl (to ask) and proto/channel.h.  One thread.
 */
#ifndef CTL_RING_H
#define CTL_RING_H

#include "ctl/ctl.h"
#include "proto/channel.h"

struct ring {
	const struct ecp_daemon_page *d;
	struct ecp_client_page *c;
	size_t d_size;
	struct ecp_in in;
	int bell;
};

/* One record: copies of what stands at its head, and the frame, in the ring. */
struct ring_record {
	struct ecp_record head;
	struct ecp_capture_aux aux;
	const uint8_t *frame;
	uint32_t len;
};

enum ring_news { RING_NEWS, RING_SIGNAL, RING_GONE };

/* Ask ctl->request, which is a capture, and map what comes.  CTL_OK, or it has complained. */
enum ctl_exit ring_open(struct ctl *ctl, struct ring *ring);
void ring_close(struct ring *ring);

/* See what the daemon has written.  False: its ring is broken. */
bool ring_look(struct ring *ring);
/* The next record seen; false: there is none, or (with *broken) no such thing stands there. */
bool ring_next(struct ring *ring, struct ring_record *record, bool *broken);
void ring_release(struct ring *ring); /* what was read may be overwritten */
/*
 * Sleep until there is more, or the descriptor `signals` is readable, or the daemon hangs up the
 * connection `control`.
 */
enum ring_news ring_wait(struct ring *ring, int control, int signals);
/* How many frames found no room. */
uint64_t ring_missed(const struct ring *ring);

#endif
