/*
 * check_hash.c - the daemon's hash table against a plain model, and its spread.
 */
#include "daemon/hash.h"
#include "tests/suite.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

#define N 2000

static struct hash h;

static void setup(void)
{
	ck_assert_int_eq(hash_init(&h), 0);
}

static void teardown(void)
{
	hash_fini(&h);
}

static uintptr_t find(uint64_t hash, uintptr_t value)
{
	size_t at;
	void *v = hash_first(&h, hash, &at);
	while (v && (uintptr_t)v != value)
		v = hash_next(&h, hash, &at);
	return (uintptr_t)v;
}

/* Few different hashes, so chains are long and wrap; removals in random order. */
START_TEST(test_model)
{
	static const uint64_t spreads[] = {1, 7, 1000, UINT64_MAX};
	uint64_t spread = spreads[_i];
	bool in[N + 1] = {false};
	srand(1);
	for (unsigned step = 0; step < 20 * N; step++) {
		uintptr_t value = 1 + (uintptr_t)rand() % N;
		uint64_t hash = value * 0x9e3779b97f4a7c15 % spread;
		ck_assert_int_eq(find(hash, value) == value, in[value]);
		if (in[value])
			hash_remove(&h, hash, (void *)value);
		else
			ck_assert_int_eq(hash_insert(&h, hash, (void *)value), 0);
		in[value] = !in[value];
	}
	size_t n = 0;
	for (uintptr_t v = 1; v <= N; v++)
		n += in[v];
	ck_assert_uint_eq(h.n, n);
}
END_TEST

/* Sequential MACs, as people use them, must not cluster. */
START_TEST(test_sequential_keys_spread)
{
	enum { KEYS = 50000, SLOTS = 1 << 17 };
	static unsigned char used[SLOTS];
	unsigned collisions = 0;
	for (uint64_t i = 0; i < KEYS; i++) {
		uint64_t mac = 0x020000000000 + i;
		uint64_t slot = hash_mix(&h, __builtin_bswap64(mac) >> 16, 100) % SLOTS;
		collisions += used[slot];
		used[slot] = 1;
	}
	/* random placement gives KEYS - SLOTS * (1 - exp(-KEYS/SLOTS)) = 8405 */
	ck_assert_uint_lt(collisions, 9500);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hash");
	TCase *tc = tcase_create("hash");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_model, 0, 4);
	tcase_add_test(tc, test_sequential_keys_spread);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
