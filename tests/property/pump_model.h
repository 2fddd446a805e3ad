/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PROPERTY_PUMP_MODEL_H
#define TESTS_PROPERTY_PUMP_MODEL_H

/*
 * The limiter's gate as its page has it, word by word and as slowly as that
 * takes: every key a list of all packets it ever saw, whole nanoseconds, no
 * bounds, nothing forgotten.  Nothing of it is shared with the core but
 * struct gate_params.
 *
 * Keys are numbers that the caller gives; a packet has one or several, its
 * narrowest first, and waits in the FIFO of that one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/gate_params.h"

enum { MODEL_KEYS_MAX = 64, MODEL_PACKET_KEYS = 3 };

#define MODEL_WAITS UINT64_MAX

struct model_event {
	uint64_t at_ns;
	uint32_t sent, heard;
};

struct model_key {
	struct gate_params params;
	struct model_event *events;
	size_t events_count, events_capacity;
	size_t first; /* of those in the window */
	uint32_t sent, heard;
	uint64_t armed_ns; /* 0: not armed */
	uint32_t n;
	bool owed;
	uint32_t waiting; /* packets of this key */
	/* Could three runs bear all of its times, or 64 since it was asked
	 * near its threshold? */
	bool exact, near;
};

struct model_packet {
	uint8_t keys[MODEL_PACKET_KEYS];
	uint8_t keys_count;
	uint64_t arrived_ns;
	uint64_t left_ns; /* MODEL_WAITS: not yet */
};

struct model {
	struct model_key keys[MODEL_KEYS_MAX];
	size_t keys_count;
	struct model_packet *packets; /* by id, in order of arrival */
	size_t packets_count, packets_capacity;
	size_t first_waiting; /* none before this id waits */
	uint64_t now_ns;
	uint8_t turn; /* the FIFO whose turn it is */
};

/* All keys are alike to begin with; change keys[].params before the first
 * packet. */
void model_init(struct model *model, size_t keys_count,
		const struct gate_params *params, uint64_t now_ns);
void model_fini(struct model *model);

/* A packet out; its id counts up from 0.  It may leave at once, or later. */
uint64_t model_offer(struct model *model, const uint8_t *keys,
		     uint8_t keys_count, uint64_t now_ns);

/* A packet in. */
void model_heard(struct model *model, const uint8_t *keys, uint8_t keys_count,
		 uint64_t now_ns);

/* Everything that happens up to `now_ns`, each at its time. */
void model_run(struct model *model, uint64_t now_ns);

#endif
