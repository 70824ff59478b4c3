/*
 * policy.c - `etherconnctl policy test`: would the daemon's policy let this user have that?  And
 * `show policy`: what it says.
 *
 * Names of users and groups are this system's; the daemon is asked about their numbers.
 */
#include "ctl/ctl.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

const char *const policy_words[] = {"test", NULL};

static const char how[] = "policy test USER[:GROUP] MAC|VLANS [IP:PORT]";

static bool read_number(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	*ret = (uint32_t)value;
	return *text >= '0' && *text <= '9' && !*end && value < UINT32_MAX;
}

/* What the account has; one without an account has none. */
static void take_groups(struct ecp_policy_test *test, const struct passwd *account)
{
	gid_t gids[ECP_GIDS_MAX];
	int n = ECP_GIDS_MAX;
	if (getgrouplist(account->pw_name, account->pw_gid, gids, &n) < 0)
		n = ECP_GIDS_MAX;
	test->n_gids = (unsigned)n;
	for (int i = 0; i < n; i++)
		test->gids[i] = gids[i];
}

static bool take_user(struct ecp_policy_test *test, const char *name)
{
	const struct passwd *account = getpwnam(name);
	if (account)
		test->uid = account->pw_uid;
	else if (!read_number(name, &test->uid))
		return false;
	else
		account = getpwuid(test->uid);
	if (account)
		take_groups(test, account);
	return true;
}

/* This one alone, whatever the account has. */
static bool take_group(struct ecp_policy_test *test, const char *name)
{
	const struct group *group = getgrnam(name);
	test->n_gids = 1;
	if (!group)
		return read_number(name, &test->gids[0]);
	test->gids[0] = group->gr_gid;
	return true;
}

static enum ctl_exit take_who(struct ecp_policy_test *test, const char *text)
{
	char user[64];
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	snprintf(user, sizeof(user), "%.*s", (int)(len < sizeof(user) ? len : 0), text);
	if (!take_user(test, user))
		return ctl_complain(CTL_USAGE, "there is no user \"%.*s\"", (int)len, text);
	if (colon && !take_group(test, colon + 1))
		return ctl_complain(CTL_USAGE, "there is no group \"%s\"", colon + 1);
	return CTL_OK;
}

static enum ctl_exit take_arguments(struct ctl *ctl, int argc, char **argv)
{
	struct ecp_policy_test *test = &ctl->request.policy_test;
	if (argc < 3 || argc > 4 || !*argv[0] || strncmp(argv[0], "test", strlen(argv[0])))
		return ctl_complain(CTL_USAGE, "%s", how);
	if (take_who(test, argv[1]) != CTL_OK)
		return CTL_USAGE;
	if (ecp_l2addr_parse(argv[2], &test->l2.l2) < 0)
		return ctl_complain(
		    CTL_USAGE, "\"%s\" is no address like 02:00:00:00:00:01|100", argv[2]);
	test->have_udp = argc == 4;
	if (test->have_udp && ecp_addr_parse(argv[3], &test->udp) < 0)
		return ctl_complain(CTL_USAGE,
				    "\"%s\" is no address like 10.0.0.1:67 or "
				    "[2001:db8::1]:547",
				    argv[3]);
	if (ctl->options.interface)
		snprintf(test->interface, sizeof(test->interface), "%s",
			 ctl->options.interface);
	return CTL_OK;
}

static void print_limit(const char *name, uint32_t limit)
{
	if (limit)
		printf("  %-14s  %" PRIu32 "\n", name, limit);
}

static void print_limits(const struct ecp_policy_limits *l)
{
	print_limit("clients", l->clients);
	print_limit("endpoints", l->endpoints);
	print_limit("ring", l->ring);
	print_limit("frames_per_s", l->frames_per_s);
	print_limit("burst", l->burst);
	print_limit("requests_per_s", l->requests_per_s);
}

static void print_text(const struct ecp_policy_verdict *verdict)
{
	if (verdict->denied.code) {
		printf("denied: %s\n", verdict->denied.text);
		return;
	}
	printf("allowed by rule \"%s\"\n", verdict->rule);
	if (!verdict->raw)
		printf("  sends UDP only\n");
	print_limits(&verdict->limits);
}

enum ctl_exit cmd_policy(struct ctl *ctl, int argc, char **argv)
{
	enum ctl_exit r = take_arguments(ctl, argc, argv);
	ctl->request.type = ECP_REQ_POLICY;
	if (r == CTL_OK)
		r = ctl_ask(ctl, ECP_REP_POLICY);
	if (r != CTL_OK)
		return r;
	bool denied = ctl->reply.policy.denied.code != 0;
	if (ctl->options.json)
		ctl_reply_json(ctl);
	else
		print_text(&ctl->reply.policy);
	return denied ? CTL_FAILED : CTL_OK;
}

/* ---- show policy ---- */

/* Users and groups come as numbers: what they are called here is for people only. */
static const char *name_of(const char *key, const char *word)
{
	uint32_t id;
	const struct passwd *account;
	const struct group *group;
	if (!strcmp(key, "users") && read_number(word, &id) && (account = getpwuid(id)))
		return account->pw_name;
	if (!strcmp(key, "groups") && read_number(word, &id) && (group = getgrgid(id)))
		return group->gr_name;
	return word;
}

static void print_lists(const struct ecp_rule_info *rule)
{
	const char *word = rule->words;
	for (unsigned list = 0; list < ECP_RULE_LISTS; list++) {
		if (rule->n[list])
			printf("  %-14s ", ecp_rule_keys[list]);
		for (unsigned i = 0; i < rule->n[list]; i++, word += strlen(word) + 1)
			printf(" %s", name_of(ecp_rule_keys[list], word));
		if (rule->n[list])
			putchar('\n');
	}
}

static void print_rule(const struct ecp_rule_info *rule, bool brief)
{
	char name[ECP_RULE];
	memcpy(name, rule->name, sizeof(name));
	table_disarm(name);
	printf(brief ? "%s%s\n" : "rule \"%s\"%s\n", name,
	       rule->deny ? ": allows nothing" : "");
	if (brief)
		return;
	print_lists(rule);
	printf("  %-14s  %s\n  %-14s  %s\n", "multicast", rule->multicast, "sends",
	       rule->raw ? "anything" : "UDP only");
	if (rule->says_capture)
		printf("  %-14s  %s\n", "capture", rule->capture ? "yes" : "no");
	print_limits(&rule->limits);
}

static void print_page(struct ctl *ctl, const struct ecp_page *page, bool first)
{
	if (first && !page->n)
		puts("no rules: nobody but root may have anything");
	for (unsigned i = 0; i < page->n; i++)
		print_rule(&page->rules[i], ctl->options.brief);
}

enum ctl_exit show_policy(struct ctl *ctl, int n_words)
{
	if (n_words)
		return ctl_complain(CTL_USAGE, "the policy has no keys; policy test says "
					       "which rule is for whom");
	return ctl_pages(ctl, ECP_SHOW_POLICY,
			 ctl->options.json ? ctl_page_json : print_page);
}
