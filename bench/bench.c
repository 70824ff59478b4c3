/*
 * bench.c - clocks, figures, raw packet sockets.
 */
#include "bench/bench.h"
#include "proto/pace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double clock_seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double seconds_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

double cpu_seconds_self(void)
{
	return clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

double cpu_seconds_of(pid_t pid)
{
	clockid_t clock;
	return clock_getcpuclockid(pid, &clock) == 0 ? clock_seconds(clock) : 0;
}

/* ---- figures ---- */

#define FIGURES_MAX 128

static struct figure figures[FIGURES_MAX];
static unsigned n_figures;

void figure_add(const char *name, const char *unit, const char *against, double value)
{
	struct figure *f = figures;
	while (f < figures + n_figures && (strcmp(f->name, name) || strcmp(f->unit, unit)))
		f++;
	if (f == figures + FIGURES_MAX)
		return;
	if (f == figures + n_figures) {
		*f =
		    (struct figure){.name = strdup(name), .unit = unit, .against = against};
		n_figures++;
	}
	if (f->n < BENCH_RUNS_MAX)
		f->values[f->n++] = value;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* Sorts the values on the way. */
static double median(struct figure *f)
{
	qsort(f->values, f->n, sizeof(*f->values), compare);
	return f->n % 2 ? f->values[f->n / 2]
			: (f->values[f->n / 2 - 1] + f->values[f->n / 2]) / 2;
}

/* Against its baseline's figure of the same unit; 0 if there is none. */
static double ratio(struct figure *f)
{
	for (unsigned i = 0; f->against && i < n_figures; i++)
		if (!strcmp(figures[i].name, f->against) &&
		    !strcmp(figures[i].unit, f->unit))
			return median(f) / median(&figures[i]);
	return 0;
}

void figures_print(void)
{
	printf("\n%-44s %-10s %10s %10s %10s  %s\n", "", "", "median", "min", "max",
	       "ratio");
	for (unsigned i = 0; i < n_figures; i++) {
		struct figure *f = &figures[i];
		double m = median(f), r = ratio(f);
		printf("%-44s %-10s %10.1f %10.1f %10.1f", f->name, f->unit, m,
		       f->values[0], f->values[f->n - 1]);
		if (r > 0)
			printf("  %.2f x %s", r, f->against);
		putchar('\n');
	}
}

int figures_write(const char *path)
{
	FILE *file = fopen(path, "w");
	if (!file)
		return -errno;
	fputs("[", file);
	for (unsigned i = 0; i < n_figures; i++) {
		struct figure *f = &figures[i];
		fprintf(file,
			"%s\n{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%.3f,\"min\":%.3f,"
			"\"max\":%.3f,\"runs\":%u",
			i ? "," : "", f->name, f->unit, median(f), f->values[0],
			f->values[f->n - 1], f->n);
		if (ratio(f) > 0)
			fprintf(file, ",\"against\":\"%s\",\"ratio\":%.3f", f->against,
				ratio(f));
		fputs("}", file);
	}
	fputs("\n]\n", file);
	return fclose(file) == 0 ? 0 : -errno;
}

/* ---- raw packet sockets ---- */

int raw_socket(const char *ifname, uint16_t protocol)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(protocol),
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die(ifname);
	return fd;
}

uint64_t interface_rx_packets(const char *ifname)
{
	char line[512];
	uint64_t packets = 0;
	FILE *file = fopen("/proc/self/net/dev", "re");
	size_t len = strlen(ifname);
	while (file && fgets(line, sizeof(line), file)) {
		char *name = line + strspn(line, " ");
		if (!strncmp(name, ifname, len) && name[len] == ':')
			sscanf(name + len + 1, "%*u %lu", &packets);
	}
	if (file)
		fclose(file);
	return packets;
}

#define BATCH 64

uint64_t raw_send_for(int fd, const uint8_t *frames, unsigned n_frames, unsigned len,
		      double seconds)
{
	struct mmsghdr msgs[BATCH] = {0};
	struct iovec iov[BATCH];
	uint64_t sent = 0;
	unsigned at = 0;
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i].iov_len = len;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (double end = seconds_now() + seconds; seconds_now() < end;) {
		for (unsigned i = 0; i < BATCH; i++, at = at + 1 == n_frames ? 0 : at + 1)
			iov[i].iov_base = (void *)(uintptr_t)(frames + (size_t)at * len);
		int n = sendmmsg(fd, msgs, BATCH, 0);
		if (n < 0 && errno != ENOBUFS)
			die("sendmmsg");
		sent += n > 0 ? (unsigned)n : 0;
	}
	return sent;
}

#define BLOCK (256u << 10)
#define SLOT  2048u
#define SLOTS 8192u

struct raw_ring {
	int fd;
	uint8_t *memory;
	uint32_t at;
	uint64_t drops;
	struct ecp_pace pace;
};

struct raw_ring *raw_ring_open(const char *ifname)
{
	struct raw_ring *ring = calloc(1, sizeof(*ring));
	int version = TPACKET_V2, one = 1;
	struct tpacket_req req = {BLOCK, SLOTS / (BLOCK / SLOT), SLOT, SLOTS};
	struct packet_mreq promisc = {.mr_ifindex = (int)if_nametoindex(ifname),
				      .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = promisc.mr_ifindex};
	ring->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (ring->fd < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) <
		0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) <
		0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		die("packet ring");
	ring->memory = mmap(NULL, (size_t)SLOT * SLOTS, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, ring->fd, 0);
	if (ring->memory == MAP_FAILED ||
	    bind(ring->fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    setsockopt(ring->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc,
		       sizeof(promisc)) < 0)
		die("packet ring");
	ring->pace.few = 8;
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	return ring;
}

static unsigned ring_burst(struct raw_ring *ring)
{
	unsigned n = 0;
	for (; n < 4 * BATCH; n++) {
		struct tpacket2_hdr *slot =
		    (void *)(ring->memory + (size_t)ring->at * SLOT);
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
		if (!(status & TP_STATUS_USER))
			break;
		volatile uint8_t first = *((uint8_t *)slot + slot->tp_mac); /* look at it */
		(void)first;
		__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring->at = (ring->at + 1) % SLOTS;
	}
	return n;
}

unsigned raw_ring_take(struct raw_ring *ring, double deadline)
{
	for (;;) {
		unsigned n = ring_burst(ring);
		int wait = ecp_pace_after(&ring->pace, n, (int64_t)(seconds_now() * 1e9));
		if (wait > 0) {
			const struct timespec nap = {.tv_nsec = wait * 1000};
			clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
		}
		if (n)
			return n;
		if (wait != ECP_PACE_BLOCK)
			continue;
		int left = (int)((deadline - seconds_now()) * 1000) + 1;
		struct pollfd p = {.fd = ring->fd, .events = POLLIN};
		if (seconds_now() >= deadline || poll(&p, 1, left) <= 0)
			return 0;
	}
}

uint64_t raw_ring_drops(struct raw_ring *ring)
{
	struct tpacket_stats stats = {0};
	socklen_t len = sizeof(stats);
	getsockopt(ring->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len);
	ring->drops += stats.tp_drops;
	return ring->drops;
}

void raw_ring_close(struct raw_ring *ring)
{
	munmap(ring->memory, (size_t)SLOT * SLOTS);
	close(ring->fd);
	free(ring);
}
