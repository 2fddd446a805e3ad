#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# format.sh               fail when a tracked C file is not as .clang-format
#                         lays it out
# format.sh --self-test   fail unless a wrong layout is found
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)

if ! command -v clang-format >/dev/null; then
	echo "clang-format is not installed"
	[ -z "${CI-}" ] && exit 77
	exit 1
fi

# Paths on standard input, one a line.
check() {
	tr '\n' '\0' | xargs -0 -r clang-format --style="file:$tree/.clang-format" \
		--dry-run -Werror
}

tracked() {
	if git -C "$tree" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$tree" ls-files -- '*.c' '*.h' | sed "s|^|$tree/|" |
			while read -r path; do
				[ ! -e "$path" ] || echo "$path"
			done
	else
		find "$tree" -name build -prune -o -name '*.[ch]' -print
	fi
}

if [ "${1-}" = --self-test ]; then
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	printf 'int f(void)\n{\n\treturn 0;\n}\n' >"$work/good.c"
	printf 'int f(void) {\n    return 0;\n}\n' >"$work/bad.c"
	echo "$work/good.c" | check || { echo "a good file fails"; exit 1; }
	if echo "$work/bad.c" | check 2>/dev/null; then
		echo "a bad file passes"
		exit 1
	fi
	exit 0
fi

count=$(tracked | wc -l)
[ "$count" -gt 0 ] || { echo "no C files found"; exit 1; }
tracked | check
echo "format: ok, $count files"
