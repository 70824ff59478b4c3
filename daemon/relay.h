/*
 * relay.h - the back-end of a relay: bursts of frames from and to one interface.
 *
 * A back-end is one file with one struct relay_ops.  Both directions speak in bursts; the
 * function pointers below are called once per burst, never per frame.
 *
 *   receive   n = rx_peek(frames, max)  look at frames[0..n)  rx_release()
 *   send      n = tx_reserve(buffers, max)  fill buffers[0..k)  tx_submit(buffers, k)
 *
 * What is lent between the two calls is not kept beyond them.  One thread: the loop's.
 */
#ifndef RELAY_H
#define RELAY_H

#include "daemon/kernel_filter.h"
#include "daemon/netif.h"
#include "proto/frame.h"
#include "proto/stats.h"

#include <errno.h>
#include <stdint.h>

#define RELAY_BURST         64
#define RELAY_FRAME_DEFAULT 2048

struct relay;

enum relay_frame_flags {
	RELAY_FRAME_CSUM_PARTIAL = 1 << 0, /* L4 checksum is left unfinished, for sure */
	RELAY_FRAME_CSUM_UNKNOWN = 1 << 1, /* ... may be: the back-end cannot tell */
	RELAY_FRAME_TRUNCATED =
	    1 << 2, /* longer than the back-end's buffers: len is what is there */
};

/* A received frame, lent by the back-end. */
struct relay_frame {
	const uint8_t *data; /* as the kernel gave it: without the tag below */
	uint32_t len;
	uint32_t flags; /* enum relay_frame_flags */
	struct ecp_tag tag;
	uint64_t time_ns; /* CLOCK_REALTIME */
};

/* A buffer to send, lent by the back-end: room bytes at data; the datapath sets len. */
struct relay_buffer {
	uint8_t *data;
	uint32_t room, len;
};

/* How to send, where a back-end has the choice. */
enum relay_send {
	RELAY_SEND_AUTO, /* by AF_XDP if it can be had, else by a packet socket */
	RELAY_SEND_XDP,  /* not at all rather than otherwise */
	RELAY_SEND_SOCKET,
};
#define RELAY_SEND_NAMES "auto, xdp, socket"

struct relay_config {
	const char *interface;
	const char *backend;  /* one of relay_backend_names; NULL: the first */
	uint32_t frame_size;  /* largest frame to receive, bytes; 0: fits the MTU */
	uint32_t ring_frames; /* depth of the receive ring; 0: 8192 */
	bool promiscuous;     /* also frames for MACs the interface does not have */
	const char *filter;   /* in libpcap's words; "": none; NULL: what is claimed */
	/* pcapfile: captures to replay, N times as fast (0: at once), and to write; or NULL */
	const char *read, *write;
	uint32_t speed;
	enum relay_send send;
};

struct relay_ops {
	const char *name;
	bool without_interface; /* of the kernel's: open() fills in relay->netif */
	unsigned syscalls;      /* it makes while it serves: SYSCALLS_* */
	/*
	 * Open the interface (relay->netif is filled in, ops set).  Sets relay->fd and
	 * relay->priv.  0 or -errno: -EPERM for want of CAP_NET_RAW, ...  On failure
	 * nothing is left open.  *why may be set to a static clause that says more.
	 */
	int (*open)(struct relay *relay, const struct relay_config *config,
		    const char **why);
	void (*close)(struct relay *relay);
	/*
	 * Lend up to max (<= RELAY_BURST) received frames.  Returns how many; 0: none now.
	 * -ENETDOWN or another -errno when the interface is in trouble (frames may come
	 * later).  Own frames are never among them.
	 */
	int (*rx_peek)(struct relay *relay, struct relay_frame *frames, unsigned max);
	void (*rx_release)(struct relay *relay); /* everything lent by the last rx_peek */
	/* Lend max (<= RELAY_BURST) buffers, each for a frame of the MTU and two tags. */
	unsigned (*tx_reserve)(struct relay *relay, struct relay_buffer *buffers,
			       unsigned max);
	/*
	 * Send the first n buffers in as few system calls as can be.  Each frame ends in
	 * exactly one of relay->stats tx, tx_down, tx_error, tx_oversize (EMSGSIZE);
	 * tx_bytes counts the sent ones.  A full device queue is waited for briefly, then
	 * tx_error.
	 */
	void (*tx_submit)(struct relay *relay, const struct relay_buffer *buffers,
			  unsigned n);
	/*
	 * The interface is another one of the same name, or has another MTU, than
	 * relay->netif says: go on with *now, without privileges.  0 or -errno, and then this
	 * is asked again later.  Cold; NULL: it cannot.
	 */
	int (*follow)(struct relay *relay, const struct netif *now);
	/* Bring rx_kernel_drops, kept elsewhere, up to date.  Cold; may be NULL. */
	void (*stats_refresh)(struct relay *relay);
	/*
	 * Open what needs privileges and hand it over (handover.h); relay->fd stays open, the
	 * caller's, for a filter.  0 or -errno, as open().  NULL: open() needs to be privileged.
	 */
	int (*hand_over)(struct relay *relay, const struct relay_config *config,
			 const char **why);
	/* relay->n_claims has changed.  Cold; may be NULL. */
	void (*claimed)(struct relay *relay);
};

struct relay {
	const struct relay_ops *ops;
	struct netif netif;      /* its name: as configured, for clients and policies */
	char called[NETIF_NAME]; /* ... and the system's, which may change */
	int fd;                  /* readable when frames are there; level-triggered */
	/* fd was looked at, and not readable: that nothing is there is no sign of trouble */
	bool silent;
	struct ecp_relay_stats stats;
	uint32_t n_claims;
	struct kernel_filter *filter; /* NULL: there is none of claims */
	int filter_error;             /* why not, -errno; 0: it was not asked for */
	bool lost;                    /* it could not be followed, and that was said */
	char sends_by[96];            /* for the log; "" if the back-end has no choice */
	void *priv;                   /* the back-end's own */
};

extern const struct relay_ops relay_afpacket_ops, relay_afpacket_v3_ops, relay_pcap_ops,
    relay_pcapfile_ops;

/* Is there a back-end of this name?  Their names, for people: "af_packet, pcap, ...". */
bool relay_backend_known(const char *name);
extern const char relay_backend_names[];

/*
 * Open a relay on config->interface with the back-end of that name.  *relay is the
 * caller's memory.  0, or -errno with one clear sentence in text (at most room bytes):
 * -ENODEV no such interface, -ENETDOWN it is down, -EPERM no privilege (says which and how
 * to get it), -EINVAL unknown back-end.
 */
int relay_open(struct relay *relay, const struct relay_config *config, char *text,
	       size_t room);
/* The same with a given back-end (tests: the memory relay), which fills relay->netif. */
int relay_open_ops(struct relay *relay, const struct relay_ops *ops,
		   const struct relay_config *config, char *text, size_t room);
void relay_close(struct relay *relay);

/*
 * Only open what relay_open() needs privileges for, and hand it over to a daemon that has none.
 * The interface need not be there yet.  As relay_open().
 */
int relay_hand_over(const struct relay_config *config, char *text, size_t room);

/*
 * How is the interface now?  True: it has changed, and relay->netif says how; what could be
 * followed was, the rest is in the log.
 */
bool relay_look(struct relay *relay);
/*
 * The interface with this index, or NETIF_ANY, was deleted or taken away: if it is ours, the next
 * look binds to what is there then, even if it has the same index.
 */
void relay_gone(struct relay *relay, int index);

/* Someone wants frames, or no longer: until then the kernel may keep them to itself. */
void relay_claim_add(struct relay *relay, const struct kernel_claim *claim);
void relay_claim_remove(struct relay *relay, const struct kernel_claim *claim);
/* Bring those of relay->stats up to date that are counted elsewhere. */
void relay_stats_refresh(struct relay *relay);

/* relay.c's business: attach the configured filter.  As relay_open(). */
int relay_filter_start(struct relay *relay, const struct relay_config *config, char *text,
		       size_t room);
int relay_filter_hand_over(struct relay *relay, const struct relay_config *config,
			   char *text, size_t room);
/* One of RELAY_SEND_NAMES; false if it is none. */
bool relay_send_parse(const char *name, enum relay_send *ret);

/* ---- what back-ends have in common; hot ---- */

/* Count the n frames at buffers as sent. */
void relay_count_sent(struct relay *relay, const struct relay_buffer *buffers, unsigned n);
/* Count n frames that were not sent, under what error (a positive errno) means. */
void relay_count_unsent(struct relay *relay, int error, unsigned n);

/* How often one burst waits for room in a full queue, and how long each time. */
#define RELAY_TX_WAITS   5
#define RELAY_TX_WAIT_US 200

/*
 * Sending on fd failed with error: if that means a full queue, wait for room.  *waits is
 * how often this burst has waited.  True: try again; false: it is another error, or this
 * was long enough.
 */
bool relay_tx_wait(int fd, int error, unsigned *waits);

/*
 * What a packet socket would say of frame, for ways to send that would not: 0, EMSGSIZE if it
 * is too long, EINVAL if it is no frame.  Linux's rule: the MTU, and four bytes more for a tag
 * if its TPID is 0x8100.
 */
static inline int relay_frame_error(const struct relay *relay,
				    const struct relay_buffer *frame)
{
	uint32_t most = relay->netif.mtu + ECP_ETH_HLEN;
	if (frame->len < ECP_ETH_HLEN)
		return EINVAL;
	if (frame->data[12] == 0x81 && frame->data[13] == 0)
		most += ECP_TAG_LEN;
	return frame->len > most ? EMSGSIZE : 0;
}

#endif
