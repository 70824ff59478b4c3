/*
 * loop.c - the one file that knows libev.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

/* A watcher that lives as long as the loop: signals, timers. */
struct standing {
	struct standing *next;
	loop_fn *fn;
	void *arg;
	union {
		ev_signal signal;
		ev_timer timer;
	};
	bool is_timer;
};

struct loop {
	struct ev_loop *ev;
	loop_turn_fn *turn;
	void *turn_arg;
	bool stopped;
	struct standing *standing;
};

struct fd_impl {
	ev_io io;
	struct loop_fd *watch;
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!loop->ev) {
		free(loop);
		return NULL;
	}
	/* timed sleeps of some ten microseconds: the default slack of 50 would double them */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	return loop;
}

void loop_free(struct loop *loop)
{
	while (loop->standing) {
		struct standing *s = loop->standing;
		loop->standing = s->next;
		if (s->is_timer)
			ev_timer_stop(loop->ev, &s->timer);
		else
			ev_signal_stop(loop->ev, &s->signal);
		free(s);
	}
	ev_loop_destroy(loop->ev);
	free(loop);
}

/* ---- descriptors ---- */

static void on_fd(struct ev_loop *ev, ev_io *io, int events)
{
	(void)ev;
	(void)events;
	struct loop_fd *watch = ((struct fd_impl *)(void *)io)->watch;
	watch->fn(watch->arg);
}

int loop_fd_start(struct loop *loop, struct loop_fd *watch, int fd, loop_fn *fn, void *arg)
{
	if (watch->impl)
		return 0;
	struct fd_impl *impl = malloc(sizeof(*impl));
	if (!impl)
		return -ENOMEM;
	watch->fn = fn;
	watch->arg = arg;
	watch->impl = impl;
	impl->watch = watch;
	ev_io_init(&impl->io, on_fd, fd, EV_READ);
	ev_io_start(loop->ev, &impl->io);
	return 0;
}

void loop_fd_stop(struct loop *loop, struct loop_fd *watch)
{
	struct fd_impl *impl = watch->impl;
	if (!impl)
		return;
	watch->impl = NULL;
	ev_io_stop(loop->ev, &impl->io);
	free(impl);
}

/* ---- signals and timers ---- */

static void on_signal(struct ev_loop *ev, ev_signal *w, int events)
{
	(void)ev;
	(void)events;
	const struct standing *s = w->data;
	s->fn(s->arg);
}

static void on_timer(struct ev_loop *ev, ev_timer *w, int events)
{
	(void)ev;
	(void)events;
	const struct standing *s = w->data;
	s->fn(s->arg);
}

static struct standing *standing_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct standing *s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->fn = fn;
	s->arg = arg;
	s->next = loop->standing;
	loop->standing = s;
	return s;
}

static int start_signal(struct loop *loop, int signal, loop_fn *fn, void *arg)
{
	struct standing *s = standing_new(loop, fn, arg);
	if (!s)
		return -ENOMEM;
	ev_signal_init(&s->signal, on_signal, signal);
	s->signal.data = s;
	ev_signal_start(loop->ev, &s->signal);
	return 0;
}

int loop_on_terminate(struct loop *loop, loop_fn *fn, void *arg)
{
	int r = start_signal(loop, SIGINT, fn, arg);
	return r < 0 ? r : start_signal(loop, SIGTERM, fn, arg);
}

int loop_on_reload(struct loop *loop, loop_fn *fn, void *arg)
{
	return start_signal(loop, SIGHUP, fn, arg);
}

int loop_every(struct loop *loop, unsigned interval_ms, loop_fn *fn, void *arg)
{
	struct standing *s = standing_new(loop, fn, arg);
	if (!s)
		return -ENOMEM;
	double seconds = interval_ms / 1000.0;
	s->is_timer = true;
	ev_timer_init(&s->timer, on_timer, seconds, seconds);
	s->timer.data = s;
	ev_timer_start(loop->ev, &s->timer);
	return 0;
}

/* ---- running ---- */

void loop_set_turn(struct loop *loop, loop_turn_fn *turn, void *arg)
{
	loop->turn = turn;
	loop->turn_arg = arg;
}

void loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int wait = loop->turn ? loop->turn(loop->turn_arg) : LOOP_BLOCK;
		if (wait > 0) {
			struct timespec t = {.tv_nsec = wait * 1000L};
			/* not clock_nanosleep(): a debugger's stop would make it
			 * restart_syscall(), one more that the filter must let pass */
			ppoll(NULL, 0, &t, NULL);
		}
		ev_run(loop->ev, wait == LOOP_BLOCK ? EVRUN_ONCE : EVRUN_NOWAIT);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	ev_break(loop->ev, EVBREAK_ALL);
}
