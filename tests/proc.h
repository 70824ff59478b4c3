/*
 * proc.h - what a process holds, as /proc tells it.
 */
#ifndef TEST_PROC_H
#define TEST_PROC_H

#include <sys/types.h>

/* How many entries /proc/PID/what has: "fd", "task".  The test fails if there is no such process. */
unsigned proc_count(pid_t pid, const char *what);

#endif
