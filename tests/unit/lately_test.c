/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "shaper/daemon/lately.h"

#define NOW_NS UINT64_C(1000000000000)

static struct lately *lately;
static struct memory_record records[LATELY_KEYS_MAX + 1];
static struct passage_guest guest;

static int set_up(void **state)
{
	(void)state;
	lately = lately_new();
	memset(records, 0, sizeof(records));
	guest = (struct passage_guest){ .interface = "vif7.0", .count = 1 };
	guest.addresses[0].length = 128;
	guest.addresses[0].addr[15] = 1;
	return lately == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	lately_free(lately);
	return 0;
}

static void note(uint32_t host, uint32_t releases, const char *zone,
		 uint64_t now_ns)
{
	struct memory_record record = { .record = { .releases = releases } };

	record.record.key.inside[14] = (uint8_t)(host >> 8);
	record.record.key.inside[15] = (uint8_t)host;
	record.record.key.zone = 77;
	snprintf(record.zone, sizeof(record.zone), "%s", zone);
	lately_note(lately, &record, 1, now_ns);
}

static size_t take(uint64_t now_ns)
{
	return lately_take(lately, &guest, records, LATELY_KEYS_MAX, now_ns);
}

static void test_a_guest_has_what_it_was_held_for_last(void **state)
{
	(void)state;
	note(1, 9, "vif7.0", NOW_NS);
	note(1, 4, "vif7.0", NOW_NS + 1);
	note(2, 5, "vif7.0", NOW_NS + 1);
	note(1, 6, "campus", NOW_NS + 1);
	assert_int_equal(take(NOW_NS + LATELY_NS - 1), 2);
	assert_int_equal(records[0].record.releases, 4);
	assert_string_equal(records[0].zone, "");
	assert_int_equal(records[0].record.key.zone, 0);
	assert_string_equal(records[1].zone, "campus");
	assert_int_equal(take(NOW_NS + 1), 0);
	/* Without addresses it is all of its interface. */
	guest.count = 0;
	assert_int_equal(take(NOW_NS + 1), 1);
	assert_int_equal(records[0].record.releases, 5);
}

static void test_a_minute_is_enough(void **state)
{
	(void)state;
	note(1, 9, "vif7.0", NOW_NS);
	assert_int_equal(take(NOW_NS + LATELY_NS), 0);
}

static void test_it_is_bounded(void **state)
{
	(void)state;
	guest.count = 0;
	for (uint32_t i = 0; i <= LATELY_KEYS_MAX; i++)
		note(i, 1, "vif7.0", NOW_NS);
	assert_int_equal(take(NOW_NS), LATELY_KEYS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_a_guest_has_what_it_was_held_for_last),
		T(test_a_minute_is_enough),
		T(test_it_is_bounded),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
