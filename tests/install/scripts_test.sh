#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every script of the tree is one that shellcheck accepts, and contrib/try says
# what it can do: scripts_test.sh SOURCE
set -eu
cd "$1"

if ! command -v shellcheck >/dev/null; then
	echo "shellcheck is not installed"
	exit 77
fi

mapfile -t scripts < <(find . -name build -prune -o -name .git -prune -o \
	-type f -print | while read -r file; do
	if head -n 1 "$file" | grep -aqE '^#!(/bin/sh|/usr/bin/env bash)$'; then
		echo "$file"
	fi
done | sort)
[ "${#scripts[@]}" -gt 5 ] || { echo "FAILED: no scripts found"; exit 1; }
shellcheck --severity=warning "${scripts[@]}"

for word in deps build package demo test bench help; do
	contrib/try help | grep -q "^  $word " ||
		{ echo "FAILED: help does not tell of $word"; exit 1; }
done
if contrib/try nonsense 2>/dev/null; then
	echo "FAILED: contrib/try takes any word"
	exit 1
fi
contrib/try deps --list | while read -r name purpose why more; do
	case $purpose in build | demo | test | bench) ;; *) why= ;; esac
	if [ -z "$why" ] || [ -n "$more" ]; then
		echo "FAILED: $name: for what, and why, in a word each"
		exit 1
	fi
done
echo "ok   ${#scripts[@]} scripts"
