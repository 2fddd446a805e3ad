/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/nearest.h"
#include "policy/units.h"
#include "sim/world/scenario_draft.h"

static const char *const MEASURE_NAMES[] = {
	[MEASURE_GOODPUT_RATIO] = "goodput_ratio",
	[MEASURE_GOODPUT] = "goodput_mbit_per_s",
	[MEASURE_OFFERED] = "offered",
	[MEASURE_LET_OUT] = "let_out",
	[MEASURE_DROPPED] = "dropped",
	[MEASURE_LET_OUT_PER_S] = "let_out_per_s",
	[MEASURE_FIRST_SECOND] = "first_second",
	[MEASURE_ANY_SECOND] = "any_second",
	[MEASURE_CONTACTS_PER_S] = "contacts_per_s",
	[MEASURE_CONTACTS_ANY_SECOND] = "contacts_any_second",
	[MEASURE_CONNECTIONS_PER_S] = "connections_per_s",
	[MEASURE_CONNECTIONS_ANY_SECOND] = "connections_any_second",
	[MEASURE_OUT_PER_IN] = "out_per_in",
	[MEASURE_GAIN_PER_IN] = "gain_per_in",
	[MEASURE_DELAY_P50_MS] = "delay_p50_ms",
	[MEASURE_DELAY_P99_MS] = "delay_p99_ms",
	[MEASURE_DELAY_MAX_MS] = "delay_max_ms",
	[MEASURE_DELAYED_PCT] = "delayed_pct",
	[MEASURE_S_MAX] = "s_max",
	[MEASURE_S] = "s",
	[MEASURE_GAPS] = "gaps",
	NULL,
};

static bool read_least(struct keys_reader *reader, const struct yaml_node *node,
		       void *into)
{
	struct scenario_expect *expect = into;

	expect->has_least = true;
	return scenario_read_decimal(reader, node, &expect->least);
}

static bool read_most(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	struct scenario_expect *expect = into;

	expect->has_most = true;
	return scenario_read_decimal(reader, node, &expect->most);
}

static bool read_gap(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	static const char right[] = "a time such as 2ms, to 1h";
	struct scenario_expect *expect = into;
	const char *text = keys_text(reader, node, right);

	if (!text)
		return false;
	if (units_parse_time(text, 1, UINT64_C(3600000000000),
			     &expect->gaps_ns[expect->gaps_count]) !=
	    UNITS_OK) {
		keys_error(reader, node, right, "cannot read \"%.*s\"",
			   KEYS_SHOWN, text);
		return false;
	}
	expect->gaps_count++;
	return true;
}

static bool read_gaps(struct keys_reader *reader, const struct yaml_node *node,
		      void *into)
{
	return keys_each(reader, node, SCENARIO_GAPS_MAX, read_gap, into);
}

const struct keys_entry SCENARIO_EXPECT_KEYS[] = {
	{ .name = "sender",
	  .type = KEYS_TEXT,
	  KEYS_FIELD(struct scenario_expect, sender_name),
	  .help = "the name of one; each of them" },
	{ .name = "measure",
	  .type = KEYS_WORD,
	  .words = MEASURE_NAMES,
	  KEYS_FIELD(struct scenario_expect, measure),
	  .required = true,
	  .help = "what is looked at" },
	{ .name = "at_least",
	  .type = KEYS_OTHER,
	  .read = read_least,
	  .help = "it is not less than this" },
	{ .name = "at_most",
	  .type = KEYS_OTHER,
	  .read = read_most,
	  .help = "it is not more than this" },
	{ .name = "at",
	  .type = KEYS_TIME,
	  .max = UINT64_C(86400000000000),
	  KEYS_FIELD(struct scenario_expect, at_ns),
	  .help = "when, of measure s" },
	{ .name = "are",
	  .type = KEYS_OTHER,
	  .read = read_gaps,
	  .help = "the times between releases, of measure gaps" },
	{ .name = "within",
	  .type = KEYS_TIME,
	  .max = UINT64_C(1000000000),
	  KEYS_FIELD(struct scenario_expect, tolerance_ns),
	  .help = "how far off each may be; 1us" },
	{ 0 },
};

static bool check_one(struct keys_reader *reader, const struct yaml_node *node,
		      const struct scenario_expect *expect)
{
	bool gaps = expect->measure == MEASURE_GAPS;

	if (gaps && expect->gaps_count == 0) {
		keys_error(reader, node, "are: [2ms, 4ms]",
			   "measure gaps needs the times");
		return false;
	}
	if (expect->measure == MEASURE_S && expect->sender_name[0] == '\0') {
		keys_error(reader, node, "sender: NAME",
			   "measure s needs one sender");
		return false;
	}
	if (!gaps && !expect->has_least && !expect->has_most) {
		keys_error(reader, node, "at_least, at_most, or both",
			   "nothing is expected of it");
		return false;
	}
	if (gaps ? expect->has_least || expect->has_most
		 : expect->gaps_count > 0) {
		keys_error(reader, node,
			   "at_least and at_most for numbers, are for gaps",
			   "does not go with measure %s",
			   MEASURE_NAMES[expect->measure]);
		return false;
	}
	if (expect->has_least && expect->has_most &&
	    expect->least > expect->most) {
		keys_error(reader, node, "at_least is not above at_most",
			   "nothing is that much");
		return false;
	}
	return true;
}

static bool read_one(struct keys_reader *reader, const struct yaml_node *node,
		     void *into)
{
	struct scenario *scenario = into;
	struct scenario_expect *expect =
		&scenario->expect[scenario->expect_count];

	*expect = (struct scenario_expect){ .line = node->line,
					    .sender = SCENARIO_SENDERS_MAX,
					    .tolerance_ns = 1000 };
	if (!keys_read(reader, node, SCENARIO_EXPECT_KEYS, expect) ||
	    !check_one(reader, node, expect))
		return false;
	scenario->expect_count++;
	return true;
}

bool scenario_read_expect(struct keys_reader *reader,
			  const struct yaml_node *node, void *into)
{
	struct scenario *scenario = into;

	scenario->expect =
		calloc(SCENARIO_EXPECT_MAX, sizeof(*scenario->expect));
	if (!scenario->expect) {
		keys_error(reader, node, "", "out of memory");
		return false;
	}
	return keys_each(reader, node, SCENARIO_EXPECT_MAX, read_one, scenario);
}

static bool find_sender(struct keys_reader *reader,
			const struct yaml_node *node, struct scenario *scenario,
			struct scenario_expect *expect)
{
	const char *best = NULL;
	char right[96] = "the name of one of the senders";

	if (expect->sender_name[0] == '\0')
		return true;
	for (uint32_t i = 0; i < scenario->senders_count; i++) {
		if (strcmp(scenario->senders[i].name, expect->sender_name) ==
		    0) {
			expect->sender = i;
			return true;
		}
		best = nearest_of(expect->sender_name, best,
				  scenario->senders[i].name);
	}
	if (best)
		snprintf(right, sizeof(right), "did you mean %s?", best);
	keys_error(reader, node, right, "there is no sender \"%s\"",
		   expect->sender_name);
	return false;
}

bool scenario_find_senders(struct keys_reader *reader,
			   const struct yaml_node *node,
			   struct scenario *scenario)
{
	const struct yaml_node *one = node ? node->first : NULL;
	bool good = true;

	for (uint32_t i = 0; i < scenario->expect_count && one;
	     i++, one = one->next) {
		size_t before = keys_enter_index(reader, i);

		good &= find_sender(reader, yaml_tree_find(one, "sender"),
				    scenario, &scenario->expect[i]);
		keys_leave(reader, before);
	}
	return good;
}

const char *scenario_measure_name(enum scenario_measure measure)
{
	return MEASURE_NAMES[measure];
}
