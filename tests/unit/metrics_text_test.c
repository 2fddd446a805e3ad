/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shaper/daemon/counters.h"
#include "shaper/daemon/metrics_text.h"
#include "shaper/daemon/status.h"

static struct policy policy = { .mode = POLICY_ENFORCE };

static struct status *some_status(void)
{
	struct status *status = calloc(1, sizeof(*status));
	size_t i;

	assert_non_null(status);
	status->policy = &policy;
	status->started_ns = 1;
	status->engines_count = 2;
	for (i = 0; i < STATS_COUNT; i++)
		status->engines[0].totals.stats.counter[i] = 1000 + i;
	status->engines[0].has_io = status->engines[1].has_io = true;
	status->engines[1].io.counter[NFQUEUE_batches] = UINT64_MAX;
	status->engines[0].totals.pairs_max = 100;
	status->kernel_counters_count = 3;
	snprintf(status->kernel_counters[2].name, 40, "spoofed lan0");
	status->kernel_counters[2].pkts = 100; /* the same, of another table */
	snprintf(status->kernel_counters[0].name, 40, "spoofed lan0");
	snprintf(status->kernel_counters[1].name, 40, "odd\\\"\nname");
	status->kernel_counters[0].pkts = 7;
	status->restored.totals.stats.counter[STATS_in_pkts] = 1000000;
	status_sum(status, 5000000001ull);
	return status;
}

static void test_names_are_in_base_units(void **state)
{
	static const struct {
		struct counter_row row;
		const char *name;
	} rows[] = {
		{ { "sent_pkts", "packets", "" }, "symtap_sent_packets_total" },
		{ { "waited_ns", "nanoseconds", "" },
		  "symtap_waited_seconds_total" },
		{ { "dropped_bound", "packets", "" },
		  "symtap_dropped_bound_packets_total" },
		{ { "split_pkts", "super-packets", "" },
		  "symtap_split_super_packets_total" },
		{ { "keys_made", "keys", "" }, "symtap_keys_made_total" },
	};
	char name[METRICS_NAME_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		metrics_text_name("symtap", &rows[i].row, name);
		assert_string_equal(name, rows[i].name);
	}
}

static void test_values_stand_beside_their_engine(void **state)
{
	struct status *status = some_status();
	char *text = metrics_text(status, 5000000001ull);

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text,
			       "\nsymtap_out_packets_total{engine=\"0\"} 1000"
			       "\nsymtap_out_packets_total{engine=\"1\"} 0\n"));
	assert_non_null(strstr(text, "\nsymtap_in_packets_total{engine=\"0\"} "
				     "1001001\nsymtap_in_packets_total{engine="
				     "\"1\"} 0\n"));
	assert_non_null(strstr(text,
			       "\nsymtap_waited_seconds_total{engine=\"0\"} "
			       "0.000001006\n"));
	assert_non_null(strstr(text, "\nsymtap_nfqueue_batches_total{engine="
				     "\"1\"} 18446744073709551615\n"));
	assert_non_null(strstr(text, "\nsymtap_uptime_seconds 5\n"));
	assert_non_null(strstr(text, "\nsymtap_enforcing 1\n"));
	assert_non_null(strstr(text, "\nsymtap_table_max_keys{table=\"pairs\"} "
				     "100\n"));
	assert_non_null(strstr(text, "{rule=\"spoofed lan0\"} 107\n"));
	assert_non_null(strstr(text, "{rule=\"odd\\\\\\\"\\nname\"} 0\n"));
	free(text);
	free(status);
}

static void test_the_fast_path_is_told_where_it_is_wanted(void **state)
{
	struct status *status = some_status();
	char *text = metrics_text(status, 5000000001ull);

	(void)state;
	assert_null(strstr(text, "symtap_fast_"));
	free(text);
	status->fast.wanted = status->fast.runs = true;
	status->sums.io.counter[NFQUEUE_fast_in_pkts] += 1000;
	status->sums.leases.leased = 7;
	status->engines[1].io.counter[NFQUEUE_fast_out_pkts] = 5;
	text = metrics_text(status, 5000000001ull);
	assert_non_null(strstr(text, "\nsymtap_fast_running 1\n"));
	assert_non_null(strstr(text, "\nsymtap_fast_ratio 1\n"));
	assert_non_null(strstr(text, "\nsymtap_fast_leased_pairs 7\n"));
	assert_non_null(strstr(text, "\nsymtap_nfqueue_fast_out_packets_total"
				     "{engine=\"1\"} 5\n"));
	free(text);
	free(status);
}

static void test_promtool_finds_nothing_to_lint(void **state)
{
	struct status *status = some_status();
	FILE *promtool;
	char *text;

	(void)state;
	status->fast.wanted = true;
	text = metrics_text(status, 5000000001ull);
	if (system("command -v promtool >/dev/null") != 0) {
		free(text);
		free(status);
		print_message("promtool is not installed\n");
		skip();
	}
	promtool = popen("promtool check metrics 2>&1", "w");
	assert_non_null(promtool);
	assert_int_equal(fwrite(text, 1, strlen(text), promtool), strlen(text));
	assert_int_equal(pclose(promtool), 0);
	free(text);
	free(status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_in_base_units),
		cmocka_unit_test(test_values_stand_beside_their_engine),
		cmocka_unit_test(test_the_fast_path_is_told_where_it_is_wanted),
		cmocka_unit_test(test_promtool_finds_nothing_to_lint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
