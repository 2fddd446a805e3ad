/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/zones.h"
#include "shaper/daemon/explain.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/vif_table.h"
#include "shaper/snapshot.h"

#define NS_PER_S UINT64_C(1000000000)

/* One step looks at this many suspects, and copies as many. */
enum { STEP = 64 };

struct sum { /* all-zero: nothing is known of that zone */
	char interface[16];
	int32_t s_centi;
	uint32_t held_pkts;
	uint64_t since_ns; /* UINT64_MAX: nothing waits */
};

/* Between post and done it belongs to its engine. */
struct part {
	struct vifpoll *poll;
	struct snapshot_cursor cursor;
	uint16_t zones_count; /* above those that were seen */
	struct sum sums[ZONES_MAX];
};

struct vifpoll {
	struct mailbox *const *mailboxes;
	struct viftable *table;
	void (*on_done)(void *self);
	void *self;
	size_t count, underway;
	uint64_t asked_ns, asked_wall_ns;
	struct part parts[];
};

struct vifpoll *vifpoll_new(struct mailbox *const *mailboxes, size_t count,
			    struct viftable *table, void (*on_done)(void *self),
			    void *self)
{
	struct vifpoll *poll =
		calloc(1, sizeof(*poll) + count * sizeof(poll->parts[0]));

	if (poll == NULL)
		return NULL;
	poll->mailboxes = mailboxes;
	poll->count = count;
	poll->table = table;
	poll->on_done = on_done;
	poll->self = self;
	for (size_t i = 0; i < count; i++)
		poll->parts[i].poll = poll;
	return poll;
}

void vifpoll_free(struct vifpoll *poll)
{
	free(poll);
}

static struct sum *sum_of(struct part *part, const struct zones *zones,
			  uint16_t id)
{
	const struct zone *zone = zones_get(zones, id);
	struct sum *sum = &part->sums[id];

	if (id >= part->zones_count)
		part->zones_count = (uint16_t)(id + 1);
	if (sum->interface[0] != '\0')
		return sum;
	sum->since_ns = UINT64_MAX;
	memcpy(sum->interface, zone->interface, sizeof(sum->interface));
	return sum;
}

static void add(struct part *part, const struct zones *zones,
		const struct snapshot_row *row)
{
	struct sum *sum = sum_of(part, zones, row->key.zone);
	int32_t s_centi =
		(int32_t)(100 * explain_s(row->offered_pkts, row->heard_pkts));
	uint64_t since_ns = row->over_since_ns;

	if (row->exempt || !row->enforced)
		return;
	if (s_centi > sum->s_centi)
		sum->s_centi = s_centi;
	if (row->held_pkts == 0)
		return;
	sum->held_pkts += row->held_pkts;
	if (since_ns == 0)
		since_ns = row->held_since_ns;
	if (since_ns < sum->since_ns)
		sum->since_ns = since_ns;
}

static bool part_step(void *self, struct mailbox_engine *engine,
		      uint64_t now_ns)
{
	struct snapshot_row rows[STEP];
	struct part *part = self;
	size_t count = snapshot_suspects(engine->pump, &part->cursor, STEP,
					 rows, STEP, now_ns);

	for (size_t i = 0; i < count; i++)
		add(part, engine->zones, &rows[i]);
	return part->cursor.ended;
}

static uint64_t since_s(const struct vifpoll *poll, const struct sum *sum)
{
	uint64_t ago_ns;

	if (sum->since_ns == UINT64_MAX)
		return 0;
	ago_ns = poll->asked_ns > sum->since_ns ? poll->asked_ns - sum->since_ns
						: 0;
	return (poll->asked_wall_ns - ago_ns) / NS_PER_S;
}

/* All at once: who looks between two parts sees what was before. */
static void take_over(struct vifpoll *poll)
{
	viftable_forget_figures(poll->table);
	for (size_t i = 0; i < poll->count; i++) {
		const struct part *part = &poll->parts[i];

		for (uint16_t j = 0; j < part->zones_count; j++)
			viftable_add(poll->table, part->sums[j].interface,
				     part->sums[j].s_centi,
				     part->sums[j].held_pkts,
				     since_s(poll, &part->sums[j]));
	}
}

static void part_done(void *self, bool ended)
{
	struct part *part = self;
	struct vifpoll *poll = part->poll;

	if (ended)
		part->zones_count = 0;
	if (--poll->underway > 0)
		return;
	take_over(poll);
	poll->on_done(poll->self);
}

int vifpoll_start(struct vifpoll *poll, uint64_t wall_ns, uint64_t now_ns)
{
	if (poll->underway > 0)
		return -EBUSY;
	poll->asked_ns = now_ns;
	poll->asked_wall_ns = wall_ns;
	for (size_t i = 0; i < poll->count; i++) {
		struct part *part = &poll->parts[i];
		struct mailbox_task task = { part_step, part_done, part };

		memset(part->sums, 0, part->zones_count * sizeof(struct sum));
		memset(&part->cursor, 0, sizeof(part->cursor));
		part->zones_count = 0;
		if (mailbox_post(poll->mailboxes[i], &task) == 0)
			poll->underway++;
	}
	return poll->underway > 0 ? 0 : -EAGAIN;
}
