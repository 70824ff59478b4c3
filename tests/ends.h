/*
 * ends.h - what became of frames, all reasons together.
 */
#ifndef TEST_ENDS_H
#define TEST_ENDS_H

#include "proto/stats.h"

/* Delivered, sent, or dropped for any reason: way 'r' of those received, 't' of those sent. */
uint64_t sum_of_ends(const struct ecp_relay_stats *stats, char way);

#endif
