/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_MERGE_H
#define TESTS_FAST_MERGE_H

/*
 * What generic receive offload makes of consecutive segments of a flow: one
 * super-packet, as the kernel would show it.  TCP: the numbers follow each
 * other, the same acknowledgement, the same length but for the last (RFC 9293
 * numbers; include/net/gro.h has the terms).  UDP: the same length but for the
 * last.
 */

#include <stdbool.h>
#include <stdint.h>

#include "tests/fast_twin.h"

struct merge { /* all-zero: empty */
	uint8_t bytes[TWIN_SEGMENTS][TWIN_FRAME_BYTES];
	uint8_t whole[TWIN_FRAME_BYTES];
	uint32_t headers_bytes, payload_bytes; /* of the first */
	bool last; /* a shorter one, or the end of a push */
	struct twin_frame frame;
};

/* true: it was taken, and is copied.  false: it does not belong to those that
 * are there: take them out before. */
bool merge_add(struct merge *merge, const uint8_t *bytes, uint32_t count,
	       bool out);

/* All that is there; valid until the next merge_add.  NULL: nothing. */
const struct twin_frame *merge_take(struct merge *merge);

#endif
