/*
 * rates.c - `etherconnctl stats -i`: frames and bytes per second; and `watch`.
 */
#include "ctl/command.h"
#include "ctl/flow.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS     1000000
#define WATCH_MS      2000
#define MAX_WORDS     64
#define CLIENT(id)    (UINT64_C(1) << 32 | (id))
#define CLEAR_SCREEN  "\033[H\033[2J"
#define BITS_PER_BYTE 8
#define PER_KILO      1000

static struct flow_history history;

/* ---- time ---- */

/* Sleep until *next, and move it on; what was missed is not made up for. */
static void sleep_until_next(int64_t *next, unsigned interval_ms)
{
	int64_t now = flow_now_ns();
	*next += (int64_t)interval_ms * NS_PER_MS;
	if (*next < now)
		*next = now;
	struct timespec at = {*next / (1000 * NS_PER_MS), *next % (1000 * NS_PER_MS)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* ---- text ---- */

static const char *const titles[] = {"WHO",       "RX/s",    "RX-kbit/s", "TX/s",
				     "TX-kbit/s", "DROPS/s", NULL};

static void add_row(struct table *t, const struct flow *rate)
{
	table_count(t, rate->rx);
	table_count(t, rate->rx_bytes * BITS_PER_BYTE / PER_KILO);
	table_count(t, rate->tx);
	table_count(t, rate->tx_bytes * BITS_PER_BYTE / PER_KILO);
	table_drops(t, rate->drops);
	table_end_row(t);
}

static void relays_text(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		struct flow flow = flow_of_relay(&r->stats);
		struct flow rate = flow_history_rate(&history, history.now.n, &flow);
		table_text(&ctl->table, "%s", r->interface);
		add_row(&ctl->table, &rate);
	}
}

static void clients_text(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_client_info *c = &page->clients[i];
		struct flow flow = flow_of_endpoint(&c->stats);
		struct flow rate = flow_history_rate(&history, CLIENT(c->id), &flow);
		if (!c->interface[0])
			continue; /* it asks, as we do */
		table_text(&ctl->table, "%u %s[%u]", c->id, c->comm, c->pid);
		add_row(&ctl->table, &rate);
	}
}

/* ---- JSON: one document a round ---- */

static void add_object(struct ctl *ctl, struct ecp_json_writer *w, const struct flow *rate)
{
	ecp_json_put_u64(w, "rx", rate->rx);
	ecp_json_put_u64(w, "rx_bytes", rate->rx_bytes);
	ecp_json_put_u64(w, "tx", rate->tx);
	ecp_json_put_u64(w, "tx_bytes", rate->tx_bytes);
	ecp_json_put_u64(w, "drops", rate->drops);
	ecp_json_close_object(w);
	document_write(&ctl->document, ctl->listed ? "," : "");
	document_write(&ctl->document, ctl->text);
	ctl->listed = true;
}

static void relays_json(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_relay_info *r = &page->relays[i];
		struct flow flow = flow_of_relay(&r->stats);
		struct flow rate = flow_history_rate(&history, history.now.n, &flow);
		struct ecp_json_writer w;
		ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
		ecp_json_open_object(&w, NULL);
		ecp_json_put_string(&w, "interface", r->interface);
		add_object(ctl, &w, &rate);
	}
}

static void clients_json(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		const struct ecp_client_info *c = &page->clients[i];
		struct flow flow = flow_of_endpoint(&c->stats);
		struct flow rate = flow_history_rate(&history, CLIENT(c->id), &flow);
		struct ecp_json_writer w;
		ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
		ecp_json_open_object(&w, NULL);
		ecp_json_put_u64(&w, "id", c->id);
		ecp_json_put_u64(&w, "pid", c->pid);
		ecp_json_put_string(&w, "comm", c->comm);
		ecp_json_put_string(&w, "interface", c->interface);
		add_object(ctl, &w, &rate);
	}
}

static void begin_json(struct ctl *ctl)
{
	char text[64];
	snprintf(text, sizeof(text), "{\"interval_ms\":%" PRIu64 ",\"relays\":[",
		 history.elapsed_ns / NS_PER_MS);
	document_begin(&ctl->document, stdout, ctl->options.pretty);
	document_write(&ctl->document, text);
	ctl->listed = false;
}

/* ---- rounds ---- */

static enum ctl_exit round_json(struct ctl *ctl)
{
	begin_json(ctl);
	enum ctl_exit code = ctl_pages(ctl, ECP_SHOW_RELAYS, relays_json);
	if (code != CTL_OK)
		return code;
	document_write(&ctl->document, "],\"clients\":[");
	ctl->listed = false;
	code = ctl_pages(ctl, ECP_SHOW_CLIENTS, clients_json);
	document_write(&ctl->document, "]}");
	document_end(&ctl->document);
	return code;
}

static enum ctl_exit round_text(struct ctl *ctl)
{
	table_begin(&ctl->table, stdout, ctl->colour, ctl->options.brief ? NULL : titles);
	enum ctl_exit code = ctl_pages(ctl, ECP_SHOW_RELAYS, relays_text);
	if (code == CTL_OK)
		code = ctl_pages(ctl, ECP_SHOW_CLIENTS, clients_text);
	table_print(&ctl->table);
	return code;
}

static void keep_marks(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)ctl;
	(void)first;
	for (unsigned i = 0; i < page->n; i++) {
		bool relay = page->what == ECP_SHOW_RELAYS;
		struct flow flow = relay ? flow_of_relay(&page->relays[i].stats)
					 : flow_of_endpoint(&page->clients[i].stats);
		flow_history_rate(
		    &history, relay ? history.now.n : CLIENT(page->clients[i].id), &flow);
	}
}

/* The first round prints nothing: there are no rates yet. */
static enum ctl_exit round_silent(struct ctl *ctl)
{
	enum ctl_exit code = ctl_pages(ctl, ECP_SHOW_RELAYS, keep_marks);
	return code == CTL_OK ? ctl_pages(ctl, ECP_SHOW_CLIENTS, keep_marks) : code;
}

static enum ctl_exit round_of(struct ctl *ctl, enum ctl_exit (*fn)(struct ctl *))
{
	flow_history_begin(&history);
	enum ctl_exit code = fn(ctl);
	flow_history_end(&history);
	if (code == CTL_OK && fflush(stdout) != 0)
		return CTL_FAILED;
	return code;
}

enum ctl_exit rates_run(struct ctl *ctl, unsigned interval_ms, uint64_t count)
{
	int64_t next = flow_now_ns();
	kept_begin(ctl);
	enum ctl_exit code = round_of(ctl, round_silent);
	for (uint64_t i = 0; code == CTL_OK && (!count || i < count); i++) {
		sleep_until_next(&next, interval_ms);
		code = round_of(ctl, ctl->options.json ? round_json : round_text);
	}
	flow_history_free(&history);
	return code;
}

/* ---- watch ---- */

static void print_heading(unsigned interval_ms, int argc, char **argv)
{
	printf(CLEAR_SCREEN "every %g s:", interval_ms / 1000.0);
	for (int i = 0; i < argc; i++)
		printf(" %s", argv[i]);
	printf("\n\n");
}

enum ctl_exit cmd_watch(struct ctl *ctl, int argc, char **argv)
{
	unsigned interval_ms = ctl->options.interval_ms;
	uint64_t count = ctl->options.count;
	char *words[MAX_WORDS + 1];
	enum ctl_exit code = CTL_OK;
	int64_t next = flow_now_ns();
	if (argc < 1 || argc > MAX_WORDS)
		return ctl_complain(CTL_USAGE, "watch what?");
	const struct command *command = command_find(argv[0]);
	if (!command)
		return CTL_USAGE;
	if (command->traits & COMMAND_ALONE)
		return ctl_complain(CTL_USAGE, "%s cannot be watched", command->name);
	if (!interval_ms)
		interval_ms = WATCH_MS;
	kept_begin(ctl);
	ctl->watched = true;
	ctl->options.interval_ms = 0; /* they were for us */
	ctl->options.count = 0;
	for (uint64_t i = 0; (!count || i < count) && code != CTL_USAGE; i++) {
		if (i)
			sleep_until_next(&next, interval_ms);
		if (isatty(STDOUT_FILENO))
			print_heading(interval_ms, argc, argv);
		memcpy(words, argv,
		       sizeof(*words) * (size_t)(argc + 1)); /* getopt sorts them */
		code = command_run(ctl, argc, words);
		if (ferror(stdout))
			break;
	}
	ctl_close(ctl);
	return code;
}
