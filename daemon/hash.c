/*
 * hash.c - growing, inserting and removing; looking up is in the header.
 */
#include "daemon/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define HASH_SLOTS_MIN 64

static uint64_t hash_secret(void)
{
	uint64_t secret;
	if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) == (ssize_t)sizeof(secret))
		return secret;
	/* before the pool is ready: weaker, but still not the same on every start */
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15 ^ (uint64_t)now.tv_sec;
}

int hash_init(struct hash *h)
{
	h->slots = calloc(HASH_SLOTS_MIN, sizeof(*h->slots));
	if (!h->slots)
		return -ENOMEM;
	h->mask = HASH_SLOTS_MIN - 1;
	h->n = 0;
	h->secret[0] = hash_secret();
	h->secret[1] = hash_secret();
	return 0;
}

void hash_fini(struct hash *h)
{
	free(h->slots);
	h->slots = NULL;
}

static void hash_place(struct hash *h, uint64_t hash, void *value)
{
	size_t at = hash & h->mask;
	while (h->slots[at].value)
		at = (at + 1) & h->mask;
	h->slots[at] = (struct hash_slot){hash, value};
}

static int hash_grow(struct hash *h)
{
	struct hash_slot *old = h->slots;
	size_t n_old = h->mask + 1;
	struct hash_slot *slots = calloc(n_old * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	h->slots = slots;
	h->mask = n_old * 2 - 1;
	for (size_t i = 0; i < n_old; i++)
		if (old[i].value)
			hash_place(h, old[i].hash, old[i].value);
	free(old);
	return 0;
}

int hash_insert(struct hash *h, uint64_t hash, void *value)
{
	if ((h->n + 1) * 2 > h->mask + 1) {
		int r = hash_grow(h);
		if (r < 0)
			return r;
	}
	hash_place(h, hash, value);
	h->n++;
	return 0;
}

/*
 * Close the gap at `gap`: an entry further on may move into it unless its home lies between
 * the gap and itself, where a search would then no longer find it.
 */
static void hash_shift_back(struct hash *h, size_t gap)
{
	for (size_t at = (gap + 1) & h->mask; h->slots[at].value; at = (at + 1) & h->mask) {
		size_t home = h->slots[at].hash & h->mask;
		if (((at - home) & h->mask) < ((at - gap) & h->mask))
			continue;
		h->slots[gap] = h->slots[at];
		gap = at;
	}
	h->slots[gap] = (struct hash_slot){0};
}

/* Where value stands, which is in the table. */
static size_t hash_find(const struct hash *h, uint64_t hash, const void *value)
{
	size_t at = hash & h->mask;
	while (h->slots[at].value != value)
		at = (at + 1) & h->mask;
	return at;
}

void hash_remove(struct hash *h, uint64_t hash, const void *value)
{
	hash_shift_back(h, hash_find(h, hash, value));
	h->n--;
}

void hash_replace(struct hash *h, uint64_t hash, const void *value, void *other)
{
	h->slots[hash_find(h, hash, value)].value = other;
}
