/*
 * receive.c - from the RX ring to frames: who a record is for, what is set aside, when to
 * sleep.
 *
 * The ring is read in order.  Whoever reads one endpoint while frames for others come first
 * has those copied to queues (the oldest are dropped at the limit); ec_relay_recv() looks at
 * records where they lie.  What was consumed is given back at the next receiving call, so
 * pointers handed out stay good until then.
 */
#include "client-lib/internal.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS  1000000
#define NS_PER_S   1000000000
#define IDLE_LOOKS 64 /* empty polls before the connection is looked at */

EC_API int64_t ec_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- a record as a frame ---- */

static void frame_set_payload(struct ec_frame *f, const struct ecp_rx_aux *aux)
{
	uint32_t l3_end = (uint32_t)(f->l3 - f->data) + f->l3_len;
	if (!aux->l4_off)
		return;
	f->payload = f->data + aux->l4_off;
	f->payload_len = l3_end - aux->l4_off;
	if (f->flags & EC_FRAME_UDP) {
		/* the daemon has checked this length against the packet's */
		uint32_t udp_len = (uint32_t)(f->payload[4] << 8 | f->payload[5]);
		f->payload += ECP_UDP_HLEN;
		f->payload_len = udp_len - ECP_UDP_HLEN;
	}
}

static void frame_from_record(const uint8_t *record, const struct ecp_record *head,
			      struct ec_frame *f)
{
	struct ecp_rx_aux aux;
	memcpy(&aux, record + sizeof(*head), sizeof(aux));
	uint32_t l3_off = aux.info >> ECP_RX_L3_SHIFT;
	bool udp = aux.info & ECP_RX_UDP, fragment = aux.info & ECP_RX_FRAGMENT;
	*f = (struct ec_frame){
	    .data = record + sizeof(*head) + head->aux_len,
	    .len = head->len - (uint32_t)sizeof(*head) - head->aux_len,
	    .l3_len = aux.l3_len,
	    .time_ns = aux.time_ns,
	    .ethertype = aux.ethertype,
	    .protocol = aux.protocol,
	    .n_vlans = (uint8_t)((l3_off - ECP_ETH_HLEN) / ECP_TAG_LEN),
	    .flags =
		(udp && !fragment ? EC_FRAME_UDP : 0) | (fragment ? EC_FRAME_FRAGMENT : 0),
	};
	f->l3 = f->data + l3_off;
	if (ecp_mac_is_multicast(f->data))
		f->flags |= EC_FRAME_MULTICAST;
	frame_set_payload(f, &aux);
}

static void frame_address(struct ec_frame *f, struct endpoint *ep)
{
	bool udp = ep->kind == ECP_KIND_UDP;
	f->udp = udp ? (struct ec_udp *)ep : NULL;
	f->l2 = udp ? f->udp->l2 : (struct ec_l2 *)ep;
	f->user = ep->user;
}

static struct endpoint *frame_endpoint(const struct ec_frame *f)
{
	return f->udp ? &f->udp->ep : &f->l2->ep;
}

/* ---- fan-out: one record for every multicast receiver of its VLANs ---- */

static void fanout_begin(struct ec_relay *relay, const struct ec_frame *frame)
{
	struct fanout *fan = &relay->fanout;
	struct ec_vlan vlans[EC_VLANS_MAX];
	unsigned n = ec_frame_vlans(frame, vlans);
	*fan = (struct fanout){.active = true, .frame = *frame};
	for (unsigned i = 0; i < ECP_VLANS_MAX; i++)
		fan->vlan[i] = i < n ? vlans[i].id : ECP_NO_VLAN;
	fan->wanted = eci_neigh_hear_all(relay, fan->vlan, frame);
	const struct l2_list *group = eci_l2_group(relay, fan->vlan);
	fan->next = group ? LIST_FIRST(group) : NULL;
}

/* The next receiver to ask, or NULL at the end. */
static struct ec_l2 *fanout_step(struct ec_relay *relay)
{
	struct fanout *fan = &relay->fanout;
	if (!fan->next && !fan->any) {
		fan->any = true;
		fan->next = LIST_FIRST(&relay->any_group);
	}
	struct ec_l2 *l2 = fan->next;
	if (l2)
		fan->next = LIST_NEXT(l2, of_group);
	return l2;
}

static bool same_vlans(const struct ec_l2 *l2, const uint16_t vlan[ECP_VLANS_MAX])
{
	return l2->key.vlan[0] == vlan[0] && l2->key.vlan[1] == vlan[1];
}

/* The next delivery of a fan-out record: 1, or 0 when everybody has had it. */
static int fanout_next(struct ec_relay *relay, struct ec_frame *frame)
{
	struct fanout *fan = &relay->fanout;
	struct ec_l2 *l2;
	while ((l2 = fanout_step(relay))) {
		if (!fan->any && !same_vlans(l2, fan->vlan))
			continue;
		if (!eci_l2_wants(l2, fan->frame.ethertype))
			continue;
		struct ec_udp *udp = eci_udp_match(l2, &fan->frame);
		fan->wanted = true;
		*frame = fan->frame;
		frame_address(frame, udp ? &udp->ep : &l2->ep);
		return 1;
	}
	fan->active = false;
	relay->stats.rx_unclaimed += !fan->wanted;
	return 0;
}

/* ---- the ring ---- */

/* A frame for an endpoint whose neighbours are our business: did the application ask for it? */
static bool frame_wanted(struct ec_relay *relay, const struct ec_frame *frame)
{
	struct ec_l2 *l2 = frame->l2;
	bool heard = eci_neigh_hear(l2, frame);
	bool wanted = eci_l2_wants(l2, frame->ethertype);
	if (!heard)
		relay->stats.rx_unclaimed += !wanted;
	return wanted && !(heard && frame->ethertype == ECP_ETHERTYPE_IPV6);
}

/* Have the endpoints of the records that follow on their way to the cache. */
static void prefetch_next(struct ec_relay *relay)
{
	struct ecp_record head;
	while (ecp_in_ahead(&relay->rx, &head))
		if (head.endpoint < relay->n_slots)
			__builtin_prefetch(&relay->slots[head.endpoint]);
}

/* The next frame that was seen in the ring: 1, 0 if there is none, or -EPROTO. */
static int ring_next(struct ec_relay *relay, struct ec_frame *frame)
{
	struct ecp_record head;
	const uint8_t *record;
	int error = 0;
	if (relay->fanout.active && fanout_next(relay, frame))
		return 1;
	while ((record = ecp_in_peek(&relay->rx, &head, &error))) {
		if (head.type != ECP_RECORD_RX || head.aux_len < sizeof(struct ecp_rx_aux))
			return -EPROTO;
		ecp_in_consume(&relay->rx, &head);
		prefetch_next(relay);
		relay->stats.rx++;
		frame_from_record(record, &head, frame);
		if (head.flags & ECP_RX_FANOUT) {
			fanout_begin(relay, frame);
			if (fanout_next(relay, frame))
				return 1;
			continue;
		}
		const struct slot *slot =
		    head.endpoint < relay->n_slots ? &relay->slots[head.endpoint] : NULL;
		if (!slot || !slot->endpoint || slot->generation != head.generation) {
			relay->stats.rx_unclaimed++; /* closed meanwhile */
			continue;
		}
		frame->l2 = slot->l2;
		frame->udp = slot->is_udp ? (struct ec_udp *)slot->endpoint : NULL;
		frame->user = slot->user;
		if (!slot->neigh || frame_wanted(relay, frame))
			return 1;
	}
	return error;
}

/* The same, having looked whether there is more. */
static int ring_refresh_next(struct ec_relay *relay, struct ec_frame *frame)
{
	relay->armed = false;
	int r = ring_next(relay, frame);
	if (r != 0)
		return r;
	r = ecp_in_refresh(&relay->rx, &relay->d->rx_prod);
	return r < 0 ? r : ring_next(relay, frame);
}

static void ring_release(struct ec_relay *relay)
{
	/* else its bytes are still to be looked at */
	if (!relay->fanout.active && !relay->lending)
		ecp_in_release(&relay->rx, &relay->c->rx_cons, NULL);
}

/* ---- frames set aside ---- */

static uint64_t queued_size(const struct queued *q)
{
	return sizeof(*q) + q->frame.len;
}

static void queued_remove(struct ec_relay *relay, struct queued *q)
{
	TAILQ_REMOVE(&relay->queued, q, of_relay);
	TAILQ_REMOVE(&q->endpoint->queue, q, of_endpoint);
	q->endpoint->n_queued--;
	relay->queued_bytes -= queued_size(q);
}

void eci_queued_free(struct ec_relay *relay, struct queued *q)
{
	queued_remove(relay, q);
	free(q);
}

static void frame_move(struct ec_frame *f, const uint8_t *to)
{
	f->l3 = to + (f->l3 - f->data);
	f->payload = f->payload ? to + (f->payload - f->data) : NULL;
	f->data = to;
}

static void queue_drop(struct ec_relay *relay, struct queued *q, struct queue *dropped)
{
	queued_remove(relay, q);
	TAILQ_INSERT_TAIL(dropped, q, of_relay);
	relay->stats.rx_queue_drops++;
}

/* The oldest of ep or of all, by who has more: those that nobody reads shall not cost the others
 * theirs. */
static struct queued *queue_victim(const struct endpoint *ep)
{
	struct queued *own = TAILQ_FIRST(&ep->queue);
	struct queued *oldest = TAILQ_FIRST(&ep->relay->queued);
	return own && ep->n_queued > oldest->endpoint->n_queued ? own : oldest;
}

/*
 * Drop until there is room for one frame more.  What eci_relay_empty() has left above a limit is
 * not dropped at once: two go for one that comes.
 */
static void queue_make_room(struct endpoint *ep, uint64_t size)
{
	struct ec_relay *relay = ep->relay;
	struct queue dropped = TAILQ_HEAD_INITIALIZER(dropped);
	for (unsigned i = 0; i < 2 && ep->n_queued >= relay->queue_depth; i++)
		queue_drop(relay, TAILQ_FIRST(&ep->queue), &dropped);
	if (relay->queued_bytes > relay->queue_most)
		queue_drop(relay, queue_victim(ep), &dropped);
	uint64_t most = relay->queue_most;
	if (relay->queued_bytes > most)
		most = relay->queued_bytes;
	while (relay->queued_bytes + size > most && !TAILQ_EMPTY(&relay->queued))
		queue_drop(relay, queue_victim(ep), &dropped);
	struct queued *next;
	for (struct queued *q = TAILQ_FIRST(&dropped); q; q = next) {
		next = TAILQ_NEXT(q, of_relay);
		free(q);
	}
}

static void set_aside(struct ec_relay *relay, const struct ec_frame *frame)
{
	struct endpoint *ep = frame_endpoint(frame);
	struct queued *q = malloc(sizeof(*q) + frame->len);
	if (!q) {
		relay->stats.rx_queue_drops++;
		return;
	}
	q->endpoint = ep;
	q->frame = *frame;
	queue_make_room(ep, queued_size(q));
	memcpy(q->bytes, frame->data, frame->len);
	frame_move(&q->frame, q->bytes);
	TAILQ_INSERT_TAIL(&relay->queued, q, of_relay);
	TAILQ_INSERT_TAIL(&ep->queue, q, of_endpoint);
	ep->n_queued++;
	relay->queued_bytes += queued_size(q);
}

/* Hand a queued frame out; its memory stays until the next release. */
static void lend(struct ec_relay *relay, struct queued *q, struct ec_frame *frame)
{
	queued_remove(relay, q);
	TAILQ_INSERT_TAIL(&relay->lent, q, of_relay);
	*frame = q->frame;
}

EC_API void ec_relay_release(struct ec_relay *relay)
{
	struct queued *q;
	while ((q = TAILQ_FIRST(&relay->lent))) {
		TAILQ_REMOVE(&relay->lent, q, of_relay);
		free(q);
	}
	relay->lending = false;
	eci_reconnect_release(relay);
	if (relay->c)
		ring_release(relay);
}

/* ---- sleeping ---- */

/* Nobody there to ring it: the daemon's end may be seen here before it is at the socket. */
static void drain_bell(struct ec_relay *relay)
{
	char bytes[64];
	ssize_t n;
	do
		n = read(relay->bell_rx, bytes, sizeof(bytes));
	while (n == (ssize_t)sizeof(bytes));
	if (n == 0)
		eci_reconnect_lose(relay);
}

/* Milliseconds until deadline_ns, for poll: rounded up, -1 for none. */
static int timeout_ms(int64_t deadline_ns)
{
	if (!deadline_ns)
		return -1;
	int64_t left = deadline_ns - ec_now();
	if (left <= 0)
		return 0;
	int64_t ms = (left + NS_PER_MS - 1) / NS_PER_MS;
	return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

/* The daemon says nothing unasked on the control socket. */
int eci_relay_wait(struct ec_relay *relay, int64_t deadline_ns)
{
	struct pollfd fds[] = {{.fd = relay->bell_rx, .events = POLLIN},
			       {.fd = relay->control, .events = POLLIN},
			       {.fd = relay->stop_fd, .events = POLLIN},
			       {.fd = relay->again.inotify_fd, .events = POLLIN}};
	int n = poll(fds, 4, timeout_ms(deadline_ns));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ETIMEDOUT;
	if (fds[2].revents)
		return -ESHUTDOWN;
	drain_bell(relay);
	if (fds[1].revents && !(fds[0].revents & POLLIN))
		eci_reconnect_hear(relay);
	return relay->gone ? -ESHUTDOWN : 0;
}

/* Ask to be rung.  False if a frame has come meanwhile. */
static bool arm(struct ec_relay *relay)
{
	ring_release(relay);
	relay->armed = !ecp_in_arm(&relay->rx, &relay->c->rx_wake_at, &relay->d->rx_prod);
	return relay->armed;
}

/* Nothing is there and nobody waits: is the daemon still?  Looked at now and then only. */
static int look_if_gone(struct ec_relay *relay)
{
	if (relay->gone || relay->stopped)
		return -ESHUTDOWN;
	if (relay->epoll_fd < 0 && ++relay->idle_looks % IDLE_LOOKS)
		return 0;
	if (relay->again.way == ECI_UP)
		eci_reconnect_look(relay);
	return relay->gone ? -ESHUTDOWN : 0;
}

/* Has something come?  Looks for as long as the application said, at most until deadline_ns. */
static bool spin(const struct ec_relay *relay, int64_t deadline_ns)
{
	int64_t end = relay->spin_ns ? ec_now() + relay->spin_ns : 0;
	if (deadline_ns && end > deadline_ns)
		end = deadline_ns;
	do {
		if (ecp_in_news(&relay->rx, &relay->d->rx_prod))
			return true;
		ecp_relax();
	} while (end && ec_now() < end);
	return false;
}

/*
 * Under load sleep by the clock while a burst gathers, instead of having the daemon ring for
 * every few frames.  False: there is none.
 */
static bool sleep_under_load(struct ec_relay *relay, int64_t deadline_ns)
{
	int64_t now = ec_now();
	unsigned moved = (unsigned)(relay->stats.rx - relay->paced);
	relay->paced = relay->stats.rx;
	int64_t us = ecp_pace_after(&relay->pace, moved, 0, now);
	if (us <= 0 || (deadline_ns && now + us * 1000 > deadline_ns))
		return false;
	const struct timespec pause = {.tv_nsec = (long)us * 1000};
	clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	return true;
}

/*
 * The next frame of the ring, waiting until deadline_ns (0: for ever; < 0: not at all).  1;
 * -EAGAIN or -ETIMEDOUT; -ESHUTDOWN; -EPROTO.
 */
static int ring_wait_next(struct ec_relay *relay, int64_t deadline_ns,
			  struct ec_frame *frame)
{
	for (;;) {
		eci_neigh_run(relay);
		/* however much traffic there is for those that are claimed already */
		if (relay->again.way == ECI_CLAIMING)
			eci_reconnect_run(relay);
		int r = ring_refresh_next(relay, frame);
		if (r != 0)
			return r;
		/* only now: what the old ring holds is read where it lies */
		r = eci_reconnect_run(relay);
		if (r < 0)
			return r;
		if (deadline_ns < 0 && relay->epoll_fd < 0) {
			r = look_if_gone(relay);
			return r < 0 ? r : -EAGAIN;
		}
		if (deadline_ns >= 0 &&
		    (spin(relay, deadline_ns) || sleep_under_load(relay, deadline_ns)))
			continue;
		/* first silence the bell, then look once more: a ring in between is not lost */
		drain_bell(relay);
		if (!arm(relay))
			continue;
		if (deadline_ns < 0) {
			r = look_if_gone(relay);
			return r < 0 ? r : -EAGAIN;
		}
		r = eci_reconnect_wait(relay, deadline_ns);
		if (r < 0)
			return r;
	}
}

int eci_relay_pump(struct ec_relay *relay)
{
	struct ec_frame frame;
	int r;
	while ((r = ring_wait_next(relay, -1, &frame)) > 0)
		set_aside(relay, &frame);
	ring_release(relay);
	eci_relay_settle(relay);
	return r == -EAGAIN ? 0 : r;
}

int eci_relay_wait_more(struct ec_relay *relay, int64_t deadline_ns)
{
	drain_bell(relay);
	return arm(relay) ? eci_reconnect_wait(relay, deadline_ns) : 0;
}

/* No limit of a queue shall cost any of them; queue_make_room() sees to what is too much. */
void eci_relay_empty(struct ec_relay *relay)
{
	struct ec_frame frame;
	const uint32_t depth = relay->queue_depth;
	const uint64_t most = relay->queue_most;
	relay->queue_depth = UINT32_MAX;
	relay->queue_most = UINT64_MAX;
	while (ring_refresh_next(relay, &frame) > 0)
		set_aside(relay, &frame);
	relay->queue_depth = depth;
	relay->queue_most = most;
}

void eci_relay_settle(struct ec_relay *relay)
{
	if (relay->epoll_fd < 0)
		return;
	eci_relay_set_timer(relay);
	bool left = relay->gone || !relay->armed || !TAILQ_EMPTY(&relay->queued) ||
		    relay->fanout.active;
	if (left == relay->event_set)
		return;
	relay->event_set = left;
	uint64_t one = 1;
	ssize_t n = left ? write(relay->event_fd, &one, sizeof(one))
			 : read(relay->event_fd, &one, sizeof(one));
	(void)n;
}

/* ---- what the application calls ---- */

static int next_for(struct endpoint *ep, int64_t deadline_ns, struct ec_frame *frame)
{
	struct ec_relay *relay = ep->relay;
	ec_relay_release(relay);
	if (!TAILQ_EMPTY(&ep->queue)) {
		lend(relay, TAILQ_FIRST(&ep->queue), frame);
		return 0;
	}
	for (;;) {
		int r = ring_wait_next(relay, deadline_ns, frame);
		if (r < 0)
			return r;
		if (frame_endpoint(frame) == ep) {
			relay->lending = true;
			return 0;
		}
		set_aside(relay, frame);
	}
}

static int error_receive(const struct ec_relay *relay, int r)
{
	switch (r) {
	case -EAGAIN:
		return eci_error_set(r, "nothing to receive");
	case -ETIMEDOUT:
		return eci_error_set(r, "nothing came before the deadline");
	case -ESHUTDOWN:
		return eci_error_shutdown(relay);
	default:
		return eci_error_set(r, "receiving: %s", strerror(-r));
	}
}

int eci_endpoint_next(struct endpoint *ep, unsigned flags, struct ec_frame *frame)
{
	int r = next_for(ep, flags & EC_DONTWAIT ? -1 : ep->read_deadline, frame);
	eci_relay_settle(ep->relay);
	return r < 0 ? error_receive(ep->relay, r) : 0;
}

/* As many as are there, up to n; those that were set aside first. */
static int next_batch(struct ec_relay *relay, struct ec_frame *frames, unsigned n,
		      int64_t deadline_ns)
{
	unsigned got = 0;
	struct queued *q;
	ec_relay_release(relay);
	while (got < n && (q = TAILQ_FIRST(&relay->queued)))
		lend(relay, q, &frames[got++]);
	if (got == 0) {
		int r = ring_wait_next(relay, deadline_ns, &frames[0]);
		if (r < 0)
			return r == -ETIMEDOUT || r == -EAGAIN ? 0 : r;
		got = 1;
	}
	while (got < n && ring_next(relay, &frames[got]) > 0)
		got++;
	relay->lending = true;
	return (int)got;
}

EC_API int ec_relay_recv(struct ec_relay *relay, struct ec_frame *frames, unsigned n,
			 int timeout)
{
	int64_t deadline = timeout < 0    ? 0
			   : timeout == 0 ? -1
					  : ec_now() + timeout * INT64_C(1000000);
	if (n == 0)
		return 0;
	int r = next_batch(relay, frames, n, deadline);
	eci_relay_settle(relay);
	return r < 0 ? error_receive(relay, r) : r;
}
