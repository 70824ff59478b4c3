/*
 * fuzz_policy.c - any bytes as the policy file: refused with a line and a sentence, or a policy
 * whose every rule is within its limits and by which claims can be judged.
 */
#include "daemon/policy.h"
#include "tests/fuzz.h"

#include <errno.h>

static void check_range(const struct policy_range *range, unsigned max)
{
	MUST(range->from <= range->to && range->to <= max);
}

static void check_rule(const struct policy_rule *rule)
{
	const struct sending *sending = &rule->sending;
	MUST(memchr(rule->name, 0, sizeof(rule->name)) && rule->name[0]);
	MUST(rule->multicast <= POLICY_MULTICAST_ANY &&
	     rule->capture <= POLICY_CAPTURE_YES);
	MUST(rule->n[POLICY_MAC_PREFIXES] >= 1 &&
	     rule->n[POLICY_MAC_PREFIXES] <= POLICY_MACS);
	MUST(rule->n[POLICY_USERS] <= POLICY_ITEMS &&
	     rule->n[POLICY_GROUPS] <= POLICY_ITEMS);
	for (unsigned i = 0; i < rule->n[POLICY_INTERFACES]; i++)
		MUST(memchr(rule->interfaces[i], 0, ECP_IFNAME) && rule->interfaces[i][0]);
	for (unsigned i = 0; i < rule->n[POLICY_VLANS]; i++)
		for (unsigned k = 0; k < rule->vlans[i].n; k++) {
			MUST(rule->vlans[i].n <= ECP_VLANS_MAX);
			check_range(&rule->vlans[i].tags[k], ECP_VLAN_ID_MAX);
		}
	for (unsigned i = 0; i < rule->n[POLICY_PORTS]; i++)
		check_range(&rule->ports[i], UINT16_MAX);
	MUST(sending->n_ethertypes <= SENDING_ETHERTYPES && sending->n_ips <= SENDING_IPS);
	for (unsigned i = 0; i < sending->n_ips; i++)
		MUST(sending->ips[i].bits <= (sending->ips[i].family == 4 ? 32 : 128));
	MUST(!rule->limits.frames_per_s == !rule->limits.burst);
}

/* Whatever the policy: root's rules are root's, and nobody has what nobody may have. */
static void check_claims(const struct policy *policy)
{
	static const gid_t gids[] = {0, 100};
	static const uint8_t own[ECP_MAC_LEN] = {2, 0, 0, 0, 0, 9};
	static const uint16_t types[] = {ECP_ETHERTYPE_IPV4};
	static const struct ecp_addr local = {.ip = {10, 0, 0, 1}, .port = 68, .family = 4};
	struct ecp_l2addr l2 = {.mac = {2, 0, 0, 0, 0, 1},
				.n_vlans = 1,
				.vlans = {{.id = 100, .tpid = ECP_TPID_8021Q}}};
	struct policy_claim claim = {"eth1", own, &l2, 0, 1, types, NULL};
	const struct policy_rule *rule;
	for (unsigned i = 0; i < 4; i++) {
		const struct policy_who who = {.uid = i / 2 * 1000, .n_gids = 2, gids};
		struct ecp_error err = {0};
		claim.local = i % 2 ? &local : NULL;
		memcpy(l2.mac, own, ECP_MAC_LEN);
		MUST(policy_judge(policy, &who, &claim, &rule, &err) == -EACCES);
		l2.mac[5] = 1;
		err.code = 0;
		int r = policy_judge(policy, &who, &claim, &rule, &err);
		MUST(r == err.code && (r == 0 || (r == -EACCES && err.text[0])));
		MUST(r < 0 || (rule && !rule->deny));
		MUST(who.uid || rule); /* root is never without one */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy *policy = NULL;
	struct ecp_error err = {0};
	uint8_t *text = fuzz_copy(data, size);
	int r = policy_parse(&policy, (char *)text, size, &err);
	free(text);
	MUST(r == err.code && (r == 0) == (policy != NULL));
	if (r < 0) {
		MUST(memchr(err.text, 0, sizeof(err.text)));
		MUST(!strncmp(err.text, "line ", 5) || !strncmp(err.text, "not JSON", 8));
		return 0;
	}
	for (unsigned i = 0; i < policy->n_rules; i++)
		check_rule(&policy->rules[i]);
	check_claims(policy);
	policy_put(policy);
	return 0;
}
