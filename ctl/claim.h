/*
 * claim.h - an endpoint of our own, for the commands that send: "mac 02:... vlan 100 ip 10.0.0.1/24".
 *
 * The words are those of filter.h.  Knows the library by its public header alone: what these
 * commands can do, any program can.  Used by udp.c and arping.c.
 */
#ifndef CTL_CLAIM_H
#define CTL_CLAIM_H

#include "client-lib/etherconn.h"
#include "ctl/ctl.h"

struct claim {
	unsigned keys; /* which were given */
	struct ecp_l2addr l2;
	struct ecp_addr local; /* family 0: no ip */
	unsigned prefix_len;   /* 0: all is on the link */
	const char *gateway;   /* NULL: none */
	/* once it is open */
	struct ec_relay *relay;
	struct ec_l2 *endpoint;
};

extern const char *const claim_keys[]; /* NULL-terminated */

/*
 * The KEY VALUE pairs that argv begins with.  CTL_OK with *n, how many words these are, or it has
 * complained.
 */
enum ctl_exit claim_parse(struct claim *claim, int argc, char **argv, int *n);

/* "10.0.0.1" or "2001:db8::1", without a port.  0 or -EINVAL. */
int claim_ip_parse(const char *text, struct ecp_addr *ret);
/* Without a port, in text, which is returned. */
char *claim_ip_format(const struct ecp_addr *addr, char text[static ECP_ADDR_TEXT]);

/* Connect, and claim the L2 endpoint.  CTL_OK, or it has complained; close it either way. */
enum ctl_exit claim_open(struct claim *claim, const struct ctl_options *options,
			 const struct ec_l2_opts *opts);
void claim_close(struct claim *claim);

/* Complain in the library's words about its last error. */
enum ctl_exit claim_complain(void);

#endif
