/*
 * stats.h - every counter once: name, what it is to the sum, what it means.
 *
 * Structs, JSON, the tables of etherconnctl and the man page are made from these lists, so a
 * new counter is one row.  X(name, kind, text); kinds:
 *   in      frames that came: the left side of the identity
 *   out     frames delivered: right side
 *   drop    frames dropped, by reason: right side
 *   extra   counted apart; in no identity
 *
 * Relay, receive:  rx_offered = rx + rx_multicast + rx_default + every rx drop  (exactly)
 * Relay, send:     tx_offered = tx + every tx drop                        (exactly)
 * A multicast frame is one frame here however many clients got it: copies are counted apart.
 */
#ifndef ECP_STATS_H
#define ECP_STATS_H

#include <stdint.h>

#define ECP_RELAY_COUNTERS(X)                                                              \
	X(rx_offered, in, "frames taken from the interface")                               \
	X(rx, out, "unicast frames delivered to a client")                                 \
	X(rx_multicast, out,                                                               \
	  "multicast and broadcast frames delivered to at least one client")               \
	X(rx_default, out, "frames nobody claims, delivered to a default receiver")        \
	X(rx_runt, drop, "shorter than their headers say")                                 \
	X(rx_vlan_depth, drop, "more than two VLAN tags")                                  \
	X(rx_bad_ip, drop, "IP header cut short or wrong about a length")                  \
	X(rx_bad_udp, drop, "UDP header cut short or wrong about its length")              \
	X(rx_oversize, drop, "longer than the receive ring's frames (GRO or GSO is on)")   \
	X(rx_miss, drop, "unicast frames that no endpoint claims")                         \
	X(rx_multicast_ignored, drop, "multicast frames that no endpoint asked for")       \
	X(rx_buffer_full, drop,                                                            \
	  "the receiving client's ring, or its share of it, was full")                     \
	X(rx_bytes, extra, "bytes of the frames delivered")                                \
	X(rx_copies, extra,                                                                \
	  "records for multicast frames, and for sharers beyond the first")                \
	X(rx_copies_full, extra, "such records that found a full ring")                    \
	X(rx_kernel_drops, extra, "frames the kernel dropped before we saw them")          \
	X(rx_filtered, extra, "frames nobody claims, dropped in the kernel")               \
	X(tx_offered, in, "frames clients asked to send")                                  \
	X(tx, out, "frames handed to the interface")                                       \
	X(tx_closed, drop, "from an endpoint that is closed")                              \
	X(tx_invalid, drop, "of a form that may not be sent (EtherType, destination)")     \
	X(tx_oversize, drop, "longer than the interface's MTU allows")                     \
	X(tx_spoofed, drop, "not from the address its UDP endpoint claims")                \
	X(tx_denied, drop, "not of a kind that the policy lets its endpoint send")         \
	X(tx_limited, drop, "beyond the frames per second of its client's policy")         \
	X(tx_down, drop, "the interface was down")                                         \
	X(tx_error, drop, "refused by the kernel for another reason")                      \
	X(tx_bytes, extra, "bytes of the frames sent")

/* Per endpoint; a client's are the sums over its endpoints, closed ones included. */
#define ECP_ENDPOINT_RX_COUNTERS(X)                                                        \
	X(rx, out, "unicast frames delivered")                                             \
	X(rx_bytes, extra, "bytes of the frames delivered")                                \
	X(rx_buffer_full, drop, "frames for it that found its share of the ring full")
#define ECP_ENDPOINT_TX_COUNTERS(X)                                                        \
	X(tx, out, "frames sent")                                                          \
	X(tx_bytes, extra, "bytes of the frames sent")                                     \
	X(tx_dropped, drop, "frames from it that were not sent; the relay counts why")
#define ECP_ENDPOINT_COUNTERS(X) ECP_ENDPOINT_RX_COUNTERS(X) ECP_ENDPOINT_TX_COUNTERS(X)

#define ECP_COUNTER_MEMBER(name, kind, text) uint64_t name;

struct ecp_relay_stats {
	ECP_RELAY_COUNTERS(ECP_COUNTER_MEMBER)
};

struct ecp_endpoint_stats {
	ECP_ENDPOINT_COUNTERS(ECP_COUNTER_MEMBER)
};

/* One counter, for whoever walks a list of them. */
enum ecp_counter_kind {
	ECP_COUNTER_in,
	ECP_COUNTER_out,
	ECP_COUNTER_drop,
	ECP_COUNTER_extra
};

struct ecp_counter {
	const char *name, *text;
	enum ecp_counter_kind kind;
	unsigned offset; /* in its struct */
};

#define ECP_COUNTER_COUNT(name, kind, text) +1
enum {
	ECP_N_RELAY_COUNTERS = 0 ECP_RELAY_COUNTERS(ECP_COUNTER_COUNT),
	ECP_N_ENDPOINT_COUNTERS = 0 ECP_ENDPOINT_COUNTERS(ECP_COUNTER_COUNT),
};

extern const struct ecp_counter ecp_relay_counters[ECP_N_RELAY_COUNTERS];
extern const struct ecp_counter ecp_endpoint_counters[ECP_N_ENDPOINT_COUNTERS];

/* The value of counter c in the stats struct at stats. */
static inline uint64_t ecp_counter_get(const struct ecp_counter *c, const void *stats)
{
	return *(const uint64_t *)((const char *)stats + c->offset);
}

static inline void ecp_counter_set(const struct ecp_counter *c, void *stats, uint64_t value)
{
	*(uint64_t *)((char *)stats + c->offset) = value;
}

#endif
