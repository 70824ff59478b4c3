/*
 * kept.c - lists that are kept, and the memory of counters.
 */
#include "ctl/kept.h"

#include "ctl/ctl.h"
#include "ctl/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A row that is being written is whole again in less than a microsecond. */
#define READ_TRIES 1000
#define NEVER      UINT64_MAX /* nothing has changed so often */
#define NS_PER_S   INT64_C(1000000000)

static const size_t sizes[KEPT_LISTS] = {
    [ECP_SHOW_RELAYS] = sizeof(struct ecp_relay_info),
    [ECP_SHOW_CLIENTS] = sizeof(struct ecp_client_info),
    [ECP_SHOW_ENDPOINTS] = sizeof(struct ecp_endpoint_info),
};

/* ---- the memory ---- */

static const void *at(const struct kept *kept, size_t offset)
{
	return (const uint8_t *)kept->head + offset;
}

static const struct ecp_relay_row *relay_row(const struct kept *kept, uint32_t i)
{
	return at(kept, ecp_counters_relay(i));
}

static const struct ecp_client_row *client_row(const struct kept *kept, uint32_t i)
{
	return at(kept, ecp_counters_client(kept->relays, i));
}

static size_t chunks_at(const struct kept *kept)
{
	return ecp_counters_chunks(kept->relays, kept->clients);
}

static const struct ecp_endpoint_rx *endpoint_rx(const struct kept *kept, uint32_t i)
{
	return at(kept, chunks_at(kept) + ecp_counters_rx(i));
}

static const struct ecp_endpoint_tx *endpoint_tx(const struct kept *kept, uint32_t i)
{
	return at(kept, chunks_at(kept) + ecp_counters_tx(i));
}

static void unmap(struct kept *kept)
{
	if (kept->head)
		munmap((void *)(uintptr_t)kept->head, kept->size);
	kept->head = NULL;
}

static void close_memory(struct kept *kept)
{
	unmap(kept);
	if (kept->open)
		close(kept->fd);
	kept->open = false;
}

/* All that there is now.  The file does not shrink: it is sealed. */
static bool map(struct kept *kept)
{
	struct stat st;
	int seals = fcntl(kept->fd, F_GET_SEALS);
	unmap(kept);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(kept->fd, &st) < 0 ||
	    st.st_size < ECP_COUNTERS_PAGE)
		return false;
	void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, kept->fd, 0);
	if (base == MAP_FAILED)
		return false;
	kept->head = base;
	kept->size = (size_t)st.st_size;
	return true;
}

/* The rows of the first n endpoints. */
static bool map_endpoints(struct kept *kept, uint32_t n)
{
	size_t chunks = ((size_t)n + ECP_COUNTERS_CHUNK_ROWS - 1) / ECP_COUNTERS_CHUNK_ROWS;
	size_t end = chunks_at(kept) + chunks * ECP_COUNTERS_CHUNK;
	return end <= kept->size || (map(kept) && end <= kept->size);
}

static bool is_ours(const struct kept *kept)
{
	const struct ecp_counters_head *head = kept->head;
	return head->magic == ECP_COUNTERS_MAGIC && head->abi == ECP_COUNTERS_ABI &&
	       head->n_relay_counters == ECP_N_RELAY_COUNTERS &&
	       head->n_endpoint_counters == ECP_N_ENDPOINT_COUNTERS &&
	       chunks_at(kept) <= kept->size;
}

/* Nothing is said where that fails: it will be asked. */
static void open_memory(struct ctl *ctl)
{
	struct kept *kept = &ctl->kept;
	struct ecp_error err = {0};
	unsigned n = 1;
	kept->asked = true;
	ctl->request.type = ECP_REQ_COUNTERS;
	if (ecp_ask(ctl->fd, &ctl->request, &ctl->reply, ctl->text, &kept->fd, &n, &err) <
	    0)
		return;
	ctl->patient = false;
	kept->open = n;
	if (!n)
		return;
	if (ctl->reply.type == ECP_REP_COUNTERS && map(kept)) {
		kept->relays = kept->head->relays;
		kept->clients = kept->head->clients;
		if (is_ours(kept))
			return;
	}
	close_memory(kept);
}

/* ---- begin and end ---- */

void kept_begin(struct ctl *ctl)
{
	ctl->kept.wanted = true;
}

void kept_forget(struct ctl *ctl)
{
	struct kept *kept = &ctl->kept;
	close_memory(kept);
	for (unsigned i = 0; i < KEPT_LISTS; i++) {
		free(kept->lists[i].items);
		free(kept->lists[i].rows);
	}
	*kept = (struct kept){.wanted = kept->wanted};
}

bool kept_is_connected(const struct ctl *ctl)
{
	char byte;
	return recv(ctl->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* ---- lists ---- */

static struct kept_list *list_of(struct ctl *ctl, enum ecp_show what)
{
	return what < KEPT_LISTS && ctl->kept.head ? &ctl->kept.lists[what] : NULL;
}

static uint64_t changes_of(const struct kept *kept, enum ecp_show what)
{
	return ecp_count_changes(what == ECP_SHOW_ENDPOINTS ? &kept->head->endpoints_changed
							    : &kept->head->clients_changed);
}

void kept_list_begin(struct ctl *ctl, enum ecp_show what)
{
	if (ctl->kept.wanted && !ctl->kept.asked)
		open_memory(ctl);
	struct kept_list *list = list_of(ctl, what);
	if (!list)
		return;
	list->n = 0;
	list->whole = false;
	list->changed = changes_of(&ctl->kept, what);
}

static bool reserve(struct kept_list *list, size_t n, size_t size)
{
	if (n <= list->room)
		return true;
	size_t room = n > 2 * list->room ? n : 2 * list->room;
	uint8_t *items = realloc(list->items, room * size);
	if (items)
		list->items = items;
	uint32_t *rows = realloc(list->rows, room * sizeof(*rows));
	if (rows)
		list->rows = rows;
	if (!items || !rows)
		return false;
	list->room = room;
	return true;
}

/* What stands in the row of an item, and in what order lists are. */
static uint64_t key_of(enum ecp_show what, const void *item)
{
	const struct ecp_client_info *client = item;
	const struct ecp_endpoint_info *endpoint = item;
	return what == ECP_SHOW_CLIENTS ? client->id
					: (uint64_t)endpoint->client << 32 | endpoint->id;
}

static void find_row(struct kept_list *list, enum ecp_show what, uint64_t key, uint32_t row)
{
	size_t low = 0, high = list->n;
	while (key && low < high) {
		size_t middle = low + (high - low) / 2;
		uint64_t found = key_of(what, list->items + middle * sizes[what]);
		if (found == key) {
			list->rows[middle] = row;
			return;
		}
		if (found < key)
			low = middle + 1;
		else
			high = middle;
	}
}

static void find_rows_of_clients(const struct kept *kept, struct kept_list *list)
{
	uint32_t n = atomic_load_explicit(&kept->head->clients_used, memory_order_relaxed);
	for (uint32_t i = 0; i < n && i < kept->clients; i++)
		find_row(
		    list, ECP_SHOW_CLIENTS,
		    atomic_load_explicit(&client_row(kept, i)->id, memory_order_relaxed),
		    i);
}

/* endpoints: rows of them that are mapped */
static void find_rows(const struct kept *kept, struct kept_list *list, enum ecp_show what,
		      uint32_t endpoints)
{
	switch (what) {
	case ECP_SHOW_RELAYS: /* in the order of the list */
		for (uint32_t i = 0; i < kept->relays && i < list->n; i++)
			list->rows[i] = i;
		break;
	case ECP_SHOW_CLIENTS:
		find_rows_of_clients(kept, list);
		break;
	case ECP_SHOW_ENDPOINTS:
		for (uint32_t i = 0; i < endpoints; i++)
			find_row(list, what, ecp_count_get(&endpoint_rx(kept, i)->of), i);
		break;
	case ECP_SHOW_POLICY: /* has none */
		break;
	}
}

/* A client that only asks counts nothing. */
static bool all_have_rows(const struct kept_list *list, enum ecp_show what)
{
	const struct ecp_client_info *clients = (const void *)list->items;
	for (size_t i = 0; i < list->n; i++)
		if (list->rows[i] == KEPT_NONE &&
		    (what != ECP_SHOW_CLIENTS || clients[i].interface[0]))
			return false;
	return true;
}

static void finish(struct ctl *ctl, enum ecp_show what)
{
	struct kept *kept = &ctl->kept;
	struct kept_list *list = &kept->lists[what];
	const uint32_t used = /* once: the next look may find more, that are not mapped */
	    atomic_load_explicit(&kept->head->endpoints_used, memory_order_relaxed);
	if (what == ECP_SHOW_ENDPOINTS && !map_endpoints(kept, used)) {
		kept_forget(ctl);
		kept->asked = true;
		return;
	}
	find_rows(kept, list, what, used);
	list->whole = all_have_rows(list, what) && changes_of(kept, what) == list->changed;
}

void kept_list_add(struct ctl *ctl, const struct ecp_page *page)
{
	struct kept_list *list = list_of(ctl, page->what);
	if (!list)
		return;
	const size_t size = sizes[page->what];
	if (!reserve(list, list->n + page->n, size)) {
		list->changed = NEVER; /* a list with a gap is not kept */
		return;
	}
	memcpy(list->items + list->n * size, page->relays, page->n * size);
	for (unsigned i = 0; i < page->n; i++)
		list->rows[list->n++] = KEPT_NONE;
	if (!page->more)
		finish(ctl, page->what);
}

bool kept_is_current(struct ctl *ctl, enum ecp_show what)
{
	struct kept_list *list = ctl->kept.wanted ? list_of(ctl, what) : NULL;
	if (!list)
		return false;
	if (!kept_is_connected(ctl)) {
		kept_forget(ctl);
		return false;
	}
	return list->whole && changes_of(&ctl->kept, what) == list->changed;
}

/* ---- counters of now ---- */

static void refresh_relay(const struct kept *kept, uint32_t row,
			  struct ecp_relay_info *info)
{
	struct ecp_relay_stats stats;
	const struct ecp_relay_row *from = relay_row(kept, row);
	info->endpoints = (uint32_t)ecp_count_get(&from->endpoints);
	for (unsigned tries = 0; tries < READ_TRIES; tries++)
		if (ecp_relay_row_read(from, &stats)) {
			info->stats = stats;
			return;
		}
}

static void refresh_client(const struct kept *kept, uint32_t row,
			   struct ecp_client_info *info)
{
	const struct ecp_client_row *from = client_row(kept, row);
	struct ecp_client_info now = *info;
	now.stats = ecp_client_row_read(from);
	now.endpoints = (uint32_t)ecp_count_get(&from->endpoints);
	now.rx_used = atomic_load_explicit(&from->rx_used, memory_order_relaxed);
	now.denied = ecp_count_get(&from->denied);
	if (ecp_client_row_is_of(from, info->id))
		*info = now;
}

static void refresh_endpoint(const struct kept *kept, uint32_t row,
			     struct ecp_endpoint_info *info)
{
	const struct ecp_endpoint_rx *from = endpoint_rx(kept, row);
	const struct ecp_endpoint_stats now =
	    ecp_endpoint_rows_read(from, endpoint_tx(kept, row));
	if (ecp_endpoint_row_is_of(from, key_of(ECP_SHOW_ENDPOINTS, info)))
		info->stats = now;
}

/* In the list: where there is nothing newer, what was shown last is shown again. */
static void refresh(const struct kept *kept, enum ecp_show what, uint32_t row, void *item)
{
	if (row == KEPT_NONE)
		return;
	if (what == ECP_SHOW_RELAYS)
		refresh_relay(kept, row, item);
	else if (what == ECP_SHOW_CLIENTS)
		refresh_client(kept, row, item);
	else
		refresh_endpoint(kept, row, item);
}

void kept_page(struct ctl *ctl, enum ecp_show what, uint64_t first, struct ecp_page *page)
{
	const struct kept *kept = &ctl->kept;
	const struct kept_list *list = &kept->lists[what];
	page->what = what;
	page->n = 0;
	for (size_t i = first; i < list->n && page->n < ECP_PAGE_MAX; i++, page->n++) {
		uint8_t *item = list->items + i * sizes[what];
		refresh(kept, what, list->rows[i], item);
		memcpy((uint8_t *)page->relays + page->n * sizes[what], item, sizes[what]);
	}
	page->next = first + page->n;
	page->more = page->next < list->n;
}

/* ---- status ---- */

bool kept_status(struct ctl *ctl, struct ecp_status *status)
{
	const struct kept *kept = &ctl->kept;
	if (!kept->head || !kept->have_status || !kept_is_connected(ctl))
		return false;
	*status = kept->status;
	status->uptime_s += (uint64_t)((flow_now_ns() - kept->status_ns) / NS_PER_S);
	status->clients = (uint32_t)ecp_count_get(&kept->head->connected);
	status->denied = ecp_count_get(&kept->head->denied);
	status->endpoints = 0;
	for (uint32_t i = 0; i < kept->relays; i++)
		status->endpoints +=
		    (uint32_t)ecp_count_get(&relay_row(kept, i)->endpoints);
	return true;
}

void kept_status_add(struct ctl *ctl, const struct ecp_status *status)
{
	ctl->kept.status = *status;
	ctl->kept.have_status = true;
	ctl->kept.status_ns = flow_now_ns();
}
