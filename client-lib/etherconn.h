/*
 * etherconn.h - libetherconn: virtual Ethernet and UDP endpoints, without privileges.
 *
 *   interface <-> etherconnd <=rings=> ec_relay <-> ec_l2 <-> ec_udp
 *
 * A relay handle is one connection to the daemon, attached to one interface.  An L2 endpoint
 * is a MAC address, up to two VLAN tags and a set of EtherTypes; UDP endpoints stand on it.
 * None of these need exist in the operating system.
 *
 * Functions return 0, a length or a count; errors are negative errno values (ec_error_text()
 * says more about the last one in this thread).  A relay and everything on it belong to one
 * thread at a time; open several relays to use several threads.  Parents own their children:
 * ec_relay_close() closes and frees every endpoint on it, ec_l2_close() its UDP endpoints.
 * What was sent before a close is still sent, but for datagrams that still wait for their next
 * hop: ec_relay_close() waits for those, a second at most, every other close loses them.
 * Times are nanoseconds.
 */
#ifndef ETHERCONN_H
#define ETHERCONN_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ec_relay;
struct ec_l2;
struct ec_udp;

#define EC_VLANS_MAX      2
#define EC_ETHERTYPES_MAX 16
#define EC_ETHERTYPE_LLC  0x0001 /* stands for every 802.3 length */

/* One VLAN tag (IEEE 802.1Q). */
struct ec_vlan {
	uint16_t id;   /* 0..4095 */
	uint16_t tpid; /* 0x8100 (also when 0 is given), 0x88a8 or 0x9100 */
	uint8_t pcp;   /* 0..7 */
	uint8_t dei;   /* 0..1 */
};

/* Where an L2 endpoint lives: MAC address and tags, outermost first. */
struct ec_l2addr {
	uint8_t mac[6];
	uint8_t n_vlans;
	struct ec_vlan vlans[EC_VLANS_MAX];
};

/*
 * "02:00:00:00:00:01", "02:00:00:00:00:01|100", "02:00:00:00:00:01|100|200" (outermost first), also
 * as etherconn writes them.  0 or -EINVAL with *addr untouched.
 */
int ec_l2addr_parse(const char *text, struct ec_l2addr *addr);
/* The same form; text needs EC_L2ADDR_TEXT bytes and is returned. */
#define EC_L2ADDR_TEXT 40
char *ec_l2addr_format(const struct ec_l2addr *addr, char *text);

/* Sentence about the last error in this thread; never NULL, valid until the next failing call. */
const char *ec_error_text(void);
const char *ec_version(void); /* "0.1.0" */

/* ---- relay: the connection ---- */

/* Options start as EC_RELAY_OPTS; fields left 0 mean the default. */
struct ec_relay_opts {
	size_t size; /* of this struct; set by EC_RELAY_OPTS */
	/* default: $ETHERCONN_SOCKET; else /run/etherconnd/IFNAME.sock where it exists; else
	 * /run/etherconnd/etherconnd.sock; without an interface, and where that is not there, the
	 * only socket of that directory */
	const char *socket;
	uint32_t rx_ring; /* bytes, power of two, 64 KiB..64 MiB; default 4 MiB */
	uint32_t tx_ring; /* default 1 MiB */
	/* frames held per endpoint while another one is read; default 1024 */
	uint32_t queue_depth;
	/* before a receiving call sleeps it looks again and again for so many microseconds: for
	 * answers within ten of them, where this process has a core to itself; default 0 */
	uint32_t spin_us;
	/* when the daemon has died or is restarted: how long to look for the next one before the
	 * relay is over; default 30 s; negative: not at all */
	int reconnect_ms;
	/* bytes that all those held frames may take together; default 64 MiB */
	uint64_t queue_bytes;
};
#define EC_RELAY_OPTS                                                                      \
                                                                                           \
	{                                                                                  \
		.size = sizeof(struct ec_relay_opts)                                       \
	}

/*
 * Connect to the daemon that owns ifname (NULL: its only interface) and set up the rings.
 * 0 with *ret, or -ENOENT/-ECONNREFUSED (no daemon there), -EACCES (not in the socket's
 * group), -ENODEV (it does not serve that interface), -EPROTO (version), -ENOMEM ...
 */
int ec_relay_open(struct ec_relay **ret, const char *ifname,
		  const struct ec_relay_opts *opts);
/* With all that stands on it.  Waits, a second at most, for the next hops of datagrams.  NULL is
 * allowed. */
void ec_relay_close(struct ec_relay *relay);

/*
 * Which daemon this is: 1 at first, one more for each that the relay was attached to again.
 *
 * A daemon that dies or is restarted is no error.  The relay finds the next one and claims its
 * endpoints again, within the receiving and sending calls; those that wait go on waiting, others
 * say -EAGAIN, and ec_relay_fd() is readable when there is something to do.  What stood in the
 * TX ring is lost (tx_lost).  An endpoint that the new daemon refuses is asked for every second
 * (unclaimed); meanwhile nothing comes to it, and its sends say -ENODEV.
 */
uint32_t ec_relay_generation(const struct ec_relay *relay);

/*
 * Make every call on the relay that waits, now or later, return -ESHUTDOWN: what another thread
 * or a signal handler may do before the owner closes it.
 */
void ec_relay_stop(struct ec_relay *relay);

const char *ec_relay_ifname(const struct ec_relay *relay);

/* The interface, as the daemon last said. */
struct ec_link {
	uint32_t changes; /* how often up, mtu or mac have become others */
	uint32_t mtu;
	bool up; /* switched on, and with a carrier; else sends say -ENETDOWN */
	uint8_t mac[6];
};
/*
 * How is it now?  ec_relay_fd() becomes readable once when something changes, until the next
 * receiving call; calls that wait go on waiting, for it may come back.
 */
void ec_relay_link(struct ec_relay *relay, struct ec_link *ret);
uint32_t ec_relay_mtu(const struct ec_relay *relay); /* the same mtu */

/*
 * A descriptor that is readable while something may be received on any endpoint of the relay,
 * level-triggered: leave frames unread and it stays readable.  For poll, epoll, libev; do not
 * read from it.  The relay's own; -errno if it cannot be made.
 */
int ec_relay_fd(struct ec_relay *relay);

enum ec_frame_flags {
	EC_FRAME_MULTICAST = 1 << 0, /* destination is a group or broadcast address */
	EC_FRAME_FRAGMENT = 1 << 1,  /* part of a fragmented IP packet */
	EC_FRAME_UDP = 1 << 2,       /* payload is that of a whole UDP datagram */
};

/*
 * A received frame.  The pointers lead into the ring and are valid until the next receiving
 * call on the relay or ec_relay_release().
 */
struct ec_frame {
	struct ec_l2 *l2;    /* the endpoint it came for; for UDP the one beneath */
	struct ec_udp *udp;  /* NULL: for the L2 endpoint itself */
	void *user;          /* that endpoint's user pointer */
	const uint8_t *data; /* whole frame with all tags, without FCS */
	const uint8_t *l3;   /* behind the tags */
	const uint8_t *
	    payload; /* behind UDP's header; of other IP protocols: layer 4 itself; or NULL */
	uint32_t len, l3_len, payload_len;
	uint32_t flags;     /* enum ec_frame_flags */
	uint64_t time_ns;   /* when the kernel saw it, CLOCK_REALTIME */
	uint16_t ethertype; /* behind the last tag */
	uint8_t protocol;   /* IP protocol, 0 where there is no IP */
	uint8_t n_vlans;
};

/* The frame's tags, outermost first: returns how many. */
unsigned ec_frame_vlans(const struct ec_frame *frame, struct ec_vlan vlans[EC_VLANS_MAX]);
const uint8_t *ec_frame_src_mac(const struct ec_frame *frame); /* 6 bytes in the frame */
const uint8_t *ec_frame_dst_mac(const struct ec_frame *frame);
/* IP source and destination, with UDP's, TCP's or SCTP's ports.  0 or -EAFNOSUPPORT (no IP). */
int ec_frame_src(const struct ec_frame *frame, struct sockaddr_storage *addr);
int ec_frame_dst(const struct ec_frame *frame, struct sockaddr_storage *addr);

/*
 * Receive up to n frames for all endpoints of the relay, in order, without copying.  Waits at most
 * timeout_ms (0: not at all, -1: for ever) for the first one.  Returns how many; 0 after the
 * time; -ESHUTDOWN when the daemon is gone for good.  Gives back what the call before lent.  UDP
 * checksums are not looked at, as in a packet socket; ec_udp_recvfrom() does that.
 */
int ec_relay_recv(struct ec_relay *relay, struct ec_frame *frames, unsigned n,
		  int timeout_ms);
void ec_relay_release(struct ec_relay *relay); /* give back early what is still lent */

/* Make the sends that said EC_MORE go out now.  0 or -ESHUTDOWN. */
int ec_relay_flush(struct ec_relay *relay);

/* What the library itself did on a relay. */
struct ec_relay_stats {
	uint64_t rx;             /* frames taken from the ring */
	uint64_t rx_queue_drops; /* oldest frames dropped from full queues of endpoints */
	/* for endpoints closed meanwhile, or fan-out nobody here wants */
	uint64_t rx_unclaimed;
	uint64_t rx_bad_checksum; /* UDP datagrams dropped for it */
	/* fragments a UDP endpoint could not deliver as a datagram */
	uint64_t rx_fragments;
	uint64_t tx;            /* records put into the ring */
	uint64_t tx_unresolved; /* datagrams that waited in vain for their next hop */
	uint64_t reconnects;    /* daemons it was attached to after the first */
	uint64_t tx_lost;       /* records a daemon had not taken when it died */
	uint64_t unclaimed; /* endpoints that the daemon does not give back: as of now */
};
void ec_relay_stats(const struct ec_relay *relay, struct ec_relay_stats *stats);

/* One of the daemon's counters; the texts are static. */
struct ec_counter {
	const char *name; /* "rx_miss" */
	const char *text; /* what it means */
	uint64_t value;
};
/*
 * What the daemon counts on the interface, for all its clients together: writes the first n of its
 * counters and returns how many there are.  -ESHUTDOWN, -EDQUOT.  One control round trip.
 */
int ec_relay_counters(struct ec_relay *relay, struct ec_counter *counters, unsigned n);

/* Flags of sends and receives. */
enum ec_flags {
	EC_MORE = 1 << 0,     /* send: more follows, do not publish yet (as MSG_MORE) */
	EC_DONTWAIT = 1 << 1, /* -EAGAIN instead of waiting */
};

/* CLOCK_MONOTONIC in nanoseconds: the clock of deadlines. */
int64_t ec_now(void);

/* ---- L2 endpoints ---- */

enum ec_l2_flags {
	EC_L2_MULTICAST = 1 << 0,     /* receive multicast and broadcast of its VLANs */
	EC_L2_MULTICAST_ANY = 1 << 1, /* ... of any VLAN */
	EC_L2_SHARE = 1 << 2,         /* others who say so may claim this MAC+VLAN too */
	EC_L2_RESOLVE = 1 << 3,       /* UDP endpoints on it find next hops by ARP and ND */
	EC_L2_ANSWER = 1 << 4, /* ARP and ND for the addresses of its UDP endpoints */
	/* also all frames that nobody claims; with MIRROR, a copy of those that are claimed too.
	 * For root and the daemon's capture_group, else -EACCES. */
	EC_L2_DEFAULT = 1 << 5,
	EC_L2_MIRROR = 1 << 6,
};

struct ec_l2_opts {
	size_t size;
	unsigned flags;             /* enum ec_l2_flags */
	const uint16_t *ethertypes; /* default: IPv4 and IPv6 */
	unsigned n_ethertypes;
	/* most bytes of the RX ring it may hold; default: a quarter of what is free */
	uint32_t depth;
	void *user; /* comes back in struct ec_frame */
};
#define EC_L2_OPTS                                                                         \
	{                                                                                  \
		.size = sizeof(struct ec_l2_opts)                                          \
	}

/*
 * Claim an L2 endpoint.  0 with *ret, or -EINVAL (address, options, flags), -EADDRINUSE (taken),
 * -EACCES (not allowed), -ENOSPC (too many), -EUSERS (too many share it), -ESHUTDOWN.  One control
 * round trip.
 */
int ec_l2_open(struct ec_l2 **ret, struct ec_relay *relay, const struct ec_l2addr *addr,
	       const struct ec_l2_opts *opts);
void ec_l2_close(struct ec_l2 *l2); /* with its UDP endpoints; NULL is allowed */

const struct ec_l2addr *ec_l2_addr(const struct ec_l2 *l2);
uint32_t
ec_l2_payload_max(const struct ec_l2 *l2); /* bytes of L3 payload that fit the MTU */

/*
 * Send len bytes of L3 payload under the given EtherType to dst.  The daemon writes source and tags.
 * Returns len, or -EMSGSIZE (over the MTU), -EINVAL (EtherType is a VLAN tag's), -EAGAIN (ring
 * full, or no daemon there, and EC_DONTWAIT), -ETIMEDOUT (write deadline), -ENODEV (a restarted
 * daemon does not give the endpoint back), -ESHUTDOWN.
 */
ssize_t ec_l2_send(struct ec_l2 *l2, const void *payload, size_t len, uint16_t ethertype,
		   const uint8_t dst[6], unsigned flags);
/* One of many frames to send: what ec_l2_send() takes. */
struct ec_send {
	struct ec_l2 *l2;
	const void *payload;
	uint32_t len;
	uint16_t ethertype;
	uint8_t dst[6];
};
/*
 * Send n frames from endpoints of one relay, in order.  Returns how many were taken; if not
 * all, the error of the first that was not is that of the next call; if none, that error, as
 * ec_l2_send().  Faster than as many calls where the endpoints are many.
 */
int ec_relay_send(struct ec_relay *relay, const struct ec_send *frames, unsigned n,
		  unsigned flags);
/* The same for an IP packet: EtherType from its version nibble, -EPROTONOSUPPORT if neither 4 nor 6. */
ssize_t ec_l2_send_ip(struct ec_l2 *l2, const void *packet, size_t len,
		      const uint8_t dst[6], unsigned flags);
/*
 * Receive one L3 payload: copies at most len bytes to buf, returns its whole length (which may
 * be more: truncated, as with MSG_TRUNC).  *info (may be NULL) tells the rest about it.
 * -EAGAIN, -ETIMEDOUT (read deadline), -ESHUTDOWN.
 */
ssize_t ec_l2_recv(struct ec_l2 *l2, void *buf, size_t len, unsigned flags,
		   struct ec_frame *info);
/* Absolute times of ec_now(), 0: block for ever.  A past one fails at once unless data is there. */
void ec_l2_set_read_deadline(struct ec_l2 *l2, int64_t deadline_ns);
void ec_l2_set_write_deadline(struct ec_l2 *l2, int64_t deadline_ns);

/* ---- UDP endpoints ---- */

enum ec_udp_flags {
	EC_UDP_ACCEPT_ANY =
	    1 << 0, /* every UDP packet of the L2 endpoint, whatever its address */
};

/*
 * Which MAC is the next hop to dst?  Write it to mac and return 0, or return -errno, which the
 * send then fails with.  Runs inside ec_udp_sendto().
 */
typedef int ec_resolve_fn(void *arg, const struct sockaddr *dst, uint8_t mac[6]);

struct ec_udp_opts {
	size_t size;
	unsigned flags; /* enum ec_udp_flags */
	uint32_t depth; /* as in ec_l2_opts */
	uint8_t ttl;    /* TTL or hop limit; default 64 */
	uint8_t tclass; /* TOS or traffic class */
	/* default: ARP and ND where the L2 endpoint has EC_L2_RESOLVE, else broadcast */
	ec_resolve_fn *resolve;
	void *resolve_arg;
	void *user;
	/* for ARP and ND: how many bits of the local address are the link's (0: everything is
	 * on the link), and where to send what is not ("10.0.0.1"; NULL: -ENETUNREACH) */
	unsigned prefix_len;
	const char *gateway;
};
#define EC_UDP_OPTS                                                                        \
	{                                                                                  \
		.size = sizeof(struct ec_udp_opts)                                         \
	}

/*
 * Claim a UDP endpoint on l2.  local is "0.0.0.0:68", "10.0.0.1:1812", "[2001:db8::1]:547";
 * an address of all zeros receives for any address of its family.  Errors as ec_l2_open().
 */
int ec_udp_open(struct ec_udp **ret, struct ec_l2 *l2, const char *local,
		const struct ec_udp_opts *opts);
void ec_udp_close(struct ec_udp *udp); /* NULL is allowed */

/* Become another address: what a DHCP client does with its lease.  0, -EADDRINUSE, -EINVAL, ... */
int ec_udp_set_local(struct ec_udp *udp, const struct sockaddr *local);
/* The same for its route: what else the lease tells.  gateway NULL: none.  0, -EINVAL, ... */
int ec_udp_set_route(struct ec_udp *udp, unsigned prefix_len,
		     const struct sockaddr *gateway);
void ec_udp_local(const struct ec_udp *udp, struct sockaddr_storage *local);
struct ec_l2 *ec_udp_l2(const struct ec_udp *udp);

/*
 * Send one datagram to dst.  Returns len, or -EMSGSIZE, -EAFNOSUPPORT (dst is of another
 * family than the local address), the resolver's error, and those of ec_l2_send().
 *
 * With EC_L2_RESOLVE a next hop that is not known is asked for, and the datagram waits, up to
 * 64 of them for each; more wait in the call.  Nobody answers three times in three seconds:
 * they are lost, tx_unresolved counts them, and the next call to there fails once with
 * -EHOSTUNREACH.  Also -ENETUNREACH: off the link, and no gateway.
 */
ssize_t ec_udp_sendto(struct ec_udp *udp, const void *buf, size_t len, unsigned flags,
		      const struct sockaddr *dst, socklen_t dst_len);
/*
 * Receive one datagram: copies at most len bytes to buf, returns its whole length.  src and
 * src_len (may be NULL) as in recvfrom(2).  Errors as ec_l2_recv().
 */
ssize_t ec_udp_recvfrom(struct ec_udp *udp, void *buf, size_t len, unsigned flags,
			struct sockaddr *src, socklen_t *src_len);
void ec_udp_set_read_deadline(struct ec_udp *udp, int64_t deadline_ns);
void ec_udp_set_write_deadline(struct ec_udp *udp, int64_t deadline_ns);

/* ---- many at once ---- */

/* One of many claims: an L2 endpoint and, unless local is NULL, a UDP endpoint on it. */
struct ec_claim {
	struct ec_l2addr addr;
	const char *local; /* as for ec_udp_open() */
	void *user;        /* of both endpoints */
	/* results */
	struct ec_l2 *l2;   /* NULL: not open */
	struct ec_udp *udp; /* NULL: not open, or not asked for */
	int error;          /* 0 or -errno */
};

/*
 * Claim n of them, all with these options (NULL: the defaults; user comes from the claim): a
 * batch of them per round trip.  Each claim is open with all its parts or not at all, and the
 * others are as they would be without it.  Returns how many are open; if that is less than n,
 * ec_error_text() tells the first one that is not ("claims[17]: ..."), and each claim's error
 * why.  -ENOMEM: none is.
 */
ssize_t ec_open_many(struct ec_relay *relay, struct ec_claim *claims, size_t n,
		     const struct ec_l2_opts *l2_opts, const struct ec_udp_opts *udp_opts);
/* Close those that are open (all on one relay), and whatever stands on them. */
void ec_close_many(struct ec_claim *claims, size_t n);

#ifdef __cplusplus
}
#endif

#endif
