/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_MEMORY_H
#define SHAPER_DAEMON_MEMORY_H

/*
 * The daemon's memory from one life to the next: what the engines know and the
 * status shows, to the state file and back.  Main thread, while no engine's
 * thread runs.
 */

#include <stddef.h>
#include <stdint.h>

#include "policy/zones.h"
#include "shaper/pump.h"

struct policy;
struct status;
struct zones;

struct memory_engine {
	struct pump *pump;
	struct zones *zones;
};

/* Save everything.  Logs what was left out.  0 or -errno. */
int memory_save(const char *path, const struct memory_engine *engines,
		size_t count, const struct status *status, uint64_t wall_ns,
		uint64_t now_ns);

/* Counters, exemptions and these keys, beside threads that run: for a sudden
 * end.  0 or -errno. */
struct memory_record {
	struct pump_record record;
	char zone[ZONE_NAME_SIZE];
};
int memory_keep(const char *path, const struct memory_record *records,
		size_t count, const struct status *status, uint64_t wall_ns,
		uint64_t now_ns);

/*
 * Restore it: each record to the engine that `shard_seed` gives its host to,
 * under status->policy.  No file is fine; one that is refused is logged, and
 * told by status->state_refused.  Returns how many keys were taken up.
 */
size_t memory_restore(const char *path, const struct memory_engine *engines,
		      size_t count, uint32_t shard_seed, struct status *status,
		      uint64_t wall_ns, uint64_t now_ns);

#endif
