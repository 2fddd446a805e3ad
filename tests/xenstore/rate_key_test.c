/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against Debian's real xenstored, without a hypervisor: see hypervisor.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#include "tests/xenstore/store_bed.h"
#include "xen-hooks/rate_key.h"
#include "xen-hooks/store.h"
#include "xen-hooks/way_rate.h"

struct bed {
	struct store_bed store;
	struct store *ours;
};

static int set_up(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	store_bed_open(&bed->store);
	assert_int_equal(0, store_open(&bed->ours));
	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	*state = bed;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *bed = *state;

	store_close(bed->ours);
	store_bed_close(&bed->store);
	free(bed);
	return 0;
}

/* NULL: there is none. */
static void check_key(const struct bed *bed, const char *name, const char *want)
{
	char path[STORE_PATH_BYTES];
	unsigned int length;
	char *value;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/7/0/%s",
		 name);
	value = xs_read(bed->store.dom0, XBT_NULL, path, &length);
	if (want == NULL)
		assert_null(value);
	else
		assert_string_equal(want, value);
	free(value);
}

static void test_ratekey_shares_a_window_between_queues(void **state)
{
	struct bed *bed = *state;
	char value[RATEKEY_VALUE_BYTES];

	assert_int_equal(0, ratekey_limit(bed->ours, 7, 0, 4, 6056, value));
	assert_string_equal("1514,50000", value);
	check_key(bed, "rate", "1514,50000");
	assert_int_equal(0, ratekey_free(bed->ours, 7, 0));
	check_key(bed, "rate", NULL);
	check_key(bed, "symtap-rate", NULL);
}

static void test_ratekey_never_gives_more_than_the_operator(void **state)
{
	struct bed *bed = *state;
	char value[RATEKEY_VALUE_BYTES];

	store_bed_key(&bed->store, 7, "rate", "1000,100000");
	assert_int_equal(0, ratekey_limit(bed->ours, 7, 0, 2, 6056, value));
	assert_string_equal("1000,100000", value);
	assert_int_equal(0, ratekey_limit(bed->ours, 7, 0, 2, 0, value));
	assert_string_equal("0,50000", value);
	assert_int_equal(0, ratekey_free(bed->ours, 7, 0));
	check_key(bed, "rate", "1000,100000");
}

static void test_ratekey_lets_alone_what_is_not_ours(void **state)
{
	struct bed *bed = *state;
	char value[RATEKEY_VALUE_BYTES];

	store_bed_key(&bed->store, 7, "rate", "5,6");
	assert_int_equal(0, ratekey_free(bed->ours, 7, 0));
	check_key(bed, "rate", "5,6");
	assert_int_equal(0, ratekey_limit(bed->ours, 7, 0, 1, 0, value));
	store_bed_key(&bed->store, 7, "rate", "7,8");
	assert_int_equal(0, ratekey_is(bed->ours, 7, 0, value));
	assert_int_equal(0, ratekey_free(bed->ours, 7, 0));
	check_key(bed, "rate", "7,8");
	check_key(bed, "symtap-rate", NULL);
}

static void test_ratekey_makes_no_vif(void **state)
{
	struct bed *bed = *state;
	char value[RATEKEY_VALUE_BYTES];

	assert_int_equal(-ENOENT, ratekey_limit(bed->ours, 8, 0, 1, 0, value));
	assert_int_equal(0, ratekey_free(bed->ours, 8, 0));
	assert_null(xs_read(bed->store.dom0, XBT_NULL,
			    "/local/domain/0/backend/vif/8", NULL));
}

static void test_ratekey_keeps_what_it_cannot_read(void **state)
{
	struct bed *bed = *state;
	char value[RATEKEY_VALUE_BYTES], more[3000];

	memset(more, 'x', sizeof(more));
	more[sizeof(more) - 1] = '\0';
	store_bed_key(&bed->store, 7, "rate", more);
	assert_int_equal(-EMSGSIZE,
			 ratekey_limit(bed->ours, 7, 0, 1, 0, value));
	check_key(bed, "rate", more);
	check_key(bed, "symtap-rate", NULL);
}

static void test_ratekey_reads_rates_as_netback_does(void **state)
{
	static const struct {
		const char *value;
		uint32_t queues, window_bytes;
	} rows[] = {
		{ "12500,50000", 1, 12500 },
		{ "12500,50000", 4, 50000 },
		{ "1000,100000", 1, 500 },
		{ "0,50000", 1, 0 },
		{ "4294967295,1", 1, UINT32_MAX },
		{ "1,0", 1, UINT32_MAX },
		{ "", 1, UINT32_MAX },
		{ "12500", 1, UINT32_MAX },
		{ "12500,", 1, UINT32_MAX },
		{ "-1,50000", 1, UINT32_MAX },
		{ "1,2,3", 1, UINT32_MAX },
		{ "99999999999999999999,50000", 1, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(rows[i].window_bytes,
				 ratekey_window_bytes(rows[i].value,
						      rows[i].queues));
}

/* A vif that is held. */
static struct wayrate *paused(struct bed *bed, struct vifkeys *ret_keys,
			      uint64_t now_ns)
{
	struct wayrate *rates = wayrate_new();

	vifkeys_init(ret_keys, 7, 0);
	assert_true(wayrate_know(rates, bed->ours, ret_keys));
	wayrate_owes(rates, ret_keys->interface, 0, 1514, now_ns);
	wayrate_advance(rates, bed->ours, now_ns);
	check_key(bed, "rate", "0,50000");
	return rates;
}

/* Whoever writes over ours, again and again, is not answered as often. */
static void test_way_rate_answers_who_writes_over_it_in_time(void **state)
{
	struct bed *bed = *state;
	struct vifkeys keys;
	uint64_t now_ns = S;
	struct wayrate *rates = paused(bed, &keys, now_ns);

	for (int i = 0; i < 100; i++, now_ns += MS) {
		store_bed_key(&bed->store, 7, "rate", "1,1");
		wayrate_touched(rates, 7, 0);
		wayrate_advance(rates, bed->ours, now_ns);
	}
	assert_in_range(wayrate_stats(rates)->changes, 2, 4);
	wayrate_let_go(rates, bed->ours);
	check_key(bed, "rate", "1,1");
	wayrate_free(rates);
}

/* The connection ends before the vif is freed: it is, by the next one. */
static void test_way_rate_frees_once_there_is_xenstore_again(void **state)
{
	struct bed *bed = *state;
	struct vifkeys keys;
	uint64_t now_ns = S;
	struct wayrate *rates = paused(bed, &keys, now_ns);

	store_bed_stop(&bed->store);
	wayrate_owes(rates, keys.interface, 0, 0, now_ns);
	for (; wayrate_next_ns(rates) != UINT64_MAX; now_ns += S)
		wayrate_advance(rates, bed->ours, now_ns);
	/* It comes back with what it had. */
	store_bed_start(&bed->store);
	store_bed_domain(&bed->store, 7);
	store_bed_vif(&bed->store, 7, "4");
	store_bed_key(&bed->store, 7, "rate", "0,50000");
	store_bed_key(&bed->store, 7, "symtap-rate", "0,50000");
	store_close(bed->ours);
	assert_int_equal(0, store_open(&bed->ours));
	wayrate_lost(rates);
	wayrate_advance(rates, bed->ours, now_ns);
	check_key(bed, "rate", NULL);
	check_key(bed, "symtap-rate", NULL);
	wayrate_free(rates);
}

static void write_note(const struct bed *bed, const char *value, size_t length)
{
	assert_true(xs_write(bed->store.dom0, XBT_NULL,
			     "/local/domain/0/backend/vif/7/0/symtap-rate",
			     value, (unsigned int)length));
}

static void test_way_rate_frees_what_could_not_be_freed_at_once(void **state)
{
	static const char note[] = "0,50000";
	struct bed *bed = *state;
	struct vifkeys keys;
	uint64_t now_ns = S;
	struct wayrate *rates = paused(bed, &keys, now_ns);

	check_key(bed, "symtap-rate", note);
	write_note(bed, "a\0b", 3);
	wayrate_owes(rates, keys.interface, 0, 0, now_ns);
	for (int i = 0; i < 16; i++) {
		wayrate_advance(rates, bed->ours, now_ns);
		now_ns = wayrate_next_ns(rates);
		assert_true(now_ns != UINT64_MAX);
	}
	check_key(bed, "rate", note);
	assert_in_range(wayrate_stats(rates)->failed, 2, 16);
	write_note(bed, note, strlen(note));
	wayrate_advance(rates, bed->ours, now_ns);
	check_key(bed, "rate", NULL);
	assert_true(wayrate_next_ns(rates) == UINT64_MAX);
	wayrate_free(rates);
}

static void test_way_rate_does_not_spin_without_xenstore(void **state)
{
	struct bed *bed = *state;
	struct wayrate *rates = wayrate_new();
	struct vifkeys keys;

	vifkeys_init(&keys, 7, 0);
	assert_true(wayrate_know(rates, bed->ours, &keys));
	wayrate_owes(rates, keys.interface, 0, 1514, S);
	wayrate_advance(rates, bed->ours, S);
	wayrate_touched(rates, 7, 0);
	wayrate_lost(rates);
	wayrate_advance(rates, NULL, 2 * S);
	assert_true(wayrate_next_ns(rates) == UINT64_MAX);
	wayrate_free(rates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_ratekey_shares_a_window_between_queues),
		TEST(test_ratekey_never_gives_more_than_the_operator),
		TEST(test_ratekey_lets_alone_what_is_not_ours),
		TEST(test_ratekey_makes_no_vif),
		TEST(test_ratekey_keeps_what_it_cannot_read),
		cmocka_unit_test(test_ratekey_reads_rates_as_netback_does),
		TEST(test_way_rate_answers_who_writes_over_it_in_time),
		TEST(test_way_rate_frees_once_there_is_xenstore_again),
		TEST(test_way_rate_frees_what_could_not_be_freed_at_once),
		TEST(test_way_rate_does_not_spin_without_xenstore),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
