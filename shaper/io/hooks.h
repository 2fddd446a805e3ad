/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_HOOKS_H
#define SHAPER_IO_HOOKS_H

/*
 * Who sees packets at an interface before netfilter does, or after: XDP, the
 * programs of tcx, and the filters of clsact.
 */

#include <stdbool.h>
#include <stddef.h>

enum hooks_place { HOOKS_XDP, HOOKS_INGRESS, HOOKS_EGRESS };

enum { HOOKS_NAME_BYTES = 32 };

struct hooks_program {
	char interface[16];
	enum hooks_place place;
	bool ours;
	/* "redirect", or "program 17" where its name is not ours to read;
	 * "flower" and the like where it is no program */
	char name[HOOKS_NAME_BYTES];
};

/*
 * Those at one interface, of each place in the order in which they run, at most
 * `max`.  0 or -errno.  A kernel that has no such place has nobody there.
 */
int hooks_read(const char *interface, struct hooks_program *ret_programs,
	       size_t max, size_t *ret_count);

#endif
