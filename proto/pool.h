/*
 * pool.h - many objects of one size, side by side and each on cache lines of its own.
 *
 * Fifty thousand endpoints from malloc() lie on a cache line more each than they need, and on
 * as many small pages as there are in 13 MB.  Here they stand in chunks that double up to the
 * size of a huge page, and from there on the kernel is asked for one.  Memory goes back when
 * the pool ends.  Knows libc only.  One thread.
 */
#ifndef ECP_POOL_H
#define ECP_POOL_H

#include <stddef.h>

struct ecp_pool_chunk;

struct ecp_pool {
	size_t size; /* of an object: a divisor or a multiple of 64 */
	struct ecp_pool_chunk *chunks;
	void *free;
	char *next, *end; /* what is untouched of the newest chunk */
	size_t chunk_size;
};

#define ECP_POOL(type)                                                                     \
	{                                                                                  \
		.size = sizeof(type)                                                       \
	}

void *ecp_pool_get(struct ecp_pool *pool); /* zeroed; NULL: out of memory */
void ecp_pool_put(struct ecp_pool *pool, void *object);
void ecp_pool_fini(struct ecp_pool *pool); /* with all that came from it */

#endif
