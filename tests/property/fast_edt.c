/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `hold: edt`: when packets of a leased pair that is no longer answered may
 * leave, as the kernel program says, beside the limiter's check figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/hold_edt.h"
#include "tests/pump_bed.h"

#define S     UINT64_C(1000000000)
#define MS    UINT64_C(1000000)
#define BEGIN (1001 * S)

enum { SLOTS = 1024, SKIPPED = 77, FRAME_BYTES = 60, MARK = 0x00f00000 };

struct world {
	struct fast *fast;
	struct fastleases *leases;
	struct bed bed;
	uint64_t now_ns;
	struct fast_frame out, in;
};

static const uint8_t OUT[FRAME_BYTES] = {
	2,  0, 0, 0,  0,   1, 2, 0, 0,  0,  0, 2, /* Ethernet */
	8,  0,                                    /* IPv4 */
	69, 0, 0, 46, 0,   0, 0, 0, 64, 17, 0, 0, /* UDP */
	10, 0, 0, 1,  192, 0, 2, 1, 0,  7,  0, 53, 0, 26, 0, 0,
};
static uint8_t in_bytes[FRAME_BYTES];

static void set_up(struct world *world)
{
	uint64_t k0, k1;
	uint32_t count;
	struct fast_slot *slots = fast_slots(world->fast, &count);

	fast_hash_key(world->fast, &k0, &k1);
	world->leases = fastleases_new(slots, count, k0, k1);
	assert_non_null(world->leases);
	bed_init(&world->bed,
		 "limiter: {floor: 0, patience: 0, credit: 0}\n"
		 "guards: {first_contacts: 0}\n"
		 "datapath: {fast: {interfaces: [lan0], hold: edt}}\n");
	holdedt_configure(fast_edt(world->fast), world->bed.policy);
	fast_set_test_zone(world->fast, 0);
	world->now_ns = BEGIN;
	memcpy(in_bytes, OUT, FRAME_BYTES);
	memcpy(in_bytes + 26, OUT + 30, 4);
	memcpy(in_bytes + 30, OUT + 26, 4);
	memcpy(in_bytes + 34, OUT + 36, 2);
	memcpy(in_bytes + 36, OUT + 34, 2);
	world->out = (struct fast_frame){ .bytes = OUT,
					  .count_bytes = FRAME_BYTES,
					  .out = true };
	world->in = (struct fast_frame){ .bytes = in_bytes,
					 .count_bytes = FRAME_BYTES };
}

/* As the daemon would, unless the program let it pass. */
static bool come(struct world *world, const struct fast_frame *frame)
{
	enum flow_direction direction = frame->out ? FLOW_OUT : FLOW_IN;
	struct pump_packet packet;
	struct flow_key key = { 0 };
	uint32_t mark;

	world->now_ns += 10 * MS;
	fast_set_time(world->fast, world->now_ns);
	assert_int_equal(0, fast_run(world->fast, frame, &mark));
	mark = fast_mark(world->fast, mark);
	if (mark == FAST_MARK_PASSED)
		return true;
	bed_packet(&packet, "udp", "10.0.0.1", 7, "192.0.2.1", 53);
	if (!frame->out)
		bed_packet(&packet, "udp", "192.0.2.1", 53, "10.0.0.1", 7);
	flow_key_of(&packet.meta, direction, 0, &key);
	fastleases_note(world->leases, world->bed.pump, &key,
			frame->out ? mark : FASTLEASES_MARK_NONE,
			world->now_ns);
	bed_offer(&world->bed, &packet, world->now_ns);
	if (frame->out)
		fastleases_offer(world->leases, world->bed.pump, &key,
				 world->now_ns);
	return false;
}

static void lease(struct world *world)
{
	bool passed = false;

	for (int i = 0; i < 40 && !passed; i++) {
		passed = come(world, &world->out);
		if (!passed)
			come(world, &world->in);
	}
	assert_true(passed);
}

static uint64_t departs(struct world *world)
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
	struct world *world = *state;
	uint64_t last_ns = 0;
	uint32_t later = 0, dropped = 0;

	lease(world);
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
	struct world *world = *state;
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
	static struct world world;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(
			test_what_is_not_answered_leaves_at_the_check_figures,
			&world),
		cmocka_unit_test_prestate(test_an_answer_ends_it, &world),
	};
	const struct fast_options options = {
		.slots = SLOTS, .mark_mask = MARK, .seed = { 5 }, .test = true
	};
	char wrong[FAST_TEXT_BYTES];
	int error = fast_new(&options, &world.fast, wrong);

	if (error < 0) {
		printf("no fast path here: %s\n", wrong);
		return getenv("CI") ? 1 : SKIPPED;
	}
	set_up(&world);
	error = cmocka_run_group_tests(tests, NULL, NULL);
	fastleases_free(world.leases);
	bed_fini(&world.bed);
	fast_free(world.fast);
	return error;
}
