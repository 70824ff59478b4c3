/*
 * monitor.h - connections that are told what happens.
 *
 * An event is one message, sent at once or not at all: who does not read fills its own socket's
 * buffer, loses what comes then, and is told how much that was.  Nobody waits, nothing is kept.
 * Knows proto/; used by client and control.  One thread.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "proto/msg.h"

/* Part of whoever owns the connection. */
struct monitor {
	struct monitor *next;
	int fd;
	bool on;
	uint64_t lost; /* and not told yet */
};

struct monitors {
	struct monitor *first;
};

/* Tell this connection, non-blocking, from now on; again is no error. */
void monitors_add(struct monitors *all, struct monitor *monitor, int fd);
void monitors_remove(struct monitors *all, struct monitor *monitor); /* if it is there */

/* Tell all of them.  Sets the event's time. */
void monitors_tell(struct monitors *all, struct ecp_event *event);
/* Now and then: tell those who have lost events, if they read again. */
void monitors_tick(struct monitors *all);

#endif
