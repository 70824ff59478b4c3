/*
 * relay.c - the connection to the daemon: opening, asking, closing, and the pollable
 * descriptor.
 */
#include "client-lib/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define QUEUE_DEPTH_DEFAULT  1024
#define QUEUE_BYTES_DEFAULT  (64u << 20)
#define RECONNECT_MS_DEFAULT 30000
#define ENDPOINTS_MOST       (1u << 24)
#define NS_PER_S             1000000000

/* ---- asking ---- */

/* 0; -ERESTART: the daemon is gone, the next one is looked for; -errno, said. */
static int ask_now(struct ec_relay *relay, enum ecp_reply_type expected)
{
	struct question *q = relay->question;
	struct ecp_error err = {0};
	int r = ecp_ask(relay->control, &q->request, &q->reply, q->text, NULL, NULL, &err);
	if (r == -ENOTCONN) {
		eci_reconnect_lose(relay);
		return relay->gone ? eci_error_shutdown(relay) : -ERESTART;
	}
	if (r < 0)
		return eci_error_take(&err);
	if (q->reply.type == ECP_REP_ERROR)
		return eci_error_take(&q->reply.error);
	if (q->reply.type != expected)
		return eci_error_set(-EPROTO,
				     "the daemon answered something else than was asked");
	return 0;
}

int eci_relay_ask(struct ec_relay *relay, enum ecp_reply_type expected)
{
	uint32_t before = relay->generation;
	bool up = relay->again.way == ECI_UP;
	int r = eci_reconnect_finish(relay);
	if (r < 0)
		return r;
	return up && relay->generation == before ? ask_now(relay, expected) : -ERESTART;
}

/* ---- opening ---- */

static int relay_connect(struct ec_relay *relay, const char *path)
{
	if (strlen(path) < sizeof(relay->again.socket))
		strcpy(relay->again.socket, path);
	relay->control = ecp_sock_connect(path);
	switch (relay->control) {
	case -ENOENT:
	case -ECONNREFUSED:
		return eci_error_set(relay->control,
				     "no daemon answers at %s: is etherconnd running?",
				     path);
	case -EACCES:
		return eci_error_set(
		    -EACCES, "%s: permission denied: you are not in its group", path);
	default:
		if (relay->control < 0)
			return eci_error_set(relay->control, "%s: %s", path,
					     strerror(-relay->control));
		return 0;
	}
}

static void *map(int fd, uint64_t size, int prot)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static void unmap(const void *at, uint64_t size)
{
	if (at)
		munmap((void *)(uintptr_t)at, size);
}

/* Give up the rings, but for frames that the application still looks at. */
static void relay_unmap(struct ec_relay *relay)
{
	uint64_t d_size = ECP_CHANNEL_PAGE + relay->rx.size;
	if (relay->d)
		eci_relay_empty(relay);
	unmap(relay->c, ECP_CHANNEL_PAGE + relay->tx.size);
	if (relay->lending) {
		relay->again.lent_d = relay->d;
		relay->again.lent_size = d_size;
	} else {
		unmap(relay->d, d_size);
	}
	relay->lending = false;
	relay->armed = false;
	relay->d = NULL;
	relay->c = NULL;
}

/* Both rings, or nothing.  0 or -errno, said. */
static int relay_map(struct ec_relay *relay, const struct ecp_attached *attached,
		     const int *fds)
{
	if (!ecp_ring_size_ok(attached->rx_ring) || !ecp_ring_size_ok(attached->tx_ring))
		return eci_error_set(-EPROTO,
				     "the daemon gave rings of an impossible size");
	uint64_t d_size = ECP_CHANNEL_PAGE + (uint64_t)attached->rx_ring;
	uint64_t c_size = ECP_CHANNEL_PAGE + (uint64_t)attached->tx_ring;
	struct ecp_daemon_page *d = map(fds[ECP_FD_D], d_size, PROT_READ);
	struct ecp_client_page *c = map(fds[ECP_FD_C], c_size, PROT_READ | PROT_WRITE);
	int r = 0;
	if (!d || !c)
		r = eci_error_set(-ENOMEM, "cannot map the rings");
	else if (d->magic != ECP_CHANNEL_MAGIC || d->abi != ECP_CHANNEL_ABI)
		r = eci_error_set(-EPROTO, "the daemon's rings are of another version");
	if (r < 0) {
		unmap(d, d_size);
		unmap(c, c_size);
		return r;
	}
	relay_unmap(relay);
	relay->d = d;
	relay->c = c;
	relay->rx = (struct ecp_in){.data = (const uint8_t *)d + ECP_CHANNEL_PAGE,
				    .size = attached->rx_ring};
	relay->tx = (struct ecp_out){.data = (uint8_t *)c + ECP_CHANNEL_PAGE,
				     .size = attached->tx_ring};
	return 0;
}

void eci_relay_attach_request(const struct ec_relay *relay, struct ecp_request *req)
{
	req->type = ECP_REQ_ATTACH;
	req->attach = (struct ecp_attach){.version = ECP_PROTOCOL_VERSION,
					  .rx_ring = relay->again.rx_ring,
					  .tx_ring = relay->again.tx_ring};
	snprintf(req->attach.interface, sizeof(req->attach.interface), "%s", relay->ifname);
}

int eci_relay_attach_take(struct ec_relay *relay, const struct ecp_reply *reply, int *fds,
			  unsigned n_fds)
{
	const struct ecp_attached *attached = &reply->attached;
	int r = 0;
	if (reply->type == ECP_REP_ERROR)
		r = eci_error_take(&reply->error);
	else if (reply->type != ECP_REP_ATTACHED || n_fds != ECP_N_CHANNEL_FDS)
		r = eci_error_set(-EPROTO, "the daemon did not attach us");
	if (r == 0)
		r = relay_map(relay, attached, fds);
	for (unsigned i = 0; i < n_fds; i++)
		if (r < 0 || i == ECP_FD_D || i == ECP_FD_C)
			close(fds[i]);
	if (r < 0)
		return r;
	relay->bell_rx = fds[ECP_FD_BELL_RX];
	relay->bell_tx = fds[ECP_FD_BELL_TX];
	relay->bell_tx_keep = fds[ECP_FD_BELL_TX_KEEP];
	snprintf(relay->ifname, sizeof(relay->ifname), "%s", attached->interface);
	eci_link_attach(relay);
	eci_relay_watch(relay, relay->bell_rx);
	return 0;
}

static int relay_attach(struct ec_relay *relay, const char *ifname)
{
	struct question *q = relay->question;
	struct ecp_error err = {0};
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	if (ifname && strlen(ifname) >= sizeof(relay->ifname))
		return eci_error_set(-ENODEV, "\"%.40s\" is too long for an interface name",
				     ifname);
	snprintf(relay->ifname, sizeof(relay->ifname), "%s", ifname ? ifname : "");
	eci_relay_attach_request(relay, &q->request);
	int r = ecp_ask(relay->control, &q->request, &q->reply, q->text, fds, &n_fds, &err);
	if (r < 0)
		return eci_error_take(&err);
	return eci_relay_attach_take(relay, &q->reply, fds, n_fds);
}

static int relay_make_stop(struct ec_relay *relay)
{
	relay->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return relay->stop_fd < 0
		   ? eci_error_set(-errno, "cannot make an eventfd: %s", strerror(errno))
		   : 0;
}

/* A relay without a daemon yet. */
static struct ec_relay *relay_new(const struct ec_relay_opts *opts)
{
	struct ec_relay *relay = calloc(1, sizeof(*relay));
	if (!relay)
		return NULL;
	relay->control = relay->bell_rx = relay->bell_tx = relay->bell_tx_keep = -1;
	relay->epoll_fd = relay->event_fd = relay->stop_fd = relay->timer_fd = -1;
	relay->spin_ns = opts->spin_us * INT64_C(1000);
	relay->queue_depth = opts->queue_depth ? opts->queue_depth : QUEUE_DEPTH_DEFAULT;
	relay->queue_most = opts->queue_bytes ? opts->queue_bytes : QUEUE_BYTES_DEFAULT;
	relay->generation = 1;
	relay->again.inotify_fd = -1;
	relay->again.rx_ring = opts->rx_ring;
	relay->again.tx_ring = opts->tx_ring;
	relay->again.patience_ns =
	    (opts->reconnect_ms ? opts->reconnect_ms : RECONNECT_MS_DEFAULT) *
	    INT64_C(1000000);
	TAILQ_INIT(&relay->again.unclaimed);
	relay->l2_pool = (struct ecp_pool)ECP_POOL(struct ec_l2);
	relay->udp_pool = (struct ecp_pool)ECP_POOL(struct ec_udp);
	TAILQ_INIT(&relay->neigh.asking);
	TAILQ_INIT(&relay->queued);
	TAILQ_INIT(&relay->lent);
	LIST_INIT(&relay->l2s);
	LIST_INIT(&relay->any_group);
	relay->question = malloc(sizeof(*relay->question));
	if (relay->question)
		return relay;
	free(relay);
	return NULL;
}

EC_API int ec_relay_open(struct ec_relay **ret, const char *ifname,
			 const struct ec_relay_opts *given)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	char found[ECP_SOCK_ROOM];
	int r = eci_opts_take(&opts, sizeof(opts), given);
	if (r < 0)
		return r;
	struct ec_relay *relay = relay_new(&opts);
	if (!relay)
		return eci_error_set(-ENOMEM, "out of memory");
	r = relay_make_stop(relay);
	if (r == 0)
		r = relay_connect(relay,
				  opts.socket ? opts.socket : ecp_sock_find(ifname, found));
	if (r == 0)
		r = relay_attach(relay, ifname);
	if (r < 0) {
		ec_relay_close(relay);
		return r;
	}
	*ret = relay;
	return 0;
}

/* ---- closing ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void eci_relay_drop(struct ec_relay *relay, int *fd)
{
	if (relay->epoll_fd >= 0 && *fd >= 0)
		epoll_ctl(relay->epoll_fd, EPOLL_CTL_DEL, *fd, NULL);
	close_fd(fd);
}

void eci_relay_hang_up(struct ec_relay *relay)
{
	eci_relay_drop(relay, &relay->control);
	eci_relay_drop(relay, &relay->bell_rx);
	close_fd(&relay->bell_tx);
	close_fd(&relay->bell_tx_keep);
}

EC_API void ec_relay_close(struct ec_relay *relay)
{
	if (!relay)
		return;
	eci_neigh_drain(relay);
	eci_tx_drain(relay);
	relay->gone = true;
	/* the daemon gives back everything at once when it sees this */
	eci_relay_hang_up(relay);
	while (!LIST_EMPTY(&relay->l2s))
		eci_l2_free(LIST_FIRST(&relay->l2s));
	ec_relay_release(relay);
	eci_reconnect_fini(relay);
	close_fd(&relay->epoll_fd);
	close_fd(&relay->event_fd);
	close_fd(&relay->stop_fd);
	close_fd(&relay->timer_fd);
	eci_neigh_fini(relay);
	unmap(relay->d, ECP_CHANNEL_PAGE + relay->rx.size);
	unmap(relay->c, ECP_CHANNEL_PAGE + relay->tx.size);
	ecp_pool_fini(&relay->udp_pool);
	ecp_pool_fini(&relay->l2_pool);
	free(relay->groups);
	free(relay->slots);
	free(relay->question);
	free(relay);
}

/* ---- endpoints by number ---- */

static int slots_reach(struct ec_relay *relay, uint32_t id)
{
	if (id < relay->n_slots)
		return 0;
	if (id >= ENDPOINTS_MOST)
		return eci_error_set(-EPROTO, "the daemon gave an endpoint the number %u",
				     id);
	uint32_t n = relay->n_slots ? relay->n_slots : 16;
	while (n <= id)
		n *= 2;
	struct slot *slots = realloc(relay->slots, n * sizeof(*slots));
	if (!slots)
		return eci_error_set(-ENOMEM, "out of memory");
	memset(slots + relay->n_slots, 0, (n - relay->n_slots) * sizeof(*slots));
	relay->slots = slots;
	relay->n_slots = n;
	return 0;
}

/* Claims on their way are answered first: their answer would be taken for ours. */
static void take_claims(struct ec_relay *relay)
{
	if (relay->again.way == ECI_CLAIMING && relay->again.claims->n_asked)
		eci_reclaim_take(relay);
}

void eci_relay_ask_close(struct ec_relay *relay)
{
	struct ecp_request *req = &relay->question->request;
	req->type = ECP_REQ_CLOSE;
	take_claims(relay);
	if (eci_reconnect_attached(relay) && req->close.n > 0)
		ask_now(relay, ECP_REP_CLOSED);
	req->close.n = 0;
	if (relay->again.way == ECI_CLAIMING)
		eci_reclaim_next(relay);
}

static void ask_close(struct ec_relay *relay, uint32_t id)
{
	struct ecp_close *close = &relay->question->request.close;
	close->n = id != ECI_NO_ID;
	close->ids[0] = id;
	eci_relay_ask_close(relay);
}

static struct ecp_pool *pool_of(struct ec_relay *relay, enum ecp_endpoint_kind kind)
{
	return kind == ECP_KIND_UDP ? &relay->udp_pool : &relay->l2_pool;
}

struct endpoint *eci_endpoint_new(struct ec_relay *relay, enum ecp_endpoint_kind kind,
				  void *user)
{
	struct endpoint *ep = ecp_pool_get(pool_of(relay, kind));
	if (!ep) {
		eci_error_set(-ENOMEM, "out of memory");
		return NULL;
	}
	ep->relay = relay;
	ep->kind = kind;
	ep->user = user;
	TAILQ_INIT(&ep->queue);
	return ep;
}

void eci_endpoint_free(struct endpoint *ep)
{
	if (ep->kind == ECP_KIND_UDP)
		eci_neigh_drop_route((struct ec_udp *)ep);
	ecp_pool_put(pool_of(ep->relay, ep->kind), ep);
}

static void slot_fill(struct slot *slot, struct endpoint *ep)
{
	bool udp = ep->kind == ECP_KIND_UDP;
	struct ec_l2 *l2 = udp ? ((struct ec_udp *)ep)->l2 : (struct ec_l2 *)ep;
	*slot = (struct slot){
	    .generation = ep->generation,
	    .is_udp = udp,
	    .neigh = !udp && l2->flags & ECI_L2_NEIGH,
	    .endpoint = ep,
	    .l2 = l2,
	    .user = ep->user,
	};
}

int eci_endpoint_number(struct endpoint *ep, const struct ecp_opened_item *opened)
{
	struct ec_relay *relay = ep->relay;
	int r = slots_reach(relay, opened->id);
	if (r < 0)
		return r;
	ep->id = opened->id;
	ep->generation = opened->generation;
	ep->payload_max = opened->payload_max;
	slot_fill(&relay->slots[ep->id], ep);
	return 0;
}

int eci_endpoint_adopt(struct endpoint *ep, const struct ecp_opened_item *opened)
{
	if (opened->error.code)
		return eci_error_take(&opened->error);
	int r = eci_endpoint_number(ep, opened);
	if (r < 0)
		ask_close(ep->relay, opened->id);
	return r;
}

int eci_relay_ask_open(struct ec_relay *relay, const struct ec_l2 *on)
{
	struct question *q = relay->question;
	unsigned n = q->request.open.n;
	int r;
	do {
		if (on && on->ep.refused)
			return eci_error_set(
			    -ENODEV,
			    "the daemon does not give the L2 endpoint back: "
			    "%s",
			    strerror(-on->ep.refused));
		if (on)
			q->request.open.items[0].on = on->ep.id;
		q->request.type = ECP_REQ_OPEN;
		r = eci_relay_ask(relay, ECP_REP_OPENED);
	} while (r == -ERESTART);
	if (r == 0 && q->reply.opened.n != n)
		r = eci_error_set(-EPROTO,
				  "the daemon answered for other endpoints than asked");
	return r;
}

int eci_endpoint_check_length(const struct endpoint *ep, size_t len)
{
	struct ec_relay *relay = ep->relay;
	eci_link_look(relay);
	if (len <= ep->payload_max)
		return 0;
	return eci_error_set(
	    -EMSGSIZE,
	    "%zu bytes of payload: under these tags the MTU of %s (%u) lets %u pass", len,
	    relay->ifname, relay->link.mtu, ep->payload_max);
}

void eci_endpoint_forget(struct endpoint *ep)
{
	struct ec_relay *relay = ep->relay;
	while (!TAILQ_EMPTY(&ep->queue))
		eci_queued_free(relay, TAILQ_FIRST(&ep->queue));
	eci_reclaim_forget(ep);
	if (ep->id != ECI_NO_ID)
		relay->slots[ep->id].endpoint = NULL;
}

void eci_endpoint_close(struct endpoint *ep)
{
	eci_tx_drain(ep->relay);
	take_claims(ep->relay); /* it may have a number by that */
	ask_close(ep->relay, ep->id);
	eci_endpoint_forget(ep);
}

/* The flag is for those who do not wait, the descriptor for those who do. */
EC_API void ec_relay_stop(struct ec_relay *relay)
{
	uint64_t one = 1;
	int saved = errno;
	relay->stopped = true;
	ssize_t n = write(relay->stop_fd, &one, sizeof(one));
	(void)n;
	errno = saved;
}

/* ---- what it is ---- */

EC_API const char *ec_relay_ifname(const struct ec_relay *relay)
{
	return relay->ifname;
}

EC_API void ec_relay_stats(const struct ec_relay *relay, struct ec_relay_stats *stats)
{
	*stats = relay->stats;
}

/* ---- the pollable descriptor ---- */

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void eci_relay_watch(struct ec_relay *relay, int fd)
{
	if (relay->epoll_fd >= 0 && fd >= 0)
		watch(relay->epoll_fd, fd);
}

int64_t eci_relay_due(const struct ec_relay *relay)
{
	int64_t neigh = eci_neigh_due(relay), way = eci_reconnect_due(relay);
	return !way || (neigh && neigh < way) ? neigh : way;
}

void eci_relay_set_timer(struct ec_relay *relay)
{
	int *fd = &relay->timer_fd;
	int64_t due = eci_relay_due(relay);
	struct itimerspec when = {.it_value = {due / NS_PER_S, due % NS_PER_S}};
	if (due == relay->timer_due)
		return;
	if (*fd < 0) {
		*fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (*fd < 0 || watch(relay->epoll_fd, *fd) < 0)
			return;
	}
	/* setting it also takes away that it has gone off */
	if (timerfd_settime(*fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		relay->timer_due = due;
}

/*
 * The bell alone would not do: it rings once for many frames.  While some are left unread the
 * eventfd beside it is readable, so the whole is level-triggered.
 */
EC_API int ec_relay_fd(struct ec_relay *relay)
{
	if (relay->epoll_fd >= 0)
		return relay->epoll_fd;
	int r = 0;
	relay->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (relay->event_fd < 0 || relay->epoll_fd < 0)
		r = -errno;
	if (r == 0)
		r = watch(relay->epoll_fd, relay->event_fd);
	if (r == 0)
		r = watch(relay->epoll_fd, relay->stop_fd);
	if (r == 0) {
		eci_relay_watch(relay, relay->bell_rx);
		eci_relay_watch(relay, relay->control);
		eci_relay_watch(relay, relay->again.inotify_fd);
		eci_relay_settle(relay);
		return relay->epoll_fd;
	}
	close_fd(&relay->event_fd);
	close_fd(&relay->epoll_fd);
	return eci_error_set(r, "cannot make a pollable descriptor: %s", strerror(-r));
}
