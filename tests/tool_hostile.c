/*
 * tool_hostile.c - a client that does one kind of harm to the daemon, over and over.
 *
 *   tool_hostile SOCKET KIND SECONDS NUMBER
 *
 * The kinds are in the table at the end.  NUMBER, different for each process, makes its
 * addresses and its dice.  Says what it did in one line; exit 0 if the daemon kept its promises
 * as far as they can be seen from here, 1 with a sentence if not, 2 for usage.
 */
#include "tests/hostile.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_MS 10000 /* so long a daemon under load may take to notice */

static const char *path;
static unsigned number, dice, rounds, ends;
static const uint8_t nobody[6] = {2, 0x77, 0, 0, 0, 1};

static void __attribute__((noreturn, format(printf, 1, 2))) broken(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "tool_hostile: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned roll(unsigned sides)
{
	return (unsigned)rand_r(&dice) % sides;
}

/* Attached, with endpoints.  The claims of the round before may take a moment to be free. */
static void begin_with(struct hostile *h, uint32_t ring_size)
{
	double end = now() + END_MS / 1000.0;
	int r;
	while ((r = hostile_open_with(h, path, ring_size)) < 0)
		if (now() > end)
			broken("cannot attach: %s", strerror(-r));
	while ((r = hostile_claim(h, number)) < 0)
		if (now() > end || r != -EADDRINUSE)
			broken("cannot claim: %s", strerror(-r));
}

static void begin(struct hostile *h)
{
	begin_with(h, ECP_RING_MIN);
}

/* The daemon answers this client. */
static void must_answer(struct hostile *h)
{
	const struct ecp_request req = {.type = ECP_REQ_STATUS};
	struct ecp_reply *rep;
	int r = hostile_ask(h, &req, &rep);
	if (r < 0 || rep->type != ECP_REP_STATUS)
		broken("the daemon does not answer: %s", strerror(-r));
}

/* A record that is right in all but what the caller changes. */
static struct ecp_record good_head(const struct hostile *h, uint32_t len)
{
	return (struct ecp_record){
	    .len = (uint32_t)(sizeof(struct ecp_record) + sizeof(struct ecp_tx_aux)) + len,
	    .type = ECP_RECORD_TX,
	    .aux_len = sizeof(struct ecp_tx_aux),
	    .endpoint = h->id[0],
	    .generation = h->generation[0],
	};
}

static struct ecp_tx_aux good_aux(void)
{
	struct ecp_tx_aux aux = {.ethertype = ECP_ETHERTYPE_IPV4};
	memcpy(aux.dst, nobody, sizeof(aux.dst));
	return aux;
}

static void send_good(struct hostile *h)
{
	static const uint8_t payload[256];
	uint32_t len = 20 + roll(sizeof(payload) - 20);
	struct ecp_record head = good_head(h, len);
	struct ecp_tx_aux aux = good_aux();
	uint64_t in_ring = h->written & (h->ring_size - 1);
	uint32_t left = (uint32_t)(h->ring_size - in_ring);
	if (left < 512) { /* none wraps */
		struct ecp_record pad = {.len = left, .type = ECP_RECORD_PAD};
		memcpy(h->ring + in_ring, &pad, sizeof(pad));
		h->written += left;
	}
	hostile_write(h, &head, &aux, payload, len);
}

/* ---- scribble: another process writes all over the memory while this one sends ---- */

static void scribble_for_ever(struct hostile *h, unsigned seed)
{
	_Atomic uint64_t *words[] = {&h->c->tx_prod, &h->c->rx_cons, &h->c->rx_wake_at,
				     &h->c->tx_space_at};
	dice = seed;
	for (;;) {
		/* where the daemon reads heads, now and then an index: most of all the former */
		uint64_t at = h->d->tx_cons + roll(64);
		h->ring[at & (ECP_RING_MIN - 1)] = (uint8_t)roll(256);
		h->ring[roll(ECP_RING_MIN)] = (uint8_t)roll(256);
		if (roll(64))
			continue;
		atomic_store(words[roll(4)], roll(2) ? h->d->tx_cons + roll(8192) * 16
						     : (uint64_t)roll(~0u) << roll(40));
	}
}

static void scribble(void)
{
	struct hostile h;
	begin(&h);
	unsigned seed = roll(~0u);
	pid_t scribbler = fork();
	if (scribbler == 0)
		scribble_for_ever(&h, seed);
	double end = now() + 0.1;
	bool ended = false;
	while (!ended && now() < end) {
		for (unsigned i = 0; i < 16; i++)
			send_good(&h);
		hostile_show(&h);
		ended = hostile_is_ended(&h, 0);
	}
	kill(scribbler, SIGKILL);
	waitpid(scribbler, NULL, 0);
	ends += ended;
	hostile_close(&h);
}

/* ---- indices and records that cannot be: each ends the client, and just that ---- */

static void must_end(struct hostile *h, const char *what)
{
	if (!hostile_is_ended(h, END_MS))
		broken("%s, and the daemon goes on with it", what);
	ends++;
	hostile_close(h);
}

static void indices(void)
{
	static const uint64_t lies[] = {
	    ~UINT64_C(0),     UINT64_C(1) << 63, ECP_RING_MIN + 16,     8,
	    ECP_RING_MIN * 2, ~UINT64_C(15),     UINT64_C(1) << 32 | 16};
	struct hostile h;
	begin(&h);
	h.written = lies[rounds % (sizeof(lies) / sizeof(*lies))];
	hostile_show(&h);
	must_end(&h, "an index that cannot be");

	/* going back: from where the daemon has read to */
	begin(&h);
	send_good(&h);
	hostile_show(&h);
	double end = now() + END_MS / 1000.0;
	while (atomic_load(&h.d->tx_cons) != h.written)
		if (now() > end)
			broken("a good record is not taken");
	h.written = 0;
	hostile_show(&h);
	must_end(&h, "an index that goes back");
}

static void records(void)
{
	static const struct {
		uint32_t len;
		uint16_t aux_len;
		uint8_t type;
	} lies[] = {
	    {0, 8, ECP_RECORD_TX},
	    {15, 0, ECP_RECORD_TX},
	    {~0u, 8, ECP_RECORD_TX},
	    {1u << 31, 8, 3},
	    {24, 16, ECP_RECORD_TX},
	    {48, 4, ECP_RECORD_TX},
	    {48, 0xffff, 3},
	    {48, 8, 0},
	    {48, 8, 255},
	    {48, 8, ECP_RECORD_RX},
	    {32, 0, ECP_RECORD_PAD},
	    {0x10000, 8, 3},
	    {48, 16, ECP_RECORD_TX},
	    {49, 8, ECP_RECORD_TX},
	};
	static const uint8_t payload[24];
	struct ecp_tx_aux aux = good_aux();
	struct hostile h;
	begin(&h);
	unsigned i = rounds % (sizeof(lies) / sizeof(*lies));
	struct ecp_record head = good_head(&h, 24);
	head.len = lies[i].len;
	head.aux_len = lies[i].aux_len;
	head.type = lies[i].type;
	hostile_write(&h, &head, &aux, payload, sizeof(payload));
	hostile_show(&h);
	must_end(&h, "a record that is none");
}

/* Records that are well formed and may not be sent: counted, and nobody ends. */
static void forged(void)
{
	static const uint8_t payload[2000];
	struct hostile h;
	begin(&h);
	for (unsigned i = 0; i < 32; i++) {
		uint32_t len = i % 8 == 7 ? 1600 : 64;
		struct ecp_record head = good_head(&h, len);
		struct ecp_tx_aux aux = good_aux();
		if (i % 8 == 0)
			head.endpoint = roll(~0u);
		if (i % 8 == 1)
			head.generation = roll(~0u);
		if (i % 8 == 2)
			head.endpoint = h.id[0] + 1 + roll(1000);
		if (i % 8 == 3)
			aux.ethertype = ECP_TPID_8021Q;
		if (i % 8 == 4)
			aux.ethertype = (uint16_t)roll(0x600);
		if (i % 8 == 5) { /* no UDP datagram of this endpoint's */
			head.endpoint = h.id[1];
			head.generation = h.generation[1];
		}
		if (i % 8 == 6)
			memset(aux.dst, (int)roll(256), sizeof(aux.dst));
		hostile_write(&h, &head, &aux, payload, len);
	}
	hostile_show(&h);
	double end = now() + END_MS / 1000.0;
	while (atomic_load(&h.d->tx_cons) != h.written)
		if (now() > end || hostile_is_ended(&h, 0))
			broken("records that may not be sent are not just counted");
	must_answer(&h);
	hostile_close(&h);
}

/* ---- doorbells and memory ---- */

static void doorbells(void)
{
	static const char bytes[4096];
	struct hostile h;
	begin(&h);
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++)
		fcntl(h.fds[i], F_SETFL, roll(2) ? O_NONBLOCK : 0);
	fcntl(h.fds[ECP_FD_BELL_TX], F_SETFL, O_NONBLOCK);
	double end = now() + 0.05;
	while (now() < end) {
		while (write(h.fds[ECP_FD_BELL_TX], bytes, sizeof(bytes)) > 0)
			;
		must_answer(&h);
	}
	close(h.fds[ECP_FD_BELL_TX]);
	close(h.fds[ECP_FD_BELL_RX]);
	close(h.fds[ECP_FD_BELL_TX_KEEP]);
	h.fds[ECP_FD_BELL_TX] = h.fds[ECP_FD_BELL_RX] = h.fds[ECP_FD_BELL_TX_KEEP] = -1;
	must_answer(&h);
	hostile_close(&h);
}

static void memory(void)
{
	char name[32];
	struct hostile h;
	begin(&h);
	int d = h.fds[ECP_FD_D], c = h.fds[ECP_FD_C];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", d);
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, d, 0) != MAP_FAILED ||
	    mprotect((void *)(uintptr_t)h.d, 4096, PROT_READ | PROT_WRITE) == 0)
		broken("the daemon's memory can be mapped for writing");
	if (open(name, O_RDWR) >= 0 || fchmod(d, 0600) == 0)
		broken("the daemon's memory can be opened for writing");
	if (ftruncate(c, 0) == 0 || ftruncate(c, 1 << 20) == 0 || ftruncate(d, 0) == 0)
		broken("shared memory can be resized");
	/* allowed: whoever reads there finds zeros */
	fallocate(c, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536);
	must_answer(&h);
	send_good(&h);
	hostile_show(&h);
	hostile_close(&h);
}

/* Holes are punched all the time into what the daemon reads: it has to wait for the kernel. */
static void holes(void)
{
	struct hostile h;
	begin_with(&h, 16 << 20);
	pid_t puncher = fork();
	while (puncher == 0)
		fallocate(h.fds[ECP_FD_C], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  ECP_CHANNEL_PAGE, h.ring_size);
	double end = now() + 0.5;
	bool ended = false;
	while (!ended && now() < end) {
		while (h.written - atomic_load(&h.d->tx_cons) < h.ring_size / 2)
			send_good(&h);
		hostile_show(&h);
		ended = hostile_is_ended(&h, 0);
	}
	kill(puncher, SIGKILL);
	waitpid(puncher, NULL, 0);
	ends += ended;
	hostile_close(&h);
}

/* Sizes of the doorbells are nobody's business. */
static void pipes(void)
{
	static const char bytes[65536];
	static const int sizes[] = {4096, 1 << 20, 65536};
	struct hostile h;
	begin(&h);
	for (unsigned i = 0; i < 64; i++) {
		int bell = h.fds[roll(2) ? ECP_FD_BELL_TX : ECP_FD_BELL_RX];
		fcntl(bell, F_SETPIPE_SZ, sizes[roll(3)]);
		fcntl(h.fds[ECP_FD_BELL_TX], F_SETFL, O_NONBLOCK);
		ssize_t n = write(h.fds[ECP_FD_BELL_TX], bytes, 1 + roll(sizeof(bytes)));
		(void)n;
		atomic_store(&h.c->rx_wake_at, roll(2) ? 0 : h.d->rx_prod);
		atomic_store(&h.c->tx_space_at, roll(2) ? 0 : h.d->tx_cons);
		send_good(&h);
		hostile_show(&h);
	}
	must_answer(&h);
	hostile_close(&h);
}

/* ---- the control socket ---- */

/* One message with n descriptors, whatever the daemon thinks of them. */
static void send_descriptors(int fd, const void *text, size_t len, unsigned n)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(253 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	memset(&control, 0, sizeof(control));
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (unsigned i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.head) + i * sizeof(int), &fd, sizeof(int));
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		broken("cannot send descriptors: %s", strerror(errno));
}

static void descriptors(void)
{
	static const char text[] = "{\"request\":\"status\"}";
	char reply[4096];
	struct hostile h;
	begin(&h);
	for (unsigned i = 0; i < 16; i++) {
		send_descriptors(h.control, text, sizeof(text) - 1, i % 2 ? 253 : 1);
		if (recv(h.control, reply, sizeof(reply), 0) <= 0)
			broken("a request with descriptors is not answered");
	}
	hostile_close(&h);
}

static size_t any_request(char *text, size_t room)
{
	static const char *const requests[] = {
	    "{\"request\":\"status\"}",
	    "{\"request\":\"show\",\"what\":\"endpoints\"}",
	    "{\"request\":\"show\",\"what\":\"clients\",\"after\":1e19}",
	    "{\"request\":\"close\",\"ids\":[0,1,2,3]}",
	    "{\"request\":\"attach\",\"version\":1}",
	    "{\"request\":\"open\",\"endpoints\":[{\"udp\":\"1.2.3.4:5\",\"on\":99}]}",
	    "{\"request\":\"counters\"}",
	};
	unsigned kind = roll(10);
	if (kind < sizeof(requests) / sizeof(*requests))
		return (size_t)snprintf(text, room, "%s", requests[kind]);
	size_t len = kind == 7 ? roll(200) + 1 : kind == 8 ? ECP_MSG_MAX : room;
	memset(text, kind == 8 ? '[' : (int)roll(256), len);
	return len;
}

/* Ask and ask, and never take an answer. */
static void flood(void)
{
	static char text[ECP_MSG_MAX + 1000];
	struct hostile h;
	begin(&h);
	double end = now() + END_MS / 1000.0;
	while (now() < end) {
		size_t len = any_request(text, sizeof(text));
		if (send(h.control, text, len, MSG_NOSIGNAL) < 0)
			break;
	}
	must_end(&h, "one that takes no answers");
}

/* Come and go, at any point of it. */
static void churn(void)
{
	static const char attach[] = "{\"request\":\"attach\",\"version\":1}";
	struct hostile h;
	for (unsigned i = 0; i < 64; i++) {
		int fd = ecp_sock_connect(path);
		if (fd < 0)
			continue;
		if (i % 2)
			send(fd, attach, sizeof(attach) - 1, MSG_NOSIGNAL);
		if (i % 4 == 3)
			shutdown(fd, SHUT_WR);
		close(fd);
	}
	if (hostile_open(&h, path) == 0)
		hostile_close(&h);
}

/* As many endpoints as it gets, then all back, or gone with them. */
static void claims(void)
{
	static struct ecp_request req;
	struct ecp_reply *rep;
	struct hostile h;
	begin(&h);
	for (unsigned batch = 0; batch < 16; batch++) {
		req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = ECP_BATCH_MAX};
		for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
			req.open.items[i] = (struct ecp_open_item){
			    .flags = roll(4),
			    .l2 = {.mac = {2, 0x67, (uint8_t)number, (uint8_t)batch,
					   (uint8_t)i, 1},
				   .n_vlans = 1,
				   .vlans = {{.id = (uint16_t)roll(4096),
					      .tpid = ECP_TPID_8021Q}}}};
		if (hostile_ask(&h, &req, &rep) < 0)
			broken("a batch of claims is not answered");
		req = (struct ecp_request){.type = ECP_REQ_CLOSE, .close.n = ECP_BATCH_MAX};
		for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
			req.close.ids[i] = roll(2) ? roll(5000) : roll(~0u);
		if (hostile_ask(&h, &req, &rep) < 0)
			broken("closing any numbers is not answered");
	}
	hostile_close(&h);
}

/*
 * Very many UDP endpoints on one L2 endpoint, whose number is the highest, so that they are
 * closed one by one and the oldest first; then gone, all at once.
 */
static void crowd(void)
{
	static struct ecp_request req;
	struct ecp_reply *rep;
	struct hostile h;
	uint32_t l2 = 0;
	begin(&h);
	for (unsigned batch = 0; batch < 200; batch++) {
		req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = ECP_BATCH_MAX};
		for (unsigned i = 0; i < ECP_BATCH_MAX; i++) {
			struct ecp_open_item *item = &req.open.items[i];
			if (batch == 0) { /* places, and in the last the L2 endpoint */
				item->l2.mac[0] = 2;
				item->l2.mac[1] = 0x68;
				item->l2.mac[2] = (uint8_t)number;
				item->l2.mac[5] = (uint8_t)i;
				continue;
			}
			item->kind = ECP_KIND_UDP;
			item->on = l2;
			item->local.family = 6;
			item->local.port = 7;
			item->local.ip[0] = 0xfd;
			item->local.ip[14] = (uint8_t)batch;
			item->local.ip[15] = (uint8_t)i;
		}
		if (hostile_ask(&h, &req, &rep) < 0 || rep->type != ECP_REP_OPENED)
			broken("a batch of claims is not answered");
		if (batch)
			continue;
		l2 = rep->opened.items[ECP_BATCH_MAX - 1].id;
		req = (struct ecp_request){.type = ECP_REQ_CLOSE,
					   .close.n = ECP_BATCH_MAX - 1};
		for (unsigned i = 0; i < ECP_BATCH_MAX - 1; i++)
			req.close.ids[i] = rep->opened.items[i].id;
		if (hostile_ask(&h, &req, &rep) < 0)
			broken("closing is not answered");
	}
	if (rep->opened.items[0].error.code)
		broken("claims are refused: %s", rep->opened.items[0].error.text);
	hostile_close(&h);
}

/* A number is given back and taken again while frames of its old life are still in the ring. */
static void generations(void)
{
	static struct ecp_request req;
	struct ecp_reply *rep;
	struct hostile h;
	begin(&h);
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned k = 0; k < 100; k++)
			send_good(&h);
		hostile_show(&h);
		req = (struct ecp_request){.type = ECP_REQ_CLOSE, .close.n = 2};
		memcpy(req.close.ids, h.id, sizeof(h.id));
		if (hostile_ask(&h, &req, &rep) < 0 || rep->type != ECP_REP_CLOSED)
			broken("closing is not answered");
		if (roll(2))
			hostile_show(&h);
		if (hostile_claim(&h, number) < 0)
			broken("what was given back cannot be had");
		while (h.written - atomic_load(&h.d->tx_cons) > ECP_RING_MIN / 2)
			;
	}
	must_answer(&h);
	hostile_close(&h);
}

/* Descriptors that nobody takes: gone while the reply that carries them is on its way. */
static void orphans(void)
{
	static const char attach[] = "{\"request\":\"attach\",\"version\":1,"
				     "\"rx_ring\":65536,\"tx_ring\":65536}";
	struct hostile h;
	int fds[16];
	for (unsigned i = 0; i < 16; i++) {
		fds[i] = ecp_sock_connect(path);
		if (fds[i] < 0)
			continue;
		for (unsigned k = 0; k <= roll(3); k++)
			send(fds[i], attach, sizeof(attach) - 1, MSG_NOSIGNAL);
		send(fds[i], attach, roll(sizeof(attach)), MSG_NOSIGNAL);
		if (roll(2))
			shutdown(fds[i], (int)roll(3));
	}
	for (unsigned i = 0; i < 16; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	begin(&h);
	must_answer(&h);
	hostile_close(&h);
}

/* Ask for multicast, and never read a frame. */
static void deaf(void)
{
	struct hostile h;
	begin(&h);
	if (hostile_is_ended(&h, 500))
		broken("one that does not read was ended");
	must_answer(&h);
	hostile_close(&h);
}

/* As many frames as go out. */
static void torrent(void)
{
	struct hostile h;
	begin(&h);
	double end = now() + 0.5;
	while (now() < end) {
		while (h.written - atomic_load(&h.d->tx_cons) < ECP_RING_MIN - 1024)
			send_good(&h);
		hostile_show(&h);
	}
	must_answer(&h);
	hostile_close(&h);
}

/* Write what is counted, shorten it, lengthen it, pierce it; and look where nothing is. */
static void counters(void)
{
	struct hostile h;
	struct stat st;
	char self[40];
	begin(&h);
	int fd = hostile_counters(&h);
	if (fd < 0 || fstat(fd, &st) < 0)
		broken("no counters: %s", strerror(-fd));
	const size_t size = (size_t)st.st_size;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED ||
	    write(fd, self, 1) >= 0 || open(self, O_RDWR) >= 0 ||
	    fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0)
		broken("the counters can be written");
	if (ftruncate(fd, 0) == 0 || ftruncate(fd, 1 << 30) == 0 || fchmod(fd, 0666) == 0)
		broken("the counters can be made another size");
	uint8_t *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		broken("the counters cannot be read");
	for (size_t i = 0; i < size; i += 64) /* while the daemon writes */
		dice += ((const volatile uint8_t *)at)[i];
	if (madvise(at, size, MADV_REMOVE) == 0)
		broken("the counters can be thrown away");
	munmap(at, size);
	close(fd);
	must_answer(&h);
	hostile_close(&h);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
    {"scribble", scribble},   {"indices", indices},
    {"records", records},     {"forged", forged},
    {"doorbells", doorbells}, {"memory", memory},
    {"flood", flood},         {"descriptors", descriptors},
    {"churn", churn},         {"claims", claims},
    {"deaf", deaf},           {"torrent", torrent},
    {"holes", holes},         {"pipes", pipes},
    {"crowd", crowd},         {"generations", generations},
    {"orphans", orphans},     {"counters", counters},
};

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: tool_hostile SOCKET KIND SECONDS NUMBER\n");
		return 2;
	}
	path = argv[1];
	number = dice = (unsigned)atoi(argv[4]);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(argv[2], kinds[i].name))
			continue;
		double end = now() + atof(argv[3]);
		do
			kinds[i].run();
		while (rounds++, now() < end);
		printf("%s: %u rounds, ended %u times\n", argv[2], rounds, ends);
		return 0;
	}
	fprintf(stderr, "tool_hostile: no kind \"%s\"\n", argv[2]);
	return 2;
}
