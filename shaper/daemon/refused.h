/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_REFUSED_H
#define SHAPER_DAEMON_REFUSED_H

/*
 * What the kernel refuses for us, as rates: the excess of a flood never
 * reaches an engine, but it was offered, and whoever looks wants to see it.
 */

#include <stddef.h>
#include <stdint.h>

#include "shaper/io/nft_rules.h"

struct flow_key;

enum { REFUSED_MAX = 1024 };

struct refused {
	struct refused_key {
		struct nftrules_refused element;
		uint64_t pkts_per_s;
		uint8_t old_looks; /* so many looks ago */
	} keys[REFUSED_MAX];       /* in order */
	size_t count;
};

/*
 * Take a look: `elements` is what nftrules_refusals found, and is put in
 * order here.  Those past REFUSED_MAX and those that spare are left out.
 *
 * An element comes and goes within half a second and takes its counter along,
 * so that two looks tell no rate: its age does.  Of one that came within the
 * last half second the look before tells the rest of it, and one that is about
 * to come back keeps its rate for a look.
 */
void refused_take(struct refused *refused, struct nftrules_refused *elements,
		  size_t count);

/*
 * How many packets of `key` were refused in a window of `window_ns`, at the
 * rate of the last look: those of every element that is no wider than the key.
 * Zones with equal addresses are not told apart.
 */
uint32_t refused_pkts(const struct refused *refused, const struct flow_key *key,
		      uint64_t window_ns);

#endif
