#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fetch.sh FOLDER PACKAGE...    unpack Debian packages there, each once; none is
#                               installed
set -eu
folder=$1
shift
for package; do
	done=$folder/.$package
	[ ! -e "$done" ] || continue
	partial=$(mktemp -d)
	trap 'rm -rf "$partial"' EXIT
	mkdir -p "$folder"
	(cd "$partial" && { apt-get download -q "$package" ||
		{ apt-get update -q && apt-get download -q "$package"; }; })
	dpkg-deb -x "$partial"/*.deb "$folder"
	rm -rf "$partial"
	: >"$done"
done
