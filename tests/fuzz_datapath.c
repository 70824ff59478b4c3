/*
 * fuzz_datapath.c - a whole datapath between any frames of the network and any records of a
 * hostile client, with an honest client beside it, and perhaps one that captures.
 *
 *   input: steps, one byte which, its arguments behind it
 *
 * Every frame is counted once; what is sent has the source and the tags of an endpoint that the
 * hostile client holds; what a client receives is for an endpoint of its own, whole and
 * correctly described; and a capture sees each frame once, or misses it.
 */
#include "daemon/log.h"
#include "tests/ends.h"
#include "tests/fuzz.h"
#include "tests/inside.h"

#include <unistd.h>

#define CLIENTS 2
#define HOSTILE 0

static bool
    deaf; /* the hostile one gave back what it has not read: it gets to see rubbish */
static unsigned moved; /* frames, in the last turn */
static struct party {
	struct client *client;
	struct peer peer;
	int far;
} parties[CLIENTS];

static struct watcher {
	struct client *client;
	struct peer peer;
	int far;
	bool on;
	bool deaf;        /* it has lied: it may see rubbish */
	uint64_t offered; /* when it began */
	uint64_t seen;
} watcher;

static void party_join(struct party *p)
{
	p->client = inside_client(&p->far);
	inside_attach(p->client, &p->peer, ECP_RING_MIN, ECP_RING_MIN);
}

static void party_leave(struct party *p)
{
	client_free(p->client);
	peer_close(&p->peer);
	close(p->far);
}

static void watcher_join(void)
{
	struct ecp_error err = {0};
	watcher = (struct watcher){.on = false};
	watcher.client = inside_client(&watcher.far);
	watcher.client->may_capture = true;
	MUST(client_capture(watcher.client, &dp, 1, ECP_RING_MIN, 200, &err) == 0);
	datapath_capture_stop(&dp, watcher.client->capture); /* until the input says so */
	peer_open(&watcher.peer, watcher.client->capture->channel);
}

static void watcher_leave(void)
{
	client_free(watcher.client);
	peer_close(&watcher.peer);
	close(watcher.far);
}

static void begin(void)
{
	inside_start(CLIENTS + 1, 32);
	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < CLIENTS; i++)
		party_join(&parties[i]);
	watcher_join();
}

/*
 * As if it had just been made: making it anew for each input would take most of the time, and
 * an input must mean the same again.
 */
static void channel_reset(struct channel *ch, struct peer *peer)
{
	char bytes[256];
	free(ch->slots);
	ch->slots = NULL;
	ch->n_slots = ch->fanout_used = 0;
	ch->first_free = UINT32_MAX;
	ch->rx.pos = ch->rx.published = ch->rx.cons = ch->reclaimed = 0;
	ch->tx.pos = ch->tx.released = ch->tx.prod = 0;
	peer->rx.pos = peer->rx.released = peer->rx.prod = 0;
	peer->tx.pos = peer->tx.published = peer->tx.cons = 0;
	memset(peer->c, 0, peer->c_size);
	atomic_store(&ch->d->rx_prod, 0);
	atomic_store(&ch->d->tx_cons, 0);
	atomic_store(&ch->d->tx_wake_at, 0);
	while (read(peer->bell_rx, bytes, sizeof(bytes)) > 0 ||
	       read(ch->bell_tx, bytes, sizeof(bytes)) > 0)
		;
}

static void party_reset(struct party *p)
{
	struct channel *ch = p->client->channel;
	for (uint32_t id = 0; id < ch->n_slots; id++)
		client_close(p->client, id);
	MUST(ch->n_endpoints == 0);
	channel_reset(ch, &p->peer);
	memset(ch->counters, 0, offsetof(struct ecp_client_row, id));
}

static void watcher_reset(void)
{
	struct capture *capture = watcher.client->capture;
	datapath_capture_stop(&dp, capture);
	channel_reset(capture->channel, &watcher.peer);
	capture->missed = 0;
	watcher.on = watcher.deaf = false;
}

/* ---- what must hold ---- */

static void check_identity(void)
{
	const struct ecp_relay_stats *s = &dp.relay.stats;
	MUST(s->rx_offered == sum_of_ends(s, 'r') && s->tx_offered == sum_of_ends(s, 't'));
}

/* Is there an endpoint of the hostile client whose source this is? */
static bool is_its_own(const uint8_t *frame, uint32_t len)
{
	const struct channel *ch = parties[HOSTILE].client->channel;
	for (uint32_t id = 0; id < ch->n_slots; id++) {
		const struct endpoint *ep = ch->slots[id].endpoint;
		unsigned source = ep ? ep->header_len - 2u - ECP_MAC_LEN : 0;
		if (ep && len >= ep->header_len &&
		    !memcmp(frame + ECP_MAC_LEN, ep->source, source) &&
		    len - ep->header_len <= ep->payload_max)
			return true;
	}
	return false;
}

static void check_sent(void)
{
	uint32_t len;
	for (unsigned i = 0; i < relay_memory_n_sent(&dp.relay); i++) {
		const uint8_t *frame = relay_memory_sent(&dp.relay, i, &len);
		MUST(is_its_own(frame, len));
	}
	relay_memory_forget_sent(&dp.relay);
}

static void check_received_one(const struct client *client, const struct ecp_record *head,
			       const struct ecp_rx_aux *aux, const uint8_t *data,
			       uint32_t len)
{
	const struct channel *ch = client->channel;
	struct ecp_frame f;
	MUST(ecp_frame_parse(data, len, NULL, &f) == ECP_FRAME_OK);
	MUST(aux->ethertype == f.ethertype && aux->l3_len == f.l3_len);
	MUST(aux->info >> ECP_RX_L3_SHIFT == f.l3_off && aux->l4_off == f.l4_off);
	MUST(!!(aux->info & ECP_RX_UDP) == f.udp);
	MUST(f.multicast || !(head->flags & ECP_RX_FANOUT));
	if (head->flags & ECP_RX_FANOUT)
		return;
	const struct endpoint *ep = channel_endpoint(ch, head->endpoint, head->generation);
	MUST(ep && ep->channel == ch);
	if (ep->flags & (ECP_EP_DEFAULT | ECP_EP_MIRROR)) {
		MUST(client->may_capture);
		return;
	}
	MUST(!f.multicast);
	MUST(ecp_key_equal(&ep->key, &f.key));
	if (ep->kind == ECP_KIND_UDP && !(ep->flags & ECP_EP_ACCEPT_ANY))
		MUST(f.udp && f.dst_port == ep->local.port);
}

/* After every turn, so that no endpoint was closed since. */
static void check_received(struct party *p)
{
	struct ecp_record head;
	struct ecp_rx_aux aux;
	const uint8_t *data;
	uint32_t len;
	while (peer_recv(&p->peer, &head, &aux, &data, &len))
		check_received_one(p->client, &head, &aux, data, len);
	peer_release(&p->peer);
}

static bool is_a_counter(const char *name)
{
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		if (!strcmp(ecp_relay_counters[i].name, name))
			return true;
	return false;
}

static void check_captured_one(const struct ecp_record *head, const uint8_t *record)
{
	struct ecp_capture_aux aux;
	MUST(head->type == ECP_RECORD_CAPTURE && head->aux_len == sizeof(aux));
	memcpy(&aux, record + sizeof(*head), sizeof(aux));
	uint32_t len = head->len - (uint32_t)(sizeof(*head) + sizeof(aux));
	MUST(len == (aux.frame_len < 200 ? aux.frame_len : 200));
	MUST(aux.direction == ECP_CAPTURE_IN || aux.direction == ECP_CAPTURE_OUT);
	MUST(memchr(aux.reason, 0, sizeof(aux.reason)));
	MUST(aux.reason[0] ? is_a_counter(aux.reason) : !(aux.flags & ECP_CAPTURE_DROPPED));
	MUST(aux.client || !(aux.flags & ECP_CAPTURE_ENDPOINT));
	MUST(aux.n_vlans <= ECP_VLANS_MAX);
}

/* Each frame since it began was seen, or missed. */
static void check_captured(void)
{
	struct ecp_record head;
	struct peer *eye = &watcher.peer;
	const uint8_t *record;
	int error = 0;
	if (!watcher.on || watcher.deaf)
		return;
	MUST(ecp_in_refresh(&eye->rx, &eye->d->rx_prod) == 0);
	while ((record = ecp_in_peek(&eye->rx, &head, &error))) {
		check_captured_one(&head, record);
		ecp_in_consume(&eye->rx, &head);
		watcher.seen++;
	}
	MUST(error == 0);
	peer_release(eye);
	MUST(watcher.seen + atomic_load(&eye->d->capture_missed) ==
	     dp.relay.stats.rx_offered + dp.relay.stats.tx_offered - watcher.offered);
}

/* ---- steps ---- */

/* Few addresses, so that they meet. */
static struct ecp_l2addr any_l2addr(struct fuzz_input *in)
{
	uint64_t bits = fuzz_take(in, 1);
	struct ecp_l2addr addr = {.mac = {2, 0, 0, 0, 0, 1 + (bits & 1)},
				  .n_vlans = (bits >> 1 & 3) % 3};
	for (unsigned i = 0; i < addr.n_vlans; i++)
		addr.vlans[i] = (struct ecp_vlan){.id = 100 + (bits >> (3 + i) & 1),
						  .tpid = bits >> 5 & 1 ? 0x88a8 : 0x8100};
	return addr;
}

static void open_endpoint(struct fuzz_input *in)
{
	static struct ecp_opened earlier;
	struct party *p = &parties[fuzz_take(in, 1) % CLIENTS];
	struct ecp_open_item item = {.flags = (unsigned)fuzz_take(in, 1) & 63};
	struct ecp_opened_item ret;
	uint64_t what = fuzz_take(in, 1);
	item.depth = what & 2 ? (uint32_t)fuzz_take(in, 2) : 0;
	if (what & 1) {
		item.kind = ECP_KIND_UDP;
		item.on = (uint32_t)fuzz_take(in, 1) % 8;
		item.local.family = what & 4 ? 6 : 4;
		item.local.port = (uint16_t)fuzz_take(in, 1) % 4;
		item.local.ip[3] = (uint8_t)fuzz_take(in, 1) % 2;
	} else {
		item.l2 = any_l2addr(in);
		item.n_ethertypes = (unsigned)fuzz_take(in, 1) % 3;
		for (unsigned i = 0; i < item.n_ethertypes; i++)
			item.ethertypes[i] = i ? 1 : 0x0800;
	}
	p->client->may_capture = p == parties; /* one of them */
	int r = client_open(p->client, &item, &earlier, &ret);
	MUST(r == ret.error.code && (r == 0 || ret.error.text[0]));
}

static void close_endpoint(struct fuzz_input *in)
{
	struct party *p = &parties[fuzz_take(in, 1) % CLIENTS];
	client_close(p->client, (uint32_t)fuzz_take(in, 1) % 40);
}

static void set_local(struct fuzz_input *in)
{
	struct party *p = &parties[fuzz_take(in, 1) % CLIENTS];
	struct ecp_error err = {0};
	uint32_t id = (uint32_t)fuzz_take(in, 1) % 8;
	struct ecp_addr local = {.family = 4, .port = (uint16_t)fuzz_take(in, 1) % 4};
	local.ip[3] = (uint8_t)fuzz_take(in, 1) % 2;
	client_set_local(p->client, id, &local, &err);
}

/* Some bytes of the input, at most room of them. */
static uint32_t take_bytes(struct fuzz_input *in, uint8_t *to, size_t room)
{
	size_t len = fuzz_take(in, 1) * 4;
	len = len < in->size ? len : in->size;
	len = len < room ? len : room;
	memcpy(to, in->data, len);
	in->data += len;
	in->size -= len;
	return (uint32_t)len;
}

static void push(const uint8_t *frame, uint32_t len, struct fuzz_input *in)
{
	struct ecp_tag tag = {.present = fuzz_take(in, 1) & 1, .tpid = 0x8100};
	tag.tci = (uint16_t)fuzz_take(in, 1);
	if (len >= ECP_ETH_HLEN) /* the kernel hands over nothing shorter */
		relay_memory_push(&dp.relay, frame, len, &tag,
				  (uint32_t)fuzz_take(in, 1) & 7);
}

static void push_any_frame(struct fuzz_input *in)
{
	uint8_t frame[1024];
	uint32_t len = take_bytes(in, frame, sizeof(frame));
	push(frame, len, in);
}

/* To an address that may be claimed; what is behind the header is the input's. */
static void push_frame(struct fuzz_input *in)
{
	uint8_t frame[1024];
	struct ecp_l2addr addr = any_l2addr(in);
	unsigned header = ecp_header_build(&addr, frame);
	memcpy(frame, addr.mac, ECP_MAC_LEN);
	uint64_t kind = fuzz_take(in, 1);
	frame[0] |= kind & 1;
	frame[header - 2] = kind & 2 ? 0x86 : 0x08;
	frame[header - 1] = kind & 2 ? 0xdd : 0x00;
	uint32_t len = take_bytes(in, frame + header, sizeof(frame) - header);
	push(frame, header + len, in);
}

static void send_record(struct fuzz_input *in)
{
	struct peer *peer = &parties[HOSTILE].peer;
	const struct channel *ch = parties[HOSTILE].client->channel;
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 1, 0x05ff};
	uint8_t payload[2048];
	uint32_t id = (uint32_t)fuzz_take(in, 1) % 40;
	uint64_t how = fuzz_take(in, 1);
	uint32_t generation = id < ch->n_slots ? ch->slots[id].generation : 1;
	const uint8_t dst[6] = {how & 8 ? 0xff : 2};
	uint32_t len = take_bytes(in, payload, sizeof(payload));
	if (how & 16) {
		memset(payload + len, 0, sizeof(payload) - len);
		len = 1480 + (uint32_t)(how >> 5) * 8; /* around the MTU */
	}
	if (ch->broken || peer->c->tx_prod != peer->tx.published)
		return; /* it has lied about its index: the true one is lost */
	peer_send(peer, id, generation + (how == 255), dst, types[(how & 7) % 6], payload,
		  len);
	peer_publish(peer);
}

static void scribble(struct fuzz_input *in)
{
	struct peer *peer = &parties[HOSTILE].peer;
	uint64_t at = parties[HOSTILE].client->channel->tx.pos + fuzz_take(in, 1);
	peer->tx.data[at & (ECP_RING_MIN - 1)] = (uint8_t)fuzz_take(in, 1);
}

static void lie(struct fuzz_input *in)
{
	struct peer *peer = &parties[HOSTILE].peer;
	uint64_t which = fuzz_take(in, 1) % 4, value = fuzz_take(in, 3);
	_Atomic uint64_t *words[] = {&peer->c->tx_prod, &peer->c->rx_wake_at,
				     &peer->c->tx_space_at, &peer->c->rx_cons};
	atomic_store(words[which], value);
	deaf |= which == 3;
}

/* Somebody captures, or, captures already, and lies about what it has read. */
static void watch(struct fuzz_input *in)
{
	uint64_t value = fuzz_take(in, 3);
	if (watcher.on) {
		atomic_store(&watcher.peer.c->rx_cons, value);
		watcher.deaf = true;
		return;
	}
	MUST(datapath_capture(&dp, watcher.client->capture) == 0);
	watcher.on = true;
	watcher.seen = 0;
	watcher.offered = dp.relay.stats.rx_offered + dp.relay.stats.tx_offered;
}

/* The daemon's loop, as far as it goes without its descriptors. */
static void turn(struct fuzz_input *in)
{
	(void)in;
	struct party *hostile = &parties[HOSTILE];
	datapath_wake(&dp, hostile->client->channel);
	moved = datapath_turn(&dp);
	check_identity();
	check_sent();
	check_captured();
	check_received(&parties[!HOSTILE]);
	if (!deaf)
		check_received(hostile);
	MUST(dp.n_touched == 0);
	MUST(!hostile->client->channel->broken || dp.trouble);
	MUST(!parties[!HOSTILE].client->channel->broken);
	if (hostile->client->channel->broken) { /* control_end_broken() */
		party_leave(hostile);
		party_join(hostile);
		deaf = false;
	}
	if (watcher.client->capture->channel->broken) {
		MUST(dp.trouble && watcher.deaf);
		watcher_leave();
		watcher_join();
	}
	dp.trouble = false;
	datapath_sleep(&dp);
	relay_memory_forget_sent(&dp.relay);
}

/* The operator changes his mind.  Rules that name who runs this, for root needs to be named. */
static void change_policy(struct fuzz_input *in)
{
	static const char *const rules[] = {
	    "\"ips\": [\"0.0.0.0/0\", \"::/0\"]",
	    "\"ethertypes\": [\"ipv4\", \"ipv6\", \"arp\"]",
	    "\"limits\": {\"frames_per_s\": 1, \"burst\": 2, \"endpoints\": 3}",
	    "\"vlans\": [\"none\"], \"multicast\": \"none\"",
	};
	enum { N = sizeof(rules) / sizeof(*rules) };
	static struct policy *policies[N];
	char text[200];
	struct ecp_error err = {0};
	unsigned which = (unsigned)fuzz_take(in, 1) % (N + 1);
	if (which == N) {
		clients_set_policy(&clients, NULL);
		return;
	}
	int len = snprintf(text, sizeof(text), "{\"rules\": [{\"users\": [\"%u\"], %s}]}",
			   getuid(), rules[which]);
	MUST(policies[which] ||
	     policy_parse(&policies[which], text, (size_t)len, &err) == 0);
	clients_set_policy(&clients, policy_hold(policies[which]));
}

static void (*const steps[])(struct fuzz_input *) = {
    open_endpoint, close_endpoint, set_local, push_any_frame,
    push_frame,    send_record,    scribble,  lie,
    turn,          change_policy,  watch,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	if (!clients.loop)
		begin();
	while (in.size)
		steps[fuzz_take(&in, 1) % (sizeof(steps) / sizeof(*steps))](&in);
	do
		turn(&in);
	while (moved);
	for (unsigned i = 0; i < CLIENTS; i++)
		party_reset(&parties[i]);
	watcher_reset();
	clients_set_policy(&clients, NULL);
	deaf = false;
	memset(&dp.relay.stats, 0, sizeof(dp.relay.stats));
	return 0;
}
