/*
 * bench_packets.c - receive, send and round trip: through the daemon and a client, beside a
 * bare packet socket in one process, the kernel's UDP, and macvlan devices.
 *
 *   bench_packets IF PEER-IF PEER-NETNS ETHERCONND SOCKET JSON PEER-MAC
 */
#include "bench/stage.h"

#include "proto/frame.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

static void write_spinning(void)
{
	snprintf(stage.spinning, sizeof(stage.spinning), "%s.conf", stage.socket);
	FILE *f = fopen(stage.spinning, "w");
	if (!f || fprintf(f, "{\"spin_us\": %d}\n", SPIN_US) < 0 || fclose(f) != 0)
		die(stage.spinning);
}

static const struct part {
	const char *name;
	void (*run)(void);
	bool once; /* it takes its time */
} parts[] = {
    {"receive", receive_all, false}, {"send", send_all, false},    {"rtt", rtt_all, false},
    {"macvlan", macvlan_all, false}, {"steady", steady_all, true},
};

static void run(int n)
{
	const char *only = getenv("BENCH_ONLY");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if ((!only || !strcmp(only, parts[i].name)) && (n == 0 || !parts[i].once))
			parts[i].run();
}

int main(int argc, char **argv)
{
	const char *runs = getenv("BENCH_RUNS");
	if (argc != 8 || ecp_mac_parse(argv[7], stage.peer_mac) < 0) {
		fprintf(stderr,
			"usage: bench_packets IF PEER-IF PEER-NETNS ETHERCONND SOCKET "
			"JSON PEER-MAC\n");
		return 2;
	}
	stage.ifname = argv[1];
	stage.peer_if = argv[2];
	stage.peer_ns = argv[3];
	stage.etherconnd = argv[4];
	stage.socket = argv[5];
	stage.json = argv[6];
	stage.runs = runs ? atoi(runs) : 5;
	stage.own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	write_spinning();
	for (int i = 0; i < stage.runs && i < BENCH_RUNS_MAX; i++) {
		printf("run %d of %d\n", i + 1, stage.runs);
		fflush(stdout);
		run(i);
	}
	figures_print();
	return figures_write(stage.json) < 0;
}
