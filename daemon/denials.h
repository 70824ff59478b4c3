/*
 * denials.h - what was refused to clients, or ended them: all of it counted, some of it logged.
 *
 * A client may be refused, or come to be ended, a thousand times a second: at most
 * DENIALS_LINES lines a second of each sort are logged, and then how many were left out.  Time is passed in, nanoseconds of a clock that
 * never goes back.  Knows log; used by client and control.  One thread.
 */
#ifndef DENIALS_H
#define DENIALS_H

#include <stdint.h>
#include <sys/types.h>

#define DENIALS_LINES 5

struct denials {
	const char *sort;   /* NULL: "denied" */
	uint64_t n;         /* ever */
	uint64_t second_ns; /* when the second began in which so many were */
	unsigned logged, suppressed;
};

void denials_log(struct denials *denials, uint64_t now_ns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* To a client, of the sort "denied". */
void denials_add(struct denials *denials, uint64_t now_ns, uid_t uid, uint32_t pid,
		 const char *comm, const char *sentence);
/* Now and then, for the end of a second in which nothing more comes. */
void denials_tick(struct denials *denials, uint64_t now_ns);

#endif
