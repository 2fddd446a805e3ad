#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A machine with a systemd of its own, made of namespaces and this host's /usr:
# machine.sh ROOT SOURCE BUILD.  Runs as process 1 of new namespaces and becomes
# systemd; ROOT is an empty folder.  Everything it mounts ends with it.
set -eu
root=$1
source=$2
build=$3

bind() {
	mkdir -p "$root$2"
	mount --bind "$1" "$root$2"
}

bind_file() {
	mkdir -p "$(dirname "$root$2")"
	: >"$root$2"
	mount --bind "$1" "$root$2"
}

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for link in bin sbin lib lib32 lib64; do ln -s "usr/$link" "$root/$link"; done
mkdir -p "$root"/{etc/{modules-load.d,systemd/system},proc,sys,run,root,old} \
	"$root"/var/{lib,log,tmp,cache}
ln -s /run "$root/var/run"
mkdir -m 1777 "$root/tmp"

bind /usr /usr
mount -o remount,ro,bind "$root/usr"
mount -t tmpfs -o mode=755 tmpfs "$root/usr/local"
mkdir -p "$root"/usr/local/{bin,sbin,lib,etc,share/man}
# Nothing of what this host starts at boot.
mount -t tmpfs tmpfs "$root/usr/lib/systemd/system/sysinit.target.wants"
mount -t tmpfs tmpfs "$root/usr/lib/systemd/system/multi-user.target.wants"
# Where they know themselves to be, and where the manual says.
bind "$source" "$source"
bind "$build" "$build"
if [ "$build" != "$source/build/release" ]; then
	bind "$build" "$source/build/release"
fi

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir "$root/dev"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
	bind_file "/dev/$device" "/dev/$device"
done
: >"$root/dev/console"
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"

echo "root:x:0:0:root:/root:/bin/sh" >"$root/etc/passwd"
echo "root:x:0:" >"$root/etc/group"
echo "passwd: files
group: files
shadow: files" >"$root/etc/nsswitch.conf"
cp /etc/ld.so.cache /etc/login.defs "$root/etc/"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
chroot "$root" systemd-sysusers

cat >"$root/etc/systemd/system/test.target" <<'END'
[Unit]
Wants=systemd-journald.service
AllowIsolate=yes
END

# It is a gateway.
ip link set lo up
for interface in lan0 wan0; do
	ip link add "$interface" type veth peer name "$interface-far"
	ip link set "$interface" up
	ip link set "$interface-far" up
done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding

cd "$root"
pivot_root . old
umount -l /old
rmdir /old
exec env -i container=symtap-test PATH=/usr/local/sbin:/usr/sbin:/usr/bin \
	/lib/systemd/systemd --system --unit=test.target --log-target=journal \
	--show-status=no
