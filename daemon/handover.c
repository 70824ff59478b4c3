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

void handover_begin(const char *interface)
{
	static const char *const whats[] = {HANDOVER_RX, HANDOVER_TX, HANDOVER_XDP,
					    HANDOVER_MAP};
	char name[NAME];
	for (unsigned i = 0; i < sizeof(whats) / sizeof(*whats); i++)
		systemd_store_remove(name_of(whats[i], interface, name));
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
