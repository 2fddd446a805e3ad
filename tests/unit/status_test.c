/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/findings.h"
#include "shaper/daemon/status.h"

#define NS_PER_S 1000000000ull

static struct policy policy;

static int make_status(void **state)
{
	struct status *status = calloc(1, sizeof(*status));

	status->policy = &policy;
	status->engines_count = 2;
	*state = status;
	return 0;
}

static int free_status(void **state)
{
	free(*state);
	return 0;
}

static void test_engines_are_added_up(void **state)
{
	struct status *status = *state;

	status->engines[0].totals.stats.counter[STATS_sent_pkts] = 3;
	status->engines[1].totals.stats.counter[STATS_sent_pkts] = 4;
	status->engines[0].totals.held_pkts = 1;
	status->engines[1].totals.held_pkts = 2;
	status->engines[0].totals.one_sided_pct = 10;
	status->engines[1].totals.one_sided_pct = 5;
	status->engines[0].has_io = true;
	status->engines[0].io.counter[NFQUEUE_batches] = 5;
	status->engines[1].io.counter[NFQUEUE_batches] = 50; /* has none */
	status_sum(status, NS_PER_S);
	assert_int_equal(status->sums.totals.stats.counter[STATS_sent_pkts], 7);
	assert_int_equal(status->sums.totals.held_pkts, 3);
	assert_int_equal(status->sums.totals.one_sided_pct, 10);
	assert_int_equal(status->sums.io.counter[NFQUEUE_batches], 5);
}

static void test_counters_of_earlier_lives_are_added(void **state)
{
	struct status *status = *state;

	status->restored.totals.stats.counter[STATS_sent_pkts] = 100;
	status->restored.io.counter[NFQUEUE_batches] = 10;
	status->engines[0].totals.stats.counter[STATS_sent_pkts] = 3;
	status_sum(status, NS_PER_S);
	status_sum(status, 2 * NS_PER_S);
	assert_int_equal(status->sums.totals.stats.counter[STATS_sent_pkts],
			 103);
	assert_int_equal(status->sums.io.counter[NFQUEUE_batches], 10);
	assert_int_equal(status_grown(status, STATS_sent_pkts), 0);
}

static void test_what_a_tap_counts_is_added_where_there_is_one(void **state)
{
	struct status *status = *state;
	struct tapjudge_stats *tap = &status->engines[0].tap;

	tap->counter[TAPJUDGE_received_pkts] = 7;
	tap->unreadable_pkts[PACKET_TRUNCATED] = 2;
	tap->carrier.counter[TAPCARRIER_offered_pkts] = 9;
	tap->mode = TAP_INTERPOSE;
	status_sum(status, NS_PER_S);
	assert_int_equal(status->sums.tap.counter[TAPJUDGE_received_pkts], 0);
	status->has_tap = true;
	status->restored.tap.counter[TAPJUDGE_received_pkts] = 100;
	status_sum(status, 2 * NS_PER_S);
	assert_int_equal(status->sums.tap.counter[TAPJUDGE_received_pkts], 107);
	assert_int_equal(status->sums.io.unreadable_pkts[PACKET_TRUNCATED], 2);
	/* The carrier's are its own life's. */
	assert_int_equal(
		status->sums.tap.carrier.counter[TAPCARRIER_offered_pkts], 9);
	assert_int_equal(status->sums.tap.mode, TAP_INTERPOSE);
}

static void test_growth_is_of_the_last_minutes(void **state)
{
	struct status *status = *state;
	uint64_t *counter =
		&status->engines[0].totals.stats.counter[STATS_hosts_refused];
	uint64_t second;

	*counter = 100;
	for (second = 1; second <= 600; second++) {
		if (second == 300)
			*counter += 7;
		status_sum(status, second * NS_PER_S);
		assert_int_equal(status_grown(status, STATS_hosts_refused),
				 second >= 300 && second < 361 ? 7 : 0);
	}
}

static void test_exemptions_run_out_and_are_bounded(void **state)
{
	struct status *status = *state;
	uint8_t address[16] = { 1 };
	uint16_t i;

	assert_true(status_exempt(status, address, 0, 1)); /* ends nothing */
	assert_int_equal(status->exemptions_count, 0);
	for (i = 0; i < PUMP_EXEMPTIONS_MAX; i++) {
		memcpy(address, &i, sizeof(i));
		assert_true(status_exempt(status, address, 100 + i, 1));
	}
	memset(address, 0xff, 16);
	assert_false(status_exempt(status, address, 1000, 1));
	memset(address, 0, 16);
	address[0] = 5;
	assert_true(status_exempt(status, address, 2000, 1)); /* renewed */
	assert_int_equal(status->exemptions_count, PUMP_EXEMPTIONS_MAX);
	status_sum(status, 355); /* only the renewed one is left */
	assert_int_equal(status->exemptions_count, 1);
	assert_int_equal(status->exemptions[0].until_ns, 2000);
	assert_true(status_exempt(status, address, 0, 356));
	assert_int_equal(status->exemptions_count, 0);
}

static void test_a_healthy_gateway_has_no_findings(void **state)
{
	struct status *status = *state;
	struct findings findings = { 0 };

	status->engines[0].has_io = true;
	status->engines[0].totals.stats.counter[STATS_dropped_key_bound] = 9;
	status->engines[0].totals.one_sided_pct = 80; /* a flood does that */
	status_sum(status, NS_PER_S);
	findings_of_status(status, &findings);
	assert_int_equal(findings.count, 0);
}

static void test_each_trouble_is_found_and_has_a_remedy(void **state)
{
	static const char *const ids[] = {
		"one-sided",      "queue-full",      "socket-full",
		"verdict-errors", "waiting-dropped", "table-full",
		"host-quota",     "hosts-full",      "suspects-full",
		"held-full",      "policy-refused",  "state-refused",
		"rules-flushed",  "rules-retried",   "vifs-retried",
	};
	struct status *status = *state;
	struct findings findings = { 0 };
	struct status_engine *engine = &status->engines[0];
	size_t i;

	engine->has_io = true;
	status_sum(status, NS_PER_S);
	engine->totals.one_sided = true;
	engine->totals.one_sided_pct = 97;
	engine->io.counter[NFQUEUE_kernel_queue_dropped] = 1;
	engine->io.counter[NFQUEUE_kernel_user_dropped] = 1;
	engine->io.counter[NFQUEUE_verdict_errors] = 1;
	engine->io.counter[NFQUEUE_verdicts_late] = 1;
	engine->totals.stats.counter[STATS_keys_refused_full] = 1;
	engine->totals.stats.counter[STATS_keys_refused_quota] = 1;
	engine->totals.stats.counter[STATS_hosts_refused] = 1;
	engine->totals.stats.counter[STATS_suspects_refused] = 1;
	engine->totals.stats.counter[STATS_dropped_bound] = 1;
	strcpy(status->reload_error, "symtap.yaml: line 3: nonsense");
	status->state_refused = true;
	status->rules_restored = 1;
	memset(status->rules_wrong, 'r', sizeof(status->rules_wrong) - 1);
	memset(status->vifs_wrong, 'v', sizeof(status->vifs_wrong) - 1);
	status_sum(status, 2 * NS_PER_S);
	findings_of_status(status, &findings);
	assert_int_equal(findings.count, sizeof(ids) / sizeof(ids[0]));
	for (i = 0; i < findings.count; i++) {
		assert_string_equal(findings.list[i].id, ids[i]);
		assert_true(strlen(findings.list[i].what) > 20);
		assert_true(strlen(findings.list[i].remedy) > 10);
		assert_true(strlen(findings.list[i].remedy) <
			    FINDING_TEXT_BYTES - 1);
	}
}

static void test_who_guards_nobody_is_told(void **state)
{
	struct status *status = *state;
	uint64_t *counter = status->engines[0].totals.stats.counter;
	struct nftrules_counter *transit = status->kernel_counters;

	status->restored.totals.stats.counter[STATS_out_pkts] = 70;
	strcpy(transit[0].name, "tiny fragments");
	strcpy(transit[1].name, "transit");
	status->kernel_counters_count = 2;
	transit[0].pkts = 1000;
	transit[1].pkts = 999;
	for (uint64_t second = 1; second <= 3; second++) {
		struct findings findings = { 0 };

		status_sum(status, second * NS_PER_S);
		findings_of_status(status, &findings);
		assert_int_equal(findings.count, second == 2);
		if (second == 2)
			assert_string_equal(findings.list[0].id,
					    "nobody-inside");
		if (second == 2)
			counter[STATS_in_pkts] = 1;
		transit[1].pkts++;
	}
}

static void test_the_share_of_the_kernel_is_of_the_last_minutes(void **state)
{
	struct status *status = *state;
	struct status_engine *engine = &status->engines[0];
	uint64_t *counter = engine->io.counter;

	engine->has_io = true;
	engine->leases = (struct nfqueue_leases){ .keys = 3, .leased = 1 };
	engine->totals.hosts_places = 9;
	assert_int_equal(status_leased_hosts(status), 0);
	status->fast.runs = true;
	assert_int_equal(status_leased_hosts(status), 9);
	engine->totals.stats.counter[STATS_out_pkts] = 1000;
	status_sum(status, NS_PER_S);
	assert_true(status_fast_share(status) < 0);
	assert_int_equal(status->sums.leases.leased, 1);
	counter[NFQUEUE_fast_out_pkts] = 60;
	counter[NFQUEUE_fast_in_pkts] = 30;
	engine->totals.stats.counter[STATS_out_pkts] += 4;
	engine->totals.stats.counter[STATS_in_pkts] = 6;
	status_sum(status, 2 * NS_PER_S);
	assert_true(status_fast_share(status) > 0.8999 &&
		    status_fast_share(status) < 0.9001);
}

static void test_what_is_wrong_with_the_fast_path_is_found(void **state)
{
	static const char *const ids[] = { "fast-off", "fast-full",
					   "fast-untold" };
	struct status *status = *state;
	struct findings findings = { 0 };

	status->engines[0].has_io = true;
	status_sum(status, NS_PER_S);
	status->fast.wanted = true;
	memset(status->fast.wrong, 'x', sizeof(status->fast.wrong) - 1);
	status->engines[0].io.counter[NFQUEUE_fast_full] = 1;
	status->engines[0].io.counter[NFQUEUE_fast_untold_pkts] = 1;
	status_sum(status, 2 * NS_PER_S);
	findings_of_status(status, &findings);
	assert_int_equal(findings.count, 3);
	for (size_t i = 0; i < findings.count; i++) {
		assert_string_equal(findings.list[i].id, ids[i]);
		assert_true(strlen(findings.list[i].what) <
			    FINDING_TEXT_BYTES - 1);
		assert_true(strlen(findings.list[i].remedy) <
			    FINDING_TEXT_BYTES - 1);
	}
	findings = (struct findings){ 0 };
	policy.fast.all = true; /* if the kernel can */
	findings_of_status(status, &findings);
	assert_int_equal(findings.count, 2);
	policy.fast.all = false;
	findings = (struct findings){ 0 };
	status->fast.runs = true;
	strcpy(policy.fast.interfaces[0], "lan0");
	strcpy(policy.fast.interfaces[1], "lan1");
	policy.fast.interfaces_count = 2;
	strcpy(status->fast.interfaces[0].name, "lan1");
	status->fast.interfaces_count = 1;
	findings_of_status(status, &findings);
	policy.fast.interfaces_count = 0;
	assert_int_equal(findings.count, 3);
	assert_string_equal(findings.list[2].id, "fast-missing");
	assert_non_null(strstr(findings.list[2].what, "lan0"));
}

static void test_findings_are_bounded(void **state)
{
	static struct findings findings;
	int i;

	(void)state;
	for (i = 0; i < 3 * FINDINGS_MAX; i++)
		finding_remedy(findings_add(&findings, "x", FINDING_WARNING,
					    "%0500d", i),
			       "%0500d", i);
	assert_int_equal(findings.count, FINDINGS_MAX);
}

/* Neither our end nor the module's is a reset. */
static void test_counters_of_netback_only_go_up(void **state)
{
	struct status *status = *state;
	uint64_t told[NETBACKCOUNTERS] = { 0 };

	for (uint32_t i = 0; i < NETBACKCOUNTERS; i++)
		told[i] = 100;
	status_netback(status, told);
	told[0] = 150;
	status_netback(status, told);
	assert_int_equal(150, status->netback.counters[0]);
	memset(told, 0, sizeof(told));
	told[0] = 7;
	status_netback(status, told);
	for (uint32_t i = 0; i < NETBACKCOUNTERS; i++) {
		uint64_t before = netbackcounters[i].is_level ? 0 : 100;

		assert_int_equal(i == 0 ? 157 : before,
				 status->netback.counters[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, make_status, free_status)
		T(test_engines_are_added_up),
		T(test_counters_of_earlier_lives_are_added),
		T(test_what_a_tap_counts_is_added_where_there_is_one),
		T(test_growth_is_of_the_last_minutes),
		T(test_exemptions_run_out_and_are_bounded),
		T(test_a_healthy_gateway_has_no_findings),
		T(test_each_trouble_is_found_and_has_a_remedy),
		T(test_who_guards_nobody_is_told),
		T(test_the_share_of_the_kernel_is_of_the_last_minutes),
		T(test_what_is_wrong_with_the_fast_path_is_found),
		T(test_findings_are_bounded),
		T(test_counters_of_netback_only_go_up),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
