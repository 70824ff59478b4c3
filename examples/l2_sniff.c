/*
 * l2_sniff.c - a line for each frame that an L2 endpoint receives, its tags intact.
 *
 *   l2_sniff [-i IF] [-s SOCKET] [-c COUNT] [-d|-m] MAC|VLANS
 *
 *   -c COUNT  stop after so many frames
 *   -d        also what nobody claims       (root, or the daemon's capture_group)
 *   -m        ... and a copy of what others claim
 */
#include <etherconn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST 64

static int fail(void)
{
	fprintf(stderr, "l2_sniff: %s\n", ec_error_text());
	return 1;
}

static void print_mac(const uint8_t *mac)
{
	printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
	       mac[5]);
}

/* "1700000000.123456 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff |100|200 0x0800, 62 bytes" */
static void print_frame(const struct ec_frame *frame)
{
	struct ec_vlan vlans[EC_VLANS_MAX];
	unsigned n = ec_frame_vlans(frame, vlans);
	printf("%llu.%06llu ", (unsigned long long)(frame->time_ns / 1000000000),
	       (unsigned long long)(frame->time_ns / 1000 % 1000000));
	print_mac(ec_frame_src_mac(frame));
	printf(" > ");
	print_mac(ec_frame_dst_mac(frame));
	printf(" ");
	for (unsigned i = 0; i < n; i++)
		printf("|%u", vlans[i].id);
	printf("%s0x%04x, %u bytes\n", n ? " " : "", frame->ethertype, frame->len);
}

static int sniff(struct ec_relay *relay, long left)
{
	struct ec_frame frames[BURST];
	while (left != 0) {
		int n = ec_relay_recv(relay, frames, BURST, -1);
		if (n < 0)
			return fail();
		for (int i = 0; i < n && left != 0; i++, left -= left > 0)
			print_frame(&frames[i]);
		fflush(stdout);
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: l2_sniff [-i IF] [-s SOCKET] [-c COUNT] [-d|-m] MAC|VLANS\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const uint16_t types[] = {0x0800, 0x0806, 0x86dd, 0x8863, 0x8864};
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	struct ec_relay *relay;
	struct ec_l2 *l2;
	const char *interface = NULL;
	long count = -1;
	int c;
	opts.flags = EC_L2_MULTICAST;
	opts.ethertypes = types;
	opts.n_ethertypes = sizeof(types) / sizeof(*types);
	while ((c = getopt(argc, argv, "i:s:c:dm")) != -1) {
		if (c == 'i')
			interface = optarg;
		else if (c == 's')
			relay_opts.socket = optarg;
		else if (c == 'c')
			count = atol(optarg);
		else if (c == 'd')
			opts.flags |= EC_L2_DEFAULT;
		else if (c == 'm')
			opts.flags |= EC_L2_DEFAULT | EC_L2_MIRROR;
		else
			return usage();
	}
	if (argc - optind != 1)
		return usage();
	if (ec_l2addr_parse(argv[optind], &addr) < 0 ||
	    ec_relay_open(&relay, interface, &relay_opts) < 0)
		return fail();
	int r = ec_l2_open(&l2, relay, &addr, &opts) < 0 ? fail() : 0;
	if (r == 0) {
		fprintf(stderr, "l2_sniff: listening on %s\n", ec_relay_ifname(relay));
		r = sniff(relay, count);
	}
	ec_relay_close(relay);
	return r;
}
