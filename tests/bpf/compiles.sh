#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# compiles.sh FILE: compile it for BPF, and see that it calls nothing outside
# itself (a memcpy that was not inlined, say).
set -eu

tree=$(cd "$(dirname "$0")/../.." && pwd)
for tool in clang llvm-objdump; do
	if ! command -v $tool >/dev/null; then
		echo "$tool is not installed"
		[ -z "${CI-}" ] && exit 77
		exit 1
	fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

clang -O2 -target bpf -ffreestanding -std=c11 -Wall -Wextra -Wpedantic -Werror \
	-I"$tree" -c "$1" -o "$work/object.o"
if llvm-objdump -t "$work/object.o" | grep '\*UND\*'; then
	echo "$1: calls what the kernel does not have"
	exit 1
fi
echo "$1: $(llvm-objdump -d "$work/object.o" | grep -c '^ .*:	') instructions"
