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

#define QUEUE_DEPTH_DEFAULT 1024
#define NS_PER_S            1000000000

/* ---- asking ---- */

int eci_relay_ask(struct ec_relay *relay, enum ecp_reply_type expected)
{
	struct question *q = relay->question;
	struct ecp_error err = {0};
	if (relay->gone)
		return eci_error_set(-ESHUTDOWN, "the daemon has ended the connection");
	int r = ecp_ask(relay->control, &q->request, &q->reply, q->text, NULL, NULL, &err);
	if (r == -ENOTCONN) {
		relay->gone = true;
		return eci_error_set(-ESHUTDOWN, "%s", err.text);
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

/* ---- opening ---- */

static int relay_connect(struct ec_relay *relay, const char *path)
{
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

static int relay_map(struct ec_relay *relay, const struct ecp_attached *attached,
		     const int *fds)
{
	if (!ecp_ring_size_ok(attached->rx_ring) || !ecp_ring_size_ok(attached->tx_ring))
		return eci_error_set(-EPROTO,
				     "the daemon gave rings of an impossible size");
	relay->rx.size = attached->rx_ring;
	relay->tx.size = attached->tx_ring;
	relay->d = map(fds[ECP_FD_D], ECP_CHANNEL_PAGE + relay->rx.size, PROT_READ);
	relay->c =
	    map(fds[ECP_FD_C], ECP_CHANNEL_PAGE + relay->tx.size, PROT_READ | PROT_WRITE);
	if (!relay->d || !relay->c)
		return eci_error_set(-ENOMEM, "cannot map the rings");
	if (relay->d->magic != ECP_CHANNEL_MAGIC || relay->d->abi != ECP_CHANNEL_ABI)
		return eci_error_set(-EPROTO, "the daemon's rings are of another version");
	relay->rx.data = (const uint8_t *)relay->d + ECP_CHANNEL_PAGE;
	relay->tx.data = (uint8_t *)relay->c + ECP_CHANNEL_PAGE;
	return 0;
}

static int relay_attach(struct ec_relay *relay, const char *ifname,
			const struct ec_relay_opts *opts)
{
	struct question *q = relay->question;
	struct ecp_attach *attach = &q->request.attach;
	struct ecp_error err = {0};
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	if (ifname && strlen(ifname) >= sizeof(attach->interface))
		return eci_error_set(-ENODEV, "\"%.40s\" is too long for an interface name",
				     ifname);
	q->request.type = ECP_REQ_ATTACH;
	*attach = (struct ecp_attach){.version = ECP_PROTOCOL_VERSION,
				      .rx_ring = opts->rx_ring,
				      .tx_ring = opts->tx_ring};
	snprintf(attach->interface, sizeof(attach->interface), "%s", ifname ? ifname : "");
	int r = ecp_ask(relay->control, &q->request, &q->reply, q->text, fds, &n_fds, &err);
	if (r < 0)
		return eci_error_take(&err);
	if (q->reply.type == ECP_REP_ERROR)
		r = eci_error_take(&q->reply.error);
	else if (q->reply.type != ECP_REP_ATTACHED || n_fds != ECP_N_CHANNEL_FDS)
		r = eci_error_set(-EPROTO, "the daemon did not attach us");
	if (r == 0)
		r = relay_map(relay, &q->reply.attached, fds);
	for (unsigned i = 0; i < n_fds; i++)
		if (r < 0 || i == ECP_FD_D || i == ECP_FD_C)
			close(fds[i]);
	if (r < 0)
		return r;
	relay->bell_rx = fds[ECP_FD_BELL_RX];
	relay->bell_tx = fds[ECP_FD_BELL_TX];
	relay->bell_tx_keep = fds[ECP_FD_BELL_TX_KEEP];
	relay->mtu = q->reply.attached.mtu;
	snprintf(relay->ifname, sizeof(relay->ifname), "%s", q->reply.attached.interface);
	return 0;
}

static int relay_make_stop(struct ec_relay *relay)
{
	relay->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return relay->stop_fd < 0
		   ? eci_error_set(-errno, "cannot make an eventfd: %s", strerror(errno))
		   : 0;
}

/* A caller's options, of whatever version of this library, as ours. */
static struct ec_relay_opts relay_opts(const struct ec_relay_opts *given)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	if (given)
		memcpy(&opts, given,
		       given->size < sizeof(opts) ? given->size : sizeof(opts));
	return opts;
}

EC_API int ec_relay_open(struct ec_relay **ret, const char *ifname,
			 const struct ec_relay_opts *given)
{
	struct ec_relay_opts opts = relay_opts(given);
	char found[ECP_SOCK_ROOM];
	struct ec_relay *relay = calloc(1, sizeof(*relay));
	if (!relay)
		return eci_error_set(-ENOMEM, "out of memory");
	relay->control = relay->bell_rx = relay->bell_tx = relay->bell_tx_keep = -1;
	relay->epoll_fd = relay->event_fd = relay->stop_fd = relay->neigh.timer_fd = -1;
	relay->spin_ns = opts.spin_us * INT64_C(1000);
	relay->l2_pool = (struct ecp_pool)ECP_POOL(struct ec_l2);
	relay->udp_pool = (struct ecp_pool)ECP_POOL(struct ec_udp);
	TAILQ_INIT(&relay->neigh.asking);
	relay->queue_depth = opts.queue_depth ? opts.queue_depth : QUEUE_DEPTH_DEFAULT;
	TAILQ_INIT(&relay->queued);
	TAILQ_INIT(&relay->lent);
	LIST_INIT(&relay->l2s);
	LIST_INIT(&relay->any_group);
	relay->question = malloc(sizeof(*relay->question));
	int r = relay->question ? 0 : eci_error_set(-ENOMEM, "out of memory");
	if (r == 0)
		r = relay_make_stop(relay);
	if (r == 0)
		r = relay_connect(relay,
				  opts.socket ? opts.socket : ecp_sock_find(ifname, found));
	if (r == 0)
		r = relay_attach(relay, ifname, &opts);
	if (r < 0) {
		ec_relay_close(relay);
		return r;
	}
	*ret = relay;
	return 0;
}

/* ---- closing ---- */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

EC_API void ec_relay_close(struct ec_relay *relay)
{
	if (!relay)
		return;
	eci_tx_drain(relay);
	/* the daemon gives back everything at once when it sees this */
	close_fd(relay->control);
	relay->control = -1;
	relay->gone = true;
	while (!LIST_EMPTY(&relay->l2s))
		eci_l2_free(LIST_FIRST(&relay->l2s));
	ec_relay_release(relay);
	close_fd(relay->bell_rx);
	close_fd(relay->bell_tx);
	close_fd(relay->bell_tx_keep);
	close_fd(relay->epoll_fd);
	close_fd(relay->event_fd);
	close_fd(relay->stop_fd);
	close_fd(relay->neigh.timer_fd);
	eci_neigh_fini(relay);
	if (relay->d)
		munmap((void *)(uintptr_t)relay->d, ECP_CHANNEL_PAGE + relay->rx.size);
	if (relay->c)
		munmap(relay->c, ECP_CHANNEL_PAGE + relay->tx.size);
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

void eci_relay_ask_close(struct ec_relay *relay)
{
	struct ecp_request *req = &relay->question->request;
	req->type = ECP_REQ_CLOSE;
	if (!relay->gone)
		eci_relay_ask(relay, ECP_REP_CLOSED);
	req->close.n = 0;
}

static void ask_close(struct ec_relay *relay, uint32_t id)
{
	struct ecp_close *close = &relay->question->request.close;
	close->n = 1;
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

int eci_endpoint_adopt(struct endpoint *ep, const struct ecp_opened_item *opened)
{
	struct ec_relay *relay = ep->relay;
	if (opened->error.code)
		return eci_error_take(&opened->error);
	int r = slots_reach(relay, opened->id);
	if (r < 0) {
		ask_close(relay, opened->id);
		return r;
	}
	ep->id = opened->id;
	ep->generation = opened->generation;
	ep->payload_max = opened->payload_max;
	slot_fill(&relay->slots[ep->id], ep);
	return 0;
}

int eci_relay_ask_open(struct ec_relay *relay)
{
	struct question *q = relay->question;
	unsigned n = q->request.open.n;
	q->request.type = ECP_REQ_OPEN;
	int r = eci_relay_ask(relay, ECP_REP_OPENED);
	if (r == 0 && q->reply.opened.n != n)
		r = eci_error_set(-EPROTO,
				  "the daemon answered for other endpoints than asked");
	return r;
}

int eci_endpoint_check_length(const struct endpoint *ep, size_t len)
{
	const struct ec_relay *relay = ep->relay;
	if (len <= ep->payload_max)
		return 0;
	return eci_error_set(
	    -EMSGSIZE,
	    "%zu bytes of payload: under these tags the MTU of %s (%u) lets %u pass", len,
	    relay->ifname, relay->mtu, ep->payload_max);
}

void eci_endpoint_forget(struct endpoint *ep)
{
	struct ec_relay *relay = ep->relay;
	while (!TAILQ_EMPTY(&ep->queue))
		eci_queued_free(relay, TAILQ_FIRST(&ep->queue));
	relay->slots[ep->id].endpoint = NULL;
}

void eci_endpoint_close(struct endpoint *ep)
{
	eci_tx_drain(ep->relay);
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

EC_API uint32_t ec_relay_mtu(const struct ec_relay *relay)
{
	return relay->mtu;
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

void eci_relay_set_timer(struct ec_relay *relay)
{
	int *fd = &relay->neigh.timer_fd;
	int64_t due = eci_neigh_due(relay);
	struct itimerspec when = {.it_value = {due / NS_PER_S, due % NS_PER_S}};
	if (due == relay->neigh.timer_due)
		return;
	if (*fd < 0) {
		*fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (*fd < 0 || watch(relay->epoll_fd, *fd) < 0)
			return;
	}
	/* setting it also takes away that it has gone off */
	if (timerfd_settime(*fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		relay->neigh.timer_due = due;
}

/*
 * The bell alone would not do: it rings once
for many frames.  While some are left unread the
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
		r = watch(relay->epoll_fd, relay->bell_rx);
	if (r == 0)
		r = watch(relay->epoll_fd, relay->control);
	if (r == 0)
		r = watch(relay->epoll_fd, relay->event_fd);
	if (r == 0)
		r = watch(relay->epoll_fd, relay->stop_fd);
	if (r == 0) {
		eci_relay_settle(relay);
		return relay->epoll_fd;
	}
	close_fd(relay->event_fd);
	close_fd(relay->epoll_fd);
	relay->event_fd = relay->epoll_fd = -1;
	return eci_error_set(r, "cannot make a pollable descriptor: %s", strerror(-r));
}
