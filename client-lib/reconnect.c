/*
 * reconnect.c - when the daemon dies or is restarted: finding the next one, and changing over
 * to its rings.
 *
 *   UP --socket ends--> SEEKING <--try fails-- ATTACHING --rings--> CLAIMING --all asked--> UP
 *                          `------somebody answers---^                 (reclaim.c)
 *
 * The library has no thread: whoever receives or sends goes a step further, as far as he may
 * wait.  A new socket is seen by inotify where that can be had; else, and while the daemon is not
 * ready, by trying again, soon at first.  The old rings stay until there are new ones: what is
 * unread in them is read as if nothing had happened.
 *
 * An end that was meant (ECP_CHANNEL_ENDED) is one for good, and so is a daemon that speaks another
 * version.
 */
#include "client-lib/internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#define NS_PER_MS   INT64_C(1000000)
#define PAUSE_FIRST NS_PER_MS
#define PAUSE_MOST  (100 * NS_PER_MS)

/* ---- the end ---- */

/* The relay is over, for the reason that was said last. */
static void give_up(struct ec_relay *relay)
{
	relay->gone = true;
	eci_relay_settle(relay);
}

/* Keep what was said last as the reason. */
static void keep_reason(struct ec_relay *relay)
{
	snprintf(relay->again.why, sizeof(relay->again.why), "%s", ec_error_text());
}

int eci_error_shutdown(const struct ec_relay *relay)
{
	if (relay->stopped)
		return eci_error_set(-ESHUTDOWN, "the relay was stopped");
	return eci_error_set(-ESHUTDOWN, "%s",
			     relay->again.why[0] ? relay->again.why
						 : "the daemon has ended the connection");
}

void eci_reconnect_lose(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	if (!eci_reconnect_attached(relay))
		return;
	relay->stats.tx_lost += eci_tx_untaken(relay);
	if (relay->d->state == ECP_CHANNEL_ENDED || again->patience_ns < 0) {
		give_up(relay);
		return;
	}
	eci_relay_hang_up(relay);
	if (again->claims)
		again->claims->n_asked = 0;
	again->way = ECI_SEEKING;
	again->pause = PAUSE_FIRST;
	again->due = ec_now();
	again->until = again->due + again->patience_ns;
	again->why[0] = 0;
	eci_relay_settle(relay);
}

/* ---- seeking ---- */

/* Have a socket that appears be seen.  Again each time: the folder may be another by now. */
static void folder_watch(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	char folder[ECP_SOCK_ROOM];
	char *slash = strrchr(strcpy(folder, again->socket), '/');
	if (again->inotify_fd < 0) {
		again->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		eci_relay_watch(relay, again->inotify_fd);
	}
	if (!slash)
		strcpy(folder, ".");
	else
		slash[slash == folder] = 0;
	again->folder = inotify_add_watch(again->inotify_fd, folder,
					  IN_CREATE | IN_MOVED_TO | IN_ATTRIB);
}

/* Has something changed there? */
static bool folder_changed(struct ec_relay *relay)
{
	char events[4096];
	bool any = false;
	while (read(relay->again.inotify_fd, events, sizeof(events)) > 0)
		any = true;
	return any;
}

/*
 * Look no more.  To close the descriptor as well would wait for the kernel, more than 10 ms with
 * all endpoints still to be claimed.
 */
static void folder_leave(struct ec_relay *relay)
{
	inotify_rm_watch(relay->again.inotify_fd, relay->again.folder);
	folder_changed(relay); /* that it was left is news, too */
}

/* This try has failed, for the reason that was said last. */
static void try_later(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	keep_reason(relay);
	eci_relay_hang_up(relay);
	again->way = ECI_SEEKING;
	again->due = ec_now() + again->pause;
	again->pause = again->pause * 2 < PAUSE_MOST ? again->pause * 2 : PAUSE_MOST;
}

/* Connect and ask for rings; the answer is waited for elsewhere.  0 or -errno, said. */
static int try_ask(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	if (!again->claims)
		again->claims = calloc(1, sizeof(*again->claims));
	if (!again->claims)
		return eci_error_set(-ENOMEM, "out of memory");
	struct question *q = &again->claims->question;
	relay->control = ecp_sock_connect_now(again->socket);
	if (relay->control < 0)
		return eci_error_set(relay->control, "%s: %s", again->socket,
				     strerror(-relay->control));
	eci_relay_watch(relay, relay->control);
	eci_relay_attach_request(relay, &q->request);
	ssize_t len = ecp_request_format(&q->request, q->text, sizeof(q->text));
	int r = len < 0 ? (int)len
			: ecp_sock_send(relay->control, q->text, (size_t)len, NULL, 0);
	/* a daemon that refuses the connection has said so before it closed it */
	return r < 0 && r != -EPIPE
		   ? eci_error_set(r, "asking the daemon: %s", strerror(-r))
		   : 0;
}

static void seek(struct ec_relay *relay, int64_t now)
{
	struct reconnect *again = &relay->again;
	if (folder_changed(relay))
		again->pause = PAUSE_FIRST;
	else if (now < again->due)
		return;
	folder_watch(relay); /* before the try: what comes after it is seen */
	if (try_ask(relay) < 0)
		try_later(relay);
	else
		again->way = ECI_ATTACHING;
}

/* ---- attaching ---- */

/* The daemon's answer.  0 or -errno, said; -EPROTO is for good. */
static int answer_take(struct ec_relay *relay)
{
	struct question *q = &relay->again.claims->question;
	struct ecp_error err = {0};
	int fds[ECP_N_CHANNEL_FDS];
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	ssize_t len = ecp_sock_recv(relay->control, q->text, ECP_MSG_MAX, fds, &n_fds);
	if (len <= 0)
		return eci_error_set(-ENOTCONN, "the daemon has closed the connection");
	if (ecp_reply_parse(q->text, (size_t)len, &q->reply, &err) == 0)
		return eci_relay_attach_take(relay, &q->reply, fds, n_fds);
	while (n_fds)
		close(fds[--n_fds]);
	return eci_error_take(&err);
}

static void attach(struct ec_relay *relay)
{
	int r = answer_take(relay);
	if (r == -EPROTO) {
		keep_reason(relay);
		give_up(relay);
		return;
	}
	if (r < 0) {
		try_later(relay);
		return;
	}
	relay->again.why[0] = 0;
	folder_leave(relay);
	relay->generation++;
	relay->stats.reconnects++;
	eci_reclaim_begin(relay);
}

/* ---- a step further ---- */

static bool answered(const struct ec_relay *relay)
{
	struct pollfd p = {.fd = relay->control, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

void eci_reconnect_look(struct ec_relay *relay)
{
	if (answered(relay))
		eci_reconnect_hear(relay);
}

void eci_reconnect_hear(struct ec_relay *relay)
{
	switch (relay->again.way) {
	case ECI_UP: /* nothing was asked: it is the end */
		eci_reconnect_lose(relay);
		break;
	case ECI_CLAIMING:
		eci_reclaim_take(relay);
		if (relay->again.way == ECI_CLAIMING)
			eci_reclaim_next(relay);
		break;
	case ECI_SEEKING:
	case ECI_ATTACHING: /* whoever may change the rings does it */
		break;
	}
}

static void step(struct ec_relay *relay, int64_t now)
{
	struct reconnect *again = &relay->again;
	bool due = again->due && now >= again->due;
	switch (again->way) {
	case ECI_UP:
		if (due) {
			eci_relay_drop(relay, &again->inotify_fd);
			eci_reclaim_again(relay);
		}
		break;
	case ECI_CLAIMING:
		if (again->claims->n_asked)
			eci_reconnect_look(relay);
		else if (!again->due || due)
			eci_reclaim_next(relay);
		break;
	case ECI_SEEKING:
		seek(relay, now);
		break;
	case ECI_ATTACHING:
		if (answered(relay))
			attach(relay);
		break;
	}
}

int eci_reconnect_run(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	if (relay->gone)
		return -ESHUTDOWN;
	if (again->way == ECI_UP && !again->due)
		return 0;
	int64_t now = ec_now();
	step(relay, now);
	if (!eci_reconnect_attached(relay) && !relay->gone && now >= again->until) {
		if (!again->why[0])
			snprintf(again->why, sizeof(again->why),
				 "the daemon did not answer");
		give_up(relay);
	}
	eci_relay_settle(relay);
	return relay->gone ? -ESHUTDOWN : 0;
}

int64_t eci_reconnect_due(const struct ec_relay *relay)
{
	const struct reconnect *again = &relay->again;
	if (relay->gone)
		return 0;
	if (again->way == ECI_ATTACHING)
		return again->until;
	if (again->way == ECI_SEEKING && again->due > again->until)
		return again->until;
	return again->due;
}

int eci_reconnect_wait(struct ec_relay *relay, int64_t deadline_ns)
{
	int64_t due = eci_relay_due(relay);
	bool early = due && (!deadline_ns || due < deadline_ns);
	int r = eci_relay_wait(relay, early ? due : deadline_ns);
	return r == -ETIMEDOUT && early ? 0 : r;
}

int eci_reconnect_finish(struct ec_relay *relay)
{
	int r = eci_reconnect_run(relay);
	while (r == 0 && relay->again.way != ECI_UP) {
		relay->armed = false; /* the bell may ring for frames, too */
		r = eci_reconnect_wait(relay, 0);
		if (r == 0)
			r = eci_reconnect_run(relay);
	}
	return r < 0 ? eci_error_shutdown(relay) : 0;
}

EC_API uint32_t ec_relay_generation(const struct ec_relay *relay)
{
	return relay->generation;
}

/* ---- what is left of before ---- */

void eci_reconnect_release(struct ec_relay *relay)
{
	struct reconnect *again = &relay->again;
	if (again->lent_d)
		munmap((void *)(uintptr_t)again->lent_d, again->lent_size);
	again->lent_d = NULL;
}

void eci_reconnect_fini(struct ec_relay *relay)
{
	eci_reconnect_release(relay);
	if (relay->again.inotify_fd >= 0)
		close(relay->again.inotify_fd);
	free(relay->again.claims);
}
