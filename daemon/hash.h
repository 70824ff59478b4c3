/*
 * hash.h - an open-addressing table from 64-bit hashes to pointers.
 *
 * Linear probing at a load of at most one half, deletion by shifting back, so there are no
 * tombstones and a lookup of what is absent ends soon.  The caller owns keys and values and
 * compares keys itself:
 *
 *   for (void *v = hash_first(h, hash, &at); v; v = hash_next(h, hash, &at))
 *           if (key of v is mine) return v;
 *
 * Knows libc only.  One thread.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_slot {
	uint64_t hash;
	void *value; /* NULL: free */
};

struct hash {
	struct hash_slot *slots;
	size_t mask; /* number of slots - 1 */
	size_t n;
	uint64_t secret[2]; /* random, so that nobody outside can choose colliding keys */
};

/* 0 or -ENOMEM. */
int hash_init(struct hash *h);
void hash_fini(struct hash *h); /* the values stay the caller's */

/* 0 or -ENOMEM; then nothing changed.  Equal hashes may stand beside each other. */
int hash_insert(struct hash *h, uint64_t hash, void *value);
/* value must be in the table under this hash. */
void hash_remove(struct hash *h, uint64_t hash, const void *value);
/* ... and another takes its place. */
void hash_replace(struct hash *h, uint64_t hash, const void *value, void *other);

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 wide = a;
	wide *= b;
	return (uint64_t)wide ^ (uint64_t)(wide >> 64);
}

/*
 * 16 bytes of key as 8, for those that are longer.  Each half meets a secret before the other:
 * whoever knew a factor could choose keys that come out alike.
 */
static inline uint64_t hash_shorten(const struct hash *h, uint64_t a, uint64_t b)
{
	return hash_fold(a ^ h->secret[0], b ^ h->secret[1]);
}

/*
 * Mix 16 bytes of key (wyhash's way: one wide multiply, both halves folded).  Sequential keys
 * spread well; a plain multiplicative hash clusters on the sequential MACs people use.
 */
static inline uint64_t hash_mix(const struct hash *h, uint64_t a, uint64_t b)
{
	return hash_fold(hash_shorten(h, a, b) ^ 0xd6e8feb86659fd93, h->secret[0] | 1);
}

static inline void hash_prefetch(const struct hash *h, uint64_t hash)
{
	__builtin_prefetch(&h->slots[hash & h->mask]);
}

/* The next value at or behind *at with this hash, or NULL. */
static inline void *hash_next(const struct hash *h, uint64_t hash, size_t *at)
{
	for (;; ++*at) {
		const struct hash_slot *slot = &h->slots[*at & h->mask];
		if (!slot->value)
			return NULL;
		if (slot->hash == hash) {
			++*at;
			return slot->value;
		}
	}
}

static inline void *hash_first(const struct hash *h, uint64_t hash, size_t *at)
{
	*at = hash & h->mask;
	return hash_next(h, hash, at);
}

#endif
