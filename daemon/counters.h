/*
 * counters.h - the memory of counters (proto/counters.h), and who has which of its rows.
 *
 * Rows are taken when a client attaches and when an endpoint is opened; the datapath counts into
 * them.  Knows proto/ and memfd; used by client.c and control.c.  One thread.
 */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "proto/counters.h"

/* Rows that were given back, the newest first; and how many were ever taken. */
struct counters_rows {
	uint32_t used, max;
	uint32_t free; /* COUNTERS_NONE: none */
};
#define COUNTERS_NONE UINT32_MAX

struct counters {
	int fd, reader_fd;              /* the second to read only, for those who ask */
	struct ecp_counters_head *head; /* NULL: there is no memory */
	uint8_t *chunks;
	uint32_t n_chunks; /* that are made; there are addresses for more */
	size_t reserved;   /* of all, in bytes */
	struct counters_rows clients, endpoints;
	uint32_t readers; /* connections that have asked */
};

/*
 * Make the memory, for so many relays and clients, and so many endpoints of each of these, but no
 * more than 16 million in all.  0 or -errno.
 */
int counters_open(struct counters *counters, uint32_t relays, uint32_t clients,
		  uint32_t endpoints);
/* Also again, or where they could not be opened. */
void counters_close(struct counters *counters);

struct ecp_relay_row *counters_relay(const struct counters *counters, uint32_t i);

/* The row of a client with this number, all zero, or NULL: there is none left. */
struct ecp_client_row *counters_take_client(struct counters *counters, uint32_t id);
void counters_give_client(struct counters *counters, struct ecp_client_row *row);

/*
 * The rows of the endpoint with the number id of this client, all zero.  0; -ENOSPC: there are none
 * left; or -ENOMEM.
 */
int counters_take_endpoint(struct counters *counters, uint32_t client, uint32_t id,
			   uint32_t *row);
void counters_give_endpoint(struct counters *counters, uint32_t row);

/* What an endpoint with this row has received, and sent. */
static inline struct ecp_endpoint_rx *counters_rx(const struct counters *counters,
						  uint32_t row)
{
	return (void *)(counters->chunks + ecp_counters_rx(row));
}

static inline struct ecp_endpoint_tx *counters_tx(const struct counters *counters,
						  uint32_t row)
{
	return (void *)(counters->chunks + ecp_counters_tx(row));
}

#endif
