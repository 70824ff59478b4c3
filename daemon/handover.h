/*
 * handover.h - sockets that a process with privileges opens for a daemon without any.
 *
 *   etherconnd --handover               systemd                 etherconnd
 *   CAP_NET_RAW, CAP_BPF                                         no capability, no such families
 *   socket(), filter   -- FDSTORE=1 -->  store  -- LISTEN_FDS -->  bind(), rings
 *
 * So the process that reads what clients and the network write never was privileged.  Without
 * a hand-over the daemon opens them itself, as it does when it is started by hand.  One name a
 * descriptor: what it is, and of which interface.  Knows systemd; used by daemon.c,
 * packet_ring.c, afxdp_send.c and relay*.c.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>

#define HANDOVER_RX  "rx"  /* a packet socket, its filter attached */
#define HANDOVER_TX  "tx"  /* a packet socket */
#define HANDOVER_XDP "xdp" /* an AF_XDP socket */
#define HANDOVER_MAP "map" /* the map of the filter */

/* What was given of interface by one that failed half way is not the daemon's. */
void handover_begin(const char *interface);
/* Give fd, which stays the caller's.  0 or -errno. */
int handover_give(int fd, const char *what, const char *interface);
/* All that was given has arrived, and the process may end.  0 or -errno. */
int handover_wait(void);

/* Was it handed over?  Also after it was taken. */
bool handover_has(const char *what, const char *interface);
/* The descriptor, close-on-exec and the caller's from now on; -ENOENT: there is none. */
int handover_take(const char *what, const char *interface);
/* The store needs to keep nothing of it for another daemon, which gets its own. */
void handover_end(void);
/*
 * But who closes a packet socket waits until no processor is looking at it any more, 15 ms and
 * more, and longer for one with a ring: a daemon that is restarted would end as much later.  So the
 * store keeps them while it runs, and drops them when the next one has run for a while.  One
 * descriptor a call; does not wait.
 */
void handover_keep(void);

#endif
