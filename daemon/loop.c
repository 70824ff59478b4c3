/*
 * loop.c - the one file that knows libev.
 */
#include "daemon/loop.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* How long to sleep where one cannot wait for news. */
#define UNWATCHED_US 1000

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

struct fd_impl {
	ev_io io;
	struct loop_fd *watch;
	/* of loop_fd_start_idle(): fd is in a set of its own, which libev watches */
	struct fd_impl *next;
	int fd, set; /* set -1: none, libev watches fd */
};

struct loop {
	struct ev_loop *ev;
	loop_turn_fn *turn;
	void *turn_arg;
	bool stopped;
	struct standing *standing;
	struct fd_impl *idle; /* list */
	bool watching;        /* they are in their sets */
};

/* ---- memory ---- */

/*
 * libev ends the process when it gets no memory.  What it makes, a few arrays that double as
 * they fill, is bounded by the number of descriptors; so much is set aside at the start, and
 * taken when there is nothing else.  What was taken stays taken.
 */
static struct {
	uint8_t *memory;
	size_t size, used;
} reserve;

/* Of all arrays together, with those that they have outgrown: 224 for libev 4.33 and 64 bits. */
#define RESERVE_PER_FD 512
#define RESERVE_BASE   (64u << 10)

/* Before each block; blocks lie as malloc()'s do. */
union head {
	size_t size;
	max_align_t align;
};

static union head *take_reserve(size_t size)
{
	size = (size + sizeof(union head) - 1) / sizeof(union head) * sizeof(union head);
	if (size > reserve.size - reserve.used)
		return NULL;
	uint8_t *at = reserve.memory + reserve.used;
	reserve.used += size;
	return (union head *)(void *)at;
}

static bool is_reserve(const union head *block)
{
	const uint8_t *at = (const uint8_t *)block;
	return reserve.memory && at >= reserve.memory && at < reserve.memory + reserve.size;
}

/* For libev: as realloc(), and a size of 0 frees. */
static void *allocate(void *old, long size)
{
	union head *before = old ? (union head *)old - 1 : NULL, *block = NULL;
	if (size > 0) {
		size_t whole = sizeof(*block) + (size_t)size;
		block = malloc(whole);
		if (!block)
			block = take_reserve(whole);
		if (!block)
			return NULL;
		block->size = (size_t)size;
	}
	if (block && before)
		memcpy(block + 1, before + 1,
		       before->size < block->size ? before->size : block->size);
	if (before && !is_reserve(before))
		free(before);
	return block ? block + 1 : NULL;
}

/* Written to, so that it is there and not only promised. */
static int make_reserve(size_t size)
{
	if (reserve.size - reserve.used >= size)
		return 0;
	uint8_t *memory = reserve.used ? NULL : malloc(size);
	if (!memory)
		return -ENOMEM;
	memset(memory, 0xff, size);
	free(reserve.memory);
	reserve.memory = memory;
	reserve.size = size;
	return 0;
}

int loop_reserve(unsigned fds)
{
	return make_reserve(RESERVE_BASE + (size_t)fds * RESERVE_PER_FD);
}

/* ---- the loop ---- */

struct loop *loop_new(void)
{
	if (loop_reserve(0) < 0)
		return NULL;
	ev_set_allocator(allocate);
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

/* Have libev watch fd.  NULL: out of memory. */
static struct fd_impl *start_fd(struct loop *loop, struct loop_fd *watch, int fd,
				loop_fn *fn, void *arg)
{
	struct fd_impl *impl = calloc(1, sizeof(*impl));
	if (!impl)
		return NULL;
	watch->fn = fn;
	watch->arg = arg;
	watch->impl = impl;
	impl->watch = watch;
	impl->set = -1;
	ev_io_init(&impl->io, on_fd, fd, EV_READ);
	ev_io_start(loop->ev, &impl->io);
	return impl;
}

int loop_fd_start(struct loop *loop, struct loop_fd *watch, int fd, loop_fn *fn, void *arg)
{
	return watch->impl || start_fd(loop, watch, fd, fn, arg) ? 0 : -ENOMEM;
}

static bool idle_watch(const struct fd_impl *impl)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(impl->set, EPOLL_CTL_ADD, impl->fd, &event) == 0;
}

static void idle_forget(struct loop *loop)
{
	for (const struct fd_impl *impl = loop->idle; loop->watching && impl;
	     impl = impl->next)
		epoll_ctl(impl->set, EPOLL_CTL_DEL, impl->fd, NULL);
	loop->watching = false;
}

/* Before the loop blocks.  False: some cannot be watched now, so it must not. */
static bool idle_watch_all(struct loop *loop)
{
	if (loop->watching)
		return true;
	loop->watching = true;
	for (const struct fd_impl *impl = loop->idle; impl; impl = impl->next)
		if (!idle_watch(impl)) {
			idle_forget(loop);
			return false;
		}
	return true;
}

int loop_fd_start_idle(struct loop *loop, struct loop_fd *watch, int fd, loop_fn *fn,
		       void *arg)
{
	if (watch->impl)
		return 0;
	int set = epoll_create1(EPOLL_CLOEXEC);
	if (set < 0)
		return -errno;
	struct fd_impl *impl = start_fd(loop, watch, set, fn, arg);
	if (!impl) {
		close(set);
		return -ENOMEM;
	}
	impl->set = set;
	impl->fd = fd;
	impl->next = loop->idle;
	loop->idle = impl;
	idle_forget(loop); /* with the next wait all are watched */
	return 0;
}

void loop_fd_stop(struct loop *loop, struct loop_fd *watch)
{
	struct fd_impl *impl = watch->impl;
	if (!impl)
		return;
	watch->impl = NULL;
	ev_io_stop(loop->ev, &impl->io);
	if (impl->set >= 0) {
		struct fd_impl **at = &loop->idle;
		while (*at != impl)
			at = &(*at)->next;
		*at = impl->next;
		close(impl->set);
	}
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

static void sleep_us(struct loop *loop, int us)
{
	const struct timespec t = {.tv_nsec = us * 1000L};
	idle_forget(loop);
	/* not clock_nanosleep(): a debugger's stop would make it restart_syscall(), one more
	 * that the filter must let pass */
	ppoll(NULL, 0, &t, NULL);
}

void loop_run(struct loop *loop)
{
	loop->stopped = false;
	while (!loop->stopped) {
		int wait = loop->turn ? loop->turn(loop->turn_arg) : LOOP_BLOCK;
		if (wait == LOOP_BLOCK && !idle_watch_all(loop))
			wait = UNWATCHED_US;
		if (wait > 0)
			sleep_us(loop, wait);
		ev_run(loop->ev, wait == LOOP_BLOCK ? EVRUN_ONCE : EVRUN_NOWAIT);
	}
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
	ev_break(loop->ev, EVBREAK_ALL);
}
