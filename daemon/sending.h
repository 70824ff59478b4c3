/*
 * sending.h - what an L2 endpoint may send, where the policy does not let it send everything.
 *
 * A value that belongs to a rule of the policy; the datapath judges frames by it, for those
 * endpoints only that have one.  Knows proto/; used by policy.c and datapath_tx.c.
 */
#ifndef SENDING_H
#define SENDING_H

#include "proto/frame.h"

#define SENDING_ETHERTYPES 32
#define SENDING_IPS        64

/* An IPv4 prefix stands in the first four bytes. */
struct ip_prefix {
	uint8_t ip[16];
	uint8_t family, bits;
};

struct sending {
	bool raw;              /* else what UDP needs: ARP and Neighbour Discovery */
	unsigned n_ethertypes; /* 0: any */
	uint16_t ethertypes[SENDING_ETHERTYPES];
	unsigned n_ips; /* whose neighbour it may say it is; 0: anybody's */
	struct ip_prefix ips[SENDING_IPS];
};

bool sending_has_ethertype(const struct sending *sending, uint16_t ethertype);
bool sending_has_ip(const struct sending *sending, uint8_t family, const uint8_t *ip);

/* May this whole frame, from an endpoint of address mac, be sent?  type: ECP_ETHERTYPE_LLC for lengths. */
bool sending_allows(const struct sending *sending, const uint8_t mac[static ECP_MAC_LEN],
		    uint16_t type, const uint8_t *frame, uint32_t len);

#endif
