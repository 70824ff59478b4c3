/*
 * client_capture.c - clients that look at the frames of all others.
 *
 * Such a connection has no channel of its own and no endpoints: what it sees would be its own
 * doing.
 */
#include "daemon/client.h"

static int judge_all(struct client *client, const struct datapath *dps, unsigned n,
		     uint32_t *ring, struct ecp_error *err)
{
	for (unsigned i = 0; i < n; i++)
		if (client_judge_capture(client, dps[i].relay.netif.name, ring, err) < 0) {
			client_denied(client, err);
			return err->code;
		}
	return client_check_ring("ring", *ring, err);
}

int client_capture(struct client *client, struct datapath *dps, unsigned n, uint32_t ring,
		   uint32_t snaplen, struct ecp_error *err)
{
	if (client->channel || client->capture)
		return ecp_error_set(err, -EALREADY, "this connection %s already",
				     client->capture ? "captures" : "is attached");
	if (judge_all(client, dps, n, &ring, err) < 0)
		return err->code;
	const uint64_t memory = 2 * (uint64_t)ECP_CHANNEL_PAGE + ring;
	if (client_take_memory(client, memory, err) < 0) {
		client_denied(client, err);
		return err->code;
	}
	int r = capture_new(&client->capture, ring, snaplen, client->all->session);
	if (r < 0) {
		client_give_memory(client, memory);
		return ecp_error_set(err, r, "cannot make the ring: %s", strerror(-r));
	}
	client->captured = dps;
	while (r == 0 && client->n_captured < n) {
		r = datapath_capture(&dps[client->n_captured], client->capture);
		client->n_captured += r == 0;
	}
	if (r == 0)
		return 0;
	client_capture_end(client);
	client_give_memory(client, memory);
	return ecp_error_set(err, r, "cannot capture: %s", strerror(-r));
}

void client_capture_end(struct client *client)
{
	for (unsigned i = 0; i < client->n_captured; i++)
		datapath_capture_stop(&client->captured[i], client->capture);
	capture_free(client->capture);
	client->capture = NULL;
	client->n_captured = 0;
}
