#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `cmake --install` with DESTDIR puts exactly what the list says where it says,
# and leaves the operator's configuration alone: dest_test.sh BUILD LIST
set -eu
build=$1
list=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*"
	exit 1
}

install_there() { # the prefix
	DESTDIR=$work/root cmake --install "$build" --prefix "$1" \
		>"$work/log" || fail "$(cat "$work/log")"
}

install_there /usr
(cd "$work/root" && find . ! -type d | LC_ALL=C sort) >"$work/found"
diff -u "$list" "$work/found" || fail "other files than in $list"

grep -qx 'ExecStart=/usr/sbin/symtapd -c /etc/symtap/symtap.yaml' \
	"$work/root/usr/lib/systemd/system/symtapd.service" ||
	fail "the unit starts something else"

configuration=$work/root/etc/symtap/symtap.yaml
echo "# the operator's" >>"$configuration"
install_there /usr
tail -n 1 "$configuration" | grep -qx "# the operator's" ||
	fail "the operator's configuration was overwritten"

"$work/root/usr/sbin/symtapd" -n -c "$configuration" ||
	fail "the configuration that is installed is not good"
for page in "$work"/root/usr/share/man/man*/*; do
	said=$(man --warnings --local-file "$page" 2>&1 >/dev/null)
	[ -z "$said" ] || fail "$page: $said"
done

# A page names files where they are.
rm -r "$work/root/usr"
install_there /usr/local
grep -oh '/usr[a-z/]*/symtap/xen/[A-Za-z.-]*[A-Za-z]' \
	"$work"/root/usr/local/share/man/man*/* >"$work/named"
[ "$(wc -l <"$work/named")" -ge 4 ] || fail "pages name no files"
while read -r path; do
	[ -e "$work/root$path" ] || fail "a page names $path, which is not there"
done <"$work/named"
bash -n "$work/root/usr/local/share/bash-completion/completions/symtapctl"
echo "ok   $(wc -l <"$list") files"
