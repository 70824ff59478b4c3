/*
 * counters_view.c - asking for the memory, and where things are in it.
 */
#include "tests/counters_view.h"

#include "proto/msg.h"

#include <check.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void counters_view_open(struct counters_view *view, const char *sock)
{
	static struct ecp_reply reply;
	static char text[ECP_MSG_MAX + 1];
	const struct ecp_request request = {.type = ECP_REQ_COUNTERS};
	struct ecp_error err = {0};
	struct stat st;
	unsigned n = 1;
	view->control = ecp_sock_connect(sock);
	ck_assert_int_ge(view->control, 0);
	ck_assert_int_eq(
	    ecp_ask(view->control, &request, &reply, text, &view->fd, &n, &err), 0);
	ck_assert_int_eq(reply.type, ECP_REP_COUNTERS);
	ck_assert_uint_eq(reply.counters.version, ECP_COUNTERS_ABI);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(fstat(view->fd, &st), 0);
	view->size = (size_t)st.st_size;
	view->head = mmap(NULL, view->size, PROT_READ, MAP_SHARED, view->fd, 0);
	ck_assert_ptr_ne(view->head, MAP_FAILED);
	ck_assert_uint_eq(view->head->magic, ECP_COUNTERS_MAGIC);
}

void counters_view_close(struct counters_view *view)
{
	munmap((void *)(uintptr_t)view->head, view->size);
	close(view->fd);
	close(view->control);
}

static const void *at(const struct counters_view *view, size_t offset, size_t size)
{
	ck_assert_uint_le(offset + size, view->size);
	return (const uint8_t *)view->head + offset;
}

static size_t chunks(const struct counters_view *view)
{
	return ecp_counters_chunks(view->head->relays, view->head->clients);
}

const struct ecp_relay_row *counters_view_relay(const struct counters_view *view,
						uint32_t i)
{
	return at(view, ecp_counters_relay(i), sizeof(struct ecp_relay_row));
}

const struct ecp_client_row *counters_view_client(const struct counters_view *view,
						  uint32_t i)
{
	return at(view, ecp_counters_client(view->head->relays, i),
		  sizeof(struct ecp_client_row));
}

const struct ecp_endpoint_rx *counters_view_rx(const struct counters_view *view, uint32_t i)
{
	return at(view, chunks(view) + ecp_counters_rx(i), sizeof(struct ecp_endpoint_rx));
}

const struct ecp_endpoint_tx *counters_view_tx(const struct counters_view *view, uint32_t i)
{
	return at(view, chunks(view) + ecp_counters_tx(i), sizeof(struct ecp_endpoint_tx));
}
