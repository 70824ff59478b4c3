/*
 * top.c - keys, and the command.
 */
#include "ctl/top.h"

#include "ctl/screen.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define INTERVAL_MS 1000
#define LEAST_MS    100
#define MOST_MS     60000
#define AGAIN_MS    500 /* looking for a daemon that is gone */
#define ANSWER_S    3   /* a daemon that takes longer is as good as gone */

struct top top;

/* ---- keys ---- */

static void move_bar(int by)
{
	int at = (int)top.at + by;
	int last = (int)top.rows.n - 1;
	top.at = at < 0 || last < 0 ? 0 : (unsigned)(at > last ? last : at);
	if (!top.rows.n)
		return;
	top.chosen = top.rows.rows[top.at].client;
	top.chosen_id = top.rows.rows[top.at].id;
}

/* Another list: sampled at once, with rates a little later. */
static void change_view(enum top_view view, uint32_t only)
{
	if (view == top.rows.view && only == top.only)
		return;
	if (top.rows.view == TOP_ENDPOINTS || view == TOP_ENDPOINTS)
		flow_history_free(&top.endpoints);
	top_rows_set_view(&top.rows, view);
	top.only = only;
	top.at = top.first = 0;
	top.chosen_id = 0;
	top.next_ns = 0;
}

static void sort_by(enum top_column column)
{
	top.rows.sort = column;
	top_rows_sort(&top.rows);
	top_find_chosen();
}

static void change_interval(unsigned ms)
{
	top.interval_ms = ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

static void take_letter(int key)
{
	switch (key) {
	case 'q':
		top.done = true;
		break;
	case 'e':
		change_view(TOP_ENDPOINTS, 0);
		break;
	case 'r':
		top.rows.smallest_first = !top.rows.smallest_first;
		sort_by(top.rows.sort);
		break;
	case '+':
		change_interval(top.interval_ms / 2);
		break;
	case '-':
		change_interval(top.interval_ms * 2);
		break;
	case ' ':
		top.next_ns = 0;
		break;
	case 'h':
	case '?':
		top.help = !top.help;
		break;
	}
}

static void take_key(int key)
{
	unsigned rows, columns;
	screen_size(&rows, &columns);
	switch (key) {
	case SCREEN_KEY_UP:
	case 'k':
		move_bar(-1);
		break;
	case SCREEN_KEY_DOWN:
	case 'j':
		move_bar(1);
		break;
	case SCREEN_KEY_PAGE_UP:
		move_bar(-(int)rows / 2);
		break;
	case SCREEN_KEY_PAGE_DOWN:
		move_bar((int)rows / 2);
		break;
	case SCREEN_KEY_LEFT:
	case '<':
		sort_by(top_rows_next_column(&top.rows, -1));
		break;
	case SCREEN_KEY_RIGHT:
	case '>':
		sort_by(top_rows_next_column(&top.rows, 1));
		break;
	case SCREEN_KEY_ENTER:
		if (top.rows.view == TOP_CLIENTS && top.rows.n)
			change_view(TOP_ENDPOINTS, top.rows.rows[top.at].client);
		break;
	case SCREEN_KEY_BACK:
	case 'c':
		change_view(TOP_CLIENTS, 0);
		break;
	case SCREEN_KEY_GONE:
		top.done = true;
		break;
	default:
		take_letter(key);
	}
}

/* ---- a daemon that goes, and comes ---- */

static void take_trouble(const char *sentence)
{
	snprintf(top.trouble, sizeof(top.trouble), "%s", sentence);
}

/* Nothing of what it said holds for the next one. */
static void forget(struct ctl *ctl)
{
	ctl_close(ctl);
	flow_history_free(&top.clients);
	flow_history_free(&top.endpoints);
	top_rows_clear(&top.rows);
	top.n_relays = 0;
	top.next_ns = flow_now_ns() + (int64_t)AGAIN_MS * NS_PER_MS;
}

static enum ctl_exit connect_to_daemon(struct ctl *ctl)
{
	const struct timeval wait = {.tv_sec = ANSWER_S};
	enum ctl_exit code = ctl_connect(ctl);
	if (code == CTL_OK)
		setsockopt(ctl->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	return code;
}

/* Whatever goes wrong is said on the screen, until it is right again. */
static void refresh(struct ctl *ctl)
{
	enum ctl_exit code = ctl->fd < 0 ? connect_to_daemon(ctl) : CTL_OK;
	if (code == CTL_OK)
		code = top_sample(ctl);
	if (code == CTL_OK)
		top.trouble[0] = 0;
	else
		forget(ctl);
}

/* ---- the command ---- */

static void run(struct ctl *ctl)
{
	while (!top.done) {
		if (top.next_ns <= flow_now_ns())
			refresh(ctl);
		top_draw();
		int64_t left = top.next_ns - flow_now_ns();
		take_key(screen_key(left > 0 ? (int)(left / NS_PER_MS) + 1 : 0));
	}
}

enum ctl_exit cmd_top(struct ctl *ctl, int argc, char **argv)
{
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "top takes no argument");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return ctl_complain(CTL_USAGE, "top needs a terminal; "
					       "stats -i prints rates anywhere");
	top = (struct top){.rows = {.sort = TOP_RX}};
	top.interval_ms = ctl->options.interval_ms ? ctl->options.interval_ms : INTERVAL_MS;
	kept_begin(ctl);
	enum ctl_exit code = connect_to_daemon(ctl);
	if (code != CTL_OK)
		return code;
	if (!screen_open(ctl->colour))
		return ctl_complain(CTL_FAILED, "this terminal (TERM) cannot be drawn on");
	ctl_talk_to(take_trouble);
	run(ctl);
	ctl_talk_to(NULL);
	screen_close();
	forget(ctl);
	return CTL_OK;
}
