/*
 * proc.c - counting in /proc.
 */
#include "tests/proc.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>

unsigned proc_count(pid_t pid, const char *what)
{
	char path[64];
	unsigned n = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, what);
	DIR *dir = opendir(path);
	ck_assert_msg(dir, "%s", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}
