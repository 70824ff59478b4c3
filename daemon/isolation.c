/*
 * isolation.c - giving up what start-up needed.
 *
 * The order matters: the bounding set and foreign uids can only be changed while we still hold
 * the capabilities for it; no_new_privs comes last but one, so that nothing before it can be
 * undone by an exec; then we look whether it is really so.
 */
#include "daemon/isolation.h"

#include "daemon/names.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_WORDS _LINUX_CAPABILITY_U32S_3

/* ---- names ---- */

static bool parse_number(const char *text, unsigned long *ret)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	*ret = strtoul(text, &end, 10);
	return !*end && *ret < (uid_t)-1;
}

int isolation_parse_group(const char *text, gid_t *ret)
{
	unsigned long number;
	if (names_find_group(text, ret))
		return 0;
	if (!parse_number(text, &number))
		return -ENOENT;
	*ret = (gid_t)number;
	return 0;
}

static int parse_user_alone(const char *text, struct isolation_user *ret)
{
	unsigned long number;
	struct names_user found;
	if (!names_find_user(text, &found)) {
		if (!parse_number(text, &number))
			return -ENOENT;
		if (!names_find_uid((uid_t)number, &found))
			found = (struct names_user){(uid_t)number, (gid_t)number};
	}
	*ret = (struct isolation_user){found.uid, found.gid};
	return 0;
}

int isolation_parse_user(const char *text, struct isolation_user *ret)
{
	char name[64];
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	if (len == 0 || len >= sizeof(name))
		return -ENOENT;
	memcpy(name, text, len);
	name[len] = 0;
	struct isolation_user found;
	int r = parse_user_alone(name, &found);
	if (r == 0 && colon)
		r = isolation_parse_group(colon + 1, &found.gid);
	if (r == 0)
		*ret = found;
	return r;
}

/* ---- capabilities ---- */

/* capget(2), capset(2): version 3 keeps each set in two words. */
static int caps_get(struct __user_cap_data_struct caps[static CAP_WORDS])
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	return syscall(SYS_capget, &head, caps) < 0 ? -errno : 0;
}

static bool caps_has(unsigned cap)
{
	struct __user_cap_data_struct caps[CAP_WORDS] = {0};
	return caps_get(caps) == 0 && caps[cap / 32].effective & 1u << cap % 32;
}

bool isolation_has_net_raw(void)
{
	return caps_has(CAP_NET_RAW);
}

/* Without CAP_SETPCAP we cannot, and with no_new_privs it matters no more. */
static void drop_bounding_set(void)
{
	if (!caps_has(CAP_SETPCAP))
		return;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

static bool caps_are_none(void)
{
	struct __user_cap_data_struct caps[CAP_WORDS];
	uint32_t any = 0;
	if (caps_get(caps) < 0)
		return false;
	for (unsigned i = 0; i < CAP_WORDS; i++)
		any |= caps[i].effective | caps[i].permitted | caps[i].inheritable;
	return any == 0;
}

/* A process that began without may be forbidden to ask. */
static int caps_clear(void)
{
	if (caps_are_none())
		return 0;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[CAP_WORDS] = {0};
	return syscall(SYS_capset, &head, none) < 0 ? -errno : 0;
}

/* ---- all of it ---- */

static int become(const struct isolation_user *user)
{
	if (setgroups(0, NULL) < 0 || setresgid(user->gid, user->gid, user->gid) < 0 ||
	    setresuid(user->uid, user->uid, user->uid) < 0)
		return -errno;
	return 0;
}

/*
 * PR_SET_DUMPABLE stays as it is: without it /proc/self/fd belongs to root, and the channels
 * could no longer reopen their memory read-only for clients.  (A change of uid has cleared it,
 * so it is set again.)
 */
int isolation_enter(const struct isolation_user *user)
{
	bool already = user && user->uid == getuid() && user->gid == getgid();
	drop_bounding_set();
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	int r = user && !already ? become(user) : 0;
	if (r == 0)
		r = caps_clear();
	if (r == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return r;
	bool right_user = !user || (getuid() == user->uid && geteuid() == user->uid);
	return right_user && caps_are_none() ? 0 : -EPERM;
}
