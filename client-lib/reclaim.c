/*
 * reclaim.c - after a restart: all endpoints of a relay claimed again, a batch at a time, each
 * as it is by now.
 *
 * Endpoints without a number stand in a queue, an L2 endpoint before those on it.  A batch is taken
 * from its head; who gets a number leaves it, who is refused goes to its end.  While one batch
 * is on its way nobody waits: frames for those that have been given back flow already.
 */
#include "client-lib/internal.h"

#include <stdlib.h>

#define NS_PER_MS   INT64_C(1000000)
#define AGAIN_EVERY (1000 * NS_PER_MS)
#define SLOW_DOWN   (50 * NS_PER_MS) /* the policy limits requests */

/* ---- the queue ---- */

static void lose_number(struct ec_relay *relay, struct endpoint *ep)
{
	ep->id = ECI_NO_ID;
	ep->refused = 0;
	ep->unclaimed = true;
	TAILQ_INSERT_HEAD(&relay->again.unclaimed, ep, of_unclaimed);
}

/* The lists have the newest first; so this leaves the oldest at the head. */
static void lose_numbers(struct ec_relay *relay)
{
	TAILQ_INIT(&relay->again.unclaimed);
	for (struct ec_l2 *l2 = LIST_FIRST(&relay->l2s); l2; l2 = LIST_NEXT(l2, of_relay)) {
		struct ec_udp *udp = LIST_FIRST(&l2->udps);
		for (; udp; udp = LIST_NEXT(udp, of_l2))
			lose_number(relay, &udp->ep);
		lose_number(relay, &l2->ep);
	}
	if (relay->n_slots)
		memset(relay->slots, 0, relay->n_slots * sizeof(*relay->slots));
	relay->stats.unclaimed = 0;
}

static void set_refused(struct endpoint *ep, int code)
{
	uint64_t *unclaimed = &ep->relay->stats.unclaimed;
	*unclaimed += (uint64_t) !!code - (uint64_t) !!ep->refused;
	ep->refused = (int16_t)code;
}

/* To the end, for another time. */
static void refuse(struct endpoint *ep, int code)
{
	struct endpoint_queue *unclaimed = &ep->relay->again.unclaimed;
	set_refused(ep, code);
	TAILQ_REMOVE(unclaimed, ep, of_unclaimed);
	TAILQ_INSERT_TAIL(unclaimed, ep, of_unclaimed);
}

/* Is it an item of the batch that is on its way, or being put together? */
static bool in_batch(const struct claims *c, const struct endpoint *ep)
{
	return c && ep->asked_at < c->n_asked && c->asked[ep->asked_at] == ep;
}

/* It has a number, or needs none any more. */
static void leave_queue(struct endpoint *ep)
{
	set_refused(ep, 0);
	ep->unclaimed = false;
	TAILQ_REMOVE(&ep->relay->again.unclaimed, ep, of_unclaimed);
}

void eci_reclaim_forget(struct endpoint *ep)
{
	struct claims *c = ep->relay->again.claims;
	if (!ep->unclaimed)
		return;
	leave_queue(ep);
	if (in_batch(c, ep))
		c->asked[ep->asked_at] = NULL;
}

/* ---- asking ---- */

/* False: it is to stand on what the daemon has refused. */
static bool item_fill(const struct claims *c, const struct endpoint *ep,
		      struct ecp_open_item *item)
{
	if (ep->kind == ECP_KIND_L2) {
		eci_l2_item((const struct ec_l2 *)ep, item);
		return true;
	}
	const struct ec_udp *udp = (const struct ec_udp *)ep;
	const struct endpoint *on = &udp->l2->ep;
	eci_udp_item(udp, item);
	item->on_item = in_batch(c, on);
	if (item->on_item)
		item->on = on->asked_at;
	return item->on_item || on->id != ECI_NO_ID;
}

static void batch_fill(struct ec_relay *relay)
{
	struct claims *c = relay->again.claims;
	struct ecp_open *open = &c->question.request.open;
	struct endpoint *next, *ep = TAILQ_FIRST(&relay->again.unclaimed);
	for (; ep && c->left && c->n_asked < ECP_BATCH_MAX; ep = next, c->left--) {
		next = TAILQ_NEXT(ep, of_unclaimed);
		if (!item_fill(c, ep, &open->items[c->n_asked])) {
			refuse(ep, -ENOENT);
			continue;
		}
		ep->asked_at = (uint16_t)c->n_asked;
		c->asked[c->n_asked++] = ep;
	}
}

/* As much of the batch as fits a message; what is cut off stands on nothing that is not. */
static ssize_t batch_format(struct claims *c)
{
	struct question *q = &c->question;
	ssize_t len;
	q->request.type = ECP_REQ_OPEN;
	q->request.open.n = c->n_asked;
	while ((len = ecp_request_format(&q->request, q->text, sizeof(q->text))) ==
		   -EMSGSIZE &&
	       q->request.open.n > 1)
		q->request.open.n /= 2;
	c->left += c->n_asked - q->request.open.n;
	c->n_asked = q->request.open.n;
	return len;
}

/*
 * Everything was asked for.  After a while what was refused is asked for again, and what is not
 * needed any more is closed.
 */
static void finish(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	bool done = TAILQ_EMPTY(&again->unclaimed) && again->inotify_fd < 0;
	again->way = ECI_UP;
	again->due = done ? 0 : ec_now() + AGAIN_EVERY;
	free(again->claims);
	again->claims = NULL;
}

void eci_reclaim_next(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	struct claims *c = again->claims;
	if (c->n_asked)
		return;
	again->due = 0;
	batch_fill(relay);
	if (!c->n_asked) {
		finish(relay);
		return;
	}
	ssize_t len = batch_format(c);
	if (len < 0 ||
	    ecp_sock_send(relay->control, c->question.text, (size_t)len, NULL, 0) < 0)
		eci_reconnect_lose(relay);
}

static void begin(struct ec_relay *relay, bool patient)
{
	struct claims *c = relay->again.claims;
	struct endpoint *ep;
	relay->again.way = ECI_CLAIMING;
	c->n_asked = 0;
	c->patient = patient;
	c->left = 0;
	for (ep = TAILQ_FIRST(&relay->again.unclaimed); ep;
	     ep = TAILQ_NEXT(ep, of_unclaimed))
		c->left++;
	eci_reclaim_next(relay);
}

void eci_reclaim_begin(struct ec_relay *relay)
{
	lose_numbers(relay);
	begin(relay, false);
}

void eci_reclaim_again(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	again->due = 0;
	if (TAILQ_EMPTY(&again->unclaimed))
		return;
	again->claims = calloc(1, sizeof(*again->claims));
	if (again->claims)
		begin(relay, true);
	else
		again->due = ec_now() + AGAIN_EVERY;
}

/* ---- answers ---- */

/* Returns whether the daemon holds it now, for us or for nobody: then it is to be closed. */
static bool answer_take(struct endpoint *ep, const struct ecp_opened_item *opened,
			struct ecp_close *nobody)
{
	int r = opened->error.code;
	if (ep && r == 0)
		r = eci_endpoint_number(ep, opened);
	if (ep && r == 0)
		leave_queue(ep);
	else if (ep)
		refuse(ep, r);
	if (!opened->error.code && (!ep || r < 0))
		nobody->ids[nobody->n++] = opened->id;
	return !opened->error.code;
}

static void answers_take(struct ec_relay *relay, unsigned n)
{
	struct claims *c = relay->again.claims;
	struct question *q = &c->question;
	struct ecp_error err = {0};
	bool any = false;
	q->request.type = ECP_REQ_CLOSE;
	q->request.close.n = 0;
	for (unsigned i = 0; i < n; i++)
		any |=
		    answer_take(c->asked[i], &q->reply.opened.items[i], &q->request.close);
	if (c->patient && !any)
		c->left = 0;
	if (q->request.close.n &&
	    ecp_ask(relay->control, &q->request, &q->reply, q->text, NULL, NULL, &err) < 0)
		eci_reconnect_lose(relay);
}

/* None of the batch was judged. */
static void batch_refused(struct ec_relay *relay, unsigned n, int code)
{
	struct claims *c = relay->again.claims;
	if (code == -EDQUOT) { /* only too soon */
		c->left += n;
		relay->again.due = ec_now() + SLOW_DOWN;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		if (c->asked[i])
			refuse(c->asked[i], code);
}

void eci_reclaim_take(struct ec_relay *relay)
{
	struct claims *c = relay->again.claims;
	struct question *q = &c->question;
	struct ecp_error err = {0};
	unsigned n = c->n_asked;
	ssize_t len = ecp_sock_recv(relay->control, q->text, ECP_MSG_MAX, NULL, NULL);
	if (len <= 0) {
		eci_reconnect_lose(relay);
		return;
	}
	c->n_asked = 0;
	int r = ecp_reply_parse(q->text, (size_t)len, &q->reply, &err);
	if (r < 0)
		batch_refused(relay, n, r);
	else if (q->reply.type == ECP_REP_ERROR)
		batch_refused(relay, n, q->reply.error.code);
	else if (q->reply.type != ECP_REP_OPENED || q->reply.opened.n != n)
		batch_refused(relay, n, -EPROTO);
	else
		answers_take(relay, n);
}
