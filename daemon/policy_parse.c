/*
 * policy_parse.c - policy files: lists of words, each kind of word with its own reader.
 */
#include "daemon/file.h"
#include "daemon/isolation.h"
#include "daemon/policy.h"
#include "proto/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words: each reader takes one into the i-th place of its list, false: it is none ---- */

/* A whole number up to max, decimal or with 0x; *end is behind it. */
static bool read_number(const char *text, unsigned long max, uint16_t *ret, char **end)
{
	if (*text < '0' || *text > '9')
		return false;
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	errno = 0;
	unsigned long value = strtoul(text, end, hex ? 16 : 10);
	*ret = (uint16_t)value;
	return errno == 0 && value <= max;
}

/* "N" or "N-M"; *end is behind it. */
static bool read_range(const char *text, unsigned long max, struct policy_range *ret,
		       char **end)
{
	if (!read_number(text, max, &ret->from, end))
		return false;
	ret->to = ret->from;
	return **end != '-' ||
	       (read_number(*end + 1, max, &ret->to, end) && ret->to >= ret->from);
}

static bool read_user(struct policy_rule *rule, unsigned i, const char *text)
{
	struct isolation_user user;
	if (strchr(text, ':') || isolation_parse_user(text, &user) < 0)
		return false;
	rule->users[i] = user.uid;
	return true;
}

static bool read_group(struct policy_rule *rule, unsigned i, const char *text)
{
	return isolation_parse_group(text, &rule->groups[i]) == 0;
}

static bool read_interface(struct policy_rule *rule, unsigned i, const char *text)
{
	size_t len = strlen(text);
	if (!len || len >= ECP_IFNAME)
		return false;
	memcpy(rule->interfaces[i], text, len + 1);
	return true;
}

/* Cut "/N" off a text, of at most max bits and that many without it.  False: it is wrong. */
static bool cut_bits(char *text, unsigned max, unsigned *bits)
{
	uint16_t number = (uint16_t)max;
	char *slash = strchr(text, '/'), *end;
	if (slash && (!read_number(slash + 1, max, &number, &end) || *end))
		return false;
	if (slash)
		*slash = 0;
	*bits = number;
	return true;
}

/* The first bits of len bytes; false if any behind them is set. */
static bool make_mask(const uint8_t *value, unsigned bits, uint8_t *mask, unsigned len)
{
	unsigned behind = 0;
	for (unsigned i = 0; i < len; i++, bits -= bits < 8 ? bits : 8) {
		mask[i] = (uint8_t)(bits >= 8 ? 0xff : 0xff00u >> bits);
		behind |= value[i] & (unsigned)(uint8_t)~mask[i];
	}
	return !behind;
}

static bool read_mac(struct policy_rule *rule, unsigned i, const char *text)
{
	struct policy_mac *mac = &rule->macs[i];
	char copy[32];
	unsigned bits;
	if (!strcmp(text, "any")) {
		*mac = (struct policy_mac){.value = {0}};
		return true;
	}
	if (!strcmp(text, "local")) {
		*mac = (struct policy_mac){.value = {2}, .mask = {3}};
		return true;
	}
	return snprintf(copy, sizeof(copy), "%s", text) < (int)sizeof(copy) &&
	       cut_bits(copy, 48, &bits) && ecp_mac_parse(copy, mac->value) == 0 &&
	       make_mask(mac->value, bits, mac->mask, ECP_MAC_LEN);
}

static bool read_tag(const char *text, struct policy_range *ret, char **end)
{
	if (strncmp(text, "any", 3))
		return read_range(text, ECP_VLAN_ID_MAX, ret, end);
	*ret = (struct policy_range){0, ECP_VLAN_ID_MAX};
	*end = (char *)text + 3;
	return true;
}

static bool read_vlans(struct policy_rule *rule, unsigned i, const char *text)
{
	struct policy_vlans *vlans = &rule->vlans[i];
	char *end;
	vlans->n = 0;
	if (!strcmp(text, "none"))
		return true;
	while (vlans->n < ECP_VLANS_MAX && read_tag(text, &vlans->tags[vlans->n], &end)) {
		vlans->n++;
		if (!*end)
			return true;
		if (*end != '.' && *end != '|')
			return false;
		text = end + 1;
	}
	return false;
}

static bool read_ethertype(struct policy_rule *rule, unsigned i, const char *text)
{
	static const struct {
		const char *name;
		uint16_t type;
	} names[] = {{"ipv4", ECP_ETHERTYPE_IPV4},
		     {"ipv6", ECP_ETHERTYPE_IPV6},
		     {"arp", ECP_ETHERTYPE_ARP},
		     {"llc", ECP_ETHERTYPE_LLC}};
	uint16_t *type = &rule->sending.ethertypes[i];
	char *end;
	for (unsigned k = 0; k < sizeof(names) / sizeof(*names); k++)
		if (!strcmp(text, names[k].name)) {
			*type = names[k].type;
			return true;
		}
	return read_number(text, UINT16_MAX, type, &end) && !*end && *type >= 0x600 &&
	       !ecp_tpid_known(*type);
}

static bool read_port(struct policy_rule *rule, unsigned i, const char *text)
{
	char *end;
	return read_range(text, UINT16_MAX, &rule->ports[i], &end) && !*end;
}

static bool read_ip(struct policy_rule *rule, unsigned i, const char *text)
{
	struct ip_prefix *ip = &rule->sending.ips[i];
	char copy[64];
	uint8_t mask[16];
	unsigned bits;
	bool six = strchr(text, ':') != NULL;
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy) ||
	    !cut_bits(copy, six ? 128 : 32, &bits) ||
	    inet_pton(six ? AF_INET6 : AF_INET, copy, ip->ip) != 1)
		return false;
	ip->family = six ? 6 : 4;
	ip->bits = (uint8_t)bits;
	return make_mask(ip->ip, bits, mask, six ? 16 : 4);
}

/* ---- a rule ---- */

/* Keys of rules that hold lists of words, and what a word is that its reader does not take. */
static const struct list {
	const char *key;
	unsigned max;
	bool (*read)(struct policy_rule *, unsigned, const char *);
	const char *form;
} lists[] = {
    {"users", POLICY_ITEMS, read_user, "the name or number of a user"},
    {"groups", POLICY_ITEMS, read_group, "the name or number of a group"},
    {"interfaces", POLICY_ITEMS, read_interface, "an interface's name"},
    {"macs", POLICY_MACS, read_mac,
     "an address or prefix like 02:00:5e:00:00:00/24, local or any"},
    {"vlans", POLICY_ITEMS, read_vlans,
     "like none, 100, 100-199 or 200.100-199, with any for 0-4095"},
    {"ports", POLICY_ITEMS, read_port, "like 68 or 1024-65535"},
    {"ethertypes", SENDING_ETHERTYPES, read_ethertype,
     "ipv4, ipv6, arp, llc or a number like 0x88b5"},
    {"ips", SENDING_IPS, read_ip, "an address or prefix like 10.0.0.0/8"},
};

#define N_LISTS (sizeof(lists) / sizeof(*lists))

/* Where the length of that list stands; the first of them in the order of enum policy_list. */
static unsigned *list_length(struct policy_rule *rule, unsigned list)
{
	if (list < POLICY_N_LISTS)
		return &rule->n[list];
	return list == POLICY_N_LISTS ? &rule->sending.n_ethertypes : &rule->sending.n_ips;
}

static void read_list(struct policy_rule *rule, const struct ecp_json *json, unsigned which,
		      struct ecp_error *err)
{
	const struct list *list = &lists[which];
	size_t n;
	const struct ecp_json *item = ecp_json_array(json, list->key, list->max, &n, err);
	if (!n && !err->code && ecp_json_has(json, list->key))
		ecp_error_set(err, -EINVAL, "%s: is empty", list->key);
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item)) {
		const char *word = ecp_json_item_string(item, list->key, err);
		if (word && !list->read(rule, i, word))
			ecp_error_set(err, -EINVAL, "%s: \"%.40s\" is not %s", list->key,
				      word, list->form);
	}
	*list_length(rule, which) = (unsigned)n;
}

static void read_name(struct policy_rule *rule, const struct ecp_json *json, unsigned i,
		      struct ecp_error *err)
{
	const char *name = ecp_json_string(json, "name", NULL, err);
	if (!name)
		snprintf(rule->name, sizeof(rule->name), "#%u", i + 1);
	else if (!*name || strlen(name) >= sizeof(rule->name))
		ecp_error_set(err, -EINVAL, "name: 1 to %zu bytes", sizeof(rule->name) - 1);
	else
		snprintf(rule->name, sizeof(rule->name), "%s", name);
}

static void read_multicast(struct policy_rule *rule, const struct ecp_json *json,
			   struct ecp_error *err)
{
	static const char *const words[] = {"none", "own", "any"};
	const char *word = ecp_json_string(json, "multicast", NULL, err);
	rule->multicast =
	    rule->n[POLICY_VLANS] ? POLICY_MULTICAST_OWN : POLICY_MULTICAST_ANY;
	if (!word)
		return;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(word, words[i])) {
			rule->multicast = i;
			return;
		}
	ecp_error_set(err, -EINVAL, "multicast: \"%.20s\" is none of none, own, any", word);
}

static uint32_t read_limit(const struct ecp_json *json, const char *key, uint64_t min,
			   uint64_t max, struct ecp_error *err)
{
	return (uint32_t)ecp_json_u64(json, key, min, max, 0, err);
}

static void read_limits(struct ecp_policy_limits *limits, const struct ecp_json *rule,
			struct ecp_error *err)
{
	static const char *const keys[] = {
	    "clients", "endpoints",      "ring", "frames_per_s",
	    "burst",   "requests_per_s", NULL};
	const struct ecp_json *json = ecp_json_object(rule, "limits", err);
	if (!json || !ecp_json_check_keys(json, "limits", keys, err))
		return;
	limits->clients = read_limit(json, "clients", 1, UINT32_MAX, err);
	limits->endpoints = read_limit(json, "endpoints", 1, UINT32_MAX, err);
	/* what two rings can have at least and at most */
	limits->ring = read_limit(json, "ring", 2 * ECP_RING_MIN, 2u * ECP_RING_MAX, err);
	limits->frames_per_s =
	    read_limit(json, "frames_per_s", 1, ECP_POLICY_RATE_MAX, err);
	limits->burst = read_limit(json, "burst", 1, ECP_POLICY_RATE_MAX, err);
	limits->requests_per_s =
	    read_limit(json, "requests_per_s", 1, ECP_POLICY_RATE_MAX, err);
	if (limits->burst && !limits->frames_per_s)
		ecp_error_set(err, -EINVAL, "burst: means nothing without frames_per_s");
	if (!limits->burst)
		limits->burst = limits->frames_per_s;
}

static void read_rule(struct policy_rule *rule, const struct ecp_json *json, unsigned i,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"name", "users",  "groups",     "interfaces",
					   "macs", "vlans",  "ethertypes", "ports",
					   "ips",  "raw",    "multicast",  "capture",
					   "deny", "limits", NULL};
	if (!ecp_json_check_keys(json, "rules", keys, err))
		return;
	read_name(rule, json, i, err);
	for (unsigned list = 0; list < N_LISTS; list++)
		read_list(rule, json, list, err);
	if (!rule->n[POLICY_MAC_PREFIXES]) {
		rule->n[POLICY_MAC_PREFIXES] = 1;
		read_mac(rule, 0, "local");
	}
	read_multicast(rule, json, err);
	/* limits on UDP would be none if the same could be sent raw */
	bool any_udp = !rule->n[POLICY_PORTS] && !rule->sending.n_ips;
	rule->sending.raw = ecp_json_bool(json, "raw", any_udp, err);
	if (ecp_json_has(json, "capture"))
		rule->capture = ecp_json_bool(json, "capture", false, err)
				    ? POLICY_CAPTURE_YES
				    : POLICY_CAPTURE_NO;
	rule->deny = ecp_json_bool(json, "deny", false, err);
	read_limits(&rule->limits, json, err);
}

/* ---- the file ---- */

/* Say where it is wrong, if it is a rule: i < 0 means the file around them. */
static void add_place(struct ecp_error *err, const struct ecp_error *why, const char *text,
		      size_t len, int i)
{
	unsigned line = ecp_json_line_of(text, len, "rules", i, why->text);
	if (i < 0)
		ecp_error_set(err, why->code, "line %u: %.160s", line, why->text);
	else
		ecp_error_set(err, why->code, "line %u: rule %d: %.150s", line, i + 1,
			      why->text);
}

static struct policy *policy_new(size_t n, struct ecp_error *err)
{
	struct policy *policy = calloc(1, sizeof(*policy) + n * sizeof(*policy->rules));
	if (!policy)
		ecp_error_set(err, -ENOMEM, "out of memory");
	else
		*policy = (struct policy){.refs = 1, .n_rules = (unsigned)n};
	return policy;
}

static struct policy *read_root(const struct ecp_json *root, const char *text, size_t len,
				struct ecp_error *err)
{
	static const char *const keys[] = {"rules", NULL};
	struct ecp_error why = {0};
	size_t n = 0;
	const struct ecp_json *item = NULL;
	if (ecp_json_check_keys(root, "the policy", keys, &why)) {
		if (!ecp_json_has(root, "rules"))
			ecp_error_set(&why, -EINVAL, "rules: is missing");
		item = ecp_json_array(root, "rules", POLICY_RULES, &n, &why);
	}
	if (why.code) {
		add_place(err, &why, text, len, -1);
		return NULL;
	}
	struct policy *policy = policy_new(n, err);
	for (unsigned i = 0; policy && i < n; i++, item = ecp_json_next(item)) {
		read_rule(&policy->rules[i], item, i, &why);
		policy->rules[i].number = i + 1;
		if (!why.code)
			continue;
		add_place(err, &why, text, len, (int)i);
		policy_put(policy);
		return NULL;
	}
	return policy;
}

int policy_parse(struct policy **ret, const char *text, size_t len, struct ecp_error *err)
{
	struct ecp_json *root = ecp_json_parse(text, len, true, err);
	if (!root)
		return err->code;
	struct policy *policy = read_root(root, text, len, err);
	ecp_json_free(root);
	if (!policy)
		return err->code;
	*ret = policy;
	return 0;
}

int policy_load(struct policy **ret, const char *path, struct ecp_error *err)
{
	struct ecp_error why = {0};
	size_t len;
	char *text = file_read(path, &len, err);
	if (!text)
		return err->code;
	policy_parse(ret, text, len, &why);
	free(text);
	return file_error(path, &why, err);
}

struct policy *policy_hold(struct policy *policy)
{
	if (policy)
		policy->refs++;
	return policy;
}

void policy_put(struct policy *policy)
{
	if (policy && --policy->refs == 0)
		free(policy);
}
