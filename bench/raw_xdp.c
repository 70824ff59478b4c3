/*
 * raw_xdp.c - the baseline for sending by AF_XDP: the least that does it, 64 frames a call.
 *
 * Written from the kernel's documentation and not from the daemon's code, which it measures.
 */
#include "bench/bench.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING  2048u
#define SLOT  2048u
#define SLOTS 128u /* two batches, used in turn */
#define BATCH 64u

struct raw_xdp {
	int fd;
	uint8_t *slots, *tx, *cr;
	size_t tx_size, cr_size;
	struct xdp_desc *sends;
	uint32_t *send_producer, *send_consumer;
	uint32_t *done_producer, *done_consumer;
	uint32_t sent;
};

static void option(int fd, int name, uint32_t value)
{
	if (setsockopt(fd, SOL_XDP, name, &value, sizeof(value)) < 0)
		die("AF_XDP ring");
}

static uint8_t *map(int fd, size_t size, off_t what)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_POPULATE, fd, what);
	if (at == MAP_FAILED)
		die("AF_XDP memory");
	return at;
}

static void map_rings(struct raw_xdp *x)
{
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len) < 0)
		die("AF_XDP offsets");
	x->tx_size = off.tx.desc + RING * sizeof(struct xdp_desc);
	x->cr_size = off.cr.desc + RING * sizeof(uint64_t);
	x->tx = map(x->fd, x->tx_size, XDP_PGOFF_TX_RING);
	x->cr = map(x->fd, x->cr_size, (off_t)XDP_UMEM_PGOFF_COMPLETION_RING);
	x->sends = (void *)(x->tx + off.tx.desc);
	x->send_producer = (void *)(x->tx + off.tx.producer);
	x->send_consumer = (void *)(x->tx + off.tx.consumer);
	x->done_producer = (void *)(x->cr + off.cr.producer);
	x->done_consumer = (void *)(x->cr + off.cr.consumer);
}

bool raw_xdp_possible(void)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

struct raw_xdp *raw_xdp_open(const char *ifname)
{
	struct raw_xdp *x = calloc(1, sizeof(*x));
	struct sockaddr_xdp to = {.sxdp_family = AF_XDP,
				  .sxdp_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
				  .sxdp_ifindex = if_nametoindex(ifname)};
	const uint32_t budget = BATCH;
	x->slots = map(-1, (size_t)SLOTS * SLOT, 0);
	struct xdp_umem_reg memory = {
	    .addr = (uintptr_t)x->slots, .len = (uint64_t)SLOTS * SLOT, .chunk_size = SLOT};
	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0 ||
	    setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) < 0)
		die("AF_XDP socket");
	option(x->fd, XDP_UMEM_FILL_RING, RING);
	option(x->fd, XDP_UMEM_COMPLETION_RING, RING);
	option(x->fd, XDP_TX_RING, RING);
	map_rings(x);
	if (bind(x->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("AF_XDP bind");
	setsockopt(x->fd, SOL_XDP, 9 /* XDP_MAX_TX_SKB_BUDGET, Linux 6.17 */, &budget,
		   sizeof(budget));
	return x;
}

/* All that were sent before come back before one is used again. */
static void take_back(struct raw_xdp *x)
{
	uint32_t done;
	do
		done = __atomic_load_n(x->done_producer, __ATOMIC_ACQUIRE);
	while (x->sent - done > SLOTS - BATCH);
	__atomic_store_n(x->done_consumer, done, __ATOMIC_RELEASE);
}

uint64_t raw_xdp_send_for(struct raw_xdp *x, const uint8_t *frames, unsigned n_frames,
			  unsigned len, double seconds)
{
	unsigned at = 0;
	uint32_t first = x->sent;
	for (double end = seconds_now() + seconds; seconds_now() < end;) {
		take_back(x);
		for (unsigned i = 0; i < BATCH; i++, x->sent++) {
			uint64_t addr = (uint64_t)(x->sent % SLOTS) * SLOT;
			memcpy(x->slots + addr, frames + (size_t)at * len, len);
			x->sends[x->sent % RING] =
			    (struct xdp_desc){.addr = addr, .len = len};
			at = at + 1 == n_frames ? 0 : at + 1;
		}
		__atomic_store_n(x->send_producer, x->sent, __ATOMIC_RELEASE);
		while (__atomic_load_n(x->send_consumer, __ATOMIC_ACQUIRE) != x->sent)
			if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
			    errno != EAGAIN && errno != EBUSY)
				die("AF_XDP send");
	}
	return x->sent - first;
}

/* The rings too: the interface's queue is not free before they are unmapped. */
void raw_xdp_close(struct raw_xdp *x)
{
	munmap(x->tx, x->tx_size);
	munmap(x->cr, x->cr_size);
	close(x->fd);
	munmap(x->slots, (size_t)SLOTS * SLOT);
	free(x);
}
