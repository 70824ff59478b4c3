/*
 * datapath_tx.c - the walk of a frame from a client to the interface.
 *
 *   1 a record's head is copied out and checked          channel.c        channel_tx_next
 *   2 its endpoint is found by number and generation     channel.h        channel_endpoint
 *   3 the endpoint's source + the payload -> a buffer    relay_<name>.c   tx_reserve
 *   4 the copy is judged: who it says it is from, and whether the policy lets it go
 *   5 the burst is sent                                  relay_<name>.c   tx_submit
 *   6 its room in the ring goes back                     channel.c        channel_tx_release
 *
 * While somebody captures, 3 to 5 are done for one frame after the other, and what has become of
 * it is copied to the captures (capture.c).
 *
 * A client never writes the source MAC and the tags that leave the interface: they come from
 * the endpoint.  Its payload is copied first and judged as the copy, for it can still write to
 * its ring while we look.  Hot: no allocation, no log, no lock, no system call per frame.
 */
#include "daemon/datapath.h"

#include "daemon/sending.h"

/* What one that leaves may still send in one go: more would delay the others. */
#define LAST_BURSTS 16

/* The buffers of the back-end that are being filled. */
struct tx {
	struct relay_buffer buffers[RELAY_BURST];
	unsigned room, n;
};

static void tx_flush(struct datapath *dp, struct tx *tx)
{
	if (tx->n)
		dp->relay.ops->tx_submit(&dp->relay, tx->buffers, tx->n);
	tx->n = tx->room = 0;
}

/* A buffer to fill, or NULL when the back-end has none. */
static struct relay_buffer *tx_buffer(struct datapath *dp, struct tx *tx)
{
	struct relay *relay = &dp->relay;
	if (tx->n == tx->room) {
		tx_flush(dp, tx);
		tx->room = relay->ops->tx_reserve(relay, tx->buffers, RELAY_BURST);
	}
	return tx->n < tx->room ? &tx->buffers[tx->n] : NULL;
}

/*
 * May this EtherType stand behind an endpoint's tags?  A tag's may not: the payload would then
 * begin with a tag of the client's own choice.
 */
static bool tx_ethertype_ok(uint16_t ethertype)
{
	return (ethertype >= 0x600 && !ecp_tpid_known(ethertype)) ||
	       ethertype == ECP_ETHERTYPE_LLC;
}

/* Write the whole frame: its source from the endpoint, the rest from the ring. */
static inline void tx_write(const struct endpoint *ep, const struct channel_tx *record,
			    struct relay_buffer *buffer)
{
	uint16_t type = record->aux.ethertype;
	if (type == ECP_ETHERTYPE_LLC)
		type = (uint16_t)record->len; /* IEEE 802.3, 3.2.6: a length */
	uint8_t *at = buffer->data;
	memcpy(at, record->aux.dst, ECP_MAC_LEN);
	memcpy(at + ECP_MAC_LEN, ep->source, ENDPOINT_SOURCE);
	at[ep->header_len - 2] = (uint8_t)(type >> 8);
	at[ep->header_len - 1] = (uint8_t)type;
	memcpy(at + ep->header_len, record->payload, record->len);
	buffer->len = ep->header_len + record->len;
}

/* Does the frame as it stands in the buffer come from the address that ep claims? */
static bool tx_source_ok(const struct endpoint *ep, const struct relay_buffer *buffer)
{
	struct ecp_frame f;
	if (ecp_frame_parse(buffer->data, buffer->len, NULL, &f) != ECP_FRAME_OK ||
	    !f.udp || f.ip_version != ep->local.family || f.src_port != ep->local.port)
		return false;
	const uint8_t *ip = buffer->data + f.l3_off;
	return f.ip_version == 4 ? !memcmp(ip + 12, ep->local.ip, 4)
				 : !memcmp(ip + 8, ep->local.ip, 16);
}

/* One record -> one buffer, or one drop counter.  False: not sent. */
static bool tx_record(struct datapath *dp, struct endpoint *ep,
		      const struct channel_tx *record, struct tx *tx)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	struct relay_buffer *buffer;
	if (!tx_ethertype_ok(record->aux.ethertype)) {
		stats->tx_invalid++;
		return false;
	}
	if (record->len > ep->payload_max) {
		stats->tx_oversize++;
		return false;
	}
	buffer = tx_buffer(dp, tx);
	if (!buffer || buffer->room < ECP_ETH_HLEN_MAX + record->len) {
		stats->tx_error++;
		return false;
	}
	tx_write(ep, record, buffer);
	if (ep->kind == ECP_KIND_UDP && !tx_source_ok(ep, buffer)) {
		stats->tx_spoofed++;
		return false;
	}
	if (ep->sending && !sending_allows(ep->sending, ep->key.mac, record->aux.ethertype,
					   buffer->data, buffer->len)) {
		stats->tx_denied++;
		return false;
	}
	tx->n++;
	return true;
}

/* Records of one channel, and whose they are (NULL: nobody's). */
struct tx_burst {
	const struct channel *ch;
	struct channel_tx records[RELAY_BURST];
	struct endpoint *endpoints[RELAY_BURST];
	unsigned n;
};

/*
 * Take a burst of records.  With tens of thousands of endpoints each step to the next object
 * misses the cache, so the steps are made for the whole burst, one after the other.
 */
static void tx_take(struct channel *ch, struct tx_burst *burst)
{
	burst->ch = ch;
	for (burst->n = 0; burst->n < RELAY_BURST; burst->n++) {
		struct channel_tx *record = &burst->records[burst->n];
		if (!channel_tx_next(ch, record))
			break;
		channel_prefetch_slot(ch, record->head.endpoint);
	}
	for (unsigned i = 0; i < burst->n; i++) {
		const struct ecp_record *head = &burst->records[i].head;
		struct endpoint *ep =
		    channel_endpoint(ch, head->endpoint, head->generation);
		burst->endpoints[i] = ep;
		if (ep)
			__builtin_prefetch(&ep->sending);
	}
	for (unsigned i = 0; i < burst->n; i++)
		if (burst->endpoints[i])
			__builtin_prefetch(
			    channel_tx_counters(ch, burst->endpoints[i]->row), 1);
}

/* How many frames of this burst the client's policy lets pass. */
static uint32_t tx_allowance(struct channel *ch)
{
	return ch->tx_rate.rate ? bucket_look(&ch->tx_rate, bucket_clock_ns()) : UINT32_MAX;
}

static void tx_count_dropped(const struct channel *ch, const struct endpoint *ep)
{
	ecp_count_add(&channel_tx_counters(ch, ep->row)->tx_dropped, 1);
	ecp_count_add(&ch->counters->tx_dropped, 1);
}

static void tx_count_sent(const struct channel *ch, const struct endpoint *ep, uint32_t len)
{
	struct ecp_endpoint_tx *row = channel_tx_counters(ch, ep->row);
	ecp_count_add(&row->tx, 1);
	ecp_count_add(&row->tx_bytes, len);
	ecp_count_add(&ch->counters->tx, 1);
	ecp_count_add(&ch->counters->tx_bytes, len);
}

/* Records from `first` up to `end`, of which allowance may be sent.  Returns how many were. */
static uint32_t tx_records(struct datapath *dp, const struct tx_burst *burst,
			   unsigned first, unsigned end, uint32_t allowance, struct tx *tx)
{
	uint32_t sent = 0;
	for (unsigned i = first; i < end; i++) {
		struct endpoint *ep = burst->endpoints[i];
		if (!ep) {
			dp->relay.stats.tx_closed++;
		} else if (sent == allowance) {
			dp->relay.stats.tx_limited++;
			tx_count_dropped(burst->ch, ep);
		} else if (tx_record(dp, ep, &burst->records[i], tx)) {
			sent++;
			tx_count_sent(burst->ch, ep,
				      ep->header_len + burst->records[i].len);
		} else {
			tx_count_dropped(burst->ch, ep);
		}
	}
	return sent;
}

/*
 * The frame that this record asks for, made where no client can write; the record is led there,
 * so that what is judged, sent and captured is the same.  Without an endpoint there is no source.
 */
static struct relay_buffer tx_image(const struct captures *captures,
				    const struct endpoint *ep, struct channel_tx *record)
{
	static const struct endpoint nobody = {.header_len = ECP_ETH_HLEN};
	struct relay_buffer image = {.data = captures->image, .room = CAPTURE_IMAGE};
	struct channel_tx cut = *record;
	/* longer than any MTU: it will be refused before a byte of it is read */
	if (cut.len > CAPTURE_IMAGE - ECP_ETH_HLEN_MAX)
		cut.len = CAPTURE_IMAGE - ECP_ETH_HLEN_MAX;
	ep = ep ? ep : &nobody;
	tx_write(ep, &cut, &image);
	record->payload = image.data + ep->header_len;
	return image;
}

/* While somebody captures: one by one, so that it is known which frame met which end. */
static uint32_t tx_records_captured(struct datapath *dp, struct tx_burst *burst,
				    uint32_t allowance, struct tx *tx)
{
	uint32_t sent = 0;
	for (unsigned i = 0; i < burst->n; i++) {
		const struct ecp_relay_stats before = dp->relay.stats;
		struct relay_buffer image =
		    tx_image(&dp->captures, burst->endpoints[i], &burst->records[i]);
		sent += tx_records(dp, burst, i, i + 1, allowance - sent, tx);
		tx_flush(dp, tx);
		struct captured seen = {
		    .direction = ECP_CAPTURE_OUT,
		    .time_ns = capture_now_ns(),
		    .interface = dp->relay.netif.name,
		    .data = image.data,
		    .len = image.len,
		    .ep = burst->endpoints[i],
		    .owner = burst->ch,
		};
		capture_find_reason(&seen, &before, &dp->relay.stats);
		captures_put(&dp->captures, &seen);
	}
	dp->trouble |= captures_publish(&dp->captures);
	return sent;
}

/* At most one burst of a channel.  Returns how many records it took. */
static unsigned tx_channel(struct datapath *dp, struct channel *ch, struct tx *tx)
{
	struct tx_burst burst;
	uint32_t sent;
	if (!channel_tx_refresh(ch)) {
		dp->trouble |= ch->broken;
		return 0;
	}
	tx_take(ch, &burst);
	const uint32_t allowance = tx_allowance(ch);
	dp->relay.stats.tx_offered += burst.n;
	if (dp->captures.n)
		sent = tx_records_captured(dp, &burst, allowance, tx);
	else
		sent = tx_records(dp, &burst, 0, burst.n, allowance, tx);
	bucket_take(&ch->tx_rate, sent);
	channel_tx_release(ch);
	dp->trouble |= ch->broken;
	return burst.n;
}

void datapath_tx_last(struct datapath *dp, struct channel *ch)
{
	struct tx tx = {.room = 0};
	for (unsigned bursts = 0; bursts < LAST_BURSTS; bursts++)
		if (!tx_channel(dp, ch, &tx))
			break;
	tx_flush(dp, &tx);
}

unsigned datapath_tx_turn(struct datapath *dp)
{
	struct tx tx = {.room = 0};
	unsigned moved = 0;
	for (uint32_t i = 0; i < dp->n_awake; i++) {
		unsigned n = tx_channel(dp, dp->awake[i], &tx);
		dp->backlog |= n == RELAY_BURST;
		moved += n;
	}
	tx_flush(dp, &tx);
	return moved;
}
