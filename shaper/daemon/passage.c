/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/passage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/zones.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/pump.h"

enum {
	STEPS = 1024,
	AT_ONCE = 32,
	JOBS_AT_ONCE = 8,
	ELSEWHERE_MAX = 1024, /* keys */
};

struct job;

/* One engine's share of a job; between post and done it is that engine's. */
struct part {
	struct job *job;
	struct pump_guest_cursor cursor;
	bool released;
	uint64_t released_pkts;
	struct memory_record *keys; /* taken here */
	size_t count;
	bool is_full;
	size_t given; /* how many of the job's were looked at ... */
	size_t taken; /* ... and taken up */
};

struct job {
	struct passage *passage;
	struct job *next; /* in the queue */
	struct passage_guest guest;
	bool gives;
	enum passage_how how;
	size_t keys_max; /* taken: of each engine */
	struct memory_record *keys;
	size_t count; /* given */
	size_t given_elsewhere;
	struct memory_record *elsewhere; /* taken, of others */
	size_t elsewhere_count;
	uint64_t until_ns;
	void (*on_taken)(void *self, const struct passage_keys *taken);
	void (*on_given)(void *self, size_t taken);
	void *self;
	size_t underway;
	bool is_cut;
	struct part parts[];
};

struct passage {
	struct mailbox *const *mailboxes;
	size_t count;
	size_t underway;
	bool stopped;
	struct passage_elsewhere elsewhere; /* all-zero: nobody */
	struct job *first, *last;
};

struct passage *passage_new(struct mailbox *const *mailboxes, size_t count)
{
	struct passage *passage = calloc(1, sizeof(*passage));

	if (passage == NULL)
		return NULL;
	passage->mailboxes = mailboxes;
	passage->count = count;
	return passage;
}

/* ------ on the engine's thread */

static struct pump_guest guest_of(const struct job *job,
				  const struct mailbox_engine *engine)
{
	const struct passage_guest *guest = &job->guest;
	struct pump_guest told = { .addresses = guest->addresses,
				   .count = guest->count };

	if (guest->count == 0)
		told.zone = zones_id(engine->zones, engine->policy,
				     guest->interface, 0);
	return told;
}

static void note(struct part *part, const struct pump_record *record,
		 const struct mailbox_engine *engine)
{
	const char *interface = part->job->guest.interface;
	struct memory_record *to = &part->keys[part->count++];
	const char *zone = zones_get(engine->zones, record->key.zone)->name;
	char own[ZONE_NAME_SIZE];

	zones_name(engine->policy, interface, 0, own);
	memset(to, 0, sizeof(*to));
	to->record = *record;
	to->record.key.zone = 0;
	if (interface[0] == '\0' || strcmp(zone, own) != 0)
		snprintf(to->zone, sizeof(to->zone), "%s", zone);
}

static bool take_step(void *self, struct mailbox_engine *engine,
		      uint64_t now_ns)
{
	struct part *part = self;
	struct job *job = part->job;
	const struct pump_guest guest = guest_of(job, engine);
	size_t room = job->keys_max - part->count;
	struct pump_record records[AT_ONCE];
	size_t count = pump_export_guest(engine->pump, &guest, &part->cursor,
					 STEPS, records,
					 room < AT_ONCE ? room : AT_ONCE,
					 job->how == PASSAGE_LEAVE, now_ns);

	for (size_t i = 0; i < count; i++)
		note(part, &records[i], engine);
	part->is_full = part->count == job->keys_max;
	if (job->how == PASSAGE_LEAVE && !part->released &&
	    (part->cursor.held_told || part->is_full)) {
		part->released_pkts =
			pump_release_guest(engine->pump, &guest, now_ns);
		part->released = true;
	}
	return part->cursor.ended || part->is_full;
}

static bool give_step(void *self, struct mailbox_engine *engine,
		      uint64_t now_ns)
{
	struct part *part = self;
	const struct job *job = part->job;

	for (size_t i = 0; i < AT_ONCE && part->given < job->count; i++) {
		const struct memory_record *key = &job->keys[part->given++];
		struct pump_record record = key->record;
		const char *zone = key->zone[0] != '\0' ? key->zone
							: job->guest.interface;

		if (key->zone[0] == '\0')
			record.key.zone = zones_id(engine->zones,
						   engine->policy, zone, 0);
		else
			record.key.zone = zones_id_of_name(engine->zones, zone);
		part->taken +=
			policy_is_inside(engine->policy, record.key.inside) &&
			pump_expect(engine->pump, &record, job->until_ns,
				    now_ns) == PUMP_EXPECTED;
	}
	return part->given == job->count;
}

/* ------ on ours */

static void tell_taken(struct job *job)
{
	struct passage_keys taken = { .keys = job->keys,
				      .is_cut = job->is_cut };

	if (job->keys != NULL)
		taken.count = job->elsewhere_count;
	for (size_t i = 0; i < job->passage->count && job->keys != NULL; i++) {
		const struct part *part = &job->parts[i];

		memmove(job->keys + taken.count, part->keys,
			part->count * sizeof(*part->keys));
		taken.count += part->count;
		taken.released_pkts += part->released_pkts;
		taken.is_full |= part->is_full;
	}
	job->on_taken(job->self, &taken);
}

static void tell(struct job *job)
{
	size_t taken = job->given_elsewhere;

	for (size_t i = 0; i < job->passage->count; i++)
		taken += job->parts[i].taken;
	if (!job->gives)
		tell_taken(job);
	else if (job->on_given != NULL)
		job->on_given(job->self, taken);
	free(job->elsewhere);
	free(job->keys);
	free(job);
}

static void start(struct passage *passage);

static void one_done(struct job *job)
{
	struct passage *passage = job->passage;

	if (--job->underway > 0)
		return;
	passage->underway--;
	tell(job);
	start(passage);
}

static void part_done(void *self, bool ended)
{
	struct part *part = self;

	part->job->is_cut |= ended;
	one_done(part->job);
}

static bool prepare(struct job *job)
{
	size_t count = job->passage->count;

	for (size_t i = 0; i < count; i++)
		job->parts[i].job = job;
	if (job->gives)
		return true;
	job->keys = calloc(count * job->keys_max + job->elsewhere_count,
			   sizeof(*job->keys));
	if (job->keys == NULL)
		return false;
	if (job->elsewhere_count > 0)
		memcpy(job->keys, job->elsewhere,
		       job->elsewhere_count * sizeof(*job->keys));
	for (size_t i = 0; i < count; i++)
		job->parts[i].keys =
			job->keys + job->elsewhere_count + i * job->keys_max;
	return true;
}

static void run(struct job *job)
{
	struct passage *passage = job->passage;

	passage->underway++;
	job->underway = 1; /* until all are posted */
	job->is_cut = !prepare(job);
	for (size_t i = 0; i < passage->count && !job->is_cut; i++) {
		const struct mailbox_task task = {
			.step = job->gives ? give_step : take_step,
			.done = part_done,
			.self = &job->parts[i],
		};

		if (mailbox_post(passage->mailboxes[i], &task) == 0)
			job->underway++;
		else
			job->is_cut = true;
	}
	one_done(job);
}

static bool have_room(const struct passage *passage)
{
	for (size_t i = 0; i < passage->count; i++)
		if (!mailbox_has_room(passage->mailboxes[i]))
			return false;
	return passage->underway < JOBS_AT_ONCE;
}

static void start(struct passage *passage)
{
	while (!passage->stopped && passage->first != NULL &&
	       have_room(passage)) {
		struct job *job = passage->first;

		passage->first = job->next;
		run(job);
	}
}

void passage_set_elsewhere(struct passage *passage,
			   const struct passage_elsewhere *elsewhere)
{
	passage->elsewhere = *elsewhere;
}

void passage_stop(struct passage *passage)
{
	passage->stopped = true;
}

void passage_advance(struct passage *passage)
{
	start(passage);
}

static void enqueue(struct passage *passage, struct job *job)
{
	if (passage->first == NULL)
		passage->first = job;
	else
		passage->last->next = job;
	passage->last = job;
	start(passage);
}

static struct job *job_new(struct passage *passage,
			   const struct passage_guest *guest, void *self)
{
	struct job *job = calloc(
		1, sizeof(*job) + passage->count * sizeof(job->parts[0]));

	if (job == NULL)
		return NULL;
	job->passage = passage;
	job->guest = *guest;
	job->self = self;
	return job;
}

/* Now: a vif that leaves may be gone when the engines have answered. */
static void look_elsewhere(struct job *job, size_t keys_max)
{
	const struct passage_elsewhere *elsewhere = &job->passage->elsewhere;
	size_t max = keys_max < ELSEWHERE_MAX ? keys_max : ELSEWHERE_MAX;

	if (elsewhere->look == NULL)
		return;
	job->elsewhere = calloc(max, sizeof(*job->elsewhere));
	if (job->elsewhere != NULL)
		job->elsewhere_count = elsewhere->look(
			elsewhere->self, &job->guest, job->elsewhere, max);
}

void passage_take(struct passage *passage, const struct passage_guest *guest,
		  enum passage_how how, size_t keys_max,
		  void (*on_taken)(void *self,
				   const struct passage_keys *taken),
		  void *self)
{
	struct job *job = job_new(passage, guest, self);

	if (job == NULL) {
		on_taken(self, &(struct passage_keys){ .is_cut = true });
		return;
	}
	look_elsewhere(job, keys_max);
	job->how = how;
	job->keys_max = keys_max;
	job->on_taken = on_taken;
	enqueue(passage, job);
}

static void give_one(struct job *job, const struct memory_record *key)
{
	const struct passage_elsewhere *elsewhere = &job->passage->elsewhere;

	if (elsewhere->give != NULL &&
	    elsewhere->give(elsewhere->self, &job->guest, key))
		job->given_elsewhere++;
	else
		job->keys[job->count++] = *key;
}

void passage_give(struct passage *passage, const struct passage_guest *guest,
		  const struct memory_record *keys, size_t count,
		  uint64_t until_ns, void (*on_given)(void *self, size_t taken),
		  void *self)
{
	struct job *job = job_new(passage, guest, self);

	if (job != NULL)
		job->keys = calloc(count + 1, sizeof(*keys));
	if (job == NULL || job->keys == NULL) {
		free(job);
		if (on_given != NULL)
			on_given(self, 0);
		return;
	}
	job->gives = true;
	for (size_t i = 0; i < count; i++)
		give_one(job, &keys[i]);
	job->until_ns = until_ns;
	job->on_given = on_given;
	enqueue(passage, job);
}

void passage_free(struct passage *passage)
{
	if (passage == NULL)
		return;
	while (passage->first != NULL) {
		struct job *job = passage->first;

		passage->first = job->next;
		job->is_cut = true;
		tell(job);
	}
	free(passage);
}
