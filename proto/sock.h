/*
 * sock.h - the control socket: one message, and the descriptors that ride with it.
 *
 * SOCK_SEQPACKET keeps message borders, so there is no framing code anywhere.  Knows libc only.
 */
#ifndef ECP_SOCK_H
#define ECP_SOCK_H

#include <stddef.h>
#include <sys/types.h>

#define ECP_SOCK_DIR  "/run/etherconnd"
#define ECP_SOCK_PATH ECP_SOCK_DIR "/etherconnd.sock"
#define ECP_MSG_MAX   65536 /* bytes of one message, without a final NUL */
#define ECP_FDS_MAX   5

/*
 * Where the daemon that serves ifname (NULL: any) listens: $ETHERCONN_SOCKET if set; else the
 * socket of an instance for that interface (etherconnd@IFNAME.service) if there is one; else
 * ECP_SOCK_PATH; but for NULL, where nobody is at that and one instance alone is there, its socket.
 * Returns path.
 */
#define ECP_SOCK_ROOM 108 /* sun_path */
#define ECP_SOCK_NAME 64
char *ecp_sock_find(const char *ifname, char path[static ECP_SOCK_ROOM]);

/*
 * How many daemons have sockets in ECP_SOCK_DIR, and whose they are, as "eth1, eth2" as far as there is
 * room (more than 0 bytes).
 */
unsigned ecp_sock_instances(char *names, size_t room);

/*
 * Connect to the daemon at path.  Returns a close-on-exec descriptor or -errno: -ENOENT and
 * -ECONNREFUSED mean that no daemon runs there, -EACCES that we may not ask it,
 * -ENAMETOOLONG a path longer than sun_path.
 */
int ecp_sock_connect(const char *path);

/* The same, but never waiting: -EAGAIN when too many are at the door. */
int ecp_sock_connect_now(const char *path);

/*
 * Create, bind and listen at path with the given permission bits.  A socket file left by a dead daemon is
 * replaced; one that answers is not: -EADDRINUSE.  Something else at path: -EEXIST.
 * Returns a non-blocking, close-on-exec descriptor or -errno.  The caller unlinks path.
 */
int ecp_sock_listen(const char *path, mode_t mode);

/*
 * Send one message of len bytes with n_fds descriptors (0..ECP_FDS_MAX, still the caller's).
 * 0 or -errno (-EAGAIN on a full non-blocking socket, -EPIPE without a signal).
 */
int ecp_sock_send(int fd, const void *msg, size_t len, const int *fds, unsigned n_fds);

/*
 * Receive one message into buf; room is ECP_MSG_MAX for every legal one.  Returns its length,
 * 0 at the end of the connection, or -errno: -EMSGSIZE when it was longer than room (it is gone).
 * With fds NULL descriptors that the peer sends are discarded by the kernel (the daemon's way);
 * otherwise up to *n_fds are stored, close-on-exec and the caller's, the rest closed, and *n_fds
 * is how many: 0 on failure.
 */
ssize_t ecp_sock_recv(int fd, void *buf, size_t room, int *fds, unsigned *n_fds);

#endif
