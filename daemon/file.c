/*
 * file.c - reading whole text files.
 */
#include "daemon/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1 << 20)

int file_error(const char *path, const struct ecp_error *why, struct ecp_error *err)
{
	if (why->code)
		ecp_error_set(err, why->code, "%.60s: %.130s", path, why->text);
	return err->code;
}

/* All of it, up to room bytes; or -errno. */
static ssize_t read_all(int fd, char *text, size_t room)
{
	size_t len = 0;
	ssize_t n = 1;
	while (n > 0 && len < room) {
		n = read(fd, text + len, room - len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* By system calls alone: standard I/O makes more of them than the daemon's filter lets pass. */
char *file_read(const char *path, size_t *len, struct ecp_error *err)
{
	struct ecp_error why = {0};
	char *text = malloc(FILE_MAX);
	int fd = text ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0) {
		ecp_error_set(err, -errno, "%s: %s", path, strerror(errno));
		free(text);
		return NULL;
	}
	ssize_t n = read_all(fd, text, FILE_MAX);
	close(fd);
	if (n < 0)
		ecp_error_set(&why, -EIO, "cannot be read");
	else if (n == FILE_MAX)
		ecp_error_set(&why, -EMSGSIZE, "longer than a megabyte");
	*len = n < 0 ? 0 : (size_t)n;
	if (file_error(path, &why, err) == 0)
		return text;
	free(text);
	return NULL;
}
