# box.sh - sourced after lib.sh: a machine of our own, with a real systemd as its first process.
#
# Private namespaces over an overlay of /: what happens in there stays in memory and is gone with
# it.  It has a network of its own, no udev, and the folder $1 laid over /.
# shellcheck shell=bash disable=SC2154 # tag, work, started: of lib.sh

box_cgroup='' box_unshare=0
# $box: the pid of its systemd, as we see it

# The mount point of the second cgroup hierarchy.
box_cgroup_root() { findmnt -nr -t cgroup2 -o TARGET | head -1; }

# Runs in the namespaces, and becomes systemd.  $1: what is laid over /.
# shellcheck disable=SC2016 # a program of its own
box_init='
set -eu
cover=$1 root=/mnt
mount -t tmpfs -o mode=755 tmpfs /media
mkdir /media/work
cp -a "$cover" /media/upper
mount -t overlay overlay -o "lowerdir=/,upperdir=/media/upper,workdir=/media/work" $root
mount -t proc proc $root/proc
mount --bind $root/proc/sys $root/proc/sys
mount -o remount,bind,ro $root/proc/sys
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs $root/dev
while read -r name major minor; do
	mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done <<-END
	null 1 3
	zero 1 5
	full 1 7
	random 1 8
	urandom 1 9
	tty 5 0
END
mkdir $root/dev/shm $root/dev/pts
mount -t devpts -o newinstance,ptmxmode=0666 devpts $root/dev/pts
ln -s pts/ptmx $root/dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs $root/dev/shm
ln -s /proc/self/fd $root/dev/fd
mount -t tmpfs -o mode=755 tmpfs $root/run
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
for unit in sysctl binfmt modules-load timesyncd remount-fs; do
	ln -sf /dev/null $root/etc/systemd/system/systemd-$unit.service
done
cd $root
mkdir run/old
pivot_root . run/old
cd /
umount -l /run/old
ip link set lo up
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system \
	--unit=basic.target --log-target=journal --show-status=no
'

# Run in the box.
in_box() {
	nsenter -t "$box" -m -p -C -u -i -n env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		HOME=/root TERM=dumb LC_ALL=C.UTF-8 "$@"
}

# Everything in the box ends with its first process.
box_leave() {
	local code=$? end=$((SECONDS + 5))
	trap '' INT TERM
	if is_running "$box_unshare"; then
		# it passes nothing on, and systemd would take a SIGTERM for something else
		kill -KILL "$box_unshare"
		wait "$box_unshare" 2>/dev/null
	fi
	while [ -n "$box_cgroup" ] && [ -d "$box_cgroup" ] && [ $SECONDS -lt $end ]; do
		find "$box_cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
	done
	(exit $code)
	clean_up
}

# Wait until a command succeeds in the box; at most $1 seconds.
box_wait() {
	local end=$((SECONDS + $1))
	shift
	until in_box "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# Boot with the folder $1 over /.  Skips the test where that cannot be.  After begin().
box_boot() {
	[ -x /lib/systemd/systemd ] || skip "no systemd here"
	local cgroups
	cgroups=$(box_cgroup_root)
	[ -n "$cgroups" ] || skip "a box needs cgroup2"
	box_cgroup=$cgroups/$tag-box
	trap box_leave EXIT
	mkdir "$box_cgroup" 2>/dev/null || skip "cannot make a cgroup below $cgroups"
	# its own shell joins the cgroup, so that we stay where we are
	start bash -c 'echo $$ >"$1/cgroup.procs" && exec unshare --mount --propagation private \
		--pid --fork --kill-child --cgroup --uts --ipc --net bash -c "$2" box "$3"' \
		box "$box_cgroup" "$box_init" "$1" >"$work/box.log" 2>&1
	box_unshare=$started
	local end=$((SECONDS + 20))
	until box=$(pgrep -P "$box_unshare" -x systemd) && in_box test -S /run/systemd/private; do
		is_running "$box_unshare" || skip "no box: $(tail -1 "$work/box.log")"
		[ $SECONDS -lt $end ] || skip "no box: systemd did not come up in 20 s"
		sleep 0.02
	done
	in_box timeout 20 systemctl is-system-running --wait >/dev/null
}
