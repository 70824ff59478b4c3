/*
 * raw.c - packet sockets in one process: the baselines.
 */
#include "bench/bench.h"
#include "proto/pace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int raw_socket(const char *ifname, uint16_t protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(protocol),
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(ifname);
	return fd;
}

uint64_t interface_rx_packets(const char *ifname)
{
	char line[512];
	uint64_t packets = 0;
	FILE *file = fopen("/proc/self/net/dev", "re");
	size_t len = strlen(ifname);
	while (file && fgets(line, sizeof(line), file)) {
		char *name = line + strspn(line, " ");
		if (!strncmp(name, ifname, len) && name[len] == ':')
			sscanf(name + len + 1, "%*u %lu", &packets);
	}
	if (file)
		fclose(file);
	return packets;
}

#define BATCH 64

/* Until the time at which so many should have been sent; 0: there is no rate. */
static void wait_for_rate(double begin, uint64_t sent, double per_second)
{
	if (per_second <= 0)
		return;
	double due = begin + (double)sent / per_second;
	const struct timespec at = {.tv_sec = (time_t)due,
				    .tv_nsec = (long)((due - (double)(time_t)due) * 1e9)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

uint64_t raw_send_paced(int fd, const uint8_t *frames, unsigned n_frames, unsigned len,
			double seconds, double per_second)
{
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	uint64_t sent = 0;
	unsigned at = 0;
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i].iov_len = len;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (double begin = seconds_now(); seconds_now() < begin + seconds;) {
		for (unsigned i = 0; i < BATCH; i++, at = at + 1 == n_frames ? 0 : at + 1)
			iov[i].iov_base = (void *)(uintptr_t)(frames + (size_t)at * len);
		int n = sendmmsg(fd, msgs, BATCH, 0);
		if (n < 0 && errno != ENOBUFS)
			die("sendmmsg");
		sent += n > 0 ? (unsigned)n : 0;
		wait_for_rate(begin, sent, per_second);
	}
	return sent;
}

uint64_t raw_send_for(int fd, const uint8_t *frames, unsigned n_frames, unsigned len,
		      double seconds)
{
	return raw_send_paced(fd, frames, n_frames, len, seconds, 0);
}

#define BLOCK    (256u << 10)
#define SLOT     2048u
#define SLOTS    8192u
#define BLOCKS   (SLOTS / (BLOCK / SLOT))
#define BLOCK_MS 1

struct raw_ring {
	int fd;
	bool by_block;
	uint8_t *memory;
	uint32_t at; /* slot or block */
	uint64_t drops;
	struct ecp_pace pace;
};

static void attach_filter(int fd)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	const struct sock_fprog program = {1, &all};
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		die("filter");
}

struct raw_ring *raw_ring_open(const char *ifname, unsigned how)
{
	bool by_block = how & RAW_BY_BLOCK;
	struct raw_ring *ring = calloc(1, sizeof(*ring));
	int version = by_block ? TPACKET_V3 : TPACKET_V2, one = 1;
	/* what is there of it in V2 is the same */
	struct tpacket_req3 req = {.tp_block_size = BLOCK,
				   .tp_block_nr = BLOCKS,
				   .tp_frame_size = SLOT,
				   .tp_frame_nr = SLOTS,
				   .tp_retire_blk_tov = BLOCK_MS};
	struct packet_mreq promisc = {.mr_ifindex = (int)if_nametoindex(ifname),
				      .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = promisc.mr_ifindex};
	ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring->fd < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) <
		0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) <
		0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &req,
		       by_block ? sizeof(req) : sizeof(struct tpacket_req)) < 0)
		die("packet ring");
	if (how & RAW_FILTERED)
		attach_filter(ring->fd);
	ring->memory = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, ring->fd, 0);
	if (ring->memory == MAP_FAILED ||
	    bind(ring->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc,
		       sizeof(promisc)) < 0)
		die("packet ring");
	ring->by_block = by_block;
	ring->pace.few = 8;
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	return ring;
}

static unsigned ring_burst(struct raw_ring *ring)
{
	unsigned n = 0;
	for (; n < 4 * BATCH; n++) {
		struct tpacket2_hdr *slot =
		    (void *)(ring->memory + (size_t)ring->at * SLOT);
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
		if (!(status & TP_STATUS_USER))
			break;
		volatile uint8_t first = *((uint8_t *)slot + slot->tp_mac); /* look at it */
		(void)first;
		__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring->at = (ring->at + 1) % SLOTS;
	}
	return n;
}

static unsigned ring_block(struct raw_ring *ring)
{
	struct tpacket_block_desc *block =
	    (void *)(ring->memory + (size_t)ring->at * BLOCK);
	struct tpacket_hdr_v1 *head = &block->hdr.bh1;
	if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return 0;
	unsigned n = head->num_pkts;
	const uint8_t *at = (uint8_t *)block + head->offset_to_first_pkt;
	for (unsigned i = 0; i < n; i++) {
		const struct tpacket3_hdr *frame = (const void *)at;
		volatile uint8_t first = at[frame->tp_mac];
		(void)first;
		at += frame->tp_next_offset;
	}
	__atomic_store_n(&head->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	ring->at = (ring->at + 1) % BLOCKS;
	return n;
}

/* The kernel gathers blocks by itself: nobody need sleep for them. */
static unsigned take_block(struct raw_ring *ring, double deadline)
{
	for (;;) {
		unsigned n = ring_block(ring);
		if (n)
			return n;
		int left = (int)((deadline - seconds_now()) * 1000) + 1;
		struct pollfd p = {.fd = ring->fd, .events = POLLIN};
		if (seconds_now() >= deadline || poll(&p, 1, left) <= 0)
			return 0;
	}
}

unsigned raw_ring_take(struct raw_ring *ring, double deadline)
{
	if (ring->by_block)
		return take_block(ring, deadline);
	for (;;) {
		unsigned n = ring_burst(ring);
		int wait =
		    ecp_pace_after(&ring->pace, n, 0, (int64_t)(seconds_now() * 1e9));
		if (wait > 0) {
			const struct timespec nap = {.tv_nsec = wait * 1000};
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		}
		if (n)
			return n;
		if (wait != ECP_PACE_BLOCK)
			continue;
		int left = (int)((deadline - seconds_now()) * 1000) + 1;
		struct pollfd p = {.fd = ring->fd, .events = POLLIN};
		if (seconds_now() >= deadline || poll(&p, 1, left) <= 0)
			return 0;
	}
}

uint64_t raw_ring_drops(struct raw_ring *ring)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);
	getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	ring->drops += stats.tp_drops;
	return ring->drops;
}

void raw_ring_close(struct raw_ring *ring)
{
	munmap(ring->memory, (size_t)SLOT * SLOTS);
	close(ring->fd);
	free(ring);
}
