/*
 * stage.h - what the cases over a veth pair share: two namespaces, a daemon, a client's claims,
 * a generator at the other end.
 *
 * The benchmark runs in the daemon's namespace; generator, echo server and daemon are processes
 * of its own.  Each case_*.c is one kind of figure; bench_packets.c runs them in turn.
 */
#ifndef STAGE_H
#define STAGE_H

#include "bench/bench.h"
#include "client-lib/etherconn.h"

#define VLAN          100
#define FRAME_LEN     64
#define LONG_LEN      1500
#define SPIN_US       50
#define SECONDS       1.0
#define ENDPOINTS_MAX 50000

struct stage {
	const char *ifname, *peer_if, *peer_ns, *etherconnd, *socket, *json;
	char spinning[120]; /* a configuration */
	uint8_t peer_mac[6];
	int own_ns, runs;
};
extern struct stage stage;

void enter_peer(void);
void leave_peer(void);
uint64_t peer_received(void); /* frames, by the kernel's count */

/* How the daemon is to be. */
struct setting {
	const char *backend, *send; /* NULL: the default */
	bool spin;                  /* it, and its client */
};

/* A daemon that serves: its pid, and a client of it. */
pid_t start_daemon(struct ec_relay **relay, const struct setting *how);
struct ec_relay *connect_again(const struct setting *how); /* another client */
void end(pid_t pid);

/* n frames of len bytes with one tag, to (or from) n endpoints in random order. */
uint8_t *make_frames(unsigned n, bool from, unsigned len);
/* ... and n endpoints that they are for, in claims[]. */
extern struct ec_claim claims[ENDPOINTS_MAX];
void open_endpoints(struct ec_relay *relay, unsigned n);

/* What is sent to the relay: to so many endpoints, by which means. */
struct load {
	unsigned n_endpoints, len;
	enum { BY_SENDMMSG, BY_XDP, BY_LIVE_FRAMES } by;
	bool foreign;
	bool datagrams;        /* BY_LIVE_FRAMES: see bench.h */
	double seconds;        /* 0: SECONDS */
	double kpps;           /* 0: as many as go; sendmmsg only */
	const uint8_t *frames; /* NULL: make_frames() */
};

/* It sends from the peer's namespace, or as the peer would, and writes how many. */
pid_t start_generator(const struct load *load, int *report);
uint64_t generator_sent(pid_t pid, int report);

/* So many of a load arrived, in so many seconds of all and of processors. */
void receive_figures(const char *name, const char *against, uint64_t sent, uint64_t got,
		     double seconds, double cpu);

/* For struct ec_udp_opts: the next hop of all is *mac. */
int resolve_to(void *mac, const struct sockaddr *dst, uint8_t ret[6]);

void receive_all(void);
void send_all(void);
void rtt_all(void);
void macvlan_all(void);
void steady_all(void);

#endif
