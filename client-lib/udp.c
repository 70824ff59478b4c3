/*
 * udp.c - UDP endpoints: claiming, becoming another address, sending, receiving.
 */
#include "client-lib/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#define TTL_DEFAULT 64

/* ---- opening and closing ---- */

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int resolve_broadcast(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)arg;
	(void)dst;
	memcpy(mac, broadcast, sizeof(broadcast));
	return 0;
}

static int udp_opts(const struct ec_udp_opts *given, struct ec_udp_opts *opts)
{
	*opts = (struct ec_udp_opts)EC_UDP_OPTS;
	int r = eci_opts_take(opts, sizeof(*opts), given);
	if (r == 0)
		r = eci_flags_check(opts->flags, EC_UDP_ACCEPT_ANY);
	if (!opts->ttl)
		opts->ttl = TTL_DEFAULT;
	return r;
}

/* "10.0.0.1" or "fe80::1"; NULL is none. */
static int gateway_parse(const char *text, struct ecp_addr *ret)
{
	*ret = (struct ecp_addr){.family = 0};
	if (!text)
		return 0;
	if (inet_pton(AF_INET, text, ret->ip) == 1)
		ret->family = 4;
	else if (inet_pton(AF_INET6, text, ret->ip) == 1)
		ret->family = 6;
	else
		return eci_error_set(-EINVAL, "\"%.60s\" is no IP address of a gateway",
				     text);
	return 0;
}

static int udp_set_next_hop(struct ec_udp *udp, const struct ec_udp_opts *opts)
{
	struct ecp_addr gateway;
	udp->resolve = opts->resolve;
	udp->resolve_arg = opts->resolve_arg;
	if (!udp->resolve && !(udp->l2->flags & EC_L2_RESOLVE))
		udp->resolve = resolve_broadcast;
	int r = gateway_parse(opts->gateway, &gateway);
	return r < 0 ? r : eci_neigh_set_route(udp, opts->prefix_len, &gateway);
}

void eci_udp_item(const struct ec_udp *udp, struct ecp_open_item *item)
{
	*item = (struct ecp_open_item){
	    .kind = ECP_KIND_UDP,
	    .flags = udp->flags & EC_UDP_ACCEPT_ANY ? ECP_EP_ACCEPT_ANY : 0,
	    .depth = udp->ep.depth,
	    .on = udp->l2->ep.id,
	    .local = udp->local,
	};
}

struct ec_udp *eci_udp_new(struct ec_l2 *l2, const char *local,
			   const struct ec_udp_opts *given, struct ecp_open_item *item)
{
	struct ec_udp_opts opts;
	struct ecp_addr addr;
	if (udp_opts(given, &opts) < 0)
		return NULL;
	if (ecp_addr_parse(local, &addr) < 0) {
		eci_error_set(-EINVAL,
			      "\"%.60s\" is no address like 10.0.0.1:67 or [::1]:547",
			      local);
		return NULL;
	}
	struct ec_udp *udp =
	    (struct ec_udp *)eci_endpoint_new(l2->ep.relay, ECP_KIND_UDP, opts.user);
	if (!udp)
		return NULL;
	udp->ep.depth = opts.depth;
	udp->l2 = l2;
	udp->local = addr;
	udp->flags = (uint8_t)opts.flags;
	udp->ttl = opts.ttl;
	udp->tclass = opts.tclass;
	eci_udp_item(udp, item);
	if (udp_set_next_hop(udp, &opts) == 0)
		return udp;
	eci_endpoint_free(&udp->ep);
	return NULL;
}

int eci_udp_start(struct ec_udp *udp, const struct ecp_opened_item *opened)
{
	int r = eci_endpoint_adopt(&udp->ep, opened);
	if (r < 0)
		return r;
	LIST_INSERT_HEAD(&udp->l2->udps, udp, of_l2);
	eci_neigh_join(udp);
	return 0;
}

EC_API int ec_udp_open(struct ec_udp **ret, struct ec_l2 *l2, const char *local,
		       const struct ec_udp_opts *opts)
{
	struct question *q = l2->ep.relay->question;
	struct ec_udp *udp = eci_udp_new(l2, local, opts, &q->request.open.items[0]);
	if (!udp)
		return eci_error_code();
	q->request.open.n = 1;
	int r = eci_relay_ask_open(l2->ep.relay, l2);
	if (r == 0)
		r = eci_udp_start(udp, &q->reply.opened.items[0]);
	if (r < 0)
		eci_endpoint_free(&udp->ep);
	else
		*ret = udp;
	return r;
}

void eci_udp_free(struct ec_udp *udp)
{
	eci_neigh_forget(udp);
	LIST_REMOVE(udp, of_l2);
	eci_endpoint_forget(&udp->ep);
	eci_endpoint_free(&udp->ep);
}

EC_API void ec_udp_close(struct ec_udp *udp)
{
	if (!udp)
		return;
	eci_endpoint_close(&udp->ep);
	eci_udp_free(udp);
}

EC_API int ec_udp_set_local(struct ec_udp *udp, const struct sockaddr *local)
{
	struct ec_relay *relay = udp->ep.relay;
	struct ecp_request *req = &relay->question->request;
	struct ecp_addr addr;
	int r = eci_addr_from_sockaddr(local, &addr);
	if (r < 0)
		return r;
	eci_tx_drain(relay); /* what was sent from the old address is judged by it */
	do {
		if (udp->ep.refused)
			return eci_error_set(
			    -ENODEV, "the daemon does not give this endpoint back: %s",
			    strerror(-udp->ep.refused));
		req->type = ECP_REQ_SET_LOCAL;
		req->set_local.id = udp->ep.id;
		req->set_local.local = addr;
		r = eci_relay_ask(relay, ECP_REP_LOCAL_SET);
	} while (r == -ERESTART);
	if (r < 0)
		return r;
	eci_neigh_forget(udp); /* what waits was of the old address */
	if (addr.family != udp->local.family)
		eci_neigh_drop_route(udp); /* it leads nowhere from there */
	udp->local = addr;
	eci_neigh_join(udp);
	return 0;
}

EC_API void ec_udp_local(const struct ec_udp *udp, struct sockaddr_storage *local)
{
	eci_addr_to_sockaddr(&udp->local, local);
}

EC_API int ec_udp_set_route(struct ec_udp *udp, unsigned prefix_len,
			    const struct sockaddr *gateway)
{
	struct ecp_addr addr = {.family = 0};
	int r = gateway ? eci_addr_from_sockaddr(gateway, &addr) : 0;
	return r < 0 ? r : eci_neigh_set_route(udp, prefix_len, &addr);
}

EC_API struct ec_l2 *ec_udp_l2(const struct ec_udp *udp)
{
	return udp->l2;
}

EC_API void ec_udp_set_read_deadline(struct ec_udp *udp, int64_t deadline_ns)
{
	udp->ep.read_deadline = eci_deadline(deadline_ns);
}

EC_API void ec_udp_set_write_deadline(struct ec_udp *udp, int64_t deadline_ns)
{
	udp->ep.write_deadline = eci_deadline(deadline_ns);
}

/* ---- sending ---- */

ssize_t eci_udp_transmit(struct ec_udp *udp, const struct ecp_addr *to,
			 const uint8_t mac[6], const void *buf, size_t len, unsigned flags)
{
	uint8_t *at;
	size_t packet_len = ecp_udp_overhead(to->family) + len;
	uint16_t ethertype = to->family == 4 ? ECP_ETHERTYPE_IPV4 : ECP_ETHERTYPE_IPV6;
	int r = eci_tx_reserve(&udp->ep, (uint32_t)packet_len, ethertype, mac, flags, &at);
	if (r < 0)
		return r;
	struct ecp_udp_build b = {.src = &udp->local,
				  .dst = to,
				  .ttl = udp->ttl,
				  .tclass = udp->tclass,
				  .ident = udp->ident++};
	ssize_t n = ecp_udp_build(at, packet_len, &b, buf, len);
	if (n < 0)
		return eci_error_set((int)n, "%zu bytes do not fit a datagram", len);
	eci_tx_submit(udp->ep.relay, (uint32_t)n, flags);
	return (ssize_t)len;
}

static int destination_parse(const struct ec_udp *udp, const struct sockaddr *dst,
			     socklen_t dst_len, struct ecp_addr *ret)
{
	size_t whole = dst->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						  : sizeof(struct sockaddr_in);
	if (dst_len < whole)
		return eci_error_set(-EINVAL, "an address of %u bytes", dst_len);
	int r = eci_addr_from_sockaddr(dst, ret);
	if (r < 0)
		return r;
	return ret->family == udp->local.family
		   ? 0
		   : eci_error_set(-EAFNOSUPPORT,
				   "destination and local address differ in family");
}

EC_API ssize_t ec_udp_sendto(struct ec_udp *udp, const void *buf, size_t len,
			     unsigned flags, const struct sockaddr *dst, socklen_t dst_len)
{
	struct ecp_addr to;
	uint8_t mac[6];
	int r = destination_parse(udp, dst, dst_len, &to);
	if (r == 0)
		r = eci_endpoint_check_length(&udp->ep, ecp_udp_overhead(to.family) + len);
	if (r < 0)
		return r;
	if (!udp->resolve)
		return eci_neigh_send(udp, &to, buf, len, flags);
	r = udp->resolve(udp->resolve_arg, dst, mac);
	if (r < 0)
		return eci_error_set(r, "no next hop: %s", strerror(-r));
	return eci_udp_transmit(udp, &to, mac, buf, len, flags);
}

/* ---- receiving ---- */

/* That of a whole datagram, or of its first fragment: the daemon goes by both. */
static bool has_udp_header(const struct ec_frame *frame)
{
	bool first = frame->flags & EC_FRAME_FRAGMENT &&
		     frame->protocol == ECP_IP_PROTO_UDP && frame->payload &&
		     frame->payload_len >= ECP_UDP_HLEN;
	return first || frame->flags & EC_FRAME_UDP;
}

struct ec_udp *eci_udp_match(const struct ec_l2 *l2, const struct ec_frame *frame)
{
	struct ecp_addr to;
	struct ec_udp *any_address = NULL, *accept_any = NULL;
	if (!has_udp_header(frame) || eci_frame_addr(frame, true, &to) < 0)
		return NULL;
	for (struct ec_udp *udp = LIST_FIRST(&l2->udps); udp; udp = LIST_NEXT(udp, of_l2)) {
		if (ecp_addr_equal(&udp->local, &to))
			return udp;
		if (udp->local.family == to.family && udp->local.port == to.port &&
		    ecp_addr_is_any(&udp->local))
			any_address = udp;
		if (udp->flags & EC_UDP_ACCEPT_ANY)
			accept_any = udp;
	}
	return any_address ? any_address : accept_any;
}

/* Is this a whole datagram with a good checksum?  Else it is counted. */
static bool datagram_good(struct ec_relay *relay, const struct ec_frame *frame)
{
	struct ecp_frame parsed;
	if (!(frame->flags & EC_FRAME_UDP)) {
		relay->stats.rx_fragments++;
		return false;
	}
	if (ecp_frame_parse(frame->data, frame->len, NULL, &parsed) == ECP_FRAME_OK &&
	    ecp_l4_checksum_check(frame->data, &parsed) != ECP_CSUM_BAD)
		return true;
	relay->stats.rx_bad_checksum++;
	return false;
}

EC_API ssize_t ec_udp_recvfrom(struct ec_udp *udp, void *buf, size_t len, unsigned flags,
			       struct sockaddr *src, socklen_t *src_len)
{
	struct ec_frame frame;
	do {
		int r = eci_endpoint_next(&udp->ep, flags, &frame);
		if (r < 0)
			return r;
	} while (!datagram_good(udp->ep.relay, &frame));
	uint32_t n = frame.payload_len;
	if (n && len)
		memcpy(buf, frame.payload, n < len ? n : len);
	if (src && src_len) {
		struct sockaddr_storage from;
		ec_frame_src(&frame, &from);
		socklen_t whole = from.ss_family == AF_INET ? sizeof(struct sockaddr_in)
							    : sizeof(struct sockaddr_in6);
		memcpy(src, &from, *src_len < whole ? *src_len : whole);
		*src_len = whole;
	}
	return n;
}
