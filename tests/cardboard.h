/*
 * cardboard.h - a daemon of cardboard: it answers etherconnctl with canned lists of any length.
 *
 *   test  --popen-->  $BUILD/etherconnctl  --socket-->  thread: relays, clients, endpoints
 *
 * One relay, N_CLIENTS clients; the endpoints are the first client's but for the odd one, which is
 * the second's.
 */
#ifndef TEST_CARDBOARD_H
#define TEST_CARDBOARD_H

#include "proto/msg.h"

#include <semaphore.h>

#define N_ENDPOINTS (2 * ECP_PAGE_MAX + 6) /* three pages */
#define THE_ODD_ONE (N_ENDPOINTS - 1)      /* unlike the others, on the last page */
#define N_CLIENTS   3
#define N_RULES     (ECP_PAGE_RULES + 1)       /* two pages */
#define HUGE_COUNT  UINT64_C(9007199254740991) /* 2^53 - 1 */
#define OUTPUT_MAX  (1 << 18)

/* Set after starting; the thread reads it. */
struct cardboard {
	char path[96];         /* its socket */
	_Atomic bool hangs_up; /* after the first page of a list */
	_Atomic unsigned ends; /* so many connections at their first question */
	_Atomic bool stuck;    /* answers nothing ... */
	sem_t asked_in_vain;   /* ... but says that it was asked */
	_Atomic unsigned n_endpoints;
	const char *version, *interface;
	/* frames received, by the relay and, times its index, by each client; grows by so many
	 * whenever somebody asks for the relays */
	_Atomic unsigned traffic, traffic_step;
};

extern struct cardboard cardboard;

/* Fixtures: a socket with that daemon behind it, or a place where none is. */
void cardboard_start(void);
void cardboard_stop(void);
void cardboard_folder_make(void);
void cardboard_folder_remove(void);

/* What the program said last. */
extern char output[OUTPUT_MAX];

/* Run it; redirect says which of its streams goes to output.  Returns its exit code. */
int run(const char *arguments, const char *redirect);
#define STDOUT ""
#define STDERR "2>&1 >/dev/null"

unsigned count_lines(const char *text);

#endif
