/*
 * load_client.c - one of many DHCP clients: its states.
 */
#include "examples/load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOT_NS 1000000

int load_init(struct load *l)
{
	l->wheel = malloc(LOAD_SLOTS * sizeof(*l->wheel));
	if (!l->wheel)
		return -ENOMEM;
	for (unsigned i = 0; i < LOAD_SLOTS; i++)
		TAILQ_INIT(&l->wheel[i]);
	l->hand = ec_now() / SLOT_NS;
	return 0;
}

static int next_hop(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	const struct load_client *c = arg;
	(void)dst;
	memcpy(mac, c->next_hop, 6);
	return 0;
}

int load_client_open(struct load *l, struct load_client *c, const struct ec_l2addr *addr)
{
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct ec_l2 *l2;
	l2_opts.flags = EC_L2_MULTICAST; /* a NAK comes as broadcast: RFC 2131, 4.1 */
	memcpy(c->mac, addr->mac, 6);
	memset(c->next_hop, 0xff, 6);
	c->xid = (uint32_t)random();
	opts.user = c;
	opts.resolve = next_hop;
	opts.resolve_arg = c;
	int r = ec_l2_open(&l2, l->relay, addr, &l2_opts);
	return r < 0 ? r : ec_udp_open(&c->udp, l2, "0.0.0.0:68", &opts);
}

/* What the client says in its state (RFC 2131, 4.3.2); bound, it says good-bye. */
static struct dhcp_ask words(const struct load_client *c, int64_t now)
{
	struct dhcp_ask ask = {.type = DHCP_REQUEST, .xid = c->xid};
	memcpy(ask.mac, c->mac, 6);
	ask.waited_s = (uint16_t)((now - c->began) / LOAD_SECOND_NS);
	if (c->state == LOAD_SELECTING) {
		ask.type = DHCP_DISCOVER;
	} else if (c->state == LOAD_REQUESTING) {
		ask.wanted = c->lease.address;
		ask.server = c->lease.server;
	} else {
		ask.own = c->lease.address;
	}
	if (c->state == LOAD_BOUND) {
		ask.type = DHCP_RELEASE;
		ask.server = c->lease.server;
	}
	return ask;
}

static int say(struct load_client *c, int64_t now)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(DHCP_SERVER_PORT)};
	struct dhcp_ask ask = words(c, now);
	uint8_t m[DHCP_MESSAGE_MAX];
	to.sin_addr.s_addr = ask.own ? c->lease.server : INADDR_BROADCAST;
	ssize_t n = ec_udp_sendto(c->udp, m, dhcp_build(&ask, m), EC_MORE,
				  (const struct sockaddr *)&to, sizeof(to));
	return n < 0 ? (int)n : 0;
}

static void fail(struct load_client *c, enum load_reason reason)
{
	c->state = LOAD_FAILED;
	c->reason = (uint8_t)reason;
}

static struct load_slot *slot_of(const struct load *l, int64_t due)
{
	return &l->wheel[due / SLOT_NS % LOAD_SLOTS];
}

static void wait_until(struct load *l, struct load_client *c, int64_t due)
{
	c->due = due;
	TAILQ_INSERT_TAIL(slot_of(l, due), c, queue);
	l->n_asking++;
}

static void stop_waiting(struct load *l, struct load_client *c)
{
	TAILQ_REMOVE(slot_of(l, c->due), c, queue);
	l->n_asking--;
}

/* Clients that failed together shall not all come back together: RFC 2131, 4.1. */
static int64_t about(int64_t ns)
{
	return ns - ns / 4 + random() % (ns / 2);
}

/* Ask, and wait for the answer. */
static void ask(struct load *l, struct load_client *c, enum load_state state, int64_t now)
{
	c->state = (uint8_t)state;
	if (say(c, now) < 0)
		fail(c, LOAD_NO_SEND);
	else
		wait_until(l, c, now + about((int64_t)LOAD_SECOND_NS << c->tries));
}

/* One try more, unless there were enough; they count over the whole exchange. */
static bool may_try(struct load *l, struct load_client *c, enum load_reason otherwise)
{
	if (++c->tries == LOAD_TRIES) {
		fail(c, otherwise);
		return false;
	}
	l->retries++;
	return true;
}

/* Begin anew, but not at once: who was offered the same address as we shall be through. */
static void start_over(struct load *l, struct load_client *c, int64_t now)
{
	c->state = LOAD_WAITING;
	wait_until(l, c, now + about(LOAD_SECOND_NS / 2));
}

/* The endpoint becomes the leased address: only as that may it renew and release. */
static int take_address(struct load_client *c)
{
	const struct sockaddr_in own = {.sin_family = AF_INET,
					.sin_port = htons(DHCP_CLIENT_PORT),
					.sin_addr.s_addr = c->lease.address};
	struct sockaddr_storage has;
	ec_udp_local(c->udp, &has);
	if (!memcmp(&has, &own, sizeof(own)))
		return 0;
	return ec_udp_set_local(c->udp, (const struct sockaddr *)&own);
}

void load_client_lease(struct load *l, struct load_client *c, int64_t now)
{
	c->began = now;
	ask(l, c, LOAD_SELECTING, now);
}

void load_client_renew(struct load *l, struct load_client *c, int64_t now)
{
	c->began = now;
	c->tries = 0;
	if (take_address(c) < 0)
		fail(c, LOAD_NO_SEND);
	else
		ask(l, c, LOAD_RENEWING, now);
}

void load_client_release(struct load *l, struct load_client *c, int64_t now)
{
	(void)l; /* nobody answers */
	c->began = now;
	if (take_address(c) < 0 || say(c, now) < 0)
		fail(c, LOAD_NO_SEND);
}

static void refused(struct load *l, struct load_client *c, int64_t now)
{
	bool renewing = c->state == LOAD_RENEWING;
	stop_waiting(l, c);
	if (renewing)
		fail(c, LOAD_REFUSED);
	else if (may_try(l, c, LOAD_REFUSED))
		start_over(l, c, now);
}

static void answered(struct load *l, struct load_client *c, const struct dhcp_lease *answer,
		     const struct ec_frame *f, int64_t now)
{
	stop_waiting(l, c);
	c->lease = *answer;
	if (c->state == LOAD_SELECTING) {
		ask(l, c, LOAD_REQUESTING, now);
		return;
	}
	memcpy(c->next_hop, ec_frame_src_mac(f), 6);
	c->latency_us = (uint32_t)((now - c->began) / 1000);
	c->state = LOAD_BOUND;
}

void load_take_frame(struct load *l, const struct ec_frame *f, int64_t now)
{
	struct load_client *c = f->user;
	struct dhcp_lease answer;
	if (!f->udp || !(f->flags & EC_FRAME_UDP) ||
	    !dhcp_parse(f->payload, f->payload_len, c->xid, c->mac, &answer))
		return;
	bool selecting = c->state == LOAD_SELECTING;
	bool asking = c->state == LOAD_REQUESTING || c->state == LOAD_RENEWING;
	if (asking && answer.type == DHCP_NAK)
		refused(l, c, now);
	else if ((selecting && answer.type == DHCP_OFFER) ||
		 (asking && answer.type == DHCP_ACK))
		answered(l, c, &answer, f, now);
	else
		l->late++; /* to an earlier try: this one or another came first */
}

static void not_answered(struct load *l, struct load_client *c, int64_t now)
{
	bool selecting = c->state == LOAD_SELECTING;
	if (c->state == LOAD_WAITING)
		ask(l, c, LOAD_SELECTING, now);
	else if (!may_try(l, c, selecting ? LOAD_NO_OFFER : LOAD_NO_ACK))
		return;
	else if (c->state == LOAD_REQUESTING && c->tries > 1)
		start_over(l, c, now);
	else
		ask(l, c, c->state, now);
}

void load_ask_again(struct load *l, int64_t now)
{
	struct load_client *c;
	for (; l->hand < now / SLOT_NS; l->hand++) {
		while ((c = TAILQ_FIRST(slot_of(l, l->hand * SLOT_NS)))) {
			stop_waiting(l, c);
			not_answered(l, c, now);
		}
	}
}

int64_t load_next_due(const struct load *l, int64_t limit)
{
	for (int64_t slot = l->hand; slot * SLOT_NS < limit; slot++) {
		if (!TAILQ_EMPTY(slot_of(l, slot * SLOT_NS)))
			return (slot + 1) * SLOT_NS; /* then it has passed */
	}
	return limit;
}
