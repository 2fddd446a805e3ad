/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/world/dice.h"

static void test_events_come_by_time(void **state)
{
	static const uint64_t planned_ns[] = { 30, 10, 20, 0, UINT64_MAX };
	static const uint64_t come_ns[] = { 0, 10, 20, 30, UINT64_MAX };
	struct events events = { 0 };
	struct event event = { 0 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		event.at_ns = planned_ns[i];
		assert_true(events_push(&events, &event));
	}
	for (size_t i = 0; i < 5; i++) {
		assert_true(events_pop(&events, &event));
		assert_int_equal(come_ns[i], event.at_ns);
	}
	assert_false(events_pop(&events, &event));
	events_fini(&events);
}

static void test_events_of_one_time_come_as_planned(void **state)
{
	struct events events = { 0 };
	struct event event = { .at_ns = 7 };

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		event.who = i;
		assert_true(events_push(&events, &event));
	}
	for (uint32_t i = 0; i < 5000; i++) {
		assert_true(events_pop(&events, &event));
		assert_int_equal(i, event.who);
	}
	events_fini(&events);
}

/* Seed 1. */
static void test_events_stay_in_order_while_more_are_planned(void **state)
{
	struct events events = { 0 };
	struct event event = { 0 };
	struct dice dice = { 1 };
	uint64_t now_ns = 0, order = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		if (events.count > 0 && dice_roll(&dice) % 2 == 0) {
			assert_true(events_pop(&events, &event));
			assert_true(event.at_ns > now_ns ||
				    (event.at_ns == now_ns &&
				     event.order >= order));
			now_ns = event.at_ns;
			order = event.order;
		}
		event.at_ns = now_ns + dice_roll(&dice) % 50;
		assert_true(events_push(&events, &event));
	}
	events_fini(&events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_come_by_time),
		cmocka_unit_test(test_events_of_one_time_come_as_planned),
		cmocka_unit_test(
			test_events_stay_in_order_while_more_are_planned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
