/*
 * bench.c - clocks and figures.
 */
#include "bench/bench.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double clock_seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double seconds_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

double cpu_seconds_self(void)
{
	return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

double cpu_seconds_of(pid_t pid)
{
	clockid_t clock;
	return clock_getcpuclockid(pid, &clock) == 0 ? clock_seconds(clock) : 0;
}

bool case_wanted(const char *name)
{
	const char *part = getenv("BENCH_CASE");
	return !part || strstr(name, part);
}

void pin_to(int core)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (core == ANY_CORE || core == i)
			CPU_SET(i, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

void endpoint_mac(unsigned i, uint8_t mac[6])
{
	const uint8_t bytes[6] = {0x02, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
	memcpy(mac, bytes, 6);
}

/* ---- figures ---- */

#define FIGURES_MAX 256

static struct figure figures[FIGURES_MAX];
static unsigned n_figures;

void figure_add(const char *name, const char *unit, const char *against, double value)
{
	struct figure *f = figures;
	while (f < figures + n_figures && (strcmp(f->name, name) || strcmp(f->unit, unit)))
		f++;
	if (f == figures + FIGURES_MAX)
		die("too many figures");
	if (f == figures + n_figures) {
		*f = (struct figure){.name = strdup(name),
				     .unit = unit,
				     .against = against ? strdup(against) : NULL};
		n_figures++;
	}
	if (f->n < BENCH_RUNS_MAX)
		f->values[f->n++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void values_sort(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
}

/* Sorts the values on the way. */
static double median(struct figure *f)
{
	values_sort(f->values, f->n);
	return f->n % 2 ? f->values[f->n / 2]
			: (f->values[f->n / 2 - 1] + f->values[f->n / 2]) / 2;
}

/* Against its baseline's figure of the same unit; 0 if there is none. */
static double ratio(struct figure *f)
{
	for (unsigned i = 0; f->against && i < n_figures; i++)
		if (!strcmp(figures[i].name, f->against) &&
		    !strcmp(figures[i].unit, f->unit))
			return median(f) / median(&figures[i]);
	return 0;
}

void figures_print(void)
{
	printf("\n%-44s %-10s %10s %10s %10s  %s\n", "", "", "median", "min", "max",
	       "ratio");
	for (unsigned i = 0; i < n_figures; i++) {
		struct figure *f = &figures[i];
		double m = median(f), r = ratio(f);
		printf("%-44s %-10s %10.1f %10.1f %10.1f", f->name, f->unit, m,
		       f->values[0], f->values[f->n - 1]);
		if (r > 0)
			printf("  %.2f x %s", r, f->against);
		putchar('\n');
	}
}

int figures_write(const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return -errno;
	fputs("[", file);
	for (unsigned i = 0; i < n_figures; i++) {
		struct figure *f = &figures[i];
		fprintf(file,
			"%s\n{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.3f,\"min\":%.3f,"
			"\"max\":%.3f,\"runs\":%u",
			i ? "," : "", f->name, f->unit, median(f), f->values[0],
			f->values[f->n - 1], f->n);
		if (ratio(f) > 0)
			fprintf(file, ",\"against\":\"%s\",\"ratio\":%.3f", f->against,
				ratio(f));
		fputs("}", file);
	}
	fputs("\n]\n", file);
	return fclose(file) == 0 ? 0 : -errno;
}
