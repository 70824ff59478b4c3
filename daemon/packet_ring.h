/*
 * packet_ring.h - the receiving half of the af_packet back-ends: a ring shared with the kernel.
 *
 *   version 2   | slot | slot | slot | ...     a frame each, handed over at once
 *   version 3   | block        | block | ...   frames end to end, a block handed over when it is
 *                                              full or a millisecond old
 *
 * Version 2 for whoever waits for an answer; version 3 carries a third more at a quarter of the
 * CPU, a millisecond late.  Knows linux/if_packet.h; used by relay_afpacket.c.  One thread.
 */
#ifndef PACKET_RING_H
#define PACKET_RING_H

#include "daemon/relay.h"

struct packet_ring {
	int version, fd;
	uint8_t *memory;
	size_t size;
	bool down; /* the kernel has told us so, and nothing since to the contrary */
	bool promiscuous;
	uint32_t frame_size, ring_frames; /* as configured */
	uint64_t arrived,
	    taken;      /* frames: put into the ring, out of it; up to the last look */
	uint64_t drops; /* ... and neither, not yet asked for */
	/* version 2 */
	uint32_t slot_size, n_slots;
	/* the slot, or block, to look at next */
	uint32_t at;
	uint32_t lent; /* version 2: slots from there that the caller looks at */
	/* version 3: what is left of the block, and whether the caller has its end */
	uint32_t left;
	const uint8_t *next;
	bool at_end;
};

/* A socket that receives nothing yet: protocol 0.  Its descriptor, or -errno. */
int packet_socket(void);
/* The same, of what was handed over if there is one: what is as in handover.h. */
int packet_socket_for(const char *what, const char *interface);
/* Name its interface; protocol in host order, 0 to send only.  0 or -errno. */
int packet_socket_bind(int fd, int ifindex, uint16_t protocol);
/*
 * Have the interface hand over frames for others: all of them, or every multicast address.
 * Ends with the socket, however we die, and with the interface.
 */
int packet_socket_join(int fd, int ifindex, bool promiscuous);

/* version 2 or 3.  0 or -errno, with *why a clause that says more. */
int packet_ring_open(struct packet_ring *ring, int version,
		     const struct relay_config *config, const struct netif *netif,
		     const char **why);
void packet_ring_close(struct packet_ring *ring);

/*
 * Go on with an interface that was made again, or has another MTU.  Needs no privilege.  0 or
 * -errno, and then it is to be called again.  Frames in a ring that is made larger are lost, and
 * counted (packet_ring_drops); for some milliseconds the socket is deaf then.
 */
int packet_ring_follow(struct packet_ring *ring, const struct netif *was,
		       const struct netif *now);

/* As rx_peek and rx_release of struct relay_ops. */
int packet_ring_peek(struct packet_ring *ring, const struct netif *netif, bool silent,
		     struct relay_frame *frames, unsigned max);
void packet_ring_release(struct packet_ring *ring);

/* How many frames were dropped before anybody saw them, since the last call. */
uint64_t packet_ring_drops(struct packet_ring *ring);

#endif
