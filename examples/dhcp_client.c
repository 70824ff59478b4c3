/*
 * dhcp_client.c - a DHCP client (RFC 2131) on a virtual endpoint: discover, offer, request, ack.
 *
 * The C counterpart of the example in the documentation of the Go package etherconn: MAC
 * aa:bb:cc:11:22:33 behind VLAN 100, UDP 0.0.0.0:68, accepting any datagram, since the server
 * answers to an address that is not ours yet.  Once it is, the endpoint takes it as its own.
 */
#include "examples/dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <etherconn.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the exchange ---- */

#define TRIES         5
#define FIRST_WAIT_NS 1000000000 /* doubled with every try; RFC 2131 4.1 begins at 4 s */

struct client {
	struct ec_udp *udp;
	uint8_t mac[6];
	uint32_t xid;
};

/* Wait for a message of one of two types until the deadline.  Its type, or -errno. */
static int await(struct client *c, uint8_t good, uint8_t bad, int64_t deadline,
		 struct dhcp_lease *lease)
{
	uint8_t answer[DHCP_MESSAGE_MAX];
	ec_udp_set_read_deadline(c->udp, deadline);
	for (;;) {
		ssize_t n = ec_udp_recvfrom(c->udp, answer, sizeof(answer), 0, NULL, NULL);
		if (n < 0)
			return (int)n;
		size_t len = (size_t)n < sizeof(answer) ? (size_t)n : sizeof(answer);
		if (dhcp_parse(answer, len, c->xid, c->mac, lease) &&
		    (lease->type == good || lease->type == bad))
			return lease->type;
	}
}

/* Send one message, again and again, until it is answered.  The answer's type, or -errno. */
static int exchange(struct client *c, uint8_t type, const struct dhcp_lease *offer,
		    uint8_t good, struct dhcp_lease *answer)
{
	static const struct sockaddr_in server = {.sin_family = AF_INET,
						  .sin_port =
						      __builtin_bswap16(DHCP_SERVER_PORT),
						  .sin_addr.s_addr = INADDR_BROADCAST};
	struct dhcp_ask ask = {.type = type, .xid = c->xid};
	uint8_t m[DHCP_MESSAGE_MAX];
	memcpy(ask.mac, c->mac, sizeof(ask.mac));
	if (offer) {
		ask.wanted = offer->address;
		ask.server = offer->server;
	}
	size_t len = dhcp_build(&ask, m);
	int64_t wait = FIRST_WAIT_NS;
	for (int i = 0; i < TRIES; i++, wait *= 2) {
		ssize_t n = ec_udp_sendto(c->udp, m, len, 0,
					  (const struct sockaddr *)&server, sizeof(server));
		if (n < 0)
			return (int)n;
		int r = await(c, good, DHCP_NAK, ec_now() + wait, answer);
		if (r != -ETIMEDOUT)
			return r;
	}
	return -ETIMEDOUT;
}

static const char *ip_text(uint32_t address)
{
	static char text[4][INET_ADDRSTRLEN];
	static unsigned next;
	struct in_addr in = {.s_addr = address};
	return inet_ntop(AF_INET, &in, text[next++ % 4], INET_ADDRSTRLEN);
}

/* Discover, offer, request, ack.  0 with *lease, or 1. */
static int get_lease(struct client *c, struct dhcp_lease *lease)
{
	struct dhcp_lease offer;
	printf("discover: asking for an address\n");
	int r = exchange(c, DHCP_DISCOVER, NULL, DHCP_OFFER, &offer);
	if (r == DHCP_OFFER) {
		printf("offer: %s from %s\n", ip_text(offer.address),
		       ip_text(offer.server));
		printf("request: %s\n", ip_text(offer.address));
		r = exchange(c, DHCP_REQUEST, &offer, DHCP_ACK, lease);
	}
	if (r == DHCP_ACK) {
		printf("ack: %s mask %s router %s for %u s from %s\n",
		       ip_text(lease->address), ip_text(lease->mask),
		       ip_text(lease->router), ntohl(lease->seconds),
		       ip_text(lease->server));
		return 0;
	}
	if (r == -ETIMEDOUT)
		fprintf(stderr, "dhcp_client: no server answered\n");
	else if (r < 0)
		fprintf(stderr, "dhcp_client: %s\n", ec_error_text());
	else
		fprintf(stderr, "dhcp_client: the server refused\n");
	return 1;
}

static int take_address(struct client *c, const struct dhcp_lease *lease)
{
	const struct sockaddr_in own = {.sin_family = AF_INET,
					.sin_port = htons(DHCP_CLIENT_PORT),
					.sin_addr.s_addr = lease->address};
	if (ec_udp_set_local(c->udp, (const struct sockaddr *)&own) < 0) {
		fprintf(stderr, "dhcp_client: %s\n", ec_error_text());
		return 1;
	}
	printf("bound: the endpoint is %s:68 now\n", ip_text(lease->address));
	return 0;
}

/* ---- the program ---- */

static const char usage[] =
    "usage: dhcp_client [-i INTERFACE] [-s SOCKET] [-a MAC|VLAN...] [-H SECONDS]\n"
    "  -i  the daemon's interface (default: its only one)\n"
    "  -s  the daemon's socket\n"
    "  -a  who to be (default aa:bb:cc:11:22:33|100)\n"
    "  -H  keep the address so long before leaving, or until a signal\n";

struct options {
	const char *interface, *socket, *address;
	int hold;
};

static void wake_up(int signal)
{
	(void)signal;
}

/* Until then a signal ends the program, as any. */
static void hold(int seconds)
{
	struct sigaction stop = {.sa_handler = wake_up};
	sigaction(SIGTERM, &stop, NULL);
	poll(NULL, 0, seconds * 1000);
}

static int run(const struct options *o)
{
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_udp_opts udp_opts = EC_UDP_OPTS;
	struct ec_relay *relay = NULL;
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	struct client c = {.xid = (uint32_t)random()};
	struct dhcp_lease lease;
	relay_opts.socket = o->socket;
	udp_opts.flags = EC_UDP_ACCEPT_ANY;

	int r = 1;
	if (ec_l2addr_parse(o->address, &addr) < 0 ||
	    ec_relay_open(&relay, o->interface, &relay_opts) < 0 ||
	    ec_l2_open(&l2, relay, &addr, NULL) < 0 ||
	    ec_udp_open(&c.udp, l2, "0.0.0.0:68", &udp_opts) < 0) {
		fprintf(stderr, "dhcp_client: %s\n", ec_error_text());
		goto out;
	}
	memcpy(c.mac, addr.mac, sizeof(c.mac));
	printf("%s on %s, as uid %u\n", o->address, ec_relay_ifname(relay), getuid());
	r = get_lease(&c, &lease);
	if (r == 0)
		r = take_address(&c, &lease);
	if (r == 0 && o->hold)
		hold(o->hold);
out:
	ec_relay_close(relay);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {.address = "aa:bb:cc:11:22:33|100"};
	int c;
	while ((c = getopt(argc, argv, "i:s:a:H:")) != -1) {
		switch (c) {
		case 'i':
			o.interface = optarg;
			break;
		case 's':
			o.socket = optarg;
			break;
		case 'a':
			o.address = optarg;
			break;
		case 'H':
			o.hold = atoi(optarg);
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	setvbuf(stdout, NULL, _IOLBF, 0); /* each step when it is taken, also in a pipe */
	srandom((unsigned)time(NULL) ^ (unsigned)getpid());
	return run(&o);
}
