// vlan-peer.bpf.c - VLAN sub-interfaces for kernels without 8021q.
//
//   uplink, ingress   tag (and second tag) -> taken off -> into the device that stands for them
//   device, egress    tags of that device -> pushed -> out of the uplink
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VID_MASK 0x0fff
#define INNER_PROTO_OFF 12 // behind the MACs, where the kernel has taken the outer tag out
#define INNER_TCI_OFF 14

struct tags {
	__u16 outer, inner; // VLAN ids; inner 0: none
	__u16 outer_proto, inner_proto;
	__u32 uplink; // ifindex
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); // outer << 16 | inner
	__type(value, __u32); // ifindex of the device
} in_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); // ifindex of the device
	__type(value, struct tags);
} out_map SEC(".maps");

static __always_inline int inner_id(struct __sk_buff *skb, __u32 *id)
{
	__u16 proto, tci;
	*id = 0;
	if (bpf_skb_load_bytes(skb, INNER_PROTO_OFF, &proto, sizeof(proto)))
		return -1;
	if (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD))
		return 0;
	if (bpf_skb_load_bytes(skb, INNER_TCI_OFF, &tci, sizeof(tci)))
		return -1;
	*id = bpf_ntohs(tci) & VID_MASK;
	return 0;
}

SEC("classifier/in") int vlan_in(struct __sk_buff *skb)
{
	__u32 inner, key, *device;
	if (!skb->vlan_present || inner_id(skb, &inner))
		return TC_ACT_OK;
	key = (skb->vlan_tci & VID_MASK) << 16 | inner;
	device = bpf_map_lookup_elem(&in_map, &key);
	if (!device)
		return TC_ACT_OK;
	bpf_skb_vlan_pop(skb);
	if (inner)
		bpf_skb_vlan_pop(skb);
	return bpf_redirect(*device, BPF_F_INGRESS);
}

SEC("classifier/out") int vlan_out(struct __sk_buff *skb)
{
	__u32 device = skb->ifindex;
	struct tags *tags = bpf_map_lookup_elem(&out_map, &device);
	if (!tags)
		return TC_ACT_OK;
	if (tags->inner)
		bpf_skb_vlan_push(skb, bpf_htons(tags->inner_proto), tags->inner);
	if (tags->outer)
		bpf_skb_vlan_push(skb, bpf_htons(tags->outer_proto), tags->outer);
	return bpf_redirect(tags->uplink, 0);
}

char program_license[] SEC("license") = "GPL";
