/*
 * kernel_filter.h - frames that nobody claims are dropped in the kernel, before they cost more.
 *
 *   claims -> bits in a map that the kernel and we share <- socket filter (eBPF), each frame
 *
 * Set up once, with privileges; from then on a claim is a plain store to memory.  The bits are a
 * hash of (MAC, VLANs), so the filter may let a frame pass that nobody claims, never the
 * contrary.  Knows linux/bpf.h and proto/; used by relay.c.  One thread.
 */
#ifndef KERNEL_FILTER_H
#define KERNEL_FILTER_H

#include "proto/endpoint.h"

struct kernel_filter;

/* What one endpoint wants to see. */
struct kernel_claim {
	struct ecp_key key;
	bool multicast;     /* ... and multicast of its VLANs */
	bool multicast_any; /* ... of any VLANs */
	bool everything;
};

/*
 * Attach a filter to the packet socket fd that lets nothing pass yet.  0 with *ret, or -errno:
 * -EPERM (CAP_BPF is wanting), -ENOMEM ...
 */
int kernel_filter_new(struct kernel_filter **ret, int fd);
/* The same in two steps, the first with privileges: the filter's map, the caller's, or -errno.
 * Where the second fails, the filter is taken off again, for it would let nothing pass. */
int kernel_filter_attach(int fd);
int kernel_filter_adopt(struct kernel_filter **ret, int fd, int map);
void kernel_filter_free(struct kernel_filter *filter); /* fd may be closed already */

/* A claim comes or goes; each that came must go once. */
void kernel_filter_add(struct kernel_filter *filter, const struct kernel_claim *claim);
void kernel_filter_remove(struct kernel_filter *filter, const struct kernel_claim *claim);

/* How many frames it has dropped. */
uint64_t kernel_filter_dropped(const struct kernel_filter *filter);

#endif
