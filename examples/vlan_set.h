/*
 * vlan_set.h - VLAN stacks as people write them: "", "100-199", "10-19.100-199" (outer.inner).
 */
#ifndef EXAMPLES_VLAN_SET_H
#define EXAMPLES_VLAN_SET_H

#include <stdint.h>

#define VLAN_SET_TAGS 2

/* Every stack whose tags are of these ranges, outermost first. */
struct vlan_set {
	uint8_t n_tags;
	struct {
		uint16_t first, last;
	} tags[VLAN_SET_TAGS];
};

/* 0, or -EINVAL with *set untouched.  Ids are 1..4094; "" is the one stack without a tag. */
int vlan_set_parse(const char *text, struct vlan_set *set);

uint32_t vlan_set_count(const struct vlan_set *set);

/* The ids of stack number i (taken modulo the count); the innermost tag changes fastest. */
void vlan_set_nth(const struct vlan_set *set, uint32_t i, uint16_t ids[VLAN_SET_TAGS]);

#endif
