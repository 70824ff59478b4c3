/*
 * document.c - indent JSON as it passes by: a character decides with what came before it.
 */
#include "ctl/document.h"

void document_begin(struct document *document, FILE *out, bool pretty)
{
	*document = (struct document){.out = out, .pretty = pretty};
}

static void new_line(const struct document *document)
{
	fprintf(document->out, "\n%*s", (int)(2 * document->depth), "");
}

static void put_in_string(struct document *document, char c)
{
	fputc(c, document->out);
	document->in_string = c != '"' || document->escaped;
	document->escaped = c == '\\' && !document->escaped;
}

/* The line after a bracket is left open until it is known that something stands in it. */
static void put_outside(struct document *document, char c)
{
	bool closes = c == '}' || c == ']';
	if (c == ' ' || c == '\n')
		return;
	if (closes)
		document->depth--;
	if (closes != document->opened)
		new_line(document);
	document->opened = c == '{' || c == '[';
	document->depth += document->opened;
	document->in_string = c == '"';
	fputc(c, document->out);
	if (c == ',')
		new_line(document);
	if (c == ':')
		fputc(' ', document->out);
}

void document_write(struct document *document, const char *text)
{
	if (!document->pretty) {
		fputs(text, document->out);
		return;
	}
	for (; *text; text++) {
		if (document->in_string)
			put_in_string(document, *text);
		else
			put_outside(document, *text);
	}
}

void document_end(struct document *document)
{
	fputc('\n', document->out);
}
