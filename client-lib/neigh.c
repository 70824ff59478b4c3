/*
 * neigh.c - next hops: the ARP and Neighbour Discovery of endpoints that ask for it.
 *
 * Each L2 endpoint is a host of its own, with its own cache.  An entry is asked for up to three
 * times, a second apart (RFC 4861, 10; RFC 1122, 2.3.2.1); meanwhile datagrams wait in it.  A
 * known one is doubted after a minute: it is asked for again while it goes on being used.
 *
 * Whoever asks for us is remembered, so strangers could fill the memory: of more than NEIGHS_MAX
 * the one goes that nothing waits for, and that was not sent to for the longest time.
 *
 * The library has no thread: time passes for it in receiving calls, in sends that have to wait,
 * and, for who polls, through a timer beneath ec_relay_fd().
 */
#include "client-lib/internal.h"

#include "proto/neigh.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define NS_PER_S    INT64_C(1000000000)
#define ASK_EVERY   NS_PER_S
#define ASK_TIMES   3
#define FRESH       (60 * NS_PER_S)
#define WAITING_MAX 64    /* datagrams for one next hop */
#define NEIGHS_MAX  1024  /* of an L2 endpoint */
#define LOOKS_MAX   64    /* for one that may go, where there are more than that */
#define BUCKETS     16384 /* of both tables */

/* A datagram whose next hop is not known yet. */
struct waiting {
	TAILQ_ENTRY(waiting) of_neigh;
	struct ec_udp *udp;
	struct ecp_addr dst;
	size_t len;
	uint8_t payload[];
};

struct neigh {
	LIST_ENTRY(neigh) of_bucket;
	TAILQ_ENTRY(neigh) of_l2;
	TAILQ_ENTRY(neigh) of_asking; /* while asked > 0 */
	struct ec_l2 *l2;
	struct ecp_addr addr; /* without port */
	uint8_t mac[ECP_MAC_LEN];
	bool known;         /* mac is good */
	bool failed;        /* nobody answered, and nobody was told yet */
	bool used;          /* since it was last looked at for whether it may go */
	bool held;          /* by a send that listens meanwhile */
	unsigned asked;     /* requests since it was last known for sure */
	int64_t due;        /* asked: when to ask again; known: when to doubt it */
	uint8_t source[16]; /* who asks */
	TAILQ_HEAD(waiting_queue, waiting) waiting;
	unsigned n_waiting;
};

/* ---- addresses ---- */

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	return !memcmp(a, b, bytes) && (!rest || !((a[bytes] ^ b[bytes]) >> (8 - rest)));
}

static bool on_link(const struct ec_udp *udp, const struct ecp_addr *to)
{
	static const uint8_t link_local[] = {0xfe, 0x80};
	return !udp->prefix_len || ecp_addr_is_any(&udp->local) ||
	       same_prefix(udp->local.ip, to->ip, udp->prefix_len) ||
	       (to->family == 6 && same_prefix(to->ip, link_local, 10));
}

/* The broadcast address of udp's own IPv4 prefix (RFC 1122, 3.2.1.3). */
static bool is_prefix_broadcast(const struct ec_udp *udp, const struct ecp_addr *to)
{
	uint32_t ip, host;
	if (to->family != 4 || !udp->prefix_len || udp->prefix_len >= 31)
		return false;
	memcpy(&ip, to->ip, sizeof(ip));
	host = UINT32_MAX >> udp->prefix_len;
	return (ntohl(ip) & host) == host && on_link(udp, to);
}

static int route_check(const struct ec_udp *udp, unsigned prefix_len,
		       const struct ecp_addr *gateway)
{
	if (prefix_len > (udp->local.family == 4 ? 32 : 128))
		return eci_error_set(-EINVAL, "a prefix of %u bits", prefix_len);
	if (gateway->family && gateway->family != udp->local.family)
		return eci_error_set(-EAFNOSUPPORT,
				     "gateway and local address differ in family");
	return 0;
}

int eci_neigh_set_route(struct ec_udp *udp, unsigned prefix_len,
			const struct ecp_addr *gateway)
{
	int r = route_check(udp, prefix_len, gateway);
	if (r < 0)
		return r;
	struct ecp_addr *own = gateway->family ? malloc(sizeof(*own)) : NULL;
	if (gateway->family && !own)
		return eci_error_set(-ENOMEM, "out of memory");
	if (own) {
		*own = *gateway;
		own->port = 0;
	}
	eci_neigh_drop_route(udp);
	udp->prefix_len = (uint8_t)prefix_len;
	udp->gateway = own;
	return 0;
}

void eci_neigh_drop_route(struct ec_udp *udp)
{
	free(udp->gateway);
	udp->gateway = NULL;
	udp->prefix_len = 0;
}

/* ---- the two tables: neighbours of an endpoint, and addresses that are answered for ---- */

static unsigned hash(uint64_t salt, const uint8_t ip[static 16])
{
	uint64_t words[2];
	memcpy(words, ip, sizeof(words));
	uint64_t h = (salt ^ words[0] ^ words[1] * 31) * UINT64_C(0x9e3779b97f4a7c15);
	return (unsigned)(h >> 32) % BUCKETS;
}

static uint64_t vlans_salt(const uint16_t vlan[ECP_VLANS_MAX])
{
	return (uint64_t)vlan[0] << 16 | vlan[1];
}

static struct neigh_list *neigh_bucket(const struct ec_l2 *l2, const struct ecp_addr *addr)
{
	return &l2->ep.relay->neigh.cache[hash((uintptr_t)l2, addr->ip)];
}

static struct neigh *neigh_find(const struct ec_l2 *l2, const struct ecp_addr *addr)
{
	struct neigh *n;
	LIST_FOREACH(n, neigh_bucket(l2, addr), of_bucket)
	if (n->l2 == l2 && ecp_addr_equal(&n->addr, addr))
		return n;
	return NULL;
}

static void waiting_free(struct neigh *n, struct waiting *w)
{
	TAILQ_REMOVE(&n->waiting, w, of_neigh);
	n->n_waiting--;
	n->l2->ep.relay->neigh.n_waiting--;
	free(w);
}

/* What still waits will not be sent. */
static void waiting_lose(struct neigh *n)
{
	n->l2->ep.relay->stats.tx_unresolved += n->n_waiting;
	n->l2->ep.relay->neigh.n_waiting -= n->n_waiting;
	struct waiting *next;
	for (struct waiting *w = TAILQ_FIRST(&n->waiting); w; w = next) {
		next = TAILQ_NEXT(w, of_neigh);
		free(w);
	}
	TAILQ_INIT(&n->waiting);
	n->n_waiting = 0;
}

static void asking_end(struct neigh *n)
{
	if (n->asked)
		TAILQ_REMOVE(&n->l2->ep.relay->neigh.asking, n, of_asking);
	n->asked = 0;
}

static void neigh_free(struct neigh *n)
{
	asking_end(n);
	waiting_lose(n);
	LIST_REMOVE(n, of_bucket);
	TAILQ_REMOVE(&n->l2->neighs, n, of_l2);
	n->l2->n_neighs--;
	free(n);
}

static bool may_go(const struct neigh *n)
{
	return !n->held && !n->asked && !n->n_waiting;
}

/*
 * Too many: forget some, in the way of a clock with one hand.  Where all are asked for there may be
 * none, and the hand does not go round for each that comes.
 */
static void neigh_evict(struct ec_l2 *l2, unsigned most)
{
	unsigned looks = l2->n_neighs > NEIGHS_MAX ? LOOKS_MAX : 2 * NEIGHS_MAX;
	struct neigh *next, *n = TAILQ_FIRST(&l2->neighs);
	for (; n && looks && most; looks--, n = next) {
		next = TAILQ_NEXT(n, of_l2);
		if (may_go(n) && !n->used) {
			neigh_free(n);
			most--;
			continue;
		}
		n->used = false;
		TAILQ_REMOVE(&l2->neighs, n, of_l2);
		TAILQ_INSERT_TAIL(&l2->neighs, n, of_l2);
	}
}

static struct neigh *neigh_get(struct ec_l2 *l2, const struct ecp_addr *addr)
{
	struct neigh *n = neigh_find(l2, addr);
	if (n)
		return n;
	/* two, so that it shrinks again when those have been answered, or given up */
	if (l2->n_neighs >= NEIGHS_MAX)
		neigh_evict(l2, l2->n_neighs > NEIGHS_MAX ? 2 : 1);
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->l2 = l2;
	n->addr = *addr;
	TAILQ_INIT(&n->waiting);
	LIST_INSERT_HEAD(neigh_bucket(l2, addr), n, of_bucket);
	TAILQ_INSERT_TAIL(&l2->neighs, n, of_l2);
	l2->n_neighs++;
	return n;
}

static int tables_make(struct neighbours *all)
{
	if (!all->cache)
		all->cache = calloc(BUCKETS, sizeof(*all->cache));
	if (!all->own)
		all->own = calloc(BUCKETS, sizeof(*all->own));
	return all->cache && all->own ? 0 : eci_error_set(-ENOMEM, "out of memory");
}

int eci_neigh_start(struct ec_l2 *l2)
{
	return l2->flags & ECI_L2_NEIGH ? tables_make(&l2->ep.relay->neigh) : 0;
}

void eci_neigh_stop(struct ec_l2 *l2)
{
	while (!TAILQ_EMPTY(&l2->neighs))
		neigh_free(TAILQ_FIRST(&l2->neighs));
}

void eci_neigh_join(struct ec_udp *udp)
{
	struct neighbours *all = &udp->l2->ep.relay->neigh;
	if (!(udp->l2->flags & EC_L2_ANSWER) || ecp_addr_is_any(&udp->local))
		return;
	unsigned at = hash(vlans_salt(udp->l2->key.vlan), udp->local.ip);
	LIST_INSERT_HEAD(&all->own[at], udp, of_address);
	udp->answered_for = true;
}

static void neigh_leave(struct ec_udp *udp)
{
	if (udp->answered_for)
		LIST_REMOVE(udp, of_address);
	udp->answered_for = false;
}

void eci_neigh_forget(struct ec_udp *udp)
{
	struct neigh *n;
	struct waiting *w, *next;
	neigh_leave(udp);
	TAILQ_FOREACH(n, &udp->l2->neighs, of_l2)
	for (w = TAILQ_FIRST(&n->waiting); w; w = next) {
		next = TAILQ_NEXT(w, of_neigh);
		if (w->udp != udp)
			continue;
		udp->ep.relay->stats.tx_unresolved++;
		waiting_free(n, w);
	}
}

void eci_neigh_fini(struct ec_relay *relay)
{
	free(relay->neigh.cache);
	free(relay->neigh.own);
}

/* ---- asking and answering ---- */

static int message_send(struct ec_l2 *l2, const struct ecp_neigh *message, unsigned flags)
{
	uint8_t packet[ECP_NEIGH_LEN_MAX], dst[ECP_MAC_LEN], *at;
	uint16_t ethertype;
	size_t len = ecp_neigh_build(message, packet, &ethertype, dst);
	int r = eci_tx_reserve(&l2->ep, (uint32_t)len, ethertype, dst, flags, &at);
	if (r < 0)
		return r;
	memcpy(at, packet, len);
	eci_tx_submit(l2->ep.relay, (uint32_t)len, 0);
	return 0;
}

/* Ask for n; the answer, which may come while there is no room yet, finds it on the list. */
static int neigh_ask(struct neigh *n, unsigned flags)
{
	struct neighbours *all = &n->l2->ep.relay->neigh;
	struct ecp_neigh request = {.family = n->addr.family};
	memcpy(request.mac, n->l2->addr.mac, ECP_MAC_LEN);
	memcpy(request.ip, n->source, sizeof(request.ip));
	memcpy(request.target, n->addr.ip, sizeof(request.target));
	if (n->asked)
		TAILQ_REMOVE(&all->asking, n, of_asking);
	n->asked++;
	n->due = ec_now() + ASK_EVERY;
	TAILQ_INSERT_TAIL(&all->asking, n, of_asking);
	return message_send(n->l2, &request, flags);
}

/* From which address udp asks: its own; without one, IPv6 has another that is sure. */
static void neigh_set_source(struct neigh *n, const struct ec_udp *udp)
{
	memcpy(n->source, udp->local.ip, sizeof(n->source));
	if (udp->local.family == 6 && ecp_addr_is_any(&udp->local))
		ecp_link_local(n->l2->addr.mac, n->source);
}

static void neigh_learn(struct neigh *n, const uint8_t mac[ECP_MAC_LEN])
{
	const int64_t drained_by = n->l2->ep.relay->neigh.drained_by;
	struct waiting *w;
	asking_end(n);
	n->known = true;
	n->failed = false;
	n->due = ec_now() + FRESH;
	memcpy(n->mac, mac, ECP_MAC_LEN);
	while ((w = TAILQ_FIRST(&n->waiting))) {
		if (drained_by) /* not for ever: the daemon may have stopped */
			w->udp->ep.write_deadline = drained_by;
		if (eci_udp_transmit(w->udp, &w->dst, n->mac, w->payload, w->len,
				     ECI_STAY) < 0)
			n->l2->ep.relay->stats.tx_unresolved++;
		waiting_free(n, w);
	}
}

/* A stranger is not worth one that is asked for. */
static void neigh_learn_asker(struct ec_l2 *l2, const struct ecp_addr *asker,
			      const uint8_t mac[ECP_MAC_LEN])
{
	struct neigh *n = neigh_get(l2, asker);
	if (n)
		neigh_learn(n, mac);
	if (l2->n_neighs > NEIGHS_MAX)
		neigh_evict(l2, 1);
}

/* Several UDP endpoints of one host have the same address: one of them answers for it. */
static bool speaks_for_address(const struct ec_udp *udp)
{
	const struct ec_udp *other = LIST_FIRST(&udp->l2->udps);
	while (other != udp && (other->local.family != udp->local.family ||
				memcmp(other->local.ip, udp->local.ip, 16) != 0))
		other = LIST_NEXT(other, of_l2);
	return other == udp;
}

static void answer(const struct ec_udp *udp, const struct ecp_neigh *asked)
{
	struct ec_l2 *l2 = udp->l2;
	struct ecp_addr asker = {.family = asked->family};
	struct ecp_neigh reply = {.reply = true, .family = asked->family};
	memcpy(asker.ip, asked->ip, sizeof(asker.ip));
	memcpy(reply.ip, udp->local.ip, sizeof(reply.ip));
	memcpy(reply.mac, l2->addr.mac, ECP_MAC_LEN);
	memcpy(reply.target, asked->ip, sizeof(reply.target));
	memcpy(reply.target_mac, asked->mac, ECP_MAC_LEN);
	/* no room: as if the question had been lost, and asked again */
	message_send(l2, &reply, EC_DONTWAIT | ECI_STAY);
	/* who asks will soon be answered with more than that (RFC 826) */
	if (l2->flags & EC_L2_RESOLVE && asked->have_mac && !ecp_addr_is_any(&asker))
		neigh_learn_asker(l2, &asker, asked->mac);
}

/* Everybody on these VLANs who has the address that is looked for; l2: if it is there. */
static void answer_all(struct ec_relay *relay, const struct ec_l2 *l2,
		       const uint16_t vlan[ECP_VLANS_MAX], const struct ecp_neigh *asked)
{
	struct ec_udp *udp;
	unsigned at = hash(vlans_salt(vlan), asked->target);
	LIST_FOREACH(udp, &relay->neigh.own[at], of_address)
	if (udp->local.family == asked->family &&
	    !memcmp(udp->local.ip, asked->target, 16) &&
	    !memcmp(udp->l2->key.vlan, vlan, sizeof(udp->l2->key.vlan)) &&
	    (!l2 || l2 == udp->l2) && speaks_for_address(udp))
		answer(udp, asked);
}

static bool message_parse(const struct ec_frame *frame, struct ecp_neigh *ret)
{
	if (frame->ethertype == ECP_ETHERTYPE_ARP)
		return ecp_arp_parse(frame->l3, frame->l3_len, ret);
	if (frame->ethertype != ECP_ETHERTYPE_IPV6 || frame->payload == NULL ||
	    frame->protocol != ECP_IP_PROTO_ICMPV6 || frame->flags & EC_FRAME_FRAGMENT ||
	    !ecp_nd_parse(frame->l3, frame->payload, frame->payload_len, ret))
		return false;
	/* without the option, it is where the frame came from: but only asked is it needed */
	if (!ret->have_mac && !ret->reply)
		memcpy(ret->mac, ec_frame_src_mac(frame), ECP_MAC_LEN);
	return true;
}

bool eci_neigh_hear(struct ec_l2 *l2, const struct ec_frame *frame)
{
	struct ecp_neigh said;
	if (!message_parse(frame, &said))
		return false;
	if (said.reply) {
		struct ecp_addr addr = {.family = said.family};
		memcpy(addr.ip, said.ip, sizeof(addr.ip));
		struct neigh *n = neigh_find(l2, &addr);
		if (n && said.have_mac)
			neigh_learn(n, said.mac);
	} else {
		answer_all(l2->ep.relay, l2, l2->key.vlan, &said);
	}
	return true;
}

bool eci_neigh_hear_all(struct ec_relay *relay, const uint16_t vlan[ECP_VLANS_MAX],
			const struct ec_frame *frame)
{
	struct ecp_neigh said;
	if (!relay->neigh.own || !message_parse(frame, &said))
		return false;
	if (!said.reply)
		answer_all(relay, NULL, vlan, &said);
	return true;
}

/* ---- time ---- */

int64_t eci_neigh_due(const struct ec_relay *relay)
{
	const struct neigh *n = TAILQ_FIRST(&relay->neigh.asking);
	/* while the daemon is away nobody is asked, and nobody is given up */
	return n && relay->again.way == ECI_UP ? n->due : 0;
}

static void neigh_give_up(struct neigh *n)
{
	asking_end(n);
	waiting_lose(n);
	n->known = false;
	n->failed = true;
}

void eci_neigh_run(struct ec_relay *relay)
{
	struct neigh *n;
	if (TAILQ_EMPTY(&relay->neigh.asking) || relay->again.way != ECI_UP)
		return;
	int64_t now = ec_now();
	while ((n = TAILQ_FIRST(&relay->neigh.asking)) && n->due <= now) {
		if (n->asked == ASK_TIMES)
			neigh_give_up(n);
		else
			neigh_ask(n, EC_DONTWAIT | ECI_STAY);
	}
}

void eci_neigh_drain(struct ec_relay *relay)
{
	const int64_t deadline = ec_now() + NS_PER_S;
	relay->neigh.drained_by = deadline;
	while (relay->neigh.n_waiting && ec_now() < deadline)
		if (eci_relay_pump(relay) < 0 ||
		    (relay->neigh.n_waiting && eci_relay_wait_more(relay, deadline) < 0))
			return;
}

/* ---- sending ---- */

/* The address of the next hop towards to.  0 or -ENETUNREACH, said. */
static int next_hop(const struct ec_udp *udp, const struct ecp_addr *to,
		    struct ecp_addr *hop)
{
	bool direct = on_link(udp, to);
	if (!direct && !udp->gateway)
		return eci_error_set(-ENETUNREACH,
				     "the destination is not on the link, and "
				     "there is no gateway");
	*hop = direct ? *to : *udp->gateway;
	hop->port = 0;
	return 0;
}

static int waiting_add(struct neigh *n, struct ec_udp *udp, const struct ecp_addr *to,
		       const void *buf, size_t len)
{
	struct waiting *w = malloc(sizeof(*w) + len);
	if (!w)
		return eci_error_set(-ENOMEM, "out of memory");
	w->udp = udp;
	w->dst = *to;
	w->len = len;
	if (len)
		memcpy(w->payload, buf, len);
	TAILQ_INSERT_TAIL(&n->waiting, w, of_neigh);
	n->n_waiting++;
	n->l2->ep.relay->neigh.n_waiting++;
	return 0;
}

/* Can a datagram leave for n, or wait in it?  1: leave; 0: wait; -errno, said. */
static int neigh_ready(struct neigh *n, const struct ec_udp *udp, unsigned flags)
{
	bool doubt = n->known && !n->asked && n->due <= ec_now();
	if (doubt || (!n->known && !n->asked)) {
		neigh_set_source(n, udp);
		int r = neigh_ask(n, flags);
		if (r < 0 && !n->known) {
			neigh_free(n);
			return r;
		}
	}
	return n->known;
}

static int error_waiting(int r)
{
	return eci_error_set(r, "%d datagrams wait for the next hop: %s", WAITING_MAX,
			     strerror(-r));
}

/* Is n known, if not at once then after a look at what has come?  As neigh_ready(). */
static int neigh_ready_soon(struct neigh *n, const struct ec_udp *udp, unsigned flags)
{
	n->used = n->held = true; /* what comes meanwhile may push others out */
	int r = neigh_ready(n, udp, flags);
	if (r < 0)
		return r; /* and it is gone */
	/* an application that only sends must hear the answer too */
	if (r == 0)
		r = eci_relay_pump(udp->ep.relay);
	n->held = false;
	return r < 0 ? error_waiting(r) : n->known;
}

/* The next hop is a neighbour: look it up, and wait for it as far as need be. */
static ssize_t send_by_neigh(struct ec_udp *udp, const struct ecp_addr *to,
			     const struct ecp_addr *hop, const void *buf, size_t len,
			     unsigned flags)
{
	for (;;) {
		uint8_t mac[ECP_MAC_LEN];
		struct neigh *n = neigh_get(udp->l2, hop);
		if (!n)
			return eci_error_set(-ENOMEM, "out of memory");
		int r = n->failed ? 0 : neigh_ready_soon(n, udp, flags);
		if (r < 0)
			return r;
		if (r > 0) {
			/* a copy: while the ring is full others may be answered */
			memcpy(mac, n->mac, sizeof(mac));
			return eci_udp_transmit(udp, to, mac, buf, len, flags);
		}
		if (n->failed) {
			neigh_free(n);
			return eci_error_set(-EHOSTUNREACH, "no answer from the next hop");
		}
		if (n->n_waiting < WAITING_MAX) {
			r = waiting_add(n, udp, to, buf, len);
			return r < 0 ? r : (ssize_t)len;
		}
		if (flags & EC_DONTWAIT)
			return error_waiting(-EAGAIN);
		r = eci_relay_wait_more(udp->ep.relay, udp->ep.write_deadline);
		if (r < 0)
			return error_waiting(r);
	}
}

ssize_t eci_neigh_send(struct ec_udp *udp, const struct ecp_addr *to, const void *buf,
		       size_t len, unsigned flags)
{
	static const struct ecp_addr everybody = {.ip = {255, 255, 255, 255}, .family = 4};
	const struct ecp_addr *group = is_prefix_broadcast(udp, to) ? &everybody : to;
	struct ecp_addr hop;
	uint8_t mac[ECP_MAC_LEN];
	if (ecp_multicast_mac(group->family, group->ip, mac))
		return eci_udp_transmit(udp, to, mac, buf, len, flags);
	int r = next_hop(udp, to, &hop);
	return r < 0 ? r : send_by_neigh(udp, to, &hop, buf, len, flags);
}
