/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/travel.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/answers.h"
#include "shaper/daemon/lately.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/requests.h"
#include "shaper/daemon/state_json.h"
#include "shaper/io/clock.h"

struct travel {
	struct passage *passage;
	struct remembered *guests;
	struct lately *lately;
	struct travel_vif *vifs; /* that are here */
	size_t count, room;
	char path[PATH_MAX]; /* "": nothing is written */
	bool changed;
	uint64_t written_ns;
	struct log_limit log;
};

/* Somebody waits for it. */
struct question {
	struct travel *travel;
	struct travel_vif vif; /* that leaves */
	void (*on_done)(void *self, uint64_t released_pkts);
	struct request request;
	void (*on_answer)(void *self, uint64_t token, char *line);
	uint64_t token;
	void *self;
};

#define WRITE_NS UINT64_C(1000000000)

struct travel *travel_new(struct mailbox *const *mailboxes, size_t count)
{
	struct travel *travel = calloc(1, sizeof(*travel));

	if (travel == NULL)
		return NULL;
	travel->passage = passage_new(mailboxes, count);
	travel->guests = remembered_new();
	travel->lately = lately_new();
	travel->log = (struct log_limit){ .subject = "guests",
					  .burst_lines = 1,
					  .lines_per_min = 1 };
	if (travel->passage != NULL && travel->guests != NULL &&
	    travel->lately != NULL)
		return travel;
	travel_free(travel);
	return NULL;
}

void travel_stop(struct travel *travel)
{
	passage_stop(travel->passage);
}

/* ------ the file */

static void write_down(struct travel *travel, uint64_t now_ns)
{
	int error;

	travel->changed = false;
	travel->written_ns = now_ns;
	if (travel->path[0] == '\0')
		return;
	error = remembered_save(travel->guests, travel->path, clock_wall_ns(),
				now_ns);
	if (error < 0)
		log_limited(&travel->log, LOG_LEVEL_WARN, -error,
			    "%s cannot be written", travel->path);
}

/* At once, but not again and again when many leave. */
static void change(struct travel *travel, uint64_t now_ns)
{
	travel->changed = true;
	if (now_ns - travel->written_ns >= WRITE_NS)
		write_down(travel, now_ns);
}

void travel_free(struct travel *travel)
{
	if (travel == NULL)
		return;
	passage_free(travel->passage);
	if (travel->changed)
		write_down(travel, clock_now_ns());
	remembered_free(travel->guests);
	lately_free(travel->lately);
	free(travel->vifs);
	free(travel);
}

void travel_begin(struct travel *travel, const char *state_file,
		  uint64_t now_ns)
{
	const char *why = NULL;
	int error;

	if (state_file[0] == '\0')
		return;
	snprintf(travel->path, sizeof(travel->path), "%s.guests", state_file);
	error = remembered_load(travel->guests, travel->path, clock_wall_ns(),
				now_ns, &why);
	if (error == 1)
		log_warn(0, "guests: %s is not used: %s", travel->path, why);
	else if (error < 0 && error != -ENOENT)
		log_warn(-error, "guests: %s is not used", travel->path);
	else if (error == 0)
		log_info(0, "guests: %zu are remembered",
			 remembered_count(travel->guests));
}

void travel_advance(struct travel *travel, uint64_t now_ns)
{
	size_t before = remembered_count(travel->guests);

	passage_advance(travel->passage);
	remembered_advance(travel->guests, now_ns);
	if (travel->changed || remembered_count(travel->guests) != before)
		write_down(travel, now_ns);
}

/* ------ here and away */

static struct travel_vif *find(struct travel *travel,
			       const struct travel_vif *vif)
{
	for (size_t i = 0; i < travel->count; i++)
		if (travel->vifs[i].domain == vif->domain &&
		    travel->vifs[i].handle == vif->handle)
			return &travel->vifs[i];
	return NULL;
}

static struct travel_vif *find_uuid(struct travel *travel, const char *uuid)
{
	for (size_t i = 0; i < travel->count; i++)
		if (strcmp(travel->vifs[i].uuid, uuid) == 0)
			return &travel->vifs[i];
	return NULL;
}

static bool add(struct travel *travel, const struct travel_vif *vif)
{
	size_t room = travel->room ? 2 * travel->room : 64;
	struct travel_vif *vifs;

	if (travel->count == travel->room) {
		vifs = realloc(travel->vifs, room * sizeof(*vifs));
		if (vifs == NULL)
			return false;
		travel->vifs = vifs;
		travel->room = room;
	}
	travel->vifs[travel->count++] = *vif;
	return true;
}

static void give(struct travel *travel, const struct travel_vif *vif,
		 uint64_t now_ns)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];
	const struct pump_guest guest = { .addresses = vif->guest.addresses,
					  .count = vif->guest.count };
	size_t count = remembered_take(travel->guests, vif->uuid, &guest, keys);

	if (count == 0)
		return;
	log_info(0, "guests: %s of domain %u is known: %zu keys",
		 vif->guest.interface, vif->domain, count);
	passage_give(travel->passage, &vif->guest, keys, count,
		     now_ns + REMEMBERED_NS, NULL, NULL);
	change(travel, now_ns);
}

void travel_arrive(struct travel *travel, const struct travel_vif *vif,
		   uint64_t now_ns)
{
	struct travel_vif *known = find(travel, vif);

	if (vif->uuid[0] == '\0')
		return;
	if (known != NULL)
		*known = *vif;
	else if (!add(travel, vif))
		return;
	give(travel, vif, now_ns);
}

void travel_note(struct travel *travel, const struct memory_record *records,
		 size_t count, uint64_t now_ns)
{
	if (travel->count > 0)
		lately_note(travel->lately, records, count, now_ns);
}

static void remember(struct travel *travel, const struct travel_vif *vif,
		     const struct memory_record *keys, size_t count,
		     uint64_t now_ns)
{
	for (size_t i = 0; i < count && vif->uuid[0] != '\0'; i++)
		if (!remembered_add(travel->guests, vif->uuid, &keys[i],
				    now_ns))
			break;
	if (count > 0)
		change(travel, now_ns);
}

/* It may be here once more: it was moved to another domain of this host. */
static void has_left(void *self, const struct passage_keys *taken)
{
	static struct memory_record lately[REMEMBERED_KEYS_MAX];
	struct question *question = self;
	struct travel *travel = question->travel;
	const struct travel_vif *vif = &question->vif;
	struct travel_vif *known = find(travel, vif);
	uint64_t now_ns = clock_now_ns();

	if (known != NULL)
		*known = travel->vifs[--travel->count];
	remember(travel, vif, taken->keys, taken->count, now_ns);
	remember(travel, vif, lately,
		 lately_take(travel->lately, &vif->guest, lately,
			     REMEMBERED_KEYS_MAX, now_ns),
		 now_ns);
	known = find_uuid(travel, vif->uuid);
	if (known != NULL)
		give(travel, known, now_ns);
	if (question->on_done != NULL)
		question->on_done(question->self, taken->released_pkts);
	free(question);
}

void travel_depart(struct travel *travel, const struct travel_vif *vif,
		   void (*on_done)(void *self, uint64_t released_pkts),
		   void *self)
{
	struct question *question = calloc(1, sizeof(*question));

	if (question == NULL) {
		if (on_done != NULL)
			on_done(self, 0);
		return;
	}
	question->travel = travel;
	question->vif = *vif;
	question->on_done = on_done;
	question->self = self;
	passage_take(travel->passage, &vif->guest, PASSAGE_LEAVE,
		     REMEMBERED_KEYS_MAX, has_left, question);
}

/* ------ asked by an operator */

static void answer(struct question *question, char *line)
{
	question->on_answer(question->self, question->token, line);
	free(question);
}

static void was_taken(void *self, const struct passage_keys *taken)
{
	struct question *question = self;
	const struct request_state *asked = &question->request.state;
	struct travel *travel = question->travel;

	if (taken->is_cut)
		answer(question, answers_no("an engine is busy or ending; "
					    "ask again"));
	else
		answer(question, state_json_export(asked, taken, travel->guests,
						   travel->vifs, travel->count,
						   clock_now_ns()));
}

static void export(struct travel *travel, struct question *question)
{
	const struct request_state *asked = &question->request.state;
	/* Everything, in both families. */
	struct passage_guest guest = {
		.addresses = { { .length = 0 },
			       { .addr = { [10] = 0xff, [11] = 0xff },
				 .length = 96 } },
		.count = 2,
	};
	const struct travel_vif *vif = NULL;

	if (asked->by == REQUEST_STATE_UUID) {
		vif = find_uuid(travel, asked->uuid);
		if (vif == NULL &&
		    remembered_find(travel->guests, asked->uuid) == NULL) {
			answer(question,
			       answers_no("no guest of that uuid is here, "
					  "or remembered"));
			return;
		}
		guest = vif != NULL ? vif->guest : (struct passage_guest){ 0 };
	} else if (asked->by == REQUEST_STATE_ADDRESS) {
		guest.count = 1;
		guest.addresses[0].length = 128;
		memcpy(guest.addresses[0].addr, question->request.address, 16);
	}
	if (asked->by == REQUEST_STATE_UUID && vif == NULL)
		was_taken(question, &(struct passage_keys){ 0 });
	else
		passage_take(travel->passage, &guest, PASSAGE_LOOK,
			     TRAVEL_EXPORT_KEYS, was_taken, question);
}

static void was_given(void *self, size_t taken)
{
	struct question *question = self;

	answer(question, taken > 0 ? state_json_imported("expected")
				   : answers_no("no place for that key"));
}

static void import(struct travel *travel, struct question *question,
		   uint64_t now_ns)
{
	const struct request_state *told = &question->request.state;
	const struct passage_guest nobody = { .count = 0 };
	struct memory_record key = { .record = told->record };
	const struct travel_vif *vif;

	memcpy(key.zone, told->zone, sizeof(key.zone));
	if (told->uuid[0] == '\0') {
		passage_give(travel->passage, &nobody, &key, 1,
			     now_ns + REMEMBERED_NS, was_given, question);
		return;
	}
	if (!remembered_add(travel->guests, told->uuid, &key, now_ns)) {
		answer(question, answers_no("this guest has too many keys"));
		return;
	}
	change(travel, now_ns);
	vif = find_uuid(travel, told->uuid);
	if (vif != NULL)
		give(travel, vif, now_ns);
	answer(question,
	       state_json_imported(vif != NULL ? "expected" : "remembered"));
}

void travel_ask(struct travel *travel, const struct request *request,
		void (*on_answer)(void *self, uint64_t token, char *line),
		void *self, uint64_t token, uint64_t now_ns)
{
	struct question *question = calloc(1, sizeof(*question));

	if (question == NULL) {
		on_answer(self, token, NULL);
		return;
	}
	question->travel = travel;
	question->request = *request;
	question->on_answer = on_answer;
	question->self = self;
	question->token = token;
	if (request->verb == REQUEST_EXPORT)
		export(travel, question);
	else
		import(travel, question, now_ns);
}
