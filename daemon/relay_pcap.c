/*
 * relay_pcap.c - the portable back-end: libpcap to receive and to send.
 *
 * Runs wherever libpcap does, and pays for it:
 *   - a captured packet may only be looked at inside the callback: a burst is copied once;
 *   - one system call for each frame sent: libpcap has no batch;
 *   - the kernel's word on unfinished checksums is not passed on: every frame is "unknown";
 *   - at least a millisecond of latency.  "Immediate mode" would take that away, and
 *     with it one frame in three at full rate: libpcap then wakes us for each frame.  The
 *     time-out of 1 ms lets it use the kernel's block ring (TPACKET_V3), which carries
 *     twice as much.  Who wants both takes af_packet.
 *
 * The VLAN tag stands where it stood on the wire: libpcap puts it back.  The one file that
 * knows pcap.h.
 */
#include "daemon/log.h"
#include "daemon/packet_ring.h"
#include "daemon/syscalls.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS  1
#define RING_FRAMES 8192
#define RING_MAX    (64u << 20) /* bytes */
#define RING_MIN    (4u << 20)  /* libpcap cuts it into blocks of 256 KiB or more */

struct pcap_relay {
	pcap_t *pcap;
	uint8_t *rx_copies, *tx_buffers; /* RELAY_BURST each */
	uint32_t rx_room, tx_room;       /* bytes of one of them */
	uint32_t drops_seen;             /* libpcap's counter at the last refresh */
	bool down;                       /* as the kernel last said */
	bool promiscuous;
};

/* ---- receive ---- */

/* What one pcap_dispatch() fills. */
struct burst {
	const struct pcap_relay *pr;
	struct relay_frame *frames;
	unsigned n;
};

static void take_packet(u_char *user, const struct pcap_pkthdr *head, const u_char *bytes)
{
	struct burst *burst = (struct burst *)(void *)user;
	uint8_t *copy = burst->pr->rx_copies + (size_t)burst->n * burst->pr->rx_room;
	uint32_t len =
	    head->caplen < burst->pr->rx_room ? head->caplen : burst->pr->rx_room;
	memcpy(copy, bytes, len);
	burst->frames[burst->n++] = (struct relay_frame){
	    .data = copy,
	    .len = len,
	    .flags =
		RELAY_FRAME_CSUM_UNKNOWN | (len < head->len ? RELAY_FRAME_TRUNCATED : 0),
	    /* tv_usec holds nanoseconds: set_options() asked for them */
	    .time_ns = (uint64_t)head->ts.tv_sec * UINT64_C(1000000000) +
		       (uint64_t)head->ts.tv_usec,
	};
}

/* libpcap reads the socket's error and keeps it to itself, so look before it does. */
static void notice_trouble(const struct relay *relay, struct pcap_relay *pr)
{
	struct pollfd fd = {.fd = relay->fd, .events = POLLIN};
	if (poll(&fd, 1, 0) > 0 && fd.revents & POLLERR)
		pr->down = true;
}

static int pcap_relay_rx_peek(struct relay *relay, struct relay_frame *frames, unsigned max)
{
	struct pcap_relay *pr = relay->priv;
	struct burst burst = {.pr = pr, .frames = frames};
	notice_trouble(relay, pr);
	int r = pcap_dispatch(pr->pcap, (int)max, take_packet, (u_char *)&burst);
	if (burst.n > 0) {
		pr->down = false;
		return (int)burst.n;
	}
	if (r >= 0 && !pr->down)
		return 0;
	int state = netif_state(&relay->netif);
	pr->down = state < 0;
	return state == 0 && r < 0 ? -EIO : state;
}

static void pcap_relay_rx_release(struct relay *relay)
{
	(void)relay; /* the copies are ours */
}

/* ---- send ---- */

static unsigned pcap_relay_tx_reserve(struct relay *relay, struct relay_buffer *buffers,
				      unsigned max)
{
	const struct pcap_relay *pr = relay->priv;
	for (unsigned i = 0; i < max; i++) {
		buffers[i].data = pr->tx_buffers + (size_t)i * pr->tx_room;
		buffers[i].room = pr->tx_room;
	}
	return max;
}

/* 0 or a positive errno.  Not every system that libpcap runs on refuses what is too long. */
static int send_one(struct relay *relay, const struct relay_buffer *frame, unsigned *waits)
{
	const struct pcap_relay *pr = relay->priv;
	int error = relay_frame_error(relay, frame);
	if (error)
		return error;
	for (;;) {
		if (pcap_sendpacket(pr->pcap, frame->data, (int)frame->len) == 0)
			return 0;
		error = errno; /* send()'s; libpcap only adds words to it */
		if (!relay_tx_wait(relay->fd, error, waits))
			return error;
	}
}

static void pcap_relay_tx_submit(struct relay *relay, const struct relay_buffer *buffers,
				 unsigned n)
{
	unsigned waits = 0;
	for (unsigned i = 0; i < n; i++) {
		int error = send_one(relay, &buffers[i], &waits);
		if (error)
			relay_count_unsent(relay, error, 1);
		else
			relay_count_sent(relay, &buffers[i], 1);
	}
}

/* ---- cold ---- */

static void pcap_relay_stats_refresh(struct relay *relay)
{
	struct pcap_relay *pr = relay->priv;
	struct pcap_stat now;
	if (pcap_stats(pr->pcap, &now) < 0)
		return;
	relay->stats.rx_kernel_drops += (uint32_t)(now.ps_drop - pr->drops_seen);
	pr->drops_seen = now.ps_drop;
}

/* libpcap looks for its interface by name; its socket must be told. */
static int pcap_relay_follow(struct relay *relay, const struct netif *now)
{
	struct pcap_relay *pr = relay->priv;
	uint32_t fits = now->mtu + ECP_ETH_HLEN_MAX;
	if (fits > pr->tx_room) {
		uint8_t *buffers = realloc(pr->tx_buffers, (size_t)fits * RELAY_BURST);
		if (!buffers)
			return -ENOMEM;
		pr->tx_buffers = buffers;
		pr->tx_room = fits;
	}
	if (fits > pr->rx_room && now->mtu > relay->netif.mtu)
		log_warning(
		    "%s: of frames libpcap keeps %u bytes until a restart; longer ones "
		    "are counted as rx_oversize",
		    now->name, pr->rx_room);
	if (now->index == relay->netif.index)
		return 0;
	int r = packet_socket_bind(relay->fd, now->index, ETH_P_ALL);
	return r < 0 ? r : packet_socket_join(relay->fd, now->index, pr->promiscuous);
}

/* What a failed pcap_activate() means. */
static int activate_errno(int status, const char **why)
{
	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return -EPERM;
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return -ENODEV;
	case PCAP_ERROR_IFACE_NOT_UP:
		return -ENETDOWN;
	default:
		*why = pcap_statustostr(status);
		return -EIO;
	}
}

static void set_options(pcap_t *pcap, const struct relay_config *config, uint32_t room)
{
	uint64_t frames = config->ring_frames ? config->ring_frames : RING_FRAMES;
	uint64_t ring = frames * room;
	if (ring < RING_MIN)
		ring = RING_MIN;
	pcap_set_snaplen(pcap, (int)room);
	pcap_set_promisc(pcap, config->promiscuous);
	pcap_set_timeout(pcap, TIMEOUT_MS);
	pcap_set_buffer_size(pcap, (int)(ring < RING_MAX ? ring : RING_MAX));
	pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
}

static int check_opened(pcap_t *pcap, const char **why)
{
	char error[PCAP_ERRBUF_SIZE];
	*why = "libpcap sees no plain Ethernet there";
	if (pcap_datalink(pcap) != DLT_EN10MB)
		return -EINVAL;
	*why = "libpcap cannot tell received frames from our own there";
	if (pcap_setdirection(pcap, PCAP_D_IN) < 0)
		return -EOPNOTSUPP;
	*why = "libpcap cannot be waited for there";
	if (pcap_setnonblock(pcap, 1, error) < 0 || pcap_get_selectable_fd(pcap) < 0)
		return -EOPNOTSUPP;
	return 0;
}

static int open_pcap(const struct relay_config *config, uint32_t room, pcap_t **ret,
		     const char **why)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(config->interface, error);
	if (!pcap)
		return -ENOMEM;
	set_options(pcap, config, room);
	int status = pcap_activate(pcap); /* > 0 is a warning */
	int r = status < 0 ? activate_errno(status, why) : check_opened(pcap, why);
	if (r < 0) {
		pcap_close(pcap);
		return r;
	}
	*ret = pcap;
	return 0;
}

static void free_relay(struct pcap_relay *pr)
{
	if (pr->pcap)
		pcap_close(pr->pcap);
	free(pr->tx_buffers);
	free(pr->rx_copies);
	free(pr);
}

static int pcap_relay_open(struct relay *relay, const struct relay_config *config,
			   const char **why)
{
	*why = "libpcap sends in its own way only";
	if (config->send == RELAY_SEND_XDP)
		return -EOPNOTSUPP;
	struct pcap_relay *pr = calloc(1, sizeof(*pr));
	if (!pr)
		return -ENOMEM;
	uint32_t fits = relay->netif.mtu + ECP_ETH_HLEN_MAX;
	pr->rx_room = config->frame_size ? config->frame_size : fits;
	pr->tx_room = fits;
	pr->down = !relay->netif.up;
	pr->promiscuous = config->promiscuous;
	pr->rx_copies = malloc((size_t)pr->rx_room * RELAY_BURST);
	pr->tx_buffers = malloc((size_t)pr->tx_room * RELAY_BURST);
	int r = -ENOMEM;
	if (!pr->rx_copies || !pr->tx_buffers)
		goto fail;
	r = open_pcap(config, pr->rx_room, &pr->pcap, why);
	if (r < 0)
		goto fail;
	relay->priv = pr;
	relay->fd = pcap_get_selectable_fd(pr->pcap);
	return 0;
fail:
	free_relay(pr);
	return r;
}

static void pcap_relay_close(struct relay *relay)
{
	free_relay(relay->priv);
	relay->priv = NULL;
	relay->fd = -1;
}

const struct relay_ops relay_pcap_ops = {
    .name = "pcap",
    .syscalls = SYSCALLS_PCAP,
    .open = pcap_relay_open,
    .close = pcap_relay_close,
    .rx_peek = pcap_relay_rx_peek,
    .rx_release = pcap_relay_rx_release,
    .tx_reserve = pcap_relay_tx_reserve,
    .tx_submit = pcap_relay_tx_submit,
    .stats_refresh = pcap_relay_stats_refresh,
    .follow = pcap_relay_follow,
};
