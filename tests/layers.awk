# SPDX-License-Identifier: GPL-2.0-or-later
# Judges the lines that layers.sh gathers, by the tables it writes into `work`.

function complain(text)
{
	print $1 ":" $2 ": " text
	mistakes++
}

function folder_of(path)
{
	sub(/\/[^\/]*$/, "", path)
	return path
}

function begins(text, start)
{
	return substr(text, 1, length(start)) == start
}

# "x/" stands for all headers below x
function is_listed(header, list, i)
{
	for (i in list) {
		if (i == header || (i ~ /\/$/ && begins(header, i)))
			return 1
	}
	return 0
}

function judge_ours(file, header, folder, i, n, list)
{
	if (header !~ /\// || header ~ /(^|\/)\.\.?\//) {
		complain("name \"" header "\" from the root of the tree")
		return
	}
	n = split(may[folder], list, " ")
	for (i = 1; i <= n; i++) {
		if (list[i] == header || list[i] == folder_of(header))
			return
	}
	if (folder == "shaper/bpf") {
		if (!(header in shared))
			complain("\"" header "\" is not marked as shared with BPF")
		return
	}
	complain(folder " may not include \"" header "\"")
}

function judge_library(file, header, i, wrapper)
{
	if (file ~ /\.h$/) {
		complain("no header may include <" header ">")
		wrapper = 1
	}
	for (i in wraps) {
		split(wraps[i], pair, " ")
		if (pair[1] != header &&
		    !(pair[1] ~ /\/$/ && begins(header, pair[1])))
			continue
		if (pair[2] == file) {
			used[i] = 1
			return
		}
		wrapper = wrapper " " pair[2]
	}
	complain("<" header "> is wrapped by" (wrapper ? wrapper : " nobody"))
}

function judge_outside(file, header, folder)
{
	if (folder == "flowtable" || folder == "policy" || folder == "shaper") {
		if (!is_listed(header, is_pure) && !((file ":" header) in is_pure))
			complain("<" header "> is not pure")
	}
	if (folder == "shaper/bpf" && begins(header, "bpf/"))
		return
	if (!is_listed(header, is_system))
		judge_library(file, header)
}

BEGIN {
	n = split(pure, words, /[ \n]+/)
	for (i = 1; i <= n; i++)
		is_pure[words[i]] = 1
	n = split(system_, words, /[ \n]+/)
	for (i = 1; i <= n; i++)
		is_system[words[i]] = 1
	while ((getline < (work "/allowed")) > 0) {
		folder = $1
		$1 = ""
		may[folder] = $0
	}
	while ((getline < (work "/libraries")) > 0)
		wraps[++wraps_count] = $1 " " $2
	while ((getline < (work "/shared")) > 0)
		shared[$1] = 1
}

{
	folder = folder_of($1)
	header = substr($3, 2, length($3) - 2)
	if (!(folder in may)) {
		complain("no folder of ARCHITECTURE.md is called " folder)
	} else if ($3 == "clock_gettime") {
		if ($1 != "shaper/io/clock.c" && folder != "contrib/demo")
			complain("clock_gettime is called by shaper/io/clock.c alone")
	} else if ($3 ~ /^"/) {
		judge_ours($1, header, folder)
	} else {
		judge_outside($1, header, folder)
	}
}

END {
	for (i = 1; i <= wraps_count; i++) {
		if (!(i in used)) {
			print "layers.sh: stale line: " wraps[i]
			mistakes++
		}
	}
	if (mistakes)
		exit 1
	print "layers: ok, " NR " includes"
}
