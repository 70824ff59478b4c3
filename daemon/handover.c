/*
 * handover.c - what descriptors are called, and who has them.
 */
#include "daemon/handover.h"

#include "daemon/systemd.h"

#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME 32
#define LAST "last-" /* of the daemon that ran, or runs */

/* Those whose closing takes long, and which another daemon does not need closed. */
static struct {
	char name[NAME];
	int fd; /* negative: we have none of that name, and nobody needs the one before */
} lasting[64];
static unsigned n_lasting, n_stored;

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

static void remember(int fd, const char *name)
{
	for (unsigned i = 0; i < n_lasting; i++)
		if (!strcmp(lasting[i].name, name))
			return;
	if (n_lasting == sizeof(lasting) / sizeof(*lasting))
		return;
	lasting[n_lasting].fd = fd;
	snprintf(lasting[n_lasting++].name, NAME, "%.*s", NAME - 1, name);
}

int handover_take(const char *what, const char *interface)
{
	char name[NAME], last[sizeof(LAST) + NAME];
	int fd = systemd_stored(name_of(what, interface, name));
	snprintf(last, sizeof(last), LAST "%s", name);
	if (fd >= 0 && (!strcmp(what, HANDOVER_RX) || !strcmp(what, HANDOVER_TX)))
		remember(fd, last);
	return fd;
}

/* It takes no more frames, and systemd is the last to have it. */
static void part_with(int fd)
{
	struct sock_filter none[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	const struct sock_fprog program = {.len = 1, .filter = none};
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	close(fd);
}

void handover_end(void)
{
	char name[SYSTEMD_FD_NAME];
	unsigned at = 0;
	int fd;
	while ((fd = systemd_stored_next(&at, name)) >= 0)
		if (!strncmp(name, LAST, strlen(LAST))) {
			part_with(fd);
			remember(-1, name);
		} else {
			systemd_store_remove(name);
		}
}

void handover_keep(void)
{
	if (n_stored < n_lasting &&
	    systemd_store_again(lasting[n_stored].fd, lasting[n_stored].name) == 0)
		n_stored++;
}
