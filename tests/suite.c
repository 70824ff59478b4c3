/*
 * suite.c - run a suite, and say how it went in an exit code.
 */
#include "tests/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_SKIPPED 77 /* tests/run.sh */

int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	const int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int suite_skip(const char *format, ...)
{
	va_list ap;
	printf("SKIP: ");
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	return EXIT_SKIPPED;
}
