/*
 * frames.h - whole frames for tests, built field by field.
 */
#ifndef TEST_FRAMES_H
#define TEST_FRAMES_H

#include "proto/frame.h"

/* What a test frame is made of; fields left 0 get a sensible value. */
struct test_frame {
	const char *to;   /* "02:00:00:00:00:01|100|200": destination MAC and tags */
	uint16_t tpid[2]; /* default 0x8100 */
	const char *src_ip, *dst_ip; /* "10.0.0.1:1000": a UDP datagram from and to here */
	uint16_t ethertype;          /* without addresses: payload is the L3 payload */
	const void *payload;
	uint32_t len; /* of the payload */
};

/* Write it to out (ECP_FRAME_MAX bytes), tags in place, checksums right.  Returns its length. */
uint32_t test_frame_build(const struct test_frame *f, uint8_t *out);

/*
 * Take the outer tag out of the frame, as the kernel does.  Returns the new length; *tag is
 * the tag, or none if there was none.
 */
uint32_t test_frame_strip(uint8_t *frame, uint32_t len, struct ecp_tag *tag);

#endif
