#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian package has exactly what the list says, goes in, is upgraded and
# goes out without a trace, on a machine that is this one with memory above its
# files: package_test.sh BUILD LIST
set -eu
build=$1
list=$2
export LC_ALL=C

fail() {
	echo "FAILED: $*"
	exit 1
}

if [ "$(id -u)" != 0 ]; then
	echo "installing a package needs root"
	[ -z "${CI-}" ] || exit 1
	exit 77
fi
if [ "${3-}" != there ]; then
	exec unshare --mount --pid --fork --net "$0" "$build" "$list" there
fi

work=$(mktemp -d)
trap 'umount -R -l "$work"; rmdir "$work"' EXIT
mount --make-rprivate /
mount -t tmpfs tmpfs "$work"
mkdir "$work"/{upper,under,root}

cpack --config "$build/CPackConfig.cmake" -B "$work/package" >"$work/log" 2>&1 ||
	fail "$(cat "$work/log")"
package=$(echo "$work"/package/*.deb)
dpkg-deb --fsys-tarfile "$package" | tar -t | grep -v '/$' | sort >"$work/found"
diff -u "$list" "$work/found" || fail "other files than in $list"
for library in libmnl0 libnetfilter-queue1 libnftnl11 libbpf1 libevent; do
	dpkg-deb --field "$package" Depends | grep -q " $library" ||
		fail "$library is not among what it depends on"
done

mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/under" \
	overlay "$work/root"
for each in proc:proc tmpfs:run tmpfs:tmp; do
	mount -t "${each%:*}" "${each%:*}" "$work/root/${each#*:}"
done
cp "$package" "$work/root/tmp/symtap.deb"

there() {
	chroot "$work/root" "$@" >"$work/log" 2>&1 ||
		fail "$*: $(cat "$work/log")"
}

traces() {
	(cd "$work/root" && find etc usr var/lib/symtap -name '*symtap*' \
		2>/dev/null | sort)
	grep -l '^symtap:' "$work"/root/etc/{passwd,group,shadow,gshadow} || true
}

traces >"$work/before"
there dpkg --install /tmp/symtap.deb
there dpkg --verify symtap
there getent passwd symtap
there symtapd -n -c /etc/symtap/symtap.yaml
there man --where symtap.yaml

echo "# the operator's" >>"$work/root/etc/symtap/symtap.yaml"
there dpkg --install /tmp/symtap.deb
tail -n 1 "$work/root/etc/symtap/symtap.yaml" | grep -qx "# the operator's" ||
	fail "the operator's configuration was overwritten"

there dpkg --remove symtap
[ ! -e "$work/root/usr/sbin/symtapd" ] || fail "it is still there"
[ -e "$work/root/etc/symtap/symtap.yaml" ] ||
	fail "the operator's configuration went before he said so"
there dpkg --purge symtap
traces >"$work/after"
diff -u "$work/before" "$work/after" || fail "something is left of it"
echo "ok   $(du -k "$package" | cut -f1) KiB"
