/*
 * wake_without_fence.c - the negative control: the same two processes, their fences removed.
 */
#define ECP_TEST_WITHOUT_FENCE
#define WAKE_RUN wake_run_without_fence
#include "tests/wake.c"
