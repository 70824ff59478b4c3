/*
 * fuzz_ring.c - a hostile client's memory under the daemon's end of its channel.
 *
 *   input: start of both rings, then steps: one byte which, its arguments behind it
 *
 * The client's steps write records good and bad, any index, any byte, also between the
 * daemon's refresh and its look at a record, as a client on another processor would.  The
 * daemon's steps are those of datapath.c.  Whatever was written, records that are handed on lie
 * within the ring, no index of the daemon's leaves its bounds, what endpoints hold adds up, and
 * a client that was found out stays so.
 */
#include "tests/fuzz.h"
#include "tests/peer.h"

#include <unistd.h>

#define SIZE    ECP_RING_MIN
#define SLOTS   4
#define PAYLOAD 1514

static struct channel *ch;
static struct channel_dest dests[SLOTS];
static struct peer peer;
static uint64_t written; /* where the client writes its next record */

static void start(struct fuzz_input *in)
{
	char bytes[256];
	if (!ch) {
		MUST(channel_new(&ch, SIZE, SIZE, SLOTS, 1) == 0);
		peer_open(&peer, ch);
		for (unsigned i = 0; i < SLOTS; i++)
			MUST(channel_slot_take(ch, (struct endpoint *)&peer, 0,
					       &dests[i]) == 0);
	}
	/* near 2^64, too: indices only grow, and their sums must not care where they are */
	uint64_t at = (uint64_t)(int64_t)(int16_t)fuzz_take(in, 2) * 16;
	ch->tx.pos = ch->tx.released = ch->tx.prod = ch->tx.ahead = written = at;
	ch->rx.pos = ch->rx.published = ch->rx.cons = ch->reclaimed = at;
	ch->fanout_used = 0;
	ch->broken = ch->touched = false;
	for (unsigned i = 0; i < SLOTS; i++)
		ch->used[i] = 0;
	memset(peer.c, 0, ECP_CHANNEL_PAGE + SIZE);
	atomic_store(&peer.c->tx_prod, at);
	atomic_store(&peer.c->rx_cons, at);
	atomic_store(&ch->d->tx_cons, at);
	atomic_store(&ch->d->rx_prod, at);
	while (read(peer.bell_rx, bytes, sizeof(bytes)) > 0)
		;
}

/* ---- what must hold after every step ---- */

static void check_bounds(void)
{
	const struct ecp_in *tx = &ch->tx;
	const struct ecp_out *rx = &ch->rx;
	uint64_t held = ch->fanout_used;
	MUST(((tx->pos | tx->prod | tx->released) & 15) == 0);
	MUST(tx->prod - tx->released <= SIZE);
	MUST(tx->pos - tx->released <= tx->prod - tx->released);
	MUST(((rx->pos | rx->published | rx->cons) & 15) == 0);
	MUST(rx->pos - rx->cons <= SIZE);
	MUST(rx->published - rx->cons <= rx->pos - rx->cons);
	MUST(ch->reclaimed - rx->cons == 0 || rx->cons - ch->reclaimed <= SIZE);
	for (unsigned i = 0; i < SLOTS; i++)
		held += ch->used[i];
	MUST(held <= rx->pos - ch->reclaimed); /* the rest is padding */
}

/* ---- the client ---- */

static void write_record(struct fuzz_input *in)
{
	uint8_t payload[PAYLOAD];
	uint32_t len = (uint32_t)fuzz_take(in, 2) % sizeof(payload);
	struct ecp_tx_aux aux = {.dst = {2}, .ethertype = ECP_ETHERTYPE_IPV4};
	struct ecp_record head = {.len = (uint32_t)(sizeof(head) + sizeof(aux)) + len,
				  .type = ECP_RECORD_TX,
				  .aux_len = sizeof(aux),
				  .endpoint = (uint32_t)fuzz_take(in, 1),
				  .generation = 1};
	memset(payload, 0xee, sizeof(payload));
	peer.tx.pos = written;
	peer.tx.cons = ch->d->tx_cons;
	uint8_t *at =
	    ecp_out_free(&peer.tx) <= SIZE ? ecp_out_reserve(&peer.tx, head.len) : NULL;
	if (!at)
		return;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &aux, sizeof(aux));
	memcpy(at + sizeof(head) + sizeof(aux), payload, len);
	ecp_out_submit(&peer.tx, head.len);
	written = peer.tx.pos;
	atomic_store(&peer.c->tx_prod, written);
}

static void write_any_record(struct fuzz_input *in)
{
	struct ecp_record head = {.len = (uint32_t)fuzz_take(in, 4)};
	head.type = (uint8_t)fuzz_take(in, 1);
	head.flags = (uint8_t)fuzz_take(in, 1);
	head.aux_len = (uint16_t)fuzz_take(in, 2);
	head.endpoint = (uint32_t)fuzz_take(in, 4);
	memcpy(peer.tx.data + (written & (SIZE - 1)), &head, sizeof(head));
	written += (fuzz_take(in, 2) & ~15u) + 16;
	atomic_store(&peer.c->tx_prod, written);
}

/* Over the record that the daemon looks at next. */
static void scribble_head(struct fuzz_input *in)
{
	uint64_t at = (ch->tx.pos + fuzz_take(in, 1) % 32) & (SIZE - 1);
	peer.tx.data[at] = (uint8_t)fuzz_take(in, 1);
}

static void scribble(struct fuzz_input *in)
{
	peer.tx.data[fuzz_take(in, 2)] = (uint8_t)fuzz_take(in, 1);
}

/* An index: a step from a sensible place, or anything. */
static uint64_t any_index(struct fuzz_input *in, uint64_t from)
{
	uint64_t how = fuzz_take(in, 1);
	if (how & 1)
		return fuzz_take(in, 8);
	return from + (uint64_t)(int64_t)(int16_t)fuzz_take(in, 2) * (how & 2 ? 1 : 16);
}

static void write_tx_prod(struct fuzz_input *in)
{
	atomic_store(&peer.c->tx_prod, any_index(in, ch->tx.prod));
}

static void write_rx_cons(struct fuzz_input *in)
{
	atomic_store(&peer.c->rx_cons, any_index(in, ch->rx.cons));
}

static void write_wishes(struct fuzz_input *in)
{
	atomic_store(&peer.c->rx_wake_at, any_index(in, ch->rx.published));
	atomic_store(&peer.c->tx_space_at, any_index(in, ch->tx.released));
}

/* As the library does before it sleeps for want of room. */
static void wait_for_room(struct fuzz_input *in)
{
	uint64_t need = (fuzz_take(in, 2) & ~15u) + 16;
	peer.tx.cons = atomic_load(&ch->d->tx_cons);
	MUST(!ecp_out_arm(&peer.tx, &peer.c->tx_space_at, &ch->d->tx_cons, need));
	MUST(atomic_load(&peer.c->tx_space_at) == peer.tx.cons + need - 1);
}

/* ---- the daemon ---- */

static void refresh(struct fuzz_input *in)
{
	(void)in;
	bool was_broken = ch->broken, found = channel_tx_refresh(ch);
	MUST(!(was_broken && found));
	MUST(ch->broken || found == (ch->tx.prod != ch->tx.pos));
}

/* As the library does with its own ring: a look at what follows, to fetch it early. */
static void look_ahead(struct fuzz_input *in)
{
	struct ecp_record head;
	unsigned n = 0;
	(void)in;
	ecp_relax();
	MUST(ecp_in_news(&ch->tx, &peer.c->tx_prod) ==
	     (atomic_load(&peer.c->tx_prod) != ch->tx.prod));
	while (ecp_in_ahead(&ch->tx, &head))
		MUST(++n <= SIZE / 16);
	MUST((int64_t)(ch->tx.ahead - ch->tx.pos) >= 0);
	MUST(ch->tx.prod - ch->tx.ahead <= SIZE);
}

static void next(struct fuzz_input *in)
{
	(void)in;
	struct channel_tx tx;
	uint64_t before = ch->tx.pos;
	if (ch->broken)
		return; /* nobody looks again */
	if (!channel_tx_next(ch, &tx)) {
		MUST(ch->broken || ch->tx.pos == ch->tx.prod);
		return;
	}
	const uint8_t *end = ch->tx.data + SIZE;
	MUST(tx.head.type == ECP_RECORD_TX && tx.head.aux_len == sizeof(tx.aux));
	MUST(tx.payload >= ch->tx.data + sizeof(tx.head) + sizeof(tx.aux));
	MUST(tx.payload <= end && tx.len <= (size_t)(end - tx.payload));
	MUST(tx.len + sizeof(tx.head) + sizeof(tx.aux) == tx.head.len);
	MUST(ch->tx.pos - before >= ecp_record_room(tx.head.len));
	uint8_t copy[SIZE];
	memcpy(copy, tx.payload, tx.len);
	struct endpoint *ep = channel_endpoint(ch, tx.head.endpoint, tx.head.generation);
	MUST(!ep == (tx.head.endpoint >= SLOTS || tx.head.generation != 1));
}

static void release(struct fuzz_input *in)
{
	(void)in;
	channel_tx_release(ch);
	MUST(atomic_load(&ch->d->tx_cons) == ch->tx.pos);
}

static void sleep_tx(struct fuzz_input *in)
{
	(void)in;
	bool sleeps = channel_tx_sleep(ch);
	MUST(sleeps == (atomic_load(&peer.c->tx_prod) == ch->tx.pos));
	MUST(atomic_load(&ch->d->tx_wake_at) == ch->tx.pos);
}

static void put(struct fuzz_input *in)
{
	static const uint8_t frame[PAYLOAD];
	const struct ecp_rx_aux aux = {.ethertype = ECP_ETHERTYPE_IPV4};
	const struct ecp_tag tag = {.present = fuzz_take(in, 1) & 1, .tpid = 0x8100};
	uint32_t slot = (uint32_t)fuzz_take(in, 1) % (SLOTS + 1);
	uint32_t len = 14 + (uint32_t)fuzz_take(in, 2) % (PAYLOAD - 14);
	const uint8_t *at =
	    channel_put(ch, slot == SLOTS ? NULL : &dests[slot], &aux, &tag, frame, len);
	ch->touched |= at != NULL;
	MUST(!at || (at >= ch->rx.data && at + len <= ch->rx.data + SIZE && !ch->broken));
}

static void publish(struct fuzz_input *in)
{
	(void)in;
	channel_publish(ch);
	ch->touched = false;
	MUST(atomic_load(&ch->d->rx_prod) == ch->rx.pos);
}

static void (*const steps[])(struct fuzz_input *) = {
    write_record, write_any_record, scribble_head, scribble, write_tx_prod, write_rx_cons,
    write_wishes, refresh,          next,          release,  sleep_tx,      put,
    publish,      wait_for_room,    look_ahead,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	start(&in);
	while (in.size) {
		bool was_broken = ch->broken;
		steps[fuzz_take(&in, 1) % (sizeof(steps) / sizeof(*steps))](&in);
		check_bounds();
		MUST(ch->broken || !was_broken);
	}
	return 0;
}
