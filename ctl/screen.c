/*
 * screen.c - curses, as far as we need it.
 */
#include "ctl/screen.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#define RED_PAIR  1
#define ESCAPE    27
#define ESCAPE_MS 25 /* after an escape alone nothing more comes */

static SCREEN *terminal;

/* ---- a sudden end ---- */

static const int deadly[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1,
			     SIGUSR2, SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL};

#define N_DEADLY (sizeof(deadly) / sizeof(*deadly))

static struct {
	struct termios modes;
	char farewell[128]; /* what gives the screen back */
	size_t len;
} before;

static struct sigaction handlers_before[N_DEADLY];

/* Curses may be anywhere, so it is left alone: what is called here may be. */
static void restore_and_die(int number)
{
	ssize_t n = write(STDOUT_FILENO, before.farewell, before.len);
	(void)n;
	tcsetattr(STDOUT_FILENO, TCSANOW, &before.modes);
	raise(
	    number); /* the handler is gone, and the signal waits until this one returns */
}

static void add_farewell(const char *capability)
{
	const char *text = tigetstr(capability);
	size_t room = sizeof(before.farewell) - before.len;
	if (!text || text == (const char *)-1 || strlen(text) >= room)
		return;
	memcpy(before.farewell + before.len, text, strlen(text));
	before.len += strlen(text);
}

static void prepare_for_signals(void)
{
	static const char *const capabilities[] = {"sgr0", "cnorm", "rmkx", "rmcup"};
	struct sigaction action = {.sa_handler = restore_and_die,
				   .sa_flags = (int)SA_RESETHAND};
	before.len = 0;
	for (unsigned i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
		add_farewell(capabilities[i]);
	for (unsigned i = 0; i < N_DEADLY; i++) {
		sigaction(deadly[i], &action, &handlers_before[i]);
		if (handlers_before[i].sa_handler == SIG_IGN) /* nohup(1) */
			sigaction(deadly[i], &handlers_before[i], NULL);
	}
}

/* ---- the screen ---- */

bool screen_open(bool colour)
{
	if (tcgetattr(STDOUT_FILENO, &before.modes) < 0)
		return false;
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return false;
	prepare_for_signals();
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	if (colour && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(RED_PAIR, COLOR_RED, -1);
	}
	return true;
}

void screen_close(void)
{
	if (!terminal)
		return;
	endwin();
	for (unsigned i = 0; i < N_DEADLY; i++)
		sigaction(deadly[i], &handlers_before[i], NULL);
	delscreen(terminal);
	terminal = NULL;
}

void screen_size(unsigned *height, unsigned *width)
{
	*height = (unsigned)LINES;
	*width = (unsigned)COLS;
}

void screen_clear(void)
{
	erase();
}

static attr_t attributes(enum screen_style style)
{
	switch (style) {
	case SCREEN_PLAIN:
		return A_NORMAL;
	case SCREEN_BOLD:
		return A_BOLD;
	case SCREEN_TITLE:
		return A_UNDERLINE;
	case SCREEN_CHOSEN:
		return A_REVERSE;
	case SCREEN_ALERT:
		return (attr_t)COLOR_PAIR(RED_PAIR);
	}
	return A_NORMAL;
}

void screen_put(unsigned row, enum screen_style style, const char *text)
{
	if (row >= (unsigned)LINES)
		return;
	attrset((int)attributes(style));
	mvaddnstr((int)row, 0, text, COLS);
	attrset(A_NORMAL);
}

void screen_show(void)
{
	refresh();
}

int screen_key(int timeout_ms)
{
	timeout(timeout_ms);
	errno = 0;
	int key = getch();
	switch (key) {
	case ERR:
		/* the time is up, or a signal came; else there is nobody to read from */
		return errno && errno != EINTR && errno != EAGAIN ? SCREEN_KEY_GONE
								  : SCREEN_KEY_NONE;
	case KEY_UP:
		return SCREEN_KEY_UP;
	case KEY_DOWN:
		return SCREEN_KEY_DOWN;
	case KEY_PPAGE:
		return SCREEN_KEY_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_KEY_PAGE_DOWN;
	case KEY_LEFT:
		return SCREEN_KEY_LEFT;
	case KEY_RIGHT:
		return SCREEN_KEY_RIGHT;
	case KEY_ENTER:
	case '\n':
	case '\r':
		return SCREEN_KEY_ENTER;
	case KEY_BACKSPACE:
	case ESCAPE:
		return SCREEN_KEY_BACK;
	case KEY_RESIZE:
		return SCREEN_KEY_RESIZED;
	}
	return key;
}
