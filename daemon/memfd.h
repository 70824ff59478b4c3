/*
 * memfd.h - memory that is shared with clients: how it is made.
 *
 * Knows libc only.  Used by channel.c and counters.c.
 */
#ifndef MEMFD_H
#define MEMFD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A memfd of size bytes that does not shrink and cannot be sealed further, and grows only if grows,
 * by who can write it; or -errno.
 */
int memfd_new(const char *name, size_t size, bool grows);

/*
 * The same file, opened for reading only: its mode becomes 0400, so that nobody but the daemon's
 * own user can open or map it for writing again.  fd is closed in any case.  -errno if that fails.
 */
int memfd_reopen_readonly(int fd);

#endif
