/*
 * pool.h - many objects of one size, side by side and each on cache lines of its own.
 *
 * Fifty thousand endpoints from malloc() lie on a cache line more each than they need, and on
 * as many small pages as there are in 13 MB.  Here they stand in chunks that double up to the
 * size of a huge page, and from there on the kernel is asked for one.  Memory goes back when
 * the pool ends.  Knows libc only.  One thread.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

struct pool_chunk;

struct pool {
	size_t size; /* of an object: a divisor or a multiple of 64 */
	struct pool_chunk *chunks;
	void *free;
	char *next, *end; /* what is untouched of the newest chunk */
	size_t chunk_size;
};

#define POOL(type)                                                                         \
	{                                                                                  \
		.size = sizeof(type)                                                       \
	}

void *pool_get(struct pool *pool); /* zeroed; NULL: out of memory */
void pool_put(struct pool *pool, void *object);
void pool_fini(struct pool *pool); /* with all that came from it */

#endif
