/*
 * log.c - one line for each message, written by one system call.
 */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024

static const struct {
	const char *name;
	const char *journal; /* sd-daemon(3): <syslog priority> */
	const char *people;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "<3>", "etherconnd: error: "},
    [LOG_LEVEL_WARNING] = {"warning", "<4>", "etherconnd: warning: "},
    [LOG_LEVEL_INFO] = {"info", "<6>", "etherconnd: "},
    [LOG_LEVEL_DEBUG] = {"debug", "<7>", "etherconnd: debug: "},
};

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	threshold = level;
}

bool log_level_parse(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static bool to_journal;

/*
 * systemd.exec(5): JOURNAL_STREAM names the journal's socket, which may no longer be
 * stderr.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;
	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_start(void)
{
	to_journal = stderr_is_journal();
}

/* A client's name may hold a newline: it shall not write lines of its own into the log. */
static void blank_controls(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
	}
}

void log_at(enum log_level level, const char *format, ...)
{
	if (level > threshold)
		return;
	int saved = errno;
	char line[LINE_MAX_BYTES];
	const char *prefix = to_journal ? levels[level].journal : levels[level].people;
	int n = snprintf(line, sizeof(line), "%s", prefix);
	va_list ap;
	va_start(ap, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, ap);
	va_end(ap);
	blank_controls(line);
	size_t len = strlen(line);
	line[len++] = '\n';
	/* Nobody is left to tell when stderr is gone. */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
	errno = saved;
}
