/*
 * top_sample.c - what top shows, from the daemon's lists.
 *
 * Endpoints are fetched only while they are looked at, and never so often that the daemon, should
 * they change all the time, would spend more than a fifth of its time on answering.
 */
#include "ctl/filter.h"
#include "ctl/top.h"

#include <stdio.h>
#include <string.h>

#define SOON_MS 500 /* the first rates of a new view */
#define REST    4   /* times what a sample takes */

#define CLIENT_KEY(id) (UINT64_C(1) << 32 | (id))

static void sample_relays(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n && top.n_relays < RELAYS_MAX; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		struct relay_line *line = &top.relays[top.n_relays];
		struct flow flow = flow_of_relay(&r->stats);
		snprintf(line->interface, sizeof(line->interface), "%s", r->interface);
		line->up = r->up;
		line->drops = flow.drops;
		line->rate = flow_history_rate(&top.clients, top.n_relays++, &flow);
	}
}

static void sample_clients(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_client_info *c = &page->clients[i];
		struct flow flow = flow_of_endpoint(&c->stats);
		struct top_row row = {
		    .client = c->id,
		    .pid = c->pid,
		    .endpoints = c->endpoints,
		    .rate = flow_history_rate(&top.clients, CLIENT_KEY(c->id), &flow),
		    .drops = flow.drops,
		};
		if (c->rx_ring)
			row.ring_percent =
			    (uint32_t)(UINT64_C(100) * c->rx_used / c->rx_ring);
		memcpy(row.comm, c->comm, sizeof(row.comm));
		table_disarm(row.comm);
		if (top.rows.view == TOP_CLIENTS && c->interface[0])
			top_rows_offer(&top.rows, &row);
	}
}

static void sample_endpoints(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_endpoint_info *e = &page->endpoints[i];
		struct flow flow = flow_of_endpoint(&e->stats);
		uint64_t key = (uint64_t)e->client << 32 | e->id;
		struct top_row row = {
		    .client = e->client,
		    .id = e->id,
		    .l2 = e->l2,
		    .local = e->local,
		    .rate = flow_history_rate(&top.endpoints, key, &flow),
		    .drops = flow.drops,
		};
		top_rows_offer(&top.rows, &row);
	}
}

static enum ctl_exit sample_endpoint_list(struct ctl *ctl)
{
	struct filter filter;
	char key[] = "client", number[16];
	char *words[] = {key, number};
	snprintf(number, sizeof(number), "%u", top.only);
	enum ctl_exit code = filter_parse(&filter, top.only ? 2 : 0, words);
	if (code == CTL_OK)
		code = filter_begin(ctl, &filter, ECP_SHOW_ENDPOINTS);
	flow_history_begin(&top.endpoints);
	if (code == CTL_OK)
		code = ctl_pages(ctl, ECP_SHOW_ENDPOINTS, sample_endpoints);
	flow_history_end(&top.endpoints);
	filter_end(ctl, &filter);
	return code;
}

static enum ctl_exit sample_all(struct ctl *ctl)
{
	enum ctl_exit code = ctl_ask_status(ctl);
	if (code != CTL_OK)
		return code;
	top.status = ctl->reply.status;
	top.n_relays = 0;
	top_rows_clear(&top.rows);
	flow_history_begin(&top.clients);
	code = ctl_pages(ctl, ECP_SHOW_RELAYS, sample_relays);
	if (code == CTL_OK)
		code = ctl_pages(ctl, ECP_SHOW_CLIENTS, sample_clients);
	flow_history_end(&top.clients);
	if (code == CTL_OK && top.rows.view == TOP_ENDPOINTS)
		code = sample_endpoint_list(ctl);
	return code;
}

void top_find_chosen(void)
{
	for (unsigned i = 0; i < top.rows.n; i++)
		if (top.rows.rows[i].client == top.chosen &&
		    top.rows.rows[i].id == top.chosen_id)
			top.at = i;
	if (top.at >= top.rows.n)
		top.at = top.rows.n ? top.rows.n - 1 : 0;
}

enum ctl_exit top_sample(struct ctl *ctl)
{
	int64_t begun = flow_now_ns();
	bool first =
	    top.rows.view == TOP_ENDPOINTS ? !top.endpoints.time_ns : !top.clients.time_ns;
	enum ctl_exit code = sample_all(ctl);
	int64_t took = flow_now_ns() - begun;
	unsigned pause_ms = first && top.interval_ms > SOON_MS ? SOON_MS : top.interval_ms;
	int64_t pause = (int64_t)pause_ms * NS_PER_MS;
	top.next_ns =
	    begun + took + (pause - took > REST * took ? pause - took : REST * took);
	top_find_chosen();
	return code;
}
