/*
 * pcapng.h - writes frames as pcapng, block by block (draft-ietf-opsawg-pcapng).
 *
 *   pcapng_begin -> ( pcapng_add_interface | pcapng_add_packet )* -> pcapng_add_statistics
 *
 * What goes wrong with the file is seen by its owner, with ferror(3).  Knows libc only.
 */
#ifndef CTL_PCAPNG_H
#define CTL_PCAPNG_H

#include <stdint.h>
#include <stdio.h>

#define PCAPNG_FRAME_MAX 65600 /* what is longer is cut */
#define PCAPNG_TEXT_MAX  256   /* so are texts */
#define PCAPNG_BLOCK     (PCAPNG_FRAME_MAX + 4 * PCAPNG_TEXT_MAX)

struct pcapng {
	FILE *out;
	uint32_t n_interfaces;
	/* the block that is made */
	uint32_t len;
	uint8_t block[PCAPNG_BLOCK];
};

struct pcapng_interface {
	const char *name, *description; /* NULL: none */
	const uint8_t *mac;             /* six bytes, or NULL */
};

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

struct pcapng_packet {
	uint32_t interface; /* as pcapng_add_interface() returned it */
	uint64_t time_ns;   /* since 1970 */
	const uint8_t *data;
	uint32_t len, whole_len; /* of data; of the frame */
	enum pcapng_direction direction;
	const char *comment; /* NULL: none */
};

struct pcapng_statistics {
	uint32_t interface;
	uint64_t begin_ns, end_ns;  /* since 1970 */
	uint64_t received, dropped; /* written to this file; missed by it */
};

/* Where it comes from: the program's name. */
void pcapng_begin(struct pcapng *file, FILE *out, const char *program);
uint32_t pcapng_add_interface(struct pcapng *file,
			      const struct pcapng_interface *interface);
void pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet);
void pcapng_add_statistics(struct pcapng *file, const struct pcapng_statistics *statistics);

#endif
