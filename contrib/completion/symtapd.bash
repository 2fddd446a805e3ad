# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for symtapd(8)

_symtapd()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local options

	case $prev in
	-c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	-t | --tap)
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W "vchan: unix:" -- "$cur")
		;;
	*)
		options=$(symtapd --help 2>/dev/null | grep -Eo -- '--[a-z]+')
		mapfile -t COMPREPLY < <(compgen -W "$options -n -nv -c" \
			-- "$cur")
		;;
	esac
}
complete -F _symtapd symtapd
