/*
 * steer.c - the commands by which an operator steers the daemon: log, kill.
 */
#include "ctl/ctl.h"

#include <stdlib.h>

const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

enum ctl_exit cmd_log(struct ctl *ctl, int argc, char **argv)
{
	if (argc != 1)
		return ctl_complain(CTL_USAGE, "log error|warning|info|debug");
	struct ecp_log *log = &ctl->request.log;
	int level = ctl_word(log_levels, argv[0]);
	if (level < 0)
		return CTL_USAGE;
	ctl->request.type = ECP_REQ_LOG;
	snprintf(log->level, sizeof(log->level), "%s", log_levels[level]);
	return ctl_ask(ctl, ECP_REP_DONE);
}

enum ctl_exit cmd_kill(struct ctl *ctl, int argc, char **argv)
{
	char *end;
	if (argc != 1)
		return ctl_complain(CTL_USAGE, "kill CLIENT: its number in `show clients`");
	unsigned long id = strtoul(argv[0], &end, 10);
	if (*end || !*argv[0] || id == 0 || id > UINT32_MAX)
		return ctl_complain(CTL_USAGE, "\"%s\" is no client's number", argv[0]);
	ctl->request.type = ECP_REQ_KILL;
	ctl->request.kill.client = (uint32_t)id;
	return ctl_ask(ctl, ECP_REP_DONE);
}
