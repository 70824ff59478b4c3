/*
 * wake.c - both processes of the wake-up test.  Compiled twice: wake_without_fence.c includes
 * it with the fences of proto/channel.h taken out.
 */
#include "tests/wake.h"

#include "proto/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RING     ECP_RING_MIN
#define WAIT_MS  250
#define SPIN_MAX 2000 /* iterations each side idles at most: sweeps the race window */

#ifndef WAKE_RUN
#define WAKE_RUN wake_run
#endif

/* What the two share: the indices as in a channel, the ring, the result. */
struct shared {
	_Alignas(64) _Atomic uint64_t prod;
	_Alignas(64) _Atomic uint64_t cons;
	_Atomic uint64_t wake_at;
	_Alignas(64) _Atomic uint32_t stop;
	struct wake_result result;
	_Alignas(64) uint8_t ring[RING];
};

static void pin(int nth)
{
	cpu_set_t all, one;
	sched_getaffinity(0, sizeof(all), &all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &all) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

static double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void idle(unsigned *seed)
{
	for (int spin = rand_r(seed) % SPIN_MAX; spin > 0; spin--)
		atomic_signal_fence(memory_order_seq_cst);
}

static void drain(int bell)
{
	char bytes[64];
	while (read(bell, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}

/* Take everything that is there; every record must carry the next number. */
static void take_all(struct shared *s, struct ecp_in *in, uint32_t *next)
{
	struct ecp_record head;
	int error = 0;
	if (ecp_in_refresh(in, &s->prod) < 0)
		s->result.wrong++;
	while (ecp_in_peek(in, &head, &error)) {
		s->result.wrong += head.endpoint != (*next)++;
		ecp_in_consume(in, &head);
	}
	s->result.wrong += error != 0;
	ecp_in_release(in, &s->cons, NULL);
}

static void consume(struct shared *s, int bell)
{
	struct ecp_in in = {.data = s->ring, .size = RING};
	struct pollfd p = {.fd = bell, .events = POLLIN};
	unsigned seed = 2;
	uint32_t next = 0;
	while (!atomic_load(&s->stop)) {
		drain(bell);
		take_all(s, &in, &next);
		idle(&seed); /* what an application does with it */
		if (ecp_in_arm(&in, &s->wake_at, &s->prod))
			continue;
		s->result.sleeps++;
		if (poll(&p, 1, WAIT_MS) == 0 && atomic_load(&s->prod) != in.pos)
			s->result.lost++;
	}
}

static void produce(struct shared *s, int bell, uint64_t sleeps, unsigned seconds)
{
	struct ecp_out out = {.data = s->ring, .size = RING};
	double end = seconds_now() + seconds;
	unsigned seed = 1;
	for (uint32_t n = 0;; n++) {
		uint8_t *at;
		while (!(at = ecp_out_reserve(&out, 64)))
			if (ecp_out_refresh(&out, &s->cons) < 0 || seconds_now() > end)
				return;
		struct ecp_record head = {.len = 64, .type = ECP_RECORD_TX, .endpoint = n};
		memcpy(at, &head, sizeof(head));
		ecp_out_submit(&out, 64);
		if (ecp_out_publish(&out, &s->prod, &s->wake_at) && write(bell, "", 1) < 0)
			continue; /* full: readable all the same */
		/* let the consumer run dry, so that it is about to sleep when the next one comes */
		while (!(atomic_load_explicit(&s->cons, memory_order_relaxed) ==
			 out.published))
			if (*(volatile uint64_t *)&s->result.lost ||
			    (n % 1024 == 0 && seconds_now() > end))
				break;
		idle(&seed);
		volatile struct wake_result *r = &s->result;
		if (r->sleeps >= sleeps || r->lost ||
		    (n % 1024 == 0 && seconds_now() > end))
			return;
	}
}

struct wake_result WAKE_RUN(uint64_t sleeps, unsigned seconds) {
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int bell[2];
	struct wake_result result = {.wrong = 1};
	if (s == MAP_FAILED || pipe2(bell, O_NONBLOCK) < 0)
		return result;
	pid_t consumer = fork();
	if (consumer == 0) {
		pin(1);
		consume(s, bell[0]);
		_exit(0);
	}
	pin(0);
	produce(s, bell[1], sleeps, seconds);
	atomic_store(&s->stop, 1);
	ssize_t n = write(bell[1], "", 1);
	(void)n;
	waitpid(consumer, NULL, 0);
	result = s->result;
	close(bell[0]);
	close(bell[1]);
	munmap(s, sizeof(*s));
	return result;
}
