/*
 * systemd.c - datagrams to $NOTIFY_SOCKET, descriptors from $LISTEN_FDS.
 *
 * Some lines of our own instead of libsystemd, which would bring its dependencies into the one
 * program here that starts with a privilege.
 */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Opened once and kept: a daemon whose clients have taken every descriptor must still be able to
 * say that it is alive.
 */
static int notify_socket(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

void systemd_notify_open(void)
{
	if (getenv("NOTIFY_SOCKET"))
		notify_socket();
}

/* Where states go; -ENOENT: nobody asked. */
static int notify_address(struct sockaddr_un *addr, socklen_t *len)
{
	const char *path = getenv("NOTIFY_SOCKET");
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!path)
		return -ENOENT;
	size_t n = strlen(path);
	if (n < 2 || n >= sizeof(addr->sun_path) || (path[0] != '/' && path[0] != '@'))
		return -EINVAL;
	memcpy(addr->sun_path, path, n);
	if (addr->sun_path[0] == '@') /* an abstract name begins with a zero byte */
		addr->sun_path[0] = 0;
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	return 0;
}

static int notify(const char *state, int flags)
{
	struct sockaddr_un addr;
	socklen_t len;
	int r = notify_address(&addr, &len);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	int fd = notify_socket();
	if (fd < 0)
		return fd;
	ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL | flags,
			   (struct sockaddr *)&addr, len);
	return n < 0 ? -errno : 0;
}

int systemd_notify(const char *state)
{
	return notify(state, MSG_DONTWAIT);
}

/* A state, and a descriptor with it. */
static int notify_with_fd(const char *state, int fd, int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct sockaddr_un addr;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)state, .iov_len = strlen(state)};
	struct mmsghdr msg = {.msg_hdr = {.msg_name = &addr,
					  .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control.room)}};
	int r = notify_address(&addr, &msg.msg_hdr.msg_namelen);
	int to = r < 0 ? r : notify_socket();
	if (to < 0)
		return to;
	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	/* sendmsg() is no call of a daemon that serves: syscalls.c */
	return sendmmsg(to, &msg, 1, MSG_NOSIGNAL | flags) < 0 ? -errno : 0;
}

#define FD_NAME  SYSTEMD_FD_NAME
#define IN_STORE "store-" /* sets their names apart from a socket unit's */

/* FDPOLL=0: a packet socket with an error to tell is not one to throw away. */
static int store(int fd, const char *name, int flags)
{
	char state[FD_NAME + 64];
	snprintf(state, sizeof(state), "FDSTORE=1\nFDPOLL=0\nFDNAME=" IN_STORE "%s", name);
	return notify_with_fd(state, fd, flags);
}

static int store_remove(const char *name, int flags)
{
	char state[FD_NAME + 64];
	snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=" IN_STORE "%s", name);
	return notify(state, flags);
}

/* Waits, as the next does: systemd's queue may be short. */
int systemd_store(int fd, const char *name)
{
	return store(fd, name, 0);
}

void systemd_store_remove(const char *name)
{
	store_remove(name, 0);
}

int systemd_store_again(int fd, const char *name)
{
	int r = store_remove(name, MSG_DONTWAIT);
	return r < 0 || fd < 0 ? r : store(fd, name, MSG_DONTWAIT);
}

#define BARRIER_MS 5000

/* systemd closes the descriptor when it has come to it. */
int systemd_barrier(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int r = notify_with_fd("BARRIER=1", ends[1], 0);
	close(ends[1]);
	struct pollfd p = {.fd = ends[0]};
	if (r == 0 && poll(&p, 1, BARRIER_MS) <= 0)
		r = -ETIMEDOUT;
	close(ends[0]);
	return r;
}

unsigned systemd_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (!usec || (pid && atol(pid) != (long)getpid()))
		return 0;
	unsigned long long ms = strtoull(usec, NULL, 10) / 1000;
	return ms > UINT_MAX ? UINT_MAX : (unsigned)ms;
}

#define LISTEN_FDS_START 3 /* SD_LISTEN_FDS_START */
#define LISTEN_FDS_MAX   1024

static int socket_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

/* How many descriptors are for us. */
static unsigned listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	if (!pid || !fds || atol(pid) != (long)getpid())
		return 0;
	unsigned long n = strtoul(fds, NULL, 10);
	return n > LISTEN_FDS_MAX ? LISTEN_FDS_MAX : (unsigned)n;
}

/* $LISTEN_FDNAMES: one a descriptor, colons between them. */
static bool fd_name(unsigned i, char name[FD_NAME])
{
	const char *at = getenv("LISTEN_FDNAMES");
	if (i >= listen_fds())
		return false;
	for (; at && i; i--) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	size_t len = at ? strcspn(at, ":") : 0;
	len = len < FD_NAME ? len : 0;
	memcpy(name, len ? at : "", len);
	name[len] = 0;
	return true;
}

static bool is_stored(const char *name)
{
	return !strncmp(name, IN_STORE, strlen(IN_STORE));
}

int systemd_stored_next(unsigned *at, char name[static FD_NAME])
{
	while (fd_name(*at, name)) {
		int fd = LISTEN_FDS_START + (int)(*at)++;
		if (!is_stored(name))
			continue;
		memmove(name, name + strlen(IN_STORE), strlen(name + strlen(IN_STORE)) + 1);
		return fd;
	}
	return -ENOENT;
}

int systemd_stored(const char *name)
{
	char other[FD_NAME];
	unsigned at = 0;
	int fd;
	do
		fd = systemd_stored_next(&at, other);
	while (fd >= 0 && strcmp(name, other) != 0);
	return fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -errno;
}

static bool is_listening(int fd)
{
	return socket_option(fd, SO_DOMAIN) == AF_UNIX &&
	       socket_option(fd, SO_TYPE) == SOCK_SEQPACKET &&
	       socket_option(fd, SO_ACCEPTCONN) == 1;
}

int systemd_listen_fd(void)
{
	char name[FD_NAME];
	int found = -ENOENT;
	for (unsigned i = 0; fd_name(i, name); i++) {
		int fd = LISTEN_FDS_START + (int)i;
		if (is_stored(name))
			continue;
		if (found >= 0 || !is_listening(fd))
			return -EINVAL;
		found = fd;
	}
	if (found >= 0 && (fcntl(found, F_SETFD, FD_CLOEXEC) < 0 ||
			   fcntl(found, F_SETFL, O_NONBLOCK) < 0))
		return -errno;
	return found;
}
