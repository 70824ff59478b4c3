/*
 * syscalls.c - the list of what the running daemon asks the kernel for, and nothing else.
 *
 * A row is a call, who makes it, and what its arguments must be; several rows of one call are
 * alternatives.  What is absent is as telling: no socket is made, nothing is connected, no
 * program or thread is started, no file is opened for writing, no memory becomes executable, no
 * process is looked into or signalled.
 *
 * Two calls that libraries make, and have another way for, are answered with an error instead.
 *
 * A call that is missing here ends the daemon at the moment it is made, so a new one comes with
 * its row.  The numbers are those of Linux on 64 bits; where a C library makes one call by way of
 * another, "seccomp": false in the configuration is the way out.
 */
#include "daemon/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define ARGS_MAX 2

struct row {
	int call;
	unsigned users; /* 0: the daemon itself */
	unsigned n_args;
	struct scmp_arg_cmp args[ARGS_MAX];
};

/* Integers have 32 bits, and what stands above them is nobody's business. */
#define INT(arg, value)    SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, 0xffffffff, value)
#define NONE_OF(arg, bits) SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bits, 0)
#define CALL(name, user)                                                                   \
	{                                                                                  \
		SCMP_SYS(name), user, 0,                                                   \
		{                                                                          \
			{                                                                  \
				0                                                          \
			}                                                                  \
		}                                                                          \
	}
#define IF(name, user, a)                                                                  \
	{                                                                                  \
		SCMP_SYS(name), user, 1,                                                   \
		{                                                                          \
			a                                                                  \
		}                                                                          \
	}
#define IF_BOTH(name, user, a, b)                                                          \
	{                                                                                  \
		SCMP_SYS(name), user, 2,                                                   \
		{                                                                          \
			a, b                                                               \
		}                                                                          \
	}

#define ITSELF      0
#define ANY_BACKEND (SYSCALLS_PACKET | SYSCALLS_PCAP)

/* The newer architectures have only the general form of these. */
#ifdef __NR_epoll_wait
#define WAIT epoll_wait
#else
#define WAIT epoll_pwait
#endif
#ifdef __NR_unlink
#define UNLINK unlink
#else
#define UNLINK unlinkat
#endif
#define CALL_OF(name, user) CALL(name, user)

static const struct row rows[] = {
    /* the C library: memory for malloc(), clocks where the vDSO has none, return from signals */
    CALL(brk, ITSELF),
    IF(mmap, ITSELF, NONE_OF(2, PROT_EXEC)),
    IF(madvise, ITSELF, INT(2, MADV_HUGEPAGE)),       /* proto/pool.c */
    IF(madvise, ITSELF, INT(2, MADV_REMOVE)),         /* channel.c */
    IF(madvise, ITSELF, INT(2, MADV_POPULATE_WRITE)), /* counters.c */
    CALL(munmap, ITSELF),
    CALL(clock_gettime, ITSELF),
    CALL(rt_sigreturn, ITSELF),
    CALL(exit_group, ITSELF),

    /* loop.c: libev and timed sleeps; the actions of signals are undone at the end */
    CALL_OF(WAIT, ITSELF),
    CALL(epoll_ctl, ITSELF),
    CALL(ppoll, ITSELF), /* relay.c too, for room to send */
    CALL(rt_sigaction, ITSELF),

    /* log.c, doorbells (channel.c, client.c), file.c, names.c */
    CALL(read, ITSELF),
    CALL(write, ITSELF),
    CALL(close, ITSELF),
    /* a policy, names of users, a client's name, and memory again for clients to read */
    IF(openat, ITSELF, NONE_OF(2, O_ACCMODE | O_CREAT | O_TRUNC)),
    CALL_OF(UNLINK, ITSELF), /* daemon.c: its socket's name, at the end */

    /* control.c, proto/sock.c, client.c, client_policy.c: clients come and ask */
    CALL(accept4, ITSELF),
    CALL(recvmsg, ITSELF),
    CALL(sendmmsg, ITSELF), /* relay_afpacket.c too, for frames */
    IF_BOTH(getsockopt, ITSELF, INT(1, SOL_SOCKET), INT(2, SO_PEERCRED)),
    IF_BOTH(getsockopt, ITSELF, INT(1, SOL_SOCKET), INT(2, SO_PEERGROUPS)),

    /* channel.c: a client's rings and doorbells */
    IF(memfd_create, ITSELF, INT(1, MFD_CLOEXEC | MFD_ALLOW_SEALING)),
    CALL(ftruncate, ITSELF),
    IF(fchmod, ITSELF, INT(1, 0400)),
    IF(fcntl, ITSELF, INT(1, F_ADD_SEALS)),
    IF(fcntl, ITSELF, INT(1, F_DUPFD_CLOEXEC)),
    IF(pipe2, ITSELF, INT(1, O_CLOEXEC | O_NONBLOCK)),

    /* systemd.c: that it stops; afxdp_send.c: a kick; relay_pcap.c: frames */
    CALL(sendto, ITSELF),

    /* netif.c: is the interface up? */
    IF(ioctl, ITSELF, INT(1, SIOCGIFINDEX)),
    IF(ioctl, ITSELF, INT(1, SIOCGIFHWADDR)),
    IF(ioctl, ITSELF, INT(1, SIOCGIFMTU)),
    IF(ioctl, ITSELF, INT(1, SIOCGIFFLAGS)),
    IF(ioctl, ITSELF, INT(1, SIOCGIFNAME)),

    /* packet_ring.c: what went wrong, what was lost; an interface that comes back */
    IF_BOTH(getsockopt, ANY_BACKEND, INT(1, SOL_SOCKET), INT(2, SO_ERROR)),
    IF_BOTH(getsockopt, ANY_BACKEND, INT(1, SOL_PACKET), INT(2, PACKET_STATISTICS)),
    CALL(bind, ANY_BACKEND),
    IF_BOTH(setsockopt, ANY_BACKEND, INT(1, SOL_PACKET), INT(2, PACKET_ADD_MEMBERSHIP)),
    IF_BOTH(setsockopt, ANY_BACKEND, INT(1, SOL_PACKET), INT(2, PACKET_RX_RING)),

    /* libpcap's, and relay_pcap.c's: they poll before they read */
    CALL(poll, SYSCALLS_PCAP),

    /* relay_pcapfile.c: when the next frame is due; closing a file that was read in part */
    CALL(timerfd_settime, SYSCALLS_PCAPFILE),
    CALL(lseek, SYSCALLS_PCAPFILE),
};

/* Not allowed, and no reason to end: each fails with this error. */
static const struct {
	int call;
	unsigned users;
	uint16_t error;
} refused[] = {
    {SCMP_SYS(mremap), ITSELF, ENOMEM}, /* realloc(), which copies then */
    /* libpcap's, whether a device in trouble is still there: netif.c knows */
    {SCMP_SYS(getsockname), SYSCALLS_PCAP, EBADF},
};

#define N_REFUSED (sizeof(refused) / sizeof(refused[0]))
#define N_ROWS    (sizeof(rows) / sizeof(rows[0]))

static bool is_for(unsigned of, unsigned users)
{
	return of == ITSELF || of & users;
}

static bool counted_before(size_t n, unsigned users)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].call == rows[n].call && is_for(rows[i].users, users))
			return true;
	return false;
}

unsigned syscalls_count(unsigned users)
{
	unsigned count = 0;
	for (size_t i = 0; i < N_ROWS; i++)
		count += is_for(rows[i].users, users) && !counted_before(i, users);
	return count;
}

static int add_rows(scmp_filter_ctx filter, unsigned users)
{
	int r = 0;
	for (size_t i = 0; i < N_ROWS && r == 0; i++)
		if (is_for(rows[i].users, users))
			r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rows[i].call,
						   rows[i].n_args, rows[i].args);
	for (size_t i = 0; i < N_REFUSED && r == 0; i++)
		if (is_for(refused[i].users, users))
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(refused[i].error),
					     refused[i].call, 0);
	return r;
}

int syscalls_restrict(unsigned users)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	(void)users;
	return -ENOTSUP;
#endif
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	/* a call of another architecture would be judged by the wrong numbers */
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* for speed alone, and not known to every version: a tree; no mitigation of its own */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	if (r == 0)
		r = add_rows(filter, users);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
