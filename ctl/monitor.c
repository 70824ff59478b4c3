/*
 * monitor.c - `etherconnctl monitor`: what happens in the daemon, a line for each event.
 */
#include "ctl/ctl.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static void print_time(uint64_t time_us)
{
	char text[16];
	time_t s = (time_t)(time_us / 1000000);
	struct tm tm;
	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&s, &tm));
	printf("%s.%03u  ", text, (unsigned)(time_us / 1000 % 1000));
}

static void print_count(uint64_t n, const char *what)
{
	printf(" %llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}

static void print_opened(const struct ecp_event *e)
{
	print_count(e->n, "endpoint");
	if (e->text[0])
		printf(", %s%s", e->n > 1 ? "first " : "", e->text);
	if (e->failed)
		printf(", %llu refused", (unsigned long long)e->failed);
}

/* What is particular to each. */
static void print_details(const struct ecp_event *e)
{
	switch (e->type) {
	case ECP_EVENT_ATTACHED:
	case ECP_EVENT_CAPTURING:
		printf(" uid %u", e->uid);
		break;
	case ECP_EVENT_GONE:
		print_count(e->n, "endpoint");
		printf(": %s", e->text);
		break;
	case ECP_EVENT_OPENED:
		print_opened(e);
		break;
	case ECP_EVENT_CLOSED:
		print_count(e->n, "endpoint");
		break;
	case ECP_EVENT_DENIED:
		print_count(e->n, "time");
		printf(": %s: %s", ecp_errno_name(e->code), e->text);
		break;
	case ECP_EVENT_INTERFACE:
		fputs(e->up ? " up" : " down", stdout);
		break;
	case ECP_EVENT_POLICY:
		print_count(e->n, "rule");
		printf(" from %s", e->text);
		break;
	case ECP_EVENT_POLICY_REFUSED:
	case ECP_EVENT_LOG_LEVEL:
		printf(" %s", e->text);
		break;
	case ECP_EVENT_LOST:
		print_count(e->n, "event");
		break;
	}
}

static void print_event(const struct ecp_event *e)
{
	print_time(e->time_us);
	printf("%-15s", ecp_event_name(e->type));
	if (e->client)
		printf(" %u %s[%u]", e->client, e->comm, e->pid);
	if (e->interface[0])
		printf(" %s", e->interface);
	print_details(e);
	putchar('\n');
}

/* The next message in ctl->text.  CTL_OK, or it has complained. */
static enum ctl_exit receive(struct ctl *ctl)
{
	ssize_t len = ecp_sock_recv(ctl->fd, ctl->text, ECP_MSG_MAX, NULL, NULL);
	if (len == 0 || len == -ECONNRESET)
		return ctl_complain(CTL_FAILED, "the daemon has closed the connection");
	if (len < 0)
		return ctl_complain(CTL_FAILED, "the daemon: %s", strerror((int)-len));
	ctl->text[len] = 0;
	return CTL_OK;
}

/* An event that is not known here comes from a newer daemon: as JSON it is passed on. */
static void show(const struct ctl *ctl)
{
	struct ecp_event event;
	struct ecp_error err = {0};
	if (ctl->options.json)
		puts(ctl->text);
	else if (ecp_event_parse(ctl->text, strlen(ctl->text), &event, &err) == 0)
		print_event(&event);
}

enum ctl_exit cmd_monitor(struct ctl *ctl, int argc, char **argv)
{
	const uint64_t count = ctl->options.count;
	(void)argv;
	if (argc)
		return ctl_complain(CTL_USAGE, "monitor takes no argument");
	ctl->request.type = ECP_REQ_MONITOR;
	enum ctl_exit code = ctl_ask(ctl, ECP_REP_DONE);
	if (code != CTL_OK)
		return code;
	fputs("etherconnctl: monitoring\n", stderr);
	for (uint64_t n = 0; (!count || n < count) && !ferror(stdout); n++) {
		code = receive(ctl);
		if (code != CTL_OK)
			return code;
		show(ctl);
		fflush(stdout); /* seen when it happens, in a pipe, too */
	}
	return CTL_OK;
}
