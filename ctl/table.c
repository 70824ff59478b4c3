/*
 * table.c - gather a page, see how wide it is, print it.
 */
#include "ctl/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define BOLD  "\033[1m"
#define RED   "\033[31m"
#define PLAIN "\033[0m"
#define GAP   2

void table_begin(struct table *table, FILE *out, bool colour, const char *const *titles)
{
	memset(table, 0, sizeof(*table));
	table->out = out;
	table->colour = colour;
	table->titles = titles;
	for (unsigned c = 0; titles && titles[c]; c++)
		table->width[c] = (unsigned)strlen(titles[c]);
}

static struct table_cell *next_cell(struct table *table)
{
	assert(table->n_rows < TABLE_ROWS && table->column < TABLE_COLUMNS);
	struct table_cell *cell = &table->cells[table->n_rows][table->column++];
	cell->right = cell->alert = false;
	return cell;
}

/* Called when the cell's text is there. */
static void widen(struct table *table, const struct table_cell *cell)
{
	unsigned *width = &table->width[table->column - 1];
	unsigned len = (unsigned)strlen(cell->text);
	if (*width < len)
		*width = len;
}

void table_disarm(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

void table_text(struct table *table, const char *format, ...)
{
	struct table_cell *cell = next_cell(table);
	va_list args;
	va_start(args, format);
	vsnprintf(cell->text, sizeof(cell->text), format, args);
	va_end(args);
	table_disarm(cell->text);
	widen(table, cell);
}

void table_count(struct table *table, uint64_t count)
{
	struct table_cell *cell = next_cell(table);
	snprintf(cell->text, sizeof(cell->text), "%" PRIu64, count);
	cell->right = true;
	widen(table, cell);
}

void table_drops(struct table *table, uint64_t count)
{
	table_count(table, count);
	if (count)
		table_alert(table);
}

void table_alert(struct table *table)
{
	table->cells[table->n_rows][table->column - 1].alert = true;
}

void table_end_row(struct table *table)
{
	for (unsigned c = table->column; c < TABLE_COLUMNS; c++)
		table->cells[table->n_rows][c].text[0] = 0;
	table->n_rows++;
	table->column = 0;
	if (table->n_rows == TABLE_ROWS)
		table_print(table);
}

/* Padding goes outside the colour, and none stands at the end of a line. */
static void print_cell(const struct table *table, unsigned column, const char *text,
		       bool right, const char *style)
{
	unsigned len = (unsigned)strlen(text);
	int pad = (int)(table->width[column] - len);
	bool last = column + 1 == TABLE_COLUMNS || !table->width[column + 1];
	bool styled = table->colour && *style;
	fprintf(table->out, "%*s%s%s%s%*s", right ? pad : 0, "", styled ? style : "", text,
		styled ? PLAIN : "", last ? 0 : (right ? 0 : pad) + GAP, "");
}

/* A title stands as the cells beneath it do. */
static void print_titles(const struct table *table)
{
	for (unsigned c = 0; table->titles[c]; c++)
		print_cell(table, c, table->titles[c],
			   table->n_rows && table->cells[0][c].right, BOLD);
	fputc('\n', table->out);
}

void table_print(struct table *table)
{
	if (table->titles)
		print_titles(table);
	table->titles = NULL;
	for (unsigned r = 0; r < table->n_rows; r++) {
		for (unsigned c = 0; c < TABLE_COLUMNS && table->width[c]; c++) {
			const struct table_cell *cell = &table->cells[r][c];
			print_cell(table, c, cell->text, cell->right,
				   cell->alert ? RED : "");
		}
		fputc('\n', table->out);
	}
	table->n_rows = 0;
}
