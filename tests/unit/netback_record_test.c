/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key on its way between the guard inside of netback and everybody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "shaper/daemon/memory.h"
#include "shaper/daemon/passage.h"
#include "shaper/daemon/vif_netback.h"
#include "shaper/pump.h"
#include "xen-hooks/netback/guard_record.h"
#include "xen-hooks/netback_record.h"
#include "xen-hooks/vif_keys.h"

#define SECOND UINT64_C(1000000000)

static const struct guard_record GOOD = {
	.key = { .scope = FLOW_SCOPE_PAIR, .zone = 5, .inside = { 1 } },
	.armed_in_ns = 7,
	.releases = 9,
	.waiting_pkts = 3,
	.runs_count = 2,
	.runs = { { SECOND, 100, 2 }, { 0, 5, 0 } },
};

static const struct policy PLAIN;
static const struct vifkeys VIF = { .interface = "vif1.0" };

static bool read_one(const struct guard_record *record,
		     struct pump_record *ret_record)
{
	uint8_t bytes[1 + NETBACKRECORD_BYTES];

	memcpy(bytes + 1, record, sizeof(*record));
	return netbackrecord_read(bytes + 1, ret_record);
}

static void test_netback_record_is_the_same_here_and_there(void **state)
{
	uint8_t bytes[NETBACKRECORD_BYTES];
	struct guard_record again;
	struct pump_record record;

	(void)state;
	assert_true(read_one(&GOOD, &record));
	assert_int_equal(9, record.releases);
	assert_int_equal(2, record.runs_count);
	assert_int_equal(100, record.runs[0].sent_pkts);
	assert_true(netbackrecord_write(&record, bytes));
	memcpy(&again, bytes, sizeof(again));
	again.waiting_pkts = 3; /* which is of one place alone */
	assert_memory_equal(&GOOD, &again, sizeof(again));
}

static void test_netback_record_refuses_what_makes_no_sense(void **state)
{
	struct guard_record bad[6] = { GOOD, GOOD, GOOD, GOOD, GOOD, GOOD };
	struct pump_record record;

	(void)state;
	bad[0].key.scope = FLOW_SCOPE_HOST;
	bad[1].key.zone = 4096;
	bad[2].runs_count = GUARD_RECORD_RUNS + 1;
	bad[3].runs[1].age_ns = 121 * SECOND;
	bad[4].armed_in_ns = 11 * SECOND;
	bad[5].runs[0].heard_pkts = UINT32_MAX;
	for (int i = 0; i < 6; i++)
		assert_false(read_one(&bad[i], &record));
}

static void test_netback_record_leaves_out_what_nobody_counts(void **state)
{
	uint8_t bytes[NETBACKRECORD_BYTES];
	struct guard_record told;
	struct pump_record record;

	(void)state;
	assert_true(read_one(&GOOD, &record));
	record.armed_in_ns = 60 * SECOND;
	record.runs[0].age_ns = 200 * SECOND;
	record.runs[1].sent_pkts = UINT32_MAX;
	assert_true(netbackrecord_write(&record, bytes));
	memcpy(&told, bytes, sizeof(told));
	assert_int_equal(1, told.runs_count);
	assert_int_equal(1 << 26, told.runs[0].sent_pkts);
	assert_int_equal(10 * SECOND, told.armed_in_ns);
	record.key.scope = FLOW_SCOPE_HOST;
	assert_false(netbackrecord_write(&record, bytes));
}

/* ------ zones */

struct zone_row {
	uint16_t vlan;
	const struct passage_guest *guest;
	const char *zone;
};

static void check_zones(const struct policy *policy, const char *interface,
			const struct zone_row *rows, size_t count)
{
	struct pump_record record;
	struct memory_record key;

	assert_true(read_one(&GOOD, &record));
	for (size_t i = 0; i < count; i++) {
		record.key.zone = rows[i].vlan;
		assert_true(vifnetback_take(policy, &record, interface,
					    rows[i].guest, &key));
		assert_string_equal(rows[i].zone, key.zone);
		assert_int_equal(0, key.record.key.zone);
	}
}

static void test_netback_record_names_its_zone(void **state)
{
	const struct passage_guest own = { .interface = "vif1.0" };
	const struct passage_guest all = { .interface = "" };
	const struct zone_row rows[] = {
		{ 0, &own, "" },         { 0, &all, "vif1.0" },
		{ 0, NULL, "vif1.0" },   { 5, &own, "vif1.0.5" },
		{ 5, NULL, "vif1.0.5" },
	};

	(void)state;
	check_zones(&PLAIN, "vif1.0", rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_netback_record_is_of_its_guest(void **state)
{
	struct passage_guest guest = { .interface = "vif1.0", .count = 1 };
	struct pump_record record;
	struct memory_record key;

	(void)state;
	assert_true(read_one(&GOOD, &record));
	guest.addresses[0].length = 128;
	memcpy(guest.addresses[0].addr, record.key.inside, 16);
	assert_true(vifnetback_take(&PLAIN, &record, "vif1.0", &guest, &key));
	guest.addresses[0].addr[15] = 9;
	assert_false(vifnetback_take(&PLAIN, &record, "vif1.0", &guest, &key));
}

static void test_netback_record_finds_its_vif(void **state)
{
	const struct passage_guest own = { .interface = "vif1.0" };
	static const struct {
		const char *zone;
		int vlan; /* -1: it lives elsewhere */
	} rows[] = {
		{ "", 0 },
		{ "vif1.0", 0 },
		{ "vif1.0.5", 5 },
		{ "vif1.0.4095", 4095 },
		{ "vif1.0.4096", -1 },
		{ "vif1.0.5x", -1 },
		{ "vif1.0.", -1 },
		{ "vif1.00", -1 },
		{ "vif1.", -1 },
		{ "vif2.0", -1 },
		{ "tenants", -1 },
	};
	struct memory_record key = { 0 };
	struct pump_record record;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(key.zone, 0, sizeof(key.zone));
		strncpy(key.zone, rows[i].zone, sizeof(key.zone) - 1);
		assert_int_equal(rows[i].vlan >= 0,
				 vifnetback_give(&PLAIN, &key, &VIF, &own,
						 &record));
		if (rows[i].vlan >= 0)
			assert_int_equal(rows[i].vlan, record.key.zone);
	}
}

/* Two guests of a tenant, one of them with a VLAN as well. */
static const struct policy_zone TENANTS = {
	.name = "tenants",
	.members = (struct policy_zone_member[]){ { "vif1.0", 0 },
						  { "vif2.0", 5 },
						  { "vif2.0", 0 } },
	.count = 3,
};
static const struct policy GROUPED = { .zones = (struct policy_zone *)&TENANTS,
				       .zones_count = 1 };

static void test_netback_record_is_named_by_its_group(void **state)
{
	const struct passage_guest own = { .interface = "vif2.0" };
	const struct passage_guest all = { .interface = "" };
	const struct zone_row rows[] = {
		{ 0, &own, "" }, { 0, &all, "vif2.0" }, { 0, NULL, "vif2.0" },
		{ 5, &own, "" }, { 5, NULL, "vif2.0" }, { 6, &own, "vif2.0.6" },
	};

	(void)state;
	check_zones(&GROUPED, "vif2.0", rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_netback_record_finds_the_vif_of_a_group(void **state)
{
	const struct passage_guest nobody = { .count = 0 };
	struct vifkeys vifs[] = { { .interface = "vif1.0",
				    .addresses_count = 1 },
				  { .interface = "vif2.0" },
				  { .interface = "vif3.0" } };
	struct memory_record key = { .zone = "tenants" };
	struct pump_record record;

	(void)state;
	key.record.key.inside[15] = 7;
	vifs[0].addresses[0].length = 128;
	assert_false(
		vifnetback_give(&GROUPED, &key, &vifs[0], &nobody, &record));
	vifs[0].addresses[0].addr[15] = 7;
	assert_true(
		vifnetback_give(&GROUPED, &key, &vifs[0], &nobody, &record));
	assert_int_equal(0, record.key.zone);
	assert_true(
		vifnetback_give(&GROUPED, &key, &vifs[1], &nobody, &record));
	assert_int_equal(5, record.key.zone);
	assert_false(
		vifnetback_give(&GROUPED, &key, &vifs[2], &nobody, &record));
	assert_false(vifnetback_give(&PLAIN, &key, &vifs[1], &nobody, &record));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_netback_record_is_the_same_here_and_there),
		cmocka_unit_test(
			test_netback_record_refuses_what_makes_no_sense),
		cmocka_unit_test(
			test_netback_record_leaves_out_what_nobody_counts),
		cmocka_unit_test(test_netback_record_names_its_zone),
		cmocka_unit_test(test_netback_record_is_of_its_guest),
		cmocka_unit_test(test_netback_record_finds_its_vif),
		cmocka_unit_test(test_netback_record_is_named_by_its_group),
		cmocka_unit_test(test_netback_record_finds_the_vif_of_a_group),
	};

	return cmocka_run_group_tests_name("netback_record", tests, NULL, NULL);
}
