/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "shaper/credit.h"
#include "tests/random.h"

#define S      UINT64_C(1000000000)
#define MS     UINT64_C(1000000)
#define MINUTE (60 * S)
#define TICK   (UINT64_C(1) << CREDIT_TICK_SHIFT)
#define BEGIN  (1000 * S)

static const struct credit_params SHIPPED = { .patience_pkts = 48,
					      .earned_pkts = 12 };

static uint32_t patience_of(const struct credit *credit, uint64_t now_ns)
{
	uint32_t patience, earned;

	credit_purse(credit, now_ns, &patience, &earned);
	return patience;
}

static uint32_t earned_of(const struct credit *credit, uint64_t now_ns)
{
	uint32_t patience, earned;

	credit_purse(credit, now_ns, &patience, &earned);
	return earned;
}

static uint32_t pay_all(struct credit *credit, uint64_t now_ns)
{
	uint32_t paid = 0;

	while (credit_pay(credit, 1, now_ns))
		paid++;
	return paid;
}

/* Asks and is answered so often, a millisecond each; returns the time. */
static uint64_t talk(struct credit *credit, int turns, uint64_t now_ns)
{
	for (; turns > 0; turns--) {
		credit_sent(credit, &SHIPPED, true, now_ns);
		credit_heard(credit, &SHIPPED, 1, now_ns + MS / 2);
		now_ns += MS;
	}
	return now_ns;
}

static void test_credit_is_patient_with_who_is_known_to_be_silent(void **state)
{
	struct credit fresh = { 0 }, unknown = { 0 };

	(void)state;
	assert_int_equal(0, patience_of(&fresh, BEGIN));
	credit_sent(&fresh, &SHIPPED, true, BEGIN);
	credit_sent(&unknown, &SHIPPED, false, BEGIN);
	assert_int_equal(48, patience_of(&fresh, BEGIN));
	assert_int_equal(0, patience_of(&unknown, BEGIN));
	assert_int_equal(48, pay_all(&fresh, BEGIN));
	assert_int_equal(0, pay_all(&unknown, BEGIN));
	/* After a minute of it, it is known. */
	credit_sent(&unknown, &SHIPPED, false, BEGIN + MINUTE + S);
	assert_int_equal(48, pay_all(&unknown, BEGIN + MINUTE + S));
}

static void test_credit_patience_lapses_after_a_second(void **state)
{
	struct credit credit = { 0 };

	(void)state;
	credit_sent(&credit, &SHIPPED, true, BEGIN);
	assert_true(credit_pay(&credit, 1, BEGIN));
	assert_int_equal(47, patience_of(&credit, BEGIN + 990 * MS));
	assert_int_equal(0, patience_of(&credit, BEGIN + S));
	assert_false(credit_pay(&credit, 1, BEGIN + S));
	/* What it sends does not make the second begin anew. */
	for (uint64_t now_ns = BEGIN; now_ns < BEGIN + 10 * S;
	     now_ns += 100 * MS)
		credit_sent(&credit, &SHIPPED, true, now_ns);
	assert_int_equal(0, patience_of(&credit, BEGIN + 10 * S));
}

static void test_credit_is_patient_again_after_a_minute_only(void **state)
{
	static const struct {
		uint64_t silent_ns;
		uint32_t patience;
	} rows[] = {
		{ S, 0 },           { 59 * S, 0 },
		{ MINUTE - MS, 0 }, { MINUTE + 2 * TICK, 48 },
		{ 3600 * S, 48 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct credit credit = { 0 };
		uint64_t last_ns = BEGIN + 500 * MS;
		uint64_t now_ns = last_ns + rows[i].silent_ns;

		credit_sent(&credit, &SHIPPED, true, BEGIN);
		pay_all(&credit, BEGIN);
		credit_sent(&credit, &SHIPPED, true, last_ns);
		assert_int_equal(rows[i].patience == 0,
				 credit_must_stay(&credit, now_ns));
		credit_sent(&credit, &SHIPPED, true, now_ns);
		assert_int_equal(rows[i].patience,
				 patience_of(&credit, now_ns));
	}
}

static void test_credit_is_good_from_the_third_turn(void **state)
{
	struct credit credit = { 0 };
	uint64_t now_ns;

	(void)state;
	now_ns = talk(&credit, 2, BEGIN);
	assert_int_equal(0, earned_of(&credit, now_ns));
	/* More answers to the same packet are no more turns. */
	credit_heard(&credit, &SHIPPED, 1, now_ns);
	credit_heard(&credit, &SHIPPED, 1, now_ns);
	assert_int_equal(0, earned_of(&credit, now_ns));
	now_ns = talk(&credit, 1, now_ns);
	assert_int_equal(5 * 12, earned_of(&credit, now_ns));
}

static void test_credit_unsolicited_packets_establish_nothing(void **state)
{
	struct credit credit = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		credit_heard(&credit, &SHIPPED, 1, BEGIN + (uint64_t)i * MS);
	assert_int_equal(0, earned_of(&credit, BEGIN + S));
	credit_sent(&credit, &SHIPPED, true, BEGIN + S);
	assert_int_equal(0, earned_of(&credit, BEGIN + S));
}

static void test_credit_has_a_cap(void **state)
{
	static const uint32_t heard[] = { 171, 10000, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++) {
		struct credit credit = { 0 };
		uint64_t now_ns = talk(&credit, 3, BEGIN);

		credit_heard(&credit, &SHIPPED, heard[i], now_ns);
		assert_int_equal(CREDIT_MAX_PKTS, earned_of(&credit, now_ns));
		credit_heard(&credit, &SHIPPED, heard[i], now_ns);
		assert_int_equal(CREDIT_MAX_PKTS, earned_of(&credit, now_ns));
	}
}

static void test_credit_lapses_after_a_minute_unheard(void **state)
{
	struct credit credit = { 0 };
	uint64_t now_ns = talk(&credit, 10, BEGIN);
	uint64_t heard_ns = now_ns - MS / 2;

	(void)state;
	assert_int_equal(120, earned_of(&credit, heard_ns + MINUTE - MS));
	assert_int_equal(0, earned_of(&credit, heard_ns + MINUTE + 2 * TICK));
	/* It is not there again when the next one is heard. */
	credit_heard(&credit, &SHIPPED, 1, heard_ns + MINUTE + 2 * TICK);
	assert_int_equal(12, earned_of(&credit, heard_ns + MINUTE + 2 * TICK));
}

static void test_credit_pays_with_patience_first(void **state)
{
	struct credit credit = { 0 };
	uint64_t now_ns = talk(&credit, 3, BEGIN);

	(void)state;
	assert_true(credit_pay(&credit, 40, now_ns));
	assert_int_equal(8, patience_of(&credit, now_ns));
	assert_int_equal(36, earned_of(&credit, now_ns));
	assert_true(credit_pay(&credit, 10, now_ns));
	assert_int_equal(0, patience_of(&credit, now_ns));
	assert_int_equal(34, earned_of(&credit, now_ns));
}

static void test_credit_pays_all_or_nothing(void **state)
{
	static const uint32_t too_many[] = { 85, 1000, UINT32_MAX };
	struct credit credit = { 0 };
	uint64_t now_ns = talk(&credit, 3, BEGIN);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_false(credit_pay(&credit, too_many[i], now_ns));
		assert_int_equal(48, patience_of(&credit, now_ns));
		assert_int_equal(36, earned_of(&credit, now_ns));
	}
	assert_true(credit_pay(&credit, 0, now_ns));
	assert_true(credit_pay(&credit, 84, now_ns));
	assert_false(credit_pay(&credit, 1, now_ns));
	assert_true(credit_pay(&credit, 0, now_ns));
}

/* What is offered at twice its pace leaves at it, for three seconds. */
static void test_credit_lets_a_stream_go_at_its_pace(void **state)
{
	struct credit credit = { 0 };
	uint32_t paid[8] = { 0 }, all = 0;

	(void)state;
	for (int i = 0; i < 800; i++) {
		uint64_t now_ns = BEGIN + (uint64_t)i * 10 * MS;

		credit_sent(&credit, &SHIPPED, true, now_ns);
		if (credit_pay_stream(&credit, &SHIPPED, now_ns))
			paid[i / 100]++;
		assert_int_equal(0, patience_of(&credit, now_ns));
	}
	assert_in_range(paid[0], 50, 52);
	assert_in_range(paid[1], 49, 51);
	assert_in_range(paid[2], 49, 51);
	for (int second = 0; second < 8; second++)
		all += paid[second];
	assert_in_range(all, 3 * 50, 3 * 50 + 2);
	/* and saves nothing for a burst */
	credit = (struct credit){ 0 };
	credit_sent(&credit, &SHIPPED, true, BEGIN);
	for (all = 0; credit_pay_stream(&credit, &SHIPPED, BEGIN); all++)
		;
	assert_int_equal(CREDIT_STREAM_BURST_PKTS, all);
	for (all = 0; credit_pay_stream(&credit, &SHIPPED, BEGIN + 2 * S);
	     all++)
		;
	assert_int_equal(CREDIT_STREAM_BURST_PKTS, all);
}

static void test_credit_gives_a_stream_or_patience_but_not_both(void **state)
{
	static const struct credit_params none = { 0 };
	struct credit credit = { 0 };

	(void)state;
	assert_false(credit_pay_stream(&credit, &SHIPPED, BEGIN));
	credit_sent(&credit, &SHIPPED, true, BEGIN);
	assert_true(credit_pay(&credit, 1, BEGIN));
	assert_false(credit_pay_stream(&credit, &SHIPPED, BEGIN));
	credit = (struct credit){ 0 };
	credit_sent(&credit, &SHIPPED, true, BEGIN);
	assert_true(credit_pay_stream(&credit, &SHIPPED, BEGIN));
	assert_false(credit_pay(&credit, 1, BEGIN));
	/* neither to who may have sent just now, nor where there is none */
	credit = (struct credit){ 0 };
	credit_sent(&credit, &SHIPPED, false, BEGIN);
	assert_false(credit_pay_stream(&credit, &SHIPPED, BEGIN));
	credit = (struct credit){ 0 };
	credit_sent(&credit, &none, true, BEGIN);
	assert_false(credit_pay_stream(&credit, &none, BEGIN));
	/* After a minute of silence it may choose anew. */
	credit = (struct credit){ 0 };
	credit_sent(&credit, &SHIPPED, true, BEGIN);
	assert_true(credit_pay_stream(&credit, &SHIPPED, BEGIN));
	credit_sent(&credit, &SHIPPED, true, BEGIN + MINUTE + S);
	assert_int_equal(48, pay_all(&credit, BEGIN + MINUTE + S));
}

static void test_credit_says_when_it_began(void **state)
{
	struct credit credit = { 0 };

	(void)state;
	assert_int_equal(0, credit_began_ns(&credit, BEGIN));
	for (uint64_t at_ns = BEGIN; at_ns < BEGIN + 200 * MS;
	     at_ns += 777777) {
		credit = (struct credit){ 0 };
		credit_sent(&credit, &SHIPPED, true, at_ns);
		for (uint64_t now_ns = at_ns; now_ns < at_ns + 50 * S;
		     now_ns += S + 333333) {
			/* never later: pacers count on it */
			uint64_t began_ns = credit_began_ns(&credit, now_ns);

			assert_in_range(began_ns, at_ns - TICK + 1, at_ns);
		}
		assert_int_equal(0, credit_began_ns(&credit, at_ns + 61 * S));
	}
	/* The clock of a simulation may begin at 0. */
	credit = (struct credit){ 0 };
	credit_sent(&credit, &SHIPPED, true, 0);
	assert_int_not_equal(0, credit_began_ns(&credit, 0));
}

/* Its 32 bits of milliseconds come round every 52 days. */
static void test_credit_ticks_may_wrap_round(void **state)
{
	const uint64_t wrap_ns = TICK << 32;

	(void)state;
	for (uint64_t before_ns = 0; before_ns < 70 * S;
	     before_ns += 7 * S + MS) {
		uint64_t begin_ns = wrap_ns - before_ns, now_ns;
		struct credit credit = { 0 };

		credit_sent(&credit, &SHIPPED, true, begin_ns);
		assert_int_equal(48, patience_of(&credit, begin_ns + 900 * MS));
		assert_int_equal(0, patience_of(&credit, begin_ns + S));
		assert_true(credit_must_stay(&credit, begin_ns + 59 * S));
		assert_false(credit_must_stay(&credit, begin_ns + 61 * S));
		assert_in_range(credit_began_ns(&credit, begin_ns + 59 * S),
				begin_ns - TICK, begin_ns);
		now_ns = talk(&credit, 3, begin_ns);
		assert_int_equal(36, earned_of(&credit, now_ns + 59 * S));
		assert_int_equal(0, earned_of(&credit, now_ns + 61 * S));
	}
}

/* Whatever happens: a purse never grows by paying, nor beyond what it was
 * given. */
static void test_credit_never_pays_more_than_it_got(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct credit credit = { 0 };
		uint64_t now_ns = BEGIN, got = 0, paid = 0;
		struct random random;

		random_init(&random, seed);
		for (int i = 0; i < 2000; i++) {
			uint32_t pkts = random_below(&random, 4);
			bool stays;

			now_ns += random_once(&random, 50)
					  ? random_below(&random, 70) * S
					  : random_below(&random, 200) * MS;
			stays = credit_must_stay(&credit, now_ns);
			switch (random_below(&random, 4)) {
			case 0:
				credit_sent(&credit, &SHIPPED, true, now_ns);
				/* 48, or a stream's */
				got += stays ? 0 : 3 * 50 + 2;
				break;
			case 1:
				credit_heard(&credit, &SHIPPED, pkts, now_ns);
				got += pkts * 12;
				break;
			case 2:
				credit_sent(&credit, &SHIPPED, true, now_ns);
				got += stays ? 0 : 3 * 50 + 2;
				paid += credit_pay_stream(&credit, &SHIPPED,
							  now_ns);
				break;
			case 3:
				if (credit_pay(&credit, pkts, now_ns))
					paid += pkts;
				break;
			}
			assert_true(paid <= got);
			assert_in_range(patience_of(&credit, now_ns), 0, 48);
			assert_in_range(earned_of(&credit, now_ns), 0,
					CREDIT_MAX_PKTS);
		}
		assert_true(paid > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_credit_is_patient_with_who_is_known_to_be_silent),
		cmocka_unit_test(test_credit_patience_lapses_after_a_second),
		cmocka_unit_test(
			test_credit_is_patient_again_after_a_minute_only),
		cmocka_unit_test(test_credit_is_good_from_the_third_turn),
		cmocka_unit_test(
			test_credit_unsolicited_packets_establish_nothing),
		cmocka_unit_test(test_credit_has_a_cap),
		cmocka_unit_test(test_credit_lapses_after_a_minute_unheard),
		cmocka_unit_test(test_credit_pays_with_patience_first),
		cmocka_unit_test(test_credit_pays_all_or_nothing),
		cmocka_unit_test(test_credit_lets_a_stream_go_at_its_pace),
		cmocka_unit_test(
			test_credit_gives_a_stream_or_patience_but_not_both),
		cmocka_unit_test(test_credit_says_when_it_began),
		cmocka_unit_test(test_credit_ticks_may_wrap_round),
		cmocka_unit_test(test_credit_never_pays_more_than_it_got),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
