#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# pages.sh PAGE...: the formatter must have nothing to say about any of them.
set -eu

if ! command -v groff >/dev/null; then
	echo "groff is not installed (groff-base)" >&2
	exit 77
fi
[ $# -gt 0 ]
for page in "$@"; do
	said=$(groff -mandoc -Tutf8 -ww -z "$page" 2>&1)
	if [ -n "$said" ]; then
		printf '%s\n' "$said"
		exit 1
	fi
done
