/*
 * doctor_interface.c - what an interface has that a daemon on it would rather not meet.
 *
 * Read without privileges: ethtool's ioctls (linux/ethtool.h), getifaddrs(3), /proc/sys.
 */
#include "ctl/doctor.h"

#include "proto/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_PACKET 1500 /* what everybody takes for granted */

struct interface {
	struct doctor *doctor;
	const char *name;
	const struct doctor_served *served;
	int fd;
};

static bool ask(const struct interface *interface, unsigned long what, struct ifreq *ifr)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", interface->name);
	return ioctl(interface->fd, what, ifr) == 0;
}

static void report(const struct interface *interface, struct finding *finding)
{
	finding->interface = interface->name;
	doctor_report(interface->doctor, finding);
}

/* ---- link and MTU ---- */

static void check_link(const struct interface *interface)
{
	struct finding f = {.check = "link"};
	struct ifreq ifr = {0};
	if (!ask(interface, SIOCGIFFLAGS, &ifr))
		finding_set(&f, DOCTOR_FAULT, "its state cannot be read: %s",
			    strerror(errno));
	else if (!(ifr.ifr_flags & IFF_UP))
		finding_mend(finding_set(&f, DOCTOR_FAULT,
					 "it is down: nothing is received or sent"),
			     "ip link set dev %s up", interface->name);
	else if (!(ifr.ifr_flags & IFF_RUNNING))
		finding_set(&f, DOCTOR_FAULT,
			    "it has no carrier: is the cable, or the other end, up?");
	else
		finding_set(&f, DOCTOR_FINE, "it is up");
	report(interface, &f);
}

static uint32_t payload_of_two_tags(uint32_t mtu, uint16_t outer)
{
	struct ecp_vlan tags[] = {{.id = 1, .tpid = outer},
				  {.id = 1, .tpid = ECP_TPID_8021Q}};
	return ecp_payload_max(mtu, tags, 2);
}

static void check_mtu(const struct interface *interface)
{
	struct finding f = {.check = "mtu"};
	struct ifreq ifr = {0};
	if (!ask(interface, SIOCGIFMTU, &ifr))
		return;
	uint32_t mtu = (uint32_t)ifr.ifr_mtu, enough = mtu;
	uint32_t least = payload_of_two_tags(mtu, ECP_TPID_8021AD);
	while (payload_of_two_tags(enough, ECP_TPID_8021AD) < FULL_PACKET)
		enough++;
	if (least >= FULL_PACKET) {
		finding_set(&f, DOCTOR_FINE, "MTU %u carries full packets with two tags",
			    mtu);
	} else {
		finding_set(
		    &f, interface->served->has_two_tags ? DOCTOR_FAULT : DOCTOR_NOTE,
		    "MTU %u leaves endpoints with two VLAN tags packets of %u bytes, "
		    "or %u with an 802.1ad tag, not %u",
		    mtu, payload_of_two_tags(mtu, ECP_TPID_8021Q), least, FULL_PACKET);
		finding_mend(&f, "ip link set dev %s mtu %u", interface->name, enough);
	}
	report(interface, &f);
}

/* ---- offloads ---- */

static bool ethtool_get(const struct interface *interface, uint32_t what, uint32_t *value)
{
	struct ethtool_value get = {.cmd = what};
	struct ifreq ifr = {.ifr_data = (char *)&get};
	if (!ask(interface, SIOCETHTOOL, &ifr))
		return false;
	*value = get.data;
	return true;
}

/* A veth hands over what the other end's stack left to hardware; a card receives no such thing. */
static bool is_veth(const struct interface *interface)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};
	return ask(interface, SIOCETHTOOL, &ifr) && !strcmp(info.driver, "veth");
}

#define MERGES "merges received frames into ones longer than the MTU, which are dropped"
#define SPLITS                                                                             \
	"lets frames of up to 64 KiB cross the pair, and what is longer than the MTU is "  \
	"dropped; switch it off at the other end above all"

/* Offloads, and what they do to us.  flag 0: the answer is the value; else that bit of it. */
static const struct offload {
	const char *name; /* ethtool's */
	uint32_t get, flag;
	bool only_veth; /* others split only what the kernel sends */
	enum doctor_level level;
	const char *text;
} offloads[] = {
    {"gro", ETHTOOL_GGRO, 0, false, DOCTOR_FAULT, MERGES},
    {"lro", ETHTOOL_GFLAGS, ETH_FLAG_LRO, false, DOCTOR_FAULT, MERGES},
    {"tso", ETHTOOL_GTSO, 0, true, DOCTOR_FAULT, SPLITS},
    {"gso", ETHTOOL_GGSO, 0, true, DOCTOR_FAULT, SPLITS},
    {"rxvlan", ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN, false, DOCTOR_NOTE,
     "takes the outer VLAN tag out of each frame, and the daemon puts it back"},
};

static void check_offload(const struct interface *interface, const struct offload *offload,
			  bool veth)
{
	struct finding f = {.check = offload->name};
	uint32_t value;
	if (!ethtool_get(interface, offload->get, &value))
		return; /* it has no such thing */
	bool on = offload->flag ? value & offload->flag : value;
	if (on && (veth || !offload->only_veth))
		finding_mend(finding_set(&f, offload->level, "%s is on: it %s",
					 offload->name, offload->text),
			     "ethtool -K %s %s off", interface->name, offload->name);
	else
		finding_set(&f, DOCTOR_FINE, "%s %s", offload->name,
			    on ? "matters only to what the kernel sends" : "is off");
	report(interface, &f);
}

static void check_offloads(const struct interface *interface)
{
	bool veth = is_veth(interface);
	for (unsigned i = 0; i < sizeof(offloads) / sizeof(*offloads); i++)
		check_offload(interface, &offloads[i], veth);
}

static void check_oversize(const struct interface *interface)
{
	struct finding f = {.check = "oversize"};
	if (!interface->served->known)
		return;
	if (interface->served->oversize)
		finding_mend(
		    finding_set(&f, DOCTOR_NOTE,
				"%llu frames were too long so far: an offload is or "
				"was on, here or at the other end",
				(unsigned long long)interface->served->oversize),
		    "ethtool -K %s gro off lro off tso off gso off", interface->name);
	else
		finding_set(&f, DOCTOR_FINE, "no frame was too long");
	report(interface, &f);
}

/* ---- the kernel's own IP ---- */

struct addresses {
	char text[INET6_ADDRSTRLEN]; /* one of them */
	unsigned n_ipv4, n_ipv6, n_link_local;
};

static void add_address(struct addresses *found, const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	if (address->sa_family == AF_INET) {
		found->n_ipv4++;
		inet_ntop(AF_INET, &v4->sin_addr, found->text, sizeof(found->text));
	} else if (address->sa_family == AF_INET6 &&
		   IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) {
		found->n_link_local++;
	} else if (address->sa_family == AF_INET6) {
		found->n_ipv6++;
		inet_ntop(AF_INET6, &v6->sin6_addr, found->text, sizeof(found->text));
	}
}

static void find_addresses(const struct interface *interface, struct addresses *found)
{
	struct ifaddrs *all;
	*found = (struct addresses){0};
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && !strcmp(a->ifa_name, interface->name))
			add_address(found, a->ifa_addr);
	freeifaddrs(all);
}

static void check_addresses(const struct interface *interface,
			    const struct addresses *found)
{
	struct finding f = {.check = "addresses"};
	if (found->n_ipv4 || found->n_ipv6)
		finding_mend(
		    finding_set(&f, DOCTOR_FAULT,
				"the kernel has %u addresses on it, %s among them, "
				"and answers beside the endpoints",
				found->n_ipv4 + found->n_ipv6, found->text),
		    "ip address flush dev %s", interface->name);
	else if (found->n_link_local)
		finding_mend(finding_set(&f, DOCTOR_NOTE,
					 "the kernel has a link-local IPv6 address on it, "
					 "and sends frames of its own"),
			     "sysctl -w net.ipv6.conf.%s.disable_ipv6=1", interface->name);
	else
		finding_set(&f, DOCTOR_FINE, "the kernel has no address on it");
	report(interface, &f);
}

static int read_rp_filter(const char *name)
{
	char path[96];
	int value = 0;
	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", name);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* The larger of both counts (ip-sysctl.rst).  Endpoints see frames before it drops any. */
static void check_rp_filter(const struct interface *interface,
			    const struct addresses *found)
{
	struct finding f = {.check = "rp_filter"};
	int all = read_rp_filter("all"), own = read_rp_filter(interface->name);
	if (found->n_ipv4 && (all == 1 || own == 1) && all != 2 && own != 2)
		finding_mend(
		    finding_set(&f, DOCTOR_NOTE,
				"rp_filter is strict: the kernel, which has an IPv4 "
				"address here, drops what comes from sources it "
				"would not answer through this interface"),
		    "sysctl -w net.ipv4.conf.%s.rp_filter=2", interface->name);
	else
		finding_set(&f, DOCTOR_FINE, "rp_filter is in nobody's way");
	report(interface, &f);
}

/* ---- all ---- */

static void check_all(const struct interface *interface)
{
	struct addresses addresses;
	find_addresses(interface, &addresses);
	check_link(interface);
	check_mtu(interface);
	check_offloads(interface);
	check_oversize(interface);
	check_addresses(interface, &addresses);
	check_rp_filter(interface, &addresses);
}

void doctor_check_interface(struct doctor *doctor, const char *name,
			    const struct doctor_served *served)
{
	struct interface interface = {doctor, name, served, -1};
	struct finding f = {.check = "interface"};
	if (!if_nametoindex(name)) {
		finding_mend(finding_set(&f, DOCTOR_FAULT,
					 "there is no such interface here: perhaps in "
					 "another network namespace"),
			     "ip -all netns exec ip link show dev %s", name);
		report(&interface, &f);
		return;
	}
	interface.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	check_all(&interface);
	if (interface.fd >= 0)
		close(interface.fd);
}
