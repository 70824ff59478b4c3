/*
 * json.c - the one file that knows cJSON.
 */
#include "proto/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TWO_TO_64 18446744073709551616.0

int ecp_error_set(struct ecp_error *err, int code, const char *format, ...)
{
	if (err->code)
		return err->code;
	va_list args;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->code = code;
	return code;
}

/* ---- reading ---- */

static const cJSON *in(const struct ecp_json *json)
{
	return (const cJSON *)json;
}

static const struct ecp_json *out(const cJSON *json)
{
	return (const struct ecp_json *)json;
}

static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;
	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/*
 * Blank out comments, keeping line ends, so that positions in errors stay true (cJSON_Minify
 * would move everything).
 */
static void blank_comments(char *at)
{
	for (; *at; at++) {
		if (*at == '"') {
			while (*++at && *at != '"')
				if (*at == '\\' && at[1])
					at++;
			if (!*at)
				return;
		} else if (at[0] == '/' && at[1] == '/') {
			while (*at && *at != '\n')
				*at++ = ' ';
			if (!*at)
				return;
		} else if (at[0] == '/' && at[1] == '*') {
			char *end = strstr(at + 2, "*/");
			if (!end)
				return; /* left to the parser, which will not like it */
			for (end += 2; at < end; at++)
				if (*at != '\n')
					*at = ' ';
			at--;
		}
	}
}

/* Where the parser gave up, in words of at most one line. */
static int error_at(struct ecp_error *err, const char *text, const char *at)
{
	unsigned line = line_of(text, at);
	size_t len = strcspn(at, "\r\n");
	if (!*at)
		return ecp_error_set(err, -EBADMSG, "line %u: not JSON: it ends too early",
				     line);
	return ecp_error_set(err, -EBADMSG, "line %u: not JSON at \"%.*s\"", line,
			     len < 20 ? (int)len : 20, at);
}

/* How many of the first max bytes of text stand for themselves in JSON. */
static size_t plain_len(const char *text, size_t max)
{
	size_t n = 0;
	while (n < max && text[n] >= ' ' && text[n] < 0x7f && text[n] != '"' &&
	       text[n] != '\\')
		n++;
	return n;
}

/* Bytes of the UTF-8 character at text (RFC 3629); 0: there is none. */
static size_t utf8_len(const char *text)
{
	static const uint32_t least[] = {[2] = 0x80, [3] = 0x800, [4] = 0x10000};
	unsigned lead = (unsigned char)text[0];
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	size_t n = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t code = lead & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code < 0xe000;
	return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

/*
 * Where text holds what cJSON would let pass: control characters, bytes that are not UTF-8,
 * and the escaped NUL, which would end a string before its end.  NULL: nowhere.
 */
static const char *foul_at(const char *text)
{
	while (*(text += plain_len(text, SIZE_MAX))) {
		size_t len = utf8_len(text);
		bool control = (unsigned char)*text < ' ' && !strchr("\t\r\n", *text);
		if (!len || control || !strncmp(text, "\\u0000", 6))
			return text;
		text += !strncmp(text, "\\\\", 2) ? 2 : len;
	}
	return NULL;
}

struct ecp_json *ecp_json_parse(const char *text, size_t len, bool comments,
				struct ecp_error *err)
{
	cJSON *root = NULL;
	if (memchr(text, 0, len)) {
		ecp_error_set(err, -EBADMSG, "not JSON: a NUL byte");
		return NULL;
	}
	char *copy = strndup(text, len);
	if (!copy) {
		ecp_error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	if (comments)
		blank_comments(copy);
	const char *end = foul_at(copy);
	if (!end) {
		root = cJSON_ParseWithOpts(copy, &end, 0);
		end += strspn(end, " \t\r\n");
	}
	if (!root || *end) {
		error_at(err, copy, end);
		cJSON_Delete(root);
		root = NULL;
	}
	free(copy);
	return (struct ecp_json *)root;
}

void ecp_json_free(struct ecp_json *root)
{
	cJSON_Delete((cJSON *)root);
}

bool ecp_json_check_keys(const struct ecp_json *obj, const char *what,
			 const char *const *keys, struct ecp_error *err)
{
	if (!cJSON_IsObject(in(obj))) {
		ecp_error_set(err, -EINVAL, "%s: must be an object", what);
		return false;
	}
	if (!keys)
		return true;
	uint64_t seen = 0;
	const cJSON *item;
	cJSON_ArrayForEach(item, in(obj))
	{
		unsigned i = 0;
		while (keys[i] && strcmp(keys[i], item->string))
			i++;
		if (!keys[i])
			ecp_error_set(err, -EINVAL, "%s: unknown key \"%.40s\"", what,
				      item->string);
		else if (seen & UINT64_C(1) << i)
			ecp_error_set(err, -EINVAL, "%s: key \"%s\" stands twice", what,
				      keys[i]);
		else
			seen |= UINT64_C(1) << i;
		if (err->code)
			return false;
	}
	return true;
}

static const cJSON *get(const struct ecp_json *obj, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(in(obj), key);
}

bool ecp_json_has(const struct ecp_json *obj, const char *key)
{
	return get(obj, key) != NULL;
}

const char *ecp_json_item_string(const struct ecp_json *item, const char *what,
				 struct ecp_error *err)
{
	if (cJSON_IsString(in(item)))
		return in(item)->valuestring;
	ecp_error_set(err, -EINVAL, "%s: must be a string", what);
	return NULL;
}

const char *ecp_json_string(const struct ecp_json *obj, const char *key,
			    const char *fallback, struct ecp_error *err)
{
	const cJSON *item = get(obj, key);
	return item ? ecp_json_item_string(out(item), key, err) : fallback;
}

/* UINT64_MAX becomes 2^64 in the double that cJSON keeps, and so comes back. */
static uint64_t to_u64(double value)
{
	return value < TWO_TO_64 ? (uint64_t)value : UINT64_MAX;
}

uint64_t ecp_json_item_u64(const struct ecp_json *item, const char *what, uint64_t min,
			   uint64_t max, struct ecp_error *err)
{
	double value = in(item)->valuedouble;
	if (!cJSON_IsNumber(in(item))) {
		ecp_error_set(err, -EINVAL, "%s: must be a number", what);
		return min;
	}
	if (!(value >= 0 && value <= TWO_TO_64) || value != (double)to_u64(value)) {
		ecp_error_set(err, -EINVAL, "%s: must be a whole number, 0 or more", what);
		return min;
	}
	uint64_t whole = to_u64(value);
	if (whole >= min && whole <= max)
		return whole;
	ecp_error_set(err, -EINVAL, "%s: must be from %" PRIu64 " to %" PRIu64, what, min,
		      max);
	return min;
}

uint64_t ecp_json_u64(const struct ecp_json *obj, const char *key, uint64_t min,
		      uint64_t max, uint64_t fallback, struct ecp_error *err)
{
	const cJSON *item = get(obj, key);
	return item ? ecp_json_item_u64(out(item), key, min, max, err) : fallback;
}

bool ecp_json_bool(const struct ecp_json *obj, const char *key, bool fallback,
		   struct ecp_error *err)
{
	const cJSON *item = get(obj, key);
	if (!item)
		return fallback;
	if (!cJSON_IsBool(item))
		ecp_error_set(err, -EINVAL, "%s: must be true or false", key);
	return cJSON_IsTrue(item);
}

const struct ecp_json *ecp_json_object(const struct ecp_json *obj, const char *key,
				       struct ecp_error *err)
{
	const cJSON *item = get(obj, key);
	if (item && !cJSON_IsObject(item)) {
		ecp_error_set(err, -EINVAL, "%s: must be an object", key);
		return NULL;
	}
	return out(item);
}

const struct ecp_json *ecp_json_array(const struct ecp_json *obj, const char *key,
				      size_t max, size_t *n, struct ecp_error *err)
{
	const cJSON *item = get(obj, key);
	*n = 0;
	if (!item)
		return NULL;
	if (!cJSON_IsArray(item)) {
		ecp_error_set(err, -EINVAL, "%s: must be an array", key);
		return NULL;
	}
	size_t count = (size_t)cJSON_GetArraySize(item);
	if (count > max) {
		ecp_error_set(err, -EMSGSIZE, "%s: %zu of them; at most %zu", key, count,
			      max);
		return NULL;
	}
	*n = count;
	return out(item->child);
}

const struct ecp_json *ecp_json_next(const struct ecp_json *item)
{
	return out(in(item)->next);
}

/* ---- writing ---- */

void ecp_json_begin(struct ecp_json_writer *w, char *buf, size_t room)
{
	*w = (struct ecp_json_writer){.buf = buf, .room = room};
	if (room)
		buf[0] = 0;
	else
		w->overflow = true;
}

static void put(struct ecp_json_writer *w, const char *text, size_t len)
{
	if (w->overflow || len >= w->room - w->len) {
		w->overflow = true;
		return;
	}
	memcpy(w->buf + w->len, text, len);
	w->len += len;
	w->buf[w->len] = 0;
}

static void put_char(struct ecp_json_writer *w, char c)
{
	put(w, &c, 1);
}

/*
 * How the next character of text is written (RFC 8259, 7); what is not UTF-8 (the name of a
 * process may be anything) becomes U+FFFD.  Returns its bytes in text.
 */
static size_t escape(const char *text, char written[static 8])
{
	size_t n = utf8_len(text);
	if (!n)
		strcpy(written, "\\ufffd");
	else if (*text == '"' || *text == '\\')
		snprintf(written, 8, "\\%c", *text);
	else if (n == 1)
		snprintf(written, 8, "\\u%04x", (unsigned char)*text);
	else
		snprintf(written, 8, "%.*s", (int)n, text);
	return n ? n : 1;
}

/* At most max bytes of text between quotes, cut between characters. */
static void put_quoted(struct ecp_json_writer *w, const char *text, size_t max)
{
	put_char(w, '"');
	while (*text) {
		size_t plain = plain_len(text, max);
		put(w, text, plain);
		text += plain;
		max -= plain;
		char escaped[8];
		size_t taken = *text ? escape(text, escaped) : 0;
		size_t len = taken ? strlen(escaped) : 0;
		if (!taken || len > max)
			break;
		put(w, escaped, len);
		text += taken;
		max -= len;
	}
	put_char(w, '"');
}

static void put_key(struct ecp_json_writer *w, const char *key)
{
	if (w->need_comma)
		put_char(w, ',');
	w->need_comma = true;
	if (!key)
		return;
	put_quoted(w, key, SIZE_MAX);
	put_char(w, ':');
}

static void open_level(struct ecp_json_writer *w, const char *key, char bracket)
{
	put_key(w, key);
	put_char(w, bracket);
	w->need_comma = false;
}

static void close_level(struct ecp_json_writer *w, char bracket)
{
	put_char(w, bracket);
	w->need_comma = true;
}

void ecp_json_open_object(struct ecp_json_writer *w, const char *key)
{
	open_level(w, key, '{');
}

void ecp_json_close_object(struct ecp_json_writer *w)
{
	close_level(w, '}');
}

void ecp_json_open_array(struct ecp_json_writer *w, const char *key)
{
	open_level(w, key, '[');
}

void ecp_json_close_array(struct ecp_json_writer *w)
{
	close_level(w, ']');
}

void ecp_json_put_string(struct ecp_json_writer *w, const char *key, const char *value)
{
	ecp_json_put_string_max(w, key, value, SIZE_MAX);
}

void ecp_json_put_string_max(struct ecp_json_writer *w, const char *key, const char *value,
			     size_t max)
{
	put_key(w, key);
	put_quoted(w, value, max);
}

void ecp_json_put_u64(struct ecp_json_writer *w, const char *key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put_key(w, key);
	put(w, digits + at, sizeof(digits) - at);
}

void ecp_json_put_bool(struct ecp_json_writer *w, const char *key, bool value)
{
	put_key(w, key);
	put(w, value ? "true" : "false", value ? 4 : 5);
}
