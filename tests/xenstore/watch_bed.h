/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_XENSTORE_WATCH_BED_H
#define TESTS_XENSTORE_WATCH_BED_H

/* Who follows the vifs of such a store, and counts what he is told. */

#include <stdbool.h>
#include <stdint.h>

#include "tests/xenstore/store_bed.h"
#include "xen-hooks/vif_watch.h"

struct watch_bed {
	struct store_bed store;
	struct vifwatch *watch;
	bool answers; /* at once: the guard is in place, nothing is held */
	bool has_interfaces;
	uint32_t guards, drains, wrongs, seen;
	struct vifwatch_vif last;
};

/* Of a test. */
int watch_bed_open(void **state);
int watch_bed_close(void **state);

struct vifwatch_owner watch_bed_owner(struct watch_bed *bed);

/* What has to be done by then, or the next of it. */
void watch_bed_step(struct watch_bed *bed, uint64_t until_ns);
/* How long it took. */
uint64_t watch_bed_await(struct watch_bed *bed, const uint32_t *count,
			 uint32_t wanted);
/* Until what was written last is heard of, or, if that was more than one key,
 * some of it. */
void watch_bed_settle(struct watch_bed *bed);

#endif
