/*
 * relay_afpacket.c - the default back-end: a ring shared with the kernel in, AF_XDP or
 * sendmmsg() out.
 *
 *   packet_ring.c                frames in: at once (af_packet), or by the block (af_packet_v3)
 *   afxdp_send.c, or
 *   tx socket     protocol 0     64 flat buffers, one mmsghdr each
 *
 * The tx socket is always there: an AF_XDP socket cannot follow an interface that is made again,
 * nor an MTU beyond its memory, and by then there is no privilege to open another.
 *
 * Two sockets, because the news of an interface that went down waits as an error on the one
 * that listens: there it would fail the next frame sent, even if all is well again by then.
 */
#include "daemon/afxdp_send.h"
#include "daemon/handover.h"
#include "daemon/log.h"
#include "daemon/packet_ring.h"
#include "daemon/syscalls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_QUEUE (2 << 20) /* bytes; the kernel grants less by its own sysctl */

/* The sending half without AF_XDP. */
struct tx {
	int fd;
	uint8_t *memory;
	uint32_t room; /* of one buffer */
	struct iovec pieces[RELAY_BURST];
	struct mmsghdr messages[RELAY_BURST];
};

struct afpacket {
	struct packet_ring rx;
	struct afxdp_send *xdp; /* NULL: tx sends, which is open in any case */
	struct tx tx;
};

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

/* Buffers for frames of this MTU. */
static int tx_fit(struct tx *tx, uint32_t mtu)
{
	uint32_t room = (mtu + ECP_ETH_HLEN_MAX + 63) / 64 * 64;
	if (room <= tx->room)
		return 0;
	uint8_t *memory = aligned_alloc(64, (size_t)room * RELAY_BURST);
	if (!memory)
		return -ENOMEM;
	free(tx->memory);
	tx->memory = memory;
	tx->room = room;
	for (unsigned i = 0; i < RELAY_BURST; i++) {
		tx->pieces[i].iov_base = memory + (size_t)i * room;
		tx->messages[i].msg_hdr.msg_iov = &tx->pieces[i];
		tx->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

static int tx_open(struct tx *tx, const struct netif *netif, const char **why)
{
	int queue = SEND_QUEUE;
	*why = "send socket";
	int r = tx->fd = packet_socket_for(HANDOVER_TX, netif->name);
	if (r < 0)
		return r;
	r = packet_socket_bind(tx->fd, netif->index, 0);
	if (r < 0)
		goto fail;
	setsockopt(tx->fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
	r = tx_fit(tx, netif->mtu);
	if (r == 0)
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
	int r = tx_open(&ap->tx, &relay->netif, why);
	if (r < 0)
		return r;
	snprintf(relay->sends_by, sizeof(relay->sends_by), "sendmmsg");
	if (send == RELAY_SEND_SOCKET)
		return 0;
	r = afxdp_send_open(&ap->xdp, &relay->netif, why);
	if (r == 0)
		snprintf(relay->sends_by, sizeof(relay->sends_by), "AF_XDP");
	else if (send == RELAY_SEND_XDP)
		tx_close(&ap->tx);
	else
		say_fallback(relay, *why, -r);
	return send == RELAY_SEND_XDP ? r : 0;
}

/* From now on tx sends. */
static void send_without_xdp(struct relay *relay, struct afpacket *ap, const char *why)
{
	if (ap->xdp)
		afxdp_send_close(ap->xdp);
	ap->xdp = NULL;
	snprintf(relay->sends_by, sizeof(relay->sends_by), "sendmmsg (%s)", why);
	log_info("%s sends by %s from now on", relay->netif.name, relay->sends_by);
}

static void send_close(struct afpacket *ap)
{
	if (ap->xdp)
		afxdp_send_close(ap->xdp);
	tx_close(&ap->tx);
}

/* ---- receive ---- */

static int afpacket_rx_peek(struct relay *relay, struct relay_frame *frames, unsigned max)
{
	return packet_ring_peek(&((struct afpacket *)relay->priv)->rx, &relay->netif,
				relay->silent, frames, max);
}

static void afpacket_rx_release(struct relay *relay)
{
	packet_ring_release(&((struct afpacket *)relay->priv)->rx);
}

/* ---- both ---- */

static int afpacket_follow(struct relay *relay, const struct netif *now)
{
	struct afpacket *ap = relay->priv;
	bool other = now->index != relay->netif.index;
	if (ap->xdp && other && !afxdp_send_is_bound(ap->xdp))
		send_without_xdp(relay, ap, "the interface was made again");
	else if (ap->xdp && !afxdp_send_fits(ap->xdp, now->mtu))
		send_without_xdp(relay, ap, "the MTU has grown");
	int r = tx_fit(&ap->tx, now->mtu);
	if (r == 0 && other)
		r = packet_socket_bind(ap->tx.fd, now->index, 0);
	return r < 0 ? r : packet_ring_follow(&ap->rx, &relay->netif, now);
}

static void afpacket_stats_refresh(struct relay *relay)
{
	struct afpacket *ap = relay->priv;
	relay->stats.rx_kernel_drops += packet_ring_drops(&ap->rx);
}

static int open_version(struct relay *relay, int version, const struct relay_config *config,
			const char **why)
{
	struct afpacket *ap = calloc(1, sizeof(*ap));
	if (!ap)
		return -ENOMEM;
	int r = packet_ring_open(&ap->rx, version, config, &relay->netif, why);
	if (r < 0)
		goto fail_rx;
	r = send_open(relay, ap, config->send, why);
	if (r < 0)
		goto fail_tx;
	relay->priv = ap;
	relay->fd = ap->rx.fd;
	return 0;
fail_tx:
	packet_ring_close(&ap->rx);
fail_rx:
	free(ap);
	return r;
}

static int afpacket_open(struct relay *relay, const struct relay_config *config,
			 const char **why)
{
	return open_version(relay, 2, config, why);
}

static int afpacket_v3_open(struct relay *relay, const struct relay_config *config,
			    const char **why)
{
	return open_version(relay, 3, config, why);
}

static void afpacket_close(struct relay *relay)
{
	struct afpacket *ap = relay->priv;
	send_close(ap);
	packet_ring_close(&ap->rx);
	free(ap);
	relay->priv = NULL;
	relay->fd = -1;
}

/* ---- for a daemon without privileges ---- */

static int give(int fd, const char *what, const char *interface)
{
	int r = fd < 0 ? fd : handover_give(fd, what, interface);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Without AF_XDP the daemon will say why it sends by tx. */
static int afpacket_hand_over(struct relay *relay, const struct relay_config *config,
			      const char **why)
{
	*why = "send socket";
	int r = give(packet_socket(), HANDOVER_TX, config->interface);
	if (r < 0)
		return r;
	*why = "AF_XDP socket";
	int xdp = config->send == RELAY_SEND_SOCKET ? -ENOENT : afxdp_send_socket();
	r = xdp >= 0 ? give(xdp, HANDOVER_XDP, config->interface) : 0;
	if (r < 0)
		return r;
	*why = "receive socket";
	relay->fd = packet_socket();
	if (relay->fd < 0)
		return relay->fd;
	r = handover_give(relay->fd, HANDOVER_RX, config->interface);
	if (r < 0)
		close(relay->fd);
	return r;
}

#define OPS(called, opens)                                                                 \
	{                                                                                  \
		.name = (called), .syscalls = SYSCALLS_PACKET, .open = (opens),            \
		.close = afpacket_close, .rx_peek = afpacket_rx_peek,                      \
		.rx_release = afpacket_rx_release, .tx_reserve = afpacket_tx_reserve,      \
		.tx_submit = afpacket_tx_submit, .stats_refresh = afpacket_stats_refresh,  \
		.follow = afpacket_follow, .hand_over = afpacket_hand_over,                \
	}

const struct relay_ops relay_afpacket_ops = OPS("af_packet", afpacket_open);
const struct relay_ops relay_afpacket_v3_ops = OPS("af_packet_v3", afpacket_v3_open);
