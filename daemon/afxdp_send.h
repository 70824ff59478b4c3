/*
 * afxdp_send.h - send by an AF_XDP socket that never receives: the faster of the two ways
 * that relay_afpacket.c has.
 *
 * The grammar is that of relay.h, and so is the rule that each frame ends in exactly one
 * counter.  Used by relay_afpacket.c alone.  One thread: the loop's.
 */
#ifndef AFXDP_SEND_H
#define AFXDP_SEND_H

#include "daemon/relay.h"

struct afxdp_send;

/* An AF_XDP socket that is bound to nothing, or -errno. */
int afxdp_send_socket(void);

/*
 * Open on netif's first queue; wants CAP_NET_RAW, and memory that may be locked.  0 with
 * *ret, the caller's to close; or -errno with *why set to a static clause that says what
 * could not be had: -EAFNOSUPPORT not in this kernel, -EMSGSIZE the MTU is too large,
 * -ENOBUFS the limit of locked memory, -EBUSY the queue has another AF_XDP socket, ...
 */
int afxdp_send_open(struct afxdp_send **ret, const struct netif *netif, const char **why);
void afxdp_send_close(struct afxdp_send *xs);
bool afxdp_send_fits(const struct afxdp_send *xs, uint32_t mtu);

/* ... or was its interface deleted, or taken away? */
bool afxdp_send_is_bound(const struct afxdp_send *xs);

/* As relay_ops.tx_reserve and tx_submit. */
unsigned afxdp_send_reserve(struct afxdp_send *xs, struct relay_buffer *buffers,
			    unsigned max);
void afxdp_send_submit(struct afxdp_send *xs, struct relay *relay,
		       const struct relay_buffer *buffers, unsigned n);

#endif
