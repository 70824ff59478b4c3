/*
 * denials.c - counting and logging what was refused.
 */
#include "daemon/denials.h"

#include "daemon/log.h"

#define SECOND_NS UINT64_C(1000000000)

void denials_tick(struct denials *denials, uint64_t now_ns)
{
	if (now_ns - denials->second_ns < SECOND_NS)
		return;
	if (denials->suppressed)
		log_warning("denied: %u more suppressed", denials->suppressed);
	denials->second_ns = now_ns;
	denials->logged = denials->suppressed = 0;
}

void denials_add(struct denials *denials, uint64_t now_ns, uid_t uid, uint32_t pid,
		 const char *comm, const char *sentence)
{
	denials->n++;
	denials_tick(denials, now_ns);
	if (denials->logged == DENIALS_LINES) {
		denials->suppressed++;
		return;
	}
	denials->logged++;
	log_warning("denied to uid %u, pid %u (%s): %s", uid, pid, comm, sentence);
}
