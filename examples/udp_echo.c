/*
 * udp_echo.c - answers every datagram that comes to a virtual endpoint.
 *
 *   udp_echo 02:00:00:00:00:01|100 10.0.0.1:7 [INTERFACE]
 *
 * It is found by ARP and Neighbour Discovery.  The answer goes to the MAC address the question
 * came from, so it need not look for anybody itself.
 */
#include <etherconn.h>
#include <stdio.h>
#include <string.h>

/* The next hop to whoever asked last. */
static int answer_to(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)dst;
	memcpy(mac, arg, 6);
	return 0;
}

static int complain(void)
{
	fprintf(stderr, "udp_echo: %s\n", ec_error_text());
	return 1;
}

static int echo(struct ec_relay *relay, uint8_t peer_mac[6])
{
	struct ec_frame frames[64];
	struct sockaddr_storage from;
	for (;;) {
		int n = ec_relay_recv(relay, frames, 64, -1);
		if (n < 0)
			return complain();
		for (int i = 0; i < n; i++) {
			const struct ec_frame *f = &frames[i];
			if (!f->udp || !(f->flags & EC_FRAME_UDP) ||
			    ec_frame_src(f, &from) < 0)
				continue;
			memcpy(peer_mac, ec_frame_src_mac(f), 6);
			ec_udp_sendto(f->udp, f->payload, f->payload_len, EC_MORE,
				      (struct sockaddr *)&from, sizeof(from));
		}
		ec_relay_flush(relay);
	}
}

int main(int argc, char **argv)
{
	struct ec_relay *relay;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct ec_l2addr addr;
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts opts = EC_UDP_OPTS;
	uint8_t peer_mac[6];
	if (argc < 3) {
		fprintf(stderr, "usage: udp_echo MAC|VLAN... IP:PORT [INTERFACE]\n");
		return 2;
	}
	l2_opts.flags = EC_L2_ANSWER;
	opts.resolve = answer_to;
	opts.resolve_arg = peer_mac;
	if (ec_l2addr_parse(argv[1], &addr) < 0 ||
	    ec_relay_open(&relay, argv[3], NULL) < 0 ||
	    ec_l2_open(&l2, relay, &addr, &l2_opts) < 0 ||
	    ec_udp_open(&udp, l2, argv[2], &opts) < 0)
		return complain();
	return echo(relay, peer_mac);
}
