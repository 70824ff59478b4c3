/*
 * capture.c - frames into the rings of those who capture.
 */
#include "daemon/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORD_OVERHEAD (sizeof(struct ecp_record) + sizeof(struct ecp_capture_aux))

/* ---- coming and going ---- */

int capture_new(struct capture **ret, uint32_t ring, uint32_t snaplen, uint64_t session)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	if (!capture)
		return -ENOMEM;
	int r = channel_new(&capture->channel, ring, 0, 0, session);
	if (r < 0) {
		free(capture);
		return r;
	}
	/* a record may have half of the ring */
	uint32_t most = ring / 2 - RECORD_OVERHEAD;
	capture->snaplen = !snaplen || snaplen > most ? most : snaplen;
	*ret = capture;
	return 0;
}

void capture_free(struct capture *capture)
{
	channel_free(capture->channel);
	free(capture);
}

static void captures_forget_memory(struct captures *captures)
{
	free(captures->all);
	free(captures->image);
	*captures = (struct captures){0};
}

int captures_add(struct captures *captures, struct capture *capture)
{
	struct capture **all =
	    realloc(captures->all, (captures->n + 1) * sizeof(struct capture *));
	if (all)
		captures->all = all;
	if (!captures->image)
		captures->image = malloc(CAPTURE_IMAGE);
	if (all && captures->image) {
		all[captures->n++] = capture;
		return 0;
	}
	if (!captures->n)
		captures_forget_memory(captures);
	return -ENOMEM;
}

bool captures_remove(struct captures *captures, struct capture *capture)
{
	for (unsigned i = 0; i < captures->n; i++) {
		if (captures->all[i] != capture)
			continue;
		captures->all[i] = captures->all[--captures->n];
		if (!captures->n)
			captures_forget_memory(captures);
		return true;
	}
	return false;
}

/* ---- while there is one ---- */

uint64_t capture_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void capture_find_reason(struct captured *seen, const struct ecp_relay_stats *before,
			 const struct ecp_relay_stats *after)
{
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_relay_counters[i];
		if (c->kind == ECP_COUNTER_drop &&
		    ecp_counter_get(c, after) != ecp_counter_get(c, before)) {
			seen->reason = c->name;
			seen->dropped = true;
			return;
		}
	}
	if (after->rx_copies_full != before->rx_copies_full)
		seen->reason = "rx_copies_full";
}

static void fill_endpoint(struct ecp_capture_aux *aux, const struct endpoint *ep)
{
	const struct ecp_l2addr l2 = endpoint_l2addr(ep);
	const struct ecp_addr local = endpoint_local(ep);
	aux->flags |= ECP_CAPTURE_ENDPOINT;
	memcpy(aux->mac, l2.mac, ECP_MAC_LEN);
	aux->n_vlans = l2.n_vlans;
	for (unsigned i = 0; i < l2.n_vlans; i++)
		aux->vlan[i] = l2.vlans[i].id;
	aux->family = local.family;
	aux->port = local.port;
	memcpy(aux->ip, local.ip, sizeof(aux->ip));
}

static void fill_aux(struct ecp_capture_aux *aux, const struct captured *seen)
{
	const struct channel *ch = seen->ep ? seen->ep->channel : seen->owner;
	*aux = (struct ecp_capture_aux){
	    .time_ns = seen->time_ns,
	    .frame_len = seen->len,
	    .direction = (uint8_t)seen->direction,
	    .flags = seen->dropped ? ECP_CAPTURE_DROPPED : 0,
	};
	snprintf(aux->reason, sizeof(aux->reason), "%s", seen->reason ? seen->reason : "");
	snprintf(aux->interface, sizeof(aux->interface), "%s", seen->interface);
	if (ch) {
		aux->client = ch->owner.client;
		aux->pid = ch->owner.pid;
		aux->uid = ch->owner.uid;
		memcpy(aux->comm, ch->owner.comm, sizeof(aux->comm));
	}
	if (seen->ep)
		fill_endpoint(aux, seen->ep);
}

/* Room for a record, or NULL. */
static uint8_t *capture_reserve(struct channel *ch, uint32_t len)
{
	uint8_t *record = ecp_out_reserve(&ch->rx, len);
	if (record || ch->broken)
		return record;
	ch->broken = ecp_out_refresh(&ch->rx, &ch->c->rx_cons) < 0;
	return ch->broken ? NULL : ecp_out_reserve(&ch->rx, len);
}

static void capture_put(struct capture *capture, const struct captured *seen,
			const struct ecp_capture_aux *aux)
{
	struct channel *ch = capture->channel;
	uint32_t len = seen->len < capture->snaplen ? seen->len : capture->snaplen;
	struct ecp_record head = {
	    .len = (uint32_t)RECORD_OVERHEAD + len,
	    .type = ECP_RECORD_CAPTURE,
	    .aux_len = sizeof(*aux),
	};
	if (seen->ep) {
		head.endpoint = seen->ep->dest.id;
		head.generation = seen->ep->dest.generation;
	}
	uint8_t *record = capture_reserve(ch, head.len);
	if (!record) {
		channel_set_missed(ch, ++capture->missed);
		return;
	}
	memcpy(record, &head, sizeof(head));
	memcpy(record + sizeof(head), aux, sizeof(*aux));
	memcpy(record + RECORD_OVERHEAD, seen->data, len);
	ecp_out_submit(&ch->rx, head.len);
}

void captures_put(struct captures *captures, const struct captured *seen)
{
	struct ecp_capture_aux aux;
	fill_aux(&aux, seen);
	for (unsigned i = 0; i < captures->n; i++)
		capture_put(captures->all[i], seen, &aux);
}

bool captures_publish(struct captures *captures)
{
	bool broken = false;
	for (unsigned i = 0; i < captures->n; i++) {
		channel_publish(captures->all[i]->channel);
		broken |= captures->all[i]->channel->broken;
	}
	return broken;
}
