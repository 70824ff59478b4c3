/*
 * case_steady.c - what must not happen in the long run: loss below the ceiling.
 */
#include "bench/stage.h"

#include <string.h>
#include <sys/types.h>

#define STEADY_SECONDS 60

static uint64_t receive(struct ec_relay *relay, const struct load *load, uint64_t *sent,
			double *kpps)
{
	struct ec_frame frames[64];
	int report, n;
	uint64_t got = 0;
	double begin = 0, last = 0;
	pid_t generator = start_generator(load, &report);
	while ((n = ec_relay_recv(relay, frames, 64, got ? 200 : 3000)) > 0) {
		begin = got ? begin : seconds_now();
		got += (unsigned)n;
		last = seconds_now();
	}
	*sent = generator_sent(generator, report);
	*kpps = (double)got / (last - begin) / 1e3;
	return got;
}

/* Where frames were lost: in the kernel's ring, or in the client's. */
static void count_lost(struct ec_relay *relay, const char *name)
{
	static const char *const rings[] = {"rx_kernel_drops", "rx_buffer_full"};
	struct ec_counter counters[64];
	int n = ec_relay_counters(relay, counters, 64);
	for (int i = 0; i < n && i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			if (!strcmp(counters[i].name, rings[k]))
				figure_add(name, rings[k], NULL, (double)counters[i].value);
}

/* At four fifths of what can be received. */
void steady_all(void)
{
	const char *name = "steady: 80 % of the ceiling, 50,000 endpoints";
	const struct setting how = {0};
	struct load load = {ENDPOINTS_MAX, FRAME_LEN};
	struct ec_relay *relay;
	pid_t daemon = start_daemon(&relay, &how);
	uint64_t sent, got;
	double ceiling, kpps;
	open_endpoints(relay, ENDPOINTS_MAX);
	receive(relay, &load, &sent, &ceiling);
	load.seconds = STEADY_SECONDS;
	load.kpps = 0.8 * ceiling;
	got = receive(relay, &load, &sent, &kpps);
	figure_add(name, "kpps", NULL, kpps);
	figure_add(name, "million", NULL, (double)sent / 1e6);
	figure_add(name, "lost", NULL, (double)(sent - got));
	if (sent > got)
		count_lost(relay, name);
	ec_relay_close(relay);
	end(daemon);
}
