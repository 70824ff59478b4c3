/*
 * kept.h - lists that are looked at again and again (top, watch, stats -i): asked for once, and
 * again when they have changed.  What is counted is read from the daemon's memory
 * (proto/counters.h) without asking it.
 *
 * A daemon that has no such memory, or one of another version, is asked each time.  Knows ctl (to
 * ask); used by ask.c.  One thread.
 */
#ifndef CTL_KEPT_H
#define CTL_KEPT_H

#include "proto/counters.h"
#include "proto/msg.h"

struct ctl;

#define KEPT_LISTS (ECP_SHOW_ENDPOINTS + 1)

struct kept_list {
	uint8_t *items; /* of its kind, as in a page */
	uint32_t *rows; /* where the counters of each are; KEPT_NONE: it has none */
	size_t n, room;
	uint64_t changed; /* when it was asked for */
	bool whole;       /* it can be shown */
};
#define KEPT_NONE UINT32_MAX

/* Begins as all zeros. */
struct kept {
	bool wanted; /* by the command that runs */
	bool asked;
	const struct ecp_counters_head *head; /* NULL: there is no memory to read */
	size_t size;                          /* of it, as far as it is mapped */
	int fd;                               /* of it */
	bool open;                            /* fd is */
	uint32_t relays, clients;             /* rows, as the head said once */
	struct kept_list lists[KEPT_LISTS];
	struct ecp_status status;
	bool have_status;
	int64_t status_ns; /* when it was asked for */
};

/* From now on lists are kept. */
void kept_begin(struct ctl *ctl);
/* The daemon is another one, or gone. */
void kept_forget(struct ctl *ctl);
/* Whoever only reads its memory would not notice that it is gone. */
bool kept_is_connected(const struct ctl *ctl);

/* A list will be asked for, here are its pages; the last one has no more. */
void kept_list_begin(struct ctl *ctl, enum ecp_show what);
void kept_list_add(struct ctl *ctl, const struct ecp_page *page);

/* May the list be shown without asking?  Then its page from that item on, with counters of now. */
bool kept_is_current(struct ctl *ctl, enum ecp_show what);
void kept_page(struct ctl *ctl, enum ecp_show what, uint64_t first, struct ecp_page *page);

/* The same for the daemon's status: false, ask; and keep it. */
bool kept_status(struct ctl *ctl, struct ecp_status *status);
void kept_status_add(struct ctl *ctl, const struct ecp_status *status);

#endif
