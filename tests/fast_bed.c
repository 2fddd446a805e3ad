/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/fast_bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/packet.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/hold_edt.h"

#define BEGIN_NS UINT64_C(1001000000000)
#define STEP_NS  UINT64_C(10000000)

enum { SLOTS = 1024, MARK = 0x00f00000 };

static const uint8_t OUT[FASTBED_FRAME_BYTES] = {
	2,  0, 0, 0,  0,   1, 2, 0, 0,  0,  0, 2, /* Ethernet */
	8,  0,                                    /* IPv4 */
	69, 0, 0, 46, 0,   0, 0, 0, 64, 17, 0, 0, /* UDP */
	10, 0, 0, 1,  192, 0, 2, 1, 0,  7,  0, 53, 0, 26, 0, 0,
};

static void swap(uint8_t *bytes, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++) {
		uint8_t first = bytes[i];

		bytes[i] = bytes[i + count];
		bytes[i + count] = first;
	}
}

static void make_frames(struct fastbed *bed)
{
	memcpy(bed->out_bytes, OUT, sizeof(OUT));
	memcpy(bed->in_bytes, OUT, sizeof(OUT));
	swap(bed->in_bytes, 0, 6);
	swap(bed->in_bytes, 26, 4);
	swap(bed->in_bytes, 34, 2);
	bed->out = (struct fast_frame){ .bytes = bed->out_bytes,
					.count_bytes = sizeof(OUT),
					.out = true };
	bed->in = (struct fast_frame){ .bytes = bed->in_bytes,
				       .count_bytes = sizeof(OUT) };
}

int fastbed_init(struct fastbed *bed, const char *hold)
{
	const struct fast_options options = {
		.slots = SLOTS,
		.mark_mask = MARK,
		.seed = { 5 },
		.test = true,
		.pump_only = strcmp(hold, "pump") == 0,
	};
	char wrong[FAST_TEXT_BYTES], policy[256];
	uint64_t k0, k1;
	uint32_t count;
	struct fast_slot *slots;

	*bed = (struct fastbed){ .now_ns = BEGIN_NS };
	if (fast_new(&options, &bed->fast, wrong) < 0) {
		printf("no fast path here: %s\n", wrong);
		return getenv("CI") ? 1 : FASTBED_SKIPPED;
	}
	slots = fast_slots(bed->fast, &count);
	fast_hash_key(bed->fast, &k0, &k1);
	bed->leases = fastleases_new(slots, count, k0, k1);
	assert_non_null(bed->leases);
	snprintf(policy, sizeof(policy),
		 "limiter: {floor: 0, patience: 0, credit: 0}\n"
		 "guards: {first_contacts: 0}\n"
		 "datapath: {fast: {interfaces: [lan0], hold: %s}}\n",
		 hold);
	bed_init(&bed->bed, policy);
	holdedt_configure(fast_edt(bed->fast), bed->bed.policy);
	fast_set_test_zone(bed->fast, 0);
	make_frames(bed);
	return 0;
}

void fastbed_fini(struct fastbed *bed)
{
	fastleases_free(bed->leases);
	bed_fini(&bed->bed);
	fast_free(bed->fast);
}

bool fastbed_come(struct fastbed *bed, const struct fast_frame *frame)
{
	enum flow_direction direction = frame->out ? FLOW_OUT : FLOW_IN;
	struct pump_packet packet;
	struct flow_key key = { 0 };
	uint32_t mark;

	bed->now_ns += STEP_NS;
	fast_set_time(bed->fast, bed->now_ns);
	assert_int_equal(0, fast_run(bed->fast, frame, &mark));
	mark = fast_mark(bed->fast, mark);
	if (mark == FAST_MARK_PASSED)
		return true;
	bed_packet(&packet, "udp", "10.0.0.1", 7, "192.0.2.1", 53);
	if (!frame->out)
		bed_packet(&packet, "udp", "192.0.2.1", 53, "10.0.0.1", 7);
	flow_key_of(&packet.meta, direction, 0, &key);
	fastleases_note(bed->leases, bed->bed.pump, &key,
			frame->out ? mark : FASTLEASES_MARK_NONE, bed->now_ns);
	bed_offer(&bed->bed, &packet, bed->now_ns);
	if (frame->out)
		fastleases_offer(bed->leases, bed->bed.pump, &key, bed->now_ns);
	return false;
}

void fastbed_lease(struct fastbed *bed)
{
	bool passed = false;

	for (int i = 0; i < 40 && !passed; i++) {
		passed = fastbed_come(bed, &bed->out);
		if (!passed)
			fastbed_come(bed, &bed->in);
	}
	assert_true(passed);
}
