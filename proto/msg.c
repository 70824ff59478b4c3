/*
 * msg.c - names of errors, and asking.
 */
#include "proto/msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- errno names ---- */

static const struct {
	int number;
	const char *name;
} errnos[] = {
#define E(name)                                                                            \
	{                                                                                  \
		name, #name                                                                \
	}
    E(EACCES),          E(EADDRINUSE), E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN),
    E(EALREADY),        E(EBADMSG),    E(EBUSY),         E(ECONNREFUSED), E(EDQUOT),
    E(EEXIST),          E(EINVAL),     E(EMFILE),        E(EMSGSIZE),     E(ENAMETOOLONG),
    E(ENETDOWN),        E(ENFILE),     E(ENODEV),        E(ENOENT),       E(ENOMEM),
    E(ENOSPC),          E(ENOTCONN),   E(EOPNOTSUPP),    E(EPERM),        E(EPROTO),
    E(EPROTONOSUPPORT), E(ESHUTDOWN),  E(ETIMEDOUT),     E(EUSERS),       E(EIO),
#undef E
};

#define N_ERRNOS (sizeof(errnos) / sizeof(*errnos))

const char *ecp_errno_name(int error)
{
	for (size_t i = 0; i < N_ERRNOS; i++)
		if (errnos[i].number == error || errnos[i].number == -error)
			return errnos[i].name;
	return "EIO";
}

int ecp_errno_by_name(const char *name)
{
	for (size_t i = 0; i < N_ERRNOS; i++)
		if (!strcmp(errnos[i].name, name))
			return errnos[i].number;
	return EIO;
}

/* ---- asking ---- */

int ecp_ask(int fd, const struct ecp_request *req, struct ecp_reply *rep, char *buf,
	    int *fds, unsigned *n_fds, struct ecp_error *err)
{
	ssize_t len = ecp_request_format(req, buf, ECP_MSG_MAX + 1);
	if (len < 0)
		return ecp_error_set(err, (int)len, "the request is too long");
	int r = ecp_sock_send(fd, buf, (size_t)len, NULL, 0);
	if (r == -EPIPE || r == -ECONNRESET)
		return ecp_error_set(err, -ENOTCONN,
				     "the daemon has closed the connection");
	if (r < 0)
		return ecp_error_set(err, r, "asking the daemon: %s", strerror(-r));
	len = ecp_sock_recv(fd, buf, ECP_MSG_MAX, fds, n_fds);
	if (len == 0 || len == -ECONNRESET)
		return ecp_error_set(err, -ENOTCONN,
				     "the daemon has closed the connection");
	if (len < 0)
		return ecp_error_set(err, (int)len, "the daemon's answer: %s",
				     strerror((int)-len));
	r = ecp_reply_parse(buf, (size_t)len, rep, err);
	while (r < 0 && fds && *n_fds)
		close(fds[--*n_fds]);
	return r;
}
