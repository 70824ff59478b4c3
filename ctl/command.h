/*
 * command.h - the table of commands: usage, completion and dispatch are made from it.
 *
 * A new command is one row in command.c and one function.
 */
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include "ctl/ctl.h"

enum command_traits {
	COMMAND_OFFLINE = 1 << 0, /* connects by itself, or not at all */
	COMMAND_NESTS = 1 << 1,   /* the rest of the line is a command of its own */
	COMMAND_ALONE = 1 << 2,   /* makes no sense again and again */
};

struct command {
	const char *name, *arguments, *text;
	const char *options;      /* its own, by their ids in options.c, or NULL */
	const char *const *words; /* what its first argument may be, or NULL */
	const char *const *keys;  /* what may follow, with a value each, or NULL */
	unsigned traits;          /* enum command_traits */
	enum ctl_exit (*run)(struct ctl *ctl, int argc, char **argv);
};

extern const struct command commands[];
extern const unsigned n_commands;

/* A command by its name or an unambiguous beginning of it; NULL, having complained. */
const struct command *command_find(const char *name);

/*
 * Run the command at argv[0]: take its options, connect if it wants that, and print.  Options
 * set in ctl stay for it only.
 */
enum ctl_exit command_run(struct ctl *ctl, int argc, char **argv);

#endif
