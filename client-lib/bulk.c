/*
 * bulk.c - tens of thousands of endpoints: claimed and given back a batch at a time.
 *
 * A batch is one message each way and one turn of the daemon's loop, so that a storm of claims
 * delays nobody's traffic for longer than that.
 */
#include "client-lib/internal.h"

#include <stdio.h>
#include <stdlib.h>

#define CLAIMS_AT_ONCE (ECP_BATCH_MAX / 2) /* an L2 and a UDP endpoint each */

/* One call's business. */
struct bulk {
	struct ec_relay *relay;
	struct ec_claim *claims;
	const struct ec_l2_opts *l2_opts;
	const struct ec_udp_opts *udp_opts;
	struct ecp_opened *answers; /* a copy: taking one may mean asking again */
	/* the first claim that failed: claims[failed], with its reason */
	bool any_failed;
	size_t failed;
	char why[ECP_ERROR_TEXT];
};

/* What it was asked for is in parts: what is not open is freed, the rest closed later. */
static void claim_fail(struct bulk *b, struct ec_claim *claim)
{
	claim->error = eci_error_code();
	if (b->any_failed)
		return;
	b->any_failed = true;
	b->failed = (size_t)(claim - b->claims);
	snprintf(b->why, sizeof(b->why), "%s", ec_error_text());
}

/* Its handles were never open. */
static void claim_forget(struct ec_claim *claim)
{
	if (claim->l2)
		eci_endpoint_free(&claim->l2->ep);
	if (claim->udp)
		eci_endpoint_free(&claim->udp->ep);
	claim->l2 = NULL;
	claim->udp = NULL;
}

/* Write a claim's items into the request.  A claim that cannot be one fails here. */
static void claim_ask(struct bulk *b, struct ec_claim *claim)
{
	struct ecp_open *open = &b->relay->question->request.open;
	struct ecp_open_item *items = &open->items[open->n];
	claim->error = 0;
	claim->udp = NULL;
	claim->l2 = eci_l2_new(b->relay, &claim->addr, b->l2_opts, &items[0]);
	if (claim->l2 && claim->local)
		claim->udp = eci_udp_new(claim->l2, claim->local, b->udp_opts, &items[1]);
	if (!claim->l2 || (claim->local && !claim->udp)) {
		claim_fail(b, claim);
		claim_forget(claim);
		return;
	}
	claim->l2->ep.user = claim->user;
	if (claim->udp) {
		claim->udp->ep.user = claim->user;
		items[1].on_item = true;
		items[1].on = open->n;
	}
	open->n += claim->udp ? 2 : 1;
}

/* Take the answers to a claim's items; NULL: there are none, ec_error_text() says why. */
static void claim_take(struct bulk *b, struct ec_claim *claim,
		       const struct ecp_opened_item *answers)
{
	struct ec_udp *udp = claim->udp;
	if (!answers || eci_l2_start(claim->l2, &answers[0]) < 0) {
		claim_fail(b, claim);
		claim_forget(claim);
	} else if (udp && eci_udp_start(udp, &answers[1]) < 0) {
		claim_fail(b, claim);
		eci_endpoint_free(&udp->ep);
		claim->udp = NULL;
		ec_l2_close(claim->l2); /* all or nothing */
		claim->l2 = NULL;
	}
}

/* One batch.  Returns how many of its claims are open now. */
static size_t batch_open(struct bulk *b, struct ec_claim *claims, size_t n)
{
	struct question *q = b->relay->question;
	const struct ecp_opened_item *answer = NULL;
	size_t opened = 0;
	q->request.open.n = 0;
	for (size_t i = 0; i < n; i++)
		claim_ask(b, &claims[i]);
	if (q->request.open.n > 0 && eci_relay_ask_open(b->relay, NULL) == 0) {
		*b->answers = q->reply.opened;
		answer = b->answers->items;
	}
	for (size_t i = 0; i < n; i++) {
		if (claims[i].error)
			continue;
		unsigned items = claims[i].udp ? 2 : 1;
		claim_take(b, &claims[i], answer);
		answer = answer ? answer + items : NULL;
		opened += !claims[i].error;
	}
	return opened;
}

EC_API ssize_t ec_open_many(struct ec_relay *relay, struct ec_claim *claims, size_t n,
			    const struct ec_l2_opts *l2_opts,
			    const struct ec_udp_opts *udp_opts)
{
	struct bulk b = {.relay = relay,
			 .claims = claims,
			 .l2_opts = l2_opts,
			 .udp_opts = udp_opts,
			 .answers = malloc(sizeof(*b.answers))};
	ssize_t opened = 0;
	if (!b.answers)
		return eci_error_set(-ENOMEM, "out of memory");
	for (size_t at = 0; at < n; at += CLAIMS_AT_ONCE) {
		size_t left = n - at;
		opened += (ssize_t)batch_open(
		    &b, claims + at, left < CLAIMS_AT_ONCE ? left : CLAIMS_AT_ONCE);
	}
	free(b.answers);
	if (b.any_failed)
		eci_error_set(claims[b.failed].error, "claims[%zu]: %s", b.failed, b.why);
	return opened;
}

EC_API void ec_close_many(struct ec_claim *claims, size_t n)
{
	struct ec_relay *relay = NULL;
	struct ecp_close *close = NULL;
	for (size_t i = 0; i < n; i++) {
		struct ec_l2 *l2 = claims[i].l2;
		if (!l2)
			continue;
		if (!relay) {
			relay = l2->ep.relay;
			close = &relay->question->request.close;
			close->n = 0;
			eci_tx_drain(relay);
		}
		if (l2->ep.id != ECI_NO_ID)
			close->ids[close->n++] = l2->ep.id;
		if (close->n == ECP_BATCH_MAX)
			eci_relay_ask_close(relay);
		eci_l2_free(l2);
		claims[i].l2 = NULL;
		claims[i].udp = NULL;
	}
	if (relay && close->n > 0)
		eci_relay_ask_close(relay);
}
