/*
 * tool_gap.c - how long a restart of the daemon takes for the traffic of a client that holds many
 * endpoints, half of them L2 and half UDP.
 *
 *   tool_gap SOCKET INTERFACE PEER COUNT
 *
 *   peer  -- a datagram each millisecond -->  daemon  -->  client: COUNT L2 and COUNT UDP
 *         <-- the answer --------------------          <--  endpoints
 *
 * The peer, a packet socket on PEER, asks some of them all over the list, the last one among them,
 * which the library claims again last.  Once all of these have answered it says "open", and after
 * each restart, when they have again, "gap MS": the longest that one of them was not heard, from the
 * last answer before to the first one after.  Until it is ended.
 */
#include "client-lib/etherconn.h"
#include "tests/frames.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ASKED    5
#define EVERY_NS 1000000
#define MS       1e6

static const uint8_t peer_mac[6] = {2, 255, 0, 0, 0, 1};

/* One of the endpoints that are asked. */
struct asked {
	uint8_t mac[6];
	uint8_t question[ECP_FRAME_MAX];
	uint32_t len;  /* of the question */
	int64_t heard; /* when last */
	uint32_t generation;
};

static int fail(const char *why)
{
	fprintf(stderr, "tool_gap: %s\n", why);
	return 1;
}

static struct ec_l2addr addr_of(size_t i)
{
	return (struct ec_l2addr){
	    .mac = {2, 1, 0, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
	    .n_vlans = 1,
	    .vlans = {{.id = (uint16_t)(1 + i % 4094)}},
	};
}

/* ---- the peer ---- */

static void make_question(struct asked *asked, const struct ec_l2addr *addr)
{
	char to[EC_L2ADDR_TEXT];
	const struct test_frame frame = {.to = to,
					 .src_ip = "10.0.0.2:4001",
					 .dst_ip = "10.0.0.1:4000",
					 .payload = "?",
					 .len = 1};
	ec_l2addr_format(addr, to);
	asked->len = test_frame_build(&frame, asked->question);
	memcpy(asked->mac, addr->mac, sizeof(asked->mac));
}

static int peer_socket(const char *interface)
{
	int yes = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(interface)};
	if (fd < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd;
}

/* An answer has come.  Is it the first of this daemon?  Then *gap: how long after the one before. */
static bool hear(struct asked *asked, uint32_t generation, int64_t *gap)
{
	int64_t now = ec_now();
	bool first = asked->generation != generation;
	*gap = now - asked->heard;
	asked->heard = now;
	asked->generation = generation;
	return first;
}

static void say(bool open, int64_t gap)
{
	if (open)
		printf("gap %.1f\n", (double)gap / MS);
	else
		puts("open");
	fflush(stdout);
}

static void hear_all(int fd, struct asked asked[ASKED], uint32_t generation)
{
	static int64_t longest;
	static unsigned n;
	static bool open;
	uint8_t frame[2048];
	int64_t gap;
	while (recv(fd, frame, sizeof(frame), 0) > ETH_HLEN) {
		for (unsigned i = 0; i < ASKED; i++) {
			if (memcmp(frame + ETH_ALEN, asked[i].mac, ETH_ALEN) != 0 ||
			    !hear(&asked[i], generation, &gap))
				continue;
			longest = gap > longest ? gap : longest;
			n++;
		}
	}
	if (n < ASKED)
		return;
	say(open, longest);
	open = true;
	longest = 0;
	n = 0;
}

static int peer(const char *interface, size_t count, const uint32_t *generation)
{
	static struct asked asked[ASKED];
	int fd = peer_socket(interface);
	if (fd < 0)
		return fail("no packet socket for the peer");
	for (unsigned i = 0; i < ASKED; i++) {
		const struct ec_l2addr addr = addr_of((count - 1) * i / (ASKED - 1));
		make_question(&asked[i], &addr);
	}
	for (int64_t due = ec_now();;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t wait = due - ec_now();
		struct timespec timeout = {.tv_nsec = wait > 0 ? wait : 0};
		ppoll(&p, 1, &timeout, NULL);
		hear_all(fd, asked, __atomic_load_n(generation, __ATOMIC_ACQUIRE));
		if (ec_now() < due)
			continue;
		for (unsigned i = 0; i < ASKED; i++)
			send(fd, asked[i].question, asked[i].len, 0);
		due = ec_now() + EVERY_NS;
	}
}

/* ---- the client ---- */

static int next_hop(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	(void)arg;
	(void)dst;
	memcpy(mac, peer_mac, sizeof(peer_mac));
	return 0;
}

static struct ec_relay *open_all(const char *socket, const char *interface, size_t count)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	struct ec_udp_opts udp_opts = EC_UDP_OPTS;
	struct ec_relay *relay;
	struct ec_claim *claims = calloc(count, sizeof(*claims));
	opts.socket = socket;
	udp_opts.resolve = next_hop;
	for (size_t i = 0; claims && i < count; i++) {
		claims[i].addr = addr_of(i);
		claims[i].local = "10.0.0.1:4000";
	}
	bool open = claims && ec_relay_open(&relay, interface, &opts) == 0 &&
		    ec_open_many(relay, claims, count, NULL, &udp_opts) == (ssize_t)count;
	free(claims);
	return open ? relay : NULL;
}

static int answer(struct ec_relay *relay, uint32_t *generation)
{
	struct ec_frame frames[64];
	struct sockaddr_storage from;
	int n;
	while ((n = ec_relay_recv(relay, frames, 64, -1)) >= 0) {
		__atomic_store_n(generation, ec_relay_generation(relay), __ATOMIC_RELEASE);
		for (int i = 0; i < n; i++)
			if (frames[i].udp && ec_frame_src(&frames[i], &from) == 0)
				ec_udp_sendto(frames[i].udp, frames[i].payload,
					      frames[i].payload_len, EC_MORE,
					      (struct sockaddr *)&from, sizeof(from));
		ec_relay_flush(relay);
	}
	return fail(ec_error_text());
}

int main(int argc, char **argv)
{
	if (argc != 5 || atol(argv[4]) < ASKED) {
		fprintf(stderr, "usage: tool_gap SOCKET INTERFACE PEER COUNT\n");
		return 2;
	}
	size_t count = (size_t)atol(argv[4]);
	uint32_t *generation = mmap(NULL, sizeof(*generation), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (generation == MAP_FAILED)
		return fail("no memory");
	struct ec_relay *relay = open_all(argv[1], argv[2], count);
	if (!relay)
		return fail(ec_error_text());
	pid_t client = getpid();
	if (fork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return getppid() == client ? peer(argv[3], count, generation) : 1;
	}
	return answer(relay, generation);
}
