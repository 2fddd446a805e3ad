/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TAP_OPTIONS_H
#define SHAPER_DAEMON_TAP_OPTIONS_H

/* symtap-tap's command line. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shaper/daemon/tap_place.h"
#include "xen-hooks/tap_carrier.h"

enum { TAP_DEVICES_MAX = 64 };

struct tap_options {
	bool help, version;
	struct tap_place judge;
	uint16_t queue;
	struct tapcarrier_config carrier;
	const char *devices[TAP_DEVICES_MAX]; /* that frames may leave by */
	size_t devices_count;
};

/* false: `ret_wrong` says what is wrong with it and what would be right. */
bool tap_options_read(int argc, char *const argv[],
		      struct tap_options *ret_options, char *ret_wrong,
		      size_t size);

void tap_options_help(FILE *stream);

#endif
