/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/answers.h"
#include "shaper/daemon/metrics_text.h"
#include "shaper/daemon/status.h"
#include "shaper/daemon/vif_answers.h"
#include "shaper/daemon/vif_table.h"
#include "xen-hooks/vif_slots.h"

static struct vif_order word;

static struct vif_order *order(uint32_t domain, enum vif_state state)
{
	memset(&word, 0, sizeof(word));
	vifkeys_init(&word.keys, domain, 0);
	word.state = state;
	return &word;
}

static int set_up(void **state)
{
	*state = viftable_new();
	return *state == NULL;
}

static int tear_down(void **state)
{
	viftable_free(*state);
	return 0;
}

static void test_viftable_knows_who_is_there(void **state)
{
	struct viftable *table = *state;

	for (uint32_t domain = 1; domain <= 300; domain++)
		assert_true(viftable_see(table, order(domain, VIF_ATTACHING)));
	assert_true(viftable_see(table, order(7, VIF_ACTIVE)));
	assert_int_equal(300, viftable_count(table));
	assert_int_equal(VIF_ACTIVE, viftable_at(table, 6)->state);
	for (uint32_t domain = 1; domain <= 300; domain += 2)
		assert_true(viftable_see(table, order(domain, VIF_GONE)));
	assert_true(viftable_see(table, order(1, VIF_ABSENT)));
	assert_int_equal(150, viftable_count(table));
}

static void test_viftable_adds_what_is_measured(void **state)
{
	struct viftable *table = *state;
	const struct viftable_row *row;

	viftable_see(table, order(7, VIF_ACTIVE));
	viftable_see(table, order(8, VIF_ACTIVE));
	viftable_add(table, "vif7.0", 258, 10, 1000);
	viftable_add(table, "vif7.0", 100, 5, 900);
	viftable_add(table, "vif9.0", 100, 5, 900);
	row = viftable_at(table, 0);
	assert_int_equal(258, row->figures.s_centi);
	assert_int_equal(15, row->figures.held_pkts);
	assert_true(row->figures.since_s == 900);
	assert_string_equal("held", viftable_state(row));
	assert_string_equal("active", viftable_state(viftable_at(table, 1)));
	viftable_forget_figures(table);
	assert_string_equal("active", viftable_state(row));
	viftable_way(table, &row->keys, "queue", "as asked for", true);
	assert_string_equal("off", viftable_state(row));
}

/* Whatever XenStore has for a name. */
static void test_viftable_two_may_claim_one_interface(void **state)
{
	struct viftable *table = *state;

	viftable_see(table, order(7, VIF_ACTIVE));
	order(8, VIF_ACTIVE);
	memcpy(word.keys.interface, "vif7.0", 7);
	viftable_see(table, &word);
	viftable_add(table, "vif7.0", 258, 10, 1000);
	assert_int_equal(0, viftable_at(table, 0)->figures.held_pkts);
	assert_int_equal(10, viftable_at(table, 1)->figures.held_pkts);
	viftable_see(table, order(8, VIF_GONE));
	viftable_see(table, order(7, VIF_ACTIVE));
	viftable_add(table, "vif7.0", 258, 10, 1000);
	assert_int_equal(10, viftable_at(table, 0)->figures.held_pkts);
}

static void test_viftable_is_answered_and_counted(void **state)
{
	static struct policy policy;
	static struct status status;
	char *text;

	viftable_see(*state, order(7, VIF_ACTIVE));
	order(8, VIF_ATTACHING);
	memcpy(word.wrong, "mac: \"x\"", 9);
	viftable_see(*state, &word);
	viftable_add(*state, "vif7.0", 258, 10, 1000);
	memset(&word, 0, sizeof(word));
	word.keys.domain = 7;
	word.is_of_slots = true;
	word.slots = 62;
	viftable_see(*state, &word);
	status.policy = &policy;
	text = answers_vifs(&status);
	assert_non_null(strstr(text, "{\"no\":"));
	free(text);
	status.vifs = *state;
	text = answers_vifs(&status);
	assert_non_null(strstr(text, "\"state\":\"held\""));
	assert_non_null(strstr(text, "\"slots\":62"));
	assert_non_null(strstr(text, "\"wrong\":\"mac: \\\"x\\\"\""));
	free(text);
	text = metrics_text(&status, 1);
	assert_non_null(strstr(text, "symtap_vifs{state=\"held\"} 1\n"));
	assert_non_null(strstr(text, "symtap_vifs{state=\"attaching\"} 1\n"));
	assert_non_null(strstr(text, "symtap_vifs_wrong 1\n"));
	assert_non_null(strstr(text, "symtap_vifs_held_packets 10\n"));
	assert_null(strstr(text, "vif7"));
	free(text);
}

static void test_vifslots_reads_netbacks_text(void **state)
{
	static const struct {
		const char *text;
		int32_t slots;
	} rows[] = {
		{ "", -1 },
		{ "pending prod 256 pending cons 3 nr_pending_reqs 3\n", 3 },
		{ "nr_pending_reqs 0\n", 0 },
		{ "nr_pending_reqs 4096", 4096 },
		{ "nr_pending_reqs 4097", -1 },
		{ "nr_pending_reqs 99999999999", -1 },
		{ "nr_pending_reqs x", -1 },
		{ "nr_pending_reqs", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(rows[i].slots,
				 vifslots_parse(rows[i].text,
						strlen(rows[i].text)));
	assert_int_equal(-1, vifslots_read("absent0", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_viftable_knows_who_is_there),
		TEST(test_viftable_adds_what_is_measured),
		TEST(test_viftable_two_may_claim_one_interface),
		TEST(test_viftable_is_answered_and_counted),
		cmocka_unit_test(test_vifslots_reads_netbacks_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
