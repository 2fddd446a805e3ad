/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_TOKENS_H
#define SHAPER_TOKENS_H

/*
 * A token stands for a packet that waits (or, in shadow mode, would wait).
 * Tokens live in one array; lists of them are linked by index + 1, so that 0
 * is none.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"

enum token_flag {
	TOKEN_GHOST = 1, /* its packet was sent long ago: shadow mode */
	TOKEN_PARKED =
		2, /* its flow has a place, but it rests in a wider key */
	TOKEN_ONWARD = 4, /* its destination is guarded, by this engine too */
	TOKEN_PAIR_PARKED = 8,  /* the same of its pair */
	TOKEN_NO_FLOW = 16,     /* its flow has no place, ... */
	TOKEN_NO_PAIR = 32,     /* ... its pair, ... */
	TOKEN_NO_HOST = 64,     /* ... its host */
	TOKEN_CONNECTION = 128, /* it begins one */
};

struct token {
	struct flow_key key; /* of its flow */
	uint64_t id;         /* the adapter's */
	uint64_t arrived_ns;
	uint64_t left_ns;
	uint32_t next, prev;
	uint32_t after; /* as in pump_release */
	uint32_t bytes;
	uint16_t wire_pkts;  /* not let out yet */
	uint16_t whole_pkts; /* wire_pkts when it came */
	uint16_t dst_zone;
	uint16_t slots;  /* of a guest's ring that it keeps */
	uint8_t flags;   /* enum token_flag */
	uint8_t verdict; /* once it leaves: enum pump_verdict */
	uint8_t shard;   /* as in pump_release */
	uint16_t host;   /* TOKEN_NO_HOST: engine_resting of it */
};

struct tokens {
	struct token *all;
	uint32_t capacity, fresh;
	uint32_t freed; /* linked by `next` */
	bool grows;     /* the bound was lifted */
};

/* false: out of memory. */
bool tokens_init(struct tokens *tokens, uint32_t capacity, bool grows);
void tokens_fini(struct tokens *tokens);

/* 0: none left. */
uint32_t tokens_take(struct tokens *tokens);
void tokens_give_back(struct tokens *tokens, uint32_t id);

static inline struct token *tokens_get(const struct tokens *tokens, uint32_t id)
{
	return &tokens->all[id - 1];
}

/* A token is in one list at most. */
void tokens_append(struct tokens *tokens, uint32_t *first, uint32_t *last,
		   uint32_t id);
void tokens_unlink(struct tokens *tokens, uint32_t *first, uint32_t *last,
		   uint32_t id);

#endif
