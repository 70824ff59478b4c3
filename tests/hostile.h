/*
 * hostile.h - a client that speaks the control protocol by itself, without the library, so that
 * it may write whatever it likes wherever it can.
 */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include "proto/channel.h"
#include "proto/msg.h"

struct hostile {
	int control;
	int fds[ECP_N_CHANNEL_FDS];
	const struct ecp_daemon_page *d;
	struct ecp_client_page *c;
	uint32_t ring_size; /* of both */
	uint8_t *ring;      /* TX */
	uint64_t written;
	uint32_t id[2], generation[2]; /* an L2 endpoint, and a UDP endpoint on it */
};

/*
 * Connect to the daemon at path and attach with the smallest rings.  0, or -errno: the daemon
 * may have no place left.
 */
int hostile_open(struct hostile *h, const char *path);
int hostile_open_with(struct hostile *h, const char *path, uint32_t ring_size);
extern struct ecp_error hostile_refusal; /* what the daemon said when it had none */
void hostile_close(struct hostile *h);

/* Claim an L2 endpoint with multicast at a MAC made of number, and 10.9.9.9:9 on it.  0 or -errno. */
int hostile_claim(struct hostile *h, unsigned number);

/* Ask, and have the answer's type; *rep is static.  -errno when there is none. */
int hostile_ask(struct hostile *h, const struct ecp_request *req, struct ecp_reply **rep);
/* The descriptor of the daemon's counters, or -errno. */
int hostile_counters(struct hostile *h);

/* Has the daemon ended the connection?  Waits so long for it; replies are thrown away. */
bool hostile_is_ended(struct hostile *h, int timeout_ms);

/* A record as its head says, or as much of it as there is in the ring; not yet shown. */
void hostile_write(struct hostile *h, const struct ecp_record *head,
		   const struct ecp_tx_aux *aux, const void *payload, uint32_t len);
void hostile_show(struct hostile *h); /* the index, and the bell in any case */

#endif
