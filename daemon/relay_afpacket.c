/*
 * relay_afpacket.c - the default back-end: a TPACKET_V2 ring in, AF_XDP or sendmmsg() out.
 *
 *   rx socket   ETH_P_ALL   ring:  | slot | slot | slot | ...   slot: tpacket2_hdr, frame
 *                                      ^at    (lent)   ^at + lent
 *   afxdp_send.c, or
 *   tx socket   protocol 0  64 flat buffers, one mmsghdr each
 *
 * A slot belongs to the kernel or to us, as its tp_status says.  Version 2 of the ring,
 * for version 3 hands over whole blocks after a time-out of at least a millisecond: a
 * third faster in bulk, hopeless for request and answer.
 *
 * Two sockets, because the news of an interface that went down waits as an error on the one
 * that listens: there it would fail the next frame sent, even if all is well again by then.
 *
 * The formats: Documentation/networking/packet_mmap.rst, packet(7).  The one file that
 * knows linux/if_packet.h.
 */
#include "daemon/afxdp_send.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_SIZE    (256u << 10) /* what the kernel allocates at a time */
#define RING_MAX      (64u << 20)
#define SLOTS_USUAL   8192
#define SLOT_HEADROOM 96 /* tpacket2_hdr, sockaddr_ll, the alignment between and behind */
#define FRAME_LIMIT   (BLOCK_SIZE - SLOT_HEADROOM)
#define SEND_QUEUE    (2 << 20) /* bytes; the kernel grants less by its own sysctl */

/* The receiving half. */
struct rx {
	int fd;
	uint8_t *ring;
	size_t ring_size;
	uint32_t slot_size, n_slots;
	uint32_t at;   /* the slot to look at next */
	uint32_t lent; /* slots from there that the caller looks at */
	bool down;     /* the kernel has told us so, and nothing since to the contrary */
};

/* The sending half without AF_XDP. */
struct tx {
	int fd;
	uint8_t *memory;
	uint32_t room; /* of one buffer */
	struct iovec pieces[RELAY_BURST];
	struct mmsghdr messages[RELAY_BURST];
};

struct afpacket {
	struct rx rx;
	struct afxdp_send *xdp; /* NULL: tx sends */
	struct tx tx;
};

/* ---- receive ---- */

static struct tpacket2_hdr *slot_at(const struct rx *rx, uint32_t i)
{
	return (struct tpacket2_hdr *)(void *)(rx->ring + (size_t)i * rx->slot_size);
}

static uint32_t slot_after(const struct rx *rx, uint32_t i)
{
	return i + 1 == rx->n_slots ? 0 : i + 1;
}

static struct ecp_tag slot_tag(const struct tpacket2_hdr *slot, uint32_t status)
{
	if (!(status & TP_STATUS_VLAN_VALID))
		return (struct ecp_tag){0};
	bool named = status & TP_STATUS_VLAN_TPID_VALID;
	return (struct ecp_tag){
	    .present = true,
	    .tpid = named ? slot->tp_vlan_tpid : ECP_TPID_8021Q,
	    .tci = slot->tp_vlan_tci,
	};
}

static struct relay_frame slot_frame(const struct tpacket2_hdr *slot, uint32_t status)
{
	bool partial = status & TP_STATUS_CSUMNOTREADY;
	bool truncated = slot->tp_len > slot->tp_snaplen;
	return (struct relay_frame){
	    .data = (const uint8_t *)slot + slot->tp_mac,
	    .len = slot->tp_snaplen,
	    .flags = (partial ? RELAY_FRAME_CSUM_PARTIAL : 0) |
		     (truncated ? RELAY_FRAME_TRUNCATED : 0),
	    .tag = slot_tag(slot, status),
	    .time_ns = slot->tp_sec * UINT64_C(1000000000) + slot->tp_nsec,
	};
}

/*
 * The ring is empty: is something wrong?  Reading SO_ERROR also ends the POLLERR that
 * would otherwise keep the descriptor ready for ever.  A link that comes back is not
 * announced here, so while it is down we ask.
 */
static int rx_trouble(struct rx *rx, const struct netif *netif)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(rx->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error && error != ENETDOWN)
		return -error;
	rx->down |= error == ENETDOWN;
	if (!rx->down)
		return 0;
	int r = netif_state(netif);
	rx->down = r < 0;
	return r;
}

static int afpacket_rx_peek(struct relay *relay, struct relay_frame *frames, unsigned max)
{
	struct rx *rx = &((struct afpacket *)relay->priv)->rx;
	uint32_t at = rx->at;
	unsigned n = 0;
	while (n < max) {
		const struct tpacket2_hdr *slot = slot_at(rx, at);
		at = slot_after(rx, at);
		__builtin_prefetch(slot_at(rx, at));
		/* acquire: the kernel wrote the frame before it gave us the slot */
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
		if (!(status & TP_STATUS_USER))
			break;
		frames[n++] = slot_frame(slot, status);
	}
	rx->lent = n;
	if (n == 0)
		return rx_trouble(rx, &relay->netif);
	rx->down = false;
	return (int)n;
}

static void afpacket_rx_release(struct relay *relay)
{
	struct rx *rx = &((struct afpacket *)relay->priv)->rx;
	for (; rx->lent > 0; rx->lent--) {
		/* release: the kernel overwrites the slot once it sees this */
		__atomic_store_n(&slot_at(rx, rx->at)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		rx->at = slot_after(rx, rx->at);
	}
}

/*
 * Slots are powers of two, so that blocks hold them without a rest and frames lie in line.
 */
static void rx_plan(struct rx *rx, const struct relay_config *config, uint32_t mtu)
{
	uint32_t frame = config->frame_size ? config->frame_size : mtu + ECP_ETH_HLEN_MAX;
	if (frame > FRAME_LIMIT)
		frame = FRAME_LIMIT;
	rx->slot_size = RELAY_FRAME_DEFAULT;
	while (rx->slot_size < frame + SLOT_HEADROOM)
		rx->slot_size *= 2;
	uint32_t per_block = BLOCK_SIZE / rx->slot_size;
	uint32_t wanted = config->ring_frames ? config->ring_frames : SLOTS_USUAL;
	uint32_t most = RING_MAX / rx->slot_size;
	if (wanted > most)
		wanted = most;
	rx->n_slots = (wanted + per_block - 1) / per_block * per_block;
	rx->ring_size = (size_t)rx->n_slots * rx->slot_size;
}

static int set_option(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_PACKET, option, value, len) < 0 ? -errno : 0;
}

static int rx_make_ring(struct rx *rx, const char **why)
{
	int version = TPACKET_V2;
	struct tpacket_req req = {
	    .tp_block_size = BLOCK_SIZE,
	    .tp_block_nr = (unsigned)(rx->ring_size / BLOCK_SIZE),
	    .tp_frame_size = rx->slot_size,
	    .tp_frame_nr = rx->n_slots,
	};
	*why = "receive ring";
	int r = set_option(rx->fd, PACKET_VERSION, &version, sizeof(version));
	if (r < 0)
		return r;
	r = set_option(rx->fd, PACKET_RX_RING, &req, sizeof(req));
	if (r < 0)
		return r;
	void *ring = mmap(NULL, rx->ring_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, rx->fd, 0);
	if (ring == MAP_FAILED)
		return -errno;
	rx->ring = ring;
	return 0;
}

/*
 * Membership ends with the socket, however we die.  Without promiscuity the interface must
 * still hand over every multicast address, for endpoints join groups without telling us.
 */
static int rx_join(const struct rx *rx, int ifindex, bool promiscuous)
{
	struct packet_mreq mreq = {
	    .mr_ifindex = ifindex,
	    .mr_type = promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI,
	};
	return set_option(rx->fd, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
}

static int bind_to(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll address = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(protocol),
	    .sll_ifindex = ifindex,
	};
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* Protocol 0: not a frame arrives before bind() has named the interface. */
static int packet_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

static void rx_close(struct rx *rx)
{
	if (rx->ring)
		munmap(rx->ring, rx->ring_size);
	if (rx->fd >= 0)
		close(rx->fd);
}

static int rx_open(struct rx *rx, const struct relay_config *config,
		   const struct netif *netif, const char **why)
{
	int yes = 1;
	rx_plan(rx, config, netif->mtu);
	rx->down = !netif->up;
	int r = rx->fd = packet_socket();
	if (r < 0)
		return r;
	r = rx_make_ring(rx, why);
	if (r < 0)
		goto fail;
	*why = "receive socket";
	r = set_option(rx->fd, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	if (r < 0)
		goto fail;
	/* ETH_P_8021Q receives nothing: the kernel takes the tag out first. */
	r = bind_to(rx->fd, netif->index, ETH_P_ALL);
	if (r < 0)
		goto fail;
	r = rx_join(rx, netif->index, config->promiscuous);
	if (r == 0)
		return 0;
fail:
	rx_close(rx);
	return r;
}

/* ---- send by a packet socket ---- */

static unsigned tx_reserve(const struct tx *tx, struct relay_buffer *buffers, unsigned max)
{
	for (unsigned i = 0; i < max; i++) {
		buffers[i].data = tx->memory + (size_t)i * tx->room;
		buffers[i].room = tx->room;
	}
	return max;
}

/* Would every other frame meet this error as well? */
static bool stops_all(int error)
{
	return error == ENETDOWN || error == ENXIO || error == EAGAIN || error == ENOBUFS;
}

/*
 * sendmmsg() hides the error of a frame behind the success of those before it: so ask
 * again.
 */
static void tx_submit(struct tx *tx, struct relay *relay,
		      const struct relay_buffer *buffers, unsigned n)
{
	unsigned done = 0, waits = 0;
	for (unsigned i = 0; i < n; i++)
		tx->pieces[i].iov_len = buffers[i].len;
	while (done < n) {
		int sent = sendmmsg(tx->fd, tx->messages + done, n - done, MSG_DONTWAIT);
		if (sent > 0) {
			relay_count_sent(relay, buffers + done, (unsigned)sent);
			done += (unsigned)sent;
			continue;
		}
		int error = errno;
		if (relay_tx_wait(tx->fd, error, &waits))
			continue;
		unsigned lost = stops_all(error) ? n - done : 1;
		relay_count_unsent(relay, error, lost);
		done += lost;
	}
}

static void tx_close(struct tx *tx)
{
	free(tx->memory);
	if (tx->fd >= 0)
		close(tx->fd);
}

static int tx_open(struct tx *tx, const struct netif *netif, const char **why)
{
	int queue = SEND_QUEUE;
	*why = "send socket";
	int r = tx->fd = packet_socket();
	if (r < 0)
		return r;
	r = bind_to(tx->fd, netif->index, 0);
	if (r < 0)
		goto fail;
	setsockopt(tx->fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
	tx->room = (netif->mtu + ECP_ETH_HLEN_MAX + 63) / 64 * 64;
	tx->memory = aligned_alloc(64, (size_t)tx->room * RELAY_BURST);
	r = -ENOMEM;
	if (!tx->memory)
		goto fail;
	for (unsigned i = 0; i < RELAY_BURST; i++) {
		tx->pieces[i].iov_base = tx->memory + (size_t)i * tx->room;
		tx->messages[i].msg_hdr.msg_iov = &tx->pieces[i];
		tx->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
fail:
	tx_close(tx);
	return r;
}

/* ---- send ---- */

static unsigned afpacket_tx_reserve(struct relay *relay, struct relay_buffer *buffers,
				    unsigned max)
{
	struct afpacket *ap = relay->priv;
	return ap->xdp ? afxdp_send_reserve(ap->xdp, buffers, max)
		       : tx_reserve(&ap->tx, buffers, max);
}

static void afpacket_tx_submit(struct relay *relay, const struct relay_buffer *buffers,
			       unsigned n)
{
	struct afpacket *ap = relay->priv;
	if (ap->xdp)
		afxdp_send_submit(ap->xdp, relay, buffers, n);
	else
		tx_submit(&ap->tx, relay, buffers, n);
}

/* why_not: what auto could not have, as afxdp_send_open() said it, and error its errno. */
static void say_fallback(struct relay *relay, const char *why_not, int error)
{
	snprintf(relay->sends_by, sizeof(relay->sends_by), "sendmmsg (%s: %s)", why_not,
		 strerror(error));
}

static int send_open(struct relay *relay, struct afpacket *ap, enum relay_send send,
		     const char **why)
{
	snprintf(relay->sends_by, sizeof(relay->sends_by), "sendmmsg");
	if (send != RELAY_SEND_SOCKET) {
		int r = afxdp_send_open(&ap->xdp, &relay->netif, why);
		if (r == 0)
			snprintf(relay->sends_by, sizeof(relay->sends_by), "AF_XDP");
		if (r == 0 || send == RELAY_SEND_XDP)
			return r;
		say_fallback(relay, *why, -r);
	}
	return tx_open(&ap->tx, &relay->netif, why);
}

static void send_close(struct afpacket *ap)
{
	if (ap->xdp)
		afxdp_send_close(ap->xdp);
	else
		tx_close(&ap->tx);
}

/* ---- both ---- */

static void afpacket_stats_refresh(struct relay *relay)
{
	const struct afpacket *ap = relay->priv;
	struct tpacket_stats since; /* the last time: reading sets the kernel's to zero */
	socklen_t len = sizeof(since);
	if (getsockopt(ap->rx.fd, SOL_PACKET, PACKET_STATISTICS, &since, &len) == 0)
		relay->stats.rx_kernel_drops += since.tp_drops;
}

static int afpacket_open(struct relay *relay, const struct relay_config *config,
			 const char **why)
{
	struct afpacket *ap = calloc(1, sizeof(*ap));
	if (!ap)
		return -ENOMEM;
	int r = rx_open(&ap->rx, config, &relay->netif, why);
	if (r < 0)
		goto fail_rx;
	r = send_open(relay, ap, config->send, why);
	if (r < 0)
		goto fail_tx;
	relay->priv = ap;
	relay->fd = ap->rx.fd;
	return 0;
fail_tx:
	rx_close(&ap->rx);
fail_rx:
	free(ap);
	return r;
}

static void afpacket_close(struct relay *relay)
{
	struct afpacket *ap = relay->priv;
	send_close(ap);
	rx_close(&ap->rx);
	free(ap);
	relay->priv = NULL;
	relay->fd = -1;
}

const struct relay_ops relay_afpacket_ops = {
    .name = "af_packet",
    .open = afpacket_open,
    .close = afpacket_close,
    .rx_peek = afpacket_rx_peek,
    .rx_release = afpacket_rx_release,
    .tx_reserve = afpacket_tx_reserve,
    .tx_submit = afpacket_tx_submit,
    .stats_refresh = afpacket_stats_refresh,
};
