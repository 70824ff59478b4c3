/*
 * case_send.c - frames from a client, beside sendmmsg() and AF_XDP in one process.
 */
#include "bench/stage.h"

#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- send ---- */

#define BURST         64
#define SEND_BARE     "send: bare sendmmsg"
#define SEND_BARE_XDP "send: bare AF_XDP"

/* Beside the ratio of medians: of each run to the bare sendmmsg() of the same run. */
static void send_figures(const char *name, const char *against, uint64_t arrived,
			 double seconds, double cpu)
{
	static double bare;
	double kpps = (double)arrived / seconds / 1e3;
	if (!strcmp(name, SEND_BARE))
		bare = kpps;
	figure_add(name, "kpps", against, kpps);
	figure_add(name, "cpu ns", against, cpu / (double)arrived * 1e9);
	figure_add(name, "% sendmmsg", NULL, 100 * kpps / bare);
}

static void send_by_socket(const uint8_t *frames)
{
	int fd = raw_socket(stage.ifname, 0);
	raw_send_for(fd, frames, ENDPOINTS_MAX, FRAME_LEN, SECONDS);
	close(fd);
}

static void send_by_xdp(const uint8_t *frames)
{
	struct raw_xdp *xdp = raw_xdp_open(stage.ifname);
	raw_xdp_send_for(xdp, frames, ENDPOINTS_MAX, FRAME_LEN, SECONDS);
	raw_xdp_close(xdp);
}

static void send_bare(const char *name, void (*send)(const uint8_t *frames))
{
	if (!case_wanted(name))
		return;
	uint8_t *frames = make_frames(ENDPOINTS_MAX, true, FRAME_LEN);
	uint64_t before = peer_received();
	double begin = seconds_now(), cpu = cpu_seconds_self();
	send(frames);
	double took = seconds_now() - begin;
	cpu = cpu_seconds_self() - cpu;
	send_figures(name, SEND_BARE, peer_received() - before, took, cpu);
	free(frames);
}

static void send_daemon(const char *name, const char *send, unsigned n_endpoints)
{
	const struct setting how = {.send = send};
	struct ec_send burst[BURST];
	struct ec_relay *relay;
	if (!case_wanted(name))
		return;
	pid_t daemon = start_daemon(&relay, &how);
	open_endpoints(relay, n_endpoints);
	uint8_t *frames = make_frames(1, true, FRAME_LEN);
	uint64_t before = peer_received(), sent = 0, arrived = 0;
	double begin = seconds_now(), cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
	for (unsigned i = 0; i < BURST; i++) {
		burst[i] = (struct ec_send){.payload = frames + 18,
					    .len = FRAME_LEN - 18,
					    .ethertype = ECP_ETHERTYPE_IPV4,
					    .dst = {0x02, 0xee, 0, 0, 0, 1}};
	}
	while (seconds_now() < begin + SECONDS) {
		for (unsigned i = 0; i < BURST; i++)
			burst[i].l2 = claims[(sent + i) % n_endpoints].l2;
		int taken = ec_relay_send(relay, burst, BURST, 0);
		if (taken < 0)
			die(ec_error_text());
		sent += (unsigned)taken;
	}
	double took = seconds_now() - begin, limit = seconds_now() + 2;
	while ((arrived = peer_received() - before) < sent && seconds_now() < limit)
		took = seconds_now() - begin;
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	if (arrived < sent)
		printf("%s: %lu of %lu frames did not arrive\n", name, sent - arrived,
		       sent);
	send_figures(name, strcmp(send, "xdp") ? SEND_BARE : SEND_BARE_XDP, arrived, took,
		     cpu);
	free(frames);
	ec_relay_close(relay);
	end(daemon);
}

void send_all(void)
{
	send_bare(SEND_BARE, send_by_socket);
	send_daemon("send: daemon by socket, 1 endpoint", "socket", 1);
	send_daemon("send: daemon by socket, 50,000 endpoints", "socket", ENDPOINTS_MAX);
	if (!raw_xdp_possible())
		return;
	send_bare(SEND_BARE_XDP, send_by_xdp);
	send_daemon("send: daemon by AF_XDP, 1 endpoint", "xdp", 1);
	send_daemon("send: daemon by AF_XDP, 50,000 endpoints", "xdp", ENDPOINTS_MAX);
}
