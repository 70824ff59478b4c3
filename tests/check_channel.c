/*
 * check_channel.c - the daemon's end of the rings: memory that a client cannot harm, shares of
 * the ring, doorbells, and clients that lie.
 */
#include "daemon/channel.h"
#include "tests/peer.h"
#include "tests/suite.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define RX (256u << 10)
#define TX ECP_RING_MIN

/* The channel never looks into an endpoint: any address will do. */
#define ENDPOINT(n) ((struct endpoint *)(uintptr_t)(0x1000 + (n)))

static struct channel *ch;
static struct peer peer;
static const struct ecp_rx_aux aux;
static const struct ecp_tag no_tag;
static uint8_t frame[2000];

static struct channel_dest dests[1001]; /* by number */

/* Take a slot; returns its number, or what went wrong. */
static int take(struct endpoint *endpoint, uint32_t limit)
{
	struct channel_dest dest;
	int r = channel_slot_take(ch, endpoint, limit, &dest);
	if (r < 0)
		return r;
	dests[dest.id] = dest;
	return (int)dest.id;
}

static void setup(void)
{
	ck_assert_int_eq(channel_new(&ch, RX, TX, 1000, 42), 0);
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)i;
}

static void teardown(void)
{
	channel_free(ch);
}

static void setup_peer(void)
{
	setup();
	peer_open(&peer, ch);
	ck_assert_int_eq(take(ENDPOINT(0), 0), 0);
}

static void teardown_peer(void)
{
	peer_close(&peer);
	teardown();
}

static bool put(uint32_t id, uint32_t len)
{
	return channel_put(ch, &dests[id], &aux, &no_tag, frame, len) != NULL;
}

/* Everything received so far; returns how many records. */
static unsigned take_all(void)
{
	struct ecp_record head;
	struct ecp_rx_aux got;
	const uint8_t *data;
	uint32_t len;
	unsigned n = 0;
	while (peer_recv(&peer, &head, &got, &data, &len))
		n++;
	peer_release(&peer);
	return n;
}

/* ---- the memory ---- */

START_TEST(test_client_cannot_write_d)
{
	int fd = ch->peer_fds[ECP_FD_D];
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	ck_assert_int_eq(write(fd, "x", 1), -1);
	if (geteuid() == 0) /* root may reopen anything: be somebody else for a moment */
		ck_assert_int_eq(seteuid(65534), 0);
	int again = open(path, O_RDWR);
	int error = errno;
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(0), 0);
	if (getuid() == 0) {
		ck_assert_int_eq(again, -1);
		ck_assert_int_eq(error, EACCES);
	}
}
END_TEST

START_TEST(test_client_cannot_resize)
{
	static const enum ecp_channel_fd fds[] = {ECP_FD_D, ECP_FD_C};
	int fd = ch->peer_fds[fds[_i]];
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 1 << 30), -1);
}
END_TEST

START_TEST(test_no_descriptor_is_left)
{
	int before = open("/dev/null", O_RDONLY);
	struct channel *other;
	ck_assert_int_eq(channel_new(&other, RX, TX, 10, 1), 0);
	channel_free(other);
	int after = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(after, before + 1);
	close(before);
	close(after);
}
END_TEST

START_TEST(test_full_bell_blocks_nobody)
{
	char junk[4096] = {0};
	/* the client clears whatever it can reach, then never reads */
	fcntl(peer.bell_rx, F_SETFL, 0);
	while (write(ch->bell_rx, junk, sizeof(junk)) > 0)
		;
	atomic_store(&peer.c->rx_wake_at, 0);
	ck_assert(put(0, 100));
	channel_publish(ch); /* must return */
	ck_assert_uint_eq(take_all(), 1);
}
END_TEST

START_TEST(test_client_that_has_gone)
{
	close(peer.bell_rx);
	put(0, 100);
	channel_publish(ch); /* it asked to be rung: neither a signal nor an error */
	peer.bell_rx = open("/dev/null", O_RDONLY);
}
END_TEST

/* The client may do to its descriptors what it likes: ours keep their mode. */
START_TEST(test_modes_are_ours_alone)
{
	fcntl(peer.bell_rx, F_SETFL, 0);
	fcntl(peer.bell_tx, F_SETFL, 0);
	fcntl(peer.bell_tx_keep, F_SETFL, 0);
	ck_assert(fcntl(ch->bell_rx, F_GETFL) & O_NONBLOCK);
	ck_assert(fcntl(ch->bell_tx, F_GETFL) & O_NONBLOCK);
}
END_TEST

/* ---- slots ---- */

START_TEST(test_slots)
{
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(take(ENDPOINT(i), 0), i);
	ck_assert_int_eq(take(ENDPOINT(0), 0), -ENOSPC);
	uint32_t generation = ch->slots[7].generation;
	ck_assert_ptr_eq(channel_endpoint(ch, 7, generation), ENDPOINT(7));
	channel_slot_give(ch, 7);
	ck_assert_ptr_null(channel_endpoint(ch, 7, generation));
	ck_assert_int_eq(take(ENDPOINT(5000), 0), 7);
	ck_assert_ptr_null(channel_endpoint(ch, 7, generation));
	ck_assert_ptr_eq(channel_endpoint(ch, 7, generation + 1), ENDPOINT(5000));
	ck_assert_ptr_null(channel_endpoint(ch, 1000, 1));
	ck_assert_ptr_null(channel_endpoint(ch, UINT32_MAX, 1));
}
END_TEST

/* ---- receiving ---- */

START_TEST(test_frame_arrives_whole)
{
	static const struct ecp_tag tags[] = {{false, 0, 0}, {true, 0x88a8, 0x6064}};
	struct ecp_record head;
	struct ecp_rx_aux sent = {.time_ns = 1234567890123, .ethertype = 0x0800}, got;
	const uint8_t *data;
	uint32_t len;
	const struct ecp_tag *tag = &tags[_i];
	ck_assert_ptr_nonnull(channel_put(ch, &dests[0], &sent, tag, frame, 100));
	channel_publish(ch);
	ck_assert_int_eq(peer_recv(&peer, &head, &got, &data, &len), 1);
	ck_assert_uint_eq(head.type, ECP_RECORD_RX);
	ck_assert_uint_eq(head.endpoint, 0);
	ck_assert_uint_eq(head.generation, ch->slots[0].generation);
	ck_assert_mem_eq(&got, &sent, sizeof(got));
	ck_assert_uint_eq(len, tag->present ? 104 : 100);
	ck_assert_mem_eq(data, frame, 12);
	if (tag->present)
		ck_assert_mem_eq(data + 12, "\x88\xa8\x60\x64", 4);
	ck_assert_mem_eq(data + len - 88, frame + 12, 88);
}
END_TEST

START_TEST(test_share_of_one_endpoint)
{
	/* n records of room r may be held while (n + 1) * r <= (size - n * r) / 4 */
	unsigned n = 0;
	while (put(0, 1000))
		n++;
	unsigned room = (unsigned)ecp_record_room(1000 + 32);
	ck_assert_uint_le(n * room, (RX - (n - 1) * room) / 4);
	ck_assert_uint_gt((n + 1) * room, (RX - n * room) / 4);

	/* another endpoint is not the poorer: it still has its quarter of what is free */
	ck_assert_int_eq(take(ENDPOINT(1), 0), 1);
	ck_assert(put(1, 1000));

	/* what the client consumed is given back */
	channel_publish(ch);
	ck_assert_uint_eq(take_all(), n + 1);
	ck_assert(put(0, 1000));
	ck_assert_uint_eq(ch->used[0], room);
	ck_assert_uint_eq(ch->used[1], 0);
}
END_TEST

START_TEST(test_depth_limit)
{
	ck_assert_int_eq(take(ENDPOINT(1), 4096), 1);
	unsigned n = 0;
	while (put(1, 1000))
		n++;
	ck_assert_uint_eq(n, 4096 / ecp_record_room(1032));
}
END_TEST

/* Twenty greedy endpoints whose reader sleeps must leave room for many quiet ones. */
START_TEST(test_elephants_leave_room_for_mice)
{
	enum { ELEPHANTS = 20, MICE = 100 };
	for (unsigned i = 1; i <= ELEPHANTS + MICE; i++)
		ck_assert_int_eq(take(ENDPOINT(i), 0), i);
	for (unsigned round = 0; round < 1000; round++)
		for (unsigned i = 1; i <= ELEPHANTS; i++)
			put(i, 1000);
	for (unsigned i = 1; i <= MICE; i++)
		ck_assert_msg(put(ELEPHANTS + i, 60), "mouse %u", i);
}
END_TEST

START_TEST(test_closed_endpoint_gives_nothing_back)
{
	put(0, 1000);
	channel_publish(ch);
	channel_slot_give(ch, 0);
	ck_assert_int_eq(take(ENDPOINT(1), 0), 0);
	take_all();
	ck_assert(put(0, 100));
	ck_assert_uint_eq(ch->used[0], ecp_record_room(132));
}
END_TEST

START_TEST(test_bell_only_for_a_sleeper)
{
	struct pollfd p = {.fd = peer.bell_rx, .events = POLLIN};
	put(0, 100);
	channel_publish(ch);
	ck_assert_int_eq(poll(&p, 1, 0), 1); /* a client begins asleep */
	char byte;
	ck_assert_int_eq(read(peer.bell_rx, &byte, 1), 1);
	put(0, 100);
	channel_publish(ch);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	take_all();
	ck_assert(!ecp_in_arm(&peer.rx, &peer.c->rx_wake_at, &peer.d->rx_prod));
	put(0, 100);
	channel_publish(ch);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
}
END_TEST

/* ---- a client that lies ---- */

START_TEST(test_lying_rx_index)
{
	static const struct {
		const char *name;
		uint64_t rx_cons; /* 160 bytes a record, two records published */
		bool broken;
	} rows[] = {
	    {"nothing consumed", 0, false},     {"one consumed", 160, false},
	    {"both consumed", 320, false},      {"in the middle of a record", 16, true},
	    {"more than published", 336, true}, {"unaligned", 161, true},
	    {"all ones", UINT64_MAX, true},
	};
	put(0, 128);
	put(0, 128);
	channel_publish(ch);
	ck_assert_uint_eq(ch->rx.pos, 320);
	atomic_store(&peer.c->rx_cons, rows[_i].rx_cons);
	bool delivered = put(0, 128);
	ck_assert_msg(ch->broken == rows[_i].broken, "%s", rows[_i].name);
	ck_assert_msg(delivered == !rows[_i].broken, "%s", rows[_i].name);
}
END_TEST

static const uint8_t dst[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

START_TEST(test_tx_record)
{
	struct channel_tx tx;
	ck_assert(!channel_tx_refresh(ch));
	ck_assert(peer_send(&peer, 3, 9, dst, 0x86dd, "hello", 5));
	ck_assert(!channel_tx_refresh(ch)); /* not published */
	ck_assert(peer_publish(&peer));
	ck_assert(channel_tx_refresh(ch));
	ck_assert(channel_tx_next(ch, &tx));
	ck_assert_uint_eq(tx.head.endpoint, 3);
	ck_assert_uint_eq(tx.head.generation, 9);
	ck_assert_uint_eq(tx.aux.ethertype, 0x86dd);
	ck_assert_mem_eq(tx.aux.dst, dst, 6);
	ck_assert_uint_eq(tx.len, 5);
	ck_assert_mem_eq(tx.payload, "hello", 5);
	ck_assert(!channel_tx_next(ch, &tx));
	ck_assert(!ch->broken);
	channel_tx_release(ch);
	ck_assert_uint_eq(atomic_load(&peer.d->tx_cons), 32);
}
END_TEST

START_TEST(test_tx_sleep_and_wake)
{
	ck_assert(channel_tx_sleep(ch));
	peer_send(&peer, 0, 1, dst, 0x0800, "x", 1);
	ck_assert(peer_publish(&peer)); /* it sleeps: it must be rung */
	ck_assert(!channel_tx_sleep(ch));
	peer_send(&peer, 0, 1, dst, 0x0800, "x", 1);
	ck_assert(!peer_publish(&peer)); /* it did not go to sleep */
}
END_TEST

START_TEST(test_waiting_for_room_is_rung)
{
	struct channel_tx tx;
	struct pollfd p = {.fd = peer.bell_rx, .events = POLLIN};
	while (peer_send(&peer, 0, 1, dst, 0x0800, frame, 1000))
		;
	peer_publish(&peer);
	ck_assert(!ecp_out_arm(&peer.tx, &peer.c->tx_space_at, &peer.d->tx_cons, 2000));
	ck_assert(channel_tx_refresh(ch));
	ck_assert(channel_tx_next(ch, &tx));
	channel_tx_release(ch);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert(channel_tx_next(ch, &tx));
	channel_tx_release(ch);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
}
END_TEST

/* Whatever stands in the TX ring: a record, nothing, or a broken client. */
START_TEST(test_lying_tx)
{
	static const struct {
		const char *name;
		uint64_t prod;
		struct ecp_record head;
		bool record;
	} rows[] = {
	    {"good", 64, {.len = 60, .type = ECP_RECORD_TX, .aux_len = 8}, true},
	    {"no payload", 32, {.len = 24, .type = ECP_RECORD_TX, .aux_len = 8}, true},
	    {"no aux", 64, {.len = 60, .type = ECP_RECORD_TX}, false},
	    {"long aux", 64, {.len = 60, .type = ECP_RECORD_TX, .aux_len = 16}, false},
	    {"an RX record", 64, {.len = 60, .type = ECP_RECORD_RX, .aux_len = 8}, false},
	    {"of no type", 64, {.len = 60, .aux_len = 8}, false},
	    {"longer than produced",
	     64,
	     {.len = 65, .type = ECP_RECORD_TX, .aux_len = 8},
	     false},
	    {"index unaligned",
	     65,
	     {.len = 60, .type = ECP_RECORD_TX, .aux_len = 8},
	     false},
	    {"index over the ring",
	     TX + 16,
	     {.len = 60, .type = ECP_RECORD_TX, .aux_len = 8},
	     false},
	};
	struct channel_tx tx;
	memcpy(peer.tx.data, &rows[_i].head, sizeof(rows[_i].head));
	atomic_store(&peer.c->tx_prod, rows[_i].prod);
	bool record = channel_tx_refresh(ch) && channel_tx_next(ch, &tx);
	ck_assert_msg(record == rows[_i].record, "%s", rows[_i].name);
	ck_assert_msg(ch->broken == !rows[_i].record, "%s", rows[_i].name);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("channel");
	TCase *bare = tcase_create("memory and slots");
	tcase_add_checked_fixture(bare, setup, teardown);
	tcase_add_test(bare, test_client_cannot_write_d);
	tcase_add_loop_test(bare, test_client_cannot_resize, 0, 2);
	tcase_add_test(bare, test_no_descriptor_is_left);
	tcase_add_test(bare, test_slots);
	suite_add_tcase(s, bare);
	TCase *tc = tcase_create("with a client");
	tcase_add_checked_fixture(tc, setup_peer, teardown_peer);
	tcase_add_test(tc, test_full_bell_blocks_nobody);
	tcase_add_test(tc, test_client_that_has_gone);
	tcase_add_test(tc, test_modes_are_ours_alone);
	tcase_add_loop_test(tc, test_frame_arrives_whole, 0, 2);
	tcase_add_test(tc, test_share_of_one_endpoint);
	tcase_add_test(tc, test_depth_limit);
	tcase_add_test(tc, test_elephants_leave_room_for_mice);
	tcase_add_test(tc, test_closed_endpoint_gives_nothing_back);
	tcase_add_test(tc, test_bell_only_for_a_sleeper);
	tcase_add_loop_test(tc, test_lying_rx_index, 0, 7);
	tcase_add_test(tc, test_tx_record);
	tcase_add_test(tc, test_tx_sleep_and_wake);
	tcase_add_test(tc, test_waiting_for_room_is_rung);
	tcase_add_loop_test(tc, test_lying_tx, 0, 9);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
