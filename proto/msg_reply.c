/*
 * msg_reply.c - replies <-> JSON: a reader and a writer for each, in the order of msg.h.
 */
#include "proto/msg_fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ITEM_TEXT_MAX 200 /* bytes of an error's sentence in a list, escapes counted */

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
	a->version = ecp_field_read_u32(obj, "version", err);
	a->session = ecp_json_u64(obj, "session", 0, UINT64_MAX, 0, err);
	ecp_field_read_text(obj, "interface", a->interface, sizeof(a->interface), err);
	ecp_field_read_mac(obj, "mac", a->mac, err);
	a->mtu = ecp_field_read_u32(obj, "mtu", err);
	a->rx_ring = ecp_field_read_u32(obj, "rx_ring", err);
	a->tx_ring = ecp_field_read_u32(obj, "tx_ring", err);
}

static void write_attached(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_attached *a = &rep->attached;
	ecp_json_put_u64(w, "version", a->version);
	ecp_json_put_u64(w, "session", a->session);
	ecp_json_put_string(w, "interface", a->interface);
	ecp_field_write_mac(w, "mac", a->mac);
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
	o->id = ecp_field_read_u32(item, "id", err);
	o->generation = ecp_field_read_u32(item, "generation", err);
	o->payload_max = ecp_field_read_u32(item, "payload_max", err);
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
	rep->closed.n = ecp_field_read_u32(obj, "closed", err);
}

static void write_closed(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	ecp_json_put_u64(w, "closed", rep->closed.n);
}

static void read_empty(const struct ecp_json *obj, struct ecp_reply *rep,
		       struct ecp_error *err)
{
	(void)obj;
	(void)rep;
	(void)err;
}

static void write_empty(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	(void)w;
	(void)rep;
}

static void read_status(const struct ecp_json *obj, struct ecp_reply *rep,
			struct ecp_error *err)
{
	struct ecp_status *s = &rep->status;
	ecp_field_read_text(obj, "version", s->version, sizeof(s->version), err);
	s->pid = ecp_field_read_u32(obj, "pid", err);
	s->uid = ecp_field_read_u32(obj, "uid", err);
	s->uptime_s = ecp_json_u64(obj, "uptime_s", 0, UINT64_MAX, 0, err);
	s->relays = ecp_field_read_u32(obj, "relays", err);
	s->clients = ecp_field_read_u32(obj, "clients", err);
	s->endpoints = ecp_field_read_u32(obj, "endpoints", err);
	s->denied = ecp_json_u64(obj, "denied", 0, UINT64_MAX, 0, err);
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
	ecp_json_put_u64(w, "denied", s->denied);
}

/* ---- lists ---- */

static void read_relay(const struct ecp_json *obj, struct ecp_relay_info *r,
		       struct ecp_error *err)
{
	ecp_field_read_text(obj, "interface", r->interface, sizeof(r->interface), err);
	ecp_field_read_text(obj, "backend", r->backend, sizeof(r->backend), err);
	ecp_field_read_mac(obj, "mac", r->mac, err);
	r->mtu = ecp_field_read_u32(obj, "mtu", err);
	r->up = ecp_json_bool(obj, "up", false, err);
	r->clients = ecp_field_read_u32(obj, "clients", err);
	r->endpoints = ecp_field_read_u32(obj, "endpoints", err);
	ecp_field_read_counters(obj, ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats,
				err);
}

static void write_relay(struct ecp_json_writer *w, const struct ecp_relay_info *r)
{
	ecp_json_put_string(w, "interface", r->interface);
	ecp_json_put_string(w, "backend", r->backend);
	ecp_field_write_mac(w, "mac", r->mac);
	ecp_json_put_u64(w, "mtu", r->mtu);
	ecp_json_put_bool(w, "up", r->up);
	ecp_json_put_u64(w, "clients", r->clients);
	ecp_json_put_u64(w, "endpoints", r->endpoints);
	ecp_field_write_counters(w, ecp_relay_counters, ECP_N_RELAY_COUNTERS, &r->stats);
}

static void read_client(const struct ecp_json *obj, struct ecp_client_info *c,
			struct ecp_error *err)
{
	c->id = ecp_field_read_u32(obj, "id", err);
	c->pid = ecp_field_read_u32(obj, "pid", err);
	c->uid = ecp_field_read_u32(obj, "uid", err);
	c->gid = ecp_field_read_u32(obj, "gid", err);
	ecp_field_read_text(obj, "comm", c->comm, sizeof(c->comm), err);
	ecp_field_read_text(obj, "interface", c->interface, sizeof(c->interface), err);
	c->endpoints = ecp_field_read_u32(obj, "endpoints", err);
	c->rx_ring = ecp_field_read_u32(obj, "rx_ring", err);
	c->rx_used = ecp_field_read_u32(obj, "rx_used", err);
	c->tx_ring = ecp_field_read_u32(obj, "tx_ring", err);
	c->denied = ecp_json_u64(obj, "denied", 0, UINT64_MAX, 0, err);
	ecp_field_read_counters(obj, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				&c->stats, err);
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
	ecp_json_put_u64(w, "denied", c->denied);
	ecp_field_write_counters(w, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				 &c->stats);
}

static void read_endpoint(const struct ecp_json *obj, struct ecp_endpoint_info *e,
			  struct ecp_error *err)
{
	e->client = ecp_field_read_u32(obj, "client", err);
	e->id = ecp_field_read_u32(obj, "id", err);
	ecp_field_read_text(obj, "interface", e->interface, sizeof(e->interface), err);
	e->kind = ecp_json_has(obj, "udp") ? ECP_KIND_UDP : ECP_KIND_L2;
	if (e->kind == ECP_KIND_UDP)
		ecp_field_read_addr(obj, "udp", &e->local, err);
	ecp_field_read_l2addr(obj, "l2", &e->l2, err);
	e->n_ethertypes = ecp_field_read_ethertypes(obj, e->ethertypes, err);
	e->flags = ecp_field_read_flags(obj, e->kind, err);
	ecp_field_read_counters(obj, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				&e->stats, err);
}

static void write_endpoint(struct ecp_json_writer *w, const struct ecp_endpoint_info *e)
{
	ecp_json_put_u64(w, "client", e->client);
	ecp_json_put_u64(w, "id", e->id);
	ecp_json_put_string(w, "interface", e->interface);
	if (e->kind == ECP_KIND_UDP)
		ecp_field_write_addr(w, "udp", &e->local);
	ecp_field_write_l2addr(w, "l2", &e->l2);
	ecp_field_write_ethertypes(w, e->ethertypes, e->n_ethertypes);
	ecp_field_write_flags(w, e->kind, e->flags);
	ecp_field_write_counters(w, ecp_endpoint_counters, ECP_N_ENDPOINT_COUNTERS,
				 &e->stats);
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
	case ECP_SHOW_POLICY:
		ecp_field_read_rule(item, &page->rules[i], err);
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
	case ECP_SHOW_POLICY:
		ecp_field_write_rule(w, &page->rules[i]);
		break;
	}
	ecp_json_close_object(w);
}

static void read_page(const struct ecp_json *obj, struct ecp_reply *rep,
		      struct ecp_error *err)
{
	struct ecp_page *page = &rep->page;
	size_t n;
	page->what = ecp_field_read_list_name(ecp_json_string(obj, "what", "", err), err);
	page->more = ecp_json_bool(obj, "more", false, err);
	page->next = ecp_json_u64(obj, "next", 0, UINT64_MAX, 0, err);
	const struct ecp_json *item =
	    ecp_json_array(obj, "items", ecp_page_max(page->what), &n, err);
	page->n = (unsigned)n;
	for (unsigned i = 0; i < n && !err->code; i++, item = ecp_json_next(item))
		read_page_item(item, page, i, err);
}

static void write_page(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_page *page = &rep->page;
	ecp_json_put_string(w, "what", ecp_field_lists[page->what]);
	ecp_json_open_array(w, "items");
	for (unsigned i = 0; i < page->n; i++)
		ecp_page_item_write(w, page, i);
	ecp_json_close_array(w);
	if (page->more) {
		ecp_json_put_bool(w, "more", true);
		ecp_json_put_u64(w, "next", page->next);
	}
}

/* ---- policy ---- */

/* "code", not "error": it is no answer to have been denied. */
static void read_policy(const struct ecp_json *obj, struct ecp_reply *rep,
			struct ecp_error *err)
{
	struct ecp_policy_verdict *v = &rep->policy;
	memset(v, 0, sizeof(*v));
	if (!ecp_json_bool(obj, "allowed", false, err)) {
		const char *code = ecp_json_string(obj, "code", "EACCES", err);
		v->denied.code = -ecp_errno_by_name(code ? code : "");
		ecp_field_read_text(obj, "text", v->denied.text, sizeof(v->denied.text),
				    err);
	}
	ecp_field_read_text(obj, "rule", v->rule, sizeof(v->rule), err);
	v->raw = ecp_json_bool(obj, "raw", false, err);
	ecp_field_read_limits(obj, &v->limits, err);
}

static void write_policy(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	const struct ecp_policy_verdict *v = &rep->policy;
	ecp_json_put_bool(w, "allowed", !v->denied.code);
	if (v->denied.code) {
		ecp_json_put_string(w, "code", ecp_errno_name(v->denied.code));
		ecp_json_put_string(w, "text", v->denied.text);
	}
	if (v->rule[0])
		ecp_json_put_string(w, "rule", v->rule);
	ecp_json_put_bool(w, "raw", v->raw);
	ecp_field_write_limits(w, &v->limits);
}

static void read_capturing(const struct ecp_json *obj, struct ecp_reply *rep,
			   struct ecp_error *err)
{
	rep->capturing.version = ecp_field_read_u32(obj, "version", err);
	rep->capturing.ring = ecp_field_read_u32(obj, "ring", err);
	rep->capturing.snaplen = ecp_field_read_u32(obj, "snaplen", err);
}

static void write_capturing(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	ecp_json_put_u64(w, "version", rep->capturing.version);
	ecp_json_put_u64(w, "ring", rep->capturing.ring);
	ecp_json_put_u64(w, "snaplen", rep->capturing.snaplen);
}

static void read_counters(const struct ecp_json *obj, struct ecp_reply *rep,
			  struct ecp_error *err)
{
	rep->counters.version = ecp_field_read_u32(obj, "version", err);
}

static void write_counters(struct ecp_json_writer *w, const struct ecp_reply *rep)
{
	ecp_json_put_u64(w, "version", rep->counters.version);
}

static const struct {
	const char *name;
	void (*read)(const struct ecp_json *, struct ecp_reply *, struct ecp_error *);
	void (*write)(struct ecp_json_writer *, const struct ecp_reply *);
} replies[] = {
    [ECP_REP_ATTACHED] = {"attached", read_attached, write_attached},
    [ECP_REP_OPENED] = {"opened", read_opened, write_opened},
    [ECP_REP_CLOSED] = {"closed", read_closed, write_closed},
    [ECP_REP_LOCAL_SET] = {"local_set", read_empty, write_empty},
    [ECP_REP_STATUS] = {"status", read_status, write_status},
    [ECP_REP_PAGE] = {"page", read_page, write_page},
    [ECP_REP_DONE] = {"done", read_empty, write_empty},
    [ECP_REP_POLICY] = {"policy", read_policy, write_policy},
    [ECP_REP_CAPTURING] = {"capturing", read_capturing, write_capturing},
    [ECP_REP_COUNTERS] = {"counters", read_counters, write_counters},
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
	return ecp_field_written(&w);
}
