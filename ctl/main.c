/*
 * main.c - etherconnctl(8): options, and the table of commands.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name, *arguments, *text;
	enum ctl_exit (*run)(struct ctl *, int, char **);
} commands[] = {
    {"status", "", "the daemon: version, process, what it serves", cmd_status},
    {"show", "relays|clients|endpoints", "a list, with the counters of each", cmd_show},
    {"stats", "", "every counter of each relay, and what it means", cmd_stats},
    {"log", "error|warning|info|debug", "how much the daemon says", cmd_log},
    {"policy", "test USER[:GROUP] MAC|VLANS [IP:PORT]",
     "would the policy let that user have it?", cmd_policy},
    {"kill", "CLIENT", "end the connection of the client of this number", cmd_kill},
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static void usage(FILE *to)
{
	fputs("usage: etherconnctl [-i IF | -s SOCKET] [-j [-p]] [-a] COMMAND\n\n", to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-6s %-26s %s\n", commands[i].name, commands[i].arguments,
			commands[i].text);
	fputs("\n"
	      "  -i, --interface IF  the daemon that serves this interface\n"
	      "  -s, --socket PATH   the daemon at this socket (default $ETHERCONN_SOCKET, "
	      "else\n"
	      "                      " ECP_SOCK_PATH ")\n"
	      "  -j, --json          one JSON document instead of text\n"
	      "  -p, --pretty        with -j: indented\n"
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
	    {"pretty", no_argument, NULL, 'p'},
	    {"all", no_argument, NULL, 'a'},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	int c;
	*code = CTL_USAGE;
	while ((c = getopt_long(argc, argv, "s:i:jpahV", options, NULL)) != -1) {
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
		case 'p':
			ctl->pretty = true;
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

/* On a terminal that has colours, unless told not to (no-color.org). */
static bool want_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") && !(no && *no);
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
	ctl.colour = want_colour();
	code = ctl_connect(&ctl);
	if (code == CTL_OK)
		code = command->run(&ctl, argc - optind - 1, argv + optind + 1);
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		code = ctl_complain(CTL_FAILED, "writing: %s", strerror(errno));
	return code;
}
