/*
 * netif.c - ask the kernel for an interface, by the oldest and least privileged way.
 */
#include "daemon/netif.h"

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static_assert(NETIF_NAME == IFNAMSIZ, "the kernel's own length");
static_assert(NLMSG_HDRLEN == sizeof(struct nlmsghdr), "no room between the two");

static int ask(int fd, unsigned long request, struct ifreq *ifr)
{
	return ioctl(fd, request, ifr) < 0 ? -errno : 0;
}

/*
 * Any socket will do for these, and one of AF_UNIX is allowed in the tightest sandbox.  It is
 * kept: at run time a sandbox may allow none to be made.
 */
static int query_socket(void)
{
	static int fd = -1;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int query(int fd, struct ifreq *ifr, struct netif *found)
{
	int r = ask(fd, SIOCGIFINDEX, ifr);
	if (r < 0)
		return r;
	found->index = ifr->ifr_ifindex;
	r = ask(fd, SIOCGIFHWADDR, ifr);
	if (r < 0)
		return r;
	if (ifr->ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EINVAL;
	memcpy(found->mac, ifr->ifr_hwaddr.sa_data, ECP_MAC_LEN);
	r = ask(fd, SIOCGIFMTU, ifr);
	if (r < 0)
		return r;
	found->mtu = (uint32_t)ifr->ifr_mtu;
	r = ask(fd, SIOCGIFFLAGS, ifr);
	if (r < 0)
		return r;
	found->enabled = ifr->ifr_flags & IFF_UP;
	found->up = found->enabled && ifr->ifr_flags & IFF_RUNNING;
	return 0;
}

int netif_query(const char *name, struct netif *ret)
{
	size_t len = strlen(name);
	if (len >= IFNAMSIZ)
		return -ENAMETOOLONG;
	/* "eth1:7" was an alias address of Linux 2.0; the kernel still cuts it to eth1. */
	if (len == 0 || strchr(name, ':'))
		return -ENODEV;
	int fd = query_socket();
	if (fd < 0)
		return fd;
	struct netif found = {0};
	struct ifreq ifr = {0};
	memcpy(found.name, name, len);
	memcpy(ifr.ifr_name, name, len);
	int r = query(fd, &ifr, &found);
	if (r == 0)
		*ret = found;
	return r;
}

int netif_state(const struct netif *netif)
{
	char name[NETIF_NAME];
	struct netif now;
	int r = netif_name(netif->index, name);
	if (r == 0)
		r = netif_query(name, &now);
	if (r != 0)
		return r;
	if (now.index != netif->index)
		return -ENODEV;
	return now.up ? 0 : -ENETDOWN;
}

int netif_name(int index, char name[NETIF_NAME])
{
	struct ifreq ifr = {.ifr_ifindex = index};
	int fd = query_socket();
	int r = fd < 0 ? fd : ask(fd, SIOCGIFNAME, &ifr);
	if (r == 0)
		memcpy(name, ifr.ifr_name, NETIF_NAME);
	return r;
}

/* ---- news ---- */

int netif_watch_open(void)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&links, sizeof(links)) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

/* How each piece of news begins. */
struct news {
	struct nlmsghdr head;
	struct ifinfomsg link;
};

/*
 * Whether it is there again, netif_query() says: so nothing else matters.  A bridge says of a
 * port that leaves it, too, that it is gone: from the bridge.
 */
void netif_watch_drain(int fd, netif_gone_fn *gone, void *arg)
{
	struct news news;
	ssize_t len;
	while ((len = read(fd, &news, sizeof(news))) > 0 || (len < 0 && errno == ENOBUFS)) {
		if (len < 0)
			gone(arg, NETIF_ANY);
		else if (len == sizeof(news) && news.head.nlmsg_type == RTM_DELLINK &&
			 news.link.ifi_family == AF_UNSPEC)
			gone(arg, news.link.ifi_index);
	}
}
