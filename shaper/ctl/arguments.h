/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_ARGUMENTS_H
#define SHAPER_CTL_ARGUMENTS_H

/* symtapctl's command line. */

#include <stdbool.h>
#include <stddef.h>

#include "shaper/ctl/top.h"

enum arguments_command {
	COMMAND_STATUS,
	COMMAND_STATS,
	COMMAND_TOP,
	COMMAND_EXPLAIN,
	COMMAND_RELEASE,
	COMMAND_EXEMPT,
	COMMAND_RELOAD,
	COMMAND_DOCTOR,
	COMMAND_VIFS,
	COMMAND_EXPORT, /* state export */
	COMMAND_IMPORT, /* state import */
	COMMAND_UNINSTALL,
	COMMANDS,
	COMMAND_HELP = COMMANDS, /* on `of`, or on all */
	COMMAND_VERSION,
};

struct arguments {
	enum arguments_command command;
	enum arguments_command of; /* COMMANDS: no command was named */
	const char *socket_path;
	const char *policy_path; /* doctor */
	bool json;
	bool once;         /* top */
	bool has_interval; /* top */
	struct top_view view;
	/* What to ask the daemon: status .. reload and export, but not top. */
	char request[REQUEST_LINE_BYTES];
};

enum { ARGUMENTS_WRONG_BYTES = 256 };

/* false: ret_wrong says what is wrong and what would be right. */
bool arguments_read(int argc, char *argv[], struct arguments *ret_arguments,
		    char ret_wrong[ARGUMENTS_WRONG_BYTES]);

/* Print the help on one command, or on all of them. */
void arguments_help(enum arguments_command of);

#endif
