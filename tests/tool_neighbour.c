/*
 * tool_neighbour.c - an honest client that offers a fixed rate of datagrams to an echo server,
 * and counts what comes back.
 *
 *   tool_neighbour SOCKET MAC NEXT_HOP LOCAL REMOTE RATE SECONDS
 *
 * At most WINDOW datagrams are on their way, as of any program that waits for answers: who is
 * served too slowly falls behind the rate, and is not drowned in what it sent.  SIGTERM ends it
 * early.  Then it waits for what is still to come, and says "RATE a second, SENT sent, LOST
 * lost, SLOWEST in the slowest second, longest wait MS ms".  Exit 0 if none was lost, 1 if some were or it could not
 * send, 2 for usage.
 */
#include "proto/endpoint.h"
#include "tests/user.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW    128
#define PAYLOAD   200
#define TICK_NS   INT64_C(1000000)
#define CREDIT_NS INT64_C(50000000)
#define SECOND_NS INT64_C(1000000000)
#define LAST_NS   (5 * SECOND_NS) /* for those on their way at the end */

static volatile sig_atomic_t stop;
static uint8_t next_hop[6];

struct counts {
	int64_t begun, second; /* when */
	int64_t credit, price; /* of time, to send for; of one datagram */
	int64_t waits_since;   /* for any that are on their way */
	int64_t longest;       /* so long at most */
	uint64_t sent, got, got_before, slowest;
};

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static int resolve(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)arg;
	(void)dst;
	memcpy(mac, next_hop, 6);
	return 0;
}

static int fail(const char *what)
{
	fprintf(stderr, "tool_neighbour: %s: %s\n", what, ec_error_text());
	return 1;
}

/* Take echoes until then.  0 or -errno. */
static int receive(struct ec_udp *udp, struct counts *c, int64_t until)
{
	uint8_t got[2048];
	ec_udp_set_read_deadline(udp, until);
	while (c->got < c->sent) {
		ssize_t n = ec_udp_recvfrom(udp, got, sizeof(got), 0, NULL, NULL);
		if (n == -ETIMEDOUT)
			return 0;
		if (n < 0)
			return (int)n;
		int64_t now = ec_now();
		if (now - c->waits_since > c->longest)
			c->longest = now - c->waits_since;
		c->waits_since = now;
		c->got += n == PAYLOAD;
	}
	return 0;
}

static void end_of_second(struct counts *c, int64_t now)
{
	if (now - c->second < SECOND_NS)
		return;
	uint64_t rate = (c->got - c->got_before) * SECOND_NS / (uint64_t)(now - c->second);
	c->slowest = rate < c->slowest ? rate : c->slowest;
	c->got_before = c->got;
	c->second = now;
}

/* As many as there is credit for, and room in the window.  0 or -errno. */
static int offer(struct ec_relay *relay, struct ec_udp *udp, struct counts *c,
		 const struct sockaddr_storage *to)
{
	static const uint8_t payload[PAYLOAD];
	if (c->sent == c->got)
		c->waits_since = ec_now();
	for (; c->credit >= c->price && c->sent - c->got < WINDOW; c->sent++) {
		ssize_t n = ec_udp_sendto(udp, payload, sizeof(payload), EC_MORE,
					  (const struct sockaddr *)to, sizeof(*to));
		if (n < 0)
			return (int)n;
		c->credit -= c->price;
	}
	return ec_relay_flush(relay);
}

static int run(struct ec_relay *relay, struct ec_udp *udp,
	       const struct sockaddr_storage *to, int64_t rate, int64_t seconds)
{
	struct counts c = {
	    .begun = ec_now(), .slowest = UINT64_MAX, .price = SECOND_NS / rate};
	int64_t now = c.second = c.begun, end = c.begun + seconds * SECOND_NS;
	int r = 0;
	for (int64_t last = now; !stop && now < end && r == 0; now = ec_now()) {
		c.credit += now - last;
		/* what it could not send for longer is not made good */
		c.credit = c.credit < CREDIT_NS ? c.credit : CREDIT_NS;
		last = now;
		r = offer(relay, udp, &c, to);
		struct timespec pause = {.tv_nsec = TICK_NS};
		if (r == 0 && c.got < c.sent)
			r = receive(udp, &c, now + TICK_NS);
		else if (r == 0)
			nanosleep(&pause, NULL);
		end_of_second(&c, now);
	}
	uint64_t in_time = c.got;
	if (r == 0)
		r = receive(udp, &c, ec_now() + LAST_NS);
	if (r < 0)
		return fail("cannot go on");
	printf("%llu a second, %llu sent, %llu lost, %llu in the slowest second, "
	       "longest wait %llu ms\n",
	       (unsigned long long)(in_time * SECOND_NS / (uint64_t)(now - c.begun)),
	       (unsigned long long)c.sent, (unsigned long long)(c.sent - c.got),
	       (unsigned long long)c.slowest, (unsigned long long)c.longest / 1000000);
	return c.sent != c.got;
}

int main(int argc, char **argv)
{
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts udp_opts = EC_UDP_OPTS;
	struct ec_l2addr addr;
	struct ec_relay *relay;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct sockaddr_storage to;
	if (argc != 8 || atoll(argv[6]) < 1 || ec_l2addr_parse(argv[2], &addr) < 0 ||
	    ecp_mac_parse(argv[3], next_hop) < 0 || !user_sockaddr(argv[5], &to)) {
		fprintf(stderr, "usage: tool_neighbour SOCKET MAC NEXT_HOP LOCAL REMOTE "
				"RATE SECONDS\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	relay_opts.socket = argv[1];
	udp_opts.resolve = resolve;
	if (ec_relay_open(&relay, NULL, &relay_opts) < 0)
		return fail("no daemon");
	int r = ec_l2_open(&l2, relay, &addr, &l2_opts) < 0 ||
		ec_udp_open(&udp, l2, argv[4], &udp_opts) < 0;
	r = r ? fail("no endpoint") : run(relay, udp, &to, atoll(argv[6]), atoll(argv[7]));
	ec_relay_close(relay);
	return r;
}
