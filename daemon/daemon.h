/*
 * daemon.h - everything a running daemon is: relays, clients, loop.
 *
 * daemon_start() makes it from top to bottom, daemon_stop() undoes it from bottom to top.
 * Used by main.c and by tests that want a whole daemon in their own process.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/service.h"
#include "proto/pace.h"

struct daemon {
	struct loop *loop;
	struct datapath datapaths[CONFIG_RELAYS_MAX];
	struct loop_fd relay_watch[CONFIG_RELAYS_MAX];
	unsigned n_datapaths;
	struct loop_fd link_watch; /* news of interfaces */
	int link_fd;               /* -1: there are none to be had, so look now and then */
	struct control control;
	struct service service;
	struct ecp_pace pace;
	unsigned ticks;           /* since it serves */
	char socket[108];         /* to unlink; "" if it is not ours */
	char policy[CONFIG_PATH]; /* the file to read again; "": there is none */
};

/*
 * Open what needs privileges on all interfaces, and have systemd keep it for a daemon that has
 * none.  0, or err->code with *err set.
 */
int daemon_hand_over(const struct config *config, struct ecp_error *err);

/*
 * Open every relay of the configuration with its privileges, make the socket, and be ready to
 * serve.  0, or err->code with one clear sentence in *err; then nothing is left open.
 */
int daemon_start(struct daemon *daemon, const struct config *config, struct ecp_error *err);

/* The same parts on relays that the caller opened in daemon->datapaths[0..n).relay. */
int daemon_start_on_relays(struct daemon *daemon, unsigned n, const struct config *config,
			   struct ecp_error *err);

/*
 * The last step before serving, after privileges are given up: what the daemon may still ask
 * the kernel for.  Does nothing without config->seccomp.  0, or err->code with *err set.
 */
int daemon_restrict(const struct daemon *daemon, const struct config *config,
		    struct ecp_error *err);
/* Serve until SIGINT, SIGTERM or loop_stop(daemon->loop); SIGHUP reads the policy again. */
void daemon_run(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

#endif
