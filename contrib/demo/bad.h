/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DEMO_BAD_H
#define DEMO_BAD_H

/*
 * The bad host.  Writes frames to an interface at a bounded rate for a bounded
 * time and prints, ten times a second, how many it has sent so far:
 *
 *	sent PACKETS
 */

#include <stdbool.h>
#include <stdint.h>

#include "contrib/demo/frame.h"

enum bad_deed {
	BAD_FLOOD, /* UDP to one port of one host */
	BAD_FORGE, /* the same with a false source in every packet */
	BAD_SCAN,  /* a TCP SYN to one port after the other */
};

struct bad_order {
	enum bad_deed deed;
	const char *interface;
	struct frame frame; /* BAD_FORGE: its source is a neighbour's, used
			     * in every other packet */
	unsigned rate_pkts_per_s; /* 1..200000 */
	unsigned seconds;         /* 1..600 */
};

/* 0 or -errno. */
int bad_run(const struct bad_order *order);

#endif
