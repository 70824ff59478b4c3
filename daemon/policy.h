/*
 * policy.h - who may claim what, and how much of it.
 *
 *   a file:  { "rules": [ { "groups": ["lab"], "vlans": ["100-199"] }, ... ] }
 *
 * The first rule that is for a client and its interface decides alone; what it does not limit
 * is allowed, but for MAC addresses that are not locally administered, which have to be asked
 * for.  Root is bound only by rules that name it, and where none does may claim everything.
 * Without a file (a NULL policy) there is one rule without limits, named "default".  Whatever
 * a rule says: no endpoint has the interface's own address, or a multicast one.
 *
 * Asked when something is claimed, never for a frame: what frames are to be held to stands in
 * the rule's struct sending, and in limits.  Knows proto, isolation (names); used by client and
 * control.  One thread.
 */
#ifndef POLICY_H
#define POLICY_H

#include "daemon/sending.h"
#include "proto/msg.h"

#include <sys/types.h>

#define POLICY_NAME  ECP_RULE
#define POLICY_ITEMS 64 /* in each list of a rule */
#define POLICY_MACS  256
#define POLICY_RULES 256

/* The lists of a rule; an empty one limits nothing. */
enum policy_list {
	POLICY_USERS,
	POLICY_GROUPS,
	POLICY_INTERFACES,
	POLICY_MAC_PREFIXES,
	POLICY_VLANS,
	POLICY_PORTS,
	POLICY_N_LISTS
};

struct policy_range {
	uint16_t from, to;
};

/* One form of tags: how many, and the ids of each, outermost first. */
struct policy_vlans {
	unsigned n;
	struct policy_range tags[ECP_VLANS_MAX];
};

struct policy_mac {
	uint8_t value[ECP_MAC_LEN], mask[ECP_MAC_LEN];
};

enum policy_multicast { POLICY_MULTICAST_NONE, POLICY_MULTICAST_OWN, POLICY_MULTICAST_ANY };
/* default and mirror: as the daemon's configuration says, or as this rule does */
enum policy_capture { POLICY_CAPTURE_CONFIG, POLICY_CAPTURE_NO, POLICY_CAPTURE_YES };

struct policy_rule {
	unsigned number; /* in its policy, from 1; 0: it is a default one, and in none */
	char name[POLICY_NAME];
	bool deny;
	enum policy_multicast multicast;
	enum policy_capture capture;
	struct ecp_policy_limits limits;
	struct sending sending; /* with the lists of EtherTypes and IP prefixes */
	unsigned n[POLICY_N_LISTS];
	uid_t users[POLICY_ITEMS];
	gid_t groups[POLICY_ITEMS];
	char interfaces[POLICY_ITEMS][ECP_IFNAME];
	struct policy_mac macs[POLICY_MACS];
	struct policy_vlans vlans[POLICY_ITEMS];
	struct policy_range ports[POLICY_ITEMS];
};

struct policy {
	unsigned refs;
	unsigned n_rules;
	struct policy_rule rules[];
};

/* Who asks.  gids: all of its groups, the primary one too. */
struct policy_who {
	uid_t uid;
	unsigned n_gids;
	const gid_t *gids;
	bool may_capture; /* as far as the configuration goes */
};

/* What is asked for. */
struct policy_claim {
	const char *interface;
	const uint8_t *own_mac; /* the interface's */
	const struct ecp_l2addr *l2;
	/* of an L2 endpoint */
	unsigned flags; /* enum ecp_endpoint_flags */
	unsigned n_ethertypes;
	const uint16_t *ethertypes;
	/* of a UDP endpoint on it; else NULL */
	const struct ecp_addr *local;
};

/* ---- policy_parse.c ---- */

/*
 * Read a policy file.  0 with *ret, which has one reference, or err->code with a sentence that
 * names line and key.  The file's is at most a megabyte, and begins with its path.
 */
int policy_parse(struct policy **ret, const char *text, size_t len, struct ecp_error *err);
int policy_load(struct policy **ret, const char *path, struct ecp_error *err);

/* References; NULL, the default policy, needs none. */
struct policy *policy_hold(struct policy *policy);
void policy_put(struct policy *policy);

/* ---- policy_format.c ---- */

/* As it would stand in a file, for people and programs to read. */
void policy_rule_info(const struct policy_rule *rule, struct ecp_rule_info *info);

/* ---- policy.c ---- */

/* The i-th rule; NULL: there are no more.  The default policy has one. */
const struct policy_rule *policy_rule_at(const struct policy *policy, uint64_t i);

/*
 * The rule for who on that interface (NULL: the first on any); NULL if there is none.  It lives
 * as long as the policy.
 */
const struct policy_rule *policy_rule_for(const struct policy *policy,
					  const struct policy_who *who,
					  const char *interface);

/* The same; -EACCES if there is none, or it is one that allows nothing. */
int policy_rule_find(const struct policy *policy, const struct policy_who *who,
		     const char *interface, const struct policy_rule **rule,
		     struct ecp_error *err);

/*
 * May who claim it?  0, -EINVAL (no address that anybody could have) or -EACCES, with a
 * sentence.  *rule: the rule that decided, or NULL.
 */
int policy_judge(const struct policy *policy, const struct policy_who *who,
		 const struct policy_claim *claim, const struct policy_rule **rule,
		 struct ecp_error *err);

/* May who see every frame on that interface?  Decided as for a mirror.  As above. */
int policy_judge_capture(const struct policy *policy, const struct policy_who *who,
			 const char *interface, const struct policy_rule **rule,
			 struct ecp_error *err);

/* used of a limit; more is asked for.  0, or -EDQUOT if that is too much; limit 0: none. */
int policy_limit(const struct policy_rule *rule, const char *limit_name, uint64_t limit,
		 uint64_t used, uint64_t more, struct ecp_error *err);

/* What an L2 endpoint under this rule is to be held to; NULL: nothing. */
const struct sending *policy_sending(const struct policy_rule *rule);
/* The policy that this is of, which has to stay as long as it is used; NULL: it stays anyway. */
struct policy *policy_of(const struct sending *sending);

#endif
