#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completes command lines of each program as bash does.
set -u
cd "$(dirname "$0")/.." || exit 1

symtapctl() # answers for the completion's own question
{
	echo '{"ok":{"rows":[{"inside":"10.20.0.7","outside":"192.0.2.7"},' \
		'{"inside":"2001:db8::5"}]}}'
}

symtap-sim()
{
	if [[ $1 == replay ]]; then
		printf '  -c, --config FILE  x\n  --keys N  x\n  --json F  x\n'
	else
		printf 'usage: x\n\n  replay   x\n  run      x\n'
	fi
}

symtapd()
{
	printf '  -n, --check  x\n  -t, --tap PLACE  x\n'
}

symtap-tap()
{
	printf '  --most MODE  x\n  --fail open|closed  x\n'
}

# shellcheck source=contrib/completion/symtapctl.bash
. contrib/completion/symtapctl.bash
# shellcheck source=contrib/completion/symtapd.bash
. contrib/completion/symtapd.bash
# shellcheck source=contrib/completion/symtap-tap.bash
. contrib/completion/symtap-tap.bash
# shellcheck source=contrib/completion/symtap-sim.bash
. contrib/completion/symtap-sim.bash
failures=0

# expect "words so far" "completions of the last": a word may be empty.
expect()
{
	local got
	IFS=' ' read -r -a COMP_WORDS <<<"$1"
	[[ $1 == *' ' ]] && COMP_WORDS+=("")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	"_${COMP_WORDS[0]//-/_}"
	got="${COMPREPLY[*]}"
	if [[ $got != "$2" ]]; then
		echo "$1: \"$got\", not \"$2\""
		failures=$((failures + 1))
	fi
}

expect "symtapctl sta" "status stats state"
expect "symtapctl -j un" "uninstall"
expect "symtapctl vi" "vifs"
expect "symtapctl top --s" "--socket --scope"
expect "symtapctl top --by " "S rate held"
expect "symtapctl top --scope h" "host"
expect "symtapctl --socket /x top --o" "--once"
expect "symtapctl explain 1" "10.20.0.7 192.0.2.7"
expect "symtapctl -s /x release 192" "192.0.2.7"
expect "symtapctl exempt 10.20.0.7 " "for end"
expect "symtapctl exempt 10.20.0.7 for 1" "10m 1h 1d"
expect "symtapctl doctor --c" "--config"
expect "symtapctl status --c" ""
expect "symtapctl state " "export import"
expect "symtapctl state export --u" "--uuid"
expect "symtapd --ch" "--check"
expect "symtapd --tap v" "vchan:"
expect "symtap-tap --m" "--most"
expect "symtap-tap --most i" "interpose intercept"
expect "symtap-sim r" "replay run"
expect "symtap-sim replay --k" "--keys"
expect "symtap-sim replay --inside r" "responders"
expect "symtap-sim replay contrib/symtap.y" "contrib/symtap.yaml"
[[ $failures == 0 ]]
