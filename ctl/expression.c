/*
 * expression.c - libpcap's compiler, and its interpreter.
 */
#include "ctl/expression.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

#define WHOLE 262144 /* longer than any frame */

struct expression {
	struct bpf_program program;
};

struct expression *expression_compile(const char *text, const char **why)
{
	static char words[PCAP_ERRBUF_SIZE];
	struct expression *expression = calloc(1, sizeof(*expression));
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, WHOLE);
	*why = "out of memory";
	if (!expression || !pcap)
		abort();
	if (pcap_compile(pcap, &expression->program, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(words, sizeof(words), "%s", pcap_geterr(pcap));
		*why = words;
		free(expression);
		expression = NULL;
	}
	pcap_close(pcap);
	return expression;
}

void expression_free(struct expression *expression)
{
	if (expression)
		pcap_freecode(&expression->program);
	free(expression);
}

bool expression_matches(const struct expression *expression, const uint8_t *frame,
			uint32_t len)
{
	const struct pcap_pkthdr head = {.caplen = len, .len = len};
	return pcap_offline_filter(&expression->program, &head, frame) != 0;
}
