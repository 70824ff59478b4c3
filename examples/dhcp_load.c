/*
 * dhcp_load.c - a load of DHCP clients: thousands of them, each with a MAC address of its own
 * (the frame's source and chaddr alike), spread over VLANs, on one connection to the daemon.
 *
 *   dhcp_load -n 10000 -V 10-19.100-199 -r 5000
 *
 * All endpoints are claimed first; then the clock runs.  Each phase (lease, renew, release)
 * begins one client every 1/RATE seconds and lasts until nobody waits any more.
 */
#include "examples/load_client.h"
#include "examples/vlan_set.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST      64
#define START_MOST 4         /* clients begun in one turn of the loop */
#define CATCH_UP   5000000   /* ns behind its plan that the pacing makes up for */
#define SLICE_NS   100000000 /* sleeps no longer, to see signals and the end of time */

struct options {
	const char *interface, *socket;
	struct vlan_set vlans;
	struct ec_l2addr base;
	uint32_t n, rate, window;
	int seconds;
	bool renew, release;
};

typedef void begin_fn(struct load *l, struct load_client *c, int64_t now);

/* All clients begin one thing, paced. */
struct phase {
	const struct options *o;
	struct load *load;
	struct load_client *clients;
	begin_fn *begin;
	enum load_state from; /* only those who are here begin */
	uint32_t next;        /* client to begin */
	int64_t at;           /* when */
	int64_t end;          /* of everything */
};

static volatile sig_atomic_t stopped;

/* ---- pacing ---- */

static bool may_begin(const struct phase *p)
{
	return p->next < p->o->n && !(p->o->window && p->load->n_asking >= p->o->window);
}

/*
 * Begin those that are due.  A sleep that took too long is made up for a few clients at a time and
 * only for a few milliseconds: a burst would be another load than the one asked for.
 */
static void begin_due(struct phase *p, int64_t now)
{
	int64_t step = LOAD_SECOND_NS / p->o->rate;
	if (p->at < now - CATCH_UP)
		p->at = now - CATCH_UP;
	for (int begun = 0; begun < START_MOST && may_begin(p) && p->at <= now;) {
		struct load_client *c = &p->clients[p->next++];
		if (c->state == p->from) {
			p->begin(p->load, c, now);
			p->at += step;
			begun++;
		}
	}
}

/* Take what has come; at most a burst, for others want to be begun.  -errno if it is over. */
static int receive(struct load *l)
{
	struct ec_frame frames[BURST];
	int n = ec_relay_recv(l->relay, frames, BURST, 0);
	int64_t now = ec_now();
	for (int i = 0; i < n; i++)
		load_take_frame(l, &frames[i], now);
	return n;
}

/* Until something is to be done or has come. */
static void rest(const struct phase *p, int64_t now)
{
	struct pollfd fd = {.fd = ec_relay_fd(p->load->relay), .events = POLLIN};
	int64_t limit = now + SLICE_NS;
	if (may_begin(p) && p->at < limit)
		limit = p->at;
	int64_t left = load_next_due(p->load, limit) - ec_now();
	struct timespec time = {.tv_nsec = left};
	if (left > 0)
		ppoll(&fd, 1, &time, NULL);
}

/* To the end of the phase: everybody has begun, nobody waits.  -errno if it does not come. */
static int phase_run(struct phase *p)
{
	struct load *l = p->load;
	p->next = 0;
	p->at = ec_now();
	l->retries = l->late = 0;
	while (p->next < p->o->n || l->n_asking) {
		int64_t now = ec_now();
		if (stopped || now >= p->end)
			return -ETIME;
		begin_due(p, now);
		load_ask_again(l, now);
		int n = receive(l);
		int r = ec_relay_flush(l->relay);
		if (n < 0 || r < 0)
			return n < 0 ? n : r;
		if (n == 0)
			rest(p, now);
	}
	return 0;
}

/* ---- what came of it ---- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static void print_latency(const struct phase *p, uint32_t bound)
{
	uint32_t *sorted = calloc(bound + 1, sizeof(*sorted)), n = 0;
	if (!sorted)
		return;
	for (uint32_t i = 0; i < p->o->n; i++) {
		if (p->clients[i].state == LOAD_BOUND)
			sorted[n++] = p->clients[i].latency_us;
	}
	qsort(sorted, n, sizeof(*sorted), by_value);
	if (n) {
		size_t middle = n / 2, late = (size_t)n * 99 / 100;
		printf("  latency    p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
		       sorted[middle] / 1e3, sorted[late] / 1e3, sorted[n - 1] / 1e3);
	}
	free(sorted);
}

static const char *const reasons[LOAD_N_REASONS] = {
    [LOAD_NO_OFFER] = "no offer",
    [LOAD_NO_ACK] = "no ack",
    [LOAD_REFUSED] = "refused by the server",
    [LOAD_NO_SEND] = "could not send",
};

/* Failures by reason; who was never begun or never ended counts as out of time. */
static void print_failures(const struct phase *p)
{
	uint32_t count[LOAD_N_REASONS] = {0}, late = 0;
	for (uint32_t i = 0; i < p->o->n; i++) {
		const struct load_client *c = &p->clients[i];
		if (c->state == LOAD_FAILED)
			count[c->reason]++;
		else if (c->state != LOAD_BOUND)
			late++;
	}
	for (unsigned i = 0; i < LOAD_N_REASONS; i++) {
		if (count[i])
			printf("  failed     %u: %s\n", count[i], reasons[i]);
	}
	if (late)
		printf("  failed     %u: out of time\n", late);
}

/* Returns how many are bound.  word: "leases" or "renewals". */
static uint32_t report(const struct phase *p, const char *word, int64_t took)
{
	uint32_t bound = 0;
	for (uint32_t i = 0; i < p->o->n; i++)
		bound += p->clients[i].state == LOAD_BOUND;
	printf("%s: %u of %u in %.2f s, %.0f a second\n", word, bound, p->o->n, took / 1e9,
	       bound * 1e9 / (double)took);
	printf("  retries    %lu (%.2f %% of the clients)\n",
	       (unsigned long)p->load->retries, 100.0 * (double)p->load->retries / p->o->n);
	if (p->load->late)
		printf("  too late   %lu answers\n", (unsigned long)p->load->late);
	print_latency(p, bound);
	print_failures(p);
	fflush(stdout);
	return bound;
}

static int complain(void)
{
	fprintf(stderr, "dhcp_load: %s\n", ec_error_text());
	return -1;
}

/* One phase and its report.  Whether every client is bound. */
static bool phase_report(struct phase *p, const char *word, enum load_state from,
			 begin_fn *begin)
{
	int64_t began = ec_now();
	p->from = from;
	p->begin = begin;
	int r = phase_run(p);
	if (r < 0 && r != -ETIME)
		complain();
	return report(p, word, ec_now() - began) == p->o->n;
}

/* ---- the program ---- */

static const char usage[] =
    "usage: dhcp_load [-i INTERFACE] [-s SOCKET] [-n CLIENTS] [-V VLANS] [-m BASEMAC]\n"
    "                 [-r RATE] [-w WINDOW] [-t SECONDS] [-R] [-x]\n"
    "  -i  the daemon's interface (default: its only one)\n"
    "  -s  the daemon's socket\n"
    "  -n  how many clients (default 1000)\n"
    "  -V  their VLANs: 100-199, or 10-19.100-199 (outer.inner); default: untagged\n"
    "  -m  MAC address of the first (default 02:dc:00:00:00:00); the others count up\n"
    "  -r  clients begun per second (default 500)\n"
    "  -w  ... but no more than so many waiting for an answer (default: any number)\n"
    "  -t  give up after so many seconds (default 60)\n"
    "  -R  renew every lease once\n"
    "  -x  release every lease at the end\n"
    "Exits 0 if every client got (and renewed) its lease, 1 if not.\n";

/* Where client i lives. */
static struct ec_l2addr address(const struct options *o, uint32_t i)
{
	struct ec_l2addr addr = o->base;
	uint16_t ids[VLAN_SET_TAGS];
	vlan_set_nth(&o->vlans, i, ids);
	addr.n_vlans = o->vlans.n_tags;
	for (unsigned tag = 0; tag < addr.n_vlans; tag++)
		addr.vlans[tag].id = ids[tag];
	for (int byte = 5; byte >= 0 && i; byte--) {
		i += addr.mac[byte];
		addr.mac[byte] = (uint8_t)i;
		i >>= 8;
	}
	return addr;
}

static int claim_all(const struct options *o, struct load *l, struct load_client *clients)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.socket = o->socket;
	int64_t began = ec_now();
	if (ec_relay_open(&l->relay, o->interface, &opts) < 0)
		return complain();
	for (uint32_t i = 0; i < o->n; i++) {
		struct ec_l2addr addr = address(o, i);
		if (load_client_open(l, &clients[i], &addr) < 0)
			return complain();
	}
	uint32_t stacks = o->vlans.n_tags ? vlan_set_count(&o->vlans) : 0;
	printf("%u clients on %u VLAN%s of %s, claimed in %.2f s\n", o->n, stacks,
	       stacks == 1 ? "" : "s", ec_relay_ifname(l->relay),
	       (double)(ec_now() - began) / 1e9);
	fflush(stdout);
	return 0;
}

static bool run_phases(struct phase *p)
{
	bool all = phase_report(p, "leases", LOAD_WAITING, load_client_lease);
	if (all && p->o->renew)
		all = phase_report(p, "renewals", LOAD_BOUND, load_client_renew);
	p->begin = load_client_release;
	p->from = LOAD_BOUND;
	if (p->o->release && phase_run(p) == 0)
		printf("released\n");
	return all;
}

static int run(const struct options *o)
{
	struct load l = {0};
	struct phase p = {.o = o, .load = &l};
	bool all = false;
	p.clients = calloc(o->n, sizeof(*p.clients));
	if (p.clients && load_init(&l) == 0 && claim_all(o, &l, p.clients) == 0) {
		p.end = ec_now() + o->seconds * (int64_t)LOAD_SECOND_NS;
		all = run_phases(&p);
	}
	ec_relay_close(l.relay);
	free(l.wheel);
	free(p.clients);
	return all ? 0 : 1;
}

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* A number of at least 1 and at most max, or 0. */
static uint32_t number(const char *text, uint32_t max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && value <= max ? (uint32_t)value : 0;
}

/* False if the option or its argument makes no sense. */
static bool take_option(struct options *o, int option)
{
	switch (option) {
	case 'i':
		o->interface = optarg;
		return true;
	case 's':
		o->socket = optarg;
		return true;
	case 'n':
		return (o->n = number(optarg, 1000000));
	case 'V':
		return vlan_set_parse(optarg, &o->vlans) == 0;
	case 'm':
		return ec_l2addr_parse(optarg, &o->base) == 0 && !o->base.n_vlans;
	case 'r':
		return (o->rate = number(optarg, 1000000));
	case 'w':
		return (o->window = number(optarg, 1000000));
	case 't':
		return (o->seconds = (int)number(optarg, 86400));
	case 'R':
		return (o->renew = true);
	case 'x':
		return (o->release = true);
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct options o = {.n = 1000, .rate = 500, .seconds = 60};
	const struct sigaction on_signal = {.sa_handler = stop};
	int option;
	ec_l2addr_parse("02:dc:00:00:00:00", &o.base);
	while ((option = getopt(argc, argv, "i:s:n:V:m:r:w:t:Rx")) != -1) {
		if (!take_option(&o, option)) {
			fputs(usage, stderr);
			return 2;
		}
	}
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	srandom((unsigned)time(NULL) ^ (unsigned)getpid());
	return run(&o);
}
