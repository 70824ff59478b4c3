/*
 * kernel_filter.c - a socket filter over a bitmap of claims.
 *
 * The one element of an array map, mapped into our memory (Documentation/bpf/map_array.rst,
 * BPF_F_MMAPABLE), holds the bitmap and the counter of drops; the program below reads it for
 * each frame.  It is written in instructions, not C: sixty of them need no compiler and no
 * loader (Documentation/bpf/standardization/instruction-set.rst).
 */
#include "daemon/kernel_filter.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BITS_LOG2 21 /* 256 KiB; of 50,000 claims one foreign frame in forty hits the bit */
#define N_BITS    (1u << BITS_LOG2)
#define MIX_1     UINT64_C(0x9e3779b97f4a7c15)
#define MIX_2     UINT64_C(0xd6e8feb86659fd93)
#define PASS      0x40000 /* bytes: all of them */

/* What the program and we share. */
struct shared {
	uint64_t dropped;
	uint32_t everything, multicast_any; /* how many ask for it */
	/*
	 * MULTICAST_MAC, out of the verifier's sight: who has CAP_BPF without CAP_PERFMON
	 * may not add to a pointer what is a constant on one way there and none on another.
	 */
	uint64_t multicast_mac;
	uint64_t bits[N_BITS / 64];
};

struct kernel_filter {
	struct shared *shared;
	uint16_t *counts; /* claims behind each bit; one that is full stays so */
};

/* ---- the hash, twice: here, and in the program ---- */

/* All multicast addresses of one VLAN stack are one: any of them may be a group someone joined. */
#define MULTICAST_MAC UINT64_C(0xffffffffffff)

static uint32_t bit_of(uint64_t mac, const uint16_t vlan[ECP_VLANS_MAX])
{
	uint64_t h = mac | (uint64_t)vlan[0] << 48;
	h = (h ^ vlan[1] * MIX_1) * MIX_2;
	return (uint32_t)(h >> (64 - BITS_LOG2));
}

/* As the program has it: the first byte is the lowest. */
static uint64_t mac_word(const uint8_t mac[ECP_MAC_LEN])
{
	uint64_t word = 0;
	for (unsigned i = 0; i < ECP_MAC_LEN; i++)
		word |= (uint64_t)mac[i] << 8 * i;
	return word;
}

#define GROUP_BIT 1 /* of the first byte */

/* ---- the program ---- */

#define INSN(op, d, s, o, i)                                                               \
	(struct bpf_insn)                                                                  \
	{                                                                                  \
		.code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)       \
	}
#define MOV(d, s)           INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i)          INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ALU(op, d, s)       INSN(BPF_ALU64 | (op) | BPF_X, d, s, 0, 0)
#define ALUI(op, d, i)      INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define LOAD(size, d, s, o) INSN(BPF_LDX | (size) | BPF_MEM, d, s, o, 0)
#define JUMP(op, d, i, o)   INSN(BPF_JMP | (op) | BPF_K, d, 0, o, i)
#define CALL(f)             INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define SWAP16(d)           INSN(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, 16)
#define FROM_LE64(d)        INSN(BPF_ALU | BPF_END | BPF_TO_LE, d, 0, 0, 64)
#define ADD_TO(d, o, s)     INSN(BPF_STX | BPF_DW | BPF_ATOMIC, d, s, o, BPF_ADD)
#define IMM64(d, s, low, high)                                                             \
	INSN(BPF_LD | BPF_DW | BPF_IMM, d, s, 0, low), INSN(0, 0, 0, 0, high)
#define CONST64(d, v) IMM64(d, 0, (int32_t)(uint32_t)(v), (int32_t)(uint32_t)((v) >> 32))
#define RETURN(n)     MOVI(R0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define COUNT(...)                                                                         \
	((int16_t)(sizeof((struct bpf_insn[]){__VA_ARGS__}) / sizeof(struct bpf_insn)))
/* The instructions in the brackets, passed over if the comparison of d with i holds. */
#define UNLESS(op, d, i, ...) JUMP(op, d, i, COUNT(__VA_ARGS__)), __VA_ARGS__

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FP };
#define SKB(field) ((int16_t)offsetof(struct __sk_buff, field))
#define AT(field)  ((int16_t)offsetof(struct shared, field))
/* On the stack: 14 bytes of the frame, and up to 6 of its tags. */
#define HEADER (-24)
#define TAGS   (-8)

#define LOAD_BYTES(from, to, len)                                                          \
	MOV(R1, R6), MOVI(R2, from), MOV(R3, FP), ALUI(BPF_ADD, R3, to), MOVI(R4, len),    \
	    CALL(BPF_FUNC_skb_load_bytes)
#define VLAN_ID(r) SWAP16(r), ALUI(BPF_AND, r, ECP_VLAN_ID_MAX)
/* The instructions in the brackets, if the type in R8 is a tag's. */
#define IF_TAG(...)                                                                        \
	JUMP(BPF_JEQ, R8, ECP_TPID_8021Q, 2), JUMP(BPF_JEQ, R8, ECP_TPID_8021AD, 1),       \
	    UNLESS(BPF_JNE, R8, ECP_TPID_9100, __VA_ARGS__)

/* The outer tag is not in the frame any more: the kernel has taken it out.  R1, R2: ids. */
#define READ_INNER_TAG                                                                     \
	MOV(R8, R1), LOAD_BYTES(14, TAGS, 2), UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)),        \
	    MOV(R1, R8), LOAD(BPF_H, R2, FP, TAGS), VLAN_ID(R2)
#define READ_TAKEN_OUT                                                                     \
	LOAD(BPF_W, R1, R6, SKB(vlan_tci)), ALUI(BPF_AND, R1, ECP_VLAN_ID_MAX),            \
	    IF_TAG(READ_INNER_TAG)
/* It is: of 0x9100 the kernel knows nothing. */
#define READ_IN_PLACE                                                                      \
	LOAD_BYTES(14, TAGS, 6), UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)),                     \
	    LOAD(BPF_H, R1, FP, TAGS), VLAN_ID(R1), MOVI(R2, ECP_NO_VLAN),                 \
	    LOAD(BPF_H, R8, FP, TAGS + 2), SWAP16(R8),                                     \
	    IF_TAG(LOAD(BPF_H, R2, FP, TAGS + 4), VLAN_ID(R2))
#define AS_MULTICAST                                                                       \
	LOAD(BPF_W, R0, R9, AT(multicast_any)), UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)),      \
	    LOAD(BPF_DW, R7, R9, AT(multicast_mac))

/* Load it, with this map.  Its descriptor or -errno. */
static int load_program(int map)
{
	/* R6: the frame, R7: MAC address, then hash; R8: type; R9: struct shared */
	const struct bpf_insn program[] = {
	    MOV(R6, R1),
	    IMM64(R9, BPF_PSEUDO_MAP_VALUE, map, 0),
	    LOAD(BPF_W, R0, R9, AT(everything)),
	    UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)),
	    LOAD_BYTES(0, HEADER, 14),
	    UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)), /* a runt: who asks counts it */
	    LOAD(BPF_DW, R7, FP, HEADER),
	    FROM_LE64(R7),
	    ALUI(BPF_LSH, R7, 16),
	    ALUI(BPF_RSH, R7, 16),
	    LOAD(BPF_H, R8, FP, HEADER + 12),
	    SWAP16(R8),
	    MOVI(R1, ECP_NO_VLAN),
	    MOVI(R2, ECP_NO_VLAN),
	    LOAD(BPF_W, R3, R6, SKB(vlan_present)),
	    UNLESS(BPF_JEQ, R3, 0, READ_TAKEN_OUT),
	    LOAD(BPF_W, R3, R6, SKB(vlan_present)),
	    UNLESS(BPF_JNE, R3, 0, IF_TAG(READ_IN_PLACE)),
	    MOV(R3, R7),
	    ALUI(BPF_AND, R3, GROUP_BIT),
	    UNLESS(BPF_JEQ, R3, 0, AS_MULTICAST),
	    /* bit_of(R7, {R1, R2}) */
	    ALUI(BPF_LSH, R1, 48),
	    ALU(BPF_OR, R7, R1),
	    CONST64(R3, MIX_1),
	    ALU(BPF_MUL, R2, R3),
	    ALU(BPF_XOR, R7, R2),
	    CONST64(R3, MIX_2),
	    ALU(BPF_MUL, R7, R3),
	    ALUI(BPF_RSH, R7, 64 - BITS_LOG2),
	    /* is it set? */
	    MOV(R2, R7),
	    ALUI(BPF_RSH, R2, 6),
	    ALUI(BPF_LSH, R2, 3),
	    MOV(R1, R9),
	    ALU(BPF_ADD, R1, R2),
	    LOAD(BPF_DW, R0, R1, AT(bits)),
	    ALUI(BPF_AND, R7, 63),
	    ALU(BPF_RSH, R0, R7),
	    ALUI(BPF_AND, R0, 1),
	    UNLESS(BPF_JEQ, R0, 0, RETURN(PASS)),
	    MOVI(R1, 1),
	    ADD_TO(R9, AT(dropped), R1),
	    RETURN(0),
	};
	union bpf_attr attr = {
	    .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
	    .insns = (uintptr_t)program,
	    .insn_cnt = sizeof(program) / sizeof(*program),
	    .license = (uintptr_t) "",
	    .prog_name = "etherconnd",
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

static int make_map(void)
{
	union bpf_attr attr = {
	    .map_type = BPF_MAP_TYPE_ARRAY,
	    .key_size = sizeof(uint32_t),
	    .value_size = sizeof(struct shared),
	    .max_entries = 1,
	    .map_flags = BPF_F_MMAPABLE,
	    .map_name = "etherconnd",
	};
	int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

/* ---- setting it up ---- */

static size_t shared_len(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (sizeof(struct shared) + page - 1) / page * page;
}

int kernel_filter_attach(int fd)
{
	int map = make_map();
	if (map < 0)
		return map;
	int r = 0, program = load_program(map);
	if (program < 0)
		r = program;
	else if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) < 0)
		r = -errno;
	if (program >= 0)
		close(program);
	if (r == 0)
		return map;
	close(map);
	return r;
}

/* Program and mapping hold the map; its descriptor is not needed any more.  NULL: no memory. */
static struct kernel_filter *filter_of(int map)
{
	struct kernel_filter *filter = calloc(1, sizeof(*filter));
	if (!filter)
		return NULL;
	filter->counts = calloc(N_BITS, sizeof(*filter->counts));
	void *at = mmap(NULL, shared_len(), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	if (at != MAP_FAILED)
		filter->shared = at;
	if (!filter->counts || !filter->shared) {
		kernel_filter_free(filter);
		return NULL;
	}
	filter->shared->multicast_mac = MULTICAST_MAC;
	return filter;
}

int kernel_filter_adopt(struct kernel_filter **ret, int fd, int map)
{
	struct kernel_filter *filter = filter_of(map);
	if (filter) {
		*ret = filter;
		return 0;
	}
	setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int));
	return -ENOMEM;
}

int kernel_filter_new(struct kernel_filter **ret, int fd)
{
	int map = kernel_filter_attach(fd);
	if (map < 0)
		return map;
	int r = kernel_filter_adopt(ret, fd, map);
	close(map);
	return r;
}

void kernel_filter_free(struct kernel_filter *filter)
{
	if (filter->shared)
		munmap(filter->shared, shared_len());
	free(filter->counts);
	free(filter);
}

/* ---- claims ---- */

/* The kernel reads while we write: whole words, so that it sees the old bits or the new ones. */
static void bit_write(struct kernel_filter *filter, uint32_t bit, bool set)
{
	uint64_t *word = &filter->shared->bits[bit / 64], mask = UINT64_C(1) << bit % 64;
	if (set)
		__atomic_fetch_or(word, mask, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~mask, __ATOMIC_RELAXED);
}

static void bit_add(struct kernel_filter *filter, uint32_t bit)
{
	if (filter->counts[bit] == UINT16_MAX)
		return;
	if (filter->counts[bit]++ == 0)
		bit_write(filter, bit, true);
}

static void bit_remove(struct kernel_filter *filter, uint32_t bit)
{
	if (filter->counts[bit] == UINT16_MAX)
		return; /* nobody knows how many there are: let them pass */
	if (--filter->counts[bit] == 0)
		bit_write(filter, bit, false);
}

static void change(struct kernel_filter *filter, const struct kernel_claim *claim,
		   void (*bit)(struct kernel_filter *, uint32_t), uint32_t step)
{
	struct shared *shared = filter->shared;
	bit(filter, bit_of(mac_word(claim->key.mac), claim->key.vlan));
	if (claim->multicast)
		bit(filter, bit_of(MULTICAST_MAC, claim->key.vlan));
	if (claim->multicast_any)
		__atomic_fetch_add(&shared->multicast_any, step, __ATOMIC_RELAXED);
	if (claim->everything)
		__atomic_fetch_add(&shared->everything, step, __ATOMIC_RELAXED);
}

void kernel_filter_add(struct kernel_filter *filter, const struct kernel_claim *claim)
{
	change(filter, claim, bit_add, 1);
}

void kernel_filter_remove(struct kernel_filter *filter, const struct kernel_claim *claim)
{
	change(filter, claim, bit_remove, UINT32_MAX);
}

uint64_t kernel_filter_dropped(const struct kernel_filter *filter)
{
	return __atomic_load_n(&filter->shared->dropped, __ATOMIC_RELAXED);
}
