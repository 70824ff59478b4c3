/*
 * names.h - users and groups by name.
 *
 * Until names_seal() whoever the system asks is asked (nsswitch.conf(5)), which may load
 * libraries and talk to other daemons.  After it, when the daemon's filter lets neither happen:
 * /etc/passwd and /etc/group, then what was found before.  Knows libc; used by isolation.c.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <sys/types.h>

struct names_user {
	uid_t uid;
	gid_t gid; /* its primary group */
};

bool names_find_user(const char *name, struct names_user *ret);
bool names_find_uid(uid_t uid, struct names_user *ret);
bool names_find_group(const char *name, gid_t *ret);

/* From now on by reading files alone.  There is no way back. */
void names_seal(void);

#endif
