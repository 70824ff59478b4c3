/*
 * udp.c - `etherconnctl udp`: nc(1) -u from an endpoint that no interface has.
 *
 *   standard input --lines--> datagrams --> whom we talk to --> datagrams --> standard output
 *
 * With -l whoever was heard last is whom we talk to; until somebody is, input waits.
 */
#include "ctl/claim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define DATAGRAM_MAX 65536
#define FIRST_PORT   49152 /* RFC 6335: dynamic ports, to the last */
#define NS_PER_MS    1000000

static struct {
	struct claim claim;
	struct ec_udp *udp;
	struct ecp_addr peer; /* family 0: nobody yet */
	bool listens, input_ended;
	uint64_t received, enough; /* 0: never */
	int64_t wait_ns, heard_ns; /* 0: for ever; of the last datagram, either way */
	size_t n;                  /* of a line that has begun */
	char line[DATAGRAM_MAX];
} nc;

/* ---- addresses ---- */

static socklen_t to_sockaddr(const struct ecp_addr *addr, struct sockaddr_storage *ret)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ret;
	memset(ret, 0, sizeof(*ret));
	if (addr->family == 4) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(addr->port);
		memcpy(&sin->sin_addr, addr->ip, sizeof(sin->sin_addr));
		return sizeof(*sin);
	}
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons(addr->port);
	memcpy(&sin6->sin6_addr, addr->ip, sizeof(sin6->sin6_addr));
	return sizeof(*sin6);
}

static struct ecp_addr from_sockaddr(const struct sockaddr_storage *from)
{
	const struct sockaddr_in *sin = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)from;
	struct ecp_addr addr = {.family = from->ss_family == AF_INET6 ? 6 : 4};
	addr.port = ntohs(addr.family == 6 ? sin6->sin6_port : sin->sin_port);
	if (addr.family == 6)
		memcpy(addr.ip, &sin6->sin6_addr, sizeof(sin6->sin6_addr));
	else
		memcpy(addr.ip, &sin->sin_addr, sizeof(sin->sin_addr));
	return addr;
}

/* ---- out ---- */

static enum ctl_exit send_datagram(const char *data, size_t len)
{
	struct sockaddr_storage to;
	socklen_t to_len = to_sockaddr(&nc.peer, &to);
	if (ec_udp_sendto(nc.udp, data, len, 0, (struct sockaddr *)&to, to_len) < 0)
		return claim_complain();
	nc.heard_ns = ec_now();
	return CTL_OK;
}

/* Every whole line is a datagram, with its end; what is behind them is the next one's beginning. */
static enum ctl_exit send_lines(void)
{
	char *at = nc.line, *end;
	enum ctl_exit code = CTL_OK;
	while (code == CTL_OK && (end = memchr(at, '\n', nc.n))) {
		size_t len = (size_t)(end + 1 - at);
		code = send_datagram(at, len);
		nc.n -= len;
		at += len;
	}
	memmove(nc.line, at, nc.n);
	return code;
}

static enum ctl_exit take_input(void)
{
	ssize_t n = read(STDIN_FILENO, nc.line + nc.n, sizeof(nc.line) - nc.n);
	if (n < 0)
		return ctl_complain(CTL_FAILED, "standard input: %s", strerror(errno));
	nc.n += (size_t)n;
	if (n == 0) {
		nc.input_ended = true;
		return nc.n ? send_datagram(nc.line, nc.n) : CTL_OK;
	}
	enum ctl_exit code = send_lines();
	if (code == CTL_OK && nc.n == sizeof(nc.line))
		return ctl_complain(CTL_FAILED, "a line is longer than any datagram");
	return code;
}

/* ---- in ---- */

static void print_json(struct ctl *ctl, const char *data, size_t len)
{
	static char hex[2 * DATAGRAM_MAX + 1];
	static char text[sizeof(hex) + 256];
	char from[ECP_ADDR_TEXT];
	struct ecp_json_writer w;
	for (size_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", (uint8_t)data[i]);
	hex[2 * len] = 0;
	ecp_json_begin(&w, text, sizeof(text));
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "from", ecp_addr_format(&nc.peer, from));
	ecp_json_put_u64(&w, "len", len);
	ecp_json_put_string(&w, "hex", hex);
	ecp_json_close_object(&w);
	document_begin(&ctl->document, stdout, ctl->options.pretty);
	document_write(&ctl->document, text);
	document_end(&ctl->document);
}

static void take_datagram(struct ctl *ctl, const char *data, size_t len,
			  const struct ecp_addr *from)
{
	if (!nc.listens && !ecp_addr_equal(from, &nc.peer))
		return; /* as a connected socket does */
	nc.peer = *from;
	nc.received++;
	nc.heard_ns = ec_now();
	if (ctl->options.json)
		print_json(ctl, data, len);
	else
		fwrite(data, 1, len, stdout);
	fflush(stdout);
}

static bool is_enough(void)
{
	return nc.enough && nc.received >= nc.enough;
}

static enum ctl_exit take_datagrams(struct ctl *ctl)
{
	static char data[DATAGRAM_MAX];
	while (!is_enough() && !ferror(stdout)) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n = ec_udp_recvfrom(nc.udp, data, sizeof(data), EC_DONTWAIT,
					    (struct sockaddr *)&from, &from_len);
		if (n == -EAGAIN)
			return CTL_OK;
		if (n < 0)
			return claim_complain();
		struct ecp_addr addr = from_sockaddr(&from);
		take_datagram(ctl, data, (size_t)n, &addr);
	}
	return CTL_OK;
}

/* ---- both ---- */

/* Milliseconds left of the wait, -1: for ever. */
static int time_left(void)
{
	if (!nc.wait_ns)
		return -1;
	int64_t left = nc.heard_ns + nc.wait_ns - ec_now();
	return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

static enum ctl_exit talk(struct ctl *ctl)
{
	enum ctl_exit code = CTL_OK;
	struct pollfd ready[] = {{.fd = ec_relay_fd(nc.claim.relay), .events = POLLIN},
				 {.events = POLLIN}};
	if (ready[0].fd < 0)
		return claim_complain();
	nc.heard_ns = ec_now();
	while (code == CTL_OK && !is_enough() && !ferror(stdout)) {
		ready[1].fd = nc.peer.family && !nc.input_ended ? STDIN_FILENO : -1;
		int left = time_left();
		if (left == 0)
			break;
		if (poll(ready, 2, left) <= 0)
			continue;
		if (ready[1].revents)
			code = take_input();
		if (code == CTL_OK)
			code = take_datagrams(ctl);
		/* what is no datagram for us, and would keep the descriptor readable */
		while (ec_l2_recv(nc.claim.endpoint, NULL, 0, EC_DONTWAIT, NULL) >= 0)
			;
	}
	return code;
}

/* What was asked for in vain. */
static enum ctl_exit judge(void)
{
	struct ec_relay_stats stats;
	ec_relay_stats(nc.claim.relay, &stats);
	if (stats.tx_unresolved)
		return ctl_complain(CTL_FAILED,
				    "%" PRIu64 " datagrams were not sent: nobody answered "
				    "ARP or Neighbour Discovery",
				    stats.tx_unresolved);
	if (ferror(stdout) || (nc.received && !nc.enough) || is_enough())
		return CTL_OK;
	if (!nc.received)
		return ctl_complain(CTL_FAILED, "nothing came");
	return ctl_complain(CTL_FAILED, "%" PRIu64 " of %" PRIu64 " came", nc.received,
			    nc.enough);
}

/* ---- the command ---- */

static enum ctl_exit take_peer(int argc, char **argv)
{
	uint64_t port;
	if (nc.listens && argc)
		return ctl_complain(CTL_USAGE, "-l waits for anybody: \"%s\"?", argv[0]);
	if (nc.listens)
		return nc.claim.local.port
			   ? CTL_OK
			   : ctl_complain(CTL_USAGE, "-l at which port?  port PORT");
	if (argc != 2)
		return ctl_complain(CTL_USAGE, "to whom?  ADDRESS PORT, or -l");
	if (claim_ip_parse(argv[0], &nc.peer) < 0)
		return ctl_complain(CTL_USAGE, "\"%s\" is no IP address", argv[0]);
	if (!ctl_number(argv[1], UINT16_MAX, &port) || !port)
		return ctl_complain(CTL_USAGE, "\"%s\" is no port", argv[1]);
	nc.peer.port = (uint16_t)port;
	if (!nc.claim.local.family)
		return ctl_complain(CTL_USAGE, "from which address?  ip ADDRESS");
	if (nc.claim.local.family != nc.peer.family)
		return ctl_complain(CTL_USAGE, "one address is IPv4, the other IPv6");
	return CTL_OK;
}

/* Without an address: any of IPv4.  Without a port: one of those that are for this. */
static void complete_local(void)
{
	struct ecp_addr *local = &nc.claim.local;
	uint16_t number = 0;
	if (!local->family)
		local->family = 4;
	if (local->port)
		return;
	if (getrandom(&number, sizeof(number), 0) < 0)
		number = (uint16_t)getpid();
	local->port = (uint16_t)(FIRST_PORT + number % (UINT16_MAX - FIRST_PORT + 1));
}

static enum ctl_exit open_udp(const struct ctl_options *options)
{
	struct ec_l2_opts l2_opts = EC_L2_OPTS;
	struct ec_udp_opts opts = EC_UDP_OPTS;
	char local[ECP_ADDR_TEXT];
	l2_opts.flags = EC_L2_RESOLVE | EC_L2_ANSWER | EC_L2_SHARE;
	opts.prefix_len = nc.claim.prefix_len;
	opts.gateway = nc.claim.gateway;
	complete_local();
	ecp_addr_format(&nc.claim.local, local);
	enum ctl_exit code = claim_open(&nc.claim, options, &l2_opts);
	if (code == CTL_OK && ec_udp_open(&nc.udp, nc.claim.endpoint, local, &opts) < 0)
		code = claim_complain();
	return code;
}

enum ctl_exit cmd_udp(struct ctl *ctl, int argc, char **argv)
{
	int n = 0;
	nc.listens = ctl->options.listen;
	nc.enough = ctl->options.count;
	nc.wait_ns = (int64_t)ctl->options.wait_ms * NS_PER_MS;
	enum ctl_exit code = claim_parse(&nc.claim, argc, argv, &n);
	if (code == CTL_OK)
		code = take_peer(argc - n, argv + n);
	if (code != CTL_OK)
		return code;
	code = open_udp(&ctl->options);
	if (code == CTL_OK)
		code = talk(ctl);
	if (code == CTL_OK)
		code = judge();
	claim_close(&nc.claim);
	return code;
}
