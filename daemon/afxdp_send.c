/*
 * afxdp_send.c - a burst of frames out by AF_XDP: written where the kernel takes them from,
 * one system call, no qdisc.
 *
 *   memory   | chunk | chunk | chunk | ...        one frame each
 *   free     a stack of chunks: those used last, warm in the cache, are lent first
 *               | tx_reserve, tx_submit
 *   TX ring  -> sendto(): the kernel copies each frame into a packet of its own and hands
 *               that to the driver's queue 0
 *               | when the driver has done with it
 *   completion ring -> free
 *
 * Copy mode without an XDP program, so it works on every device, and what is sent is seen by
 * the peer as any frame is, in order.  Over a veth pair it carries 1.4 to 1.7 times what
 * sendmmsg() does, with round trips alike (make bench), and it says of each frame whether the
 * driver took it: a packet socket counts as sent what vanishes for want of a carrier.  That is
 * why it is the default.  Its price: it passes over the qdisc of the interface and over packet
 * sockets that listen there (tcpdump), uses one queue of the device, and no other AF_XDP socket
 * can have that queue meanwhile.  Whoever minds configures "socket".
 *
 * What sendto() says (net/xdp/xsk.c; __dev_direct_xmit() in net/core/dev.c):
 *   0         the ring was worked through
 *   EAGAIN    it was not: the kernel's own limit for one call (32 frames; ours to choose
 *             since 6.17), or the driver or the socket holds as much as it may
 *   EBUSY     one frame was taken and dropped, without a carrier or by the driver; those
 *             before it were sent, those behind it wait
 *   ENETDOWN, ENXIO   the interface is switched off, or gone: nothing was taken
 *
 * What was not taken stays in the ring and would leave whenever the interface is up again.  It
 * has been counted as lost by then, so it is made invalid where it lies, and the kernel steps
 * over it; some kernels report it as completed.  (To take the producer's index back is no way:
 * the kernel may have read it.)
 *
 * The kernel's index may show less than it took, after EBUSY and in older kernels after
 * EAGAIN; it shows all once the ring was worked through.  Hence positions of our own.  poll()
 * on this socket sends as well, and keeps the errors to itself: never poll it.
 *
 * The kernel accepts frames that are longer than the MTU; they would never arrive.  The MTU is
 * that of the time of opening.  The one file that knows linux/if_xdp.h; the format:
 * Documentation/networking/af_xdp.rst.
 */
#include "daemon/afxdp_send.h"

#include "daemon/handover.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEPTH         2048u                 /* of both rings: a power of two */
#define CHUNKS        (DEPTH + RELAY_BURST) /* a burst beyond what the kernel may hold */
#define CHUNK_MIN     2048u
#define CHUNK_MAX     4096u
#define SEND_QUEUE    (2 << 20) /* bytes; the kernel grants less by its own sysctl */
#define BIND_WAIT_MS  500
#define BIND_PAUSE_MS 5
#define NOWHERE       (UINT64_C(1) << 40) /* beyond all memory */

#ifndef XDP_MAX_TX_SKB_BUDGET /* linux/if_xdp.h before 6.17 */
#define XDP_MAX_TX_SKB_BUDGET 9
#endif

/* A ring of DEPTH entries, as the kernel lays it out. */
struct ring {
	uint8_t *map;
	size_t size;
	uint32_t *producer, *consumer;
	void *entries;
};

struct afxdp_send {
	int fd;
	uint8_t *memory;
	uint32_t chunk_size;
	struct ring tx, completed;
	uint32_t produced;  /* position behind the last frame in the TX ring */
	uint32_t done;      /* ... behind the last that was counted */
	uint32_t reclaimed; /* position in the completion ring */
	unsigned dead;      /* invalid ones that the kernel has yet to step over */
	unsigned n_free;
	uint32_t free[CHUNKS]; /* where they begin in memory */
};

/* ---- hot ---- */

static struct xdp_desc *frame_at(const struct afxdp_send *xs, uint32_t pos)
{
	return (struct xdp_desc *)xs->tx.entries + pos % DEPTH;
}

/* Have the kernel work on the ring.  0 or a positive errno. */
static int kick(const struct afxdp_send *xs)
{
	return sendto(xs->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
}

/* How far the kernel shows to have come. */
static uint32_t taken(const struct afxdp_send *xs)
{
	return __atomic_load_n(xs->tx.consumer, __ATOMIC_ACQUIRE);
}

static bool is_behind(uint32_t pos, uint32_t other)
{
	return (int32_t)(pos - other) < 0;
}

static void reclaim(struct afxdp_send *xs)
{
	const uint64_t *completed = xs->completed.entries;
	/* acquire: the kernel wrote the entries before it showed them */
	uint32_t end = __atomic_load_n(xs->completed.producer, __ATOMIC_ACQUIRE);
	for (; xs->reclaimed != end; xs->reclaimed++) {
		uint64_t chunk = completed[xs->reclaimed % DEPTH];
		if (chunk < NOWHERE)
			xs->free[xs->n_free++] = (uint32_t)chunk;
	}
	/* release: the kernel overwrites them once it sees this */
	__atomic_store_n(xs->completed.consumer, end, __ATOMIC_RELEASE);
}

unsigned afxdp_send_reserve(struct afxdp_send *xs, struct relay_buffer *buffers,
			    unsigned max)
{
	reclaim(xs);
	if (max > xs->n_free)
		max = xs->n_free;
	for (unsigned i = 0; i < max; i++) {
		buffers[i].data = xs->memory + xs->free[xs->n_free - 1 - i];
		buffers[i].room = xs->chunk_size;
	}
	return max;
}

/* Put those that may be sent into the ring, count the others, whose chunks stay free. */
static void enqueue(struct afxdp_send *xs, struct relay *relay,
		    const struct relay_buffer *buffers, unsigned n)
{
	/* a chunk is known by its frame's place: the stack may be written to meanwhile */
	xs->n_free -= n;
	for (unsigned i = 0; i < n; i++) {
		uint32_t chunk = (uint32_t)(buffers[i].data - xs->memory);
		int error = relay_frame_error(relay, &buffers[i]);
		if (error) {
			relay_count_unsent(relay, error, 1);
			xs->free[xs->n_free++] = chunk;
			continue;
		}
		*frame_at(xs, xs->produced++) = (struct xdp_desc){
		    .addr = chunk,
		    .len = buffers[i].len,
		};
	}
	/* release: the kernel reads the frames once it sees this */
	__atomic_store_n(xs->tx.producer, xs->produced, __ATOMIC_RELEASE);
}

static void count_sent(struct afxdp_send *xs, struct relay *relay, uint32_t pos)
{
	for (; is_behind(xs->done, pos); xs->done++) {
		relay->stats.tx++;
		relay->stats.tx_bytes += frame_at(xs, xs->done)->len;
	}
}

/* ---- trouble ---- */

/* EBUSY: those up to where the kernel has come were sent, but for the last. */
static void count_dropped(struct afxdp_send *xs, struct relay *relay, int *reason)
{
	uint32_t end = taken(xs);
	if (!is_behind(xs->done, end))
		end = xs->done + 1;
	count_sent(xs, relay, end - 1);
	xs->done = end;
	if (!*reason) {
		int r = netif_state(&relay->netif);
		*reason = r < 0 ? -r : EIO;
	}
	relay_count_unsent(relay, *reason, 1);
}

/* What is left in the ring shall not be sent any more. */
static void abandon(struct afxdp_send *xs, struct relay *relay, int error)
{
	unsigned n = xs->produced - xs->done;
	relay_count_unsent(relay, error, n);
	xs->dead += n;
	for (; xs->done != xs->produced; xs->done++) {
		struct xdp_desc *frame = frame_at(xs, xs->done);
		xs->free[xs->n_free++] = (uint32_t)frame->addr;
		*frame = (struct xdp_desc){.addr = NOWHERE};
	}
}

/*
 * Have the kernel step over what was abandoned: some kernels take one in a call, and show
 * it in the next.  0, or the errno for which they are still there.
 */
static int skip_dead(struct afxdp_send *xs)
{
	for (unsigned calls = 0; calls <= xs->dead + 1; calls++) {
		int error = kick(xs);
		if (error && error != EAGAIN)
			return error;
		if (taken(xs) == xs->produced) {
			xs->dead = 0;
			return 0;
		}
	}
	return EAGAIN;
}

/* Is it worth while to try again after error, at which nothing seems to have been taken? */
static bool is_worth_a_try(int error, bool *retried, unsigned *waits)
{
	bool first = error == EAGAIN && !*retried;
	*retried = true;
	/* at first it may only have reached its limit for a call, and not show it */
	return first || relay_tx_wait(-1, error, waits);
}

/* ---- hot ---- */

static void transmit(struct afxdp_send *xs, struct relay *relay)
{
	unsigned waits = 0;
	bool retried = false;
	int drop_reason = 0;
	while (xs->done != xs->produced) {
		int error = kick(xs);
		if (error == EBUSY) {
			count_dropped(xs, relay, &drop_reason);
		} else if (is_behind(xs->done, taken(xs))) {
			count_sent(xs, relay, taken(xs));
		} else {
			/* success without progress: queue 0 is no more, or it is an
			   older kernel's way to say that completions wait for us */
			error = error ? error : EAGAIN;
			reclaim(xs);
			if (!is_worth_a_try(error, &retried, &waits))
				abandon(xs, relay, error);
		}
	}
}

void afxdp_send_submit(struct afxdp_send *xs, struct relay *relay,
		       const struct relay_buffer *buffers, unsigned n)
{
	int error = xs->dead ? skip_dead(xs) : 0;
	if (error) {
		relay_count_unsent(relay, error, n);
		return;
	}
	enqueue(xs, relay, buffers, n);
	transmit(xs, relay);
}

/* ---- cold ---- */

static int set_option(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_XDP, option, value, len) < 0 ? -errno : 0;
}

static int open_memory(struct afxdp_send *xs)
{
	size_t size = (size_t)xs->chunk_size * CHUNKS;
	void *memory =
	    mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	xs->memory = memory;
	for (xs->n_free = 0; xs->n_free < CHUNKS; xs->n_free++)
		xs->free[xs->n_free] = xs->n_free * xs->chunk_size;
	struct xdp_umem_reg reg = {
	    .addr = (uintptr_t)memory,
	    .len = size,
	    .chunk_size = xs->chunk_size,
	};
	return set_option(xs->fd, XDP_UMEM_REG, &reg, sizeof(reg));
}

static int open_ring(struct ring *ring, int fd, off_t what,
		     const struct xdp_ring_offset *layout, size_t entry)
{
	ring->size = layout->desc + DEPTH * entry;
	void *map = mmap(NULL, ring->size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, fd, what);
	if (map == MAP_FAILED)
		return -errno;
	ring->map = map;
	ring->producer = (uint32_t *)(void *)(ring->map + layout->producer);
	ring->consumer = (uint32_t *)(void *)(ring->map + layout->consumer);
	ring->entries = ring->map + layout->desc;
	return 0;
}

static int open_rings(struct afxdp_send *xs)
{
	struct xdp_mmap_offsets layout;
	socklen_t len = sizeof(layout);
	uint32_t depth = DEPTH,
		 least = 1; /* bind() wants a fill ring even of those who only send */
	int r = set_option(xs->fd, XDP_TX_RING, &depth, sizeof(depth));
	if (r == 0)
		r = set_option(xs->fd, XDP_UMEM_COMPLETION_RING, &depth, sizeof(depth));
	if (r == 0)
		r = set_option(xs->fd, XDP_UMEM_FILL_RING, &least, sizeof(least));
	if (r < 0)
		return r;
	if (getsockopt(xs->fd, SOL_XDP, XDP_MMAP_OFFSETS, &layout, &len) < 0)
		return -errno;
	r = open_ring(&xs->tx, xs->fd, XDP_PGOFF_TX_RING, &layout.tx,
		      sizeof(struct xdp_desc));
	return r < 0 ? r
		     : open_ring(&xs->completed, xs->fd, XDP_UMEM_PGOFF_COMPLETION_RING,
				 &layout.cr, sizeof(uint64_t));
}

/*
 * The kernel lets go of the queue only a while after its last socket was closed: a daemon that
 * takes over from one that has just ended must not take it for another's.
 */
static int bind_waiting(int fd, const struct sockaddr_xdp *address)
{
	const struct timespec pause = {.tv_nsec = BIND_PAUSE_MS * 1000000L};
	for (unsigned waited_ms = 0;; waited_ms += BIND_PAUSE_MS) {
		if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
			return 0;
		if (errno != EBUSY || waited_ms >= BIND_WAIT_MS)
			return errno;
		nanosleep(&pause, NULL);
	}
}

static int bind_to(const struct afxdp_send *xs, int ifindex)
{
	struct sockaddr_xdp address = {
	    .sxdp_family = AF_XDP,
	    .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
	    .sxdp_ifindex = (uint32_t)ifindex,
	};
	int error = bind_waiting(xs->fd, &address);
	if (error)
		return -error;
	error = kick(xs);
	return error == ENETDOWN ? 0 : -error;
}

/* Both only make it faster, where the kernel can and will. */
static void tune(const struct afxdp_send *xs)
{
	int queue = SEND_QUEUE;
	uint32_t burst = RELAY_BURST;
	setsockopt(xs->fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
	set_option(xs->fd, XDP_MAX_TX_SKB_BUDGET, &burst, sizeof(burst));
}

int afxdp_send_socket(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int open_all(struct afxdp_send *xs, const struct netif *netif, const char **why)
{
	*why = "AF_XDP with this MTU";
	if (netif->mtu + ECP_ETH_HLEN_MAX > CHUNK_MAX)
		return -EMSGSIZE;
	xs->chunk_size = netif->mtu + ECP_ETH_HLEN_MAX > CHUNK_MIN ? CHUNK_MAX : CHUNK_MIN;
	*why = "AF_XDP socket";
	int r = xs->fd = handover_take(HANDOVER_XDP, netif->name);
	if (r == -ENOENT)
		r = xs->fd = afxdp_send_socket();
	if (r < 0)
		return r;
	*why = "AF_XDP memory (see LimitMEMLOCK=, ulimit -l)";
	r = open_memory(xs);
	if (r < 0)
		return r;
	*why = "AF_XDP rings";
	r = open_rings(xs);
	if (r < 0)
		return r;
	*why = "AF_XDP on queue 0";
	return bind_to(xs, netif->index);
}

int afxdp_send_open(struct afxdp_send **ret, const struct netif *netif, const char **why)
{
	struct afxdp_send *xs = calloc(1, sizeof(*xs));
	*why = "AF_XDP";
	if (!xs)
		return -ENOMEM;
	xs->fd = -1;
	int r = open_all(xs, netif, why);
	if (r < 0) {
		afxdp_send_close(xs);
		return r;
	}
	tune(xs);
	*ret = xs;
	return 0;
}

bool afxdp_send_fits(const struct afxdp_send *xs, uint32_t mtu)
{
	return mtu + ECP_ETH_HLEN_MAX <= xs->chunk_size;
}

bool afxdp_send_is_bound(const struct afxdp_send *xs)
{
	return kick(xs) != ENXIO;
}

static void close_ring(struct ring *ring)
{
	if (ring->map)
		munmap(ring->map, ring->size);
}

void afxdp_send_close(struct afxdp_send *xs)
{
	close_ring(&xs->completed);
	close_ring(&xs->tx);
	if (xs->fd >= 0)
		close(xs->fd);
	if (xs->memory)
		munmap(xs->memory, (size_t)xs->chunk_size * CHUNKS);
	free(xs);
}
