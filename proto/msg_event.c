/*
 * msg_event.c - events <-> JSON: each is a row that says which fields it has.
 */
#include "proto/msg_fields.h"

#include <errno.h>

enum fields {
	WHO = 1 << 0,       /* client, pid, uid, comm */
	INTERFACE = 1 << 1, /* where */
	N = 1 << 2,
	FAILED = 1 << 3,
	UP = 1 << 4,
	CODE = 1 << 5,
};

static const struct {
	const char *name;
	unsigned fields;
	const char *text; /* what its text is called; NULL: it has none */
} events[] = {
    [ECP_EVENT_ATTACHED] = {"attached", WHO | INTERFACE, NULL},
    [ECP_EVENT_CAPTURING] = {"capturing", WHO | INTERFACE, NULL},
    [ECP_EVENT_GONE] = {"gone", WHO | INTERFACE | N, "why"},
    [ECP_EVENT_OPENED] = {"opened", WHO | INTERFACE | N | FAILED, "first"},
    [ECP_EVENT_CLOSED] = {"closed", WHO | INTERFACE | N, NULL},
    [ECP_EVENT_DENIED] = {"denied", WHO | INTERFACE | N | CODE, "text"},
    [ECP_EVENT_INTERFACE] = {"interface", INTERFACE | UP, NULL},
    [ECP_EVENT_POLICY] = {"policy_reloaded", N, "file"},
    [ECP_EVENT_POLICY_REFUSED] = {"policy_refused", 0, "text"},
    [ECP_EVENT_LOG_LEVEL] = {"log_level", WHO, "level"},
    [ECP_EVENT_LOST] = {"lost", N, NULL},
};

#define N_EVENTS (sizeof(events) / sizeof(*events))

const char *ecp_event_name(enum ecp_event_type type)
{
	return events[type].name;
}

static void read_who(const struct ecp_json *obj, struct ecp_event *e, struct ecp_error *err)
{
	e->client = ecp_field_read_u32(obj, "client", err);
	e->pid = ecp_field_read_u32(obj, "pid", err);
	e->uid = ecp_field_read_u32(obj, "uid", err);
	ecp_field_read_text(obj, "comm", e->comm, sizeof(e->comm), err);
}

static void read_event(const struct ecp_json *obj, struct ecp_event *e,
		       struct ecp_error *err)
{
	unsigned fields = events[e->type].fields;
	e->time_us = ecp_json_u64(obj, "time_us", 0, UINT64_MAX, 0, err);
	if (fields & WHO)
		read_who(obj, e, err);
	if (fields & INTERFACE)
		ecp_field_read_text(obj, "interface", e->interface, sizeof(e->interface),
				    err);
	if (fields & N)
		e->n = ecp_json_u64(obj, "n", 0, UINT64_MAX, 0, err);
	if (fields & FAILED)
		e->failed = ecp_json_u64(obj, "failed", 0, UINT64_MAX, 0, err);
	if (fields & UP)
		e->up = ecp_json_bool(obj, "up", false, err);
	if (fields & CODE) {
		const char *code = ecp_json_string(obj, "code", "EACCES", err);
		e->code = -ecp_errno_by_name(code ? code : "");
	}
	if (events[e->type].text)
		ecp_field_read_text(obj, events[e->type].text, e->text, sizeof(e->text),
				    err);
}

/* Unknown keys are left alone, as in replies. */
static void read_root(const struct ecp_json *root, struct ecp_event *ret,
		      struct ecp_error *err)
{
	const char *name = ecp_json_string(root, "event", "", err);
	*ret = (struct ecp_event){0};
	if (err->code)
		return;
	for (unsigned i = 0; i < N_EVENTS; i++)
		if (!strcmp(name, events[i].name)) {
			ret->type = i;
			read_event(root, ret, err);
			return;
		}
	ecp_error_set(err, -EOPNOTSUPP, "unknown event \"%.40s\"", name);
}

int ecp_event_parse(const char *text, size_t len, struct ecp_event *ret,
		    struct ecp_error *err)
{
	if (len > ECP_MSG_MAX)
		return ecp_error_set(err, -EMSGSIZE, "a message may have %d bytes",
				     ECP_MSG_MAX);
	struct ecp_json *root = ecp_json_parse(text, len, false, err);
	if (root)
		read_root(root, ret, err);
	ecp_json_free(root);
	return err->code;
}

static void write_who(struct ecp_json_writer *w, const struct ecp_event *e)
{
	ecp_json_put_u64(w, "client", e->client);
	ecp_json_put_u64(w, "pid", e->pid);
	ecp_json_put_u64(w, "uid", e->uid);
	ecp_json_put_string(w, "comm", e->comm);
}

static void write_fields(struct ecp_json_writer *w, const struct ecp_event *e)
{
	unsigned fields = events[e->type].fields;
	if (fields & WHO)
		write_who(w, e);
	if (fields & INTERFACE && e->interface[0])
		ecp_json_put_string(w, "interface", e->interface);
	if (fields & N)
		ecp_json_put_u64(w, "n", e->n);
	if (fields & FAILED)
		ecp_json_put_u64(w, "failed", e->failed);
	if (fields & UP)
		ecp_json_put_bool(w, "up", e->up);
	if (fields & CODE)
		ecp_json_put_string(w, "code", ecp_errno_name(e->code));
	if (events[e->type].text && e->text[0])
		ecp_json_put_string(w, events[e->type].text, e->text);
}

ssize_t ecp_event_format(const struct ecp_event *event, char *buf, size_t room)
{
	struct ecp_json_writer w;
	ecp_json_begin(&w, buf, room);
	ecp_json_open_object(&w, NULL);
	ecp_json_put_string(&w, "event", events[event->type].name);
	ecp_json_put_u64(&w, "time_us", event->time_us);
	write_fields(&w, event);
	ecp_json_close_object(&w);
	return ecp_field_written(&w);
}
