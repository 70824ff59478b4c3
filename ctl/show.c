/*
 * show.c - `etherconnctl status`, `show` and `stats`: lists as text or as JSON.
 *
 * Lists come in pages and are printed page by page, so 50,000 endpoints need no more memory
 * than one page.
 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- JSON: the daemon's own objects, put together to one document ---- */

static const char *const list_names[] = {
    [ECP_SHOW_RELAYS] = "relays",
    [ECP_SHOW_CLIENTS] = "clients",
    [ECP_SHOW_ENDPOINTS] = "endpoints",
};

static void json_page(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	if (first)
		printf("{\"%s\":[", list_names[page->what]);
	for (unsigned i = 0; i < page->n; i++) {
		struct ecp_json_writer w;
		ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
		ecp_page_item_write(&w, page, i);
		printf("%s\n%s", first && i == 0 ? "" : ",", ctl->text);
	}
	if (!page->more)
		puts("]}");
}

/* ---- text ---- */

/* Everything of this direction ("rx" or "tx") that was dropped. */
static uint64_t sum_drops(const struct ecp_counter *counters, unsigned n, const void *stats,
			  const char *direction)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < n; i++)
		if (counters[i].kind == ECP_COUNTER_drop &&
		    !strncmp(counters[i].name, direction, 2))
			sum += ecp_counter_get(&counters[i], stats);
	return sum;
}

static void text_relays(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	if (first)
		printf("%-15s %-9s %-17s %5s %-5s %7s %9s %12s %10s %12s %10s\n",
		       "INTERFACE", "BACKEND", "MAC", "MTU", "STATE", "CLIENTS",
		       "ENDPOINTS", "RX", "RX-DROPS", "TX", "TX-DROPS");
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		char mac[ECP_MAC_TEXT];
		printf(
		    "%-15s %-9s %-17s %5u %-5s %7u %9u %12" PRIu64 " %10" PRIu64
		    " %12" PRIu64 " %10" PRIu64 "\n",
		    r->interface, r->backend, ecp_mac_format(r->mac, mac), r->mtu,
		    r->up ? "up" : "down", r->clients, r->endpoints,
		    r->stats.rx + r->stats.rx_multicast,
		    sum_drops(ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats, "rx"),
		    r->stats.tx,
		    sum_drops(ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats, "tx"));
	}
}

static uint64_t endpoint_drops(const struct ecp_endpoint_stats *stats)
{
	return sum_drops(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, stats, "rx") +
	       sum_drops(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, stats, "tx");
}

static void text_clients(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	if (first)
		printf("%-6s %-8s %-15s %-6s %-15s %9s %7s %12s %12s %10s\n", "CLIENT",
		       "PID", "COMMAND", "UID", "INTERFACE", "ENDPOINTS", "RX-RING", "RX",
		       "TX", "DROPS");
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_client_info *c = &page->clients[i];
		uint64_t fill = c->rx_ring ? UINT64_C(100) * c->rx_used / c->rx_ring : 0;
		printf("%-6u %-8u %-15s %-6u %-15s %9u %6" PRIu64 "%% %12" PRIu64
		       " %12" PRIu64 " %10" PRIu64 "\n",
		       c->id, c->pid, c->comm, c->uid, c->interface[0] ? c->interface : "-",
		       c->endpoints, fill, c->stats.rx, c->stats.tx,
		       endpoint_drops(&c->stats));
	}
}

static const char *flags_text(unsigned flags)
{
	if (flags & ECP_EP_ACCEPT_ANY)
		return "accept-any";
	if (flags & ECP_EP_MULTICAST_ANY)
		return flags & ECP_EP_SHARE ? "multicast-any,share" : "multicast-any";
	if (flags & ECP_EP_MULTICAST)
		return flags & ECP_EP_SHARE ? "multicast,share" : "multicast";
	return flags & ECP_EP_SHARE ? "share" : "-";
}

static void format_ethertypes(const struct ecp_endpoint_info *e, char *text, size_t room)
{
	size_t len = 0;
	text[0] = 0;
	for (unsigned i = 0; i < e->n_ethertypes && len < room; i++)
		len += (size_t)snprintf(text + len, room - len, "%s%04x", i ? "," : "",
					e->ethertypes[i]);
}

static void text_endpoints(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	if (first)
		printf("%-6s %-6s %-4s %-27s %-22s %-19s %10s %10s %8s\n", "CLIENT", "ID",
		       "KIND", "MAC|VLANS", "UDP OR ETHERTYPES", "FLAGS", "RX", "TX",
		       "DROPS");
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_endpoint_info *e = &page->endpoints[i];
		char l2[ECP_L2ADDR_TEXT], what[128];
		if (e->kind == ECP_KIND_UDP)
			ecp_addr_format(&e->local, what);
		else
			format_ethertypes(e, what, sizeof(what));
		printf("%-6u %-6u %-4s %-27s %-22s %-19s %10" PRIu64 " %10" PRIu64
		       " %8" PRIu64 "\n",
		       e->client, e->id, e->kind == ECP_KIND_UDP ? "udp" : "l2",
		       ecp_l2addr_format(&e->l2, l2), what, flags_text(e->flags),
		       e->stats.rx, e->stats.tx, endpoint_drops(&e->stats));
	}
}

static ctl_page_fn *const text_lists[] = {
    [ECP_SHOW_RELAYS] = text_relays,
    [ECP_SHOW_CLIENTS] = text_clients,
    [ECP_SHOW_ENDPOINTS] = text_endpoints,
};

enum ctl_exit cmd_show(struct ctl *ctl, int argc, char **argv)
{
	if (argc != 1)
		return ctl_complain(CTL_USAGE, "show what?  relays, clients or endpoints");
	for (unsigned i = 0; i < sizeof(list_names) / sizeof(*list_names); i++)
		if (!strncmp(list_names[i], argv[0], strlen(argv[0])) && *argv[0])
			return ctl_pages(ctl, i, ctl->json ? json_page : text_lists[i]);
	return ctl_complain(CTL_USAGE, "\"%s\" is none of relays, clients, endpoints",
			    argv[0]);
}

/* ---- stats ---- */

static void text_stats(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		printf("%s\n", r->interface);
		for (unsigned c = 0; c < ECP_N_RELAY_COUNTERS; c++) {
			const struct ecp_counter *counter = &ecp_relay_counters[c];
			uint64_t value = ecp_counter_get(counter, &r->stats);
			if (value || ctl->all)
				printf("  %-22s %14" PRIu64 "  %s%s\n", counter->name,
				       value,
				       counter->kind == ECP_COUNTER_drop ? "dropped: " : "",
				       counter->text);
		}
	}
}

enum ctl_exit cmd_stats(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "stats takes no argument");
	return ctl_pages(ctl, ECP_SHOW_RELAYS, ctl->json ? json_page : text_stats);
}

/* ---- status ---- */

enum ctl_exit cmd_status(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "status takes no argument");
	ctl->request.type = ECP_REQ_STATUS;
	enum ctl_exit r = ctl_ask(ctl, ECP_REP_STATUS);
	if (r != CTL_OK)
		return r;
	const struct ecp_status *s = &ctl->reply.status;
	if (ctl->json) {
		ecp_reply_format(&ctl->reply, ctl->text, sizeof(ctl->text));
		puts(ctl->text);
		return CTL_OK;
	}
	printf("etherconnd %s at %s\n", s->version, ctl->socket);
	printf("  process    %u, uid %u, up %" PRIu64 " s\n", s->pid, s->uid, s->uptime_s);
	printf("  relays     %u\n  clients    %u\n  endpoints  %u\n", s->relays, s->clients,
	       s->endpoints);
	return CTL_OK;
}
