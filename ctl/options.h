/*
 * options.h - the command line's options: those of every command, and those of a few.
 *
 *   etherconnctl [OPTION]... COMMAND [OPTION | ARGUMENT]...
 *
 * Behind a command its own options go before those of all: -i is an interface before `stats`
 * and an interval behind it.
 */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "ctl/command.h"

struct ctl_option {
	char id, letter;
	const char *name, *argument, *text; /* argument NULL: takes none */
};

/* The options of every command come first, n_common_options of them. */
extern const struct ctl_option ctl_option_rows[];
extern const unsigned n_common_options, n_ctl_options;

/* Is this one of the command's own (of every command's, with command NULL)? */
bool option_is_of(const struct ctl_option *option, const struct command *command);

/*
 * Take the options behind argv[0], which are the command's (NULL: those before a command).
 * Returns the index of the first word that is none, or -1: there is nothing more to do but
 * exit with *code.
 */
int options_take(struct ctl *ctl, const struct command *command, int argc, char **argv,
		 enum ctl_exit *code);

#endif
