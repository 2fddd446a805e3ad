# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for symtap-sim(1)

_symtap_sim()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local options=""

	if ((COMP_CWORD == 1)); then
		options="$(symtap-sim --help 2>/dev/null |
			sed -n 's/^  \([a-z]*\) .*/\1/p') --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	case $prev in
	--inside) options="initiators responders both policy" ;;
	--arrives) options="inside" ;;
	--keys | -j | --jobs) return ;;
	*)
		# Each verb says what it knows.
		[[ $cur == -* ]] &&
			options=$(symtap-sim "${COMP_WORDS[1]}" --help \
				2>/dev/null | grep -Eo -- '--[a-z]+')
		;;
	esac
	if [[ -n $options ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _symtap_sim symtap-sim
