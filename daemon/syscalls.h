/*
 * syscalls.h - the system calls that the daemon may make once it serves; any other one kills it.
 *
 * Knows libseccomp; used by daemon.c, and by relay back-ends to say what they need.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

/* Who needs a call besides the daemon itself: kinds of relay back-ends. */
enum syscalls_user {
	SYSCALLS_PACKET = 1,   /* packet sockets and AF_XDP */
	SYSCALLS_PCAP = 2,     /* libpcap on an interface */
	SYSCALLS_PCAPFILE = 4, /* libpcap on files */
};

#define SYSCALLS_MOST 30 /* different ones, whatever the back-end */

/*
 * Allow what the daemon needs, and what users (SYSCALLS_*, or-ed) need; kill the process for
 * anything else.  Irreversible.  0, -ENOTSUP in a build with a sanitizer, which makes calls of
 * its own, or -errno; then nothing is filtered.
 */
int syscalls_restrict(unsigned users);

unsigned syscalls_count(unsigned users); /* how many different ones that allows */

#endif
