/*
 * isolation.h - what the daemon gives up once everything is open: user, groups, capabilities,
 * the chance to gain any again.  Knows libc and the kernel's capability ABI.
 */
#ifndef ISOLATION_H
#define ISOLATION_H

#include <stdbool.h>
#include <sys/types.h>

struct isolation_user {
	uid_t uid;
	gid_t gid;
};

/*
 * "name", "uid", "name:group" or "uid:gid".  0, or -ENOENT if no such user or group exists.
 * Without a group: the user's own, or for a bare uid without an account a gid of the same number.
 */
int isolation_parse_user(const char *text, struct isolation_user *ret);
/* A group by name or number.  0 or -ENOENT. */
int isolation_parse_group(const char *text, gid_t *ret);

bool isolation_has_net_raw(void); /* is CAP_NET_RAW effective? */

/*
 * Become user (NULL: stay who we are), drop every supplementary group when user is given, drop
 * all capabilities from every set and the ambient set, set no_new_privs.
 * Irreversible; capabilities are the calling thread's, so there must be just one.  0 or -errno; after a failure the process must end.
 */
int isolation_enter(const struct isolation_user *user);

#endif
