/*
 * link.h - a veth pair in a network namespace of the test's own: an interface for a relay at
 * one end, a raw socket at the other, tags whole.
 */
#ifndef TEST_LINK_H
#define TEST_LINK_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#define LINK_IF      "la" /* the relay's end */
#define LINK_PEER_IF "lb"
#define LINK_ROOM    9300 /* of the longest frame */

/* The back-ends that a relay may have on it. */
extern const char *const link_backends[];
enum { LINK_AF_PACKET, LINK_AF_PACKET_V3, LINK_PCAP, LINK_N_BACKENDS };

/*
 * A suite of these tests in a namespace (link_enter_namespace()): each so many times, with _i
 * from 0, on a link of this MTU, made for it.
 */
Suite *link_suite(const char *name, unsigned mtu, int loops, const TTest *const *tests,
		  size_t n);

/*
 * First in main(): into a namespace where no kernel speaks unasked.  Where that needs more
 * privilege than there is, the program ends here, as skipped.
 */
void link_enter_namespace(void);

/* The pair, up, of this MTU; one that is left of before is removed.  Aborts if it cannot be. */
void link_make(unsigned mtu);
void link_remove(void);
void link_set(bool up);
void link_set_mtu(unsigned mtu); /* of both ends */
/* Until both ends run, or no longer do; five seconds at most. */
void link_await(bool up);

/* Run by a shell.  Unless it succeeds, the test fails. */
void sh(const char *command);

/* At the other end.  Receiving waits five seconds at most; returns the length, 0: nothing. */
void link_send(const void *frame, uint32_t len);
uint32_t link_receive(uint8_t frame[LINK_ROOM]);
void link_forget(void); /* what has come and was not received */

#endif
