/*
 * daemon.c - start, turn, stop.
 */
#include "daemon/daemon.h"

#include "daemon/handover.h"
#include "daemon/names.h"
#include "daemon/syscalls.h"
#include "daemon/systemd.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static_assert((int)CONFIG_RELAYS_MAX <= (int)CONTROL_DATAPATHS, "control knows them all");

#define FEW_FRAMES 8 /* more came at once, and more will */

/* Descriptors at most: of the daemon itself and of its relays; of a client and its channel. */
#define FDS            256
#define FDS_PER_CLIENT 4

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/*
 * A turn of each datapath.  Returns how to wait for more; *backlog: more is known to be there.
 */
static int turn_datapaths(struct daemon *daemon, bool *backlog)
{
	const bool looked_at = control_is_looked_at(&daemon->control);
	unsigned in = 0, out = 0;
	bool trouble = false;
	*backlog = false;
	for (unsigned i = 0; i < daemon->n_datapaths; i++) {
		struct datapath *dp = &daemon->datapaths[i];
		unsigned received = datapath_rx_turn(dp), sent = datapath_tx_turn(dp);
		if (looked_at && (received || sent))
			datapath_show(dp);
		in += received;
		out += sent;
		*backlog |= dp->backlog;
		trouble |= dp->trouble;
		dp->trouble = false;
		dp->relay.silent = true;
	}
	if (trouble)
		control_end_broken(&daemon->control);
	return ecp_pace_after(&daemon->pace, in, out, now_ns());
}

static int daemon_turn(void *arg)
{
	struct daemon *daemon = arg;
	bool backlog, asleep = true;
	int wait = turn_datapaths(daemon, &backlog);
	/* what has come meanwhile, before the watchers are asked: an answer is waited for */
	if (wait == 0 && !backlog)
		wait = turn_datapaths(daemon, &backlog);
	if (wait != ECP_PACE_BLOCK)
		return backlog ? 0 : wait;
	for (unsigned i = 0; i < daemon->n_datapaths; i++)
		asleep &= datapath_sleep(&daemon->datapaths[i]);
	return asleep ? LOOP_BLOCK : 0;
}

/* Frames are there, or an error: the turn that follows takes them. */
static void on_relay(void *arg)
{
	struct relay *relay = arg;
	relay->silent = false;
}

/* What changes too slowly to be waited for. */
#define TICK_MS 250
/* Clients have come back by then. */
#define SETTLED (1000 / TICK_MS)

static bool a_relay_is_lost(const struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->n_datapaths; i++)
		if (daemon->datapaths[i].relay.lost)
			return true;
	return false;
}

static void on_tick(void *arg)
{
	struct daemon *daemon = arg;
	uint64_t now = bucket_clock_ns();
	denials_tick(&daemon->control.clients.denials, now);
	denials_tick(&daemon->control.clients.ended, now);
	control_tick(&daemon->control);
	if (daemon->link_fd < 0 || a_relay_is_lost(daemon))
		control_look_at_interfaces(&daemon->control);
	service_tick(&daemon->service, now);
	if (daemon->ticks++ >= SETTLED)
		handover_keep();
}

static void on_gone(void *arg, int index)
{
	struct daemon *daemon = arg;
	for (unsigned i = 0; i < daemon->n_datapaths; i++)
		relay_gone(&daemon->datapaths[i].relay, index);
}

static void on_link(void *arg)
{
	struct daemon *daemon = arg;
	netif_watch_drain(daemon->link_fd, on_gone, daemon);
	control_look_at_interfaces(&daemon->control);
}

static void on_terminate(void *arg)
{
	struct daemon *daemon = arg;
	loop_stop(daemon->loop);
}

/* ---- policy ---- */

static int load_policy(struct daemon *daemon, struct ecp_error *err)
{
	struct policy *policy;
	struct ecp_event event = {.type = ECP_EVENT_POLICY};
	if (!daemon->policy[0])
		return 0;
	if (policy_load(&policy, daemon->policy, err) < 0)
		return err->code;
	clients_set_policy(&daemon->control.clients, policy);
	log_info("policy of %u rules from %s", policy->n_rules, daemon->policy);
	event.n = policy->n_rules;
	snprintf(event.text, sizeof(event.text), "%.*s", (int)sizeof(event.text) - 1,
		 daemon->policy);
	monitors_tell(&daemon->control.clients.monitors, &event);
	return 0;
}

/* All of the new policy, or all of the old one. */
static void on_reload(void *arg)
{
	struct daemon *daemon = arg;
	struct ecp_error err = {0};
	struct ecp_event event = {.type = ECP_EVENT_POLICY_REFUSED};
	if (!daemon->policy[0]) {
		log_info("SIGHUP: there is no policy file to read again");
	} else if (load_policy(daemon, &err) < 0) {
		log_error("the policy stays as it was: %s", err.text);
		memcpy(event.text, err.text, sizeof(event.text));
		monitors_tell(&daemon->control.clients.monitors, &event);
	}
	snprintf(daemon->service.trouble, sizeof(daemon->service.trouble), "%s", err.text);
}

/* ---- start and stop ---- */

static struct relay_config relay_config_of(const struct config_relay *c)
{
	return (struct relay_config){
	    .interface = c->interface,
	    .backend = c->backend,
	    .frame_size = c->frame_size,
	    .ring_frames = c->ring_frames,
	    .promiscuous = c->promiscuous,
	    .filter = c->have_filter ? c->filter : NULL,
	    .read = c->read[0] ? c->read : NULL,
	    .write = c->write[0] ? c->write : NULL,
	    .speed = c->speed,
	    .send = c->send,
	};
}

static int open_relays(struct daemon *daemon, const struct config *config,
		       struct ecp_error *err)
{
	char text[ECP_ERROR_TEXT];
	for (unsigned i = 0; i < config->n_relays; i++) {
		const struct relay_config relay = relay_config_of(&config->relays[i]);
		int r = relay_open(&daemon->datapaths[i].relay, &relay, text, sizeof(text));
		if (r < 0) {
			while (i--)
				relay_close(&daemon->datapaths[i].relay);
			return ecp_error_set(err, r, "%s", text);
		}
	}
	return 0;
}

int daemon_hand_over(const struct config *config, struct ecp_error *err)
{
	char text[ECP_ERROR_TEXT];
	int r = handover_wait(); /* is it there at all? */
	for (unsigned i = 0; i < config->n_relays && r == 0; i++) {
		const struct relay_config relay = relay_config_of(&config->relays[i]);
		handover_begin(relay.interface);
		r = relay_hand_over(&relay, text, sizeof(text));
		if (r < 0)
			return ecp_error_set(err, r, "%s", text);
	}
	if (r == 0)
		r = handover_wait();
	if (r < 0)
		ecp_error_set(err, r, "cannot hand over to systemd: %s", strerror(-r));
	return r;
}

static int start_datapaths(struct daemon *daemon, unsigned n, const struct config *config)
{
	for (; daemon->n_datapaths < n; daemon->n_datapaths++) {
		struct datapath *dp = &daemon->datapaths[daemon->n_datapaths];
		struct loop_fd *watch = &daemon->relay_watch[daemon->n_datapaths];
		int r = loop_fd_start_idle(daemon->loop, watch, dp->relay.fd, on_relay,
					   &dp->relay);
		if (r < 0)
			return r;
		r = datapath_start(dp, config->max_clients);
		if (r < 0) {
			loop_fd_stop(daemon->loop, watch);
			return r;
		}
	}
	return 0;
}

static void stop_datapaths(struct daemon *daemon)
{
	loop_fd_stop(daemon->loop, &daemon->link_watch);
	if (daemon->link_fd >= 0)
		close(daemon->link_fd);

	while (daemon->n_datapaths--) {
		loop_fd_stop(daemon->loop, &daemon->relay_watch[daemon->n_datapaths]);
		datapath_stop(&daemon->datapaths[daemon->n_datapaths]);
	}
}

static void daemon_forget_socket(struct daemon *daemon)
{
	if (daemon->socket[0])
		unlink(daemon->socket);
}

/* Why the socket could not be made, in words. */
static int socket_error(const char *path, int r, struct ecp_error *err)
{
	if (r == -EADDRINUSE)
		return ecp_error_set(err, r, "another daemon answers at %s", path);
	if (r == -EEXIST)
		return ecp_error_set(err, r, "%s is there and is no socket", path);
	return ecp_error_set(err, r, "cannot listen at %s: %s", path, strerror(-r));
}

/* The socket at the configured path, for the configured group; ours to unlink. */
static int make_socket(struct daemon *daemon, const struct config *config,
		       struct ecp_error *err)
{
	const char *path = config->socket;
	int fd = ecp_sock_listen(path, config->have_group ? 0660 : 0600);
	if (fd < 0)
		return socket_error(path, fd, err);
	snprintf(daemon->socket, sizeof(daemon->socket), "%s", path);
	/* a new file has our own group already; a service's filter may forbid to ask for it */
	if (!config->have_group || config->group == getegid() ||
	    chown(path, (uid_t)-1, config->group) == 0)
		return fd;
	int r = ecp_error_set(err, -errno, "cannot give %s to group %u: %s", path,
			      config->group, strerror(errno));
	close(fd);
	unlink(path);
	return r;
}

/* systemd's socket, its path and its permissions systemd's business; else one of our own. */
static int start_socket(struct daemon *daemon, const struct config *config,
			struct ecp_error *err)
{
	int fd = systemd_listen_fd();
	if (fd == -EINVAL)
		return ecp_error_set(err, fd,
				     "what systemd handed over is not one listening "
				     "sequential-packet socket");
	if (fd < 0)
		fd = make_socket(daemon, config, err);
	if (fd < 0)
		return fd;
	int r = control_start(&daemon->control, fd, daemon->datapaths, daemon->n_datapaths);
	if (r < 0) {
		close(fd);
		daemon_forget_socket(daemon);
	}
	return r;
}

static int start_watches(struct daemon *daemon)
{
	int r = 0;
	daemon->link_fd = netif_watch_open();
	if (daemon->link_fd < 0)
		log_info("no news of interfaces (%s): looking at them instead",
			 strerror(-daemon->link_fd));
	else
		r = loop_fd_start(daemon->loop, &daemon->link_watch, daemon->link_fd,
				  on_link, daemon);
	if (r < 0)
		return r;
	/* started by hand without a policy, it ends with its terminal, as ever */
	if (daemon->policy[0] || !isatty(STDERR_FILENO))
		r = loop_on_reload(daemon->loop, on_reload, daemon);
	if (r == 0)
		r = loop_on_terminate(daemon->loop, on_terminate, daemon);
	if (r == 0)
		r = loop_every(daemon->loop, TICK_MS, on_tick, daemon);
	return r < 0 ? r : service_watchdog_start(daemon->loop);
}

int daemon_start_on_relays(struct daemon *daemon, unsigned n, const struct config *config,
			   struct ecp_error *err)
{
	daemon->link_fd = -1;
	daemon->loop = loop_new();
	if (!daemon->loop)
		return ecp_error_set(err, -ENOMEM, "cannot make the event loop");
	int r = loop_reserve(FDS + config->max_clients * FDS_PER_CLIENT);
	daemon->control.clients = (struct clients){
	    .loop = daemon->loop,
	    .max = config->max_clients,
	    .max_endpoints = config->max_endpoints,
	    .ended.sort = "ended",
	    .max_memory = (uint64_t)config->max_memory_mib << 20,
	    .have_capture_group = config->have_capture_group,
	    .capture_group = config->capture_group,
	};
	daemon->control.clients.uid = config->have_user ? config->user.uid : geteuid();
	daemon->pace.few = FEW_FRAMES;
	daemon->pace.spin_ns = config->spin_us * INT64_C(1000);
	memcpy(daemon->policy, config->policy, sizeof(daemon->policy));
	if (r == 0)
		r = load_policy(daemon, err);
	if (r == 0)
		r = start_datapaths(daemon, n, config);
	if (r == 0)
		r = start_watches(daemon);
	if (r == 0)
		r = start_socket(daemon, config, err);
	if (r == 0) {
		loop_set_turn(daemon->loop, daemon_turn, daemon);
		return 0;
	}
	unsigned started = daemon->n_datapaths;
	stop_datapaths(daemon);
	policy_put(daemon->control.clients.policy);
	for (unsigned i = started; i < n; i++)
		relay_close(&daemon->datapaths[i].relay);
	loop_free(daemon->loop);
	return ecp_error_set(err, r, "cannot start: %s", strerror(-r));
}

int daemon_start(struct daemon *daemon, const struct config *config, struct ecp_error *err)
{
	int r = open_relays(daemon, config, err);
	handover_end();
	return r < 0 ? r : daemon_start_on_relays(daemon, config->n_relays, config, err);
}

int daemon_restrict(const struct daemon *daemon, const struct config *config,
		    struct ecp_error *err)
{
	unsigned users = 0;
	for (unsigned i = 0; i < daemon->n_datapaths; i++)
		users |= daemon->datapaths[i].relay.ops->syscalls;
	names_seal();
	int r = config->seccomp ? syscalls_restrict(users) : 0;
	if (r == -ENOTSUP)
		log_debug("system calls are not filtered: a sanitizer makes its own");
	else if (r < 0)
		return ecp_error_set(err, r,
				     "cannot filter system calls (\"seccomp\": false does "
				     "without): %s",
				     strerror(-r));
	return 0;
}

void daemon_run(struct daemon *daemon)
{
	loop_run(daemon->loop);
}

void daemon_stop(struct daemon *daemon)
{
	control_stop(&daemon->control);
	policy_put(daemon->control.clients.policy);
	daemon_forget_socket(daemon);
	stop_datapaths(daemon);
	loop_free(daemon->loop);
}
