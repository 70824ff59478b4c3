/*
 * main.c - etherconnd(8): from the command line to a daemon without privileges that serves.
 */
#include "daemon/daemon.h"
#include "daemon/systemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_RUNTIME = 1, EXIT_USAGE = 2 };

/*
 * systemd starts us again soon, as after a crash; what stands in the way of a start, such as an
 * interface that is not there yet, is looked for once a second.
 */
static int complain(const struct ecp_error *err)
{
	log_error("%s", err->text);
	service_failed(err->text);
	if (getenv("NOTIFY_SOCKET"))
		sleep(1);
	return EXIT_RUNTIME;
}

/*
 * systemd does not try again what ended by EXIT_USAGE, but looks at its main process alone: the
 * daemon, which reads the same right after its opener, is to be the one that says so.
 */
static int usage_status(const struct config *config)
{
	return config->hand_over && getenv("NOTIFY_SOCKET") ? EXIT_SUCCESS : EXIT_USAGE;
}

/* The default socket's folder, for those who start us by hand: systemd makes it by itself. */
static void make_socket_dir(const struct config *config)
{
	if (strcmp(config->socket, ECP_SOCK_PATH) || mkdir(ECP_SOCK_DIR, 0755) < 0)
		return;
	if (config->have_user &&
	    chown(ECP_SOCK_DIR, config->user.uid, config->user.gid) < 0)
		log_warning("cannot give %s to uid %u: %s", ECP_SOCK_DIR, config->user.uid,
			    strerror(errno));
}

static int give_up_privileges(const struct config *config, struct ecp_error *err)
{
	int r = isolation_enter(config->have_user ? &config->user : NULL);
	return r < 0 ? ecp_error_set(err, r, "cannot give up privileges: %s", strerror(-r))
		     : 0;
}

static void say_ready(struct daemon *daemon)
{
	for (unsigned i = 0; i < daemon->n_datapaths; i++) {
		const struct relay *relay = &daemon->datapaths[i].relay;
		log_info("relay on %s (%s, MTU %u)", relay->netif.name, relay->ops->name,
			 relay->netif.mtu);
		if (relay->filter_error)
			log_info("%s: foreign frames are not dropped by the kernel, but by "
				 "us: %s (CAP_BPF mends that)",
				 relay->netif.name, strerror(-relay->filter_error));
		if (relay->sends_by[0])
			log_info("%s sends by %s", relay->netif.name, relay->sends_by);
	}
	log_info("serving at %s", daemon->socket[0] ? daemon->socket : "systemd's socket");
	service_ready(&daemon->service, &daemon->control);
}

int main(int argc, char **argv)
{
	static struct config config;
	static struct daemon daemon;
	struct ecp_error err = {0};
	log_start();
	switch (config_from_args(&config, argc, argv)) {
	case CONFIG_RUN:
		break;
	case CONFIG_EXIT_OK:
		return EXIT_SUCCESS;
	case CONFIG_EXIT_USAGE:
		return usage_status(&config);
	}
	log_set_level(config.log_level);
	if (config.hand_over)
		return daemon_hand_over(&config, &err) < 0 ? complain(&err) : EXIT_SUCCESS;
	make_socket_dir(&config);
	if (daemon_start(&daemon, &config, &err) < 0)
		return complain(&err);
	if (give_up_privileges(&config, &err) < 0) {
		daemon_stop(&daemon);
		return complain(&err);
	}
	systemd_notify_open();
	if (daemon_restrict(&daemon, &config, &err) < 0) {
		daemon_stop(&daemon);
		return complain(&err);
	}
	say_ready(&daemon);
	daemon_run(&daemon);
	systemd_notify("STOPPING=1");
	daemon_stop(&daemon);
	return EXIT_SUCCESS;
}
