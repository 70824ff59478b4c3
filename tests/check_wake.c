/*
 * check_wake.c - the wake-up protocol under two real processes: nobody sleeps for ever.
 *
 *   producer: put a record, publish, ring if asked       consumer: take all, arm, sleep in poll
 *
 * A consumer that sleeps WAIT_MS while a record lies in the ring has lost a wake.  The same
 * two processes without the fences (tests/wake_without_fence.c) are the negative control:
 * there, wakes must be lost, or this test could not see them.
 */
#include "tests/suite.h"
#include "tests/wake.h"

#include <check.h>
#include <stdio.h>
#include <unistd.h>

#define SLEEPS          200000
#define CONTROL_SECONDS 30

START_TEST(test_no_wake_is_lost)
{
	struct wake_result r = wake_run(SLEEPS, 20);
	printf("# with fences: %llu sleeps, %llu lost\n", (unsigned long long)r.sleeps,
	       (unsigned long long)r.lost);
	ck_assert_uint_gt(r.sleeps, 1000);
	ck_assert_uint_eq(r.lost, 0);
	ck_assert_uint_eq(r.wrong, 0);
}
END_TEST

START_TEST(test_negative_control)
{
	struct wake_result r = wake_run_without_fence(UINT64_MAX, CONTROL_SECONDS);
	printf("# without fences: %llu sleeps, %llu lost\n", (unsigned long long)r.sleeps,
	       (unsigned long long)r.lost);
	ck_assert_uint_gt(r.lost, 0);
}
END_TEST

int main(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return suite_skip("one processor: stores and loads of two processes "
				  "cannot cross");
	Suite *s = suite_create("wake");
	TCase *tc = tcase_create("wake");
	tcase_set_timeout(tc, 100);
	tcase_add_test(tc, test_no_wake_is_lost);
	tcase_add_test(tc, test_negative_control);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
