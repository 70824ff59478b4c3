/*
 * inside.h - a datapath and its clients in the test's own process.
 *
 *   test --relay_memory_push()--> dp.relay -> dp -> rings --peer_recv()--> test
 *
 * The test stands at both ends: it is the network of tests/relay_memory.h, and each client is a
 * peer of tests/peer.h.  What should be there and is not, ends the program.
 */
#ifndef TEST_INSIDE_H
#define TEST_INSIDE_H

#include "daemon/client.h"
#include "tests/peer.h"
#include "tests/relay_memory.h"

extern struct datapath dp;
extern struct clients clients;

void inside_start(uint32_t max_clients, uint32_t max_endpoints);
void inside_stop(void); /* its clients are gone, too; their peers stay */

/* One that has connected; *far_end is its end of the socket. */
struct client *inside_client(int *far_end);
/* It has attached, and peer has its end of the rings. */
void inside_attach(struct client *client, struct peer *peer, uint32_t rx_ring,
		   uint32_t tx_ring);

struct endpoint *open_item(struct client *client, struct ecp_open_item item);
struct endpoint *open_l2(struct client *client, const char *addr, unsigned flags);
struct endpoint *open_udp(struct client *client, const struct endpoint *l2,
			  const char *local, unsigned flags);

/* One rule for whoever runs this: ",\"ips\":[\"10.0.0.0/8\"]". */
void set_policy(const char *rest);

#endif
