/*
 * client.h - one connected process: who it is, its channel, its endpoints.
 *
 * A client owns its socket, its channel and every endpoint it claimed; client_free() is the one
 * place where all of that ends, whatever the reason.  Knows datapath, loop, policy; used by
 * control.c (what it asks for) and daemon.c.  One thread.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "daemon/counters.h"
#include "daemon/datapath.h"
#include "daemon/denials.h"
#include "daemon/loop.h"
#include "daemon/monitor.h"
#include "daemon/policy.h"
#include "proto/msg.h"
#include "proto/pool.h"

/* All clients, and the limits that hold for each. */
struct clients {
	struct loop *loop;
	struct client *first;
	uint32_t n, max;
	struct counters counters;    /* of all; opened by the caller */
	uint32_t max_endpoints;      /* of one client */
	uint64_t memory, max_memory; /* bytes of all: rings, endpoints; max 0: no limit */
	uint32_t last_id;
	uint64_t session; /* this life of the daemon */
	uid_t uid;        /* who the daemon is once it serves */
	bool have_capture_group;
	gid_t capture_group;           /* who may be a default receiver, beside root */
	struct policy *policy;         /* ours; NULL: the default one */
	struct denials denials, ended; /* ended: refused as connections, too */
	struct monitors monitors;
};

struct client {
	struct clients *all;
	struct client *next, *prev;
	int fd;
	uint32_t id, pid;
	uid_t uid;
	gid_t gid;
	unsigned n_gids;
	gid_t *gids; /* all its groups */
	char comm[ECP_COMM];
	bool may_capture;
	struct bucket requests;
	uint64_t denied; /* how often */
	/* the first denial that monitors were not told of (code 0: none), and how many they were */
	struct ecp_error denial;
	uint64_t denied_told;
	struct monitor monitor;
	struct loop_fd request, bell;
	struct datapath *dp; /* NULL until it attaches */
	struct channel *channel;
	uint64_t memory;         /* its part of all->memory, until it ends */
	uint32_t charged;        /* endpoints in it: the most there ever were */
	struct ecp_pool pool;    /* of its endpoints */
	struct capture *capture; /* of these datapaths; then it has no channel */
	struct datapath *captured;
	unsigned n_captured;
	bool reads_counters;
	void *control; /* control.c's */
};

/*
 * Take over a connected socket.  on_request(client) runs when it is readable.  NULL if memory
 * runs out or all->max is reached (then fd is still the caller's).
 */
struct client *client_new(struct clients *all, int fd, loop_fn *on_request);
/*
 * End it, telling it not to come back: it has broken a rule.  why: one clause, for those who
 * monitor.  It reads no more of what was received for it.
 */
void client_end(struct client *client, const char *why);
/* So, too, but it may read what is there: its pages stay, uncounted, as long as it has them. */
void client_kill(struct client *client);
void client_free(struct client *client);  /* it hung up */
void client_leave(struct client *client); /* the daemon ends: it may come back to another */

/* Tell those who monitor; fills in who and where. */
void client_tell(const struct client *client, struct ecp_event *event);

/* The interface of dp is another than it was: tell its clients, and judge by its MTU. */
void clients_link_changed(struct clients *all, const struct datapath *dp);

/* The client with the lowest number above id, or NULL: for walking in pages. */
struct client *client_after(const struct clients *all, uint32_t id);

/* Counters over all its endpoints, closed ones included. */
struct ecp_endpoint_stats client_stats(const struct client *client);

/* It has asked for the counters, once: those that the kernel keeps are brought up to date from now on. */
void client_read_counters(struct client *client);

/*
 * What it may ask for.  Each returns 0, or err->code with one clear sentence in *err, and then
 * nothing has changed.
 */

/* Make the channel to dp.  Ring sizes in bytes, 0: default. */
int client_attach(struct client *client, struct datapath *dp, uint32_t rx_ring,
		  uint32_t tx_ring, struct ecp_error *err);

/*
 * Claim one endpoint.  earlier: the results of this request's items so far, which item->on may
 * point to.  Fills *ret, its error included.
 */
int client_open(struct client *client, const struct ecp_open_item *item,
		const struct ecp_opened *earlier, struct ecp_opened_item *ret);

/* The EtherTypes an L2 endpoint gets: those asked for, else IPv4 and IPv6.  How many. */
unsigned client_ethertypes(const struct ecp_open_item *item, const uint16_t **types);

/* Give an endpoint back, and the UDP endpoints on it.  False: there is none of that number. */
bool client_close(struct client *client, uint32_t id);

int client_set_local(struct client *client, uint32_t id, const struct ecp_addr *local,
		     struct ecp_error *err);

/*
 * client_capture.c: copy all frames of these datapaths to a capture of the client's.  Ring in
 * bytes, 0: default; snaplen 0: whole frames.  As above.
 */
int client_capture(struct client *client, struct datapath *dps, unsigned n, uint32_t ring,
		   uint32_t snaplen, struct ecp_error *err);
void client_capture_end(struct client *client);

/* A ring's size that is none is an error. */
int client_check_ring(const char *which, uint32_t size, struct ecp_error *err);

/*
 * So many bytes more of all clients' memory, for this one; they are given back when it ends.
 * 0, or -EDQUOT if there are not so many, which is counted and logged as a denial.
 */
int client_take_memory(struct client *client, uint64_t bytes, struct ecp_error *err);
void client_give_memory(struct client *client, uint64_t bytes); /* or before */

/* ---- client_policy.c: each 0, or err->code with *err set, as above ---- */

/* The policy for all that is claimed from now on; takes over the reference. */
void clients_set_policy(struct clients *all, struct policy *policy);

/* May it be one more of its user's connections? */
int client_admit(const struct client *client, struct ecp_error *err);
/* May it ask something now? */
int client_may_ask(struct client *client, struct ecp_error *err);
/* Count and log *err if it is the policy's. */
void client_denied(struct client *client, const struct ecp_error *err);

/* client.c's business: */
int client_join(struct client *client); /* 0 or -ENOMEM; fd, uid and gid are known */
void client_apply_limits(struct client *client);
/* Ring sizes of 0 become what may be had. */
int client_judge_attach(const struct client *client, const char *interface, uint32_t *rx,
			uint32_t *tx, struct ecp_error *err);
/* May it see what all others send and receive there?  A ring of 0 becomes what may be had. */
int client_judge_capture(const struct client *client, const char *interface, uint32_t *ring,
			 struct ecp_error *err);
/* local: of a UDP endpoint on the L2 endpoint ep, else NULL. */
int client_judge(const struct client *client, const struct endpoint *ep,
		 const struct ecp_addr *local, const struct policy_rule **rule,
		 struct ecp_error *err);
int client_judge_number(const struct client *client, const struct policy_rule *rule,
			struct ecp_error *err);

#endif
