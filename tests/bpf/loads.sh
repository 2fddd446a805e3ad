#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# loads.sh FILE: compile it for BPF and have the running kernel verify it.
set -eu

if [ "${1-}" != --inside ]; then
	for tool in clang bpftool unshare; do
		if ! command -v $tool >/dev/null; then
			echo "skipped: $tool is not installed"
			exit 77
		fi
	done
	if [ "$(id -u)" -ne 0 ]; then
		echo "skipped: only root may load programs"
		exit 77
	fi
	exec unshare --mount "$0" --inside "$1"
fi

# The mount is this process's own and goes when it does.
tree=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'umount "$work/fs" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/fs"
if ! mount -t bpf bpf "$work/fs"; then
	echo "skipped: this kernel has no BPF file system"
	exit 77
fi

clang -O2 -g -target bpf -mcpu=v3 -ffreestanding -std=c11 -Wall -Wextra -Werror \
	-I"$tree" -I"/usr/include/$(uname -m)-linux-gnu" -c "$2" \
	-o "$work/object.o"
if ! bpftool prog load "$work/object.o" "$work/fs/program" >"$work/said" 2>&1
then
	tail -n 40 "$work/said"
	exit 1
fi
bpftool prog show pinned "$work/fs/program" | grep xlated
