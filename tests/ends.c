/*
 * ends.c - the sum over all counters that are an end.
 */
#include "tests/ends.h"

uint64_t sum_of_ends(const struct ecp_relay_stats *stats, char way)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_relay_counters[i];
		if (c->name[0] == way &&
		    (c->kind == ECP_COUNTER_out || c->kind == ECP_COUNTER_drop))
			sum += ecp_counter_get(c, stats);
	}
	return sum;
}
