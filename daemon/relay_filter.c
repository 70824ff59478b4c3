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

enum attached { ATTACHED_NOTHING, ATTACHED_EXPRESSION, ATTACHED_CLAIMS };

static enum attached attached_to(int fd)
{
	socklen_t n = 0; /* room for none, and it says how many instructions there are */
	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n) < 0)
		return ATTACHED_CLAIMS; /* EACCES: it has a program that is not classic BPF */
	return n ? ATTACHED_EXPRESSION : ATTACHED_NOTHING;
}

/* The opener may have been given other options than we. */
static int check_handed_over(const struct relay *relay, const char *filter, char *text,
			     size_t room)
{
	enum attached is = attached_to(relay->fd);
	bool good = !filter   ? is != ATTACHED_EXPRESSION
		    : *filter ? is == ATTACHED_EXPRESSION
			      : is == ATTACHED_NOTHING;
	if (good)
		return 0;
	snprintf(text, room,
		 "%s was handed over with another filter: etherconnd --handover needs the "
		 "same options",
		 relay->netif.name);
	return -EINVAL;
}

int relay_filter_start(struct relay *relay, const struct relay_config *config, char *text,
		       size_t room)
{
	bool handed_over = handover_has(HANDOVER_RX, relay->netif.name);
	int r = handed_over ? check_handed_over(relay, config->filter, text, room) : 0;
	if (r < 0)
		return r;
	if (config->filter) /* it came with the socket, if that was handed over */
		return *config->filter && !handed_over
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
