/*
 * tour.c - what the documentation of the Go package etherconn shows, in C: one endpoint of each
 * kind, everything they can do, against a host that answers echo (RFC 862) and ping.
 *
 *   tour eth1 '02:00:00:00:00:01|100' 10.0.0.1:1000 02:00:00:00:00:02 10.0.0.2:7
 *
 * The last two are the next hop and the destination.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <etherconn.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>

#define SECOND INT64_C(1000000000)

struct tour {
	struct ec_relay *relay;
	struct ec_l2 *l2;
	struct ec_udp *udp;
	uint8_t next_hop[6];
	struct sockaddr_in peer;
};

static int complain(const char *what)
{
	fprintf(stderr, "tour: %s: %s\n", what, ec_error_text());
	return -1;
}

static void print_address(const char *before, const struct sockaddr_in *a)
{
	char text[INET_ADDRSTRLEN];
	printf("%s%s:%u", before, inet_ntop(AF_INET, &a->sin_addr, text, sizeof(text)),
	       ntohs(a->sin_port));
}

/* NewRawSocketRelay: which interface, and how many frames wait for who does not read. */
static int open_relay(struct tour *t, const char *interface)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	opts.queue_depth = 100;
	if (ec_relay_open(&t->relay, interface, &opts) < 0)
		return complain(interface);
	printf("relay: %s, MTU %u\n", ec_relay_ifname(t->relay), ec_relay_mtu(t->relay));
	return 0;
}

/* NewEtherConn, WithVLANs, WithRecvMulticast; and what etherconn leaves to others: ARP. */
static int open_l2(struct tour *t, const char *text)
{
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	char own[EC_L2ADDR_TEXT];
	opts.flags = EC_L2_MULTICAST | EC_L2_ANSWER;
	if (ec_l2addr_parse(text, &addr) < 0 ||
	    ec_l2_open(&t->l2, t->relay, &addr, &opts) < 0)
		return complain(text);
	printf("L2 endpoint: %s, payloads to %u bytes\n",
	       ec_l2addr_format(ec_l2_addr(t->l2), own), ec_l2_payload_max(t->l2));
	return 0;
}

/* WithResolveNextHopMacFunc. */
static int resolve(void *arg, const struct sockaddr *dst, uint8_t mac[6])
{
	const struct tour *t = arg;
	if (dst->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	memcpy(mac, t->next_hop, 6);
	return 0;
}

/* NewRUDPConn, WithAcceptAny. */
static int open_udp(struct tour *t, const char *local)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct sockaddr_storage own;
	opts.flags = EC_UDP_ACCEPT_ANY;
	opts.ttl = 16;
	opts.resolve = resolve;
	opts.resolve_arg = t;
	if (ec_udp_open(&t->udp, t->l2, local, &opts) < 0)
		return complain(local);
	ec_udp_local(t->udp, &own);
	print_address("UDP endpoint: ", (struct sockaddr_in *)&own);
	printf("\n");
	return 0;
}

/* WriteTo, ReadFrom, SetDeadline. */
static int talk_udp(struct tour *t)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	char answer[1500];
	ec_udp_set_write_deadline(t->udp, ec_now() + SECOND);
	ec_udp_set_read_deadline(t->udp, ec_now() + 5 * SECOND);
	if (ec_udp_sendto(t->udp, "hello", 5, 0, (struct sockaddr *)&t->peer,
			  sizeof(t->peer)) < 0)
		return complain("sending");
	ssize_t n = ec_udp_recvfrom(t->udp, answer, sizeof(answer), 0,
				    (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return complain("receiving");
	print_address("answer: from ", (struct sockaddr_in *)&from);
	printf(", \"%.*s\"\n", (int)n, answer);
	return 0;
}

/* RFC 1071. */
static uint16_t checksum(const void *bytes, size_t len)
{
	uint32_t sum = 0;
	for (const uint8_t *at = bytes; len > 1; at += 2, len -= 2)
		sum += (uint32_t)(at[0] << 8 | at[1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* WriteIPPktTo, ReadPktFrom: a ping, whose answer is no UDP and so is the L2 endpoint's. */
static int talk_ip(struct tour *t)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
	} ping = {.ip = {.version = 4,
			 .ihl = 5,
			 .tot_len = htons(sizeof(ping)),
			 .ttl = 64,
			 .protocol = IPPROTO_ICMP,
			 .daddr = t->peer.sin_addr.s_addr},
		  .icmp = {.type = ICMP_ECHO}},
	  pong = {0};
	struct sockaddr_storage own;
	struct ec_frame info;
	struct ec_vlan vlans[EC_VLANS_MAX];
	ec_udp_local(t->udp, &own);
	ping.ip.saddr = ((struct sockaddr_in *)&own)->sin_addr.s_addr;
	ping.ip.check = checksum(&ping.ip, sizeof(ping.ip));
	ping.icmp.checksum = checksum(&ping.icmp, sizeof(ping.icmp));
	if (ec_l2_send_ip(t->l2, &ping, sizeof(ping), t->next_hop, 0) < 0)
		return complain("sending a ping");
	ec_l2_set_read_deadline(t->l2, ec_now() + 5 * SECOND);
	while (pong.ip.protocol != IPPROTO_ICMP || pong.icmp.type != ICMP_ECHOREPLY)
		if (ec_l2_recv(t->l2, &pong, sizeof(pong), 0, &info) < 0)
			return complain("waiting for its answer");
	const uint8_t *mac = ec_frame_src_mac(&info);
	unsigned n = ec_frame_vlans(&info, vlans);
	printf("ping: answered by %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
	       mac[3], mac[4], mac[5]);
	for (unsigned i = 0; i < n; i++)
		printf("|%u", vlans[i].id);
	printf(", %u bytes in the frame\n", info.len);
	return 0;
}

/* ErrTimeOut: nothing more comes. */
static int wait_for_nothing(struct tour *t)
{
	char buf[100];
	ec_udp_set_read_deadline(t->udp, ec_now() + SECOND / 10);
	ssize_t r = ec_udp_recvfrom(t->udp, buf, sizeof(buf), 0, NULL, NULL);
	if (r != -ETIMEDOUT)
		return complain("something came");
	printf("deadline: %s\n", ec_error_text());
	return 0;
}

/* GetStats: what the daemon has counted, and what the library has. */
static int print_counters(struct tour *t)
{
	struct ec_counter counters[100];
	struct ec_relay_stats own;
	int n = ec_relay_counters(t->relay, counters, 100);
	if (n < 0)
		return complain("counters");
	for (int i = 0; i < n && i < 100; i++)
		if (counters[i].value)
			printf("%s: %" PRIu64 " %s\n", counters[i].name, counters[i].value,
			       counters[i].text);
	ec_relay_stats(t->relay, &own);
	printf("here: %" PRIu64 " received, %" PRIu64 " sent\n", own.rx, own.tx);
	return 0;
}

/* "10.0.0.2:7" */
static int parse_peer(struct tour *t, const char *text)
{
	char ip[INET_ADDRSTRLEN];
	unsigned port;
	t->peer = (struct sockaddr_in){.sin_family = AF_INET};
	if (sscanf(text, "%15[0-9.]:%5u", ip, &port) != 2 ||
	    inet_pton(AF_INET, ip, &t->peer.sin_addr) != 1) {
		fprintf(stderr, "tour: \"%s\" is not like 10.0.0.2:7\n", text);
		return -1;
	}
	t->peer.sin_port = htons((uint16_t)port);
	return 0;
}

int main(int argc, char **argv)
{
	struct tour t = {.relay = NULL};
	struct ec_l2addr hop;
	if (argc != 6) {
		fprintf(stderr, "usage: tour INTERFACE MAC|VLAN... IP:PORT NEXT_HOP_MAC "
				"PEER_IP:PORT\n");
		return 2;
	}
	if (ec_l2addr_parse(argv[4], &hop) < 0)
		return complain(argv[4]) < 0;
	memcpy(t.next_hop, hop.mac, sizeof(t.next_hop));
	int r = parse_peer(&t, argv[5]);
	if (r == 0)
		r = open_relay(&t, argv[1]);
	if (r == 0)
		r = open_l2(&t, argv[2]);
	if (r == 0)
		r = open_udp(&t, argv[3]);
	if (r == 0)
		r = talk_udp(&t);
	if (r == 0)
		r = talk_ip(&t);
	if (r == 0)
		r = wait_for_nothing(&t);
	if (r == 0)
		r = print_counters(&t);
	ec_relay_close(t.relay); /* and with it all that stands on it */
	return r < 0;
}
