/*
 * options.c - what callers ask for: taken whole, or refused; nothing is ignored in silence.
 */
#include "client-lib/internal.h"

#define SIZE_MOST 1024 /* of any version's options: more is what stood on the stack */

int eci_opts_take(void *ours, size_t size, const void *given)
{
	size_t theirs;
	if (!given)
		return 0;
	memcpy(&theirs, given, sizeof(theirs));
	if (theirs <= sizeof(theirs) || theirs > SIZE_MOST)
		return eci_error_set(-EINVAL, "options must begin as EC_RELAY_OPTS, "
					      "EC_L2_OPTS or EC_UDP_OPTS");
	/* built for a later version: what this one does not know must be left alone */
	for (size_t i = size; i < theirs; i++)
		if (((const uint8_t *)given)[i])
			return eci_error_set(-EINVAL,
					     "an option that this version (%s) has not",
					     EC_VERSION);
	memcpy(ours, given, theirs < size ? theirs : size);
	return 0;
}

int eci_flags_check(unsigned flags, unsigned known)
{
	return flags & ~known
		   ? eci_error_set(-EINVAL, "a flag that this version (%s) has not: 0x%x",
				   EC_VERSION, flags & ~known)
		   : 0;
}
