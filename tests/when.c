/*
 * when.c - the clock, and poll() with one descriptor.
 */
#include "tests/when.h"

#include <poll.h>
#include <time.h>

static int64_t now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t now_ms(void)
{
	return now(CLOCK_MONOTONIC) / 1000000;
}

int64_t now_real_ns(void)
{
	return now(CLOCK_REALTIME);
}

bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, timeout_ms) == 1;
}
