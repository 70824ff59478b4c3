/*
 * check_sock.c - the control socket: who may take a path over, how messages and descriptors
 * travel.
 */
#include "proto/sock.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[108];

static void setup(void)
{
	strcpy(dir, "/tmp/check_sock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(test_take_over)
{
	ck_assert_int_eq(ecp_sock_connect(path), -ENOENT);
	int fd = ecp_sock_listen(path, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ecp_sock_listen(path, 0600), -EADDRINUSE); /* alive */
	int client = ecp_sock_connect(path);
	ck_assert_int_ge(client, 0);
	close(client);
	close(fd);
	ck_assert_int_eq(ecp_sock_connect(path), -ECONNREFUSED);
	fd = ecp_sock_listen(path, 0600); /* dead */
	ck_assert_int_ge(fd, 0);
	close(fd);
}
END_TEST

START_TEST(test_something_else_there)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(ecp_sock_listen(path, 0600), -EEXIST);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(test_paths)
{
	char long_path[200];
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = 0;
	ck_assert_int_eq(ecp_sock_connect(long_path), -ENAMETOOLONG);
	ck_assert_int_eq(ecp_sock_listen(long_path, 0600), -ENAMETOOLONG);
	ck_assert_int_eq(ecp_sock_listen("/nowhere/at/all", 0600), -ENOENT);
}
END_TEST

START_TEST(test_mode)
{
	struct stat st;
	umask(077); /* must not matter */
	int fd = ecp_sock_listen(path, 0660);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0660);
	ck_assert_int_eq(umask(022), 077); /* and is as it was */
	close(fd);
}
END_TEST

START_TEST(test_find)
{
	char found[ECP_SOCK_ROOM];
	unsetenv("ETHERCONN_SOCKET");
	ck_assert_str_eq(ecp_sock_find(NULL, found), ECP_SOCK_PATH);
	ck_assert_str_eq(ecp_sock_find("no-such-if", found), ECP_SOCK_PATH);
	setenv("ETHERCONN_SOCKET", "/x/y", 1);
	ck_assert_str_eq(ecp_sock_find("eth0", found), "/x/y");
}
END_TEST

static void pair(int ends[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
}

START_TEST(test_messages)
{
	static char big[ECP_MSG_MAX + 1], buf[ECP_MSG_MAX];
	int ends[2];
	pair(ends);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(ecp_sock_send(ends[0], "one", 3, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_send(ends[0], "three", 5, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_send(ends[0], big, ECP_MSG_MAX, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), 3);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), 5);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), ECP_MSG_MAX);
	ck_assert_int_eq(ecp_sock_send(ends[0], big, ECP_MSG_MAX + 1, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_send(ends[0], "next", 4, NULL, 0), 0);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), -EMSGSIZE);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), 4);
	close(ends[0]);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), 0);
	ck_assert_int_eq(ecp_sock_send(ends[1], "x", 1, NULL, 0), -EPIPE); /* no signal */
	close(ends[1]);
}
END_TEST

START_TEST(test_descriptors)
{
	int ends[2], got[ECP_FDS_MAX], pipe_ends[2];
	char buf[10];
	pair(ends);
	ck_assert_int_eq(pipe(pipe_ends), 0);
	const int fds[] = {pipe_ends[0], pipe_ends[1], pipe_ends[0], pipe_ends[1],
			   pipe_ends[0]};
	unsigned before = open_fds(), n = ECP_FDS_MAX;

	ck_assert_int_eq(ecp_sock_send(ends[0], "x", 1, fds, 2), 0);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), got, &n), 1);
	ck_assert_uint_eq(n, 2);
	ck_assert(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(write(got[1], "!", 1), 1);
	ck_assert_int_eq(read(pipe_ends[0], buf, 1), 1);
	close(got[0]);
	close(got[1]);

	/* more than there is a place for are closed, those nobody wants never opened */
	ck_assert_int_eq(ecp_sock_send(ends[0], "x", 1, fds, ECP_FDS_MAX), 0);
	n = 1;
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), got, &n), 1);
	ck_assert_uint_eq(n, 1);
	close(got[0]);
	ck_assert_int_eq(ecp_sock_send(ends[0], "x", 1, fds, ECP_FDS_MAX), 0);
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), NULL, NULL), 1);
	ck_assert_uint_eq(open_fds(), before);

	/* nor are those of a message that was too long */
	ck_assert_int_eq(ecp_sock_send(ends[0], "0123456789A", 11, fds, 3), 0);
	n = ECP_FDS_MAX;
	ck_assert_int_eq(ecp_sock_recv(ends[1], buf, sizeof(buf), got, &n), -EMSGSIZE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(open_fds(), before);
	ck_assert_int_eq(ecp_sock_send(ends[0], "x", 1, fds, ECP_FDS_MAX + 1), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sock");
	TCase *tc = tcase_create("sock");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_take_over);
	tcase_add_test(tc, test_something_else_there);
	tcase_add_test(tc, test_paths);
	tcase_add_test(tc, test_mode);
	tcase_add_test(tc, test_find);
	tcase_add_test(tc, test_messages);
	tcase_add_test(tc, test_descriptors);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
