/*
 * control_counters.c - the memory of counters: that it is there, who is given it, and what has to be
 * copied there because others than the datapath know it.
 */
#include "daemon/control.h"

int control_start_counters(struct control *control)
{
	struct clients *clients = &control->clients;
	int r = counters_open(&clients->counters, control->n_datapaths, clients->max,
			      clients->max_endpoints);
	for (unsigned i = 0; r == 0 && i < control->n_datapaths; i++)
		control->datapaths[i].row = counters_relay(&clients->counters, i);
	return r;
}

void control_stop_counters(struct control *control)
{
	for (unsigned i = 0; i < control->n_datapaths; i++)
		control->datapaths[i].row = NULL;
	counters_close(&control->clients.counters);
}

/* A relay's, the kernel's, and what clients have read. */
static void show_counters(struct control *control)
{
	for (unsigned i = 0; i < control->n_datapaths; i++) {
		relay_stats_refresh(&control->datapaths[i].relay);
		datapath_show(&control->datapaths[i]);
		datapath_show_rings(&control->datapaths[i]);
	}
}

bool control_is_looked_at(const struct control *control)
{
	return control->clients.counters.readers > 0;
}

void control_tick_counters(struct control *control)
{
	if (control_is_looked_at(control))
		show_counters(control);
}

/*
 * Once: descriptors in messages that nobody reads count against our limit of open files, and beyond
 * it nobody is sent any.
 */
int control_serve_counters(struct control *control, struct client *client,
			   struct ecp_reply *reply, struct ecp_error *err)
{
	if (client->reads_counters)
		return ecp_error_set(err, -EALREADY,
				     "this connection has the counters already");
	client_read_counters(client);
	show_counters(control);
	reply->type = ECP_REP_COUNTERS;
	reply->counters.version = ECP_COUNTERS_ABI;
	return 0;
}
