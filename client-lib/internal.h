/*
 * internal.h - what the library's files share: handles, queues, and the four steps between a
 * ring and an application.
 *
 *   ec_relay_recv, ec_l2_recv, ec_udp_recvfrom       ec_l2_send, ec_udp_sendto
 *        ^ eci_endpoint_next (receive.c)                   v eci_tx_reserve (transmit.c)
 *   RX ring, queues of endpoints read past            TX ring
 *
 * Nothing here is installed.  What is not static begins with eci_: in the static library it
 * stands beside the application's own names.
 */
#ifndef ETHERCONN_INTERNAL_H
#define ETHERCONN_INTERNAL_H

#include "client-lib/etherconn.h"
#include "proto/channel.h"
#include "proto/frame.h"
#include "proto/msg.h"
#include "proto/pace.h"
#include "proto/pool.h"

#include <sys/queue.h>

#define EC_API __attribute__((visibility("default")))

/* The number of an endpoint that no daemon knows. */
#define ECI_NO_ID UINT32_MAX
/* A flag of sends in the midst of receiving: do not wait for, or change to, another daemon. */
#define ECI_STAY (1u << 31)

/* A frame set aside for one endpoint while another one was read. */
struct queued {
	TAILQ_ENTRY(queued) of_relay; /* in order of arrival, or among the lent */
	TAILQ_ENTRY(queued) of_endpoint;
	struct endpoint *endpoint;
	struct ec_frame frame;
	uint8_t bytes[];
};
TAILQ_HEAD(queue, queued);

/* What L2 and UDP endpoints have in common; first member of both. */
struct endpoint {
	/* what each sent frame touches, within a cache line */
	struct ec_relay *relay;
	uint32_t id, generation; /* the daemon's name for it */
	uint32_t payload_max;
	enum ecp_endpoint_kind kind;
	int64_t write_deadline; /* 0: none */
	/* ... and the rest */
	int64_t read_deadline;
	void *user;
	struct queue queue;
	uint32_t n_queued;
	/* to claim it again */
	uint32_t depth;
	TAILQ_ENTRY(endpoint) of_unclaimed;
	bool unclaimed;    /* it is in that queue, its id ECI_NO_ID */
	uint16_t asked_at; /* which item of the batch it is */
	int16_t refused;   /* why the daemon did not give it back, or 0 */
};
static_assert(ECP_BATCH_MAX <= UINT16_MAX, "asked_at");
TAILQ_HEAD(endpoint_queue, endpoint);

LIST_HEAD(l2_list, ec_l2);
LIST_HEAD(udp_list, ec_udp);
LIST_HEAD(neigh_list, neigh);
TAILQ_HEAD(neigh_queue, neigh);

/* Endpoints whose neighbours are the library's business. */
#define ECI_L2_NEIGH (EC_L2_RESOLVE | EC_L2_ANSWER)

struct ec_l2 {
	_Alignas(ECP_CACHE_LINE) struct endpoint ep;
	LIST_ENTRY(ec_l2) of_relay;
	LIST_ENTRY(ec_l2) of_group; /* where flags ask for multicast */
	struct udp_list udps;
	struct neigh_queue neighs; /* what has not been used for long is in front */
	unsigned n_neighs;
	struct ec_l2addr addr;
	struct ecp_key key;
	unsigned flags; /* enum ec_l2_flags */
	/* those the application asked for: the claim may have more */
	uint8_t n_ethertypes;
	uint16_t ethertypes[EC_ETHERTYPES_MAX];
};
static_assert(sizeof(struct ec_l2) <= 4 * ECP_CACHE_LINE, "people open tens of thousands");

struct ec_udp {
	_Alignas(ECP_CACHE_LINE) struct endpoint ep;
	LIST_ENTRY(ec_udp) of_l2;
	LIST_ENTRY(ec_udp) of_address; /* while answered_for */
	struct ec_l2 *l2;
	ec_resolve_fn *resolve; /* NULL: neigh.c */
	void *resolve_arg;
	struct ecp_addr *gateway; /* its own; NULL: none */
	struct ecp_addr local;
	uint16_t ident;
	bool answered_for;
	uint8_t prefix_len; /* 0: everything is on the link */
	uint8_t flags;      /* enum ec_udp_flags */
	uint8_t ttl, tclass;
};
static_assert(sizeof(struct ec_udp) <= 3 * ECP_CACHE_LINE, "... of both");

/* A record for several endpoints, part of which have had it. */
struct fanout {
	bool active;
	struct ec_frame frame;
	uint16_t vlan[ECP_VLANS_MAX];
	struct ec_l2 *next; /* whom to ask next */
	bool any;           /* past the group of these VLANs, in that of any */
	bool wanted;        /* somebody here had it */
};

/* neigh.c's part of a relay; its tables are made with the first endpoint that needs them. */
struct neighbours {
	struct neigh_list *cache;
	struct udp_list *own;      /* addresses that are answered for */
	struct neigh_queue asking; /* the first is due first */
	uint64_t n_waiting;        /* datagrams, for all of them */
	int64_t drained_by;        /* the relay is being closed; 0: it is not */
};

#define GROUP_BUCKETS 4096 /* by VLAN ids: one for each id of a single tag */

/* Room for one question to the daemon; too large for a stack. */
struct question {
	struct ecp_request request;
	struct ecp_reply reply;
	char text[ECP_MSG_MAX + 1];
};

/* reconnect.c: how far the way to a daemon is. */
enum way {
	ECI_UP,        /* attached, and all was asked for */
	ECI_CLAIMING,  /* attached; endpoints are claimed again */
	ECI_SEEKING,   /* nobody answers */
	ECI_ATTACHING, /* somebody does, and was asked for rings */
};

/* A batch on its way, and what is left to ask: reclaim.c's. */
struct claims {
	struct question question;
	struct endpoint *asked[ECP_BATCH_MAX];
	unsigned n_asked;
	size_t left;  /* endpoints not asked for in this round */
	bool patient; /* asked in vain before: one batch a second will do */
};

/* What it takes to attach again, and how far that is. */
struct reconnect {
	enum way way;
	char socket[ECP_SOCK_ROOM];
	uint32_t rx_ring, tx_ring; /* as the application asked */
	int64_t patience_ns;       /* negative: never */
	int64_t until;             /* on the way: over then */
	int64_t due;               /* when to try or ask again; 0: not by the clock */
	int64_t pause;             /* between this try and the next */
	int inotify_fd;            /* sees a socket appear; closed when nothing is urgent */
	int folder;                /* what it watches */
	struct claims *claims;     /* NULL while up */
	struct endpoint_queue unclaimed;
	/* the rings of the daemon before, while the application looks at frames in them */
	const struct ecp_daemon_page *lent_d;
	uint64_t lent_size;
	char why[ECP_ERROR_TEXT]; /* the last try failed, or the relay is over */
};

/* All that a received frame needs of its endpoint, in one place. */
struct slot {
	uint32_t generation;
	bool is_udp;
	bool neigh;                /* neigh.c looks at its frames first */
	struct endpoint *endpoint; /* NULL: closed */
	struct ec_l2 *l2;
	/* itself, or the one beneath */
	void *user;
};

struct ec_relay {
	int control;
	int bell_rx, bell_tx; /* heard and rung */
	int bell_tx_keep;     /* never read: see ECP_FD_BELL_TX_KEEP */
	bool gone;            /* the daemon has ended the connection for good */
	uint32_t generation;
	struct reconnect again;
	char ifname[ECP_IFNAME];
	uint32_t queue_depth;
	uint64_t queue_most; /* bytes of all frames set aside */
	struct ec_link link;
	uint32_t link_seen; /* the daemon's count of changes */
	/* the rings */
	const struct ecp_daemon_page *d;
	struct ecp_client_page *c;
	struct ecp_in rx;
	struct ecp_out tx;
	/* endpoints by the daemon's numbers, and by VLANs for multicast */
	struct slot *slots;
	uint32_t n_slots;
	struct ecp_pool l2_pool, udp_pool;
	struct l2_list l2s;
	struct l2_list *groups; /* GROUP_BUCKETS, made with the first multicast endpoint */
	struct l2_list any_group;
	struct fanout fanout;
	struct neighbours neigh;
	/* frames set aside, and those of them that the application looks at */
	struct queue queued, lent;
	uint64_t queued_bytes;
	bool lending;         /* the application looks at frames in the ring */
	_Atomic bool stopped; /* by any thread, through stop_fd */
	int stop_fd;
	/* the pollable descriptor, made on first use */
	int epoll_fd, event_fd, timer_fd;
	int64_t timer_due; /* what timer_fd is set to */
	bool event_set;    /* event_fd is readable: something is left unread */
	bool armed;        /* nothing is left, and the daemon will ring */
	uint32_t idle_looks;
	int64_t spin_ns;
	struct ecp_pace pace; /* of calls that wait */
	uint64_t paced;       /* stats.rx when it was asked last */
	/* who only sends: how far the daemon was seen to have taken records, how many looks ago,
	 * and since when */
	uint64_t taken;
	unsigned untaken_looks;
	int64_t untaken_since;
	struct ec_relay_stats stats;
	struct question *question;
};

/* ---- error.c ---- */

/* Keep a sentence for ec_error_text() and return code (a negative errno). */
int eci_error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with the daemon's sentence. */
int eci_error_take(const struct ecp_error *err);
/* The code that was kept last. */
int eci_error_code(void);
/* -ESHUTDOWN, and why the relay is over. */
int eci_error_shutdown(const struct ec_relay *relay);

/* ---- options.c ---- */

/*
 * A caller's options, of whatever version of this library, as ours: given, whose first member is
 * its size, over the defaults in ours of size bytes.  0 or -EINVAL, said.
 */
int eci_opts_take(void *ours, size_t size, const void *given);
/* Are all of these bits known?  0 or -EINVAL, said. */
int eci_flags_check(unsigned flags, unsigned known);

/* ---- relay.c ---- */

/*
 * Ask relay->question->request, have the answer of this type in ->reply.  0 or -errno, said.
 * -ERESTART: the daemon is another one now, to which numbers in the request mean nothing; ask anew.
 */
int eci_relay_ask(struct ec_relay *relay, enum ecp_reply_type expected);
/*
 * Ask what stands in relay->question->request.open; the answers are as many.  on: what the first
 * item, a UDP endpoint, is to stand on, or NULL.  0 or -errno, said.
 */
int eci_relay_ask_open(struct ec_relay *relay, const struct ec_l2 *on);
/* Give back what stands in relay->question->request.close, which is empty afterwards. */
void eci_relay_ask_close(struct ec_relay *relay);
/* What to ask for rings; and the answer, with its descriptors, which are taken over in any case.
 * The rings before, if any, are given up.  0 or -errno, said. */
void eci_relay_attach_request(const struct ec_relay *relay, struct ecp_request *req);
int eci_relay_attach_take(struct ec_relay *relay, const struct ecp_reply *reply, int *fds,
			  unsigned n_fds);
/* Close the connection and its doorbells; the rings stay. */
void eci_relay_hang_up(struct ec_relay *relay);
/* Let ec_relay_fd() see fd as well; nothing where nobody uses it. */
void eci_relay_watch(struct ec_relay *relay, int fd);
/* Close it; said to epoll aloud, for a child of the application may still hold it. */
void eci_relay_drop(struct ec_relay *relay, int *fd);
/* When eci_neigh_run() or eci_reconnect_run() is due; 0: neither. */
int64_t eci_relay_due(const struct ec_relay *relay);
/* Let ec_relay_fd() be readable then. */
void eci_relay_set_timer(struct ec_relay *relay);
/* Memory for one, zeroed but for what the arguments say.  NULL: said. */
struct endpoint *eci_endpoint_new(struct ec_relay *relay, enum ecp_endpoint_kind kind,
				  void *user);
void eci_endpoint_free(struct endpoint *ep); /* it is not open (any longer) */
/* Take the daemon's answer: the endpoint has a number from now on.  0 or -errno, said. */
int eci_endpoint_adopt(struct endpoint *ep, const struct ecp_opened_item *opened);
/* The same for one that was not refused.  0 or -ENOMEM, said; then the daemon still holds it. */
int eci_endpoint_number(struct endpoint *ep, const struct ecp_opened_item *opened);
/* Does an L3 payload of len bytes fit?  0 or -EMSGSIZE, said. */
int eci_endpoint_check_length(const struct endpoint *ep, size_t len);
/* Give it back and forget what is queued for it. */
void eci_endpoint_close(struct endpoint *ep);
/* Forget what is queued for it, and its number. */
void eci_endpoint_forget(struct endpoint *ep);

/* ---- link.c ---- */

/* There are rings, of a daemon that says this of its interface. */
void eci_link_attach(struct ec_relay *relay);
/* Take what has changed.  Hot: a look at one word. */
void eci_link_look(struct ec_relay *relay);
/* 0, or -ENETDOWN, said. */
int eci_link_check(struct ec_relay *relay);

/* ---- reconnect.c ---- */

/* Does a daemon answer, in whose rings records may be put? */
static inline bool eci_reconnect_attached(const struct ec_relay *relay)
{
	return !relay->gone && relay->again.way <= ECI_CLAIMING;
}
/* The connection has ended: look for the next daemon, or that was it (relay->gone). */
void eci_reconnect_lose(struct ec_relay *relay);
/* Has it?  Asks the kernel. */
void eci_reconnect_look(struct ec_relay *relay);
/* The control socket is readable.  Does what can be done with the rings in use. */
void eci_reconnect_hear(struct ec_relay *relay);
/*
 * Go as far as is possible without waiting; the rings may be others afterwards, and what was
 * unread in the old ones has been set aside.  0, or -ESHUTDOWN.
 */
int eci_reconnect_run(struct ec_relay *relay);
/* Sleep until it may go further, at most until deadline_ns (0: for ever).  As eci_relay_wait(). */
int eci_reconnect_wait(struct ec_relay *relay, int64_t deadline_ns);
/* Wait until it is up.  0 or -ESHUTDOWN, said. */
int eci_reconnect_finish(struct ec_relay *relay);
/* When eci_reconnect_run() has something to do by the clock; 0: not. */
int64_t eci_reconnect_due(const struct ec_relay *relay);
/* Nothing is lent any more. */
void eci_reconnect_release(struct ec_relay *relay);
void eci_reconnect_fini(struct ec_relay *relay);

/* ---- reclaim.c ---- */

/* All endpoints have lost their numbers: ask for the first. */
void eci_reclaim_begin(struct ec_relay *relay);
/* The time has come to ask again for what was refused. */
void eci_reclaim_again(struct ec_relay *relay);
/* Nothing is on its way: ask for the next ones, or that was all. */
void eci_reclaim_next(struct ec_relay *relay);
/* Take the answer that is there, or waited for. */
void eci_reclaim_take(struct ec_relay *relay);
/* ep is closed: nothing is to be claimed for it. */
void eci_reclaim_forget(struct endpoint *ep);

/* ---- frame.c ---- */

struct ecp_l2addr eci_l2addr_to_proto(const struct ec_l2addr *addr);
void eci_addr_to_sockaddr(const struct ecp_addr *addr, struct sockaddr_storage *ret);
/* 0 or -EAFNOSUPPORT, said. */
int eci_addr_from_sockaddr(const struct sockaddr *sa, struct ecp_addr *ret);
/* Source or destination of an IP packet, with its port.  0 or -EAFNOSUPPORT. */
int eci_frame_addr(const struct ec_frame *frame, bool destination, struct ecp_addr *ret);

/* ---- receive.c ---- */

/* A caller's deadline: what is before the clock began is past, too; negative means not to wait. */
static inline int64_t eci_deadline(int64_t deadline_ns)
{
	return deadline_ns < 0 ? 1 : deadline_ns;
}

/*
 * The next frame for ep, within its deadline; frames for others are set aside.  0, or -EAGAIN,
 * -ETIMEDOUT, -ESHUTDOWN, -EPROTO.
 */
int eci_endpoint_next(struct endpoint *ep, unsigned flags, struct ec_frame *frame);
/* At the end of every receiving call: make ec_relay_fd() say the truth. */
void eci_relay_settle(struct ec_relay *relay);
/* Take what has come and set it aside.  0, or as eci_endpoint_next(). */
int eci_relay_pump(struct ec_relay *relay);
/* Sleep until more may have come, or eci_neigh_run() is due, or deadline_ns (0: for ever). */
int eci_relay_wait_more(struct ec_relay *relay, int64_t deadline_ns);
/* Wait until the bell or the end of the connection, at most until deadline_ns (0: for ever). */
int eci_relay_wait(struct ec_relay *relay, int64_t deadline_ns);
/* Set aside all that is left in the ring: it is given up. */
void eci_relay_empty(struct ec_relay *relay);
void eci_queued_free(struct ec_relay *relay, struct queued *q);

/* ---- transmit.c ---- */

/*
 * Room for a record of len bytes from ep, waiting as its write deadline and flags allow; its
 * head and aux are written.  0 with the payload's place in *payload, or -errno, said.
 */
int eci_tx_reserve(struct endpoint *ep, uint32_t len, uint16_t ethertype,
		   const uint8_t dst[6], unsigned flags, uint8_t **payload);
/* The payload of len bytes is in place: publish, unless EC_MORE says to wait. */
void eci_tx_submit(struct ec_relay *relay, uint32_t len, unsigned flags);
/*
 * Publish, and wait until the daemon has taken all of it, a second at most.  Before whatever
 * changes an endpoint: the control socket is not in order with the ring, and records of an
 * endpoint that is closed, or has another address by then, would be dropped.
 */
void eci_tx_drain(struct ec_relay *relay);
/* How many records stand untaken in the TX ring. */
uint64_t eci_tx_untaken(struct ec_relay *relay);

/* ---- udp.c ---- */

/* What claims it on the L2 endpoint beneath. */
void eci_udp_item(const struct ec_udp *udp, struct ecp_open_item *item);
/* The UDP endpoint on l2 that a datagram to this address is for, or NULL. */
struct ec_udp *eci_udp_match(const struct ec_l2 *l2, const struct ec_frame *frame);
void eci_udp_free(struct ec_udp *udp);
/* A UDP endpoint that is not claimed yet, and *item to claim it on l2.  NULL: said. */
struct ec_udp *eci_udp_new(struct ec_l2 *l2, const char *local,
			   const struct ec_udp_opts *opts, struct ecp_open_item *item);
/* It was claimed, or not: 0, or -errno, said, and then the caller frees it. */
int eci_udp_start(struct ec_udp *udp, const struct ecp_opened_item *opened);

/* Build and submit one datagram.  Returns len or -errno, said. */
ssize_t eci_udp_transmit(struct ec_udp *udp, const struct ecp_addr *to,
			 const uint8_t mac[6], const void *buf, size_t len, unsigned flags);

/* ---- neigh.c ---- */

/* Before and after the life of an L2 endpoint.  0 or -ENOMEM, said. */
int eci_neigh_start(struct ec_l2 *l2);
void eci_neigh_stop(struct ec_l2 *l2);
/* udp has its address from now on, or no longer: what waits is lost. */
void eci_neigh_join(struct ec_udp *udp);
void eci_neigh_forget(struct ec_udp *udp);
void eci_neigh_fini(struct ec_relay *relay);
/* 0, -EINVAL, -EAFNOSUPPORT, said. */
int eci_neigh_set_route(struct ec_udp *udp, unsigned prefix_len,
			const struct ecp_addr *gateway);
void eci_neigh_drop_route(struct ec_udp *udp);
/* A frame for l2, or one for everybody on these VLANs.  True: ARP or ND, and dealt with. */
bool eci_neigh_hear(struct ec_l2 *l2, const struct ec_frame *frame);
bool eci_neigh_hear_all(struct ec_relay *relay, const uint16_t vlan[ECP_VLANS_MAX],
			const struct ec_frame *frame);
/* When eci_neigh_run() is to be called, CLOCK_MONOTONIC; 0: nothing is going on. */
int64_t eci_neigh_due(const struct ec_relay *relay);
void eci_neigh_run(struct ec_relay *relay);
/* Before the end: wait for the answers that datagrams wait for, a second at most. */
void eci_neigh_drain(struct ec_relay *relay);
/* Send by way of the next hop: at once, or when it is known.  Returns len or -errno, said. */
ssize_t eci_neigh_send(struct ec_udp *udp, const struct ecp_addr *to, const void *buf,
		       size_t len, unsigned flags);

/* ---- l2.c ---- */

/* What claims it. */
void eci_l2_item(const struct ec_l2 *l2, struct ecp_open_item *item);
void eci_l2_free(struct ec_l2 *l2);
/* The same two steps for an L2 endpoint. */
struct ec_l2 *eci_l2_new(struct ec_relay *relay, const struct ec_l2addr *addr,
			 const struct ec_l2_opts *opts, struct ecp_open_item *item);
int eci_l2_start(struct ec_l2 *l2, const struct ecp_opened_item *opened);
/* Which list holds the multicast receivers of these VLANs; NULL if there are none at all. */
struct l2_list *eci_l2_group(const struct ec_relay *relay,
			     const uint16_t vlan[ECP_VLANS_MAX]);
bool eci_l2_wants(const struct ec_l2 *l2, uint16_t ethertype);

#endif
