/*
 * user.h - a program that uses the library: what it opens it has, or the test fails.
 */
#ifndef TEST_USER_H
#define TEST_USER_H

#include "client-lib/etherconn.h"
#include "tests/daemon_process.h"

#include <sys/socket.h>

/* A client of d.  opts: all but the socket; NULL: the defaults. */
struct ec_relay *user_connect(const struct daemon_process *d,
			      const struct ec_relay_opts *opts);
/* At "MAC|VLANs".  ethertype 0: the default ones. */
struct ec_l2 *user_l2(struct ec_relay *relay, const char *text, unsigned flags,
		      uint16_t ethertype);
/* opts may be NULL. */
struct ec_udp *user_udp(struct ec_l2 *l2, const char *local,
			const struct ec_udp_opts *opts);

/* For pthread_create(): all that waits on this relay ends. */
void *user_stop(void *relay);

/* Of "10.0.0.1:7" or "[fd00::1]:7". */
struct sockaddr_storage user_address(const char *text);
/* The same, for who does not test: its length, or 0 if the text is none. */
socklen_t user_sockaddr(const char *text, struct sockaddr_storage *ret);

#endif
