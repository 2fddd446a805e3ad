/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/property/pump_model.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL_TIMES = 3, LARGE_TIMES = 64 };

#define NEAR 0.70710678 /* half a bit below the threshold */

static void *grown(void *all, size_t *capacity, size_t bytes)
{
	*capacity = *capacity ? *capacity * 2 : 64;
	all = realloc(all, *capacity * bytes);
	if (!all)
		abort();
	return all;
}

void model_init(struct model *model, size_t keys_count,
		const struct gate_params *params, uint64_t now_ns)
{
	memset(model, 0, sizeof(*model));
	model->keys_count = keys_count;
	model->now_ns = now_ns;
	for (size_t i = 0; i < keys_count; i++) {
		model->keys[i].params = *params;
		model->keys[i].exact = true;
	}
}

void model_fini(struct model *model)
{
	for (size_t i = 0; i < model->keys_count; i++)
		free(model->keys[i].events);
	free(model->packets);
}

/* ------ one key */

/* (sent + 1) > factor 2^T (heard + 1), in floating point: nothing of the
 * core's arithmetic is repeated here. */
static bool exceeds(const struct model_key *key, double factor)
{
	return ((double)key->sent + 1) >
	       factor * (double)key->params.ratio_q16 / 65536 *
		       ((double)key->heard + 1);
}

static void note_exactness(struct model_key *key)
{
	size_t times = 0;

	for (size_t i = key->first; i < key->events_count; i++)
		times += i == key->first ||
			 key->events[i].at_ns != key->events[i - 1].at_ns;
	key->near &= exceeds(key, NEAR);
	if (times > (key->near ? LARGE_TIMES : SMALL_TIMES))
		key->exact = false;
}

/* "forget what is older than W": (now - W, now].  On the way it passes through
 * every state in between, and the core may look at each. */
static void slide(struct model_key *key, uint64_t now_ns)
{
	while (key->first < key->events_count &&
	       key->events[key->first].at_ns + key->params.window_ns <=
		       now_ns) {
		key->sent -= key->events[key->first].sent;
		key->heard -= key->events[key->first].heard;
		key->first++;
		if (key->exact)
			note_exactness(key);
	}
}

static void count(struct model_key *key, uint32_t sent, uint32_t heard,
		  uint64_t now_ns)
{
	slide(key, now_ns);
	if (key->events_count == key->events_capacity)
		key->events = grown(key->events, &key->events_capacity,
				    sizeof(*key->events));
	key->events[key->events_count++] = (struct model_event){
		.at_ns = now_ns,
		.sent = sent,
		.heard = heard,
	};
	key->sent += sent;
	key->heard += heard;
	if (key->exact)
		note_exactness(key);
}

static uint64_t delay_ns(const struct model_key *key)
{
	uint64_t delay = key->params.first_delay_ns;

	for (uint32_t i = 1; i < key->n; i++) {
		delay *= 2;
		if (delay >= key->params.max_delay_ns)
			return key->params.max_delay_ns;
	}
	return delay < key->params.max_delay_ns ? delay
						: key->params.max_delay_ns;
}

/* open(k): is it open, or does it owe one? */
static bool ask(struct model_key *key, uint64_t now_ns)
{
	slide(key, now_ns);
	key->near |= exceeds(key, NEAR);
	if (!exceeds(key, 1)) {
		key->n = 0;
		key->armed_ns = 0;
		key->owed = false;
		return true;
	}
	if (key->owed)
		return true;
	if (key->armed_ns == 0) {
		key->n++;
		key->armed_ns = now_ns + delay_ns(key);
	}
	return false;
}

/* ------ packets */

/* Every one is asked, also when another is closed. */
static bool may_leave(struct model *model, const struct model_packet *packet)
{
	bool may = true;

	for (uint8_t i = 0; i < packet->keys_count; i++)
		may &= ask(&model->keys[packet->keys[i]], model->now_ns);
	return may;
}

static void leave(struct model *model, struct model_packet *packet)
{
	for (uint8_t i = 0; i < packet->keys_count; i++) {
		struct model_key *key = &model->keys[packet->keys[i]];

		if (exceeds(key, 1))
			key->owed = false;
		count(key, 1, 0, model->now_ns);
	}
	packet->left_ns = model->now_ns;
}

static void waits(struct model *model, const struct model_packet *packet,
		  int32_t change)
{
	for (uint8_t i = 0; i < packet->keys_count; i++) {
		struct model_key *key = &model->keys[packet->keys[i]];

		key->waiting += (uint32_t)change;
		if (key->waiting == 0)
			key->owed = false;
	}
}

static struct model_packet *head_of(struct model *model, uint8_t fifo)
{
	for (size_t i = model->first_waiting; i < model->packets_count; i++)
		if (model->packets[i].left_ns == MODEL_WAITS &&
		    model->packets[i].keys[0] == fifo)
			return &model->packets[i];
	return NULL;
}

/* One packet of the next FIFO that may, beginning where the turn is. */
static bool leave_in_turn(struct model *model)
{
	for (size_t i = 0; i < model->keys_count; i++) {
		uint8_t fifo = (uint8_t)((model->turn + i) % model->keys_count);
		struct model_packet *head = NULL;

		if (model->keys[fifo].waiting)
			head = head_of(model, fifo);
		if (!head || !may_leave(model, head))
			continue;
		leave(model, head);
		waits(model, head, -1);
		model->turn = (uint8_t)((fifo + 1) % model->keys_count);
		return true;
	}
	return false;
}

static void leave_all_that_may(struct model *model)
{
	while (leave_in_turn(model))
		;
	while (model->first_waiting < model->packets_count &&
	       model->packets[model->first_waiting].left_ns != MODEL_WAITS)
		model->first_waiting++;
}

/* ------ time */

static uint64_t next_ns(const struct model *model)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < model->keys_count; i++) {
		const struct model_key *key = &model->keys[i];
		uint64_t slides_ns;

		if (key->armed_ns && key->armed_ns < next)
			next = key->armed_ns;
		if (!key->waiting || key->first == key->events_count)
			continue;
		slides_ns =
			key->events[key->first].at_ns + key->params.window_ns;
		if (slides_ns < next)
			next = slides_ns;
	}
	return next;
}

/* At equal times: slide, then timers, then arrivals. */
void model_run(struct model *model, uint64_t now_ns)
{
	uint64_t next;

	while ((next = next_ns(model)) <= now_ns) {
		model->now_ns = next;
		for (size_t i = 0; i < model->keys_count; i++) {
			struct model_key *key = &model->keys[i];

			slide(key, next);
			if (!key->armed_ns || key->armed_ns > next)
				continue;
			key->armed_ns = 0;
			key->owed = key->waiting > 0;
		}
		leave_all_that_may(model);
	}
	model->now_ns = now_ns;
	for (size_t i = 0; i < model->keys_count; i++)
		slide(&model->keys[i], now_ns);
}

uint64_t model_offer(struct model *model, const uint8_t *keys,
		     uint8_t keys_count, uint64_t now_ns)
{
	struct model_packet *packet;

	model_run(model, now_ns);
	if (model->packets_count == model->packets_capacity)
		model->packets = grown(model->packets, &model->packets_capacity,
				       sizeof(*model->packets));
	packet = &model->packets[model->packets_count++];
	*packet = (struct model_packet){
		.keys_count = keys_count,
		.arrived_ns = now_ns,
		.left_ns = MODEL_WAITS,
	};
	memcpy(packet->keys, keys, keys_count);
	if (head_of(model, keys[0]) == packet && may_leave(model, packet)) {
		leave(model, packet);
		leave_all_that_may(model); /* only moves first_waiting on */
	} else {
		waits(model, packet, 1);
	}
	return model->packets_count - 1;
}

void model_heard(struct model *model, const uint8_t *keys, uint8_t keys_count,
		 uint64_t now_ns)
{
	model_run(model, now_ns);
	for (uint8_t i = 0; i < keys_count; i++)
		count(&model->keys[keys[i]], 0, 1, now_ns);
	leave_all_that_may(model);
}
