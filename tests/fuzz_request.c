/*
 * fuzz_request.c - any bytes as a client's request: refused with a sentence that can be
 * answered, or within every limit; and written out it is read as the same.
 */
#include "proto/msg.h"
#include "tests/fuzz.h"

#include <errno.h>

/* What the daemon answers to a request that it cannot read is always a reply. */
static void check_refusal(const struct ecp_error *err)
{
	static struct ecp_reply reply, again;
	static char text[ECP_MSG_MAX + 1];
	struct ecp_error why = {0};
	MUST(err->code < 0 && err->text[0]);
	MUST(memchr(err->text, 0, sizeof(err->text)));
	reply.type = ECP_REP_ERROR;
	reply.error = *err;
	ssize_t len = ecp_reply_format(&reply, text, sizeof(text));
	MUST(len > 0);
	MUST(ecp_reply_parse(text, (size_t)len, &again, &why) == 0);
	MUST(again.type == ECP_REP_ERROR && again.error.code == err->code);
}

static void check_item(const struct ecp_open_item *item)
{
	const char *why;
	if (item->kind == ECP_KIND_UDP) {
		MUST(item->local.family == 4 || item->local.family == 6);
		MUST(!(item->flags & ~(unsigned)ECP_EP_ACCEPT_ANY));
		return;
	}
	MUST(item->kind == ECP_KIND_L2 && !(item->flags & ECP_EP_ACCEPT_ANY));
	MUST(item->l2.n_vlans <= ECP_VLANS_MAX);
	MUST(item->n_ethertypes <= ECP_ETHERTYPES_MAX);
	for (unsigned i = 0; i < item->l2.n_vlans; i++)
		MUST(ecp_tpid_known(item->l2.vlans[i].tpid) &&
		     item->l2.vlans[i].id <= ECP_VLAN_ID_MAX);
	ecp_l2addr_check(&item->l2, &why); /* the client's to get wrong: a clear answer */
}

static void check_request(const struct ecp_request *req)
{
	switch (req->type) {
	case ECP_REQ_ATTACH:
		MUST(memchr(req->attach.interface, 0, sizeof(req->attach.interface)));
		break;
	case ECP_REQ_OPEN:
		MUST(req->open.n <= ECP_BATCH_MAX);
		for (unsigned i = 0; i < req->open.n; i++)
			check_item(&req->open.items[i]);
		break;
	case ECP_REQ_CLOSE:
		MUST(req->close.n <= ECP_BATCH_MAX);
		break;
	case ECP_REQ_SET_LOCAL:
		MUST(req->set_local.local.family == 4 || req->set_local.local.family == 6);
		break;
	case ECP_REQ_STATUS:
	case ECP_REQ_MONITOR:
	case ECP_REQ_KILL:
		break;
	case ECP_REQ_SHOW:
		MUST(req->show.what <= ECP_SHOW_POLICY);
		break;
	case ECP_REQ_LOG:
		MUST(memchr(req->log.level, 0, sizeof(req->log.level)));
		break;
	case ECP_REQ_POLICY:
		MUST(req->policy_test.n_gids <= ECP_GIDS_MAX);
		check_item(&req->policy_test.l2);
		break;
	case ECP_REQ_CAPTURE:
		MUST(memchr(req->capture.interface, 0, sizeof(req->capture.interface)));
		break;
	}
}

/* Written, read and written again: the same text. */
static void check_back_and_forth(const struct ecp_request *req)
{
	static struct ecp_request again;
	static char first[ECP_MSG_MAX + 1], second[ECP_MSG_MAX + 1];
	struct ecp_error err = {0};
	ssize_t len = ecp_request_format(req, first, sizeof(first));
	if (len == -EMSGSIZE && req->type == ECP_REQ_OPEN)
		return; /* 256 endpoints of 16 EtherTypes: msg.h says so */
	MUST(len > 0);
	MUST(ecp_request_parse(first, (size_t)len, &again, &err) == 0);
	MUST(ecp_request_format(&again, second, sizeof(second)) == len);
	MUST(!memcmp(first, second, (size_t)len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ecp_request req;
	struct ecp_error err = {0};
	uint8_t *text = fuzz_copy(data, size);
	memset(&req, 0xa5, sizeof(req)); /* the daemon's holds what the last one left */
	int r = ecp_request_parse((char *)text, size, &req, &err);
	free(text);
	MUST(r == err.code);
	if (r < 0) {
		check_refusal(&err);
		return 0;
	}
	check_request(&req);
	check_back_and_forth(&req);
	return 0;
}
