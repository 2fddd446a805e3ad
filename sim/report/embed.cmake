# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -DOUTPUT=FILE.c -DPARTS="NAME=FILE;..." -P embed.cmake
# Files as C arrays, for page_parts.h.
set(text "#include \"sim/page_parts.h\"\n")
foreach(part ${PARTS})
	string(REGEX MATCH "^([a-z]+)=(.*)$" matched "${part}")
	set(name ${CMAKE_MATCH_1})
	file(READ "${CMAKE_MATCH_2}" hex HEX)
	string(REPEAT "." 16 line)
	string(REGEX REPLACE "(${line})" "\\1\n" lines "${hex}")
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${lines}")
	string(APPEND text "static const char ${name}[] = {\n${bytes}\n};\n"
		"const struct page_part page_part_${name} = {\n"
		"\t${name}, sizeof(${name}),\n};\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
