/*
 * top_rows.c - columns, and an array that is always in order.
 */
#include "ctl/top_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CLIENTS   (1 << TOP_CLIENTS)
#define ENDPOINTS (1 << TOP_ENDPOINTS)
#define BOTH      (CLIENTS | ENDPOINTS)

/* Texts have a negative width, as printf's: they stand at the left and are not sorted by. */
static const struct {
	const char *title;
	int width;
	unsigned views;
} columns[TOP_N_COLUMNS] = {
    [TOP_CLIENT] = {"CLIENT", 6, BOTH},
    [TOP_ID] = {"ID", 6, ENDPOINTS},
    [TOP_PID] = {"PID", 8, CLIENTS},
    [TOP_COMM] = {"COMMAND", -15, CLIENTS},
    [TOP_L2] = {"MAC|VLANS", -27, ENDPOINTS},
    [TOP_LOCAL] = {"LOCAL", -21, ENDPOINTS},
    [TOP_N_ENDPOINTS] = {"ENDPOINTS", 9, CLIENTS},
    [TOP_RING] = {"RING%", 5, CLIENTS},
    [TOP_RX] = {"RX/s", 8, BOTH},
    [TOP_RX_KBIT] = {"RX-kbit/s", 9, BOTH},
    [TOP_TX] = {"TX/s", 8, BOTH},
    [TOP_TX_KBIT] = {"TX-kbit/s", 9, BOTH},
    [TOP_DROP_RATE] = {"DROPS/s", 8, BOTH},
    [TOP_DROPS] = {"DROPS", 8, BOTH},
};

const char *top_column_title(enum top_column column)
{
	return columns[column].title;
}

static uint64_t kbit(uint64_t bytes)
{
	return bytes * 8 / 1000;
}

static uint64_t value_of(const struct top_row *row, enum top_column column)
{
	switch (column) {
	case TOP_CLIENT:
		return row->client;
	case TOP_ID:
		return row->id;
	case TOP_PID:
		return row->pid;
	case TOP_N_ENDPOINTS:
		return row->endpoints;
	case TOP_RING:
		return row->ring_percent;
	case TOP_RX:
		return row->rate.rx;
	case TOP_RX_KBIT:
		return kbit(row->rate.rx_bytes);
	case TOP_TX:
		return row->rate.tx;
	case TOP_TX_KBIT:
		return kbit(row->rate.tx_bytes);
	case TOP_DROP_RATE:
		return row->rate.drops;
	case TOP_DROPS:
		return row->drops;
	case TOP_COMM:
	case TOP_L2:
	case TOP_LOCAL:
	case TOP_N_COLUMNS:
		break;
	}
	return 0;
}

/* ---- order ---- */

/* Does a stand before b?  Equals by number: rows must not dance. */
static bool precedes(const struct top_rows *rows, const struct top_row *a,
		     const struct top_row *b)
{
	uint64_t x = value_of(a, rows->sort), y = value_of(b, rows->sort);
	if (x != y)
		return (x > y) != rows->smallest_first;
	if (a->client != b->client)
		return a->client < b->client;
	return a->id < b->id;
}

void top_rows_clear(struct top_rows *rows)
{
	rows->n = 0;
	rows->total = 0;
}

static void insert(struct top_rows *rows, const struct top_row *row)
{
	unsigned low = 0, high = rows->n;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (precedes(rows, row, &rows->rows[middle]))
			high = middle;
		else
			low = middle + 1;
	}
	if (low == TOP_ROWS)
		return;
	if (rows->n < TOP_ROWS)
		rows->n++;
	memmove(&rows->rows[low + 1], &rows->rows[low],
		(rows->n - 1 - low) * sizeof(*rows->rows));
	rows->rows[low] = *row;
}

void top_rows_offer(struct top_rows *rows, const struct top_row *row)
{
	rows->total++;
	insert(rows, row);
}

void top_rows_sort(struct top_rows *rows)
{
	static struct top_row old[TOP_ROWS];
	unsigned n = rows->n;
	memcpy(old, rows->rows, n * sizeof(*old));
	rows->n = 0;
	for (unsigned i = 0; i < n; i++)
		insert(rows, &old[i]);
}

static bool is_of_view(enum top_column column, enum top_view view)
{
	return columns[column].views & (1u << view);
}

void top_rows_set_view(struct top_rows *rows, enum top_view view)
{
	rows->view = view;
	if (!is_of_view(rows->sort, view))
		rows->sort = TOP_RX;
	top_rows_clear(rows);
}

enum top_column top_rows_next_column(const struct top_rows *rows, int direction)
{
	int column = (int)rows->sort;
	do
		column = (column + direction + TOP_N_COLUMNS) % TOP_N_COLUMNS;
	while (columns[column].width < 0 ||
	       !is_of_view((enum top_column)column, rows->view));
	return (enum top_column)column;
}

/* ---- text ---- */

static const char *text_of(const struct top_row *row, enum top_column column,
			   char text[ECP_ADDR_TEXT])
{
	switch (column) {
	case TOP_COMM:
		return row->comm;
	case TOP_L2:
		return ecp_l2addr_format(&row->l2, text);
	case TOP_LOCAL:
		return ecp_addr_format(&row->local, text);
	default:
		snprintf(text, ECP_ADDR_TEXT, "%" PRIu64, value_of(row, column));
		return text;
	}
}

const char *top_rows_line(const struct top_rows *rows, const struct top_row *row,
			  char line[TOP_LINE])
{
	char text[ECP_ADDR_TEXT];
	size_t len = 0;
	*line = 0;
	for (enum top_column c = 0; c < TOP_N_COLUMNS && len < TOP_LINE; c++) {
		if (!is_of_view(c, rows->view))
			continue;
		const char *cell = row ? text_of(row, c, text) : columns[c].title;
		len += (size_t)snprintf(line + len, TOP_LINE - len, "%s%*s", len ? " " : "",
					columns[c].width, cell);
	}
	return line;
}
