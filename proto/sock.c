/*
 * sock.c - SOCK_SEQPACKET and SCM_RIGHTS.
 */
#include "proto/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int fill_address(const char *path, struct sockaddr_un *addr)
{
	size_t len = strlen(path);
	if (len >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, len);
	return 0;
}

static int connect_to(const char *path, int type)
{
	struct sockaddr_un addr;
	int r = fill_address(path, &addr);
	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

#define SUFFIX ".sock"

/*
 * Is somebody at path?  A file that a dead daemon has left refuses; a living one says, without
 * being disturbed, that this is a socket of another type.
 */
static bool is_alive(const char *path)
{
	int fd = connect_to(path, SOCK_DGRAM);
	if (fd >= 0)
		close(fd);
	return fd != -ENOENT && fd != -ECONNREFUSED;
}

/* NAME.sock in the directory of sockets: the length of NAME; 0: it is none, or nobody is there. */
static int instance_len(const char *file)
{
	char path[ECP_SOCK_ROOM];
	size_t len = strlen(file), end = strlen(SUFFIX);
	if (len <= end || len >= ECP_SOCK_NAME || strcmp(file + len - end, SUFFIX) != 0)
		return 0;
	snprintf(path, sizeof(path), ECP_SOCK_DIR "/%.64s", file);
	return is_alive(path) ? (int)(len - end) : 0;
}

unsigned ecp_sock_instances(char *names, size_t room)
{
	DIR *dir = opendir(ECP_SOCK_DIR);
	const struct dirent *entry;
	unsigned n = 0;
	size_t used = 0;
	*names = 0;
	while (dir && (entry = readdir(dir))) {
		int len = instance_len(entry->d_name);
		if (!len)
			continue;
		int more = snprintf(names + used, room - used, "%s%.*s", n ? ", " : "", len,
				    entry->d_name);
		used = used + (size_t)more < room ? used + (size_t)more : room - 1;
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

char *ecp_sock_find(const char *ifname, char path[static ECP_SOCK_ROOM])
{
	char only[ECP_SOCK_NAME];
	const char *env = getenv("ETHERCONN_SOCKET");
	if (env && *env) {
		snprintf(path, ECP_SOCK_ROOM, "%s", env);
		return path;
	}
	snprintf(path, ECP_SOCK_ROOM, ECP_SOCK_DIR "/%.64s.sock", ifname ? ifname : "");
	if (!ifname || !*ifname || access(path, F_OK) < 0)
		snprintf(path, ECP_SOCK_ROOM, "%s", ECP_SOCK_PATH);
	if ((!ifname || !*ifname) && !is_alive(path) &&
	    ecp_sock_instances(only, sizeof(only)) == 1)
		snprintf(path, ECP_SOCK_ROOM, ECP_SOCK_DIR "/%s" SUFFIX, only);
	return path;
}

int ecp_sock_connect(const char *path)
{
	return connect_to(path, SOCK_SEQPACKET);
}

int ecp_sock_connect_now(const char *path)
{
	int fd = connect_to(path, SOCK_SEQPACKET | SOCK_NONBLOCK);
	if (fd < 0 ||
	    fcntl(fd, F_SETFL, 0) == 0) /* what is asked may wait for its answer */
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

/* Is there something at path, and may it go?  0: nothing is left there. */
static int clear_path(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	/* not to wait for a daemon that is alive but stuck, with its queue full */
	int fd = connect_to(path, SOCK_SEQPACKET | SOCK_NONBLOCK);
	/* only a refused connection says that nobody listens any more */
	if (fd != -ECONNREFUSED) {
		if (fd >= 0)
			close(fd);
		return fd == -EACCES ? fd : -EADDRINUSE;
	}
	return unlink(path) < 0 ? -errno : 0;
}

int ecp_sock_listen(const char *path, mode_t mode)
{
	struct sockaddr_un addr;
	int r = fill_address(path, &addr);
	if (r < 0)
		return r;
	r = clear_path(path);
	if (r < 0)
		return r;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* closed to all until it has the mode it should have */
	mode_t before = umask(0777);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(before);
	if (r < 0)
		goto fail;
	if (chmod(path, mode) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	r = -errno;
	unlink(path);
fail:
	close(fd);
	return r;
}

int ecp_sock_send(int fd, const void *msg, size_t len, const int *fds, unsigned n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * ECP_FDS_MAX)];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(size_t)msg, .iov_len = len};
	struct mmsghdr one = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	struct msghdr *hdr = &one.msg_hdr;
	if (n_fds > ECP_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		hdr->msg_control = &control;
		hdr->msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		struct cmsghdr *c = CMSG_FIRSTHDR(hdr);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	int n;
	do /* of the ways to send descriptors, the one that also sends bursts of frames */
		n = sendmmsg(fd, &one, 1, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Keep the first room descriptors of a message, close the rest.  Returns how many were kept. */
static unsigned take_fds(struct msghdr *hdr, int *fds, unsigned room)
{
	unsigned n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < room)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	return n;
}

ssize_t ecp_sock_recv(int fd, void *buf, size_t room, int *fds, unsigned *n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * ECP_FDS_MAX)];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = room};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	unsigned room_fds = 0;
	if (fds) {
		hdr.msg_control = &control;
		hdr.msg_controllen = sizeof(control);
		room_fds = *n_fds;
		*n_fds = 0;
	}
	ssize_t n;
	do
		n = recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	unsigned taken = fds ? take_fds(&hdr, fds, room_fds) : 0;
	if (hdr.msg_flags & MSG_TRUNC) {
		while (taken)
			close(fds[--taken]);
		n = -EMSGSIZE;
	}
	if (fds)
		*n_fds = taken;
	return n;
}
