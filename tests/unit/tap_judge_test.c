/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/policy.h"
#include "tests/pump_bed.h"
#include "xen-hooks/tap_judge.h"

#define MS UINT64_C(1000000)
enum { SEGMENTS = 7, SUPER_BYTES = 40 + SEGMENTS * 1460 };

/* A carrier that has nothing to say but that it is there. */
struct carrier {
	bool is_full;
	enum tap_mode asked; /* TAP_MODES: nothing yet */
	struct tapmessage says;
	uint32_t lease_pkts; /* granted last */
};

static void wake(void *self)
{
	(void)self;
}

static int hear(void *self, const uint8_t *bytes, size_t count)
{
	struct carrier *carrier = self;
	struct tapmessage message;

	if (carrier->is_full)
		return -EAGAIN;
	assert_int_equal(tapmessage_read(bytes, count, &message), count);
	if (message.kind == TAPMESSAGE_HELLO || message.kind == TAPMESSAGE_MODE)
		carrier->asked = message.hello.mode;
	if (message.kind == TAPMESSAGE_VERDICT)
		carrier->lease_pkts = message.verdict.lease_pkts;
	return 0;
}

static bool has_room(void *self, size_t bytes)
{
	(void)bytes;
	return !((const struct carrier *)self)->is_full;
}

static ssize_t speak(void *self, uint8_t *ret_bytes, size_t room)
{
	struct carrier *carrier = self;
	uint8_t bytes[TAPMESSAGE_BYTES_MAX];
	size_t count;

	if (carrier->says.kind == TAPMESSAGE_KINDS)
		return 0;
	count = tapmessage_write(&carrier->says, bytes);
	assert_true(count <= room);
	memcpy(ret_bytes, bytes, count);
	carrier->says.kind = TAPMESSAGE_KINDS;
	return (ssize_t)count;
}

static void close_wire(void *self)
{
	(void)self;
}

static struct tapjudge *judge_of(struct carrier *carrier, struct bed *bed,
				 const char *policy, struct datapath *ret_path)
{
	struct tapjudge_config config = {
		.wire = { .self = carrier,
			  .fd = -1,
			  .wake = wake,
			  .send = hear,
			  .has_room = has_room,
			  .receive = speak,
			  .close = close_wire },
	};
	struct tapjudge *judge;

	bed_init(bed, policy);
	config.pump = bed->pump;
	config.zones = bed->zones;
	config.policy = bed->policy;
	judge = tapjudge_new(&config);
	assert_non_null(judge);
	tapjudge_datapath(judge, ret_path);
	return judge;
}

/* What it asks for is known to the carrier in the end, however often the policy
 * is loaded meanwhile. */
static void test_tap_judge_tells_its_mode_when_there_is_room(void **state)
{
	static struct bed bed;
	struct carrier carrier = {
		.asked = TAP_MODES,
		.says = { .kind = TAPMESSAGE_HELLO,
			  .hello = { TAPMESSAGE_VERSION, TAP_OBSERVE } },
	};
	struct policy *enforced = bed_policy("mode: enforce\n");
	struct policy *again = bed_policy("mode: enforce\n");
	struct tapjudge *judge;
	struct datapath path;
	uint64_t now_ns = 1000 * MS;

	(void)state;
	judge = judge_of(&carrier, &bed, "mode: shadow\n", &path);
	assert_int_equal(path.advance(path.self, now_ns), 0);
	assert_int_equal(carrier.asked, TAP_OBSERVE);

	carrier.is_full = true;
	tapjudge_set_policy(judge, enforced);
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	tapjudge_set_policy(judge, again);
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	assert_int_equal(carrier.asked, TAP_OBSERVE);
	carrier.is_full = false;
	assert_int_equal(path.advance(path.self, now_ns += MS), 0);
	assert_int_equal(carrier.asked, TAP_INTERPOSE);

	tapjudge_free(judge);
	bed_fini(&bed);
	policy_free(enforced);
	policy_free(again);
}

/* As many as the carrier says. */
static void test_tap_judge_counts_a_super_packet_as_its_segments(void **state)
{
	static const uint8_t headers[40] = {
		0x45,
		0,
		SUPER_BYTES >> 8,
		SUPER_BYTES & 0xff,
		0,
		0,
		0x40,
		0,
		64,
		6,
		0,
		0,
		10,
		0,
		0,
		1,
		192,
		0,
		2,
		1,
		0x80,
		1,
		0,
		80,
		0,
		0,
		0,
		1,
		0,
		0,
		0,
		1,
		0x50,
		0x10,
	};
	static struct bed bed;
	struct carrier carrier = {
		.says = { .kind = TAPMESSAGE_HELLO,
			  .hello = { TAPMESSAGE_VERSION, TAP_OBSERVE } },
	};
	struct tapjudge *judge;
	struct datapath path;

	(void)state;
	judge = judge_of(&carrier, &bed, "mode: shadow\n", &path);
	assert_int_equal(path.advance(path.self, 1000 * MS), 0);
	carrier.says = (struct tapmessage){
		.kind = TAPMESSAGE_PACKET,
		.packet = { .wire_bytes = SUPER_BYTES,
			    .ethertype = 0x0800,
			    .wire_pkts = SEGMENTS },
		.bytes = headers,
		.bytes_count = sizeof(headers),
	};
	assert_int_equal(path.advance(path.self, 1001 * MS), 0);
	assert_int_equal(bed_counter(&bed, STATS_out_pkts), SEGMENTS);
	tapjudge_free(judge);
	bed_fini(&bed);
}

enum { ACK = 0x10 };

/* Of one connection, with this id; what was granted. */
static uint32_t show(const struct datapath *path, struct carrier *carrier,
		     bool in, uint64_t id, uint64_t now_ns)
{
	static const uint8_t ends[2][8] = { { 10, 0, 0, 1, 192, 0, 2, 1 },
					    { 192, 0, 2, 1, 10, 0, 0, 1 } };
	static const uint8_t ports[2][4] = { { 0x80, 1, 0, 80 },
					     { 0, 80, 0x80, 1 } };
	uint8_t bytes[40] = { [0] = 0x45, [3] = 40, [8] = 64,    [9] = 6,
			      [27] = 1,   [31] = 1, [32] = 0x50, [33] = ACK };

	memcpy(bytes + 12, ends[in], sizeof(ends[in]));
	memcpy(bytes + 20, ports[in], sizeof(ports[in]));
	carrier->says = (struct tapmessage){
		.kind = TAPMESSAGE_PACKET,
		.packet = { .id = id,
			    .mode = id == TAPMESSAGE_SEEN ? TAP_OBSERVE
							  : TAP_INTERPOSE,
			    .wire_bytes = sizeof(bytes),
			    .mtu_bytes = 1500,
			    .ethertype = 0x0800 },
		.bytes = bytes,
		.bytes_count = sizeof(bytes),
	};
	carrier->lease_pkts = 0;
	assert_int_equal(path->advance(path->self, now_ns), 0);
	return carrier->lease_pkts;
}

/* The same, and a verdict is waited for. */
static uint32_t ask(const struct datapath *path, struct carrier *carrier,
		    bool in, uint64_t now_ns)
{
	static uint64_t places;

	return show(path, carrier, in, ++places << 32 | TAPMESSAGE_MAY_LEASE,
		    now_ns);
}

/* Half of what may leave before S is T - 1/2 and was not granted yet, and
 * nothing once it is near. */
static void test_tap_judge_leases_what_conforms(void **state)
{
	static struct bed bed;
	struct carrier carrier = {
		.says = { .kind = TAPMESSAGE_HELLO,
			  .hello = { TAPMESSAGE_VERSION, TAP_OBSERVE } },
	};
	struct tapjudge *judge;
	struct datapath path;
	uint64_t now_ns = 1000 * MS;
	uint32_t spare_pkts, granted = 0;

	(void)state;
	judge = judge_of(&carrier, &bed, "mode: enforce\n", &path);
	assert_int_equal(path.advance(path.self, now_ns), 0);
	assert_int_equal(ask(&path, &carrier, false, now_ns), 0);
	for (int i = 0; i < 100; i++) {
		ask(&path, &carrier, true, now_ns);
		ask(&path, &carrier, false, now_ns);
		now_ns += 1 * MS;
	}
	/* 2^1.5 times those that were heard. */
	now_ns += 2 * TAP_LEASE_NS;
	spare_pkts = (uint32_t)(2.8284 * 101) - 103;
	granted = ask(&path, &carrier, false, now_ns);
	assert_int_equal(granted, spare_pkts / 2);
	for (int i = 0; i < 50; i++) {
		granted += ask(&path, &carrier, false, now_ns);
		assert_true(granted < spare_pkts);
	}
	assert_int_equal(ask(&path, &carrier, false, now_ns), 0);
	/* What has gone is no more to come. */
	for (int i = 0; i < 40; i++) {
		show(&path, &carrier, true, TAPMESSAGE_SEEN, now_ns);
		show(&path, &carrier, false, TAPMESSAGE_SEEN, now_ns);
	}
	assert_true(ask(&path, &carrier, false, now_ns) >= 20);
	now_ns += 2 * TAP_LEASE_NS;
	for (int i = 0; i < 400; i++)
		ask(&path, &carrier, false, now_ns);
	assert_int_equal(ask(&path, &carrier, false, now_ns), 0);
	tapjudge_free(judge);
	bed_fini(&bed);
}

/* Of how many counters it tells is a matter of which is older. */
static void test_tap_judge_takes_counters_of_other_versions(void **state)
{
	enum { MORE = TAPCARRIER_COUNTERS_COUNT + 3 };
	static const size_t told[] = { 2, TAPCARRIER_COUNTERS_COUNT, MORE };
	static struct bed bed;
	uint64_t counters[MORE];
	struct carrier carrier = {
		.says = { .kind = TAPMESSAGE_HELLO,
			  .hello = { TAPMESSAGE_VERSION, TAP_OBSERVE } },
	};
	struct tapjudge *judge;
	struct datapath path;

	(void)state;
	for (size_t i = 0; i < MORE; i++)
		counters[i] = i + 1;
	judge = judge_of(&carrier, &bed, "mode: shadow\n", &path);
	assert_int_equal(path.advance(path.self, 1000 * MS), 0);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		const uint64_t *counter =
			tapjudge_stats(judge)->carrier.counter;

		carrier.says = (struct tapmessage){
			.kind = TAPMESSAGE_STATS,
			.bytes = (const uint8_t *)counters,
			.bytes_count = told[i] * sizeof(counters[0]),
		};
		assert_int_equal(path.advance(path.self, (1001 + i) * MS), 0);
		for (size_t j = 0; j < TAPCARRIER_COUNTERS_COUNT; j++)
			assert_int_equal(counter[j], j < told[i] ? j + 1 : 0);
	}
	tapjudge_free(judge);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_tap_judge_tells_its_mode_when_there_is_room),
		cmocka_unit_test(
			test_tap_judge_counts_a_super_packet_as_its_segments),
		cmocka_unit_test(test_tap_judge_leases_what_conforms),
		cmocka_unit_test(
			test_tap_judge_takes_counters_of_other_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
