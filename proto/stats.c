/*
 * stats.c - the lists of stats.h as tables.
 */
#include "proto/stats.h"

#include <stddef.h>

#define RELAY_ROW(name, kind, text)                                                        \
	{#name, text, ECP_COUNTER_##kind, offsetof(struct ecp_relay_stats, name)},
#define ENDPOINT_ROW(name, kind, text)                                                     \
	{#name, text, ECP_COUNTER_##kind, offsetof(struct ecp_endpoint_stats, name)},

const struct ecp_counter ecp_relay_counters[ECP_N_RELAY_COUNTERS] = {
    ECP_RELAY_COUNTERS(RELAY_ROW)};

const struct ecp_counter ecp_endpoint_counters[ECP_N_ENDPOINT_COUNTERS] = {
    ECP_ENDPOINT_COUNTERS(ENDPOINT_ROW)};
