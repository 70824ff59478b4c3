/*
 * check_loop.c - the event loop: what the turn asks for is how it waits; watchers come and go.
 * And the message to systemd.
 */
#include "daemon/loop.h"
#include "daemon/systemd.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct loop *loop;
static struct loop_fd watch;
static int pipe_ends[2];
static unsigned turns, calls;

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	ck_assert_int_eq(pipe(pipe_ends), 0);
	turns = calls = 0;
}

static void teardown(void)
{
	loop_fd_stop(loop, &watch);
	loop_free(loop);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void on_readable(void *arg)
{
	char byte;
	ck_assert_ptr_eq(arg, &watch);
	ck_assert_int_eq(read(pipe_ends[0], &byte, 1), 1);
	calls++;
	loop_stop(loop);
}

static void ring(void)
{
	ck_assert_int_eq(write(pipe_ends[1], "", 1), 1);
}

/* Rings only when it is about to block: a loop that blocked before the turn would hang. */
static int turn_then_block(void *arg)
{
	(void)arg;
	if (++turns < 5)
		return turns % 2 ? 0 : 1; /* look, or sleep a microsecond */
	ring();
	return LOOP_BLOCK;
}

START_TEST(test_turns)
{
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
	loop_set_turn(loop, turn_then_block, NULL);
	loop_run(loop);
	ck_assert_uint_eq(turns, 5);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(test_start_and_stop_twice)
{
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
	loop_fd_stop(loop, &watch);
	loop_fd_stop(loop, &watch);
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
	ring();
	loop_run(loop);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

#if SANITIZED
#define COUNTED false /* the sanitizer has taken that place */
static bool no_memory;
static unsigned refused;
#else
#define COUNTED true
extern void *__libc_malloc(size_t);
static bool no_memory;
static unsigned refused;

void *malloc(size_t size)
{
	/* the watchers themselves are small, and none of libev's */
	if (!no_memory || size <= 128)
		return __libc_malloc(size);
	refused++;
	return NULL;
}
#endif

#define MANY 4000 /* descriptors, all readable at once */

static void count_call(void *arg)
{
	(void)arg;
	if (++calls >= MANY)
		loop_stop(loop);
}

/* libev would end the process. */
START_TEST(test_out_of_memory)
{
	static struct loop_fd watches[MANY];
	struct rlimit limit;
	int first = -1;
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (!COUNTED || limit.rlim_cur < MANY + 100) {
		puts("SKIP: no memory for libev: a sanitizer, or a limit on descriptors");
		return;
	}
	ck_assert_int_eq(loop_reserve(MANY + 100), 0);
	ring();
	no_memory = true;
	for (unsigned i = 0; i < MANY; i++) {
		int fd = dup(pipe_ends[0]);
		first = first < 0 ? fd : first;
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(
		    loop_fd_start(loop, &watches[i], fd, count_call, &watches[i]), 0);
	}
	loop_run(loop);
	no_memory = false;
	ck_assert_uint_ge(calls, MANY);
	ck_assert_uint_gt(refused, 3);
	for (unsigned i = 0; i < MANY; i++)
		loop_fd_stop(loop, &watches[i]);
	for (unsigned i = 0; i < MANY; i++)
		close(first + (int)i);
}
END_TEST

static void stop_itself(void *arg)
{
	(void)arg;
	calls++;
	loop_fd_stop(loop, &watch); /* still readable: it must not be called again */
}

static int three_turns(void *arg)
{
	(void)arg;
	if (++turns == 4)
		loop_stop(loop);
	return 0;
}

START_TEST(test_watcher_stops_itself)
{
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], stop_itself, NULL), 0);
	loop_set_turn(loop, three_turns, NULL);
	ring();
	loop_run(loop);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

/* Readable from the first turn on; sleeps by the clock, looks, and blocks at last. */
static int sleep_then_block(void *arg)
{
	(void)arg;
	if (++turns == 1)
		ring();
	ck_assert_uint_eq(calls, 0);
	return turns < 4 ? 1 : turns < 6 ? 0 : LOOP_BLOCK;
}

START_TEST(test_idle_is_watched_while_blocking)
{
	for (unsigned round = 1; round <= 2; round++) {
		ck_assert_int_eq(
		    loop_fd_start_idle(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
		loop_set_turn(loop, sleep_then_block, NULL);
		loop_run(loop);
		ck_assert_uint_eq(turns, 6);
		ck_assert_uint_eq(calls, 1);
		loop_fd_stop(loop, &watch);
		turns = calls = 0;
	}
}
END_TEST

static int ring_and_block(void *arg)
{
	(void)arg;
	ring();
	return LOOP_BLOCK;
}

/* What cannot be watched is looked at by the clock: the loop goes on, and does not hang. */
START_TEST(test_idle_that_cannot_be_watched)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC); /* epoll takes no such */
	struct loop_fd other = {0};
	ck_assert_int_eq(loop_fd_start_idle(loop, &other, file, on_readable, NULL), 0);
	ck_assert_int_eq(loop_fd_start(loop, &watch, pipe_ends[0], on_readable, &watch), 0);
	loop_set_turn(loop, ring_and_block, NULL);
	loop_run(loop);
	ck_assert_uint_eq(calls, 1);
	loop_fd_stop(loop, &other);
	close(file);
}
END_TEST

static void on_signal(void *arg)
{
	(void)arg;
	calls++;
	loop_stop(loop);
}

START_TEST(test_signals)
{
	static const int signals[] = {SIGTERM, SIGINT};
	ck_assert_int_eq(loop_on_terminate(loop, on_signal, NULL), 0);
	kill(getpid(), signals[_i]);
	loop_run(loop);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(test_reload)
{
	ck_assert_int_eq(loop_on_terminate(loop, on_signal, NULL), 0);
	ck_assert_int_eq(loop_on_reload(loop, on_signal, NULL), 0);
	for (unsigned i = 1; i <= 2; i++) {
		kill(getpid(), SIGHUP);
		loop_run(loop);
		ck_assert_uint_eq(calls, i);
	}
}
END_TEST

START_TEST(test_timer)
{
	ck_assert_int_eq(loop_every(loop, 1, on_signal, NULL), 0);
	loop_run(loop);
	loop_run(loop); /* again */
	ck_assert_uint_eq(calls, 2);
}
END_TEST

/* ---- systemd ---- */

START_TEST(test_notify)
{
	bool abstract = _i;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char name[64], got[64] = "";
	snprintf(name, sizeof(name), "%s/tmp/check_notify-%d", abstract ? "@" : "",
		 getpid());
	memcpy(addr.sun_path, name, strlen(name));
	if (abstract)
		addr.sun_path[0] = 0;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	systemd_notify_open();
	int r = systemd_notify("READY=1");
	unlink(name);
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
	ck_assert_str_eq(got, "READY=1");
}
END_TEST

START_TEST(test_nobody_to_notify)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(systemd_notify("READY=1"), 0);
	setenv("NOTIFY_SOCKET", "relative", 1);
	ck_assert_int_eq(systemd_notify("READY=1"), -EINVAL);
	setenv("NOTIFY_SOCKET", "/none/such", 1);
	systemd_notify_open();
	ck_assert_int_eq(systemd_notify("READY=1"), -ENOENT);
}
END_TEST

/* Descriptor 3, as systemd would hand it over. */
START_TEST(test_listen_fd)
{
	static const struct {
		int type;
		bool listens;
		const char *fds;
		int result;
	} rows[] = {
	    {SOCK_SEQPACKET, true, "1", 3},       {SOCK_SEQPACKET, false, "1", -EINVAL},
	    {SOCK_STREAM, true, "1", -EINVAL},    {SOCK_DGRAM, false, "1", -EINVAL},
	    {SOCK_SEQPACKET, true, "2", -EINVAL}, {SOCK_SEQPACKET, true, NULL, -ENOENT},
	};
	char pid[20];
	struct sockaddr_un addr = {.sun_family =
				       AF_UNIX}; /* a name of the kernel's choice */
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	unsetenv("LISTEN_FDS");
	if (rows[_i].fds)
		setenv("LISTEN_FDS", rows[_i].fds, 1);
	int fd = socket(AF_UNIX, rows[_i].type, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(sa_family_t)), 0);
	if (rows[_i].listens)
		ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(dup2(fd, 3), 3);
	ck_assert_int_eq(systemd_listen_fd(), rows[_i].result);
	setenv("LISTEN_PID", "1", 1); /* meant for another process */
	ck_assert_int_eq(systemd_listen_fd(), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *tc = tcase_create("loop");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_turns);
	tcase_add_test(tc, test_start_and_stop_twice);
	tcase_add_test(tc, test_watcher_stops_itself);
	tcase_add_test(tc, test_idle_is_watched_while_blocking);
	tcase_add_test(tc, test_idle_that_cannot_be_watched);
	tcase_add_loop_test(tc, test_signals, 0, 2);
	tcase_add_test(tc, test_out_of_memory);
	tcase_add_test(tc, test_reload);
	tcase_add_test(tc, test_timer);
	tcase_add_loop_test(tc, test_notify, 0, 2);
	tcase_add_test(tc, test_nobody_to_notify);
	suite_add_tcase(s, tc);
	tc = tcase_create(
	    "socket activation"); /* needs no loop, and descriptor 3 for itself */
	tcase_add_loop_test(tc, test_listen_fd, 0, 6);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
