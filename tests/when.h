/*
 * when.h - time, and waiting.
 */
#ifndef TEST_WHEN_H
#define TEST_WHEN_H

#include <stdbool.h>
#include <stdint.h>

int64_t now_ms(void);      /* CLOCK_MONOTONIC */
int64_t now_real_ns(void); /* CLOCK_REALTIME */
/* Is it, within that time?  -1: waits for ever. */
bool readable(int fd, int timeout_ms);

#endif
