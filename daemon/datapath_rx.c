/*
 * datapath_rx.c - the walk of a frame from the interface to the clients.
 *
 *   1 the relay lends a burst                      relay_<name>.c   rx_peek
 *   2 bytes -> key, offsets; or a drop reason      proto/frame.c    ecp_frame_parse
 *   3 key -> endpoint, group for multicast, or     endpoint_table.c
 *     those who take what nobody claims
 *   4 one copy into the client's ring              channel.c        channel_put
 *   5 publish once per channel touched             channel.c        channel_publish
 *   6 the burst goes back                          relay_<name>.c   rx_release
 *
 * While somebody captures, 2 to 4 are done for one frame after the other, and what has become of
 * it is copied to the captures (capture.c).
 *
 * Hot: no allocation, no log, no lock, no system call per frame.
 */
#include "daemon/datapath.h"

/* More would delay the sends and the control requests that wait behind this turn. */
#define BURSTS_PER_TURN 4

static void count_invalid(struct ecp_relay_stats *stats, enum ecp_frame_verdict verdict)
{
	switch (verdict) {
	case ECP_FRAME_OK:
		break;
	case ECP_FRAME_RUNT:
		stats->rx_runt++;
		break;
	case ECP_FRAME_VLAN_DEPTH:
		stats->rx_vlan_depth++;
		break;
	case ECP_FRAME_BAD_IP:
		stats->rx_bad_ip++;
		break;
	case ECP_FRAME_BAD_UDP:
		stats->rx_bad_udp++;
		break;
	}
}

/* One frame of a burst, and what was found in it. */
struct rx {
	const struct relay_frame *raw;
	struct ecp_frame frame;
	struct endpoint_hashes hashes;
	struct endpoint *ep; /* whose it is, if it is unicast; NULL: nobody's */
	uint32_t len;        /* whole, its tag included */
};

static struct ecp_rx_aux rx_aux(const struct rx *rx)
{
	const struct ecp_frame *f = &rx->frame;
	return (struct ecp_rx_aux){
	    .time_ns = rx->raw->time_ns,
	    .ethertype = f->ethertype,
	    .l3_len = f->l3_len,
	    .l4_off = f->l4_off,
	    .protocol = f->protocol,
	    .info =
		(uint8_t)((f->udp ? ECP_RX_UDP : 0) | (f->fragment ? ECP_RX_FRAGMENT : 0) |
			  f->l3_off << ECP_RX_L3_SHIFT),
	};
}

/*
 * A frame from a peer on this host may carry a checksum that its kernel left to hardware:
 * finish it in the ring, before the client can see it.
 */
static void rx_complete_checksum(const struct relay_frame *raw,
				 const struct ecp_frame *frame, uint8_t *copy)
{
	bool partial = raw->flags & RELAY_FRAME_CSUM_PARTIAL;
	if (raw->flags & RELAY_FRAME_CSUM_UNKNOWN)
		partial = ecp_l4_checksum_check(copy, frame) == ECP_CSUM_PARTIAL;
	if (partial)
		ecp_l4_checksum_complete(copy, frame);
}

/* dest NULL: for all multicast receivers of ch. */
static bool rx_put(struct datapath *dp, struct channel *ch, const struct channel_dest *dest,
		   const struct rx *rx)
{
	struct ecp_rx_aux aux = rx_aux(rx);
	const struct relay_frame *raw = rx->raw;
	uint8_t *copy = channel_put(ch, dest, &aux, &raw->tag, raw->data, raw->len);
	if (!ch->touched) {
		ch->touched = true;
		dp->touched[dp->n_touched++] = ch;
	}
	if (!copy)
		return false;
	if (raw->flags & (RELAY_FRAME_CSUM_PARTIAL | RELAY_FRAME_CSUM_UNKNOWN))
		rx_complete_checksum(raw, &rx->frame, copy);
	return true;
}

static bool rx_to_endpoint(struct datapath *dp, struct endpoint *ep, const struct rx *rx)
{
	struct ecp_client_row *all = ep->channel->counters;
	if (!rx_put(dp, ep->channel, &ep->dest, rx)) {
		ecp_count_add(&ep->rx->rx_buffer_full, 1);
		ecp_count_add(&all->rx_buffer_full, 1);
		return false;
	}
	ecp_count_add(&ep->rx->rx, 1);
	ecp_count_add(&ep->rx->rx_bytes, rx->len);
	ecp_count_add(&all->rx, 1);
	ecp_count_add(&all->rx_bytes, rx->len);
	return true;
}

/* A record beside that which makes the frame count as delivered. */
static bool rx_copy(struct datapath *dp, struct endpoint *ep, const struct rx *rx)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	bool copied = rx_to_endpoint(dp, ep, rx);
	stats->rx_copies += copied;
	stats->rx_copies_full += !copied;
	return copied;
}

/* A frame that ep (NULL: a group) is for: those who mirror see it too. */
static void rx_mirror(struct datapath *dp, const struct endpoint *ep, const struct rx *rx)
{
	struct endpoint *to = endpoint_table_defaults(dp->table);
	for (; to; to = to->next_default)
		if (to->flags & ECP_EP_MIRROR && to != ep)
			rx_copy(dp, to, rx);
}

/* A frame that nobody claims: for the default receivers, or counted. */
static void rx_unclaimed(struct datapath *dp, const struct rx *rx, uint64_t *counter)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	struct endpoint *to = endpoint_table_defaults(dp->table);
	if (!to) {
		++*counter;
		return;
	}
	bool delivered = rx_to_endpoint(dp, to, rx);
	while ((to = to->next_default))
		delivered |= rx_copy(dp, to, rx);
	stats->rx_default += delivered;
	stats->rx_buffer_full += !delivered;
	stats->rx_bytes += delivered ? rx->len : 0;
}

static void rx_unicast(struct datapath *dp, const struct rx *rx)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	struct endpoint *ep = rx->ep;
	if (!ep) {
		rx_unclaimed(dp, rx, &stats->rx_miss);
		return;
	}
	rx_mirror(dp, ep, rx);
	bool delivered = rx_to_endpoint(dp, ep, rx);
	while ((ep = endpoint_table_next_sharing(ep, rx->frame.ethertype)))
		delivered |= rx_copy(dp, ep, rx);
	stats->rx += delivered;
	stats->rx_buffer_full += !delivered;
	stats->rx_bytes += delivered ? rx->len : 0;
}

/* How the copies of one multicast frame fared. */
struct copies {
	unsigned written, full;
};

static bool group_has(const struct group *group, const struct channel *ch)
{
	for (uint32_t i = 0; group && i < group->n_members; i++)
		if (group->members[i].channel == ch)
			return true;
	return false;
}

/* One record for each channel of the group that is not in the group served already. */
static void rx_to_group(struct datapath *dp, const struct group *group,
			const struct group *served, const struct rx *rx,
			struct copies *copies)
{
	for (uint32_t i = 0; group && i < group->n_members; i++) {
		struct channel *ch = group->members[i].channel;
		if (group_has(served, ch))
			continue;
		if (rx_put(dp, ch, NULL, rx))
			copies->written++;
		else
			copies->full++;
	}
}

static void rx_multicast(struct datapath *dp, const struct rx *rx)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	const struct group *group = endpoint_table_group(dp->table, &rx->frame);
	const struct group *any = endpoint_table_group_any(dp->table, &rx->frame);
	struct copies copies = {0};
	rx_to_group(dp, group, NULL, rx, &copies);
	rx_to_group(dp, any, group, rx, &copies);
	stats->rx_copies += copies.written;
	stats->rx_copies_full += copies.full;
	if (!copies.written && !copies.full) {
		rx_unclaimed(dp, rx, &stats->rx_multicast_ignored);
		return;
	}
	rx_mirror(dp, NULL, rx);
	if (copies.written) {
		stats->rx_multicast++;
		stats->rx_bytes += rx->len;
	} else {
		stats->rx_buffer_full++;
	}
}

/* Parse a burst; the good frames, their table slots on the way to the cache, are left in rx. */
static unsigned rx_parse(struct datapath *dp, const struct relay_frame *raw, unsigned n,
			 struct rx *rx)
{
	struct ecp_relay_stats *stats = &dp->relay.stats;
	unsigned good = 0;
	stats->rx_offered += n;
	for (unsigned i = 0; i < n; i++) {
		if (raw[i].flags & RELAY_FRAME_TRUNCATED) {
			stats->rx_oversize++;
			continue;
		}
		struct rx *r = &rx[good];
		enum ecp_frame_verdict verdict =
		    ecp_frame_parse(raw[i].data, raw[i].len, &raw[i].tag, &r->frame);
		if (verdict != ECP_FRAME_OK) {
			count_invalid(stats, verdict);
			continue;
		}
		r->raw = &raw[i];
		r->len = raw[i].len + (raw[i].tag.present ? ECP_TAG_LEN : 0);
		endpoint_table_hash(dp->table, &r->frame, &r->hashes);
		endpoint_table_prefetch_slots(dp->table, &r->hashes);
		good++;
	}
	return good;
}

/*
 * Whose are they?  With tens of thousands of endpoints every step to the next object misses
 * the cache, so the steps are made for the whole burst, one after the other.
 */
static void rx_lookup(const struct datapath *dp, struct rx *rx, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		endpoint_table_prefetch_endpoints(dp->table, &rx[i].hashes);
	for (unsigned i = 0; i < n; i++) {
		rx[i].ep = endpoint_table_lookup(dp->table, &rx[i].frame, &rx[i].hashes);
		if (rx[i].ep) {
			channel_prefetch_used(rx[i].ep->channel, &rx[i].ep->dest);
			__builtin_prefetch(rx[i].ep->rx, 1);
		}
	}
}

/* Each of the n frames to where it belongs.  Returns how many were good: those are in rx. */
static unsigned rx_frames(struct datapath *dp, const struct relay_frame *raw, unsigned n,
			  struct rx *rx)
{
	unsigned good = rx_parse(dp, raw, n, rx);
	rx_lookup(dp, rx, good);
	for (unsigned i = 0; i < good; i++)
		if (rx[i].frame.multicast)
			rx_multicast(dp, &rx[i]);
		else
			rx_unicast(dp, &rx[i]);
	return good;
}

/* The only client that this multicast frame is for; NULL: several, or nobody. */
static const struct channel *rx_only_receiver(const struct datapath *dp,
					      const struct rx *rx)
{
	const struct group *group = endpoint_table_group(dp->table, &rx->frame);
	const struct group *any = endpoint_table_group_any(dp->table, &rx->frame);
	if (!group || !group->n_members)
		group = any;
	else if (any && any->n_members)
		return NULL;
	return group && group->n_members == 1 ? group->members[0].channel : NULL;
}

/* What became of one frame (rx NULL: it was no good one), for those who look. */
static void rx_capture(struct datapath *dp, const struct relay_frame *raw,
		       const struct rx *rx, const struct ecp_relay_stats *before)
{
	const struct ecp_relay_stats *stats = &dp->relay.stats;
	struct captured seen = {
	    .direction = ECP_CAPTURE_IN,
	    .time_ns = raw->time_ns,
	    .interface = dp->relay.netif.name,
	    .data = dp->captures.image,
	    .len = raw->len + (raw->tag.present ? ECP_TAG_LEN : 0),
	    .ep = rx && !rx->frame.multicast ? rx->ep : NULL,
	};
	if (seen.len > CAPTURE_IMAGE)
		return; /* no frame: no interface has such an MTU */
	channel_write_frame(dp->captures.image, &raw->tag, raw->data, raw->len);
	if (rx && raw->flags & (RELAY_FRAME_CSUM_PARTIAL | RELAY_FRAME_CSUM_UNKNOWN))
		rx_complete_checksum(raw, &rx->frame, dp->captures.image);
	if (stats->rx_default != before->rx_default)
		seen.ep = endpoint_table_defaults(dp->table);
	if (rx && rx->frame.multicast && stats->rx_multicast != before->rx_multicast)
		seen.owner = rx_only_receiver(dp, rx);
	capture_find_reason(&seen, before, stats);
	captures_put(&dp->captures, &seen);
}

/* While somebody captures: one by one, so that it is known which frame met which end. */
static void rx_frames_captured(struct datapath *dp, const struct relay_frame *raw,
			       unsigned n, struct rx *rx)
{
	for (unsigned i = 0; i < n; i++) {
		const struct ecp_relay_stats before = dp->relay.stats;
		unsigned good = rx_frames(dp, &raw[i], 1, rx);
		rx_capture(dp, &raw[i], good ? rx : NULL, &before);
	}
	dp->trouble |= captures_publish(&dp->captures);
}

/* One burst.  Returns how many frames the relay had. */
static unsigned rx_burst(struct datapath *dp)
{
	struct relay *relay = &dp->relay;
	struct relay_frame raw[RELAY_BURST];
	struct rx rx[RELAY_BURST];
	int n = relay->ops->rx_peek(relay, raw, RELAY_BURST);
	if (n <= 0)
		return 0;
	if (dp->captures.n)
		rx_frames_captured(dp, raw, (unsigned)n, rx);
	else
		rx_frames(dp, raw, (unsigned)n, rx);
	relay->ops->rx_release(relay);
	return (unsigned)n;
}

static void publish_touched(struct datapath *dp)
{
	for (uint32_t i = 0; i < dp->n_touched; i++) {
		struct channel *ch = dp->touched[i];
		channel_publish(ch);
		ch->touched = false;
		dp->trouble |= ch->broken;
	}
	dp->n_touched = 0;
}

unsigned datapath_rx_turn(struct datapath *dp)
{
	unsigned moved = 0, n = RELAY_BURST;
	for (unsigned bursts = 0; n == RELAY_BURST && bursts < BURSTS_PER_TURN; bursts++) {
		n = rx_burst(dp);
		moved += n;
	}
	dp->backlog = n == RELAY_BURST;
	publish_touched(dp);
	return moved;
}
