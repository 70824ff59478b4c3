/*
 * systemd.c - datagrams to $NOTIFY_SOCKET, one descriptor from $LISTEN_FDS.
 *
 * Some lines of our own instead of libsystemd, which would bring its dependencies into the one
 * program here that starts with a privilege.
 */
#include "daemon/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
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

int systemd_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	if (!path)
		return 0;
	size_t len = strlen(path);
	if (len < 2 || len >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -EINVAL;
	memcpy(addr.sun_path, path, len);
	if (addr.sun_path[0] == '@') /* an abstract name begins with a zero byte */
		addr.sun_path[0] = 0;
	int fd = notify_socket();
	if (fd < 0)
		return fd;
	socklen_t addr_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
			   (struct sockaddr *)&addr, addr_len);
	return n < 0 ? -errno : 0;
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

static int socket_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -1 : value;
}

int systemd_listen_fd(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int fd = LISTEN_FDS_START;
	if (!pid || !fds || atol(pid) != (long)getpid())
		return -ENOENT;
	if (strcmp(fds, "1") || socket_option(fd, SO_DOMAIN) != AF_UNIX ||
	    socket_option(fd, SO_TYPE) != SOCK_SEQPACKET ||
	    socket_option(fd, SO_ACCEPTCONN) != 1)
		return -EINVAL;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return fd;
}
