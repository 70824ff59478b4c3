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
 * handed over, but for what was stored, is not exactly one listening SOCK_SEQPACKET socket.
 */
int systemd_listen_fd(void);

/* ---- the store of descriptors: sd_pid_notify_with_fds(3) ---- */

#define SYSTEMD_FD_NAME 64

/* Keep fd under this name for the unit's main process.  0 or -errno: nobody to keep it. */
int systemd_store(int fd, const char *name);
/* Keep none of that name.  Waits until it is sent. */
void systemd_store_remove(const char *name);
/* Keep fd, or nothing (-1), in place of what has that name.  Does not wait.  0, or -errno: try again. */
int systemd_store_again(int fd, const char *name);
/* Wait until what was sent so far has been taken.  0 or -errno. */
int systemd_barrier(void);

/* The descriptor that was kept under this name, made close-on-exec, or -ENOENT. */
int systemd_stored(const char *name);
/*
 * Each of them: what was the number of the next, from *at on, which begins as 0, and its name.
 * -ENOENT: no more.
 */
int systemd_stored_next(unsigned *at, char name[SYSTEMD_FD_NAME]);

#endif
