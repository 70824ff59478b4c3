/*
 * check_json.c - reading JSON strictly and writing it plainly.
 */
#include "proto/json.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (int)(sizeof(table) / sizeof(*(table)))

static struct ecp_error err;
static struct ecp_json *root;

static void setup(void)
{
	err = (struct ecp_error){0};
	root = NULL;
}

static void teardown(void)
{
	ecp_json_free(root);
}

static struct ecp_json *parse(const char *text)
{
	root = ecp_json_parse(text, strlen(text), false, &err);
	return root;
}

static void parse_good(const char *text)
{
	ck_assert_msg(parse(text) != NULL, "%s\nsaid: %s", text, err.text);
}

static void expect_said(const char *name, const char *says)
{
	ck_assert_msg(err.code < 0, "%s: no error", name);
	ck_assert_msg(strstr(err.text, says) != NULL, "%s: said \"%s\"", name, err.text);
}

/* ---- what is no JSON ---- */

static const struct {
	const char *name, *text, *says;
} foul[] = {
    {"nothing", "", "line 1: not JSON: it ends too early"},
    {"only white space", "  \n\t", "line 2: not JSON: it ends too early"},
    {"cut in an object", "{\"a\":1", "ends too early"},
    {"cut in a string", "{\"a\":\"b", "not JSON"},
    {"no value", "{\"a\":}", "not JSON at \"}\""},
    {"third line", "{\n\"a\": 1,\n\"b\": x }", "line 3: not JSON at \"x }\""},
    {"comma at the end", "[1,2,]", "not JSON at \"]\""},
    {"two values", "{} {}", "line 1: not JSON at \"{}\""},
    {"single quotes", "{'a':1}", "not JSON"},
    {"a comment", "{} // two", "not JSON at \"// two\""},
    {"a control character", "{\"a\":\"\x01\"}", "not JSON"},
    {"no UTF-8", "{\"a\":\"\xff\"}", "not JSON"},
    {"UTF-8, cut short", "{\"a\":\"\xe2\x82\"}", "not JSON"},
    {"UTF-8, too long a form", "{\"a\":\"\xc0\xaf\"}", "not JSON"},
    {"UTF-8 of a surrogate", "{\"a\":\"\xed\xa0\x80\"}", "not JSON"},
    {"UTF-8 above U+10FFFF", "{\"a\":\"\xf4\x90\x80\x80\"}", "not JSON"},
    {"a lead byte that is none", "{\"a\":\"\xf8\x90\x80\x80\"}", "not JSON"},
    {"an escaped NUL", "{\"a\":\"b\\u0000c\"}", "not JSON at \"\\u0000c"},
    {"an escaped NUL in a key", "{\"a\\u0000\":1}", "not JSON"},
    {"half a surrogate pair", "{\"a\":\"\\ud800\"}", "not JSON"},
    {"an unknown escape", "{\"a\":\"\\x41\"}", "not JSON"},
};

START_TEST(test_foul)
{
	ck_assert_msg(!parse(foul[_i].text), "%s: taken", foul[_i].name);
	ck_assert_int_eq(err.code, -EBADMSG);
	expect_said(foul[_i].name, foul[_i].says);
}
END_TEST

START_TEST(test_nul_byte)
{
	root = ecp_json_parse("{}\0{}", 5, false, &err);
	ck_assert_ptr_null(root);
	expect_said("NUL", "a NUL byte");
}
END_TEST

/* The text need not end where its buffer does. */
START_TEST(test_length_counts)
{
	root = ecp_json_parse("{\"a\":1}garbage", 7, false, &err);
	ck_assert_msg(root != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_deep_nesting)
{
	static char text[60001];
	memset(text, '[', sizeof(text) - 1);
	ck_assert_ptr_null(parse(text));
	ck_assert_int_eq(err.code, -EBADMSG);
	memset(text, '[', 900);
	memset(text + 900, ']', 900);
	text[1800] = 0;
	setup();
	parse_good(text);
}
END_TEST

static const struct {
	const char *name, *text, *value; /* of key a; NULL: an error */
	unsigned line;
} commented[] = {
    {"C++", "{ // who\n\"a\": \"x\" // what\n}", "x", 0},
    {"C", "/* who */ {\"a\": /* a\nb */ \"x\"}", "x", 0},
    {"C, a star more", "/***/{\"a\":\"x\"/* **/}", "x", 0},
    {"a quote in it", "{ // \"\n\"a\": \"x\"}", "x", 0},
    {"in a string", "{\"a\":\"/*x*/ //\"}", "/*x*/ //", 0},
    {"in a string, behind a quote", "{\"a\":\"\\\"//x\"}", "\"//x", 0},
    {"not UTF-8", "{\"a\":\"x\"} // \xe4\n", "x", 0},
    {"not ended", "{\"a\":\n1} /* and", NULL, 2},
    {"lines still count", "/* 1\n2 */ {\n// 3\n\"a\": ]}", NULL, 4},
};

START_TEST(test_comments)
{
	const char *text = commented[_i].text;
	root = ecp_json_parse(text, strlen(text), true, &err);
	if (commented[_i].value) {
		ck_assert_msg(root != NULL, "%s: %s", commented[_i].name, err.text);
		ck_assert_str_eq(ecp_json_string(root, "a", "", &err), commented[_i].value);
		return;
	}
	char line[20];
	snprintf(line, sizeof(line), "line %u:", commented[_i].line);
	ck_assert_ptr_null(root);
	expect_said(commented[_i].name, line);
}
END_TEST

/* ---- values ---- */

#define MAX53 9007199254740992u

static const struct {
	const char *name, *value;
	uint64_t min, max, is;
	const char *says; /* NULL: taken */
} numbers[] = {
    {"zero", "0", 0, 10, 0, NULL},
    {"least", "5", 5, 10, 5, NULL},
    {"most", "10", 5, 10, 10, NULL},
    {"2^53", "9007199254740992", 0, UINT64_MAX, MAX53, NULL},
    {"most of all", "18446744073709551615", 0, UINT64_MAX, UINT64_MAX, NULL},
    {"with exponent", "1e3", 0, 5000, 1000, NULL},
    {"too small", "4", 5, 10, 0, "a: must be from 5 to 10"},
    {"too great", "11", 5, 10, 0, "a: must be from 5 to 10"},
    {"2^32 for 32 bits", "4294967296", 0, UINT32_MAX, 0, "from 0 to 4294967295"},
    {"2^64 for 32 bits", "18446744073709551616", 0, UINT32_MAX, 0, "to 4294967295"},
    {"negative", "-1", 0, 10, 0, "a: must be a whole number, 0 or more"},
    {"fraction", "1.5", 0, 10, 0, "a: must be a whole number"},
    {"small fraction", "1e-9", 0, 10, 0, "a: must be a whole number"},
    {"beyond 64 bits", "1e20", 0, UINT64_MAX, 0, "a: must be a whole number"},
    {"infinite", "1e999", 0, UINT64_MAX, 0, "a: must be a whole number"},
    {"a string", "\"5\"", 0, 10, 0, "a: must be a number"},
    {"a boolean", "true", 0, 10, 0, "a: must be a number"},
    {"null", "null", 0, 10, 0, "a: must be a number"},
    {"an array", "[5]", 0, 10, 0, "a: must be a number"},
};

START_TEST(test_number)
{
	char text[60];
	snprintf(text, sizeof(text), "{\"a\":%s}", numbers[_i].value);
	parse_good(text);
	uint64_t is = ecp_json_u64(root, "a", numbers[_i].min, numbers[_i].max, 99, &err);
	if (numbers[_i].says) {
		expect_said(numbers[_i].name, numbers[_i].says);
		ck_assert_int_eq(err.code, -EINVAL);
	} else {
		ck_assert_msg(!err.code, "%s: %s", numbers[_i].name, err.text);
		ck_assert_msg(is == numbers[_i].is, "%s", numbers[_i].name);
	}
}
END_TEST

START_TEST(test_missing_keys_give_the_fallback)
{
	size_t n = 7;
	parse_good("{\"A\":1,\"b\":2}");
	ck_assert_uint_eq(ecp_json_u64(root, "a", 5, 10, 99, &err), 99);
	ck_assert_str_eq(ecp_json_string(root, "a", "none", &err), "none");
	ck_assert(ecp_json_bool(root, "a", true, &err));
	ck_assert_ptr_null(ecp_json_object(root, "a", &err));
	ck_assert_ptr_null(ecp_json_array(root, "a", 1, &n, &err));
	ck_assert_uint_eq(n, 0);
	ck_assert(!ecp_json_has(root, "a"));
	ck_assert(ecp_json_has(root, "A"));
	ck_assert_int_eq(err.code, 0);
}
END_TEST

START_TEST(test_wrong_types)
{
	size_t n;
	parse_good("{\"a\":1,\"s\":\"x\"}");
	ecp_json_string(root, "a", "", &err);
	expect_said("string", "a: must be a string");
	err = (struct ecp_error){0};
	ecp_json_bool(root, "a", true, &err);
	expect_said("bool", "a: must be true or false");
	err = (struct ecp_error){0};
	ck_assert_ptr_null(ecp_json_object(root, "s", &err));
	expect_said("object", "s: must be an object");
	err = (struct ecp_error){0};
	ck_assert_ptr_null(ecp_json_array(root, "s", 1, &n, &err));
	expect_said("array", "s: must be an array");
}
END_TEST

START_TEST(test_array)
{
	size_t n;
	parse_good("{\"a\":[10,20,30],\"none\":[],\"names\":[\"x\",7]}");
	const struct ecp_json *item = ecp_json_array(root, "a", 3, &n, &err);
	ck_assert_uint_eq(n, 3);
	for (unsigned i = 1; i <= n; i++, item = ecp_json_next(item))
		ck_assert_uint_eq(ecp_json_item_u64(item, "a", 0, 99, &err), 10 * i);
	ck_assert_ptr_null(item);
	ck_assert_ptr_null(ecp_json_array(root, "none", 3, &n, &err));
	ck_assert_uint_eq(n, 0);
	item = ecp_json_array(root, "names", 3, &n, &err);
	ck_assert_str_eq(ecp_json_item_string(item, "names", &err), "x");
	ck_assert_int_eq(err.code, 0);
	ck_assert_ptr_null(ecp_json_item_string(ecp_json_next(item), "names", &err));
	expect_said("an item", "names: must be a string");
	err = (struct ecp_error){0};
	ck_assert_ptr_null(ecp_json_array(root, "a", 2, &n, &err));
	expect_said("too many", "a: 3 of them; at most 2");
	ck_assert_int_eq(err.code, -EMSGSIZE);
	ck_assert_uint_eq(n, 0);
}
END_TEST

static const struct {
	const char *text, *says; /* NULL: right */
} keyed[] = {
    {"{}", NULL},
    {"{\"b\":1,\"a\":2}", NULL},
    {"{\"a\":1,\"c\":2}", "thing: unknown key \"c\""},
    {"{\"A\":1}", "thing: unknown key \"A\""},
    {"{\"a\":1,\"b\":2,\"a\":1}", "thing: key \"a\" stands twice"},
    {"{\"\":1}", "thing: unknown key \"\""},
    {"[]", "thing: must be an object"},
    {"7", "thing: must be an object"},
    {"null", "thing: must be an object"},
};

START_TEST(test_keys)
{
	static const char *const keys[] = {"a", "b", NULL};
	parse_good(keyed[_i].text);
	bool good = ecp_json_check_keys(root, "thing", keys, &err);
	ck_assert_int_eq(good, !keyed[_i].says);
	ck_assert_int_eq(err.code, good ? 0 : -EINVAL);
	if (!good)
		expect_said(keyed[_i].text, keyed[_i].says);
}
END_TEST

/* Lines as people count them, whatever stands in strings and comments before. */
static const char placed[] = "{ // \"a\": {\n"
			     "\"list\": [\n"
			     " {\"x\": [1, {\"y\": 2}],\n"
			     "  \"b\": {\n"
			     "   \"c\": \"\\\"{[,\" } }, /*/ ,\n"
			     " */ 7,\n"
			     " {\"b\": 1, \"d\": \"b\",\n"
			     "\n"
			     "  \"b\": 1}],\n"
			     "\"b\": 1,\n"
			     "\"a\": 2 }\n";

static const struct {
	int item;
	const char *sentence;
	unsigned line;
} places[] = {
    {-1, "a: must be a string", 11},
    {-1, "b: must be a string", 10},
    {-1, "the root: unknown key \"list\"", 2},
    {-1, "c: stands elsewhere", 1},
    {0, "x: must be a string", 3},
    {0, "b: must be a string", 4},
    {0, "c: must be a number", 5},
    {0, "d: is missing", 3},
    {1, "list: must be an object", 5} /* behind its comma */,
    {2, "list: key \"b\" stands twice", 9},
    {2, "d: must be a number", 7},
    {2, "e: is missing", 7},
    {3, "b: there is no such item", 1},
};

START_TEST(test_line)
{
	root = ecp_json_parse(placed, sizeof(placed) - 1, true, &err);
	ck_assert_msg(root != NULL, "%s", err.text);
	unsigned line = ecp_json_line_of(placed, sizeof(placed) - 1, "list",
					 places[_i].item, places[_i].sentence);
	ck_assert_msg(line == places[_i].line, "%s: line %u", places[_i].sentence, line);
}
END_TEST

/* Cut anywhere it reads no further than that. */
START_TEST(test_line_of_a_cut_text)
{
	for (size_t len = 0; len < sizeof(placed); len++) {
		char *cut = malloc(len ? len : 1); /* ASan sees any byte more */
		memcpy(cut, placed, len);
		ck_assert_uint_le(ecp_json_line_of(cut, len, "list", 2, "zzz: is missing"),
				  12);
		free(cut);
	}
}
END_TEST

START_TEST(test_first_error_counts)
{
	ck_assert_int_eq(ecp_error_set(&err, -ENOENT, "no %s", "first"), -ENOENT);
	ck_assert_int_eq(ecp_error_set(&err, -EPERM, "second"), -ENOENT);
	ck_assert_str_eq(err.text, "no first");
}
END_TEST

/* ---- writing ---- */

START_TEST(test_write)
{
	char buf[200];
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, sizeof(buf));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_u64(&w, "zero", 0);
	ecp_json_put_u64(&w, "most", UINT64_MAX);
	ecp_json_open_array(&w, "list");
	ecp_json_open_object(&w, NULL);
	ecp_json_close_object(&w);
	ecp_json_put_u64(&w, NULL, 1000000000000000001);
	ecp_json_put_string(&w, NULL, "x");
	ecp_json_close_array(&w);
	ecp_json_put_bool(&w, "yes", true);
	ecp_json_put_bool(&w, "no", false);
	ecp_json_close_object(&w);
	ck_assert(!w.overflow);
	ck_assert_uint_eq(w.len, strlen(buf));
	ck_assert_str_eq(buf, "{\"zero\":0,\"most\":18446744073709551615,"
			      "\"list\":[{},1000000000000000001,\"x\"],"
			      "\"yes\":true,\"no\":false}");
}
END_TEST

static const struct {
	const char *name, *value, *written;
	size_t max;
} strings[] = {
    {"empty", "", "\"\"", SIZE_MAX},
    {"plain", "a b", "\"a b\"", SIZE_MAX},
    {"quote and backslash", "\"\\", "\"\\\"\\\\\"", SIZE_MAX},
    {"control", "a\nb\x1f\x7f", "\"a\\u000ab\\u001f\\u007f\"", SIZE_MAX},
    {"UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7",
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xa7\"", SIZE_MAX},
    {"not UTF-8", "a\xff\xc3", "\"a\\ufffd\\ufffd\"", SIZE_MAX},
    {"UTF-8 cut short", "\xe2\x82", "\"\\ufffd\\ufffd\"", SIZE_MAX},
    {"cut to nothing", "abc", "\"\"", 0},
    {"cut", "abc", "\"ab\"", 2},
    {"just fits", "abc", "\"abc\"", 3},
    {"not cut in an escape", "a\n", "\"a\"", 6},
    {"the escape fits", "a\nb", "\"a\\u000a\"", 7},
    {"not cut in a character", "a\xc3\xa9", "\"a\"", 2},
};

START_TEST(test_string)
{
	char buf[100];
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, sizeof(buf));
	ecp_json_put_string_max(&w, NULL, strings[_i].value, strings[_i].max);
	ck_assert_msg(!strcmp(buf, strings[_i].written), "%s: %s", strings[_i].name, buf);
}
END_TEST

/* Whatever bytes a string has, what is written is JSON; and UTF-8 comes back as it was. */
START_TEST(test_every_byte_is_readable)
{
	char buf[100], value[4] = {'x', (char)_i, 'y', 0};
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, sizeof(buf));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "a", value);
	ecp_json_close_object(&w);
	parse_good(buf);
	const char *is = ecp_json_string(root, "a", "", &err);
	ck_assert_str_eq(is, _i < 0x80 ? value : "x\xef\xbf\xbdy");
}
END_TEST

/* In any room: no byte behind it, always a NUL, and overflow exactly when it did not fit. */
START_TEST(test_any_room)
{
	static const char whole[] = "{\"a\":[12,true],\"b\":\"x\\u000ay\"}";
	char buf[sizeof(whole) + 1];
	for (size_t room = 0; room <= sizeof(whole); room++) {
		struct ecp_json_writer w;
		memset(buf, '#', sizeof(buf));
		ecp_json_begin(&w, buf, room);
		ecp_json_open_object(&w, NULL);
		ecp_json_open_array(&w, "a");
		ecp_json_put_u64(&w, NULL, 12);
		ecp_json_put_bool(&w, NULL, true);
		ecp_json_close_array(&w);
		ecp_json_put_string(&w, "b", "x\ny");
		ecp_json_close_object(&w);
		ck_assert_int_eq(w.overflow, room < sizeof(whole));
		ck_assert_int_eq(buf[room], '#');
		if (room)
			ck_assert_uint_eq(strnlen(buf, room), w.len);
		if (!w.overflow)
			ck_assert_str_eq(buf, whole);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *tc = tcase_create("json");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_foul, 0, COUNT(foul));
	tcase_add_test(tc, test_nul_byte);
	tcase_add_test(tc, test_length_counts);
	tcase_add_test(tc, test_deep_nesting);
	tcase_add_loop_test(tc, test_comments, 0, COUNT(commented));
	tcase_add_loop_test(tc, test_number, 0, COUNT(numbers));
	tcase_add_test(tc, test_missing_keys_give_the_fallback);
	tcase_add_test(tc, test_wrong_types);
	tcase_add_test(tc, test_array);
	tcase_add_loop_test(tc, test_keys, 0, COUNT(keyed));
	tcase_add_loop_test(tc, test_line, 0, COUNT(places));
	tcase_add_test(tc, test_line_of_a_cut_text);
	tcase_add_test(tc, test_first_error_counts);
	tcase_add_test(tc, test_write);
	tcase_add_loop_test(tc, test_string, 0, COUNT(strings));
	tcase_add_loop_test(tc, test_every_byte_is_readable, 1, 256);
	tcase_add_test(tc, test_any_room);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
