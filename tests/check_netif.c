/*
 * check_netif.c - what netif_query() says of interfaces that are there, and that are not.
 */
#include "daemon/netif.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void sh(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void setup(void)
{
	/* A test that failed has not been torn down. */
	sh("ip link del na 2>/dev/null || true");
	sh("ip link add na address 02:00:00:00:00:0a mtu 1400 type veth peer name nb");
	sh("ip link set na up && ip link set nb up");
}

static void teardown(void)
{
	sh("ip link del na");
}

/* The kernel says in the flags that the carrier has come, or gone, a while after it has. */
static void await(bool up, struct netif *netif)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	for (unsigned i = 0; i < 5000; i++) {
		ck_assert_int_eq(netif_query("na", netif), 0);
		if (netif->up == up)
			return;
		nanosleep(&pause, NULL);
	}
}

START_TEST(says_what_the_kernel_says)
{
	static const uint8_t mac[ECP_MAC_LEN] = {2, 0, 0, 0, 0, 10};
	struct netif netif;
	await(true, &netif);
	ck_assert_str_eq(netif.name, "na");
	ck_assert_int_gt(netif.index, 0);
	ck_assert_mem_eq(netif.mac, mac, sizeof(mac));
	ck_assert_uint_eq(netif.mtu, 1400);
	ck_assert(netif.enabled && netif.up);
	ck_assert_int_eq(netif_state(&netif), 0);
}
END_TEST

START_TEST(names_that_are_none)
{
	static const struct {
		const char *row, *name;
		int expected;
	} rows[] = {
	    {"unknown", "nosuch0", -ENODEV},
	    {"empty", "", -ENODEV},
	    {"alias form", "na:1", -ENODEV},
	    {"loopback is no Ethernet", "lo", -EINVAL},
	    {"15 characters", "abcdefghijklmno", -ENODEV},
	    {"16 characters", "abcdefghijklmnop", -ENAMETOOLONG},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct netif netif = {.index = 77};
		int r = netif_query(rows[i].name, &netif);
		ck_assert_msg(r == rows[i].expected, "%s: %d", rows[i].row, r);
		ck_assert_msg(netif.index == 77, "%s: result touched", rows[i].row);
	}
}
END_TEST

START_TEST(down_is_not_the_same_as_no_carrier)
{
	struct netif netif;
	sh("ip link set nb down");
	await(false, &netif);
	ck_assert_msg(netif.enabled && !netif.up, "no carrier");
	ck_assert_int_eq(netif_state(&netif), -ENETDOWN);
	sh("ip link set na down");
	ck_assert_int_eq(netif_query("na", &netif), 0);
	ck_assert_msg(!netif.enabled && !netif.up, "switched off");
}
END_TEST

START_TEST(a_namesake_is_another_interface)
{
	struct netif netif;
	ck_assert_int_eq(netif_query("na", &netif), 0);
	sh("ip link del na");
	ck_assert_int_eq(netif_state(&netif), -ENODEV);
	setup();
	ck_assert_int_eq(netif_state(&netif), -ENODEV);
}
END_TEST

/* What was gone, and how often. */
static int gone_index, gone_any;

static void on_gone(void *arg, int index)
{
	int wanted = *(int *)arg;
	if (index == NETIF_ANY)
		gone_any++;
	else if (index == wanted)
		gone_index++;
}

START_TEST(tells_what_was_gone_even_if_it_is_back)
{
	struct netif before, after;
	char command[200];
	int fd = netif_watch_open();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(netif_query("na", &before), 0);
	snprintf(command, sizeof(command),
		 "ip link set na down && ip link set na up && ip link del na && "
		 "ip link add na index %d type veth peer name nb",
		 before.index);
	sh(command);
	ck_assert_int_eq(netif_query("na", &after), 0);
	ck_assert_int_eq(after.index, before.index);
	netif_watch_drain(fd, on_gone, &before.index);
	ck_assert_int_eq(gone_index, 1);
	ck_assert_int_eq(gone_any, 0);
	netif_watch_drain(fd, on_gone, &before.index);
	ck_assert_int_eq(gone_index, 1);
	close(fd);
}
END_TEST

START_TEST(tells_when_news_were_lost)
{
	int fd = netif_watch_open(), least = 1, none = -1;
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
	sh("for i in 1 2 3 4 5 6 7 8; do ip link set na down && ip link set na up; done");
	netif_watch_drain(fd, on_gone, &none);
	ck_assert_int_ge(gone_any, 1);
	close(fd);
}
END_TEST

START_TEST(needs_no_privilege)
{
	struct netif netif;
	ck_assert_int_eq(seteuid(65534), 0);
	int r = netif_query("na", &netif);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(r, 0);
}
END_TEST

int main(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return suite_skip("a network namespace of our own: %s", strerror(errno));
	Suite *suite = suite_create("netif");
	TCase *tc = tcase_create("query");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, says_what_the_kernel_says);
	tcase_add_test(tc, names_that_are_none);
	tcase_add_test(tc, down_is_not_the_same_as_no_carrier);
	tcase_add_test(tc, a_namesake_is_another_interface);
	tcase_add_test(tc, tells_what_was_gone_even_if_it_is_back);
	tcase_add_test(tc, tells_when_news_were_lost);
	tcase_add_test(tc, needs_no_privilege);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
