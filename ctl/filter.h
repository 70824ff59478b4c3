/*
 * filter.h - which objects of a list: "mac 02:... vlan 100.200 uid 1000" and so on.
 *
 * Some keys are of endpoints (mac, vlan, ip, port), some of clients (client, pid, uid, comm).
 * Endpoints are found by their client's properties, and clients by having such an endpoint:
 * then the other list is read first, and the numbers of the clients on it are kept.
 */
#ifndef CTL_FILTER_H
#define CTL_FILTER_H

#include "ctl/ctl.h"
#include "proto/channel.h"

struct filter {
	unsigned keys; /* which of the following were given */
	uint8_t mac[ECP_MAC_LEN];
	struct ecp_vlan vlans[ECP_VLANS_MAX];
	unsigned n_vlans;
	struct ecp_addr address; /* ip and port, each if it was given */
	uint32_t uid, pid, client;
	const char *comm, *interface;
	/* numbers of the clients that the other list leaves */
	bool joined;
	uint32_t *ids;
	size_t n_ids, room;
};

extern const char *const filter_keys[]; /* NULL-terminated */

/* KEY VALUE pairs.  CTL_OK, or it has complained. */
enum ctl_exit filter_parse(struct filter *filter, int argc, char **argv);

/* Does it say anything about clients or endpoints? */
bool filter_is_of_clients(const struct filter *filter);
bool filter_is_of_endpoints(const struct filter *filter);
bool filter_has_port(const struct filter *filter);

/*
 * Make ready for a list: read the other one if that is needed.  From here on ctl_pages() leaves out
 * what does not match, until filter_end(), which frees what filter holds.
 */
enum ctl_exit filter_begin(struct ctl *ctl, struct filter *filter, enum ecp_show what);
void filter_end(struct ctl *ctl, struct filter *filter);

/* How many leading words are KEY VALUE pairs, keys in full? */
int filter_count_words(int argc, char **argv);

/*
 * Does a captured frame match, by whose it is?  Nobody's is judged by own, the address and tags
 * that stand in it.  Needs no list to be read before.
 */
bool filter_frame(const struct filter *filter, const struct ecp_capture_aux *aux,
		  const struct ecp_l2addr *own);

/* Take the objects that do not match out of a page. */
void filter_page(const struct filter *filter, struct ecp_page *page);

#endif
