/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest leaves one pump and comes to another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/expected.h"
#include "tests/pump_bed.h"

#define SECOND 1000000000ull
#define HOUR   (3600 * SECOND)
#define GATES                                           \
	"limiter: {floor: 0, patience: 0, credit: 0}\n" \
	"guards: {first_contacts: 0, new_connections: 0}\n"

enum { RECORDS = 64 };

static struct bed here, there;
static struct pump_record records[RECORDS];

static int set_up(void **state)
{
	(void)state;
	bed_init(&here, GATES);
	bed_init(&there, GATES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_fini(&here);
	bed_fini(&there);
	return 0;
}

static void send(struct bed *bed, const char *source, uint64_t pkts,
		 uint64_t span_ns)
{
	uint64_t start_ns = bed->now_ns;
	struct pump_packet packet;

	bed_packet(&packet, "udp", source, 1000, "192.0.2.1", 53);
	for (uint64_t i = 0; i < pkts; i++)
		bed_offer(bed, &packet, start_ns + i * span_ns / pkts);
}

static void answer(struct bed *bed, const char *to, uint64_t pkts)
{
	struct pump_packet packet;

	bed_packet(&packet, "udp", "192.0.2.1", 53, to, 1000);
	for (uint64_t i = 0; i < pkts; i++)
		bed_offer(bed, &packet, bed->now_ns);
}

static struct pump_guest guest_of(const char *address,
				  struct policy_prefix *prefix)
{
	bed_address(address, prefix->addr);
	prefix->length = 128;
	return (struct pump_guest){ .addresses = prefix, .count = 1 };
}

static size_t export(struct bed *bed, const char *address, bool take)
{
	struct pump_guest_cursor cursor = { 0 };
	struct policy_prefix prefix;
	const struct pump_guest guest = guest_of(address, &prefix);
	size_t count = 0;

	while (!cursor.ended)
		count += pump_export_guest(bed->pump, &guest, &cursor, 7,
					   records + count, RECORDS - count,
					   take, bed->now_ns);
	return count;
}

static void expect_all(struct bed *bed, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pump_expect(bed->pump, &records[i],
					     bed->now_ns + HOUR, bed->now_ns),
				 PUMP_EXPECTED);
}

static struct snapshot_row row_of(struct bed *bed, const char *address)
{
	struct snapshot_row row;

	assert_true(bed_row(bed, FLOW_SCOPE_PAIR, address, "192.0.2.1", &row));
	return row;
}

static void test_a_flood_goes_on_as_it_was_held_whenever_it_comes(void **state)
{
	uint32_t releases;
	size_t count;

	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	send(&here, "10.0.0.2", 600, SECOND / 10);
	releases = row_of(&here, "10.0.0.1").releases;
	assert_true(releases > 5);
	count = export(&here, "10.0.0.1", true);
	assert_int_equal(count, 3); /* flow, pair, host */
	expect_all(&there, count);
	bed_run(&there, there.now_ns + 1800 * SECOND);
	send(&there, "10.0.0.1", 20, 1);
	assert_int_equal(
		bed_passed(&there, 0, 19, there.now_ns + SECOND / 1000), 0);
	assert_true(row_of(&there, "10.0.0.1").releases >= releases);
	/* Nobody else pays for it. */
	send(&there, "10.0.0.2", 4, 1);
	assert_int_equal(bed_passed(&there, 20, 23, there.now_ns), 4);
}

static void test_it_is_forgotten_after_its_time(void **state)
{
	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	expect_all(&there, export(&here, "10.0.0.1", true));
	bed_run(&there, there.now_ns + HOUR + 1);
	send(&there, "10.0.0.1", 20, 1);
	assert_int_equal(bed_passed(&there, 0, 19, there.now_ns), 4);
}

static void test_a_guest_that_leaves_again_takes_it_along(void **state)
{
	size_t count;

	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	count = export(&here, "10.0.0.1", true);
	expect_all(&there, count);
	assert_int_equal(export(&there, "10.0.0.1", false), count);
	assert_int_equal(export(&there, "10.0.0.1", true), count);
	assert_int_equal(export(&there, "10.0.0.1", true), 0);
}

static void test_a_milder_record_lifts_nothing(void **state)
{
	struct snapshot_row before, after;

	(void)state;
	send(&here, "10.0.0.1", 2, 1);
	answer(&here, "10.0.0.1", 40);
	send(&there, "10.0.0.1", 600, SECOND * 6 / 10);
	before = row_of(&there, "10.0.0.1");
	expect_all(&there, export(&here, "10.0.0.1", true));
	after = row_of(&there, "10.0.0.1");
	assert_int_equal(after.releases, before.releases);
	assert_true(after.armed_ns >= before.armed_ns);
	assert_true(after.sent_pkts >= before.sent_pkts);
	assert_int_equal(after.heard_pkts, before.heard_pkts);
	assert_true(after.over);
}

static void test_a_stricter_record_holds_who_is_here(void **state)
{
	struct snapshot_row told, after;

	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	told = row_of(&here, "10.0.0.1");
	send(&there, "10.0.0.1", 2, 1);
	expect_all(&there, export(&here, "10.0.0.1", true));
	after = row_of(&there, "10.0.0.1");
	assert_int_equal(after.releases, told.releases);
	assert_int_equal(after.sent_pkts, told.sent_pkts);
	send(&there, "10.0.0.1", 5, 1);
	assert_int_equal(bed_passed(&there, 2, 6, there.now_ns), 0);
}

static void test_what_waits_goes_on_to_wait_and_leaves(void **state)
{
	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	send(&there, "10.0.0.1", 10, 1);
	expect_all(&there, export(&here, "10.0.0.1", true));
	bed_run(&there, there.now_ns + 5 * SECOND);
	assert_int_equal(bed_passed(&there, 0, 9, there.now_ns), 10);
}

static void test_nothing_told_buys_packets(void **state)
{
	struct pump_record record;
	uint32_t sent = 0;

	(void)state;
	send(&here, "10.0.0.1", 1, 1);
	answer(&here, "10.0.0.1", 1);
	assert_true(export(&here, "10.0.0.1", true) > 0);
	record = records[0];
	record.runs[0].heard_pkts = 1 << 26;
	record.runs[0].age_ns = 0;
	for (uint32_t i = 0; i < record.runs_count; i++)
		sent += record.runs[i].sent_pkts;
	assert_int_equal(pump_expect(there.pump, &record, there.now_ns + HOUR,
				     there.now_ns),
			 PUMP_EXPECTED);
	send(&there, "10.0.0.1", 100, 1);
	assert_true(bed_passed(&there, 0, 99, there.now_ns) <=
		    4 * (sent + 1) + 4);
}

static void test_its_packets_leave_and_others_stay(void **state)
{
	struct policy_prefix prefix;
	struct pump_guest guest;

	(void)state;
	send(&here, "10.0.0.1", 50, 1);
	send(&here, "10.0.0.2", 50, 1);
	guest = guest_of("10.0.0.1", &prefix);
	assert_int_equal(pump_release_guest(here.pump, &guest, here.now_ns),
			 46);
	guest = guest_of("10.0.0.0", &prefix);
	prefix.length = 96 + 24;
	assert_int_equal(pump_release_guest(here.pump, &guest, here.now_ns),
			 46);
}

static void test_what_is_let_go_is_not_forgiven(void **state)
{
	struct policy_prefix prefix;
	struct pump_guest guest;

	(void)state;
	send(&here, "10.0.0.1", 50, 1);
	guest = guest_of("10.0.0.1", &prefix);
	assert_int_equal(pump_let_go_guest(here.pump, &guest, here.now_ns), 46);
	send(&here, "10.0.0.1", 1, 1);
	assert_int_equal(bed_passed(&here, 50, 50, here.now_ns), 0);
}

static void test_without_addresses_it_is_its_zone(void **state)
{
	struct pump_guest guest = { .count = 0 };
	struct pump_packet packet;

	(void)state;
	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	packet.src_zone = zones_id(here.zones, here.policy, "vif7.0", 0);
	for (int i = 0; i < 50; i++)
		bed_offer(&here, &packet, here.now_ns);
	guest.zone = zones_id(here.zones, here.policy, "vif8.0", 0);
	assert_int_equal(pump_release_guest(here.pump, &guest, here.now_ns), 0);
	guest.zone = packet.src_zone;
	assert_int_equal(pump_release_guest(here.pump, &guest, here.now_ns),
			 46);
}

static void test_a_full_list_is_told(void **state)
{
	size_t told = 0, refused = 0;

	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	assert_true(export(&here, "10.0.0.1", true) > 0);
	for (uint32_t i = 0; i < EXPECTED_MAX + 10; i++) {
		records[0].key.outside[14] = (uint8_t)(i >> 8);
		records[0].key.outside[15] = (uint8_t)i;
		if (pump_expect(there.pump, &records[0], there.now_ns + SECOND,
				there.now_ns) == PUMP_EXPECTED)
			told++;
		else
			refused++;
	}
	assert_int_equal(told, EXPECTED_MAX);
	assert_int_equal(refused, 10);
	/* Those that were forgotten make room. */
	bed_run(&there, there.now_ns + 2 * SECOND);
	assert_int_equal(pump_expect(there.pump, &records[0],
				     there.now_ns + SECOND, there.now_ns),
			 PUMP_EXPECTED);
}

static void test_a_senseless_record_is_refused(void **state)
{
	struct pump_record record;

	(void)state;
	send(&here, "10.0.0.1", 600, SECOND * 6 / 10);
	assert_true(export(&here, "10.0.0.1", true) > 0);
	record = records[0];
	record.armed_in_ns = UINT64_MAX;
	assert_int_equal(pump_expect(there.pump, &record, UINT64_MAX, 1),
			 PUMP_EXPECTED_NOT);
	record = records[0];
	record.runs[0].age_ns = UINT64_MAX;
	assert_int_equal(pump_expect(there.pump, &record, UINT64_MAX, 1),
			 PUMP_EXPECTED_NOT);
	record = records[0];
	record.runs_count = PUMP_RECORD_RUNS + 1;
	assert_int_equal(pump_expect(there.pump, &record, UINT64_MAX, 1),
			 PUMP_EXPECTED_NOT);
}

/* Zones of keys that are here, or may come: the others' numbers are free. */
static void test_zones_that_somebody_is_of_are_told(void **state)
{
	bool used[ZONES_MAX] = { [9] = true };
	struct pump_packet packet;

	(void)state;
	pump_zones(here.pump, used);
	assert_false(used[0]);
	send(&there, "10.0.0.1", 600, SECOND * 6 / 10);
	assert_true(export(&there, "10.0.0.1", true) > 0);
	records[0].key.zone = 5;
	expect_all(&here, 1);
	bed_packet(&packet, "udp", "10.0.0.2", 1000, "192.0.2.1", 53);
	packet.src_zone = 7;
	bed_offer(&here, &packet, here.now_ns);
	pump_zones(here.pump, used);
	for (int i = 0; i < ZONES_MAX; i++)
		assert_int_equal(used[i], i == 5 || i == 7 || i == 9);
	/* Of a host that has been silent for long nothing is known. */
	memset(used, 0, sizeof(used));
	bed_run(&here, here.now_ns + 2 * HOUR);
	pump_zones(here.pump, used);
	assert_false(used[7]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_a_flood_goes_on_as_it_was_held_whenever_it_comes),
		T(test_it_is_forgotten_after_its_time),
		T(test_a_guest_that_leaves_again_takes_it_along),
		T(test_a_milder_record_lifts_nothing),
		T(test_a_stricter_record_holds_who_is_here),
		T(test_what_waits_goes_on_to_wait_and_leaves),
		T(test_nothing_told_buys_packets),
		T(test_its_packets_leave_and_others_stay),
		T(test_what_is_let_go_is_not_forgiven),
		T(test_without_addresses_it_is_its_zone),
		T(test_a_full_list_is_told),
		T(test_a_senseless_record_is_refused),
		T(test_zones_that_somebody_is_of_are_told),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
