/*
 * log.h - messages of the daemon: one line each to stderr, with the journal's <N> prefix when
 * stderr is the journal (JOURNAL_STREAM).  Preserves errno.  Never called per frame.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Look what stderr is; until then it is people. */
void log_start(void);
void log_set_level(enum log_level level);
/* "error", "warning", "info", "debug"; false if text is none of them. */
bool log_level_parse(const char *text, enum log_level *level);

void log_at(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define log_error(...)   log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
