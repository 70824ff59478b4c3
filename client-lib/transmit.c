/*
 * transmit.c - into the TX ring: room, publishing, waiting for the daemon to catch up.
 */
#include "client-lib/internal.h"

#include <unistd.h>

#define DRAIN_NS                                                                           \
	INT64_C(1000000000) /* a daemon that stands still holds up no exit longer */

/* A full pipe is readable: the daemon will look. */
static void ring_bell(const struct ec_relay *relay)
{
	ssize_t n = write(relay->bell_tx, "", 1);
	(void)n;
}

static void publish(struct ec_relay *relay)
{
	if (ecp_out_publish(&relay->tx, &relay->c->tx_prod, &relay->d->tx_wake_at))
		ring_bell(relay);
}

/* Sleep until the daemon has taken need bytes more out of the ring, or the deadline. */
static int wait_until_taken(struct ec_relay *relay, uint64_t need, int64_t deadline_ns)
{
	if (ecp_out_arm(&relay->tx, &relay->c->tx_space_at, &relay->d->tx_cons, need))
		return 0;
	/* the bell may have been rung for frames that came: they must not be slept over */
	relay->armed = false;
	return eci_relay_wait(relay, deadline_ns);
}

/* Half of what lies there: woken for each record, the two would take turns at 10 us a frame. */
static int wait_for_room(struct ec_relay *relay, int64_t deadline_ns)
{
	uint64_t used = relay->tx.size - ecp_out_free(&relay->tx);
	return wait_until_taken(relay, ecp_record_room(used / 2 + 1), deadline_ns);
}

static int error_room(int r)
{
	if (r == -ETIMEDOUT)
		return eci_error_set(r, "the ring was full until the deadline");
	if (r == -ESHUTDOWN)
		return eci_error_set(r, "the daemon has ended the connection");
	return eci_error_set(r, "waiting for room: %s", strerror(-r));
}

/* Room for a record of len bytes.  0 or -errno, said. */
static int reserve(struct endpoint *ep, uint32_t len, unsigned flags, uint8_t **ret)
{
	struct ec_relay *relay = ep->relay;
	while (!(*ret = ecp_out_reserve(&relay->tx, len))) {
		uint64_t before = relay->tx.cons;
		if (ecp_out_refresh(&relay->tx, &relay->d->tx_cons) < 0)
			return eci_error_set(-EPROTO, "the daemon's index is impossible");
		if (relay->tx.cons != before)
			continue;
		publish(relay);
		if (flags & EC_DONTWAIT)
			return eci_error_set(-EAGAIN, "the ring is full");
		int r = wait_for_room(relay, ep->write_deadline);
		if (r < 0)
			return error_room(r);
	}
	return 0;
}

int eci_tx_reserve(struct endpoint *ep, uint32_t len, uint16_t ethertype,
		   const uint8_t dst[6], unsigned flags, uint8_t **payload)
{
	struct ec_relay *relay = ep->relay;
	struct ecp_tx_aux aux = {.ethertype = ethertype};
	struct ecp_record head = {
	    .len = (uint32_t)(sizeof(head) + sizeof(aux)) + len,
	    .type = ECP_RECORD_TX,
	    .aux_len = sizeof(aux),
	    .endpoint = ep->id,
	    .generation = ep->generation,
	};
	uint8_t *record;
	if (relay->gone || relay->stopped)
		return error_room(-ESHUTDOWN);
	if (head.len > relay->tx.size / 2) /* room for it might never come */
		return eci_error_set(-EMSGSIZE, "%u bytes: over half of the TX ring", len);
	int r = reserve(ep, head.len, flags, &record);
	eci_relay_settle(relay);
	if (r < 0)
		return r;
	memcpy(aux.dst, dst, sizeof(aux.dst));
	memcpy(record, &head, sizeof(head));
	memcpy(record + sizeof(head), &aux, sizeof(aux));
	*payload = record + sizeof(head) + sizeof(aux);
	return 0;
}

void eci_tx_submit(struct ec_relay *relay, uint32_t len, unsigned flags)
{
	ecp_out_submit(&relay->tx,
		       sizeof(struct ecp_record) + sizeof(struct ecp_tx_aux) + len);
	relay->stats.tx++;
	/* with half a ring unseen by the daemon, waiting any longer would only cost time */
	bool more =
	    flags & EC_MORE && relay->tx.pos - relay->tx.published < relay->tx.size / 2;
	if (!more)
		publish(relay);
}

EC_API int ec_relay_flush(struct ec_relay *relay)
{
	if (relay->gone || relay->stopped)
		return error_room(-ESHUTDOWN);
	publish(relay);
	return 0;
}

void eci_tx_drain(struct ec_relay *relay)
{
	int64_t deadline = ec_now() + DRAIN_NS;
	if (relay->gone || !relay->c)
		return;
	publish(relay);
	while (ecp_out_refresh(&relay->tx, &relay->d->tx_cons) == 0) {
		uint64_t left = relay->tx.published - relay->tx.cons;
		if (!left || wait_until_taken(relay, left, deadline) < 0)
			break;
	}
	eci_relay_settle(relay);
}
