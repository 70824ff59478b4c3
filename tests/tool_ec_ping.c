/*
 * tool_ec_ping.c - datagrams from a virtual endpoint to an echo server, each compared with
 * what comes back.
 *
 *   tool_ec_ping [options] MAC|VLANS LOCAL REMOTE
 *     -s SOCKET -i IF    the daemon
 *     -m MAC             next hop (default: broadcast)
 *     -a                 next hop by ARP or ND instead, which are also answered
 *     -n COUNT           rounds over all sizes (default 3)
 *     -S SIZE            just this payload size
 *     -o                 only open the endpoints, say "open", wait for end of input
 *
 * Exit 0 if every datagram came back whole, 1 with a sentence if not, 2 for usage.
 */
#include "proto/endpoint.h"
#include "tests/user.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_NS 5000000000

static struct {
	const char *socket, *interface;
	uint8_t next_hop[6];
	int rounds, size;
	bool only_open, neigh;
} options = {.next_hop = {255, 255, 255, 255, 255, 255}, .rounds = 3, .size = -1};

static int fail(void)
{
	fprintf(stderr, "tool_ec_ping: %s\n", ec_error_text());
	return 1;
}

static int next_hop(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)arg;
	(void)dst;
	memcpy(mac, options.next_hop, 6);
	return 0;
}

/* One datagram there and back. */
static int ping(struct ec_udp *udp, int size, unsigned seed, const struct sockaddr *to,
		socklen_t to_len)
{
	static uint8_t sent[65536], got[65536];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	for (int i = 0; i < size; i++)
		sent[i] = (uint8_t)(seed + (unsigned)i * 7);
	if (ec_udp_sendto(udp, sent, (size_t)size, 0, to, to_len) < 0)
		return fail();
	ec_udp_set_read_deadline(udp, ec_now() + WAIT_NS);
	ssize_t n =
	    ec_udp_recvfrom(udp, got, sizeof(got), 0, (struct sockaddr *)&from, &from_len);
	if (n < 0) {
		fprintf(stderr, "tool_ec_ping: %d bytes: %s\n", size, ec_error_text());
		return 1;
	}
	if (n != size || memcmp(sent, got, (size_t)n) || from_len != to_len ||
	    memcmp(&from, to, to_len)) {
		fprintf(stderr,
			"tool_ec_ping: %d bytes: another datagram came back (%zd)\n", size,
			n);
		return 1;
	}
	return 0;
}

static int ping_all(struct ec_udp *udp, const struct sockaddr *to, socklen_t to_len)
{
	static const int sizes[] = {0, 1, 2, 17, 18, 64, 511, 1400};
	unsigned seed = 0;
	for (int round = 0; round < options.rounds; round++) {
		if (options.size >= 0 && ping(udp, options.size, seed++, to, to_len))
			return 1;
		for (size_t i = 0; options.size < 0 && i < sizeof(sizes) / sizeof(*sizes);
		     i++)
			if (ping(udp, sizes[i], seed++, to, to_len))
				return 1;
	}
	return 0;
}

static int run(const char *l2_text, const char *local, const char *remote)
{
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts udp_opts = EC_UDP_OPTS;
	struct ec_relay *relay = NULL;
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct sockaddr_storage to;
	socklen_t to_len = user_sockaddr(remote, &to);
	if (!to_len) {
		fprintf(stderr, "tool_ec_ping: \"%s\" is no address\n", remote);
		return 2;
	}
	relay_opts.socket = options.socket;
	if (options.neigh)
		l2_opts.flags = EC_L2_RESOLVE | EC_L2_ANSWER;
	else
		udp_opts.resolve = next_hop;
	int r = 1;
	if (ec_l2addr_parse(l2_text, &addr) < 0 ||
	    ec_relay_open(&relay, options.interface, &relay_opts) < 0 ||
	    ec_l2_open(&l2, relay, &addr, &l2_opts) < 0 ||
	    ec_udp_open(&udp, l2, local, &udp_opts) < 0) {
		fail();
	} else if (options.only_open) {
		char byte;
		puts("open");
		fflush(stdout);
		r = read(STDIN_FILENO, &byte, 1) < 0;
	} else {
		r = ping_all(udp, (struct sockaddr *)&to, to_len);
	}
	ec_relay_close(relay);
	return r;
}

int main(int argc, char **argv)
{
	int c;
	while ((c = getopt(argc, argv, "s:i:m:an:S:o")) != -1) {
		switch (c) {
		case 's':
			options.socket = optarg;
			break;
		case 'i':
			options.interface = optarg;
			break;
		case 'm':
			if (ecp_mac_parse(optarg, options.next_hop) < 0)
				return 2;
			break;
		case 'a':
			options.neigh = true;
			break;
		case 'n':
			options.rounds = atoi(optarg);
			break;
		case 'S':
			options.size = atoi(optarg);
			break;
		case 'o':
			options.only_open = true;
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 3) {
		fprintf(stderr, "usage: tool_ec_ping [options] MAC|VLANS LOCAL REMOTE\n");
		return 2;
	}
	return run(argv[optind], argv[optind + 1], argv[optind + 2]);
}
