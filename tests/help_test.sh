#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# help_test.sh PAGE PROGRAM [COMMAND...]   each long option that --help names,
# of the program and of its commands, stands in its manual page.
set -eu

page=$1 program=$2 failures=0
shift 2

check() {
	options=$("$@" --help | grep -Eo -- '--[a-z][a-z-]+' | sort -u)
	[ -n "$options" ] || {
		echo "$*: --help names no option"
		failures=$((failures + 1))
	}
	for option in $options; do
		grep -Eq "[l,] -${option#--}( |\$)" "$page" || {
			echo "$*: ${page##*/} does not know $option"
			failures=$((failures + 1))
		}
	done
}

check "$program"
for command in "$@"; do
	# shellcheck disable=SC2086 # "state export" is two words
	check "$program" $command
done
[ "$failures" -eq 0 ]
