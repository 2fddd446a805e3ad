/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "shaper/daemon/remembered.h"

#define SECOND  1000000000ull
#define WALL_NS 1700000000000000000ull
#define NOW_NS  (1000 * SECOND)
#define UUID    "01234567-89ab-cdef-0123-456789abcdef"

static struct remembered *guests;
static struct memory_record keys[REMEMBERED_KEYS_MAX];
static char path[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/remembered_test.%d", (int)getpid());
	guests = remembered_new();
	return guests == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	remembered_free(guests);
	unlink(path);
	return 0;
}

static struct memory_record key_of(uint32_t number, uint32_t releases)
{
	struct memory_record key = { .record = { .releases = releases,
						 .runs_count = 1 } };

	memcpy(key.record.key.inside + 12, &number, sizeof(number));
	key.record.key.scope = FLOW_SCOPE_HOST;
	return key;
}

static bool add(const char *uuid, uint32_t number, uint32_t releases,
		uint64_t now_ns)
{
	const struct memory_record key = key_of(number, releases);

	return remembered_add(guests, uuid, &key, now_ns);
}

static const char *uuid_of(unsigned int number)
{
	static char uuid[STATE_UUID_BYTES];

	snprintf(uuid, sizeof(uuid), "%08x-0000-0000-0000-000000000000",
		 number);
	return uuid;
}

static void test_the_stricter_of_equal_keys_is_kept(void **state)
{
	const struct pump_guest all = { .count = 0 };

	(void)state;
	assert_true(add(UUID, 1, 5, NOW_NS));
	assert_true(add(UUID, 1, 9, NOW_NS));
	assert_true(add(UUID, 1, 3, NOW_NS));
	assert_true(add(UUID, 2, 1, NOW_NS));
	assert_int_equal(remembered_take(guests, UUID, &all, keys), 2);
	assert_int_equal(keys[0].record.releases, 9);
	assert_null(remembered_find(guests, UUID));
	assert_int_equal(remembered_take(guests, UUID, &all, keys), 0);
}

static void test_only_its_own_addresses_are_given_to_a_vif(void **state)
{
	struct policy_prefix prefix = { .length = 128 };
	const struct pump_guest guest = { .addresses = &prefix, .count = 1 };
	const struct memory_record one = key_of(1, 0);

	(void)state;
	memcpy(prefix.addr, one.record.key.inside, 16);
	add(UUID, 1, 5, NOW_NS);
	add(UUID, 2, 5, NOW_NS);
	assert_int_equal(remembered_take(guests, UUID, &guest, keys), 1);
	assert_memory_equal(keys[0].record.key.inside, prefix.addr, 16);
	assert_int_equal(remembered_find(guests, UUID)->count, 1);
}

static void test_it_is_bounded_and_the_oldest_makes_room(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < REMEMBERED_KEYS_MAX; i++)
		assert_true(add(UUID, i, 1, NOW_NS));
	assert_false(add(UUID, REMEMBERED_KEYS_MAX, 1, NOW_NS));
	for (unsigned int i = 0; i < REMEMBERED_MAX; i++)
		assert_true(add(uuid_of(i), 1, 1, NOW_NS + 1 + i));
	assert_int_equal(remembered_count(guests), REMEMBERED_MAX);
	assert_null(remembered_find(guests, UUID));
	assert_non_null(remembered_find(guests, uuid_of(0)));
}

static void test_it_is_forgotten_in_time(void **state)
{
	(void)state;
	add(UUID, 1, 1, NOW_NS);
	remembered_advance(guests, NOW_NS + REMEMBERED_NS - 1);
	assert_int_equal(remembered_count(guests), 1);
	remembered_advance(guests, NOW_NS + REMEMBERED_NS);
	assert_int_equal(remembered_count(guests), 0);
}

static int load(uint64_t wall_ns, const char **ret_why)
{
	remembered_free(guests);
	guests = remembered_new();
	*ret_why = NULL;
	return remembered_load(guests, path, wall_ns, NOW_NS, ret_why);
}

static void test_a_file_brings_them_back(void **state)
{
	const char *why;
	struct stat st;

	(void)state;
	add(UUID, 1, 7, NOW_NS);
	add(UUID, 2, 8, NOW_NS);
	add(uuid_of(3), 1, 9, NOW_NS);
	assert_int_equal(remembered_save(guests, path, WALL_NS, NOW_NS), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(load(WALL_NS + 600 * SECOND, &why), 0);
	assert_int_equal(remembered_count(guests), 2);
	assert_int_equal(remembered_find(guests, UUID)->count, 2);
	assert_int_equal(remembered_find(guests, UUID)->keys[1].record.releases,
			 8);
	assert_int_equal(remembered_find(guests, UUID)->until_ns,
			 NOW_NS + REMEMBERED_NS - 600 * SECOND);
	/* As long as that they are not remembered. */
	assert_int_equal(load(WALL_NS + REMEMBERED_NS, &why), 0);
	assert_int_equal(remembered_count(guests), 0);
}

static void test_a_file_that_is_none_is_refused(void **state)
{
	struct state_writer writer;
	struct memory_record key = key_of(1, 1);
	const char *why;

	(void)state;
	assert_int_equal(load(WALL_NS, &why), -ENOENT);
	state_begin(&writer, WALL_NS);
	state_add_record(&writer, &key.record, "");
	state_add_guest(&writer, "no uuid", SECOND);
	state_add_record(&writer, &key.record, "");
	state_add_guest(&writer, UUID, REMEMBERED_NS + 1);
	state_add_record(&writer, &key.record, "");
	assert_int_equal(state_save_soon(&writer, path), 0);
	state_fini(&writer);
	assert_int_equal(load(WALL_NS, &why), 0);
	assert_int_equal(remembered_count(guests), 0);
	assert_int_equal(truncate(path, 100), 0);
	assert_int_equal(load(WALL_NS, &why), 1);
	assert_string_equal(why, "cut off, or longer than it was");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_the_stricter_of_equal_keys_is_kept),
		T(test_only_its_own_addresses_are_given_to_a_vif),
		T(test_it_is_bounded_and_the_oldest_makes_room),
		T(test_it_is_forgotten_in_time),
		T(test_a_file_brings_them_back),
		T(test_a_file_that_is_none_is_refused),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
