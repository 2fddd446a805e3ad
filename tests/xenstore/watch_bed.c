/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/xenstore/watch_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>

static void on_action(void *self, const struct vifwatch_vif *vif,
		      enum vif_action action)
{
	struct watch_bed *bed = self;

	if (action == VIF_DO_EXPECT)
		return;
	bed->last = *vif;
	if (action == VIF_DO_GUARD)
		bed->guards++;
	else
		bed->drains++;
	if (bed->answers)
		vifwatch_done(
			bed->watch, vif->keys.domain, vif->keys.handle,
			action == VIF_DO_GUARD ? VIF_GUARDED : VIF_DRAINED, "");
}

static void on_wrong(void *self, const char *wrong)
{
	struct watch_bed *bed = self;

	(void)wrong;
	bed->wrongs++;
}

static void on_seen(void *self, const struct vifwatch_vif *vif)
{
	struct watch_bed *bed = self;

	(void)vif;
	bed->seen++;
}

static bool has_interface(void *self, const char *name)
{
	const struct watch_bed *bed = self;

	(void)name;
	return bed->has_interfaces;
}

void watch_bed_step(struct watch_bed *bed, uint64_t until_ns)
{
	struct pollfd ready = { .fd = vifwatch_fd(bed->watch),
				.events = POLLIN };
	uint64_t at_ns = store_bed_now(),
		 next_ns = vifwatch_next_ns(bed->watch);

	if (next_ns > until_ns)
		next_ns = until_ns;
	poll(&ready, 1, next_ns > at_ns ? (int)((next_ns - at_ns) / MS) : 0);
	vifwatch_advance(bed->watch, store_bed_now());
}

uint64_t watch_bed_await(struct watch_bed *bed, const uint32_t *count,
			 uint32_t wanted)
{
	uint64_t begin_ns = store_bed_now(), until_ns = begin_ns + 20 * S;

	while (*count < wanted && store_bed_now() < until_ns)
		watch_bed_step(bed, until_ns);
	assert_int_equal(wanted, *count);
	return store_bed_now() - begin_ns;
}

static bool is_readable(const struct watch_bed *bed)
{
	struct pollfd ready = { .fd = vifwatch_fd(bed->watch),
				.events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

void watch_bed_settle(struct watch_bed *bed)
{
	uint64_t events = vifwatch_stats(bed->watch)->events;
	uint64_t until_ns = store_bed_now() + 20 * S;

	store_bed_put(bed->store.dom0, "",
		      "/local/domain/0/backend/vif/settled");
	while (vifwatch_stats(bed->watch)->events == events &&
	       store_bed_now() < until_ns)
		watch_bed_step(bed, until_ns);
	while ((vifwatch_next_ns(bed->watch) == 0 || is_readable(bed)) &&
	       store_bed_now() < until_ns)
		watch_bed_step(bed, until_ns);
}

struct vifwatch_owner watch_bed_owner(struct watch_bed *bed)
{
	return (struct vifwatch_owner){
		.on_action = on_action,
		.on_wrong = on_wrong,
		.on_seen = on_seen,
		.has_interface = has_interface,
		.self = bed,
	};
}

int watch_bed_open(void **state)
{
	struct watch_bed *bed = calloc(1, sizeof(*bed));
	const struct vifwatch_owner owner = watch_bed_owner(bed);

	bed->answers = true;
	bed->has_interfaces = true;
	store_bed_open(&bed->store);
	bed->watch = vifwatch_new(&owner);
	*state = bed;
	return bed->watch == NULL;
}

int watch_bed_close(void **state)
{
	struct watch_bed *bed = *state;

	vifwatch_free(bed->watch);
	store_bed_close(&bed->store);
	free(bed);
	return 0;
}
