/*
 * msg_rule.c - a rule of the policy <-> JSON, in the form of the policy's file; and its limits.
 */
#include "proto/msg_fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- limits ---- */

static const struct {
	const char *key;
	unsigned offset;
} limits[] = {
    {"clients", offsetof(struct ecp_policy_limits, clients)},
    {"endpoints", offsetof(struct ecp_policy_limits, endpoints)},
    {"ring", offsetof(struct ecp_policy_limits, ring)},
    {"frames_per_s", offsetof(struct ecp_policy_limits, frames_per_s)},
    {"burst", offsetof(struct ecp_policy_limits, burst)},
    {"requests_per_s", offsetof(struct ecp_policy_limits, requests_per_s)},
};

#define N_LIMITS (sizeof(limits) / sizeof(*limits))

void ecp_field_read_limits(const struct ecp_json *obj, struct ecp_policy_limits *ret,
			   struct ecp_error *err)
{
	const struct ecp_json *values = ecp_json_object(obj, "limits", err);
	for (unsigned i = 0; values && i < N_LIMITS; i++)
		*(uint32_t *)((char *)ret + limits[i].offset) =
		    ecp_field_read_u32(values, limits[i].key, err);
}

void ecp_field_write_limits(struct ecp_json_writer *w, const struct ecp_policy_limits *from)
{
	ecp_json_open_object(w, "limits");
	for (unsigned i = 0; i < N_LIMITS; i++) {
		uint32_t limit = *(const uint32_t *)((const char *)from + limits[i].offset);
		if (limit)
			ecp_json_put_u64(w, limits[i].key, limit);
	}
	ecp_json_close_object(w);
}

/* ---- words ---- */

const char *const ecp_rule_keys[] = {"users", "groups", "interfaces", "macs",
				     "vlans", "ports",  "ethertypes", "ips"};
static_assert(sizeof(ecp_rule_keys) / sizeof(*ecp_rule_keys) == ECP_RULE_LISTS, "each");

bool ecp_rule_add_word(struct ecp_rule_info *rule, unsigned list, const char *word)
{
	size_t len = strlen(word) + 1;
	if (rule->len + len > sizeof(rule->words))
		return false;
	memcpy(rule->words + rule->len, word, len);
	rule->len += (uint32_t)len;
	rule->n[list]++;
	return true;
}

static void read_words(const struct ecp_json *obj, unsigned list,
		       struct ecp_rule_info *rule, struct ecp_error *err)
{
	const char *key = ecp_rule_keys[list];
	size_t n;
	const struct ecp_json *item = ecp_json_array(obj, key, ECP_RULE_ITEMS, &n, err);
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item)) {
		const char *word = ecp_json_item_string(item, key, err);
		if (word && !ecp_rule_add_word(rule, list, word))
			ecp_error_set(err, -EMSGSIZE, "%s: too much text", key);
	}
}

static void write_words(struct ecp_json_writer *w, const struct ecp_rule_info *rule)
{
	const char *word = rule->words;
	for (unsigned list = 0; list < ECP_RULE_LISTS; list++) {
		if (!rule->n[list])
			continue;
		ecp_json_open_array(w, ecp_rule_keys[list]);
		for (unsigned i = 0; i < rule->n[list]; i++, word += strlen(word) + 1)
			ecp_json_put_string(w, NULL, word);
		ecp_json_close_array(w);
	}
}

/* ---- a rule ---- */

void ecp_field_read_rule(const struct ecp_json *obj, struct ecp_rule_info *rule,
			 struct ecp_error *err)
{
	memset(rule, 0, sizeof(*rule));
	ecp_field_read_text(obj, "name", rule->name, sizeof(rule->name), err);
	for (unsigned list = 0; list < ECP_RULE_LISTS && !err->code; list++)
		read_words(obj, list, rule, err);
	ecp_field_read_text(obj, "multicast", rule->multicast, sizeof(rule->multicast),
			    err);
	rule->raw = ecp_json_bool(obj, "raw", false, err);
	rule->says_capture = ecp_json_has(obj, "capture");
	rule->capture = ecp_json_bool(obj, "capture", false, err);
	rule->deny = ecp_json_bool(obj, "deny", false, err);
	ecp_field_read_limits(obj, &rule->limits, err);
}

void ecp_field_write_rule(struct ecp_json_writer *w, const struct ecp_rule_info *rule)
{
	ecp_json_put_string(w, "name", rule->name);
	write_words(w, rule);
	ecp_json_put_string(w, "multicast", rule->multicast);
	ecp_json_put_bool(w, "raw", rule->raw);
	if (rule->says_capture)
		ecp_json_put_bool(w, "capture", rule->capture);
	if (rule->deny)
		ecp_json_put_bool(w, "deny", true);
	ecp_field_write_limits(w, &rule->limits);
}
