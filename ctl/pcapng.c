/*
 * pcapng.c - the blocks of a pcapng file.
 *
 * Source of the format: draft-ietf-opsawg-pcapng, sections 3 (a block: type, length, body padded to
 * four bytes, length again; options: code, length, value padded likewise) and 4 (the blocks).
 * Numbers are in this machine's byte order, which the first block tells.
 */
#include "ctl/pcapng.h"

#include <string.h>

enum { /* section 11.1 */
       BLOCK_SECTION = 0x0a0d0d0a,
       BLOCK_INTERFACE = 1,
       BLOCK_STATISTICS = 5,
       BLOCK_PACKET = 6,
};

enum { /* 3.5, 4.1 - 4.3, 4.6: a code means something else in each block */
       OPT_END = 0,
       OPT_COMMENT = 1,
       SHB_USERAPPL = 4,
       IF_NAME = 2,
       IF_DESCRIPTION = 3,
       IF_MAC = 6,
       IF_TSRESOL = 9,
       EPB_FLAGS = 2,
       ISB_START = 2,
       ISB_END = 3,
       ISB_IFRECV = 4,
       ISB_IFDROP = 5,
};

#define BYTE_ORDER_MAGIC   0x1a2b3c4d
#define LINKTYPE_ETHERNET  1
#define NANOSECONDS        9 /* 10^-9 */
#define SECTION_LEN_UNTOLD (~UINT64_C(0))

static void put(struct pcapng *file, const void *data, uint32_t len)
{
	static const uint8_t zeros[4];
	memcpy(file->block + file->len, data, len);
	file->len += len;
	memcpy(file->block + file->len, zeros, -len & 3);
	file->len += -len & 3;
}

static void put_u32(struct pcapng *file, uint32_t value)
{
	put(file, &value, sizeof(value));
}

static void put_u64(struct pcapng *file, uint64_t value)
{
	put(file, &value, sizeof(value));
}

/* The upper half first, whatever the byte order. */
static void put_time(struct pcapng *file, uint64_t ns)
{
	put_u32(file, (uint32_t)(ns >> 32));
	put_u32(file, (uint32_t)ns);
}

static void put_pair(struct pcapng *file, uint16_t first, uint16_t second)
{
	const uint16_t pair[] = {first, second};
	put(file, pair, sizeof(pair));
}

/* ---- options ---- */

static void put_option(struct pcapng *file, uint16_t code, const void *data, uint16_t len)
{
	put_pair(file, code, len);
	put(file, data, len);
}

static void put_text(struct pcapng *file, uint16_t code, const char *text)
{
	if (text)
		put_option(file, code, text, (uint16_t)strnlen(text, PCAPNG_TEXT_MAX));
}

static void put_time_option(struct pcapng *file, uint16_t code, uint64_t ns)
{
	put_pair(file, code, sizeof(ns));
	put_time(file, ns);
}

/* ---- blocks ---- */

static void begin_block(struct pcapng *file, uint32_t type)
{
	file->len = 0;
	put_u32(file, type);
	put_u32(file, 0); /* its length, known at the end */
}

static void end_block(struct pcapng *file)
{
	put_pair(file, OPT_END, 0);
	put_u32(file, file->len + 4);
	memcpy(file->block + 4, &file->len, sizeof(file->len));
	fwrite(file->block, 1, file->len, file->out);
}

void pcapng_begin(struct pcapng *file, FILE *out, const char *program)
{
	file->out = out;
	file->n_interfaces = 0;
	begin_block(file, BLOCK_SECTION);
	put_u32(file, BYTE_ORDER_MAGIC);
	put_pair(file, 1, 0); /* version */
	put_u64(file, SECTION_LEN_UNTOLD);
	put_text(file, SHB_USERAPPL, program);
	end_block(file);
}

uint32_t pcapng_add_interface(struct pcapng *file, const struct pcapng_interface *interface)
{
	static const uint8_t resolution = NANOSECONDS;
	begin_block(file, BLOCK_INTERFACE);
	put_pair(file, LINKTYPE_ETHERNET, 0);
	put_u32(file, PCAPNG_FRAME_MAX);
	put_text(file, IF_NAME, interface->name);
	put_text(file, IF_DESCRIPTION, interface->description);
	if (interface->mac)
		put_option(file, IF_MAC, interface->mac, 6);
	put_option(file, IF_TSRESOL, &resolution, sizeof(resolution));
	end_block(file);
	return file->n_interfaces++;
}

void pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet)
{
	const uint32_t flags = packet->direction;
	uint32_t len = packet->len < PCAPNG_FRAME_MAX ? packet->len : PCAPNG_FRAME_MAX;
	begin_block(file, BLOCK_PACKET);
	put_u32(file, packet->interface);
	put_time(file, packet->time_ns);
	put_u32(file, len);
	put_u32(file, packet->whole_len);
	put(file, packet->data, len);
	put_option(file, EPB_FLAGS, &flags, sizeof(flags));
	put_text(file, OPT_COMMENT, packet->comment);
	end_block(file);
}

void pcapng_add_statistics(struct pcapng *file, const struct pcapng_statistics *statistics)
{
	begin_block(file, BLOCK_STATISTICS);
	put_u32(file, statistics->interface);
	put_time(file, statistics->end_ns);
	put_time_option(file, ISB_START, statistics->begin_ns);
	put_time_option(file, ISB_END, statistics->end_ns);
	put_option(file, ISB_IFRECV, &statistics->received, sizeof(uint64_t));
	put_option(file, ISB_IFDROP, &statistics->dropped, sizeof(uint64_t));
	end_block(file);
}
