/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FAST_BED_H
#define TESTS_FAST_BED_H

/* The kernel's program with an engine beside it, and a conversation whose
 * packets are offered to both as the daemon would.  Asserts with cmocka. */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/fast.h"
#include "tests/pump_bed.h"

struct fastleases;

enum { FASTBED_FRAME_BYTES = 60, FASTBED_SKIPPED = 77 };

struct fastbed {
	struct fast *fast;
	struct fastleases *leases;
	struct bed bed;
	uint64_t now_ns;
	struct fast_frame out, in;
	uint8_t out_bytes[FASTBED_FRAME_BYTES], in_bytes[FASTBED_FRAME_BYTES];
};

/* `hold` is the policy's.  0, or what main() returns where there is no fast
 * path. */
int fastbed_init(struct fastbed *bed, const char *hold);
void fastbed_fini(struct fastbed *bed);

/* 10 ms later.  true: the program let it pass. */
bool fastbed_come(struct fastbed *bed, const struct fast_frame *frame);
/* Until it does. */
void fastbed_lease(struct fastbed *bed);

#endif
