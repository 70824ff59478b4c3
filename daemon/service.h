/*
 * service.h - what systemd is told while the daemon runs: that it serves, for whom, and that it
 * is alive.  Knows control, systemd; used by daemon.c and main.c.  One thread.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "daemon/control.h"

/* The line of `systemctl status`; the names of sixteen relays are 270 bytes of it. */
#define SERVICE_STATUS 512

struct service {
	const struct control *control;
	char status[SERVICE_STATUS]; /* as last told */
	uint64_t told_ns;
	char trouble[ECP_ERROR_TEXT]; /* that the administrator should see; "": none */
};

/* The daemon serves: READY=1.  control outlives the service. */
void service_ready(struct service *service, const struct control *control);
/* Tell the status if it has changed, once a second at most; to be called a few times in it. */
void service_tick(struct service *service, uint64_t now_ns);
/* It could not start, for this reason. */
void service_failed(const char *why);

/*
 * Have the loop tell that it turns, twice in the time after which systemd would end us.
 * Nothing to do if nobody watches.  0 or -ENOMEM.
 */
int service_watchdog_start(struct loop *loop);

#endif
