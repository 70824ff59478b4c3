/*
 * pool.c - chunks of objects.
 */
#include "proto/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LINE        64
#define CHUNK_FIRST (4u << 10)
#define CHUNK_MOST  (2u << 20) /* a huge page */

/* Stands in the first line of each. */
struct ecp_pool_chunk {
	struct ecp_pool_chunk *next;
};

static int ecp_pool_grow(struct ecp_pool *pool)
{
	size_t size = pool->chunk_size ? pool->chunk_size * 2 : CHUNK_FIRST;
	if (size > CHUNK_MOST)
		size = CHUNK_MOST;
	struct ecp_pool_chunk *chunk =
	    aligned_alloc(size == CHUNK_MOST ? size : LINE, size);
	if (!chunk)
		return -1;
	if (size == CHUNK_MOST)
		madvise(chunk, size, MADV_HUGEPAGE); /* a wish */
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	pool->chunk_size = size;
	pool->next = (char *)chunk + (pool->size > LINE ? pool->size : LINE);
	pool->end = (char *)chunk + size;
	return 0;
}

void *ecp_pool_get(struct ecp_pool *pool)
{
	void *object = pool->free;
	if (object) {
		memcpy(&pool->free, object, sizeof(pool->free));
	} else {
		if ((size_t)(pool->end - pool->next) < pool->size &&
		    ecp_pool_grow(pool) < 0)
			return NULL;
		object = pool->next;
		pool->next += pool->size;
	}
	return memset(object, 0, pool->size);
}

void ecp_pool_put(struct ecp_pool *pool, void *object)
{
	memcpy(object, &pool->free, sizeof(pool->free));
	pool->free = object;
}

void ecp_pool_fini(struct ecp_pool *pool)
{
	while (pool->chunks) {
		struct ecp_pool_chunk *next = pool->chunks->next;
		free(pool->chunks);
		pool->chunks = next;
	}
	pool->free = NULL;
	pool->next = pool->end = NULL;
	pool->chunk_size = 0;
}
