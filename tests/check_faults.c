/*
 * check_faults.c - every allocation and every system call fails once, each at its place: of a
 * daemon with clients, then of a client.
 *
 * The same walk is made again and again, and the n-th of them fails, n = 1, 2, 3 ..., until a
 * walk ends before its n-th.  What fails must be said, or make no difference; nobody crashes,
 * hangs or keeps a descriptor, and the one who comes next is served.
 *
 * Allocations and calls are counted by the functions below, which stand in the C library's
 * place: those of this project's own code and libev's allocations, not those that cJSON makes.
 * The memory relay, which ends the test when memory runs out, is left out.
 */
#include "client-lib/etherconn.h"
#include "daemon/daemon.h"
#include "tests/daemon_process.h"
#include "tests/proc.h"
#include "tests/relay_memory.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { NOTHING, ALLOCATIONS, CALLS };

/* Between test, daemon and client. */
struct plan {
	volatile int kind;
	volatile long left; /* until one fails */
	char name[32];      /* of what has failed; "": nothing yet */
};

static struct plan *plan;
static bool faulty; /* this process is the one to fail */

#if SANITIZED
#define COUNTED false /* the sanitizer has taken that place */
#else
#define COUNTED true
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t),
    *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static bool fails(enum kind kind, const char *name)
{
	if (!faulty || plan->kind != (int)kind || --plan->left != 0)
		return false;
	for (size_t i = 0; name[i] && i + 1 < sizeof(plan->name); i++)
		plan->name[i] = name[i];
	return true;
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails(ALLOCATIONS, "aligned_alloc") ? no_memory()
						   : __libc_memalign(alignment, size);
}

void *malloc(size_t size)
{
	return fails(ALLOCATIONS, "malloc") ? no_memory() : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	return fails(ALLOCATIONS, "calloc") ? no_memory() : __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
	return fails(ALLOCATIONS, "realloc") ? no_memory() : __libc_realloc(at, size);
}

/* One call, which fails with error, or goes to the kernel as number with these arguments. */
#define STAND_IN(type, name, error, params, ...)                                           \
	type name params                                                                   \
	{                                                                                  \
		if (!fails(CALLS, #name))                                                  \
			return (type)syscall(__VA_ARGS__);                                 \
		errno = (error);                                                           \
		return -1;                                                                 \
	}

STAND_IN(int, memfd_create, EMFILE, (const char *s, unsigned f), SYS_memfd_create, s, f)
STAND_IN(int, ftruncate, ENOSPC, (int fd, off_t n), SYS_ftruncate, fd, n)
STAND_IN(int, fchmod, EPERM, (int fd, mode_t mode), SYS_fchmod, fd, mode)
STAND_IN(int, pipe2, EMFILE, (int ends[2], int flags), SYS_pipe2, ends, flags)
STAND_IN(int, socket, EMFILE, (int d, int t, int p), SYS_socket, d, t, p)
STAND_IN(int, connect, EAGAIN, (int fd, const struct sockaddr *a, socklen_t n), SYS_connect,
	 fd, a, n)
STAND_IN(int, poll, ENOMEM, (struct pollfd * p, nfds_t n, int ms), SYS_poll, p, n, ms)
STAND_IN(int, eventfd, EMFILE, (unsigned n, int flags), SYS_eventfd2, n, flags)
STAND_IN(int, listen, EADDRINUSE, (int fd, int n), SYS_listen, fd, n)
STAND_IN(int, epoll_ctl, ENOSPC, (int e, int o, int f, struct epoll_event *v),
	 SYS_epoll_ctl, e, o, f, v)
STAND_IN(ssize_t, getrandom, EAGAIN, (void *at, size_t n, unsigned f), SYS_getrandom, at, n,
	 f)
STAND_IN(ssize_t, recvmsg, ENOBUFS, (int fd, struct msghdr *m, int f), SYS_recvmsg, fd, m,
	 f)
STAND_IN(int, sendmmsg, ENOBUFS, (int fd, struct mmsghdr *m, unsigned n, int f),
	 SYS_sendmmsg, fd, m, n, f)
STAND_IN(int, accept4, EMFILE,
	 (int fd, struct sockaddr *__restrict a, socklen_t *__restrict n, int f),
	 SYS_accept4, fd, a, n, f)
STAND_IN(int, getsockopt, ENOBUFS,
	 (int fd, int l, int o, void *__restrict v, socklen_t *__restrict n),
	 SYS_getsockopt, fd, l, o, v, n)

int open(const char *path, int flags, ...)
{
	if (!fails(CALLS, "open"))
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
	errno = EMFILE;
	return -1;
}

int fcntl(int fd, int command, ...)
{
	va_list ap;
	va_start(ap, command);
	long arg = va_arg(ap, long);
	va_end(ap);
	if (!fails(CALLS, "fcntl"))
		return (int)syscall(SYS_fcntl, fd, command, arg);
	errno = EMFILE;
	return -1;
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (!fails(CALLS, "mmap"))
		return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

#endif

/* ---- the daemon ---- */

static void unharmed_submit(struct relay *relay, const struct relay_buffer *buffers,
			    unsigned n)
{
	bool before = faulty;
	faulty = false;
	relay_memory_ops.tx_submit(relay, buffers, n);
	faulty = before;
}

struct served {
	struct daemon_process process;
	char policy[64];
};

static void serve(const struct served *s, int ready)
{
	static struct daemon daemon;
	static struct relay_ops ops;
	static struct config config;
	struct relay_config relay = {.interface = RELAY_MEMORY_NAME};
	struct ecp_error err = {0};
	char text[ECP_ERROR_TEXT];
	ops = relay_memory_ops;
	ops.tx_submit = unharmed_submit;
	daemon_process_defaults(&config);
	memcpy(config.socket, s->process.sock, sizeof(s->process.sock));
	memcpy(config.policy, s->policy, sizeof(s->policy));
	log_set_level(config.log_level);
	if (relay_open_ops(&daemon.datapaths[0].relay, &ops, &relay, text, sizeof(text)) <
	    0)
		_exit(99);
	relay_memory_reflect(&daemon.datapaths[0].relay, true);
	faulty = true;
	if (daemon_start_on_relays(&daemon, 1, &config, &err) < 0)
		_exit(err.code && err.text[0] ? 1 : 98);
	faulty = false;
	if (write(ready, "", 1) != 1)
		_exit(97);
	faulty = true;
	daemon_run(&daemon);
	daemon_stop(&daemon);
	_exit(0);
}

static void write_policy(const char *path)
{
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs("{\"rules\": [{\"users\": [\"root\"], \"groups\": [\"root\"]}]}", file);
	fclose(file);
}

/* False if it did not start. */
static bool start(struct served *s)
{
	int ready[2];
	char byte;
	daemon_process_folder(&s->process);
	snprintf(s->policy, sizeof(s->policy), "%s/policy", s->process.dir);
	write_policy(s->policy);
	ck_assert_int_eq(pipe(ready), 0);
	s->process.pid = fork();
	if (s->process.pid == 0)
		serve(s, ready[1]);
	close(ready[1]);
	bool started = read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return started;
}

static int end(struct served *s)
{
	unlink(s->policy);
	return daemon_process_stop(&s->process);
}

/* ---- a client ---- */

#define SOON 100 /* ms: where a frame was lost to the fault, so long is waited for it */
#define FROM "02:00:00:00:00:01|100"
#define TO   "02:00:00:00:00:02|100"

static struct ec_udp *open_both(struct ec_relay *relay, const char *mac, const char *local)
{
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	opts.flags = EC_L2_MULTICAST;
	ec_l2addr_parse(mac, &addr);
	if (ec_l2_open(&l2, relay, &addr, &opts) < 0 ||
	    ec_udp_open(&udp, l2, local, NULL) < 0)
		return NULL;
	return udp;
}

static bool echo(struct ec_relay *relay, struct ec_udp *from)
{
	static const struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = 0x0800, .sin_addr.s_addr = 0x0200000a};
	struct ec_frame frames[8];
	return ec_udp_sendto(from, "hello", 5, 0, (const struct sockaddr *)&to,
			     sizeof(to)) == 5 &&
	       ec_relay_recv(relay, frames, 8, SOON) > 0;
}

static bool show(const char *sock)
{
	static struct ecp_reply reply;
	static char text[ECP_MSG_MAX + 1];
	const struct ecp_request request = {.type = ECP_REQ_SHOW,
					    .show = {.what = ECP_SHOW_ENDPOINTS}};
	struct ecp_error err = {0};
	int fd = ecp_sock_connect(sock);
	int r = fd < 0 ? fd : ecp_ask(fd, &request, &reply, text, NULL, NULL, &err);
	if (fd >= 0)
		close(fd);
	return r == 0 && reply.type == ECP_REP_PAGE;
}

/* Everything that a client does.  True if all of it went well. */
static bool walk(const char *sock)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay *relay = NULL;
	opts.socket = sock;
	opts.rx_ring = opts.tx_ring = 64 << 10;
	if (ec_relay_open(&relay, NULL, &opts) < 0)
		return false;
	struct ec_udp *from = open_both(relay, FROM, "10.0.0.1:7");
	struct ec_udp *to = open_both(relay, TO, "10.0.0.2:8");
	bool good = from && to && echo(relay, from);
	good &= show(sock);
	ec_udp_close(to);
	ec_relay_close(relay);
	return good;
}

/* fn in a process of its own, which must end by itself in time.  Its exit status. */
static int run(int (*fn)(const struct served *), const struct served *s)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		alarm(20);
		_exit(fn(s));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "%s: a client ended with status %x", plan->name,
		      status);
	return WEXITSTATUS(status);
}

static int walk_anyhow(const struct served *s)
{
	walk(s->process.sock);
	return 0;
}

/* What the one before held may be free only after a while. */
static int walk_well(const struct served *s)
{
	for (unsigned i = 0; i < 50; i++) {
		if (walk(s->process.sock))
			return 0;
		poll(NULL, 0, 10);
	}
	return 1;
}

static int walk_with_faults(const struct served *s)
{
	unsigned before = proc_count(getpid(), "fd");
	faulty = true;
	walk(s->process.sock);
	faulty = false;
	if (proc_count(getpid(), "fd") != before)
		return 2;
	return walk_well(s);
}

/* ---- the walks ---- */

static void arm(enum kind kind, long n)
{
	memset(plan, 0, sizeof(*plan));
	plan->kind = (int)kind;
	plan->left = n;
}

static void expect_fds(const struct served *s, unsigned n)
{
	unsigned now = 0;
	for (unsigned i = 0; i < 300; i++) {
		now = proc_count(s->process.pid, "fd");
		if (now == n)
			return;
		poll(NULL, 0, 10);
	}
	ck_abort_msg("%s: the daemon has %u descriptors, not %u", plan->name, now, n);
}

/* True if something has failed. */
static bool harm_daemon(enum kind kind, long n)
{
	struct served s;
	arm(kind, n);
	if (!start(&s)) {
		int status = end(&s);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1,
			      "the %ld. failure, %s: status %x at the start", n, plan->name,
			      status);
		return true;
	}
	unsigned fds = proc_count(s.process.pid, "fd");
	run(walk_anyhow, &s);
	kill(s.process.pid, SIGHUP);
	run(walk_anyhow, &s);
	plan->kind = NOTHING;
	int r = run(walk_well, &s);
	if (r == 0)
		expect_fds(&s, fds);
	int status = end(&s);
	ck_assert_msg(status == 0, "the %ld. failure, %s: status %x", n, plan->name,
		      status);
	ck_assert_msg(r == 0, "the %ld. failure, %s: the next client is not served", n,
		      plan->name);
	return plan->name[0];
}

static bool harm_client(enum kind kind, long n)
{
	struct served s;
	arm(NOTHING, 0);
	ck_assert(start(&s));
	arm(kind, n);
	int r = run(walk_with_faults, &s);
	ck_assert_msg(r != 2, "the %ld. failure, %s: descriptors are left", n, plan->name);
	ck_assert_msg(r == 0, "the %ld. failure, %s: it cannot go on", n, plan->name);
	ck_assert_int_eq(end(&s), 0);
	return plan->name[0];
}

static void walk_all(bool (*harm)(enum kind, long), enum kind kind, const char *what)
{
	const char *soak = getenv("SOAK");
	bool all = soak && *soak == '1';
	long n = 1, done = 0;
	/* in a hurry every one of the start and of the first requests, then every seventh */
	for (; harm(kind, n); done++)
		n += all || n < 60 ? 1 : 7;
	ck_assert_int_gt(done, 3);
	printf("# %s: %ld failures\n", what, done);
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	ck_assert_ptr_ne(plan, MAP_FAILED);
}

START_TEST(test_daemon_allocations)
{
	walk_all(harm_daemon, ALLOCATIONS, "allocations of the daemon");
}
END_TEST

START_TEST(test_daemon_calls)
{
	walk_all(harm_daemon, CALLS, "system calls of the daemon");
}
END_TEST

START_TEST(test_client_allocations)
{
	walk_all(harm_client, ALLOCATIONS, "allocations of the library");
}
END_TEST

START_TEST(test_client_calls)
{
	walk_all(harm_client, CALLS, "system calls of the library");
}
END_TEST

int main(void)
{
	if (!COUNTED)
		return suite_skip("the sanitizer stands where failures are made");
	if (getuid() != 0)
		return suite_skip("the policy of the test is for root");
	Suite *suite = suite_create("faults");
	TCase *tc = tcase_create("faults");
	tcase_add_unchecked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 900);
	tcase_add_test(tc, test_daemon_allocations);
	tcase_add_test(tc, test_daemon_calls);
	tcase_add_test(tc, test_client_allocations);
	tcase_add_test(tc, test_client_calls);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
