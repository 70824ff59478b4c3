/*
 * msg_request.c - requests <-> JSON: a reader and a writer for each, in the order of msg.h.
 */
#include "proto/msg_fields.h"

#include <errno.h>
#include <string.h>

static void read_attach(const struct ecp_json *obj, struct ecp_request *req,
			struct ecp_error *err)
{
	static const char *const keys[] = {"request", "version", "interface",
					   "rx_ring", "tx_ring", NULL};
	struct ecp_attach *a = &req->attach;
	if (!ecp_json_check_keys(obj, "attach", keys, err))
		return;
	a->version = ecp_field_read_u32(obj, "version", err);
	ecp_field_read_text(obj, "interface", a->interface, sizeof(a->interface), err);
	a->rx_ring = ecp_field_read_u32(obj, "rx_ring", err);
	a->tx_ring = ecp_field_read_u32(obj, "tx_ring", err);
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
	static const char *const keys[] = {
	    "l2",      "vlans",  "ethertypes", "multicast", "share", "multicast_any",
	    "default", "mirror", "depth",      NULL};
	if (!ecp_json_check_keys(obj, "an l2 endpoint", keys, err))
		return;
	item->kind = ECP_KIND_L2;
	ecp_field_read_l2addr(obj, "l2", &item->l2, err);
	item->n_ethertypes = ecp_field_read_ethertypes(obj, item->ethertypes, err);
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
	item->on = ecp_field_read_u32(obj, item->on_item ? "on_item" : "on", err);
	ecp_field_read_addr(obj, "udp", &item->local, err);
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
	item->flags = ecp_field_read_flags(obj, item->kind, &why);
	item->depth = ecp_field_read_u32(obj, "depth", &why);
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
	ecp_field_need(obj, "endpoints", err);
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
			ecp_field_write_l2addr(w, "l2", &item->l2);
			ecp_field_write_ethertypes(w, item->ethertypes, item->n_ethertypes);
		} else {
			ecp_field_write_addr(w, "udp", &item->local);
			ecp_json_put_u64(w, item->on_item ? "on_item" : "on", item->on);
		}
		ecp_field_write_flags(w, item->kind, item->flags);
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
	ecp_field_need(obj, "ids", err);
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
	ecp_field_need(obj, "id", err);
	req->set_local.id = ecp_field_read_u32(obj, "id", err);
	ecp_field_read_addr(obj, "local", &req->set_local.local, err);
}

static void write_set_local(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_u64(w, "id", req->set_local.id);
	ecp_field_write_addr(w, "local", &req->set_local.local);
}

static void read_bare(const struct ecp_json *obj, struct ecp_request *req,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"request", NULL};
	(void)req;
	ecp_json_check_keys(obj, ecp_json_string(obj, "request", "", err), keys, err);
}

static void write_nothing(struct ecp_json_writer *w, const struct ecp_request *req)
{
	(void)w;
	(void)req;
}

static void read_show(const struct ecp_json *obj, struct ecp_request *req,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"request", "what", "after", NULL};
	if (!ecp_json_check_keys(obj, "show", keys, err))
		return;
	req->show.what =
	    ecp_field_read_list_name(ecp_json_string(obj, "what", "", err), err);
	req->show.after = ecp_json_u64(obj, "after", 0, UINT64_MAX, 0, err);
}

static void write_show(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_string(w, "what", ecp_field_lists[req->show.what]);
	if (req->show.after)
		ecp_json_put_u64(w, "after", req->show.after);
}

static void read_log(const struct ecp_json *obj, struct ecp_request *req,
		     struct ecp_error *err)
{
	static const char *const keys[] = {"request", "level", NULL};
	if (!ecp_json_check_keys(obj, "log", keys, err))
		return;
	ecp_field_need(obj, "level", err);
	ecp_field_read_text(obj, "level", req->log.level, sizeof(req->log.level), err);
}

static void write_log(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_string(w, "level", req->log.level);
}

static void read_kill(const struct ecp_json *obj, struct ecp_request *req,
		      struct ecp_error *err)
{
	static const char *const keys[] = {"request", "client", NULL};
	if (!ecp_json_check_keys(obj, "kill", keys, err))
		return;
	ecp_field_need(obj, "client", err);
	req->kill.client = ecp_field_read_u32(obj, "client", err);
}

static void write_kill(struct ecp_json_writer *w, const struct ecp_request *req)
{
	ecp_json_put_u64(w, "client", req->kill.client);
}

static void read_gids(const struct ecp_json *obj, struct ecp_policy_test *test,
		      struct ecp_error *err)
{
	size_t n;
	const struct ecp_json *item = ecp_json_array(obj, "gids", ECP_GIDS_MAX, &n, err);
	test->n_gids = (unsigned)n;
	for (unsigned i = 0; i < n; i++, item = ecp_json_next(item))
		test->gids[i] =
		    (uint32_t)ecp_json_item_u64(item, "gids", 0, UINT32_MAX, err);
}

static void read_policy_test(const struct ecp_json *obj, struct ecp_request *req,
			     struct ecp_error *err)
{
	static const char *const keys[] = {"request",   "uid",   "gids",    "interface",
					   "l2",        "vlans", "udp",     "ethertypes",
					   "multicast", "share", "default", "multicast_any",
					   "mirror",    NULL};
	struct ecp_policy_test *test = &req->policy_test;
	memset(test, 0, sizeof(*test));
	if (!ecp_json_check_keys(obj, "policy_test", keys, err))
		return;
	ecp_field_need(obj, "uid", err);
	test->uid = ecp_field_read_u32(obj, "uid", err);
	read_gids(obj, test, err);
	ecp_field_read_text(obj, "interface", test->interface, sizeof(test->interface),
			    err);
	ecp_field_read_l2addr(obj, "l2", &test->l2.l2, err);
	test->l2.n_ethertypes = ecp_field_read_ethertypes(obj, test->l2.ethertypes, err);
	test->l2.flags = ecp_field_read_flags(obj, ECP_KIND_L2, err);
	test->have_udp = ecp_json_has(obj, "udp");
	if (test->have_udp)
		ecp_field_read_addr(obj, "udp", &test->udp, err);
}

static void write_policy_test(struct ecp_json_writer *w, const struct ecp_request *req)
{
	const struct ecp_policy_test *test = &req->policy_test;
	ecp_json_put_u64(w, "uid", test->uid);
	ecp_json_open_array(w, "gids");
	for (unsigned i = 0; i < test->n_gids; i++)
		ecp_json_put_u64(w, NULL, test->gids[i]);
	ecp_json_close_array(w);
	if (test->interface[0])
		ecp_json_put_string(w, "interface", test->interface);
	ecp_field_write_l2addr(w, "l2", &test->l2.l2);
	ecp_field_write_ethertypes(w, test->l2.ethertypes, test->l2.n_ethertypes);
	ecp_field_write_flags(w, ECP_KIND_L2, test->l2.flags);
	if (test->have_udp)
		ecp_field_write_addr(w, "udp", &test->udp);
}

static void read_capture(const struct ecp_json *obj, struct ecp_request *req,
			 struct ecp_error *err)
{
	static const char *const keys[] = {"request", "version", "interface",
					   "ring",    "snaplen", NULL};
	struct ecp_capture *c = &req->capture;
	if (!ecp_json_check_keys(obj, "capture", keys, err))
		return;
	c->version = ecp_field_read_u32(obj, "version", err);
	ecp_field_read_text(obj, "interface", c->interface, sizeof(c->interface), err);
	c->ring = ecp_field_read_u32(obj, "ring", err);
	c->snaplen = ecp_field_read_u32(obj, "snaplen", err);
}

static void write_capture(struct ecp_json_writer *w, const struct ecp_request *req)
{
	const struct ecp_capture *c = &req->capture;
	ecp_json_put_u64(w, "version", c->version);
	if (c->interface[0])
		ecp_json_put_string(w, "interface", c->interface);
	if (c->ring)
		ecp_json_put_u64(w, "ring", c->ring);
	if (c->snaplen)
		ecp_json_put_u64(w, "snaplen", c->snaplen);
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
    [ECP_REQ_STATUS] = {"status", read_bare, write_nothing},
    [ECP_REQ_SHOW] = {"show", read_show, write_show},
    [ECP_REQ_LOG] = {"log", read_log, write_log},
    [ECP_REQ_KILL] = {"kill", read_kill, write_kill},
    [ECP_REQ_POLICY] = {"policy_test", read_policy_test, write_policy_test},
    [ECP_REQ_CAPTURE] = {"capture", read_capture, write_capture},
    [ECP_REQ_MONITOR] = {"monitor", read_bare, write_nothing},
    [ECP_REQ_COUNTERS] = {"counters", read_bare, write_nothing},
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

ssize_t ecp_request_format(const struct ecp_request *req, char *buf, size_t room)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, room);
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "request", requests[req->type].name);
	requests[req->type].write(&w, req);
	ecp_json_close_object(&w);
	return ecp_field_written(&w);
}
