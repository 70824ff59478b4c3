/*
 * datapath.c - the turn, who is awake, and who is attached.
 */
#include "daemon/datapath.h"

#include <errno.h>
#include <stdlib.h>

unsigned datapath_turn(struct datapath *dp)
{
	unsigned received = datapath_rx_turn(dp);
	return received + datapath_tx_turn(dp);
}

void datapath_show(struct datapath *dp)
{
	if (dp->row)
		ecp_relay_row_write(dp->row, &dp->relay.stats);
}

void datapath_show_rings(const struct datapath *dp)
{
	for (uint32_t i = 0; i < dp->n_channels; i++) {
		_Atomic uint32_t *used = &dp->channels[i]->counters->rx_used;
		if (atomic_load_explicit(used, memory_order_relaxed))
			atomic_store_explicit(used, channel_rx_used(dp->channels[i]),
					      memory_order_relaxed);
	}
}

bool datapath_sleep(struct datapath *dp)
{
	uint32_t still = 0;
	for (uint32_t i = 0; i < dp->n_awake; i++) {
		struct channel *ch = dp->awake[i];
		if (!ch->broken && !channel_tx_sleep(ch))
			dp->awake[still++] = ch;
		else
			ch->awake = false;
	}
	dp->n_awake = still;
	return still == 0;
}

void datapath_wake(struct datapath *dp, struct channel *ch)
{
	if (ch->awake)
		return;
	ch->awake = true;
	dp->awake[dp->n_awake++] = ch;
}

/* ---- cold ---- */

int datapath_start(struct datapath *dp, uint32_t max_channels)
{
	struct channel **lists = calloc(3 * (size_t)max_channels, sizeof(*lists));
	dp->table = endpoint_table_new();
	if (!dp->table || !lists) {
		if (dp->table)
			endpoint_table_free(dp->table);
		free(lists);
		return -ENOMEM;
	}
	dp->max_channels = max_channels;
	dp->channels = lists;
	dp->awake = lists + max_channels;
	dp->touched = lists + 2 * max_channels;
	return 0;
}

void datapath_stop(struct datapath *dp)
{
	relay_close(&dp->relay);
	endpoint_table_free(dp->table);
	free(dp->channels);
}

int datapath_attach(struct datapath *dp, struct channel *ch)
{
	if (dp->n_channels == dp->max_channels)
		return -ENOSPC;
	dp->channels[dp->n_channels++] = ch;
	datapath_wake(dp, ch); /* it has never been asked to ring */
	return 0;
}

static void list_forget(struct channel **list, uint32_t *n, const struct channel *ch)
{
	for (uint32_t i = 0; i < *n; i++)
		if (list[i] == ch) {
			list[i] = list[--*n];
			return;
		}
}

/* What the kernel's filter keeps back would be missing. */
static const struct kernel_claim everything = {.everything = true};

int datapath_capture(struct datapath *dp, struct capture *capture)
{
	int r = captures_add(&dp->captures, capture);
	if (r == 0)
		relay_claim_add(&dp->relay, &everything);
	return r;
}

void datapath_capture_stop(struct datapath *dp, struct capture *capture)
{
	if (captures_remove(&dp->captures, capture))
		relay_claim_remove(&dp->relay, &everything);
}

void datapath_detach(struct datapath *dp, struct channel *ch)
{
	list_forget(dp->channels, &dp->n_channels, ch);
	list_forget(dp->awake, &dp->n_awake, ch);
	list_forget(dp->touched, &dp->n_touched, ch);
}
