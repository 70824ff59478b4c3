/*
 * check_pace.c - how the daemon waits: at once and then for news when frames are few, by the
 * clock under load.
 */
#include "proto/pace.h"
#include "tests/suite.h"

#include <check.h>

#define US 1000

/* Turns that find n frames every step_us, until the pace has settled; the last wait. */
static int settle(struct ecp_pace *pace, int64_t *now, unsigned n, int step_us)
{
	int wait = 0;
	for (unsigned i = 0; i < 2000; i++) {
		*now += step_us * US;
		wait = ecp_pace_after(pace, n, 0, *now);
		ck_assert_int_le(wait, 250);
	}
	return wait;
}

/* One question outstanding: never a sleep, and it blocks as soon as nothing is there. */
START_TEST(test_question_and_answer)
{
	struct ecp_pace pace = {.few = 8};
	int64_t now = 1;
	for (unsigned i = 0; i < 8000; i++) {
		now += 6 * US; /* 80,000 questions a second, and as many answers */
		ck_assert_int_eq(ecp_pace_after(&pace, i % 2, !(i % 2), now), 0);
		ck_assert_int_eq(ecp_pace_after(&pace, 0, 0, now), ECP_PACE_BLOCK);
	}
}
END_TEST

START_TEST(test_load)
{
	static const struct {
		unsigned frames;
		int every_us, least, most;
	} rows[] = {
	    {3, 10, 250, 250},  /* 300 kpps: 256 would take 853 us, 250 are the limit */
	    {20, 10, 120, 135}, /* 2 Mpps: the time that 256 take */
	    {200, 10, 20, 20},  /* 20 Mpps */
	    {256, 10, 0, 0},    /* a full burst: more is there */
	    {1, 20, 0, 0},      /* 50 kpps: no load */
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_pace pace = {.few = 8};
		int64_t now = 1;
		int wait = settle(&pace, &now, rows[i].frames, rows[i].every_us);
		ck_assert_msg(wait >= rows[i].least && wait <= rows[i].most, "row %u: %d",
			      i, wait);
	}
}
END_TEST

/* The end of a load: one empty turn is slept over, the next one blocks, and stays so. */
START_TEST(test_end_of_load)
{
	struct ecp_pace pace = {.few = 8};
	int64_t now = 1;
	ck_assert_int_eq(settle(&pace, &now, 3, 10), 250);
	ck_assert_int_eq(ecp_pace_after(&pace, 0, 0, now += 250 * US), 250);
	ck_assert_int_eq(ecp_pace_after(&pace, 0, 0, now += 250 * US), ECP_PACE_BLOCK);
	ck_assert_int_eq(ecp_pace_after(&pace, 1, 0, now += 5000 * US), 0);
}
END_TEST

/* A burst out of the blue is followed by a look a little later, not by a wake-up each. */
START_TEST(test_first_burst)
{
	struct ecp_pace pace = {.few = 8};
	ck_assert_int_eq(ecp_pace_after(&pace, 30, 0, INT64_C(1000000000)), 20);
	pace = (struct ecp_pace){.few = 0}; /* unless nobody wants that */
	ck_assert_int_eq(ecp_pace_after(&pace, 30, 0, INT64_C(1000000000)), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pace");
	TCase *tc = tcase_create("pace");
	tcase_add_test(tc, test_question_and_answer);
	tcase_add_test(tc, test_load);
	tcase_add_test(tc, test_end_of_load);
	tcase_add_test(tc, test_first_burst);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
