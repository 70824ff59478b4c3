/*
 * live_frames.c - frames from the kernel's own generator: BPF_PROG_TEST_RUN with live frames
 * hands what a program passes to the stack as received, without a sender's system calls
 * (Documentation/bpf/bpf_prog_run.rst).  The fastest there is without hardware.
 */
#include "bench/bench.h"

#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH    64
#define PER_CALL (1u << 17)

#define INSN(op, d, s, o, i)                                                               \
	(struct bpf_insn)                                                                  \
	{                                                                                  \
		.code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)       \
	}
#define MOV(d, s)             INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ALUI(op, d, i)        INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define LOAD_WORD(d, s, o)    INSN(BPF_LDX | BPF_W | BPF_MEM, d, s, o, 0)
#define STORE_REG(size, o, s) INSN(BPF_STX | (size) | BPF_MEM, R2, s, o, 0)
#define SWAP16(d)             INSN(BPF_ALU | BPF_END | BPF_TO_BE, d, 0, 0, 16)
#define STORE(size, o, i)     INSN(BPF_ST | (size) | BPF_MEM, R2, 0, o, i)
#define RETURN(n)                                                                          \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

enum { R0, R1, R2, R3, R4, R5, R6, R7 };

/* R0: one of n at random.  R2: the frame, if it has len bytes. */
#define CHOOSE(n, len)                                                                     \
	MOV(R6, R1), INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32),          \
	    ALUI(BPF_AND, R0, 0x7fffffff), ALUI(BPF_MOD, R0, (int)(n)),                    \
	    LOAD_WORD(R2, R6, offsetof(struct xdp_md, data)),                              \
	    LOAD_WORD(R3, R6, offsetof(struct xdp_md, data_end)), MOV(R4, R2),             \
	    ALUI(BPF_ADD, R4, len), INSN(BPF_JMP | BPF_JLE | BPF_X, R4, R3, 2, 0),         \
	    RETURN(XDP_ABORTED)
/* To 02:00:00:00:xx:xx, the number in R7 in network order, from 02:ee:00:00:00:01. */
#define STORE_MACS                                                                         \
	STORE(BPF_W, 0, 0x00000002), STORE_REG(BPF_H, 4, R7), STORE(BPF_H, 6, 0xee02),     \
	    STORE(BPF_W, 8, 0x01000000)

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *program, unsigned n)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_XDP,
			       .insns = (uintptr_t)program,
			       .insn_cnt = n,
			       .license = (uintptr_t) ""};
	return bpf(BPF_PROG_LOAD, &attr);
}

/*
 * To one of n addresses 02:00:00:00:xx:xx at random.  The head is written whole each time: the
 * kernel takes the same page again, after the stack has taken the tag out of it.
 */
static int load_generator(unsigned n)
{
	const struct bpf_insn program[] = {
	    CHOOSE(n, 18),
	    MOV(R7, R0),
	    SWAP16(R7),
	    STORE_MACS,
	    STORE(BPF_W, 12, 0x64000081), /* VLAN 100 */
	    STORE(BPF_H, 16, 0x0008),
	    RETURN(XDP_PASS),
	};
	return load(program, sizeof(program) / sizeof(program[0]));
}

#define IP_AT    14
#define IP_HLEN  20
#define SUM_AT   (IP_AT + 10)
#define DST_AT   (IP_AT + 16) /* its upper half is the same for all */
#define UDP_SUM  (IP_AT + IP_HLEN + 6)
#define PER_BYTE 250

/* The sum of the IP header's words, but for its checksum and the lower half of the destination. */
static uint32_t header_sum(const uint8_t *frame)
{
	uint32_t sum = 0;
	for (unsigned at = IP_AT; at < DST_AT + 2; at += 2)
		if (at != SUM_AT)
			sum += (uint32_t)(frame[at] << 8 | frame[at + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* The same without a tag, and a UDP datagram to the address of that number: x.x.i/250.i%250+1. */
static int load_datagrams(unsigned n, const uint8_t *frame)
{
	const struct bpf_insn program[] = {
	    CHOOSE(n, UDP_SUM + 2),
	    MOV(R7, R0),
	    SWAP16(R7),
	    STORE_MACS,
	    STORE(BPF_H, 12, 0x0008),
	    MOV(R7, R0), /* the address's lower half ... */
	    ALUI(BPF_DIV, R7, PER_BYTE),
	    ALUI(BPF_LSH, R7, 8),
	    ALUI(BPF_MOD, R0, PER_BYTE),
	    ALUI(BPF_ADD, R0, 1),
	    INSN(BPF_ALU64 | BPF_OR | BPF_X, R7, R0, 0, 0),
	    MOV(R1, R7), /* ... and the checksum */
	    ALUI(BPF_ADD, R1, (int)header_sum(frame)),
	    MOV(R0, R1),
	    ALUI(BPF_RSH, R0, 16),
	    ALUI(BPF_AND, R1, 0xffff),
	    INSN(BPF_ALU64 | BPF_ADD | BPF_X, R1, R0, 0, 0),
	    ALUI(BPF_XOR, R1, 0xffff),
	    SWAP16(R7),
	    SWAP16(R1),
	    STORE_REG(BPF_H, DST_AT + 2, R7),
	    STORE_REG(BPF_H, SUM_AT, R1),
	    STORE(BPF_H, UDP_SUM, 0), /* none: RFC 768 */
	    RETURN(XDP_PASS),
	};
	return load(program, sizeof(program) / sizeof(program[0]));
}

/* A veth interface can take live frames only while it has a program of its own. */
static int attach_pass(int ifindex)
{
	const struct bpf_insn pass[] = {RETURN(XDP_PASS)};
	union bpf_attr attr = {
	    .link_create = {.target_ifindex = (uint32_t)ifindex, .attach_type = BPF_XDP}};
	int fd = load(pass, 2);
	if (fd < 0)
		return fd;
	attr.link_create.prog_fd = (uint32_t)fd;
	int link = bpf(BPF_LINK_CREATE, &attr);
	close(fd);
	return link;
}

uint64_t live_frames_for(const char *ifname, const uint8_t *frame, unsigned n_endpoints,
			 unsigned len, double seconds, bool datagrams)
{
	int ifindex = (int)if_nametoindex(ifname);
	struct xdp_md ctx = {.data_end = len, .ingress_ifindex = (uint32_t)ifindex};
	int program =
	    datagrams ? load_datagrams(n_endpoints, frame) : load_generator(n_endpoints);
	int link = attach_pass(ifindex);
	uint64_t sent = 0;
	if (program < 0 || link < 0)
		die("XDP");
	for (double end = seconds_now() + seconds; seconds_now() < end; sent += PER_CALL) {
		union bpf_attr attr = {.test = {.prog_fd = (uint32_t)program,
						.data_in = (uintptr_t)frame,
						.data_size_in = len,
						.ctx_in = (uintptr_t)&ctx,
						.ctx_size_in = sizeof(ctx),
						.repeat = PER_CALL,
						.flags = BPF_F_TEST_XDP_LIVE_FRAMES,
						.batch_size = BATCH}};
		if (bpf(BPF_PROG_TEST_RUN, &attr) < 0)
			die("live frames");
	}
	close(link);
	close(program);
	return sent;
}

bool live_frames_possible(void)
{
	int program = load_generator(1);
	if (program >= 0)
		close(program);
	return program >= 0;
}
