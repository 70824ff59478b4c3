/*
 * check_msg.c - control messages: each there and back, the longest that may come, and what a
 * wrong one is told.  PROTOCOL.md's examples are read as they stand ($PROTOCOL_MD: those of
 * another one).
 */
#include "proto/msg.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(table) (int)(sizeof(table) / sizeof(*(table)))

/* too large for a stack */
static struct ecp_request req, req_back;
static struct ecp_reply rep, rep_back;
static char text[ECP_MSG_MAX + 2], again[ECP_MSG_MAX + 2];
static struct ecp_error err;

static void setup(void)
{
	memset(&req, 0, sizeof(req));
	memset(&rep, 0, sizeof(rep));
	/* parsing must set every field by itself */
	memset(&req_back, 0xa5, sizeof(req_back));
	memset(&rep_back, 0xa5, sizeof(rep_back));
	memset(&err, 0, sizeof(err));
}

/* ---- there and back ---- */

static const char *const good_requests[] = {
    "{\"request\":\"attach\",\"version\":1}",
    "{\"request\":\"attach\",\"version\":1,\"interface\":\"fifteen-letters\","
    "\"rx_ring\":65536,\"tx_ring\":67108864}",
    "{\"request\":\"open\",\"endpoints\":[]}",
    "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"aa:bb:cc:11:22:33\"}]}",
    "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"aa:bb:cc:11:22:33\","
    "\"vlans\":[{\"id\":4095,\"tpid\":34984,\"pcp\":7,\"dei\":1},{\"id\":0}],"
    "\"ethertypes\":[1,1536,2048,65535],\"multicast\":true,\"multicast_any\":true,"
    "\"share\":true,\"depth\":65536}]}",
    "{\"request\":\"open\",\"endpoints\":[{\"l2\":\"01:00:5e:00:00:01\"},"
    "{\"udp\":\"0.0.0.0:68\",\"on_item\":0,\"accept_any\":true},"
    "{\"udp\":\"[2001:db8::1]:547\",\"on\":4294967295,\"depth\":4294967295}]}",
    "{\"request\":\"close\",\"ids\":[]}",
    "{\"request\":\"close\",\"ids\":[0,7,4294967295]}",
    "{\"request\":\"set_local\",\"id\":3,\"local\":\"10.100.5.7:68\"}",
    "{\"request\":\"status\"}",
    "{\"request\":\"show\",\"what\":\"relays\"}",
    "{\"request\":\"show\",\"what\":\"clients\",\"after\":1}",
    "{\"request\":\"show\",\"what\":\"endpoints\",\"after\":16777216}",
    "{\"request\":\"show\",\"what\":\"policy\"}",
    "{\"request\":\"policy_test\",\"uid\":0,\"gids\":[],\"l2\":\"02:00:00:00:00:01\"}",
    "{\"request\":\"policy_test\",\"uid\":4294967295,\"gids\":[0,4294967295],"
    "\"interface\":\"eth1\",\"l2\":\"02:00:00:00:00:01\",\"vlans\":[{\"id\":300}],"
    "\"ethertypes\":[2048],\"multicast\":true,\"mirror\":true,\"udp\":\"10.0.0.1:68\"}",
};

START_TEST(test_request_back_and_forth)
{
	const char *is = good_requests[_i];
	int r = ecp_request_parse(is, strlen(is), &req_back, &err);
	ck_assert_msg(r == 0, "%s: %s", is, err.text);
	ck_assert_int_eq(ecp_request_format(&req_back, text, sizeof(text)), strlen(is));
	ck_assert_str_eq(text, is);
}
END_TEST

/* A message cut short is never taken for a whole one. */
START_TEST(test_request_prefixes)
{
	const char *is = good_requests[_i];
	for (size_t len = 0; len < strlen(is); len++) {
		char *cut = malloc(len + 1); /* exactly: ASan sees any byte more */
		memcpy(cut, is, len);
		memset(&err, 0, sizeof(err));
		int r = ecp_request_parse(cut, len, &req_back, &err);
		free(cut);
		ck_assert_msg(r == -EBADMSG && err.text[0], "%.*s: %d", (int)len, is, r);
	}
}
END_TEST

START_TEST(test_request_any_room)
{
	const char *is = good_requests[_i];
	size_t len = strlen(is);
	ck_assert_int_eq(ecp_request_parse(is, len, &req_back, &err), 0);
	for (size_t room = 0; room <= len; room++)
		ck_assert_int_eq(ecp_request_format(&req_back, text, room), -EMSGSIZE);
	ck_assert_int_eq(ecp_request_format(&req_back, text, len + 1), len);
}
END_TEST

/* What the fields are; the other tests only see that text comes back. */
START_TEST(test_open_fields)
{
	const char *is = good_requests[4];
	ck_assert_int_eq(ecp_request_parse(is, strlen(is), &req_back, &err), 0);
	const struct ecp_open_item *item = &req_back.open.items[0];
	ck_assert_int_eq(req_back.type, ECP_REQ_OPEN);
	ck_assert_uint_eq(req_back.open.n, 1);
	ck_assert_int_eq(item->kind, ECP_KIND_L2);
	ck_assert_mem_eq(item->l2.mac, "\xaa\xbb\xcc\x11\x22\x33", 6);
	ck_assert_uint_eq(item->l2.n_vlans, 2);
	ck_assert_uint_eq(item->l2.vlans[0].id, 4095);
	ck_assert_uint_eq(item->l2.vlans[0].tpid, 0x88a8);
	ck_assert_uint_eq(item->l2.vlans[0].pcp, 7);
	ck_assert_uint_eq(item->l2.vlans[0].dei, 1);
	ck_assert_uint_eq(item->l2.vlans[1].tpid, 0x8100);
	ck_assert_uint_eq(item->n_ethertypes, 4);
	ck_assert_uint_eq(item->ethertypes[2], 0x0800);
	ck_assert_uint_eq(item->flags,
			  ECP_EP_MULTICAST | ECP_EP_MULTICAST_ANY | ECP_EP_SHARE);
	ck_assert_uint_eq(item->depth, 65536);
	ck_assert(!item->on_item && item->on == 0 && item->local.family == 0);
}
END_TEST

static const char *const good_replies[] = {
    "{\"error\":\"ENODEV\",\"text\":\"no relay on \\\"eth9\\\"\"}",
    "{\"reply\":\"attached\",\"version\":1,\"session\":9007199254740991,"
    "\"interface\":\"eth1\",\"mac\":\"52:54:00:12:34:56\",\"mtu\":1500,"
    "\"rx_ring\":4194304,\"tx_ring\":1048576}",
    "{\"reply\":\"opened\",\"endpoints\":[]}",
    "{\"reply\":\"opened\",\"endpoints\":[{\"id\":0,\"generation\":1,"
    "\"payload_max\":1492},{\"error\":\"EADDRINUSE\",\"text\":\"taken\"}]}",
    "{\"reply\":\"closed\",\"closed\":2}",
    "{\"reply\":\"local_set\"}",
    "{\"reply\":\"status\",\"version\":\"0.1.0\",\"pid\":812,\"uid\":998,"
    "\"uptime_s\":3600,\"relays\":1,\"clients\":2,\"endpoints\":50000,\"denied\":3}",
    "{\"reply\":\"page\",\"what\":\"relays\",\"items\":[]}",
    "{\"reply\":\"policy\",\"allowed\":true,\"rule\":\"lab\",\"raw\":true,"
    "\"limits\":{\"clients\":1,\"endpoints\":2,\"ring\":131072,\"frames_per_s\":4,"
    "\"burst\":5,\"requests_per_s\":6}}",
    "{\"reply\":\"policy\",\"allowed\":false,\"code\":\"EACCES\",\"text\":\"no rule\","
    "\"raw\":false,\"limits\":{}}",
    "{\"reply\":\"page\",\"what\":\"clients\",\"items\":[{\"id\":1,\"pid\":4711,"
    "\"uid\":1000,\"gid\":1001,\"comm\":\"dhcp\",\"interface\":\"eth1\",\"endpoints\":2,"
    "\"rx_ring\":4194304,\"rx_used\":160,\"tx_ring\":1048576,\"denied\":7,"
    "\"counters\":{\"rx\":10,"
    "\"rx_bytes\":3460,\"rx_buffer_full\":1,\"tx\":4,\"tx_bytes\":1384,"
    "\"tx_dropped\":5}}],\"more\":true,\"next\":1}",
    "{\"reply\":\"page\",\"what\":\"endpoints\",\"items\":[{\"client\":1,\"id\":1,"
    "\"interface\":\"eth1\",\"udp\":\"10.100.5.7:68\",\"l2\":\"aa:bb:cc:11:22:33\","
    "\"vlans\":[{\"id\":100}],\"accept_any\":true,\"counters\":{\"rx\":1,\"rx_bytes\":2,"
    "\"rx_buffer_full\":3,\"tx\":4,\"tx_bytes\":5,\"tx_dropped\":6}},{\"client\":2,"
    "\"id\":0,\"interface\":\"eth2\",\"l2\":\"aa:bb:cc:11:22:34\",\"ethertypes\":[2054],"
    "\"multicast\":true,\"counters\":{\"rx\":1,\"rx_bytes\":2,\"rx_buffer_full\":3,"
    "\"tx\":4,\"tx_bytes\":5,\"tx_dropped\":6}}]}",
};

START_TEST(test_reply_back_and_forth)
{
	const char *is = good_replies[_i];
	int r = ecp_reply_parse(is, strlen(is), &rep_back, &err);
	ck_assert_msg(r == 0, "%s: %s", is, err.text);
	ck_assert_int_eq(ecp_reply_format(&rep_back, text, sizeof(text)), strlen(is));
	ck_assert_str_eq(text, is);
}
END_TEST

START_TEST(test_reply_prefixes)
{
	const char *is = good_replies[_i];
	for (size_t len = 0; len < strlen(is); len++) {
		char *cut = malloc(len + 1);
		memcpy(cut, is, len);
		memset(&err, 0, sizeof(err));
		int r = ecp_reply_parse(cut, len, &rep_back, &err);
		free(cut);
		ck_assert_msg(r == -EBADMSG && err.text[0], "%.*s: %d", (int)len, is, r);
	}
}
END_TEST

/* A relay with every counter different: each comes back as itself. */
START_TEST(test_every_counter)
{
	struct ecp_relay_info *relay = &rep.page.relays[0];
	rep.type = ECP_REP_PAGE;
	rep.page.what = ECP_SHOW_RELAYS;
	rep.page.n = 1;
	relay->up = true;
	snprintf(relay->backend, sizeof(relay->backend), "af_packet");
	for (unsigned i = 0; i < ECP_N_RELAY_COUNTERS; i++)
		ecp_counter_set(&ecp_relay_counters[i], &relay->stats, 1000 + i);
	ssize_t len = ecp_reply_format(&rep, text, sizeof(text));
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(ecp_reply_parse(text, (size_t)len, &rep_back, &err), 0);
	ck_assert_mem_eq(&rep_back.page.relays[0].stats, &relay->stats,
			 sizeof(relay->stats));
	ck_assert_str_eq(rep_back.page.relays[0].backend, "af_packet");
	ck_assert(rep_back.page.relays[0].up);
}
END_TEST

/* ---- the longest ---- */

/* Every byte of room 0x01, which takes six in JSON. */
static void fill_text(char *to, size_t room)
{
	memset(to, 1, room - 1);
	to[room - 1] = 0;
}

static const struct ecp_l2addr widest_l2 = {
    .mac = {0x02, 0xff, 0xff, 0xff, 0xff, 0xff},
    .n_vlans = 2,
    .vlans = {{4095, 0x88a8, 7, 1}, {4095, 0x9100, 7, 1}},
};

static struct ecp_addr widest_addr(void)
{
	struct ecp_addr addr = {.port = 65535, .family = 6};
	memset(addr.ip, 0xff, sizeof(addr.ip));
	return addr;
}

static void fill_ethertypes(unsigned *n, uint16_t *types)
{
	*n = ECP_ETHERTYPES_MAX;
	for (unsigned i = 0; i < *n; i++)
		types[i] = (uint16_t)(65535 - i);
}

static void fill_relay(struct ecp_relay_info *r)
{
	memset(r, 0xff, sizeof(*r));
	r->up = false;
	fill_text(r->interface, sizeof(r->interface));
	fill_text(r->backend, sizeof(r->backend));
}

static void fill_client(struct ecp_client_info *c)
{
	memset(c, 0xff, sizeof(*c));
	fill_text(c->comm, sizeof(c->comm));
	fill_text(c->interface, sizeof(c->interface));
}

static void fill_endpoint(struct ecp_endpoint_info *e, enum ecp_endpoint_kind kind)
{
	memset(e, 0xff, sizeof(*e));
	fill_text(e->interface, sizeof(e->interface));
	e->kind = kind;
	e->l2 = widest_l2;
	fill_ethertypes(&e->n_ethertypes, e->ethertypes);
	e->local = widest_addr();
}

/* As long as policy_parse.c lets one be. */
static void fill_rule(struct ecp_rule_info *rule)
{
	static const struct {
		unsigned n;
		const char *word;
	} lists[ECP_RULE_LISTS] = {
	    {64, "4294967295"},
	    {64, "4294967295"},
	    {64, NULL},
	    {256, "02:ff:ff:ff:ff:fe/47"},
	    {64, "4000-4095.4000-4095"},
	    {64, "10000-65535"},
	    {32, "0xffff"},
	    {64, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	};
	char interface[ECP_IFNAME];
	fill_text(interface, sizeof(interface));
	*rule = (struct ecp_rule_info){.deny = true, .says_capture = true};
	memset(&rule->limits, 0xff, sizeof(rule->limits));
	fill_text(rule->name, sizeof(rule->name));
	fill_text(rule->multicast, sizeof(rule->multicast));
	for (unsigned list = 0; list < ECP_RULE_LISTS; list++)
		for (unsigned i = 0; i < lists[list].n; i++)
			ck_assert(ecp_rule_add_word(
			    rule, list, lists[list].word ? lists[list].word : interface));
}

static void fill_page(enum ecp_show what, enum ecp_endpoint_kind kind)
{
	struct ecp_page *page = &rep.page;
	rep.type = ECP_REP_PAGE;
	page->what = what;
	page->more = true;
	page->next = UINT64_MAX;
	page->n = ecp_page_max(what);
	for (unsigned i = 0; i < page->n; i++)
		switch (what) {
		case ECP_SHOW_RELAYS:
			fill_relay(&page->relays[i]);
			break;
		case ECP_SHOW_CLIENTS:
			fill_client(&page->clients[i]);
			break;
		case ECP_SHOW_ENDPOINTS:
			fill_endpoint(&page->endpoints[i], kind);
			break;
		case ECP_SHOW_POLICY:
			fill_rule(&page->rules[i]);
			break;
		}
}

/* Fits one message; and what is read from it gives the same message again. */
static void expect_reply_fits(const char *name)
{
	ssize_t len = ecp_reply_format(&rep, text, ECP_MSG_MAX + 1);
	ck_assert_msg(len > 0, "%s: does not fit", name);
	int r = ecp_reply_parse(text, (size_t)len, &rep_back, &err);
	ck_assert_msg(r == 0, "%s: %s", name, err.text);
	ck_assert_int_eq(ecp_reply_format(&rep_back, again, sizeof(again)), len);
	ck_assert_msg(!strcmp(text, again), "%s: not the same", name);
}

static const struct {
	const char *name;
	enum ecp_show what;
	enum ecp_endpoint_kind kind;
} pages[] = {
    {"relays", ECP_SHOW_RELAYS, ECP_KIND_L2},
    {"clients", ECP_SHOW_CLIENTS, ECP_KIND_L2},
    {"l2 endpoints", ECP_SHOW_ENDPOINTS, ECP_KIND_L2},
    {"udp endpoints", ECP_SHOW_ENDPOINTS, ECP_KIND_UDP},
    {"policy", ECP_SHOW_POLICY, ECP_KIND_L2},
};

START_TEST(test_longest_page)
{
	fill_page(pages[_i].what, pages[_i].kind);
	expect_reply_fits(pages[_i].name);
}
END_TEST

/* Counters are written to the last digit; behind 2^53 a reader of doubles may round. */
START_TEST(test_counters_are_written_exactly)
{
	fill_page(ECP_SHOW_CLIENTS, ECP_KIND_L2);
	rep.page.clients[0].stats.rx = 9007199254740993;
	ck_assert_int_gt(ecp_reply_format(&rep, text, ECP_MSG_MAX + 1), 0);
	ck_assert_ptr_nonnull(strstr(text, "\"rx\":9007199254740993,"));
	ck_assert_ptr_nonnull(strstr(text, "\"tx\":18446744073709551615,"));
}
END_TEST

/* 256 errors with the longest name and sentences of the most, or the widest, characters. */
static const char fillers[] = {'x', 1, '"', (char)0xff};

START_TEST(test_longest_errors)
{
	rep.type = ECP_REP_OPENED;
	rep.opened.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++) {
		struct ecp_error *e = &rep.opened.items[i].error;
		e->code = -EPROTONOSUPPORT;
		memset(e->text, fillers[_i], sizeof(e->text) - 1);
	}
	ssize_t len = ecp_reply_format(&rep, text, ECP_MSG_MAX + 1);
	ck_assert_int_gt(len, 0);
	ck_assert_int_eq(ecp_reply_parse(text, (size_t)len, &rep_back, &err), 0);
	ck_assert_uint_eq(rep_back.opened.n, ECP_BATCH_MAX);
	ck_assert_int_eq(rep_back.opened.items[255].error.code, -EPROTONOSUPPORT);
	ck_assert_uint_ge(strlen(rep_back.opened.items[255].error.text), 30);
	if (fillers[_i] == 'x')
		ck_assert_str_eq(rep_back.opened.items[255].error.text,
				 rep.opened.items[255].error.text);
}
END_TEST

START_TEST(test_longest_opened)
{
	rep.type = ECP_REP_OPENED;
	rep.opened.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		rep.opened.items[i] = (struct ecp_opened_item){
		    .id = UINT32_MAX, .generation = UINT32_MAX, .payload_max = UINT32_MAX};
	expect_reply_fits("opened");
}
END_TEST

START_TEST(test_longest_error)
{
	rep.type = ECP_REP_ERROR;
	rep.error.code = -EPROTONOSUPPORT;
	fill_text(rep.error.text, sizeof(rep.error.text));
	expect_reply_fits("error");
	ck_assert_str_eq(rep_back.error.text, rep.error.text);
}
END_TEST

static void expect_request_fits(const char *name)
{
	ssize_t len = ecp_request_format(&req, text, ECP_MSG_MAX + 1);
	ck_assert_msg(len > 0, "%s: does not fit", name);
	int r = ecp_request_parse(text, (size_t)len, &req_back, &err);
	ck_assert_msg(r == 0, "%s: %s", name, err.text);
	ck_assert_int_eq(ecp_request_format(&req_back, again, sizeof(again)), len);
	ck_assert_msg(!strcmp(text, again), "%s: not the same", name);
}

START_TEST(test_longest_open)
{
	req.type = ECP_REQ_OPEN;
	req.open.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++) {
		struct ecp_open_item *item = &req.open.items[i];
		item->flags = ECP_EP_MULTICAST | ECP_EP_SHARE;
		item->depth = UINT32_MAX;
		item->l2 = widest_l2;
		item->n_ethertypes = 4;
		memcpy(item->ethertypes, (uint16_t[]){65535, 65534, 65533, 65532}, 8);
	}
	expect_request_fits("l2");
	memset(&req.open.items, 0, sizeof(req.open.items));
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++)
		req.open.items[i] = (struct ecp_open_item){.kind = ECP_KIND_UDP,
							   .flags = ECP_EP_ACCEPT_ANY,
							   .depth = UINT32_MAX,
							   .on = UINT32_MAX,
							   .local = widest_addr()};
	expect_request_fits("udp");
}
END_TEST

/* With all that may be said of each, a batch is too long: an error, and nothing is cut. */
START_TEST(test_open_too_long)
{
	req.type = ECP_REQ_OPEN;
	req.open.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++) {
		struct ecp_open_item *item = &req.open.items[i];
		item->flags = ECP_EP_MULTICAST | ECP_EP_MULTICAST_ANY | ECP_EP_SHARE;
		item->l2 = widest_l2;
		fill_ethertypes(&item->n_ethertypes, item->ethertypes);
	}
	ck_assert_int_eq(ecp_request_format(&req, text, ECP_MSG_MAX + 1), -EMSGSIZE);
}
END_TEST

START_TEST(test_longest_close)
{
	req.type = ECP_REQ_CLOSE;
	req.close.n = ECP_BATCH_MAX;
	memset(req.close.ids, 0xff, sizeof(req.close.ids));
	expect_request_fits("close");
	ck_assert_uint_eq(req_back.close.ids[255], UINT32_MAX);
}
END_TEST

/* ---- what is wrong ---- */

#define ITEM(item) "{\"request\":\"open\",\"endpoints\":[" item "]}"
#define MAC        "\"l2\":\"02:00:00:00:00:01\""
#define VLANS(v)   ITEM("{" MAC ",\"vlans\":[" v "]}")
#define TYPES(t)   ITEM("{" MAC ",\"ethertypes\":[" t "]}")
#define UDP        "\"udp\":\"10.0.0.1:68\""

static const struct {
	const char *text;
	int code;
	const char *says;
} bad_requests[] = {
    {"", -EBADMSG, "line 1"},
    {"hello", -EBADMSG, "not JSON at \"hello\""},
    {"{\"request\":\"status\"", -EBADMSG, "ends too early"},
    {"{\"request\":\"status\"}}", -EBADMSG, "not JSON at \"}\""},
    {"{\"request\":\"status\"} /* a comment */", -EBADMSG, "not JSON"},
    {"{}", -EOPNOTSUPP, "unknown request \"\""},
    {"[]", -EOPNOTSUPP, "unknown request"},
    {"7", -EOPNOTSUPP, "unknown request"},
    {"null", -EOPNOTSUPP, "unknown request"},
    {"{\"request\":7}", -EINVAL, "request: must be a string"},
    {"{\"request\":\"dance\"}", -EOPNOTSUPP, "unknown request \"dance\""},
    {"{\"request\":\"Status\"}", -EOPNOTSUPP, "unknown request \"Status\""},
    {"{\"request\":\"status\",\"more\":1}", -EINVAL, "status: unknown key \"more\""},
    {"{\"request\":\"status\",\"request\":\"status\"}", -EINVAL,
     "\"request\" stands twice"},
    {"{\"request\":\"status\",\"REQUEST\":1}", -EINVAL, "unknown key \"REQUEST\""},
    /* attach */
    {"{\"request\":\"attach\",\"version\":true}", -EINVAL, "version: must be a number"},
    {"{\"request\":\"attach\",\"version\":1e300}", -EINVAL, "version: must be a whole"},
    {"{\"request\":\"attach\",\"version\":\"1\"}", -EINVAL, "version: must be a number"},
    {"{\"request\":\"attach\",\"version\":-1}", -EINVAL, "version: must be a whole number"},
    {"{\"request\":\"attach\",\"version\":1.5}", -EINVAL,
     "version: must be a whole number"},
    {"{\"request\":\"attach\",\"rx_ring\":4294967296}", -EINVAL,
     "rx_ring: must be from 0 to 4294967295"},
    {"{\"request\":\"attach\",\"interface\":\"sixteen-letters-\"}", -EINVAL,
     "interface: \"sixteen-letters-\" is too long"},
    {"{\"request\":\"attach\",\"interface\":null}", -EINVAL, "interface: must be a string"},
    /* open */
    {"{\"request\":\"open\"}", -EINVAL, "endpoints: is missing"},
    {"{\"request\":\"open\",\"endpoints\":{}}", -EINVAL, "endpoints: must be an array"},
    {ITEM("7"), -EINVAL, "endpoints[0]: an l2 endpoint: must be an object"},
    {ITEM("{}"), -EINVAL, "endpoints[0]: l2: \"\" is no MAC address"},
    {ITEM("{\"l2\":\"02:00:00:00:00\"}"), -EINVAL, "\"02:00:00:00:00\" is no MAC address"},
    {ITEM("{" MAC "}, {" MAC ",\"colour\":1}"), -EINVAL,
     "endpoints[1]: an l2 endpoint: unknown key \"colour\""},
    {ITEM("{" MAC "," MAC "}"), -EINVAL, "key \"l2\" stands twice"},
    {ITEM("{" MAC ",\"share\":1}"), -EINVAL, "endpoints[0]: share: must be true or false"},
    {ITEM("{" MAC ",\"depth\":-5}"), -EINVAL,
     "endpoints[0]: depth: must be a whole number"},
    {ITEM("{" MAC ",\"accept_any\":true}"), -EINVAL, "unknown key \"accept_any\""},
    {ITEM("{" MAC ",\"vlans\":100}"), -EINVAL, "endpoints[0]: vlans: must be an array"},
    {VLANS("{\"id\":5000}"), -EINVAL, "endpoints[0]: id: must be from 0 to 4095"},
    {VLANS("{\"id\":1},{\"id\":4096}"), -EINVAL, "id: must be from 0 to 4095"},
    {VLANS("{\"id\":1},{\"id\":2},{\"id\":3}"), -EINVAL,
     "endpoints[0]: vlans: at most two VLAN tags"},
    {VLANS("100"), -EINVAL, "endpoints[0]: vlans: must be an object"},
    {VLANS("{}"), -EINVAL, "endpoints[0]: vlans: a tag needs its id"},
    {VLANS("{\"id\":1,\"pcp\":8}"), -EINVAL, "endpoints[0]: pcp: must be from 0 to 7"},
    {VLANS("{\"id\":1,\"dei\":2}"), -EINVAL, "endpoints[0]: dei: must be from 0 to 1"},
    {VLANS("{\"id\":1,\"tpid\":2048}"), -EINVAL, "endpoints[0]: tpid: 33024 (0x8100)"},
    {VLANS("{\"id\":1,\"name\":\"x\"}"), -EINVAL, "vlans: unknown key \"name\""},
    {TYPES("0"), -EINVAL, "ethertypes: must be from 1 to 65535"},
    {TYPES("1535"), -EINVAL, "ethertypes: 1535 is a length"},
    {TYPES("65536"), -EINVAL, "endpoints[0]: ethertypes: must be from 1 to 65535"},
    {TYPES("1500"), -EINVAL, "endpoints[0]: ethertypes: 1500 is a length or a VLAN tag's"},
    {TYPES("33024"), -EINVAL, "ethertypes: 33024 is a length or a VLAN tag's"},
    {TYPES("\"ip\""), -EINVAL, "ethertypes: must be a number"},
    {TYPES("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"), -EMSGSIZE, "ethertypes: 17 of them"},
    {ITEM("{" UDP "}"), -EINVAL,
     "endpoints[0]: a udp endpoint stands on one of on, on_item"},
    {ITEM("{" UDP ",\"on\":1,\"on_item\":0}"), -EINVAL, "one of on, on_item"},
    {ITEM("{" UDP ",\"on\":1," MAC "}"), -EINVAL, "a udp endpoint: unknown key \"l2\""},
    {ITEM("{" UDP ",\"on\":1,\"multicast\":true}"), -EINVAL, "unknown key \"multicast\""},
    {ITEM("{\"udp\":\"10.0.0.1\",\"on\":1}"), -EINVAL,
     "endpoints[0]: udp: \"10.0.0.1\" is no address"},
    {ITEM("{\"udp\":\"10.0.0.1:65536\",\"on\":1}"), -EINVAL, "is no address"},
    /* close, set_local, show */
    {"{\"request\":\"close\"}", -EINVAL, "ids: is missing"},
    {"{\"request\":\"close\",\"ids\":7}", -EINVAL, "ids: must be an array"},
    {"{\"request\":\"close\",\"ids\":[4294967296]}", -EINVAL, "ids: must be from 0"},
    {"{\"request\":\"close\",\"ids\":[\"7\"]}", -EINVAL, "ids: must be a number"},
    {"{\"request\":\"set_local\",\"local\":\"10.0.0.1:68\"}", -EINVAL, "id: is missing"},
    {"{\"request\":\"set_local\",\"id\":1}", -EINVAL, "local: \"\" is no address"},
    {"{\"request\":\"show\"}", -EINVAL,
     "what: \"\" is none of relays, clients, endpoints, policy"},
    {"{\"request\":\"show\",\"what\":\"rings\"}", -EINVAL, "what: \"rings\" is none of"},
    {"{\"request\":\"show\",\"what\":1}", -EINVAL, "what: must be a string"},
    {"{\"request\":\"show\",\"what\":\"relays\",\"after\":-1}", -EINVAL, "after: must be"},
    /* policy_test */
    {"{\"request\":\"policy_test\",\"l2\":\"02:00:00:00:00:01\"}", -EINVAL,
     "uid: is missing"},
    {"{\"request\":\"policy_test\",\"uid\":0}", -EINVAL, "l2: \"\" is no MAC address"},
    {"{\"request\":\"policy_test\",\"uid\":0," MAC ",\"gids\":[-1]}", -EINVAL,
     "gids: must"},
    {"{\"request\":\"policy_test\",\"uid\":0," MAC ",\"udp\":\"10.0.0.1\"}", -EINVAL,
     "udp: \"10.0.0.1\" is no address"},
    {"{\"request\":\"policy_test\",\"uid\":0," MAC ",\"depth\":1}", -EINVAL,
     "policy_test: unknown key \"depth\""},
};

START_TEST(test_bad_request)
{
	const char *is = bad_requests[_i].text;
	int r = ecp_request_parse(is, strlen(is), &req_back, &err);
	ck_assert_msg(r == bad_requests[_i].code, "%s: %d %s", is, r, err.text);
	ck_assert_int_eq(err.code, r);
	ck_assert_msg(strstr(err.text, bad_requests[_i].says) != NULL, "%s\nsaid: %s", is,
		      err.text);
}
END_TEST

/* n items in key of a request. */
static size_t build_list(const char *request, const char *key, const char *item, unsigned n)
{
	int len = sprintf(text, "{\"request\":\"%s\",\"%s\":[", request, key);
	for (unsigned i = 0; i < n; i++)
		len += sprintf(text + len, "%s%s", i ? "," : "", item);
	return (size_t)(len + sprintf(text + len, "]}"));
}

static const struct {
	const char *request, *key, *item, *says;
} lists[] = {
    {"open", "endpoints", "{\"l2\":\"02:00:00:00:00:01\"}", "endpoints: 257 of them"},
    {"close", "ids", "7", "ids: 257 of them"},
};

START_TEST(test_too_many_items)
{
	size_t len = build_list(lists[_i].request, lists[_i].key, lists[_i].item, 256);
	ck_assert_int_eq(ecp_request_parse(text, len, &req_back, &err), 0);
	len = build_list(lists[_i].request, lists[_i].key, lists[_i].item, 257);
	ck_assert_int_eq(ecp_request_parse(text, len, &req_back, &err), -EMSGSIZE);
	ck_assert_msg(strstr(err.text, lists[_i].says) != NULL, "%s", err.text);
}
END_TEST

START_TEST(test_too_long)
{
	static const char status[] = "{\"request\":\"status\"}";
	memset(text, ' ', sizeof(text));
	memcpy(text, status, sizeof(status) - 1);
	ck_assert_int_eq(ecp_request_parse(text, ECP_MSG_MAX, &req_back, &err), 0);
	ck_assert_int_eq(ecp_request_parse(text, ECP_MSG_MAX + 1, &req_back, &err),
			 -EMSGSIZE);
	setup();
	ck_assert_int_eq(ecp_reply_parse(text, ECP_MSG_MAX + 1, &rep_back, &err),
			 -EMSGSIZE);
}
END_TEST

/* The daemon judges addresses by what they mean; here they only have to be some. */
START_TEST(test_multicast_mac_passes)
{
	static const char is[] = ITEM("{\"l2\":\"ff:ff:ff:ff:ff:ff\"}");
	ck_assert_int_eq(ecp_request_parse(is, sizeof(is) - 1, &req_back, &err), 0);
	ck_assert_mem_eq(req_back.open.items[0].l2.mac, "\xff\xff\xff\xff\xff\xff", 6);
}
END_TEST

static const struct {
	const char *text;
	int code;
	const char *says;
} bad_replies[] = {
    {"", -EBADMSG, "line 1"},
    {"{}", -EOPNOTSUPP, "unknown reply \"\""},
    {"[{\"reply\":\"closed\"}]", -EOPNOTSUPP, "unknown reply"},
    {"{\"reply\":\"danced\"}", -EOPNOTSUPP, "unknown reply \"danced\""},
    {"{\"reply\":1}", -EINVAL, "reply: must be a string"},
    {"{\"error\":1}", -EINVAL, "error: must be a string"},
    {"{\"reply\":\"closed\",\"closed\":-1}", -EINVAL, "closed: must be"},
    {"{\"reply\":\"attached\"}", -EINVAL, "mac: \"\" is no MAC address"},
    {"{\"reply\":\"opened\",\"endpoints\":7}", -EINVAL, "endpoints: must be an array"},
    {"{\"reply\":\"opened\",\"endpoints\":[7]}", -EINVAL, "endpoints: must be an object"},
    {"{\"reply\":\"page\",\"what\":\"rings\"}", -EINVAL, "what: \"rings\" is none of"},
    {"{\"reply\":\"page\",\"what\":\"relays\",\"items\":[7]}", -EINVAL,
     "items: must be an object"},
    {"{\"reply\":\"page\",\"what\":\"relays\",\"items\":[{\"mac\":\"02:00:00:00:00:01\","
     "\"counters\":[1]}]}",
     -EINVAL, "counters: must be an object"},
    {"{\"reply\":\"policy\",\"allowed\":1}", -EINVAL, "allowed: must be true or false"},
    {"{\"reply\":\"policy\",\"limits\":{\"ring\":-1}}", -EINVAL, "ring: must be"},
    {"{\"reply\":\"status\",\"version\":\"0.1.0-and-much-more\"}", -EINVAL,
     "version: \"0.1.0-and-much-more\" is too long"},
};

START_TEST(test_bad_reply)
{
	const char *is = bad_replies[_i].text;
	int r = ecp_reply_parse(is, strlen(is), &rep_back, &err);
	ck_assert_msg(r == bad_replies[_i].code, "%s: %d %s", is, r, err.text);
	ck_assert_msg(strstr(err.text, bad_replies[_i].says) != NULL, "%s\nsaid: %s", is,
		      err.text);
}
END_TEST

/* A newer daemon may say more. */
START_TEST(test_unknown_keys_in_replies)
{
	static const char is[] = "{\"reply\":\"closed\",\"closed\":3,\"colour\":[1]}";
	ck_assert_int_eq(ecp_reply_parse(is, sizeof(is) - 1, &rep_back, &err), 0);
	ck_assert_uint_eq(rep_back.closed.n, 3);
}
END_TEST

START_TEST(test_errno_names)
{
	ck_assert_str_eq(ecp_errno_name(EADDRINUSE), "EADDRINUSE");
	ck_assert_str_eq(ecp_errno_name(-EADDRINUSE), "EADDRINUSE");
	ck_assert_str_eq(ecp_errno_name(0), "EIO");
	ck_assert_str_eq(ecp_errno_name(-EXDEV), "EIO");
	ck_assert_int_eq(ecp_errno_by_name("EADDRINUSE"), EADDRINUSE);
	ck_assert_int_eq(ecp_errno_by_name("EADDR"), EIO);
	for (int i = 1; i < 134; i++) {
		const char *name = ecp_errno_name(i);
		ck_assert_int_eq(ecp_errno_by_name(name), strcmp(name, "EIO") ? i : EIO);
	}
}
END_TEST

/* ---- PROTOCOL.md ---- */

/* The next ```json block of an open file, into text.  Its length, or 0 at the end. */
static size_t next_block(FILE *file, unsigned *line)
{
	char row[4096];
	size_t len = 0;
	bool inside = false;
	while (fgets(row, sizeof(row), file)) {
		++*line;
		if (inside && !strncmp(row, "```", 3))
			return len;
		if (inside)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s", row);
		else
			inside = !strcmp(row, "```json\n");
	}
	ck_assert_msg(!inside, "a block that does not end");
	return 0;
}

START_TEST(test_every_example)
{
	const char *path = getenv("PROTOCOL_MD");
	unsigned requests = 0, replies = 0, events = 0, shown = 0, line = 0;
	struct ecp_event event;
	FILE *file = fopen(path ? path : SOURCE_DIR "/proto/PROTOCOL.md", "r");
	ck_assert_msg(file != NULL, "PROTOCOL.md: not found");
	size_t len;
	while ((len = next_block(file, &line))) {
		memset(&err, 0, sizeof(err));
		if (strstr(text, "\"request\"")) {
			ecp_request_parse(text, len, &req_back, &err);
			requests |= 1u << req_back.type;
		} else if (!strncmp(text, "{\"event\"", 8)) {
			ecp_event_parse(text, len, &event, &err);
			ck_assert_uint_eq(ecp_event_format(&event, again, sizeof(again)),
					  len - 1);
			ck_assert_mem_eq(again, text, len - 1);
			events |= 1u << event.type;
		} else {
			ecp_reply_parse(text, len, &rep_back, &err);
			replies |= 1u << rep_back.type;
			if (!err.code && rep_back.type == ECP_REP_PAGE)
				shown |= 1u << rep_back.page.what;
		}
		ck_assert_msg(!err.code, "above line %u: %s", line, err.text);
	}
	fclose(file);
	ck_assert_uint_eq(requests, (1u << (ECP_REQ_COUNTERS + 1)) - 1);
	ck_assert_uint_eq(replies, (1u << (ECP_REP_COUNTERS + 1)) - 1);
	ck_assert_uint_eq(events, (1u << (ECP_EVENT_LOST + 1)) - 1);
	ck_assert_uint_eq(shown, (1u << (ECP_SHOW_POLICY + 1)) - 1);
}
END_TEST

/* What is no event, or not as it should be, is told. */
START_TEST(test_bad_events)
{
	static const struct {
		const char *name, *text;
		int code;
	} rows[] = {
	    {"not JSON", "{\"event\":", -EBADMSG},
	    {"no event", "{\"reply\":\"done\"}", -EOPNOTSUPP},
	    {"unknown", "{\"event\":\"rain\"}", -EOPNOTSUPP},
	    {"a number", "{\"event\":7}", -EINVAL},
	    {"long name", "{\"event\":\"attached\",\"comm\":\"sixteen-letters-x\"}",
	     -EINVAL},
	    {"n of words", "{\"event\":\"lost\",\"n\":\"many\"}", -EINVAL},
	    {"newer", "{\"event\":\"lost\",\"n\":1,\"colour\":\"red\"}", 0},
	};
	for (int i = 0; i < COUNT(rows); i++) {
		struct ecp_event event;
		memset(&err, 0, sizeof(err));
		int r = ecp_event_parse(rows[i].text, strlen(rows[i].text), &event, &err);
		ck_assert_msg(r == rows[i].code, "%s: %d: %s", rows[i].name, r, err.text);
	}
}
END_TEST

/* ---- asking ---- */

/* Ask for the status where answer (NULL: hang up) and n_sent descriptors already wait. */
static int ask(const char *answer, unsigned n_sent, int *fds, unsigned *n_fds)
{
	static const int some[ECP_FDS_MAX]; /* descriptor 0, five times */
	int pair[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	if (answer)
		ck_assert_int_eq(
		    ecp_sock_send(pair[1], answer, strlen(answer), some, n_sent), 0);
	else
		shutdown(pair[1], SHUT_RDWR);
	req.type = ECP_REQ_STATUS;
	int r = ecp_ask(pair[0], &req, &rep_back, text, fds, n_fds, &err);
	close(pair[0]);
	close(pair[1]);
	return r;
}

static const struct {
	const char *name, *answer;
	int code;
	const char *says;
} answers[] = {
    {"right", "{\"reply\":\"local_set\"}", 0, ""},
    {"an error is an answer", "{\"error\":\"EPERM\",\"text\":\"no\"}", 0, ""},
    {"not JSON", "what?", -EBADMSG, "not JSON"},
    {"hung up", NULL, -ENOTCONN, "the daemon has closed the connection"},
};

START_TEST(test_ask)
{
	int r = ask(answers[_i].answer, 0, NULL, NULL);
	ck_assert_msg(r == answers[_i].code, "%s: %d", answers[_i].name, r);
	ck_assert_msg(strstr(err.text, answers[_i].says) != NULL, "%s: %s",
		      answers[_i].name, err.text);
}
END_TEST

START_TEST(test_ask_gives_descriptors_only_with_an_answer)
{
	int fds[ECP_FDS_MAX];
	unsigned n = ECP_FDS_MAX;
	int lowest = dup(0);
	close(lowest);
	ck_assert_int_eq(ask("what?", ECP_FDS_MAX, fds, &n), -EBADMSG);
	ck_assert_uint_eq(n, 0);
	int still = dup(0);
	ck_assert_int_eq(still, lowest);
	close(still);
	n = ECP_FDS_MAX;
	setup();
	ck_assert_int_eq(ask("{\"reply\":\"local_set\"}", ECP_FDS_MAX, fds, &n), 0);
	ck_assert_uint_eq(n, ECP_FDS_MAX);
	while (n)
		ck_assert_int_eq(close(fds[--n]), 0);
}
END_TEST

static TCase *round_trips(void)
{
	TCase *tc = tcase_create("there and back");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_request_back_and_forth, 0, COUNT(good_requests));
	tcase_add_loop_test(tc, test_request_prefixes, 0, COUNT(good_requests));
	tcase_add_loop_test(tc, test_request_any_room, 0, COUNT(good_requests));
	tcase_add_test(tc, test_open_fields);
	tcase_add_loop_test(tc, test_reply_back_and_forth, 0, COUNT(good_replies));
	tcase_add_loop_test(tc, test_reply_prefixes, 0, COUNT(good_replies));
	tcase_add_test(tc, test_every_counter);
	tcase_add_test(tc, test_errno_names);
	tcase_add_test(tc, test_every_example);
	tcase_add_test(tc, test_bad_events);
	tcase_add_loop_test(tc, test_ask, 0, COUNT(answers));
	tcase_add_test(tc, test_ask_gives_descriptors_only_with_an_answer);
	return tc;
}

static TCase *limits(void)
{
	TCase *tc = tcase_create("limits");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_longest_page, 0, COUNT(pages));
	tcase_add_test(tc, test_counters_are_written_exactly);
	tcase_add_loop_test(tc, test_longest_errors, 0, COUNT(fillers));
	tcase_add_test(tc, test_longest_opened);
	tcase_add_test(tc, test_longest_error);
	tcase_add_test(tc, test_longest_open);
	tcase_add_test(tc, test_open_too_long);
	tcase_add_test(tc, test_longest_close);
	tcase_add_loop_test(tc, test_too_many_items, 0, COUNT(lists));
	tcase_add_test(tc, test_too_long);
	return tc;
}

static TCase *wrong(void)
{
	TCase *tc = tcase_create("wrong");
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_loop_test(tc, test_bad_request, 0, COUNT(bad_requests));
	tcase_add_test(tc, test_multicast_mac_passes);
	tcase_add_loop_test(tc, test_bad_reply, 0, COUNT(bad_replies));
	tcase_add_test(tc, test_unknown_keys_in_replies);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("msg");
	suite_add_tcase(s, round_trips());
	suite_add_tcase(s, limits());
	suite_add_tcase(s, wrong());
	return suite_run(s);
}
