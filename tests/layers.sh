#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# layers.sh [TREE]        fail when an include points the wrong way
# layers.sh --self-test   fail unless each kind of mistake is found
#
# An arrow in ARCHITECTURE.md means "may be included by"; this is that picture
# as a table.  Outside libraries are included by the files named here and by no
# header, so that a library can be replaced, or its use read, in one place.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd)
tests=$tree/tests

# What a folder's files may include.  A name with no slash behind it is the
# files directly in that folder, "x/" is all that lies below it.
allowed() {
	cat <<-'END'
	flowtable	flowtable
	policy		flowtable policy
	shaper		flowtable policy shaper
	shaper/bpf	shaper/bpf
	shaper/io	flowtable policy shaper shaper/bpf shaper/io
	xen-hooks	flowtable policy shaper shaper/io/datapath.h xen-hooks xen-hooks/netback
	xen-hooks/netback	flowtable policy shaper shaper/bpf xen-hooks/netback xen-netback
	xen-hooks/netback/shim	xen-hooks/netback/shim
	sim		flowtable policy shaper sim sim/world
	sim/world	flowtable policy shaper sim/world
	shaper/daemon	flowtable policy shaper shaper/io shaper/daemon xen-hooks
	shaper/ctl	flowtable policy shaper shaper/io shaper/daemon shaper/ctl
	contrib/demo	contrib/demo
	END
}

# Which files wrap which outside library, one for each thing it is used for.
libraries() {
	cat <<-'END'
	yaml.h				policy/yaml.c
	libnetfilter_queue/		shaper/io/nfqueue_socket.c
	libnetfilter_queue/		shaper/io/tap_queue.c
	libmnl/				shaper/io/tap_queue.c
	libnftnl/			shaper/io/nft_alive.c
	libnftnl/			shaper/io/nft_batch.c
	libnftnl/			shaper/io/nft_change.c
	libnftnl/			shaper/io/nft_compare.c
	libnftnl/			shaper/io/nft_difference.c
	libnftnl/			shaper/io/nft_elements.c
	libnftnl/			shaper/io/nft_expr.c
	libnftnl/			shaper/io/nft_expr_do.c
	libnftnl/			shaper/io/nft_others.c
	libnftnl/			shaper/io/nft_plan.c
	libnftnl/			shaper/io/nft_plan_sets.c
	libnftnl/			shaper/io/nft_probe.c
	libnftnl/			shaper/io/nft_read.c
	libnftnl/			shaper/io/nft_refuser.c
	libnftnl/			shaper/io/nft_report.c
	libmnl/				shaper/io/nft_alive.c
	libmnl/				shaper/io/nft_links.c
	libmnl/				shaper/io/nft_log.c
	libmnl/				shaper/io/nft_others.c
	libmnl/				shaper/io/nft_probe.c
	libmnl/				shaper/io/nft_read.c
	libmnl/				shaper/io/nft_refuser.c
	libmnl/				shaper/io/nft_rules.c
	libmnl/				shaper/io/nft_watch.c
	libmnl/				shaper/io/nfqueue_socket.c
	libmnl/				shaper/io/nft_batch.c
	libmnl/				shaper/io/ifnames.c
	libmnl/				shaper/io/net_watch.c
	libmnl/				shaper/io/hold_count.c
	libmnl/				shaper/io/hold_edt.c
	libmnl/				shaper/io/hold_qdisc.c
	libmnl/				shaper/io/ring_dump.c
	libmnl/				shaper/io/ring_filter.c
	libmnl/				shaper/io/hooks.c
	libmnl/				shaper/io/marks.c
	libmnl/				shaper/io/rtdump.c
	libnftnl/			shaper/io/marks.c
	libnftnl/			shaper/io/nft_flowtables.c
	libmnl/				shaper/io/nft_flowtables.c
	event2/				shaper/daemon/loop.c
	event2/				shaper/daemon/daemon.c
	event2/				shaper/daemon/main.c
	event2/				shaper/daemon/control.c
	event2/				shaper/daemon/metrics.c
	jansson.h			shaper/daemon/answers.c
	jansson.h			shaper/daemon/row_json.c
	jansson.h			shaper/daemon/state_json.c
	jansson.h			shaper/daemon/status_json.c
	jansson.h			shaper/daemon/tap_answers.c
	jansson.h			shaper/daemon/values.c
	jansson.h			shaper/daemon/vif_answers.c
	jansson.h			shaper/ctl/reply.c
	jansson.h			shaper/ctl/document.c
	jansson.h			sim/output_json.c
	jansson.h			sim/run_json.c
	cairo.h				sim/plot.c
	cairo-svg.h			sim/plot.c
	jansson.h			sim/page.c
	jansson.h			sim/value.c
	jansson.h			sim/judge_json.c
	seccomp.h			shaper/daemon/confine.c
	bpf/				shaper/io/fast.c
	xenstore.h			xen-hooks/store.c
	libmnl/				xen-hooks/way_netback.c
	libmnl/				xen-hooks/way_netback_state.c
	libxenvchan.h			xen-hooks/tap_vchan.c
	bpf/				shaper/io/fast_lacks.c
	bpf/				shaper/io/fast_links.c
	bpf/				shaper/io/fast_pin.c
	bpf/				shaper/io/fast_program.c
	fast.skel.h			shaper/io/fast.c
	bpf/				shaper/io/fast_left.c
	fast.skel.h			shaper/io/fast_left.c
	fast.skel.h			shaper/io/fast_program.c
	pcap/				sim/link_name.c
	zlib.h				sim/capture_gzip.c
	zstd.h				sim/capture_zstd.c
	lzma.h				sim/capture_xz.c
	END
}

# Headers that do nothing behind our back: all that the pure folders may use,
# and a file that may use one more.
pure_headers="assert.h ctype.h errno.h inttypes.h limits.h math.h stdarg.h
stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h arpa/inet.h
netinet/in.h uthash.h policy/yaml.c:yaml.h flowtable/pages.c:sys/mman.h"

# Headers of the system itself; anything else in <> is an outside library.
system_headers="arpa/ asm/ ctype.h dirent.h errno.h fcntl.h getopt.h glob.h grp.h
ifaddrs.h inttypes.h libgen.h limits.h linux/ locale.h malloc.h math.h net/ netdb.h
netinet/ poll.h pthread.h pwd.h sched.h semaphore.h setjmp.h signal.h spawn.h
stdarg.h stdatomic.h stdbool.h stddef.h stdint.h stdio.h stdlib.h string.h
strings.h sys/ syslog.h term.h termios.h time.h unistd.h wchar.h assert.h
uthash.h utlist.h"

# Lines "file number include", the include with its quotes or brackets, and
# "file number call" for what only one file may call.
gather() {
	(
		cd "$1"
		find . -name build -prune -o -path ./tests -prune -o \
			-type f -name '*.[ch]' -print | sed 's|^\./||' | sort |
			xargs grep -nHE \
			'^[[:space:]]*#[[:space:]]*include|\<clock_gettime *\(' \
			/dev/null |
			sed -nE \
			-e 's/^([^:]*):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]*[">]).*/\1 \2 \3/p' \
			-e 's/^([^:]*):([0-9]+):.*\<(clock_gettime) *\(.*/\1 \2 \3/p'
	)
}

check() {
	gather "$1" >"$work/includes"
	allowed >"$work/allowed"
	libraries >"$work/libraries"
	# Headers that say they are shared with BPF, for shaper/bpf.
	(cd "$1" && grep -rlE --include='*.h' 'BPF' flowtable policy shaper \
		2>/dev/null || true) >"$work/shared"
	[ -s "$work/includes" ] || {
		echo "$1: no source found"
		return 1
	}
	awk -v pure="$pure_headers" -v system_="$system_headers" \
		-f "$tests/layers.awk" -v work="$work" "$work/includes"
}

# Each mistake alone must fail, and say why; the clean tree must pass.
expect() {
	want=$1 why=$2 file=$3 line=$4
	rm -rf "$work/tree"
	mkdir -p "$work/tree/shaper/io" "$work/tree/policy" "$work/tree/sim" \
		"$work/tree/shaper/daemon" "$work/tree/shaper/bpf" \
		"$work/tree/flowtable" "$work/tree/xen-hooks" \
		"$work/tree/lost"
	echo '/* also compiled for BPF */' >"$work/tree/flowtable/packet.h"
	libraries | while read -r library wrapper; do
		mkdir -p "$work/tree/$(dirname "$wrapper")"
		case $library in
		*/) library=${library}x.h ;;
		esac
		echo "#include <$library>" >>"$work/tree/$wrapper"
	done
	printf '%s\n' "$line" >>"$work/tree/$file"
	got=pass
	check "$work/tree" >"$work/said" || got=fail
	if [ $got != "$want" ] || ! grep -q "$why" "$work/said"; then
		echo "self-test: $file with $line: $got, want $want ($why):"
		cat "$work/said"
		failures=$((failures + 1))
	fi
}

self_test() {
	failures=0
	expect pass ok flowtable/a.c '#include "flowtable/packet.h"'
	expect pass ok policy/a.c '#include <uthash.h>'
	expect pass ok shaper/bpf/a.c '#include "flowtable/packet.h"'
	expect pass ok shaper/daemon/a.c '#include "shaper/io/datapath.h"'
	expect pass ok xen-hooks/a.c '#include "shaper/io/datapath.h"'
	expect fail 'may not include' flowtable/a.h '#include "policy/policy.h"'
	expect fail 'may not include' policy/a.c '#include "shaper/pump.h"'
	expect fail 'may not include' shaper/a.c '  #  include "shaper/io/clock.h"'
	expect fail 'may not include' shaper/io/a.c '#include "shaper/daemon/log.h"'
	expect fail 'may not include' xen-hooks/a.c '#include "shaper/io/clock.h"'
	expect fail 'may not include' sim/a.c '#include "shaper/io/datapath.h"'
	expect fail 'may not include' shaper/daemon/a.c '#include "sim/world.h"'
	expect fail 'may not include' shaper/a.c '#include "tests/fake.h"'
	expect fail 'not marked' shaper/bpf/a.c '#include "policy/policy.h"'
	expect fail 'from the root' policy/a.c '#include "policy.h"'
	expect fail 'from the root' policy/a.c '#include "policy/../shaper/a.h"'
	expect fail 'not pure' shaper/a.c '#include <time.h>'
	expect fail 'not pure' policy/a.h '#include <unistd.h>'
	expect fail 'not pure' flowtable/a.c '#include <sys/mman.h>'
	expect fail 'wrapped by' shaper/daemon/a.c '#include <event2/event.h>'
	expect fail 'wrapped by' shaper/io/nft_batch.h '#include <libnftnl/x.h>'
	expect fail 'wrapped by nobody' sim/a.c '#include <curl/curl.h>'
	expect fail 'no header' shaper/io/a.h '#include <libmnl/libmnl.h>'
	expect fail 'clock_gettime' shaper/daemon/a.c 'clock_gettime(0, &t);'
	expect fail 'no folder' lost/a.c '#include <stdint.h>'
	# A wrapper that does not wrap is a stale line of the table.
	allowed >"$work/allowed"
	libraries() {
		printf 'gone.h\tpolicy/a.c\n'
	}
	wrapped=$(mktemp -d "$work/XXXXXX")
	mkdir -p "$wrapped/policy"
	echo '#include <stdint.h>' >"$wrapped/policy/a.c"
	if check "$wrapped" >"$work/said" || ! grep -q stale "$work/said"; then
		echo "self-test: a stale line of the table passes"
		failures=$((failures + 1))
	fi
	[ $failures -eq 0 ]
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

if [ "${1-}" = --self-test ]; then
	self_test
	exit
fi
check "${1-$tree}"
