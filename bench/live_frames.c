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
#define MOV(d, s)          INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ALUI(op, d, i)     INSN(BPF_ALU64 | (op) | BPF_K, d, 0, 0, i)
#define LOAD_WORD(d, s, o) INSN(BPF_LDX | BPF_W | BPF_MEM, d, s, o, 0)
#define STORE(size, o, i)  INSN(BPF_ST | (size) | BPF_MEM, R2, 0, o, i)
#define RETURN(n)                                                                          \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, R0, 0, 0, n), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

enum { R0, R1, R2, R3, R4, R5, R6 };

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
	    MOV(R6, R1),
	    INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32),
	    ALUI(BPF_AND, R0, 0x7fffffff),
	    ALUI(BPF_MOD, R0, (int)n),
	    INSN(BPF_ALU | BPF_END | BPF_TO_BE, R0, 0, 0, 16),
	    LOAD_WORD(R2, R6, offsetof(struct xdp_md, data)),
	    LOAD_WORD(R3, R6, offsetof(struct xdp_md, data_end)),
	    MOV(R4, R2),
	    ALUI(BPF_ADD, R4, 18),
	    INSN(BPF_JMP | BPF_JLE | BPF_X, R4, R3, 2, 0),
	    RETURN(XDP_ABORTED),
	    STORE(BPF_W, 0, 0x00000002),
	    INSN(BPF_STX | BPF_H | BPF_MEM, R2, R0, 4, 0),
	    STORE(BPF_H, 6, 0xee02),
	    STORE(BPF_W, 8, 0x01000000),
	    STORE(BPF_W, 12, 0x64000081), /* VLAN 100 */
	    STORE(BPF_H, 16, 0x0008),
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
			 unsigned len, double seconds)
{
	int ifindex = (int)if_nametoindex(ifname);
	struct xdp_md ctx = {.data_end = len, .ingress_ifindex = (uint32_t)ifindex};
	int program = load_generator(n_endpoints), link = attach_pass(ifindex);
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
