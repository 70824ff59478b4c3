/*
 * control_monitor.c - what happens, told to those who ask for it.
 */
#include "daemon/control.h"

#include <stdio.h>
#include <unistd.h>

int control_check_operator(const struct client *client, const char *what,
			   struct ecp_error *err)
{
	const struct control *control = client->control;
	if (client->uid == 0 || client->uid == control->clients.uid)
		return 0;
	return ecp_error_set(err, -EPERM, "%s is for root", what);
}

/* ---- interfaces ---- */

static void tell_interface(struct control *control, const struct relay *relay)
{
	struct ecp_event event = {.type = ECP_EVENT_INTERFACE, .up = relay->netif.up};
	snprintf(event.interface, sizeof(event.interface), "%s", relay->netif.name);
	monitors_tell(&control->clients.monitors, &event);
}

void control_look_at_interfaces(struct control *control)
{
	for (unsigned i = 0; i < control->n_datapaths; i++) {
		struct relay *relay = &control->datapaths[i].relay;
		const bool was_up = relay->netif.up;
		if (!relay_look(relay))
			continue;
		clients_link_changed(&control->clients, &control->datapaths[i]);
		if (relay->netif.up != was_up)
			tell_interface(control, relay);
	}
}

void control_tick(struct control *control)
{
	control_tick_counters(control);
	monitors_tick(&control->clients.monitors);
}

int control_serve_monitor(struct control *control, struct client *client,
			  struct ecp_reply *reply, struct ecp_error *err)
{
	if (control_check_operator(client, "watching all clients", err) < 0)
		return err->code;
	monitors_add(&control->clients.monitors, &client->monitor, client->fd);
	reply->type = ECP_REP_DONE;
	return 0;
}

/* ---- requests ---- */

static const struct endpoint *first_opened(const struct client *client,
					   const struct ecp_opened *opened)
{
	for (unsigned i = 0; i < opened->n; i++)
		if (!opened->items[i].error.code)
			return client->channel->slots[opened->items[i].id].endpoint;
	return NULL;
}

static void tell_opened(const struct client *client, const struct ecp_opened *opened)
{
	char l2[ECP_L2ADDR_TEXT], local[ECP_ADDR_TEXT];
	struct ecp_event event = {.type = ECP_EVENT_OPENED};
	for (unsigned i = 0; i < opened->n; i++)
		event.failed += opened->items[i].error.code != 0;
	event.n = opened->n - event.failed;
	const struct endpoint *first = first_opened(client, opened);
	if (first) {
		const struct ecp_l2addr where = endpoint_l2addr(first);
		bool udp = first->kind == ECP_KIND_UDP;
		snprintf(event.text, sizeof(event.text), "%s%s%s",
			 ecp_l2addr_format(&where, l2), udp ? " " : "",
			 udp ? ecp_addr_format(&first->local, local) : "");
	}
	client_tell(client, &event);
}

static void tell_denied(struct client *client)
{
	struct ecp_event event = {
	    .type = ECP_EVENT_DENIED,
	    .n = client->denied - client->denied_told,
	    .code = client->denial.code,
	};
	memcpy(event.text, client->denial.text, sizeof(event.text));
	client->denial.code = 0;
	client->denied_told = client->denied;
	client_tell(client, &event);
}

void control_tell_request(const struct control *control, struct client *client)
{
	const struct ecp_reply *reply = &control->reply;
	struct ecp_event event = {.type = ECP_EVENT_CLOSED};
	if (client->denial.code)
		tell_denied(client);
	if (!client->all->monitors.first)
		return;
	if (reply->type == ECP_REP_OPENED && reply->opened.n)
		tell_opened(client, &reply->opened);
	if (reply->type == ECP_REP_ATTACHED)
		event.type = ECP_EVENT_ATTACHED;
	if (reply->type == ECP_REP_CAPTURING)
		event.type = ECP_EVENT_CAPTURING;
	if (reply->type == ECP_REP_CLOSED)
		event.n = reply->closed.n;
	if (event.type != ECP_EVENT_CLOSED || event.n)
		client_tell(client, &event);
}
