/*
 * tool_killed.c - clients in full traffic that are killed at any moment, one after the other.
 *
 *   tool_killed SOCKET COUNT NUMBER
 *
 * Each claims what the one before it held: that it gets it shows that the daemon gave
 * everything back.  Exit 0 when COUNT were killed, 1 with a sentence if not, 2 for usage.
 */
#include "client-lib/etherconn.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FREE_NS       INT64_C(10000000000) /* until what a dead one held is free */
#define ENDPOINTS     16
#define LIFE_US       3000 /* at most, attached or not */
#define PAYLOAD_BYTES 400

static unsigned number;

/* The endpoints, in as many tries as the daemon needs to see that the last one died. */
static struct ec_udp *claim(struct ec_relay *relay)
{
	int64_t end = ec_now() + FREE_NS;
	struct ec_udp *udp = NULL;
	for (unsigned i = 0; i < ENDPOINTS; i++) {
		struct ec_l2addr addr = {.mac = {2, 0x68, (uint8_t)(number >> 8),
						 (uint8_t)number, 0, (uint8_t)i},
					 .n_vlans = i % 3,
					 .vlans = {{.id = 100}, {.id = 200}}};
		struct ec_l2_opts opts = EC_L2_OPTS;
		struct ec_l2 *l2;
		int r;
		opts.flags = EC_L2_MULTICAST;
		while ((r = ec_l2_open(&l2, relay, &addr, &opts)) == -EADDRINUSE &&
		       ec_now() < end)
			;
		if (r < 0 || ec_udp_open(&udp, l2, "10.9.9.9:9", NULL) < 0)
			return NULL;
	}
	return udp;
}

/* Sends and receives until it is killed.  Ends by itself only if something is wrong. */
static void live(const char *socket, int ready)
{
	static const uint8_t payload[PAYLOAD_BYTES];
	static const struct sockaddr_in to = {
	    .sin_family = AF_INET, .sin_port = 0x0900, .sin_addr.s_addr = 0x0808080a};
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_frame frames[64];
	struct ec_relay *relay;
	struct ec_udp *udp;
	opts.socket = socket;
	opts.rx_ring = opts.tx_ring = 65536;
	if (ec_relay_open(&relay, NULL, &opts) < 0 || !(udp = claim(relay))) {
		fprintf(stderr, "tool_killed: %s\n", ec_error_text());
		_exit(1);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;) {
		for (unsigned i = 0; i < 32; i++)
			ec_udp_sendto(udp, payload, sizeof(payload), EC_MORE,
				      (const struct sockaddr *)&to, sizeof(to));
		ec_relay_flush(relay);
		if (ec_relay_recv(relay, frames, 64, 0) < 0)
			_exit(1);
	}
}

/* One life.  Every other is left to attach first, so that most die in traffic. */
static int one(const char *socket, unsigned *dice, bool attached)
{
	int ready[2], status;
	char byte;
	if (pipe(ready) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		close(ready[0]);
		live(socket, ready[1]);
	}
	close(ready[1]);
	if (attached && read(ready[0], &byte, 1) < 0)
		return -errno;
	usleep((unsigned)rand_r(dice) % LIFE_US); /* the moment is what is random here */
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(ready[0]);
	return WIFSIGNALED(status) ? 0 : -ECANCELED;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: tool_killed SOCKET COUNT NUMBER\n");
		return 2;
	}
	int count = atoi(argv[2]);
	unsigned dice = number = (unsigned)atoi(argv[3]);
	for (int i = 0; i < count; i++) {
		int r = one(argv[1], &dice, i % 4 != 0);
		if (r < 0) {
			fprintf(stderr, "tool_killed: the %dth ended by itself: %s\n",
				i + 1, strerror(-r));
			return 1;
		}
	}
	printf("%d killed\n", count);
	return 0;
}
