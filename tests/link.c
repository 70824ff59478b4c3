/*
 * link.c - a veth pair for tests.
 */
#include "tests/link.h"

#include "daemon/netif.h"
#include "tests/suite.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 5000

const char *const link_backends[] = {"af_packet", "af_packet_v3", "pcap"};
static int peer = -1;
static unsigned suite_mtu;

void sh(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

void link_enter_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0 ||
	    system("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") != 0)
		exit(suite_skip("a network namespace of our own: %s", strerror(errno)));
}

/*
 * The kernel connects the other end's queue a while after the carrier has come, says so in its
 * flags, and drops what is sent before without a word.
 */
void link_await(bool up)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct netif a, b;
	for (unsigned i = 0; i < WAIT_MS; i++) {
		if (netif_query(LINK_IF, &a) == 0 && netif_query(LINK_PEER_IF, &b) == 0 &&
		    a.up == up && b.up == up)
			return;
		nanosleep(&pause, NULL);
	}
	abort();
}

static int peer_open(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int yes = 1, queue = 8 << 20;
	struct sockaddr_ll address = {
	    .sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(LINK_PEER_IF),
	};
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		abort();
	return fd;
}

void link_make(unsigned mtu)
{
	char command[200];
	link_remove();
	snprintf(command, sizeof(command),
		 "ip link add " LINK_IF " mtu %u type veth peer name " LINK_PEER_IF
		 " mtu %u && ip link set " LINK_IF " up && ip link set " LINK_PEER_IF " up",
		 mtu, mtu);
	sh(command);
	link_await(true);
	peer = peer_open();
}

void link_remove(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
	sh("ip link del " LINK_IF " 2>/dev/null || true");
}

static void make_for_test(void)
{
	link_make(suite_mtu);
}

Suite *link_suite(const char *name, unsigned mtu, int loops, const TTest *const *tests,
		  size_t n)
{
	link_enter_namespace();
	Suite *suite = suite_create(name);
	TCase *tc = tcase_create(name);
	suite_mtu = mtu;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, make_for_test, link_remove);
	for (size_t i = 0; i < n; i++)
		tcase_add_loop_test(tc, tests[i], 0, loops);
	suite_add_tcase(suite, tc);
	return suite;
}

void link_set(bool up)
{
	sh(up ? "ip link set " LINK_IF " up" : "ip link set " LINK_IF " down");
	link_await(up);
}

void link_set_mtu(unsigned mtu)
{
	char command[120];
	snprintf(command, sizeof(command),
		 "ip link set " LINK_IF " mtu %u && ip link set " LINK_PEER_IF " mtu %u",
		 mtu, mtu);
	sh(command);
}

void link_send(const void *frame, uint32_t len)
{
	ssize_t sent = send(peer, frame, len, 0);
	if (sent < 0 && errno == ENETDOWN) /* it was: packet(7) says so once */
		sent = send(peer, frame, len, 0);
	if (sent != (ssize_t)len) {
		perror("link_send");
		abort();
	}
}

/* The kernel takes the outer tag out: put it back. */
static uint32_t put_tag_back(uint8_t *frame, uint32_t len, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		const uint16_t tag[] = {htons(aux.tp_vlan_tpid), htons(aux.tp_vlan_tci)};
		memmove(frame + 12 + sizeof(tag), frame + 12, len - 12);
		memcpy(frame + 12, tag, sizeof(tag));
		return len + (uint32_t)sizeof(tag);
	}
	return len;
}

static uint32_t receive_within(uint8_t frame[LINK_ROOM], int timeout_ms)
{
	struct pollfd p = {.fd = peer, .events = POLLIN};
	_Alignas(struct cmsghdr) char control[256];
	struct iovec piece = {frame, LINK_ROOM - 4};
	struct msghdr msg = {.msg_iov = &piece,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	if (poll(&p, 1, timeout_ms) != 1)
		return 0;
	ssize_t len = recvmsg(peer, &msg, 0);
	return len < ETH_HLEN ? 0 : put_tag_back(frame, (uint32_t)len, &msg);
}

uint32_t link_receive(uint8_t frame[LINK_ROOM])
{
	return receive_within(frame, WAIT_MS);
}

void link_forget(void)
{
	uint8_t frame[LINK_ROOM];
	while (receive_within(frame, 0))
		;
}
