/*
 * channel.h - the shared memory between the daemon and one client: layout, indices, wake-up.
 *
 *            D: written by the daemon only            C: written by the client only
 *   page 0   line 0  constants, for humans            line 0  unused
 *            line 1  rx_prod                          line 1  tx_prod
 *            line 2  tx_cons, tx_wake_at              line 2  rx_cons, rx_wake_at
 *            line 3  state, mtu, changes,             line 3  tx_space_at
 *                    capture_missed, mac
 *   4096 ..  RX ring: frames to the client            TX ring: payloads to the interface
 *
 * Each is one memfd of the daemon's making, sealed against resizing.  The client maps D
 * read-only (its descriptor allows no more), the daemon maps C read-only: every cache line has
 * one writing process, and the kernel enforces it.
 *
 * Indices are byte positions that only grow; a ring's size is a power of two that each side
 * keeps in private memory and never reads from the shared part.  A ring holds records: a
 * 16-byte header, aux_len bytes of auxiliary data, the payload, padded to 16.  A record never
 * wraps; where the ring's end is too near, a PAD record fills it.
 *
 * All atomics of the project live in this file and in counters.h.  Producing is reserve -> fill
 * -> submit -> publish, consuming peek -> use -> release; structs ecp_out and ecp_in are the
 * private ends.  Knows libc only.  A ring's end belongs to one thread at a time.
 */
#ifndef ECP_CHANNEL_H
#define ECP_CHANNEL_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ECP_CHANNEL_MAGIC 0x65746863 /* "ethc" */
#define ECP_CHANNEL_ABI   1
#define ECP_CHANNEL_PAGE  4096
#define ECP_CACHE_LINE    64

#define ECP_RING_MIN        (64u << 10)
#define ECP_RING_MAX        (64u << 20)
#define ECP_RX_RING_DEFAULT (4u << 20)
#define ECP_TX_RING_DEFAULT (1u << 20)

/* The descriptors of an attach reply, in this order. */
enum ecp_channel_fd {
	ECP_FD_D,       /* memfd, read-only */
	ECP_FD_C,       /* memfd, read-write */
	ECP_FD_BELL_RX, /* pipe to read: frames, or room in the TX ring */
	ECP_FD_BELL_TX, /* pipe to write: something to send */
	ECP_FD_BELL_TX_KEEP, /* its read end, never read: while somebody holds one, a ring after the
	                        daemon has died is no SIGPIPE in the application */
	ECP_N_CHANNEL_FDS,
};

struct ecp_daemon_page {
	_Alignas(ECP_CACHE_LINE) uint32_t magic;
	uint32_t abi;
	uint64_t session, rx_size, tx_size;
	_Alignas(ECP_CACHE_LINE) _Atomic uint64_t rx_prod;
	_Alignas(ECP_CACHE_LINE) _Atomic uint64_t tx_cons;
	_Atomic uint64_t tx_wake_at;
	_Alignas(ECP_CACHE_LINE) _Atomic uint32_t state; /* enum ecp_channel_state */
	_Atomic uint32_t mtu;                            /* of the interface */
	_Atomic uint32_t changes;        /* how often state, mtu or mac have changed */
	_Atomic uint64_t capture_missed; /* frames of a capture that found a full ring */
	_Atomic uint64_t
	    mac; /* of the interface: six bytes as they lie in memory, two of zero */
};

struct ecp_client_page {
	_Alignas(ECP_CACHE_LINE) uint8_t unused[ECP_CACHE_LINE];
	_Alignas(ECP_CACHE_LINE) _Atomic uint64_t tx_prod;
	_Alignas(ECP_CACHE_LINE) _Atomic uint64_t rx_cons;
	_Atomic uint64_t rx_wake_at;
	_Alignas(ECP_CACHE_LINE) _Atomic uint64_t tx_space_at;
};

/* What the daemon says of the interface behind the channel, and of the channel itself. */
enum ecp_channel_state {
	ECP_CHANNEL_UP = 1,
	ECP_CHANNEL_DOWN = 2,
	ECP_CHANNEL_ENDED = 3, /* the last word: on purpose, do not come back by yourself */
};

static_assert(offsetof(struct ecp_daemon_page, rx_prod) == 64, "line 1");
static_assert(offsetof(struct ecp_daemon_page, tx_cons) == 128, "line 2");
static_assert(offsetof(struct ecp_daemon_page, tx_wake_at) == 136, "line 2");
static_assert(offsetof(struct ecp_daemon_page, state) == 192, "line 3");
static_assert(offsetof(struct ecp_daemon_page, capture_missed) == 208, "line 3");
static_assert(offsetof(struct ecp_daemon_page, mac) == 216, "line 3");
static_assert(sizeof(struct ecp_daemon_page) == 256, "four lines");
static_assert(offsetof(struct ecp_client_page, tx_prod) == 64, "line 1");
static_assert(offsetof(struct ecp_client_page, rx_cons) == 128, "line 2");
static_assert(offsetof(struct ecp_client_page, rx_wake_at) == 136, "line 2");
static_assert(offsetof(struct ecp_client_page, tx_space_at) == 192, "line 3");
static_assert(sizeof(struct ecp_client_page) == 256, "four lines");
static_assert(sizeof(_Atomic uint64_t) == 8, "lock-free and of its plain size");

enum ecp_record_type {
	ECP_RECORD_PAD = 1, /* nothing; reaches exactly to the ring's end */
	ECP_RECORD_RX,      /* aux: struct ecp_rx_aux; payload: the whole frame */
	ECP_RECORD_TX,      /* aux: struct ecp_tx_aux; payload: from layer 3 on */
	ECP_RECORD_CAPTURE, /* aux: struct ecp_capture_aux; payload: the frame, as far as asked */
};

enum ecp_record_flags {
	ECP_RX_FANOUT =
	    1 << 0, /* multicast: for every endpoint of these VLANs that asked */
};

/* Header of a record; 16-aligned in the ring. */
struct ecp_record {
	uint32_t len; /* header + aux + payload, before padding */
	uint8_t type, flags;
	uint16_t aux_len;  /* bytes of auxiliary data; multiple of 8 */
	uint32_t endpoint; /* the client's own number for it, given by open */
	uint32_t generation;
};

/* What the daemon found in a received frame.  Offsets count from the frame's first byte. */
struct ecp_rx_aux {
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint16_t ethertype;
	uint16_t l3_len;
	uint16_t l4_off; /* 0: no whole layer 4 header */
	uint8_t protocol;
	uint8_t info; /* enum ecp_rx_info | l3_off << 3; l3_off is 14, 18 or 22 */
};

enum ecp_rx_info {
	ECP_RX_UDP = 1 << 0,      /* a UDP header stands at l4_off */
	ECP_RX_FRAGMENT = 1 << 1, /* of a fragmented packet */
	ECP_RX_CSUM_OK = 1 << 2,  /* layer 4 checksum was completed or verified */
};
#define ECP_RX_L3_SHIFT 3

struct ecp_tx_aux {
	uint8_t dst[6];
	uint16_t ethertype; /* host order */
};

enum ecp_capture_direction { ECP_CAPTURE_IN = 1, ECP_CAPTURE_OUT = 2 };

enum ecp_capture_flags {
	ECP_CAPTURE_DROPPED = 1 << 0, /* for the reason that stands in reason */
	ECP_CAPTURE_ENDPOINT =
	    1 << 1, /* the head's endpoint and generation are the client's */
};

/*
 * One frame of a capture, what became of it, and whose it is.  All of that stands in the record,
 * for an endpoint may be gone before anybody could ask about it.  Texts end with a NUL.
 */
struct ecp_capture_aux {
	uint64_t time_ns;   /* CLOCK_REALTIME */
	uint32_t frame_len; /* whole; the payload may be less */
	uint8_t direction;  /* enum ecp_capture_direction */
	uint8_t flags;      /* enum ecp_capture_flags */
	uint8_t n_vlans;    /* the endpoint's, as are mac, family, ip and port */
	uint8_t family;     /* of a UDP endpoint's address: 4, 6; 0: it is none */
	char reason[24];    /* the name of a counter of stats.h, or "" */
	char interface[16]; /* the relay's */
	uint32_t client;    /* whose; 0: nobody's, and all that follows is 0 */
	uint32_t pid, uid;
	uint16_t vlan[2];
	char comm[16];
	uint8_t mac[6];
	uint16_t port;
	uint8_t ip[16];
};

static_assert(sizeof(struct ecp_record) == 16, "record header");
static_assert(offsetof(struct ecp_record, aux_len) == 6, "record header");
static_assert(offsetof(struct ecp_record, endpoint) == 8, "record header");
static_assert(sizeof(struct ecp_rx_aux) == 16, "rx aux");
static_assert(sizeof(struct ecp_tx_aux) == 8, "tx aux");
static_assert(sizeof(struct ecp_capture_aux) == 112, "capture aux");

/* Room that a record of len bytes takes in a ring. */
static inline uint64_t ecp_record_room(uint64_t len)
{
	return (len + 15) & ~(uint64_t)15;
}

static inline bool ecp_ring_size_ok(uint64_t size)
{
	return size >= ECP_RING_MIN && size <= ECP_RING_MAX && !(size & (size - 1));
}

/*
 * Must the producer, having moved its index from old_pos to new_pos, wake a consumer that asked to be
 * woken once the index passes at?  (virtio's event index.)  All positions in bytes.
 */
static inline bool ecp_wake_needed(uint64_t at, uint64_t new_pos, uint64_t old_pos)
{
	return new_pos - at - 1 < new_pos - old_pos;
}

/*
 * The fence between one's own store and the look at the other's: without it, producer and
 * consumer can each miss what the other has just written, and one sleeps for ever.
 */
static inline void ecp_wake_fence(void)
{
#ifndef ECP_TEST_WITHOUT_FENCE /* the wake-up test's negative control */
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* The producing end of a ring, in private memory. */
struct ecp_out {
	uint8_t *data;
	uint64_t size;
	uint64_t pos;       /* written up to here */
	uint64_t published; /* the other side knows up to here */
	uint64_t cons;      /* the other side was seen to have consumed up to here */
};

/* The consuming end of a ring, in private memory. */
struct ecp_in {
	const uint8_t *data;
	uint64_t size;
	uint64_t pos;      /* consumed up to here */
	uint64_t released; /* the other side knows up to here */
	uint64_t ahead;    /* ecp_in_ahead() has looked up to here */
	uint64_t prod;     /* the other side was seen to have produced up to here */
};

/* Bytes that are free as far as we know; records take a multiple of 16. */
static inline uint64_t ecp_out_free(const struct ecp_out *out)
{
	return out->size - (out->pos - out->cons);
}

/*
 * Contiguous room for a record of len bytes (header, aux and payload; at most size / 2), or
 * NULL if, as far as we know, the ring is full: refresh and try once more.  Nothing is
 * promised to the consumer before submit and publish.  Calling it again without a submit
 * gives the same room.
 */
static inline uint8_t *ecp_out_reserve(struct ecp_out *out, uint64_t len)
{
	uint64_t room = ecp_record_room(len);
	uint64_t off = out->pos & (out->size - 1);
	uint64_t tail = out->size - off;
	if (room <= tail)
		return room <= ecp_out_free(out) ? out->data + off : NULL;
	if (tail + room > ecp_out_free(out))
		return NULL;
	struct ecp_record pad = {.len = (uint32_t)tail, .type = ECP_RECORD_PAD};
	memcpy(out->data + off, &pad, sizeof(pad));
	out->pos += tail;
	return out->data;
}

/* The record of len bytes just written into reserved room is complete. */
static inline void ecp_out_submit(struct ecp_out *out, uint64_t len)
{
	out->pos += ecp_record_room(len);
}

/*
 * Read the consumer's index.  0, or -EPROTO if it went back, ran ahead of what was published or is not
 * a multiple of 16; then nothing changed.
 */
static inline int ecp_out_refresh(struct ecp_out *out, const _Atomic uint64_t *cons)
{
	uint64_t seen = atomic_load_explicit(cons, memory_order_acquire);
	if (seen - out->cons > out->published - out->cons || seen & 15)
		return -EPROTO;
	out->cons = seen;
	return 0;
}

/*
 * Show the consumer all that was submitted.  Returns true if it sleeps and must be woken with one
 * byte into its doorbell.  wake_at is where the consumer asks for that.
 */
static inline bool ecp_out_publish(struct ecp_out *out, _Atomic uint64_t *prod,
				   const _Atomic uint64_t *wake_at)
{
	uint64_t old_pos = out->published;
	if (out->pos == old_pos)
		return false;
	/* release: the consumer that sees the index sees the records below it */
	atomic_store_explicit(prod, out->pos, memory_order_release);
	out->published = out->pos;
	/* pairs with the fence in ecp_in_arm(): either we see its wish, or it sees our index */
	ecp_wake_fence();
	uint64_t at = atomic_load_explicit(wake_at, memory_order_relaxed);
	return ecp_wake_needed(at, out->pos, old_pos);
}

/*
 * Before the producer sleeps for want of room: ask to be woken once need bytes more were
 * consumed than now.  Returns true if that much has been consumed meanwhile: do not sleep.
 */
static inline bool ecp_out_arm(struct ecp_out *out, _Atomic uint64_t *space_at,
			       const _Atomic uint64_t *cons, uint64_t need)
{
	atomic_store_explicit(space_at, out->cons + need - 1, memory_order_relaxed);
	ecp_wake_fence();
	return atomic_load_explicit(cons, memory_order_relaxed) - out->cons >= need;
}

/*
 * Read the producer's index.  0, or -EPROTO if it went back, passed what the ring holds or is not
 * a multiple of 16; then nothing changed.
 */
static inline int ecp_in_refresh(struct ecp_in *in, const _Atomic uint64_t *prod)
{
	uint64_t seen = atomic_load_explicit(prod, memory_order_acquire);
	if (seen - in->pos > in->size - (in->pos - in->released) ||
	    seen - in->pos < in->prod - in->pos || seen & 15)
		return -EPROTO;
	in->prod = seen;
	return 0;
}

/* Is there more than was seen?  For looking again and again; ecp_in_refresh() judges it. */
static inline bool ecp_in_news(const struct ecp_in *in, const _Atomic uint64_t *prod)
{
	return atomic_load_explicit(prod, memory_order_relaxed) != in->prod;
}

/* Between two such looks: leave the core's other thread some room. */
static inline void ecp_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * The next record that was seen, PADs skipped: its header is copied once into *head, every
 * length in the copy is checked, and only the copy may be used.  Returns a pointer to the
 * record in the ring (aux at +16), NULL if there is none, and sets *error to -EPROTO if what
 * stands there is no record (else leaves it).  The bytes behind the header may still change
 * under the reader when the producer is hostile.
 */
static inline const uint8_t *ecp_in_peek(struct ecp_in *in, struct ecp_record *head,
					 int *error)
{
	while (in->pos != in->prod) {
		uint64_t off = in->pos & (in->size - 1);
		uint64_t avail = in->prod - in->pos, tail = in->size - off;
		memcpy(head, in->data + off, sizeof(*head));
		atomic_signal_fence(
		    memory_order_acq_rel); /* no second read behind our back */
		uint64_t room = ecp_record_room(head->len);
		if (head->len < sizeof(*head) || room > avail || room > tail ||
		    head->aux_len > head->len - sizeof(*head) || head->aux_len & 7)
			break;
		if (head->type != ECP_RECORD_PAD)
			return in->data + off;
		if (head->len != tail)
			break;
		in->pos += tail;
	}
	if (in->pos != in->prod)
		*error = -EPROTO;
	return NULL;
}

/*
 * Look at the records that follow, to fetch early what they will need: copies the next head
 * that was not looked at to *head, up to ECP_AHEAD bytes from where the reader is.  False: none.
 * Nothing in it is checked but that its length stays within what was published.
 */
#define ECP_AHEAD 1024
static inline bool ecp_in_ahead(struct ecp_in *in, struct ecp_record *head)
{
	if ((int64_t)(in->ahead - in->pos) < 0)
		in->ahead = in->pos;
	uint64_t left = in->prod - in->ahead;
	if (left == 0 || in->ahead - in->pos > ECP_AHEAD)
		return false;
	memcpy(head, in->data + (in->ahead & (in->size - 1)), sizeof(*head));
	uint64_t room = ecp_record_room(head->len);
	if (room < sizeof(*head) || room > left)
		return false; /* said when its turn comes */
	in->ahead += room;
	return true;
}

/* The record with this header has been used. */
static inline void ecp_in_consume(struct ecp_in *in, const struct ecp_record *head)
{
	in->pos += ecp_record_room(head->len);
}

/*
 * Give what was consumed back to the producer.  Returns true if it waits for room and must be
 * woken.  space_at is where it asks for that; NULL if it never does.
 */
static inline bool ecp_in_release(struct ecp_in *in, _Atomic uint64_t *cons,
				  const _Atomic uint64_t *space_at)
{
	uint64_t old_pos = in->released;
	if (in->pos == old_pos)
		return false;
	/* release: the producer overwrites these bytes once it sees the index */
	atomic_store_explicit(cons, in->pos, memory_order_release);
	in->released = in->pos;
	if (!space_at)
		return false;
	ecp_wake_fence(); /* pairs with ecp_out_arm() */
	uint64_t at = atomic_load_explicit(space_at, memory_order_relaxed);
	return ecp_wake_needed(at, in->pos, old_pos);
}

/*
 * Before the consumer sleeps (its doorbell was drained before this): ask to be woken at the
 * next record.  Returns true if one has come meanwhile: refresh and go on, do not sleep.
 */
static inline bool ecp_in_arm(struct ecp_in *in, _Atomic uint64_t *wake_at,
			      const _Atomic uint64_t *prod)
{
	atomic_store_explicit(wake_at, in->pos, memory_order_relaxed);
	ecp_wake_fence(); /* pairs with ecp_out_publish() */
	return atomic_load_explicit(prod, memory_order_relaxed) != in->pos;
}

#endif
