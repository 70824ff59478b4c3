/*
 * check_neigh_link.c - endpoints that find a kernel, and are found by it, by ARP and Neighbour
 * Discovery over a real link: no static entry on either side, over every back-end, with IPv4 and
 * with IPv6.
 *
 *   a socket -> the kernel's stack -> lb <== veth ==> la -> daemon -> library in this process
 *
 * The kernel has 10.0.0.9 and fd00::9 on the link, and 192.0.2.1 and 2001:db8::1 behind it.
 */
#include "tests/scene.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS   INT64_C(1000000)
#define BOTH (EC_L2_RESOLVE | EC_L2_ANSWER)

static void setup(void)
{
	link_make(1500);
	sh("echo 0 >/proc/sys/net/ipv6/conf/" LINK_PEER_IF "/disable_ipv6 && "
	   "echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6 && ip link set lo up && "
	   "ip addr add 10.0.0.9/24 dev " LINK_PEER_IF " && "
	   "ip addr add fd00::9/64 dev " LINK_PEER_IF " nodad && "
	   "ip addr replace 192.0.2.1/32 dev lo && "
	   "ip addr replace 2001:db8::1/128 dev lo nodad");
}

static int kernel_socket(const struct sockaddr_storage *local)
{
	const struct timeval patience = {.tv_sec = 5};
	int fd = socket(local->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)local, sizeof(*local)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static struct ec_udp *open_host(unsigned prefix_len, const char *gateway)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	char text[ECP_ADDR_TEXT];
	opts.prefix_len = prefix_len;
	opts.gateway = gateway;
	struct ec_udp *udp =
	    user_udp(scene_l2(MAC, BOTH, 0), scene_address("me:68", text), &opts);
	ec_udp_set_read_deadline(udp, ec_now() + 5000 * MS);
	return udp;
}

static ssize_t send_number(struct ec_udp *udp, uint32_t n,
			   const struct sockaddr_storage *to, unsigned flags)
{
	return ec_udp_sendto(udp, &n, sizeof(n), flags, (const struct sockaddr *)to,
			     sizeof(*to));
}

/* Until the kernel has something at fd; the answers to our questions are heard meanwhile. */
static void until_arrived(int fd, struct ec_udp *udp)
{
	char buf[8];
	struct pollfd p[] = {{.fd = fd, .events = POLLIN},
			     {.fd = ec_relay_fd(scene.relay), .events = POLLIN}};
	while (!(p[0].revents & POLLIN)) {
		ck_assert_int_gt(poll(p, 2, 5000), 0);
		if (p[1].revents & POLLIN)
			ck_assert_int_eq(
			    ec_udp_recvfrom(udp, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL),
			    -EAGAIN);
	}
}

static uint64_t unresolved(void)
{
	struct ec_relay_stats stats;
	ec_relay_stats(scene.relay, &stats);
	return stats.tx_unresolved;
}

/* Sent before anybody was asked, they wait for the answer, and keep their order. */
START_TEST(test_first_datagrams_wait)
{
	scene_start(_i);
	const struct sockaddr_storage peer = scene_sockaddr("peer:7");
	int fd = kernel_socket(&peer);
	struct ec_udp *udp = open_host(0, NULL);
	for (uint32_t i = 0; i < 50; i++)
		ck_assert_int_eq(send_number(udp, i, &peer, EC_DONTWAIT), 4);
	/* the answer is heard in a receiving call */
	ec_udp_set_read_deadline(udp, ec_now() + 5000 * MS);
	for (uint32_t i = 0; i < 50; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		uint32_t got = UINT32_MAX;
		until_arrived(fd, udp);
		ck_assert_int_eq(
		    recvfrom(fd, &got, sizeof(got), 0, (struct sockaddr *)&from, &len), 4);
		ck_assert_uint_eq(got, i);
	}
	ck_assert_uint_eq(unresolved(), 0);
	close(fd);
	scene_stop();
}
END_TEST

/* What is not on the link goes to the gateway, and its answers come from there. */
START_TEST(test_gateway)
{
	char buf[100];
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	scene_start(_i);
	const struct sockaddr_storage far = scene_sockaddr("far:7");
	int fd = kernel_socket(&far);
	struct ec_udp *udp =
	    open_host(scene.six ? 64 : 24, scene.six ? "fd00::9" : "10.0.0.9");
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(send_number(udp, 1, &far, 0), 4);
		/* the answer to our question is heard here, if not before */
		ec_udp_recvfrom(udp, buf, sizeof(buf), EC_DONTWAIT, NULL, NULL);
		ck_assert_int_eq(ec_udp_set_route(udp, scene.six ? 64 : 24, NULL), 0);
		ck_assert_int_eq(send_number(udp, 1, &far, 0), -ENETUNREACH);
		const struct sockaddr_storage gateway = scene_sockaddr("peer:0");
		ck_assert_int_eq(ec_udp_set_route(udp, scene.six ? 64 : 24,
						  (const struct sockaddr *)&gateway),
				 0);
		until_arrived(fd, udp);
		ck_assert_int_eq(
		    recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 4);
		ck_assert_int_eq(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, len),
				 6);
		ck_assert_msg(ec_udp_recvfrom(udp, buf, sizeof(buf), 0,
					      (struct sockaddr *)&from, &len) == 6,
			      "%s", ec_error_text());
		ck_assert_mem_eq(&from, &far, len);
	}
	close(fd);
	scene_stop();
}
END_TEST

/* The kernel begins: it asks for the endpoint, and finds it. */
START_TEST(test_kernel_asks)
{
	char buf[100];
	scene_start(_i);
	const struct sockaddr_storage mine = scene_sockaddr("me:68"),
				      peer = scene_sockaddr("peer:7");
	int fd = kernel_socket(&peer);
	struct ec_udp *udp = open_host(0, NULL);
	ck_assert_int_eq(
	    sendto(fd, "knock", 5, 0, (const struct sockaddr *)&mine, sizeof(mine)), 5);
	ck_assert_msg(ec_udp_recvfrom(udp, buf, sizeof(buf), 0, NULL, NULL) == 5, "%s",
		      ec_error_text());
	/* who asked need not be asked for */
	ck_assert_int_eq(send_number(udp, 7, &peer, 0), 4);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 4);
	close(fd);
	scene_stop();
}
END_TEST

/* Sent, and closed at once: what waits for its next hop is still sent; for nobody, a second. */
START_TEST(test_close_after_send)
{
	char buf[8];
	scene_start(_i);
	const struct sockaddr_storage peer = scene_sockaddr("peer:7"),
				      nobody = scene_sockaddr("nobody:7");
	int fd = kernel_socket(&peer);
	ck_assert_int_eq(send_number(open_host(0, NULL), 7, &peer, 0), 4);
	ec_relay_close(scene.relay);
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), 4);
	scene.relay = user_connect(&scene.served, NULL);
	ck_assert_int_eq(send_number(open_host(0, NULL), 7, &nobody, 0), 4);
	const int64_t begin = ec_now();
	ec_relay_close(scene.relay);
	ck_assert_int_lt(ec_now() - begin, 2500 * MS);
	scene.relay = NULL;
	close(fd);
	scene_stop();
}
END_TEST

/* Nobody has that address: counted, and said once.  It takes its three seconds. */
START_TEST(test_nobody_answers)
{
	scene_start(_i);
	const struct sockaddr_storage nobody = scene_sockaddr("nobody:7");
	struct ec_udp *udp = open_host(0, NULL);
	const int64_t begin = ec_now();
	for (uint32_t i = 0; i < 64; i++)
		ck_assert_int_eq(send_number(udp, i, &nobody, EC_DONTWAIT), 4);
	ck_assert_int_eq(send_number(udp, 64, &nobody, EC_DONTWAIT), -EAGAIN);
	ck_assert_int_eq(send_number(udp, 64, &nobody, 0), -EHOSTUNREACH);
	ck_assert_int_ge(ec_now() - begin, 2900 * MS);
	ck_assert_uint_eq(unresolved(), 64);
	scene_stop();
}
END_TEST

int main(void)
{
	link_enter_namespace();
	Suite *suite = suite_create("neigh link");
	TCase *tc = tcase_create("neigh link");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, link_remove);
	tcase_add_loop_test(tc, test_first_datagrams_wait, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_gateway, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_kernel_asks, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_close_after_send, 0, SCENE_N_LOOPS);
	tcase_add_loop_test(tc, test_nobody_answers, 0, 2);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
