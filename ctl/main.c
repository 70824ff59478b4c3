/*
 * main.c - etherconnctl(8): options, then a command.
 */
#include "ctl/command.h"
#include "ctl/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SENTENCE 1024

static ctl_talk_fn *listener;

void ctl_talk_to(ctl_talk_fn *fn)
{
	listener = fn;
}

enum ctl_exit ctl_complain(enum ctl_exit code, const char *format, ...)
{
	char sentence[SENTENCE];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (listener) {
		listener(sentence);
		return code;
	}
	fflush(stdout);
	fprintf(stderr, "etherconnctl: %s\n", sentence);
	return code;
}

/* "relays, clients or endpoints" */
static void join_words(const char *const *words, char *text, size_t room)
{
	*text = 0;
	for (unsigned i = 0; words[i]; i++) {
		size_t len = strlen(text);
		const char *gap = !i ? "" : words[i + 1] ? ", " : " or ";
		snprintf(text + len, room - len, "%s%s", gap, words[i]);
	}
}

int ctl_word(const char *const *words, const char *text)
{
	int found = -1;
	char all[200];
	for (unsigned i = 0; *text && words[i]; i++) {
		if (!strcmp(words[i], text))
			return (int)i;
		if (strncmp(words[i], text, strlen(text)))
			continue;
		if (found >= 0) {
			ctl_complain(CTL_USAGE, "\"%s\" may be %s or %s", text,
				     words[found], words[i]);
			return -1;
		}
		found = (int)i;
	}
	if (found >= 0)
		return found;
	join_words(words, all, sizeof(all));
	ctl_complain(CTL_USAGE, "\"%s\" is none of %s", text, all);
	return -1;
}

/* On a terminal that has colours, unless told not to (no-color.org). */
static bool want_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") && !(no && *no);
}

int main(int argc, char **argv)
{
	static struct ctl ctl = {.fd = -1};
	enum ctl_exit code;
	int first = options_take(&ctl, NULL, argc, argv, &code);
	if (first < 0)
		return code;
	ctl.colour = want_colour();
	return command_run(&ctl, argc - first, argv + first);
}
