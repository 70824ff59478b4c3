/*
 * expression.h - filters in libpcap's words, pcap-filter(7); expression.c is the one file here
 * that knows libpcap.
 *
 * Compiled and run here, not in the daemon: it is no place for programs that others wrote.
 */
#ifndef CTL_EXPRESSION_H
#define CTL_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

struct expression;

/* NULL: why, in the compiler's own words, is in *why (static). */
struct expression *expression_compile(const char *text, const char **why);
void expression_free(struct expression *expression); /* NULL will do */

/* A whole Ethernet frame, tags in their places. */
bool expression_matches(const struct expression *expression, const uint8_t *frame,
			uint32_t len);

#endif
