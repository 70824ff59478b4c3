/*
 * systemd.h - what the daemon and systemd say to each other: readiness, a status, a sign of
 * life, and a socket that was made before we were.  Knows libc only.
 */
#ifndef SYSTEMD_H
#define SYSTEMD_H

/* Make the socket for the states, if they are wanted: later no socket can be made. */
void systemd_notify_open(void);
/*
 * Send one state, such as "READY=1", to $NOTIFY_SOCKET: sd_notify(3).  0 when it was sent or
 * nobody asked (no such variable), or -errno.  Does not wait: -EAGAIN if systemd is behind.
 */
int systemd_notify(const char *state);

/*
 * How long we may say nothing before systemd takes us for dead ($WATCHDOG_USEC:
 * sd_watchdog_enabled(3)), in ms; 0: nobody watches us.
 */
unsigned systemd_watchdog_ms(void);

/*
 * The listening control socket that systemd handed over ($LISTEN_FDS: sd_listen_fds(3)), made
 * non-blocking and close-on-exec; the caller's.  -ENOENT if there is none; -EINVAL if what was
 * handed over is not exactly one listening SOCK_SEQPACKET socket.
 */
int systemd_listen_fd(void);

#endif
