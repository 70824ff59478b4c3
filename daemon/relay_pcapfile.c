/*
 * relay_pcapfile.c - a back-end without an interface: a capture is replayed into the relay,
 * what is sent is written to another one.
 *
 * The replay begins with the first claim, so that who wants the first frame can have it; the
 * time between frames is that of the capture, divided by the speed, or none at speed 0.  It
 * runs once.  Knows pcap.h.
 */
#include "daemon/relay.h"
#include "daemon/syscalls.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MTU      9216
#define NS_PER_S INT64_C(1000000000)

struct pcapfile {
	pcap_t *in;         /* NULL: nothing is replayed */
	pcap_t *format;     /* of what is written */
	pcap_dumper_t *out; /* NULL: nothing is written */
	uint32_t speed;
	bool started;
	int64_t begin, first; /* on our clock; in the capture */
	/* read ahead: the frame whose time is still to come */
	bool have_next;
	int64_t next_due, next_time;
	struct relay_buffer next;
	uint8_t *memory; /* RELAY_BURST + 1 frames to receive, RELAY_BURST to send */
};

/* As read from a file, the outer tag stands in the frame. */
static uint8_t *room_at(const struct pcapfile *pf, unsigned i)
{
	return pf->memory + (size_t)i * ECP_FRAME_MAX;
}

static int64_t now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- receive ---- */

static void read_next(struct pcapfile *pf)
{
	struct pcap_pkthdr *head;
	const u_char *bytes;
	pf->have_next = pf->in && pcap_next_ex(pf->in, &head, &bytes) == 1;
	if (!pf->have_next)
		return;
	/* tv_usec holds nanoseconds: they were asked for */
	pf->next_time = head->ts.tv_sec * NS_PER_S + head->ts.tv_usec;
	if (!pf->started)
		pf->first = pf->next_time;
	int64_t after = pf->speed ? (pf->next_time - pf->first) / pf->speed : 0;
	pf->next_due = pf->begin + (after > 0 ? after : 0);
	pf->next.len = head->caplen < ECP_FRAME_MAX ? head->caplen : ECP_FRAME_MAX;
	pf->next.room = head->len; /* as long as it was */
	memcpy(pf->next.data, bytes, pf->next.len);
}

/* The descriptor is readable when the next frame is due; never, without one. */
static void set_timer(const struct relay *relay, const struct pcapfile *pf)
{
	struct itimerspec when = {0};
	if (pf->have_next && relay->n_claims > 0)
		when.it_value =
		    (struct timespec){pf->next_due / NS_PER_S, pf->next_due % NS_PER_S};
	timerfd_settime(relay->fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void pcapfile_claimed(struct relay *relay)
{
	struct pcapfile *pf = relay->priv;
	if (!pf->started && relay->n_claims > 0) {
		pf->begin = now_ns(CLOCK_MONOTONIC);
		read_next(pf);
		pf->started = true;
	}
	set_timer(relay, pf);
}

static int pcapfile_rx_peek(struct relay *relay, struct relay_frame *frames, unsigned max)
{
	struct pcapfile *pf = relay->priv;
	unsigned n = 0;
	if (!pf->have_next || relay->n_claims == 0)
		return 0;
	int64_t now = now_ns(CLOCK_MONOTONIC);
	while (n < max && pf->have_next && pf->next_due <= now) {
		uint8_t *copy = room_at(pf, n);
		memcpy(copy, pf->next.data, pf->next.len);
		frames[n++] = (struct relay_frame){
		    .data = copy,
		    .len = pf->next.len,
		    .flags = pf->next.len < pf->next.room ? RELAY_FRAME_TRUNCATED : 0,
		    .time_ns = (uint64_t)pf->next_time,
		};
		read_next(pf);
	}
	set_timer(relay, pf);
	return (int)n;
}

static void pcapfile_rx_release(struct relay *relay)
{
	(void)relay; /* the copies are ours */
}

/* ---- send ---- */

static unsigned pcapfile_tx_reserve(struct relay *relay, struct relay_buffer *buffers,
				    unsigned max)
{
	const struct pcapfile *pf = relay->priv;
	for (unsigned i = 0; i < max; i++) {
		buffers[i].data = room_at(pf, RELAY_BURST + 1 + i);
		buffers[i].room = ECP_FRAME_MAX;
	}
	return max;
}

static void pcapfile_tx_submit(struct relay *relay, const struct relay_buffer *buffers,
			       unsigned n)
{
	const struct pcapfile *pf = relay->priv;
	int64_t now = now_ns(CLOCK_REALTIME);
	struct pcap_pkthdr head = {.ts = {now / NS_PER_S, now % NS_PER_S}};
	if (!pf->out) {
		relay_count_unsent(relay, ENETDOWN, n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		head.caplen = head.len = buffers[i].len;
		pcap_dump((u_char *)pf->out, &head, buffers[i].data);
	}
	if (pcap_dump_flush(pf->out) == 0)
		relay_count_sent(relay, buffers, n);
	else
		relay_count_unsent(relay, errno, n);
}

/* ---- cold ---- */

static int open_in(struct pcapfile *pf, const char *path, const char **why)
{
	char error[PCAP_ERRBUF_SIZE];
	if (!path)
		return 0;
	pf->in = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO,
							 error);
	*why = "the capture to read";
	if (!pf->in)
		return errno == ENOENT || errno == EACCES ? -errno : -EINVAL;
	*why = "the capture to read is not of Ethernet";
	return pcap_datalink(pf->in) == DLT_EN10MB ? 0 : -EINVAL;
}

static int open_out(struct pcapfile *pf, const char *path, const char **why)
{
	if (!path)
		return 0;
	*why = "the capture to write";
	pf->format = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, ECP_FRAME_MAX,
							  PCAP_TSTAMP_PRECISION_NANO);
	pf->out = pf->format ? pcap_dump_open(pf->format, path) : NULL;
	/* its head is there even if nothing is ever sent */
	if (pf->out && pcap_dump_flush(pf->out) == 0)
		return 0;
	return errno ? -errno : -EIO;
}

static void free_all(struct pcapfile *pf)
{
	if (pf->out)
		pcap_dump_close(pf->out);
	if (pf->format)
		pcap_close(pf->format);
	if (pf->in)
		pcap_close(pf->in);
	free(pf->memory);
	free(pf);
}

static int pcapfile_open(struct relay *relay, const struct relay_config *config,
			 const char **why)
{
	struct pcapfile *pf = calloc(1, sizeof(*pf));
	if (!pf)
		return -ENOMEM;
	pf->speed = config->speed;
	pf->memory = malloc((2 * RELAY_BURST + 1) * (size_t)ECP_FRAME_MAX);
	pf->next.data = pf->memory ? room_at(pf, RELAY_BURST) : NULL;
	relay->netif = (struct netif){.mtu = MTU, .enabled = true, .up = true};
	snprintf(relay->netif.name, sizeof(relay->netif.name), "%s", config->interface);
	errno = 0;
	int r = pf->memory ? open_in(pf, config->read, why) : -ENOMEM;
	if (r == 0)
		r = open_out(pf, config->write, why);
	if (r == 0)
		r = relay->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r < 0) {
		free_all(pf);
		return r;
	}
	relay->priv = pf;
	return 0;
}

static void pcapfile_close(struct relay *relay)
{
	close(relay->fd);
	free_all(relay->priv);
	relay->priv = NULL;
	relay->fd = -1;
}

const struct relay_ops relay_pcapfile_ops = {
    .name = "pcapfile",
    .without_interface = true,
    .syscalls = SYSCALLS_PCAPFILE,
    .open = pcapfile_open,
    .close = pcapfile_close,
    .rx_peek = pcapfile_rx_peek,
    .rx_release = pcapfile_rx_release,
    .tx_reserve = pcapfile_tx_reserve,
    .tx_submit = pcapfile_tx_submit,
    .claimed = pcapfile_claimed,
};
