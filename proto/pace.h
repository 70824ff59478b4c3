/*
 * pace.h - how whoever takes frames waits for more: the daemon after a turn of its loop, the
 * library in a call that waits.
 *
 * Woken for each frame, we would make its sender pay 8 us to wake us and work on bursts of one;
 * asleep by the clock while a burst gathers, we make an answer late.  So: few frames mean
 * somebody waits for an answer, then look again at once and block; many in a short time mean
 * load, then sleep as long as a burst takes to come.  (Measured: docs/PERFORMANCE.md.)
 *
 * Who has a core to spare may have it look again for a while before it blocks: answers then
 * take a third of the time.
 *
 * A value, no ownership.  Knows libc.
 */
#ifndef ECP_PACE_H
#define ECP_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define ECP_PACE_BLOCK (-1)

struct ecp_pace {
	uint32_t
	    few; /* a turn that moved so many was no answer; 0: none is taken for load */
	int64_t spin_ns;   /* look again for so long before blocking; 0: not at all */
	int64_t last;      /* when something moved */
	int64_t window;    /* began then, CLOCK_MONOTONIC */
	uint32_t in, out;  /* frames moved since, each way */
	uint32_t sleep_us; /* under load; 0: there is none */
	uint32_t idle;     /* turns in a row that moved nothing */
};

/*
 * A turn at now_ns has moved so many frames, one way and the other: a question and its answer
 * are no more of a load than either.  0: look again at once; ECP_PACE_BLOCK: wait for news; more:
 * sleep so many microseconds.
 */
int ecp_pace_after(struct ecp_pace *pace, unsigned in, unsigned out, int64_t now_ns);

#endif
