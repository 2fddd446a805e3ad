/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * More in one batch than there are marks for what is set aside, and more keys
 * at their bound than there is room for refusals: nothing is lost, and what is
 * given up is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/pump_state.h"
#include "tests/pump_bed.h"

enum {
	BURST = 4,
	/* Each flow that waits takes a mark, and so does what it rests with. */
	FLOWS = PUMP_ASIDE_MAX,
	REFUSED = PUMP_REFUSALS_MAX + 1000,
};

static const char LARGE[] =
	"limits: {pairs: 100000, flows: 100000, suspects: 65536, "
	"pairs_per_host: 100000, flows_per_host: 100000, "
	"held_packets: 0, held_packets_per_host: 0, held_packets_per_key: 4}\n"
	"limiter: {enforce: flow}\n";

static struct pump_packet *numbered(size_t flows, size_t each)
{
	struct pump_packet *packets = calloc(flows * each, sizeof(*packets));

	assert_non_null(packets);
	for (size_t i = 0; i < flows * each; i++) {
		bed_packet(&packets[i], "udp", "10.0.0.1",
			   (uint16_t)(1024 + i / each), "192.0.2.1", 53);
		packets[i].id = i;
	}
	return packets;
}

static size_t count_verdicts(const struct pump_packet *packets, size_t count,
			     enum pump_verdict verdict)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += packets[i].verdict == verdict;
	return found;
}

/* As an adapter does: those that wait are brought back, in their order. */
static size_t bring_back(struct bed *bed, const struct pump_packet *packets,
			 size_t count)
{
	size_t brought = 0, held = 0;

	for (size_t i = 0; i < count; i++) {
		struct pump_packet copy = packets[i];

		if (copy.verdict != PUMP_WAIT)
			continue;
		pump_hold(bed->pump, &copy, 1, bed->now_ns);
		brought++;
		held += copy.verdict == PUMP_WAIT;
	}
	assert_int_equal(brought, count_verdicts(packets, count, PUMP_WAIT));
	pump_settle(bed->pump);
	return held;
}

/* How many come out within `span_ns`; each once, those of a flow in order. */
static size_t collect_all(struct bed *bed, uint64_t span_ns, size_t flows,
			  size_t each)
{
	struct pump_release releases[64];
	uint64_t end_ns = bed->now_ns + span_ns, next_ns;
	uint64_t *last = calloc(flows, sizeof(*last));
	size_t out = 0, count;

	assert_non_null(last);
	do {
		while ((count = pump_collect(bed->pump, releases, 64)) > 0) {
			for (size_t i = 0; i < count; i++) {
				uint64_t id = releases[i].id;

				assert_int_equal(releases[i].verdict,
						 PUMP_PASS);
				assert_true(last[id / each] <= id);
				last[id / each] = id + 1;
			}
			out += count;
		}
		next_ns = pump_next_ns(bed->pump);
		if (next_ns > bed->now_ns && next_ns <= end_ns)
			bed->now_ns = next_ns;
		if (next_ns <= end_ns)
			pump_advance(bed->pump, bed->now_ns);
	} while (next_ns <= end_ns);
	free(last);
	return out;
}

static void test_more_set_aside_than_there_are_marks(void **state)
{
	enum { EACH = BURST + 2, COUNT = FLOWS * EACH };
	struct pump_packet *packets = numbered(FLOWS, EACH);
	size_t passed, waiting, dropped, held, out;
	struct bed bed;

	(void)state;
	bed_init(&bed, LARGE);
	assert_int_equal(pump_offer(bed.pump, packets, COUNT, bed.now_ns),
			 COUNT);
	passed = count_verdicts(packets, COUNT, PUMP_PASS);
	waiting = count_verdicts(packets, COUNT, PUMP_WAIT);
	dropped = count_verdicts(packets, COUNT, PUMP_DROP);
	assert_int_equal(passed, FLOWS * BURST);
	assert_int_equal(passed + waiting + dropped, COUNT);
	/* A flow and its FIFO: two marks, and two packets. */
	assert_int_equal(waiting, PUMP_ASIDE_MAX);
	assert_int_equal(dropped, bed_counter(&bed, STATS_dropped_bound));

	held = bring_back(&bed, packets, COUNT);
	assert_int_equal(held, waiting);
	out = collect_all(&bed, UINT64_C(30000000000), FLOWS, EACH);
	assert_int_equal(out, held);
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts), passed + out);
	assert_int_equal(bed_counter(&bed, STATS_out_pkts), COUNT);
	bed_fini(&bed);
	free(packets);
}

static void test_marks_are_there_again_after_settling(void **state)
{
	enum { EACH = BURST + 1, COUNT = FLOWS * EACH };
	struct pump_packet *packets = numbered(FLOWS, EACH);
	size_t first;
	struct bed bed;

	(void)state;
	bed_init(&bed, LARGE);
	pump_offer(bed.pump, packets, COUNT, bed.now_ns);
	first = count_verdicts(packets, COUNT, PUMP_WAIT);
	assert_int_equal(first, PUMP_ASIDE_MAX / 2);
	assert_int_equal(bring_back(&bed, packets, COUNT), first);
	/* The others' turn: their fifth packet had found no mark. */
	for (size_t i = 0; i < FLOWS; i++)
		packets[i] = packets[i * EACH + BURST];
	pump_offer(bed.pump, packets + FLOWS / 2, FLOWS / 2, bed.now_ns);
	assert_int_equal(count_verdicts(packets + FLOWS / 2, FLOWS / 2,
					PUMP_WAIT),
			 PUMP_ASIDE_MAX / 2);
	bed_fini(&bed);
	free(packets);
}

static void test_more_keys_at_their_bound_than_refusals(void **state)
{
	static struct pump_refusal refusals[REFUSED];
	const uint64_t each = BURST + 4 + 2;
	struct pump_packet packet;
	uint64_t id;
	size_t got, more;
	struct bed bed;

	(void)state;
	bed_init(&bed, LARGE);
	for (unsigned int flow = 0; flow < REFUSED; flow++) {
		bed_packet(&packet, "udp", "10.0.0.1", (uint16_t)(1024 + flow),
			   "192.0.2.1", 53);
		for (uint64_t i = 0; i < each; i++) {
			id = bed_offer(&bed, &packet, bed.now_ns);
			assert_int_equal(bed.packets[id].fate,
					 i < BURST       ? BED_PASSED
					 : i < BURST + 4 ? BED_WAITS
							 : BED_DROPPED);
		}
	}
	assert_int_equal(bed_counter(&bed, STATS_dropped_key_bound),
			 2 * REFUSED);
	got = pump_refusals(bed.pump, refusals, REFUSED);
	assert_int_equal(got, PUMP_REFUSALS_MAX);
	for (size_t i = 0; i < got; i++) {
		assert_int_equal(refusals[i].kind, PUMP_REFUSE);
		assert_int_equal(refusals[i].key.inside_port, 1024 + i);
		assert_true(refusals[i].until_ns > bed.now_ns);
	}
	/* Once their half second is over, who found no room has his turn. */
	bed_run(&bed, bed.now_ns + 1);
	more = bed.now_ns + 600000000;
	bed_run(&bed, more);
	while (pump_refusals(bed.pump, refusals, REFUSED) > 0)
		continue;
	bed_packet(&packet, "udp", "10.0.0.1", 1024 + REFUSED - 1, "192.0.2.1",
		   53);
	for (uint64_t i = 0; i < each; i++)
		bed_offer(&bed, &packet, bed.now_ns);
	assert_int_equal(pump_refusals(bed.pump, refusals, REFUSED), 1);
	assert_int_equal(refusals[0].key.inside_port, 1024 + REFUSED - 1);
	bed_fini(&bed);
}

enum {
	PARKED_MAX = 255, /* of one flow in a wider key, see flow_entry */
	PARKED = 300,
};

static void start_without_a_gate(struct bed *bed, const char *at_bound)
{
	char yaml[256];

	snprintf(yaml, sizeof(yaml),
		 "limits: {suspects: 64, held_packets: 0, held_bytes: 0, "
		 "held_packets_per_host: 0, held_packets_per_key: 0, "
		 "at_bound: %s}\n",
		 at_bound);
	bed_init(bed, yaml);
}

static void flood(struct bed *bed, const char *outside, int count)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", "10.0.0.1", 1000, outside, 53);
	for (; count > 0; count--)
		bed_offer(bed, &packet, bed->now_ns);
}

/* One host borrows a quarter at most. */
static void use_up_gates(struct bed *bed)
{
	char outside[32];

	for (int i = 1; i <= 20; i++) {
		snprintf(outside, sizeof(outside), "192.0.2.%d", i);
		flood(bed, outside, BURST + 2);
	}
}

/* Its packets wait with their host. */
static uint64_t flood_without_a_gate(struct bed *bed, const char *at_bound)
{
	uint64_t first;

	start_without_a_gate(bed, at_bound);
	use_up_gates(bed);
	first = bed->count;
	flood(bed, "192.0.2.100", PARKED);
	return first;
}

static void test_a_flow_parks_255_packets_in_a_wider_key(void **state)
{
	static struct bed bed;
	uint64_t first, dropped;

	(void)state;
	first = flood_without_a_gate(&bed, "drop");
	for (uint64_t id = first; id < bed.count; id++)
		assert_int_equal(bed.packets[id].fate, id < first + PARKED_MAX
							       ? BED_WAITS
							       : BED_DROPPED);
	dropped = bed_counter(&bed, STATS_dropped_key_bound);
	assert_int_equal(dropped, PARKED - PARKED_MAX);
	bed_run(&bed, bed.now_ns + UINT64_C(300000000000));
	assert_int_equal(bed_counter(&bed, STATS_sent_pkts) + dropped,
			 bed_counter(&bed, STATS_out_pkts));
	bed_fini(&bed);
}

static void test_the_oldest_of_more_than_255_is_let_out(void **state)
{
	static struct bed bed;
	uint64_t first;

	(void)state;
	first = flood_without_a_gate(&bed, "release");
	for (uint64_t id = first; id < bed.count; id++)
		assert_int_equal(bed.packets[id].fate,
				 id < first + PARKED - PARKED_MAX ? BED_PASSED
								  : BED_WAITS);
	assert_true(bed_counter(&bed, STATS_released_bound) >=
		    PARKED - PARKED_MAX);
	bed_fini(&bed);
}

/* Their pair's line, which was their own, becomes one in which they are parked:
 * by the policy, and since no gate is left to borrow. */
static void test_more_than_255_stay_in_order_when_they_are_parked(void **state)
{
	static struct bed bed;
	struct policy changed;
	uint64_t next = BURST;

	(void)state;
	start_without_a_gate(&bed, "drop");
	changed = *bed.policy;
	changed.enforce = 1u << FLOW_SCOPE_PAIR;
	pump_set_policy(bed.pump, &changed, bed.now_ns);
	flood(&bed, "192.0.2.100", BURST + PARKED);
	use_up_gates(&bed);
	assert_int_equal(bed_passed(&bed, 0, BURST + PARKED - 1, bed.now_ns),
			 BURST);
	pump_set_policy(bed.pump, bed.policy, bed.now_ns);
	bed_run(&bed, bed.now_ns);
	assert_int_equal(bed_passed(&bed, 0, BURST + PARKED - 1, bed.now_ns),
			 BURST + PARKED - PARKED_MAX);
	bed_run(&bed, bed.now_ns + UINT64_C(300000000000));
	for (size_t i = 0; i < bed.order_count; i++)
		if (bed.order[i] < BURST + PARKED)
			assert_int_equal(bed.order[i], next++);
	assert_int_equal(next, BURST + PARKED);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_more_set_aside_than_there_are_marks),
		T(test_marks_are_there_again_after_settling),
		T(test_more_keys_at_their_bound_than_refusals),
		T(test_a_flow_parks_255_packets_in_a_wider_key),
		T(test_the_oldest_of_more_than_255_is_let_out),
		T(test_more_than_255_stay_in_order_when_they_are_parked),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
