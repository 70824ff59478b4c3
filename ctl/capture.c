/*
 * capture.c - `etherconnctl capture`: what the daemon receives, sends and drops, as pcapng.
 *
 *   ring -> filter (whose) -> expression (what) -> pcapng
 *
 * Each endpoint is an interface of the file, described when its first frame comes; what belongs
 * to none is on the relay's.
 */
#include "ctl/expression.h"
#include "ctl/filter.h"
#include "ctl/pcapng.h"
#include "ctl/ring.h"
#include "proto/frame.h"

#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define WRITE_AT_ONCE (256 << 10)  /* bytes */
#define RELAYS_MAX    ECP_PAGE_MAX /* more than a daemon has */

/* Of what an endpoint is known by; no holes, so that it can be compared as bytes. */
struct source_key {
	uint32_t client, endpoint, generation;
	uint16_t vlan[2];
	uint8_t mac[6];
	uint16_t port;
	uint8_t ip[16];
	uint8_t n_vlans, family, unused[2];
};
static_assert(sizeof(struct source_key) == 44, "no holes");

/* An endpoint that has become an interface of the file. */
struct source {
	struct source_key key;
	uint32_t interface;
};

struct capture {
	struct ctl *ctl;
	struct filter filter;
	struct expression *expression; /* NULL: all */
	struct ring ring;
	struct pcapng file;
	unsigned n_relays; /* they are the file's first interfaces */
	struct ecp_relay_info relays[RELAYS_MAX];
	uint64_t n_of_relay[RELAYS_MAX]; /* frames written */
	void *sources;                   /* a tree of them, for tsearch(3) */
	uint64_t n, begin_ns;
	bool broken;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* ---- whose a frame is ---- */

static int compare_sources(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* As the lists of etherconnctl show it. */
static uint32_t describe(struct pcapng *file, const struct source_key *key,
			 const struct ecp_capture_aux *aux)
{
	char name[160], description[160], l2_text[ECP_L2ADDR_TEXT],
	    local_text[ECP_ADDR_TEXT];
	struct ecp_l2addr l2 = {.n_vlans = key->n_vlans};
	struct ecp_addr local = {.family = key->family, .port = key->port};
	memcpy(l2.mac, key->mac, sizeof(l2.mac));
	for (unsigned i = 0; i < key->n_vlans; i++)
		l2.vlans[i].id = key->vlan[i];
	memcpy(local.ip, key->ip, sizeof(local.ip));
	snprintf(name, sizeof(name), "%u/%u %s%s%s", key->client, key->endpoint,
		 ecp_l2addr_format(&l2, l2_text), key->family ? " " : "",
		 key->family ? ecp_addr_format(&local, local_text) : "");
	snprintf(description, sizeof(description), "on %s, of %s[%u], uid %u",
		 aux->interface, aux->comm, aux->pid, aux->uid);
	const struct pcapng_interface interface = {name, description, key->mac};
	return pcapng_add_interface(file, &interface);
}

static uint32_t interface_of_endpoint(struct capture *c, const struct ring_record *record)
{
	const struct ecp_capture_aux *aux = &record->aux;
	struct source wanted = {.key = {
				    .client = aux->client,
				    .endpoint = record->head.endpoint,
				    .generation = record->head.generation,
				    .vlan = {aux->vlan[0], aux->vlan[1]},
				    .port = aux->port,
				    .n_vlans = aux->n_vlans,
				    .family = aux->family,
				}};
	memcpy(wanted.key.mac, aux->mac, sizeof(aux->mac));
	memcpy(wanted.key.ip, aux->ip, sizeof(aux->ip));
	struct source **found = tfind(&wanted, &c->sources, compare_sources);
	if (found)
		return (*found)->interface;
	struct source *new = malloc(sizeof(*new));
	if (!new)
		abort();
	*new = wanted;
	if (!tsearch(new, &c->sources, compare_sources))
		abort();
	new->interface = describe(&c->file, &new->key, aux);
	return new->interface;
}

static unsigned relay_of(const struct capture *c, const struct ecp_capture_aux *aux)
{
	unsigned i = 0;
	while (i + 1 < c->n_relays && strcmp(c->relays[i].interface, aux->interface) != 0)
		i++;
	return i;
}

/* ---- frames ---- */

/* The address and the tags that a frame of nobody names. */
static struct ecp_l2addr address_in(const struct ring_record *record)
{
	struct ecp_l2addr l2 = {.n_vlans = 0};
	struct ecp_frame frame;
	bool good =
	    ecp_frame_parse(record->frame, record->len, NULL, &frame) == ECP_FRAME_OK;
	if (!good && record->len < ECP_ETH_HLEN)
		return l2;
	memcpy(l2.mac, frame.key.mac, sizeof(l2.mac));
	while (l2.n_vlans < ECP_VLANS_MAX && frame.key.vlan[l2.n_vlans] != ECP_NO_VLAN) {
		l2.vlans[l2.n_vlans].id = frame.key.vlan[l2.n_vlans];
		l2.n_vlans++;
	}
	return l2;
}

static bool is_wanted(const struct capture *c, const struct ring_record *record)
{
	if (c->filter.keys) {
		const struct ecp_l2addr own = address_in(record);
		if (!filter_frame(&c->filter, &record->aux, &own))
			return false;
	}
	return !c->expression ||
	       expression_matches(c->expression, record->frame, record->len);
}

static const char *comment_of(const struct ecp_capture_aux *aux, char text[static 64])
{
	if (!aux->reason[0])
		return NULL;
	snprintf(text, 64, "%s: %s",
		 aux->flags & ECP_CAPTURE_DROPPED ? "dropped" : "a copy was dropped",
		 aux->reason);
	return text;
}

/* What the daemon wrote ends with its NUL and keeps to its limits, whatever it is. */
static void tame(struct ecp_capture_aux *aux)
{
	aux->reason[sizeof(aux->reason) - 1] = 0;
	aux->interface[sizeof(aux->interface) - 1] = 0;
	aux->comm[sizeof(aux->comm) - 1] = 0;
	if (aux->n_vlans > ECP_VLANS_MAX)
		aux->n_vlans = ECP_VLANS_MAX;
}

static void take_record(struct capture *c, struct ring_record *record)
{
	char text[64];
	struct ecp_capture_aux *aux = &record->aux;
	uint32_t most = c->ctl->options.snaplen;
	tame(aux);
	if (!is_wanted(c, record))
		return;
	unsigned relay = relay_of(c, aux);
	const struct pcapng_packet packet = {
	    .interface = aux->flags & ECP_CAPTURE_ENDPOINT
			     ? interface_of_endpoint(c, record)
			     : relay,
	    .time_ns = aux->time_ns,
	    .data = record->frame,
	    .len = most && most < record->len ? most : record->len,
	    .whole_len = aux->frame_len,
	    .direction =
		aux->direction == ECP_CAPTURE_IN ? PCAPNG_INBOUND : PCAPNG_OUTBOUND,
	    .comment = comment_of(aux, text),
	};
	pcapng_add_packet(&c->file, &packet);
	c->n_of_relay[relay]++;
	c->n++;
}

static bool is_enough(const struct capture *c)
{
	uint64_t most = c->ctl->options.count;
	return (most && c->n >= most) || ferror(c->file.out);
}

/* All that is in the ring by now. */
static void take_records(struct capture *c)
{
	struct ring_record record;
	c->broken = !ring_look(&c->ring);
	while (!c->broken && !is_enough(c) && ring_next(&c->ring, &record, &c->broken))
		take_record(c, &record);
	ring_release(&c->ring);
	fflush(c->file.out);
}

/* The signals that end a capture, as a descriptor: none of them ends it in the middle of a block. */
static int hold_signals(void)
{
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

static enum ctl_exit run(struct capture *c, int signals)
{
	enum ring_news news = RING_NEWS;
	while (news == RING_NEWS) {
		take_records(c);
		if (c->broken)
			return ctl_complain(CTL_FAILED, "the daemon's ring is broken");
		if (is_enough(c))
			return CTL_OK;
		news = ring_wait(&c->ring, c->ctl->fd, signals);
	}
	take_records(c);
	return news == RING_SIGNAL
		   ? CTL_OK
		   : ctl_complain(CTL_FAILED, "the daemon has closed the connection");
}

/* ---- the file ---- */

static void begin_file(struct capture *c, FILE *out)
{
	c->begin_ns = now_ns();
	pcapng_begin(&c->file, out, "etherconnctl " EC_VERSION);
	for (unsigned i = 0; i < c->n_relays; i++) {
		const struct pcapng_interface interface = {c->relays[i].interface,
							   "what belongs to no endpoint",
							   c->relays[i].mac};
		pcapng_add_interface(&c->file, &interface);
	}
	fflush(out);
}

/* How much was missed is known for all relays together: it stands at the first. */
static void end_file(struct capture *c)
{
	uint64_t missed = ring_missed(&c->ring), end = now_ns();
	for (unsigned i = 0; i < c->n_relays; i++) {
		const struct pcapng_statistics statistics = {
		    i, c->begin_ns, end, c->n_of_relay[i], i ? 0 : missed};
		pcapng_add_statistics(&c->file, &statistics);
	}
	fprintf(stderr, "etherconnctl: %llu frames captured, %llu missed%s\n",
		(unsigned long long)c->n, (unsigned long long)missed,
		missed ? " (a larger --buffer may help)" : "");
}

static enum ctl_exit close_file(FILE *out, const char *path)
{
	bool failed = fflush(out) != 0 || ferror(out);
	if (out != stdout)
		failed |= fclose(out) != 0;
	return failed ? ctl_complain(CTL_FAILED, "%s: %s", path, strerror(errno)) : CTL_OK;
}

static FILE *open_file(const char *path)
{
	FILE *out = strcmp(path, "-") ? fopen(path, "wbe") : stdout;
	if (!out)
		ctl_complain(CTL_FAILED, "%s: %s", path, strerror(errno));
	else
		setvbuf(out, NULL, _IOFBF, WRITE_AT_ONCE);
	return out;
}

static enum ctl_exit capture_to_file(struct capture *c, const char *path)
{
	FILE *out = open_file(path);
	if (!out)
		return CTL_FAILED;
	int signals = hold_signals();
	begin_file(c, out);
	fprintf(stderr, "etherconnctl: capturing%s%s\n",
		c->ctl->options.interface ? " on " : "",
		c->ctl->options.interface ? c->ctl->options.interface : "");
	enum ctl_exit code = run(c, signals);
	close(signals);
	end_file(c);
	enum ctl_exit closed = close_file(out, path);
	return code == CTL_OK ? closed : code;
}

/* ---- what is asked for ---- */

static uint32_t ring_size(uint32_t kib)
{
	uint32_t size = kib ? ECP_RING_MIN : 0;
	while (size < (uint64_t)kib << 10)
		size *= 2;
	return size;
}

static enum ctl_exit open_ring(struct capture *c)
{
	struct ctl *ctl = c->ctl;
	const struct ctl_options *o = &ctl->options;
	struct ecp_capture *ask = &ctl->request.capture;
	ctl->request.type = ECP_REQ_CAPTURE;
	*ask = (struct ecp_capture){
	    .version = ECP_PROTOCOL_VERSION,
	    .ring = ring_size(o->buffer_kib),
	    /* what the expression looks at may be beyond what shall be written */
	    .snaplen = c->expression ? 0 : o->snaplen,
	};
	if (o->interface)
		snprintf(ask->interface, sizeof(ask->interface), "%s", o->interface);
	return ring_open(ctl, &c->ring);
}

static enum ctl_exit learn_relays(struct capture *c)
{
	struct ecp_page *page = &c->ctl->reply.page;
	c->ctl->request.type = ECP_REQ_SHOW;
	c->ctl->request.show = (struct ecp_show_request){.what = ECP_SHOW_RELAYS};
	enum ctl_exit code = ctl_ask(c->ctl, ECP_REP_PAGE);
	for (unsigned i = 0; code == CTL_OK && i < page->n; i++)
		if (!c->ctl->options.interface ||
		    !strcmp(c->ctl->options.interface, page->relays[i].interface))
			c->relays[c->n_relays++] = page->relays[i];
	return code;
}

/* KEY VALUE pairs, then an expression: as one word, or, where it stands alone, as many. */
static enum ctl_exit parse_words(struct capture *c, int argc, char **argv)
{
	char text[4096] = "";
	size_t len = 0;
	const char *why;
	int pairs = filter_count_words(argc, argv);
	enum ctl_exit code = filter_parse(&c->filter, pairs, argv);
	if (code != CTL_OK)
		return code;
	if (pairs && argc - pairs > 1)
		return ctl_complain(CTL_USAGE,
				    "\"%s\" is no key; an expression is one word: "
				    "'vlan 100 and udp'",
				    argv[pairs]);
	for (int i = pairs; i < argc && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					len ? " " : "", argv[i]);
	if (len >= sizeof(text))
		return ctl_complain(CTL_USAGE, "the expression is too long");
	if (!len)
		return CTL_OK;
	c->expression = expression_compile(text, &why);
	return c->expression ? CTL_OK : ctl_complain(CTL_USAGE, "\"%s\": %s", text, why);
}

enum ctl_exit cmd_capture(struct ctl *ctl, int argc, char **argv)
{
	static struct capture c; /* too large for a stack */
	const char *path = ctl->options.write;
	c.ctl = ctl;
	if (!path && isatty(STDOUT_FILENO))
		return ctl_complain(
		    CTL_USAGE, "capture -w FILE, or -w - | tcpdump -r - for a terminal");
	enum ctl_exit code = parse_words(&c, argc, argv);
	if (code == CTL_OK)
		code = learn_relays(&c);
	if (code == CTL_OK)
		code = open_ring(&c);
	if (code == CTL_OK) {
		code = capture_to_file(&c, path ? path : "-");
		ring_close(&c.ring);
	}
	tdestroy(c.sources, free);
	expression_free(c.expression);
	return code;
}
