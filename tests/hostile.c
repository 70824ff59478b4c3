/*
 * hostile.c - attach, claim, write: the bare client that tests/tool_hostile.c misbehaves with.
 */
#include "tests/hostile.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct ecp_error hostile_refusal;

static size_t channel_size(const struct hostile *h)
{
	return ECP_CHANNEL_PAGE + (size_t)h->ring_size;
}

static int ask(struct hostile *h, const struct ecp_request *req, struct ecp_reply **rep,
	       int *fds, unsigned *n_fds)
{
	static struct ecp_reply reply;
	static char text[ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	*rep = &reply;
	return ecp_ask(h->control, req, &reply, text, fds, n_fds, &err);
}

int hostile_ask(struct hostile *h, const struct ecp_request *req, struct ecp_reply **rep)
{
	return ask(h, req, rep, NULL, NULL);
}

int hostile_counters(struct hostile *h)
{
	const struct ecp_request req = {.type = ECP_REQ_COUNTERS};
	struct ecp_reply *rep;
	unsigned n_fds = 1;
	int fd, r = ask(h, &req, &rep, &fd, &n_fds);
	if (r < 0)
		return r;
	return rep->type == ECP_REP_COUNTERS && n_fds == 1 ? fd : -EPROTO;
}

static int attach(struct hostile *h)
{
	const struct ecp_request req = {
	    .type = ECP_REQ_ATTACH,
	    .attach = {.version = ECP_PROTOCOL_VERSION,
		       .rx_ring = h->ring_size,
		       .tx_ring = h->ring_size},
	};
	struct ecp_reply *rep;
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	int r = ask(h, &req, &rep, fds, &n_fds);
	if (r < 0)
		return r;
	if (rep->type == ECP_REP_ERROR) {
		hostile_refusal = rep->error;
		return hostile_refusal.code;
	}
	if (rep->type != ECP_REP_ATTACHED || n_fds != ECP_N_CHANNEL_FDS)
		return -EPROTO;
	memcpy(h->fds, fds, sizeof(h->fds));
	void *d = mmap(NULL, channel_size(h), PROT_READ, MAP_SHARED, fds[ECP_FD_D], 0);
	void *c = mmap(NULL, channel_size(h), PROT_READ | PROT_WRITE, MAP_SHARED,
		       fds[ECP_FD_C], 0);
	if (d != MAP_FAILED)
		h->d = d;
	if (c != MAP_FAILED)
		h->c = c;
	if (!h->d || !h->c)
		return -ENOMEM;
	h->ring = (uint8_t *)h->c + ECP_CHANNEL_PAGE;
	return 0;
}

int hostile_open(struct hostile *h, const char *path)
{
	return hostile_open_with(h, path, ECP_RING_MIN);
}

int hostile_open_with(struct hostile *h, const char *path, uint32_t ring_size)
{
	*h = (struct hostile){.fds = {-1, -1, -1, -1, -1}, .ring_size = ring_size};
	h->control = ecp_sock_connect(path);
	if (h->control < 0)
		return h->control;
	int r = attach(h);
	if (r < 0)
		hostile_close(h);
	return r;
}

void hostile_close(struct hostile *h)
{
	close(h->control);
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++)
		if (h->fds[i] >= 0)
			close(h->fds[i]);
	if (h->d)
		munmap((void *)(uintptr_t)h->d, channel_size(h));
	if (h->c)
		munmap(h->c, channel_size(h));
}

int hostile_claim(struct hostile *h, unsigned number)
{
	static struct ecp_request req;
	struct ecp_reply *rep;
	req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = 2};
	struct ecp_open_item *items = req.open.items;
	items[0] = (struct ecp_open_item){
	    .flags = ECP_EP_MULTICAST,
	    .l2.mac = {2, 0x66, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
		       (uint8_t)(number >> 8), (uint8_t)number}};
	items[1] = (struct ecp_open_item){.kind = ECP_KIND_UDP, .on_item = true};
	ecp_addr_parse("10.9.9.9:9", &items[1].local);
	int r = hostile_ask(h, &req, &rep);
	if (r < 0)
		return r;
	if (rep->type != ECP_REP_OPENED || rep->opened.n != 2)
		return -EPROTO;
	for (unsigned i = 0; i < 2; i++) {
		if (rep->opened.items[i].error.code)
			return rep->opened.items[i].error.code;
		h->id[i] = rep->opened.items[i].id;
		h->generation[i] = rep->opened.items[i].generation;
	}
	return 0;
}

bool hostile_is_ended(struct hostile *h, int timeout_ms)
{
	struct pollfd p = {.fd = h->control, .events = POLLIN};
	char byte;
	for (;;) {
		if (poll(&p, 1, timeout_ms) <= 0)
			return false;
		if (recv(h->control, &byte, 1, MSG_DONTWAIT) <= 0)
			return true;
	}
}

static void write_at(struct hostile *h, uint64_t pos, const void *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h->ring[(pos + i) & (h->ring_size - 1)] = ((const uint8_t *)from)[i];
}

void hostile_write(struct hostile *h, const struct ecp_record *head,
		   const struct ecp_tx_aux *aux, const void *payload, uint32_t len)
{
	write_at(h, h->written, head, sizeof(*head));
	write_at(h, h->written + sizeof(*head), aux, sizeof(*aux));
	write_at(h, h->written + sizeof(*head) + sizeof(*aux), payload, len);
	h->written += ecp_record_room(sizeof(*head) + sizeof(*aux) + len);
}

void hostile_show(struct hostile *h)
{
	atomic_store(&h->c->tx_prod, h->written);
	ssize_t n = write(h->fds[ECP_FD_BELL_TX], "", 1);
	(void)n;
}
