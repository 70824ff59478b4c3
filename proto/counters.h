/*
 * counters.h - what the daemon counts, in memory that whoever looks can read without asking.
 *
 *   page 0   struct ecp_counters_head
 *   then     struct ecp_relay_row[relays]          in the order of the list of relays
 *            struct ecp_client_row[clients]        id 0: nobody's
 *   chunks   struct ecp_endpoint_rx[2048]          of 0: nobody's
 *            struct ecp_endpoint_tx[2048]          of the same endpoints
 *
 * One memfd of the daemon's making that only grows, by chunks, and that nobody else can write; the
 * answer to the request "counters" brings its descriptor.  Rows say whose they are, in the numbers
 * of the lists (msg.h), and the head how often those have changed.
 *
 * The daemon counts here and nowhere else: each number is exact at any moment, but two of them
 * may be a frame apart.  A relay's alone are copied here as a whole, so that they add up: after
 * each turn, while a connection that has asked for the memory is there.  Kept by others, and so up to a quarter of a second old, are rx_kernel_drops and
 * rx_filtered, and what a client has read of its ring since the last frame.
 *
 * Knows libc only.  One process writes, in one thread; any number read.
 */
#ifndef ECP_COUNTERS_H
#define ECP_COUNTERS_H

#include "proto/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define ECP_COUNTERS_MAGIC 0x6574636e /* "etcn" */
#define ECP_COUNTERS_ABI   1
#define ECP_COUNTERS_PAGE  4096

typedef _Atomic uint64_t ecp_count;

struct ecp_counters_head {
	_Alignas(64) uint32_t magic;
	uint32_t abi;
	uint32_t n_relay_counters, n_endpoint_counters; /* in the rows; of stats.h */
	uint32_t relays, clients;                       /* rows there are */
	/* Rows that have ever been somebody's: the first so many, which are there. */
	_Alignas(64) _Atomic uint32_t clients_used;
	_Atomic uint32_t endpoints_used;
	/* How often who or what is there has changed: relays and clients; endpoints. */
	ecp_count clients_changed, endpoints_changed;
	ecp_count connected; /* clients, with those that only ask */
	ecp_count denied;    /* what the policy refused */
};

#define ECP_COUNT_MEMBER(name, kind, text) ecp_count name;

struct ecp_relay_row {
	_Alignas(64) ecp_count version; /* odd: it is being written */
	ecp_count counters[ECP_N_RELAY_COUNTERS];
	ecp_count endpoints;
};

struct ecp_client_row {
	_Alignas(64) ECP_ENDPOINT_COUNTERS(ECP_COUNT_MEMBER) /* sums over its endpoints */
	    _Atomic uint32_t id;
	_Atomic uint32_t rx_used; /* bytes of its RX ring */
	ecp_count endpoints, denied;
	ecp_count next_free; /* the daemon's own, while the row is nobody's */
};

struct ecp_endpoint_rx {
	ECP_ENDPOINT_RX_COUNTERS(ECP_COUNT_MEMBER)
	ecp_count of; /* the client's number << 32 | the endpoint's */
};

struct ecp_endpoint_tx {
	ECP_ENDPOINT_TX_COUNTERS(ECP_COUNT_MEMBER)
	ecp_count next_free; /* as above */
};

#undef ECP_COUNT_MEMBER

static_assert(offsetof(struct ecp_counters_head, clients_used) == 64, "line 1");
static_assert(offsetof(struct ecp_counters_head, clients_changed) == 72, "line 1");
static_assert(sizeof(struct ecp_counters_head) == 128, "two lines");
static_assert(sizeof(struct ecp_relay_row) == 256, "four lines");
static_assert(offsetof(struct ecp_client_row, id) == 48, "line 0");
static_assert(offsetof(struct ecp_client_row, endpoints) == 56, "line 0");
static_assert(sizeof(struct ecp_client_row) == 128, "two lines");
static_assert(sizeof(struct ecp_endpoint_rx) == 32, "half a line");
static_assert(sizeof(struct ecp_endpoint_tx) == 32, "half a line");

/* Endpoints of a chunk, and its bytes. */
#define ECP_COUNTERS_CHUNK_ROWS 2048u
#define ECP_COUNTERS_CHUNK                                                                 \
	(ECP_COUNTERS_CHUNK_ROWS *                                                         \
	 (sizeof(struct ecp_endpoint_rx) + sizeof(struct ecp_endpoint_tx)))

/* Where things are, in bytes from the beginning of the memory. */
static inline size_t ecp_counters_relay(uint32_t row)
{
	return ECP_COUNTERS_PAGE + row * sizeof(struct ecp_relay_row);
}

static inline size_t ecp_counters_client(uint32_t relays, uint32_t row)
{
	return ecp_counters_relay(relays) + row * sizeof(struct ecp_client_row);
}

/* The first chunk begins on a page of its own. */
static inline size_t ecp_counters_chunks(uint32_t relays, uint32_t clients)
{
	size_t end = ecp_counters_client(relays, clients);
	return (end + ECP_COUNTERS_PAGE - 1) & ~(size_t)(ECP_COUNTERS_PAGE - 1);
}

/* ... from the first chunk. */
static inline size_t ecp_counters_rx(uint32_t row)
{
	return row / ECP_COUNTERS_CHUNK_ROWS * ECP_COUNTERS_CHUNK +
	       row % ECP_COUNTERS_CHUNK_ROWS * sizeof(struct ecp_endpoint_rx);
}

static inline size_t ecp_counters_tx(uint32_t row)
{
	return row / ECP_COUNTERS_CHUNK_ROWS * ECP_COUNTERS_CHUNK +
	       ECP_COUNTERS_CHUNK_ROWS * sizeof(struct ecp_endpoint_rx) +
	       row % ECP_COUNTERS_CHUNK_ROWS * sizeof(struct ecp_endpoint_tx);
}

/* ---- the daemon ---- */

static inline uint64_t ecp_count_get(const ecp_count *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void ecp_count_set(ecp_count *count, uint64_t n)
{
	atomic_store_explicit(count, n, memory_order_relaxed);
}

/* One writes: no locked instruction. */
static inline void ecp_count_add(ecp_count *count, uint64_t n)
{
	ecp_count_set(count, ecp_count_get(count) + n);
}

/* Something was written that a reader finds once it sees this. */
static inline void ecp_count_change(ecp_count *changed)
{
	atomic_store_explicit(changed, ecp_count_get(changed) + 1, memory_order_release);
}

/* Show what a relay has counted. */
static inline void ecp_relay_row_write(struct ecp_relay_row *row,
				       const struct ecp_relay_stats *stats)
{
	uint64_t values[ECP_N_RELAY_COUNTERS], version = ecp_count_get(&row->version);
	static_assert(sizeof(values) == sizeof(*stats), "all of them");
	__builtin_memcpy(values, stats, sizeof(values));
	ecp_count_set(&row->version, version + 1);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		ecp_count_set(&row->counters[i], values[i]);
	atomic_store_explicit(&row->version, version + 2, memory_order_release);
}

/* ---- whoever looks ---- */

/* How often it has changed; what is read after this is as new, at least. */
static inline uint64_t ecp_count_changes(const ecp_count *changed)
{
	return atomic_load_explicit(changed, memory_order_acquire);
}

/* False: it was being written; try again.  *stats may be anything then. */
static inline bool ecp_relay_row_read(const struct ecp_relay_row *row,
				      struct ecp_relay_stats *stats)
{
	uint64_t values[ECP_N_RELAY_COUNTERS];
	uint64_t version = atomic_load_explicit(&row->version, memory_order_acquire);
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		values[i] = ecp_count_get(&row->counters[i]);
	__builtin_memcpy(stats, values, sizeof(values));
	atomic_thread_fence(memory_order_acquire);
	return !(version & 1) && ecp_count_get(&row->version) == version;
}

/* Was what was read before this still theirs? */
static inline bool ecp_client_row_is_of(const struct ecp_client_row *row, uint32_t id)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&row->id, memory_order_relaxed) == id;
}

static inline bool ecp_endpoint_row_is_of(const struct ecp_endpoint_rx *row, uint64_t of)
{
	atomic_thread_fence(memory_order_acquire);
	return ecp_count_get(&row->of) == of;
}

static inline struct ecp_endpoint_stats
ecp_client_row_read(const struct ecp_client_row *row)
{
#define READ(name, kind, text) .name = ecp_count_get(&row->name),
	return (struct ecp_endpoint_stats){ECP_ENDPOINT_COUNTERS(READ)};
#undef READ
}

static inline struct ecp_endpoint_stats
ecp_endpoint_rows_read(const struct ecp_endpoint_rx *rx, const struct ecp_endpoint_tx *tx)
{
#define READ_RX(name, kind, text) .name = ecp_count_get(&rx->name),
#define READ_TX(name, kind, text) .name = ecp_count_get(&tx->name),
	return (struct ecp_endpoint_stats){ECP_ENDPOINT_RX_COUNTERS(READ_RX)
					       ECP_ENDPOINT_TX_COUNTERS(READ_TX)};
#undef READ_RX
#undef READ_TX
}

#endif
