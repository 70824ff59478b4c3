/*
 * screen.h - a terminal to draw on; the one file that knows curses is screen.c.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <stdbool.h>

enum screen_style { SCREEN_PLAIN, SCREEN_BOLD, SCREEN_TITLE, SCREEN_CHOSEN, SCREEN_ALERT };

/* What has no character: keys, the time that is up, a terminal that has another size. */
enum screen_key {
	SCREEN_KEY_NONE = 0x10000,
	SCREEN_KEY_UP,
	SCREEN_KEY_DOWN,
	SCREEN_KEY_PAGE_UP,
	SCREEN_KEY_PAGE_DOWN,
	SCREEN_KEY_LEFT,
	SCREEN_KEY_RIGHT,
	SCREEN_KEY_ENTER,
	SCREEN_KEY_BACK,
	SCREEN_KEY_RESIZED,
	SCREEN_KEY_GONE, /* the terminal */
};

/*
 * Take the terminal at standard input and output, until screen_close() or a signal that ends the
 * program: then it is given back as it was.  False: it has no cursor to move.
 */
bool screen_open(bool colour);
void screen_close(void); /* again: nothing happens */
void screen_size(unsigned *height, unsigned *width);

void screen_clear(void);
/* A line of text, cut where the screen ends. */
void screen_put(unsigned row, enum screen_style style, const char *text);
void screen_show(void);

/* The next key, an enum screen_key or a character; waits at most so long. */
int screen_key(int timeout_ms);

#endif
