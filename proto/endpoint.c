/*
 * endpoint.c - names of endpoints: keys, equality, and their text forms.
 */
#include "proto/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- keys ---- */

struct ecp_key ecp_key_of(const struct ecp_l2addr *addr)
{
	struct ecp_key key = {.vlan = {ECP_NO_VLAN, ECP_NO_VLAN}};
	memcpy(key.mac, addr->mac, ECP_MAC_LEN);
	for (unsigned i = 0; i < addr->n_vlans; i++)
		key.vlan[i] = addr->vlans[i].id;
	return key;
}

bool ecp_l2addr_equal(const struct ecp_l2addr *a, const struct ecp_l2addr *b)
{
	if (a->n_vlans != b->n_vlans || memcmp(a->mac, b->mac, ECP_MAC_LEN))
		return false;
	for (unsigned i = 0; i < a->n_vlans; i++)
		if (a->vlans[i].id != b->vlans[i].id ||
		    a->vlans[i].tpid != b->vlans[i].tpid)
			return false;
	return true;
}

static const char *vlan_fault(const struct ecp_vlan *vlan)
{
	if (vlan->id > ECP_VLAN_ID_MAX)
		return "a VLAN id is at most 4095";
	if (!ecp_tpid_known(vlan->tpid))
		return "a VLAN tag's TPID is 0x8100, 0x88a8 or 0x9100";
	if (vlan->pcp > 7)
		return "a priority (PCP) is at most 7";
	if (vlan->dei > 1)
		return "DEI is 0 or 1";
	return NULL;
}

int ecp_l2addr_check(const struct ecp_l2addr *addr, const char **why)
{
	static const uint8_t zero[ECP_MAC_LEN];
	*why = NULL;
	if (ecp_mac_is_multicast(addr->mac))
		*why = "a multicast address cannot be a source";
	else if (!memcmp(addr->mac, zero, ECP_MAC_LEN))
		*why = "the all-zero address belongs to nobody";
	else if (addr->n_vlans > ECP_VLANS_MAX)
		*why = "at most two VLAN tags";
	for (unsigned i = 0; !*why && i < addr->n_vlans; i++)
		*why = vlan_fault(&addr->vlans[i]);
	return *why ? -EINVAL : 0;
}

/* ---- text ---- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The first 17 characters of text as a MAC address. */
static int mac_parse_head(const char *text, uint8_t mac[static ECP_MAC_LEN])
{
	uint8_t bytes[ECP_MAC_LEN];
	for (unsigned i = 0; i < ECP_MAC_LEN; i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (i == ECP_MAC_LEN - 1)
			break;
		if (*text != ':' && *text != '-')
			return -EINVAL;
		text++;
	}
	memcpy(mac, bytes, ECP_MAC_LEN);
	return 0;
}

int ecp_mac_parse(const char *text, uint8_t mac[static ECP_MAC_LEN])
{
	if (strlen(text) != ECP_MAC_TEXT - 1)
		return -EINVAL;
	return mac_parse_head(text, mac);
}

char *ecp_mac_format(const uint8_t mac[static ECP_MAC_LEN], char text[static ECP_MAC_TEXT])
{
	snprintf(text, ECP_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return text;
}

/* A decimal number of at most max; moves *text behind it. */
static int number_parse(const char **text, unsigned max, unsigned *ret)
{
	unsigned value = 0;
	const char *at = *text;
	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (unsigned)(*at - '0');
		if (value > max)
			return -EINVAL;
	}
	if (at == *text)
		return -EINVAL;
	*ret = value;
	*text = at;
	return 0;
}

int ecp_vlans_parse(const char *text, struct ecp_vlan vlans[static ECP_VLANS_MAX])
{
	struct ecp_vlan found[ECP_VLANS_MAX];
	unsigned n = 0, id;
	if (!*text)
		return 0;
	if (*text == '|' || *text == '.')
		text++;
	for (;; text++) {
		if (n == ECP_VLANS_MAX || number_parse(&text, ECP_VLAN_ID_MAX, &id) < 0)
			return -EINVAL;
		found[n++] = (struct ecp_vlan){.id = (uint16_t)id, .tpid = ECP_TPID_8021Q};
		if (!*text)
			break;
		if (*text != '|' && *text != '.')
			return -EINVAL;
	}
	memcpy(vlans, found, n * sizeof(*vlans));
	return (int)n;
}

char *ecp_vlans_format(const struct ecp_vlan *vlans, unsigned n,
		       char text[static ECP_VLANS_TEXT])
{
	int len = 0;
	text[0] = 0;
	for (unsigned i = 0; i < n && i < ECP_VLANS_MAX; i++)
		len += snprintf(text + len, (size_t)(ECP_VLANS_TEXT - len), "|%u",
				vlans[i].id);
	return text;
}

/* "#0x0800", as newer releases of etherconn append it: or nothing. */
static bool is_ethertype_suffix(const char *text)
{
	return !*text || (!strncmp(text, "#0x", 3) && strlen(text) == 7 &&
			  strspn(text + 3, "0123456789abcdefABCDEF") == 4);
}

int ecp_l2addr_parse(const char *text, struct ecp_l2addr *addr)
{
	static const char prefix[] = "l2ep&";
	char vlans[ECP_L2ADDR_TEXT];
	struct ecp_l2addr found = {.n_vlans = 0};
	if (!strncmp(text, prefix, sizeof(prefix) - 1))
		text += sizeof(prefix) - 1;
	if (strnlen(text, ECP_MAC_TEXT) < ECP_MAC_TEXT - 1 ||
	    mac_parse_head(text, found.mac) < 0)
		return -EINVAL;
	text += ECP_MAC_TEXT - 1;
	const size_t len = strcspn(text, "#");
	if ((len && *text != '|') || len >= sizeof(vlans) ||
	    !is_ethertype_suffix(text + len))
		return -EINVAL;
	memcpy(vlans, text, len);
	vlans[len] = 0;
	int n = ecp_vlans_parse(vlans, found.vlans);
	if (n < 0)
		return n;
	found.n_vlans = (uint8_t)n;
	*addr = found;
	return 0;
}

char *ecp_l2addr_format(const struct ecp_l2addr *addr, char text[static ECP_L2ADDR_TEXT])
{
	ecp_mac_format(addr->mac, text);
	ecp_vlans_format(addr->vlans, addr->n_vlans, text + ECP_MAC_TEXT - 1);
	return text;
}

/* ---- IP and port ---- */

/* The IP part [begin, end) of an address; brackets mean IPv6. */
static int ip_parse(const char *begin, const char *end, struct ecp_addr *addr)
{
	char ip[INET6_ADDRSTRLEN];
	bool v6 = *begin == '[';
	if (v6 && (end - begin < 2 || end[-1] != ']'))
		return -EINVAL;
	begin += v6;
	end -= v6;
	if (end - begin >= (ptrdiff_t)sizeof(ip))
		return -EINVAL;
	memcpy(ip, begin, (size_t)(end - begin));
	ip[end - begin] = 0;
	addr->family = v6 ? 6 : 4;
	if (!v6 && !*ip)
		return 0; /* ":68": any address */
	return inet_pton(v6 ? AF_INET6 : AF_INET, ip, addr->ip) == 1 ? 0 : -EINVAL;
}

int ecp_addr_parse(const char *text, struct ecp_addr *addr)
{
	struct ecp_addr found = {.family = 0};
	const char *colon = strrchr(text, ':');
	unsigned port;
	if (!colon)
		return -EINVAL;
	const char *at = colon + 1;
	if (number_parse(&at, UINT16_MAX, &port) < 0 || *at ||
	    ip_parse(text, colon, &found) < 0)
		return -EINVAL;
	found.port = (uint16_t)port;
	*addr = found;
	return 0;
}

char *ecp_addr_format(const struct ecp_addr *addr, char text[static ECP_ADDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN];
	switch (addr->family) {
	case 4:
		inet_ntop(AF_INET, addr->ip, ip, sizeof(ip));
		snprintf(text, ECP_ADDR_TEXT, "%s:%u", ip, addr->port);
		break;
	case 6:
		inet_ntop(AF_INET6, addr->ip, ip, sizeof(ip));
		snprintf(text, ECP_ADDR_TEXT, "[%s]:%u", ip, addr->port);
		break;
	default:
		snprintf(text, ECP_ADDR_TEXT, "-");
	}
	return text;
}

static size_t ip_len(const struct ecp_addr *addr)
{
	return addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0;
}

bool ecp_addr_equal(const struct ecp_addr *a, const struct ecp_addr *b)
{
	return a->family == b->family && a->port == b->port &&
	       !memcmp(a->ip, b->ip, ip_len(a));
}

bool ecp_addr_is_any(const struct ecp_addr *addr)
{
	static const uint8_t zero[16];
	return !memcmp(addr->ip, zero, ip_len(addr));
}
