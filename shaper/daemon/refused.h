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
		uint64_t grown_pkts; /* between the last two looks */
	} keys[REFUSED_MAX];         /* in order */
	size_t count;
	uint64_t taken_ns; /* the last look; 0: none yet */
	uint64_t span_ns;  /* since the one before */
};

/*
 * Take a look: `elements` is what nftrules_refusals found, and is put in
 * order here.  Those past REFUSED_MAX and those that spare are left out.
 */
void refused_take(struct refused *refused, struct nftrules_refused *elements,
		  size_t count, uint64_t now_ns);

/*
 * How many packets of `key` were refused in a window of `window_ns`, at the
 * rate of the last look: those of every element that is no wider than the key.
 * Zones with equal addresses are not told apart.
 */
uint32_t refused_pkts(const struct refused *refused, const struct flow_key *key,
		      uint64_t window_ns);

#endif
