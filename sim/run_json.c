/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <jansson.h>

#include "sim/run.h"

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static json_t *of_sender(const struct run *run, uint32_t place)
{
	const struct scenario_sender *sender = &run->scenario->senders[place];
	const struct world_sender *result = &run->result.senders[place];
	const struct ledger *ledger = &result->ledger;
	const struct ledger_totals *totals = &result->totals;
	json_t *made = json_pack(
		"{s:s s:s s:I s:I s:I s:I s:I s:I s:f s:f s:f s:f s:f}", "name",
		sender->name, "kind", scenario_kind_name(sender->kind),
		"offered", (json_int_t)ledger->offered_pkts, "let_out",
		(json_int_t)ledger->let_out_pkts, "dropped",
		(json_int_t)ledger->dropped_pkts, "heard",
		(json_int_t)ledger->heard_pkts, "good_bytes",
		(json_int_t)result->good_bytes, "destinations",
		(json_int_t)totals->destinations, "goodput_bits_per_s",
		result->goodput_bits_per_s, "delay_p50_ms",
		ms(delays_percentile(&ledger->delays, 50)), "delay_p99_ms",
		ms(delays_percentile(&ledger->delays, 99)), "delay_max_ms",
		ms(ledger->delays.max_ns), "s_max", ledger->s_max);
	json_t *rates = json_pack(
		"{s:f s:I s:I s:f s:I s:f s:I}", "let_out_per_s",
		totals->let_out_per_s, "first_second",
		(json_int_t)totals->first_second_pkts, "any_second",
		(json_int_t)totals->any_second_pkts, "contacts_per_s",
		totals->contacts_per_s, "contacts_any_second",
		(json_int_t)totals->any_second_contacts, "connections_per_s",
		totals->connections_per_s, "connections_any_second",
		(json_int_t)totals->any_second_opened);

	if (run->compares)
		json_object_set_new(made, "goodput_ratio",
				    json_real(expect_ratio(place, &run->result,
							   &run->without)));
	json_object_update_new(made, rates);
	return made;
}

static void add_expect(json_t *list, const struct run *run, uint32_t index,
		       uint32_t sender)
{
	const struct scenario_expect *expect = &run->scenario->expect[index];
	double found = expect_measure(run->scenario, index, sender,
				      &run->result, &run->without);
	json_t *made = json_pack("{s:s s:s s:f s:b}", "sender",
				 run->scenario->senders[sender].name, "measure",
				 scenario_measure_name(expect->measure),
				 "found", found, "holds",
				 expect_holds(expect, found));

	if (expect->has_least)
		json_object_set_new(made, "at_least", json_real(expect->least));
	if (expect->has_most)
		json_object_set_new(made, "at_most", json_real(expect->most));
	if (expect->measure == MEASURE_S)
		json_object_set_new(made, "at_s",
				    json_real((double)expect->at_ns / 1e9));
	json_array_append_new(list, made);
}

static json_t *of_expect(const struct run *run)
{
	const struct scenario *scenario = run->scenario;
	json_t *list = json_array();

	for (uint32_t i = 0; i < scenario->expect_count; i++) {
		uint32_t sender = scenario->expect[i].sender;

		if (sender < scenario->senders_count) {
			add_expect(list, run, i, sender);
			continue;
		}
		for (uint32_t j = 0; j < scenario->senders_count; j++)
			add_expect(list, run, i, j);
	}
	return list;
}

bool run_json(FILE *file, const struct run *run)
{
	const struct scenario *scenario = run->scenario;
	json_t *senders = json_array();
	json_t *root;
	bool good;

	for (uint32_t i = 0; i < scenario->senders_count; i++)
		json_array_append_new(senders, of_sender(run, i));
	root = json_pack("{s:s s:s s:I s:f s:b s:o s:o}", "file", run->file,
			 "about", scenario->about, "seed",
			 (json_int_t)scenario->seed, "duration_s",
			 (double)scenario->duration_ns / 1e9, "symtap",
			 run->policy != NULL, "senders", senders, "expect",
			 of_expect(run));
	good = root && json_dumpf(root, file,
				  JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0;
	json_decref(root);
	return good && fputc('\n', file) != EOF && fflush(file) == 0;
}
