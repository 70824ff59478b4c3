/*
 * check_memory.c - the memory of all clients has a bound, and who is gone keeps none of it.
 */
#include "daemon/config.h"
#include "proto/channel.h"
#include "proto/msg.h"
#include "tests/daemon_process.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_MIB 1
#define RING       (256u << 10)

static struct daemon_process served;
static char text[ECP_MSG_MAX + 1];
static struct ecp_request req;
static struct ecp_reply rep;

struct party {
	int socket, fds[ECP_N_CHANNEL_FDS];
};

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

/* 0, or the code of the refusal. */
static int ask(struct party *p, unsigned *n_fds)
{
	struct ecp_error err = {0};
	int r = ecp_ask(p->socket, &req, &rep, text, p->fds, n_fds, &err);
	ck_assert_msg(r == 0, "%s", strerror(-r));
	return rep.type == ECP_REP_ERROR ? rep.error.code : 0;
}

static int attach(struct party *p, uint32_t ring)
{
	unsigned n_fds = ECP_N_CHANNEL_FDS;
	p->socket = ecp_sock_connect(served.sock);
	ck_assert_int_ge(p->socket, 0);
	req.type = ECP_REQ_ATTACH;
	req.attach = (struct ecp_attach){
	    .version = ECP_PROTOCOL_VERSION, .rx_ring = ring, .tx_ring = ring};
	return ask(p, &n_fds);
}

/* All but the socket and the memory. */
static void hang_up(struct party *p)
{
	close(p->socket);
	p->socket = -1;
}

static void forget(struct party *p)
{
	for (unsigned i = 0; i < ECP_N_CHANNEL_FDS; i++)
		close(p->fds[i]);
}

static unsigned count_denied(void)
{
	struct party p = {.socket = ecp_sock_connect(served.sock)};
	unsigned n_fds = 0;
	req.type = ECP_REQ_STATUS;
	ck_assert_int_eq(ask(&p, &n_fds), 0);
	close(p.socket);
	return (unsigned)rep.status.denied;
}

/* Two rings each; a third such client has no room until one of the two is gone. */
START_TEST(test_bound)
{
	struct party first, second, third;
	unsigned before = count_denied();
	ck_assert_int_eq(attach(&first, RING), 0);
	ck_assert_int_eq(attach(&second, RING / 2), 0);
	ck_assert_int_eq(attach(&third, RING), -EDQUOT);
	ck_assert_msg(strstr(rep.error.text, "\"max_memory_mib\" is 1"), "%s",
		      rep.error.text);
	ck_assert_uint_eq(count_denied(), before + 1);
	hang_up(&third);
	hang_up(&first);
	forget(&first);
	unsigned tries = 0;
	while (attach(&third, RING) == -EDQUOT && tries++ < 500) {
		hang_up(&third);
		poll(NULL, 0, 10);
	}
	ck_assert_uint_eq(rep.type, ECP_REP_ATTACHED);
	hang_up(&second);
	hang_up(&third);
	forget(&second);
	forget(&third);
}
END_TEST

static unsigned open_batch(struct party *p, unsigned batch, int *code)
{
	unsigned good = 0, n_fds = 0;
	req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = ECP_BATCH_MAX};
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		req.open.items[i] = (struct ecp_open_item){
		    .l2 = {.mac = {2, 0, 0, 1, (uint8_t)batch, (uint8_t)i}}};
	ck_assert_int_eq(ask(p, &n_fds), 0);
	for (unsigned i = 0; i < rep.opened.n; i++) {
		good += rep.opened.items[i].error.code == 0;
		if (rep.opened.items[i].error.code)
			*code = rep.opened.items[i].error.code;
	}
	return good;
}

/* Endpoints are in it; closing them and opening others takes no more. */
START_TEST(test_endpoints)
{
	struct party p;
	unsigned n = 0, again = 0, n_fds = 0;
	int code = 0;
	ck_assert_int_eq(attach(&p, RING), 0);
	for (unsigned batch = 0; code == 0; batch++)
		n += open_batch(&p, batch, &code);
	ck_assert_int_eq(code, -EDQUOT);
	ck_assert_uint_gt(n, 500);
	ck_assert_uint_lt(n, 8192);
	req.type = ECP_REQ_CLOSE;
	req.close.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		req.close.ids[i] = i;
	ck_assert_int_eq(ask(&p, &n_fds), 0);
	ck_assert_uint_eq(rep.closed.n, ECP_BATCH_MAX);
	again = open_batch(&p, 200, &code);
	ck_assert_uint_eq(again, ECP_BATCH_MAX);
	ck_assert_uint_eq(open_batch(&p, 201, &code), 0);
	hang_up(&p);
	forget(&p);
}
END_TEST

/* Groups that nobody else is in, as many as an endpoint may ask for. */
static bool open_groups(struct party *p, unsigned n)
{
	struct ecp_open_item item = {
	    .l2 = {.mac = {2, 0, 0, 2, (uint8_t)(n >> 8), (uint8_t)n},
		   .n_vlans = 1,
		   .vlans = {{.id = (uint16_t)(1 + n), .tpid = ECP_TPID_8021Q}}},
	    .flags = ECP_EP_MULTICAST,
	    .n_ethertypes = ECP_ETHERTYPES_MAX};
	unsigned n_fds = 0;
	for (unsigned i = 0; i < ECP_ETHERTYPES_MAX; i++)
		item.ethertypes[i] = (uint16_t)(0x9000 + i);
	req = (struct ecp_request){.type = ECP_REQ_OPEN, .open.n = 1};
	req.open.items[0] = item;
	ck_assert_int_eq(ask(p, &n_fds), 0);
	ck_assert_uint_eq(rep.opened.n, 1);
	const int code = rep.opened.items[0].error.code;
	ck_assert_msg(code == 0 || code == -EDQUOT, "%s", rep.opened.items[0].error.text);
	return code == 0;
}

/* They are counted too, and given back with the endpoint. */
START_TEST(test_groups)
{
	struct party p;
	unsigned n = 0, n_fds = 0;
	ck_assert_int_eq(attach(&p, RING), 0);
	while (n < 4000 && open_groups(&p, n))
		n++;
	/* half a MiB, 16 groups of 128 bytes and an endpoint of some 320 each */
	ck_assert_uint_gt(n, 150);
	ck_assert_uint_lt(n, 256);
	req = (struct ecp_request){.type = ECP_REQ_CLOSE, .close = {.n = 1, .ids = {0}}};
	ck_assert_int_eq(ask(&p, &n_fds), 0);
	ck_assert_uint_eq(rep.closed.n, 1);
	ck_assert(open_groups(&p, n));
	ck_assert(!open_groups(&p, n + 1));
	hang_up(&p);
	forget(&p);
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
	struct party p;
	ck_assert_int_eq(attach(&p, RING), 0);
	ck_assert_uint_ge(resident(p.fds[ECP_FD_D]), RING);
	ck_assert_uint_ge(resident(p.fds[ECP_FD_C]), RING);
	hang_up(&p);
	wait_for_resident(p.fds[ECP_FD_D], 0);
	wait_for_resident(p.fds[ECP_FD_C], 0);
	forget(&p);
}
END_TEST

/* One that is ended for a lie has left the page that says so. */
START_TEST(test_liar_keeps_a_page)
{
	struct party p;
	ck_assert_int_eq(attach(&p, RING), 0);
	struct ecp_client_page *c = mmap(NULL, ECP_CHANNEL_PAGE, PROT_READ | PROT_WRITE,
					 MAP_SHARED, p.fds[ECP_FD_C], 0);
	const struct ecp_daemon_page *d =
	    mmap(NULL, ECP_CHANNEL_PAGE, PROT_READ, MAP_SHARED, p.fds[ECP_FD_D], 0);
	ck_assert_ptr_ne(c, MAP_FAILED);
	ck_assert_ptr_ne(d, MAP_FAILED);
	atomic_store(&c->tx_prod, 1);
	ck_assert_int_eq(write(p.fds[ECP_FD_BELL_TX], "", 1), 1);
	struct pollfd hup = {.fd = p.socket, .events = POLLIN};
	ck_assert_int_eq(poll(&hup, 1, 5000), 1);
	wait_for_resident(p.fds[ECP_FD_D], ECP_CHANNEL_PAGE);
	wait_for_resident(p.fds[ECP_FD_C], 0);
	ck_assert_uint_eq(d->state, ECP_CHANNEL_ENDED);
	munmap(c, ECP_CHANNEL_PAGE);
	munmap((void *)(uintptr_t)d, ECP_CHANNEL_PAGE);
	hang_up(&p);
	forget(&p);
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
