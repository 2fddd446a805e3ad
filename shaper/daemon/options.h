/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_OPTIONS_H
#define SHAPER_DAEMON_OPTIONS_H

/* symtapd's command line. */

#include <stdbool.h>
#include <stdio.h>

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK, /* -n: is the policy good? */
	OPTIONS_PRINT, /* -nv: and what was understood? */
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

struct options {
	enum options_action action;
	const char *policy_path;
	const char *tap; /* "vchan:0": judge what symtap-tap carries; or NULL */
	bool verbose;
};

/* false: `ret_wrong` says what is wrong with it and what would be right. */
bool options_read(int argc, char *const argv[], struct options *ret_options,
		  char *ret_wrong, size_t size);

void options_help(FILE *stream);

#endif
