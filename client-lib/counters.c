/*
 * counters.c - what the daemon counts on the relay's interface, for all its clients together.
 */
#include "client-lib/internal.h"

#include "proto/stats.h"

static const struct ecp_relay_stats *find(const struct ec_relay *relay,
					  const struct ecp_page *page)
{
	for (unsigned i = 0; page->what == ECP_SHOW_RELAYS && i < page->n; i++)
		if (!strcmp(page->relays[i].interface, relay->ifname))
			return &page->relays[i].stats;
	return NULL;
}

EC_API int ec_relay_counters(struct ec_relay *relay, struct ec_counter *counters,
			     unsigned n)
{
	struct question *q = relay->question;
	int r;
	do {
		q->request.type = ECP_REQ_SHOW;
		q->request.show = (struct ecp_show_request){.what = ECP_SHOW_RELAYS};
		r = eci_relay_ask(relay, ECP_REP_PAGE);
	} while (r == -ERESTART);
	if (r < 0)
		return r;
	const struct ecp_relay_stats *stats = find(relay, &q->reply.page);
	if (!stats)
		return eci_error_set(-ENODEV, "the daemon tells nothing of %s",
				     relay->ifname);
	for (unsigned i = 0; i < n && i < ECP_N_RELAY_COUNTERS; i++) {
		const struct ecp_counter *c = &ecp_relay_counters[i];
		counters[i] =
		    (struct ec_counter){c->name, c->text, ecp_counter_get(c, stats)};
	}
	return ECP_N_RELAY_COUNTERS;
}
