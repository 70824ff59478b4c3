/*
 * loop.h - the one event loop; loop.c is the one file that knows libev.
 *
 * Between waits it calls one function, the turn, which does all polling work (rings, relays)
 * and says how to wait next.  Watchers are embedded in their owners; starting and stopping
 * one twice is harmless.  One thread.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* What the turn wants of the wait that follows it. */
#define LOOP_BLOCK (-1) /* until a watcher fires */
/* 0: look at the watchers, do not wait; > 0: so many microseconds of timed sleep first */
typedef int loop_turn_fn(void *arg);

typedef void loop_fn(void *arg);

/* A descriptor watched for reading (or its end); fn runs while it is readable. */
struct loop_fd {
	loop_fn *fn;
	void *arg;
	void *impl; /* loop.c's; NULL while stopped */
};

struct loop *loop_new(void); /* NULL: out of memory or no epoll */
void loop_free(struct loop *loop);
/*
 * Set memory aside for watching descriptors up to this number, so that a process without memory
 * goes on.  0 or -ENOMEM.
 */
int loop_reserve(unsigned fds);

/* 0 or -ENOMEM.  fd stays the caller's and must outlive the watch. */
int loop_fd_start(struct loop *loop, struct loop_fd *watch, int fd, loop_fn *fn, void *arg);
/*
 * The same for a descriptor that the turn looks at by itself: watched while the loop blocks, and not
 * while it sleeps by the clock.  Whoever makes it readable then wakes nobody: an epoll set is told
 * of every event of its descriptors, also while nobody waits, and its maker pays for that.
 * 0, -ENOMEM or another -errno.
 */
int loop_fd_start_idle(struct loop *loop, struct loop_fd *watch, int fd, loop_fn *fn,
		       void *arg);
void loop_fd_stop(struct loop *loop, struct loop_fd *watch);

/* Call fn on SIGINT/SIGTERM (once per signal). 0 or -ENOMEM. */
int loop_on_terminate(struct loop *loop, loop_fn *fn, void *arg);
/* Call fn on SIGHUP, which then no longer ends the process.  0 or -ENOMEM. */
int loop_on_reload(struct loop *loop, loop_fn *fn, void *arg);
/* Call fn every interval_ms. 0 or -ENOMEM. */
int loop_every(struct loop *loop, unsigned interval_ms, loop_fn *fn, void *arg);

void loop_set_turn(struct loop *loop, loop_turn_fn *turn, void *arg);
void loop_run(struct loop *loop); /* until loop_stop() */
void loop_stop(struct loop *loop);

#endif
