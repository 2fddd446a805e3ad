/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/keeper.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/log.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/memory.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/travel.h"
#include "shaper/io/clock.h"
#include "shaper/pump.h"

enum {
	RECORDS_MAX = 4096, /* of all engines; who comes later is left out */
	STEPS = 1024,
	AT_ONCE = 32,
};

#define HELD_NS  UINT64_C(2000000000)
#define OTHER_NS UINT64_C(30000000000)

struct part {
	struct keeper *keeper;
	uint32_t position;
	size_t records_count;
	struct memory_record *records; /* the engine's thread writes them */
};

struct keeper {
	const struct status *status;
	struct travel *travel;
	struct mailbox *const *mailboxes;
	size_t count;
	size_t underway; /* parts that have not come back */
	bool is_cut;     /* one of them ended in the middle */
	bool had_held;   /* what was written last */
	uint64_t asked_ns, written_ns;
	char path[108];
	struct log_limit log;
	struct memory_record *records;
	struct part parts[];
};

struct keeper *keeper_new(const struct status *status, struct travel *travel,
			  struct mailbox *const *mailboxes, size_t count)
{
	struct keeper *keeper =
		calloc(1, sizeof(*keeper) + count * sizeof(keeper->parts[0]));

	if (keeper == NULL)
		return NULL;
	keeper->records = calloc(RECORDS_MAX, sizeof(*keeper->records));
	if (keeper->records == NULL) {
		free(keeper);
		return NULL;
	}
	keeper->status = status;
	keeper->travel = travel;
	keeper->mailboxes = mailboxes;
	keeper->count = count;
	keeper->log = (struct log_limit){ .subject = "state",
					  .burst_lines = 1,
					  .lines_per_min = 1 };
	for (size_t i = 0; i < count; i++) {
		keeper->parts[i].keeper = keeper;
		keeper->parts[i].records =
			keeper->records + i * (RECORDS_MAX / count);
	}
	return keeper;
}

void keeper_free(struct keeper *keeper)
{
	if (keeper == NULL)
		return;
	free(keeper->records);
	free(keeper);
}

/* ------ asking the engines */

static bool take_held(void *self, struct mailbox_engine *engine,
		      uint64_t now_ns)
{
	struct part *part = self;
	size_t room = RECORDS_MAX / part->keeper->count - part->records_count;
	struct pump_record records[AT_ONCE];
	size_t count =
		pump_export_held(engine->pump, &part->position, STEPS, records,
				 room < AT_ONCE ? room : AT_ONCE, now_ns);

	for (size_t i = 0; i < count; i++) {
		struct memory_record *to =
			&part->records[part->records_count++];
		uint16_t zone = records[i].key.zone;

		to->record = records[i];
		memcpy(to->zone, zones_get(engine->zones, zone)->name,
		       sizeof(to->zone));
	}
	return part->position == 0 || room == count;
}

/* One after the other, without holes. */
static size_t gather(struct keeper *keeper)
{
	size_t count = 0;

	for (size_t i = 0; i < keeper->count; i++) {
		const struct part *part = &keeper->parts[i];

		memmove(keeper->records + count, part->records,
			part->records_count * sizeof(*part->records));
		count += part->records_count;
	}
	return count;
}

static void write_down(struct keeper *keeper)
{
	uint64_t now_ns = clock_now_ns();
	size_t count = gather(keeper);
	int error;

	travel_note(keeper->travel, keeper->records, count, now_ns);
	if (keeper->path[0] == '\0')
		return;
	if (count == 0 && !keeper->had_held &&
	    now_ns - keeper->written_ns < OTHER_NS)
		return;
	/* As if it ended right before the next time: what is held now will be,
	 * by then, and would be forgotten by a window of a second else. */
	error = memory_keep(keeper->path, keeper->records, count,
			    keeper->status, clock_wall_ns() + HELD_NS, now_ns);
	if (error < 0)
		log_limited(&keeper->log, LOG_LEVEL_WARN, -error,
			    "%s cannot be written", keeper->path);
	keeper->had_held = count > 0;
	keeper->written_ns = now_ns;
}

static void part_done(void *self, bool ended)
{
	struct part *part = self;
	struct keeper *keeper = part->keeper;

	keeper->is_cut |= ended;
	if (--keeper->underway == 0 && !keeper->is_cut)
		write_down(keeper);
}

void keeper_advance(struct keeper *keeper, const char *path, uint64_t now_ns)
{
	bool for_whom = path[0] != '\0' || travel_has_guests(keeper->travel);

	if (!for_whom || keeper->underway > 0 ||
	    now_ns - keeper->asked_ns < HELD_NS)
		return;
	keeper->asked_ns = now_ns;
	keeper->is_cut = false;
	snprintf(keeper->path, sizeof(keeper->path), "%s", path);
	for (size_t i = 0; i < keeper->count; i++) {
		struct part *part = &keeper->parts[i];
		const struct mailbox_task task = { .step = take_held,
						   .done = part_done,
						   .self = part };

		part->position = 0;
		part->records_count = 0;
		if (mailbox_post(keeper->mailboxes[i], &task) == 0)
			keeper->underway++;
		else
			keeper->is_cut = true;
	}
}
