/*
 * dhcp.c - DHCP messages: fixed part and options.
 */
#include "examples/dhcp.h"

#include <assert.h>
#include <string.h>

enum { BOOTREQUEST = 1, BOOTREPLY = 2 };
enum {
	OPT_PAD = 0,
	OPT_MASK = 1,
	OPT_ROUTER = 3,
	OPT_ADDRESS = 50,
	OPT_LEASE_TIME = 51,
	OPT_TYPE = 53,
	OPT_SERVER = 54,
	OPT_PARAMETERS = 55,
	OPT_END = 255,
};

#define SHORTEST 300 /* as BOOTP relays expect: RFC 1542, 2.1 */

static const uint8_t cookie[4] = {99, 130, 83, 99};

/* What stands before the options. */
struct fixed {
	uint8_t op, htype, hlen, hops;
	uint32_t xid;
	uint16_t secs_be16, flags;
	uint32_t ciaddr, yiaddr, siaddr, giaddr;
	uint8_t chaddr[16], sname[64], file[128], cookie[4];
};
static_assert(sizeof(struct fixed) == 240, "RFC 2131, 2");

static uint8_t *put_option(uint8_t *at, uint8_t code, const void *value, uint8_t len)
{
	*at++ = code;
	*at++ = len;
	memcpy(at, value, len);
	return at + len;
}

/* At most 24 bytes. */
static uint8_t *put_options(uint8_t *at, const struct dhcp_ask *ask)
{
	static const uint8_t parameters[] = {OPT_MASK, OPT_ROUTER, OPT_LEASE_TIME};
	at = put_option(at, OPT_TYPE, &ask->type, 1);
	if (ask->wanted)
		at = put_option(at, OPT_ADDRESS, &ask->wanted, 4);
	if (ask->server)
		at = put_option(at, OPT_SERVER, &ask->server, 4);
	if (ask->type != DHCP_RELEASE)
		at = put_option(at, OPT_PARAMETERS, parameters, sizeof(parameters));
	*at++ = OPT_END;
	return at;
}

size_t dhcp_build(const struct dhcp_ask *ask, uint8_t *buf)
{
	struct fixed m = {.op = BOOTREQUEST, .htype = 1, .hlen = 6, .xid = ask->xid};
	m.secs_be16 = __builtin_bswap16(ask->waited_s);
	m.ciaddr = ask->own;
	memcpy(m.chaddr, ask->mac, 6);
	memcpy(m.cookie, cookie, sizeof(cookie));
	memset(buf, 0, SHORTEST);
	memcpy(buf, &m, sizeof(m));
	size_t len = (size_t)(put_options(buf + sizeof(m), ask) - buf);
	return len < SHORTEST ? SHORTEST : len;
}

static void take_option(struct dhcp_lease *lease, uint8_t code, const uint8_t *value,
			uint8_t len)
{
	if (code == OPT_TYPE && len == 1)
		lease->type = *value;
	else if (code == OPT_MASK && len == 4)
		memcpy(&lease->mask, value, 4);
	else if (code == OPT_ROUTER && len >= 4)
		memcpy(&lease->router, value, 4);
	else if (code == OPT_SERVER && len == 4)
		memcpy(&lease->server, value, 4);
	else if (code == OPT_LEASE_TIME && len == 4)
		memcpy(&lease->seconds, value, 4);
}

/* False if an option reaches past the end. */
static bool take_options(struct dhcp_lease *lease, const uint8_t *options, size_t end)
{
	for (size_t at = 0; at < end && options[at] != OPT_END;) {
		if (options[at] == OPT_PAD) {
			at++;
			continue;
		}
		if (end - at < 2 || end - at - 2 < options[at + 1])
			return false;
		take_option(lease, options[at], &options[at + 2], options[at + 1]);
		at += 2u + options[at + 1];
	}
	return true;
}

bool dhcp_parse(const void *data, size_t len, uint32_t xid, const uint8_t mac[6],
		struct dhcp_lease *lease)
{
	struct fixed m;
	if (len < sizeof(m))
		return false;
	memcpy(&m, data, sizeof(m));
	if (m.op != BOOTREPLY || m.htype != 1 || m.hlen != 6 || m.xid != xid ||
	    memcmp(m.chaddr, mac, 6) || memcmp(m.cookie, cookie, sizeof(cookie)))
		return false;
	struct dhcp_lease found = {.address = m.yiaddr};
	if (!take_options(&found, (const uint8_t *)data + sizeof(m), len - sizeof(m)) ||
	    found.type == 0)
		return false;
	*lease = found;
	return true;
}
