/*
 * relay_memory.c - two arrays of frames instead of an interface.
 */
#include "tests/relay_memory.h"

#include "tests/frames.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SLOT            2048
#define PCAP_SNAPLEN    65535
#define PCAP_DLT_EN10MB 1

struct memory {
	struct relay_frame *queue; /* pushed and not yet received */
	uint32_t n_queue, lent, queue_room;
	const struct relay_frame *loop;
	uint32_t n_loop, loop_at;
	uint64_t loop_left;
	uint8_t *tx; /* RELAY_BURST slots */
	uint8_t *kept;
	uint32_t kept_len[RELAY_MEMORY_KEPT];
	uint64_t n_sent;
	bool down, reflect;
	FILE *pcap;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- pcap: a header per file, a header per frame; see pcap-savefile(5) ---- */

static void record(struct memory *m, const struct ecp_tag *tag, const uint8_t *data,
		   uint32_t len)
{
	if (!m->pcap)
		return;
	uint64_t t = now_ns();
	uint32_t whole = len + (tag && tag->present ? ECP_TAG_LEN : 0);
	uint32_t head[] = {(uint32_t)(t / 1000000000), (uint32_t)(t % 1000000000), whole,
			   whole};
	fwrite(head, sizeof(head), 1, m->pcap);
	if (whole == len) {
		fwrite(data, len, 1, m->pcap);
		return;
	}
	const uint8_t wire[] = {tag->tpid >> 8, tag->tpid & 0xff, tag->tci >> 8,
				tag->tci & 0xff};
	fwrite(data, 2 * ECP_MAC_LEN, 1, m->pcap);
	fwrite(wire, sizeof(wire), 1, m->pcap);
	fwrite(data + 2 * ECP_MAC_LEN, len - 2 * ECP_MAC_LEN, 1, m->pcap);
}

int relay_memory_record(struct relay *relay, const char *path)
{
	struct memory *m = relay->priv;
	const uint32_t head[] = {0xa1b23c4d, 2 | 4 << 16,  0,
				 0,          PCAP_SNAPLEN, PCAP_DLT_EN10MB};
	m->pcap = fopen(path, "wb");
	if (!m->pcap)
		return -errno;
	fwrite(head, sizeof(head), 1, m->pcap);
	return 0;
}

/* ---- the back-end ---- */

static void memory_free(struct memory *m)
{
	for (uint32_t i = 0; i < m->n_queue; i++)
		free((void *)(uintptr_t)m->queue[i].data);
	if (m->pcap)
		fclose(m->pcap);
	free(m->queue);
	free(m->tx);
	free(m->kept);
	free(m);
}

static int memory_open(struct relay *relay, const struct relay_config *config,
		       const char **why)
{
	(void)config;
	(void)why;
	struct memory *m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	m->tx = malloc(RELAY_BURST * SLOT);
	m->kept = malloc((size_t)RELAY_MEMORY_KEPT * SLOT);
	relay->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!m->tx || !m->kept || relay->fd < 0) {
		memory_free(m);
		return -ENOMEM;
	}
	relay->netif = (struct netif){.name = RELAY_MEMORY_NAME,
				      .index = 1,
				      .mac = {2, 0, 0, 0, 0xff, 0xff},
				      .mtu = RELAY_MEMORY_MTU,
				      .up = true};
	relay->priv = m;
	return 0;
}

static void memory_close(struct relay *relay)
{
	close(relay->fd);
	memory_free(relay->priv);
}

static int memory_rx_loop(struct memory *m, struct relay_frame *frames, unsigned max)
{
	unsigned n = 0;
	for (; n < max && m->loop_left; n++, m->loop_left--) {
		frames[n] = m->loop[m->loop_at];
		m->loop_at = m->loop_at + 1 == m->n_loop ? 0 : m->loop_at + 1;
	}
	return (int)n;
}

static int memory_rx_peek(struct relay *relay, struct relay_frame *frames, unsigned max)
{
	struct memory *m = relay->priv;
	if (m->loop_left)
		return memory_rx_loop(m, frames, max);
	m->lent = m->n_queue < max ? m->n_queue : max;
	for (uint32_t i = 0; i < m->lent; i++) {
		frames[i] = m->queue[i];
		record(m, &frames[i].tag, frames[i].data, frames[i].len);
	}
	return (int)m->lent;
}

static void memory_rx_release(struct relay *relay)
{
	struct memory *m = relay->priv;
	for (uint32_t i = 0; i < m->lent; i++)
		free((void *)(uintptr_t)m->queue[i].data);
	m->n_queue -= m->lent;
	if (m->n_queue)
		memmove(m->queue, m->queue + m->lent, m->n_queue * sizeof(*m->queue));
	m->lent = 0;
	uint64_t drained;
	if (!m->n_queue && !m->loop_left && read(relay->fd, &drained, sizeof(drained)) < 0)
		return; /* nothing had been announced */
}

static unsigned memory_tx_reserve(struct relay *relay, struct relay_buffer *buffers,
				  unsigned max)
{
	struct memory *m = relay->priv;
	for (unsigned i = 0; i < max; i++)
		buffers[i] = (struct relay_buffer){.data = m->tx + i * SLOT, .room = SLOT};
	return max;
}

static void reflect(struct relay *relay, const struct relay_buffer *buffer)
{
	struct ecp_tag tag;
	uint8_t frame[SLOT];
	memcpy(frame, buffer->data, buffer->len);
	uint32_t len = test_frame_strip(frame, buffer->len, &tag);
	relay_memory_push(relay, frame, len, &tag, 0);
}

static void memory_tx_submit(struct relay *relay, const struct relay_buffer *buffers,
			     unsigned n)
{
	struct memory *m = relay->priv;
	if (m->down) {
		relay->stats.tx_down += n;
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t at = m->n_sent + i;
		relay->stats.tx_bytes += buffers[i].len;
		record(m, NULL, buffers[i].data, buffers[i].len);
		if (m->reflect)
			reflect(relay, &buffers[i]);
		if (at >= RELAY_MEMORY_KEPT)
			continue;
		memcpy(m->kept + at * SLOT, buffers[i].data, buffers[i].len);
		m->kept_len[at] = buffers[i].len;
	}
	m->n_sent += n;
	relay->stats.tx += n;
}

const struct relay_ops relay_memory_ops = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .rx_peek = memory_rx_peek,
    .rx_release = memory_rx_release,
    .tx_reserve = memory_tx_reserve,
    .tx_submit = memory_tx_submit,
};

/* ---- the test's side ---- */

static void announce(struct relay *relay)
{
	uint64_t one = 1;
	if (write(relay->fd, &one, sizeof(one)) < 0)
		abort();
}

void relay_memory_push(struct relay *relay, const void *data, uint32_t len,
		       const struct ecp_tag *tag, uint32_t flags)
{
	struct memory *m = relay->priv;
	if (m->n_queue == m->queue_room) {
		m->queue_room = m->queue_room ? m->queue_room * 2 : 64;
		m->queue = realloc(m->queue, m->queue_room * sizeof(*m->queue));
	}
	uint8_t *copy =
	    malloc(len ? len : 1); /* exact, so a sanitizer sees every overrun */
	if (!m->queue || !copy)
		abort();
	memcpy(copy, data, len);
	struct relay_frame *frame = &m->queue[m->n_queue++];
	*frame = (struct relay_frame){
	    .data = copy, .len = len, .flags = flags, .time_ns = now_ns()};
	if (tag)
		frame->tag = *tag;
	announce(relay);
}

void relay_memory_loop(struct relay *relay, const struct relay_frame *frames, uint32_t n,
		       uint64_t times)
{
	struct memory *m = relay->priv;
	m->loop = frames;
	m->n_loop = n;
	m->loop_at = 0;
	m->loop_left = times * n;
	announce(relay);
}

uint64_t relay_memory_n_sent(const struct relay *relay)
{
	return ((const struct memory *)relay->priv)->n_sent;
}

const uint8_t *relay_memory_sent(const struct relay *relay, unsigned i, uint32_t *len)
{
	const struct memory *m = relay->priv;
	*len = m->kept_len[i];
	return m->kept + (size_t)i * SLOT;
}

void relay_memory_forget_sent(struct relay *relay)
{
	((struct memory *)relay->priv)->n_sent = 0;
}

void relay_memory_reflect(struct relay *relay, bool reflects)
{
	((struct memory *)relay->priv)->reflect = reflects;
}

void relay_memory_set_down(struct relay *relay, bool down)
{
	((struct memory *)relay->priv)->down = down;
}
