/*
 * top_rows.h - the busiest clients or endpoints, in order; however many there are, only so many
 * are kept.
 */
#ifndef CTL_TOP_ROWS_H
#define CTL_TOP_ROWS_H

#include "ctl/flow.h"
#include "proto/msg.h"

#define TOP_ROWS 256
#define TOP_LINE 256

enum top_view { TOP_CLIENTS, TOP_ENDPOINTS };

struct top_row {
	uint32_t client, id, pid, endpoints, ring_percent;
	char comm[ECP_COMM];
	struct ecp_l2addr l2;
	struct ecp_addr local;
	struct flow rate;
	uint64_t drops; /* in all */
};

enum top_column {
	TOP_CLIENT,
	TOP_ID,
	TOP_PID,
	TOP_COMM,
	TOP_L2,
	TOP_LOCAL,
	TOP_N_ENDPOINTS,
	TOP_RING,
	TOP_RX,
	TOP_RX_KBIT,
	TOP_TX,
	TOP_TX_KBIT,
	TOP_DROP_RATE,
	TOP_DROPS,
	TOP_N_COLUMNS
};

struct top_rows {
	enum top_view view;
	enum top_column sort;
	bool smallest_first;
	unsigned n;     /* kept */
	uint64_t total; /* offered since top_rows_clear() */
	struct top_row rows[TOP_ROWS];
};

void top_rows_clear(struct top_rows *rows);
/* Keep it in its place, if it is among the first TOP_ROWS. */
void top_rows_offer(struct top_rows *rows, const struct top_row *row);
/* Another view, empty; sorted by the same column if it has that. */
void top_rows_set_view(struct top_rows *rows, enum top_view view);
/* Put what is kept in order again, after sort or smallest_first has changed. */
void top_rows_sort(struct top_rows *rows);
/* The next column of the view to sort by, to the right (1) or left (-1). */
enum top_column top_rows_next_column(const struct top_rows *rows, int direction);
const char *top_column_title(enum top_column column);

/* A line of the view: titles with row NULL.  Returns line. */
const char *top_rows_line(const struct top_rows *rows, const struct top_row *row,
			  char line[TOP_LINE]);

#endif
