/*
 * denials.c - counting and logging what was refused.
 */
#include "daemon/denials.h"

#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE      512
#define SECOND_NS UINT64_C(1000000000)

void denials_tick(struct denials *denials, uint64_t now_ns)
{
	if (now_ns - denials->second_ns < SECOND_NS)
		return;
	if (denials->suppressed)
		log_warning("%s: %u more suppressed",
			    denials->sort ? denials->sort : "denied", denials->suppressed);
	denials->second_ns = now_ns;
	denials->logged = denials->suppressed = 0;
}

void denials_log(struct denials *denials, uint64_t now_ns, const char *format, ...)
{
	char line[LINE];
	va_list ap;
	denials->n++;
	denials_tick(denials, now_ns);
	if (denials->logged == DENIALS_LINES) {
		denials->suppressed++;
		return;
	}
	denials->logged++;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	log_warning("%s", line);
}

void denials_add(struct denials *denials, uint64_t now_ns, uid_t uid, uint32_t pid,
		 const char *comm, const char *sentence)
{
	denials_log(denials, now_ns, "denied to uid %u, pid %u (%s): %s", uid, pid, comm,
		    sentence);
}
