/*
 * ring.c - mapping a capture's ring, and reading it.
 */
#include "ctl/ring.h"

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

static void *map(int fd, size_t size, int prot)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static enum ctl_exit ring_map(struct ring *ring, uint32_t size, const int *fds)
{
	if (!ecp_ring_size_ok(size))
		return ctl_complain(CTL_FAILED, "the daemon gave an impossible ring");
	ring->d_size = ECP_CHANNEL_PAGE + (size_t)size;
	ring->d = map(fds[ECP_FD_D], ring->d_size, PROT_READ);
	ring->c = map(fds[ECP_FD_C], ECP_CHANNEL_PAGE, PROT_READ | PROT_WRITE);
	if (!ring->d || !ring->c)
		return ctl_complain(CTL_FAILED, "cannot map the ring");
	if (ring->d->magic != ECP_CHANNEL_MAGIC || ring->d->abi != ECP_CHANNEL_ABI)
		return ctl_complain(CTL_FAILED, "the daemon's ring is of another version");
	ring->in = (struct ecp_in){.data = (const uint8_t *)ring->d + ECP_CHANNEL_PAGE,
				   .size = size};
	return CTL_OK;
}

enum ctl_exit ring_open(struct ctl *ctl, struct ring *ring)
{
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n = ECP_N_CHANNEL_FDS;
	*ring = (struct ring){.bell = -1};
	enum ctl_exit code = ctl_ask_fds(ctl, ECP_REP_CAPTURING, fds, &n);
	if (code == CTL_OK && n != ECP_N_CHANNEL_FDS)
		code = ctl_complain(CTL_FAILED, "the daemon gave no ring");
	if (code == CTL_OK)
		code = ring_map(ring, ctl->reply.capturing.ring, fds);
	for (unsigned i = 0; i < n; i++) {
		if (code == CTL_OK && i == ECP_FD_BELL_RX)
			ring->bell = fds[i];
		else
			close(fds[i]);
	}
	if (code != CTL_OK)
		ring_close(ring);
	return code;
}

void ring_close(struct ring *ring)
{
	if (ring->bell >= 0)
		close(ring->bell);
	if (ring->c)
		munmap(ring->c, ECP_CHANNEL_PAGE);
	if (ring->d)
		munmap((void *)(uintptr_t)ring->d, ring->d_size);
}

bool ring_look(struct ring *ring)
{
	return ecp_in_refresh(&ring->in, &ring->d->rx_prod) == 0;
}

bool ring_next(struct ring *ring, struct ring_record *record, bool *broken)
{
	int error = 0;
	struct ecp_record *head = &record->head;
	const uint8_t *at = ecp_in_peek(&ring->in, head, &error);
	*broken = error < 0;
	if (!at)
		return false;
	if (head->type != ECP_RECORD_CAPTURE || head->aux_len < sizeof(record->aux)) {
		*broken = true;
		return false;
	}
	memcpy(&record->aux, at + sizeof(*head), sizeof(record->aux));
	record->frame = at + sizeof(*head) + head->aux_len;
	record->len = head->len - (uint32_t)sizeof(*head) - head->aux_len;
	ecp_in_consume(&ring->in, head);
	return true;
}

void ring_release(struct ring *ring)
{
	ecp_in_release(&ring->in, &ring->c->rx_cons, NULL);
}

static void drain_bell(const struct ring *ring)
{
	char bytes[256];
	while (read(ring->bell, bytes, sizeof(bytes)) == sizeof(bytes))
		;
}

enum ring_news ring_wait(struct ring *ring, int control, int signals)
{
	struct pollfd fds[] = {{.fd = ring->bell, .events = POLLIN},
			       {.fd = control, .events = POLLIN},
			       {.fd = signals, .events = POLLIN}};
	drain_bell(ring);
	/* looked at even if there is more: on a busy interface there always is */
	bool more = ecp_in_arm(&ring->in, &ring->c->rx_wake_at, &ring->d->rx_prod);
	if (poll(fds, 3, more ? 0 : -1) < 0 && errno != EINTR)
		return RING_GONE;
	if (fds[2].revents)
		return RING_SIGNAL;
	return fds[1].revents ? RING_GONE : RING_NEWS;
}

uint64_t ring_missed(const struct ring *ring)
{
	return atomic_load_explicit(&ring->d->capture_missed, memory_order_relaxed);
}
