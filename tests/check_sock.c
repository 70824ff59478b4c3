/*
 * check_sock.c - the control socket: who may take a path over, how long a message may be, and
 * what becomes of descriptors.
 */
#include "proto/sock.h"
#include "tests/proc.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[64], path[100];
static int pair[2];

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/check_sock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void teardown(void)
{
	close(pair[0]);
	close(pair[1]);
	unlink(path);
	rmdir(dir);
}

/* ---- paths ---- */

static void expect_talk(int listening)
{
	char buf[8];
	int c = ecp_sock_connect(path);
	ck_assert_int_ge(c, 0);
	int s = accept(listening, NULL, NULL);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(ecp_sock_send(c, "hello", 5, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(s, buf, sizeof(buf), NULL, NULL), 5);
	ck_assert_mem_eq(buf, "hello", 5);
	close(c);
	close(s);
}

START_TEST(test_listen_and_connect)
{
	int fd = ecp_sock_listen(path, 0600);
	ck_assert_int_ge(fd, 0);
	expect_talk(fd);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	int c = ecp_sock_connect(path);
	ck_assert_int_ne(fcntl(c, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(fcntl(c, F_GETFL) & O_NONBLOCK, 0);
	close(c);
	close(fd);
}
END_TEST

static const mode_t masks[] = {0, 022, 077, 0777};

START_TEST(test_mode_whatever_the_umask)
{
	struct stat st;
	umask(masks[_i]);
	int fd = ecp_sock_listen(path, 0660);
	mode_t after = umask(022);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	ck_assert_uint_eq(after, masks[_i]);
	close(fd);
}
END_TEST

START_TEST(test_dead_socket_is_replaced)
{
	int dead = ecp_sock_listen(path, 0600);
	ck_assert_int_ge(dead, 0);
	close(dead);
	ck_assert_int_eq(ecp_sock_connect(path), -ECONNREFUSED);
	int fd = ecp_sock_listen(path, 0600);
	ck_assert_int_ge(fd, 0);
	expect_talk(fd);
	close(fd);
}
END_TEST

START_TEST(test_live_socket_is_not)
{
	int fd = ecp_sock_listen(path, 0600);
	unsigned before = proc_count(getpid(), "fd");
	ck_assert_int_eq(ecp_sock_listen(path, 0600), -EADDRINUSE);
	ck_assert_uint_eq(proc_count(getpid(), "fd"), before);
	close(accept(fd, NULL, NULL)); /* the question whether somebody lives there */
	expect_talk(fd);
	close(fd);
}
END_TEST

/* A daemon that is alive but accepts nobody: to be seen at once, not waited for. */
START_TEST(test_stuck_daemon_is_not_waited_for)
{
	int fd = ecp_sock_listen(path, 0600);
	ck_assert_int_eq(listen(fd, 0), 0);
	int c = ecp_sock_connect(path);
	ck_assert_int_ge(c, 0);
	ck_assert_int_eq(ecp_sock_listen(path, 0600), -EADDRINUSE);
	close(c);
	close(fd);
}
END_TEST

static void make_file(void)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
}

static void make_dir(void)
{
	mkdir(path, 0700);
}

static void make_link(void)
{
	ck_assert_int_eq(symlink("/nonexistent", path), 0);
}

static void make_stream(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
}

static const struct {
	const char *name;
	void (*make)(void);
	int error;
} others[] = {
    {"a file", make_file, -EEXIST},
    {"a directory", make_dir, -EEXIST},
    {"a dangling link", make_link, -EEXIST},
    {"somebody's stream socket", make_stream, -EADDRINUSE},
};

START_TEST(test_something_else_at_path)
{
	struct stat before, after;
	others[_i].make();
	ck_assert_int_eq(lstat(path, &before), 0);
	int r = ecp_sock_listen(path, 0600);
	ck_assert_msg(r == others[_i].error, "%s: %d", others[_i].name, r);
	ck_assert_msg(lstat(path, &after) == 0, "%s: gone", others[_i].name);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	remove(path);
}
END_TEST

START_TEST(test_paths_that_cannot_be)
{
	char longest[ECP_SOCK_ROOM + 1];
	memset(longest, 'x', ECP_SOCK_ROOM);
	longest[ECP_SOCK_ROOM] = 0;
	unsigned before = proc_count(getpid(), "fd");
	ck_assert_int_eq(ecp_sock_connect(longest), -ENAMETOOLONG);
	ck_assert_int_eq(ecp_sock_listen(longest, 0600), -ENAMETOOLONG);
	ck_assert_int_eq(ecp_sock_connect(path), -ENOENT);
	ck_assert_int_eq(ecp_sock_listen("/nonexistent/dir/s", 0600), -ENOENT);
	ck_assert_uint_eq(proc_count(getpid(), "fd"), before);
}
END_TEST

START_TEST(test_find)
{
	char found[ECP_SOCK_ROOM];
	unsetenv("ETHERCONN_SOCKET");
	ck_assert_str_eq(ecp_sock_find(NULL, found), ECP_SOCK_PATH);
	ck_assert_str_eq(ecp_sock_find("", found), ECP_SOCK_PATH);
	ck_assert_str_eq(ecp_sock_find("no-such-if0", found), ECP_SOCK_PATH);
	setenv("ETHERCONN_SOCKET", path, 1);
	ck_assert_str_eq(ecp_sock_find("eth0", found), path);
	setenv("ETHERCONN_SOCKET", "", 1);
	ck_assert_str_eq(ecp_sock_find(NULL, found), ECP_SOCK_PATH);
}
END_TEST

/* ---- messages ---- */

static char big[ECP_MSG_MAX + 1], got[ECP_MSG_MAX + 1];

START_TEST(test_longest_message)
{
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(ecp_sock_send(pair[0], big, ECP_MSG_MAX, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, ECP_MSG_MAX, NULL, NULL), ECP_MSG_MAX);
	ck_assert_mem_eq(got, big, ECP_MSG_MAX);
}
END_TEST

START_TEST(test_too_long_message_is_gone)
{
	char small[4];
	ck_assert_int_eq(ecp_sock_send(pair[0], big, sizeof(big), NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_send(pair[0], "next", 4, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, ECP_MSG_MAX, NULL, NULL), -EMSGSIZE);
	ck_assert_int_eq(ecp_sock_recv(pair[1], small, sizeof(small), NULL, NULL), 4);
	ck_assert_mem_eq(small, "next", 4);
}
END_TEST

START_TEST(test_end_of_connection)
{
	signal(SIGPIPE, SIG_DFL);
	close(pair[1]);
	ck_assert_int_eq(ecp_sock_send(pair[0], "x", 1, NULL, 0), -EPIPE);
	ck_assert_int_eq(ecp_sock_recv(pair[0], got, sizeof(got), NULL, NULL), 0);
	pair[1] = -1;
}
END_TEST

START_TEST(test_non_blocking)
{
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(ecp_sock_recv(pair[0], got, sizeof(got), NULL, NULL), -EAGAIN);
	int r = 0;
	for (unsigned i = 0; i < 1000 && r == 0; i++)
		r = ecp_sock_send(pair[0], big, 4096, NULL, 0);
	ck_assert_int_eq(r, -EAGAIN);
}
END_TEST

/* ---- descriptors ---- */

/* Send n descriptors and keep none. */
static void send_pipes(unsigned n, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
	} control = {0};
	int ends[2], fds[16];
	ck_assert_int_eq(pipe(ends), 0);
	for (unsigned i = 0; i < n; i++)
		fds[i] = ends[0];
	struct iovec iov = {.iov_base = big, .iov_len = len};
	struct msghdr hdr = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	ck_assert_int_eq(sendmsg(pair[0], &hdr, 0), len);
	close(ends[0]);
	close(ends[1]);
}

static const struct {
	const char *name;
	unsigned sent, room, kept;
} passed[] = {
    {"none", 0, 5, 0},
    {"one", 1, 5, 1},
    {"all that are allowed", 5, 5, 5},
    {"one more than wanted", 3, 2, 2},
    {"one more than allowed", 6, 5, 5},
    {"many more than allowed", 16, 5, 5},
    {"no room", 4, 0, 0},
};

START_TEST(test_extra_descriptors_are_closed)
{
	int fds[ECP_FDS_MAX];
	unsigned n = passed[_i].room, before = proc_count(getpid(), "fd");
	if (passed[_i].sent)
		send_pipes(passed[_i].sent, 3);
	else
		ck_assert_int_eq(ecp_sock_send(pair[0], "abc", 3, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, sizeof(got), fds, &n), 3);
	ck_assert_msg(n == passed[_i].kept, "%s: %u", passed[_i].name, n);
	ck_assert_msg(proc_count(getpid(), "fd") == before + n, "%s: leaked",
		      passed[_i].name);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_ne(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, 0);
		close(fds[i]);
	}
}
END_TEST

START_TEST(test_descriptors_keep_their_order)
{
	int sent[ECP_FDS_MAX], fds[ECP_FDS_MAX];
	unsigned n = ECP_FDS_MAX;
	for (unsigned i = 0; i < ECP_FDS_MAX; i++) {
		char name[100];
		snprintf(name, sizeof(name), "%s/%u", dir, i);
		sent[i] = open(name, O_CREAT | O_RDWR, 0600);
		ck_assert_int_ge(sent[i], 0);
		unlink(name);
	}
	ck_assert_int_eq(ecp_sock_send(pair[0], "x", 1, sent, ECP_FDS_MAX), 0);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, sizeof(got), fds, &n), 1);
	ck_assert_uint_eq(n, ECP_FDS_MAX);
	for (unsigned i = 0; i < n; i++) {
		struct stat a, b;
		ck_assert_int_eq(fstat(sent[i], &a), 0);
		ck_assert_int_eq(fstat(fds[i], &b), 0);
		ck_assert_uint_eq(a.st_ino, b.st_ino);
		close(sent[i]);
		close(fds[i]);
	}
}
END_TEST

START_TEST(test_too_many_descriptors_to_send)
{
	int fds[ECP_FDS_MAX + 1] = {0};
	ck_assert_int_eq(ecp_sock_send(pair[0], "x", 1, fds, ECP_FDS_MAX + 1), -EINVAL);
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, sizeof(got), NULL, NULL), -EAGAIN);
}
END_TEST

/* The daemon's way: whatever a client sends, nothing arrives. */
START_TEST(test_unwanted_descriptors_are_discarded)
{
	unsigned before = proc_count(getpid(), "fd");
	send_pipes(4, 3);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, sizeof(got), NULL, NULL), 3);
	ck_assert_uint_eq(proc_count(getpid(), "fd"), before);
}
END_TEST

START_TEST(test_descriptors_of_too_long_a_message)
{
	int fds[ECP_FDS_MAX];
	unsigned n = ECP_FDS_MAX, before = proc_count(getpid(), "fd");
	send_pipes(4, sizeof(big));
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, ECP_MSG_MAX, fds, &n), -EMSGSIZE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(proc_count(getpid(), "fd"), before);
}
END_TEST

START_TEST(test_no_descriptors_after_a_failure)
{
	int fds[ECP_FDS_MAX];
	unsigned n = ECP_FDS_MAX;
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	ck_assert_int_eq(ecp_sock_recv(pair[1], got, sizeof(got), fds, &n), -EAGAIN);
	ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sock");
	TCase *tc = tcase_create("sock");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_listen_and_connect);
	tcase_add_loop_test(tc, test_mode_whatever_the_umask, 0, 4);
	tcase_add_test(tc, test_dead_socket_is_replaced);
	tcase_add_test(tc, test_live_socket_is_not);
	tcase_add_test(tc, test_stuck_daemon_is_not_waited_for);
	tcase_add_loop_test(tc, test_something_else_at_path, 0, 4);
	tcase_add_test(tc, test_paths_that_cannot_be);
	tcase_add_test(tc, test_find);
	tcase_add_test(tc, test_longest_message);
	tcase_add_test(tc, test_too_long_message_is_gone);
	tcase_add_test(tc, test_end_of_connection);
	tcase_add_test(tc, test_non_blocking);
	tcase_add_loop_test(tc, test_extra_descriptors_are_closed, 0, 7);
	tcase_add_test(tc, test_descriptors_keep_their_order);
	tcase_add_test(tc, test_too_many_descriptors_to_send);
	tcase_add_test(tc, test_unwanted_descriptors_are_discarded);
	tcase_add_test(tc, test_descriptors_of_too_long_a_message);
	tcase_add_test(tc, test_no_descriptors_after_a_failure);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
