/*
 * notify.h - tell systemd how we are: the sd_notify(3) protocol.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

/*
 * Send one state, such as "READY=1", to $NOTIFY_SOCKET.  0 when it was sent or nobody asked
 * (no such variable), or -errno.
 */
int notify_systemd(const char *state);

#endif
