// vlan-learn.bpf.c - one device that stands for every VLAN: a server's view through a concentrator.
//
//   uplink, ingress   tags taken off and remembered under the source MAC -> into the device
//   device, egress    the tags of the destination MAC put back -> out of the uplink
//
// A group address has no tags of its own: such a frame gets those of the client it is for, taken from
// where DHCP has it, as a relay agent would.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VID_MASK 0x0fff
#define SRC_MAC_OFF 6
#define INNER_PROTO_OFF 12 // behind the MACs, where the kernel has taken the outer tag out
#define INNER_TCI_OFF 14
#define CHADDR_OFF 70 // Ethernet 14, IP 20, UDP 8, then 28 bytes of DHCP

struct mac {
	__u8 bytes[6];
};

struct tags {
	__u16 outer, inner; // VLAN ids; 0: no such tag
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 17);
	__type(key, struct mac);
	__type(value, struct tags);
} tags_of SEC(".maps");

// 0: the device, 1: the uplink; by ifindex
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} ends SEC(".maps");

static __always_inline int end(__u32 which)
{
	__u32 *index = bpf_map_lookup_elem(&ends, &which);
	return index ? *index : 0;
}

static __always_inline __u16 inner_id(struct __sk_buff *skb)
{
	__u16 proto, tci;
	if (bpf_skb_load_bytes(skb, INNER_PROTO_OFF, &proto, sizeof(proto)) ||
	    bpf_skb_load_bytes(skb, INNER_TCI_OFF, &tci, sizeof(tci)) ||
	    (proto != bpf_htons(ETH_P_8021Q) && proto != bpf_htons(ETH_P_8021AD)))
		return 0;
	return bpf_ntohs(tci) & VID_MASK;
}

SEC("classifier/in") int learn_in(struct __sk_buff *skb)
{
	struct tags tags = {0};
	struct mac mac;
	if (bpf_skb_load_bytes(skb, SRC_MAC_OFF, &mac, sizeof(mac)))
		return TC_ACT_OK;
	if (skb->vlan_present) {
		tags.outer = skb->vlan_tci & VID_MASK;
		tags.inner = inner_id(skb);
	}
	bpf_map_update_elem(&tags_of, &mac, &tags, BPF_ANY);
	if (tags.outer)
		bpf_skb_vlan_pop(skb);
	if (tags.inner)
		bpf_skb_vlan_pop(skb);
	return bpf_redirect(end(0), BPF_F_INGRESS);
}

SEC("classifier/out") int learn_out(struct __sk_buff *skb)
{
	struct mac mac;
	struct tags *tags;
	if (bpf_skb_load_bytes(skb, 0, &mac, sizeof(mac)))
		return TC_ACT_OK;
	if (mac.bytes[0] & 1 && bpf_skb_load_bytes(skb, CHADDR_OFF, &mac, sizeof(mac)))
		return TC_ACT_OK;
	tags = bpf_map_lookup_elem(&tags_of, &mac);
	if (tags && tags->inner)
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tags->inner);
	if (tags && tags->outer)
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), tags->outer);
	return bpf_redirect(end(1), 0);
}

char program_license[] SEC("license") = "GPL";
