/*
 * bench_memory.c - the daemon and a client without a kernel beneath: frames from memory to
 * endpoints of another process, and back.  What it shows is the cost of our own code.
 *
 *   bench_memory JSON
 */
#include "bench/bench.h"
#include "client-lib/etherconn.h"
#include "daemon/daemon.h"
#include "tests/relay_memory.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS    1.0
#define MANY       50000
#define RING_BYTES (16u << 20)
#define LEN_MAX    1500
#define VLAN       100
#define SOCK_DIR   "/tmp/etherconnd-bench-XXXXXX"

static char dir[64], sock[96];

/* ---- the daemon's process ---- */

/* What it is asked over a pipe: receive these frames from now on. */
struct order {
	uint32_t n_endpoints, len;
	bool broadcast;
};

struct server {
	struct daemon daemon;
	struct loop_fd orders;
	int fd;
	struct relay_frame *frames;
	uint8_t *bytes;
};

/*
 * Frames of len bytes, for n endpoints in random order, the tag beside them: as many as there
 * are endpoints, or as fit a packet ring of the usual size.
 */
static uint32_t make_frames(struct server *s, uint32_t n, uint32_t len, bool broadcast)
{
	uint32_t n_frames = RING_BYTES / len < MANY ? RING_BYTES / len : MANY;
	srand(1);
	for (uint32_t i = 0; i < n_frames; i++) {
		uint8_t *f = s->bytes + (size_t)i * len;
		memset(f, 0, len);
		endpoint_mac((uint32_t)rand() % n, f);
		if (broadcast)
			memset(f, 0xff, 6);
		f[12] = 0x88; /* 0x88b5, for local experiments */
		f[13] = 0xb5;
		s->frames[i] = (struct relay_frame){
		    .data = f, .len = len, .tag = {true, ECP_TPID_8021Q, VLAN}};
	}
	return n_frames;
}

static void on_order(void *arg)
{
	struct server *s = arg;
	struct order order;
	if (read(s->fd, &order, sizeof(order)) != sizeof(order)) {
		loop_stop(s->daemon.loop);
		return;
	}
	uint32_t n = make_frames(s, order.n_endpoints, order.len, order.broadcast);
	relay_memory_loop(&s->daemon.datapaths[0].relay, s->frames, n, UINT32_MAX);
}

static void serve(int orders, int ready)
{
	static struct server s;
	struct config config;
	struct ecp_error err = {0};
	char text[200];
	struct relay_config none = {.interface = RELAY_MEMORY_NAME};
	config_defaults(&config);
	snprintf(config.socket, sizeof(config.socket), "%s", sock);
	log_set_level(LOG_LEVEL_ERROR);
	s.fd = orders;
	s.frames = calloc(MANY, sizeof(*s.frames));
	s.bytes = malloc((size_t)MANY * LEN_MAX);
	if (!s.frames || !s.bytes ||
	    relay_open_ops(&s.daemon.datapaths[0].relay, &relay_memory_ops, &none, text,
			   sizeof(text)) < 0 ||
	    daemon_start_on_relays(&s.daemon, 1, &config, &err) < 0 ||
	    loop_fd_start(s.daemon.loop, &s.orders, orders, on_order, &s) < 0 ||
	    write(ready, "", 1) != 1)
		_exit(1);
	daemon_run(&s.daemon);
	_exit(0);
}

static pid_t start_server(int *orders, bool one_core)
{
	int order[2], ready[2];
	char byte;
	if (pipe(order) < 0 || pipe(ready) < 0)
		die("pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(order[1]);
		pin_to(0);
		serve(order[0], ready[1]);
	}
	pin_to(one_core ? 0 : 1);
	close(order[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("the daemon did not start");
	close(ready[0]);
	*orders = order[1];
	return pid;
}

/* ---- the client's process ---- */

static struct ec_claim claims[MANY];

static struct ec_relay *claim(unsigned n, bool broadcast)
{
	static const uint16_t types[] = {0x88b5};
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_relay *relay;
	relay_opts.socket = sock;
	relay_opts.rx_ring = 16 << 20;
	opts.ethertypes = types;
	opts.n_ethertypes = 1;
	opts.flags = broadcast ? EC_L2_MULTICAST : 0;
	memset(claims, 0, sizeof(claims));
	for (unsigned i = 0; i < n; i++) {
		endpoint_mac(i, claims[i].addr.mac);
		claims[i].addr.n_vlans = 1;
		claims[i].addr.vlans[0].id = VLAN;
	}
	if (ec_relay_open(&relay, NULL, &relay_opts) < 0 ||
	    ec_open_many(relay, claims, n, &opts, NULL) != (ssize_t)n) {
		fprintf(stderr, "bench: %s\n", ec_error_text());
		exit(1);
	}
	return relay;
}

/* Look at each frame, as an application would. */
static uint64_t receive_for(struct ec_relay *relay, double seconds)
{
	struct ec_frame frames[64];
	uint64_t got = 0, sum = 0;
	double end = seconds_now() + seconds;
	while (seconds_now() < end)
		for (unsigned calls = 0; calls < 64; calls++) {
			int n = ec_relay_recv(relay, frames, 64, 100);
			if (n < 0)
				die(ec_error_text());
			for (int i = 0; i < n; i++)
				sum += frames[i].l3[0];
			got += (unsigned)n;
		}
	if (sum)
		die("frames of zeros");
	return got;
}

static uint64_t send_for(struct ec_relay *relay, unsigned n, uint32_t len, double seconds)
{
	static const uint8_t payload[LEN_MAX];
	struct ec_send frames[64];
	uint64_t sent = 0;
	double end = seconds_now() + seconds;
	for (unsigned i = 0; i < 64; i++)
		frames[i] = (struct ec_send){.payload = payload,
					     .len = len - 18,
					     .ethertype = 0x88b5,
					     .dst = {0x02, 0xee, 0, 0, 0, 1}};
	while (seconds_now() < end)
		for (unsigned calls = 0; calls < 64; calls++) {
			for (unsigned i = 0; i < 64; i++)
				frames[i].l2 = claims[(sent + i) * 7919 % n].l2;
			int taken = ec_relay_send(relay, frames, 64, 0);
			if (taken < 0)
				die(ec_error_text());
			sent += (unsigned)taken;
		}
	return sent;
}

static void measure(const char *what, unsigned n, uint32_t len, bool one_core)
{
	char name[100];
	int orders;
	snprintf(name, sizeof(name), "memory: %s, %u endpoint%s, %u B, %s", what, n,
		 n == 1 ? "" : "s", len, one_core ? "1 core" : "2 cores");
	if (!case_wanted(name))
		return;
	pid_t daemon = start_server(&orders, one_core);
	bool broadcast = !strcmp(what, "receive broadcast");
	bool receive = broadcast || !strcmp(what, "receive");
	struct ec_relay *relay = claim(n, broadcast);
	struct order order = {n, len - 4, broadcast};
	uint64_t moved;
	if (receive && write(orders, &order, sizeof(order)) != sizeof(order))
		die("order");
	if (receive)
		receive_for(relay, 0.2); /* warm */
	double begin = seconds_now(), cpu = cpu_seconds_self() + cpu_seconds_of(daemon);
	moved = receive ? receive_for(relay, SECONDS) : send_for(relay, n, len, SECONDS);
	double took = seconds_now() - begin;
	cpu = cpu_seconds_self() + cpu_seconds_of(daemon) - cpu;
	figure_add(name, "Mpps", NULL, (double)moved / took / 1e6);
	figure_add(name, "cpu ns", NULL, cpu / (double)moved * 1e9);
	ec_relay_close(relay);
	kill(daemon, SIGKILL);
	waitpid(daemon, NULL, 0);
	close(orders);
	unlink(sock);
}

int main(int argc, char **argv)
{
	const char *runs = getenv("BENCH_RUNS");
	if (argc != 2) {
		fprintf(stderr, "usage: bench_memory JSON\n");
		return 2;
	}
	strcpy(dir, SOCK_DIR);
	if (!mkdtemp(dir))
		die(dir);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	for (int i = 0; i < (runs ? atoi(runs) : 5); i++) {
		measure("receive", 1, 64, false);
		measure("receive", MANY, 64, false);
		measure("receive", MANY, 64, true);
		measure("receive", MANY, 1500, false);
		measure("receive broadcast", 10000, 64, false);
		measure("send", 1, 64, false);
		measure("send", MANY, 64, false);
		measure("send", MANY, 64, true);
		measure("send", MANY, 1500, false);
	}
	rmdir(dir);
	figures_print();
	return figures_write(argv[1]) < 0;
}
