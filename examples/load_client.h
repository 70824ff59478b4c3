/*
 * load_client.h - one of many DHCP clients on a relay: what it asks, and what comes back.
 *
 *             begin              OFFER                  ACK
 *   WAITING ---------> SELECTING -------> REQUESTING ---------> BOUND
 *      ^                ^    |                |                  |  ^
 *      |                +----+ no OFFER       |            renew |  | ACK
 *      +--------------------------------------+                  v  |
 *        NAK, or twice no ACK: anew, a little later             RENEWING
 *
 * Who is not answered asks again after 1, 2, 4, 8 s, more or less, and has FAILED 16 s later.
 * Those who wait stand in a wheel, one slot a millisecond, so thousands cost no more than one.
 */
#ifndef EXAMPLES_LOAD_CLIENT_H
#define EXAMPLES_LOAD_CLIENT_H

#include "examples/dhcp.h"

#include <etherconn.h>
#include <sys/queue.h>

#define LOAD_SECOND_NS 1000000000
#define LOAD_TRIES     5
#define LOAD_SLOTS     32768 /* more than the longest wait */

enum load_state {
	LOAD_WAITING,
	LOAD_SELECTING,
	LOAD_REQUESTING,
	LOAD_RENEWING,
	LOAD_BOUND,
	LOAD_FAILED,
};
enum load_reason { LOAD_NO_OFFER, LOAD_NO_ACK, LOAD_REFUSED, LOAD_NO_SEND, LOAD_N_REASONS };

struct load_client {
	TAILQ_ENTRY(load_client) queue;
	struct ec_udp *udp;
	uint8_t mac[6],
	    next_hop[6]; /* its own; the server's or a router's, to renew through */
	uint8_t state, reason, tries;
	uint32_t xid;
	struct dhcp_lease lease; /* or what was offered */
	int64_t began, due;
	uint32_t latency_us; /* from the first message to the ack */
};
TAILQ_HEAD(load_slot, load_client);

/* What all clients share. */
struct load {
	struct ec_relay *relay;
	struct load_slot *wheel; /* LOAD_SLOTS of them; who is due in a millisecond */
	int64_t hand;            /* the next millisecond to look at */
	uint32_t n_asking;       /* who stands in the wheel */
	uint64_t retries,
	    late; /* messages sent again; answers nobody waited for any more */
};

/* Set up the wheel; the caller frees it.  0 or -ENOMEM. */
int load_init(struct load *l);

/* Claim addr and port 68 on it.  0 or what the library says. */
int load_client_open(struct load *l, struct load_client *c, const struct ec_l2addr *addr);

/* Begin; failure is in the client's state. */
void load_client_lease(struct load *l, struct load_client *c, int64_t now);
void load_client_renew(struct load *l, struct load_client *c, int64_t now);
void load_client_release(struct load *l, struct load_client *c, int64_t now);

/* A frame for one of the clients. */
void load_take_frame(struct load *l, const struct ec_frame *f, int64_t now);
/* Ask again for those who have waited long enough. */
void load_ask_again(struct load *l, int64_t now);
/* When the next of them may have; no later than limit. */
int64_t load_next_due(const struct load *l, int64_t limit);

#endif
