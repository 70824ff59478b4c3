/*
 * dhcp.h - DHCP messages (RFC 2131, 2) and their options (RFC 2132): built and read.
 *
 * Pure functions over bytes; addresses, times and xid stay in network order.  Used by
 * dhcp_client.c and dhcp_load.c.
 */
#ifndef EXAMPLES_DHCP_H
#define EXAMPLES_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
#define DHCP_MESSAGE_MAX 552

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
	DHCP_RELEASE = 7,
};

/* What a server offers or has given. */
struct dhcp_lease {
	uint8_t type; /* enum dhcp_type of the message it came in */
	uint32_t address, mask, router, server, seconds;
};

/* What a client says. */
struct dhcp_ask {
	uint8_t type;
	uint8_t mac[6];
	uint16_t waited_s; /* since it began to ask */
	uint32_t xid;
	uint32_t own;    /* its address, when renewing or releasing; else 0 */
	uint32_t wanted; /* the address it requests of an offer; 0: no such option */
	uint32_t server; /* the server it means; 0: no such option */
};

/* Write the message to buf, DHCP_MESSAGE_MAX bytes.  Returns its length. */
size_t dhcp_build(const struct dhcp_ask *ask, uint8_t *buf);

/*
 * Is this len-byte message a server's answer to xid and mac?  Then what it says is in *lease.
 * Data needs no alignment; no length in it is believed.
 */
bool dhcp_parse(const void *data, size_t len, uint32_t xid, const uint8_t mac[6],
		struct dhcp_lease *lease);

#endif
