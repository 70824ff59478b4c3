/*
 * ask.c - the connection to the daemon: questions, and lists page by page.
 */
#include "ctl/filter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void ctl_close(struct ctl *ctl)
{
	kept_forget(ctl);
	if (ctl->fd >= 0)
		close(ctl->fd);
	ctl->fd = -1;
}

int ctl_open(struct ctl *ctl)
{
	ctl_close(ctl);
	ctl->socket = ctl->options.socket;
	if (!ctl->socket)
		ctl->socket = ecp_sock_find(ctl->options.interface, ctl->found);
	ctl->fd = ecp_sock_connect(ctl->socket);
	return ctl->fd < 0 ? ctl->fd : 0;
}

/* Nobody is where we looked by default: somewhere else, perhaps. */
static enum ctl_exit complain_nobody(const struct ctl *ctl)
{
	char names[256];
	bool by_default = !ctl->options.socket && !strcmp(ctl->socket, ECP_SOCK_PATH);
	if (by_default && ecp_sock_instances(names, sizeof(names)) > 0)
		return ctl_complain(CTL_FAILED, "which daemon? -i says it: %s", names);
	return ctl_complain(CTL_FAILED, "no daemon answers at %s: is etherconnd running?",
			    ctl->socket);
}

enum ctl_exit ctl_connect(struct ctl *ctl)
{
	int r = ctl_open(ctl);
	switch (r) {
	case 0:
		return CTL_OK;
	case -ENOENT:
	case -ECONNREFUSED:
		return complain_nobody(ctl);
	case -EACCES:
		return ctl_complain(CTL_FAILED,
				    "%s: permission denied: you are not in its group",
				    ctl->socket);
	default:
		return ctl_complain(CTL_FAILED, "%s: %s", ctl->socket, strerror(-r));
	}
}

/*
 * At a socket of systemd's, a daemon that is stopped may have taken us in and not have answered;
 * the next one waits there.  Only for who looks: client 7 of the next daemon is another one.
 */
static bool try_the_next(struct ctl *ctl)
{
	enum ecp_request_type type = ctl->request.type;
	if (!ctl->patient || (type != ECP_REQ_STATUS && type != ECP_REQ_SHOW))
		return false;
	int fd = ecp_sock_connect(ctl->socket);
	if (fd < 0)
		return false;
	ctl_close(ctl); /* what was kept is not its */
	ctl->fd = fd;
	return true;
}

enum ctl_exit ctl_ask_fds(struct ctl *ctl, enum ecp_reply_type expected, int *fds,
			  unsigned *n_fds)
{
	struct ecp_error err = {0};
	int r = ecp_ask(ctl->fd, &ctl->request, &ctl->reply, ctl->text, fds, n_fds, &err);
	if (r == -ENOTCONN && try_the_next(ctl)) {
		err = (struct ecp_error){0};
		r = ecp_ask(ctl->fd, &ctl->request, &ctl->reply, ctl->text, fds, n_fds,
			    &err);
	}
	ctl->patient = false;
	if (r == -EAGAIN) /* top does not wait for ever */
		return ctl_complain(CTL_FAILED, "the daemon does not answer");
	if (r < 0)
		return ctl_complain(CTL_FAILED, "%s", err.text);
	if (ctl->reply.type == ECP_REP_ERROR)
		return ctl_complain(CTL_FAILED, "%s", ctl->reply.error.text);
	if (ctl->reply.type != expected)
		return ctl_complain(CTL_FAILED, "the daemon answered something else");
	return CTL_OK;
}

enum ctl_exit ctl_ask(struct ctl *ctl, enum ecp_reply_type expected)
{
	return ctl_ask_fds(ctl, expected, NULL, NULL);
}

enum ctl_exit ctl_ask_status(struct ctl *ctl)
{
	if (kept_status(ctl, &ctl->reply.status)) {
		ctl->reply.type = ECP_REP_STATUS;
		return CTL_OK;
	}
	ctl->request.type = ECP_REQ_STATUS;
	enum ctl_exit r = ctl_ask(ctl, ECP_REP_STATUS);
	if (r == CTL_OK)
		kept_status_add(ctl, &ctl->reply.status);
	return r;
}

static enum ctl_exit ask_page(struct ctl *ctl, enum ecp_show what, uint64_t after)
{
	const struct ecp_page *page = &ctl->reply.page;
	ctl->request.type = ECP_REQ_SHOW;
	ctl->request.show = (struct ecp_show_request){.what = what, .after = after};
	enum ctl_exit r = ctl_ask(ctl, ECP_REP_PAGE);
	if (r != CTL_OK)
		return r;
	if (page->what != what || (page->more && !page->n))
		return ctl_complain(CTL_FAILED, "the daemon answered something else");
	kept_list_add(ctl, page);
	return CTL_OK;
}

enum ctl_exit ctl_pages(struct ctl *ctl, enum ecp_show what, ctl_page_fn *fn)
{
	struct ecp_page *page = &ctl->reply.page;
	const bool kept = kept_is_current(ctl, what);
	uint64_t after = 0;
	bool first = true;
	if (!kept)
		kept_list_begin(ctl, what);
	do {
		enum ctl_exit r = CTL_OK;
		if (kept)
			kept_page(ctl, what, after, page);
		else
			r = ask_page(ctl, what, after);
		if (r != CTL_OK)
			return r;
		after = page->next;
		if (ctl->filter)
			filter_page(ctl->filter, page);
		fn(ctl, page, first);
		first = false;
	} while (page->more);
	return CTL_OK;
}
