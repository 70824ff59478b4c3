/*
 * peer.c - the bare client's end of a channel.
 */
#include "tests/peer.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void *map(int fd, uint64_t size, int prot)
{
	void *at = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	return at;
}

void peer_open(struct peer *peer, struct channel *ch)
{
	int *fds = ch->peer_fds;
	peer->d_size = ECP_CHANNEL_PAGE + ch->rx.size;
	peer->c_size = ECP_CHANNEL_PAGE + ch->tx.size;
	peer->d = map(fds[ECP_FD_D], peer->d_size, PROT_READ);
	peer->c = map(fds[ECP_FD_C], peer->c_size, PROT_READ | PROT_WRITE);
	peer->bell_rx = fds[ECP_FD_BELL_RX];
	peer->bell_tx = fds[ECP_FD_BELL_TX];
	peer->bell_tx_keep = fds[ECP_FD_BELL_TX_KEEP];
	peer->rx = (struct ecp_in){.data = (const uint8_t *)peer->d + ECP_CHANNEL_PAGE,
				   .size = ch->rx.size};
	peer->tx = (struct ecp_out){.data = (uint8_t *)peer->c + ECP_CHANNEL_PAGE,
				    .size = ch->tx.size};
	close(fds[ECP_FD_D]);
	close(fds[ECP_FD_C]);
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++)
		fds[i] = -1;
}

void peer_close(struct peer *peer)
{
	munmap((void *)(uintptr_t)peer->d, peer->d_size);
	munmap(peer->c, peer->c_size);
	close(peer->bell_rx);
	close(peer->bell_tx);
	close(peer->bell_tx_keep);
}

int peer_recv(struct peer *peer, struct ecp_record *head, struct ecp_rx_aux *aux,
	      const uint8_t **frame, uint32_t *len)
{
	int error = 0;
	if (ecp_in_refresh(&peer->rx, &peer->d->rx_prod) < 0)
		abort();
	const uint8_t *at = ecp_in_peek(&peer->rx, head, &error);
	if (error)
		abort();
	if (!at)
		return 0;
	memcpy(aux, at + sizeof(*head), sizeof(*aux));
	*frame = at + sizeof(*head) + head->aux_len;
	*len = head->len - (uint32_t)sizeof(*head) - head->aux_len;
	ecp_in_consume(&peer->rx, head);
	return 1;
}

void peer_release(struct peer *peer)
{
	ecp_in_release(&peer->rx, &peer->c->rx_cons, NULL);
}

bool peer_send(struct peer *peer, uint32_t endpoint, uint32_t generation,
	       const uint8_t dst[6], uint16_t ethertype, const void *payload, uint32_t len)
{
	struct ecp_tx_aux aux = {.ethertype = ethertype};
	struct ecp_record head = {
	    .len = (uint32_t)(sizeof(head) + sizeof(aux)) + len,
	    .type = ECP_RECORD_TX,
	    .aux_len = sizeof(aux),
	    .endpoint = endpoint,
	    .generation = generation,
	};
	memcpy(aux.dst, dst, sizeof(aux.dst));
	if (ecp_out_refresh(&peer->tx, &peer->d->tx_cons) < 0)
		abort();
	uint8_t *at = ecp_out_reserve(&peer->tx, head.len);
	if (!at)
		return false;
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), &aux, sizeof(aux));
	memcpy(at + sizeof(head) + sizeof(aux), payload, len);
	ecp_out_submit(&peer->tx, head.len);
	return true;
}

bool peer_publish(struct peer *peer)
{
	bool ring = ecp_out_publish(&peer->tx, &peer->c->tx_prod, &peer->d->tx_wake_at);
	if (ring && write(peer->bell_tx, "", 1) < 0)
		return false;
	return ring;
}
