/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/contacts.h"
#include "tests/random.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1000 * S)

enum { PACE = 20, MADE_MAX = 20000 };

static bool contact(struct contacts *contacts, uint64_t now_ns)
{
	if (!contacts_allow(contacts, PACE, now_ns))
		return false;
	contacts_count(contacts, PACE, now_ns);
	return true;
}

static uint32_t contact_all(struct contacts *contacts, uint64_t now_ns)
{
	uint32_t made = 0;

	while (contact(contacts, now_ns))
		made++;
	return made;
}

/* So many one after another, each answered a millisecond later. */
static uint64_t befriend(struct contacts *contacts, int count, uint64_t now_ns)
{
	for (; count > 0; count--) {
		contacts_count(contacts, PACE, now_ns);
		contacts_answer(contacts, PACE, now_ns, now_ns + MS);
		now_ns += 2 * MS;
	}
	return now_ns;
}

/* ------ the pace, against a list of all */

struct list {
	uint64_t made_ns[MADE_MAX];
	bool answered[MADE_MAX];
	size_t count;
};

static size_t unanswered(const struct list *list, uint64_t now_ns)
{
	size_t found = 0;

	for (size_t i = list->count; i > 0; i--) {
		if (list->made_ns[i - 1] + S <= now_ns)
			break;
		found += !list->answered[i - 1];
	}
	return found;
}

static void answer_one(struct contacts *contacts, struct list *list,
		       struct random *random, uint64_t now_ns)
{
	size_t i = list->count;

	if (i == 0)
		return;
	i -= 1 + random_below(random, i < 30 ? (uint32_t)i : 30);
	if (list->answered[i])
		return;
	list->answered[i] = true;
	contacts_answer(contacts, PACE, list->made_ns[i], now_ns);
}

/* `answers`: of a thousand steps, how many bring one. */
static size_t run(uint64_t seed, uint32_t answers, size_t most)
{
	static struct list list;
	struct contacts contacts = { 0 };
	struct random random;
	uint64_t now_ns = BEGIN;

	list = (struct list){ 0 };
	random_init(&random, seed);
	while (list.count < MADE_MAX && now_ns < BEGIN + 120 * S) {
		now_ns += random_once(&random, 5000)
				  ? random_below(&random, 3000) * MS
				  : random_below(&random, 5 * MS);
		if (random_below(&random, 1000) < answers)
			answer_one(&contacts, &list, &random, now_ns);
		if (!contact(&contacts, now_ns))
			continue;
		list.made_ns[list.count] = now_ns;
		list.answered[list.count++] = false;
		if (unanswered(&list, now_ns) > most)
			fail_msg("seed %d: %zu in a second", (int)seed,
				 unanswered(&list, now_ns));
	}
	return list.count;
}

static void test_contacts_keep_their_pace_in_any_second(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		size_t made = run(seed, 0, PACE);

		/* and use it, but for the slots' 6 % and the pauses */
		assert_true(made > PACE * 120 * 6 / 10);
		run(seed, 2, PACE);
	}
}

static void test_contacts_with_friends_add_the_reserve_at_most(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++)
		run(seed, 300, PACE + CONTACTS_RESERVE);
}

/* ------ the reserve */

static void test_contacts_reserve_is_for_who_is_answered(void **state)
{
	/* The burst itself is unanswered, and ends where one in eight is not.
	 */
	static const struct {
		int answered;
		uint32_t unanswered, burst;
	} rows[] = {
		{ 0, 0, 20 },   { 7, 0, 20 },   { 8, 0, 57 },
		{ 8, 20, 37 },  { 8, 57, 20 },  { 8, 200, 20 },
		{ 31, 0, 218 }, { 40, 0, 256 }, { 200, 0, 256 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct contacts contacts = { 0 };
		uint64_t now_ns = befriend(&contacts, rows[i].answered, BEGIN);

		for (uint32_t k = 0; k < rows[i].unanswered; k++)
			contacts_count(&contacts, PACE, now_ns);
		/* they do not count any more, nor are they owed */
		now_ns += 20 * S;
		assert_int_equal(rows[i].burst, contact_all(&contacts, now_ns));
	}
}

static void test_contacts_reserve_fills_at_15_of_16_of_the_pace(void **state)
{
	struct contacts contacts = { 0 };
	uint64_t now_ns = befriend(&contacts, 100, BEGIN);
	uint32_t made = 0;

	(void)state;
	contact_all(&contacts, now_ns);
	/* Nothing of the pace is free as long as the burst counts, and then
	 * the pace itself is all that there is. */
	for (uint64_t end_ns = now_ns + 60 * S; now_ns < end_ns;
	     now_ns += 5 * MS)
		made += contact(&contacts, now_ns);
	assert_in_range(made, 60 * PACE * 15 / 16 - PACE, 60 * PACE);
	/* After a while without any it is full again, for who is answered. */
	now_ns = befriend(&contacts, 100, now_ns + 20 * S);
	assert_in_range(contact_all(&contacts, now_ns), CONTACTS_RESERVE,
			CONTACTS_RESERVE + PACE);
}

/* What the pace alone let out is owed to the reserve: up to a second of it. */
static void test_contacts_debt_is_paid_before_the_reserve_fills(void **state)
{
	const uint64_t refill_ns = S * 16 / 15 / PACE;
	struct contacts contacts = { 0 }, before;
	uint64_t now_ns = BEGIN;

	(void)state;
	for (int i = 0; i < 2000; i++)
		contacts_count(&contacts, PACE, now_ns);
	now_ns += (CONTACTS_RESERVE + PACE) * refill_ns;
	assert_false(contacts_are_idle(&contacts, now_ns - 1));
	assert_true(contacts_are_idle(&contacts, now_ns));
	contacts = (struct contacts){ 0 };
	now_ns = befriend(&contacts, 200, BEGIN);
	for (int i = 0; i < 300; i++)
		contacts_count(&contacts, PACE, now_ns);
	/* 20 are owed, 20 come with the pace, and then there is one more */
	now_ns += (PACE + PACE + 1) * refill_ns;
	before = contacts;
	assert_int_equal(PACE, contact_all(&before, now_ns - 1));
	assert_int_equal(PACE + 1, contact_all(&contacts, now_ns));
}

static void test_contacts_remember_how_many_are_answered_lately(void **state)
{
	struct contacts contacts = { 0 };
	uint64_t now_ns = befriend(&contacts, 2000, BEGIN);
	int scanned = 0;

	(void)state;
	assert_true(contacts.made < CONTACTS_REMEMBERED);
	/* However many it was in the past: it is a scanner soon. */
	while (contacts.answered * CONTACTS_PER_ANSWER_MAX >= contacts.made) {
		contacts_count(&contacts, PACE, now_ns);
		now_ns += 50 * MS;
		assert_true(contacts.made < CONTACTS_REMEMBERED);
		assert_true(++scanned < 4000);
	}
	now_ns += 60 * S;
	assert_int_equal(PACE, contact_all(&contacts, now_ns));
}

static void test_contacts_late_and_double_answers_gain_nothing(void **state)
{
	struct contacts contacts = { 0 };

	(void)state;
	assert_int_equal(PACE, contact_all(&contacts, BEGIN));
	for (int i = 0; i < 100; i++)
		contacts_answer(&contacts, PACE, BEGIN, BEGIN + 100 * MS);
	/* as many as there were, though not one more */
	assert_int_equal(PACE, contacts.answered);
	assert_true(contacts_are_idle(&contacts, BEGIN + 101 * MS));
	assert_in_range(contact_all(&contacts, BEGIN + 101 * MS), PACE,
			CONTACTS_RESERVE + PACE);
	contacts = (struct contacts){ 0 };
	contact_all(&contacts, BEGIN);
	/* Those of long ago have left the second anyway, and nobody takes
	 * the places of those that are still in it. */
	contact_all(&contacts, BEGIN + 2 * S);
	for (int i = 0; i < 7; i++)
		contacts_answer(&contacts, PACE, BEGIN, BEGIN + 2 * S);
	assert_int_equal(0, contact_all(&contacts, BEGIN + 2 * S));
}

static void test_contacts_say_when_there_is_a_place_again(void **state)
{
	(void)state;
	for (int friends = 0; friends <= 20; friends += 20) {
		struct contacts contacts = { 0 };
		uint64_t now_ns = befriend(&contacts, friends, BEGIN), next_ns;

		for (int i = 0; i < 500; i++) {
			next_ns = contacts_next_ns(&contacts, PACE, now_ns);
			assert_true(next_ns >= now_ns &&
				    next_ns <= now_ns + S + S / 16);
			if (next_ns > now_ns)
				assert_false(contacts_allow(&contacts, PACE,
							    next_ns - 1));
			assert_true(contact(&contacts, next_ns));
			now_ns = next_ns;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_contacts_keep_their_pace_in_any_second),
		cmocka_unit_test(
			test_contacts_with_friends_add_the_reserve_at_most),
		cmocka_unit_test(test_contacts_reserve_is_for_who_is_answered),
		cmocka_unit_test(
			test_contacts_reserve_fills_at_15_of_16_of_the_pace),
		cmocka_unit_test(
			test_contacts_debt_is_paid_before_the_reserve_fills),
		cmocka_unit_test(
			test_contacts_remember_how_many_are_answered_lately),
		cmocka_unit_test(
			test_contacts_late_and_double_answers_gain_nothing),
		cmocka_unit_test(test_contacts_say_when_there_is_a_place_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
