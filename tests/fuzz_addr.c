/*
 * fuzz_addr.c - any text as a MAC address, VLANs, L2 address, IP:port: what is accepted is
 * valid, and written out it is read as the same.
 */
#include "proto/endpoint.h"
#include "tests/fuzz.h"

static void check_mac(const char *text)
{
	uint8_t mac[ECP_MAC_LEN], again[ECP_MAC_LEN];
	char written[ECP_MAC_TEXT];
	if (ecp_mac_parse(text, mac) < 0)
		return;
	MUST(strlen(ecp_mac_format(mac, written)) == ECP_MAC_TEXT - 1);
	MUST(ecp_mac_parse(written, again) == 0);
	MUST(!memcmp(mac, again, sizeof(mac)));
}

static void check_vlans(const char *text)
{
	struct ecp_vlan vlans[ECP_VLANS_MAX], again[ECP_VLANS_MAX];
	char written[ECP_VLANS_TEXT];
	int n = ecp_vlans_parse(text, vlans);
	if (n < 0)
		return;
	MUST(n <= ECP_VLANS_MAX);
	ecp_vlans_format(vlans, (unsigned)n, written);
	MUST(ecp_vlans_parse(written, again) == n);
	for (int i = 0; i < n; i++)
		MUST(vlans[i].id <= ECP_VLAN_ID_MAX && vlans[i].id == again[i].id &&
		     vlans[i].tpid == ECP_TPID_8021Q);
}

static void check_l2addr(const char *text)
{
	struct ecp_l2addr addr, again;
	char written[ECP_L2ADDR_TEXT];
	const char *why;
	if (ecp_l2addr_parse(text, &addr) < 0)
		return;
	MUST(strlen(ecp_l2addr_format(&addr, written)) < sizeof(written));
	MUST(ecp_l2addr_parse(written, &again) == 0);
	MUST(ecp_l2addr_equal(&addr, &again));
	struct ecp_key a = ecp_key_of(&addr), b = ecp_key_of(&again);
	MUST(ecp_key_equal(&a, &b));
	MUST((ecp_l2addr_check(&addr, &why) < 0) == (why != NULL));
}

static void check_addr(const char *text)
{
	struct ecp_addr addr, again;
	char written[ECP_ADDR_TEXT];
	if (ecp_addr_parse(text, &addr) < 0)
		return;
	MUST(addr.family == 4 || addr.family == 6);
	MUST(strlen(ecp_addr_format(&addr, written)) < sizeof(written));
	MUST(ecp_addr_parse(written, &again) == 0);
	MUST(ecp_addr_equal(&addr, &again));
	MUST(ecp_addr_is_any(&addr) == ecp_addr_is_any(&again));
}

/* What no text becomes, but a message may hold: any tags at all. */
static void check_any_l2addr(const uint8_t *data, size_t size)
{
	struct ecp_l2addr addr;
	const char *why;
	if (size < sizeof(addr))
		return;
	memcpy(&addr, data, sizeof(addr));
	if (ecp_l2addr_check(&addr, &why) < 0) {
		MUST(why && *why);
		return;
	}
	MUST(!why && addr.n_vlans <= ECP_VLANS_MAX && !ecp_mac_is_multicast(addr.mac));
	MUST(ecp_l2addr_equal(&addr, &addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	MUST(text);
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	check_mac(text);
	check_vlans(text);
	check_l2addr(text);
	check_addr(text);
	check_any_l2addr(data, size);
	free(text);
	return 0;
}
