/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shaper/tokens.h"
#include "tests/random.h"

enum { CAPACITY = 100, LISTS = 4 };

struct naive {
	uint32_t ids[CAPACITY];
	uint32_t count;
};

static void check_list(const struct tokens *tokens, uint32_t first,
		       uint32_t last, const struct naive *want)
{
	uint32_t before = 0, id = first;

	for (uint32_t i = 0; i < want->count; i++) {
		assert_int_equal(id, want->ids[i]);
		assert_int_equal(tokens_get(tokens, id)->prev, before);
		before = id;
		id = tokens_get(tokens, id)->next;
	}
	assert_int_equal(id, 0);
	assert_int_equal(last, before);
}

static void test_tokens_lists_agree_with_naive_ones(void **state)
{
	struct naive want[LISTS] = { 0 };
	uint32_t first[LISTS] = { 0 }, last[LISTS] = { 0 };
	struct tokens tokens;
	struct random random;
	uint32_t used = 0;

	(void)state;
	random_init(&random, random_seed("tokens", 1));
	assert_true(tokens_init(&tokens, CAPACITY, false));
	for (int step = 0; step < 100000; step++) {
		uint32_t k = random_below(&random, LISTS);
		struct naive *list = &want[k];

		if (random_once(&random, 2)) {
			uint32_t id = tokens_take(&tokens);

			assert_int_equal(id == 0, used == CAPACITY);
			if (!id)
				continue;
			tokens_append(&tokens, &first[k], &last[k], id);
			list->ids[list->count++] = id;
			used++;
		} else if (list->count) {
			/* from either end or the middle */
			uint32_t at = random_below(&random, list->count);
			uint32_t id = list->ids[at];

			tokens_unlink(&tokens, &first[k], &last[k], id);
			memmove(&list->ids[at], &list->ids[at + 1],
				(--list->count - at) * sizeof(list->ids[0]));
			tokens_give_back(&tokens, id);
			used--;
		}
		check_list(&tokens, first[k], last[k], list);
	}
	tokens_fini(&tokens);
}

static void test_tokens_grow_only_when_their_bound_was_lifted(void **state)
{
	struct tokens tokens;

	(void)state;
	assert_true(tokens_init(&tokens, 2, false));
	assert_int_equal(tokens_take(&tokens), 1);
	assert_int_equal(tokens_take(&tokens), 2);
	assert_int_equal(tokens_take(&tokens), 0);
	tokens_give_back(&tokens, 1);
	assert_int_equal(tokens_take(&tokens), 1);
	tokens_fini(&tokens);

	assert_true(tokens_init(&tokens, 2, true));
	for (uint32_t id = 1; id <= 1000; id++) {
		assert_int_equal(tokens_take(&tokens), id);
		tokens_get(&tokens, id)->id = id;
	}
	for (uint32_t id = 1; id <= 1000; id++)
		assert_int_equal(tokens_get(&tokens, id)->id, id);
	tokens_fini(&tokens);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens_lists_agree_with_naive_ones),
		cmocka_unit_test(
			test_tokens_grow_only_when_their_bound_was_lifted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
