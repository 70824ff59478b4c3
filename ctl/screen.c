/*
 * screen.c - curses, as far as we need it.
 */
#include "ctl/screen.h"

#include <curses.h>
#include <errno.h>
#include <stdio.h>

#define RED_PAIR  1
#define ESCAPE    27
#define ESCAPE_MS 25 /* after an escape alone nothing more comes */

static SCREEN *terminal;

bool screen_open(bool colour)
{
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return false;
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
	delscreen(terminal);
	terminal = NULL;
}

void screen_size(unsigned *rows, unsigned *columns)
{
	*rows = (unsigned)LINES;
	*columns = (unsigned)COLS;
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
