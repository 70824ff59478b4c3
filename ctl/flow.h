/*
 * flow.h - what goes through a relay, a client or an endpoint, in total and per second.
 *
 *   each round:  flow_history_begin -> flow_history_rate for every object -> flow_history_end
 *
 * Objects are told apart by a number.  Needs some 100 bytes for each.
 */
#ifndef CTL_FLOW_H
#define CTL_FLOW_H

#include "proto/stats.h"

#include <stddef.h>

struct flow {
	uint64_t rx, rx_bytes, tx, tx_bytes, drops;
};

struct flow flow_of_relay(const struct ecp_relay_stats *stats);
struct flow flow_of_endpoint(const struct ecp_endpoint_stats *stats);

/* The sum of the drop counters whose names begin so. */
uint64_t flow_sum_drops(const struct ecp_counter *counters, unsigned n, const void *stats,
			const char *beginning);

struct flow_mark {
	uint64_t key;
	struct flow flow;
};

struct flow_marks {
	struct flow_mark *marks;
	size_t n, room;
};

/* Begins as all zeros. */
struct flow_history {
	struct flow_marks before, now;
	int64_t time_ns, begun_ns;
	uint64_t elapsed_ns; /* between the round before and this one; 0 in the first */
};

void flow_history_begin(struct flow_history *history);
/*
 * Keep this object's flow; returns what it is per second since the round before.  What was not
 * there then began with nothing.  In the first round there are no rates: all 0.
 */
struct flow flow_history_rate(struct flow_history *history, uint64_t key,
			      const struct flow *flow);
void flow_history_end(struct flow_history *history);
void flow_history_free(struct flow_history *history);

/* CLOCK_MONOTONIC. */
int64_t flow_now_ns(void);

#endif
