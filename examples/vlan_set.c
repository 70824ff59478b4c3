/*
 * vlan_set.c - VLAN stacks as people write them.
 */
#include "examples/vlan_set.h"

#include <errno.h>
#include <string.h>

#define ID_MIN 1
#define ID_MAX 4094

/* A decimal number at *text, which is moved behind it.  -1 if there is none in range. */
static int take_id(const char **text)
{
	int id = 0;
	const char *at = *text;
	for (; *at >= '0' && *at <= '9' && id <= ID_MAX; at++)
		id = id * 10 + (*at - '0');
	if (at == *text || id < ID_MIN || id > ID_MAX)
		return -1;
	*text = at;
	return id;
}

/* "100" or "100-199" at *text, which is moved behind it. */
static int take_range(const char **text, uint16_t *first, uint16_t *last)
{
	int low = take_id(text), high = low;
	if (low > 0 && **text == '-') {
		++*text;
		high = take_id(text);
	}
	if (low < 0 || high < low)
		return -EINVAL;
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return 0;
}

int vlan_set_parse(const char *text, struct vlan_set *set)
{
	struct vlan_set found = {0};
	while (*text) {
		if (found.n_tags == VLAN_SET_TAGS || (found.n_tags && *text++ != '.'))
			return -EINVAL;
		unsigned n = found.n_tags++;
		if (take_range(&text, &found.tags[n].first, &found.tags[n].last) < 0)
			return -EINVAL;
	}
	*set = found;
	return 0;
}

static uint32_t range_size(const struct vlan_set *set, unsigned tag)
{
	return set->tags[tag].last - set->tags[tag].first + 1u;
}

uint32_t vlan_set_count(const struct vlan_set *set)
{
	uint32_t count = 1;
	for (unsigned i = 0; i < set->n_tags; i++)
		count *= range_size(set, i);
	return count;
}

void vlan_set_nth(const struct vlan_set *set, uint32_t i, uint16_t ids[VLAN_SET_TAGS])
{
	memset(ids, 0, VLAN_SET_TAGS * sizeof(*ids));
	for (unsigned tag = set->n_tags; tag-- > 0;) {
		ids[tag] = (uint16_t)(set->tags[tag].first + i % range_size(set, tag));
		i /= range_size(set, tag);
	}
}
