/*
 * drops.c - `etherconnctl show drops`: what was dropped, by whom and why; nothing else.
 */
#include "ctl/filter.h"

#include <stdio.h>

/* One thing that counts. */
struct counted {
	const char *kind;      /* "relay", "client", "endpoint" */
	char name[TABLE_CELL]; /* for people */
	const struct ecp_counter *counters;
	unsigned n_counters;
	const void *stats;
	uint32_t client, endpoint;
	const char *interface;
};

static const char *const titles[] = {"KIND", "WHO", "COUNTER", "COUNT", "MEANING", NULL};

static void drop_text(struct ctl *ctl, const struct counted *who,
		      const struct ecp_counter *counter, uint64_t count)
{
	struct table *t = &ctl->table;
	table_text(t, "%s", who->kind);
	table_text(t, "%s", who->name);
	table_text(t, "%s", counter->name);
	table_drops(t, count);
	if (!ctl->options.brief)
		table_text(t, "%s", counter->text);
	table_end_row(t);
}

static void drop_json(struct ctl *ctl, const struct counted *who,
		      const struct ecp_counter *counter, uint64_t count)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "kind", who->kind);
	ecp_json_put_string(&w, "interface", who->interface);
	if (who->client)
		ecp_json_put_u64(&w, "client", who->client);
	if (who->kind[0] == 'e')
		ecp_json_put_u64(&w, "id", who->endpoint);
	ecp_json_put_string(&w, "counter", counter->name);
	ecp_json_put_u64(&w, "count", count);
	ecp_json_put_string(&w, "text", counter->text);
	ecp_json_close_object(&w);
	ctl_list_add(ctl);
}

static void add_drops(struct ctl *ctl, const struct counted *who)
{
	for (unsigned i = 0; i < who->n_counters; i++) {
		const struct ecp_counter *counter = &who->counters[i];
		uint64_t count = ecp_counter_get(counter, who->stats);
		if (counter->kind != ECP_COUNTER_drop || (!count && !ctl->options.all))
			continue;
		(ctl->options.json ? drop_json : drop_text)(ctl, who, counter, count);
	}
}

static void add_relay(struct ctl *ctl, const struct ecp_relay_info *r)
{
	struct counted who = {"relay", "", ecp_relay_counters, ECP_N_RELAY_COUNTERS,
			      &r->stats};
	who.interface = r->interface;
	snprintf(who.name, sizeof(who.name), "%s", r->interface);
	add_drops(ctl, &who);
}

static void add_client(struct ctl *ctl, const struct ecp_client_info *c)
{
	struct counted who = {"client", "", ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
			      &c->stats};
	who.interface = c->interface;
	who.client = c->id;
	snprintf(who.name, sizeof(who.name), "%u %s[%u]", c->id, c->comm, c->pid);
	add_drops(ctl, &who);
}

static void add_endpoint(struct ctl *ctl, const struct ecp_endpoint_info *e)
{
	char l2[ECP_L2ADDR_TEXT], local[ECP_ADDR_TEXT];
	struct counted who = {"endpoint", "", ecp_endpoint_counters,
			      ECP_N_ENDPOINT_COUNTERS, &e->stats};
	who.interface = e->interface;
	who.client = e->client;
	who.endpoint = e->id;
	snprintf(who.name, sizeof(who.name), "%u/%u %s %s", e->client, e->id,
		 ecp_l2addr_format(&e->l2, l2),
		 e->local.family ? ecp_addr_format(&e->local, local) : "");
	add_drops(ctl, &who);
}

static void add_page(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		switch (page->what) {
		case ECP_SHOW_RELAYS:
			add_relay(ctl, &page->relays[i]);
			break;
		case ECP_SHOW_CLIENTS:
			add_client(ctl, &page->clients[i]);
			break;
		case ECP_SHOW_ENDPOINTS:
			add_endpoint(ctl, &page->endpoints[i]);
			break;
		case ECP_SHOW_POLICY:
			break;
		}
	}
}

static enum ctl_exit add_list(struct ctl *ctl, struct filter *filter, enum ecp_show what)
{
	/* a relay's drops are nobody's: there is no telling whose they would have been */
	if (what == ECP_SHOW_RELAYS &&
	    (filter_is_of_clients(filter) || filter_is_of_endpoints(filter)))
		return CTL_OK;
	enum ctl_exit code = filter_begin(ctl, filter, what);
	if (code == CTL_OK)
		code = ctl_pages(ctl, what, add_page);
	filter_end(ctl, filter);
	return code;
}

enum ctl_exit show_drops(struct ctl *ctl, struct filter *filter)
{
	enum ctl_exit code = CTL_OK;
	if (ctl->options.json)
		ctl_list_begin(ctl, "drops");
	else
		table_begin(&ctl->table, stdout, ctl->colour,
			    ctl->options.brief ? NULL : titles);
	for (enum ecp_show what = ECP_SHOW_RELAYS;
	     what <= ECP_SHOW_ENDPOINTS && code == CTL_OK; what++)
		code = add_list(ctl, filter, what);
	if (code != CTL_OK)
		return code;
	if (ctl->options.json)
		ctl_list_end(ctl);
	else
		table_print(&ctl->table);
	return CTL_OK;
}
