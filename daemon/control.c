/*
 * control.c - requests and their answers; serve() is the table of contents.
 */
#include "daemon/control.h"

#include "daemon/log.h"

#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static_assert((int)ECP_N_CHANNEL_FDS <= ECP_FDS_MAX, "they ride with one message");

/* ---- answers ---- */

static void answer_error(struct ecp_reply *reply, const struct ecp_error *err)
{
	reply->type = ECP_REP_ERROR;
	reply->error = *err;
}

static struct datapath *find_datapath(struct control *control, const char *interface,
				      struct ecp_error *err)
{
	struct datapath *dps = control->datapaths;
	if (!interface[0] && control->n_datapaths == 1)
		return &dps[0];
	for (unsigned i = 0; i < control->n_datapaths; i++)
		if (!strcmp(dps[i].relay.netif.name, interface))
			return &dps[i];
	if (!interface[0])
		ecp_error_set(err, -EINVAL, "which interface? this daemon has %u",
			      control->n_datapaths);
	else
		ecp_error_set(err, -ENODEV, "this daemon has no relay on %s", interface);
	return NULL;
}

static int check_version(unsigned version, struct ecp_error *err)
{
	if (version == ECP_PROTOCOL_VERSION)
		return 0;
	return ecp_error_set(err, -EPROTO, "protocol version %u: this daemon speaks %u",
			     version, ECP_PROTOCOL_VERSION);
}

static int serve_attach(struct control *control, struct client *client,
			const struct ecp_attach *attach, struct ecp_reply *reply,
			struct ecp_error *err)
{
	if (check_version(attach->version, err) < 0)
		return err->code;
	struct datapath *dp = find_datapath(control, attach->interface, err);
	if (!dp)
		return err->code;
	int r = client_attach(client, dp, attach->rx_ring, attach->tx_ring, err);
	if (r < 0)
		return r;
	const struct netif *netif = &dp->relay.netif;
	reply->type = ECP_REP_ATTACHED;
	reply->attached = (struct ecp_attached){
	    .version = ECP_PROTOCOL_VERSION,
	    .session = client->all->session,
	    .mtu = netif->mtu,
	    .rx_ring = (uint32_t)client->channel->rx.size,
	    .tx_ring = (uint32_t)client->channel->tx.size,
	};
	snprintf(reply->attached.interface, ECP_IFNAME, "%s", netif->name);
	memcpy(reply->attached.mac, netif->mac, ECP_MAC_LEN);
	return 0;
}

static int serve_capture(struct control *control, struct client *client,
			 const struct ecp_capture *capture, struct ecp_reply *reply,
			 struct ecp_error *err)
{
	struct datapath *dps = control->datapaths;
	unsigned n = control->n_datapaths;
	if (check_version(capture->version, err) < 0)
		return err->code;
	if (capture->interface[0]) {
		dps = find_datapath(control, capture->interface, err);
		n = 1;
	}
	if (!dps ||
	    client_capture(client, dps, n, capture->ring, capture->snaplen, err) < 0)
		return err->code;
	log_info("client %u (pid %u, %s) captures%s%s", client->id, client->pid,
		 client->comm, capture->interface[0] ? " on " : "", capture->interface);
	reply->type = ECP_REP_CAPTURING;
	reply->capturing = (struct ecp_capturing){
	    .version = ECP_PROTOCOL_VERSION,
	    .ring = (uint32_t)client->capture->channel->rx.size,
	    .snaplen = client->capture->snaplen,
	};
	return 0;
}

static void serve_open(struct client *client, const struct ecp_open *open,
		       struct ecp_reply *reply)
{
	struct ecp_opened *opened = &reply->opened;
	reply->type = ECP_REP_OPENED;
	for (opened->n = 0; opened->n < open->n; opened->n++)
		client_open(client, &open->items[opened->n], opened,
			    &opened->items[opened->n]);
}

static void serve_close(struct client *client, const struct ecp_close *close,
			struct ecp_reply *reply)
{
	reply->type = ECP_REP_CLOSED;
	reply->closed.n = 0;
	for (unsigned i = 0; i < close->n; i++)
		reply->closed.n += client_close(client, close->ids[i]);
}

static int serve_set_local(struct client *client, const struct ecp_set_local *set,
			   struct ecp_reply *reply, struct ecp_error *err)
{
	reply->type = ECP_REP_LOCAL_SET;
	return client_set_local(client, set->id, &set->local, err);
}

static void serve_status(const struct control *control, struct ecp_reply *reply)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	reply->type = ECP_REP_STATUS;
	reply->status = (struct ecp_status){
	    .version = EC_VERSION,
	    .pid = control->pid,
	    .uid = control->clients.uid,
	    .uptime_s = (uint64_t)(now.tv_sec - control->started),
	    .relays = control->n_datapaths,
	    .clients = control->clients.n,
	    .endpoints = control_count_endpoints(control),
	    .denied = control->clients.denials.n,
	};
}

/* What others are allowed is nobody's business. */
static int serve_show(const struct control *control, const struct client *client,
		      const struct ecp_show_request *show, struct ecp_reply *reply,
		      struct ecp_error *err)
{
	if (show->what == ECP_SHOW_POLICY &&
	    control_check_operator(client, "reading the policy", err) < 0)
		return err->code;
	reply->type = ECP_REP_PAGE;
	control_show(control, show, &reply->page);
	return 0;
}

/* ---- steering: for root, and whoever the daemon runs as ---- */

static int serve_log(const struct client *client, const struct ecp_log *log,
		     struct ecp_reply *reply, struct ecp_error *err)
{
	enum log_level level;
	struct ecp_event event = {.type = ECP_EVENT_LOG_LEVEL};
	if (control_check_operator(client, "steering the daemon", err) < 0)
		return err->code;
	if (!log_level_parse(log->level, &level))
		return ecp_error_set(err, -EINVAL,
				     "level: \"%s\" is none of error, warning, info, debug",
				     log->level);
	log_set_level(level);
	log_info("pid %u (%s) set the log level to %s", client->pid, client->comm,
		 log->level);
	snprintf(event.text, sizeof(event.text), "%s", log->level);
	client_tell(client, &event);
	reply->type = ECP_REP_DONE;
	return 0;
}

static int serve_kill(struct control *control, const struct client *client, uint32_t id,
		      struct ecp_reply *reply, struct ecp_error *err)
{
	if (control_check_operator(client, "steering the daemon", err) < 0)
		return err->code;
	struct client *victim = id ? client_after(&control->clients, id - 1) : NULL;
	if (!victim || victim->id != id)
		return ecp_error_set(err, -ENOENT, "there is no client %u", id);
	if (victim == client)
		return ecp_error_set(err, -EINVAL, "client %u is the one that asks", id);
	log_info("pid %u (%s) ended client %u (pid %u, %s)", client->pid, client->comm, id,
		 victim->pid, victim->comm);
	client_kill(victim);
	reply->type = ECP_REP_DONE;
	return 0;
}

/* ---- what if ---- */

/* The test's own groups, in the form the policy wants. */
static int judge_test(const struct clients *clients, const struct netif *netif,
		      const struct ecp_policy_test *test, const struct policy_rule **rule,
		      struct ecp_error *err)
{
	gid_t gids[ECP_GIDS_MAX];
	bool in_group = false;
	for (unsigned i = 0; i < test->n_gids; i++) {
		gids[i] = test->gids[i];
		in_group |=
		    clients->have_capture_group && gids[i] == clients->capture_group;
	}
	const struct policy_who who = {
	    .uid = test->uid,
	    .n_gids = test->n_gids,
	    .gids = gids,
	    .may_capture = test->uid == 0 || in_group,
	};
	struct policy_claim claim = {
	    .interface = netif->name,
	    .own_mac = netif->mac,
	    .l2 = &test->l2.l2,
	    .flags = test->l2.flags,
	};
	claim.n_ethertypes = client_ethertypes(&test->l2, &claim.ethertypes);
	if (policy_judge(clients->policy, &who, &claim, rule, err) < 0 || !test->have_udp)
		return err->code;
	claim.local = &test->udp;
	return policy_judge(clients->policy, &who, &claim, rule, err);
}

static int serve_policy_test(struct control *control, const struct client *client,
			     const struct ecp_policy_test *test, struct ecp_reply *reply,
			     struct ecp_error *err)
{
	struct ecp_policy_verdict *verdict = &reply->policy;
	const struct policy_rule *rule;
	const struct datapath *dp;
	if (control_check_operator(client, "steering the daemon", err) < 0)
		return err->code;
	dp = find_datapath(control, test->interface, err);
	if (!dp)
		return err->code;
	reply->type = ECP_REP_POLICY;
	*verdict = (struct ecp_policy_verdict){0};
	judge_test(&control->clients, &dp->relay.netif, test, &rule, &verdict->denied);
	if (!rule)
		return 0;
	snprintf(verdict->rule, sizeof(verdict->rule), "%s", rule->name);
	verdict->raw = rule->sending.raw && !rule->deny;
	verdict->limits = rule->limits;
	return 0;
}

/* ---- requests ---- */

static void serve(struct control *control, struct client *client)
{
	struct ecp_request *req = &control->request;
	struct ecp_reply *reply = &control->reply;
	struct ecp_error err = {0};
	switch (req->type) {
	case ECP_REQ_ATTACH:
		serve_attach(control, client, &req->attach, reply, &err);
		break;
	case ECP_REQ_OPEN:
		serve_open(client, &req->open, reply);
		break;
	case ECP_REQ_CLOSE:
		serve_close(client, &req->close, reply);
		break;
	case ECP_REQ_SET_LOCAL:
		serve_set_local(client, &req->set_local, reply, &err);
		break;
	case ECP_REQ_STATUS:
		serve_status(control, reply);
		break;
	case ECP_REQ_SHOW:
		serve_show(control, client, &req->show, reply, &err);
		break;
	case ECP_REQ_LOG:
		serve_log(client, &req->log, reply, &err);
		break;
	case ECP_REQ_KILL:
		serve_kill(control, client, req->kill.client, reply, &err);
		break;
	case ECP_REQ_POLICY:
		serve_policy_test(control, client, &req->policy_test, reply, &err);
		break;
	case ECP_REQ_CAPTURE:
		serve_capture(control, client, &req->capture, reply, &err);
		break;
	case ECP_REQ_MONITOR:
		control_serve_monitor(control, client, reply, &err);
		break;
	case ECP_REQ_COUNTERS:
		control_serve_counters(control, client, reply, &err);
		break;
	}
	if (err.code)
		answer_error(reply, &err);
}

/* The channel whose descriptors ride with this reply, or NULL. */
static struct channel *channel_of_reply(const struct client *client,
					const struct ecp_reply *reply)
{
	if (reply->type == ECP_REP_ATTACHED)
		return client->channel;
	return reply->type == ECP_REP_CAPTURING ? client->capture->channel : NULL;
}

/* Returns 0, or -errno if the client cannot be answered. */
static int send_reply(struct control *control, struct client *client)
{
	const struct ecp_reply *reply = &control->reply;
	ssize_t len = ecp_reply_format(reply, control->text, sizeof(control->text));
	if (len < 0)
		return (int)len;
	if (reply->type == ECP_REP_COUNTERS)
		return ecp_sock_send(client->fd, control->text, (size_t)len,
				     &control->clients.counters.reader_fd, 1);
	struct channel *ch = channel_of_reply(client, reply);
	if (!ch)
		return ecp_sock_send(client->fd, control->text, (size_t)len, NULL, 0);
	int r = ecp_sock_send(client->fd, control->text, (size_t)len, ch->peer_fds,
			      ECP_N_CHANNEL_FDS);
	channel_forget_peer_fds(ch);
	return r;
}

/* control.c's part of a client is only the way back to control. */
static void on_request(void *arg)
{
	struct client *client = arg;
	struct control *control = client->control;
	struct ecp_error err = {0};
	ssize_t len = ecp_sock_recv(client->fd, control->text, ECP_MSG_MAX, NULL, NULL);
	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len == 0 || (len < 0 && len != -EMSGSIZE)) {
		client_free(client);
		return;
	}
	if (len < 0)
		ecp_error_set(&err, -EMSGSIZE, "a message may have %d bytes", ECP_MSG_MAX);
	else if (client_may_ask(client, &err) < 0)
		client_denied(client, &err);
	else
		ecp_request_parse(control->text, (size_t)len, &control->request, &err);
	if (err.code)
		answer_error(&control->reply, &err);
	else
		serve(control, client);
	control_tell_request(control, client);

	int r = send_reply(control, client);
	if (r < 0) {
		denials_log(
		    &control->clients.ended, bucket_clock_ns(),
		    "client %u (pid %u, %s) ended: it does not take its replies: %s",
		    client->id, client->pid, client->comm, strerror(-r));
		client_end(client, "it does not take its replies");
	}
}

/* Say why before hanging up, as far as that goes. */
static void refuse(struct control *control, int fd, const struct ecp_error *err)
{
	answer_error(&control->reply, err);
	ssize_t len =
	    ecp_reply_format(&control->reply, control->text, sizeof(control->text));
	if (len > 0)
		ecp_sock_send(fd, control->text, (size_t)len, NULL, 0);
}

static void on_accept(void *arg)
{
	struct control *control = arg;
	struct ecp_error err = {0};
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct client *client = client_new(&control->clients, fd, on_request);
	if (!client) {
		ecp_error_set(&err, -EUSERS,
			      "%u clients are connected: no more are allowed",
			      control->clients.n);
		refuse(control, fd, &err);
		denials_log(&control->clients.ended, bucket_clock_ns(),
			    "a connection was refused: %s", err.text);
		close(fd);
		return;
	}
	client->control = control;
	if (client_admit(client, &err) < 0) {
		refuse(control, fd, &err);
		client_denied(client, &err);
		control_tell_request(control, client);
		client_free(client);
		return;
	}
	log_debug("client %u: pid %u (%s), uid %u", client->id, client->pid, client->comm,
		  client->uid);
}

/* ---- start and stop ---- */

int control_start(struct control *control, int fd, struct datapath *datapaths,
		  unsigned n_datapaths)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	control->started = now.tv_sec;
	control->pid = (uint32_t)getpid();
	control->fd = fd;
	control->datapaths = datapaths;
	control->n_datapaths = n_datapaths;
	if (getrandom(&control->clients.session, sizeof(control->clients.session), 0) < 0)
		return -errno;
	/* JSON numbers are exact up to here */
	control->clients.session &= (UINT64_C(1) << 53) - 1;
	int r = control_start_counters(control);
	if (r == 0)
		r = loop_fd_start(control->clients.loop, &control->accept, fd, on_accept,
				  control);
	if (r < 0)
		control_stop_counters(control);
	return r;
}

void control_stop(struct control *control)
{
	loop_fd_stop(control->clients.loop, &control->accept);
	while (control->clients.first)
		client_leave(control->clients.first);
	control_stop_counters(control);
	close(control->fd);
}

void control_end_broken(struct control *control)
{
	struct client *next;
	for (struct client *c = control->clients.first; c; c = next) {
		next = c->next;
		bool broken = (c->channel && c->channel->broken) ||
			      (c->capture && c->capture->channel->broken);
		if (!broken)
			continue;
		denials_log(
		    &control->clients.ended, bucket_clock_ns(),
		    "client %u (pid %u, %s) ended: it wrote what is no record into its "
		    "ring",
		    c->id, c->pid, c->comm);
		client_end(c, "it wrote what is no record into its ring");
	}
}
