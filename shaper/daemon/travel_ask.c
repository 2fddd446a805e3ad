/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator asks for, and tells, of guests. */
#include "shaper/daemon/travel.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/answers.h"
#include "shaper/daemon/requests.h"
#include "shaper/daemon/state_json.h"
#include "shaper/daemon/travel_state.h"
#include "shaper/io/clock.h"

struct question {
	struct travel *travel;
	struct request request;
	size_t asked_vifs; /* of a uuid's, in their order */
	struct memory_record *keys;
	size_t keys_count;
	bool is_full;
	void (*on_answer)(void *self, uint64_t token, char *line);
	uint64_t token;
	void *self;
};

static void answer(struct question *question, char *line)
{
	question->on_answer(question->self, question->token, line);
	free(question->keys);
	free(question);
}

static void tell(struct question *question, const struct passage_keys *taken)
{
	struct travel *travel = question->travel;

	answer(question, state_json_export(&question->request.state, taken,
					   travel->guests, travel->vifs,
					   travel->count, clock_now_ns()));
}

static void was_taken(void *self, const struct passage_keys *taken)
{
	struct question *question = self;

	if (taken->is_cut)
		answer(question, answers_no("an engine is busy or ending; "
					    "ask again"));
	else
		tell(question, taken);
}

static void ask_next(struct question *question);

/* The keys of one vif more. */
static void was_added(void *self, const struct passage_keys *taken)
{
	struct question *question = self;
	size_t room = TRAVEL_EXPORT_KEYS - question->keys_count;
	size_t count = taken->count < room ? taken->count : room;

	if (taken->is_cut) {
		was_taken(question, taken);
		return;
	}
	if (count > 0)
		memcpy(question->keys + question->keys_count, taken->keys,
		       count * sizeof(*taken->keys));
	question->keys_count += count;
	question->is_full |= taken->is_full || count < taken->count;
	ask_next(question);
}

/* A guest's vifs may come and go meanwhile; then one is asked for twice, or is
 * left out as if it had come later. */
static void ask_next(struct question *question)
{
	const struct travel *travel = question->travel;
	const char *uuid = question->request.state.uuid;
	const struct travel_vif *vif;

	while (question->asked_vifs < travel->count) {
		vif = &travel->vifs[question->asked_vifs++];
		if (strcmp(vif->uuid, uuid) != 0)
			continue;
		passage_take(travel->passage, &vif->guest, PASSAGE_LOOK,
			     TRAVEL_EXPORT_KEYS, was_added, question);
		return;
	}
	tell(question, &(struct passage_keys){ .keys = question->keys,
					       .count = question->keys_count,
					       .is_full = question->is_full });
}

static void export_guest(struct travel *travel, struct question *question)
{
	const char *uuid = question->request.state.uuid;

	if (travel_find(travel, uuid) == NULL &&
	    remembered_find(travel->guests, uuid) == NULL) {
		answer(question, answers_no("no guest of that uuid is here, "
					    "or remembered"));
		return;
	}
	question->keys = calloc(TRAVEL_EXPORT_KEYS, sizeof(*question->keys));
	if (question->keys == NULL)
		answer(question, NULL);
	else
		ask_next(question);
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

	if (asked->by == REQUEST_STATE_UUID) {
		export_guest(travel, question);
		return;
	}
	if (asked->by == REQUEST_STATE_ADDRESS) {
		guest.count = 1;
		guest.addresses[0].length = 128;
		memcpy(guest.addresses[0].addr, question->request.address, 16);
	}
	passage_take(travel->passage, &guest, PASSAGE_LOOK, TRAVEL_EXPORT_KEYS,
		     was_taken, question);
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
	travel_change(travel, now_ns);
	vif = travel_find(travel, told->uuid);
	if (vif != NULL)
		travel_give(travel, vif, now_ns);
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
