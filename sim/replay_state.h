/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPLAY_STATE_H
#define SIM_REPLAY_STATE_H

/*
 * The inside of a replay, for the replay*.c files only.
 *
 *	replay_packet	reads a frame into the batch
 *	replay_flush	a full batch: which end is guarded, told as captured,
 *			through the pump, told what became of it
 */

#include "policy/policy.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "sim/held.h"
#include "sim/initiators.h"
#include "sim/replay.h"

enum { REPLAY_BATCH = 256 };
#define REPLAY_INTERFACE "capture"

/* The pump's clock begins here: 0 means "never" in some places. */
#define REPLAY_START_NS UINT64_C(1000000000)

struct replay_ends {
	uint64_t hash; /* of its pair */
	uint8_t ends;  /* enum pump_ends, never by address */
	bool onward;   /* goes out, and its destination is guarded, too */
};

struct replay {
	struct replay_config config;
	struct policy policy; /* the config's, with all of it inside and
			       * without bounds where that was asked for; owns
			       * its index only */
	struct zones *zones;
	struct fragments *fragments;
	struct initiators *initiators; /* NULL: by prefix */
	struct pump *pump;
	struct held held;
	struct replay_counts counts;
	struct snapshot_totals totals;
	uint16_t zone, zone_vlan; /* of the last packet */
	bool has_zone, has_begun, with_vlans, was_one_sided;
	bool counts_only; /* so say all observers */
	size_t count;     /* in the batch */
	struct pump_packet batch[REPLAY_BATCH];
	struct replay_ends ends[REPLAY_BATCH];
	uint32_t spares[REPLAY_BATCH]; /* ids, for those that have to wait */
};

/* --- replay_ends.c */

/* Hash and prefetch what replay_find_ends is going to ask. */
void replay_prepare_ends(const struct replay *replay,
			 const struct pump_packet *packet,
			 struct replay_ends *ret_ends);

/* In order of arrival. */
void replay_find_ends(struct replay *replay, const struct pump_packet *packet,
		      struct replay_ends *ends);

/* --- replay_batch.c */

void replay_flush(struct replay *replay);

/* Before anything is made of it; all that came before it is told first. */
void replay_tell_forged(struct replay *replay,
			const struct pump_packet *packet);

/* Tell of those that left, when there is no batch. */
void replay_collect(struct replay *replay);

/* Refresh `totals`. */
void replay_look(struct replay *replay);

#endif
