/*
 * bench.h - what the benchmarks share: clocks, figures, a raw generator, a table and JSON.
 *
 * A benchmark is a list of cases, each a way to do the same work.  All cases run in turn,
 * several times over, so that what the machine does meanwhile hits all alike; what is printed
 * are medians and ratios against a baseline case.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define BENCH_RUNS_MAX 31

/* One figure of one case: a value for each run. */
struct figure {
	const char *name;    /* "receive: daemon, 10000 endpoints" */
	const char *unit;    /* "kpps" */
	const char *against; /* name of the baseline, or NULL */
	double values[BENCH_RUNS_MAX];
	unsigned n;
};

/* Add a value to the figure of this name and unit, made if it is new. */
void figure_add(const char *name, const char *unit, const char *against, double value);
/* All figures: a table on stdout, and JSON at path. */
void figures_print(void);
int figures_write(const char *path);

void values_sort(double *values, size_t n);

double seconds_now(void);         /* CLOCK_MONOTONIC */
double cpu_seconds_self(void);    /* of this process */
double cpu_seconds_of(pid_t pid); /* of another one; /proc/PID/schedstat */
/* Is this case to be run?  BENCH_CASE names some by a part of their names. */
bool case_wanted(const char *name);
/* This process, and what it starts, on one core; ANY_CORE: on all. */
#define ANY_CORE (-1)
void pin_to(int core);
void die(const char *what) __attribute__((noreturn)); /* with errno's text */

/* The i-th endpoint's address. */
void endpoint_mac(unsigned i, uint8_t mac[6]);

/* ---- raw packet sockets, the baselines ---- */

/* A packet socket on an interface; protocol in host order, 0 to send only. */
int raw_socket(const char *ifname, uint16_t protocol);
/* Frames the interface has received, by the kernel's own count. */
uint64_t interface_rx_packets(const char *ifname);

/*
 * Send n_frames prepared frames of len bytes, over and over, for so many seconds, 64 in one
 * sendmmsg(); returns how many were sent.  Paced: so many a second, 0 is as many as go.
 */
uint64_t raw_send_for(int fd, const uint8_t *frames, unsigned n_frames, unsigned len,
		      double seconds);
uint64_t raw_send_paced(int fd, const uint8_t *frames, unsigned n_frames, unsigned len,
			double seconds, double per_second);

/* The same by AF_XDP, each frame copied into its memory.  Possible: the kernel has it. */
struct raw_xdp;
bool raw_xdp_possible(void);
struct raw_xdp *raw_xdp_open(const char *ifname);
uint64_t raw_xdp_send_for(struct raw_xdp *xdp, const uint8_t *frames, unsigned n_frames,
			  unsigned len, double seconds);
void raw_xdp_close(struct raw_xdp *xdp);

/*
 * Received on an interface without anybody sending: the kernel makes frames like this one,
 * for n_endpoints in random order.  Datagrams: the frame is one, without a tag, and each
 * endpoint has an IPv4 address of its own.  Possible: it can.
 */
bool live_frames_possible(void);
uint64_t live_frames_for(const char *ifname, const uint8_t *frame, unsigned n_endpoints,
			 unsigned len, double seconds, bool datagrams);

/*
 * A TPACKET_V2 ring that waits as the daemon does, or a V3 ring that takes whole blocks.
 * Filtered: by the shortest program there is, which lets all pass.
 */
enum { RAW_BY_BLOCK = 1, RAW_FILTERED = 2 };
struct raw_ring;
struct raw_ring *raw_ring_open(const char *ifname, unsigned how);
/* Take what is there, at most until the deadline; returns how many frames (0: time is over). */
unsigned raw_ring_take(struct raw_ring *ring, double deadline);
uint64_t raw_ring_drops(struct raw_ring *ring);
void raw_ring_close(struct raw_ring *ring);

#endif
