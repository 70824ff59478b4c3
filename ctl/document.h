/*
 * document.h - one JSON document, written piece by piece, as it is or indented for people.
 *
 * Pieces are JSON text; their boundaries may lie anywhere.  Knows libc only.
 */
#ifndef CTL_DOCUMENT_H
#define CTL_DOCUMENT_H

#include <stdbool.h>
#include <stdio.h>

struct document {
	FILE *out;
	bool pretty;
	/* where the pretty printer is */
	unsigned depth;
	bool in_string, escaped, opened;
};

void document_begin(struct document *document, FILE *out, bool pretty);
void document_write(struct document *document, const char *text);
void document_end(struct document *document); /* ends the last line */

#endif
