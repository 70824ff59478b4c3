/*
 * top_draw.c - top's screen: the daemon, its relays, rows under their titles, a foot.
 */
#include "ctl/screen.h"
#include "ctl/top.h"

#include <inttypes.h>
#include <stdio.h>

#define RING_ALERT    90 /* per cent */
#define LEAST_ROWS    6
#define LEAST_COLUMNS 30

static void draw_status(unsigned *row)
{
	char line[TOP_LINE];
	const struct ecp_status *s = &top.status;
	if (top.trouble[0]) {
		screen_put((*row)++, SCREEN_ALERT, top.trouble);
		return;
	}
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

static void draw_too_small(unsigned rows, unsigned columns)
{
	char line[TOP_LINE];
	snprintf(line, sizeof(line), "%ux%u: too small", columns, rows);
	screen_put(0, SCREEN_ALERT, line);
	screen_show();
}

void top_draw(void)
{
	unsigned rows, columns, row = 0;
	char line[TOP_LINE];
	screen_size(&rows, &columns);
	screen_clear();
	if (rows < LEAST_ROWS + top.n_relays || columns < LEAST_COLUMNS) {
		draw_too_small(rows, columns);
		return;
	}
	draw_status(&row);
	draw_relays(&row);
	row++;
	if (top.help) {
		draw_help(row);
	} else {
		screen_put(row++, SCREEN_TITLE, top_rows_line(&top.rows, NULL, line));
		draw_rows(row, rows - 1);
		draw_foot(rows - 1);
	}
	screen_show();
}
