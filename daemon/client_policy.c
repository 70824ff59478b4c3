/*
 * client_policy.c - clients under the policy: who they are to it, what it refuses them.
 */
#include "daemon/client.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- who ---- */

static bool client_in_group(const struct client *client, gid_t gid)
{
	for (unsigned i = 0; i < client->n_gids; i++)
		if (client->gids[i] == gid)
			return true;
	return false;
}

/* All groups of the process at the other end, as of when it connected; the primary one first. */
static void read_groups(struct client *client)
{
	socklen_t len = 0;
	/* says with ERANGE how much room it needs */
	getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len);
	client->gids = malloc(sizeof(gid_t) + len);
	if (!client->gids)
		return;
	client->gids[0] = client->gid;
	client->n_gids = 1;
	if (len &&
	    getsockopt(client->fd, SOL_SOCKET, SO_PEERGROUPS, client->gids + 1, &len) == 0)
		client->n_gids += len / sizeof(gid_t);
}

int client_join(struct client *client)
{
	const struct clients *all = client->all;
	read_groups(client);
	if (!client->gids)
		return -ENOMEM;
	client->may_capture =
	    client->uid == 0 ||
	    (all->have_capture_group && client_in_group(client, all->capture_group));
	client_apply_limits(client);
	return 0;
}

static struct policy_who who_is(const struct client *client)
{
	return (struct policy_who){
	    .uid = client->uid,
	    .n_gids = client->n_gids,
	    .gids = client->gids,
	    .may_capture = client->may_capture,
	};
}

static const char *interface_of(const struct client *client)
{
	return client->dp ? client->dp->relay.netif.name : NULL;
}

static const struct policy_rule *rule_of(const struct client *client)
{
	const struct policy_who who = who_is(client);
	return policy_rule_for(client->all->policy, &who, interface_of(client));
}

/* ---- limits ---- */

/* Who is named by no rule any more keeps what it had: its claims stay, too. */
void client_apply_limits(struct client *client)
{
	const struct policy_rule *rule = rule_of(client);
	uint64_t now = bucket_clock_ns();
	if (!rule)
		return;
	const struct ecp_policy_limits *l = &rule->limits;
	bucket_set(&client->requests, l->requests_per_s, l->requests_per_s, now);
	if (client->channel)
		bucket_set(&client->channel->tx_rate, l->frames_per_s, l->burst, now);
}

int client_admit(const struct client *client, struct ecp_error *err)
{
	const struct policy_rule *rule = rule_of(client);
	uint32_t n = 0;
	for (const struct client *c = client->all->first; c; c = c->next)
		n += c != client && c->uid == client->uid;
	return rule ? policy_limit(rule, "clients", rule->limits.clients, n, 1, err) : 0;
}

int client_may_ask(struct client *client, struct ecp_error *err)
{
	if (bucket_take_one(&client->requests, bucket_clock_ns()))
		return 0;
	const struct policy_rule *rule = rule_of(client);
	return ecp_error_set(err, -EDQUOT,
			     "rule \"%s\": the limit \"requests_per_s\" is %u",
			     rule ? rule->name : "", client->requests.rate);
}

/* The defaults, halved as often as the limit on both rings together needs. */
static void default_rings(uint32_t limit, uint32_t *rx, uint32_t *tx)
{
	bool rx_free = !*rx, tx_free = !*tx;
	*rx = rx_free ? ECP_RX_RING_DEFAULT : *rx;
	*tx = tx_free ? ECP_TX_RING_DEFAULT : *tx;
	while (limit && (uint64_t)*rx + *tx > limit) {
		bool rx_can = rx_free && *rx > ECP_RING_MIN;
		bool tx_can = tx_free && *tx > ECP_RING_MIN;
		if (!rx_can && !tx_can)
			return;
		*(rx_can && (*rx >= *tx || !tx_can) ? rx : tx) /= 2;
	}
}

int client_judge_attach(const struct client *client, const char *interface, uint32_t *rx,
			uint32_t *tx, struct ecp_error *err)
{
	const struct policy_who who = who_is(client);
	const struct policy_rule *rule;
	if (policy_rule_find(client->all->policy, &who, interface, &rule, err) < 0)
		return err->code;
	default_rings(rule->limits.ring, rx, tx);
	return policy_limit(rule, "ring", rule->limits.ring, *rx, *tx, err);
}

int client_judge_capture(const struct client *client, const char *interface, uint32_t *ring,
			 struct ecp_error *err)
{
	struct policy_who who = who_is(client);
	const struct policy_rule *rule;
	who.may_capture |= client->uid == client->all->uid; /* an operator */
	if (policy_judge_capture(client->all->policy, &who, interface, &rule, err) < 0)
		return err->code;
	const uint32_t limit = rule->limits.ring;
	if (!*ring)
		for (*ring = ECP_RX_RING_DEFAULT; limit && *ring > limit;)
			*ring /= 2;
	return policy_limit(rule, "ring", limit, *ring, 0, err);
}

/* ---- claims ---- */

int client_judge(const struct client *client, const struct endpoint *ep,
		 const struct ecp_addr *local, const struct policy_rule **rule,
		 struct ecp_error *err)
{
	const struct netif *netif = &client->dp->relay.netif;
	const struct policy_who who = who_is(client);
	const struct ecp_l2addr addr = endpoint_l2addr(ep);
	const struct policy_claim claim = {
	    .interface = netif->name,
	    .own_mac = netif->mac,
	    .l2 = &addr,
	    .flags = ep->flags,
	    .n_ethertypes = ep->n_ethertypes,
	    .ethertypes = ep->ethertypes,
	    .local = local,
	};
	return policy_judge(client->all->policy, &who, &claim, rule, err);
}

int client_judge_number(const struct client *client, const struct policy_rule *rule,
			struct ecp_error *err)
{
	return policy_limit(rule, "endpoints", rule->limits.endpoints,
			    client->channel->n_endpoints, 1, err);
}

void client_denied(struct client *client, const struct ecp_error *err)
{
	if (err->code != -EACCES && err->code != -EDQUOT)
		return;
	client->denied++;
	if (client->channel)
		ecp_count_set(&client->channel->counters->denied, client->denied);
	else /* it has no row: the list says it */
		ecp_count_change(&client->all->counters.head->clients_changed);
	if (!client->denial.code)
		client->denial = *err;
	denials_add(&client->all->denials, bucket_clock_ns(), client->uid, client->pid,
		    client->comm, err->text);
	ecp_count_set(&client->all->counters.head->denied, client->all->denials.n);
}

void clients_set_policy(struct clients *all, struct policy *policy)
{
	policy_put(all->policy);
	all->policy = policy;
	for (struct client *c = all->first; c; c = c->next)
		client_apply_limits(c);
}
