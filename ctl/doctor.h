/*
 * doctor.h - what the checks of `etherconnctl doctor` share.
 *
 *   doctor.c             the daemon and its socket, and how findings are printed
 *   doctor_interface.c   an interface: link, MTU, addresses, offloads
 *
 * A fault keeps frames or clients away, or will; a note is worth knowing.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/ctl.h"

enum doctor_level { DOCTOR_FINE, DOCTOR_NOTE, DOCTOR_FAULT };

struct finding {
	enum doctor_level level;
	const char *check;     /* one word */
	const char *interface; /* NULL: it is about the daemon */
	char text[320];        /* what is wrong, or what is fine */
	char mend[200];        /* the command that mends it, or "" */
};

struct doctor {
	struct ctl *ctl;
	unsigned n_faults, n_printed;
};

/* The finding's level and sentence; returns it. */
struct finding *finding_set(struct finding *finding, enum doctor_level level,
			    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The command that mends it. */
void finding_mend(struct finding *finding, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print it, and count it if it is a fault. */
void doctor_report(struct doctor *doctor, const struct finding *finding);

/* What the daemon knows of an interface. */
struct doctor_served {
	bool known;        /* all the rest is known */
	bool has_two_tags; /* an endpoint with two VLAN tags stands on it */
	uint64_t oversize; /* frames that were too long */
};

/* All checks of one interface. */
void doctor_check_interface(struct doctor *doctor, const char *interface,
			    const struct doctor_served *served);

#endif
