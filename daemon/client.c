/*
 * client.c - connected processes and what they own.
 */
#include "daemon/client.h"

#include "daemon/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- coming and going ---- */

static void client_identify(struct client *client)
{
	struct ucred cred = {0};
	socklen_t len = sizeof(cred);
	getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	client->pid = (uint32_t)cred.pid;
	client->uid = cred.uid;
	client->gid = cred.gid;

	/* a name for people only: the process may call itself what it likes */
	char path[32];
	snprintf(path, sizeof(path), "/proc/%u/comm", client->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t n = read(fd, client->comm, sizeof(client->comm) - 1);
	close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (client->comm[i] < ' ' || client->comm[i] > '~')
			client->comm[i] = i == n - 1 ? 0 : '?';
}

static void show_connected(const struct clients *all)
{
	ecp_count_set(&all->counters.head->connected, all->n);
	ecp_count_change(&all->counters.head->clients_changed);
}

struct client *client_new(struct clients *all, int fd, loop_fn *on_request)
{
	if (all->n == all->max)
		return NULL;
	struct client *client = calloc(1, sizeof(*client));
	if (!client)
		return NULL;
	if (loop_fd_start(all->loop, &client->request, fd, on_request, client) < 0) {
		free(client);
		return NULL;
	}
	client->all = all;
	client->fd = fd;
	client->pool = (struct ecp_pool)ECP_POOL(struct endpoint);
	client_identify(client);
	if (client_join(client) < 0) {
		loop_fd_stop(all->loop, &client->request);
		free(client);
		return NULL;
	}
	client->id = ++all->last_id;
	client->next = all->first;
	if (all->first)
		all->first->prev = client;
	all->first = client;
	all->n++;
	show_connected(all);
	return client;
}

/* ---- memory ---- */

/*
 * An endpoint with its counters and its places in the channel and in the tables, which double as they
 * fill.
 */
#define ENDPOINT_MEMORY                                                                    \
	(sizeof(struct endpoint) + sizeof(struct ecp_endpoint_rx) +                        \
	 sizeof(struct ecp_endpoint_tx) + 128)

int client_take_memory(struct client *client, uint64_t bytes, struct ecp_error *err)
{
	struct clients *all = client->all;
	if (all->max_memory && all->memory + bytes > all->max_memory)
		return ecp_error_set(err, -EDQUOT,
				     "no memory for clients is left: \"max_memory_mib\" is "
				     "%" PRIu64 ", and they have %" PRIu64 " KiB",
				     all->max_memory >> 20, all->memory >> 10);
	all->memory += bytes;
	client->memory += bytes;
	return 0;
}

void client_give_memory(struct client *client, uint64_t bytes)
{
	client->all->memory -= bytes;
	client->memory -= bytes;
}

/* Those that are closed stay in the pool. */
static int take_endpoint_memory(struct client *client, struct ecp_error *err)
{
	if (client->channel->n_endpoints < client->charged)
		return 0;
	int r = client_take_memory(client, ENDPOINT_MEMORY, err);
	client->charged += r == 0;
	return r;
}

/* One of the table's multicast groups, with a member and its place. */
#define GROUP_MEMORY 128

/* Its groups may all be its own. */
static uint64_t groups_memory(const struct endpoint *ep)
{
	return endpoint_table_n_groups(ep) * GROUP_MEMORY;
}

/* ---- ends ---- */

enum end {
	END_ITSELF,  /* nobody reads any more */
	END_BROKEN,  /* it may not */
	END_OBEYING, /* it reads what is there, and goes elsewhere */
};

/*
 * What it had sent before it ended goes out; with its endpoints closed, what is beyond that is
 * counted.  UDP endpoints go with the L2 endpoint beneath them, so whatever order the numbers
 * are in nothing is left standing on nothing.
 */
static void client_detach(struct client *client, enum end end)
{
	struct channel *ch = client->channel;
	datapath_tx_last(client->dp, ch);
	for (uint32_t id = 0; id < ch->n_slots; id++)
		client_close(client, id);
	/* bounded: its memory may outlive its socket in a process that goes on writing */
	uint64_t most = ch->tx.size / (sizeof(struct ecp_record) * RELAY_BURST);
	for (uint64_t n = 0; n < most && channel_tx_refresh(ch); n++)
		datapath_tx_last(client->dp, ch);
	loop_fd_stop(client->all->loop, &client->bell);
	datapath_detach(client->dp, ch);
	counters_give_client(&client->all->counters, ch->counters);
	if (end != END_OBEYING)
		channel_give_back(ch, end == END_ITSELF);
	channel_free(ch);
}

void client_tell(const struct client *client, struct ecp_event *event)
{
	const struct datapath *dp = client->dp;
	if (client->n_captured == 1)
		dp = client->captured;
	event->client = client->id;
	event->pid = client->pid;
	event->uid = client->uid;
	memcpy(event->comm, client->comm, sizeof(event->comm));
	if (dp)
		snprintf(event->interface, sizeof(event->interface), "%s",
			 dp->relay.netif.name);
	monitors_tell(&client->all->monitors, event);
}

/* Those who only asked something are no news. */
static void tell_gone(const struct client *client, const char *why)
{
	struct ecp_event event = {.type = ECP_EVENT_GONE};
	if (!client->channel && !client->capture)
		return;
	event.n = client->channel ? client->channel->n_endpoints : 0;
	snprintf(event.text, sizeof(event.text), "%s", why);
	client_tell(client, &event);
}

static void client_finish(struct client *client, enum end end, const char *why)
{
	struct clients *all = client->all;
	monitors_remove(&all->monitors, &client->monitor);
	tell_gone(client, why);
	log_debug("client %u (pid %u, %s) is gone", client->id, client->pid, client->comm);
	if (client->channel)
		client_detach(client, end);
	if (client->capture && end != END_OBEYING)
		channel_give_back(client->capture->channel, end == END_ITSELF);
	if (client->capture)
		client_capture_end(client);
	client_give_memory(client, client->memory);
	loop_fd_stop(all->loop, &client->request);
	close(client->fd);
	if (client->prev)
		client->prev->next = client->next;
	else
		all->first = client->next;
	if (client->next)
		client->next->prev = client->prev;
	all->n--;
	all->counters.readers -= client->reads_counters;
	show_connected(all);
	ecp_pool_fini(&client->pool);
	free(client->gids);
	free(client);
}

void client_free(struct client *client)
{
	client_finish(client, END_ITSELF, "it has closed the connection");
}

void client_leave(struct client *client)
{
	client_finish(client, END_OBEYING, "the daemon ends");
}

static void end_for_good(struct client *client, enum end end, const char *why)
{
	if (client->channel)
		channel_set_state(client->channel, ECP_CHANNEL_ENDED);
	client_finish(client, end, why);
}

void client_end(struct client *client, const char *why)
{
	end_for_good(client, END_BROKEN, why);
}

void client_kill(struct client *client)
{
	end_for_good(client, END_OBEYING, "an operator has ended it");
}

struct client *client_after(const struct clients *all, uint32_t id)
{
	struct client *best = NULL;
	for (struct client *c = all->first; c; c = c->next)
		if (c->id > id && (!best || c->id < best->id))
			best = c;
	return best;
}

struct ecp_endpoint_stats client_stats(const struct client *client)
{
	static const struct ecp_endpoint_stats none;
	return client->channel ? ecp_client_row_read(client->channel->counters) : none;
}

void client_read_counters(struct client *client)
{
	client->all->counters.readers++;
	client->reads_counters = true;
}

/* ---- the channel ---- */

static void client_bell(void *arg)
{
	struct client *client = arg;
	char bytes[256];
	/* bounded: a client that fills its bell pipe gets no more of our time for it */
	ssize_t n = read(client->channel->bell_tx, bytes, sizeof(bytes));
	if (n ==
	    0) /* it has closed its end: it will not ring again, but its socket decides */
		loop_fd_stop(client->all->loop, &client->bell);
	datapath_wake(client->dp, client->channel);
}

int client_check_ring(const char *which, uint32_t size, struct ecp_error *err)
{
	if (ecp_ring_size_ok(size))
		return 0;
	return ecp_error_set(err, -EINVAL,
			     "%s of %u bytes: must be a power of two from %u to %u", which,
			     size, ECP_RING_MIN, ECP_RING_MAX);
}

int client_attach(struct client *client, struct datapath *dp, uint32_t rx_ring,
		  uint32_t tx_ring, struct ecp_error *err)
{
	struct clients *all = client->all;
	if (client->channel)
		return ecp_error_set(err, -EALREADY,
				     "this connection is attached to %s already",
				     client->dp->relay.netif.name);
	if (client_judge_attach(client, dp->relay.netif.name, &rx_ring, &tx_ring, err) <
	    0) {
		client_denied(client, err);
		return err->code;
	}
	if (client_check_ring("rx_ring", rx_ring, err) < 0 ||
	    client_check_ring("tx_ring", tx_ring, err) < 0)
		return err->code;

	if (client->capture)
		return ecp_error_set(err, -EALREADY, "this connection captures");
	struct channel *ch;
	uint64_t memory = 2 * (uint64_t)ECP_CHANNEL_PAGE + rx_ring + tx_ring;
	if (client_take_memory(client, memory, err) < 0) {
		client_denied(client, err);
		return err->code;
	}
	int r = channel_new(&ch, rx_ring, tx_ring, all->max_endpoints, all->session);
	if (r < 0) {
		client_give_memory(client, memory);
		return ecp_error_set(err, r, "cannot make the rings: %s", strerror(-r));
	}
	r = loop_fd_start(all->loop, &client->bell, ch->bell_tx, client_bell, client);
	if (r == 0) {
		ch->chunks = all->counters.chunks;
		ch->counters = counters_take_client(&all->counters, client->id);
		r = ch->counters ? datapath_attach(dp, ch) : -ENOSPC;
	}
	if (r < 0) {
		loop_fd_stop(all->loop, &client->bell);
		if (ch->counters)
			counters_give_client(&all->counters, ch->counters);
		channel_free(ch);
		client_give_memory(client, memory);
		return ecp_error_set(err, r, "cannot attach to %s: %s",
				     dp->relay.netif.name, strerror(-r));
	}
	ch->owner = (struct channel_owner){client->id, client->pid, client->uid};
	memcpy(ch->owner.comm, client->comm, sizeof(ch->owner.comm));
	ecp_count_set(&ch->counters->denied, client->denied);
	client->channel = ch;
	client->dp = dp;
	client_apply_limits(client);
	channel_set_link(ch, dp->relay.netif.up, dp->relay.netif.mtu, dp->relay.netif.mac);
	return 0;
}

static void endpoint_fit(struct endpoint *ep, uint32_t mtu)
{
	const struct ecp_l2addr addr = endpoint_l2addr(ep);
	ep->payload_max = ecp_payload_max(mtu, addr.vlans, addr.n_vlans);
}

static void client_link_changed(struct client *client)
{
	const struct netif *netif = &client->dp->relay.netif;
	struct channel *ch = client->channel;
	for (uint32_t id = 0; id < ch->n_slots; id++) {
		struct endpoint *ep = ch->slots[id].endpoint;
		if (ep)
			endpoint_fit(ep, netif->mtu);
	}
	channel_set_link(ch, netif->up, netif->mtu, netif->mac);
}

void clients_link_changed(struct clients *all, const struct datapath *dp)
{
	for (struct client *c = all->first; c; c = c->next)
		if (c->dp == dp && c->channel)
			client_link_changed(c);
	ecp_count_change(&all->counters.head->clients_changed);
}

/* ---- endpoints ---- */

unsigned client_ethertypes(const struct ecp_open_item *item, const uint16_t **types)
{
	static const uint16_t fallback[] = {ECP_ETHERTYPE_IPV4, ECP_ETHERTYPE_IPV6};
	*types = item->n_ethertypes ? item->ethertypes : fallback;
	return item->n_ethertypes ? item->n_ethertypes : 2;
}

static void endpoint_set_ethertypes(struct endpoint *ep, const struct ecp_open_item *item)
{
	const uint16_t *types;
	ep->n_ethertypes = (uint8_t)client_ethertypes(item, &types);
	memcpy(ep->ethertypes, types, ep->n_ethertypes * sizeof(*types));
}

static int fill_l2(struct client *client, struct endpoint *ep,
		   const struct ecp_open_item *item, struct ecp_error *err)
{
	const struct policy_rule *rule;
	endpoint_set_l2addr(ep, &item->l2);
	endpoint_set_ethertypes(ep, item);
	if (client_judge(client, ep, NULL, &rule, err) < 0 ||
	    client_judge_number(client, rule, err) < 0)
		return err->code;
	endpoint_fit(ep, client->dp->relay.netif.mtu);
	ep->sending = policy_sending(rule);
	policy_hold(policy_of(ep->sending));
	return 0;
}

/* The L2 endpoint that a UDP endpoint is to stand on. */
static struct endpoint *find_l2(struct client *client, const struct ecp_open_item *item,
				const struct ecp_opened *earlier, struct ecp_error *err)
{
	const struct channel *ch = client->channel;
	uint32_t id = item->on;
	if (item->on_item) {
		if (item->on >= earlier->n || earlier->items[item->on].error.code) {
			ecp_error_set(err, -ENOENT,
				      "item %u, which it stands on, is not open", item->on);
			return NULL;
		}
		id = earlier->items[item->on].id;
	}
	struct endpoint *l2 = id < ch->n_slots ? ch->slots[id].endpoint : NULL;
	if (!l2 || l2->kind != ECP_KIND_L2) {
		ecp_error_set(err, -ENOENT, "%u is no open L2 endpoint", id);
		return NULL;
	}
	return l2;
}

static int fill_udp(struct client *client, struct endpoint *ep,
		    const struct ecp_open_item *item, const struct ecp_opened *earlier,
		    struct ecp_error *err)
{
	struct endpoint *l2 = find_l2(client, item, earlier, err);
	const struct policy_rule *rule;
	if (!l2 || client_judge(client, l2, &item->local, &rule, err) < 0 ||
	    client_judge_number(client, rule, err) < 0)
		return err->code;
	ep->l2 = l2;
	ep->key = l2->key;
	ep->header_len = l2->header_len;
	memcpy(ep->source, l2->source, sizeof(ep->source));
	ep->payload_max = l2->payload_max;
	ep->local = item->local;
	return 0;
}

/* What someone who asks in vain may know of who has it: all, if they are the same user. */
static int say_taken(const struct client *asker, const char *what,
		     const struct endpoint *holder, struct ecp_error *err)
{
	const struct channel_owner *h = &holder->channel->owner;
	if (holder->channel == asker->channel)
		return ecp_error_set(err, -EADDRINUSE, "%s is taken by this client already",
				     what);
	if (asker->uid == h->uid || asker->uid == 0)
		return ecp_error_set(err, -EADDRINUSE, "%s is taken by pid %u (%s)", what,
				     h->pid, h->comm);
	return ecp_error_set(err, -EADDRINUSE, "%s is taken by another user's client",
			     what);
}

/* What the kernel is to let pass for ep; a UDP endpoint lives of the one beneath. */
static struct kernel_claim kernel_claim_of(const struct endpoint *ep)
{
	return (struct kernel_claim){
	    .key = ep->key,
	    .multicast = ep->flags & ECP_EP_MULTICAST,
	    .multicast_any = ep->flags & ECP_EP_MULTICAST_ANY,
	    .everything = ep->flags & (ECP_EP_DEFAULT | ECP_EP_MIRROR),
	};
}

static int endpoint_claim(struct client *client, struct endpoint *ep, struct ecp_error *err)
{
	struct endpoint *holder;
	char l2[ECP_L2ADDR_TEXT], local[ECP_ADDR_TEXT];
	char what[sizeof(l2) + sizeof(local) + 8];
	int r = endpoint_table_insert(client->dp->table, ep, &holder);
	if (r == 0) {
		const struct kernel_claim claim = kernel_claim_of(ep);
		if (ep->kind == ECP_KIND_L2)
			relay_claim_add(&client->dp->relay, &claim);
		return 0;
	}
	const struct ecp_l2addr addr = endpoint_l2addr(ep);
	ecp_l2addr_format(&addr, l2);
	if (r == -EUSERS)
		return ecp_error_set(err, r, "%u endpoints are on %s, and no more may be",
				     ENDPOINT_TABLE_SHARERS, l2);
	if (r != -EADDRINUSE)
		return ecp_error_set(err, r, "cannot claim: %s", strerror(-r));
	if (ep->kind == ECP_KIND_L2)
		snprintf(what, sizeof(what), "%s", l2);
	else
		snprintf(what, sizeof(what), "UDP %s on %s",
			 ecp_addr_format(&ep->local, local), l2);
	return say_taken(client, what, holder, err);
}

/* Which requested flags mean something for a kind of endpoint. */
static unsigned flags_of(enum ecp_endpoint_kind kind)
{
	return kind == ECP_KIND_L2 ? ECP_EP_MULTICAST | ECP_EP_MULTICAST_ANY |
					 ECP_EP_SHARE | ECP_EP_DEFAULT | ECP_EP_MIRROR
				   : ECP_EP_ACCEPT_ANY;
}

/* So many more or less are there. */
static void count_endpoints(const struct client *client, int change)
{
	struct datapath *dp = client->dp;
	dp->n_endpoints += (uint32_t)change;
	ecp_count_set(&client->channel->counters->endpoints, client->channel->n_endpoints);
	if (dp->row)
		ecp_count_set(&dp->row->endpoints, dp->n_endpoints);
}

static void endpoint_free(struct client *client, struct endpoint *ep)
{
	policy_put(policy_of(ep->sending));
	ecp_pool_put(&client->pool, ep);
}

int client_open(struct client *client, const struct ecp_open_item *item,
		const struct ecp_opened *earlier, struct ecp_opened_item *ret)
{
	struct ecp_error *err = &ret->error;
	struct channel *ch = client->channel;
	err->code = 0;
	if (!ch)
		return ecp_error_set(err, -ENOTCONN, "attach to an interface first");
	if (take_endpoint_memory(client, err) < 0) {
		client_denied(client, err);
		return err->code;
	}
	struct endpoint *ep = ecp_pool_get(&client->pool);
	if (!ep)
		return ecp_error_set(err, -ENOMEM, "out of memory");
	ep->channel = ch;
	ep->kind = (uint8_t)item->kind;
	ep->flags = (uint8_t)(item->flags & flags_of(item->kind));

	int r = item->kind == ECP_KIND_L2 ? fill_l2(client, ep, item, err)
					  : fill_udp(client, ep, item, earlier, err);
	if (r == 0)
		r = client_take_memory(client, groups_memory(ep), err);
	if (r < 0)
		goto fail;
	r = channel_slot_take(ch, ep, item->depth, &ep->dest);
	if (r < 0) {
		ecp_error_set(err, r, "a client may have %u endpoints", ch->max_slots);
		goto fail_memory;
	}
	r = counters_take_endpoint(&client->all->counters, client->id, ep->dest.id,
				   &ep->row);
	if (r < 0) {
		ecp_error_set(err, r, "no counters are left: %s", strerror(-r));
		goto fail_slot;
	}
	ep->rx = counters_rx(&client->all->counters, ep->row);
	r = endpoint_claim(client, ep, err);
	if (r < 0)
		goto fail_counters;
	count_endpoints(client, 1);
	ret->id = ep->dest.id;
	ret->generation = ep->dest.generation;
	ret->payload_max = ep->payload_max;
	return 0;
fail_counters:
	counters_give_endpoint(&client->all->counters, ep->row);
fail_slot:
	channel_slot_give(ch, ep->dest.id);
fail_memory:
	client_give_memory(client, groups_memory(ep));
fail:
	client_denied(client, err);
	endpoint_free(client, ep);
	return r;
}

static void endpoint_close(struct client *client, struct endpoint *ep)
{
	const struct kernel_claim claim = kernel_claim_of(ep);
	if (ep->kind == ECP_KIND_L2)
		relay_claim_remove(&client->dp->relay, &claim);
	endpoint_table_remove(client->dp->table, ep);
	channel_slot_give(client->channel, ep->dest.id);
	counters_give_endpoint(&client->all->counters, ep->row);
	count_endpoints(client, -1);
	client_give_memory(client, groups_memory(ep));
	endpoint_free(client, ep);
}

bool client_close(struct client *client, uint32_t id)
{
	struct channel *ch = client->channel;
	struct endpoint *child, *next;
	struct endpoint *ep = ch && id < ch->n_slots ? ch->slots[id].endpoint : NULL;
	if (!ep)
		return false;
	next = ep->kind == ECP_KIND_L2 ? endpoint_table_child(ep, NULL) : NULL;
	while ((child = next)) {
		next = endpoint_table_child(ep, child);
		endpoint_close(client, child);
	}
	endpoint_close(client, ep);
	return true;
}

int client_set_local(struct client *client, uint32_t id, const struct ecp_addr *local,
		     struct ecp_error *err)
{
	const struct channel *ch = client->channel;
	struct endpoint *ep = ch && id < ch->n_slots ? ch->slots[id].endpoint : NULL;
	if (!ep || ep->kind != ECP_KIND_UDP)
		return ecp_error_set(err, -ENOENT, "%u is no open UDP endpoint", id);
	const struct policy_rule *rule;
	struct endpoint *holder;
	if (client_judge(client, ep->l2, local, &rule, err) < 0) {
		client_denied(client, err);
		return err->code;
	}
	int r = endpoint_table_set_local(client->dp->table, ep, local, &holder);
	if (r == 0) {
		ecp_count_change(&client->all->counters.head->endpoints_changed);
		return 0;
	}
	char text[ECP_ADDR_TEXT];
	ecp_addr_format(local, text);
	if (r == -EADDRINUSE)
		return say_taken(client, text, holder, err);
	return ecp_error_set(err, r, "cannot take %s: %s", text, strerror(-r));
}
