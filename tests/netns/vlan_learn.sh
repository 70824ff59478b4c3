# vlan_learn.sh - sourced after lib.sh: one interface that stands for every VLAN of an uplink.
#
#   vlan_learn_add NETNS UPLINK NAME CIDR...
#
# What comes in over UPLINK, whatever its tags, comes in at NAME without them; what is sent to a
# MAC address from NAME gets the tags that address was last seen behind.
# shellcheck shell=bash disable=SC2154 # work, netns_dir: lib.sh

vlan_learn_add() {
	local ns=$1 uplink=$2 name=$3 pins=$work/bpffs/learn cidr
	shift 3
	mkdir -p "$work/bpffs"
	mountpoint -q "$work/bpffs" || mount -t bpf bpf "$work/bpffs"
	clang -O2 -g -target bpf -I"/usr/include/$(uname -m)-linux-gnu" \
		-c "$netns_dir/vlan-learn.bpf.c" -o "$work/vlan-learn.bpf.o" || return 1
	mkdir "$pins"
	bpftool prog loadall "$work/vlan-learn.bpf.o" "$pins" type classifier pinmaps "$pins" || return 1
	ip -n "$ns" link add "$name" type veth peer name "${name}p"
	ip -n "$ns" link set "${name}p" up
	ip -n "$ns" link set "$name" up
	# shellcheck disable=SC2046 # the bytes are separate words
	bpftool map update pinned "$pins/ends" key hex $(vlan_le32 0) \
		value hex $(vlan_le32 "$(vlan_ifindex "$ns" "$name")")
	# shellcheck disable=SC2046
	bpftool map update pinned "$pins/ends" key hex $(vlan_le32 1) \
		value hex $(vlan_le32 "$(vlan_ifindex "$ns" "$uplink")")
	vlan_learn_hook "$ns" "$uplink" ingress "$(echo "$pins"/*_in)"
	vlan_learn_hook "$ns" "$name" egress "$(echo "$pins"/*_out)"
	for cidr in "$@"; do
		addr_add "$ns" "$name" "$cidr"
	done
}

vlan_learn_hook() {
	nsenter --net="/run/netns/$1" tc qdisc add dev "$2" clsact
	nsenter --net="/run/netns/$1" tc filter add dev "$2" "$3" bpf da pinned "$4"
}
