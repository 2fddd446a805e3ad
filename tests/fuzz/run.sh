#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh FUZZER SEEDS...: fuzz for SYMTAP_FUZZ_SECONDS, starting from every
# file in the SEEDS folders.  What makes it fail stays beside the fuzzer.
set -eu

fuzzer=$1
shift
seconds=${SYMTAP_FUZZ_SECONDS:-30}

for seeds in "$@"; do
	if [ ! -d "$seeds" ] || [ -z "$(ls -A "$seeds")" ]; then
		echo "$seeds: no seeds" >&2
		exit 1
	fi
done

found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
trap 'exit 130' INT TERM

"$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
	-print_final_stats=1 -verbosity=1 \
	-artifact_prefix="$fuzzer.failed-" "$found" "$@"
