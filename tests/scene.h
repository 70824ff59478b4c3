/*
 * scene.h - a daemon on one end of a link, this process its client: what tests of behaviour have
 * in common.
 *
 *   scene_send  --link (veth)--> relay -> daemon --rings--> scene.relay
 *
 * On the memory relay another client of the test sends in the link's place; what it sends comes in
 * again.
 */
#ifndef TEST_SCENE_H
#define TEST_SCENE_H

#include "tests/frames.h"
#include "tests/link.h"
#include "tests/user.h"

/* A loop number is twice the index of a back-end, and one more for IPv6. */
#define SCENE_MEMORY  LINK_N_BACKENDS /* the one without a link */
#define SCENE_N_LOOPS (2 * LINK_N_BACKENDS)

#define MAC    "02:00:00:00:00:01"
#define OTHER  "02:00:00:00:00:02"
#define BCAST  "ff:ff:ff:ff:ff:ff"
#define MARKER "02:00:00:00:00:ee"

struct scene {
	struct daemon_process served;
	struct ec_relay *relay;  /* what scene_l2() opens on */
	struct ec_relay *sender; /* memory: the other client */
	bool six;                /* IPv6 */
};
extern struct scene scene;

/* The link is there (link_make()); filter: in libpcap's words, or NULL. */
void scene_start(int loop);
void scene_start_filtered(int loop, const char *filter);
void scene_stop(void);

/* ethertype 0: the default ones. */
struct ec_l2 *scene_l2(const char *text, unsigned flags, uint16_t ethertype);
/* "me:68": the address that a row speaks of, in the family of this run. */
const char *scene_address(const char *word, char text[ECP_ADDR_TEXT]);
struct sockaddr_storage scene_sockaddr(const char *word);
/* At such an address. */
struct ec_udp *scene_udp(struct ec_l2 *l2, const char *word, unsigned flags);

void scene_send(const struct test_frame *f);
/* A datagram without a payload to this MAC and tags, from and to such addresses. */
void scene_send_udp(const char *to, const char *src, const char *dst);
/*
 * What comes before a frame to the endpoint marker (MARKER, EtherType 0x88b5): how many frames; the
 * first of them in *frame, until the next such call.  So "nothing" is shown without waiting.
 */
unsigned scene_until_marker(const struct ec_l2 *marker, struct ec_frame *frame);

uint64_t scene_counter(const char *name);
/* Lost in the daemon by that reason, or before it by the kernel's filter. */
uint64_t scene_lost(const char *name);

#endif
