/*
 * relay_filter.c - which frames the kernel hands to a relay: what its configuration says in
 * libpcap's words, or what somebody claims.
 */
#include "daemon/handover.h"
#include "daemon/relay.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a filter in libpcap's words ---- */

static int attach(const struct relay *relay, const struct bpf_program *compiled, char *text,
		  size_t room)
{
	struct sock_fprog program = {
	    .len = (unsigned short)compiled->bf_len,
	    .filter = (struct sock_filter *)(void *)compiled->bf_insns,
	};
	if (setsockopt(relay->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		       sizeof(program)) == 0)
		return 0;
	int r = -errno;
	snprintf(text, room, "the kernel refuses the filter: %s", strerror(-r));
	return r;
}

/*
 * Compiled on a handle that is open on the interface: only then does libpcap know that the
 * kernel keeps the VLAN tag beside the frame, and look for it there.
 */
static int attach_expression(const struct relay *relay, const char *expression, char *text,
			     size_t room)
{
	char error[PCAP_ERRBUF_SIZE];
	struct bpf_program compiled;
	pcap_t *pcap = pcap_create(relay->netif.name, error);
	int r = -ENOMEM;
	if (!pcap || pcap_activate(pcap) < 0) {
		snprintf(text, room, "cannot compile the filter: %.80s",
			 pcap ? pcap_geterr(pcap) : error);
	} else if (pcap_compile(pcap, &compiled, expression, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(text, room, "filter \"%.60s\": %.100s", expression,
			 pcap_geterr(pcap));
		r = -EINVAL;
	} else {
		r = attach(relay, &compiled, text, room);
		pcap_freecode(&compiled);
	}
	if (pcap)
		pcap_close(pcap);
	return r;
}

/* Who was given the socket may not even ask for a filter. */
static int start_claims(struct relay *relay)
{
	const char *interface = relay->netif.name;
	int map = handover_take(HANDOVER_MAP, interface);
	if (map < 0)
		return handover_has(HANDOVER_RX, interface)
			   ? -EPERM
			   : kernel_filter_new(&relay->filter, relay->fd);
	int r = kernel_filter_adopt(&relay->filter, relay->fd, map);
	close(map);
	return r;
}

int relay_filter_start(struct relay *relay, const struct relay_config *config, char *text,
		       size_t room)
{
	const char *interface = relay->netif.name;
	if (config->filter) /* it came with the socket, if that was handed over */
		return *config->filter && !handover_has(HANDOVER_RX, interface)
			   ? attach_expression(relay, config->filter, text, room)
			   : 0;
	relay->filter_error = start_claims(relay);
	return 0; /* without it, all frames are looked at by us */
}

int relay_filter_hand_over(struct relay *relay, const struct relay_config *config,
			   char *text, size_t room)
{
	if (config->filter)
		return *config->filter
			   ? attach_expression(relay, config->filter, text, room)
			   : 0;
	int map = kernel_filter_attach(relay->fd);
	if (map < 0)
		return 0; /* the daemon will find that out by itself, and say it */
	int r = handover_give(map, HANDOVER_MAP, config->interface);
	if (r < 0)
		snprintf(text, room, "cannot hand over the filter: %s", strerror(-r));
	close(map);
	return r;
}

/* ---- claims ---- */

void relay_claim_add(struct relay *relay, const struct kernel_claim *claim)
{
	relay->n_claims++;
	if (relay->filter)
		kernel_filter_add(relay->filter, claim);
	if (relay->ops->claimed)
		relay->ops->claimed(relay);
}

void relay_claim_remove(struct relay *relay, const struct kernel_claim *claim)
{
	relay->n_claims--;
	if (relay->filter)
		kernel_filter_remove(relay->filter, claim);
	if (relay->ops->claimed)
		relay->ops->claimed(relay);
}

void relay_stats_refresh(struct relay *relay)
{
	if (relay->filter)
		relay->stats.rx_filtered = kernel_filter_dropped(relay->filter);
	if (relay->ops->stats_refresh)
		relay->ops->stats_refresh(relay);
}
