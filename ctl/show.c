/*
 * show.c - `etherconnctl show`: lists, as text or as JSON, page by page.
 */
#include "ctl/filter.h"
#include "ctl/flow.h"

#include <stdio.h>
#include <string.h>

/* ---- rows ---- */

static uint64_t relay_drops(const struct ecp_relay_info *r, const char *direction)
{
	return flow_sum_drops(ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats,
			      direction);
}

static void relay_row(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_relay_info *r = &page->relays[i];
	char mac[ECP_MAC_TEXT];
	table_text(t, "%s", r->interface);
	table_text(t, "%s", r->backend);
	table_text(t, "%s", ecp_mac_format(r->mac, mac));
	table_count(t, r->mtu);
	table_text(t, "%s", r->up ? "up" : "down");
	if (!r->up)
		table_alert(t);
	table_count(t, r->clients);
	table_count(t, r->endpoints);
	table_count(t, r->stats.rx + r->stats.rx_multicast);
	table_drops(t, relay_drops(r, "rx"));
	table_count(t, r->stats.tx);
	table_drops(t, relay_drops(r, "tx"));
}

static void ring_fill(struct table *t, const struct ecp_client_info *c)
{
	if (c->rx_ring)
		table_text(t, "%3u%%", (unsigned)(UINT64_C(100) * c->rx_used / c->rx_ring));
	else
		table_text(t, "-");
}

static void client_row(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_client_info *c = &page->clients[i];
	table_count(t, c->id);
	table_count(t, c->pid);
	table_text(t, "%s", c->comm);
	table_count(t, c->uid);
	table_text(t, "%s", c->interface[0] ? c->interface : "-");
	table_count(t, c->endpoints);
	ring_fill(t, c);
	table_count(t, c->stats.rx);
	table_count(t, c->stats.tx);
	table_drops(t, flow_of_endpoint(&c->stats).drops);
}

/* Words with commas between them; "-" where there is none.  A full text stays as it is. */
static void add_word(char *text, size_t room, const char *word)
{
	size_t len = strlen(text);
	snprintf(text + len, room - len, "%s%s", len ? "," : "", word);
}

static void flags_cell(struct table *t, unsigned set)
{
	static const struct {
		enum ecp_endpoint_flags flag;
		const char *word;
	} flags[] = {
	    {ECP_EP_MULTICAST, "multicast"}, {ECP_EP_MULTICAST_ANY, "multicast-any"},
	    {ECP_EP_SHARE, "share"},         {ECP_EP_ACCEPT_ANY, "accept-any"},
	    {ECP_EP_DEFAULT, "default"},     {ECP_EP_MIRROR, "mirror"},
	};
	char text[TABLE_CELL] = "";
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (set & flags[i].flag)
			add_word(text, sizeof(text), flags[i].word);
	table_text(t, "%s", *text ? text : "-");
}

static void ethertypes_cell(struct table *t, const struct ecp_endpoint_info *e)
{
	char text[TABLE_CELL] = "", word[8];
	for (unsigned i = 0; i < e->n_ethertypes; i++) {
		snprintf(word, sizeof(word), "0x%04x", e->ethertypes[i]);
		add_word(text, sizeof(text),
			 e->ethertypes[i] == ECP_ETHERTYPE_LLC ? "llc" : word);
	}
	table_text(t, "%s", *text ? text : "-");
}

static void endpoint_row(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_endpoint_info *e = &page->endpoints[i];
	char l2[ECP_L2ADDR_TEXT], local[ECP_ADDR_TEXT];
	table_count(t, e->client);
	table_count(t, e->id);
	table_text(t, "%s", e->kind == ECP_KIND_UDP ? "udp" : "l2");
	table_text(t, "%s", ecp_l2addr_format(&e->l2, l2));
	table_text(t, "%s", ecp_addr_format(&e->local, local));
	ethertypes_cell(t, e);
	flags_cell(t, e->flags);
	table_count(t, e->stats.rx);
	table_count(t, e->stats.tx);
	table_drops(t, flow_of_endpoint(&e->stats).drops);
}

/* ---- brief ones: who and where ---- */

static void relay_brief(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_relay_info *r = &page->relays[i];
	char mac[ECP_MAC_TEXT];
	table_text(t, "%s", r->interface);
	table_text(t, "%s", r->up ? "up" : "down");
	if (!r->up)
		table_alert(t);
	table_text(t, "%s", ecp_mac_format(r->mac, mac));
	table_count(t, r->mtu);
}

static void client_brief(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_client_info *c = &page->clients[i];
	table_count(t, c->id);
	table_count(t, c->pid);
	table_text(t, "%s", c->comm);
	table_count(t, c->endpoints);
}

static void endpoint_brief(struct table *t, const struct ecp_page *page, unsigned i)
{
	const struct ecp_endpoint_info *e = &page->endpoints[i];
	char l2[ECP_L2ADDR_TEXT], local[ECP_ADDR_TEXT];
	table_count(t, e->client);
	table_text(t, "%s", ecp_l2addr_format(&e->l2, l2));
	table_text(t, "%s", ecp_addr_format(&e->local, local));
}

/* ---- lists ---- */

typedef void row_fn(struct table *t, const struct ecp_page *page, unsigned i);

static const struct list {
	const char *name;
	row_fn *row, *brief;
	const char *titles[TABLE_COLUMNS + 1];
} lists[] = {
    [ECP_SHOW_RELAYS] = {"relays",
			 relay_row,
			 relay_brief,
			 {"INTERFACE", "BACKEND", "MAC", "MTU", "STATE", "CLIENTS",
			  "ENDPOINTS", "RX", "RX-DROPS", "TX", "TX-DROPS"}},
    [ECP_SHOW_CLIENTS] = {"clients",
			  client_row,
			  client_brief,
			  {"CLIENT", "PID", "COMMAND", "UID", "INTERFACE", "ENDPOINTS",
			   "RX-RING", "RX", "TX", "DROPS"}},
    [ECP_SHOW_ENDPOINTS] = {"endpoints",
			    endpoint_row,
			    endpoint_brief,
			    {"CLIENT", "ID", "KIND", "MAC|VLANS", "LOCAL", "ETHERTYPES",
			     "FLAGS", "RX", "TX", "DROPS"}},
    [ECP_SHOW_POLICY] = {.name = "rules"}, /* text: policy.c */
};

#define N_LISTS (sizeof(lists) / sizeof(*lists))

static void page_text(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	const struct list *list = &lists[page->what];
	struct table *table = &ctl->table;
	bool brief = ctl->options.brief;
	if (first)
		table_begin(table, stdout, ctl->colour, brief ? NULL : list->titles);
	for (unsigned i = 0; i < page->n; i++) {
		(brief ? list->brief : list->row)(table, page, i);
		table_end_row(table);
	}
	table_print(table);
}

void ctl_reply_json(struct ctl *ctl)
{
	ecp_reply_format(&ctl->reply, ctl->text, sizeof(ctl->text));
	document_begin(&ctl->document, stdout, ctl->options.pretty);
	document_write(&ctl->document, ctl->text);
	document_end(&ctl->document);
}

void ctl_list_begin(struct ctl *ctl, const char *name)
{
	struct document *document = &ctl->document;
	document_begin(document, stdout, ctl->options.pretty);
	document_write(document, "{\"");
	document_write(document, name);
	document_write(document, "\":[");
	ctl->listed = false;
}

void ctl_list_add(struct ctl *ctl)
{
	document_write(&ctl->document, ctl->listed ? ",\n" : "\n");
	document_write(&ctl->document, ctl->text);
	ctl->listed = true;
}

void ctl_list_end(struct ctl *ctl)
{
	document_write(&ctl->document, "]}");
	document_end(&ctl->document);
}

void ctl_page_json(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	struct ecp_json_writer w;
	if (first)
		ctl_list_begin(ctl, lists[page->what].name);
	for (unsigned i = 0; i < page->n; i++) {
		ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
		ecp_page_item_write(&w, page, i);
		ctl_list_add(ctl);
	}
	if (!page->more)
		ctl_list_end(ctl);
}

/* show drops stands among the lists without being one of the daemon's. */
#define SHOW_DROPS N_LISTS
#define SHOW_NEIGH (N_LISTS + 1)

const char *const show_lists[] = {
    [ECP_SHOW_RELAYS] = "relays",
    [ECP_SHOW_CLIENTS] = "clients",
    [ECP_SHOW_ENDPOINTS] = "endpoints",
    [ECP_SHOW_POLICY] = "policy",
    [SHOW_DROPS] = "drops",
    [SHOW_NEIGH] = "neigh",
    NULL,
};

static enum ctl_exit show_list(struct ctl *ctl, enum ecp_show what, struct filter *filter)
{
	if (what == ECP_SHOW_RELAYS &&
	    (filter_is_of_clients(filter) || filter_is_of_endpoints(filter)))
		return ctl_complain(CTL_USAGE, "relays are found by their interface only");
	enum ctl_exit code = filter_begin(ctl, filter, what);
	if (code == CTL_OK)
		code = ctl_pages(ctl, what, ctl->options.json ? ctl_page_json : page_text);
	filter_end(ctl, filter);
	return code;
}

enum ctl_exit cmd_show(struct ctl *ctl, int argc, char **argv)
{
	struct filter filter;
	if (argc < 1 || !*argv[0])
		return ctl_complain(CTL_USAGE,
				    "show what?  relays, clients, endpoints, policy, "
				    "drops or neigh");
	int what =
	    strcmp(argv[0], "ep") ? ctl_word(show_lists, argv[0]) : ECP_SHOW_ENDPOINTS;
	if (what < 0)
		return CTL_USAGE;
	if (what == ECP_SHOW_POLICY)
		return show_policy(ctl, argc - 1);
	enum ctl_exit code = filter_parse(&filter, argc - 1, argv + 1);
	if (code != CTL_OK)
		return code;
	if (what == SHOW_DROPS)
		return show_drops(ctl, &filter);
	if (what == SHOW_NEIGH)
		return show_neigh(ctl, &filter);
	return show_list(ctl, (enum ecp_show)what, &filter);
}
