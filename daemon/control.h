/*
 * control.h - the control socket: accepts clients, answers what they ask (proto/PROTOCOL.md).
 *
 * Knows client, and proto's messages; used by daemon.c.  One message per client and turn of
 * the loop, so a storm of claims from one does not delay the traffic of others.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include "daemon/client.h"

#define CONTROL_DATAPATHS 16

struct control {
	struct clients clients;
	struct datapath *datapaths; /* the daemon's */
	unsigned n_datapaths;
	int fd;
	struct loop_fd accept;
	time_t started;
	uint32_t pid;
	/* one request is served at a time: room for it, and for its answer */
	char text[ECP_MSG_MAX + 1];
	struct ecp_request request;
	struct ecp_reply reply;
};

/*
 * Serve on the listening socket fd, which it takes over.  0 or -errno (then fd is still the
 * caller's).  clients.max, clients.max_endpoints and clients.loop are set by the caller.
 */
int control_start(struct control *control, int fd, struct datapath *datapaths,
		  unsigned n_datapaths);
/* Ends every client. */
void control_stop(struct control *control);

/* control_show.c: a page of the list that is asked for; how many endpoints there are. */
void control_show(const struct control *control, const struct ecp_show_request *show,
		  struct ecp_page *page);
uint32_t control_count_endpoints(const struct control *control);

/* control_monitor.c: for root, and whoever the daemon runs as?  0, or -EPERM: what is not. */
int control_check_operator(const struct client *client, const char *what,
			   struct ecp_error *err);
int control_serve_monitor(struct control *control, struct client *client,
			  struct ecp_reply *reply, struct ecp_error *err);
/* Tell those who monitor of what control->reply is about to answer. */
void control_tell_request(const struct control *control, struct client *client);
/* Something may have changed about an interface: follow it, and tell whom it concerns. */
void control_look_at_interfaces(struct control *control);
/* Several times a second. */
void control_tick(struct control *control);

/* control_counters.c: make their memory, 0 or -errno; be rid of it. */
int control_start_counters(struct control *control);
void control_stop_counters(struct control *control);
/* Somebody has it: relays are to be shown (datapath_show()) as they count. */
bool control_is_looked_at(const struct control *control);
/* Several times a second: what is counted by others. */
void control_tick_counters(struct control *control);
int control_serve_counters(struct control *control, struct client *client,
			   struct ecp_reply *reply, struct ecp_error *err);

/* End the clients whose channels the datapath found broken. */
void control_end_broken(struct control *control);

#endif
