/*
 * policy.c - finding the rule for a client, and judging a claim by it.
 */
#include "daemon/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Today's behaviour without a file: see policy.h. */
static const struct policy_rule default_rule = {
    .name = "default",
    .multicast = POLICY_MULTICAST_ANY,
    .sending = {.raw = true},
    .n = {[POLICY_MAC_PREFIXES] = 1},
    .macs = {{.value = {2}, .mask = {3}}},
};

/* Where no rule names it. */
static const struct policy_rule root_rule = {
    .name = "root",
    .multicast = POLICY_MULTICAST_ANY,
    .sending = {.raw = true},
};

/* ---- which rule ---- */

const struct policy_rule *policy_rule_at(const struct policy *policy, uint64_t i)
{
	if (!policy)
		return i == 0 ? &default_rule : NULL;
	return i < policy->n_rules ? &policy->rules[i] : NULL;
}

static bool has_user(const struct policy_rule *rule, uid_t uid)
{
	for (unsigned i = 0; i < rule->n[POLICY_USERS]; i++)
		if (rule->users[i] == uid)
			return true;
	return false;
}

static bool has_group(const struct policy_rule *rule, const struct policy_who *who)
{
	for (unsigned i = 0; i < rule->n[POLICY_GROUPS]; i++)
		for (unsigned k = 0; k < who->n_gids; k++)
			if (rule->groups[i] == who->gids[k])
				return true;
	return false;
}

static bool is_for(const struct policy_rule *rule, const struct policy_who *who)
{
	bool everybody = !rule->n[POLICY_USERS] && !rule->n[POLICY_GROUPS];
	if (has_user(rule, who->uid))
		return true;
	/* else a rule for everybody could lock out who has to mend it */
	return who->uid != 0 && (everybody || has_group(rule, who));
}

static bool is_on(const struct policy_rule *rule, const char *interface)
{
	for (unsigned i = 0; i < rule->n[POLICY_INTERFACES]; i++)
		if (!strcmp(rule->interfaces[i], interface))
			return true;
	return !rule->n[POLICY_INTERFACES];
}

const struct policy_rule *policy_rule_for(const struct policy *policy,
					  const struct policy_who *who,
					  const char *interface)
{
	for (unsigned i = 0; policy && i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		if (is_for(rule, who) && (!interface || is_on(rule, interface)))
			return rule;
	}
	if (who->uid == 0)
		return &root_rule;
	return policy ? NULL : &default_rule;
}

int policy_rule_find(const struct policy *policy, const struct policy_who *who,
		     const char *interface, const struct policy_rule **rule,
		     struct ecp_error *err)
{
	*rule = policy_rule_for(policy, who, interface);
	if (!*rule)
		return ecp_error_set(err, -EACCES,
				     "no rule of the policy is for uid %u on %s", who->uid,
				     interface);
	if ((*rule)->deny)
		return ecp_error_set(err, -EACCES, "rule \"%s\" allows nothing",
				     (*rule)->name);
	return 0;
}

/* ---- what it allows ---- */

static bool mac_ok(const struct policy_rule *rule, const uint8_t *mac)
{
	for (unsigned i = 0; i < rule->n[POLICY_MAC_PREFIXES]; i++) {
		const struct policy_mac *m = &rule->macs[i];
		unsigned differ = 0;
		for (unsigned k = 0; k < ECP_MAC_LEN; k++)
			differ |= (mac[k] ^ m->value[k]) & m->mask[k];
		if (!differ)
			return true;
	}
	return !rule->n[POLICY_MAC_PREFIXES];
}

static bool in_range(const struct policy_range *range, uint16_t value)
{
	return value >= range->from && value <= range->to;
}

static bool vlans_ok(const struct policy_rule *rule, const struct ecp_l2addr *l2)
{
	for (unsigned i = 0; i < rule->n[POLICY_VLANS]; i++) {
		const struct policy_vlans *v = &rule->vlans[i];
		unsigned k = 0;
		while (k < l2->n_vlans && k < v->n &&
		       in_range(&v->tags[k], l2->vlans[k].id))
			k++;
		if (v->n == l2->n_vlans && k == v->n)
			return true;
	}
	return !rule->n[POLICY_VLANS];
}

static bool port_ok(const struct policy_rule *rule, uint16_t port)
{
	for (unsigned i = 0; i < rule->n[POLICY_PORTS]; i++)
		if (in_range(&rule->ports[i], port))
			return true;
	return !rule->n[POLICY_PORTS];
}

static int judge_address(const struct policy_rule *rule, const struct policy_claim *claim,
			 struct ecp_error *err)
{
	char text[ECP_L2ADDR_TEXT];
	ecp_l2addr_format(claim->l2, text);
	if (!mac_ok(rule, claim->l2->mac))
		return ecp_error_set(
		    err, -EACCES, "%s: rule \"%s\" does not allow this MAC address%s", text,
		    rule->name,
		    claim->l2->mac[0] & 2 ? ""
					  : ", which is not a locally administered one");
	if (!vlans_ok(rule, claim->l2))
		return ecp_error_set(err, -EACCES, "%s: rule \"%s\" does not allow %s",
				     text, rule->name,
				     claim->l2->n_vlans ? "these VLANs" : "no VLAN tag");
	return 0;
}

static int judge_capture(const struct policy_rule *rule, const struct policy_who *who,
			 const char *text, struct ecp_error *err)
{
	switch (rule->capture) {
	case POLICY_CAPTURE_YES:
		return 0;
	case POLICY_CAPTURE_NO:
		return ecp_error_set(err, -EACCES,
				     "%s: rule \"%s\" does not allow to receive what "
				     "others or nobody claims",
				     text, rule->name);
	case POLICY_CAPTURE_CONFIG:
		break;
	}
	if (who->may_capture)
		return 0;
	return ecp_error_set(err, -EACCES,
			     "%s: what others or nobody claims is for root and the "
			     "capture_group of the daemon's configuration",
			     text);
}

static int judge_l2(const struct policy_rule *rule, const struct policy_who *who,
		    const struct policy_claim *claim, struct ecp_error *err)
{
	char text[ECP_L2ADDR_TEXT];
	ecp_l2addr_format(claim->l2, text);
	for (unsigned i = 0; i < claim->n_ethertypes; i++)
		if (!sending_has_ethertype(&rule->sending, claim->ethertypes[i]))
			return ecp_error_set(
			    err, -EACCES, "%s: rule \"%s\" does not allow EtherType 0x%04x",
			    text, rule->name, claim->ethertypes[i]);
	if ((claim->flags & ECP_EP_MULTICAST && rule->multicast == POLICY_MULTICAST_NONE) ||
	    (claim->flags & ECP_EP_MULTICAST_ANY &&
	     rule->multicast != POLICY_MULTICAST_ANY))
		return ecp_error_set(
		    err, -EACCES, "%s: rule \"%s\" does not allow multicast%s", text,
		    rule->name,
		    rule->multicast == POLICY_MULTICAST_OWN ? " of other VLANs" : "");
	if (claim->flags & (ECP_EP_DEFAULT | ECP_EP_MIRROR))
		return judge_capture(rule, who, text, err);
	return 0;
}

static int judge_udp(const struct policy_rule *rule, const struct ecp_addr *local,
		     struct ecp_error *err)
{
	char text[ECP_ADDR_TEXT];
	ecp_addr_format(local, text);
	if (!port_ok(rule, local->port))
		return ecp_error_set(err, -EACCES,
				     "UDP %s: rule \"%s\" does not allow this port", text,
				     rule->name);
	if (!sending_has_ethertype(&rule->sending, local->family == 4 ? ECP_ETHERTYPE_IPV4
								      : ECP_ETHERTYPE_IPV6))
		return ecp_error_set(err, -EACCES,
				     "UDP %s: rule \"%s\" does not allow IPv%u", text,
				     rule->name, local->family);
	if (!sending_has_ip(&rule->sending, local->family, local->ip))
		return ecp_error_set(err, -EACCES,
				     "UDP %s: rule \"%s\" does not allow this IP address",
				     text, rule->name);
	return 0;
}

/* What nobody may have, whatever the policy says. */
static int judge_for_all(const struct policy_claim *claim, struct ecp_error *err)
{
	char text[ECP_L2ADDR_TEXT];
	const char *why;
	ecp_l2addr_format(claim->l2, text);
	if (ecp_l2addr_check(claim->l2, &why) < 0)
		return ecp_error_set(err, -EINVAL, "%s: %s", text, why);
	if (!memcmp(claim->l2->mac, claim->own_mac, ECP_MAC_LEN))
		return ecp_error_set(err, -EACCES, "%s: this is the own address of %s",
				     text, claim->interface);
	return 0;
}

int policy_judge(const struct policy *policy, const struct policy_who *who,
		 const struct policy_claim *claim, const struct policy_rule **rule,
		 struct ecp_error *err)
{
	*rule = NULL;
	if (judge_for_all(claim, err) < 0 ||
	    policy_rule_find(policy, who, claim->interface, rule, err) < 0 ||
	    judge_address(*rule, claim, err) < 0)
		return err->code;
	if (claim->local)
		return judge_udp(*rule, claim->local, err);
	return judge_l2(*rule, who, claim, err);
}

int policy_judge_capture(const struct policy *policy, const struct policy_who *who,
			 const char *interface, const struct policy_rule **rule,
			 struct ecp_error *err)
{
	if (policy_rule_find(policy, who, interface, rule, err) < 0)
		return err->code;
	return judge_capture(*rule, who, interface, err);
}

int policy_limit(const struct policy_rule *rule, const char *limit_name, uint64_t limit,
		 uint64_t used, uint64_t more, struct ecp_error *err)
{
	if (!limit || used + more <= limit)
		return 0;
	return ecp_error_set(err, -EDQUOT, "rule \"%s\": the limit \"%s\" is %" PRIu64,
			     rule->name, limit_name, limit);
}

struct policy *policy_of(const struct sending *sending)
{
	if (!sending)
		return NULL;
	size_t at = offsetof(struct policy_rule, sending);
	const struct policy_rule *rule = (const void *)((const char *)sending - at);
	if (!rule->number)
		return NULL;
	const struct policy_rule *first = rule - (rule->number - 1);
	at = offsetof(struct policy, rules);
	return (struct policy *)(uintptr_t)((const char *)first - at);
}

const struct sending *policy_sending(const struct policy_rule *rule)
{
	const struct sending *sending = &rule->sending;
	return sending->raw && !sending->n_ethertypes ? NULL : sending;
}
