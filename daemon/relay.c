/*
 * relay.c - open a relay by the name of its back-end, and say in plain words why not.
 *
 * Knows the list of back-ends, and what they count alike.
 */
#include "daemon/relay.h"

#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The first is the default. */
static const struct relay_ops *const backends[] = {
    &relay_afpacket_ops, &relay_afpacket_v3_ops, &relay_pcap_ops, &relay_pcapfile_ops};
const char relay_backend_names[] = "af_packet, af_packet_v3, pcap, pcapfile";

static const struct relay_ops *find_backend(const char *name)
{
	if (!name)
		return backends[0];
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(name, backends[i]->name) == 0)
			return backends[i];
	}
	return NULL;
}

bool relay_backend_known(const char *name)
{
	return find_backend(name) != NULL;
}

/* The sentence for error when an interface was asked for; why may be NULL. */
static void explain(int error, const char *interface, const char *why, char *text,
		    size_t room)
{
	switch (-error) {
	case ENODEV:
	case ENAMETOOLONG:
		snprintf(text, room, "no interface called %s", interface);
		break;
	case ENETDOWN:
		snprintf(text, room, "%s is down: ip link set %s up", interface, interface);
		break;
	case EPERM:
	case EACCES:
		snprintf(text, room,
			 "opening %s needs CAP_NET_RAW: run as root, by systemctl start "
			 "etherconnd, or give the capability",
			 interface);
		break;
	default:
		snprintf(text, room, "cannot open %s: %s%s%s", interface, why ? why : "",
			 why ? ": " : "", strerror(-error));
	}
}

static int open_with(struct relay *relay, const struct relay_ops *ops,
		     const struct relay_config *config, char *text, size_t room)
{
	const char *why = NULL;
	relay->ops = ops;
	int r = ops->open(relay, config, &why);
	if (r < 0)
		explain(r, config->interface, why, text, room);
	return r;
}

static int find_interface(const char *name, struct netif *netif, char *text, size_t room)
{
	int r = netif_query(name, netif);
	if (r == -EINVAL) {
		snprintf(text, room, "%s is not an Ethernet interface", name);
		return r;
	}
	/* Without a carrier it may be opened: the cable may come later. */
	if (r == 0 && !netif->enabled)
		r = -ENETDOWN;
	if (r < 0)
		explain(r, name, NULL, text, room);
	return r;
}

int relay_open(struct relay *relay, const struct relay_config *config, char *text,
	       size_t room)
{
	const struct relay_ops *ops = find_backend(config->backend);
	if (!ops) {
		snprintf(text, room, "no back-end called %s: there are %s", config->backend,
			 relay_backend_names);
		return -EINVAL;
	}
	*relay = (struct relay){.fd = -1};
	if (ops->without_interface)
		return open_with(relay, ops, config, text, room);
	int r = find_interface(config->interface, &relay->netif, text, room);
	memcpy(relay->called, relay->netif.name, sizeof(relay->called));
	if (r == 0)
		r = open_with(relay, ops, config, text, room);
	if (r < 0)
		return r;
	r = relay_filter_start(relay, config, text, room);
	if (r < 0)
		relay_close(relay);
	return r;
}

int relay_open_ops(struct relay *relay, const struct relay_ops *ops,
		   const struct relay_config *config, char *text, size_t room)
{
	*relay = (struct relay){.fd = -1};
	return open_with(relay, ops, config, text, room);
}

int relay_hand_over(const struct relay_config *config, char *text, size_t room)
{
	const struct relay_ops *ops = find_backend(config->backend);
	struct relay relay = {.ops = ops};
	const char *why = NULL;
	if (!ops || !ops->hand_over)
		return 0;
	snprintf(relay.netif.name, sizeof(relay.netif.name), "%s", config->interface);
	int r = ops->hand_over(&relay, config, &why);
	if (r < 0) {
		explain(r, config->interface, why, text, room);
		return r;
	}
	r = relay_filter_hand_over(&relay, config, text, room);
	close(relay.fd);
	return r;
}

/* ---- what becomes of the interface ---- */

#define NOT_BOUND (-1) /* no interface has this index */

/*
 * The one we have, whatever it is called by now; or, when that is gone, the one of its name; or
 * none, which is down.  The name that clients and policies know it by stays.
 */
static void find_again(struct relay *relay, struct netif *now)
{
	const struct netif *was = &relay->netif;
	char called[NETIF_NAME];
	if (netif_name(was->index, called) < 0)
		memcpy(called, was->name, sizeof(called));
	if (netif_query(called, now) < 0) {
		*now = *was;
		now->index = NOT_BOUND;
		now->enabled = now->up = false;
		return;
	}
	memcpy(now->name, was->name, sizeof(now->name));
	if (strcmp(called, relay->called) != 0)
		log_warning("%s is called %s now; here it stays %s", relay->called, called,
			    was->name);
	memcpy(relay->called, called, sizeof(called));
}

static bool same(const struct netif *a, const struct netif *b)
{
	return a->index == b->index && a->mtu == b->mtu && a->up == b->up &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac));
}

static void say_change(const struct netif *was, const struct netif *now)
{
	if (was->index != now->index)
		log_warning("%s is served anew", now->name);
	if (was->mtu != now->mtu)
		log_info("%s has an MTU of %u now", now->name, now->mtu);
	if (was->up != now->up)
		log_warning("%s is %s", now->name, now->up ? "up" : "down");
}

/* What cannot be followed is down for us, and tried again at the next look. */
static void follow(struct relay *relay, struct netif *now)
{
	int r = relay->ops->follow ? relay->ops->follow(relay, now) : -EOPNOTSUPP;
	if (r == 0) {
		relay->lost = false;
		return;
	}
	if (!relay->lost)
		log_error("%s has changed, and the back-end %s cannot follow: %s",
			  relay->netif.name, relay->ops->name, strerror(-r));
	relay->lost = true;
	*now = relay->netif;
	now->enabled = now->up = false;
}

void relay_gone(struct relay *relay, int index)
{
	if (index == relay->netif.index || index == NETIF_ANY)
		relay->netif.index = NOT_BOUND;
}

bool relay_look(struct relay *relay)
{
	struct netif now;
	if (relay->ops->without_interface)
		return false;
	find_again(relay, &now);
	if (now.index == NOT_BOUND)
		relay->netif.index = NOT_BOUND;
	else if (relay->lost || now.index != relay->netif.index ||
		 now.mtu != relay->netif.mtu)
		follow(relay, &now);
	if (same(&now, &relay->netif))
		return false;
	say_change(&relay->netif, &now);
	relay->netif = now;
	return true;
}

void relay_close(struct relay *relay)
{
	relay->ops->close(relay);
	if (relay->filter)
		kernel_filter_free(relay->filter);
	relay->filter = NULL;
}

bool relay_send_parse(const char *name, enum relay_send *ret)
{
	static const char *const names[] = {
	    [RELAY_SEND_AUTO] = "auto",
	    [RELAY_SEND_XDP] = "xdp",
	    [RELAY_SEND_SOCKET] = "socket",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum relay_send)i;
			return true;
		}
	}
	return false;
}

void relay_count_sent(struct relay *relay, const struct relay_buffer *buffers, unsigned n)
{
	relay->stats.tx += n;
	for (unsigned i = 0; i < n; i++)
		relay->stats.tx_bytes += buffers[i].len;
}

void relay_count_unsent(struct relay *relay, int error, unsigned n)
{
	switch (error) {
	case ENETDOWN:
	case ENODEV:
	case ENXIO: /* the interface is gone */
		relay->stats.tx_down += n;
		break;
	case EMSGSIZE:
		relay->stats.tx_oversize += n;
		break;
	default:
		relay->stats.tx_error += n;
	}
}

/*
 * EAGAIN: the socket holds as much as it may, and says when that ends.  ENOBUFS: the
 * device's queue is full; nobody tells when that ends, so it is a timed sleep.
 */
bool relay_tx_wait(int fd, int error, unsigned *waits)
{
	if ((error != EAGAIN && error != ENOBUFS) || *waits == RELAY_TX_WAITS)
		return false;
	++*waits;
	struct pollfd room = {.fd = fd, .events = POLLOUT};
	struct timespec timeout = {.tv_nsec = RELAY_TX_WAIT_US * 1000};
	ppoll(&room, error == EAGAIN, &timeout, NULL);
	return true;
}
