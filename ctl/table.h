/*
 * table.h - text tables whose columns fit what stands in them.
 *
 *   table_begin -> ( table_text, table_count ... table_end_row )* -> table_print -> ...
 *
 * Up to TABLE_ROWS rows are gathered, then printed.  Columns only grow from page to page, so a list
 * of any length needs the memory of one page.  Knows libc only; used by the commands.
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMNS 12
#define TABLE_ROWS    32
#define TABLE_CELL    128

struct table_cell {
	char text[TABLE_CELL];
	bool right; /* numbers end at the same place */
	bool alert; /* red, where there is colour */
};

struct table {
	FILE *out;
	bool colour;
	const char *const *titles; /* not printed yet, or NULL */
	unsigned width[TABLE_COLUMNS];
	unsigned n_rows, column; /* gathered; the next cell's */
	struct table_cell cells[TABLE_ROWS][TABLE_COLUMNS];
};

/* Titles end with NULL; titles itself NULL: none.  They stand over the first page only. */
void table_begin(struct table *table, FILE *out, bool colour, const char *const *titles);

/* The next cell of the row; what is longer than TABLE_CELL is cut. */
void table_text(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void table_count(struct table *table, uint64_t count);
void table_drops(struct table *table, uint64_t count); /* an alert unless 0 */
void table_alert(struct table *table);                 /* the cell before is one */
void table_end_row(struct table *table);               /* prints, if it is full now */

/* Names that programs give themselves must not move the cursor of who reads them. */
void table_disarm(char *text);

/* Print what is gathered. */
void table_print(struct table *table);

#endif
