/*
 * counters.c - making the memory of counters, and its free rows.
 *
 * Theory of operation: addresses for all rows there may ever be are reserved at the start, memory
 * comes by chunks as endpoints are opened.  The file ends with the last chunk, so that a reader cannot
 * make memory by looking where nothing is.  A free row holds the number of the next one, and beside it
 * what it has counted until it is another's: who looked up whose it is a moment ago may still read.
 */
#include "daemon/counters.h"

#include "daemon/memfd.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENDPOINTS_MAX (UINT32_C(1) << 24)

/* ---- the memory ---- */

/*
 * Pages now, while an error can be returned: later a frame would wait for them, and the process end
 * where there are none.  Linux before 5.14 knows no way to ask.
 */
static int populate(void *at, size_t size)
{
	return madvise(at, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL ? 0 : -ENOMEM;
}

static size_t chunks_at(const struct counters *counters)
{
	return (size_t)(counters->chunks - (uint8_t *)counters->head);
}

static int add_chunk(struct counters *counters)
{
	size_t at = counters->n_chunks * ECP_COUNTERS_CHUNK;
	size_t end = chunks_at(counters) + at + ECP_COUNTERS_CHUNK;
	if (ftruncate(counters->fd, (off_t)end) < 0)
		return -errno;
	int r = populate(counters->chunks + at, ECP_COUNTERS_CHUNK);
	counters->n_chunks += r == 0;
	return r;
}

static int map(struct counters *counters, size_t size)
{
	void *base = mmap(NULL, counters->reserved, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_NORESERVE, counters->fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	counters->head = base;
	counters->chunks = (uint8_t *)base + size;
	int r = populate(base, size);
	if (r < 0)
		return r;
	int fd = dup(counters->fd);
	counters->reader_fd = fd < 0 ? -errno : memfd_reopen_readonly(fd);
	return counters->reader_fd < 0 ? counters->reader_fd : 0;
}

int counters_open(struct counters *counters, uint32_t relays, uint32_t clients,
		  uint32_t endpoints)
{
	const size_t size = ecp_counters_chunks(relays, clients);
	uint64_t rows = (uint64_t)clients * endpoints;
	rows = rows < ENDPOINTS_MAX ? rows : ENDPOINTS_MAX;
	*counters = (struct counters){
	    .reserved = size + ecp_counters_rx((uint32_t)rows) + ECP_COUNTERS_CHUNK,
	    .clients = {.max = clients, .free = COUNTERS_NONE},
	    .endpoints = {.max = (uint32_t)rows, .free = COUNTERS_NONE},
	    .reader_fd = -1,
	};
	counters->fd = memfd_new("etherconn-counters", size, true);
	if (counters->fd < 0)
		return counters->fd;
	int r = map(counters, size);
	if (r < 0) {
		counters_close(counters);
		return r;
	}
	*counters->head = (struct ecp_counters_head){
	    .magic = ECP_COUNTERS_MAGIC,
	    .abi = ECP_COUNTERS_ABI,
	    .n_relay_counters = ECP_N_RELAY_COUNTERS,
	    .n_endpoint_counters = ECP_N_ENDPOINT_COUNTERS,
	    .relays = relays,
	    .clients = clients,
	};
	return 0;
}

void counters_close(struct counters *counters)
{
	if (counters->head)
		munmap(counters->head, counters->reserved);
	if (counters->reader_fd >= 0)
		close(counters->reader_fd);
	if (counters->fd >= 0)
		close(counters->fd);
	counters->head = NULL;
	counters->fd = counters->reader_fd = -1;
}

struct ecp_relay_row *counters_relay(const struct counters *counters, uint32_t i)
{
	return (void *)((uint8_t *)counters->head + ecp_counters_relay(i));
}

/* ---- rows ---- */

static struct ecp_client_row *client_row(const struct counters *counters, uint32_t i)
{
	size_t at = ecp_counters_client(counters->head->relays, i);
	return (void *)((uint8_t *)counters->head + at);
}

struct ecp_client_row *counters_take_client(struct counters *counters, uint32_t id)
{
	struct counters_rows *rows = &counters->clients;
	struct ecp_client_row *row;
	if (rows->free != COUNTERS_NONE) {
		row = client_row(counters, rows->free);
		rows->free = (uint32_t)ecp_count_get(&row->next_free);
	} else if (rows->used < rows->max) {
		row = client_row(counters, rows->used++);
	} else {
		return NULL;
	}
	atomic_thread_fence(memory_order_release); /* it is nobody's, before it is anew */
	memset(row, 0, sizeof(*row));
	atomic_store_explicit(&row->id, id, memory_order_release);
	atomic_store_explicit(&counters->head->clients_used, rows->used,
			      memory_order_relaxed);
	ecp_count_change(&counters->head->clients_changed);
	return row;
}

void counters_give_client(struct counters *counters, struct ecp_client_row *row)
{
	const struct ecp_client_row *first = client_row(counters, 0);
	atomic_store_explicit(&row->id, 0, memory_order_relaxed);
	ecp_count_set(&row->next_free, counters->clients.free);
	counters->clients.free = (uint32_t)(row - first);
	ecp_count_change(&counters->head->clients_changed);
}

int counters_take_endpoint(struct counters *counters, uint32_t client, uint32_t id,
			   uint32_t *ret)
{
	struct counters_rows *rows = &counters->endpoints;
	uint32_t row = rows->free;
	if (row != COUNTERS_NONE) {
		rows->free =
		    (uint32_t)ecp_count_get(&counters_tx(counters, row)->next_free);
	} else {
		if (rows->used == rows->max)
			return -ENOSPC;
		int r = 0;
		if (rows->used == counters->n_chunks * ECP_COUNTERS_CHUNK_ROWS)
			r = add_chunk(counters);
		if (r < 0)
			return r;
		row = rows->used++;
	}
	struct ecp_endpoint_rx *rx = counters_rx(counters, row);
	atomic_thread_fence(memory_order_release); /* as above */
	memset(rx, 0, sizeof(*rx));
	memset(counters_tx(counters, row), 0, sizeof(struct ecp_endpoint_tx));
	atomic_store_explicit(&rx->of, (uint64_t)client << 32 | id, memory_order_release);
	atomic_store_explicit(&counters->head->endpoints_used, rows->used,
			      memory_order_relaxed);
	ecp_count_change(&counters->head->endpoints_changed);
	*ret = row;
	return 0;
}

void counters_give_endpoint(struct counters *counters, uint32_t row)
{
	ecp_count_set(&counters_rx(counters, row)->of, 0);
	ecp_count_set(&counters_tx(counters, row)->next_free, counters->endpoints.free);
	counters->endpoints.free = row;
	ecp_count_change(&counters->head->endpoints_changed);
}
