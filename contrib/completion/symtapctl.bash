# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for symtapctl(8)

# Addresses that symtapd knows, worst first, if it answers us.
_symtapctl_addresses()
{
	local socket=$1

	symtapctl ${socket:+-s "$socket"} --json top --by held --limit 50 \
		2>/dev/null |
		grep -Eo '"(inside|outside)":"[0-9a-fA-F.:]+"' |
		cut -d'"' -f4 | sort -u
}

_symtapctl()
{
	local cur prev words cword command="" socket="" i
	local commands="status stats top explain release exempt reload doctor
		state uninstall vifs"
	local options="--json --help --version --socket"

	# Addresses of IPv6 hold colons, which are no word breaks here.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : cur prev words cword
	else
		cur=${COMP_WORDS[COMP_CWORD]}
		prev=${COMP_WORDS[COMP_CWORD - 1]}
		words=("${COMP_WORDS[@]}")
		cword=$COMP_CWORD
	fi
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		-s | --socket) socket=${words[++i]} ;;
		--by | --scope | --limit | --interval | --config) ((i++)) ;;
		-*) ;;
		*)
			command=${words[i]}
			break
			;;
		esac
	done

	case $prev in
	-s | --socket | --config)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W "S rate held" -- "$cur")
		return
		;;
	--scope)
		mapfile -t COMPREPLY < <(compgen -W "pair flow host" -- "$cur")
		return
		;;
	--limit | --interval) return ;;
	for)
		mapfile -t COMPREPLY < <(compgen -W "10m 1h 1d" -- "$cur")
		return
		;;
	esac

	case $command in
	"") options="$commands $options" ;;
	top) options+=" --by --scope --limit --interval --once" ;;
	doctor) options+=" --config" ;;
	state)
		if ((cword == i + 1)); then
			options="export import"
		else
			options+=" --uuid --address all"
		fi
		;;
	explain | release | exempt)
		if ((cword == i + 1)) && [[ $cur != -* ]]; then
			options=$(_symtapctl_addresses "$socket")
		elif [[ $command == exempt ]] && ((cword == i + 2)); then
			options="for end"
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}
complete -F _symtapctl symtapctl
