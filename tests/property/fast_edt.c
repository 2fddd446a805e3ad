/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hold: edt`: when packets of a leased pair that is no longer answered may
 * leave, as the kernel program says, beside the limiter's check figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "shaper/bpf/edt_memory.h"
#include "shaper/io/fast.h"
#include "tests/fast_bed.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static uint64_t departs(struct fastbed *world)
{
	uint64_t at_ns;

	fast_set_time(world->fast, world->now_ns);
	assert_int_equal(0, fast_run_departs(world->fast, &world->out, &at_ns));
	return at_ns;
}

static void test_what_is_not_answered_leaves_at_the_check_figures(void **state)
{
	static const uint64_t at_ms[] = { 0,  0,  0,   0,   2,   6,   14,
					  30, 62, 126, 254, 510, 1022 };
	struct fastbed *world = *state;
	uint64_t last_ns = 0;
	uint32_t later = 0, dropped = 0;

	fastbed_lease(world);
	world->now_ns += 3 * S;
	for (size_t i = 0; i < sizeof(at_ms) / sizeof(at_ms[0]); i++) {
		uint64_t at_ns = departs(world);
		uint64_t want_ns =
			at_ms[i] == 0 ? 0 : world->now_ns + at_ms[i] * MS;

		printf("%zu: %.3f ms\n", i,
		       at_ns ? (double)(at_ns - world->now_ns) / 1e6 : 0.0);
		assert_true(at_ns >= want_ns);
		assert_true(at_ns <= want_ns + 20000);
	}
	/* A flood goes on: nothing leaves earlier than what came before, and
	 * nothing later than the horizon. */
	for (int i = 0; i < 3000; i++) {
		uint64_t at_ns = departs(world);

		if (at_ns == UINT64_MAX) {
			dropped++;
			continue;
		}
		assert_true(at_ns >= last_ns);
		assert_true(at_ns <= world->now_ns + 4100 * MS);
		last_ns = at_ns;
		later++;
	}
	printf("%u more within 4 s, %u dropped\n", later, dropped);
	assert_in_range(later, 20, 36);
	assert_int_equal(dropped, fast_edt(world->fast)->full_pkts);
}

static void test_an_answer_ends_it(void **state)
{
	struct fastbed *world = *state;
	uint64_t last_ns = 0;

	world->now_ns += 10 * S;
	for (int i = 0; i < 8; i++)
		last_ns = departs(world);
	assert_true(last_ns > world->now_ns);
	world->now_ns += MS;
	for (int i = 0; i < 8; i++) {
		uint32_t mark;

		fast_set_time(world->fast, world->now_ns);
		assert_int_equal(0, fast_run(world->fast, &world->in, &mark));
	}
	/* Behind those before it, and no later; then at once. */
	assert_true(departs(world) <= last_ns + 2000);
	world->now_ns += 100 * MS;
	assert_int_equal(0, departs(world));
}

int main(void)
{
	static struct fastbed world;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(
			test_what_is_not_answered_leaves_at_the_check_figures,
			&world),
		cmocka_unit_test_prestate(test_an_answer_ends_it, &world),
	};
	int error = fastbed_init(&world, "edt");

	if (error != 0)
		return error;
	error = cmocka_run_group_tests(tests, NULL, NULL);
	fastbed_fini(&world);
	return error;
}
