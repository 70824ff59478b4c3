/*
 * control_show.c - lists of relays, clients, endpoints and rules, a page at a time.
 *
 * A page is what one turn of the loop can spare; the cursor that leads to the next one outlives
 * whatever comes and goes between them.
 */
#include "daemon/control.h"

#include <stdio.h>

uint32_t control_count_endpoints(const struct control *control)
{
	uint32_t n = 0;
	for (unsigned i = 0; i < control->n_datapaths; i++)
		n += control->datapaths[i].n_endpoints;
	return n;
}

static void relay_info(struct datapath *dp, struct ecp_relay_info *info)
{
	struct relay *relay = &dp->relay;
	relay_stats_refresh(relay);
	datapath_show(dp); /* who reads on without asking finds no less */
	*info = (struct ecp_relay_info){
	    .mtu = relay->netif.mtu,
	    .up = relay->netif.up,
	    .clients = dp->n_channels,
	    .endpoints = dp->n_endpoints,
	    .stats = relay->stats,
	};
	snprintf(info->interface, sizeof(info->interface), "%s", relay->netif.name);
	snprintf(info->backend, sizeof(info->backend), "%s", relay->ops->name);
	memcpy(info->mac, relay->netif.mac, ECP_MAC_LEN);
}

static void page_relays(const struct control *control, uint64_t after,
			struct ecp_page *page)
{
	uint64_t at = after;
	for (; at < control->n_datapaths && page->n < ECP_PAGE_MAX; at++)
		relay_info(&control->datapaths[at], &page->relays[page->n++]);
	page->next = at;
	page->more = at < control->n_datapaths;
}

static void client_info(const struct client *client, struct ecp_client_info *info)
{
	const struct channel *ch = client->channel;
	*info = (struct ecp_client_info){
	    .id = client->id,
	    .pid = client->pid,
	    .uid = client->uid,
	    .gid = client->gid,
	    .denied = client->denied,
	};
	memcpy(info->comm, client->comm, sizeof(info->comm));
	if (!ch)
		return;
	info->stats = client_stats(client);
	snprintf(info->interface, sizeof(info->interface), "%s",
		 client->dp->relay.netif.name);
	info->endpoints = ch->n_endpoints;
	info->rx_ring = (uint32_t)ch->rx.size;
	info->rx_used = channel_rx_used(ch);
	info->tx_ring = (uint32_t)ch->tx.size;
}

/* The cursor is the number of the last client shown. */
static void page_clients(const struct control *control, uint64_t after,
			 struct ecp_page *page)
{
	struct client *client = client_after(&control->clients, (uint32_t)after);
	for (; client && page->n < ECP_PAGE_MAX; page->n++) {
		client_info(client, &page->clients[page->n]);
		page->next = client->id;
		client = client_after(&control->clients, client->id);
	}
	page->more = client != NULL;
}

static void endpoint_info(const struct client *client, const struct endpoint *ep,
			  struct ecp_endpoint_info *info)
{
	*info = (struct ecp_endpoint_info){
	    .client = client->id,
	    .id = ep->dest.id,
	    .kind = ep->kind,
	    .flags = ep->flags,
	    .l2 = endpoint_l2addr(ep),
	    .n_ethertypes = ep->n_ethertypes,
	    .local = endpoint_local(ep),
	    .stats = endpoint_stats(ep),
	};
	snprintf(info->interface, sizeof(info->interface), "%s",
		 client->dp->relay.netif.name);
	memcpy(info->ethertypes, ep->ethertypes,
	       ep->n_ethertypes * sizeof(*ep->ethertypes));
}

/*
 * The cursor is the client's number and the endpoint's to begin with.  24 bits for the second
 * (CONFIG_ENDPOINTS_MAX), so that the whole stays exact as a JSON number for years.
 */
#define CURSOR_SHIFT 24

static void page_endpoints(const struct control *control, uint64_t after,
			   struct ecp_page *page)
{
	uint32_t slot = after & ((1u << CURSOR_SHIFT) - 1);
	uint32_t owner = (uint32_t)(after >> CURSOR_SHIFT);
	struct client *client = client_after(&control->clients, owner ? owner - 1 : 0);
	for (; client; client = client_after(&control->clients, client->id)) {
		const struct channel *ch = client->channel;
		slot = client->id == owner ? slot : 0;
		for (; ch && slot < ch->n_slots; slot++) {
			if (!ch->slots[slot].endpoint)
				continue;
			if (page->n == ECP_PAGE_MAX) {
				page->more = true;
				page->next = (uint64_t)client->id << CURSOR_SHIFT | slot;
				return;
			}
			endpoint_info(client, ch->slots[slot].endpoint,
				      &page->endpoints[page->n++]);
		}
	}
}

/* The cursor counts rules.  A policy that is replaced meanwhile goes on with the new one's. */
static void page_policy(const struct control *control, uint64_t after,
			struct ecp_page *page)
{
	const struct policy *policy = control->clients.policy;
	const struct policy_rule *rule;
	uint64_t at = after;
	for (; page->n < ECP_PAGE_RULES && (rule = policy_rule_at(policy, at)); at++)
		policy_rule_info(rule, &page->rules[page->n++]);
	page->next = at;
	page->more = policy_rule_at(policy, at) != NULL;
}

void control_show(const struct control *control, const struct ecp_show_request *show,
		  struct ecp_page *page)
{
	page->what = show->what;
	page->n = 0;
	page->more = false;
	page->next = 0;
	switch (show->what) {
	case ECP_SHOW_RELAYS:
		page_relays(control, show->after, page);
		break;
	case ECP_SHOW_CLIENTS:
		page_clients(control, show->after, page);
		break;
	case ECP_SHOW_ENDPOINTS:
		page_endpoints(control, show->after, page);
		break;
	case ECP_SHOW_POLICY:
		page_policy(control, show->after, page);
		break;
	}
}
