/*
 * check_hot.c - the rules of the hot path, held over a million frames each way: no allocation,
 * and no system call but now and then one for many frames.
 *
 * The datapath runs in a child that is traced: its system calls are counted by the kernel's
 * word, its allocations by the functions below, which stand in the C library's place.
 */
#include "tests/frames.h"
#include "tests/inside.h"
#include "tests/suite.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES    (1u << 20)
#define PER_ROUND 256 /* what a turn takes */
#define MAC       "02:00:00:00:00:01|100"

#if SANITIZED
#define COUNTED false /* the sanitizer has taken that place */
static unsigned long allocations;
#else
#define COUNTED true
static volatile unsigned long allocations;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t),
    *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *at, size_t size)
{
	allocations++;
	return __libc_realloc(at, size);
}

void free(void *at)
{
	allocations += at != NULL;
	__libc_free(at);
}
#endif

/* ---- the child ---- */

static struct peer peer;
static struct endpoint *ep;

static void make_all(void)
{
	int far_end;
	inside_start(1, 10);
	struct client *client = inside_client(&far_end);
	inside_attach(client, &peer, 1 << 20, 1 << 20);
	ep = open_l2(client, MAC, 0);
}

static void receive_million(void)
{
	static uint8_t bytes[ECP_FRAME_MAX];
	static struct relay_frame frames[PER_ROUND];
	struct ecp_record head;
	struct ecp_rx_aux aux;
	const uint8_t *data;
	uint32_t len, got = 0;
	struct ecp_tag tag;
	uint32_t n = test_frame_build(
	    &(struct test_frame){.to = MAC, .src_ip = "10.0.0.9:1", .dst_ip = "10.0.0.1:2"},
	    bytes);
	n = test_frame_strip(bytes, n, &tag);
	for (unsigned i = 0; i < PER_ROUND; i++)
		frames[i] = (struct relay_frame){.data = bytes, .len = n, .tag = tag};
	relay_memory_loop(&dp.relay, frames, PER_ROUND, FRAMES / PER_ROUND);
	raise(SIGSTOP);
	unsigned long before = allocations;
	for (unsigned round = 0; round < FRAMES / PER_ROUND; round++) {
		datapath_turn(&dp);
		while (peer_recv(&peer, &head, &aux, &data, &len))
			got++;
		peer_release(&peer);
	}
	before = allocations - before;
	raise(SIGSTOP);
	_exit(got == FRAMES ? before != 0 : 2);
}

static void send_million(void)
{
	static const uint8_t payload[46], dst[6] = {2, 0, 0, 0, 0, 2};
	uint32_t generation = ep->dest.generation;
	datapath_turn(&dp);
	raise(SIGSTOP);
	unsigned long before = allocations;
	for (unsigned round = 0; round < FRAMES / 64; round++) {
		for (unsigned i = 0; i < 64; i++)
			peer_send(&peer, ep->dest.id, generation, dst, 0x88b5, payload,
				  sizeof(payload));
		peer_publish(&peer);
		datapath_turn(&dp);
	}
	before = allocations - before;
	raise(SIGSTOP);
	_exit(endpoint_stats(ep).tx == FRAMES ? before != 0 : 2);
}

/* ---- the parent ---- */

/* Let it run to its next SIGSTOP; returns how many system calls it made, -1: it ended. */
static long run_to_stop(pid_t pid)
{
	long stops = 0;
	int status;
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 ||
		    waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
			return -1;
		if (WSTOPSIG(status) == SIGSTOP)
			return stops / 2; /* one when it enters, one when it leaves */
		stops++;
	}
}

START_TEST(test_a_million_frames)
{
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		make_all();
		raise(SIGSTOP);
		if (_i == 0)
			receive_million();
		send_million();
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSTOPPED(status), "status %x", status);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
	ck_assert_int_ge(run_to_stop(pid), 0); /* made ready */
	long calls = run_to_stop(pid);
	ck_assert_int_ge(calls, 0);
	/* a doorbell for each turn at most, and the last raise() */
	ck_assert_msg(calls <= FRAMES / 64 + 10, "%ld system calls for %u frames", calls,
		      FRAMES);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) != 2, "frames are missing");
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it allocates");
}
END_TEST

/* Would it notice? */
START_TEST(test_allocations_are_counted)
{
	unsigned long before = allocations;
	void *volatile at = malloc(1);
	free(at);
	ck_assert_uint_eq(allocations - before, COUNTED ? 2 : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hot path");
	TCase *tc = tcase_create("hot path");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_a_million_frames, 0, 2);
	tcase_add_test(tc, test_allocations_are_counted);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
