/*
 * bucket.h - a token bucket: so many a second, and so many at once after a pause.
 *
 * Time is passed in, nanoseconds of a clock that never goes back.  Hot: one division for each
 * look, none for each token.  Knows libc only.
 */
#ifndef BUCKET_H
#define BUCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define BUCKET_MAX 1000000000u /* of rate and burst: their products with a second fit */
#define BUCKET_NS  UINT64_C(1000000000)

struct bucket {
	uint32_t rate, burst; /* tokens a second, and at most; rate 0: no limit at all */
	uint64_t level;       /* tokens x BUCKET_NS */
	uint64_t filled_ns;   /* up to when */
};

static inline uint64_t bucket_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * BUCKET_NS + (uint64_t)now.tv_nsec;
}

/* A full one; setting what it is already leaves its level alone. */
static inline void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst,
			      uint64_t now_ns)
{
	if (b->rate == rate && b->burst == burst)
		return;
	*b = (struct bucket){rate, burst, burst * BUCKET_NS, now_ns};
}

/* Fill up to now.  Returns the whole tokens in it; UINT32_MAX: there is no limit. */
static inline uint32_t bucket_look(struct bucket *b, uint64_t now_ns)
{
	if (!b->rate)
		return UINT32_MAX;
	uint64_t full = b->burst * BUCKET_NS, passed = now_ns - b->filled_ns;
	b->filled_ns = now_ns;
	/* compared as a time first: the product of a long one would not fit */
	if (passed > full / b->rate || b->level + passed * b->rate > full)
		b->level = full;
	else
		b->level += passed * b->rate;
	return (uint32_t)(b->level / BUCKET_NS);
}

/* n at most what bucket_look() has said. */
static inline void bucket_take(struct bucket *b, uint32_t n)
{
	if (b->rate)
		b->level -= n * BUCKET_NS;
}

/* Look, and take one if there is one. */
static inline bool bucket_take_one(struct bucket *b, uint64_t now_ns)
{
	if (!bucket_look(b, now_ns))
		return false;
	bucket_take(b, 1);
	return true;
}

#endif
