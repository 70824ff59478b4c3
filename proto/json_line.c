/*
 * json_line.c - in which line of a text stands what an error is about?
 *
 * The parser keeps no positions of values, so the text is walked once more, token by token:
 * only after an error, and only text that has been parsed and so is well formed.  (Other text
 * gets some line of it.)
 */
#include "proto/json.h"

#include <string.h>

struct walk {
	const char *at, *end;
	unsigned line, depth;
	/* the last string, without its quotes */
	const char *string;
	size_t string_len;
	unsigned string_line;
};

static void skip_comment(struct walk *w)
{
	const char *begin = w->at;
	bool whole_line = w->end - begin > 1 && begin[1] == '/';
	for (w->at += 1; w->at < w->end; w->at++) {
		bool closed = *w->at == '/' && w->at[-1] == '*' && w->at - begin > 2;
		if (whole_line ? *w->at == '\n' : closed)
			break;
		w->line += *w->at == '\n';
	}
	if (!whole_line && w->at < w->end)
		w->at++;
}

static void take_string(struct walk *w)
{
	w->string = ++w->at;
	w->string_line = w->line;
	for (; w->at < w->end && *w->at != '"'; w->at++)
		if (*w->at == '\\' && w->end - w->at > 1)
			w->at++;
	w->string_len = (size_t)(w->at - w->string);
	w->at += w->at < w->end;
}

/* The next of { } [ ] : , or 0 at the end. */
static char next_token(struct walk *w)
{
	while (w->at < w->end) {
		char c = *w->at;
		if (c == '/') {
			skip_comment(w);
		} else if (c == '"') {
			take_string(w);
		} else {
			w->at++;
			w->line += c == '\n';
			if (c && strchr("{}[]:,", c))
				return c;
		}
	}
	return 0;
}

static bool string_is(const struct walk *w, const char *text, size_t len)
{
	return w->string && w->string_len == len && !memcmp(w->string, text, len);
}

/* The key that a sentence of this module is about: quoted behind "key ", or at its head. */
static const char *key_of(const char *sentence, size_t *len)
{
	const char *quoted = strstr(sentence, "key \"");
	const char *key = quoted ? quoted + 5 : sentence;
	*len = strcspn(key, quoted ? "\"" : ":");
	return key;
}

unsigned ecp_json_line_of(const char *text, size_t len, const char *list, int item,
			  const char *sentence)
{
	struct walk w = {.at = text, .end = text + len, .line = 1};
	size_t key_len;
	const char *key = key_of(sentence, &key_len);
	unsigned found = 1;
	int at_item = -1;
	bool in_list = false;
	for (char c; (c = next_token(&w));) {
		bool here =
		    item < 0 ? w.depth == 1 : in_list && at_item == item && w.depth >= 3;
		if (c == ':' && here && string_is(&w, key, key_len))
			found = w.string_line; /* of a doubled key the last */
		if (c == ':' && w.depth == 1)
			in_list = string_is(&w, list, strlen(list));
		bool next = (c == '[' && w.depth == 1) || (c == ',' && w.depth == 2);
		at_item += in_list && next;
		if (in_list && at_item == item && (next || (c == '{' && w.depth == 2)))
			found = w.line;
		if (c == '{' || c == '[')
			w.depth++;
		if (c == '}' || c == ']')
			w.depth--;
	}
	return found;
}
