/*
 * check_syscalls.c - what the filter of system calls forbids kills, and what the daemon does
 * under it does not.
 */
#include "daemon/channel.h"
#include "daemon/file.h"
#include "daemon/names.h"
#include "daemon/syscalls.h"
#include "tests/daemon_process.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a row's call needs may be prepared, for calls with 6 arguments. */
struct call {
	const char *name;
	long number, args[6];
};

static char path[] = "/tmp", name[64];
#define AT(what) ((long)(intptr_t)(what))

static const struct call forbidden[] = {
    {"socket AF_UNIX", SYS_socket, {AF_UNIX, SOCK_STREAM}},
    {"socket AF_INET", SYS_socket, {AF_INET, SOCK_DGRAM}},
    {"socket AF_PACKET", SYS_socket, {AF_PACKET, SOCK_RAW}},
    {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, AT(name)}},
    {"connect", SYS_connect, {0, AT(name), 16}},
    {"listen", SYS_listen, {0, 1}},
    {"execve", SYS_execve, {AT("/bin/true")}},
    {"execveat", SYS_execveat, {0, AT("/bin/true")}},
    {"clone", SYS_clone, {SIGCHLD}},
    {"clone3", SYS_clone3},
    {"ptrace", SYS_ptrace},
    {"process_vm_readv", SYS_process_vm_readv, {1}},
    {"process_vm_writev", SYS_process_vm_writev, {1}},
    {"kill", SYS_kill, {1, 0}},
    {"tgkill", SYS_tgkill, {1, 1, 0}},
    {"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
    {"setresuid", SYS_setresuid, {-1, -1, -1}},
    {"capset", SYS_capset},
    {"unshare", SYS_unshare, {0}},
    {"setns", SYS_setns, {-1, 0}},
    {"mount", SYS_mount},
    {"bpf", SYS_bpf, {-1}},
    {"io_uring_setup", SYS_io_uring_setup, {1}},
    {"perf_event_open", SYS_perf_event_open},
    {"keyctl", SYS_keyctl, {-1}},
    {"userfaultfd", SYS_userfaultfd, {0}},
    {"openat for writing", SYS_openat, {AT_FDCWD, AT(path), O_WRONLY}},
    {"openat for both", SYS_openat, {AT_FDCWD, AT(path), O_RDWR}},
    {"openat O_CREAT", SYS_openat, {AT_FDCWD, AT(path), O_CREAT}},
    {"openat O_TRUNC", SYS_openat, {AT_FDCWD, AT(path), O_TRUNC}},
    {"rename", SYS_renameat2, {-1, 0, -1}},
    {"mkdirat", SYS_mkdirat, {-1}},
    {"mmap PROT_EXEC", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"mprotect", SYS_mprotect, {0, 0, PROT_READ}},
    {"memfd_create MFD_EXEC", SYS_memfd_create, {AT(name), 0x10}},
    {"fchmod 0777", SYS_fchmod, {-1, 0777}},
    {"fcntl F_SETFL", SYS_fcntl, {-1, F_SETFL}},
    {"fcntl F_SETOWN", SYS_fcntl, {-1, F_SETOWN}},
    {"ioctl TIOCSTI", SYS_ioctl, {0, 0x5412, AT(name)}},
    {"ioctl SIOCSIFFLAGS", SYS_ioctl, {0, SIOCSIFFLAGS, AT(name)}},
    {"setsockopt SO_ATTACH_FILTER", SYS_setsockopt, {-1, SOL_SOCKET, 26}},
    {"getsockopt SO_PEERSEC", SYS_getsockopt, {-1, SOL_SOCKET, SO_PEERSEC}},
    {"getsockopt of TCP", SYS_getsockopt, {-1, 6, SO_PEERCRED}},
    {"pipe2 without O_CLOEXEC", SYS_pipe2, {AT(name), O_NONBLOCK}},
#ifdef __x86_64__
    {"read of the x32 ABI", 0x40000000 + 0, {-1}},
#endif
};

/* Their arguments are wrong, so that only their being allowed shows. */
static const struct call allowed[] = {
    {"read", SYS_read, {-1}},
    {"accept4", SYS_accept4, {-1}},
    {"recvmsg", SYS_recvmsg, {-1}},
    {"sendto", SYS_sendto, {-1}},
    {"ioctl SIOCGIFNAME", SYS_ioctl, {-1, SIOCGIFNAME}},
    {"bind", SYS_bind, {-1}},
    {"ioctl SIOCGIFFLAGS", SYS_ioctl, {-1, SIOCGIFFLAGS}},
    {"fcntl, bits above the 32nd", SYS_fcntl, {-1, (1L << 40) | F_ADD_SEALS}},
};

#define N(table) (sizeof(table) / sizeof((table)[0]))

/* fn runs in a child under the filter.  How that ended, as of waitpid(2). */
static int run_restricted(unsigned users, void (*fn)(const void *), const void *arg)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscalls_restrict(users))
			_exit(99);
		fn(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void make_call(const void *arg)
{
	const struct call *c = arg;
	const long *a = c->args;
	syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

START_TEST(test_forbidden)
{
	const struct call *c = &forbidden[_i];
	int status = run_restricted(SYSCALLS_PACKET, make_call, c);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x",
		      c->name, status);
}
END_TEST

START_TEST(test_allowed)
{
	const struct call *c = &allowed[_i];
	int status = run_restricted(SYSCALLS_PACKET, make_call, c);
	ck_assert_msg(status == 0, "%s: status %x", c->name, status);
}
END_TEST

/* What only one back-end needs, no other may do. */
START_TEST(test_of_one_backend)
{
	static const struct call timer = {"timerfd_settime", SYS_timerfd_settime, {-1}};
	ck_assert_int_eq(run_restricted(SYSCALLS_PCAPFILE, make_call, &timer), 0);
	int status = run_restricted(SYSCALLS_PACKET, make_call, &timer);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

START_TEST(test_how_many)
{
	unsigned users = 1u << _i;
	unsigned n = syscalls_count(users);
	ck_assert_msg(n > 20 && n <= SYSCALLS_MOST, "%u", n);
}
END_TEST

/* Libraries go on without these. */
static void expect_refused(const void *arg)
{
	(void)arg;
	errno = 0;
	void *at = mremap(NULL, 0, 0, 0);
	if (at != MAP_FAILED || errno != ENOMEM)
		_exit(1);
	if (syscall(SYS_getsockname, -1, 0, 0) != -1 || errno != EBADF)
		_exit(2);
}

START_TEST(test_refused)
{
	ck_assert_int_eq(run_restricted(SYSCALLS_PCAP, expect_refused, NULL), 0);
	static const struct call ask = {"getsockname", SYS_getsockname, {-1}};
	int status = run_restricted(SYSCALLS_PACKET, make_call, &ask);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

static void make_channel(const void *arg)
{
	struct channel *ch;
	(void)arg;
	for (unsigned i = 0; i < 10; i++) {
		if (channel_new(&ch, ECP_RING_MIN, 1 << 20, 10, 1) < 0)
			_exit(1);
		channel_free(ch);
	}
}

/* Small and large, grown and given back. */
static void allocate(const void *arg)
{
	(void)arg;
	char *volatile at = NULL;
	for (size_t size = 1; size < 64 << 20; size *= 2) {
		char *bigger = realloc(at, size);
		if (!bigger)
			_exit(1);
		bigger[size - 1] = 1;
		at = bigger;
	}
	free(at);
}

static void find_names(const void *arg)
{
	struct names_user user = {7, 7};
	struct ecp_error err;
	gid_t gid = 7;
	size_t len;
	(void)arg;
	names_seal();
	if (!names_find_user("root", &user) || user.uid != 0 || user.gid != 0)
		_exit(1);
	if (!names_find_uid(0, &user) || !names_find_group("root", &gid) || gid != 0)
		_exit(2);
	if (names_find_user("nobody-such", &user) || names_find_group("nobody-such", &gid))
		_exit(3);
	free(file_read("/etc/passwd", &len, &err));
	_exit(file_read("/etc/no-such-file", &len, &err) ? 4 : 0);
}

START_TEST(test_what_it_lives_of)
{
	static const struct {
		const char *name;
		void (*fn)(const void *);
	} lives[] = {
	    {"channels", make_channel}, {"memory", allocate}, {"names", find_names}};
	for (unsigned i = 0; i < N(lives); i++) {
		int status = run_restricted(0, lives[i].fn, NULL);
		ck_assert_msg(status == 0, "%s: status %x", lives[i].name, status);
	}
}
END_TEST

/* The kernel's own word about the daemon: filter mode. */
START_TEST(test_daemon_has_it)
{
	struct daemon_process d;
	char line[128];
	int mode = -1;
	daemon_process_start(&d, 0, 0);
	snprintf(name, sizeof(name), "/proc/%d/status", d.pid);
	FILE *file = fopen(name, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "Seccomp:", 8))
			mode = atoi(line + 8);
	fclose(file);
	ck_assert_int_eq(daemon_process_stop(&d), 0);
	ck_assert_int_eq(mode, 2);
}
END_TEST

int main(void)
{
	if (SANITIZED)
		return suite_skip(
		    "a sanitizer makes system calls of its own: none are filtered");
	Suite *s = suite_create("syscalls");
	TCase *tc = tcase_create("syscalls");
	tcase_add_loop_test(tc, test_forbidden, 0, N(forbidden));
	tcase_add_loop_test(tc, test_allowed, 0, N(allowed));
	tcase_add_test(tc, test_of_one_backend);
	tcase_add_test(tc, test_refused);
	tcase_add_loop_test(tc, test_how_many, 0, 3);
	tcase_add_test(tc, test_what_it_lives_of);
	tcase_add_test(tc, test_daemon_has_it);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
