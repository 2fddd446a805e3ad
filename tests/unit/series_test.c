/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/series.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct gate_params params = { .ratio_q16 = 4 << 16,
				     .window_ns = S,
				     .first_delay_ns = 2 * MS,
				     .max_delay_ns = 1024 * MS };
static const struct policy policy = { .host_prefix6 = 64,
				      .params = &params,
				      .params_count = 1 };

static struct replay_event event(enum flow_direction direction, uint32_t target,
				 uint64_t now_ns)
{
	struct replay_event made = {
		.flow = { .inside = { [10] = 0xff, 0xff, 10, 0, 0, 1 },
			  .outside = { [10] = 0xff, 0xff },
			  .inside_port = 1000,
			  .outside_port = 80,
			  .proto = 17 },
		.arrived_ns = now_ns,
		.left_ns = now_ns,
		.wire_pkts = 1,
		.direction = (uint8_t)direction,
		.kind = PACKET_UNICAST,
		.fate = REPLAY_PASSED,
	};

	memcpy(made.flow.outside + 12, &target, sizeof(target));
	return made;
}

static void tell(struct series *series, struct replay_event told)
{
	struct replay_observer observer = series_observer(series);
	struct replay_event as_captured = told;

	as_captured.left_ns = 0;
	as_captured.fate = REPLAY_PASSED;
	observer.captured(observer.self, &as_captured);
	observer.packet(observer.self, &told);
}

static uint64_t sum_offered(const struct series_key *key, size_t bins)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < bins; i++)
		sum += key->bins[i].offered_pkts;
	return sum;
}

static void test_no_packet_is_lost_when_bins_double(void **state)
{
	struct series *series = series_new(&policy);
	struct series_key total, worst[4];

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		tell(series, event(FLOW_OUT, 1, i * 17 * MS));
	series_total(series, &total);
	assert_in_range(series_bins(series), SERIES_BINS / 2, SERIES_BINS);
	assert_int_equal(3000, sum_offered(&total, series_bins(series)));
	assert_int_equal(1, series_worst(series, worst, 4));
	assert_int_equal(3000, sum_offered(&worst[0], series_bins(series)));
	series_free(series);
}

static void test_s_is_that_of_the_window(void **state)
{
	struct series *series = series_new(&policy);
	struct series_key worst[4];

	(void)state;
	/* Seven in a second, none heard: log2(8). */
	for (uint64_t i = 0; i < 7; i++)
		tell(series, event(FLOW_OUT, 1, i * 10 * MS));
	tell(series, event(FLOW_OUT, 1, 5 * S));
	assert_int_equal(1, series_worst(series, worst, 4));
	assert_float_equal(3.0, worst[0].s_max, 1e-6);
	assert_float_equal(2.0, worst[0].threshold, 1e-6);
	series_free(series);
}

static void test_a_jump_by_months_is_cut_out(void **state)
{
	struct series *series = series_new(&policy);
	struct series_key total;

	(void)state;
	tell(series, event(FLOW_OUT, 1, 0));
	tell(series, event(FLOW_OUT, 1, 10000000 * S));
	tell(series, event(FLOW_OUT, 1, 10000001 * S));
	assert_int_equal(10000000 * S - SERIES_GAP_SHOWN_NS,
			 series_cut_ns(series));
	assert_true(series_bin_ns(series) * SERIES_BINS < 10 * S);
	series_total(series, &total);
	assert_int_equal(3, sum_offered(&total, series_bins(series)));
	series_free(series);
}

static void test_a_spray_does_not_push_out_who_is_held(void **state)
{
	struct series *series = series_new(&policy);
	struct series_key worst[20];
	size_t count;

	(void)state;
	for (uint32_t i = 0; i < 20; i++)
		tell(series, event(FLOW_OUT, 1, i * MS));
	for (uint32_t i = 0; i < 20000; i++)
		tell(series, event(FLOW_OUT, 1000 + i, S + i * 10000));
	assert_true(series_forgotten(series) > 10000);
	count = series_worst(series, worst, 20);
	assert_int_equal(20, count);
	assert_int_equal(FLOW_SCOPE_PAIR, worst[0].key.scope);
	assert_int_equal(20, worst[0].sums.offered_pkts);
	series_free(series);
}

static void test_what_was_held_is_told_by_gate_and_delay(void **state)
{
	struct series *series = series_new(&policy);
	struct replay_event told = event(FLOW_OUT, 1, 0);
	struct series_key total;

	(void)state;
	tell(series, told);
	told.fate = REPLAY_DELAYED;
	told.by = PUMP_BY_CONTACTS;
	told.left_ns = 10 * MS;
	tell(series, told);
	told.left_ns = 10 * MS + 1;
	tell(series, told);
	told.left_ns = 60 * S;
	tell(series, told);
	told.fate = REPLAY_DROPPED;
	told.by = PUMP_BYS;
	told.left_ns = 0;
	tell(series, told);
	series_total(series, &total);
	assert_int_equal(3, total.sums.by_pkts[PUMP_BY_CONTACTS]);
	assert_int_equal(1, total.sums.by_pkts[PUMP_BYS]);
	assert_int_equal(1, series_delays(series)[0]);
	assert_int_equal(1, series_delays(series)[3]); /* up to 10 ms */
	assert_int_equal(1, series_delays(series)[4]);
	assert_int_equal(1, series_delays(series)[SERIES_DELAYS - 1]);
	series_free(series);
}

static void test_a_host_is_told_when_it_was_held_as_one(void **state)
{
	struct series *series = series_new(&policy);
	struct replay_event told = event(FLOW_OUT, 3, 2 * MS);
	struct series_key worst[4];

	(void)state;
	tell(series, event(FLOW_OUT, 1, 0));
	tell(series, event(FLOW_OUT, 2, MS));
	assert_int_equal(2, series_worst(series, worst, 4));
	told.fate = REPLAY_DELAYED;
	told.by = PUMP_BY_CONTACTS;
	told.left_ns += MS;
	tell(series, told);
	assert_int_equal(4, series_worst(series, worst, 4));
	assert_int_equal(FLOW_SCOPE_HOST, worst[0].key.scope);
	assert_int_equal(3, worst[0].sums.offered_pkts);
	series_free(series);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_packet_is_lost_when_bins_double),
		cmocka_unit_test(test_s_is_that_of_the_window),
		cmocka_unit_test(test_a_jump_by_months_is_cut_out),
		cmocka_unit_test(test_a_spray_does_not_push_out_who_is_held),
		cmocka_unit_test(test_what_was_held_is_told_by_gate_and_delay),
		cmocka_unit_test(test_a_host_is_told_when_it_was_held_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
