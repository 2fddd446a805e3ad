/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/bucket.h"
#include "tests/random.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static void test_bucket_lets_a_burst_go_and_then_the_rate(void **state)
{
	const struct rate_params params = { .pkts_per_s = 1000,
					    .burst_ns = 10 * MS };
	struct bucket bucket = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(bucket_allows(&bucket, &params, 1, 60, S));
		bucket_take(&bucket, &params, 1, 60, S);
	}
	assert_false(bucket_allows(&bucket, &params, 1, 60, S));
	assert_int_equal(S + MS, bucket_next_ns(&bucket, &params, 1, 60, S));
	assert_false(bucket_allows(&bucket, &params, 1, 60, S + MS - 1));
	assert_true(bucket_allows(&bucket, &params, 1, 60, S + MS));
	assert_int_equal(S + 2 * MS,
			 bucket_next_ns(&bucket, &params, 2, 60, S + MS));
}

static void test_bucket_counts_bytes_as_well(void **state)
{
	const struct rate_params params = { .pkts_per_s = 1000,
					    .bytes_per_s = 100000,
					    .burst_ns = 10 * MS };
	struct bucket bucket = { 0 };

	(void)state;
	bucket_take(&bucket, &params, 1, 1000, S);
	assert_true(bucket_allows(&bucket, &params, 1, 0, S));
	assert_int_equal(S + 5 * MS,
			 bucket_next_ns(&bucket, &params, 1, 500, S));
	/* larger than the burst: when there is nothing else */
	assert_int_equal(S + 10 * MS,
			 bucket_next_ns(&bucket, &params, 1, 65535, S));
	assert_true(bucket_allows(&bucket, &params, 1, 65535, S + 10 * MS));
}

static void test_bucket_loses_no_fraction(void **state)
{
	const struct rate_params params = { .pkts_per_s = 3, .burst_ns = MS };
	struct bucket bucket = { 0 };
	uint64_t now_ns = S;
	int left = 0;

	(void)state;
	for (; now_ns <= 1001 * S; left++) {
		now_ns = bucket_next_ns(&bucket, &params, 1, 60, now_ns);
		bucket_take(&bucket, &params, 1, 60, now_ns);
	}
	/* 3 a second, each rounded up to the next nanosecond */
	assert_in_range(left, 3000, 3002);
}

static void test_bucket_holds_the_largest_that_may_be_asked_for(void **state)
{
	const struct rate_params params = { .pkts_per_s = 100000000,
					    .bytes_per_s = 12500000000,
					    .burst_ns = S };
	struct bucket bucket = { 0 };
	uint64_t bytes = 0;

	(void)state;
	while (bucket_allows(&bucket, &params, 64, 1 << 20, S)) {
		bucket_take(&bucket, &params, 64, 1 << 20, S);
		bytes += 1 << 20;
	}
	assert_in_range(bytes, 12500000000 - (1 << 20), 12500000000);
	bucket_take(&bucket, &params, UINT32_MAX, UINT32_MAX, S);
	bucket_take(&bucket, &params, UINT32_MAX, UINT32_MAX, S);
	bucket_take(&bucket, &params, UINT32_MAX, UINT32_MAX, S);
	assert_true(bucket_next_ns(&bucket, &params, 1, 60, S) > S);
	assert_true(bucket_allows(&bucket, &params, 1, 60, 1000 * S));
}

static void test_bucket_survives_a_change_of_its_rate(void **state)
{
	const struct rate_params before = { .pkts_per_s = 1000000,
					    .burst_ns = S };
	const struct rate_params after = { .pkts_per_s = 1, .burst_ns = MS };
	struct bucket bucket = { 0 };

	(void)state;
	bucket_take(&bucket, &before, 1000, 0, S);
	assert_int_equal(1001 * S, bucket_next_ns(&bucket, &after, 1, 0, S));
	assert_true(bucket_allows(&bucket, &before, 1, 0, S));
}

/* ------ against a count of all that left */

enum { LEFT_MAX = 2000 };

struct left {
	uint64_t at_ns, pkts, bytes;
};

static uint64_t most(uint64_t per_s, uint64_t burst_ns, uint64_t span_ns,
		     uint64_t largest)
{
	uint64_t burst = per_s * burst_ns / S;

	return (burst > largest ? burst : largest) + per_s * span_ns / S + 1;
}

/* Every interval from one departure to another. */
static void check_bound(const struct rate_params *params,
			const struct left *left, size_t count)
{
	for (size_t first = 0; first < count; first++) {
		uint64_t pkts = 0, bytes = 0, pkts_most = 0, bytes_most = 0;

		for (size_t i = first; i < count; i++) {
			uint64_t span_ns = left[i].at_ns - left[first].at_ns;

			pkts += left[i].pkts;
			bytes += left[i].bytes;
			if (left[i].pkts > pkts_most)
				pkts_most = left[i].pkts;
			if (left[i].bytes > bytes_most)
				bytes_most = left[i].bytes;
			if (params->pkts_per_s)
				assert_true(pkts <= most(params->pkts_per_s,
							 params->burst_ns,
							 span_ns, pkts_most));
			if (params->bytes_per_s)
				assert_true(bytes <= most(params->bytes_per_s,
							  params->burst_ns,
							  span_ns, bytes_most));
		}
	}
}

static void test_bucket_keeps_its_bound_over_any_interval(void **state)
{
	static struct left left[LEFT_MAX];

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct bucket bucket = { 0 };
		struct rate_params params;
		struct random random;
		uint64_t now_ns = S;

		random_init(&random, seed);
		params = (struct rate_params){
			.pkts_per_s = (uint32_t)(seed % 3 ? random_in(&random,
								      1, 50000)
							  : 0),
			.bytes_per_s = seed % 3 != 1 ? random_in(&random, 1000,
								 100000000)
						     : 0,
			.burst_ns = random_in(&random, MS, S),
		};
		for (size_t i = 0; i < LEFT_MAX; i++) {
			uint32_t pkts = (uint32_t)random_in(&random, 1, 3);
			uint32_t bytes = (uint32_t)random_in(&random, 20, 4500);
			uint64_t next_ns;

			if (random_in(&random, 0, 9) == 0)
				now_ns += random_in(&random, 0, 300 * MS);
			next_ns = bucket_next_ns(&bucket, &params, pkts, bytes,
						 now_ns);
			/* not a nanosecond later than it must be */
			if (next_ns > now_ns)
				assert_false(bucket_allows(&bucket, &params,
							   pkts, bytes,
							   next_ns - 1));
			now_ns = next_ns;
			assert_true(bucket_allows(&bucket, &params, pkts, bytes,
						  now_ns));
			bucket_take(&bucket, &params, pkts, bytes, now_ns);
			left[i] = (struct left){ now_ns, pkts, bytes };
		}
		check_bound(&params, left, LEFT_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bucket_lets_a_burst_go_and_then_the_rate),
		cmocka_unit_test(test_bucket_counts_bytes_as_well),
		cmocka_unit_test(test_bucket_loses_no_fraction),
		cmocka_unit_test(
			test_bucket_holds_the_largest_that_may_be_asked_for),
		cmocka_unit_test(test_bucket_survives_a_change_of_its_rate),
		cmocka_unit_test(test_bucket_keeps_its_bound_over_any_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
