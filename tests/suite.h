/*
 * suite.h - how every check_*.c ends: its suite is run, or skipped as a whole.
 */
#ifndef TEST_SUITE_H
#define TEST_SUITE_H

#include <check.h>

/* All of it, with what the environment says (tests/run.sh).  Frees it; what main() returns. */
int suite_run(Suite *suite);
/* None of it, for this reason; what main() returns. */
int suite_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
