/*
 * user.c - opening, and addresses as the library takes them.
 */
#include "tests/user.h"

#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <check.h>
#include <string.h>

struct ec_relay *user_connect(const struct daemon_process *d,
			      const struct ec_relay_opts *opts)
{
	struct ec_relay_opts all = EC_RELAY_OPTS;
	struct ec_relay *relay;
	if (opts)
		all = *opts;
	all.socket = d->sock;
	ck_assert_msg(ec_relay_open(&relay, NULL, &all) == 0, "%s", ec_error_text());
	return relay;
}

struct ec_l2 *user_l2(struct ec_relay *relay, const char *text, unsigned flags,
		      uint16_t ethertype)
{
	struct ec_l2_opts opts = EC_L2_OPTS;
	struct ec_l2addr addr;
	struct ec_l2 *l2;
	opts.flags = flags;
	opts.ethertypes = &ethertype;
	opts.n_ethertypes = ethertype != 0;
	ck_assert_int_eq(ec_l2addr_parse(text, &addr), 0);
	ck_assert_msg(ec_l2_open(&l2, relay, &addr, &opts) == 0, "%s", ec_error_text());
	return l2;
}

struct ec_udp *user_udp(struct ec_l2 *l2, const char *local, const struct ec_udp_opts *opts)
{
	struct ec_udp *udp;
	ck_assert_msg(ec_udp_open(&udp, l2, local, opts) == 0, "%s", ec_error_text());
	return udp;
}

void *user_stop(void *relay)
{
	ec_relay_stop(relay);
	return NULL;
}

socklen_t user_sockaddr(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct ecp_addr addr;
	memset(ret, 0, sizeof(*ret));
	if (ecp_addr_parse(text, &addr) < 0)
		return 0;
	if (addr.family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(addr.port);
		memcpy(&four->sin_addr, addr.ip, 4);
		return sizeof(*four);
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(addr.port);
	memcpy(&six->sin6_addr, addr.ip, 16);
	return sizeof(*six);
}

struct sockaddr_storage user_address(const char *text)
{
	struct sockaddr_storage address;
	ck_assert_msg(user_sockaddr(text, &address), "%s", text);
	return address;
}
