/*
 * fuzz.h - what the fuzz targets share: their entry, and how a property is demanded.
 *
 * A target is tests/fuzz_NAME.c with its seeds in tests/corpus/NAME/; tests/fuzz.sh runs them.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer keeps the input that broke this. */
#define MUST(condition)                                                                    \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,         \
				#condition);                                               \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* The input as it is eaten from the front; behind its end stand zeros. */
struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes && in->size; i++, in->data++, in->size--)
		value |= (uint64_t)*in->data << i * 8;
	return value;
}

/* A copy of just this size, so that a sanitizer sees every step beyond it. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	MUST(copy);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

#endif
