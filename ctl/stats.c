/*
 * stats.c - `etherconnctl status` and `stats`: the daemon in a few lines, and all it counts.
 */
#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- stats ---- */

static void counter_row(struct table *t, const struct ecp_counter *counter, uint64_t value,
			bool brief)
{
	bool drop = counter->kind == ECP_COUNTER_drop;
	table_text(t, "  %s", counter->name);
	table_count(t, value);
	if (drop && value)
		table_alert(t);
	if (!brief)
		table_text(t, "%s%s", drop ? "dropped: " : "", counter->text);
	table_end_row(t);
}

static void relay_counters(struct ctl *ctl, const struct ecp_relay_info *relay)
{
	printf("%s\n", relay->interface);
	table_begin(&ctl->table, stdout, ctl->colour, NULL);
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *counter = &ecp_relay_counters[i];
		uint64_t value = ecp_counter_get(counter, &relay->stats);
		if (value || ctl->options.all)
			counter_row(&ctl->table, counter, value, ctl->options.brief);
	}
	table_print(&ctl->table);
}

static void page_text(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++)
		relay_counters(ctl, &page->relays[i]);
}

enum ctl_exit cmd_stats(struct ctl *ctl, int argc, char **argv)
{
	uint64_t count = 0;
	unsigned interval_ms = ctl->options.interval_ms;
	if (argc > 1 || (argc && !interval_ms))
		return ctl_complain(CTL_USAGE, "stats takes an interval and a count: "
					       "stats -i SECONDS [COUNT]");
	if (argc && (!ctl_number(argv[0], UINT32_MAX, &count) || !count))
		return ctl_complain(CTL_USAGE, "\"%s\" is no count", argv[0]);
	if (interval_ms)
		return rates_run(ctl, interval_ms, count);
	return ctl_pages(ctl, ECP_SHOW_RELAYS,
			 ctl->options.json ? ctl_page_json : page_text);
}

/* ---- status ---- */

static void status_text(struct ctl *ctl)
{
	const struct ecp_status *s = &ctl->reply.status;
	printf("etherconnd %s at %s\n", s->version, ctl->socket);
	printf("  process    %u, uid %u, up %" PRIu64 " s\n", s->pid, s->uid, s->uptime_s);
	printf("  relays     %u\n", s->relays);
	printf("  clients    %u\n", s->clients);
	printf("  endpoints  %u\n", s->endpoints);
	printf("  denied     %" PRIu64 "\n", s->denied);
}

enum ctl_exit cmd_status(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "status takes no argument");
	enum ctl_exit r = ctl_ask_status(ctl);
	if (r != CTL_OK)
		return r;
	if (ctl->options.json)
		ctl_reply_json(ctl);
	else
		status_text(ctl);
	return CTL_OK;
}
