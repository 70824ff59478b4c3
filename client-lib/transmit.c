/*
 * transmit.c - into the TX ring: room, publishing, waiting for the daemon to catch up.
 */
#include "client-lib/internal.h"

#include <unistd.h>

#define LOOK_NS INT64_C(1000000)
#define DRAIN_NS                                                                           \
	INT64_C(1000000000) /* a daemon that stands still holds up no exit longer */

/* A full pipe is readable: the daemon will look. */
static void ring_bell(const struct ec_relay *relay)
{
	ssize_t n = write(relay->bell_tx, "", 1);
	(void)n;
}

/*
 * Who sends and never receives learns here that the daemon has died: for a while it took nothing
 * of what it was shown.  The clock is looked at now and then, the connection once in LOOK_NS.
 */
static void look_if_taken(struct ec_relay *relay)
{
	if (!eci_reconnect_attached(relay) ||
	    ecp_out_refresh(&relay->tx, &relay->d->tx_cons) < 0)
		return;
	if (relay->tx.cons != relay->taken || relay->tx.cons == relay->tx.published) {
		relay->taken = relay->tx.cons;
		relay->untaken_looks = 0;
		return;
	}
	unsigned looks = ++relay->untaken_looks;
	if (looks & (looks - 1) && looks % 64)
		return;
	int64_t now = ec_now();
	if (looks > 1 && now - relay->untaken_since < LOOK_NS)
		return;
	relay->untaken_since = now;
	if (looks > 1)
		eci_reconnect_look(relay);
}

static void publish(struct ec_relay *relay)
{
	look_if_taken(relay);
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

static int error_room(const struct ec_relay *relay, int r)
{
	const char *away = eci_reconnect_attached(relay) ? "" : ", with no daemon there";
	if (r == -ETIMEDOUT)
		return eci_error_set(r, "the ring was full until the deadline%s", away);
	if (r == -EAGAIN)
		return eci_error_set(r, "the ring is full%s", away);
	if (r == -ESHUTDOWN)
		return eci_error_shutdown(relay);
	return eci_error_set(r, "waiting for room: %s", strerror(-r));
}

/* The daemon knows ep: 0; or -errno, said. */
static int check_claimed(const struct endpoint *ep)
{
	if (ep->refused)
		return eci_error_set(
		    -ENODEV, "the restarted daemon does not give this endpoint back: %s",
		    strerror(-ep->refused));
	return ep->id == ECI_NO_ID ? -EINPROGRESS : 0;
}

/* Wait for a daemon that knows ep, as far as its deadline and flags allow.  0 or -errno, said. */
static int wait_until_claimed(struct endpoint *ep, unsigned flags)
{
	struct ec_relay *relay = ep->relay;
	for (;;) {
		int r = flags & ECI_STAY ? 0 : eci_reconnect_run(relay);
		if (r == 0 && eci_reconnect_attached(relay)) {
			r = check_claimed(ep);
			if (r != -EINPROGRESS)
				return r;
			r = 0;
		}
		if (r == 0 && flags & (EC_DONTWAIT | ECI_STAY))
			r = -EAGAIN;
		if (r == 0) {
			relay->armed = false; /* its bell may ring for frames */
			r = eci_reconnect_wait(relay, ep->write_deadline);
		}
		if (r < 0)
			return error_room(relay, r);
	}
}

/* Room for a record of len bytes.  0; -ERESTART: the daemon is gone; or -errno, said. */
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
		if (!eci_reconnect_attached(relay))
			return relay->gone ? error_room(relay, -ESHUTDOWN) : -ERESTART;
		if (flags & EC_DONTWAIT)
			return error_room(relay, -EAGAIN);
		int r = wait_for_room(relay, ep->write_deadline);
		if (r < 0)
			return error_room(relay, r);
		if (!eci_reconnect_attached(relay))
			return -ERESTART;
	}
	return 0;
}

/* The same, whatever daemon it is by then.  0 or -errno, said. */
static int reserve_claimed(struct endpoint *ep, uint32_t len, unsigned flags, uint8_t **ret)
{
	struct ec_relay *relay = ep->relay;
	int r;
	do {
		bool ready = relay->again.way == ECI_UP && !relay->again.due;
		r = ready ? 0 : wait_until_claimed(ep, flags);
		if (r == 0 && len > relay->tx.size / 2) /* room for it might never come */
			return eci_error_set(-EMSGSIZE,
					     "%u bytes: over half of the TX ring", len);
		if (r == 0)
			r = reserve(ep, len, flags, ret);
	} while (r == -ERESTART);
	return r;
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
	};
	uint8_t *record;
	if (relay->gone || relay->stopped)
		return error_room(relay, -ESHUTDOWN);
	int r = eci_link_check(relay);
	if (r == 0)
		r = reserve_claimed(ep, head.len, flags, &record);
	eci_relay_settle(relay);
	if (r < 0)
		return r;
	head.endpoint = ep->id; /* only now: another daemon has other numbers */
	head.generation = ep->generation;
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
		return error_room(relay, -ESHUTDOWN);
	publish(relay);
	return relay->gone ? error_room(relay, -ESHUTDOWN) : 0;
}

void eci_tx_drain(struct ec_relay *relay)
{
	int64_t deadline = ec_now() + DRAIN_NS;
	if (!relay->c || !eci_reconnect_attached(relay))
		return;
	publish(relay);
	while (eci_reconnect_attached(relay) &&
	       ecp_out_refresh(&relay->tx, &relay->d->tx_cons) == 0) {
		uint64_t left = relay->tx.published - relay->tx.cons;
		if (!left || wait_until_taken(relay, left, deadline) < 0)
			break;
	}
	eci_relay_settle(relay);
}

uint64_t eci_tx_untaken(struct ec_relay *relay)
{
	const struct ecp_out *tx = &relay->tx;
	uint64_t n = 0;
	ecp_out_refresh(&relay->tx, &relay->d->tx_cons); /* else as of the time before */
	for (uint64_t pos = tx->cons; pos != tx->pos;) {
		struct ecp_record head;
		memcpy(&head, tx->data + (pos & (tx->size - 1)), sizeof(head));
		uint64_t room = ecp_record_room(head.len);
		if (!room || room > tx->pos - pos)
			break;
		n += head.type == ECP_RECORD_TX;
		pos += room;
	}
	return n;
}
