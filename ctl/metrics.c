/*
 * metrics.c - `etherconnctl metrics`.
 *
 * OpenMetrics 1.0: all samples of a family stand together, so relays and clients are gathered
 * first and written family by family.  The older text format, which node_exporter's textfile
 * collector wants (it refuses a file that has anything else), differs in the heads of families.  Endpoints are left out: 50,000 of them times every
 * counter are more series than anybody stores.
 */
#include "ctl/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct gathered {
	bool plain; /* the older text format */
	struct ecp_status status;
	struct ecp_relay_info *relays;
	struct ecp_client_info *clients;
	size_t n_relays, n_clients, relays_room, clients_room;
};

static struct gathered gathered;

/* ---- gathering ---- */

/* Room for one more in the array of n objects. */
static void *make_room(void *array, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return array;
	*room = *room ? 2 * *room : ECP_PAGE_MAX;
	array = realloc(array, *room * size);
	if (!array)
		abort();
	return array;
}

static void gather(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	struct gathered *g = &gathered;
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		if (page->what == ECP_SHOW_RELAYS) {
			g->relays = make_room(g->relays, g->n_relays, &g->relays_room,
					      sizeof(*g->relays));
			g->relays[g->n_relays++] = page->relays[i];
		} else {
			g->clients = make_room(g->clients, g->n_clients, &g->clients_room,
					       sizeof(*g->clients));
			g->clients[g->n_clients++] = page->clients[i];
		}
	}
}

static enum ctl_exit gather_all(struct ctl *ctl)
{
	ctl->request.type = ECP_REQ_STATUS;
	enum ctl_exit code = ctl_ask(ctl, ECP_REP_STATUS);
	if (code != CTL_OK)
		return code;
	gathered.status = ctl->reply.status;
	code = ctl_pages(ctl, ECP_SHOW_RELAYS, gather);
	return code == CTL_OK ? ctl_pages(ctl, ECP_SHOW_CLIENTS, gather) : code;
}

static void forget(void)
{
	free(gathered.relays);
	free(gathered.clients);
	gathered = (struct gathered){0};
}

/* ---- text ---- */

/* In help and in label values these three are escaped.  Other control characters go. */
static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", to);
			continue;
		}
		if (*text == '\\' || *text == '"')
			fputc('\\', to);
		fputc((unsigned char)*text < ' ' ? '?' : *text, to);
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);
	return len > end_len && !strcmp(text + len - end_len, end);
}

/* A unit is the last word of a family's name, where it is one. */
static void put_unit(FILE *to, const char *name)
{
	static const char *const units[] = {"bytes", "seconds"};
	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (ends_with(name, units[i]))
			fprintf(to, "# UNIT %s %s\n", name, units[i]);
}

/* The head of a family.  In the older format it has the name of its samples, and no unit. */
static void put_family(FILE *to, const char *name, const char *type, const char *help)
{
	const char *end = "";
	if (gathered.plain && !strcmp(type, "counter"))
		end = "_total";
	if (gathered.plain && !strcmp(type, "info")) {
		end = "_info";
		type = "gauge";
	}
	fprintf(to, "# TYPE %s%s %s\n", name, end, type);
	if (!gathered.plain)
		put_unit(to, name);
	fprintf(to, "# HELP %s%s ", name, end);
	put_escaped(to, help);
	fputc('\n', to);
}

static void put_relay_labels(FILE *to, const struct ecp_relay_info *r)
{
	fputs("{interface=\"", to);
	put_escaped(to, r->interface);
	fputs("\"}", to);
}

static void put_client_labels(FILE *to, const struct ecp_client_info *c)
{
	fprintf(to, "{client=\"%u\",pid=\"%u\",comm=\"", c->id, c->pid);
	put_escaped(to, c->comm);
	fputs("\",interface=\"", to);
	put_escaped(to, c->interface);
	fputs("\"}", to);
}

/* ---- counters ---- */

#define NAME_ROOM 96
#define HELP_ROOM 160

static void put_counter_family(FILE *to, const char *owner,
			       const struct ecp_counter *counter, char name[NAME_ROOM])
{
	char help[HELP_ROOM];
	snprintf(name, NAME_ROOM, "etherconnd_%s_%s", owner, counter->name);
	snprintf(help, sizeof(help), "%s%s",
		 counter->kind == ECP_COUNTER_drop ? "dropped: " : "", counter->text);
	put_family(to, name, "counter", help);
}

static void put_relay_counters(FILE *to)
{
	char name[NAME_ROOM];
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *counter = &ecp_relay_counters[i];
		put_counter_family(to, "relay", counter, name);
		for (size_t j = 0; j < gathered.n_relays; j++) {
			const struct ecp_relay_info *r = &gathered.relays[j];
			fprintf(to, "%s_total", name);
			put_relay_labels(to, r);
			fprintf(to, " %" PRIu64 "\n", ecp_counter_get(counter, &r->stats));
		}
	}
}

static void put_client_counters(FILE *to)
{
	char name[NAME_ROOM];
	for (unsigned i = 0; i < ECP_N_ENDPOINT_COUNTERS; i++) {
		const struct ecp_counter *counter = &ecp_endpoint_counters[i];
		put_counter_family(to, "client", counter, name);
		for (size_t j = 0; j < gathered.n_clients; j++) {
			const struct ecp_client_info *c = &gathered.clients[j];
			fprintf(to, "%s_total", name);
			put_client_labels(to, c);
			fprintf(to, " %" PRIu64 "\n", ecp_counter_get(counter, &c->stats));
		}
	}
}

/* ---- gauges ---- */

static void put_gauge(FILE *to, const char *name, const char *help, uint64_t value)
{
	put_family(to, name, "gauge", help);
	fprintf(to, "%s %" PRIu64 "\n", name, value);
}

static void put_daemon(FILE *to)
{
	const struct ecp_status *s = &gathered.status;
	put_family(to, "etherconnd", "info", "the daemon");
	fputs("etherconnd_info{version=\"", to);
	put_escaped(to, s->version);
	fputs("\"} 1\n", to);
	put_gauge(to, "etherconnd_uptime_seconds", "since the daemon started", s->uptime_s);
	put_gauge(to, "etherconnd_relays", "interfaces served", s->relays);
	put_gauge(to, "etherconnd_clients", "connected processes", s->clients);
	put_gauge(to, "etherconnd_endpoints", "endpoints of all clients", s->endpoints);
}

#define RELAY_GAUGES(X)                                                                    \
	X(up, "whether the interface is up")                                               \
	X(mtu, "the interface's MTU")                                                      \
	X(clients, "clients attached to the interface")                                    \
	X(endpoints, "endpoints on the interface")

#define PUT_RELAY_GAUGE(member, help)                                                      \
	put_family(to, "etherconnd_relay_" #member, "gauge", help);                        \
	for (size_t j = 0; j < gathered.n_relays; j++) {                                   \
		fputs("etherconnd_relay_" #member, to);                                    \
		put_relay_labels(to, &gathered.relays[j]);                                 \
		fprintf(to, " %" PRIu32 "\n", (uint32_t)gathered.relays[j].member);        \
	}

static void put_relay_gauges(FILE *to)
{
	RELAY_GAUGES(PUT_RELAY_GAUGE)
}

#define CLIENT_GAUGES(X)                                                                   \
	X(endpoints, endpoints, "endpoints of the client")                                 \
	X(rx_ring_bytes, rx_ring, "size of the client's receive ring")                     \
	X(rx_ring_used_bytes, rx_used, "what of it holds frames not yet read")

#define PUT_CLIENT_GAUGE(name, member, help)                                               \
	put_family(to, "etherconnd_client_" #name, "gauge", help);                         \
	for (size_t j = 0; j < gathered.n_clients; j++) {                                  \
		fputs("etherconnd_client_" #name, to);                                     \
		put_client_labels(to, &gathered.clients[j]);                               \
		fprintf(to, " %" PRIu32 "\n", gathered.clients[j].member);                 \
	}

static void put_client_gauges(FILE *to)
{
	CLIENT_GAUGES(PUT_CLIENT_GAUGE)
}

/* ---- the command ---- */

enum ctl_exit metrics_write(struct ctl *ctl, bool plain, FILE *to)
{
	enum ctl_exit code = gather_all(ctl);
	gathered.plain = plain;
	if (code == CTL_OK) {
		put_daemon(to);
		put_relay_gauges(to);
		put_relay_counters(to);
		put_client_gauges(to);
		put_client_counters(to);
		if (!plain)
			fputs("# EOF\n", to);
	}
	forget();
	return code;
}

enum ctl_exit cmd_metrics(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "metrics takes no argument");
	if (ctl->options.http)
		return metrics_serve(ctl);
	enum ctl_exit code = ctl_connect(ctl);
	return code == CTL_OK ? metrics_write(ctl, ctl->options.textfile, stdout) : code;
}
