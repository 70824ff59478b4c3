/*
 * fuzz_reply.c - any bytes as a daemon's reply, or as an event, as the library and etherconnctl
 * read them: refused with a sentence, or within every limit; and written out it is read as the same.
 */
#include "proto/msg.h"
#include "tests/fuzz.h"

/* As many words as it says, each with its end. */
static void check_rule(const struct ecp_rule_info *rule)
{
	unsigned n = 0, ends = 0;
	for (unsigned i = 0; i < ECP_RULE_LISTS; i++)
		n += rule->n[i];
	MUST(rule->len <= ECP_RULE_WORDS);
	for (uint32_t i = 0; i < rule->len; i++)
		ends += !rule->words[i];
	MUST(n == ends && (!rule->len || !rule->words[rule->len - 1]));
	MUST(memchr(rule->name, 0, ECP_RULE));
}

static void check_page(const struct ecp_page *page)
{
	MUST(page->what <= ECP_SHOW_POLICY && page->n <= ecp_page_max(page->what));
	for (unsigned i = 0; i < page->n; i++)
		switch (page->what) {
		case ECP_SHOW_RELAYS:
			MUST(memchr(page->relays[i].interface, 0, ECP_IFNAME));
			break;
		case ECP_SHOW_CLIENTS:
			MUST(memchr(page->clients[i].comm, 0, ECP_COMM));
			break;
		case ECP_SHOW_ENDPOINTS:
			MUST(page->endpoints[i].l2.n_vlans <= ECP_VLANS_MAX);
			MUST(page->endpoints[i].n_ethertypes <= ECP_ETHERTYPES_MAX);
			break;
		case ECP_SHOW_POLICY:
			check_rule(&page->rules[i]);
			break;
		}
}

static void check_reply(const struct ecp_reply *rep)
{
	switch (rep->type) {
	case ECP_REP_ERROR:
		MUST(rep->error.code < 0 && memchr(rep->error.text, 0, ECP_ERROR_TEXT));
		break;
	case ECP_REP_ATTACHED:
		MUST(memchr(rep->attached.interface, 0, ECP_IFNAME));
		break;
	case ECP_REP_OPENED:
		MUST(rep->opened.n <= ECP_BATCH_MAX);
		for (unsigned i = 0; i < rep->opened.n; i++)
			MUST(rep->opened.items[i].error.code <= 0);
		break;
	case ECP_REP_STATUS:
		MUST(memchr(rep->status.version, 0, sizeof(rep->status.version)));
		break;
	case ECP_REP_PAGE:
		check_page(&rep->page);
		break;
	case ECP_REP_CLOSED:
	case ECP_REP_LOCAL_SET:
	case ECP_REP_DONE:
	case ECP_REP_CAPTURING:
		break;
	case ECP_REP_POLICY:
		MUST(rep->policy.denied.code <= 0 && memchr(rep->policy.rule, 0, ECP_RULE));
		break;
	}
}

/* Write *rep, read it into *again.  Returns the text's length. */
static ssize_t back_and_forth(const struct ecp_reply *rep, struct ecp_reply *again,
			      char text[static ECP_MSG_MAX + 1])
{
	struct ecp_error err = {0};
	ssize_t len = ecp_reply_format(rep, text, ECP_MSG_MAX + 1);
	MUST(len > 0);
	MUST(ecp_reply_parse(text, (size_t)len, again, &err) == 0);
	return len;
}

static void check_event(const char *text, size_t size)
{
	struct ecp_event event, again;
	struct ecp_error err = {0};
	char texts[2][2048];
	memset(&event, 0xa5, sizeof(event));
	if (ecp_event_parse(text, size, &event, &err) < 0) {
		MUST(err.text[0] && memchr(err.text, 0, sizeof(err.text)));
		return;
	}
	MUST(*ecp_event_name(event.type));
	MUST(memchr(event.comm, 0, ECP_COMM) && memchr(event.text, 0, ECP_ERROR_TEXT));
	ssize_t len = ecp_event_format(&event, texts[0], sizeof(texts[0]));
	MUST(len > 0 && ecp_event_parse(texts[0], (size_t)len, &again, &err) == 0);
	MUST(ecp_event_format(&again, texts[1], sizeof(texts[1])) == len);
	MUST(!memcmp(texts[0], texts[1], (size_t)len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ecp_reply rep, second, third;
	static char texts[2][ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	uint8_t *text = fuzz_copy(data, size);
	memset(&rep, 0xa5, sizeof(rep));
	int r = ecp_reply_parse((char *)text, size, &rep, &err);
	check_event((char *)text, size);
	free(text);
	MUST(r == err.code);
	if (r < 0) {
		MUST(err.text[0] && memchr(err.text, 0, sizeof(err.text)));
		return 0;
	}
	check_reply(&rep);
	ssize_t len = back_and_forth(&rep, &second, texts[0]);
	MUST(back_and_forth(&second, &third, texts[1]) == len);
	MUST(!memcmp(texts[0], texts[1], (size_t)len));
	return 0;
}
