/*
 * top.c - `etherconnctl top`: who does what, on a screen that changes.
 *
 *   sample: lists -> flow_history -> top_rows        draw: top_rows -> screen
 *   keys change what is drawn at once, and what is sampled the next time
 *
 * Endpoints are fetched only while they are looked at, and never so often that the daemon
 * would spend more than a fifth of its time on answering.
 */
#include "ctl/filter.h"
#include "ctl/screen.h"
#include "ctl/top_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS   1000000
#define INTERVAL_MS 1000
#define SOON_MS     500 /* the first rates of a new view */
#define REST        4   /* times what a sample takes */
#define LEAST_MS    100
#define MOST_MS     60000
#define RELAYS_MAX  8
#define RING_ALERT  90 /* per cent */

struct relay_line {
	char interface[ECP_IFNAME];
	bool up;
	struct flow rate;
	uint64_t drops;
};

struct top {
	struct ecp_status status;
	struct relay_line relays[RELAYS_MAX];
	unsigned n_relays;
	struct top_rows rows;
	struct flow_history clients, endpoints; /* the first with the relays */
	uint32_t chosen, chosen_id; /* the row under the bar: client, endpoint */
	uint32_t only;              /* whose endpoints; 0: everybody's */
	unsigned at, first;         /* index of the bar and of the first line */
	unsigned interval_ms;
	int64_t next_ns;
	bool help, done;
};

static struct top top;

/* ---- sampling ---- */

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
	ctl->request.type = ECP_REQ_STATUS;
	enum ctl_exit code = ctl_ask(ctl, ECP_REP_STATUS);
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

/* The bar stays on what it was on, wherever that stands now. */
static void find_chosen(void)
{
	for (unsigned i = 0; i < top.rows.n; i++)
		if (top.rows.rows[i].client == top.chosen &&
		    top.rows.rows[i].id == top.chosen_id)
			top.at = i;
	if (top.at >= top.rows.n)
		top.at = top.rows.n ? top.rows.n - 1 : 0;
}

static enum ctl_exit sample(struct ctl *ctl)
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
	find_chosen();
	return code;
}

/* ---- drawing ---- */

static void draw_status(unsigned *row)
{
	char line[TOP_LINE];
	const struct ecp_status *s = &top.status;
	snprintf(line, sizeof(line),
		 "etherconnd %s  up %" PRIu64 " s  relays %u  clients %u  endpoints %u  "
		 "every %g s  by %s%s",
		 s->version, s->uptime_s, s->relays, s->clients, s->endpoints,
		 top.interval_ms / 1000.0, top_column_title(top.rows.sort),
		 top.rows.smallest_first ? ", smallest first" : "");
	screen_put((*row)++, SCREEN_BOLD, line);
}

static void draw_relays(unsigned *row)
{
	char line[TOP_LINE];
	for (unsigned i = 0; i < top.n_relays; i++) {
		const struct relay_line *r = &top.relays[i];
		snprintf(line, sizeof(line),
			 "%-15s %-4s  rx/s %" PRIu64 "  kbit/s %" PRIu64 "  tx/s %" PRIu64
			 "  kbit/s %" PRIu64 "  drops/s %" PRIu64 "  drops %" PRIu64,
			 r->interface, r->up ? "up" : "down", r->rate.rx,
			 r->rate.rx_bytes * 8 / 1000, r->rate.tx,
			 r->rate.tx_bytes * 8 / 1000, r->rate.drops, r->drops);
		screen_put((*row)++, r->rate.drops || !r->up ? SCREEN_ALERT : SCREEN_PLAIN,
			   line);
	}
}

static enum screen_style style_of(unsigned index)
{
	const struct top_row *row = &top.rows.rows[index];
	if (index == top.at)
		return SCREEN_CHOSEN;
	return row->rate.drops || row->ring_percent >= RING_ALERT ? SCREEN_ALERT
								  : SCREEN_PLAIN;
}

static void draw_rows(unsigned row, unsigned end)
{
	char line[TOP_LINE];
	unsigned room = end > row ? end - row : 0;
	if (top.at < top.first)
		top.first = top.at;
	if (room && top.at >= top.first + room)
		top.first = top.at - room + 1;
	for (unsigned i = top.first; i < top.rows.n && row < end; i++)
		screen_put(row++, style_of(i),
			   top_rows_line(&top.rows, &top.rows.rows[i], line));
}

static void draw_foot(unsigned row)
{
	char line[TOP_LINE];
	if (top.rows.view == TOP_CLIENTS)
		snprintf(line, sizeof(line), "%" PRIu64 " clients   h: keys",
			 top.rows.total);
	else if (top.only)
		snprintf(line, sizeof(line),
			 "%u of %" PRIu64 " endpoints of client %u   h: keys", top.rows.n,
			 top.rows.total, top.only);
	else
		snprintf(line, sizeof(line), "%u of %" PRIu64 " endpoints   h: keys",
			 top.rows.n, top.rows.total);
	screen_put(row, SCREEN_PLAIN, line);
}

static void draw_help(unsigned row)
{
	static const char *const lines[] = {
	    "up, down, k, j    move the bar (page up and down, too)",
	    "enter             endpoints of the client under the bar",
	    "e                 endpoints of all clients",
	    "c, escape         clients",
	    "left, right, <, > sort by the column beside",
	    "r                 smallest first, or largest",
	    "+, -              twice as often, half as often",
	    "space             now",
	    "h, ?              these lines",
	    "q                 end",
	};
	for (unsigned i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		screen_put(row + i, SCREEN_PLAIN, lines[i]);
}

static void draw(void)
{
	unsigned rows, columns, row = 0;
	char line[TOP_LINE];
	screen_size(&rows, &columns);
	screen_clear();
	draw_status(&row);
	draw_relays(&row);
	row++;
	if (top.help) {
		draw_help(row);
	} else {
		screen_put(row++, SCREEN_TITLE, top_rows_line(&top.rows, NULL, line));
		draw_rows(row, rows ? rows - 1 : 0);
		if (row < rows)
			draw_foot(rows - 1);
	}
	screen_show();
}

/* ---- keys ---- */

static void move_bar(int by)
{
	int at = (int)top.at + by;
	int last = (int)top.rows.n - 1;
	top.at = at < 0 || last < 0 ? 0 : (unsigned)(at > last ? last : at);
	if (!top.rows.n)
		return;
	top.chosen = top.rows.rows[top.at].client;
	top.chosen_id = top.rows.rows[top.at].id;
}

/* Another list: sampled at once, with rates a little later. */
static void change_view(enum top_view view, uint32_t only)
{
	if (view == top.rows.view && only == top.only)
		return;
	if (top.rows.view == TOP_ENDPOINTS || view == TOP_ENDPOINTS)
		flow_history_free(&top.endpoints);
	top_rows_set_view(&top.rows, view);
	top.only = only;
	top.at = top.first = 0;
	top.chosen_id = 0;
	top.next_ns = 0;
}

static void sort_by(enum top_column column)
{
	top.rows.sort = column;
	top_rows_sort(&top.rows);
	find_chosen();
}

static void change_interval(unsigned ms)
{
	top.interval_ms = ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

static void take_letter(int key)
{
	switch (key) {
	case 'q':
		top.done = true;
		break;
	case 'e':
		change_view(TOP_ENDPOINTS, 0);
		break;
	case 'r':
		top.rows.smallest_first = !top.rows.smallest_first;
		sort_by(top.rows.sort);
		break;
	case '+':
		change_interval(top.interval_ms / 2);
		break;
	case '-':
		change_interval(top.interval_ms * 2);
		break;
	case ' ':
		top.next_ns = 0;
		break;
	case 'h':
	case '?':
		top.help = !top.help;
		break;
	}
}

static void take_key(int key)
{
	unsigned rows, columns;
	screen_size(&rows, &columns);
	switch (key) {
	case SCREEN_KEY_UP:
	case 'k':
		move_bar(-1);
		break;
	case SCREEN_KEY_DOWN:
	case 'j':
		move_bar(1);
		break;
	case SCREEN_KEY_PAGE_UP:
		move_bar(-(int)rows / 2);
		break;
	case SCREEN_KEY_PAGE_DOWN:
		move_bar((int)rows / 2);
		break;
	case SCREEN_KEY_LEFT:
	case '<':
		sort_by(top_rows_next_column(&top.rows, -1));
		break;
	case SCREEN_KEY_RIGHT:
	case '>':
		sort_by(top_rows_next_column(&top.rows, 1));
		break;
	case SCREEN_KEY_ENTER:
		if (top.rows.view == TOP_CLIENTS && top.rows.n)
			change_view(TOP_ENDPOINTS, top.rows.rows[top.at].client);
		break;
	case SCREEN_KEY_BACK:
	case 'c':
		change_view(TOP_CLIENTS, 0);
		break;
	case SCREEN_KEY_GONE:
		top.done = true;
		break;
	default:
		take_letter(key);
	}
}

/* ---- the command ---- */

static enum ctl_exit run(struct ctl *ctl)
{
	while (!top.done) {
		int64_t left = top.next_ns - flow_now_ns();
		if (left <= 0) {
			enum ctl_exit code = sample(ctl);
			if (code != CTL_OK)
				return code;
			left = top.next_ns - flow_now_ns();
		}
		draw();
		take_key(screen_key((int)(left / NS_PER_MS) + 1));
	}
	return CTL_OK;
}

enum ctl_exit cmd_top(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "top takes no argument");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_complain(CTL_USAGE, "top needs a terminal; "
					       "stats -i prints rates anywhere");
	top = (struct top){.rows = {.sort = TOP_RX}};
	top.interval_ms = ctl->options.interval_ms ? ctl->options.interval_ms : INTERVAL_MS;
	enum ctl_exit code = ctl_connect(ctl);
	if (code != CTL_OK)
		return code;
	if (!screen_open(ctl->colour))
		return ctl_complain(CTL_FAILED, "this terminal (TERM) cannot be drawn on");
	ctl_before_talk(screen_close); /* a complaint belongs on what was there before */
	code = run(ctl);
	screen_close();
	close(ctl->fd);
	return code;
}
