/*
 * msg.c - control messages <-> JSON; what they look like is PROTOCOL.md's to say.
 *
 * Each kind of message has a reader and a writer below, in the order of msg.h.
 */
#include "proto/msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ITEM_TEXT_MAX 200 /* bytes of an error's sentence in a list, escapes counted */

/* ---- errno names ---- */

static const struct {
	int number;
	const char *name;
} errnos[] = {
#define E(name)                                                                            \
	{                                                                                  \
		name, #name                                                                \
	}
    E(EACCES),    E(EADDRINUSE), E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN),
    E(EALREADY),  E(EBADMSG),    E(EBUSY),         E(ECONNREFUSED), E(EEXIST),
    E(EINVAL),    E(EMFILE),     E(EMSGSIZE),      E(ENAMETOOLONG), E(ENETDOWN),
    E(ENFILE),    E(ENODEV),     E(ENOENT),        E(ENOMEM),       E(ENOSPC),
    E(ENOTCONN),  E(EOPNOTSUPP), E(EPERM),         E(EPROTO),       E(EPROTONOSUPPORT),
    E(ESHUTDOWN), E(ETIMEDOUT),  E(EUSERS),        E(EIO),
#undef E
};

#define N_ERRNOS (sizeof(errnos) / sizeof(*errnos))

const char *ecp_errno_name(int error)
{
	for (size_t i = 0; i < N_ERRNOS; i++)
		if (errnos[i].number == error || errnos[i].number == -error)
			return errnos[i].name;
	return "EIO";
}

int ecp_errno_by_name(const char *name)
{
	for (size_t i = 0; i < N_ERRNOS; i++)
		if (!strcmp(errnos[i].name, name))
			return errnos[i].number;
	return EIO;
}

/* ---- pieces that several messages have ---- */

static void need(const struct ecp_json *obj, const char *key, struct ecp_error *err)
{
	if (!ecp_json_has(obj, key))
		ecp_error_set(err, -EINVAL, "%s: is missing", key);
}

/* A string that must fit into room bytes. */
static void read_text(const struct ecp_json *obj, const char *key, char *to, size_t room,
		      struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	to[0] = 0;
	if (!text)
		return;
	if (strlen(text) >= room)
		ecp_error_set(err, -EINVAL, "%s: \"%.40s\" is too long", key, text);
	else
		snprintf(to, room, "%s", text);
}

static uint32_t read_u32(const struct ecp_json *obj, const char *key, struct ecp_error *err)
{
	return (uint32_t)ecp_json_u64(obj, key, 0, UINT32_MAX, 0, err);
}

static void read_mac(const struct ecp_json *obj, const char *key, uint8_t mac[ECP_MAC_LEN],
		     struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	if (text && ecp_mac_parse(text, mac) < 0)
		ecp_error_set(err, -EINVAL, "%s: \"%.40s\" is no MAC address", key, text);
}

static void write_mac(struct ecp_json_writer *w, const char *key,
		      const uint8_t mac[ECP_MAC_LEN])
{
	char text[ECP_MAC_TEXT];
	ecp_json_put_string(w, key, ecp_mac_format(mac, text));
}

static void read_addr(const struct ecp_json *obj, const char *key, struct ecp_addr *addr,
		      struct ecp_error *err)
{
	const char *text = ecp_json_string(obj, key, "", err);
	if (text && ecp_addr_parse(text, addr) < 0)
		ecp_error_set(err, -EINVAL,
			      "%s: \"%.60s\" is no address like 10.0.0.1:67 or "
			      "[2001:db8::1]:547",
			      key, text);
}

static void write_addr(struct ecp_json_writer *w, const char *key,
		       const struct ecp_addr *addr)
{
	char text[ECP_ADDR_TEXT];
	ecp_json_put_string(w, key, ecp_addr_format(addr, text));
}

static void read_vlan(const struct ecp_json *item, struct ecp_vlan *vlan,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"id", "tpid", "pcp", "dei", NULL};
	if (!ecp_json_check_keys(item, "vlans", keys, err))
		return;
	if (!ecp_json_has(item, "id"))
		ecp_error_set(err, -EINVAL, "vlans: a tag needs its id");
	vlan->id = (uint16_t)ecp_json_u64(item, "id", 0, ECP_VLAN_ID_MAX, 0, err);
	vlan->tpid =
	    (uint16_t)ecp_json_u64(item, "tpid", 0, UINT16_MAX, ECP_TPID_8021Q, err);
	vlan->pcp = (uint8_t)ecp_json_u64(item, "pcp", 0, 7, 0, err);
	vlan->dei = (uint8_t)ecp_json_u64(item, "dei", 0, 1, 0, err);
	if (!err->code && !ecp_tpid_known(vlan->tpid))
		ecp_error_set(err, -EINVAL,
			      "tpid: 33024 (0x8100), 34984 (0x88a8) or 37120 (0x9100)");
}

static void read_l2addr(const struct ecp_json *obj, const char *mac_key,
			struct ecp_l2addr *addr, struct ecp_error *err)
{
	size_t n;
	read_mac(obj, mac_key, addr->mac, err);
	const struct ecp_json *item = ecp_json_array(obj, "vlans", ECP_VLANS_MAX, &n, err);
	if (err->code == -EMSGSIZE) {
		err->code = 0;
		ecp_error_set(err, -EINVAL, "vlans: at most two VLAN tags");
	}
	addr->n_vlans = (uint8_t)n;
	for (size_t i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_vlan(item, &addr->vlans[i], err);
}

static void write_l2addr(struct ecp_json_writer *w, const char *mac_key,
			 const struct ecp_l2addr *addr)
{
	write_mac(w, mac_key, addr->mac);
	if (!addr->n_vlans)
		return;
	ecp_json_open_array(w, "vlans");
	for (unsigned i = 0; i < addr->n_vlans; i++) {
		const struct ecp_vlan *vlan = &addr->vlans[i];
		ecp_json_open_object(w, NULL);
		ecp_json_put_u64(w, "id", vlan->id);
		if (vlan->tpid != ECP_TPID_8021Q)
			ecp_json_put_u64(w, "tpid", vlan->tpid);
		if (vlan->pcp)
			ecp_json_put_u64(w, "pcp", vlan->pcp);
		if (vlan->dei)
			ecp_json_put_u64(w, "dei", vlan->dei);
		ecp_json_close_object(w);
	}
	ecp_json_close_array(w);
}

static unsigned read_ethertypes(const struct ecp_json *obj, uint16_t *types,
				struct ecp_error *err)
{
	size_t n;
	const struct ecp_json *item =
	    ecp_json_array(obj, "ethertypes", ECP_ETHERTYPES_MAX, &n, err);
	for (size_t i = 0; i < n; i++, item = ecp_json_next(item)) {
		types[i] =
		    (uint16_t)ecp_json_item_u64(item, "ethertypes", 1, UINT16_MAX, err);
		bool usable = types[i] == ECP_ETHERTYPE_LLC ||
			      (types[i] >= 0x600 && !ecp_tpid_known(types[i]));
		if (!err->code && !usable)
			ecp_error_set(err, -EINVAL,
				      "ethertypes: %u is a length or a VLAN tag's",
				      types[i]);
	}
	return (unsigned)n;
}

static void write_ethertypes(struct ecp_json_writer *w, const uint16_t *types, unsigned n)
{
	if (!n)
		return;
	ecp_json_open_array(w, "ethertypes");
	for (unsigned i = 0; i < n; i++)
		ecp_json_put_u64(w, NULL, types[i]);
	ecp_json_close_array(w);
}

/* Flags of endpoints are booleans on the wire. */
static const struct {
	const char *key;
	enum ecp_endpoint_flags flag;
	enum ecp_endpoint_kind kind;
} flags[] = {
    {"multicast", ECP_EP_MULTICAST, ECP_KIND_L2},
    {"multicast_any", ECP_EP_MULTICAST_ANY, ECP_KIND_L2},
    {"share", ECP_EP_SHARE, ECP_KIND_L2},
    {"accept_any", ECP_EP_ACCEPT_ANY, ECP_KIND_UDP},
};

#define N_FLAGS (sizeof(flags) / sizeof(*flags))

static unsigned read_flags(const struct ecp_json *obj, enum ecp_endpoint_kind kind,
			   struct ecp_error *err)
{
	unsigned set = 0;
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].kind == kind && ecp_json_bool(obj, flags[i].key, false, err))
			set |= flags[i].flag;
	return set;
}

static void write_flags(struct ecp_json_writer *w, enum ecp_endpoint_kind kind,
			unsigned set)
{
	for (size_t i = 0; i < N_FLAGS; i++)
		if (flags[i].kind == kind && set & flags[i].flag)
			ecp_json_put_bool(w, flags[i].key, true);
}

static void read_counters(const struct ecp_json *obj, const struct ecp_counter *counters,
			  unsigned n, void *stats, struct ecp_error *err)
{
	const struct ecp_json *values = ecp_json_object(obj, "counters", err);
	for (unsigned i = 0; values && i < n; i++)
		ecp_counter_set(
		    &counters[i], stats,
		    ecp_json_u64(values, counters[i].name, 0, UINT64_MAX, 0, err));
}

static void write_counters(struct ecp_json_writer *w, const struct ecp_counter *counters,
			   unsigned n, const void *stats)
{
	ecp_json_open_object(w, "counters");
	for (unsigned i = 0; i < n; i++)
		ecp_json_put_u64(w, counters[i].name, ecp_counter_get(&counters[i], stats));
	ecp_json_close_object(w);
}

/* ---- requests ---- */

static void read_attach(const struct ecp_json *obj, struct ecp_request *req,
			struct ecp_error *err)
{
	static const char *const keys[] = {"request", "version", "interface",
					   "rx_ring", "tx_ring", NULL};
	struct ecp_attach *a = &req->attach;
	if (!ecp_json_check_keys(obj, "attach", keys, err))
		return;
	a->version = read_u32(obj, "version", err);
	read_text(obj, "interface", a->interface, sizeof(a->interface), err);
	a->rx_ring = read_u32(obj, "rx_ring", err);
	a->tx_ring = read_u32(obj, "tx_ring", err);
}

static void write_attach(struct ecp_json_writer *w, const struct ecp_request *req)
{
	const struct ecp_attach *a = &req->attach;
	ecp_json_put_u64(w, "version", a->version);
	if (a->interface[0])
		ecp_json_put_string(w, "interface", a->interface);
	if (a->rx_ring)
		ecp_json_put_u64(w, "rx_ring", a->rx_ring);
	if (a->tx_ring)
		ecp_json_put_u64(w, "tx_ring", a->tx_ring);
}

static void read_open_l2(const struct ecp_json *obj, struct ecp_open_item *item,
			 struct ecp_error *err)
{
	static const char *const keys[] = {"l2",        "vlans", "ethertypes",
					   "multicast", "share", "multicast_any",
					   "depth",     NULL};
	if (!ecp_json_check_keys(obj, "an l2 endpoint", keys, err))
		return;
	item->kind = ECP_KIND_L2;
	read_l2addr(obj, "l2", &item->l2, err);
	item->n_ethertypes = read_ethertypes(obj, item->ethertypes, err);
}

static void read_open_udp(const struct ecp_json *obj, struct ecp_open_item *item,
			  struct ecp_error *err)
{
	static const char *const keys[] = {"udp",        "on",    "on_item",
					   "accept_any", "depth", NULL};
	if (!ecp_json_check_keys(obj, "a udp endpoint", keys, err))
		return;
	item->kind = ECP_KIND_UDP;
	item->on_item = ecp_json_has(obj, "on_item");
	if (item->on_item == ecp_json_has(obj, "on"))
		ecp_error_set(err, -EINVAL, "a udp endpoint stands on one of on, on_item");
	item->on = read_u32(obj, item->on_item ? "on_item" : "on", err);
	read_addr(obj, "udp", &item->local, err);
}

static void read_open_item(const struct ecp_json *obj, unsigned i,
			   struct ecp_open_item *item, struct ecp_error *err)
{
	struct ecp_error why = {0};
	memset(item, 0, sizeof(*item));
	if (ecp_json_has(obj, "udp"))
		read_open_udp(obj, item, &why);
	else
		read_open_l2(obj, item, &why);
	item->flags = read_flags(obj, item->kind, &why);
	item->depth = read_u32(obj, "depth", &why);
	if (why.code)
		ecp_error_set(err, why.code, "endpoints[%u]: %.160s", i, why.text);
}

static void read_open(const struct ecp_json *obj, struct ecp_request *req,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"request", "endpoints", NULL};
	size_t n;
	if (!ecp_json_check_keys(obj, "open", keys, err))
		return;
	need(obj, "endpoints", err);
	const struct ecp_json *item =
	    ecp_json_array(obj, "endpoints", ECP_BATCH_MAX, &n, err);
	req->open.n = (unsigned)n;
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_open_item(item, i, &req->open.items[i], err);
}

static void write_open(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_open_array(w, "endpoints");
	for (unsigned i = 0; i < req->open.n; i++) {
		const struct ecp_open_item *item = &req->open.items[i];
		ecp_json_open_object(w, NULL);
		if (item->kind == ECP_KIND_L2) {
			write_l2addr(w, "l2", &item->l2);
			write_ethertypes(w, item->ethertypes, item->n_ethertypes);
		} else {
			write_addr(w, "udp", &item->local);
			ecp_json_put_u64(w, item->on_item ? "on_item" : "on", item->on);
		}
		write_flags(w, item->kind, item->flags);
		if (item->depth)
			ecp_json_put_u64(w, "depth", item->depth);
		ecp_json_close_object(w);
	}
	ecp_json_close_array(w);
}

static void read_close(const struct ecp_json *obj, struct ecp_request *req,
		       struct ecp_error *err)
{
	static const char *const keys[] = {"request", "ids", NULL};
	size_t n;
	if (!ecp_json_check_keys(obj, "close", keys, err))
		return;
	need(obj, "ids", err);
	const struct ecp_json *item = ecp_json_array(obj, "ids", ECP_BATCH_MAX, &n, err);
	req->close.n = (unsigned)n;
	for (unsigned i = 0; i < n; i++, item = ecp_json_next(item))
		req->close.ids[i] =
		    (uint32_t)ecp_json_item_u64(item, "ids", 0, UINT32_MAX, err);
}

static void write_close(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_open_array(w, "ids");
	for (unsigned i = 0; i < req->close.n; i++)
		ecp_json_put_u64(w, NULL, req->close.ids[i]);
	ecp_json_close_array(w);
}

static void read_set_local(const struct ecp_json *obj, struct ecp_request *req,
			   struct ecp_error *err)
{
	static const char *const keys[] = {"request", "id", "local", NULL};
	if (!ecp_json_check_keys(obj, "set_local", keys, err))
		return;
	need(obj, "id", err);
	req->set_local.id = read_u32(obj, "id", err);
	read_addr(obj, "local", &req->set_local.local, err);
}

static void write_set_local(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_u64(w, "id", req->set_local.id);
	write_addr(w, "local", &req->set_local.local);
}

static void read_status_request(const struct ecp_json *obj, struct ecp_request *req,
				struct ecp_error *err)
{
	static const char *const keys[] = {"request", NULL};
	(void)req;
	ecp_json_check_keys(obj, "status", keys, err);
}

static void write_nothing(struct ecp_json_writer *w, const struct ecp_request *req)
{
	(void)w;
	(void)req;
}

static const char *const lists[] = {
    [ECP_SHOW_RELAYS] = "relays",
    [ECP_SHOW_CLIENTS] = "clients",
    [ECP_SHOW_ENDPOINTS] = "endpoints",
};

#define N_LISTS (sizeof(lists) / sizeof(*lists))

static enum ecp_show read_list_name(const char *name, struct ecp_error *err)
{
	for (unsigned i = 0; name && i < N_LISTS; i++)
		if (!strcmp(name, lists[i]))
			return i;
	ecp_error_set(err, -EINVAL, "what: \"%.40s\" is none of relays, clients, endpoints",
		      name ? name : "");
	return ECP_SHOW_RELAYS;
}

static void read_show(const struct ecp_json *obj, struct ecp_request *req,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"request", "what", "after", NULL};
	if (!ecp_json_check_keys(obj, "show", keys, err))
		return;
	req->show.what = read_list_name(ecp_json_string(obj, "what", "", err), err);
	req->show.after = ecp_json_u64(obj, "after", 0, UINT64_MAX, 0, err);
}

static void write_show(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_string(w, "what", lists[req->show.what]);
	if (req->show.after)
		ecp_json_put_u64(w, "after", req->show.after);
}

static const struct {
	const char *name;
	void (*read)(const struct ecp_json *, struct ecp_request *, struct ecp_error *);
	void (*write)(struct ecp_json_writer *, const struct ecp_request *);
} requests[] = {
    [ECP_REQ_ATTACH] = {"attach", read_attach, write_attach},
    [ECP_REQ_OPEN] = {"open", read_open, write_open},
    [ECP_REQ_CLOSE] = {"close", read_close, write_close},
    [ECP_REQ_SET_LOCAL] = {"set_local", read_set_local, write_set_local},
    [ECP_REQ_STATUS] = {"status", read_status_request, write_nothing},
    [ECP_REQ_SHOW] = {"show", read_show, write_show},
};

#define N_REQUESTS (sizeof(requests) / sizeof(*requests))

static void read_request(const struct ecp_json *root, struct ecp_request *ret,
			 struct ecp_error *err)
{
	const char *name = ecp_json_string(root, "request", "", err);
	if (err->code)
		return;
	for (unsigned i = 0; i < N_REQUESTS; i++)
		if (!strcmp(name, requests[i].name)) {
			ret->type = i;
			requests[i].read(root, ret, err);
			return;
		}
	ecp_error_set(err, -EOPNOTSUPP, "unknown request \"%.40s\"", name);
}

int ecp_request_parse(const char *text, size_t len, struct ecp_request *ret,
		      struct ecp_error *err)
{
	if (len > ECP_MSG_MAX)
		return ecp_error_set(err, -EMSGSIZE, "a message may have %d bytes",
				     ECP_MSG_MAX);
	struct ecp_json *root = ecp_json_parse(text, len, false, err);
	if (root)
		read_request(root, ret, err);
	ecp_json_free(root);
	return err->code;
}

static ssize_t written(const struct ecp_json_writer *w)
{
	return w->overflow ? -EMSGSIZE : (ssize_t)w->len;
}

ssize_t ecp_request_format(const struct ecp_request *req, char *buf, size_t room)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, room);
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "request", requests[req->type].name);
	requests[req->type].write(&w, req);
	ecp_json_close_object(&w);
	return written(&w);
}

/* ---- replies ---- */

static void read_error(const struct ecp_json *obj, struct ecp_error *ret,
		       struct ecp_error *err)
{
	const char *name = ecp_json_string(obj, "error", "EIO", err);
	const char *text = ecp_json_string(obj, "text", "", err);
	ret->code = name ? -ecp_errno_by_name(name) : -EIO;
	snprintf(ret->text, sizeof(ret->text), "%s", text ? text : "");
}

static void write_error(struct ecp_json_writer *w, const struct ecp_error *error)
{
	ecp_json_put_string(w, "error", ecp_errno_name(error->code));
	ecp_json_put_string(w, "text", error->text);
}

static void read_attached(const struct ecp_json *obj, struct ecp_reply *rep,
			  struct ecp_error *err)
{
	struct ecp_attached *a = &rep->attached;
	a->version = read_u32(obj, "version", err);
	a->session = ecp_json_u64(obj, "session", 0, UINT64_MAX, 0, err);
	read_text(obj, "interface", a->interface, sizeof(a->interface), err);
	read_mac(obj, "mac", a->mac, err);
	a->mtu = read_u32(obj, "mtu", err);
	a->rx_ring = read_u32(obj, "rx_ring", err);
	a->tx_ring = read_u32(obj, "tx_ring", err);
}

static void write_attached(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_attached *a = &rep->attached;
	ecp_json_put_u64(w, "version", a->version);
	ecp_json_put_u64(w, "session", a->session);
	ecp_json_put_string(w, "interface", a->interface);
	write_mac(w, "mac", a->mac);
	ecp_json_put_u64(w, "mtu", a->mtu);
	ecp_json_put_u64(w, "rx_ring", a->rx_ring);
	ecp_json_put_u64(w, "tx_ring", a->tx_ring);
}

static void read_opened_item(const struct ecp_json *item, struct ecp_opened_item *o,
			     struct ecp_error *err)
{
	memset(o, 0, sizeof(*o));
	if (!ecp_json_check_keys(item, "endpoints", NULL, err))
		return;
	if (ecp_json_has(item, "error")) {
		read_error(item, &o->error, err);
		return;
	}
	o->id = read_u32(item, "id", err);
	o->generation = read_u32(item, "generation", err);
	o->payload_max = read_u32(item, "payload_max", err);
}

static void read_opened(const struct ecp_json *obj, struct ecp_reply *rep,
			struct ecp_error *err)
{
	size_t n;
	const struct ecp_json *item =
	    ecp_json_array(obj, "endpoints", ECP_BATCH_MAX, &n, err);
	rep->opened.n = (unsigned)n;
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_opened_item(item, &rep->opened.items[i], err);
}

/* Short enough, whatever stands in it, that a whole batch of errors fits into one message. */
static void write_item_error(struct ecp_json_writer *w, const struct ecp_error *error)
{
	ecp_json_put_string(w, "error", ecp_errno_name(error->code));
	ecp_json_put_string_max(w, "text", error->text, ITEM_TEXT_MAX);
}

static void write_opened(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	ecp_json_open_array(w, "endpoints");
	for (unsigned i = 0; i < rep->opened.n; i++) {
		const struct ecp_opened_item *o = &rep->opened.items[i];
		ecp_json_open_object(w, NULL);
		if (o->error.code) {
			write_item_error(w, &o->error);
		} else {
			ecp_json_put_u64(w, "id", o->id);
			ecp_json_put_u64(w, "generation", o->generation);
			ecp_json_put_u64(w, "payload_max", o->payload_max);
		}
		ecp_json_close_object(w);
	}
	ecp_json_close_array(w);
}

static void read_closed(const struct ecp_json *obj, struct ecp_reply *rep,
			struct ecp_error *err)
{
	rep->closed.n = read_u32(obj, "closed", err);
}

static void write_closed(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	ecp_json_put_u64(w, "closed", rep->closed.n);
}

static void read_local_set(const struct ecp_json *obj, struct ecp_reply *rep,
			   struct ecp_error *err)
{
	(void)obj;
	(void)rep;
	(void)err;
}

static void write_local_set(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	(void)w;
	(void)rep;
}

static void read_status(const struct ecp_json *obj, struct ecp_reply *rep,
			struct ecp_error *err)
{
	struct ecp_status *s = &rep->status;
	read_text(obj, "version", s->version, sizeof(s->version), err);
	s->pid = read_u32(obj, "pid", err);
	s->uid = read_u32(obj, "uid", err);
	s->uptime_s = ecp_json_u64(obj, "uptime_s", 0, UINT64_MAX, 0, err);
	s->relays = read_u32(obj, "relays", err);
	s->clients = read_u32(obj, "clients", err);
	s->endpoints = read_u32(obj, "endpoints", err);
}

static void write_status(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_status *s = &rep->status;
	ecp_json_put_string(w, "version", s->version);
	ecp_json_put_u64(w, "pid", s->pid);
	ecp_json_put_u64(w, "uid", s->uid);
	ecp_json_put_u64(w, "uptime_s", s->uptime_s);
	ecp_json_put_u64(w, "relays", s->relays);
	ecp_json_put_u64(w, "clients", s->clients);
	ecp_json_put_u64(w, "endpoints", s->endpoints);
}

/* ---- lists ---- */

static void read_relay(const struct ecp_json *obj, struct ecp_relay_info *r,
		       struct ecp_error *err)
{
	read_text(obj, "interface", r->interface, sizeof(r->interface), err);
	read_text(obj, "backend", r->backend, sizeof(r->backend), err);
	read_mac(obj, "mac", r->mac, err);
	r->mtu = read_u32(obj, "mtu", err);
	r->up = ecp_json_bool(obj, "up", false, err);
	r->clients = read_u32(obj, "clients", err);
	r->endpoints = read_u32(obj, "endpoints", err);
	read_counters(obj, ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats, err);
}

static void write_relay(struct ecp_json_writer *w, const struct ecp_relay_info *r)
{
	ecp_json_put_string(w, "interface", r->interface);
	ecp_json_put_string(w, "backend", r->backend);
	write_mac(w, "mac", r->mac);
	ecp_json_put_u64(w, "mtu", r->mtu);
	ecp_json_put_bool(w, "up", r->up);
	ecp_json_put_u64(w, "clients", r->clients);
	ecp_json_put_u64(w, "endpoints", r->endpoints);
	write_counters(w, ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats);
}

static void read_client(const struct ecp_json *obj, struct ecp_client_info *c,
			struct ecp_error *err)
{
	c->id = read_u32(obj, "id", err);
	c->pid = read_u32(obj, "pid", err);
	c->uid = read_u32(obj, "uid", err);
	c->gid = read_u32(obj, "gid", err);
	read_text(obj, "comm", c->comm, sizeof(c->comm), err);
	read_text(obj, "interface", c->interface, sizeof(c->interface), err);
	c->endpoints = read_u32(obj, "endpoints", err);
	c->rx_ring = read_u32(obj, "rx_ring", err);
	c->rx_used = read_u32(obj, "rx_used", err);
	c->tx_ring = read_u32(obj, "tx_ring", err);
	read_counters(obj, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, &c->stats, err);
}

static void write_client(struct ecp_json_writer *w, const struct ecp_client_info *c)
{
	ecp_json_put_u64(w, "id", c->id);
	ecp_json_put_u64(w, "pid", c->pid);
	ecp_json_put_u64(w, "uid", c->uid);
	ecp_json_put_u64(w, "gid", c->gid);
	ecp_json_put_string(w, "comm", c->comm);
	ecp_json_put_string(w, "interface", c->interface);
	ecp_json_put_u64(w, "endpoints", c->endpoints);
	ecp_json_put_u64(w, "rx_ring", c->rx_ring);
	ecp_json_put_u64(w, "rx_used", c->rx_used);
	ecp_json_put_u64(w, "tx_ring", c->tx_ring);
	write_counters(w, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, &c->stats);
}

static void read_endpoint(const struct ecp_json *obj, struct ecp_endpoint_info *e,
			  struct ecp_error *err)
{
	e->client = read_u32(obj, "client", err);
	e->id = read_u32(obj, "id", err);
	read_text(obj, "interface", e->interface, sizeof(e->interface), err);
	e->kind = ecp_json_has(obj, "udp") ? ECP_KIND_UDP : ECP_KIND_L2;
	if (e->kind == ECP_KIND_UDP)
		read_addr(obj, "udp", &e->local, err);
	read_l2addr(obj, "l2", &e->l2, err);
	e->n_ethertypes = read_ethertypes(obj, e->ethertypes, err);
	e->flags = read_flags(obj, e->kind, err);
	read_counters(obj, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, &e->stats, err);
}

static void write_endpoint(struct ecp_json_writer *w, const struct ecp_endpoint_info *e)
{
	ecp_json_put_u64(w, "client", e->client);
	ecp_json_put_u64(w, "id", e->id);
	ecp_json_put_string(w, "interface", e->interface);
	if (e->kind == ECP_KIND_UDP)
		write_addr(w, "udp", &e->local);
	write_l2addr(w, "l2", &e->l2);
	write_ethertypes(w, e->ethertypes, e->n_ethertypes);
	write_flags(w, e->kind, e->flags);
	write_counters(w, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS, &e->stats);
}

static void read_page_item(const struct ecp_json *item, struct ecp_page *page, unsigned i,
			   struct ecp_error *err)
{
	if (!ecp_json_check_keys(item, "items", NULL, err))
		return;
	switch (page->what) {
	case ECP_SHOW_RELAYS:
		memset(&page->relays[i], 0, sizeof(page->relays[i]));
		read_relay(item, &page->relays[i], err);
		break;
	case ECP_SHOW_CLIENTS:
		memset(&page->clients[i], 0, sizeof(page->clients[i]));
		read_client(item, &page->clients[i], err);
		break;
	case ECP_SHOW_ENDPOINTS:
		memset(&page->endpoints[i], 0, sizeof(page->endpoints[i]));
		read_endpoint(item, &page->endpoints[i], err);
		break;
	}
}

void ecp_page_item_write(struct ecp_json_writer *w, const struct ecp_page *page, unsigned i)
{
	ecp_json_open_object(w, NULL);
	switch (page->what) {
	case ECP_SHOW_RELAYS:
		write_relay(w, &page->relays[i]);
		break;
	case ECP_SHOW_CLIENTS:
		write_client(w, &page->clients[i]);
		break;
	case ECP_SHOW_ENDPOINTS:
		write_endpoint(w, &page->endpoints[i]);
		break;
	}
	ecp_json_close_object(w);
}

static void read_page(const struct ecp_json *obj, struct ecp_reply *rep,
		      struct ecp_error *err)
{
	struct ecp_page *page = &rep->page;
	size_t n;
	page->what = read_list_name(ecp_json_string(obj, "what", "", err), err);
	page->more = ecp_json_bool(obj, "more", false, err);
	page->next = ecp_json_u64(obj, "next", 0, UINT64_MAX, 0, err);
	const struct ecp_json *item = ecp_json_array(obj, "items", ECP_PAGE_MAX, &n, err);
	page->n = (unsigned)n;
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_page_item(item, page, i, err);
}

static void write_page(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_page *page = &rep->page;
	ecp_json_put_string(w, "what", lists[page->what]);
	ecp_json_open_array(w, "items");
	for (unsigned i = 0; i < page->n; i++)
		ecp_page_item_write(w, page, i);
	ecp_json_close_array(w);
	if (page->more) {
		ecp_json_put_bool(w, "more", true);
		ecp_json_put_u64(w, "next", page->next);
	}
}

static const struct {
	const char *name;
	void (*read)(const struct ecp_json *, struct ecp_reply *, struct ecp_error *);
	void (*write)(struct ecp_json_writer *, const struct ecp_reply *);
} replies[] = {
    [ECP_REP_ATTACHED] = {"attached", read_attached, write_attached},
    [ECP_REP_OPENED] = {"opened", read_opened, write_opened},
    [ECP_REP_CLOSED] = {"closed", read_closed, write_closed},
    [ECP_REP_LOCAL_SET] = {"local_set", read_local_set, write_local_set},
    [ECP_REP_STATUS] = {"status", read_status, write_status},
    [ECP_REP_PAGE] = {"page", read_page, write_page},
};

#define N_REPLIES (sizeof(replies) / sizeof(*replies))

/* Unknown keys in replies are left alone: a newer daemon may say more. */
static void read_reply(const struct ecp_json *root, struct ecp_reply *ret,
		       struct ecp_error *err)
{
	if (ecp_json_has(root, "error")) {
		ret->type = ECP_REP_ERROR;
		read_error(root, &ret->error, err);
		return;
	}
	const char *name = ecp_json_string(root, "reply", "", err);
	if (err->code)
		return;
	for (unsigned i = ECP_REP_ERROR + 1; i < N_REPLIES; i++)
		if (!strcmp(name, replies[i].name)) {
			ret->type = i;
			replies[i].read(root, ret, err);
			return;
		}
	ecp_error_set(err, -EOPNOTSUPP, "unknown reply \"%.40s\"", name);
}

int ecp_reply_parse(const char *text, size_t len, struct ecp_reply *ret,
		    struct ecp_error *err)
{
	if (len > ECP_MSG_MAX)
		return ecp_error_set(err, -EMSGSIZE, "a message may have %d bytes",
				     ECP_MSG_MAX);
	struct ecp_json *root = ecp_json_parse(text, len, false, err);
	if (root)
		read_reply(root, ret, err);
	ecp_json_free(root);
	return err->code;
}

ssize_t ecp_reply_format(const struct ecp_reply *rep, char *buf, size_t room)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, room);
	ecp_json_open_object(&w, NULL);
	if (rep->type == ECP_REP_ERROR) {
		write_error(&w, &rep->error);
	} else {
		ecp_json_put_string(&w, "reply", replies[rep->type].name);
		replies[rep->type].write(&w, rep);
	}
	ecp_json_close_object(&w);
	return written(&w);
}

/* ---- asking ---- */

int ecp_ask(int fd, const struct ecp_request *req, struct ecp_reply *rep, char *buf,
	    int *fds, unsigned *n_fds, struct ecp_error *err)
{
	ssize_t len = ecp_request_format(req, buf, ECP_MSG_MAX + 1);
	if (len < 0)
		return ecp_error_set(err, (int)len, "the request is too long");
	int r = ecp_sock_send(fd, buf, (size_t)len, NULL, 0);
	if (r == -EPIPE || r == -ECONNRESET)
		return ecp_error_set(err, -ENOTCONN,
				     "the daemon has closed the connection");
	if (r < 0)
		return ecp_error_set(err, r, "asking the daemon: %s", strerror(-r));
	len = ecp_sock_recv(fd, buf, ECP_MSG_MAX, fds, n_fds);
	if (len == 0 || len == -ECONNRESET)
		return ecp_error_set(err, -ENOTCONN,
				     "the daemon has closed the connection");
	if (len < 0)
		return ecp_error_set(err, (int)len, "the daemon's answer: %s",
				     strerror((int)-len));
	r = ecp_reply_parse(buf, (size_t)len, rep, err);
	while (r < 0 && fds && *n_fds)
		close(fds[--*n_fds]);
	return r;
}
