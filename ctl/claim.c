/*
 * claim.c - words on the command line, and the endpoint they say.
 */
#include "ctl/claim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

enum key { MAC, VLAN, IP, PORT, GATEWAY };

const char *const claim_keys[] = {
    [MAC] = "mac",   [VLAN] = "vlan",       [IP] = "ip",
    [PORT] = "port", [GATEWAY] = "gateway", NULL,
};

#define BIT(key) (1u << (key))

/* ---- words ---- */

int claim_ip_parse(const char *text, struct ecp_addr *ret)
{
	struct ecp_addr addr = {.family = strchr(text, ':') ? 6 : 4};
	if (inet_pton(addr.family == 6 ? AF_INET6 : AF_INET, text, addr.ip) != 1)
		return -EINVAL;
	*ret = addr;
	return 0;
}

char *claim_ip_format(const struct ecp_addr *addr, char text[static ECP_ADDR_TEXT])
{
	inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->ip, text, ECP_ADDR_TEXT);
	return text;
}

/* Also "02:00:00:00:00:01|100", as it stands in lists. */
static bool take_mac(struct claim *claim, const char *value)
{
	struct ecp_l2addr l2;
	if (ecp_l2addr_parse(value, &l2) < 0)
		return false;
	if (l2.n_vlans && claim->l2.n_vlans)
		return false;
	memcpy(claim->l2.mac, l2.mac, ECP_MAC_LEN);
	if (!l2.n_vlans)
		return true;
	claim->keys |= BIT(VLAN);
	claim->l2 = l2;
	return true;
}

static bool take_vlans(struct claim *claim, const char *value)
{
	int n = strcmp(value, "none") ? ecp_vlans_parse(value, claim->l2.vlans) : 0;
	if (n < 0 || !*value)
		return false;
	claim->l2.n_vlans = (uint8_t)n;
	return true;
}

/* "10.0.0.1" or "10.0.0.1/24". */
static bool take_ip(struct claim *claim, const char *value)
{
	char text[ECP_ADDR_TEXT];
	uint16_t port = claim->local.port;
	uint64_t bits = 0;
	snprintf(text, sizeof(text), "%s", value);
	char *slash = strchr(text, '/');
	if (slash)
		*slash++ = 0;
	if (claim_ip_parse(text, &claim->local) < 0)
		return false;
	claim->local.port = port;
	if (slash &&
	    (!ctl_number(slash, claim->local.family == 6 ? 128 : 32, &bits) || !bits))
		return false;
	claim->prefix_len = (unsigned)bits;
	return true;
}

static bool take_value(struct claim *claim, enum key key, const char *value)
{
	struct ecp_addr addr;
	uint64_t port;
	switch (key) {
	case MAC:
		return take_mac(claim, value);
	case VLAN:
		return take_vlans(claim, value);
	case IP:
		return take_ip(claim, value);
	case PORT:
		if (!ctl_number(value, UINT16_MAX, &port) || !port)
			return false;
		claim->local.port = (uint16_t)port;
		return true;
	case GATEWAY:
		claim->gateway = value;
		return claim_ip_parse(value, &addr) == 0;
	}
	return false;
}

static int find_key(const char *word)
{
	for (int i = 0; claim_keys[i]; i++)
		if (!strcmp(claim_keys[i], word))
			return i;
	return -1;
}

enum ctl_exit claim_parse(struct claim *claim, int argc, char **argv, int *n)
{
	int key, i = 0;
	*claim = (struct claim){0};
	for (; i < argc && (key = find_key(argv[i])) >= 0; i += 2) {
		if (i + 1 == argc)
			return ctl_complain(CTL_USAGE, "%s of what?", claim_keys[key]);
		if (claim->keys & BIT(key))
			return ctl_complain(CTL_USAGE, "%s is given twice",
					    claim_keys[key]);
		if (!take_value(claim, (enum key)key, argv[i + 1]))
			return ctl_complain(CTL_USAGE, "\"%s\" is no %s", argv[i + 1],
					    claim_keys[key]);
		claim->keys |= BIT(key);
	}
	if (!(claim->keys & BIT(MAC)))
		return ctl_complain(CTL_USAGE, "from which endpoint?  mac MAC [vlan IDS]");
	*n = i;
	return CTL_OK;
}

/* ---- the endpoint ---- */

enum ctl_exit claim_complain(void)
{
	return ctl_complain(CTL_FAILED, "%s", ec_error_text());
}

static struct ec_l2addr public_form(const struct ecp_l2addr *l2)
{
	struct ec_l2addr addr = {.n_vlans = l2->n_vlans};
	memcpy(addr.mac, l2->mac, ECP_MAC_LEN);
	for (unsigned i = 0; i < l2->n_vlans; i++)
		addr.vlans[i] = (struct ec_vlan){.id = l2->vlans[i].id};
	return addr;
}

enum ctl_exit claim_open(struct claim *claim, const struct ctl_options *options,
			 const struct ec_l2_opts *opts)
{
	struct ec_relay_opts relay_opts = EC_RELAY_OPTS;
	struct ec_l2addr addr = public_form(&claim->l2);
	relay_opts.socket = options->socket;
	if (ec_relay_open(&claim->relay, options->interface, &relay_opts) < 0 ||
	    ec_l2_open(&claim->endpoint, claim->relay, &addr, opts) < 0)
		return claim_complain();
	return CTL_OK;
}

void claim_close(struct claim *claim)
{
	ec_relay_close(claim->relay);
	claim->relay = NULL;
}
