/*
 * check_ctl_metrics.c - `etherconnctl metrics`, read back by a strict reader of OpenMetrics 1.0,
 * and its answers as an HTTP server.
 */
#include "proto/msg.h"
#include "tests/cardboard.h"
#include "tests/suite.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the reader ---- */

#define MAX_LINES 2000
#define NAME      128

struct reader {
	char family[NAME], type[16];
	bool helped, sampled;
	const char *families[MAX_LINES], *series[MAX_LINES];
	unsigned n_families, n_series;
};

static struct reader reader;

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static void add_once(const char **list, unsigned *n, const char *text)
{
	for (unsigned i = 0; i < *n; i++)
		ck_assert_msg(strcmp(list[i], text), "twice: %s", text);
	ck_assert_uint_lt(*n, MAX_LINES);
	list[(*n)++] = strdup(text);
}

/* TYPE, UNIT, HELP in this order, and all samples of a family behind them. */
static void read_comment(const char *line)
{
	char word[8], name[NAME], text[256];
	ck_assert_msg(sscanf(line, "# %7s %127s %255[^\n]", word, name, text) == 3, "%s",
		      line);
	if (!strcmp(word, "TYPE")) {
		add_once(reader.families, &reader.n_families, name);
		snprintf(reader.family, sizeof(reader.family), "%s", name);
		snprintf(reader.type, sizeof(reader.type), "%s", text);
		reader.helped = reader.sampled = false;
		return;
	}
	ck_assert_msg(!strcmp(name, reader.family), "outside its family: %s", line);
	ck_assert_msg(!reader.helped && !reader.sampled, "out of order: %s", line);
	if (!strcmp(word, "UNIT")) {
		size_t len = strlen(name), unit = strlen(text);
		ck_assert_msg(len > unit && name[len - unit - 1] == '_' &&
				  !strcmp(name + len - unit, text),
			      "name and unit: %s", line);
		return;
	}
	ck_assert_msg(!strcmp(word, "HELP"), "%s", line);
	reader.helped = true;
}

/* {name="value",...}: returns what is behind it. */
static const char *read_labels(const char *at)
{
	do {
		at++;
		ck_assert_msg(isalpha((unsigned char)*at), "label: %s", at);
		while (is_name_char(*at))
			at++;
		ck_assert_msg(at[0] == '=' && at[1] == '"', "label: %s", at);
		for (at += 2; *at != '"'; at++) {
			ck_assert_msg(*at && *at != '\n', "open quote");
			if (*at == '\\')
				ck_assert_msg(strchr("\\\"n", *++at), "escape: %s", at);
		}
		at++;
	} while (*at == ',');
	ck_assert_msg(*at == '}', "label: %s", at);
	return at + 1;
}

static void read_sample(const char *line)
{
	const char *at = line, *suffix = "";
	char series[512], name[NAME + 8];
	while (is_name_char(*at))
		at++;
	if (!strcmp(reader.type, "counter"))
		suffix = "_total";
	else if (!strcmp(reader.type, "info"))
		suffix = "_info";
	else
		ck_assert_str_eq(reader.type, "gauge");
	snprintf(name, sizeof(name), "%s%s", reader.family, suffix);
	ck_assert_msg((size_t)(at - line) == strlen(name) &&
			  !strncmp(line, name, strlen(name)),
		      "%s is not of family %s", line, reader.family);
	ck_assert_msg(reader.helped, "without help: %s", line);
	if (*at == '{')
		at = read_labels(at);
	snprintf(series, sizeof(series), "%.*s", (int)(at - line), line);
	add_once(reader.series, &reader.n_series, series);
	ck_assert_msg(*at == ' ' && isdigit((unsigned char)at[1]), "value: %s", line);
	ck_assert_uint_eq(strspn(at + 1, "0123456789"), strlen(at + 1));
	reader.sampled = true;
}

static void read_all(char *text)
{
	bool ended = false;
	char *save;
	ck_assert_msg(*text && text[strlen(text) - 1] == '\n', "unfinished line");
	ck_assert_ptr_null(strstr(text, "\n\n"));
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		ck_assert_msg(!ended, "behind the end: %s", line);
		ended = !strcmp(line, "# EOF");
		if (ended)
			continue;
		if (*line == '#')
			read_comment(line);
		else
			read_sample(line);
	}
	ck_assert(ended);
}

/* ---- metrics ---- */

static void expect(const char *line)
{
	ck_assert_msg(strstr(output, line), "missing: %s", line);
}

START_TEST(test_text_is_well_formed)
{
	ck_assert_int_eq(run("metrics", STDOUT), 0);
	read_all(output);
	ck_assert_uint_eq(reader.n_families,
			  5 + 4 + ECP_N_RELAY_COUNTERS + 3 + ECP_N_ENDPOINT_COUNTERS);
	ck_assert_uint_eq(reader.n_series, 5 + 4 + ECP_N_RELAY_COUNTERS +
					       N_CLIENTS * (3 + ECP_N_ENDPOINT_COUNTERS));
}
END_TEST

START_TEST(test_values)
{
	ck_assert_int_eq(run("metrics", STDOUT), 0);
	expect("etherconnd_info{version=\"9.9\"} 1\n");
	expect("\netherconnd_uptime_seconds 77\n");
	expect("# UNIT etherconnd_uptime_seconds seconds\n");
	expect("\netherconnd_relay_rx_miss_total{interface=\"eth1\"} 7\n");
	expect("# HELP etherconnd_relay_rx_miss dropped: unicast frames that no endpoint "
	       "claims\n");
	expect("\netherconnd_relay_tx_bytes_total{interface=\"eth1\"} 9007199254740991\n");
	expect("# UNIT etherconnd_relay_tx_bytes bytes\n");
	expect("\netherconnd_relay_up{interface=\"eth1\"} 0\n");
	expect("\netherconnd_client_rx_ring_used_bytes{client=\"1\",pid=\"7\",comm=\"a\","
	       "interface=\"eth1\"} 250\n");
	expect("\netherconnd_client_rx_buffer_full_total{client=\"2\",pid=\"100000\","
	       "comm=\"dhcp_client\",interface=\"eth1\"} 3\n");
	/* a program may call itself what it likes */
	expect("comm=\"x\\\"\\\\{y?[2J\"");
}
END_TEST

/* Each family is called as its samples are, and nothing stands there that is new. */
START_TEST(test_older_format)
{
	ck_assert_int_eq(run("metrics -t", STDOUT), 0);
	expect("# TYPE etherconnd_info gauge\n");
	expect("# TYPE etherconnd_relay_rx_miss_total counter\n");
	expect("\netherconnd_relay_rx_miss_total{interface=\"eth1\"} 7\n");
	expect("# TYPE etherconnd_uptime_seconds gauge\n");
	ck_assert_ptr_null(strstr(output, "# UNIT"));
	ck_assert_ptr_null(strstr(output, "# EOF"));
}
END_TEST

/* No half a document. */
START_TEST(test_no_daemon_no_text)
{
	ck_assert_int_eq(run("-s /nowhere metrics", STDOUT "2>/dev/null"), 1);
	ck_assert_str_eq(output, "");
}
END_TEST

/* ---- HTTP ---- */

#define REQUEST(text) "<<'END'\n" text "\nEND\n"

static void check_framing(const char *status)
{
	unsigned long length;
	ck_assert_msg(!strncmp(output, "HTTP/1.1 ", 9) && !strncmp(output + 9, status, 3),
		      "%.200s", output);
	const char *body = strstr(output, "\r\n\r\n");
	ck_assert_ptr_nonnull(body);
	const char *header = strstr(output, "\r\nContent-Length: ");
	ck_assert(header && header < body);
	ck_assert_int_eq(sscanf(header, " Content-Length: %lu", &length), 1);
	ck_assert_uint_eq(strlen(body + 4), length);
}

START_TEST(test_http)
{
	ck_assert_int_eq(run("metrics --http",
			     REQUEST("GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r")),
			 0);
	check_framing("200");
	expect("\r\nContent-Type: application/openmetrics-text; version=1.0.0; "
	       "charset=utf-8\r\n");
	expect("\r\nConnection: close\r\n");
	read_all(strstr(output, "\r\n\r\n") + 4);
	ck_assert_uint_gt(reader.n_series, ECP_N_RELAY_COUNTERS);
}
END_TEST

START_TEST(test_http_head)
{
	ck_assert_int_eq(run("metrics -H", REQUEST("HEAD /metrics HTTP/1.0\n")), 0);
	ck_assert_int_eq(strncmp(output, "HTTP/1.1 200 OK\r\n", 17), 0);
	ck_assert_ptr_null(strstr(output, "Content-Length: 0\r\n"));
	ck_assert_str_eq(strstr(output, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

/* Who does not know OpenMetrics says so by not naming it. */
START_TEST(test_http_older)
{
	static const char *const types[] = {"text/plain;version=0.0.4", "*/*",
					    "text/plain, application/openmetrics-text"};
	char request[200];
	for (unsigned i = 0; i < 3; i++) {
		snprintf(request, sizeof(request),
			 REQUEST("GET /metrics HTTP/1.1\r\nACCEPT: %s\r\n\r"), types[i]);
		ck_assert_int_eq(run("metrics --http", request), 0);
		check_framing("200");
		expect(i ? "\r\nContent-Type: application/openmetrics-text;"
			 : "\r\nContent-Type: text/plain; version=0.0.4;");
		ck_assert_int_eq(!strstr(output, "# EOF"), i == 0);
	}
}
END_TEST

static const struct {
	const char *request, *status;
} refusals[] = {
    {REQUEST("GET / HTTP/1.1\n"), "404"},
    {REQUEST("GET /metricsx HTTP/1.1\n"), "404"},
    {REQUEST("POST /metrics HTTP/1.1\n"), "405"},
    {REQUEST("GET /metrics HTTP/2\n"), "505"},
    {REQUEST("GET /metrics\n"), "400"},
    {REQUEST("GET  /metrics HTTP/1.1 x\n"), "400"},
    {REQUEST("GET /metrics HTTP/1.1"), "400"}, /* and no more */
    {"</dev/null", "400"},
    {"</dev/zero", "431"},
};

START_TEST(test_http_refuses)
{
	ck_assert_int_eq(run("metrics --http", refusals[_i].request), 0);
	check_framing(refusals[_i].status);
}
END_TEST

START_TEST(test_http_without_daemon)
{
	ck_assert_int_eq(run("-s /nowhere metrics --http 2>/dev/null",
			     REQUEST("GET /metrics HTTP/1.1\n")),
			 1);
	check_framing("503");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_metrics");
	TCase *tc = tcase_create("metrics");
	tcase_add_checked_fixture(tc, cardboard_start, cardboard_stop);
	tcase_add_test(tc, test_text_is_well_formed);
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_older_format);
	tcase_add_test(tc, test_no_daemon_no_text);
	tcase_add_test(tc, test_http);
	tcase_add_test(tc, test_http_older);
	tcase_add_test(tc, test_http_head);
	tcase_add_loop_test(tc, test_http_refuses, 0, sizeof(refusals) / sizeof(*refusals));
	tcase_add_test(tc, test_http_without_daemon);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
