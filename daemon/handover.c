/*
 * handover.c - what descriptors are called, and who has them.
 */
#include "daemon/handover.h"

#include "daemon/systemd.h"

#include <stdio.h>

#define NAME 32

static const char *name_of(const char *what, const char *interface, char name[static NAME])
{
	snprintf(name, NAME, "%s-%s", what, interface);
	return name;
}

int handover_give(int fd, const char *what, const char *interface)
{
	char name[NAME];
	return systemd_store(fd, name_of(what, interface, name));
}

int handover_wait(void)
{
	return systemd_barrier();
}

bool handover_has(const char *what, const char *interface)
{
	char name[NAME];
	return systemd_stored(name_of(what, interface, name)) >= 0;
}

int handover_take(const char *what, const char *interface)
{
	char name[NAME];
	return systemd_stored(name_of(what, interface, name));
}

void handover_end(void)
{
	systemd_forget_stored();
}
