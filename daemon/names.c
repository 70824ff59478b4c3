/*
 * names.c - the system's word while it may be asked, then that of two files and of memory.
 */
#include "daemon/names.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_ROOM 256 /* of a line's beginning: a name, a password, two numbers */

/* ---- what was found before ---- */

struct found {
	struct found *next;
	bool is_group;
	struct names_user ids; /* a group's is ids.gid */
	char name[];
};

static struct found *all_found;
static bool sealed;

static const struct found *recall(const char *name, bool is_group)
{
	const struct found *f = all_found;
	while (f && (f->is_group != is_group || strcmp(f->name, name)))
		f = f->next;
	return f;
}

/* Without memory for it, it is asked for in vain later: no reason to fail now. */
static void remember(const char *name, bool is_group, const struct names_user *ids)
{
	size_t len = strlen(name) + 1;
	struct found *f = recall(name, is_group) ? NULL : malloc(sizeof(*f) + len);
	if (!f)
		return;
	f->is_group = is_group;
	f->ids = *ids;
	memcpy(f->name, name, len);
	f->next = all_found;
	all_found = f;
}

/* ---- passwd(5), group(5) ---- */

struct lines {
	int fd;
	ssize_t at, n;
	char bytes[4096];
};

static int next_byte(struct lines *lines)
{
	if (lines->at == lines->n) {
		lines->n = read(lines->fd, lines->bytes, sizeof(lines->bytes));
		lines->at = 0;
	}
	return lines->n > 0 ? lines->bytes[lines->at++] : -1;
}

/* The beginning of the next line; the rest of it, a group's members, is skipped. */
static bool next_line(struct lines *lines, char line[static NAME_ROOM])
{
	size_t len = 0;
	int c = next_byte(lines);
	if (c < 0)
		return false;
	for (; c >= 0 && c != '\n'; c = next_byte(lines))
		if (len < NAME_ROOM - 1)
			line[len++] = (char)c;
	line[len] = 0;
	return true;
}

static bool take_number(char **rest, unsigned *ret)
{
	char *end = NULL, *text = strsep(rest, ":");
	if (!text || *text < '0' || *text > '9')
		return false;
	*ret = (unsigned)strtoul(text, &end, 10);
	return !*end;
}

/* "name:password:number:...", a user's second number being its group. */
static bool read_line(char *line, bool is_group, const char **name, struct names_user *ret)
{
	char *rest = line;
	unsigned first, second = 0;
	*name = strsep(&rest, ":");
	strsep(&rest, ":");
	if (!take_number(&rest, &first) || (!is_group && !take_number(&rest, &second)))
		return false;
	*ret = (struct names_user){.uid = first, .gid = is_group ? first : second};
	return true;
}

/* The line of name, or if that is NULL of uid. */
static bool search(const char *path, const char *name, uid_t uid, bool is_group,
		   struct names_user *ret)
{
	struct lines lines = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	char line[NAME_ROOM];
	const char *has;
	struct names_user ids;
	bool found = false;
	if (lines.fd < 0)
		return false;
	while (!found && next_line(&lines, line))
		found = read_line(line, is_group, &has, &ids) &&
			(name ? !strcmp(has, name) : ids.uid == uid);
	close(lines.fd);
	if (found)
		*ret = ids;
	return found;
}

static bool find_sealed(const char *path, const char *name, bool is_group,
			struct names_user *ret)
{
	const struct found *f;
	if (search(path, name, 0, is_group, ret))
		return true;
	f = recall(name, is_group);
	if (f)
		*ret = f->ids;
	return f;
}

/* ---- both ---- */

bool names_find_user(const char *name, struct names_user *ret)
{
	if (sealed)
		return find_sealed("/etc/passwd", name, false, ret);
	const struct passwd *user = getpwnam(name);
	if (!user)
		return false;
	*ret = (struct names_user){user->pw_uid, user->pw_gid};
	remember(name, false, ret);
	return true;
}

bool names_find_uid(uid_t uid, struct names_user *ret)
{
	if (sealed)
		return search("/etc/passwd", NULL, uid, false, ret);
	const struct passwd *user = getpwuid(uid);
	if (user)
		*ret = (struct names_user){user->pw_uid, user->pw_gid};
	return user;
}

bool names_find_group(const char *name, gid_t *ret)
{
	struct names_user ids = {0};
	if (sealed) {
		if (!find_sealed("/etc/group", name, true, &ids))
			return false;
	} else {
		const struct group *group = getgrnam(name);
		if (!group)
			return false;
		ids.gid = group->gr_gid;
		remember(name, true, &ids);
	}
	*ret = ids.gid;
	return true;
}

void names_seal(void)
{
	sealed = true;
}
