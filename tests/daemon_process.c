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

/* On the memory relay, or with interface on a real one. */
struct serving {
	struct config config;
	const char *interface, *backend, *filter;
};

static int open_relay(struct relay *relay, const struct serving *s, char *text, size_t room)
{
	struct relay_config config = {.interface = RELAY_MEMORY_NAME};
	if (!s->interface)
		return relay_open_ops(relay, &relay_memory_ops, &config, text, room);
	config = (struct relay_config){.interface = s->interface,
				       .backend = s->backend,
				       .filter = s->filter,
				       .promiscuous = true};
	return relay_open(relay, &config, text, room);
}

static void serve(const struct serving *s, int ready)
{
	static struct daemon daemon;
	struct ecp_error err = {0};
	char text[ECP_ERROR_TEXT];
	struct relay *relay = &daemon.datapaths[0].relay;
	log_set_level(s->config.log_level);
	if (open_relay(relay, s, text, sizeof(text)) < 0) {
		fprintf(stderr, "daemon_process: %s\n", text);
		_exit(1);
	}
	if (daemon_start_on_relays(&daemon, 1, &s->config, &err) < 0)
		_exit(1);
	/* as in main.c: what follows needs no privilege */
	if (s->interface && isolation_enter(NULL) < 0)
		_exit(1);
	if (daemon_restrict(&daemon, &s->config, &err) < 0)
		_exit(1);
	if (!s->interface)
		relay_memory_reflect(relay, true);
	if (write(ready, "", 1) != 1)
		_exit(1);
	daemon_run(&daemon);
	daemon_stop(&daemon);
	_exit(0);
}

/* A process that serves at d->sock as soon as it is told to, or ends with us. */
static void stand_by(struct daemon_process *d, struct serving *s)
{
	int go[2], ready[2];
	char byte;
	if (pipe(go) < 0 || pipe(ready) < 0)
		abort();
	snprintf(s->config.socket, sizeof(s->config.socket), "%s", d->sock);
	d->next = fork();
	if (d->next == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(0);
		close(go[0]);
		serve(s, ready[1]);
	}
	close(go[0]);
	close(ready[1]);
	d->go = go[1];
	d->ready = ready[0];
}

void daemon_process_take_over(struct daemon_process *d)
{
	char byte;
	if (write(d->go, "", 1) != 1 || read(d->ready, &byte, 1) != 1)
		abort();
	close(d->go);
	close(d->ready);
	d->pid = d->next;
}

void daemon_process_folder(struct daemon_process *d)
{
	strcpy(d->dir, "/tmp/etherconnd-XXXXXX");
	if (!mkdtemp(d->dir))
		abort();
	snprintf(d->sock, sizeof(d->sock), "%s/sock", d->dir);
}

static void start(struct daemon_process *d, struct serving *s)
{
	daemon_process_folder(d);
	stand_by(d, s);
	daemon_process_take_over(d);
}

void daemon_process_defaults(struct config *config)
{
	config_defaults(config);
	config->log_level = LOG_LEVEL_ERROR;
}

void daemon_process_start(struct daemon_process *d, uint32_t max_clients,
			  uint32_t max_endpoints)
{
	struct serving s = {.interface = NULL};
	daemon_process_defaults(&s.config);
	if (max_clients)
		s.config.max_clients = max_clients;
	if (max_endpoints)
		s.config.max_endpoints = max_endpoints;
	start(d, &s);
}

void daemon_process_start_on(struct daemon_process *d, const char *interface,
			     const char *backend)
{
	daemon_process_start_filtered(d, interface, backend, NULL);
}

void daemon_process_start_filtered(struct daemon_process *d, const char *interface,
				   const char *backend, const char *filter)
{
	struct serving s = {.interface = interface, .backend = backend, .filter = filter};
	daemon_process_defaults(&s.config);
	start(d, &s);
}

void daemon_process_start_config(struct daemon_process *d, const struct config *config)
{
	struct serving s = {.config = *config};
	start(d, &s);
}

struct ecp_reply *daemon_process_ask(const struct daemon_process *d,
				     const struct ecp_request *request)
{
	static struct ecp_reply reply;
	static char text[ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	int fd = ecp_sock_connect(d->sock);
	if (fd < 0 || ecp_ask(fd, request, &reply, text, NULL, NULL, &err) < 0) {
		fprintf(stderr, "daemon_process: no answer: %s\n", err.text);
		abort();
	}
	close(fd);
	return &reply;
}

void daemon_process_stats(const struct daemon_process *d, struct ecp_relay_stats *stats)
{
	const struct ecp_reply *reply =
	    daemon_process_ask(d, &(struct ecp_request){.type = ECP_REQ_SHOW,
							.show = {.what = ECP_SHOW_RELAYS}});
	if (reply->type != ECP_REP_PAGE || reply->page.n != 1)
		abort();
	*stats = reply->page.relays[0].stats;
}

void daemon_process_die(struct daemon_process *d, int signal)
{
	kill(d->pid, signal);
	waitpid(d->pid, NULL, 0);
}

void daemon_process_stand_by(struct daemon_process *d, const struct config *config)
{
	struct serving s = {.config = *config};
	stand_by(d, &s);
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
