/*
 * neigh.c - `etherconnctl show neigh`: who on the interface says, by ARP or Neighbour Discovery,
 * that an IP address is at its MAC address, and behind which tags.
 *
 * What a program's library knows of its next hops stays in that program.  So this listens for a
 * while, by a capture, to all who speak: also those on VLANs where nobody has an endpoint.
 */
#include "ctl/claim.h"
#include "ctl/filter.h"
#include "ctl/ring.h"
#include "proto/neigh.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LISTEN_MS 3000
#define SNAPLEN   128 /* ARP and Neighbour Discovery behind two tags, whole */
#define HOSTS_MAX 65536

/* One address at one place; what it is known by stands first and is compared. */
struct host {
	uint16_t vlan[ECP_VLANS_MAX];
	uint8_t family, ip[16], mac[ECP_MAC_LEN];
	char interface[16];
	uint64_t heard;
	struct ecp_l2addr l2;
};

struct listening {
	struct ctl *ctl;
	const struct filter *filter;
	struct ring ring;
	void *tree;
	const struct host *before; /* while they are printed */
	uint32_t n_hosts;
	bool full;
	bool broken;
};

static struct listening listening;

static int compare(const void *left, const void *right)
{
	const struct host *a = left, *b = right;
	int r = strcmp(a->interface, b->interface);
	return r ? r : memcmp(a, b, offsetof(struct host, interface));
}

static int compare_addresses(const struct host *a, const struct host *b)
{
	int r = strcmp(a->interface, b->interface);
	return r ? r : memcmp(a, b, offsetof(struct host, mac));
}

/* ---- hearing ---- */

static void add_host(struct listening *l, const struct host *host)
{
	struct host **found = tfind(host, &l->tree, compare);
	if (found) {
		(*found)->heard++;
		return;
	}
	if (l->n_hosts == HOSTS_MAX) {
		l->full = true;
		return;
	}
	struct host *new = malloc(sizeof(*new));
	if (!new)
		abort();
	*new = *host;
	new->heard = 1;
	if (!tsearch(new, &l->tree, compare))
		abort();
	l->n_hosts++;
}

static bool is_wanted(const struct listening *l, const struct host *host)
{
	struct ecp_capture_aux aux = {.family = host->family};
	memcpy(aux.interface, host->interface, sizeof(aux.interface));
	memcpy(aux.ip, host->ip, sizeof(aux.ip));
	return filter_frame(l->filter, &aux, &host->l2);
}

static bool parse(const struct ring_record *record, struct ecp_frame *frame,
		  struct ecp_neigh *said)
{
	const uint8_t *data = record->frame;
	if (ecp_frame_parse(data, record->len, NULL, frame) != ECP_FRAME_OK)
		return false;
	if (frame->ethertype == ECP_ETHERTYPE_ARP)
		return ecp_arp_parse(data + frame->l3_off, frame->l3_len, said);
	return frame->ip_version == 6 && frame->protocol == ECP_IP_PROTO_ICMPV6 &&
	       frame->l4_off && !frame->fragment &&
	       ecp_nd_parse(data + frame->l3_off, data + frame->l4_off,
			    frame->l3_off + frame->l3_len - frame->l4_off, said);
}

static void take_record(struct listening *l, struct ring_record *record)
{
	static const uint8_t nobody[16];
	struct ecp_frame frame;
	struct ecp_neigh said;
	struct host host = {0};
	if (record->aux.direction != ECP_CAPTURE_IN || !parse(record, &frame, &said) ||
	    !memcmp(said.ip, nobody, said.family == 4 ? 4 : 16))
		return;
	host.family = said.family;
	memcpy(host.ip, said.ip, said.family == 4 ? 4 : 16);
	memcpy(host.mac, said.have_mac ? said.mac : record->frame + ECP_MAC_LEN,
	       ECP_MAC_LEN);
	memcpy(host.vlan, frame.key.vlan, sizeof(host.vlan));
	memcpy(host.interface, record->aux.interface, sizeof(host.interface) - 1);
	memcpy(host.l2.mac, host.mac, ECP_MAC_LEN);
	host.l2.n_vlans = frame.n_vlans;
	for (unsigned i = 0; i < frame.n_vlans; i++)
		host.l2.vlans[i].id = frame.key.vlan[i];
	if (is_wanted(l, &host))
		add_host(l, &host);
}

static enum ctl_exit hear(struct listening *l, int timer)
{
	enum ring_news news = RING_NEWS;
	struct ring_record record;
	while (news == RING_NEWS) {
		l->broken = !ring_look(&l->ring);
		while (!l->broken && ring_next(&l->ring, &record, &l->broken))
			take_record(l, &record);
		ring_release(&l->ring);
		if (l->broken)
			return ctl_complain(CTL_FAILED, "the daemon's ring is broken");
		news = ring_wait(&l->ring, l->ctl->fd, timer);
	}
	if (news == RING_GONE)
		return ctl_complain(CTL_FAILED, "the daemon has closed the connection");
	uint64_t missed = ring_missed(&l->ring);
	if (missed)
		ctl_complain(CTL_OK, "%llu frames were missed: some who spoke may be, too",
			     (unsigned long long)missed);
	if (l->full)
		ctl_complain(CTL_OK, "there are more than %d: the others were left out",
			     HOSTS_MAX);
	return CTL_OK;
}

/* ---- telling ---- */

static void print_row(struct ctl *ctl, const struct host *host, bool twice)
{
	struct ecp_addr addr = {.family = host->family};
	char ip[ECP_ADDR_TEXT], l2[ECP_L2ADDR_TEXT];
	struct table *t = &ctl->table;
	memcpy(addr.ip, host->ip, sizeof(addr.ip));
	table_text(t, "%s", claim_ip_format(&addr, ip));
	if (twice)
		table_alert(t);
	table_text(t, "%s", ecp_l2addr_format(&host->l2, l2));
	if (!ctl->options.brief) {
		table_text(t, "%s", host->interface);
		table_count(t, host->heard);
	}
	table_end_row(t);
}

static void print_object(struct ctl *ctl, const struct host *host)
{
	struct ecp_addr addr = {.family = host->family};
	char ip[ECP_ADDR_TEXT], mac[ECP_MAC_TEXT];
	struct ecp_json_writer w;
	memcpy(addr.ip, host->ip, sizeof(addr.ip));
	ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "interface", host->interface);
	ecp_json_put_string(&w, "ip", claim_ip_format(&addr, ip));
	ecp_json_put_string(&w, "mac", ecp_mac_format(host->mac, mac));
	ecp_json_open_array(&w, "vlans");
	for (unsigned i = 0; i < host->l2.n_vlans; i++)
		ecp_json_put_u64(&w, NULL, host->l2.vlans[i].id);
	ecp_json_close_array(&w);
	ecp_json_put_u64(&w, "heard", host->heard);
	ecp_json_close_object(&w);
	ctl_list_add(ctl);
}

/* In order; so two who say that they are the same stand together. */
static void print_host(const void *node, VISIT visit, int depth)
{
	struct listening *l = &listening;
	const struct host *host = *(const struct host *const *)node;
	(void)depth;
	if (visit != postorder && visit != leaf)
		return;
	if (l->ctl->options.json)
		print_object(l->ctl, host);
	else
		print_row(l->ctl, host, l->before && !compare_addresses(l->before, host));
	l->before = host;
}

static void print_all(struct listening *l)
{
	static const char *const titles[] = {"ADDRESS", "MAC|VLANS", "INTERFACE", "HEARD",
					     NULL};
	struct ctl *ctl = l->ctl;
	if (ctl->options.json)
		ctl_list_begin(ctl, "neigh");
	else
		table_begin(&ctl->table, stdout, ctl->colour,
			    ctl->options.brief ? NULL : titles);
	twalk(l->tree, print_host);
	if (ctl->options.json)
		ctl_list_end(ctl);
	else
		table_print(&ctl->table);
}

/* ---- the command ---- */

static int timer_new(unsigned ms)
{
	struct itimerspec in = {
	    .it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (fd >= 0)
		timerfd_settime(fd, 0, &in, NULL);
	return fd;
}

enum ctl_exit show_neigh(struct ctl *ctl, const struct filter *filter)
{
	struct listening *l = &listening;
	unsigned ms = ctl->options.wait_ms ? ctl->options.wait_ms : LISTEN_MS;
	*l = (struct listening){.ctl = ctl, .filter = filter};
	if (filter_is_of_clients(filter) || filter_has_port(filter))
		return ctl_complain(
		    CTL_USAGE,
		    "neighbours are no client's, and have no port: they are found "
		    "by mac, vlan, ip and interface");
	ctl->request.type = ECP_REQ_CAPTURE;
	ctl->request.capture =
	    (struct ecp_capture){.version = ECP_PROTOCOL_VERSION, .snaplen = SNAPLEN};
	enum ctl_exit code = ring_open(ctl, &l->ring);
	if (code != CTL_OK)
		return code;
	ctl_complain(CTL_OK, "listening for %g s", ms / 1000.0);
	int timer = timer_new(ms);
	code = hear(l, timer);
	close(timer);
	if (code == CTL_OK)
		print_all(l);
	ring_close(&l->ring);
	ctl_close(ctl); /* a connection captures once */
	tdestroy(l->tree, free);
	return code;
}
