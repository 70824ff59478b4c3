/*
 * bench_claims.c - how long it takes to claim tens of thousands of endpoints, to give them
 * back, and what they weigh.  The relay is one without an interface: what costs is the claims.
 *
 *   bench_claims DAEMON SOCKET JSON
 */
#include "bench/bench.h"
#include "client-lib/etherconn.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *daemon_path, *socket_path;
static char config_path[200];

static struct ec_relay *connect_to(pid_t daemon)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_relay *relay;
	opts.socket = socket_path;
	for (unsigned tries = 0; tries < 500; tries++) {
		if (ec_relay_open(&relay, NULL, &opts) == 0)
			return relay;
		usleep(1000);
	}
	kill(daemon, SIGKILL);
	die("no daemon");
}

/* As many endpoints as are asked for. */
static void write_config(void)
{
	snprintf(config_path, sizeof(config_path), "%s.conf", socket_path);
	FILE *f = fopen(config_path, "w");
	if (!f || fputs("{\"max_endpoints\": 16777215}\n", f) < 0 || fclose(f) != 0)
		die(config_path);
}

static pid_t start_daemon(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		execl(daemon_path, "etherconnd", "-i", "none", "-b", "pcapfile", "-s",
		      socket_path, "-l", "error", "-c", config_path, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Memory that is this process's alone, in megabytes: /proc/PID/smaps_rollup. */
static double private_mb(pid_t pid)
{
	char path[64], line[256];
	unsigned long kb, sum = 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Private_Clean: %lu", &kb) == 1 ||
		    sscanf(line, "Private_Dirty: %lu", &kb) == 1)
			sum += kb;
	if (file)
		fclose(file);
	return (double)sum / 1024;
}

static struct ec_claim *make_claims(unsigned n)
{
	struct ec_claim *claims = calloc(n, sizeof(*claims));
	for (unsigned i = 0; claims && i < n; i++) {
		claims[i].addr = (struct ec_l2addr){
		    .mac = {2, 1, (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			    (uint8_t)i},
		    .n_vlans = 1,
		    .vlans = {{.id = (uint16_t)(i % 4000 + 1)}},
		};
		claims[i].local = "10.0.0.1:68";
	}
	return claims;
}

static void name_it(char *name, size_t room, const char *what, unsigned n)
{
	snprintf(name, room, "%s, %u L2 + UDP endpoints", what, n);
}

/*
 * Fresh: this process has opened nothing before.  What malloc() kept of an earlier time would be
 * weighed as well.
 */
static void measure(unsigned n, bool fresh)
{
	char name[80];
	double start = seconds_now();
	pid_t daemon = start_daemon();
	struct ec_relay *relay = connect_to(daemon);
	figure_add("start of the daemon, to the first client", "ms", NULL,
		   (seconds_now() - start) * 1e3);
	double before = private_mb(daemon) + private_mb(getpid());
	struct ec_claim *claims = make_claims(n);
	double begin = seconds_now();
	if (ec_open_many(relay, claims, n, NULL, NULL) != (ssize_t)n) {
		fprintf(stderr, "bench_claims: %s\n", ec_error_text());
		exit(1);
	}
	double opened = seconds_now();
	double weight = private_mb(daemon) + private_mb(getpid());
	/* nobody sends: what does it cost that they are there? */
	double idle = cpu_seconds_of(daemon) + cpu_seconds_self();
	sleep(1);
	idle = cpu_seconds_of(daemon) + cpu_seconds_self() - idle;
	name_it(name, sizeof(name), "idle", n);
	figure_add(name, "% of a core", NULL, 100 * idle);
	double closing = seconds_now();
	ec_close_many(claims, n);
	double closed = seconds_now();
	name_it(name, sizeof(name), "claim", n);
	figure_add(name, "ms", NULL, (opened - begin) * 1e3);
	name_it(name, sizeof(name), "close", n);
	figure_add(name, "ms", NULL, (closed - closing) * 1e3);
	if (fresh) {
		name_it(name, sizeof(name), "memory of daemon and client", n);
		figure_add(name, "MB", NULL, weight);
		name_it(name, sizeof(name), "memory beyond that of none", n);
		figure_add(name, "MB", NULL, weight - before);
	}
	ec_relay_close(relay);
	free(claims);
	kill(daemon, SIGTERM);
	waitpid(daemon, NULL, 0);
}

int main(int argc, char **argv)
{
	const char *runs = getenv("BENCH_RUNS");
	if (argc != 4) {
		fprintf(stderr, "usage: bench_claims DAEMON SOCKET JSON\n");
		return 2;
	}
	daemon_path = argv[1];
	socket_path = argv[2];
	write_config();
	for (int i = 0; i < (runs ? atoi(runs) : 5); i++)
		measure(50000, i == 0);
	measure(1000000, true); /* beside which fifty thousand weigh little */
	figures_print();
	return figures_write(argv[3]) < 0;
}
