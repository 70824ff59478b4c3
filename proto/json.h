/*
 * json.h - strict reading and plain writing of JSON; the one file that knows cJSON is json.c.
 *
 * Reading: parse, then ask for each key by type.  A wrong type, a number out of range, an
 * unknown or a doubled key is an error with a sentence that names the key, kept in the reader:
 * callers ask for all they know, then look at the reader once.
 *
 * Writing: straight text into a caller's buffer, so u64 counters stay exact (cJSON prints
 * numbers above 1e15 in floating point) and long lists need no tree.  Read back, numbers above
 * 2^53 are rounded to the nearest double: cJSON keeps no more of them.
 *
 * Used by msg.c, and by the daemon for its configuration.  One thread per object.
 */
#ifndef ECP_JSON_H
#define ECP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECP_ERROR_TEXT 200

/* An error with its sentence.  code is a negative errno. */
struct ecp_error {
	int code;
	char text[ECP_ERROR_TEXT];
};

/* Set *err (unless it already holds an error: the first one counts).  Returns err->code. */
int ecp_error_set(struct ecp_error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct ecp_json; /* one JSON value; the tree's owner is whoever parsed it */

/*
 * Parse len bytes of JSON text (no NUL needed).  With comments set, C and C++ comments are
 * allowed (configuration files).  Text that is not UTF-8, control characters, an escaped NUL and
 * more than 1000 levels are errors too.  Returns the root, to be given to ecp_json_free(), or
 * NULL with *err saying what and in which line.
 */
struct ecp_json *ecp_json_parse(const char *text, size_t len, bool comments,
				struct ecp_error *err);
void ecp_json_free(struct ecp_json *root);

/*
 * obj must be an object and hold no other keys than those in keys (NULL-terminated), each
 * once; what names obj in the sentence.  With keys NULL any keys will do.  Returns false with *err set otherwise.
 */
bool ecp_json_check_keys(const struct ecp_json *obj, const char *what,
			 const char *const *keys, struct ecp_error *err);

bool ecp_json_has(const struct ecp_json *obj, const char *key);

/* Values by key.  A missing key gives fallback (NULL, 0 ...); a wrong one sets *err. */
const char *ecp_json_string(const struct ecp_json *obj, const char *key,
			    const char *fallback, struct ecp_error *err);
uint64_t ecp_json_u64(const struct ecp_json *obj, const char *key, uint64_t min,
		      uint64_t max, uint64_t fallback, struct ecp_error *err);
bool ecp_json_bool(const struct ecp_json *obj, const char *key, bool fallback,
		   struct ecp_error *err);
const struct ecp_json *ecp_json_object(const struct ecp_json *obj, const char *key,
				       struct ecp_error *err);
/* An array of at most max items; *n is how many (0 if missing).  First item or NULL. */
const struct ecp_json *ecp_json_array(const struct ecp_json *obj, const char *key,
				      size_t max, size_t *n, struct ecp_error *err);
const struct ecp_json *ecp_json_next(const struct ecp_json *item);
/* An item of an array as a value. */
uint64_t ecp_json_item_u64(const struct ecp_json *item, const char *what, uint64_t min,
			   uint64_t max, struct ecp_error *err);
const char *ecp_json_item_string(const struct ecp_json *item, const char *what,
				 struct ecp_error *err);

/*
 * The line of len bytes of text, which ecp_json_parse() took, that a sentence of the functions
 * above is about: that of the key it names in the item-th object of the list under this key of
 * the root (item < 0: in the root itself), else that where the object begins.  json_line.c.
 */
unsigned ecp_json_line_of(const char *text, size_t len, const char *list, int item,
			  const char *sentence);

/* Where text is written.  After any number of calls look at overflow once. */
struct ecp_json_writer {
	char *buf;
	size_t room, len; /* buf is always NUL-terminated while room > 0 */
	bool overflow;
	bool need_comma;
};

void ecp_json_begin(struct ecp_json_writer *w, char *buf, size_t room);
/* key NULL inside arrays and at the root. */
void ecp_json_open_object(struct ecp_json_writer *w, const char *key);
void ecp_json_close_object(struct ecp_json_writer *w);
void ecp_json_open_array(struct ecp_json_writer *w, const char *key);
void ecp_json_close_array(struct ecp_json_writer *w);
/* Bytes of value that are not UTF-8 are written as U+FFFD. */
void ecp_json_put_string(struct ecp_json_writer *w, const char *key, const char *value);
/* The same, cut to at most max bytes between the quotes, escapes counted. */
void ecp_json_put_string_max(struct ecp_json_writer *w, const char *key, const char *value,
			     size_t max);
void ecp_json_put_u64(struct ecp_json_writer *w, const char *key, uint64_t value);
void ecp_json_put_bool(struct ecp_json_writer *w, const char *key, bool value);

#endif
