/*
 * service.c - the status line, and the watchdog's beat.
 */
#include "daemon/service.h"

#include "daemon/systemd.h"

#include <inttypes.h>
#include <stdio.h>

#define SECOND_NS UINT64_C(1000000000)

/* "eth1, eth2: 3 clients, 12 endpoints" */
static void status_format(const struct service *service, char *text, size_t room)
{
	const struct control *control = service->control;
	uint32_t clients = 0; /* with a channel: whoever looks at us is none */
	uint32_t endpoints = control_count_endpoints(control);
	int n = 0;
	for (unsigned i = 0; i < control->n_datapaths; i++) {
		clients += control->datapaths[i].n_channels;
		n += snprintf(text + n, room - (size_t)n, "%s%s", i ? ", " : "",
			      control->datapaths[i].relay.netif.name);
	}
	n += snprintf(text + n, room - (size_t)n,
		      ": %" PRIu32 " client%s, %" PRIu32 " endpoint%s", clients,
		      clients == 1 ? "" : "s", endpoints, endpoints == 1 ? "" : "s");
	if (service->trouble[0])
		snprintf(text + n, room - (size_t)n, "; %s", service->trouble);
}

static void status_tell(struct service *service, const char *before)
{
	char state[SERVICE_STATUS + 32];
	snprintf(state, sizeof(state), "%sSTATUS=%s", before, service->status);
	systemd_notify(state);
}

void service_ready(struct service *service, const struct control *control)
{
	service->control = control;
	service->told_ns = bucket_clock_ns();
	status_format(service, service->status, sizeof(service->status));
	status_tell(service, "READY=1\n");
}

void service_tick(struct service *service, uint64_t now_ns)
{
	char status[SERVICE_STATUS];
	if (!service->control || now_ns - service->told_ns < SECOND_NS)
		return;
	status_format(service, status, sizeof(status));
	if (strcmp(status, service->status) == 0)
		return;
	memcpy(service->status, status, sizeof(status));
	service->told_ns = now_ns;
	status_tell(service, "");
}

void service_failed(const char *why)
{
	char state[ECP_ERROR_TEXT + 32];
	snprintf(state, sizeof(state), "STATUS=%s", why);
	systemd_notify(state);
}

static void on_beat(void *arg)
{
	(void)arg;
	systemd_notify("WATCHDOG=1");
}

int service_watchdog_start(struct loop *loop)
{
	unsigned interval_ms = systemd_watchdog_ms();
	return interval_ms ? loop_every(loop, (interval_ms + 1) / 2, on_beat, NULL) : 0;
}
