/*
 * daemon_process.h - a whole daemon in a process of its own, on the memory relay, which sends
 * everything back: what one endpoint sends to the MAC address of another comes in again.
 */
#ifndef TEST_DAEMON_PROCESS_H
#define TEST_DAEMON_PROCESS_H

#include "proto/msg.h"

#include <stdint.h>
#include <sys/types.h>

struct config;

struct daemon_process {
	char dir[32], sock[64];
	pid_t pid;
	/* one that stands by, and the pipes to it */
	pid_t next;
	int go, ready;
};

/* The defaults, but silent except for errors. */
void daemon_process_defaults(struct config *config);
/* Started and ready.  max_clients, max_endpoints 0: the defaults.  Aborts if it cannot be. */
void daemon_process_start(struct daemon_process *d, uint32_t max_clients,
			  uint32_t max_endpoints);
/* The same on a real interface, with this back-end. */
void daemon_process_start_on(struct daemon_process *d, const char *interface,
			     const char *backend);
/* ... and a filter in libpcap's words; NULL: that of the claims. */
void daemon_process_start_filtered(struct daemon_process *d, const char *interface,
				   const char *backend, const char *filter);
/* On the memory relay, with a configuration, but for its socket. */
void daemon_process_start_config(struct daemon_process *d, const struct config *config);
/* For who starts a process of his own: the folder, and the socket's place in it. */
void daemon_process_folder(struct daemon_process *d);
/* Ended with this signal and reaped. */
void daemon_process_die(struct daemon_process *d, int signal);
/*
 * Another one where it was, in two steps, for a thread must not fork: a process that waits, as
 * with _start_config(); and the word that lets it serve, after which it is ready.
 */
void daemon_process_stand_by(struct daemon_process *d, const struct config *config);
void daemon_process_take_over(struct daemon_process *d);
/* One question on a connection of its own; the answer, until the next one.  Aborts without. */
struct ecp_reply *daemon_process_ask(const struct daemon_process *d,
				     const struct ecp_request *request);
/* Its relay's counters. */
void daemon_process_stats(const struct daemon_process *d, struct ecp_relay_stats *stats);
/* Ended with SIGTERM.  Its exit status, as of waitpid(2). */
int daemon_process_stop(struct daemon_process *d);

#endif
