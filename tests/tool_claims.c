/*
 * tool_claims.c - a client that holds endpoints, as many L2 as UDP ones, over restarts of the
 * daemon, until it is ended.
 *
 *   tool_claims SOCKET INTERFACE COUNT       says "open"; exit 1 with a sentence if it cannot
 */
#include "client-lib/etherconn.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(void)
{
	fprintf(stderr, "tool_claims: %s\n", ec_error_text());
	return 1;
}

int main(int argc, char **argv)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_frame frames[64];
	struct ec_relay *relay;
	if (argc != 4) {
		fprintf(stderr, "usage: tool_claims SOCKET INTERFACE COUNT\n");
		return 2;
	}
	size_t n = (size_t)atol(argv[3]);
	struct ec_claim *claims = calloc(n, sizeof(*claims));
	for (size_t i = 0; claims && i < n; i++) {
		claims[i].addr = (struct ec_l2addr){
		    .mac = {2, 1, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
		    .n_vlans = 1,
		    .vlans = {{.id = (uint16_t)(1 + i % 4094)}},
		};
		claims[i].local = "10.0.0.1:4000";
	}
	opts.socket = argv[1];
	if (!claims || ec_relay_open(&relay, argv[2], &opts) < 0 ||
	    ec_open_many(relay, claims, n, NULL, NULL) != (ssize_t)n)
		return fail();
	puts("open");
	fflush(stdout);
	while (ec_relay_recv(relay, frames, 64, -1) >= 0)
		;
	return fail();
}
