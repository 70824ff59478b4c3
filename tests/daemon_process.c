/*
 * daemon_process.c - fork, serve, say ready.
 */
#include "tests/daemon_process.h"

#include "daemon/daemon.h"
#include "tests/relay_memory.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void serve(const struct config *config, int ready)
{
	static struct daemon daemon;
	struct ecp_error err = {0};
	char text[ECP_ERROR_TEXT];
	struct relay_config none = {.interface = RELAY_MEMORY_NAME};
	struct relay *relay = &daemon.datapaths[0].relay;
	log_set_level(LOG_LEVEL_ERROR);
	if (relay_open_ops(relay, &relay_memory_ops, &none, text, sizeof(text)) < 0 ||
	    daemon_start_on_relays(&daemon, 1, config, &err) < 0)
		_exit(1);
	relay_memory_reflect(relay, true);
	if (write(ready, "", 1) != 1)
		_exit(1);
	daemon_run(&daemon);
	daemon_stop(&daemon);
	_exit(0);
}

void daemon_process_start(struct daemon_process *d, uint32_t max_clients,
			  uint32_t max_endpoints)
{
	struct config config;
	int ready[2];
	char byte;
	strcpy(d->dir, "/tmp/etherconnd-XXXXXX");
	if (!mkdtemp(d->dir) || pipe(ready) < 0)
		abort();
	snprintf(d->sock, sizeof(d->sock), "%s/sock", d->dir);
	config_defaults(&config);
	snprintf(config.socket, sizeof(config.socket), "%s", d->sock);
	if (max_clients)
		config.max_clients = max_clients;
	if (max_endpoints)
		config.max_endpoints = max_endpoints;
	d->pid = fork();
	if (d->pid == 0)
		serve(&config, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
}

int daemon_process_stop(struct daemon_process *d)
{
	int status = -1;
	kill(d->pid, SIGTERM);
	waitpid(d->pid, &status, 0);
	unlink(d->sock);
	rmdir(d->dir);
	return status;
}
