/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_TEXT_H
#define POLICY_TEXT_H

/*
 * YAML that is being written, and the values that stand in more than one
 * place of it.  All-zero is an empty text.  Nothing here fails at once: when
 * memory is lacking `failed` is set, and what follows is lost as well.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_params;
struct policy_prefixes;
struct rate_params;

struct text {
	char *bytes; /* the caller frees it; NULL: nothing was added */
	size_t length, room;
	bool failed;
};

__attribute__((format(printf, 2, 3))) void text_add(struct text *text,
						    const char *format, ...);

/* Quoted, unless every YAML reader takes it for one plain word. */
void text_word(struct text *text, const char *value);
void text_word_or_none(struct text *text, const char *value);

/* A map's next key; `*count` of them stand there already. */
void text_key(struct text *text, size_t *count, const char *key);

/* A list: [a, b] */
void text_prefixes(struct text *text, const struct policy_prefixes *prefixes);

/* Keys of a map: threshold to max_delay. */
void text_params(struct text *text, const struct gate_params *params);

/* A key and its map: rate: {...} */
void text_rate(struct text *text, const struct rate_params *rate);

#endif
