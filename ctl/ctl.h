/*
 * ctl.h - what the commands of etherconnctl share.
 *
 *   main.c     options, the table of commands     show.c   show
 *   ask.c      the connection, lists by pages     stats.c  status, stats
 *                                                 steer.c  log, kill
 *                                                 policy.c policy
 *   table.c    text for people                    document.c   JSON for programs
 *
 * A command is one row in main.c's table and one function: ask the daemon, print on stdout.
 * Talk goes to stderr.
 */
#ifndef CTL_H
#define CTL_H

#include "ctl/document.h"
#include "ctl/table.h"
#include "proto/msg.h"

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	int fd;                /* connected to the daemon */
	const char *socket;    /* its path */
	const char *interface; /* asked for by this, or NULL */
	bool json, pretty, all, colour;
	struct table table;
	struct document document;
	struct ecp_request request;
	struct ecp_reply reply;
	char text[ECP_MSG_MAX + 1];
};

/* Say what is wrong, with the program's name in front, and return code. */
enum ctl_exit ctl_complain(enum ctl_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Connect to the daemon at ctl->socket.  CTL_OK, or it has complained. */
enum ctl_exit ctl_connect(struct ctl *ctl);

/* Ask ctl->request; the answer, of this type, is in ctl->reply.  CTL_OK, or it complained. */
enum ctl_exit ctl_ask(struct ctl *ctl, enum ecp_reply_type expected);

/* Called with each page of a list, in order.  A list has one page at least. */
typedef void ctl_page_fn(struct ctl *ctl, const struct ecp_page *page, bool first);
enum ctl_exit ctl_pages(struct ctl *ctl, enum ecp_show what, ctl_page_fn *fn);

/* A page of a list as part of one JSON document, {"relays":[...]} and the like. */
ctl_page_fn ctl_page_json;

/* The commands; argv begins behind the command's own word. */
enum ctl_exit cmd_status(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_show(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_stats(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_log(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_policy(struct ctl *ctl, int argc, char **argv);
enum ctl_exit cmd_kill(struct ctl *ctl, int argc, char **argv);

#endif
