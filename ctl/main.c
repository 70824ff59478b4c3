/*
 * main.c - etherconnctl(8): options, the table of commands, the connection.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
	const char *name, *arguments, *text;
	enum ctl_exit (*run)(struct ctl *, int, char **);
} commands[] = {
    {"status", "", "the daemon: version, process, what it serves", cmd_status},
    {"show", "relays|clients|endpoints", "a list, with the counters of each", cmd_show},
    {"stats", "", "every counter of each relay, and what it means", cmd_stats},
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage(FILE *to)
{
	fputs("usage: etherconnctl [-i IF | -s SOCKET] [-j] [-a] COMMAND\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-6s %-26s %s\n", commands[i].name, commands[i].arguments,
			commands[i].text);
	fputs("\n"
	      "  -i, --interface IF  the daemon that serves this interface\n"
	      "  -s, --socket PATH   the daemon at this socket (default $ETHERCONN_SOCKET, "
	      "else\n"
	      "                      " ECP_SOCK_PATH ")\n"
	      "  -j, --json          one JSON document instead of text\n"
	      "  -a, --all           stats: counters that are zero, too\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       version\n",
	      to);
}

enum ctl_exit ctl_complain(enum ctl_exit code, const char *format, ...)
{
	va_list args;
	fflush(stdout);
	fputs("etherconnctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

/* ---- the daemon ---- */

static enum ctl_exit ctl_connect(struct ctl *ctl)
{
	ctl->fd = ecp_sock_connect(ctl->socket);
	switch (ctl->fd) {
	case -ENOENT:
	case -ECONNREFUSED:
		return ctl_complain(CTL_FAILED,
				    "no daemon answers at %s: is etherconnd running?",
				    ctl->socket);
	case -EACCES:
		return ctl_complain(CTL_FAILED,
				    "%s: permission denied: you are not in its group",
				    ctl->socket);
	default:
		if (ctl->fd < 0)
			return ctl_complain(CTL_FAILED, "%s: %s", ctl->socket,
					    strerror(-ctl->fd));
		return CTL_OK;
	}
}

enum ctl_exit ctl_ask(struct ctl *ctl, enum ecp_reply_type expected)
{
	struct ecp_error err = {0};
	if (ecp_ask(ctl->fd, &ctl->request, &ctl->reply, ctl->text, NULL, NULL, &err) < 0)
		return ctl_complain(CTL_FAILED, "%s", err.text);
	if (ctl->reply.type == ECP_REP_ERROR)
		return ctl_complain(CTL_FAILED, "%s", ctl->reply.error.text);
	if (ctl->reply.type != expected)
		return ctl_complain(CTL_FAILED, "the daemon answered something else");
	return CTL_OK;
}

enum ctl_exit ctl_pages(struct ctl *ctl, enum ecp_show what, ctl_page_fn *fn)
{
	uint64_t after = 0;
	bool first = true;
	do {
		ctl->request.type = ECP_REQ_SHOW;
		ctl->request.show = (struct ecp_show_request){.what = what, .after = after};
		enum ctl_exit r = ctl_ask(ctl, ECP_REP_PAGE);
		if (r != CTL_OK)
			return r;
		fn(ctl, &ctl->reply.page, first);
		after = ctl->reply.page.next;
		first = false;
	} while (ctl->reply.page.more);
	return CTL_OK;
}

/* ---- the command line ---- */

/* A command by its name or an unambiguous beginning of it; NULL, having complained. */
static const struct command *find_command(const char *name)
{
	const struct command *found = NULL;
	size_t len = strlen(name);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		if (strncmp(commands[i].name, name, len))
			continue;
		if (found) {
			ctl_complain(CTL_USAGE, "\"%s\" may be %s or %s", name, found->name,
				     commands[i].name);
			return NULL;
		}
		found = &commands[i];
	}
	if (!found)
		ctl_complain(CTL_USAGE, "there is no command \"%s\"; --help lists them",
			     name);
	return found;
}

/* Take the options.  CTL_OK with the command at argv[optind], or an exit code in *code. */
static bool take_options(struct ctl *ctl, int argc, char **argv, enum ctl_exit *code)
{
	static const struct option options[] = {
	    {"interface", required_argument, NULL, 'i'},
	    {"socket", required_argument, NULL, 's'},
	    {"json", no_argument, NULL, 'j'},
	    {"all", no_argument, NULL, 'a'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;
	*code = CTL_USAGE;
	while ((c = getopt_long(argc, argv, "s:i:jahV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			ctl->socket = optarg;
			break;
		case 'i':
			ctl->interface = optarg;
			break;
		case 'j':
			ctl->json = true;
			break;
		case 'a':
			ctl->all = true;
			break;
		case 'h':
			usage(stdout);
			*code = CTL_OK;
			return false;
		case 'V':
			puts("etherconnctl " EC_VERSION);
			*code = CTL_OK;
			return false;
		default:
			return false; /* getopt has said what is wrong */
		}
	}
	if (optind < argc)
		return true;
	usage(stderr);
	return false;
}

int main(int argc, char **argv)
{
	static struct ctl ctl;
	enum ctl_exit code;
	char found[ECP_SOCK_ROOM];
	if (!take_options(&ctl, argc, argv, &code))
		return code;
	if (!ctl.socket)
		ctl.socket = ecp_sock_find(ctl.interface, found);
	const struct command *command = find_command(argv[optind]);
	if (!command)
		return CTL_USAGE;
	code = ctl_connect(&ctl);
	if (code == CTL_OK)
		code = command->run(&ctl, argc - optind - 1, argv + optind + 1);
	if (fflush(stdout) != 0 && code == CTL_OK)
		code = ctl_complain(CTL_FAILED, "writing: %s", strerror(errno));
	return code;
}
