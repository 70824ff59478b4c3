/*
 * relay_memory.h - a relay without a kernel: the datapath's back-end in tests and benchmarks.
 *
 * Frames are pushed in on one side, what is sent is kept on the other; both can be written to
 * a .pcap file that tcpdump and Wireshark open.  One thread.
 */
#ifndef RELAY_MEMORY_H
#define RELAY_MEMORY_H

#include "daemon/relay.h"

extern const struct relay_ops relay_memory_ops;

/* Defaults of the interface it pretends to be; change relay->netif after opening. */
#define RELAY_MEMORY_NAME "mem0"
#define RELAY_MEMORY_MTU  1500

/* The next frame to receive (copied).  tag may be NULL.  flags: enum relay_frame_flags. */
void relay_memory_push(struct relay *relay, const void *data, uint32_t len,
		       const struct ecp_tag *tag, uint32_t flags);
/*
 * Receive these n frames over and over, times in all, without copying (benchmarks): frames
 * stay the caller's.
 */
void relay_memory_loop(struct relay *relay, const struct relay_frame *frames, uint32_t n,
		       uint64_t times);

/* How many frames were sent, and the i-th of them; kept up to RELAY_MEMORY_KEPT. */
#define RELAY_MEMORY_KEPT 4096
uint64_t relay_memory_n_sent(const struct relay *relay);
const uint8_t *relay_memory_sent(const struct relay *relay, unsigned i, uint32_t *len);
void relay_memory_forget_sent(struct relay *relay);

/* From now on whatever is sent comes back as received, its outer tag beside it. */
void relay_memory_reflect(struct relay *relay, bool reflect);

/* From now on tx_submit fails: every frame counts as tx_down. */
void relay_memory_set_down(struct relay *relay, bool down);

/* Write everything received and sent from now on to a pcap file at path.  0 or -errno. */
int relay_memory_record(struct relay *relay, const char *path);

#endif
