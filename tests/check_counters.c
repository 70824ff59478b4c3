/*
 * check_counters.c - the memory of counters: what a reader sees of a daemon without asking it, and
 * what it cannot do.
 */
#include "daemon/counters.h"
#include "proto/msg.h"
#include "tests/counters_view.h"
#include "tests/daemon_process.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- rows ---- */

static struct counters counters;

static void setup(void)
{
	ck_assert_int_eq(counters_open(&counters, 2, 3, 5000), 0);
}

static void teardown(void)
{
	counters_close(&counters);
}

static off_t file_size(void)
{
	struct stat st;
	ck_assert_int_eq(fstat(counters.reader_fd, &st), 0);
	return st.st_size;
}

START_TEST(test_clients)
{
	struct ecp_client_row *rows[3];
	const struct ecp_counters_head *head = counters.head;
	for (uint32_t i = 0; i < 3; i++) {
		rows[i] = counters_take_client(&counters, 10 + i);
		ck_assert_ptr_nonnull(rows[i]);
		ck_assert_uint_eq(rows[i]->id, 10 + i);
		ck_assert_uint_eq(head->clients_used, i + 1);
		ck_assert_uint_eq(head->clients_changed, i + 1);
	}
	ck_assert_ptr_null(counters_take_client(&counters, 13));
	ecp_count_add(&rows[1]->tx, 7);
	counters_give_client(&counters, rows[1]);
	ck_assert(!ecp_client_row_is_of(rows[1], 11));
	ck_assert_uint_eq(rows[1]->rx,
			  0); /* who looks a moment too late reads no nonsense */
	ck_assert_uint_eq(rows[1]->tx, 7);
	ck_assert_uint_eq(rows[1]->id, 0);
	ck_assert_uint_eq(head->clients_changed, 4);
	ck_assert_ptr_eq(counters_take_client(&counters, 14), rows[1]);
	ck_assert_uint_eq(rows[1]->id, 14);
	ck_assert_uint_eq(rows[1]->tx, 0); /* what the one before sent is not its */
	ck_assert_uint_eq(rows[1]->rx, 0);
	ck_assert_uint_eq(head->clients_used, 3);
}
END_TEST

START_TEST(test_endpoints)
{
	uint32_t row, again;
	const off_t empty = file_size();
	for (uint32_t i = 0; i < ECP_COUNTERS_CHUNK_ROWS + 1; i++) {
		ck_assert_int_eq(counters_take_endpoint(&counters, 3, i, &row), 0);
		ck_assert_uint_eq(row, i);
		ck_assert_uint_eq(counters_rx(&counters, i)->of, UINT64_C(3) << 32 | i);
		if (i == ECP_COUNTERS_CHUNK_ROWS - 1) /* there is no more than is needed */
			ck_assert_int_eq(file_size(), empty + (off_t)ECP_COUNTERS_CHUNK);
	}
	ck_assert_int_eq(file_size(), empty + 2 * (off_t)ECP_COUNTERS_CHUNK);
	ck_assert_uint_eq(counters.head->endpoints_used, ECP_COUNTERS_CHUNK_ROWS + 1);
	/* given back in both chunks, and taken again, the newest first */
	struct ecp_endpoint_rx *rx = counters_rx(&counters, row);
	ecp_count_add(&rx->rx_bytes, 60);
	ecp_count_add(&counters_tx(&counters, row)->tx, 1);
	counters_give_endpoint(&counters, 0);
	counters_give_endpoint(&counters, row);
	ck_assert_uint_eq(counters_rx(&counters, 0)->of | rx->of, 0);
	ck_assert_uint_eq(counters_rx(&counters, 0)->rx | rx->rx, 0);
	ck_assert_uint_eq(rx->rx_bytes, 60);
	ck_assert(ecp_endpoint_row_is_of(rx, 0));
	ck_assert_int_eq(counters_take_endpoint(&counters, 4, 0, &again), 0);
	ck_assert_uint_eq(again, row);
	ck_assert_uint_eq(rx->rx | rx->rx_bytes | counters_tx(&counters, row)->tx, 0);
	ck_assert_int_eq(counters_take_endpoint(&counters, 4, 1, &again), 0);
	ck_assert_uint_eq(again, 0);
	ck_assert_uint_eq(counters.head->endpoints_changed, ECP_COUNTERS_CHUNK_ROWS + 5);
}
END_TEST

START_TEST(test_no_more_endpoints)
{
	uint32_t row;
	counters_close(&counters);
	ck_assert_int_eq(counters_open(&counters, 1, 2, 3), 0);
	for (uint32_t i = 0; i < 6; i++)
		ck_assert_int_eq(counters_take_endpoint(&counters, 1, i, &row), 0);
	ck_assert_int_eq(counters_take_endpoint(&counters, 1, 6, &row), -ENOSPC);
	counters_give_endpoint(&counters, row);
	ck_assert_int_eq(counters_take_endpoint(&counters, 1, 6, &row), 0);
}
END_TEST

/* Rows do not touch, and none is split between two lines of the cache. */
START_TEST(test_layout)
{
	for (uint32_t relays = 1; relays <= 16; relays++) {
		size_t end = ecp_counters_relay(relays - 1) + sizeof(struct ecp_relay_row);
		ck_assert_uint_eq(ecp_counters_client(relays, 0), end);
		ck_assert_uint_eq(end % 64, 0);
		end = ecp_counters_client(relays, 9) + sizeof(struct ecp_client_row);
		ck_assert_uint_ge(ecp_counters_chunks(relays, 10), end);
		ck_assert_uint_eq(ecp_counters_chunks(relays, 10) % 4096, 0);
	}
	for (uint32_t i = 0; i < 3 * ECP_COUNTERS_CHUNK_ROWS; i++) {
		uint32_t in_chunk = i % ECP_COUNTERS_CHUNK_ROWS;
		size_t chunk = i / ECP_COUNTERS_CHUNK_ROWS * (size_t)(128 << 10);
		ck_assert_uint_eq(ecp_counters_rx(i), chunk + in_chunk * 32);
		ck_assert_uint_eq(ecp_counters_tx(i), chunk + (64 << 10) + in_chunk * 32);
	}
}
END_TEST

/* ---- a relay's counters are of one moment ---- */

#define MOMENTS 1000 /* to be seen */
#define APART   100  /* turns of a loop between two, as a daemon has work between */

static atomic_bool enough;

static void *write_moments(void *arg)
{
	struct ecp_relay_row *row = arg;
	struct ecp_relay_stats stats;
	uint64_t moment = 0;
	while (!atomic_load(&enough)) {
		moment++;
		for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
			ecp_counter_set(&ecp_relay_counters[i], &stats, moment);
		ecp_relay_row_write(row, &stats);
		for (volatile unsigned i = 0; i < APART; i++)
			;
	}
	return NULL;
}

START_TEST(test_relay_is_whole)
{
	struct ecp_relay_row *row = counters_relay(&counters, 1);
	struct ecp_relay_stats stats;
	pthread_t writer;
	uint64_t before = 0, in_vain = 0;
	unsigned seen = 0;
	ck_assert_int_eq(pthread_create(&writer, NULL, write_moments, row), 0);
	while (seen < MOMENTS) {
		if (!ecp_relay_row_read(row, &stats)) {
			in_vain++;
			continue;
		}
		ck_assert_uint_ge(stats.rx_offered, before);
		seen += stats.rx_offered != before;
		before = stats.rx_offered;
		for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
			if (ecp_counter_get(&ecp_relay_counters[i], &stats) != before)
				ck_abort_msg("%s is of another moment",
					     ecp_relay_counters[i].name);
	}
	atomic_store(&enough, true);
	pthread_join(writer, NULL);
	printf("%u moments seen whole, %lu looks in vain\n", seen, (unsigned long)in_vain);
}
END_TEST

/* A daemon that was stopped in the middle: what it wrote is not shown. */
START_TEST(test_relay_half_written)
{
	struct ecp_relay_row *row = counters_relay(&counters, 0);
	const struct ecp_relay_stats written = {.rx = 5};
	struct ecp_relay_stats stats;
	ecp_relay_row_write(row, &written);
	ck_assert(ecp_relay_row_read(row, &stats));
	ck_assert_uint_eq(stats.rx, 5);
	ecp_count_set(&row->version, 3);
	ck_assert(!ecp_relay_row_read(row, &stats));
}
END_TEST

/* ---- a daemon's ---- */

#define MAX_CLIENTS 5

static struct daemon_process served;
static int client = -1;
static struct ecp_reply reply;

static void daemon_setup(void)
{
	daemon_process_start(&served, MAX_CLIENTS, 300);
	client = ecp_sock_connect(served.sock);
	ck_assert_int_ge(client, 0);
}

static void daemon_teardown(void)
{
	if (client >= 0)
		close(client);
	int status = daemon_process_stop(&served);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
}

static void ask(const char *message)
{
	static char text[ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	int fds[ECP_FDS_MAX];
	unsigned n = ECP_FDS_MAX;
	ck_assert_int_eq(ecp_sock_send(client, message, strlen(message), NULL, 0), 0);
	ssize_t len = ecp_sock_recv(client, text, ECP_MSG_MAX, fds, &n);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(ecp_reply_parse(text, (size_t)len, &reply, &err), 0);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static void say(const char *message)
{
	ask(message);
	ck_assert_msg(reply.type != ECP_REP_ERROR, "%s", reply.error.text);
}

static void attach_and_open(void)
{
	say("{\"request\":\"attach\",\"version\":1}");
	say("{\"request\":\"open\",\"endpoints\":[{\"l2\":\"02:00:00:00:00:01\"},"
	    "{\"udp\":\"10.0.0.1:1\",\"on_item\":0}]}");
}

START_TEST(test_who_is_there)
{
	struct counters_view view;
	attach_and_open();
	counters_view_open(&view, served.sock);
	const struct ecp_client_row *row = counters_view_client(&view, 0);
	ck_assert_uint_eq(view.head->relays, 1);
	ck_assert_uint_eq(view.head->clients, MAX_CLIENTS);
	ck_assert_uint_eq(view.head->connected, 2);
	ck_assert_uint_eq(view.head->clients_used, 1);
	ck_assert_uint_eq(view.head->endpoints_used, 2);
	ck_assert_uint_eq(row->id, 1);
	ck_assert_uint_eq(row->endpoints, 2);
	ck_assert_uint_eq(counters_view_relay(&view, 0)->endpoints, 2);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_uint_eq(counters_view_rx(&view, i)->of, UINT64_C(1) << 32 | i);
	/* each change is seen as one */
	uint64_t before = ecp_count_changes(&view.head->endpoints_changed);
	say("{\"request\":\"set_local\",\"id\":1,\"local\":\"10.0.0.2:1\"}");
	ck_assert_uint_gt(ecp_count_changes(&view.head->endpoints_changed), before);
	before = ecp_count_changes(&view.head->endpoints_changed);
	say("{\"request\":\"close\",\"ids\":[1]}");
	ck_assert_uint_gt(ecp_count_changes(&view.head->endpoints_changed), before);
	ck_assert_uint_eq(row->endpoints, 1);
	ck_assert_uint_eq(counters_view_relay(&view, 0)->endpoints, 1);
	ck_assert_uint_eq(counters_view_rx(&view, 1)->of, 0);
	/* the one that asks is told of the other's end by its own answer */
	before = ecp_count_changes(&view.head->clients_changed);
	close(client);
	client = view.control;
	do
		say("{\"request\":\"status\"}");
	while (reply.status.clients != 1);
	client = -1;
	ck_assert_uint_gt(ecp_count_changes(&view.head->clients_changed), before);
	ck_assert_uint_eq(view.head->connected, 1);
	ck_assert_uint_eq(row->id, 0);
	ck_assert_uint_eq(counters_view_relay(&view, 0)->endpoints, 0);
	counters_view_close(&view);
}
END_TEST

START_TEST(test_nobody_else_writes)
{
	struct counters_view view;
	counters_view_open(&view, served.sock);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, view.fd, 0);
	ck_assert_ptr_eq(at, MAP_FAILED);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(mprotect((void *)(uintptr_t)view.head, 4096, PROT_WRITE), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(ftruncate(view.fd, 0), -1);
	ck_assert_int_eq(ftruncate(view.fd, 1 << 30), -1);
	ck_assert_int_eq(write(view.fd, "", 1), -1);
	ck_assert_int_eq(errno, EBADF);
	counters_view_close(&view);
}
END_TEST

/* Unread, they would use up the descriptors that the daemon may have under way. */
START_TEST(test_once_on_a_connection)
{
	struct counters_view view;
	counters_view_open(&view, served.sock);
	close(client);
	client = view.control;
	ask("{\"request\":\"counters\"}");
	ck_assert_int_eq(reply.type, ECP_REP_ERROR);
	ck_assert_int_eq(reply.error.code, -EALREADY);
	say("{\"request\":\"status\"}");
	client = -1;
	counters_view_close(&view);
}
END_TEST

/* The memory of a daemon that is gone stays readable, and says what was. */
START_TEST(test_outlives_the_daemon)
{
	struct counters_view view;
	attach_and_open();
	counters_view_open(&view, served.sock);
	int status = daemon_process_stop(&served);
	ck_assert(WIFEXITED(status));
	ck_assert_uint_eq(view.head->magic, ECP_COUNTERS_MAGIC);
	ck_assert_uint_eq(view.head->connected, 0);
	ck_assert_uint_eq(counters_view_rx(&view, 0)->of, 0);
	counters_view_close(&view);
	daemon_process_start(&served, MAX_CLIENTS, 300); /* for the end */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("counters");
	TCase *tc = tcase_create("rows");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_clients);
	tcase_add_test(tc, test_endpoints);
	tcase_add_test(tc, test_no_more_endpoints);
	tcase_add_test(tc, test_layout);
	tcase_add_test(tc, test_relay_is_whole);
	tcase_add_test(tc, test_relay_half_written);
	suite_add_tcase(suite, tc);
	tc = tcase_create("daemon");
	tcase_add_checked_fixture(tc, daemon_setup, daemon_teardown);
	tcase_add_test(tc, test_who_is_there);
	tcase_add_test(tc, test_nobody_else_writes);
	tcase_add_test(tc, test_once_on_a_connection);
	tcase_add_test(tc, test_outlives_the_daemon);
	suite_add_tcase(suite, tc);
	return suite_run(suite);
}
