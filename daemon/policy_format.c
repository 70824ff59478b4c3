/*
 * policy_format.c - rules as they stand in policy files: what policy_parse.c reads, written.
 *
 * Users and groups are numbers now, whatever they were called.
 */
#include "daemon/policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define WORD 64

/* ---- words: each writer makes one of the i-th in its list ---- */

static void write_user(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	snprintf(word, WORD, "%u", rule->users[i]);
}

static void write_group(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	snprintf(word, WORD, "%u", rule->groups[i]);
}

static void write_interface(const struct policy_rule *rule, unsigned i,
			    char word[static WORD])
{
	snprintf(word, WORD, "%s", rule->interfaces[i]);
}

static unsigned count_bits(const uint8_t *mask, unsigned len)
{
	unsigned n = 0;
	for (unsigned i = 0; i < len; i++)
		n += (unsigned)__builtin_popcount(mask[i]);
	return n;
}

static void write_mac(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	const struct policy_mac *mac = &rule->macs[i];
	unsigned bits = count_bits(mac->mask, ECP_MAC_LEN);
	char text[ECP_MAC_TEXT];
	if (bits == 0)
		snprintf(word, WORD, "any");
	else if (mac->mask[0] == 3) /* the only mask that is no prefix */
		snprintf(word, WORD, "local");
	else
		snprintf(word, WORD, "%s/%u", ecp_mac_format(mac->value, text), bits);
}

static int write_range(const struct policy_range *range, char *to, size_t room)
{
	if (range->from == range->to)
		return snprintf(to, room, "%u", range->from);
	return snprintf(to, room, "%u-%u", range->from, range->to);
}

static void write_vlans(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	const struct policy_vlans *vlans = &rule->vlans[i];
	int len = 0;
	if (!vlans->n)
		snprintf(word, WORD, "none");
	for (unsigned k = 0; k < vlans->n; k++) {
		if (k)
			word[len++] = '.';
		len += write_range(&vlans->tags[k], word + len, WORD - (size_t)len);
	}
}

static void write_port(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	write_range(&rule->ports[i], word, WORD);
}

static void write_ethertype(const struct policy_rule *rule, unsigned i,
			    char word[static WORD])
{
	uint16_t type = rule->sending.ethertypes[i];
	if (type == ECP_ETHERTYPE_LLC)
		snprintf(word, WORD, "llc");
	else
		snprintf(word, WORD, "0x%04x", type);
}

static void write_ip(const struct policy_rule *rule, unsigned i, char word[static WORD])
{
	const struct ip_prefix *ip = &rule->sending.ips[i];
	char text[INET6_ADDRSTRLEN];
	inet_ntop(ip->family == 6 ? AF_INET6 : AF_INET, ip->ip, text, sizeof(text));
	snprintf(word, WORD, "%s/%u", text, ip->bits);
}

/* ---- a rule ---- */

/* In the order of ecp_rule_keys, which is that of policy_parse.c. */
static void (*const writers[ECP_RULE_LISTS])(const struct policy_rule *, unsigned,
					     char[static WORD]) = {
    write_user,  write_group, write_interface, write_mac,
    write_vlans, write_port,  write_ethertype, write_ip};

static unsigned list_length(const struct policy_rule *rule, unsigned list)
{
	if (list < POLICY_N_LISTS)
		return rule->n[list];
	return list == POLICY_N_LISTS ? rule->sending.n_ethertypes : rule->sending.n_ips;
}

void policy_rule_info(const struct policy_rule *rule, struct ecp_rule_info *info)
{
	static const char *const multicast[] = {"none", "own", "any"};
	*info = (struct ecp_rule_info){
	    .deny = rule->deny,
	    .raw = rule->sending.raw,
	    .says_capture = rule->capture != POLICY_CAPTURE_CONFIG,
	    .capture = rule->capture == POLICY_CAPTURE_YES,
	    .limits = rule->limits,
	};
	snprintf(info->name, sizeof(info->name), "%s", rule->name);
	snprintf(info->multicast, sizeof(info->multicast), "%s",
		 multicast[rule->multicast]);
	for (unsigned list = 0; list < ECP_RULE_LISTS; list++)
		for (unsigned i = 0; i < list_length(rule, list); i++) {
			char word[WORD];
			writers[list](rule, i, word);
			ecp_rule_add_word(info, list, word);
		}
}
