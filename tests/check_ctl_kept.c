/*
 * check_ctl_kept.c - what etherconnctl makes of a daemon's memory of counters, if that is spoilt, or
 * the daemon another one.
 *
 *   test  --popen-->  $BUILD/etherconnctl watch  --socket-->  thread: one of each, and the memory
 */
#include "daemon/counters.h"
#include "tests/cardboard.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener = -1;
static pthread_t thread;
static struct counters counters;
/* The thread reads them, and counts the questions. */
static const char *_Atomic names[3]; /* of the client, each time; the last one stays */
static _Atomic unsigned n_asked;     /* for clients */
static _Atomic unsigned ends_at;     /* this one ends its connection; 0: none does */

static void fill_page(struct ecp_page *page, enum ecp_show what)
{
	*page = (struct ecp_page){.what = what, .n = 1};
	if (what == ECP_SHOW_RELAYS) {
		page->relays[0] = (struct ecp_relay_info){.interface = "eth1"};
	} else if (what == ECP_SHOW_CLIENTS) {
		const char *name = names[n_asked < 3 ? n_asked - 1 : 2];
		page->clients[0] =
		    (struct ecp_client_info){.id = 1, .interface = "eth1", .rx_ring = 4096};
		snprintf(page->clients[0].comm, sizeof(page->clients[0].comm), "%s", name);
	} else {
		page->endpoints[0] =
		    (struct ecp_endpoint_info){.client = 1, .interface = "eth1"};
	}
}

static void make_memory(void)
{
	uint32_t row;
	ck_assert_int_eq(counters_open(&counters, 1, 4, 1), 0);
	ck_assert_ptr_nonnull(counters_take_client(&counters, 1));
	ck_assert_int_eq(counters_take_endpoint(&counters, 1, 0, &row), 0);
}

/* The next one has memory of its own. */
static bool end(void)
{
	counters_close(&counters);
	make_memory();
	return false;
}

/* False: with nothing, that was the end. */
static bool answer(int fd, const struct ecp_request *request)
{
	static struct ecp_reply reply;
	static char text[ECP_MSG_MAX];
	const bool memory = request->type == ECP_REQ_COUNTERS;
	reply = (struct ecp_reply){.type = ECP_REP_COUNTERS, .counters = {1}};
	if (!memory) {
		if (request->show.what == ECP_SHOW_CLIENTS && ++n_asked == ends_at)
			return end();
		reply.type = ECP_REP_PAGE;
		fill_page(&reply.page, request->show.what);
	}
	ssize_t len = ecp_reply_format(&reply, text, sizeof(text));
	if (ends_at && n_asked != ends_at) /* it is asked again */
		ecp_count_change(&counters.head->clients_changed);
	return len > 0 && ecp_sock_send(fd, text, (size_t)len,
					memory ? &counters.reader_fd : NULL, memory) == 0;
}

static void *serve(void *arg)
{
	static char text[ECP_MSG_MAX + 1];
	static struct ecp_request request;
	struct ecp_error err = {0};
	struct pollfd ready = {.fd = listener, .events = POLLIN};
	while (poll(&ready, 1, -1) == 1) {
		int fd = accept(listener, NULL, NULL);
		ssize_t len;
		if (fd < 0)
			break;
		while ((len = ecp_sock_recv(fd, text, ECP_MSG_MAX, NULL, NULL)) > 0)
			if (ecp_request_parse(text, (size_t)len, &request, &err) < 0 ||
			    !answer(fd, &request))
				break;
		close(fd);
	}
	return arg;
}

static void setup(void)
{
	cardboard_folder_make();
	make_memory();
	names[0] = names[1] = names[2] = "first";
	n_asked = ends_at = 0;
	listener = ecp_sock_listen(cardboard.path, 0600);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, serve, NULL), 0);
}

static void teardown(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
	counters_close(&counters);
	cardboard_folder_remove();
}

/* ---- it is read ---- */

START_TEST(test_counters_without_asking)
{
	struct ecp_client_row *row = (void *)((uint8_t *)counters.head + 4096 + 256);
	ck_assert_uint_eq(row->id, 1);
	ecp_count_set(&row->rx_buffer_full, 4711);
	ck_assert_int_eq(run("-j watch -i 0.01 -c 3 show clients", STDOUT), 0);
	ck_assert_uint_eq(n_asked, 1);
	ck_assert_ptr_nonnull(strstr(output, "\"rx_buffer_full\":4711"));
}
END_TEST

/* ---- what it says is not believed ---- */

static void too_many_endpoints(struct ecp_counters_head *head)
{
	atomic_store(&head->endpoints_used, UINT32_MAX);
}

static void some_endpoints_too_many(struct ecp_counters_head *head)
{
	atomic_store(&head->endpoints_used, ECP_COUNTERS_CHUNK_ROWS + 1);
}

static void too_many_clients(struct ecp_counters_head *head)
{
	atomic_store(&head->clients_used, UINT32_MAX);
}

static void rows_of_clients(struct ecp_counters_head *head)
{
	head->clients = UINT32_MAX;
}

static void rows_of_relays(struct ecp_counters_head *head)
{
	head->relays = UINT32_MAX;
}

static void another_layout(struct ecp_counters_head *head)
{
	head->abi++;
}

static void more_counters(struct ecp_counters_head *head)
{
	head->n_relay_counters++;
}

static void half_written(struct ecp_counters_head *head)
{
	(void)head;
	ecp_count_set(&counters_relay(&counters, 0)->version, 1);
}

static const struct {
	const char *name;
	void (*spoil)(struct ecp_counters_head *);
} spoils[] = {
    {"more endpoints than 32 bits of chunks", too_many_endpoints},
    {"endpoints behind the end", some_endpoints_too_many},
    {"clients behind the end", too_many_clients},
    {"rows of clients", rows_of_clients},
    {"rows of relays", rows_of_relays},
    {"another layout", another_layout},
    {"more counters", more_counters},
    {"a row that is written for ever", half_written},
};

START_TEST(test_spoilt_memory)
{
	static const char *const commands[] = {"show relays", "show clients",
					       "show endpoints"};
	spoils[_i].spoil(counters.head);
	for (unsigned i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		char arguments[64];
		snprintf(arguments, sizeof(arguments), "-br watch -i 0.01 -c 3 %s",
			 commands[i]);
		ck_assert_msg(run(arguments, STDOUT) == 0, "%s: %s", spoils[_i].name,
			      commands[i]);
		ck_assert_msg(count_lines(output) == 3, "%s: %s: said %s", spoils[_i].name,
			      commands[i], output);
	}
}
END_TEST

/* ---- another daemon ---- */

/* It takes the connection over in the middle of a question; what the first one had is not its. */
START_TEST(test_next_daemon)
{
	names[1] = "second";
	names[2] = "third";
	ends_at = 2;
	ck_assert_int_eq(run("-br watch -i 0.01 -c 3 show clients", STDOUT), 0);
	ck_assert_uint_eq(count_lines(output), 3);
	ck_assert_ptr_nonnull(strstr(output, "first"));
	ck_assert_uint_eq(n_asked, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ctl_kept");
	TCase *tc = tcase_create("ctl_kept");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_counters_without_asking);
	tcase_add_loop_test(tc, test_spoilt_memory, 0, sizeof(spoils) / sizeof(*spoils));
	tcase_add_test(tc, test_next_daemon);
	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
