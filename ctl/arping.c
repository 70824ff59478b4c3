/*
 * arping.c - `etherconnctl arping`: who has this address, and how long does the answer take?
 *
 * Asks by ARP or by Neighbour Discovery, once a second; everybody who answers is shown, for
 * there may be two.
 */
#include "ctl/claim.h"
#include "proto/neigh.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define COUNT     3
#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS 1000000
#define NS_PER_US 1000
#define IPV6_HLEN 40

static struct {
	struct claim claim;
	struct ecp_addr target;
	uint64_t asked, answered;
	int64_t asked_ns;
	bool heard; /* the last one was answered */
} arping;

/* ---- asking ---- */

/* Without an address: nobody's, of which IPv4 has one; IPv6 has the MAC address's own. */
static void complete_source(struct ecp_addr *local)
{
	if (local->family)
		return;
	local->family = arping.target.family;
	if (local->family == 6)
		ecp_link_local(arping.claim.l2.mac, local->ip);
}

static enum ctl_exit ask(void)
{
	struct ecp_neigh question = {.have_mac = true, .family = arping.target.family};
	uint8_t packet[ECP_NEIGH_LEN_MAX], dst[ECP_MAC_LEN];
	uint16_t ethertype;
	memcpy(question.mac, arping.claim.l2.mac, ECP_MAC_LEN);
	memcpy(question.ip, arping.claim.local.ip, sizeof(question.ip));
	memcpy(question.target, arping.target.ip, sizeof(question.target));
	size_t len = ecp_neigh_build(&question, packet, &ethertype, dst);
	arping.asked++;
	arping.heard = false;
	arping.asked_ns = ec_now();
	if (ec_l2_send(arping.claim.endpoint, packet, len, ethertype, dst, 0) < 0)
		return claim_complain();
	return CTL_OK;
}

/* ---- answers ---- */

static bool parse(const uint8_t *packet, size_t len, struct ecp_neigh *ret)
{
	if (arping.target.family == 4)
		return ecp_arp_parse(packet, len, ret);
	return len > IPV6_HLEN && packet[6] == ECP_IP_PROTO_ICMPV6 &&
	       ecp_nd_parse(packet, packet + IPV6_HLEN, len - IPV6_HLEN, ret);
}

static void print_answer(struct ctl *ctl, const uint8_t *mac, int64_t took_ns)
{
	char ip[ECP_ADDR_TEXT], text[ECP_MAC_TEXT];
	struct ecp_json_writer w;
	claim_ip_format(&arping.target, ip);
	ecp_mac_format(mac, text);
	if (!ctl->options.json) {
		printf("%s is at %s  %.3f ms\n", ip, text, (double)took_ns / NS_PER_MS);
		fflush(stdout);
		return;
	}
	ecp_json_begin(&w, ctl->text, sizeof(ctl->text));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "address", ip);
	ecp_json_put_string(&w, "mac", text);
	ecp_json_put_u64(&w, "time_us", (uint64_t)took_ns / NS_PER_US);
	ecp_json_close_object(&w);
	ctl_list_add(ctl);
}

static void take_packet(struct ctl *ctl, const uint8_t *packet, size_t len,
			const struct ec_frame *frame)
{
	struct ecp_neigh answer;
	if (!parse(packet, len, &answer) || !answer.reply ||
	    memcmp(answer.ip, arping.target.ip, sizeof(answer.ip)) != 0)
		return;
	arping.answered++;
	arping.heard = true;
	print_answer(ctl, answer.have_mac ? answer.mac : ec_frame_src_mac(frame),
		     ec_now() - arping.asked_ns);
}

/* Until then, or, the last time, until there is an answer. */
static enum ctl_exit listen_until(struct ctl *ctl, int64_t end_ns, bool last)
{
	uint8_t packet[ECP_FRAME_MAX];
	struct ec_frame frame;
	ec_l2_set_read_deadline(arping.claim.endpoint, end_ns);
	while (!(last && arping.heard)) {
		ssize_t len =
		    ec_l2_recv(arping.claim.endpoint, packet, sizeof(packet), 0, &frame);
		if (len == -ETIMEDOUT)
			return CTL_OK;
		if (len < 0)
			return claim_complain();
		if ((size_t)len <= sizeof(packet))
			take_packet(ctl, packet, (size_t)len, &frame);
	}
	return CTL_OK;
}

/* ---- the command ---- */

static enum ctl_exit run(struct ctl *ctl)
{
	uint64_t count = ctl->options.count ? ctl->options.count : COUNT;
	int64_t limit = INT64_MAX, next = ec_now();
	enum ctl_exit code = CTL_OK;
	if (ctl->options.wait_ms)
		limit = next + (int64_t)ctl->options.wait_ms * NS_PER_MS;
	while (code == CTL_OK && arping.asked < count && ec_now() < limit) {
		code = ask();
		next += NS_PER_S;
		if (code == CTL_OK)
			code = listen_until(ctl, next < limit ? next : limit,
					    arping.asked == count);
	}
	return code;
}

static void print_end(struct ctl *ctl)
{
	char text[80];
	if (!ctl->options.json) {
		printf("%" PRIu64 " asked, %" PRIu64 " answered\n", arping.asked,
		       arping.answered);
		return;
	}
	snprintf(text, sizeof(text), "],\"asked\":%" PRIu64 ",\"answered\":%" PRIu64 "}",
		 arping.asked, arping.answered);
	document_write(&ctl->document, text);
	document_end(&ctl->document);
}

static enum ctl_exit open_endpoint(const struct ctl_options *options)
{
	const uint16_t ethertype =
	    arping.target.family == 4 ? ECP_ETHERTYPE_ARP : ECP_ETHERTYPE_IPV6;
	struct ec_l2_opts opts = EC_L2_OPTS;
	opts.flags = EC_L2_SHARE;
	opts.ethertypes = &ethertype;
	opts.n_ethertypes = 1;
	return claim_open(&arping.claim, options, &opts);
}

static enum ctl_exit take_arguments(int argc, char **argv)
{
	int n = 0;
	enum ctl_exit code = claim_parse(&arping.claim, argc, argv, &n);
	if (code != CTL_OK)
		return code;
	if (argc - n != 1)
		return ctl_complain(CTL_USAGE, "who has which address?");
	if (claim_ip_parse(argv[n], &arping.target) < 0)
		return ctl_complain(CTL_USAGE, "\"%s\" is no IP address", argv[n]);
	complete_source(&arping.claim.local);
	if (arping.claim.local.family != arping.target.family)
		return ctl_complain(CTL_USAGE, "one address is IPv4, the other IPv6");
	return CTL_OK;
}

enum ctl_exit cmd_arping(struct ctl *ctl, int argc, char **argv)
{
	enum ctl_exit code = take_arguments(argc, argv);
	if (code != CTL_OK)
		return code;
	code = open_endpoint(&ctl->options);
	if (code == CTL_OK) {
		if (ctl->options.json)
			ctl_list_begin(ctl, "answers");
		code = run(ctl);
		print_end(ctl);
	}
	claim_close(&arping.claim);
	return code == CTL_OK && !arping.answered ? CTL_FAILED : code;
}
