/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a restart keeps, on real pumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/memory.h"
#include "shaper/daemon/status.h"
#include "tests/pump_bed.h"

#define SECOND  1000000000ull
#define WALL_NS 1700000000000000000ull

static char path[64];
static struct bed before, after[2];
static struct status *status_before, *status_after;

static int set_up(void **state)
{
	size_t i;

	(void)state;
	log_open(STDERR_FILENO, LOG_LEVEL_ERROR, false);
	snprintf(path, sizeof(path), "/tmp/memory_test.%d", (int)getpid());
	bed_init(&before, "");
	status_before = calloc(1, sizeof(*status_before));
	status_after = calloc(1, sizeof(*status_after));
	status_before->policy = before.policy;
	for (i = 0; i < 2; i++)
		bed_init(&after[i], "");
	status_after->policy = after[0].policy;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bed_fini(&before);
	bed_fini(&after[0]);
	bed_fini(&after[1]);
	free(status_before);
	free(status_after);
	unlink(path);
	return 0;
}

/* 600 packets in 0.6 s, none answered: 12 are let out. */
static void flood(const char *source)
{
	struct pump_packet packet;
	uint64_t start_ns = before.now_ns;
	uint64_t i;

	bed_packet(&packet, "udp", source, 1000, "192.0.2.1", 53);
	for (i = 0; i < 600; i++)
		bed_offer(&before, &packet, start_ns + i * SECOND / 1000);
}

static void save(void)
{
	struct memory_engine engine = { before.pump, before.zones };

	assert_int_equal(memory_save(path, &engine, 1, status_before, WALL_NS,
				     before.now_ns),
			 0);
}

static size_t restore(size_t count, uint64_t down_ns)
{
	struct memory_engine engines[2] = {
		{ after[0].pump, after[0].zones },
		{ after[1].pump, after[1].zones },
	};

	return memory_restore(path, engines, count, 12345, status_after,
			      WALL_NS + down_ns, after[0].now_ns);
}

/* What stands in the file when it is killed. */
static size_t keep(uint64_t wall_ns)
{
	static struct memory_record records[64];
	struct pump_record held[64];
	uint32_t position = 0;
	size_t count = 0;

	do {
		count += pump_export_held(before.pump, &position, 7,
					  held + count, 64 - count,
					  before.now_ns);
	} while (position != 0);
	for (size_t i = 0; i < count; i++) {
		records[i].record = held[i];
		snprintf(records[i].zone, sizeof(records[i].zone), "%s",
			 zones_get(before.zones, held[i].key.zone)->name);
	}
	assert_int_equal(memory_keep(path, records, count, status_before,
				     wall_ns, before.now_ns),
			 0);
	return count;
}

static void test_a_sudden_end_keeps_who_was_held(void **state)
{
	struct pump_packet packet;
	struct snapshot_row row;
	uint64_t now_ns = after[0].now_ns;
	size_t i;

	(void)state;
	bed_packet(&packet, "udp", "10.0.0.2", 1000, "192.0.2.1", 53);
	bed_offer(&before, &packet, before.now_ns);
	flood("10.0.0.1");
	assert_int_equal(keep(WALL_NS + SECOND), 2);
	assert_int_equal(restore(1, SECOND / 2), 2);
	assert_true(bed_row(&after[0], FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1",
			    &row));
	assert_true(row.releases > 5);
	assert_false(bed_row(&after[0], FLOW_SCOPE_PAIR, "10.0.0.2",
			     "192.0.2.1", &row));
	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (i = 0; i < 20; i++)
		bed_offer(&after[0], &packet, now_ns);
	assert_true(bed_passed(&after[0], 0, 19, now_ns) <= 1);
}

static void test_a_held_flood_gets_no_fresh_burst(void **state)
{
	struct pump_packet packet;
	struct snapshot_row row;
	uint64_t now_ns = after[0].now_ns;
	size_t i;

	(void)state;
	flood("10.0.0.1");
	save();
	assert_true(restore(1, SECOND / 10) > 0);
	assert_true(bed_row(&after[0], FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1",
			    &row));
	assert_true(row.over);
	assert_true(row.releases > 5);
	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (i = 0; i < 20; i++)
		bed_offer(&after[0], &packet, now_ns);
	assert_true(bed_passed(&after[0], 0, 19, now_ns) <= 1);
}

static void test_what_is_older_than_the_window_is_forgiven(void **state)
{
	struct pump_packet packet;
	size_t i;

	(void)state;
	flood("10.0.0.1");
	save();
	restore(1, 3600 * SECOND);
	bed_packet(&packet, "udp", "10.0.0.1", 1000, "192.0.2.1", 53);
	for (i = 0; i < 20; i++)
		bed_offer(&after[0], &packet, after[0].now_ns);
	assert_int_equal(bed_passed(&after[0], 0, 19, after[0].now_ns), 4);
}

static void test_another_number_of_engines_takes_them_up(void **state)
{
	static const char *const hosts[] = {
		"10.0.0.1", "10.0.0.2", "10.0.0.3",
		"10.0.0.4", "10.0.0.5", "10.0.0.6"
	};
	struct snapshot_row row;
	size_t found[2] = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 6; i++)
		flood(hosts[i]);
	save();
	restore(2, SECOND / 10);
	for (i = 0; i < 6; i++) {
		bool first = bed_row(&after[0], FLOW_SCOPE_PAIR, hosts[i],
				     "192.0.2.1", &row);
		bool second = bed_row(&after[1], FLOW_SCOPE_PAIR, hosts[i],
				      "192.0.2.1", &row);

		found[0] += first;
		found[1] += second;
		assert_true(!(first && second));
	}
	/* the first floods are over by the time of the last */
	assert_true(found[0] + found[1] >= 1);
}

static void test_counters_and_exemptions_come_back(void **state)
{
	uint64_t told[NETBACKCOUNTERS] = { 0 };
	uint8_t address[16];

	(void)state;
	bed_address("10.0.0.9", address);
	status_exempt(status_before, address, before.now_ns + 600 * SECOND,
		      before.now_ns);
	bed_address("10.0.0.8", address);
	status_exempt(status_before, address, before.now_ns + SECOND,
		      before.now_ns);
	status_before->sums.totals.stats.counter[STATS_sent_pkts] = 1234567;
	status_before->sums.io.counter[NFQUEUE_batches] = 77;
	status_before->sums.io.unreadable_pkts[PACKET_TRUNCATED] = 5;
	status_before->sums.tap.counter[TAPJUDGE_passed_pkts] = 78;
	told[0] = 40;
	status_netback(status_before, told);
	save();
	restore(1, 100 * SECOND);
	assert_int_equal(status_after->netback.counters[0], 40);
	told[0] = 41; /* the module has been there all the time */
	status_netback(status_after, told);
	assert_int_equal(status_after->netback.counters[0], 41);
	assert_int_equal(status_after->exemptions_count, 1);
	assert_int_equal(status_after->exemptions[0].until_ns,
			 after[0].now_ns + 500 * SECOND);
	assert_int_equal(
		status_after->restored.totals.stats.counter[STATS_sent_pkts],
		1234567);
	assert_int_equal(status_after->restored.io.counter[NFQUEUE_batches],
			 77);
	assert_int_equal(
		status_after->restored.io.unreadable_pkts[PACKET_TRUNCATED], 5);
	assert_int_equal(
		status_after->restored.tap.counter[TAPJUDGE_passed_pkts], 78);
	assert_false(status_after->state_refused);
}

static void test_no_file_is_a_fresh_start(void **state)
{
	(void)state;
	assert_int_equal(restore(1, 0), 0);
	assert_false(status_after->state_refused);
}

static void test_a_damaged_file_is_refused_and_told(void **state)
{
	(void)state;
	flood("10.0.0.1");
	save();
	assert_int_equal(truncate(path, 200), 0);
	assert_int_equal(restore(1, 0), 0);
	assert_true(status_after->state_refused);
}

static void test_a_clock_set_back_counts_as_no_time(void **state)
{
	struct snapshot_row row;

	(void)state;
	flood("10.0.0.1");
	save();
	restore(1, 0 - 3600 * SECOND);
	assert_true(bed_row(&after[0], FLOW_SCOPE_PAIR, "10.0.0.1", "192.0.2.1",
			    &row));
	assert_true(row.over);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(test_a_sudden_end_keeps_who_was_held),
		T(test_a_held_flood_gets_no_fresh_burst),
		T(test_what_is_older_than_the_window_is_forgiven),
		T(test_another_number_of_engines_takes_them_up),
		T(test_counters_and_exemptions_come_back),
		T(test_no_file_is_a_fresh_start),
		T(test_a_damaged_file_is_refused_and_told),
		T(test_a_clock_set_back_counts_as_no_time),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
