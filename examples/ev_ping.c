/*
 * ev_ping.c - a client within an event loop: libev's, which also keeps the time.
 *
 *   ev_ping [-c COUNT] MAC|VLANS OWN-IP:PORT PEER-IP PEER-PORT [INTERFACE]
 *
 * Sends a datagram every second to a peer that sends it back (udp_echo is one) and prints how
 * long that took.  The relay is one descriptor among others for the loop; nothing here waits
 * outside it.  Exit status 0: something came back.
 */
#include <etherconn.h>

#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ping {
	struct ec_relay *relay;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	struct sockaddr_storage peer;
	socklen_t peer_len;
	uint32_t sent, heard, count; /* count 0: without end */
};

struct message {
	uint32_t number;
	int64_t sent_ns;
};

static struct ev_io readable;
static struct ev_timer tick;
static struct ev_signal interrupted;

static int complain(void)
{
	fprintf(stderr, "ev_ping: %s\n", ec_error_text());
	return 1;
}

static void on_interrupt(struct ev_loop *loop, struct ev_signal *w, int events)
{
	(void)w;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void on_readable(struct ev_loop *loop, struct ev_io *w, int events)
{
	struct ping *ping = w->data;
	struct message m;
	ssize_t n;
	(void)events;
	/* the first call takes what is there, and what the library has to do by itself */
	while ((n = ec_udp_recvfrom(ping->udp, &m, sizeof(m), EC_DONTWAIT, NULL, NULL)) >=
	       0) {
		if (n != sizeof(m))
			continue;
		printf("%" PRIu32 ": %" PRId64 " us\n", m.number,
		       (ec_now() - m.sent_ns) / 1000);
		ping->heard++;
	}
	if (n != -EAGAIN) {
		complain();
		ev_break(loop, EVBREAK_ALL);
	}
}

static void on_tick(struct ev_loop *loop, struct ev_timer *w, int events)
{
	struct ping *ping = w->data;
	struct message m = {.number = ++ping->sent, .sent_ns = ec_now()};
	(void)events;
	if (ping->count && ping->sent > ping->count) {
		ev_break(loop, EVBREAK_ALL);
		return;
	}
	/* EC_DONTWAIT: a loop must not; what finds no room or no peer is said, and goes on */
	if (ec_udp_sendto(ping->udp, &m, sizeof(m), EC_DONTWAIT,
			  (struct sockaddr *)&ping->peer, ping->peer_len) < 0)
		complain();
}

static int open_all(struct ping *ping, char **argv)
{
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	/* ARP and Neighbour Discovery by the library: ask for the peer, answer for ourselves */
	l2_opts.flags = EC_L2_RESOLVE | EC_L2_ANSWER;
	if (ec_l2addr_parse(argv[0], &addr) < 0 ||
	    ec_relay_open(&ping->relay, argv[4], NULL) < 0 ||
	    ec_l2_open(&ping->l2, ping->relay, &addr, &l2_opts) < 0 ||
	    ec_udp_open(&ping->udp, ping->l2, argv[1], NULL) < 0)
		return complain();
	return 0;
}

static void run(struct ping *ping)
{
	struct ev_loop *loop = ev_default_loop(0);
	ev_io_init(&readable, on_readable, ec_relay_fd(ping->relay), EV_READ);
	ev_timer_init(&tick, on_tick, 0, 1);
	ev_signal_init(&interrupted, on_interrupt, SIGINT);
	readable.data = tick.data = ping;
	ev_io_start(loop, &readable);
	ev_timer_start(loop, &tick);
	ev_signal_start(loop, &interrupted);
	ev_run(loop, 0);
}

static bool find_peer(struct ping *ping, const char *ip, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
				 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found;
	if (getaddrinfo(ip, port, &hints, &found) != 0)
		return false;
	memcpy(&ping->peer, found->ai_addr, found->ai_addrlen);
	ping->peer_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

int main(int argc, char **argv)
{
	static struct ping ping;
	int c;
	while ((c = getopt(argc, argv, "c:")) == 'c')
		ping.count = (uint32_t)atol(optarg);
	if (c != -1 || argc - optind < 4 || argc - optind > 5 ||
	    !find_peer(&ping, argv[optind + 2], argv[optind + 3])) {
		fprintf(stderr, "usage: ev_ping [-c COUNT] MAC|VLANS OWN-IP:PORT PEER-IP "
				"PEER-PORT [INTERFACE]\n");
		return 2;
	}
	if (open_all(&ping, argv + optind) == 0)
		run(&ping);
	ec_relay_close(ping.relay);
	return ping.heard ? 0 : 1;
}
