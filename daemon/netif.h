/*
 * netif.h - what the kernel says of a network interface.  Cold; needs no privilege.
 * Knows libc only.
 */
#ifndef NETIF_H
#define NETIF_H

#include "proto/endpoint.h"

#define NETIF_NAME 16

struct netif {
	char name[NETIF_NAME];
	int index;
	uint8_t mac[ECP_MAC_LEN];
	uint32_t mtu;
	bool enabled; /* IFF_UP: somebody has switched it on */
	bool up;      /* ... and it has a carrier (IFF_RUNNING) */
};

/*
 * Ask for the interface called name.  0; -ENODEV if there is none, -EINVAL if it is no
 * Ethernet interface (type other than ARPHRD_ETHER), -ENAMETOOLONG, or another -errno.
 */
int netif_query(const char *name, struct netif *ret);

/*
 * Watch all interfaces: a descriptor that is readable when something about one of them has
 * changed (rtnetlink(7), RTMGRP_LINK), or -errno.  What it is, netif_query() says.
 */
int netif_watch_open(void);
/*
 * It was readable: take the news.  gone is called for each interface that was deleted or taken
 * to another namespace, with its index, and with NETIF_ANY if there were more news than the
 * kernel could keep.
 */
#define NETIF_ANY 0
typedef void netif_gone_fn(void *arg, int index);
void netif_watch_drain(int fd, netif_gone_fn *gone, void *arg);

/* The name of the interface with this index.  0 or -ENODEV. */
int netif_name(int index, char name[NETIF_NAME]);

/*
 * How is the interface now that was found as netif, whatever it is called by now?  0: up;
 * -ENETDOWN; -ENODEV if it is gone, even if another has taken its name; or another -errno of
 * asking.
 */
int netif_state(const struct netif *netif);

#endif
