/*
 * peer.h - the client's end of a channel, bare: what tests of the daemon's end talk to, and
 * what hostile ones scribble over.
 */
#ifndef TEST_PEER_H
#define TEST_PEER_H

#include "daemon/channel.h"

struct peer {
	const struct ecp_daemon_page *d;
	struct ecp_client_page *c;
	struct ecp_in rx;
	struct ecp_out tx;
	int bell_rx, bell_tx, bell_tx_keep;
	uint64_t d_size, c_size;
};

/* Map what ch would send to its client; takes ch's copies of the descriptors. */
void peer_open(struct peer *peer, struct channel *ch);
void peer_close(struct peer *peer);

/* The next received record: 0 or 1; its head, aux and payload (in the ring). */
int peer_recv(struct peer *peer, struct ecp_record *head, struct ecp_rx_aux *aux,
	      const uint8_t **frame, uint32_t *len);
void peer_release(struct peer *peer); /* give back everything received */

/* Write one TX record.  False if the ring is full.  Shown to the daemon by peer_publish(). */
bool peer_send(struct peer *peer, uint32_t endpoint, uint32_t generation,
	       const uint8_t dst[6], uint16_t ethertype, const void *payload, uint32_t len);
/* True if it rang the bell. */
bool peer_publish(struct peer *peer);

#endif
