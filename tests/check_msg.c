/*
 * check_msg.c - control messages: there and back, refused with the right words, and every
 * example of PROTOCOL.md.
 */
#include "proto/msg.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ecp_request req, req2;
static struct ecp_reply rep, rep2;
static char text[ECP_MSG_MAX + 1], text2[ECP_MSG_MAX + 1];

static void setup(void)
{
	/* what a parser leaves unwritten shall not look right by chance */
	memset(&req, 0x5a, sizeof(req));
	memset(&req2, 0xa5, sizeof(req2));
	memset(&rep, 0x5a, sizeof(rep));
	memset(&rep2, 0xa5, sizeof(rep2));
}

/* ---- there and back: the second text must be the first ---- */

static void round_trip_request(void)
{
	struct ecp_error err = {0};
	ssize_t len = ecp_request_format(&req, text, sizeof(text));
	ck_assert_int_gt(len, 0);
	ck_assert_msg(ecp_request_parse(text, (size_t)len, &req2, &err) == 0, "%s\n%s",
		      text, err.text);
	ck_assert_int_eq(req2.type, req.type);
	ck_assert_int_eq(ecp_request_format(&req2, text2, sizeof(text2)), len);
	ck_assert_str_eq(text2, text);
}

static void round_trip_reply(void)
{
	struct ecp_error err = {0};
	ssize_t len = ecp_reply_format(&rep, text, sizeof(text));
	ck_assert_int_gt(len, 0);
	ck_assert_msg(ecp_reply_parse(text, (size_t)len, &rep2, &err) == 0, "%s\n%s", text,
		      err.text);
	ck_assert_int_eq(rep2.type, rep.type);
	ck_assert_int_eq(ecp_reply_format(&rep2, text2, sizeof(text2)), len);
	ck_assert_str_eq(text2, text);
}

static struct ecp_l2addr l2(const char *address)
{
	struct ecp_l2addr addr;
	ck_assert_int_eq(ecp_l2addr_parse(address, &addr), 0);
	return addr;
}

START_TEST(test_requests)
{
	req.type = ECP_REQ_ATTACH;
	req.attach = (struct ecp_attach){1, "eth1", 65536, 131072};
	round_trip_request();
	ck_assert_str_eq(req2.attach.interface, "eth1");
	ck_assert_uint_eq(req2.attach.tx_ring, 131072);

	req.type = ECP_REQ_OPEN;
	req.open.n = 3;
	memset(req.open.items, 0, sizeof(req.open.items));
	req.open.items[0].l2 = l2("02:00:00:00:00:01|100|200");
	req.open.items[0].l2.vlans[0].tpid = ECP_TPID_8021AD;
	req.open.items[0].l2.vlans[1].pcp = 7;
	req.open.items[0].l2.vlans[1].dei = 1;
	req.open.items[0].flags = ECP_EP_MULTICAST | ECP_EP_MULTICAST_ANY | ECP_EP_SHARE;
	req.open.items[0].n_ethertypes = 2;
	req.open.items[0].ethertypes[0] = ECP_ETHERTYPE_LLC;
	req.open.items[0].ethertypes[1] = 0xffff;
	req.open.items[0].depth = 4096;
	req.open.items[1].kind = req.open.items[2].kind = ECP_KIND_UDP;
	req.open.items[1].flags = ECP_EP_ACCEPT_ANY;
	req.open.items[1].on_item = true;
	ecp_addr_parse("0.0.0.0:68", &req.open.items[1].local);
	req.open.items[2].on = 7;
	ecp_addr_parse("[2001:db8::1]:547", &req.open.items[2].local);
	round_trip_request();
	ck_assert(ecp_l2addr_equal(&req2.open.items[0].l2, &req.open.items[0].l2));
	ck_assert_uint_eq(req2.open.items[0].flags, req.open.items[0].flags);
	ck_assert(req2.open.items[1].on_item && !req2.open.items[2].on_item);
	ck_assert_uint_eq(req2.open.items[2].on, 7);

	req.type = ECP_REQ_CLOSE;
	req.close = (struct ecp_close){2, {0, UINT32_MAX}};
	round_trip_request();
	ck_assert_uint_eq(req2.close.ids[1], UINT32_MAX);

	req.type = ECP_REQ_SET_LOCAL;
	req.set_local.id = 3;
	ecp_addr_parse("10.0.0.1:68", &req.set_local.local);
	round_trip_request();
	ck_assert(ecp_addr_equal(&req2.set_local.local, &req.set_local.local));

	req.type = ECP_REQ_STATUS;
	round_trip_request();

	for (unsigned what = ECP_SHOW_RELAYS; what <= ECP_SHOW_ENDPOINTS; what++) {
		req.type = ECP_REQ_SHOW;
		req.show = (struct ecp_show_request){what, UINT64_C(1) << 52};
		round_trip_request();
		ck_assert_uint_eq(req2.show.what, what);
		ck_assert_uint_eq(req2.show.after, UINT64_C(1) << 52);
	}
}
END_TEST

START_TEST(test_replies)
{
	rep.type = ECP_REP_ERROR;
	rep.error = (struct ecp_error){-EADDRINUSE, "taken \"by\" \\ \x01 somebody\n"};
	round_trip_reply();
	ck_assert_int_eq(rep2.error.code, -EADDRINUSE);
	ck_assert_str_eq(rep2.error.text, rep.error.text);

	rep.type = ECP_REP_ATTACHED;
	rep.attached =
	    (struct ecp_attached){1, 99, "eth1", {2, 0, 0, 0, 0, 1}, 1500, 65536, 65536};
	round_trip_reply();
	ck_assert_uint_eq(rep2.attached.session, 99);

	rep.type = ECP_REP_OPENED;
	memset(&rep.opened, 0, sizeof(rep.opened));
	rep.opened.n = 2;
	rep.opened.items[0] = (struct ecp_opened_item){{0}, 7, 8, 1496};
	rep.opened.items[1].error = (struct ecp_error){-EACCES, "no"};
	round_trip_reply();
	ck_assert_uint_eq(rep2.opened.items[0].payload_max, 1496);
	ck_assert_int_eq(rep2.opened.items[1].error.code, -EACCES);

	rep.type = ECP_REP_CLOSED;
	rep.closed.n = 5;
	round_trip_reply();
	rep.type = ECP_REP_LOCAL_SET;
	round_trip_reply();
	rep.type = ECP_REP_STATUS;
	rep.status = (struct ecp_status){"0.1.0", 1, 2, 3, 4, 5, 6};
	round_trip_reply();
	ck_assert_uint_eq(rep2.status.endpoints, 6);
}
END_TEST

/* The longest message of each kind fits, and every counter in it is printed exactly. */
static void fill_counters(const struct ecp_counter *counters, unsigned n, void *stats)
{
	for (unsigned i = 0; i < n; i++)
		ecp_counter_set(&counters[i], stats, UINT64_MAX - i);
}

START_TEST(test_biggest_page)
{
	static struct ecp_page page;
	page.what = (enum ecp_show)_i;
	page.more = true;
	page.next = UINT64_MAX;
	page.n = ECP_PAGE_MAX;
	for (unsigned i = 0; i < ECP_PAGE_MAX; i++) {
		struct ecp_relay_info *r = &page.relays[i];
		struct ecp_client_info *c = &page.clients[i];
		struct ecp_endpoint_info *e = &page.endpoints[i];
		switch (page.what) {
		case ECP_SHOW_RELAYS:
			*r = (struct ecp_relay_info){"fifteen-letters",
						     "fifteen-letters",
						     {255, 255, 255, 255, 255, 255},
						     UINT32_MAX,
						     true,
						     UINT32_MAX,
						     UINT32_MAX,
						     {0}};
			fill_counters(ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats);
			break;
		case ECP_SHOW_CLIENTS:
			*c = (struct ecp_client_info){UINT32_MAX,
						      UINT32_MAX,
						      UINT32_MAX,
						      UINT32_MAX,
						      "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
						      "fifteen-letters",
						      UINT32_MAX,
						      UINT32_MAX,
						      UINT32_MAX,
						      UINT32_MAX,
						      {0}};
			fill_counters(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				      &c->stats);
			break;
		case ECP_SHOW_ENDPOINTS:
			*e = (struct ecp_endpoint_info){
			    UINT32_MAX,  UINT32_MAX, "fifteen-letters",
			    ECP_KIND_L2, ~0u,        {{0}, 0, {{0}}},
			    16,          {0},        {{0}, 0, 0},
			    {0}};
			e->l2 = l2("02:00:00:00:00:01|4095|4095");
			e->l2.vlans[0] = e->l2.vlans[1] =
			    (struct ecp_vlan){4095, 0x9100, 7, 1};
			for (unsigned t = 0; t < 16; t++)
				e->ethertypes[t] = 65535;
			fill_counters(ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				      &e->stats);
			break;
		}
	}
	rep.type = ECP_REP_PAGE;
	rep.page = page;
	ck_assert_int_gt(ecp_reply_format(&rep, text, ECP_MSG_MAX), 0);
	ck_assert_ptr_nonnull(strstr(text, "18446744073709551615"));
	ck_assert_ptr_nonnull(strstr(text, "18446744073709551611"));
}
END_TEST

START_TEST(test_batch_of_errors_fits)
{
	rep.type = ECP_REP_OPENED;
	rep.opened.n = ECP_BATCH_MAX;
	for (unsigned i = 0; i < ECP_BATCH_MAX; i++) {
		rep.opened.items[i].error.code = -EPROTONOSUPPORT;
		memset(rep.opened.items[i].error.text, 'x', ECP_ERROR_TEXT - 1);
		rep.opened.items[i].error.text[ECP_ERROR_TEXT - 1] = 0;
	}
	ck_assert_int_gt(ecp_reply_format(&rep, text, ECP_MSG_MAX), 0);
}
END_TEST

START_TEST(test_too_little_room)
{
	req.type = ECP_REQ_STATUS;
	ssize_t len = ecp_request_format(&req, text, sizeof(text));
	for (size_t room = 0; room <= (size_t)len; room++)
		ck_assert_int_eq(ecp_request_format(&req, text2, room), -EMSGSIZE);
	ck_assert_int_eq(ecp_request_format(&req, text2, (size_t)len + 1), len);
}
END_TEST

/* ---- refusals ---- */

#define OPEN(item) "{\"request\":\"open\",\"endpoints\":[" item "]}"
#define L2         "\"l2\":\"02:00:00:00:00:01\""

static const struct {
	const char *text;
	int code;
	const char *says;
} bad[] = {
    {"", -EBADMSG, "ends too early"},
    {"[]", -EOPNOTSUPP, "unknown request"},
    {"7", -EOPNOTSUPP, "unknown request"},
    {"{\"request\":7}", -EINVAL, "request: must be a string"},
    {"{\"request\":\"status\"} x", -EBADMSG, "not JSON at \"x\""},
    {"{\"request\":\"status\",\"request\":\"status\"}", -EINVAL,
     "\"request\" stands twice"},
    {"{\"request\":\"status\",\"REQUEST\":1}", -EINVAL, "unknown key \"REQUEST\""},
    {"{\"request\":\"attach\",\"version\":-1}", -EINVAL, "whole number"},
    {"{\"request\":\"attach\",\"version\":1.5}", -EINVAL, "whole number"},
    {"{\"request\":\"attach\",\"version\":4294967296}", -EINVAL, "from 0 to 4294967295"},
    {"{\"request\":\"attach\",\"version\":1e300}", -EINVAL, "whole number"},
    {"{\"request\":\"attach\",\"version\":true}", -EINVAL, "must be a number"},
    {"{\"request\":\"attach\",\"interface\":\"sixteen-letters-\"}", -EINVAL, "too long"},
    {"{\"request\":\"open\",\"endpoints\":7}", -EINVAL, "endpoints: must be an array"},
    {OPEN("7"), -EINVAL, "endpoints[0]: an l2 endpoint: must be an object"},
    {OPEN("{}"), -EINVAL, "endpoints[0]: l2: \"\" is no MAC address"},
    {OPEN("{" L2 "},{\"l2\":\"02:00:00:00:00\"}"), -EINVAL, "endpoints[1]: l2: "},
    {OPEN("{" L2 ",\"vlans\":[{\"id\":4096}]}"), -EINVAL, "id: must be from 0 to 4095"},
    {OPEN("{" L2 ",\"vlans\":[{\"tpid\":33024}]}"), -EINVAL, "a tag needs its id"},
    {OPEN("{" L2 ",\"vlans\":[{\"id\":1,\"tpid\":4660}]}"), -EINVAL, "tpid: "},
    {OPEN("{" L2 ",\"vlans\":[{\"id\":1,\"pcp\":8}]}"), -EINVAL, "pcp: "},
    {OPEN("{" L2 ",\"vlans\":[{\"id\":1},{\"id\":2},{\"id\":3}]}"), -EINVAL, "at most two"},
    {OPEN("{" L2 ",\"ethertypes\":[0]}"), -EINVAL, "ethertypes: must be from 1"},
    {OPEN("{" L2 ",\"ethertypes\":[1535]}"), -EINVAL, "1535 is a length"},
    {OPEN("{" L2 ",\"ethertypes\":[33024]}"), -EINVAL, "33024 is a length or a VLAN tag's"},
    {OPEN("{" L2 ",\"ethertypes\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}"), -EMSGSIZE,
     "at most 16"},
    {OPEN("{" L2 ",\"accept_any\":true}"), -EINVAL, "unknown key \"accept_any\""},
    {OPEN("{" L2 ",\"multicast\":1}"), -EINVAL, "true or false"},
    {OPEN("{\"udp\":\"10.0.0.1:1\"}"), -EINVAL, "stands on one of on, on_item"},
    {OPEN("{\"udp\":\"10.0.0.1:1\",\"on\":1,\"on_item\":1}"), -EINVAL,
     "one of on, on_item"},
    {OPEN("{\"udp\":\"10.0.0.1\",\"on\":1}"), -EINVAL, "is no address like"},
    {OPEN("{\"udp\":\"10.0.0.1:65536\",\"on\":1}"), -EINVAL, "is no address like"},
    {"{\"request\":\"close\",\"ids\":[\"1\"]}", -EINVAL, "ids: must be a number"},
    {"{\"request\":\"show\",\"what\":\"people\"}", -EINVAL, "\"people\" is none of"},
    {"{\"request\":\"show\"}", -EINVAL, "is none of"},
};

START_TEST(test_refused)
{
	struct ecp_error err = {0};
	int r = ecp_request_parse(bad[_i].text, strlen(bad[_i].text), &req, &err);
	ck_assert_msg(r == bad[_i].code, "%s: %d, %s", bad[_i].text, r, err.text);
	ck_assert_msg(strstr(err.text, bad[_i].says), "%s: %s", bad[_i].text, err.text);
}
END_TEST

static int parse_repeated(const char *head, const char *item, unsigned n, const char *tail)
{
	struct ecp_error err = {0};
	size_t room = strlen(head) + n * (strlen(item) + 1) + strlen(tail) + 1;
	char *long_text = malloc(room);
	strcpy(long_text, head);
	char *at = long_text + strlen(head);
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s%s", i ? "," : "", item);
	strcpy(at, tail);
	int r = ecp_request_parse(long_text, strlen(long_text), &req, &err);
	free(long_text);
	return r;
}

START_TEST(test_too_many)
{
	static const char head[] = "{\"request\":\"close\",\"ids\":[";
	ck_assert_int_eq(parse_repeated(head, "1", 256, "]}"), 0);
	ck_assert_int_eq(parse_repeated(head, "1", 257, "]}"), -EMSGSIZE);
	ck_assert_int_eq(
	    parse_repeated("{\"request\":\"open\",\"endpoints\":[", "{" L2 "}", 257, "]}"),
	    -EMSGSIZE);
	ck_assert_int_eq(parse_repeated(head, "1", 40000, "]}"),
			 -EMSGSIZE); /* over 64 KiB */
}
END_TEST

START_TEST(test_deep_nesting)
{
	struct ecp_error err = {0};
	memset(text, '[', ECP_MSG_MAX);
	ck_assert_int_eq(ecp_request_parse(text, ECP_MSG_MAX, &req, &err), -EBADMSG);
}
END_TEST

START_TEST(test_zero_byte)
{
	struct ecp_error err = {0};
	ck_assert_int_eq(ecp_request_parse("{\"request\":\"status\"}\0", 21, &req, &err),
			 -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err.text, "NUL"));
}
END_TEST

/* ---- PROTOCOL.md ---- */

static unsigned seen_requests, seen_replies;

static void check_example(const char *example, size_t len)
{
	struct ecp_error err = {0};
	int r;
	if (memmem(example, len, "\"request\"", 9)) {
		r = ecp_request_parse(example, len, &req, &err);
		seen_requests |= 1u << req.type;
	} else {
		r = ecp_reply_parse(example, len, &rep, &err);
		seen_replies |= 1u << rep.type;
		if (rep.type == ECP_REP_PAGE)
			seen_replies |= 256u << rep.page.what;
	}
	ck_assert_msg(r == 0, "%.*s\n%s", (int)len, example, err.text);

	/* cut anywhere, it is an error and nothing worse */
	for (size_t cut = 0; cut < len - 1; cut++) {
		char *head = malloc(cut + 1);
		memcpy(head, example, cut);
		err.code = 0;
		r = memmem(example, len, "\"request\"", 9)
			? ecp_request_parse(head, cut, &req2, &err)
			: ecp_reply_parse(head, cut, &rep2, &err);
		ck_assert_msg(r < 0, "%.*s", (int)cut, head);
		free(head);
	}
}

START_TEST(test_protocol_examples)
{
	static char document[200000];
	static const char begin[] = "```json\n", fence[] = "\n```";
	FILE *file = fopen(SOURCE_DIR "/proto/PROTOCOL.md", "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_lt(fread(document, 1, sizeof(document) - 1, file),
			  sizeof(document) - 1);
	fclose(file);
	for (const char *at = document; (at = strstr(at, begin));) {
		at += sizeof(begin) - 1;
		const char *end = strstr(at, fence);
		ck_assert_ptr_nonnull(end);
		check_example(at, (size_t)(end - at));
		at = end;
	}
	ck_assert_uint_eq(seen_requests, (1u << (ECP_REQ_SHOW + 1)) - 1);
	ck_assert_uint_eq(seen_replies, ((1u << (ECP_REP_PAGE + 1)) - 1) | 0x700);
}
END_TEST

START_TEST(test_errno_names)
{
	ck_assert_str_eq(ecp_errno_name(EADDRINUSE), "EADDRINUSE");
	ck_assert_str_eq(ecp_errno_name(-EADDRINUSE), "EADDRINUSE");
	ck_assert_str_eq(ecp_errno_name(99999), "EIO");
	ck_assert_int_eq(ecp_errno_by_name("ENODEV"), ENODEV);
	ck_assert_int_eq(ecp_errno_by_name("EWHATEVER"), EIO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("msg");
	TCase *tc = tcase_create("msg");
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_requests);
	tcase_add_test(tc, test_replies);
	tcase_add_loop_test(tc, test_biggest_page, 0, 3);
	tcase_add_test(tc, test_batch_of_errors_fits);
	tcase_add_test(tc, test_too_little_room);
	tcase_add_loop_test(tc, test_refused, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, test_too_many);
	tcase_add_test(tc, test_deep_nesting);
	tcase_add_test(tc, test_zero_byte);
	tcase_add_test(tc, test_protocol_examples);
	tcase_add_test(tc, test_errno_names);
	suite_add_tcase(s, tc);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
