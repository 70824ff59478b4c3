/*
 * command.c - the commands, and how one is found and run.
 */
#include "ctl/command.h"

#include "ctl/claim.h"
#include "ctl/filter.h"
#include "ctl/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

const struct command commands[] = {
    {"status", "", "the daemon: version, process, what it serves", .run = cmd_status},
    {"show", "relays|clients|endpoints|policy|drops|neigh [KEY VALUE]...",
     "a list, with the counters of each", .words = show_lists, .keys = filter_keys,
     .options = "T", .run = cmd_show},
    {"stats", "[COUNT]",
     "every counter of each relay, and what it means; with -i, rates, COUNT times",
     .options = "I", .run = cmd_stats},
    {"doctor", "", "what is wrong with daemon and interface, and what mends it",
     .traits = COMMAND_OFFLINE, .run = cmd_doctor},
    {"metrics", "", "all counters as OpenMetrics text", .options = "HF",
     .traits = COMMAND_OFFLINE, .run = cmd_metrics},
    {"top", "", "clients and endpoints, the busiest first, on a screen", .options = "I",
     .traits = COMMAND_OFFLINE | COMMAND_ALONE, .run = cmd_top},
    {"watch", "COMMAND [ARGUMENT]...", "a command again and again", .options = "IC",
     .traits = COMMAND_OFFLINE | COMMAND_NESTS | COMMAND_ALONE, .run = cmd_watch},
    {"capture", "[KEY VALUE]... [EXPRESSION]",
     "all frames, what was dropped with the reason, as pcapng for tcpdump and Wireshark",
     .options = "WCNB", .keys = filter_keys, .traits = COMMAND_ALONE, .run = cmd_capture},
    {"monitor", "", "what happens, a line for each event; -j: a JSON object",
     .options = "C", .traits = COMMAND_ALONE, .run = cmd_monitor},
    {"udp", "mac MAC [KEY VALUE]... [ADDRESS PORT]",
     "datagrams from standard input and to standard output, as nc -u", .options = "LTC",
     .keys = claim_keys, .traits = COMMAND_OFFLINE | COMMAND_ALONE, .run = cmd_udp},
    {"arping", "mac MAC [KEY VALUE]... ADDRESS",
     "who has this address, by ARP or Neighbour Discovery", .options = "TC",
     .keys = claim_keys, .traits = COMMAND_OFFLINE | COMMAND_ALONE, .run = cmd_arping},
    {"log", "error|warning|info|debug", "how much the daemon says", .words = log_levels,
     .run = cmd_log},
    {"policy", "test USER[:GROUP] MAC|VLANS [IP:PORT]",
     "would the policy let that user have it?", .words = policy_words, .run = cmd_policy},
    {"kill", "CLIENT", "end the connection of the client of this number", .run = cmd_kill},
    {"completion", "bash|zsh", "shell functions that complete what is typed",
     .words = completion_shells, .traits = COMMAND_OFFLINE, .run = cmd_completion},
};

const unsigned n_commands = sizeof(commands) / sizeof(*commands);

const struct command *command_find(const char *name)
{
	const struct command *found = NULL;
	size_t len = strlen(name);
	for (unsigned i = 0; i < n_commands; i++) {
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

static enum ctl_exit run_connected(struct ctl *ctl, const struct command *command, int argc,
				   char **argv)
{
	bool again = ctl->watched && ctl->fd >= 0 && kept_is_connected(ctl);
	enum ctl_exit code = again ? CTL_OK : ctl_connect(ctl);
	if (code != CTL_OK)
		return code;
	ctl->patient = true;
	code = command->run(ctl, argc, argv);
	if (!ctl->watched || code != CTL_OK)
		ctl_close(ctl);
	return code;
}

enum ctl_exit command_run(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_options before = ctl->options;
	const struct command *command = command_find(argv[0]);
	enum ctl_exit code = CTL_USAGE;
	if (!command)
		return CTL_USAGE;
	int first = options_take(ctl, command, argc, argv, &code);
	if (first >= 0) {
		argc -= first;
		argv += first;
		code = command->traits & COMMAND_OFFLINE
			   ? command->run(ctl, argc, argv)
			   : run_connected(ctl, command, argc, argv);
	}
	ctl->options = before;
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == CTL_OK)
		code = ctl_complain(CTL_FAILED, "writing: %s", strerror(errno));
	return code;
}
