/*
 * msg.h - control messages as C structs, and their JSON (PROTOCOL.md shows one of each).
 *
 * One request is one packet on the control socket, and so is each reply.  Numbers travel as
 * numbers, addresses in their text forms, errors as {"error":"EADDRINUSE","text":"..."}.
 *
 * Parsing never trusts: unknown keys, wrong types, values out of range and texts longer than
 * ECP_MSG_MAX are errors with a sentence.  Formatting into a buffer of ECP_MSG_MAX + 1 cannot fail
 * for messages within the limits below, but for an open: 256 l2 endpoints fit with some four
 * EtherTypes each.  No ownership: structs hold values only.
 */
#ifndef ECP_MSG_H
#define ECP_MSG_H

#include "proto/endpoint.h"
#include "proto/json.h"
#include "proto/sock.h"
#include "proto/stats.h"

#define ECP_PROTOCOL_VERSION 1
#define ECP_BATCH_MAX        256 /* endpoints in one request: a turn of the daemon's loop */
#define ECP_PAGE_MAX         32  /* objects in one page of a list */
#define ECP_PAGE_RULES       3   /* ... but rules of the policy, for these may be long */
#define ECP_IFNAME           16
#define ECP_COMM             16
#define ECP_RULE             48  /* the name of a rule of the policy */
#define ECP_GIDS_MAX         256 /* of whom a policy_test asks about */
#define ECP_POLICY_RATE_MAX  1000000000

enum ecp_request_type {
	ECP_REQ_ATTACH,    /* make a channel to a relay: once per connection */
	ECP_REQ_OPEN,      /* claim endpoints */
	ECP_REQ_CLOSE,     /* give endpoints back */
	ECP_REQ_SET_LOCAL, /* change the address of a UDP endpoint */
	ECP_REQ_STATUS,    /* the daemon */
	ECP_REQ_SHOW,      /* a page of relays, clients, endpoints or rules */
	ECP_REQ_LOG,       /* operators: set the log level */
	ECP_REQ_KILL,      /* operators: end a client's connection */
	ECP_REQ_POLICY,    /* operators: what would the policy say? */
	ECP_REQ_CAPTURE,   /* a copy of every frame: a connection of its own */
	ECP_REQ_MONITOR,   /* operators: be told what happens, from now on */
	ECP_REQ_COUNTERS,  /* the memory of counters, to read from now on (counters.h) */
};

/* The last one is for operators. */
enum ecp_show { ECP_SHOW_RELAYS, ECP_SHOW_CLIENTS, ECP_SHOW_ENDPOINTS, ECP_SHOW_POLICY };

enum ecp_endpoint_kind { ECP_KIND_L2, ECP_KIND_UDP };

enum ecp_endpoint_flags {
	ECP_EP_MULTICAST = 1 << 0,     /* l2: multicast and broadcast of its VLANs */
	ECP_EP_MULTICAST_ANY = 1 << 1, /* l2: ... of any VLAN */
	ECP_EP_SHARE = 1 << 2, /* others who say so too may have this MAC+VLAN, or port */
	ECP_EP_ACCEPT_ANY = 1 << 3, /* udp: every UDP packet of the L2 endpoint */
	ECP_EP_DEFAULT = 1 << 4,    /* l2: also what nobody claims */
	ECP_EP_MIRROR = 1 << 5,     /* l2: ... and a copy of what others claim */
};

struct ecp_attach {
	unsigned version;
	char interface[ECP_IFNAME]; /* "": the daemon's only one */
	uint32_t rx_ring, tx_ring;  /* bytes, powers of two; 0: the daemon's default */
};

/* One endpoint that is asked for. */
struct ecp_open_item {
	enum ecp_endpoint_kind kind;
	unsigned flags;        /* enum ecp_endpoint_flags */
	uint32_t depth;        /* most bytes of the RX ring it may hold; 0: the default */
	struct ecp_l2addr l2;  /* kind L2 */
	unsigned n_ethertypes; /* 0: IPv4 and IPv6 */
	uint16_t ethertypes[ECP_ETHERTYPES_MAX];
	bool on_item;          /* kind UDP: `on` is an index into this request's items */
	uint32_t on;           /* kind UDP: ... or the id of an open L2 endpoint */
	struct ecp_addr local; /* kind UDP */
};

struct ecp_open {
	unsigned n;
	struct ecp_open_item items[ECP_BATCH_MAX];
};

struct ecp_close {
	unsigned n;
	uint32_t ids[ECP_BATCH_MAX];
};

struct ecp_set_local {
	uint32_t id;
	struct ecp_addr local;
};

struct ecp_show_request {
	enum ecp_show what;
	uint64_t after; /* cursor: 0 at first, then `next` of the page before */
};

struct ecp_log {
	char level[16]; /* "error", "warning", "info", "debug" */
};

struct ecp_kill {
	uint32_t client; /* its number */
};

/* What if uid, with these groups, asked for this? */
struct ecp_policy_test {
	uint32_t uid;
	unsigned n_gids;
	uint32_t gids[ECP_GIDS_MAX];
	char interface[ECP_IFNAME]; /* "": the daemon's only one */
	struct ecp_open_item l2;    /* kind L2 */
	bool have_udp;
	struct ecp_addr udp; /* a UDP endpoint on it */
};

struct ecp_capture {
	unsigned version;
	char interface[ECP_IFNAME]; /* "": all */
	uint32_t ring;              /* bytes, a power of two; 0: the daemon's default */
	uint32_t snaplen; /* most bytes of each frame; 0: all that a record may hold */
};

struct ecp_request {
	enum ecp_request_type type;
	union {
		struct ecp_attach attach;
		struct ecp_open open;
		struct ecp_close close;
		struct ecp_set_local set_local;
		struct ecp_show_request show;
		struct ecp_log log;
		struct ecp_kill kill;
		struct ecp_policy_test policy_test;
		struct ecp_capture capture;
	};
};

/* Answer to ATTACH; ECP_N_CHANNEL_FDS descriptors ride with it. */
struct ecp_attached {
	unsigned version;
	uint64_t session; /* tells one life of the daemon from another */
	char interface[ECP_IFNAME];
	uint8_t mac[ECP_MAC_LEN]; /* the interface's own */
	uint32_t mtu;
	uint32_t rx_ring, tx_ring;
};

/* Answer to one item of OPEN: an id, or an error (code 0: none). */
struct ecp_opened_item {
	struct ecp_error error;
	uint32_t id, generation;
	uint32_t payload_max; /* largest L3 payload that may be sent from it */
};

struct ecp_opened {
	unsigned n;
	struct ecp_opened_item items[ECP_BATCH_MAX];
};

struct ecp_closed {
	unsigned n; /* how many of the ids were open */
};

struct ecp_status {
	char version[16];
	uint32_t pid, uid;
	uint64_t uptime_s;
	uint32_t relays, clients, endpoints;
	uint64_t denied; /* what the policy refused */
};

struct ecp_relay_info {
	char interface[ECP_IFNAME];
	char backend[16];
	uint8_t mac[ECP_MAC_LEN];
	uint32_t mtu;
	bool up;
	uint32_t clients, endpoints;
	struct ecp_relay_stats stats;
};

struct ecp_client_info {
	uint32_t id, pid, uid, gid;
	char comm[ECP_COMM];
	char interface[ECP_IFNAME]; /* "": not attached */
	uint32_t endpoints;
	uint32_t rx_ring, rx_used, tx_ring; /* bytes */
	uint64_t denied;                    /* what the policy refused it */
	struct ecp_endpoint_stats stats;
};

struct ecp_endpoint_info {
	uint32_t client, id;
	char interface[ECP_IFNAME];
	enum ecp_endpoint_kind kind;
	unsigned flags;
	struct ecp_l2addr l2;
	unsigned n_ethertypes;
	uint16_t ethertypes[ECP_ETHERTYPES_MAX];
	struct ecp_addr local; /* kind UDP */
	struct ecp_endpoint_stats stats;
};

/* What a rule of the policy lets one user, or client, have; 0: there is no limit. */
struct ecp_policy_limits {
	uint32_t clients;   /* connections of one user */
	uint32_t endpoints; /* of one client, as all that follow */
	uint32_t ring;      /* bytes of both rings together */
	uint32_t frames_per_s, burst;
	uint32_t requests_per_s;
};

#define ECP_RULE_LISTS 8
#define ECP_RULE_ITEMS 256
#define ECP_RULE_WORDS 16384

/* A rule of the policy, as in its file; what is empty limits nothing. */
struct ecp_rule_info {
	char name[ECP_RULE];
	bool deny, raw;
	bool says_capture, capture; /* the second if the first */
	char multicast[8];          /* "none", "own" or "any" */
	struct ecp_policy_limits limits;
	unsigned n[ECP_RULE_LISTS]; /* words, in the order of ecp_rule_keys */
	uint32_t len;
	char words[ECP_RULE_WORDS]; /* one behind the other, each with its NUL */
};
extern const char *const ecp_rule_keys[]; /* ECP_RULE_LISTS of them */
/* One more word; lists are filled in their order.  False: there is no room. */
bool ecp_rule_add_word(struct ecp_rule_info *rule, unsigned list, const char *word);

/* One page of a list. */
struct ecp_page {
	enum ecp_show what;
	bool more;
	uint64_t next;
	unsigned n;
	union {
		struct ecp_relay_info relays[ECP_PAGE_MAX];
		struct ecp_client_info clients[ECP_PAGE_MAX];
		struct ecp_endpoint_info endpoints[ECP_PAGE_MAX];
		struct ecp_rule_info rules[ECP_PAGE_RULES];
	};
};
static inline unsigned ecp_page_max(enum ecp_show what)
{
	return what == ECP_SHOW_POLICY ? ECP_PAGE_RULES : ECP_PAGE_MAX;
}

/* Answer to POLICY. */
struct ecp_policy_verdict {
	struct ecp_error denied; /* code 0: it is allowed */
	char rule[ECP_RULE];     /* that decided; "": none */
	bool raw;                /* may it send more than UDP? */
	struct ecp_policy_limits limits;
};

/* Answer to CAPTURE; descriptors as with ATTACHED. */
struct ecp_capturing {
	unsigned version;
	uint32_t ring, snaplen; /* as they are */
};

/* Answer to COUNTERS; one descriptor rides with it. */
struct ecp_counters_info {
	unsigned version; /* ECP_COUNTERS_ABI */
};

enum ecp_reply_type {
	ECP_REP_ERROR,
	ECP_REP_ATTACHED,
	ECP_REP_OPENED,
	ECP_REP_CLOSED,
	ECP_REP_LOCAL_SET,
	ECP_REP_STATUS,
	ECP_REP_PAGE,
	ECP_REP_DONE, /* to what has no other answer */
	ECP_REP_POLICY,
	ECP_REP_CAPTURING,
	ECP_REP_COUNTERS,
};

struct ecp_reply {
	enum ecp_reply_type type;
	union {
		struct ecp_error error;
		struct ecp_attached attached;
		struct ecp_opened opened;
		struct ecp_closed closed;
		struct ecp_status status;
		struct ecp_page page;
		struct ecp_policy_verdict policy;
		struct ecp_capturing capturing;
		struct ecp_counters_info counters;
	};
};

/* What a connection that monitors is told, unasked. */
enum ecp_event_type {
	ECP_EVENT_ATTACHED,
	ECP_EVENT_CAPTURING,
	ECP_EVENT_GONE,   /* n endpoints with it; text: why */
	ECP_EVENT_OPENED, /* n endpoints by one request, failed: not so; text: the first */
	ECP_EVENT_CLOSED, /* n endpoints by one request */
	ECP_EVENT_DENIED, /* n times in one request; code, text: the first answer */
	ECP_EVENT_INTERFACE,
	ECP_EVENT_POLICY,         /* n rules; text: the file */
	ECP_EVENT_POLICY_REFUSED, /* text: why */
	ECP_EVENT_LOG_LEVEL,      /* text: which */
	ECP_EVENT_LOST,           /* n events before this one */
};

struct ecp_event {
	enum ecp_event_type type;
	uint64_t time_us; /* since 1970 */
	uint32_t client, pid, uid;
	char comm[ECP_COMM];
	char interface[ECP_IFNAME];
	uint64_t n, failed;
	bool up;
	int code;
	char text[ECP_ERROR_TEXT];
};

/*
 * JSON text of len bytes -> *ret.  0, or the negative errno that also stands in *err with its
 * sentence (-EBADMSG: not JSON; -EINVAL: wrong or unknown key or value; -EOPNOTSUPP: unknown
 * request; -EMSGSIZE: too long or too many items); then *ret is not to be used.
 */
int ecp_request_parse(const char *text, size_t len, struct ecp_request *ret,
		      struct ecp_error *err);
int ecp_reply_parse(const char *text, size_t len, struct ecp_reply *ret,
		    struct ecp_error *err);

int ecp_event_parse(const char *text, size_t len, struct ecp_event *ret,
		    struct ecp_error *err);

/*
 * -> JSON text into buf (room bytes, NUL-terminated).  Returns its length or -EMSGSIZE if room
 * does not suffice.
 */
ssize_t ecp_request_format(const struct ecp_request *req, char *buf, size_t room);
ssize_t ecp_reply_format(const struct ecp_reply *rep, char *buf, size_t room);
ssize_t ecp_event_format(const struct ecp_event *event, char *buf, size_t room);
const char *ecp_event_name(enum ecp_event_type type);

/* Write the i-th object of a page by itself: for tools that put pages together. */
void ecp_page_item_write(struct ecp_json_writer *w, const struct ecp_page *page,
			 unsigned i);

/* "EADDRINUSE" for EADDRINUSE (or its negative); "EIO" for what has no name here. */
const char *ecp_errno_name(int error);
/* The positive errno of a name; EIO for what is unknown. */
int ecp_errno_by_name(const char *name);

/*
 * Ask the daemon at fd one thing and wait for the answer: sends *req, receives into *rep.
 * fds/n_fds as in ecp_sock_recv().  0 (rep->type may be ECP_REP_ERROR), or -errno of the
 * transport with a sentence in *err, and no descriptors: -ENOTCONN when the daemon hung up,
 * -EBADMSG ...
 * Blocks.  buf is scratch space of ECP_MSG_MAX + 1 bytes.
 */
int ecp_ask(int fd, const struct ecp_request *req, struct ecp_reply *rep, char *buf,
	    int *fds, unsigned *n_fds, struct ecp_error *err);

#endif
