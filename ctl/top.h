/*
 * top.h - `etherconnctl top`: who does what, on a screen that changes.
 *
 *   top_sample.c: lists -> flow_history -> top_rows        top_draw.c: top_rows -> screen
 *   top.c: keys change what is drawn at once, and what is sampled the next time
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include "ctl/ctl.h"
#include "ctl/top_rows.h"

#define NS_PER_MS  1000000
#define RELAYS_MAX 8

struct relay_line {
	char interface[ECP_IFNAME];
	bool up;
	struct flow rate;
	uint64_t drops;
};

struct top {
	struct ecp_status status;
	struct relay_line relays[RELAYS_MAX];
	unsigned n_relays;
	struct top_rows rows;
	struct flow_history clients, endpoints; /* the first with the relays */
	uint32_t chosen, chosen_id; /* the row under the bar: client, endpoint */
	uint32_t only;              /* whose endpoints; 0: everybody's */
	unsigned at, first;         /* index of the bar and of the first line */
	unsigned interval_ms;
	int64_t next_ns;
	bool help, done;
	char trouble[TOP_LINE]; /* why there is nothing to show; "": there is no trouble */
};

extern struct top top;

/* Fill rows with what the daemon says now, and set the time of the next sample. */
enum ctl_exit top_sample(struct ctl *ctl);
/* The bar stays on what it was on, wherever that stands now. */
void top_find_chosen(void);

void top_draw(void);

#endif
