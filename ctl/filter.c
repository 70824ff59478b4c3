/*
 * filter.c - KEY VALUE pairs, and what of a page matches them.
 */
#include "ctl/filter.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum key { MAC, VLAN, IP, PORT, CLIENT, PID, UID, COMM, INTERFACE };

const char *const filter_keys[] = {
    [MAC] = "mac",
    [VLAN] = "vlan",
    [IP] = "ip",
    [PORT] = "port",
    [CLIENT] = "client",
    [PID] = "pid",
    [UID] = "uid",
    [COMM] = "comm",
    [INTERFACE] = "interface",
    NULL,
};

#define BIT(key)     (1u << (key))
#define OF_ENDPOINTS (BIT(MAC) | BIT(VLAN) | BIT(IP) | BIT(PORT))
#define OF_CLIENTS   (BIT(PID) | BIT(UID) | BIT(COMM))

bool filter_is_of_clients(const struct filter *filter)
{
	return filter->keys & (OF_CLIENTS | BIT(CLIENT));
}

bool filter_is_of_endpoints(const struct filter *filter)
{
	return filter->keys & OF_ENDPOINTS;
}

bool filter_has_port(const struct filter *filter)
{
	return filter->keys & BIT(PORT);
}

/* ---- parsing ---- */

static bool parse_u32(const char *value, uint32_t *ret)
{
	uint64_t number;
	if (!ctl_number(value, UINT32_MAX, &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool parse_vlans(struct filter *filter, const char *value)
{
	int n = strcmp(value, "none") ? ecp_vlans_parse(value, filter->vlans) : 0;
	if (n < 0 || !*value)
		return false;
	filter->n_vlans = (unsigned)n;
	return true;
}

static bool parse_ip(struct ecp_addr *address, const char *value)
{
	address->family = strchr(value, ':') ? 6 : 4;
	return inet_pton(address->family == 6 ? AF_INET6 : AF_INET, value, address->ip) ==
	       1;
}

static bool parse_port(struct ecp_addr *address, const char *value)
{
	uint64_t number;
	if (!ctl_number(value, UINT16_MAX, &number))
		return false;
	address->port = (uint16_t)number;
	return true;
}

static bool parse_value(struct filter *filter, enum key key, const char *value)
{
	switch (key) {
	case MAC:
		return ecp_mac_parse(value, filter->mac) == 0;
	case VLAN:
		return parse_vlans(filter, value);
	case IP:
		return parse_ip(&filter->address, value);
	case PORT:
		return parse_port(&filter->address, value);
	case CLIENT:
		return parse_u32(value, &filter->client);
	case PID:
		return parse_u32(value, &filter->pid);
	case UID:
		return parse_u32(value, &filter->uid);
	case COMM:
		filter->comm = value;
		return true;
	case INTERFACE:
		filter->interface = value;
		return true;
	}
	return false;
}

enum ctl_exit filter_parse(struct filter *filter, int argc, char **argv)
{
	*filter = (struct filter){0};
	for (int i = 0; i < argc; i += 2) {
		int key = ctl_word(filter_keys, argv[i]);
		if (key < 0)
			return CTL_USAGE;
		if (i + 1 == argc)
			return ctl_complain(CTL_USAGE, "%s of what?", filter_keys[key]);
		if (filter->keys & BIT(key))
			return ctl_complain(CTL_USAGE, "%s is given twice",
					    filter_keys[key]);
		if (!parse_value(filter, (enum key)key, argv[i + 1]))
			return ctl_complain(CTL_USAGE, "\"%s\" is no %s", argv[i + 1],
					    filter_keys[key]);
		filter->keys |= BIT(key);
	}
	return CTL_OK;
}

static bool is_key(const char *word)
{
	for (unsigned i = 0; filter_keys[i]; i++)
		if (!strcmp(filter_keys[i], word))
			return true;
	return false;
}

int filter_count_words(int argc, char **argv)
{
	int n = 0;
	while (n + 1 < argc && is_key(argv[n]))
		n += 2;
	return n;
}

/* ---- matching ---- */

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static bool id_is_joined(const struct filter *filter, uint32_t id)
{
	return !filter->joined || (filter->n_ids && bsearch(&id, filter->ids, filter->n_ids,
							    sizeof(id), compare_ids));
}

static bool interface_matches(const struct filter *filter, const char *interface)
{
	return !(filter->keys & BIT(INTERFACE)) || !strcmp(filter->interface, interface);
}

static bool client_matches(const struct filter *filter, const struct ecp_client_info *c)
{
	unsigned keys = filter->keys;
	return interface_matches(filter, c->interface) &&
	       !(keys & BIT(CLIENT) && c->id != filter->client) &&
	       !(keys & BIT(PID) && c->pid != filter->pid) &&
	       !(keys & BIT(UID) && c->uid != filter->uid) &&
	       !(keys & BIT(COMM) && fnmatch(filter->comm, c->comm, 0)) &&
	       id_is_joined(filter, c->id);
}

/* The tags begin with these, outermost first; without any there must be none. */
static bool vlans_match(const struct filter *filter, const struct ecp_l2addr *l2)
{
	if (l2->n_vlans < filter->n_vlans || (!filter->n_vlans && l2->n_vlans))
		return false;
	for (unsigned i = 0; i < filter->n_vlans; i++)
		if (l2->vlans[i].id != filter->vlans[i].id)
			return false;
	return true;
}

static bool address_matches(const struct filter *filter, const struct ecp_addr *local)
{
	const struct ecp_addr *asked = &filter->address;
	if (filter->keys & (BIT(IP) | BIT(PORT)) && !local->family)
		return false;
	if (filter->keys & BIT(IP) &&
	    (local->family != asked->family ||
	     memcmp(local->ip, asked->ip, local->family == 6 ? 16 : 4) != 0))
		return false;
	return !(filter->keys & BIT(PORT)) || local->port == asked->port;
}

static bool endpoint_matches(const struct filter *filter, const struct ecp_endpoint_info *e)
{
	unsigned keys = filter->keys;
	return interface_matches(filter, e->interface) &&
	       !(keys & BIT(CLIENT) && e->client != filter->client) &&
	       !(keys & BIT(MAC) && memcmp(e->l2.mac, filter->mac, ECP_MAC_LEN) != 0) &&
	       !(keys & BIT(VLAN) && !vlans_match(filter, &e->l2)) &&
	       address_matches(filter, &e->local) && id_is_joined(filter, e->client);
}

void filter_page(const struct filter *filter, struct ecp_page *page)
{
	unsigned n = 0;
	for (unsigned i = 0; i < page->n; i++) {
		switch (page->what) {
		case ECP_SHOW_RELAYS:
			if (interface_matches(filter, page->relays[i].interface))
				page->relays[n++] = page->relays[i];
			break;
		case ECP_SHOW_CLIENTS:
			if (client_matches(filter, &page->clients[i]))
				page->clients[n++] = page->clients[i];
			break;
		case ECP_SHOW_ENDPOINTS:
			if (endpoint_matches(filter, &page->endpoints[i]))
				page->endpoints[n++] = page->endpoints[i];
			break;
		case ECP_SHOW_POLICY: /* rules are for whoever comes, not for these */
			n++;
			break;
		}
	}
	page->n = n;
}

static struct ecp_l2addr l2_of(const struct ecp_capture_aux *aux)
{
	struct ecp_l2addr l2 = {.n_vlans = aux->n_vlans > ECP_VLANS_MAX ? ECP_VLANS_MAX
									: aux->n_vlans};
	memcpy(l2.mac, aux->mac, ECP_MAC_LEN);
	for (unsigned i = 0; i < l2.n_vlans; i++)
		l2.vlans[i].id = aux->vlan[i];
	return l2;
}

bool filter_frame(const struct filter *filter, const struct ecp_capture_aux *aux,
		  const struct ecp_l2addr *own)
{
	bool endpoint = aux->flags & ECP_CAPTURE_ENDPOINT;
	struct ecp_client_info c = {.id = aux->client, .pid = aux->pid, .uid = aux->uid};
	struct ecp_endpoint_info e = {
	    .client = aux->client,
	    .l2 = endpoint ? l2_of(aux) : *own,
	    .local = {.family = aux->family, .port = aux->port},
	};
	if (!aux->client && filter_is_of_clients(filter))
		return false;
	memcpy(c.comm, aux->comm, sizeof(c.comm));
	memcpy(c.interface, aux->interface, sizeof(c.interface));
	memcpy(e.interface, aux->interface, sizeof(e.interface));
	memcpy(e.local.ip, aux->ip, sizeof(e.local.ip));
	return client_matches(filter, &c) && endpoint_matches(filter, &e);
}

/* ---- the other list ---- */

static void add_id(struct filter *filter, uint32_t id)
{
	if (filter->n_ids && filter->ids[filter->n_ids - 1] == id)
		return; /* an endpoint of the same client */
	if (filter->n_ids == filter->room) {
		filter->room = filter->room ? 2 * filter->room : 64;
		uint32_t *ids = realloc(filter->ids, filter->room * sizeof(*ids));
		if (!ids)
			abort();
		filter->ids = ids;
	}
	filter->ids[filter->n_ids++] = id;
}

static void keep_ids(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	(void)first;
	for (unsigned i = 0; i < page->n; i++)
		add_id(ctl->filter, page->what == ECP_SHOW_CLIENTS
					? page->clients[i].id
					: page->endpoints[i].client);
}

enum ctl_exit filter_begin(struct ctl *ctl, struct filter *filter, enum ecp_show what)
{
	enum ctl_exit code = CTL_OK;
	ctl->filter = filter;
	bool join = (what == ECP_SHOW_CLIENTS && filter->keys & OF_ENDPOINTS) ||
		    (what == ECP_SHOW_ENDPOINTS && filter->keys & OF_CLIENTS);
	if (!join)
		return CTL_OK;
	code =
	    ctl_pages(ctl, what == ECP_SHOW_CLIENTS ? ECP_SHOW_ENDPOINTS : ECP_SHOW_CLIENTS,
		      keep_ids);
	if (filter->n_ids)
		qsort(filter->ids, filter->n_ids, sizeof(*filter->ids), compare_ids);
	filter->joined = true;
	return code;
}

void filter_end(struct ctl *ctl, struct filter *filter)
{
	free(filter->ids);
	filter->ids = NULL;
	filter->n_ids = filter->room = 0;
	filter->joined = false;
	ctl->filter = NULL;
}
