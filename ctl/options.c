/*
 * options.c - one table of options: getopt, the usage and the completion are made from it.
 */
#include "ctl/options.h"

#include "proto/channel.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct ctl_option ctl_option_rows[] = {
    {'i', 'i', "interface", "IF", "the daemon that serves this interface"},
    {'s', 's', "socket", "PATH",
     "the daemon at this socket (default $ETHERCONN_SOCKET, else\n"
     "                        " ECP_SOCK_PATH ")"},
    {'a', 'a', "all", NULL, "counters that are zero, too; checks that found nothing"},
    {'b', 'b', "brief", NULL, "fewer columns, no titles (also -br)"},
    {'j', 'j', "json", NULL, "one JSON document instead of text"},
    {'p', 'p', "pretty", NULL, "with -j: indented"},
    {'h', 'h', "help", NULL, "this text; behind a command: its own"},
    {'V', 'V', "version", NULL, "version"},
    {'I', 'i', "interval", "SECONDS", "so often"},
    {'C', 'c', "count", "N", "so many times, then exit"},
    {'W', 'w', "write", "FILE", "to this file; -: standard output"},
    {'N', 's', "snaplen", "BYTES", "of each frame at most"},
    {'B', 'B', "buffer", "KIB", "between the daemon and here (64 to 65536)"},
    {'L', 'l', "listen", NULL, "for anybody; answers go to whoever was heard last"},
    {'T', 'w', "wait", "SECONDS", "for an answer at most so long"},
    {'H', 'H', "http", NULL, "answer the HTTP request on standard input (inetd)"},
    {'F', 't', "textfile", NULL,
     "in the older text format, for node_exporter's textfile collector"},
};

#define N_COMMON 8

const unsigned n_common_options = N_COMMON;
const unsigned n_ctl_options = sizeof(ctl_option_rows) / sizeof(*ctl_option_rows);

#define MAX_OPTIONS 32
#define LONG_ONLY   256 /* a long option's value: this and its row */

bool option_is_of(const struct ctl_option *option, const struct command *command)
{
	bool common = option - ctl_option_rows < N_COMMON;
	if (!command)
		return common;
	return !common && command->options && strchr(command->options, option->id);
}

bool ctl_number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value > max)
		return false;
	*ret = value;
	return true;
}

/* ---- help ---- */

static void print_option(FILE *to, const struct ctl_option *option)
{
	char text[40];
	snprintf(text, sizeof(text), "-%c, --%s%s%s", option->letter, option->name,
		 option->argument ? " " : "", option->argument ? option->argument : "");
	fprintf(to, "  %-21s %s\n", text, option->text);
}

static void print_options(FILE *to, const struct command *command)
{
	for (unsigned i = 0; i < n_ctl_options; i++)
		if (option_is_of(&ctl_option_rows[i], command))
			print_option(to, &ctl_option_rows[i]);
}

static void print_usage(FILE *to)
{
	fputs("usage: etherconnctl [OPTION]... COMMAND [OPTION | ARGUMENT]...\n\n", to);
	for (unsigned i = 0; i < n_commands; i++)
		fprintf(to, "  %-10s %s%s%s\n", commands[i].name, commands[i].arguments,
			*commands[i].arguments ? ": " : "", commands[i].text);
	fputs("\nOptions, before a command or behind it:\n", to);
	print_options(to, NULL);
	for (unsigned i = 0; i < n_commands; i++) {
		if (!commands[i].options)
			continue;
		fprintf(to, "\nBehind %s:\n", commands[i].name);
		print_options(to, &commands[i]);
	}
}

static void print_command_usage(FILE *to, const struct command *command)
{
	fprintf(to, "usage: etherconnctl %s [OPTION]... %s\n%s\n", command->name,
		command->arguments, command->text);
	if (command->options)
		fputc('\n', to);
	if (command->options)
		print_options(to, command);
}

/* ---- taking them ---- */

/* Seconds, perhaps a fraction of one, of a millisecond to a day. */
static bool take_seconds(const char *text, unsigned *ret_ms)
{
	char *end;
	double seconds = strtod(text, &end);
	if (end == text || *end || !(seconds >= 0.001 && seconds <= 86400))
		return false;
	*ret_ms = (unsigned)(seconds * 1000 + 0.5);
	return true;
}

static bool take_u32(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t number;
	if (!ctl_number(text, max, &number) || number < min)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool take_value(struct ctl_options *options, char id, const char *value)
{
	switch (id) {
	case 'i':
		options->interface = value;
		return true;
	case 's':
		options->socket = value;
		return true;
	case 'a':
		return options->all = true;
	case 'b':
		return options->brief = true;
	case 'j':
		return options->json = true;
	case 'p':
		return options->pretty = true;
	case 'H':
		return options->http = true;
	case 'F':
		return options->textfile = true;
	case 'I':
		return take_seconds(value, &options->interval_ms);
	case 'T':
		return take_seconds(value, &options->wait_ms);
	case 'L':
		return options->listen = true;
	case 'W':
		options->write = value;
		return true;
	case 'N':
		return take_u32(value, 1, UINT16_MAX, &options->snaplen);
	case 'B':
		return take_u32(value, ECP_RING_MIN >> 10, ECP_RING_MAX >> 10,
				&options->buffer_kib);
	case 'C':
		return ctl_number(value, UINT32_MAX, &options->count) && options->count;
	}
	return false;
}

/* What getopt wants to know. */
struct grammar {
	char letters[2 * MAX_OPTIONS + 2];
	struct option names[MAX_OPTIONS];
	unsigned n;
};

static void add_option(struct grammar *grammar, const struct ctl_option *row)
{
	size_t len = strlen(grammar->letters);
	if (!strchr(grammar->letters, row->letter))
		snprintf(grammar->letters + len, sizeof(grammar->letters) - len, "%c%s",
			 row->letter, row->argument ? ":" : "");
	grammar->names[grammar->n++] = (struct option){
	    .name = row->name,
	    .has_arg = row->argument ? required_argument : no_argument,
	    .val = LONG_ONLY + (int)(row - ctl_option_rows),
	};
}

/* A command's own come first, and so win where letters are the same. */
static void make_grammar(struct grammar *grammar, const struct command *command)
{
	bool stops = !command || command->traits & COMMAND_NESTS;
	*grammar = (struct grammar){.letters = ""};
	if (stops)
		strcpy(grammar->letters, "+");
	for (unsigned i = 0; command && i < n_ctl_options; i++)
		if (option_is_of(&ctl_option_rows[i], command))
			add_option(grammar, &ctl_option_rows[i]);
	for (unsigned i = 0; i < N_COMMON; i++)
		add_option(grammar, &ctl_option_rows[i]);
}

/* The row of what getopt returned; NULL: it has said what is wrong. */
static const struct ctl_option *find_row(int c, const struct command *command)
{
	if (c >= LONG_ONLY)
		return &ctl_option_rows[c - LONG_ONLY];
	for (unsigned i = 0; command && i < n_ctl_options; i++)
		if (ctl_option_rows[i].letter == c &&
		    option_is_of(&ctl_option_rows[i], command))
			return &ctl_option_rows[i];
	for (unsigned i = 0; i < N_COMMON; i++)
		if (ctl_option_rows[i].letter == c)
			return &ctl_option_rows[i];
	return NULL;
}

/* ip(8) writes -br, which would be -b -r. */
static void spell_out_brief(int argc, char **argv)
{
	static char brief[] = "--brief";
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (!strcmp(argv[i], "-br"))
			argv[i] = brief;
}

/* Help and version end the program; true if it was one of these. */
static bool is_answered(const struct ctl_option *row, const struct command *command)
{
	if (row->id == 'V')
		puts("etherconnctl " EC_VERSION);
	else if (row->id == 'h' && command)
		print_command_usage(stdout, command);
	else if (row->id == 'h')
		print_usage(stdout);
	return row->id == 'V' || row->id == 'h';
}

int options_take(struct ctl *ctl, const struct command *command, int argc, char **argv,
		 enum ctl_exit *code)
{
	static char name[] = "etherconnctl";
	struct grammar grammar;
	int c;
	make_grammar(&grammar, command);
	spell_out_brief(argc, argv);
	argv[0] = name; /* getopt's complaints begin with it */
	optind = 0;     /* begin anew */
	*code = CTL_USAGE;
	while ((c = getopt_long(argc, argv, grammar.letters, grammar.names, NULL)) != -1) {
		const struct ctl_option *row = find_row(c, command);
		if (!row)
			return -1;
		if (is_answered(row, command)) {
			*code = CTL_OK;
			return -1;
		}
		if (!take_value(&ctl->options, row->id, optarg)) {
			ctl_complain(CTL_USAGE, "--%s: \"%s\" will not do", row->name,
				     optarg);
			return -1;
		}
	}
	if (!command && optind == argc) {
		print_usage(stderr);
		return -1;
	}
	return optind;
}
