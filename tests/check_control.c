/*
 * check_control.c - a whole daemon and what clients may do to its control socket.
 */
#include "proto/channel.h"
#include "proto/msg.h"
#include "tests/daemon_process.h"
#include "tests/proc.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CLIENTS   5
#define MAX_ENDPOINTS 300

static struct daemon_process served;
static int fd;
static char text[ECP_MSG_MAX + 2];
static struct ecp_request req;
static struct ecp_reply rep;

static int connect_client(void)
{
	int c = ecp_sock_connect(served.sock);
	ck_assert_int_ge(c, 0);
	return c;
}

static void setup(void)
{
	daemon_process_start(&served, MAX_CLIENTS, MAX_ENDPOINTS);
	fd = connect_client();
}

static void teardown(void)
{
	close(fd);
	int status = daemon_process_stop(&served);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

/* Send raw text, take the answer. */
static void say(int to, const char *message, size_t len)
{
	struct ecp_error err = {0};
	ck_assert_int_eq(ecp_sock_send(to, message, len, NULL, 0), 0);
	ssize_t n = ecp_sock_recv(to, text, ECP_MSG_MAX, NULL, NULL);
	ck_assert_int_gt(n, 0);
	ck_assert_msg(ecp_reply_parse(text, (size_t)n, &rep, &err) == 0, "%s", err.text);
}

static void ask(int to, const char *message)
{
	say(to, message, strlen(message));
}

static void expect_error(int code, const char *words)
{
	ck_assert_int_eq(rep.type, ECP_REP_ERROR);
	ck_assert_int_eq(rep.error.code, code);
	ck_assert_msg(strstr(rep.error.text, words), "%s", rep.error.text);
}

static void expect_alive(void)
{
	ask(fd, "{\"request\":\"status\"}");
	ck_assert_int_eq(rep.type, ECP_REP_STATUS);
}

/* ---- */

static const struct {
	const char *message;
	int code;
	const char *words;
} bad[] = {
    {"hello", -EBADMSG, "not JSON"},
    {"{\"request\":\"status\"", -EBADMSG, "ends too early"},
    {"{}", -EOPNOTSUPP, "unknown request \"\""},
    {"{\"request\":\"dance\"}", -EOPNOTSUPP, "\"dance\""},
    {"{\"request\":\"status\",\"more\":1}", -EINVAL, "unknown key \"more\""},
    {"{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\",\"vlans\":"
     "[{\"id\":5000}]}]}",
     -EINVAL, "endpoints[0]: id: must be from 0 to 4095"},
    {"{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\",\"vlans\":"
     "[{\"id\":1},{\"id\":2},{\"id\":3}]}]}",
     -EINVAL, "at most two VLAN tags"},
    {"{\"request\":\"attach\",\"version\":2}", -EPROTO, "speaks 1"},
    {"{\"request\":\"attach\",\"version\":1,\"interface\":\"eth9\"}", -ENODEV,
     "no relay on eth9"},
    {"{\"request\":\"attach\",\"version\":1,\"rx_ring\":70000}", -EINVAL, "power of two"},
    {"{\"request\":\"set_local\",\"id\":1,\"local\":\"10.0.0.1:1\"}", -ENOENT,
     "no open UDP endpoint"},
};

START_TEST(test_bad_request)
{
	ask(fd, bad[_i].message);
	expect_error(bad[_i].code, bad[_i].words);
	expect_alive(); /* a wrong request ends nothing */
}
END_TEST

START_TEST(test_oversized_message)
{
	memset(text, ' ', sizeof(text));
	char *big = malloc(ECP_MSG_MAX + 1);
	memset(big, ' ', ECP_MSG_MAX + 1);
	say(fd, big, ECP_MSG_MAX + 1);
	expect_error(-EMSGSIZE, "may have 65536 bytes");
	say(fd, big, ECP_MSG_MAX);
	expect_error(-EBADMSG, "not JSON");
	free(big);
	expect_alive();
}
END_TEST

/* Random bytes, and valid messages with one byte changed: always one answer, never an end. */
START_TEST(test_noise)
{
	static const char good[] =
	    "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\",\"vlans\":"
	    "[{\"id\":100}]},{\"udp\":\"0.0.0.0:68\",\"on_item\":0}]}";
	char message[sizeof(good)];
	srand(3);
	for (unsigned i = 0; i < 5000; i++) {
		memcpy(message, good, sizeof(good));
		message[rand() % (int)(sizeof(good) - 1)] = (char)rand();
		say(fd, message, sizeof(good) - 1);
	}
	expect_alive();
}
END_TEST

START_TEST(test_descriptors_are_discarded)
{
	int null = open("/dev/null", O_RDONLY);
	const int fds[] = {null, null, null, null};
	expect_alive();
	unsigned before = proc_count(served.pid, "fd");
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_int_eq(ecp_sock_send(fd, "{\"request\":\"status\"}", 20, fds, 4),
				 0);
		ck_assert_int_gt(ecp_sock_recv(fd, text, ECP_MSG_MAX, NULL, NULL), 0);
	}
	ck_assert_uint_eq(proc_count(served.pid, "fd"), before);
	close(null);
}
END_TEST

/* Attached, with what the daemon says of the channel; its other descriptors are of no use here. */
static const struct ecp_daemon_page *attach_and_look(int to)
{
	const struct ecp_request attach = {.type = ECP_REQ_ATTACH,
					   .attach.version = ECP_PROTOCOL_VERSION};
	struct ecp_error err = {0};
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	ck_assert_int_eq(ecp_ask(to, &attach, &rep, text, fds, &n_fds, &err), 0);
	ck_assert_int_eq(rep.type, ECP_REP_ATTACHED);
	ck_assert_uint_eq(n_fds, ECP_N_CHANNEL_FDS);
	void *page = mmap(NULL, ECP_CHANNEL_PAGE, PROT_READ, MAP_SHARED, fds[ECP_FD_D], 0);
	ck_assert_ptr_ne(page, MAP_FAILED);
	while (n_fds)
		close(fds[--n_fds]);
	return page;
}

static void attach(int to)
{
	munmap((void *)(uintptr_t)attach_and_look(to), ECP_CHANNEL_PAGE);
}

START_TEST(test_nothing_is_left_of_a_client)
{
	expect_alive();
	unsigned before = proc_count(served.pid, "fd");
	for (unsigned i = 0; i < 50; i++) {
		int c = connect_client();
		attach(c);
		ask(c, "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\"}"
		       "]}");
		ck_assert_int_eq(rep.opened.items[0].error.code,
				 0); /* the last one's is free */
		close(c);
		expect_alive();
	}
	struct pollfd nobody = {.fd = -1};
	for (unsigned i = 0; proc_count(served.pid, "fd") != before && i < 200; i++)
		poll(&nobody, 1, 10);
	ck_assert_uint_eq(proc_count(served.pid, "fd"), before);
}
END_TEST

START_TEST(test_attach_twice)
{
	attach(fd);
	ask(fd, "{\"request\":\"attach\",\"version\":1}");
	expect_error(-EALREADY, "attached to mem0 already");
}
END_TEST

START_TEST(test_open_before_attach)
{
	ask(fd, "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\"}]}");
	ck_assert_int_eq(rep.opened.items[0].error.code, -ENOTCONN);
}
END_TEST

/* One bad item leaves the others as they are; one that stands on it says so. */
START_TEST(test_batch)
{
	attach(fd);
	ask(fd,
	    "{\"request\":\"open\",\"endpoints\":["
	    "{\"l2\":\"02:00:00:00:00:01\"},{\"l2\":\"03:00:00:00:00:01\"},"
	    "{\"udp\":\"10.0.0.1:1\",\"on_item\":0},{\"udp\":\"10.0.0.1:1\",\"on_item\":1},"
	    "{\"udp\":\"10.0.0.1:1\",\"on\":77},{\"udp\":\"10.0.0.1:1\",\"on_item\":5}]}");
	static const int codes[] = {0, -EINVAL, 0, -ENOENT, -ENOENT, -ENOENT};
	ck_assert_uint_eq(rep.opened.n, 6);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_msg(rep.opened.items[i].error.code == codes[i], "item %u: %s", i,
			      rep.opened.items[i].error.text);
	ask(fd, "{\"request\":\"close\",\"ids\":[0,1,2,0]}");
	ck_assert_uint_eq(rep.closed.n, 1); /* the UDP endpoint went with it */
}
END_TEST

/* Claim i of many. */
static void open_many(unsigned first, unsigned n)
{
	struct ecp_error err = {0};
	req.type = ECP_REQ_OPEN;
	req.open.n = n;
	memset(req.open.items, 0, sizeof(req.open.items));
	for (unsigned i = 0; i < n; i++) {
		uint8_t *mac = req.open.items[i].l2.mac;
		mac[0] = 2;
		mac[4] = (uint8_t)((first + i) >> 8);
		mac[5] = (uint8_t)(first + i);
	}
	ck_assert_int_eq(ecp_ask(fd, &req, &rep, text, NULL, NULL, &err), 0);
	ck_assert_int_eq(rep.type, ECP_REP_OPENED);
	ck_assert_uint_eq(rep.opened.n, n);
}

START_TEST(test_limits_and_pages)
{
	struct ecp_error err = {0};
	unsigned seen = 0, refused = 0;
	attach(fd);
	open_many(1, 256);
	open_many(257, 100);
	for (unsigned i = 0; i < 100; i++)
		refused += rep.opened.items[i].error.code == -ENOSPC;
	ck_assert_uint_eq(refused, 356 - MAX_ENDPOINTS);
	req.type = ECP_REQ_SHOW;
	req.show = (struct ecp_show_request){.what = ECP_SHOW_ENDPOINTS};
	do {
		ck_assert_int_eq(ecp_ask(fd, &req, &rep, text, NULL, NULL, &err), 0);
		ck_assert_int_eq(rep.type, ECP_REP_PAGE);
		for (unsigned i = 0; i < rep.page.n; i++)
			ck_assert_uint_eq(rep.page.endpoints[i].id, seen++);
		req.show.after = rep.page.next;
	} while (rep.page.more);
	ck_assert_uint_eq(seen, MAX_ENDPOINTS);
}
END_TEST

/* ---- steering ---- */

/* The same question as another user; 1 if that is refused with EPERM. */
static int refused_to_others(const char *message)
{
	chmod(served.dir, 0755);
	chmod(served.sock, 0666);
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		ask(connect_client(), message);
		_exit(rep.type == ECP_REP_ERROR && rep.error.code == -EPERM);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(test_log_level)
{
	ask(fd, "{\"request\":\"log\",\"level\":\"error\"}");
	ck_assert_int_eq(rep.type, ECP_REP_DONE);
	ask(fd, "{\"request\":\"log\",\"level\":\"loud\"}");
	expect_error(-EINVAL, "\"loud\" is none of");
	if (geteuid() == 0)
		ck_assert_int_eq(
		    refused_to_others("{\"request\":\"log\",\"level\":\"error\"}"), 1);
}
END_TEST

/* Without a policy there is the rule that stands for it; what others may is nobody's business. */
START_TEST(test_policy_is_for_operators)
{
	const char *message = "{\"request\":\"show\",\"what\":\"policy\"}";
	if (getuid() == 0)
		ck_assert_int_eq(refused_to_others(message), 1);
	ask(fd, message);
	ck_assert_int_eq(rep.type, ECP_REP_PAGE);
	ck_assert_uint_eq(rep.page.n, 1);
	ck_assert_str_eq(rep.page.rules[0].name, "default");
	ck_assert_str_eq(rep.page.rules[0].words, "local");
}
END_TEST

START_TEST(test_kill)
{
	char message[64];
	int victim = connect_client();
	struct pollfd p = {.fd = victim, .events = POLLIN};
	const struct ecp_daemon_page *d = attach_and_look(victim);
	ck_assert_uint_eq(d->state, ECP_CHANNEL_UP);
	ask(fd, "{\"request\":\"show\",\"what\":\"clients\"}");
	ck_assert_uint_eq(rep.page.n, 2);
	snprintf(message, sizeof(message), "{\"request\":\"kill\",\"client\":%u}",
		 rep.page.clients[1].id);
	if (geteuid() == 0)
		ck_assert_int_eq(refused_to_others(message), 1);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ask(fd, message);
	ck_assert_int_eq(rep.type, ECP_REP_DONE);
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	ck_assert_int_eq(read(victim, text, sizeof(text)), 0); /* hung up */
	ck_assert_uint_eq(d->state, ECP_CHANNEL_ENDED);        /* and is not to come back */
	ask(fd, message);
	expect_error(-ENOENT, "no client");
	ask(fd, "{\"request\":\"kill\",\"client\":1}");
	expect_error(-EINVAL, "the one that asks");
	close(victim);
	expect_alive();
}
END_TEST

START_TEST(test_too_many_clients)
{
	int others[MAX_CLIENTS];
	expect_alive();
	for (unsigned i = 0; i < MAX_CLIENTS - 1; i++) {
		others[i] = connect_client();
		ask(others[i], "{\"request\":\"status\"}");
		ck_assert_int_eq(rep.type, ECP_REP_STATUS);
	}
	int late = connect_client();
	struct ecp_error err = {0};
	ssize_t n = ecp_sock_recv(late, text, ECP_MSG_MAX, NULL, NULL);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(ecp_reply_parse(text, (size_t)n, &rep, &err), 0);
	expect_error(-EUSERS, "5 clients are connected");
	ck_assert_int_eq(ecp_sock_recv(late, text, ECP_MSG_MAX, NULL, NULL), 0);
	close(late);
	expect_alive();
	for (unsigned i = 0; i < MAX_CLIENTS - 1; i++)
		close(others[i]);
}
END_TEST

/* Who asks and never listens is ended; the others go on. */
START_TEST(test_replies_that_are_not_taken)
{
	int deaf = connect_client();
	struct pollfd p = {.fd = deaf, .events = POLLOUT};
	fcntl(deaf, F_SETFL, O_NONBLOCK);
	int r = 0;
	for (unsigned i = 0; r == 0 || r == -EAGAIN; i++) {
		ck_assert_uint_lt(i, 1000000);
		r = ecp_sock_send(deaf, "{\"request\":\"status\"}", 20, NULL, 0);
		if (r == -EAGAIN)
			poll(&p, 1, 100);
	}
	ck_assert(r == -EPIPE || r == -ECONNRESET);
	close(deaf);
	expect_alive();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("control");
	TCase *tc = tcase_create("control");
	tcase_set_timeout(tc, 20);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_bad_request, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, test_oversized_message);
	tcase_add_test(tc, test_noise);
	tcase_add_test(tc, test_descriptors_are_discarded);
	tcase_add_test(tc, test_nothing_is_left_of_a_client);
	tcase_add_test(tc, test_attach_twice);
	tcase_add_test(tc, test_open_before_attach);
	tcase_add_test(tc, test_batch);
	tcase_add_test(tc, test_limits_and_pages);
	tcase_add_test(tc, test_log_level);
	tcase_add_test(tc, test_policy_is_for_operators);
	tcase_add_test(tc, test_kill);
	tcase_add_test(tc, test_too_many_clients);
	tcase_add_test(tc, test_replies_that_are_not_taken);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
