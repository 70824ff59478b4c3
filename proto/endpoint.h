/*
 * endpoint.h - what an endpoint is called: MAC address, VLAN tags, EtherTypes, IP and port.
 *
 * Knows libc only; used by daemon, library and tools alike.  Values, no ownership; every
 * function here is pure and may be called from any thread.
 */
#ifndef ECP_ENDPOINT_H
#define ECP_ENDPOINT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ECP_MAC_LEN        6
#define ECP_VLANS_MAX      2
#define ECP_VLAN_ID_MAX    4095
#define ECP_NO_VLAN        0xffff /* in a key: there is no such tag (etherconn's NOVLANTAG) */
#define ECP_ETHERTYPES_MAX 16

#define ECP_ETHERTYPE_IPV4 0x0800
#define ECP_ETHERTYPE_ARP  0x0806
#define ECP_ETHERTYPE_IPV6 0x86dd
#define ECP_ETHERTYPE_LLC  0x0001 /* stands for every 802.3 length (< 0x600) */

#define ECP_TPID_8021Q  0x8100
#define ECP_TPID_8021AD 0x88a8
#define ECP_TPID_9100   0x9100

/* One VLAN tag.  IEEE 802.1Q-2022, 9.6: TPID, then PCP:3 DEI:1 VID:12. */
struct ecp_vlan {
	uint16_t id; /* 0..4095; 0 is a priority tag and counts as a tag */
	uint16_t tpid;
	uint8_t pcp; /* 0..7 */
	uint8_t dei; /* 0..1 */
};

/* Where an L2 endpoint lives: its MAC address and its tags, outermost first. */
struct ecp_l2addr {
	uint8_t mac[ECP_MAC_LEN];
	uint8_t n_vlans;
	struct ecp_vlan vlans[ECP_VLANS_MAX];
};

/* What frames are looked up by (etherconn's L2EndpointKey): ids only, outermost first. */
struct ecp_key {
	uint8_t mac[ECP_MAC_LEN];
	uint16_t vlan[ECP_VLANS_MAX]; /* host order, ECP_NO_VLAN where there is no tag */
};

/* An IP address and a UDP port.  IPv4 addresses stand in the first four bytes of ip. */
struct ecp_addr {
	uint8_t ip[16];
	uint16_t port;  /* host order */
	uint8_t family; /* 4, 6, or 0: none */
};

/* Longest text forms, with the final NUL. */
#define ECP_MAC_TEXT    18
#define ECP_VLANS_TEXT  16
#define ECP_L2ADDR_TEXT 40
#define ECP_ADDR_TEXT   56

/* Is tpid one of the three that mark a VLAN tag (0x8100, 0x88a8, 0x9100)? */
static inline bool ecp_tpid_known(uint16_t tpid)
{
	return tpid == ECP_TPID_8021Q || tpid == ECP_TPID_8021AD || tpid == ECP_TPID_9100;
}

static inline bool ecp_mac_is_multicast(const uint8_t mac[static ECP_MAC_LEN])
{
	return mac[0] & 1;
}

/* The key of an address; unused VLAN places become ECP_NO_VLAN. */
struct ecp_key ecp_key_of(const struct ecp_l2addr *addr);
static inline bool ecp_key_equal(const struct ecp_key *a, const struct ecp_key *b)
{
	static_assert(sizeof(*a) == ECP_MAC_LEN + 2 * ECP_VLANS_MAX, "no holes");
	return !memcmp(a, b, sizeof(*a));
}

/* Equality of what matters on the wire: MAC, and id and TPID of every tag. */
bool ecp_l2addr_equal(const struct ecp_l2addr *a, const struct ecp_l2addr *b);

/*
 * Is this an address a client may ask for?  Returns 0, or -EINVAL with *why set to one clear
 * clause (static text: "a multicast address cannot be a source", "VLAN id above 4095", ...).
 */
int ecp_l2addr_check(const struct ecp_l2addr *addr, const char **why);

/*
 * "02:00:00:00:00:01" (also with '-').  The whole string must be used.  0, or -EINVAL with
 * mac untouched.
 */
int ecp_mac_parse(const char *text, uint8_t mac[static ECP_MAC_LEN]);
char *ecp_mac_format(const uint8_t mac[static ECP_MAC_LEN], char text[static ECP_MAC_TEXT]);

/*
 * VLAN ids, outermost first: "|100|200" (etherconn's own form), "100|200", "100.200", ".300",
 * "|300", "300", "".  TPIDs become 0x8100, PCP and DEI 0.  Returns how many (0..2) or -EINVAL
 * (an id above 4095, three tags, anything else), with vlans untouched.
 */
int ecp_vlans_parse(const char *text, struct ecp_vlan vlans[static ECP_VLANS_MAX]);
/* As etherconn writes them: "", "|100", "|100|200".  Returns text. */
char *ecp_vlans_format(const struct ecp_vlan *vlans, unsigned n,
		       char text[static ECP_VLANS_TEXT]);

/*
 * "02:00:00:00:00:01|100|200", also as etherconn writes it: "l2ep&" before, and an EtherType behind
 * ("#0x0800"), which is no part of the address.  0 or -EINVAL with addr untouched.  Formatting
 * writes the form without these and returns text.
 */
int ecp_l2addr_parse(const char *text, struct ecp_l2addr *addr);
char *ecp_l2addr_format(const struct ecp_l2addr *addr, char text[static ECP_L2ADDR_TEXT]);

/*
 * "10.0.0.1:67", "[2001:db8::1]:547", ":68" (IPv4, any address).  0 or -EINVAL with addr
 * untouched.  Formatting writes the same forms and returns text; family 0 becomes "-".
 */
int ecp_addr_parse(const char *text, struct ecp_addr *addr);
char *ecp_addr_format(const struct ecp_addr *addr, char text[static ECP_ADDR_TEXT]);
bool ecp_addr_equal(const struct ecp_addr *a, const struct ecp_addr *b);
/* Is the IP address all zeros (0.0.0.0 or ::)? */
bool ecp_addr_is_any(const struct ecp_addr *addr);

#endif
