/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_twin_state.h"

#include <assert.h>

#include "shaper/pump.h"

static void compare_left(struct twin *twin, const struct twin_waiting *waiting)
{
	struct ledger_key *keys[] = { waiting->flow, waiting->pair };
	uint64_t alone_ns = waiting->left_ns[ALONE];
	uint64_t front_ns = waiting->left_ns[FRONT];
	uint64_t apart_ns = alone_ns > front_ns ? alone_ns - front_ns
						: front_ns - alone_ns;

	if (apart_ns == 0)
		return;
	for (int i = 0; i < 2; i++)
		twin_set_apart(twin, keys[i]);
	if (alone_ns && front_ns && apart_ns > twin->results.apart_ns)
		twin->results.apart_ns = apart_ns;
}

static void leave(struct twin *twin, int which, uint64_t id, uint64_t left_ns)
{
	struct twin_waiting *waiting = &twin->waiting[id];
	struct ledger_key *keys[] = { waiting->flow, waiting->pair };

	assert(waiting->left_ns[which] == 0);
	waiting->left_ns[which] = left_ns;
	for (int i = 0; i < 2; i++) {
		keys[i]->late_pkts[which]++;
		if (!twin_is_known(twin, which, &keys[i]->key))
			twin_set_apart(twin, keys[i]);
		if (which == FRONT && twin_is_known(twin, FRONT, &keys[i]->key))
			ledger_add(keys[i], 1, 0, left_ns);
	}
	twin->released[twin->released_count++ % TWIN_RELEASED] = id;
}

void twin_collect(struct twin *twin, int which)
{
	struct pump_release releases[64];
	size_t count;

	while ((count = pump_collect(twin->sides[which].pump, releases, 64)) >
	       0)
		for (size_t i = 0; i < count; i++)
			if (releases[i].verdict == PUMP_PASS)
				leave(twin, which, releases[i].id,
				      releases[i].left_ns);
}

static void run_side(struct twin *twin, int which, uint64_t now_ns)
{
	struct pump *pump = twin->sides[which].pump;
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(pump)) <= now_ns) {
		pump_advance(pump, next_ns);
		twin_collect(twin, which);
	}
	twin_collect(twin, which);
}

/* What either let go, from its n-th release on. */
void twin_compare_released(struct twin *twin, size_t from)
{
	assert(twin->released_count - from <= TWIN_RELEASED);
	for (; from < twin->released_count; from++)
		compare_left(
			twin,
			&twin->waiting[twin->released[from % TWIN_RELEASED]]);
}

/* Both to the same moment. */
void twin_run_until(struct twin *twin, uint64_t now_ns)
{
	size_t from = twin->released_count;

	run_side(twin, ALONE, now_ns);
	run_side(twin, FRONT, now_ns);
	twin->now_ns = now_ns;
	twin_compare_released(twin, from);
}
