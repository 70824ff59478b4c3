/*
 * monitor.c - telling what happens.
 */
#include "daemon/monitor.h"

#include <time.h>

#define EVENT_ROOM 2048 /* more than any has, were its texts all escapes */

void monitors_add(struct monitors *all, struct monitor *monitor, int fd)
{
	if (monitor->on)
		return;
	*monitor = (struct monitor){.next = all->first, .fd = fd, .on = true};
	all->first = monitor;
}

void monitors_remove(struct monitors *all, struct monitor *monitor)
{
	struct monitor **at = &all->first;
	while (*at && *at != monitor)
		at = &(*at)->next;
	if (*at)
		*at = monitor->next;
	monitor->on = false;
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool send_event(const struct monitor *monitor, const struct ecp_event *event)
{
	char text[EVENT_ROOM];
	ssize_t len = ecp_event_format(event, text, sizeof(text));
	return len > 0 && ecp_sock_send(monitor->fd, text, (size_t)len, NULL, 0) == 0;
}

/* What it has lost comes before what follows. */
static bool tell_lost(struct monitor *monitor)
{
	const struct ecp_event event = {
	    .type = ECP_EVENT_LOST, .time_us = now_us(), .n = monitor->lost};
	if (monitor->lost && send_event(monitor, &event))
		monitor->lost = 0;
	return !monitor->lost;
}

void monitors_tell(struct monitors *all, struct ecp_event *event)
{
	if (!all->first)
		return;
	event->time_us = now_us();
	for (struct monitor *m = all->first; m; m = m->next)
		m->lost += !tell_lost(m) || !send_event(m, event);
}

void monitors_tick(struct monitors *all)
{
	for (struct monitor *m = all->first; m; m = m->next)
		tell_lost(m);
}
