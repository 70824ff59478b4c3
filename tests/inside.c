/*
 * inside.c - what main.c, daemon.c and control.c make of relays, clients and their requests, as
 * far as a datapath needs it.
 */
#include "tests/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct datapath dp;
struct clients clients;

static void must(bool good, const char *text)
{
	if (good)
		return;
	fprintf(stderr, "inside: %s\n", text);
	abort();
}

void inside_start(uint32_t max_clients, uint32_t max_endpoints)
{
	char text[200] = "";
	const struct relay_config config = {.interface = RELAY_MEMORY_NAME};
	must(relay_open_ops(&dp.relay, &relay_memory_ops, &config, text, sizeof(text)) == 0,
	     text);
	must(datapath_start(&dp, max_clients) == 0, "no datapath");
	clients = (struct clients){
	    .loop = loop_new(), .max = max_clients, .max_endpoints = max_endpoints};
	must(clients.loop, "no loop");
	must(counters_open(&clients.counters, 1, max_clients, max_endpoints) == 0,
	     "no counters");
}

void inside_stop(void)
{
	while (clients.first)
		client_free(clients.first);
	datapath_stop(&dp);
	loop_free(clients.loop);
	counters_close(&clients.counters);
	policy_put(clients.policy);
}

static void ignore(void *arg)
{
	(void)arg;
}

struct client *inside_client(int *far_end)
{
	int ends[2];
	must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "no socket");
	struct client *client = client_new(&clients, ends[0], ignore);
	must(client, "no client");
	*far_end = ends[1];
	return client;
}

void inside_attach(struct client *client, struct peer *peer, uint32_t rx_ring,
		   uint32_t tx_ring)
{
	struct ecp_error err = {0};
	must(client_attach(client, &dp, rx_ring, tx_ring, &err) == 0, err.text);
	peer_open(peer, client->channel);
}

struct endpoint *open_item(struct client *client, struct ecp_open_item item)
{
	static const struct ecp_opened earlier;
	struct ecp_opened_item ret;
	int r = client_open(client, &item, &earlier, &ret);
	must(r == 0, ret.error.text);
	return client->channel->slots[ret.id].endpoint;
}

struct endpoint *open_l2(struct client *client, const char *addr, unsigned flags)
{
	struct ecp_open_item item = {.kind = ECP_KIND_L2, .flags = flags};
	must(ecp_l2addr_parse(addr, &item.l2) == 0, addr);
	return open_item(client, item);
}

struct endpoint *open_udp(struct client *client, const struct endpoint *l2,
			  const char *local, unsigned flags)
{
	struct ecp_open_item item = {
	    .kind = ECP_KIND_UDP, .on = l2->dest.id, .flags = flags};
	must(ecp_addr_parse(local, &item.local) == 0, local);
	return open_item(client, item);
}

void set_policy(const char *rest)
{
	struct policy *policy;
	struct ecp_error err = {0};
	char text[300];
	int len = snprintf(text, sizeof(text), "{\"rules\":[{\"users\":[\"%u\"]%s}]}",
			   getuid(), rest);
	must(policy_parse(&policy, text, (size_t)len, &err) == 0, err.text);
	clients_set_policy(&clients, policy);
}
