/*
 * link.c - what the daemon says of the interface: up or down, its MTU and MAC address.
 *
 * It stands in the page of memory that only the daemon writes, with a count of its changes, so
 * that a send looks at one word.  When it changes the daemon rings, which wakes who waits.
 */
#include "client-lib/internal.h"

#include <string.h>

static void fit_payloads(struct ec_relay *relay)
{
	for (struct ec_l2 *l2 = LIST_FIRST(&relay->l2s); l2; l2 = LIST_NEXT(l2, of_relay)) {
		struct ecp_l2addr addr = eci_l2addr_to_proto(&l2->addr);
		uint32_t most = ecp_payload_max(relay->link.mtu, addr.vlans, addr.n_vlans);
		struct ec_udp *udp = LIST_FIRST(&l2->udps);
		l2->ep.payload_max = most;
		for (; udp; udp = LIST_NEXT(udp, of_l2))
			udp->ep.payload_max = most;
	}
}

/* The count is read first: what stands beside it is as new, or newer. */
static void take(struct ec_relay *relay)
{
	const struct ecp_daemon_page *d = relay->d;
	relay->link_seen = atomic_load_explicit(&d->changes, memory_order_acquire);
	relay->link.mtu = atomic_load_explicit(&d->mtu, memory_order_relaxed);
	const uint64_t mac = atomic_load_explicit(&d->mac, memory_order_relaxed);
	memcpy(relay->link.mac, &mac, sizeof(relay->link.mac));
	relay->link.up =
	    atomic_load_explicit(&d->state, memory_order_relaxed) != ECP_CHANNEL_DOWN;
}

void eci_link_attach(struct ec_relay *relay)
{
	const struct ec_link was = relay->link;
	take(relay);
	if (relay->generation > 1 &&
	    (was.mtu != relay->link.mtu || was.up != relay->link.up ||
	     memcmp(was.mac, relay->link.mac, sizeof(was.mac)) != 0))
		relay->link.changes++;
}

void eci_link_look(struct ec_relay *relay)
{
	if (!relay->d || atomic_load_explicit(&relay->d->changes, memory_order_relaxed) ==
			     relay->link_seen)
		return;
	uint32_t before = relay->link_seen, mtu = relay->link.mtu;
	take(relay);
	relay->link.changes += relay->link_seen - before;
	if (relay->link.mtu != mtu)
		fit_payloads(relay);
}

int eci_link_check(struct ec_relay *relay)
{
	eci_link_look(relay);
	if (relay->link.up)
		return 0;
	return eci_error_set(-ENETDOWN, "%s is down", relay->ifname);
}

EC_API void ec_relay_link(struct ec_relay *relay, struct ec_link *ret)
{
	eci_link_look(relay);
	*ret = relay->link;
}

EC_API uint32_t ec_relay_mtu(const struct ec_relay *relay)
{
	return relay->link.mtu;
}
