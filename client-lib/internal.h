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
	/* what each sent frame touches: one cache line */
	_Alignas(ECP_CACHE_LINE) struct ec_relay *relay;
	uint32_t id, generation; /* the daemon's name for it */
	uint32_t payload_max;
	enum ecp_endpoint_kind kind;
	int64_t write_deadline; /* 0: none */
	/* ... and the rest */
	int64_t read_deadline;
	void *user;
	struct queue queue;
	uint32_t n_queued;
};

LIST_HEAD(l2_list, ec_l2);
LIST_HEAD(udp_list, ec_udp);
LIST_HEAD(neigh_list, neigh);
TAILQ_HEAD(neigh_queue, neigh);

/* Endpoints whose neighbours are the library's business. */
#define ECI_L2_NEIGH (EC_L2_RESOLVE | EC_L2_ANSWER)

struct ec_l2 {
	struct endpoint ep;
	LIST_ENTRY(ec_l2) of_relay;
	LIST_ENTRY(ec_l2) of_group; /* where flags ask for multicast */
	struct udp_list udps;
	struct neigh_list neighs;
	struct ec_l2addr addr;
	struct ecp_key key;
	unsigned flags; /* enum ec_l2_flags */
	/* those the application asked for: the claim may have more */
	unsigned n_ethertypes;
	uint16_t ethertypes[EC_ETHERTYPES_MAX];
};

struct ec_udp {
	struct endpoint ep;
	LIST_ENTRY(ec_udp) of_l2;
	LIST_ENTRY(ec_udp) of_address; /* while answered_for */
	bool answered_for;
	struct ec_l2 *l2;
	struct ecp_addr local, gateway; /* gateway.family 0: none */
	uint8_t prefix_len;             /* 0: everything is on the link */
	unsigned flags;                 /* enum ec_udp_flags */
	uint8_t ttl, tclass;
	uint16_t ident;
	ec_resolve_fn *resolve; /* NULL: neigh.c */
	void *resolve_arg;
};

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
	int timer_fd;              /* beneath ec_relay_fd() */
	int64_t timer_due;         /* what it is set to */
};

#define GROUP_BUCKETS 4096 /* by VLAN ids: one for each id of a single tag */

/* Room for one question to the daemon; too large for a stack. */
struct question {
	struct ecp_request request;
	struct ecp_reply reply;
	char text[ECP_MSG_MAX + 1];
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
	bool gone;            /* the daemon has ended the connection */
	char ifname[ECP_IFNAME];
	uint32_t mtu, queue_depth;
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
	bool lending;         /* the application looks at frames in the ring */
	_Atomic bool stopped; /* by any thread, through stop_fd */
	int stop_fd;
	/* the pollable descriptor, made on first use */
	int epoll_fd, event_fd;
	bool event_set; /* event_fd is readable: something is left unread */
	bool armed;     /* nothing is left, and the daemon will ring */
	uint32_t idle_looks;
	int64_t spin_ns;
	struct ecp_pace pace; /* of calls that wait */
	uint64_t paced;       /* stats.rx when it was asked last */
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

/* ---- relay.c ---- */

/* Ask relay->question->request, have the answer of this type in ->reply.  0 or -errno, said. */
int eci_relay_ask(struct ec_relay *relay, enum ecp_reply_type expected);
/* Ask what stands in relay->question->request.open; the answers are as many.  0 or -errno, said. */
int eci_relay_ask_open(struct ec_relay *relay);
/* Give back what stands in relay->question->request.close, which is empty afterwards. */
void eci_relay_ask_close(struct ec_relay *relay);
/* Let ec_relay_fd() be readable when eci_neigh_run() is due. */
void eci_relay_set_timer(struct ec_relay *relay);
/* Memory for one, zeroed but for what the arguments say.  NULL: said. */
struct endpoint *eci_endpoint_new(struct ec_relay *relay, enum ecp_endpoint_kind kind,
				  void *user);
void eci_endpoint_free(struct endpoint *ep); /* it is not open (any longer) */
/* Take the daemon's answer: the endpoint has a number from now on.  0 or -errno, said. */
int eci_endpoint_adopt(struct endpoint *ep, const struct ecp_opened_item *opened);
/* Does an L3 payload of len bytes fit?  0 or -EMSGSIZE, said. */
int eci_endpoint_check_length(const struct endpoint *ep, size_t len);
/* Give it back and forget what is queued for it. */
void eci_endpoint_close(struct endpoint *ep);
/* Forget what is queued for it, and its number. */
void eci_endpoint_forget(struct endpoint *ep);

/* ---- frame.c ---- */

struct ecp_l2addr eci_l2addr_to_proto(const struct ec_l2addr *addr);
void eci_addr_to_sockaddr(const struct ecp_addr *addr, struct sockaddr_storage *ret);
/* 0 or -EAFNOSUPPORT, said. */
int eci_addr_from_sockaddr(const struct sockaddr *sa, struct ecp_addr *ret);
/* Source or destination of an IP packet, with its UDP port.  0 or -EAFNOSUPPORT. */
int eci_frame_addr(const struct ec_frame *frame, bool destination, struct ecp_addr *ret);

/* ---- receive.c ---- */

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

/* ---- udp.c ---- */

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
/* udp has its address from now on, or no longer; forget: and what waits is lost. */
void eci_neigh_join(struct ec_udp *udp);
void eci_neigh_leave(struct ec_udp *udp);
void eci_neigh_forget(struct ec_udp *udp);
void eci_neigh_fini(struct ec_relay *relay);
/* 0, -EINVAL, -EAFNOSUPPORT, said. */
int eci_neigh_set_route(struct ec_udp *udp, unsigned prefix_len,
			const struct ecp_addr *gateway);
/* A frame for l2, or one for everybody on these VLANs.  True: ARP or ND, and dealt with. */
bool eci_neigh_hear(struct ec_l2 *l2, const struct ec_frame *frame);
bool eci_neigh_hear_all(struct ec_relay *relay, const uint16_t vlan[ECP_VLANS_MAX],
			const struct ec_frame *frame);
/* When eci_neigh_run() is to be called, CLOCK_MONOTONIC; 0: nothing is going on. */
int64_t eci_neigh_due(const struct ec_relay *relay);
void eci_neigh_run(struct ec_relay *relay);
/* Send by way of the next hop: at once, or when it is known.  Returns len or -errno, said. */
ssize_t eci_neigh_send(struct ec_udp *udp, const struct ecp_addr *to, const void *buf,
		       size_t len, unsigned flags);

/* ---- l2.c ---- */

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
