/*
 * channel.c - one client's rings, seen from the daemon.
 *
 * Theory of operation: all memory and both doorbells are the daemon's making, so a client can
 * neither shrink the memory under us (SIGBUS) nor hand us a descriptor.  Doorbells are pipes,
 * not eventfds: an eventfd's O_NONBLOCK lives in the description that both sides share, so a
 * client could clear it, fill the counter and block our write for good; a pipe's two ends are
 * two descriptions.  D is reopened read-only for the client (memfd.h).
 */
#include "daemon/channel.h"

#include "daemon/memfd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHANNEL_SLOTS_FIRST 16
#define NO_SLOT             UINT32_MAX

static int channel_map(struct channel *ch)
{
	size_t d_size = ECP_CHANNEL_PAGE + ch->rx.size,
	       c_size = ECP_CHANNEL_PAGE + ch->tx.size;
	int d = memfd_new("etherconn-d", d_size, false);
	if (d < 0)
		return d;
	void *d_map =
	    mmap(NULL, d_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, d, 0);
	int r = d_map == MAP_FAILED ? -errno : 0;
	d = memfd_reopen_readonly(d);
	if (r < 0 || d < 0) {
		if (d >= 0)
			close(d);
		if (!r)
			munmap(d_map, d_size);
		return r < 0 ? r : d;
	}
	ch->d = d_map;
	ch->rx.data = (uint8_t *)d_map + ECP_CHANNEL_PAGE;
	ch->peer_fds[ECP_FD_D] = d;

	int c = memfd_new("etherconn-c", c_size, false);
	if (c < 0)
		return c;
	ch->peer_fds[ECP_FD_C] = c;
	/* never written to: only what may be written may be given back, before Linux 6.7 */
	void *c_map =
	    mmap(NULL, c_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, c, 0);
	if (c_map == MAP_FAILED)
		return -errno;
	ch->c = c_map;
	ch->tx.data = (const uint8_t *)c_map + ECP_CHANNEL_PAGE;
	return 0;
}

/*
 * The blocking mode of our end is ours alone: each end of a pipe has its own description.
 * Whoever writes also keeps a reading end, so that it need not care for SIGPIPE when the other
 * process is gone.
 */
static int channel_bell_rx(struct channel *ch)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ch->peer_fds[ECP_FD_BELL_RX] = ends[0];
	ch->bell_rx = ends[1];
	ch->bell_rx_keep = fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
	return ch->bell_rx_keep < 0 ? -errno : 0;
}

/* The client's reading end is opened anew: it shall not share the description of ours. */
static int channel_bell_tx(struct channel *ch)
{
	char path[32];
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	ch->bell_tx = ends[0];
	ch->peer_fds[ECP_FD_BELL_TX] = ends[1];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	int keep = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ch->peer_fds[ECP_FD_BELL_TX_KEEP] = keep;
	return keep < 0 ? -errno : 0;
}

int channel_new(struct channel **ret, uint32_t rx_size, uint32_t tx_size,
		uint32_t max_slots, uint64_t session)
{
	struct channel *ch = calloc(1, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	ch->rx.size = rx_size;
	ch->tx.size = tx_size;
	ch->max_slots = max_slots;
	ch->first_free = NO_SLOT;
	ch->bell_rx = ch->bell_tx = ch->bell_rx_keep = -1;
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++)
		ch->peer_fds[i] = -1;

	int r = channel_map(ch);
	if (r < 0)
		goto fail;
	r = channel_bell_rx(ch);
	if (r < 0)
		goto fail;
	r = channel_bell_tx(ch);
	if (r < 0)
		goto fail;
	ch->d->magic = ECP_CHANNEL_MAGIC;
	ch->d->abi = ECP_CHANNEL_ABI;
	ch->d->session = session;
	ch->d->rx_size = rx_size;
	ch->d->tx_size = tx_size;
	channel_set_state(ch, ECP_CHANNEL_UP);
	*ret = ch;
	return 0;
fail:
	channel_free(ch);
	return r;
}

void channel_free(struct channel *ch)
{
	channel_forget_peer_fds(ch);
	if (ch->bell_rx >= 0)
		close(ch->bell_rx);
	if (ch->bell_tx >= 0)
		close(ch->bell_tx);
	if (ch->bell_rx_keep >= 0)
		close(ch->bell_rx_keep);
	if (ch->c)
		munmap((void *)(uintptr_t)ch->c, ECP_CHANNEL_PAGE + ch->tx.size);
	if (ch->d)
		munmap(ch->d, ECP_CHANNEL_PAGE + ch->rx.size);
	free(ch->slots);
	free(ch->used);
	free(ch);
}

void channel_give_back(struct channel *ch, bool state_too)
{
	uint8_t *d = (uint8_t *)ch->d;
	size_t skip = state_too ? 0 : ECP_CHANNEL_PAGE;
	madvise(d + skip, ECP_CHANNEL_PAGE + ch->rx.size - skip, MADV_REMOVE);
	madvise((void *)(uintptr_t)ch->c, ECP_CHANNEL_PAGE + ch->tx.size, MADV_REMOVE);
}

void channel_forget_peer_fds(struct channel *ch)
{
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++) {
		if (ch->peer_fds[i] >= 0)
			close(ch->peer_fds[i]);
		ch->peer_fds[i] = -1;
	}
}

static int channel_slots_grow(struct channel *ch)
{
	if (ch->n_slots >= ch->max_slots)
		return -ENOSPC;
	uint32_t n = ch->n_slots ? ch->n_slots * 2 : CHANNEL_SLOTS_FIRST;
	if (n > ch->max_slots)
		n = ch->max_slots;
	struct channel_slot *slots = realloc(ch->slots, n * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	ch->slots = slots;
	uint32_t *used = realloc(ch->used, n * sizeof(*used));
	if (!used)
		return -ENOMEM;
	ch->used = used;
	/* the lowest numbers are taken first */
	for (uint32_t i = n; i-- > ch->n_slots;) {
		slots[i] = (struct channel_slot){.next_free = ch->first_free};
		used[i] = 0;
		ch->first_free = i;
	}
	ch->n_slots = n;
	return 0;
}

int channel_slot_take(struct channel *ch, struct endpoint *endpoint, uint32_t limit,
		      struct channel_dest *ret)
{
	if (ch->first_free == NO_SLOT) {
		int r = channel_slots_grow(ch);
		if (r < 0)
			return r;
	}
	uint32_t id = ch->first_free;
	struct channel_slot *slot = &ch->slots[id];
	ch->first_free = slot->next_free;
	slot->endpoint = endpoint;
	slot->generation++;
	ch->n_endpoints++;
	*ret = (struct channel_dest){id, slot->generation, limit ? limit : UINT32_MAX};
	return 0;
}

void channel_slot_give(struct channel *ch, uint32_t id)
{
	struct channel_slot *slot = &ch->slots[id];
	slot->endpoint = NULL;
	slot->next_free = ch->first_free;
	ch->first_free = id;
	ch->n_endpoints--;
}

/* A full pipe is as good as a ring: the reader has bytes to find. */
static void channel_ring(struct channel *ch)
{
	ssize_t n = write(ch->bell_rx, "", 1);
	(void)n;
}

void channel_set_state(struct channel *ch, enum ecp_channel_state state)
{
	atomic_store_explicit(&ch->d->state, state, memory_order_release);
}

/* Whoever sees the count has the rest: it is written last. */
void channel_set_link(struct channel *ch, bool up, uint32_t mtu,
		      const uint8_t mac[static ECP_MAC_LEN])
{
	uint64_t mac_word = 0;
	memcpy(&mac_word, mac, ECP_MAC_LEN);
	uint32_t changes = atomic_load_explicit(&ch->d->changes, memory_order_relaxed);
	atomic_store_explicit(&ch->d->mtu, mtu, memory_order_relaxed);
	atomic_store_explicit(&ch->d->mac, mac_word, memory_order_relaxed);
	channel_set_state(ch, up ? ECP_CHANNEL_UP : ECP_CHANNEL_DOWN);
	atomic_store_explicit(&ch->d->changes, changes + 1, memory_order_release);
	channel_ring(ch);
}

void channel_set_missed(struct channel *ch, uint64_t n)
{
	atomic_store_explicit(&ch->d->capture_missed, n, memory_order_relaxed);
}

uint32_t channel_rx_used(const struct channel *ch)
{
	struct ecp_out rx = ch->rx; /* a client that lies is found when a frame is put */
	(void)ecp_out_refresh(&rx, &ch->c->rx_cons);
	return (uint32_t)(rx.size - ecp_out_free(&rx));
}

/* ---- hot ---- */

/*
 * Give back what the client has consumed since the last time.  The record heads are read from
 * D, which nobody but us can write.
 */
static void channel_rx_reclaim(struct channel *ch)
{
	if (ecp_out_refresh(&ch->rx, &ch->c->rx_cons) < 0) {
		ch->broken = true;
		return;
	}
	while (ch->reclaimed != ch->rx.cons) {
		const struct ecp_record *head =
		    (const void *)(ch->rx.data + (ch->reclaimed & (ch->rx.size - 1)));
		uint32_t room = (uint32_t)ecp_record_room(head->len);
		/* behind the client's index stands no whole record: it has lied about its index */
		if (room > ch->rx.cons - ch->reclaimed) {
			ch->broken = true;
			return;
		}
		ch->reclaimed += room;
		if (head->type == ECP_RECORD_PAD)
			continue;
		if (head->flags & ECP_RX_FANOUT)
			ch->fanout_used -= room;
		else
			ch->used[head->endpoint] -= room;
	}
}

uint8_t *channel_put(struct channel *ch, const struct channel_dest *dest,
		     const struct ecp_rx_aux *aux, const struct ecp_tag *tag,
		     const uint8_t *data, uint32_t len)
{
	uint32_t frame_len = len + (tag->present ? ECP_TAG_LEN : 0);
	uint32_t record_len = sizeof(struct ecp_record) + sizeof(*aux) + frame_len;
	uint32_t room = (uint32_t)ecp_record_room(record_len);

	if (!ch->touched)
		channel_rx_reclaim(ch);
	if (ch->broken)
		return NULL;
	uint32_t *used = dest ? &ch->used[dest->id] : &ch->fanout_used;
	uint32_t limit = dest ? dest->limit : UINT32_MAX;
	if (*used + room > limit || *used + room > ecp_out_free(&ch->rx) / 4)
		return NULL;
	uint8_t *record = ecp_out_reserve(&ch->rx, record_len);
	if (!record)
		return NULL;

	struct ecp_record head = {
	    .len = record_len,
	    .type = ECP_RECORD_RX,
	    .flags = dest ? 0 : ECP_RX_FANOUT,
	    .aux_len = sizeof(*aux),
	    .endpoint = dest ? dest->id : 0,
	    .generation = dest ? dest->generation : 0,
	};
	memcpy(record, &head, sizeof(head));
	memcpy(record + sizeof(head), aux, sizeof(*aux));
	uint8_t *frame = record + sizeof(head) + sizeof(*aux);
	channel_write_frame(frame, tag, data, len);
	ecp_out_submit(&ch->rx, record_len);
	*used += room;
	return frame;
}

void channel_publish(struct channel *ch)
{
	if (ecp_out_publish(&ch->rx, &ch->d->rx_prod, &ch->c->rx_wake_at))
		channel_ring(ch);
	/* by the client's index as it was seen last: datapath_show_rings() looks at it again */
	if (ch->counters)
		atomic_store_explicit(&ch->counters->rx_used,
				      (uint32_t)(ch->rx.size - ecp_out_free(&ch->rx)),
				      memory_order_relaxed);
}

bool channel_tx_refresh(struct channel *ch)
{
	if (ecp_in_refresh(&ch->tx, &ch->c->tx_prod) < 0)
		ch->broken = true;
	return !ch->broken && ch->tx.prod != ch->tx.pos;
}

bool channel_tx_next(struct channel *ch, struct channel_tx *tx)
{
	int error = 0;
	const uint8_t *record = ecp_in_peek(&ch->tx, &tx->head, &error);
	if (!record) {
		ch->broken |= error < 0;
		return false;
	}
	if (tx->head.type != ECP_RECORD_TX || tx->head.aux_len != sizeof(tx->aux)) {
		ch->broken = true;
		return false;
	}
	memcpy(&tx->aux, record + sizeof(tx->head), sizeof(tx->aux));
	atomic_signal_fence(
	    memory_order_acq_rel); /* the copy is what is used from here on */
	tx->payload = record + sizeof(tx->head) + sizeof(tx->aux);
	tx->len = tx->head.len - (uint32_t)(sizeof(tx->head) + sizeof(tx->aux));
	ecp_in_consume(&ch->tx, &tx->head);
	return true;
}

void channel_tx_release(struct channel *ch)
{
	if (ecp_in_release(&ch->tx, &ch->d->tx_cons, &ch->c->tx_space_at))
		channel_ring(ch);
}

bool channel_tx_sleep(struct channel *ch)
{
	return !ecp_in_arm(&ch->tx, &ch->d->tx_wake_at, &ch->c->tx_prod);
}
