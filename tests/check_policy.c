/*
 * check_policy.c - policy files, good and bad; who may claim what under them; buckets; what a
 * limited endpoint may send.
 */
#include "daemon/bucket.h"
#include "daemon/policy.h"
#include "proto/neigh.h"
#include "tests/suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(table) (int)(sizeof(table) / sizeof(*(table)))

static struct policy *policy;
static struct ecp_error err;

static void setup(void)
{
	policy = NULL;
	err = (struct ecp_error){0};
}

static void teardown(void)
{
	policy_put(policy);
}

static void parse(const char *text)
{
	int r = policy_parse(&policy, text, strlen(text), &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
}

/* ---- files that are wrong: where, and why ---- */

#define RULE(text) "{\"rules\":[\n" text "]}"

static const struct {
	const char *text, *says;
} bad_files[] = {
    {"", "line 1: not JSON"},
    {"{\n \"rules\": [\n}", "line 3: not JSON"},
    {"[]", "line 1: the policy: must be an object"},
    {"{}", "line 1: rules: is missing"},
    {"{\n\"rules\": {}}", "line 2: rules: must be an array"},
    {"{\"rules\": [],\n \"colour\": 1}", "line 2: the policy: unknown key \"colour\""},
    {RULE("7"), "line 1: rule 1: rules: must be an object"},
    {RULE("{},\n{},\n{\n\"colour\": 1}"), "line 5: rule 3: rules: unknown key \"colour\""},
    {RULE("{\"raw\": true,\n\"raw\": false}"),
     "line 3: rule 1: rules: key \"raw\" stands twice"},
    {RULE("{\"name\": \"\"}"), "name: 1 to 47 bytes"},
    {RULE("{\"name\": \"012345678901234567890123456789012345678901234567\"}"),
     "name: 1 to 47 bytes"},
    {RULE("{\"name\": 7}"), "name: must be a string"},
    {RULE("{\"users\": \"root\"}"), "users: must be an array"},
    {RULE("{\"users\": []}"), "line 2: rule 1: users: is empty"},
    {RULE("{\"users\": [7]}"), "users: must be a string"},
    {RULE("{\"users\": [\"root\",\n\"nobody-such\"]}"),
     "users: \"nobody-such\" is not the name"},
    {RULE("{\"users\": [\"root:root\"]}"), "users: \"root:root\" is not"},
    {RULE("{\"users\": [\"4294967295\"]}"), "users: \"4294967295\" is not"},
    {RULE("{\"groups\": [\"\"]}"), "groups: \"\" is not"},
    {RULE("{\"groups\": [\"-1\"]}"), "groups: \"-1\" is not"},
    {RULE("{\"interfaces\": [\"sixteen-letters-\"]}"), "interfaces: \"sixteen-letters-\""},
    {RULE("{\"macs\": [\"02:00\"]}"), "macs: \"02:00\" is not"},
    {RULE("{\"macs\": [\"02:00:00:00:00:00/49\"]}"), "macs: \"02:00:00:00:00:00/49\""},
    {RULE("{\"macs\": [\"02:00:00:00:00:00/\"]}"), "macs: "},
    {RULE("{\"macs\": [\"02:00:00:00:00:01/47\"]}"), "macs: "},
    {RULE("{\"macs\": [\"02:00:00:00:00:01/16/16\"]}"), "macs: "},
    {RULE("{\"vlans\": [\"4096\"]}"), "vlans: \"4096\" is not like none, 100"},
    {RULE("{\"vlans\": [\"200-100\"]}"), "vlans: \"200-100\""},
    {RULE("{\"vlans\": [\"1.2.3\"]}"), "vlans: \"1.2.3\""},
    {RULE("{\"vlans\": [\"\"]}"), "vlans: \"\""},
    {RULE("{\"vlans\": [\"1.\"]}"), "vlans: \"1.\""},
    {RULE("{\"vlans\": [\"none.1\"]}"), "vlans: \"none.1\""},
    {RULE("{\"vlans\": [\"1-\"]}"), "vlans: \"1-\""},
    {RULE("{\"vlans\": [\"1,2\"]}"), "vlans: \"1,2\""},
    {RULE("{\"ethertypes\": [\"0x8100\"]}"), "ethertypes: \"0x8100\""},
    {RULE("{\"ethertypes\": [\"1500\"]}"), "ethertypes: \"1500\""},
    {RULE("{\"ethertypes\": [\"0x10800\"]}"), "ethertypes: \"0x10800\""},
    {RULE("{\"ethertypes\": [2048]}"), "ethertypes: must be a string"},
    {RULE("{\"ports\": [\"65536\"]}"), "ports: \"65536\""},
    {RULE("{\"ports\": [\"67-\"]}"), "ports: \"67-\""},
    {RULE("{\"ports\": [\" 67\"]}"), "ports: \" 67\""},
    {RULE("{\"ports\": [\"18446744073709551683\"]}"), "ports: \"18446744073709551683\""},
    {RULE("{\"ips\": [\"10.0.0.1/24\"]}"), "ips: \"10.0.0.1/24\""},
    {RULE("{\"ips\": [\"10.0.0.0/33\"]}"), "ips: \"10.0.0.0/33\""},
    {RULE("{\"ips\": [\"2001:db8::/129\"]}"), "ips: \"2001:db8::/129\""},
    {RULE("{\"ips\": [\"10.0.0\"]}"), "ips: \"10.0.0\""},
    {RULE("{\"ips\": [\"host.example\"]}"), "ips: \"host.example\""},
    {RULE("{\"raw\": 1}"), "raw: must be true or false"},
    {RULE("{\"capture\": \"yes\"}"), "capture: must be true or false"},
    {RULE("{\"deny\": \"yes\"}"), "deny: must be true or false"},
    {RULE("{\"multicast\": true}"), "multicast: must be a string"},
    {RULE("{\"multicast\": \"some\"}"), "multicast: \"some\" is none of"},
    {RULE("{\"limits\": 7}"), "limits: must be an object"},
    {RULE("{\"limits\": {\n\"speed\": 7}}"),
     "line 3: rule 1: limits: unknown key \"speed\""},
    {RULE("{\"limits\": {\n\n\"clients\": 0}}"), "line 4: rule 1: clients: must be from 1"},
    {RULE("{\"limits\": {\"ring\": 131071}}"), "ring: must be from 131072 to 134217728"},
    {RULE("{\"limits\": {\"frames_per_s\": 1000000001}}"), "frames_per_s: must be from 1"},
    {RULE("{\"limits\": {\"frames_per_s\": 0.5}}"), "frames_per_s: must be a whole number"},
    {RULE("{\"limits\": {\"burst\": 5}}"), "burst: means nothing without"},
    {RULE("{\"limits\": {\"requests_per_s\": -1}}"), "requests_per_s: must be"},
};

START_TEST(test_bad_file)
{
	const char *text = bad_files[_i].text;
	int r = policy_parse(&policy, text, strlen(text), &err);
	ck_assert_msg(r < 0 && r == err.code, "%s: %d", text, r);
	ck_assert_ptr_null(policy);
	ck_assert_msg(strstr(err.text, bad_files[_i].says), "%s\nsaid: %s", text, err.text);
	ck_assert_msg(!strncmp(err.text, "line ", 5), "where? %s", err.text);
}
END_TEST

START_TEST(test_too_many)
{
	char *text = malloc(1 << 20);
	static const struct {
		const char *begin, *item, *end;
		unsigned most;
	} rows[] = {
	    {"{\"rules\":[", "{}", "]}", POLICY_RULES},
	    {RULE("{\"macs\":["), "\"any\"", "]}]}", POLICY_MACS},
	    {RULE("{\"users\":["), "\"1\"", "]}]}", POLICY_ITEMS},
	    {RULE("{\"ports\":["), "\"1\"", "]}]}", POLICY_ITEMS},
	    {RULE("{\"vlans\":["), "\"1\"", "]}]}", POLICY_ITEMS},
	    {RULE("{\"interfaces\":["), "\"eth1\"", "]}]}", POLICY_ITEMS},
	    {RULE("{\"ethertypes\":["), "\"arp\"", "]}]}", SENDING_ETHERTYPES},
	    {RULE("{\"ips\":["), "\"10.0.0.1\"", "]}]}", SENDING_IPS},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (unsigned n = rows[i].most; n <= rows[i].most + 1; n++) {
			/* RULE() closes what is still to be filled */
			size_t len = strlen(rows[i].begin) - (i ? 2 : 0);
			memcpy(text, rows[i].begin, len);
			for (unsigned k = 0; k < n; k++)
				len += (size_t)sprintf(text + len, "%s%s", k ? "," : "",
						       rows[i].item);
			len += (size_t)sprintf(text + len, "%s", rows[i].end);
			err.code = 0;
			int r = policy_parse(&policy, text, len, &err);
			ck_assert_msg(r == (n > rows[i].most ? -EMSGSIZE : 0), "%u: %s", i,
				      err.text);
			policy_put(policy);
			policy = NULL;
		}
	}
	free(text);
}
END_TEST

START_TEST(test_load)
{
	char path[] = "/tmp/check_policy-XXXXXX";
	static const char text[] = "{\"rules\":[{\"name\":\"a\"}]}";
	int fd = mkstemp(path);
	ck_assert_int_eq(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	ck_assert_int_eq(policy_load(&policy, path, &err), 0);
	ck_assert_str_eq(policy->rules[0].name, "a");
	struct policy *same = policy;
	ck_assert_int_eq(ftruncate(fd, 3), 0);
	ck_assert_int_eq(policy_load(&policy, path, &err), -EBADMSG);
	ck_assert_ptr_eq(policy, same);
	ck_assert_msg(!strncmp(err.text, path, strlen(path)), "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, ": line 1: "));
	close(fd);
	unlink(path);
	err.code = 0;
	ck_assert_int_eq(policy_load(&policy, path, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
}
END_TEST

static const char every_key[] =
    "{ // comments are allowed\n"
    "\"rules\": [ { \"name\": \"lab\", \"users\": [\"root\", \"1234\"],"
    "\"groups\": [\"nogroup\"], \"interfaces\": [\"eth1\"],"
    "\"macs\": [\"02:00:5e:00:00:00/24\"], \"vlans\": [\"none\", \"200.any\"],"
    "\"ethertypes\": [\"arp\", \"0x88b5\"], \"ports\": [\"68\", \"1024-65535\"],"
    "\"ips\": [\"10.0.0.0/9\", \"2001:db8::/32\"], \"raw\": true,"
    "\"multicast\": \"own\", \"capture\": false, \"deny\": false,"
    "\"limits\": {\"clients\": 1, \"endpoints\": 2, \"ring\": 131072,"
    "\"frames_per_s\": 4, \"burst\": 5, \"requests_per_s\": 6}}, {} ]}";

/* What everything is that a rule may say, as it stands in etherconnd.policy(5). */
START_TEST(test_every_key)
{
	parse(every_key);
	const struct policy_rule *r = &policy->rules[0];
	ck_assert_uint_eq(policy->n_rules, 2);
	ck_assert_str_eq(r->name, "lab");
	ck_assert_uint_eq(r->users[1], 1234);
	ck_assert_uint_eq(r->groups[0], 65534);
	ck_assert_str_eq(r->interfaces[0], "eth1");
	ck_assert_mem_eq(r->macs[0].mask, "\xff\xff\xff\0\0\0", 6);
	ck_assert_uint_eq(r->vlans[0].n, 0);
	ck_assert_uint_eq(r->vlans[1].n, 2);
	ck_assert_uint_eq(r->vlans[1].tags[1].to, 4095);
	ck_assert_uint_eq(r->sending.ethertypes[1], 0x88b5);
	ck_assert_uint_eq(r->ports[1].from, 1024);
	ck_assert_uint_eq(r->sending.ips[0].bits, 9);
	ck_assert_uint_eq(r->sending.ips[1].family, 6);
	ck_assert(r->sending.raw && !r->deny);
	ck_assert_int_eq(r->multicast, POLICY_MULTICAST_OWN);
	ck_assert_int_eq(r->capture, POLICY_CAPTURE_NO);
	static const struct ecp_policy_limits limits = {1, 2, 131072, 4, 5, 6};
	ck_assert_mem_eq(&r->limits, &limits, sizeof(limits));
	r = &policy->rules[1];
	ck_assert_str_eq(r->name, "#2");
	ck_assert_int_eq(r->capture, POLICY_CAPTURE_CONFIG);
	ck_assert(r->sending.raw);
}
END_TEST

/* One byte wrong, or cut anywhere: a policy or a sentence, and nothing is left over. */
START_TEST(test_noise)
{
	char copy[sizeof(every_key)];
	srand(7);
	for (unsigned i = 0; i < 20000; i++) {
		size_t len = sizeof(every_key) - 1;
		memcpy(copy, every_key, len);
		if (i % 2)
			len = (size_t)rand() % len;
		else
			copy[(size_t)rand() % len] = (char)rand();
		char *exact = malloc(len ? len : 1); /* ASan sees any byte more */
		memcpy(exact, copy, len);
		policy = NULL;
		err.code = 0;
		int r = policy_parse(&policy, exact, len, &err);
		ck_assert((r == 0) == (policy != NULL));
		ck_assert(r == 0 || !strncmp(err.text, "line ", 5) ||
			  !strcmp(err.text, "not JSON: a NUL byte"));
		policy_put(policy);
		free(exact);
	}
	policy = NULL;
}
END_TEST

/* The rules as a file again, in text. */
static void format_policy(const struct policy *from, char *to, size_t room)
{
	static struct ecp_page page;
	const struct policy_rule *rule;
	struct ecp_json_writer w;
	ecp_json_begin(&w, to, room);
	ecp_json_open_object(&w, NULL);
	ecp_json_open_array(&w, "rules");
	page.what = ECP_SHOW_POLICY;
	for (unsigned i = 0; (rule = policy_rule_at(from, i)); i++) {
		policy_rule_info(rule, &page.rules[0]);
		ecp_page_item_write(&w, &page, 0);
	}
	ecp_json_close_array(&w);
	ecp_json_close_object(&w);
	ck_assert(!w.overflow);
}

/* What `show policy` says can be used as a file, and means the same. */
static const char *const shown[] = {
    RULE("{}"),
    RULE("{\"deny\": true}, {\"capture\": false}, {\"capture\": true, \"raw\": false}"),
    RULE("{\"macs\": [\"any\", \"local\", \"02:00:5e:00:00:00/24\", "
	 "\"02:00:5e:00:00:01\"]}"),
    RULE("{\"macs\": [\"00:00:00:00:00:00/1\", \"02:00:00:00:00:00/8\"]}"),
    RULE("{\"vlans\": [\"none\", \"any\", \"7\", \"100-199\", \"200.100-199\", "
	 "\"any.any\"]}"),
    RULE("{\"ethertypes\": [\"ipv4\", \"arp\", \"llc\", \"0x88b5\"], \"multicast\": "
	 "\"none\"}"),
    RULE("{\"ips\": [\"0.0.0.0\", \"10.0.0.0/8\", \"::\", \"2001:db8::/32\", \"::/0\"]}"),
    RULE("{\"users\": [\"root\", \"4711\"], \"groups\": [\"0\", \"77\"],"
	 " \"interfaces\": [\"eth1\"], \"ports\": [\"68\", \"1024-65535\"]}"),
    RULE("{\"name\": \"a \\\"b\\\"\", \"limits\": {\"clients\": 1, \"endpoints\": 2,"
	 " \"ring\": 131072, \"frames_per_s\": 3, \"burst\": 4, \"requests_per_s\": 5}}"),
};

START_TEST(test_shown_as_it_is)
{
	static char text[1 << 16], again[1 << 16];
	struct policy *back;
	parse(shown[_i]);
	format_policy(policy, text, sizeof(text));
	int r = policy_parse(&back, text, strlen(text), &err);
	ck_assert_msg(r == 0, "%s: %s", text, err.text);
	ck_assert_uint_eq(back->n_rules, policy->n_rules);
	ck_assert_msg(
	    !memcmp(back->rules, policy->rules, policy->n_rules * sizeof(*policy->rules)),
	    "%s", text);
	format_policy(back, again, sizeof(again));
	ck_assert_str_eq(text, again);
	policy_put(back);
}
END_TEST

/* So can what stands for no policy at all. */
START_TEST(test_default_is_shown)
{
	char text[1024];
	format_policy(NULL, text, sizeof(text));
	ck_assert_str_eq(text, "{\"rules\":[{\"name\":\"default\",\"macs\":[\"local\"],"
			       "\"multicast\":\"any\",\"raw\":true,\"limits\":{}}]}");
	parse(text);
}
END_TEST

START_TEST(test_burst_is_a_second_unless_given)
{
	parse(RULE("{\"limits\": {\"frames_per_s\": 70}}"));
	ck_assert_uint_eq(policy->rules[0].limits.burst, 70);
}
END_TEST

/* ---- decisions ---- */

#define OWN "52:54:00:12:34:56"

/* One question: of uid 1000, groups 1000 and 1310, unless it says otherwise. */
struct question {
	const char *name, *policy, *l2, *udp;
	uid_t uid;
	unsigned flags;
	uint16_t ethertype;
	const char *interface; /* NULL: eth1 */
	bool may_capture;
};

static int judge(const struct question *q, const struct policy_rule **rule)
{
	static const gid_t gids[] = {1000, 1310};
	uint8_t own[ECP_MAC_LEN];
	struct ecp_l2addr l2;
	struct ecp_addr local;
	const struct policy_who who = {q->uid, 2, gids, q->may_capture};
	ck_assert_int_eq(ecp_mac_parse(OWN, own), 0);
	ck_assert_int_eq(ecp_l2addr_parse(q->l2, &l2), 0);
	if (q->udp)
		ck_assert_int_eq(ecp_addr_parse(q->udp, &local), 0);
	if (q->policy)
		parse(q->policy);
	const struct policy_claim claim = {
	    .interface = q->interface ? q->interface : "eth1",
	    .own_mac = own,
	    .l2 = &l2,
	    .flags = q->flags,
	    .n_ethertypes = q->ethertype ? 1 : 0,
	    .ethertypes = &q->ethertype,
	    .local = q->udp ? &local : NULL,
	};
	return policy_judge(policy, &who, &claim, rule, &err);
}

#define MAC "02:00:00:00:00:01"
#define U   .uid = 1000

static const struct question allowed[] = {
    {"default: locally administered", NULL, MAC, U},
    {"default: any VLANs, multicast", NULL, "aa:bb:cc:11:22:33|5|6", U, .flags = 3},
    {"default: any UDP", NULL, MAC, "8.8.8.8:53", U},
    {"default: root any MAC", NULL, "00:11:22:33:44:55", .uid = 0},
    {"default: root captures", NULL, MAC, .flags = ECP_EP_MIRROR, .may_capture = true},
    {"the empty rule is the default", RULE("{}"), MAC, U, .flags = 3},
    {"no rule: root", RULE(""), "00:11:22:33:44:55", .uid = 0},
    {"a rule for all is not root's", RULE("{\"deny\":true}"), MAC, .uid = 0},
    {"nor one for its groups", RULE("{\"groups\":[\"1310\"],\"deny\":true}"), MAC,
     .uid = 0},
    {"user", RULE("{\"users\":[\"1000\"]},{\"deny\":true}"), MAC, U},
    {"primary group", RULE("{\"groups\":[\"1000\"]},{\"deny\":true}"), MAC, U},
    {"another group", RULE("{\"groups\":[\"7\",\"1310\"]},{\"deny\":true}"), MAC, U},
    {"user or group", RULE("{\"users\":[\"7\"],\"groups\":[\"1310\"]}"), MAC, U},
    {"the first rule wins", RULE("{\"users\":[\"1000\"]},{\"vlans\":[\"1\"]}"), MAC, U},
    {"not on this interface", RULE("{\"interfaces\":[\"eth2\"],\"deny\":true},{}"), MAC, U},
    {"MAC of a set", RULE("{\"macs\":[\"00:00:00:00:00:07\",\"00:00:00:00:00:08\"]}"),
     "00:00:00:00:00:08", U},
    {"MAC of a prefix", RULE("{\"macs\":[\"02:00:00:00:00:00/16\"]}"), "02:00:ff:00:00:09",
     U},
    {"prefix in a byte", RULE("{\"macs\":[\"02:40:00:00:00:00/10\"]}"), "02:7f:00:00:00:09",
     U},
    {"any MAC", RULE("{\"macs\":[\"any\"]}"), "00:11:22:33:44:55", U},
    {"no tag", RULE("{\"vlans\":[\"5\",\"none\"]}"), MAC, U},
    {"first of a range", RULE("{\"vlans\":[\"100-199\"]}"), MAC "|100", U},
    {"last of a range", RULE("{\"vlans\":[\"100-199\"]}"), MAC "|199", U},
    {"outer and inner", RULE("{\"vlans\":[\"200-210.100-199\"]}"), MAC "|210|150", U},
    {"any inner", RULE("{\"vlans\":[\"200|any\"]}"), MAC "|200|0", U},
    {"EtherType", RULE("{\"ethertypes\":[\"ipv4\",\"0x88b5\"]}"), MAC, U,
     .ethertype = 0x88b5},
    {"802.3", RULE("{\"ethertypes\":[\"llc\"]}"), MAC, U, .ethertype = 1},
    {"own multicast", RULE("{\"vlans\":[\"5\"]}"), MAC "|5", U, .flags = ECP_EP_MULTICAST},
    {"any multicast", RULE("{\"vlans\":[\"5\"],\"multicast\":\"any\"}"), MAC "|5", U,
     .flags = ECP_EP_MULTICAST_ANY},
    {"capture by rule", RULE("{\"capture\":true}"), MAC, U, .flags = ECP_EP_DEFAULT},
    {"capture by config", RULE("{}"), MAC, U, .flags = ECP_EP_MIRROR, .may_capture = true},
    {"port", RULE("{\"ports\":[\"68\",\"1024-65535\"]}"), MAC, "10.0.0.1:1024", U},
    {"ip", RULE("{\"ips\":[\"10.0.0.0/9\"]}"), MAC, "10.127.255.255:1", U},
    {"ip alone", RULE("{\"ips\":[\"10.0.0.7\",\"0.0.0.0\"]}"), MAC, ":68", U},
    {"every ip", RULE("{\"ips\":[\"0.0.0.0/0\"]}"), MAC, "255.1.2.3:1", U},
    {"ipv6", RULE("{\"ips\":[\"2001:db8::/33\"]}"), MAC, "[2001:db8:7fff::1]:1", U},
    {"share is free", RULE("{\"vlans\":[\"none\"]}"), MAC, U, .flags = ECP_EP_SHARE},
    {"root by its name", RULE("{\"users\":[\"root\"],\"vlans\":[\"5\"]}"), MAC "|5",
     .uid = 0},
};

START_TEST(test_allowed)
{
	const struct policy_rule *rule;
	int r = judge(&allowed[_i], &rule);
	ck_assert_msg(r == 0 && !err.code, "%s: %s", allowed[_i].name, err.text);
	ck_assert_ptr_nonnull(rule);
}
END_TEST

static const struct {
	struct question q;
	const char *says;
	int code; /* 0: -EACCES */
} denied[] = {
    {{"default: not locally administered", NULL, "00:11:22:33:44:55", U},
     "00:11:22:33:44:55: rule \"default\" does not allow this MAC address, which is not a "
     "locally"},
    {{"default: capture", NULL, MAC, U, .flags = ECP_EP_DEFAULT}, "capture_group"},
    {{"own address", NULL, OWN, U}, OWN ": this is the own address of eth1"},
    {{"own address, root", NULL, OWN "|7", .uid = 0}, "the own address"},
    {{"own address, by rule", RULE("{\"macs\":[\"any\"]}"), OWN, U}, "the own address"},
    {{"multicast source, root", NULL, "01:00:5e:00:00:01", .uid = 0}, "multicast", -EINVAL},
    {{"bridges' group", RULE("{\"macs\":[\"any\"]}"), "01:80:c2:00:00:00", U},
     "multicast",
     -EINVAL},
    {{"bridges' group, root", NULL, "01:80:c2:00:00:0e", .uid = 0}, "multicast", -EINVAL},
    {{"no rule at all", RULE(""), MAC, U}, "no rule of the policy is for uid 1000 on eth1"},
    {{"no rule for me", RULE("{\"users\":[\"7\"]},{\"groups\":[\"8\"]}"), MAC, U},
     "no rule of the policy is for uid 1000"},
    {{"no rule here", RULE("{\"interfaces\":[\"eth1\"]}"), MAC, U, .interface = "eth2"},
     "on eth2"},
    {{"deny", RULE("{\"name\":\"x\",\"deny\":true},{}"), MAC, U}, "\"x\" allows nothing"},
    {{"the first rule wins", RULE("{\"vlans\":[\"1\"]},{\"users\":[\"1000\"]}"), MAC, U},
     "\"#1\" does not allow no VLAN tag"},
    {{"a rule's MACs are local too", RULE("{}"), "00:11:22:33:44:55", U}, "this MAC"},
    {{"beside the prefix", RULE("{\"macs\":[\"02:40:00:00:00:00/10\"]}"),
      "02:80:00:00:00:00", U},
     "this MAC address"},
    {{"beside the set", RULE("{\"macs\":[\"02:00:00:00:00:02\"]}"), MAC, U}, "this MAC"},
    {{"below a range", RULE("{\"vlans\":[\"100-199\"]}"), MAC "|99", U}, "these VLANs"},
    {{"above a range", RULE("{\"vlans\":[\"100-199\"]}"), MAC "|200", U}, "these VLANs"},
    {{"one tag too many", RULE("{\"vlans\":[\"100\"]}"), MAC "|100|1", U}, "these VLANs"},
    {{"one tag missing", RULE("{\"vlans\":[\"100.any\"]}"), MAC "|100", U}, "these VLANs"},
    {{"tagged", RULE("{\"vlans\":[\"none\"]}"), MAC "|0", U}, "these VLANs"},
    {{"EtherType", RULE("{\"ethertypes\":[\"ipv4\"]}"), MAC, U, .ethertype = 0x86dd},
     "EtherType 0x86dd"},
    {{"multicast", RULE("{\"multicast\":\"none\"}"), MAC, U, .flags = ECP_EP_MULTICAST},
     "multicast"},
    {{"others' multicast", RULE("{\"vlans\":[\"5\"]}"), MAC "|5", U,
      .flags = ECP_EP_MULTICAST_ANY},
     "multicast of other VLANs"},
    {{"capture", RULE("{\"capture\":false}"), MAC, U, .flags = ECP_EP_MIRROR,
      .may_capture = true},
     "what others or nobody claims"},
    {{"port", RULE("{\"ports\":[\"68\"]}"), MAC, "10.0.0.1:67", U}, "this port"},
    {{"ip", RULE("{\"ips\":[\"10.0.0.0/9\"]}"), MAC, "10.128.0.0:1", U}, "this IP address"},
    {{"UDP without its EtherType", RULE("{\"ethertypes\":[\"ipv4\"]}"), MAC,
      "[2001:db8::1]:1", U},
     "does not allow IPv6"},
    {{"no family", RULE("{\"ips\":[\"0.0.0.0/0\"]}"), MAC, "[::]:1", U}, "this IP address"},
    {{"any address is one", RULE("{\"ips\":[\"10.0.0.0/8\"]}"), MAC, ":68", U},
     "UDP 0.0.0.0:68: rule \"#1\" does not allow this IP"},
    {{"UDP on a MAC of others", RULE("{\"macs\":[\"02:00:00:00:00:02\"]}"), MAC, ":68", U},
     "this MAC"},
    {{"root by its name", RULE("{\"users\":[\"0\"],\"vlans\":[\"5\"]}"), MAC, .uid = 0},
     "no VLAN tag"},
};

START_TEST(test_denied)
{
	const struct policy_rule *rule;
	int r = judge(&denied[_i].q, &rule);
	const char *name = denied[_i].q.name;
	ck_assert_msg(r == (denied[_i].code ? denied[_i].code : -EACCES), "%s: %d", name,
		      r);
	ck_assert_int_eq(err.code, r);
	ck_assert_msg(strstr(err.text, denied[_i].says), "%s said: %s", name, err.text);
}
END_TEST

/* Before it has attached: the first rule for the client on any interface. */
START_TEST(test_rule_without_interface)
{
	static const gid_t gid = 5;
	const struct policy_who who = {1000, 1, &gid, false},
				other = {1001, 0, NULL, false};
	parse(RULE("{\"name\":\"a\",\"users\":[\"1000\"],\"interfaces\":[\"eth2\"]},"
		   "{\"name\":\"b\",\"groups\":[\"5\"]}"));
	ck_assert_str_eq(policy_rule_for(policy, &who, NULL)->name, "a");
	ck_assert_str_eq(policy_rule_for(policy, &who, "eth1")->name, "b");
	ck_assert_ptr_null(policy_rule_for(policy, &other, NULL));
}
END_TEST

START_TEST(test_limit)
{
	parse(RULE("{\"name\":\"lab\"}"));
	const struct policy_rule *rule = &policy->rules[0];
	ck_assert_int_eq(policy_limit(rule, "ring", 0, UINT32_MAX, 1, &err), 0);
	ck_assert_int_eq(policy_limit(rule, "ring", 10, 9, 1, &err), 0);
	ck_assert_int_eq(policy_limit(rule, "ring", 10, 10, 1, &err), -EDQUOT);
	ck_assert_str_eq(err.text, "rule \"lab\": the limit \"ring\" is 10");
}
END_TEST

START_TEST(test_references)
{
	parse(RULE("{}"));
	struct policy *second = policy_hold(policy);
	policy_put(policy);
	ck_assert_str_eq(second->rules[0].name, "#1"); /* ASan: still there */
	ck_assert_ptr_null(policy_hold(NULL));
}
END_TEST

/* ---- what may be sent ---- */

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1}, other_mac[6] = {2, 0, 0, 0, 0, 2};

static bool may_send(uint16_t type, const void *payload, size_t len)
{
	uint8_t frame[200] = {0};
	struct ecp_l2addr addr = {.n_vlans = 1, .vlans = {{.id = 5, .tpid = 0x8100}}};
	memcpy(addr.mac, mac, 6);
	unsigned at = ecp_header_build(&addr, frame);
	frame[at - 2] = (uint8_t)(type >> 8);
	frame[at - 1] = (uint8_t)type;
	memcpy(frame + at, payload, len);
	/* exactly: ASan sees any byte more */
	uint8_t *exact = malloc(at + len);
	memcpy(exact, frame, at + len);
	bool ok =
	    sending_allows(&policy->rules[0].sending, mac, type, exact, at + (uint32_t)len);
	free(exact);
	return ok;
}

/* A question (target) or answer of ip at from. */
static bool may_say(bool reply, const uint8_t *from, const char *ip, const char *target)
{
	struct ecp_neigh n = {.reply = reply, .have_mac = true};
	struct ecp_addr addr;
	uint8_t out[ECP_NEIGH_LEN_MAX], dst[6];
	uint16_t type;
	char text[80];
	snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:1" : "%s:1", ip);
	ck_assert_int_eq(ecp_addr_parse(text, &addr), 0);
	n.family = addr.family;
	memcpy(n.ip, addr.ip, 16);
	snprintf(text, sizeof(text), strchr(target, ':') ? "[%s]:1" : "%s:1", target);
	ck_assert_int_eq(ecp_addr_parse(text, &addr), 0);
	memcpy(n.target, addr.ip, 16);
	memcpy(n.mac, from, 6);
	memcpy(n.target_mac, other_mac, 6);
	size_t len = ecp_neigh_build(&n, out, &type, dst);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert(!may_send(type, out, cut));
	return may_send(type, out, len);
}

START_TEST(test_neighbours_only)
{
	parse(RULE("{\"ips\":[\"10.0.0.0/8\",\"2001:db8::/32\"]}"));
	ck_assert_ptr_nonnull(policy_sending(&policy->rules[0]));
	static const struct {
		bool ok, reply;
		const uint8_t *from;
		const char *ip, *target;
	} rows[] = {
	    {true, false, mac, "10.1.2.3", "10.9.9.9"},
	    {true, false, mac, "0.0.0.0", "10.9.9.9"},
	    {true, true, mac, "10.1.2.3", "10.9.9.9"},
	    {false, true, mac, "11.1.2.3", "10.9.9.9"},
	    {false, true, mac, "0.0.0.0", "10.9.9.9"},
	    {false, false, mac, "11.1.2.3", "10.9.9.9"},
	    {false, false, other_mac, "10.1.2.3", "10.9.9.9"},
	    {true, false, mac, "2001:db8::1", "2001:db8::2"},
	    {true, false, mac, "::", "2001:db8::2"},
	    {true, false, mac, "fe80::ff:fe00:1", "fe80::7"}, /* what the MAC makes */
	    {false, false, mac, "fe80::ff:fe00:2", "fe80::7"},
	    {true, true, mac, "2001:db8::1", "2001:db8::2"},
	    {false, true, mac, "2001:db9::1", "2001:db8::2"},
	    {false, true, other_mac, "2001:db8::1", "2001:db8::2"},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_msg(may_say(rows[i].reply, rows[i].from, rows[i].ip,
				      rows[i].target) == rows[i].ok,
			      "row %u: %s", i, rows[i].ip);
}
END_TEST

START_TEST(test_nothing_raw)
{
	struct ecp_addr src = {.ip = {10, 0, 0, 1}, .port = 1, .family = 4};
	struct ecp_udp_build b = {.src = &src, .dst = &src, .ttl = 64};
	uint8_t packet[100];
	ssize_t len = ecp_udp_build(packet, sizeof(packet), &b, "x", 1);
	parse(RULE("{\"raw\":false}"));
	ck_assert(!may_send(0x0800, packet, (size_t)len));
	ck_assert(!may_send(0x88b5, "x", 1));
	ck_assert(!may_send(ECP_ETHERTYPE_LLC, "x", 1));
	ck_assert(!may_send(0x0806, "x", 1));
	ck_assert(may_say(true, mac, "99.1.2.3", "10.9.9.9")); /* no limit on addresses */
}
END_TEST

START_TEST(test_raw_by_ethertype)
{
	parse(RULE("{\"ethertypes\":[\"ipv4\"]},{\"ports\":[\"68\"],\"raw\":true}"));
	ck_assert(may_send(0x0800, "x", 1));
	ck_assert(!may_send(0x88cc, "x", 1));
	ck_assert_ptr_nonnull(policy_sending(&policy->rules[0]));
	/* said so: then nothing is looked at */
	ck_assert_ptr_null(policy_sending(&policy->rules[1]));
}
END_TEST

/* ---- buckets ---- */

#define S BUCKET_NS

START_TEST(test_bucket)
{
	struct bucket b = {0};
	uint64_t now = 1000 * S;
	ck_assert_uint_eq(bucket_look(&b, now), UINT32_MAX); /* no limit */
	bucket_take(&b, 1000000);
	bucket_set(&b, 10, 3, now);
	ck_assert_uint_eq(bucket_look(&b, now), 3);
	bucket_take(&b, 3);
	ck_assert_uint_eq(bucket_look(&b, now + S / 10 - 1), 0);
	ck_assert_uint_eq(bucket_look(&b, now + S / 10), 1);
	ck_assert(bucket_take_one(&b, now + S / 10));
	ck_assert(!bucket_take_one(&b, now + S / 10));
	bucket_set(&b, 10, 3, now + S / 10); /* nothing new: not filled */
	ck_assert_uint_eq(bucket_look(&b, now + S / 10), 0);
	ck_assert_uint_eq(bucket_look(&b, now + 1000000 * S), 3); /* a long pause */
	bucket_set(&b, 10, 5, now + 1000000 * S);
	ck_assert_uint_eq(bucket_look(&b, now + 1000000 * S), 5);
}
END_TEST

/* Looked at however often, as many as the rate says come out of it: none lost to rounding. */
START_TEST(test_bucket_is_exact)
{
	static const uint32_t rates[] = {1, 7, 1000, 1488095, BUCKET_MAX};
	struct bucket b = {0};
	uint64_t now = 77, sum = 0, end = now + 10 * S;
	uint32_t rate = rates[_i];
	/* one more than can come between two looks, so that none runs over */
	bucket_set(&b, rate, rate < BUCKET_MAX ? rate + 1 : rate, now);
	bucket_take(&b, bucket_look(&b, now));
	for (uint64_t step = 1; now < end; step = step * 3 % 1000003 + 1) {
		now = now + step < end ? now + step : end;
		uint32_t n = bucket_look(&b, now);
		bucket_take(&b, n);
		sum += n;
	}
	ck_assert_uint_eq(sum, UINT64_C(10) * rate);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_bad_file, 0, COUNT(bad_files));
	tcase_add_test(tc, test_too_many);
	tcase_add_test(tc, test_load);
	tcase_add_test(tc, test_every_key);
	tcase_add_test(tc, test_noise);
	tcase_add_loop_test(tc, test_shown_as_it_is, 0, COUNT(shown));
	tcase_add_test(tc, test_default_is_shown);
	tcase_add_test(tc, test_burst_is_a_second_unless_given);
	tcase_add_loop_test(tc, test_allowed, 0, COUNT(allowed));
	tcase_add_loop_test(tc, test_denied, 0, COUNT(denied));
	tcase_add_test(tc, test_rule_without_interface);
	tcase_add_test(tc, test_limit);
	tcase_add_test(tc, test_references);
	tcase_add_test(tc, test_neighbours_only);
	tcase_add_test(tc, test_nothing_raw);
	tcase_add_test(tc, test_raw_by_ethertype);
	tcase_add_test(tc, test_bucket);
	tcase_add_loop_test(tc, test_bucket_is_exact, 0, 5);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
