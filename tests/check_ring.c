/*
 * check_ring.c - proto/channel.h: index arithmetic, padding, and every lie a peer may tell.
 */
#include "proto/channel.h"
#include "tests/suite.h"

#include <check.h>
#include <stdlib.h>

#define SIZE ECP_RING_MIN

static uint8_t memory[SIZE] __attribute__((aligned(16)));
static _Atomic uint64_t prod, cons, wake_at, space_at;
static struct ecp_out out;
static struct ecp_in in;

/* Both ends stand at position `at`, so that a test may begin anywhere, also near 2^64. */
static void reset(uint64_t at)
{
	memset(memory, 0xee, sizeof(memory));
	out = (struct ecp_out){
	    .data = memory, .size = SIZE, .pos = at, .published = at, .cons = at};
	in = (struct ecp_in){
	    .data = memory, .size = SIZE, .pos = at, .released = at, .prod = at};
	atomic_store(&prod, at);
	atomic_store(&cons, at);
	atomic_store(&wake_at, at);
	atomic_store(&space_at, at);
}

static void setup(void)
{
	reset(0);
}

/* Write a record whose payload bytes all are `fill`.  False: full. */
static bool put(uint32_t len, uint8_t fill)
{
	uint8_t *at = ecp_out_reserve(&out, len);
	if (!at)
		return false;
	struct ecp_record head = {.len = len, .type = ECP_RECORD_TX, .endpoint = fill};
	memcpy(at, &head, sizeof(head));
	memset(at + sizeof(head), fill, len - sizeof(head));
	ecp_out_submit(&out, len);
	return true;
}

/* Read a record and check its bytes.  Returns its length, 0 if there is none. */
static uint32_t get(uint8_t fill)
{
	struct ecp_record head;
	int error = 0;
	const uint8_t *at = ecp_in_peek(&in, &head, &error);
	ck_assert_int_eq(error, 0);
	if (!at)
		return 0;
	ck_assert_uint_eq(head.endpoint, fill);
	unsigned wrong = 0;
	for (uint32_t i = sizeof(head); i < head.len; i++)
		wrong += at[i] != fill;
	ck_assert_uint_eq(wrong, 0);
	ecp_in_consume(&in, &head);
	return head.len;
}

START_TEST(test_wake_needed)
{
	static const struct {
		const char *name;
		uint64_t at, new_pos, old_pos;
		bool needed;
	} rows[] = {
	    {"asks for the very next", 0, 16, 0, true},
	    {"asks for the very next, many came", 0, 4096, 0, true},
	    {"asked in the past, awake since", 0, 48, 32, false},
	    {"asks for more than came", 100, 64, 32, false},
	    {"its position lies in what came", 40, 64, 32, true},
	    {"just reached, not passed", 64, 64, 32, false},
	    {"across 2^64", UINT64_MAX - 15, 16, UINT64_MAX - 31, true},
	    {"across 2^64, asked long ago", UINT64_MAX - 63, 16, UINT64_MAX - 31, false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_msg(ecp_wake_needed(rows[i].at, rows[i].new_pos,
					      rows[i].old_pos) == rows[i].needed,
			      "%s", rows[i].name);
}
END_TEST

/* Records of random lengths through the ring, starting anywhere; the ring wraps many times. */
static const uint64_t starts[] = {0, SIZE - 16, UINT64_MAX - 3 * SIZE + 1};

START_TEST(test_stream)
{
	enum { RECORDS = 20000, FLIGHT = 64 };
	uint32_t lens[RECORDS], written = 0, read = 0;
	srand(7);
	reset(starts[_i]);
	while (read < RECORDS) {
		for (unsigned n = 0; written < RECORDS && n < FLIGHT; n++, written++) {
			lens[written] = 16 + (uint32_t)rand() % 3000;
			if (!put(lens[written], (uint8_t)written))
				break;
		}
		ecp_out_publish(&out, &prod, &wake_at);
		ck_assert_int_eq(ecp_in_refresh(&in, &prod), 0);
		uint32_t len;
		while ((len = get((uint8_t)read)))
			ck_assert_uint_eq(len, lens[read++]);
		ck_assert_uint_eq(read, written);
		ecp_in_release(&in, &cons, &space_at);
		ck_assert_int_eq(ecp_out_refresh(&out, &cons), 0);
		ck_assert_uint_eq(ecp_out_free(&out), SIZE);
	}
}
END_TEST

START_TEST(test_full_ring_takes_no_more)
{
	unsigned n = 0;
	while (put(1024, 1))
		n++;
	ck_assert_uint_eq(n, SIZE / 1024);
	ck_assert(!put(16, 1));
	ecp_out_publish(&out, &prod, &wake_at);
	ecp_in_refresh(&in, &prod);
	ck_assert_uint_eq(get(1), 1024);
	ecp_in_release(&in, &cons, &space_at);
	ck_assert(!put(1024, 1)); /* nobody has looked yet */
	ecp_out_refresh(&out, &cons);
	ck_assert(put(1024, 1));
	ck_assert(!put(16, 1));
}
END_TEST

START_TEST(test_publish_says_when_to_ring)
{
	put(64, 1);
	ck_assert(ecp_out_publish(&out, &prod, &wake_at)); /* a consumer begins asleep */
	put(64, 2);
	ck_assert(!ecp_out_publish(&out, &prod, &wake_at));
	ck_assert(!ecp_out_publish(&out, &prod, &wake_at)); /* nothing new */
	ecp_in_refresh(&in, &prod);
	get(1);
	get(2);
	ck_assert(!ecp_in_arm(&in, &wake_at, &prod)); /* nothing has come: sleep */
	put(64, 3);
	ck_assert(ecp_out_publish(&out, &prod, &wake_at));
	ck_assert(ecp_in_arm(&in, &wake_at, &prod)); /* something has: do not */
}
END_TEST

START_TEST(test_space_says_when_to_ring)
{
	while (put(1024, 1))
		;
	ecp_out_publish(&out, &prod, &wake_at);
	ck_assert(!ecp_out_arm(&out, &space_at, &cons, 3000));
	ecp_in_refresh(&in, &prod);
	for (unsigned i = 0; i < 2; i++) {
		get(1);
		ck_assert(!ecp_in_release(&in, &cons, &space_at));
	}
	get(1);
	ck_assert(ecp_in_release(&in, &cons, &space_at)); /* 3072 bytes are free now */
	ck_assert(ecp_out_arm(&out, &space_at, &cons, 3000));
}
END_TEST

/* A producer's index, from a state where [1024, 2048) holds records: 1024 consumed and released. */
START_TEST(test_lying_producer)
{
	static const struct {
		const char *name;
		uint64_t index;
		int result;
	} rows[] = {
	    {"as it was", 2048, 0},
	    {"forward", 4096, 0},
	    {"exactly a whole ring ahead", 1024 + SIZE, 0},
	    {"more than a ring ahead", 1024 + SIZE + 16, -EPROTO},
	    {"backward", 2032, -EPROTO},
	    {"behind the consumer", 1008, -EPROTO},
	    {"unaligned", 2049, -EPROTO},
	    {"half of everything ahead", 1ULL << 63, -EPROTO},
	    {"all ones", UINT64_MAX, -EPROTO},
	};
	put(1024, 1);
	put(1024, 2);
	ecp_out_publish(&out, &prod, &wake_at);
	ecp_in_refresh(&in, &prod);
	get(1);
	ecp_in_release(&in, &cons, &space_at);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_in copy = in;
		atomic_store(&prod, rows[i].index);
		ck_assert_msg(ecp_in_refresh(&copy, &prod) == rows[i].result, "%s",
			      rows[i].name);
		ck_assert_msg(copy.prod == (rows[i].result ? in.prod : rows[i].index), "%s",
			      rows[i].name);
	}
}
END_TEST

/* A consumer's index, from a state where [1024, 4096) is published and 4096.. is not. */
START_TEST(test_lying_consumer)
{
	static const struct {
		const char *name;
		uint64_t index;
		int result;
	} rows[] = {
	    {"as it was", 1024, 0},
	    {"forward", 2048, 0},
	    {"everything", 4096, 0},
	    {"more than was published", 4112, -EPROTO},
	    {"backward", 1008, -EPROTO},
	    {"unaligned", 2050, -EPROTO},
	    {"zero again", 0, -EPROTO},
	    {"half of everything", 1ULL << 63, -EPROTO},
	    {"all ones", UINT64_MAX, -EPROTO},
	};
	for (unsigned i = 0; i < 4; i++)
		put(1024, 1);
	ecp_out_publish(&out, &prod, &wake_at);
	put(1024, 1); /* written, not published */
	atomic_store(&cons, 1024);
	ck_assert_int_eq(ecp_out_refresh(&out, &cons), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_out copy = out;
		atomic_store(&cons, rows[i].index);
		ck_assert_msg(ecp_out_refresh(&copy, &cons) == rows[i].result, "%s",
			      rows[i].name);
		ck_assert_msg(copy.cons == (rows[i].result ? out.cons : rows[i].index),
			      "%s", rows[i].name);
	}
}
END_TEST

/* One record head in a ring where 1024 bytes are produced; at offset 0, or 512 before the end. */
START_TEST(test_lying_record)
{
	static const struct {
		const char *name;
		uint64_t at;
		struct ecp_record head;
		int result; /* 1: a record; 0: none; else error */
	} rows[] = {
	    {"good", 0, {.len = 100, .type = ECP_RECORD_TX, .aux_len = 8}, 1},
	    {"just its head", 0, {.len = 16, .type = ECP_RECORD_TX}, 1},
	    {"all that was produced", 0, {.len = 1024, .type = ECP_RECORD_TX}, 1},
	    {"zero long", 0, {.len = 0, .type = ECP_RECORD_TX}, -EPROTO},
	    {"shorter than its head", 0, {.len = 15, .type = ECP_RECORD_TX}, -EPROTO},
	    {"longer than produced", 0, {.len = 1025, .type = ECP_RECORD_TX}, -EPROTO},
	    {"4 GiB", 0, {.len = UINT32_MAX, .type = ECP_RECORD_TX}, -EPROTO},
	    {"aux beyond it",
	     0,
	     {.len = 100, .type = ECP_RECORD_TX, .aux_len = 88},
	     -EPROTO},
	    {"aux to its end", 0, {.len = 96, .type = ECP_RECORD_TX, .aux_len = 80}, 1},
	    {"aux odd", 0, {.len = 100, .type = ECP_RECORD_TX, .aux_len = 7}, -EPROTO},
	    {"pad not at the end", 0, {.len = 64, .type = ECP_RECORD_PAD}, -EPROTO},
	    {"up to the end", SIZE - 512, {.len = 512, .type = ECP_RECORD_TX}, 1},
	    {"over the end", SIZE - 512, {.len = 513, .type = ECP_RECORD_TX}, -EPROTO},
	    {"pad beyond the end",
	     SIZE - 512,
	     {.len = 528, .type = ECP_RECORD_PAD},
	     -EPROTO},
	    {"pad, then nonsense",
	     SIZE - 512,
	     {.len = 512, .type = ECP_RECORD_PAD},
	     -EPROTO},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ecp_record copy;
		int error = 0;
		reset(rows[i].at);
		memset(memory, 0,
		       16); /* what stands behind the end: a record of no length */
		memcpy(memory + (rows[i].at & (SIZE - 1)), &rows[i].head, sizeof(copy));
		atomic_store(&prod, rows[i].at + 1024);
		ck_assert_int_eq(ecp_in_refresh(&in, &prod), 0);
		const uint8_t *at = ecp_in_peek(&in, &copy, &error);
		ck_assert_msg((at != NULL) == (rows[i].result == 1), "%s", rows[i].name);
		ck_assert_msg(error == (rows[i].result < 0 ? rows[i].result : 0), "%s",
			      rows[i].name);
	}
}
END_TEST

START_TEST(test_ring_sizes)
{
	ck_assert(ecp_ring_size_ok(ECP_RING_MIN));
	ck_assert(ecp_ring_size_ok(ECP_RING_MAX));
	ck_assert(!ecp_ring_size_ok(ECP_RING_MIN / 2));
	ck_assert(!ecp_ring_size_ok(ECP_RING_MAX * 2ull));
	ck_assert(!ecp_ring_size_ok(ECP_RING_MIN + 4096));
	ck_assert(!ecp_ring_size_ok(0));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ring");
	TCase *tc = tcase_create("ring");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_wake_needed);
	tcase_add_loop_test(tc, test_stream, 0, sizeof(starts) / sizeof(*starts));
	tcase_add_test(tc, test_full_ring_takes_no_more);
	tcase_add_test(tc, test_publish_says_when_to_ring);
	tcase_add_test(tc, test_space_says_when_to_ring);
	tcase_add_test(tc, test_lying_producer);
	tcase_add_test(tc, test_lying_consumer);
	tcase_add_test(tc, test_lying_record);
	tcase_add_test(tc, test_ring_sizes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
