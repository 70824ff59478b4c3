/*
 * case_receive.c - frames to a client, beside a bare packet ring.
 */
#include "bench/stage.h"

#include <sys/types.h>

/* ---- receive ---- */

static void receive_bare(const char *name, const char *against, const struct load *load,
			 unsigned how)
{
	if (!case_wanted(name))
		return;
	struct raw_ring *ring = raw_ring_open(stage.ifname, how);
	int report;
	pid_t generator = start_generator(load, &report);
	double begin = 0, last = 0, cpu = 0, deadline = seconds_now() + SECONDS + 2;
	uint64_t got = 0;
	for (unsigned n; (n = raw_ring_take(ring, last ? last + 0.1 : deadline));) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self();
		}
		got += n;
		last = seconds_now();
	}
	cpu = cpu_seconds_self() - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, against, sent, got, last - begin, cpu);
	raw_ring_close(ring);
}

static void receive_daemon(const char *name, const char *against, const struct load *load,
			   const char *backend)
{
	const struct setting how = {.backend = backend};
	struct ec_frame frames[64];
	struct ec_relay *relay;
	int report, n;
	if (!case_wanted(name))
		return;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, load->n_endpoints);
	pid_t generator = start_generator(load, &report);
	double begin = 0, last = 0, cpu = 0;
	uint64_t got = 0;
	while ((n = ec_relay_recv(relay, frames, 64, got ? 100 : 3000)) > 0) {
		if (!got) {
			begin = seconds_now();
			cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
		}
		got += (unsigned)n;
		last = seconds_now();
	}
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	uint64_t sent = generator_sent(generator, report);
	receive_figures(name, against, sent, got, last - begin, cpu);
	ec_relay_close(relay);
	end(daemon);
}

#define FOREIGN "a flood of foreign frames"

/* A flood that nobody here wants: what it costs the daemon. */
static void receive_foreign(void)
{
	const struct setting how = {.send = "socket"};
	const struct load load = {.n_endpoints = 1000, .len = FRAME_LEN, .foreign = true};
	struct ec_relay *relay;
	int report;
	if (!case_wanted(FOREIGN))
		return;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, 1000);
	double cpu = cpu_seconds_of(daemon), begin = seconds_now();
	pid_t generator = start_generator(&load, &report);
	uint64_t sent = generator_sent(generator, report);
	double took = seconds_now() - begin;
	figure_add(FOREIGN, "kpps", NULL, (double)sent / took / 1e3);
	figure_add(FOREIGN, "% of a core", NULL,
		   100 * (cpu_seconds_of(daemon) - cpu) / took);
	ec_relay_close(relay);
	end(daemon);
}

/* How the frames come, and what a bare ring makes of them. */
static const struct generator {
	const char *name;
	int by;
	bool (*possible)(void); /* NULL: always */
} generators[] = {
    {"sendmmsg", BY_SENDMMSG, NULL},
    {"AF_XDP", BY_XDP, raw_xdp_possible},
    {"live frames", BY_LIVE_FRAMES, live_frames_possible},
};

/* One endpoint, a thousand, and fifty thousand; at once, and by the block. */
static void receive_from(const struct generator *g)
{
	static const unsigned counts[] = {1, 1000, ENDPOINTS_MAX};
	static const char *const numbers[] = {"1", "1,000", "50,000"};
	char bare[80], name[100];
	for (int by_block = 0; by_block <= 1; by_block++) {
		const char *ring = by_block ? "V3" : "V2";
		struct load load = {ENDPOINTS_MAX, FRAME_LEN, .by = g->by};
		snprintf(bare, sizeof(bare), "receive %s, %s: bare ring", ring, g->name);
		receive_bare(bare, NULL, &load, by_block ? RAW_BY_BLOCK : 0);
		/* what is left of the fastest, if the kernel has to run any program */
		snprintf(name, sizeof(name), "%s, filtered", bare);
		if (g->by == BY_LIVE_FRAMES)
			receive_bare(name, bare, &load,
				     RAW_FILTERED | (by_block ? RAW_BY_BLOCK : 0));
		for (unsigned i = 0; i < 3; i++) {
			load.n_endpoints = counts[i];
			snprintf(name, sizeof(name), "receive %s, %s: %s endpoints", ring,
				 g->name, numbers[i]);
			receive_daemon(name, bare, &load,
				       by_block ? "af_packet_v3" : "af_packet");
		}
	}
}

#define BARE_LONG "receive V2, 1500 B: bare ring"
#define BARE_300  "receive V2, 300 kpps of sendmmsg: bare ring"

void receive_all(void)
{
	const struct load long_ones = {1000, LONG_LEN}, some = {1, FRAME_LEN, .kpps = 300};
	for (size_t i = 0; i < sizeof(generators) / sizeof(generators[0]); i++)
		if (!generators[i].possible || generators[i].possible())
			receive_from(&generators[i]);
	receive_bare(BARE_LONG, NULL, &long_ones, 0);
	receive_daemon("receive V2, 1500 B: 1,000 endpoints", BARE_LONG, &long_ones, NULL);
	receive_bare(BARE_300, NULL, &some, 0);
	receive_daemon("receive V2, 300 kpps of sendmmsg: 1 endpoint", BARE_300, &some,
		       NULL);
	receive_foreign();
}
