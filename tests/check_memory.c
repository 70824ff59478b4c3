/*
 * check_memory.c - the memory of all clients has a bound, and who is gone keeps none of it.
 */
#include "daemon/config.h"
#include "tests/daemon_process.h"
#include "tests/hostile.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_MIB 1
#define RING       (256u << 10)

static struct daemon_process served;
static struct ecp_request req;
static struct ecp_reply *rep;

static void setup(void)
{
	struct config config;
	daemon_process_defaults(&config);
	config.max_memory_mib = MEMORY_MIB;
	daemon_process_start_config(&served, &config);
}

static void teardown(void)
{
	ck_assert_int_eq(daemon_process_stop(&served), 0);
}

static void ask(struct hostile *h)
{
	const int r = hostile_ask(h, &req, &rep);
	ck_assert_msg(r == 0, "%s", strerror(-r));
	ck_assert_msg(rep->type != ECP_REP_ERROR, "%s", rep->error.text);
}

static int attach(struct hostile *h, uint32_t ring)
{
	return hostile_open_with(h, served.sock, ring);
}

static unsigned count_denied(void)
{
	const struct ecp_request status = {.type = ECP_REQ_STATUS};
	return (unsigned)daemon_process_ask(&served, &status)->status.denied;
}

/* Two rings each; a third such client has no room until one of the two is gone. */
START_TEST(test_bound)
{
	struct hostile first, second, third;
	unsigned before = count_denied();
	ck_assert_int_eq(attach(&first, RING), 0);
	ck_assert_int_eq(attach(&second, RING / 2), 0);
	ck_assert_int_eq(attach(&third, RING), -EDQUOT);
	ck_assert_msg(strstr(hostile_refusal.text, "\"max_memory_mib\" is 1"), "%s",
		      hostile_refusal.text);
	ck_assert_uint_eq(count_denied(), before + 1);
	hostile_close(&first);
	unsigned tries = 0;
	int r;
	while ((r = attach(&third, RING)) == -EDQUOT && tries++ < 500)
		poll(NULL, 0, 10);
	ck_assert_int_eq(r, 0);
	hostile_close(&second);
	hostile_close(&third);
}
END_TEST

static unsigned open_batch(struct hostile *h, unsigned batch, int *code)
{
	unsigned good = 0;
	req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = ECP_BATCH_MAX};
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		req.open.items[i] = (struct ecp_open_item){
		    .l2 = {.mac = {2, 0, 0, 1, (uint8_t)batch, (uint8_t)i}}};
	ask(h);
	for (unsigned i = 0; i < rep->opened.n; i++) {
		good += rep->opened.items[i].error.code == 0;
		if (rep->opened.items[i].error.code)
			*code = rep->opened.items[i].error.code;
	}
	return good;
}

/* Endpoints are in it; closing them and opening others takes no more. */
START_TEST(test_endpoints)
{
	struct hostile h;
	unsigned n = 0, again = 0;
	int code = 0;
	ck_assert_int_eq(attach(&h, RING), 0);
	for (unsigned batch = 0; code == 0; batch++)
		n += open_batch(&h, batch, &code);
	ck_assert_int_eq(code, -EDQUOT);
	ck_assert_uint_gt(n, 500);
	ck_assert_uint_lt(n, 8192);
	req.type = ECP_REQ_CLOSE;
	req.close.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		req.close.ids[i] = i;
	ask(&h);
	ck_assert_uint_eq(rep->closed.n, ECP_BATCH_MAX);
	again = open_batch(&h, 200, &code);
	ck_assert_uint_eq(again, ECP_BATCH_MAX);
	ck_assert_uint_eq(open_batch(&h, 201, &code), 0);
	hostile_close(&h);
}
END_TEST

/* Groups that nobody else is in, as many as an endpoint may ask for. */
static bool open_groups(struct hostile *h, unsigned n)
{
	struct ecp_open_item item = {
	    .l2 = {.mac = {2, 0, 0, 2, (uint8_t)(n >> 8), (uint8_t)n},
		   .n_vlans = 1,
		   .vlans = {{.id = (uint16_t)(1 + n), .tpid = ECP_TPID_8021Q}}},
	    .flags = ECP_EP_MULTICAST,
	    .n_ethertypes = ECP_ETHERTYPES_MAX};
	for (unsigned i = 0; i < ECP_ETHERTYPES_MAX; i++)
		item.ethertypes[i] = (uint16_t)(0x9000 + i);
	req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = 1};
	req.open.items[0] = item;
	ask(h);
	ck_assert_uint_eq(rep->opened.n, 1);
	const int code = rep->opened.items[0].error.code;
	ck_assert_msg(code == 0 || code == -EDQUOT, "%s", rep->opened.items[0].error.text);
	return code == 0;
}

/* They are counted too, and given back with the endpoint. */
START_TEST(test_groups)
{
	struct hostile h;
	unsigned n = 0;
	ck_assert_int_eq(attach(&h, RING), 0);
	while (n < 4000 && open_groups(&h, n))
		n++;
	/* half a MiB, 16 groups of 128 bytes and an endpoint of some 320 each */
	ck_assert_uint_gt(n, 150);
	ck_assert_uint_lt(n, 256);
	req = (struct ecp_request){.type = ECP_REQ_CLOSE, .close = {.n = 1, .ids = {0}}};
	ask(&h);
	ck_assert_uint_eq(rep->closed.n, 1);
	ck_assert(open_groups(&h, n));
	ck_assert(!open_groups(&h, n + 1));
	hostile_close(&h);
}
END_TEST

static uint64_t resident(int fd)
{
	struct stat st;
	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void wait_for_resident(int fd, uint64_t bytes)
{
	for (unsigned i = 0; i < 500 && resident(fd) > bytes; i++)
		poll(NULL, 0, 10);
	ck_assert_uint_le(resident(fd), bytes);
}

/* It keeps the descriptors; the pages were the daemon's to pay for, and are gone. */
START_TEST(test_nothing_is_kept)
{
	struct hostile h;
	ck_assert_int_eq(attach(&h, RING), 0);
	ck_assert_uint_ge(resident(h.fds[ECP_FD_D]), RING);
	ck_assert_uint_ge(resident(h.fds[ECP_FD_C]), RING);
	close(h.control);
	h.control = -1;
	wait_for_resident(h.fds[ECP_FD_D], 0);
	wait_for_resident(h.fds[ECP_FD_C], 0);
	hostile_close(&h);
}
END_TEST

/* One that is ended for a lie has left the page that says so. */
START_TEST(test_liar_keeps_a_page)
{
	struct hostile h;
	ck_assert_int_eq(attach(&h, RING), 0);
	h.written = 1;
	hostile_show(&h);
	ck_assert(hostile_is_ended(&h, 5000));
	wait_for_resident(h.fds[ECP_FD_D], ECP_CHANNEL_PAGE);
	wait_for_resident(h.fds[ECP_FD_C], 0);
	ck_assert_uint_eq(h.d->state, ECP_CHANNEL_ENDED);
	hostile_close(&h);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, test_bound);
	tcase_add_test(tc, test_endpoints);
	tcase_add_test(tc, test_groups);
	tcase_add_test(tc, test_nothing_is_kept);
	tcase_add_test(tc, test_liar_keeps_a_page);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
