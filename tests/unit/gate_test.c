/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/asym.h"
#include "shaper/gate.h"

#define MS     1000000u
#define SECOND 1000000000u

static const struct gate_params two = {
	.ratio_q16 = 4 << 16,
	.window_ns = SECOND,
	.first_delay_ns = 2 * MS,
	.max_delay_ns = 1024 * MS,
};

static void test_asym_exceeds_above_the_threshold_only(void **state)
{
	static const struct {
		uint32_t sent, heard, ratio_q16;
		bool exceeds;
	} rows[] = {
		/* T = 2.0: (sent + 1) > 4 (heard + 1) */
		{ 0, 0, 4 << 16, false },
		{ 3, 0, 4 << 16, false },
		{ 4, 0, 4 << 16, true },
		{ 7, 1, 4 << 16, false },
		{ 8, 1, 4 << 16, true },
		{ 0, UINT32_MAX, 4 << 16, false },
		{ UINT32_MAX, UINT32_MAX, 4 << 16, false },
		{ UINT32_MAX, 0, 4 << 16, true },
		/* T = 0.0: as many as were heard, and one more */
		{ 0, 0, 1 << 16, false },
		{ 1, 0, 1 << 16, true },
		{ 5, 5, 1 << 16, false },
		{ 6, 5, 1 << 16, true },
		{ UINT32_MAX, UINT32_MAX, 1 << 16, false },
		/* T = 2.885, e^2 = 7.389: 7 pass at once */
		{ 6, 0, 484249, false },
		{ 7, 0, 484249, true },
		/* T = 15.0, and the largest ratio of all */
		{ 32767, 0, 1u << 31, false },
		{ 32768, 0, 1u << 31, true },
		{ UINT32_MAX, 131070, 1u << 31, true },
		{ UINT32_MAX, 131071, 1u << 31, false },
		{ UINT32_MAX, UINT32_MAX, 1u << 31, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (asym_exceeds(rows[i].sent, rows[i].heard,
				 rows[i].ratio_q16) != rows[i].exceeds)
			fail_msg("row %zu", i);
}

static void test_gate_doubles_its_delay_up_to_the_cap(void **state)
{
	static const struct {
		uint64_t first_ns, max_ns;
		uint32_t n;
		uint64_t delay_ns;
	} rows[] = {
		{ 2 * MS, 1024 * MS, 1, 2 * MS },
		{ 2 * MS, 1024 * MS, 2, 4 * MS },
		{ 2 * MS, 1024 * MS, 9, 512 * MS },
		{ 2 * MS, 1024 * MS, 10, 1024 * MS },
		{ 2 * MS, 1024 * MS, 11, 1024 * MS },
		{ 2 * MS, 1024 * MS, UINT32_MAX, 1024 * MS },
		{ 3 * MS, 10 * MS, 3, 10 * MS }, /* 12 is past it */
		{ 5 * MS, 5 * MS, 1, 5 * MS },
		{ 5 * MS, 5 * MS, 2, 5 * MS },
		{ 1000, 10ull * SECOND, 24, 8388608000 },
		{ 1000, 10ull * SECOND, 25, 10ull * SECOND },
		{ SECOND, 10ull * SECOND, 4, 8ull * SECOND },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate_params params = {
			.first_delay_ns = rows[i].first_ns,
			.max_delay_ns = rows[i].max_ns,
		};

		assert_int_equal(gate_delay_ns(&params, rows[i].n),
				 rows[i].delay_ns);
	}
}

/* One row a step, all of one gate. */
static void test_gate_goes_through_its_states(void **state)
{
	static const struct {
		uint64_t now_ns;
		bool fire, waits; /* first, as far as the timer is due */
		uint32_t sent, heard;
		enum gate_answer answer;
		bool left; /* a packet leaves upon the answer */
		uint32_t releases;
		uint64_t armed_ns; /* after all that */
		bool owes;
	} rows[] = {
		{ 1, false, false, 3, 0, GATE_OPEN, true, 0, 0, false },
		{ 1, false, false, 4, 0, GATE_CLOSED, false, 1, 2 * MS + 1,
		  false },
		/* asked again: nothing changes */
		{ MS, false, true, 4, 0, GATE_CLOSED, false, 1, 2 * MS + 1,
		  false },
		/* not due yet */
		{ 2 * MS, true, true, 4, 0, GATE_CLOSED, false, 1, 2 * MS + 1,
		  false },
		/* a reply that is not enough */
		{ 2 * MS, true, true, 9, 1, GATE_CLOSED, false, 1, 2 * MS + 1,
		  false },
		{ 2 * MS + 1, true, true, 4, 0, GATE_OWES, false, 1, 0, true },
		/* owed until something leaves; no new timer meanwhile */
		{ 3 * MS, true, true, 4, 0, GATE_OWES, true, 1, 0, false },
		{ 3 * MS, true, true, 5, 0, GATE_CLOSED, false, 2, 7 * MS,
		  false },
		/* fired while nothing waited: it lapses, and n goes on */
		{ 8 * MS, true, false, 5, 0, GATE_CLOSED, false, 3, 16 * MS,
		  false },
		/* at the threshold everything is forgotten, the timer too */
		{ 9 * MS, true, true, 7, 1, GATE_OPEN, true, 0, 0, false },
		{ 9 * MS, true, true, 8, 1, GATE_CLOSED, false, 1, 11 * MS,
		  false },
		/* so is what it owed */
		{ 11 * MS, true, true, 8, 1, GATE_OWES, false, 1, 0, true },
		{ 12 * MS, true, true, 3, 0, GATE_OPEN, false, 0, 0, false },
		{ 12 * MS, true, true, 4, 0, GATE_CLOSED, false, 1, 14 * MS,
		  false },
	};
	struct gate gate = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum gate_answer answer;

		if (rows[i].fire)
			gate_fire(&gate, rows[i].waits, rows[i].now_ns);
		answer = gate_ask(&gate, &two, rows[i].sent, rows[i].heard,
				  rows[i].now_ns);
		if (rows[i].left)
			gate_left(&gate);
		if (answer != rows[i].answer ||
		    gate.releases != rows[i].releases ||
		    gate.armed_ns != rows[i].armed_ns ||
		    gate.owes != rows[i].owes)
			fail_msg("row %zu: %d, n %u, armed %llu, owes %d", i,
				 answer, gate.releases,
				 (unsigned long long)gate.armed_ns, gate.owes);
	}
}

static void test_gate_lapses_when_nothing_waits(void **state)
{
	struct gate gate = { .owes = true, .releases = 3 };

	(void)state;
	gate_lapse(&gate);
	assert_false(gate.owes);
	assert_int_equal(gate.releases, 3);
	assert_int_equal(gate_ask(&gate, &two, 9, 0, 5), GATE_CLOSED);
	assert_int_equal(gate.releases, 4);
}

static void test_gate_counts_releases_without_end(void **state)
{
	struct gate gate = { .releases = UINT32_MAX };

	(void)state;
	assert_int_equal(gate_ask(&gate, &two, 9, 0, 5), GATE_CLOSED);
	assert_int_equal(gate.releases, UINT32_MAX);
	assert_int_equal(gate.armed_ns, 5 + 1024ull * MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asym_exceeds_above_the_threshold_only),
		cmocka_unit_test(test_gate_doubles_its_delay_up_to_the_cap),
		cmocka_unit_test(test_gate_goes_through_its_states),
		cmocka_unit_test(test_gate_lapses_when_nothing_waits),
		cmocka_unit_test(test_gate_counts_releases_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
