/*
 * memfd.c - sealed memory, and a view of it that cannot be written.
 */
#include "daemon/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int memfd_new(const char *name, size_t size, bool grows)
{
	int seals = F_SEAL_SHRINK | F_SEAL_SEAL | (grows ? 0 : F_SEAL_GROW);
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, seals) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

int memfd_reopen_readonly(int fd)
{
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int ro = fchmod(fd, 0400) == 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	int r = ro < 0 ? -errno : ro;
	close(fd);
	return r;
}
