/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/tokens.h"

#include <stdlib.h>

bool tokens_init(struct tokens *tokens, uint32_t capacity, bool grows)
{
	*tokens = (struct tokens){ .capacity = capacity, .grows = grows };
	tokens->all = calloc(capacity, sizeof(*tokens->all));
	return tokens->all != NULL;
}

void tokens_fini(struct tokens *tokens)
{
	free(tokens->all);
	tokens->all = NULL;
}

static bool grow(struct tokens *tokens)
{
	uint32_t capacity = tokens->capacity * 2;
	struct token *all;

	if (!tokens->grows || tokens->capacity > UINT32_MAX / 4)
		return false;
	all = realloc(tokens->all, capacity * sizeof(*all));
	if (!all)
		return false;
	tokens->all = all;
	tokens->capacity = capacity;
	return true;
}

uint32_t tokens_take(struct tokens *tokens)
{
	uint32_t id = tokens->freed;

	if (id) {
		tokens->freed = tokens_get(tokens, id)->next;
		return id;
	}
	if (tokens->fresh == tokens->capacity && !grow(tokens))
		return 0;
	return ++tokens->fresh;
}

void tokens_give_back(struct tokens *tokens, uint32_t id)
{
	tokens_get(tokens, id)->next = tokens->freed;
	tokens->freed = id;
}

void tokens_append(struct tokens *tokens, uint32_t *first, uint32_t *last,
		   uint32_t id)
{
	struct token *token = tokens_get(tokens, id);

	token->next = 0;
	token->prev = *last;
	if (*last)
		tokens_get(tokens, *last)->next = id;
	else
		*first = id;
	*last = id;
}

void tokens_unlink(struct tokens *tokens, uint32_t *first, uint32_t *last,
		   uint32_t id)
{
	const struct token *token = tokens_get(tokens, id);

	if (token->prev)
		tokens_get(tokens, token->prev)->next = token->next;
	else
		*first = token->next;
	if (token->next)
		tokens_get(tokens, token->next)->prev = token->prev;
	else
		*last = token->prev;
}
