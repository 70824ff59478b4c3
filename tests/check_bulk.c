/*
 * check_bulk.c - many claims in one call: all of them, some of them, and given back.
 */
#include "tests/suite.h"
#include "tests/user.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MANY 3000 /* several batches, the last one not full */

static struct daemon_process served;
static struct ec_relay *relay;
static struct ec_claim *claims;

static void setup(void)
{
	struct ec_relay_opts opts = EC_RELAY_OPTS;
	daemon_process_start(&served, 0, 2 * MANY + 10);
	opts.reconnect_ms = -1;
	relay = user_connect(&served, &opts);
	claims = calloc(MANY, sizeof(*claims));
	ck_assert_ptr_nonnull(claims);
	for (unsigned i = 0; i < MANY; i++) {
		claims[i].addr = (struct ec_l2addr){
		    .mac = {2, 0, 0, 0, (uint8_t)(i >> 8), (uint8_t)i},
		    .n_vlans = 1,
		    .vlans = {{.id = (uint16_t)(i % 4095)}},
		};
		claims[i].local = "10.0.0.1:4000";
		claims[i].user = &claims[i];
	}
}

static void teardown(void)
{
	ec_relay_close(relay);
	daemon_process_stop(&served);
	free(claims);
}

/* What an endpoint sends to itself comes back to it and to nobody else. */
static void expect_echo(struct ec_claim *claim)
{
	struct ec_frame frame;
	struct sockaddr_storage to;
	ec_udp_local(claim->udp, &to);
	const uint8_t *mac = claim->addr.mac;
	uint8_t packet[28 + 2] = {0x45,     [3] = 30,  [8] = 64,  [9] = 17,    [12] = 10,
				  [15] = 1, [16] = 10, [19] = 1,  [20] = 0x0f, 0xa0,
				  0x0f,     0xa0,      [25] = 10, [28] = 'h',  'i'};
	ck_assert_int_eq(ec_l2_send_ip(claim->l2, packet, sizeof(packet), mac, 0),
			 sizeof(packet));
	ck_assert_int_eq(ec_relay_recv(relay, &frame, 1, 2000), 1);
	ck_assert_ptr_eq(frame.user, claim);
	ck_assert_ptr_eq(frame.udp, claim->udp);
	ck_assert_int_eq(frame.payload_len, 2);
}

START_TEST(test_all_open)
{
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(claims[i].error, 0);
		ck_assert_ptr_nonnull(claims[i].l2);
		ck_assert_ptr_eq(ec_udp_l2(claims[i].udp), claims[i].l2);
	}
	expect_echo(&claims[0]);
	expect_echo(&claims[127]);
	expect_echo(&claims[128]);
	expect_echo(&claims[MANY - 1]);
}
END_TEST

START_TEST(test_close_gives_back)
{
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), MANY);
	ec_close_many(claims, MANY);
	ck_assert_ptr_null(claims[MANY - 1].l2);
	ck_assert_ptr_null(claims[MANY - 1].udp);
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), MANY);
	expect_echo(&claims[5]);
	ec_close_many(claims, MANY);
	ec_close_many(claims, MANY); /* nothing is left to close */
}
END_TEST

START_TEST(test_without_udp)
{
	for (unsigned i = 0; i < MANY; i++)
		claims[i].local = NULL;
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), MANY);
	ck_assert_ptr_null(claims[0].udp);
	ck_assert_ptr_nonnull(claims[0].l2);
}
END_TEST

/* One bad claim each way it can be bad; the others are open. */
START_TEST(test_failures_name_the_claim)
{
	claims[200].addr = claims[0].addr; /* taken: the daemon says so */
	claims[300].local = "nonsense";    /* the library does */
	claims[400].addr.mac[0] = 1;       /* a multicast source */
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), MANY - 3);
	ck_assert_int_eq(claims[200].error, -EADDRINUSE);
	ck_assert_int_eq(claims[300].error, -EINVAL);
	ck_assert_int_eq(claims[400].error, -EINVAL);
	for (unsigned i = 200; i <= 400; i += 100) {
		ck_assert_ptr_null(claims[i].l2);
		ck_assert_ptr_null(claims[i].udp);
	}
	ck_assert_msg(!strncmp(ec_error_text(), "claims[200]: ", 13), "%s",
		      ec_error_text());
	ck_assert_msg(strstr(ec_error_text(), "taken"), "%s", ec_error_text());
	expect_echo(&claims[199]);
	expect_echo(&claims[201]);
	expect_echo(&claims[301]);
	ec_close_many(claims, MANY);
}
END_TEST

/* A claim whose UDP endpoint is refused gives its L2 endpoint back too. */
START_TEST(test_all_or_nothing)
{
	struct ec_udp_opts opts = EC_UDP_OPTS;
	struct ec_l2_opts share = EC_L2_OPTS;
	struct ec_l2 *l2;
	opts.flags = EC_UDP_ACCEPT_ANY;
	share.flags = EC_L2_SHARE;
	claims[1].addr = claims[0].addr; /* shared, but accept-any is there once */
	ck_assert_int_eq(ec_open_many(relay, claims, 3, &share, &opts), 2);
	ck_assert_int_eq(claims[1].error, -EADDRINUSE);
	ck_assert_ptr_null(claims[1].l2);
	ec_close_many(claims, 1);
	/* without sharing the address is free only if nobody holds it */
	ck_assert_msg(ec_l2_open(&l2, relay, &claims[1].addr, NULL) == 0, "%s",
		      ec_error_text());
}
END_TEST

START_TEST(test_daemon_gone)
{
	daemon_process_stop(&served);
	ck_assert_int_eq(ec_open_many(relay, claims, MANY, NULL, NULL), 0);
	ck_assert_int_eq(claims[0].error, -ESHUTDOWN);
	ck_assert_int_eq(claims[MANY - 1].error, -ESHUTDOWN);
	ck_assert_msg(!strncmp(ec_error_text(), "claims[0]: ", 11), "%s", ec_error_text());
	daemon_process_start(&served, 0, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bulk");
	TCase *tc = tcase_create("bulk");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_all_open);
	tcase_add_test(tc, test_close_gives_back);
	tcase_add_test(tc, test_without_udp);
	tcase_add_test(tc, test_failures_name_the_claim);
	tcase_add_test(tc, test_all_or_nothing);
	tcase_add_test(tc, test_daemon_gone);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
