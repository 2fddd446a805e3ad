# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for symtap-tap(8)

_symtap_tap()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local options

	case $prev in
	--judge)
		compopt -o nospace 2>/dev/null
		options="vchan: unix:"
		;;
	--most) options="observe interpose intercept" ;;
	--fail) options="open closed" ;;
	--device) options=$(cd /sys/class/net && echo *) ;;
	--queue | --waiting | --longest) return ;;
	*)
		options=$(symtap-tap --help 2>/dev/null |
			grep -Eo -- '--[a-z]+')
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}
complete -F _symtap_tap symtap-tap
