/*
 * suite.h - what every check_*.c has: how it ends, its suite run or skipped as a whole.
 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include <check.h>

/* Is a sanitizer in this build?  It is slower, and holds memory and system calls of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#define SLOWER (SANITIZED ? 10 : 1) /* so many times, at the most */

/* All of it, with what the environment says (tests/run.sh).  Frees it; what main() returns. */
int suite_run(Suite *suite);
/* None of it, for this reason; what main() returns. */
int suite_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
