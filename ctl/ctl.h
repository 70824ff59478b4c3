/*
 * ctl.h - what the commands of etherconnctl share.
 *
 *   main.c      talk on stderr                    show.c   show
 *   command.c   the table of commands             drops.c  show drops
 *   options.c   the table of options              stats.c  status, stats
 *   neigh.c     show neigh
 *   ask.c       the connection, lists by pages    steer.c  log, kill
 *   kept.c      lists that are kept; counters
 *   filter.c    which objects of a list           policy.c policy, show policy
 *   flow.c      counters per second               rates.c  stats -i, watch
 *   doctor.c, doctor_interface.c    doctor        metrics.c, http.c   metrics
 *   capture.c, ring.c, pcapng.c, expression.c    capture
 *   monitor.c   monitor                           claim.c, udp.c, arping.c   udp, arping
 *   top.c, top_sample.c, top_draw.c, top_rows.c, screen.c    top
 *   completion.c    completion
 *   table.c     text for people                   document.c   JSON for programs
 *
 * A command is one row in command.c's table and one function: ask the daemon, print on stdout.
 * Talk goes to stderr.
 */
#ifndef CTL_H
#define CTL_H

#include "ctl/document.h"
#include "ctl/kept.h"
#include "ctl/table.h"
#include "proto/msg.h"

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct filter;

/* What the command line says.  A nested command has its own. */
struct ctl_options {
	const char *socket, *interface; /* of the daemon; NULL: any */
	bool all, brief, http, json, listen, pretty, textfile;
	unsigned interval_ms, wait_ms; /* 0: none given */
	uint64_t count;                /* 0: without end */
	const char *write;             /* to this file; NULL: none given */
	uint32_t snaplen;              /* bytes; 0: all */
	uint32_t buffer_kib;           /* 0: none given */
};

struct ctl {
	int fd;                    /* connected to the daemon */
	const char *socket;        /* its path */
	char found[ECP_SOCK_ROOM]; /* ... where that had to be found */
	bool
	    patient; /* nothing was answered yet: a daemon that ends may be followed by another */
	bool watched; /* the command will run again: the connection stays */
	struct ctl_options options;
	bool colour;
	bool listed;           /* an object stands in the JSON list that is written */
	struct filter *filter; /* of the lists that are asked for, or NULL */
	struct table table;
	struct document document;
	struct kept kept;
	struct ecp_request request;
	struct ecp_reply reply;
	char text[ECP_MSG_MAX + 1];
};

/* Say what is wrong, with the program's name in front, and return code. */
enum ctl_exit ctl_complain(enum ctl_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Let this one have the sentences instead of stderr; NULL: stderr again. */
typedef void ctl_talk_fn(const char *sentence);
void ctl_talk_to(ctl_talk_fn *fn);

/*
 * The index in words (NULL-terminated) of text or of what it is an unambiguous beginning of;
 * -1, having complained.
 */
int ctl_word(const char *const *words, const char *text);

/* A decimal number up to max and nothing else. */
bool ctl_number(const char *text, uint64_t max, uint64_t *ret);

/* Connect to the daemon that the options name: 0 or -errno; ctl->socket is where. */
int ctl_open(struct ctl *ctl);
/* Forget that daemon, if there is one. */
void ctl_close(struct ctl *ctl);
/* The same.  CTL_OK, or it has complained. */
enum ctl_exit ctl_connect(struct ctl *ctl);

/* Ask ctl->request; the answer, of this type, is in ctl->reply.  CTL_OK, or it complained. */
enum ctl_exit ctl_ask(struct ctl *ctl, enum ecp_reply_type expected);
/* The same, with the descriptors that come with it; as ecp_ask(). */
enum ctl_exit ctl_ask_fds(struct ctl *ctl, enum ecp_reply_type expected, int *fds,
			  unsigned *n_fds);

/* The daemon's status, into ctl->reply. */
enum ctl_exit ctl_ask_status(struct ctl *ctl);

/*
 * Called with each page of a list, in order, without the objects that ctl->filter leaves out.
 * A list has one page at least; the last one has no more.
 */
typedef void ctl_page_fn(struct ctl *ctl, const struct ecp_page *page, bool first);
enum ctl_exit ctl_pages(struct ctl *ctl, enum ecp_show what, ctl_page_fn *fn);

/* A page of a list as part of one JSON document, {"relays":[...]} and the like. */
ctl_page_fn ctl_page_json;

/* ctl->reply as a document of its own. */
void ctl_reply_json(struct ctl *ctl);

/* One object of a list, or what else is written by w into ctl->text, after those before it. */
void ctl_list_begin(struct ctl *ctl, const char *name);
void ctl_list_add(struct ctl *ctl); /* ctl->text */
void ctl_list_end(struct ctl *ctl);

/* The commands; argv begins behind the command's own word. */
enum ctl_exit cmd_status(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_show(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_stats(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_doctor(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_metrics(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_top(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_watch(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_capture(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_monitor(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_udp(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_arping(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_log(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_policy(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_kill(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_completion(struct ctl *ctl, int argc, char **argv);

enum ctl_exit show_policy(struct ctl *ctl, int n_words); /* words behind `show policy` */
enum ctl_exit show_drops(struct ctl *ctl, struct filter *filter);
enum ctl_exit show_neigh(struct ctl *ctl, const struct filter *filter);

/* What the first argument may be; NULL-terminated. */
extern const char *const show_lists[];
extern const char *const log_levels[];
extern const char *const policy_words[];
extern const char *const completion_shells[];

/* Print rates every so often, count times; 0: without end. */
enum ctl_exit rates_run(struct ctl *ctl, unsigned interval_ms, uint64_t count);

#endif
