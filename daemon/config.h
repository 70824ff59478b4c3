/*
 * config.h - the daemon's configuration: command line over file over defaults.
 *
 * The file is JSON with comments:
 *
 *   { "socket": "/run/etherconnd/etherconnd.sock", "group": "etherconn", "user": "etherconnd",
 *     "log": "info", "max_clients": 256, "max_endpoints": 131072, "max_memory_mib": 2048,
 *     "policy": "/etc/etherconnd.policy", "seccomp": true,
 *     "relays": [ { "interface": "eth1", "backend": "af_packet", "promiscuous": true,
 *                   "send": "auto", "frame_size": 1522, "ring_frames": 8192 } ] }
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "daemon/isolation.h"
#include "daemon/log.h"
#include "daemon/relay.h"
#include "proto/json.h"

#define CONFIG_RELAYS_MAX     16
#define CONFIG_SPIN_MAX       1000000 /* a second */
#define CONFIG_PATH           256
#define CONFIG_MEMORY_MAX_MIB (1 << 20)
#define CONFIG_ENDPOINTS_MAX  ((1 << 24) - 1) /* of one client; control.c's cursor */

struct config_relay {
	char interface[NETIF_NAME];
	char backend[16];
	uint32_t frame_size, ring_frames;
	bool promiscuous;
	bool have_filter; /* else what is claimed */
	char filter[512];
	/* pcapfile; "": none */
	char read[CONFIG_PATH], write[CONFIG_PATH];
	uint32_t speed;
	enum relay_send send;
};

struct config {
	char socket[108];
	bool have_user, have_group;
	struct isolation_user user;
	gid_t group; /* who may connect, beside root */
	bool have_capture_group;
	gid_t capture_group; /* who may have what others, or nobody, claim, beside root */
	enum log_level log_level;
	uint32_t max_clients;     /* connections at one time */
	uint32_t max_endpoints;   /* per client */
	uint32_t max_memory_mib;  /* of all clients: rings, endpoints, groups */
	uint32_t spin_us;         /* look again for so long before sleeping */
	char policy[CONFIG_PATH]; /* its file; "": the default policy */
	bool hand_over;           /* do no more than that: handover.h */
	bool seccomp;             /* only the system calls of syscalls.c once it serves */
	unsigned n_relays;
	struct config_relay relays[CONFIG_RELAYS_MAX];
};

void config_defaults(struct config *config);

/* Read the text of a configuration file over *config.  0, or err->code with *err set (line or key). */
int config_parse(struct config *config, const char *text, size_t len,
		 struct ecp_error *err);
/* The same from the file at path; the sentence begins with the path. */
int config_load(struct config *config, const char *path, struct ecp_error *err);

enum config_action { CONFIG_RUN, CONFIG_EXIT_OK, CONFIG_EXIT_USAGE };
/*
 * Defaults, then the file named by -c, then the other options: -i replaces the file's relays.
 * Run as root without a group, SUDO_GID's may connect, else the group etherconn if there is
 * one.  Prints help, version and complaints itself.  With no relay it is CONFIG_EXIT_USAGE;
 * hand_over is known even then.
 */
enum config_action config_from_args(struct config *config, int argc, char **argv);

#endif
