/*
 * link.h - a veth pair in a network namespace of the test's own: an interface for a relay at
 * one end, a raw socket at the other, tags whole.
 */
#ifndef TEST_LINK_H
#define TEST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#define LINK_IF      "la" /* the relay's end */
#define LINK_PEER_IF "lb"
#define LINK_ROOM    9300 /* of the longest frame */

/*
 * First in main(): into a namespace where no kernel speaks unasked.  Where that needs more
 * privilege than there is, the program ends here, as skipped.
 */
void link_enter_namespace(void);

/* The pair, up, of this MTU; one that is left of before is removed.  Aborts if it cannot be. */
void link_make(unsigned mtu);
void link_remove(void);
void link_set(bool up);

/* At the other end.  Receiving waits five seconds at most; returns the length, 0: nothing. */
void link_send(const void *frame, uint32_t len);
uint32_t link_receive(uint8_t frame[LINK_ROOM]);
void link_forget(void); /* what has come and was not received */

#endif
