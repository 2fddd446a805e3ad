/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_RING_DUMP_H
#define SHAPER_IO_RING_DUMP_H

/* Which filters at a vif are ours, and which share a priority with them: an
 * operator may have any.  Ours bear a cookie.  Internal to ring_filter.c. */

#include <stdbool.h>
#include <stdint.h>

/* Behind those of fast_links.c, before those that tc chooses. */
enum { RINGDUMP_FIRST_PRIORITY = 100, RINGDUMP_CLASSES = 255 /* 1 .. */ };

/* What their actions bear, without a 0 at its end. */
#define RINGDUMP_COOKIE "symtap-ring"

struct ringdump_class {
	uint32_t handle; /* of ours; 0: none */
	bool shared;     /* somebody else's has the priority, too */
};

/* By class, and whether it is of IPv6. */
struct ringdump {
	struct ringdump_class of[RINGDUMP_CLASSES + 1][2];
};

/* false: the kernel did not tell. */
bool ringdump_read(uint32_t vif, struct ringdump *ret_dump);

#endif
