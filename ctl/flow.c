/*
 * flow.c - sums over counters, and their change from round to round.
 */
#include "ctl/flow.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000

uint64_t flow_sum_drops(const struct ecp_counter *counters, unsigned n, const void *stats,
			const char *beginning)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < n; i++)
		if (counters[i].kind == ECP_COUNTER_drop &&
		    !strncmp(counters[i].name, beginning, strlen(beginning)))
			sum += ecp_counter_get(&counters[i], stats);
	return sum;
}

struct flow flow_of_relay(const struct ecp_relay_stats *stats)
{
	return (struct flow){
	    .rx = stats->rx + stats->rx_multicast,
	    .rx_bytes = stats->rx_bytes,
	    .tx = stats->tx,
	    .tx_bytes = stats->tx_bytes,
	    .drops = flow_sum_drops(ecp_relay_counters, ECP_N_RELAY_COUNTERS, stats, ""),
	};
}

struct flow flow_of_endpoint(const struct ecp_endpoint_stats *stats)
{
	return (struct flow){
	    .rx = stats->rx,
	    .rx_bytes = stats->rx_bytes,
	    .tx = stats->tx,
	    .tx_bytes = stats->tx_bytes,
	    .drops =
		flow_sum_drops(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, stats, ""),
	};
}

int64_t flow_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- marks ---- */

static int compare_marks(const void *a, const void *b)
{
	const struct flow_mark *x = a, *y = b;
	return (x->key > y->key) - (x->key < y->key);
}

static void add_mark(struct flow_marks *marks, uint64_t key, const struct flow *flow)
{
	if (marks->n == marks->room) {
		marks->room = marks->room ? 2 * marks->room : 64;
		struct flow_mark *more = realloc(marks->marks, marks->room * sizeof(*more));
		if (!more)
			abort();
		marks->marks = more;
	}
	marks->marks[marks->n++] = (struct flow_mark){key, *flow};
}

static const struct flow_mark *find_mark(const struct flow_marks *marks, uint64_t key)
{
	struct flow_mark asked = {.key = key};
	if (!marks->n)
		return NULL;
	return bsearch(&asked, marks->marks, marks->n, sizeof(asked), compare_marks);
}

/* ---- history ---- */

void flow_history_begin(struct flow_history *history)
{
	history->begun_ns = flow_now_ns();
	history->elapsed_ns =
	    history->time_ns ? (uint64_t)(history->begun_ns - history->time_ns) : 0;
	history->now.n = 0;
}

/* A counter that went back is another one: it began with nothing. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	uint64_t change = now >= before ? now - before : now;
	return (uint64_t)((double)change * NS_PER_S / (double)elapsed_ns + 0.5);
}

struct flow flow_history_rate(struct flow_history *history, uint64_t key,
			      const struct flow *flow)
{
	static const struct flow nothing;
	uint64_t ns = history->elapsed_ns;
	add_mark(&history->now, key, flow);
	if (!ns)
		return nothing;
	const struct flow_mark *mark = find_mark(&history->before, key);
	const struct flow *before = mark ? &mark->flow : &nothing;
	return (struct flow){
	    .rx = rate(flow->rx, before->rx, ns),
	    .rx_bytes = rate(flow->rx_bytes, before->rx_bytes, ns),
	    .tx = rate(flow->tx, before->tx, ns),
	    .tx_bytes = rate(flow->tx_bytes, before->tx_bytes, ns),
	    .drops = rate(flow->drops, before->drops, ns),
	};
}

void flow_history_end(struct flow_history *history)
{
	struct flow_marks old = history->before;
	if (history->now.n)
		qsort(history->now.marks, history->now.n, sizeof(*history->now.marks),
		      compare_marks);
	history->before = history->now;
	history->now = old;
	history->time_ns = history->begun_ns;
}

void flow_history_free(struct flow_history *history)
{
	free(history->before.marks);
	free(history->now.marks);
	*history = (struct flow_history){0};
}
