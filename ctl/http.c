/*
 * http.c - `etherconnctl metrics --http`: one request, one answer (RFC 9112).
 *
 * A request that is slow, long or none at all is answered too: whoever scrapes shall see what
 * is wrong.  Its body, if it has one, is not read.
 */
#include "ctl/flow.h"
#include "ctl/metrics.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX 8192
#define REQUEST_MS  10000

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define OLDER_TEXT  "text/plain; version=0.0.4; charset=utf-8"
#define PLAIN_TEXT  "text/plain; charset=utf-8"

struct request {
	char text[REQUEST_MAX + 1];
	size_t len;
};

static bool request_is_whole(const struct request *request)
{
	return strstr(request->text, "\r\n\r\n") || strstr(request->text, "\n\n");
}

/* 0, or the status that says what is wrong. */
static unsigned request_read(struct request *request)
{
	int64_t end = flow_now_ns() + REQUEST_MS * INT64_C(1000000);
	while (!request_is_whole(request)) {
		struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
		int64_t left_ms = (end - flow_now_ns()) / 1000000;
		if (request->len == REQUEST_MAX)
			return 431;
		if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) != 1)
			return 408;
		ssize_t n = read(STDIN_FILENO, request->text + request->len,
				 REQUEST_MAX - request->len);
		if (n <= 0)
			return 400;
		request->len += (size_t)n;
		request->text[request->len] = 0;
	}
	return 0;
}

/* "GET /metrics HTTP/1.1": 0, or the status that says what is wrong. */
static unsigned request_judge(struct request *request, bool *head)
{
	char *save, *line = strtok_r(request->text, "\r\n", &save);
	char *method = line ? strtok_r(line, " ", &save) : NULL;
	char *target = line ? strtok_r(NULL, " ", &save) : NULL;
	char *version = line ? strtok_r(NULL, " ", &save) : NULL;
	if (!version || strtok_r(NULL, " ", &save))
		return 400;
	if (strncmp(version, "HTTP/1.", 7) != 0)
		return 505;
	*head = !strcmp(method, "HEAD");
	if (!*head && strcmp(method, "GET") != 0)
		return 405;
	target[strcspn(target, "?")] = 0;
	return strcmp(target, "/metrics") ? 404 : 0;
}

static const char *reason_of(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	}
	return "Error";
}

/* Does the client ask for text, and know nothing of OpenMetrics?  Who says nothing takes that. */
static bool wants_older(const struct request *request)
{
	const char *line = strcasestr(request->text, "\naccept:");
	size_t len = line ? strcspn(line + 1, "\r\n") + 1 : 0;
	char accept[512];
	snprintf(accept, sizeof(accept), "%.*s", (int)len, line ? line : "");
	return strcasestr(accept, "text/plain") &&
	       !strcasestr(accept, "application/openmetrics-text");
}

static void answer(unsigned status, bool head, const char *type, const char *body,
		   size_t len)
{
	printf("HTTP/1.1 %u %s\r\n", status, reason_of(status));
	if (status == 405)
		fputs("Allow: GET, HEAD\r\n", stdout);
	printf("Content-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", type,
	       len);
	if (!head)
		fwrite(body, 1, len, stdout);
}

static void answer_error(unsigned status, bool head)
{
	char body[96];
	int len = snprintf(body, sizeof(body), "%s%s\n", reason_of(status),
			   status == 404 ? ": try /metrics" : "");
	answer(status, head, PLAIN_TEXT, body, (size_t)len);
}

static enum ctl_exit answer_metrics(struct ctl *ctl, bool head, bool older)
{
	char *body = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&body, &len);
	if (!to)
		abort();
	enum ctl_exit code = ctl_connect(ctl);
	if (code == CTL_OK)
		code = metrics_write(ctl, older, to);
	fclose(to);
	if (code == CTL_OK)
		answer(200, head, older ? OLDER_TEXT : OPENMETRICS, body, len);
	else
		answer_error(503, head);
	free(body);
	return code;
}

enum ctl_exit metrics_serve(struct ctl *ctl)
{
	static struct request request;
	bool head = false;
	unsigned status = request_read(&request);
	bool older = wants_older(&request); /* judging takes it apart */
	if (!status)
		status = request_judge(&request, &head);
	if (!status)
		return answer_metrics(ctl, head, older);
	answer_error(status, head);
	return CTL_OK;
}
