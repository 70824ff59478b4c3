/*
 * wake.h - a producer and a consumer process on one ring, sleeping as often as they can.
 */
#ifndef TEST_WAKE_H
#define TEST_WAKE_H

#include <stdint.h>

struct wake_result {
	uint64_t sleeps; /* how often the consumer went to sleep */
	uint64_t lost;   /* ... and slept on though a record was there */
	uint64_t wrong;  /* records out of order or damaged */
};

/*
 * Run until so many sleeps or seconds have passed (or one wake was lost).  Forks a consumer;
 * pins the two to different processors.
 */
struct wake_result wake_run(uint64_t sleeps, unsigned seconds);
struct wake_result wake_run_without_fence(uint64_t sleeps, unsigned seconds);

#endif
