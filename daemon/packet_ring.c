/*
 * packet_ring.c - TPACKET_V2 and TPACKET_V3.
 *
 * The formats: Documentation/networking/packet_mmap.rst, packet(7).
 */
#include "daemon/packet_ring.h"

#include "daemon/handover.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_SIZE    (256u << 10) /* what the kernel allocates at a time */
#define RING_MAX      (64u << 20)
#define SLOTS_USUAL   8192
#define SLOT_HEADROOM 96 /* tpacket2_hdr, sockaddr_ll, the alignment between and behind */
#define FRAME_LIMIT   (BLOCK_SIZE - SLOT_HEADROOM)
/* Version 3: a block is handed over as it is after so long, however few frames it holds ... */
#define BLOCK_MS   1
#define BLOCKS_MIN 64 /* ... so that few blocks do not reach far */

/* ---- frames: what both versions say of one, in structures of their own ---- */

static struct relay_frame frame_of(const uint8_t *data, uint32_t len, uint32_t snaplen,
				   uint32_t status, uint64_t time_ns)
{
	bool partial = status & TP_STATUS_CSUMNOTREADY;
	return (struct relay_frame){
	    .data = data,
	    .len = snaplen,
	    .flags = (partial ? RELAY_FRAME_CSUM_PARTIAL : 0) |
		     (len > snaplen ? RELAY_FRAME_TRUNCATED : 0),
	    .time_ns = time_ns,
	};
}

static struct ecp_tag tag_of(uint32_t status, uint16_t tpid, uint16_t tci)
{
	if (!(status & TP_STATUS_VLAN_VALID))
		return (struct ecp_tag){0};
	bool named = status & TP_STATUS_VLAN_TPID_VALID;
	return (struct ecp_tag){
	    .present = true, .tpid = named ? tpid : ECP_TPID_8021Q, .tci = tci};
}

/* ---- version 2 ---- */

static struct tpacket2_hdr *slot_at(const struct packet_ring *ring, uint32_t i)
{
	return (struct tpacket2_hdr *)(void *)(ring->memory + (size_t)i * ring->slot_size);
}

static uint32_t slot_after(const struct packet_ring *ring, uint32_t i)
{
	return i + 1 == ring->n_slots ? 0 : i + 1;
}

static unsigned peek_slots(struct packet_ring *ring, struct relay_frame *frames,
			   unsigned max)
{
	uint32_t at = ring->at;
	unsigned n = 0;
	while (n < max) {
		const struct tpacket2_hdr *slot = slot_at(ring, at);
		at = slot_after(ring, at);
		__builtin_prefetch(slot_at(ring, at));
		/* acquire: the kernel wrote the frame before it gave us the slot */
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
		if (!(status & TP_STATUS_USER))
			break;
		frames[n] = frame_of((const uint8_t *)slot + slot->tp_mac, slot->tp_len,
				     slot->tp_snaplen, status,
				     slot->tp_sec * UINT64_C(1000000000) + slot->tp_nsec);
		frames[n++].tag = tag_of(status, slot->tp_vlan_tpid, slot->tp_vlan_tci);
	}
	ring->lent = n;
	return n;
}

static void release_slots(struct packet_ring *ring)
{
	for (; ring->lent > 0; ring->lent--) {
		/* release: the kernel overwrites the slot once it sees this */
		__atomic_store_n(&slot_at(ring, ring->at)->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
		ring->at = slot_after(ring, ring->at);
	}
}

/* ---- version 3 ---- */

static struct tpacket_hdr_v1 *block_at(const struct packet_ring *ring, uint32_t i)
{
	uint8_t *block = ring->memory + (size_t)i * BLOCK_SIZE;
	return &((struct tpacket_block_desc *)(void *)block)->hdr.bh1;
}

static void give_block_back(struct packet_ring *ring)
{
	__atomic_store_n(&block_at(ring, ring->at)->block_status, TP_STATUS_KERNEL,
			 __ATOMIC_RELEASE);
	ring->at = (ring->at + 1) % (uint32_t)(ring->size / BLOCK_SIZE);
}

/* Is there a block to read?  Then next and left are set.  One may come with nothing in it. */
static bool enter_block(struct packet_ring *ring)
{
	for (;; give_block_back(ring)) {
		const struct tpacket_hdr_v1 *head = block_at(ring, ring->at);
		if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) &
		      TP_STATUS_USER))
			return false;
		ring->left = head->num_pkts;
		ring->next = ring->memory + (size_t)ring->at * BLOCK_SIZE +
			     head->offset_to_first_pkt;
		if (ring->left)
			return true;
	}
}

static unsigned peek_block(struct packet_ring *ring, struct relay_frame *frames,
			   unsigned max)
{
	unsigned n = 0;
	if (!ring->left && !enter_block(ring))
		return 0;
	for (; n < max && ring->left > 0; ring->left--) {
		const struct tpacket3_hdr *head =
		    (const struct tpacket3_hdr *)(const void *)ring->next;
		const uint8_t *frame = ring->next + head->tp_mac;
		frames[n] = frame_of(frame, head->tp_len, head->tp_snaplen, head->tp_status,
				     head->tp_sec * UINT64_C(1000000000) + head->tp_nsec);
		frames[n++].tag = tag_of(head->tp_status, head->hv1.tp_vlan_tpid,
					 (uint16_t)head->hv1.tp_vlan_tci);
		ring->next += head->tp_next_offset;
		__builtin_prefetch(ring->next);
		__builtin_prefetch(ring->next + 64);
	}
	ring->at_end = ring->left == 0;
	return n;
}

static void release_block(struct packet_ring *ring)
{
	if (!ring->at_end)
		return;
	ring->at_end = false;
	give_block_back(ring);
}

/* ---- both ---- */

/*
 * The ring is empty: is something wrong?  Reading SO_ERROR also ends the POLLERR that
 * would otherwise keep the descriptor ready for ever.  A link that comes back is not
 * announced here, so while it is down we ask.
 */
static int trouble(struct packet_ring *ring, const struct netif *netif)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(ring->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	if (error && error != ENETDOWN)
		return -error;
	ring->down |= error == ENETDOWN;
	if (!ring->down)
		return 0;
	int r = netif_state(netif);
	ring->down = r < 0;
	return r;
}

int packet_ring_peek(struct packet_ring *ring, const struct netif *netif, bool silent,
		     struct relay_frame *frames, unsigned max)
{
	unsigned n = !ring->memory        ? 0 /* it could not be made larger */
		     : ring->version == 2 ? peek_slots(ring, frames, max)
					  : peek_block(ring, frames, max);
	if (n == 0)
		return silent && !ring->down ? 0 : trouble(ring, netif);
	ring->down = false;
	ring->taken += n;
	return (int)n;
}

void packet_ring_release(struct packet_ring *ring)
{
	if (ring->version == 2)
		release_slots(ring);
	else
		release_block(ring);
}

/* ---- cold ---- */

/* Protocol 0: not a frame arrives before bind() has named the interface. */
int packet_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd < 0 ? -errno : fd;
}

int packet_socket_for(const char *what, const char *interface)
{
	int fd = handover_take(what, interface);
	return fd == -ENOENT ? packet_socket() : fd;
}

int packet_socket_bind(int fd, int ifindex, uint16_t protocol)
{
	struct sockaddr_ll address = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(protocol),
	    .sll_ifindex = ifindex,
	};
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int set_option(int fd, int option, const void *value, socklen_t len)
{
	return setsockopt(fd, SOL_PACKET, option, value, len) < 0 ? -errno : 0;
}

/* Without promiscuity, all multicast: endpoints join groups without telling us. */
int packet_socket_join(int fd, int ifindex, bool promiscuous)
{
	struct packet_mreq mreq = {
	    .mr_ifindex = ifindex,
	    .mr_type = promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI,
	};
	return set_option(fd, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq));
}

/*
 * Slots are powers of two, so that blocks hold them without a rest and frames lie in line.
 */
static void plan(struct packet_ring *ring, uint32_t mtu)
{
	uint32_t frame = ring->frame_size ? ring->frame_size : mtu + ECP_ETH_HLEN_MAX;
	if (frame > FRAME_LIMIT)
		frame = FRAME_LIMIT;
	ring->slot_size = RELAY_FRAME_DEFAULT;
	while (ring->slot_size < frame + SLOT_HEADROOM)
		ring->slot_size *= 2;
	uint32_t per_block = BLOCK_SIZE / ring->slot_size;
	uint32_t wanted = ring->ring_frames ? ring->ring_frames : SLOTS_USUAL;
	uint32_t most = RING_MAX / ring->slot_size;
	if (wanted > most)
		wanted = most;
	if (ring->version == 3 && wanted < BLOCKS_MIN * per_block)
		wanted = BLOCKS_MIN * per_block;
	ring->n_slots = (wanted + per_block - 1) / per_block * per_block;
	ring->size = (size_t)ring->n_slots * ring->slot_size;
}

/* Of the size that is planned; 0: none.  The version is set. */
static int set_ring(struct packet_ring *ring)
{
	/* version 2 knows the beginning of this, and no more of it is handed over */
	struct tpacket_req3 req = {
	    .tp_block_size = BLOCK_SIZE,
	    .tp_block_nr = (unsigned)(ring->size / BLOCK_SIZE),
	    .tp_frame_size = ring->slot_size,
	    .tp_frame_nr = ring->n_slots,
	    .tp_retire_blk_tov = BLOCK_MS,
	};
	int r = set_option(ring->fd, PACKET_RX_RING, &req,
			   ring->version == 2 ? sizeof(struct tpacket_req) : sizeof(req));
	if (r < 0 || !ring->size)
		return r;
	void *memory = mmap(NULL, ring->size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, ring->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ring->memory = memory;
	return 0;
}

static int make_ring(struct packet_ring *ring, const char **why)
{
	int version = ring->version == 2 ? TPACKET_V2 : TPACKET_V3;
	*why = "receive ring";
	int r = set_option(ring->fd, PACKET_VERSION, &version, sizeof(version));
	return r < 0 ? r : set_ring(ring);
}

void packet_ring_close(struct packet_ring *ring)
{
	if (ring->memory)
		munmap(ring->memory, ring->size);
	if (ring->fd >= 0)
		close(ring->fd);
}

int packet_ring_open(struct packet_ring *ring, int version,
		     const struct relay_config *config, const struct netif *netif,
		     const char **why)
{
	int yes = 1;
	*ring = (struct packet_ring){
	    .version = version,
	    .down = !netif->up,
	    .promiscuous = config->promiscuous,
	    .frame_size = config->frame_size,
	    .ring_frames = config->ring_frames,
	};
	plan(ring, netif->mtu);
	int r = ring->fd = packet_socket_for(HANDOVER_RX, netif->name);
	if (r < 0)
		return r;
	r = make_ring(ring, why);
	if (r < 0)
		goto fail;
	*why = "receive socket";
	r = set_option(ring->fd, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	if (r < 0)
		goto fail;
	/* ETH_P_8021Q receives nothing: the kernel takes the tag out first. */
	r = packet_socket_bind(ring->fd, netif->index, ETH_P_ALL);
	if (r < 0)
		goto fail;
	r = packet_socket_join(ring->fd, netif->index, ring->promiscuous);
	if (r == 0)
		return 0;
fail:
	packet_ring_close(ring);
	return r;
}

/* Reading sets the kernel's to zero; version 3 has one more, of no interest here. */
static void read_statistics(struct packet_ring *ring)
{
	struct tpacket_stats_v3 since;
	socklen_t len = sizeof(since);
	if (getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &since, &len) < 0)
		return;
	ring->drops += since.tp_drops;
	ring->arrived += since.tp_packets - since.tp_drops;
}

/* What lies there unread is lost.  Nothing may arrive meanwhile. */
static int drop_ring(struct packet_ring *ring)
{
	read_statistics(ring);
	ring->drops += ring->arrived - ring->taken;
	ring->taken = ring->arrived;
	if (ring->memory)
		munmap(ring->memory, ring->size);
	ring->memory = NULL;
	ring->size = ring->slot_size = ring->n_slots = 0;
	ring->at = ring->lent = ring->left = 0;
	ring->at_end = false;
	return set_ring(ring);
}

/* Slots for frames of now's MTU.  The socket is left deaf where the ring is made anew. */
static int refit(struct packet_ring *ring, const struct netif *now)
{
	struct packet_ring planned = *ring;
	plan(&planned, now->mtu);
	if (ring->memory && planned.slot_size <= ring->slot_size)
		return 0;
	int r = packet_socket_bind(ring->fd, now->index, 0);
	if (r == 0)
		r = drop_ring(ring);
	if (r < 0)
		return r;
	ring->slot_size = planned.slot_size;
	ring->n_slots = planned.n_slots;
	ring->size = planned.size;
	return set_ring(ring);
}

int packet_ring_follow(struct packet_ring *ring, const struct netif *was,
		       const struct netif *now)
{
	int r = refit(ring, now);
	if (r == 0)
		r = packet_socket_bind(ring->fd, now->index, ETH_P_ALL);
	if (r < 0 || now->index == was->index)
		return r;
	return packet_socket_join(ring->fd, now->index, ring->promiscuous);
}

uint64_t packet_ring_drops(struct packet_ring *ring)
{
	read_statistics(ring);
	uint64_t n = ring->drops;
	ring->drops = 0;
	return n;
}
