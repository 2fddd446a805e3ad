/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_TAP_PLACE_H
#define SHAPER_DAEMON_TAP_PLACE_H

/*
 * Where the other end of a tap is: "vchan:DOMAIN", or "unix:PATH" for a process
 * of this kernel.
 */

#include <stdbool.h>
#include <stdint.h>

struct tapwire;

struct tap_place {
	const char *path; /* NULL: another domain */
	uint32_t domain;
};

/* `text` is borrowed for as long as the place is used. */
bool tap_place_read(const char *text, struct tap_place *ret_place);

/* As the judge.  0 or -errno: there is no carrier. */
int tap_place_connect(const struct tap_place *place, struct tapwire *ret_wire);

#endif
