/*
 * counters_view.h - a daemon's memory of counters, as whoever may connect to it sees it.
 */
#ifndef TEST_COUNTERS_VIEW_H
#define TEST_COUNTERS_VIEW_H

#include "proto/counters.h"

struct counters_view {
	int control; /* the connection that has asked */
	int fd;
	const struct ecp_counters_head *head;
	size_t size;
};

/* Ask the daemon at sock; map all that is there now. */
void counters_view_open(struct counters_view *view, const char *sock);
void counters_view_close(struct counters_view *view);

const struct ecp_relay_row *counters_view_relay(const struct counters_view *view,
						uint32_t i);
const struct ecp_client_row *counters_view_client(const struct counters_view *view,
						  uint32_t i);
const struct ecp_endpoint_rx *counters_view_rx(const struct counters_view *view,
					       uint32_t i);
const struct ecp_endpoint_tx *counters_view_tx(const struct counters_view *view,
					       uint32_t i);

#endif
