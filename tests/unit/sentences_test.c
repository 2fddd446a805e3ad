/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "shaper/daemon/requests.h"
#include "shaper/daemon/sentences.h"
#include "shaper/daemon/toplist.h"
#include "shaper/pump.h"

#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

static struct toplist_row flood(enum flow_scope scope)
{
	struct toplist_row entry = {
		.zone = "lan0",
		.row = { .offered_pkts = 11468,
			 .sent_pkts = 12,
			 .held_pkts = 64,
			 .releases = 9,
			 .armed_ns = 20 * NS_PER_S + 510 * NS_PER_MS,
			 .delay_ns = 512 * NS_PER_MS,
			 .held_since_ns = 13 * NS_PER_S,
			 .over_since_ns = 8 * NS_PER_S,
			 .window_ns = NS_PER_S,
			 .ratio_q16 = 4 << 16,
			 .by = (uint8_t)scope,
			 .over = true,
			 .enforced = true },
	};
	struct flow_key *key = &entry.row.key;

	key->scope = (uint8_t)scope;
	request_parse_address("10.20.0.7", key->inside);
	if (scope != FLOW_SCOPE_HOST)
		request_parse_address("192.0.2.7", key->outside);
	if (scope == FLOW_SCOPE_FLOW) {
		key->inside_port = 5001;
		key->outside_port = 53;
		key->proto = IPPROTO_UDP;
	}
	return entry;
}

static void test_a_held_pair_says_why_how_long_and_what_frees_it(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_PAIR);
	char sentence[SENTENCES_BYTES];

	(void)state;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_string_equal(
		sentence,
		"10.20.0.7 to 192.0.2.7 (pair, lan0) is held, for 12 s: S of "
		"what was let out is 3.70, above 2.00. In the last 1 s it "
		"offered 11468 packets, 12 were let out and 0 came back (S "
		"13.49 offered, 3.70 let out, threshold 2.00); 64 wait; the "
		"next may leave in 510 ms (delay 9 in a row, "
		"512 ms). 3 replies from 192.0.2.7 within 1 s would free it.");
}

static void test_each_scope_names_its_peer(void **state)
{
	char sentence[SENTENCES_BYTES];
	struct toplist_row entry = flood(FLOW_SCOPE_FLOW);

	(void)state;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "10.20.0.7 port 5001 to 192.0.2.7 "
					 "port 53/udp (flow, lan0) is held"));
	assert_non_null(strstr(sentence, "3 replies from 192.0.2.7 port 53 "
					 "within 1 s would free it."));
	entry = flood(FLOW_SCOPE_HOST);
	entry.row.sent_pkts = 4;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "10.20.0.7 to all others (host"));
	assert_non_null(strstr(sentence, "1 reply within 1 s would free it."));
}

/* Row, and how its sentence begins after the key, and ends. */
static void test_each_reason_has_its_sentence(void **state)
{
	static const struct {
		struct snapshot_row row;
		const char *begins, *ends;
	} rows[] = {
		{ { .sent_pkts = 1000, .heard_pkts = 44, .replies = 600 },
		  "is not held although S is 4.48: 44 packets that came back "
		  "count for 600, since they acknowledge that much. In the "
		  "last 1 s it offered 1000 packets, 1000 were let out and 44 "
		  "came back (S 4.48 offered, 4.48 let out, 0.74 decides, "
		  "threshold 2.00).",
		  "2.00)." },
		{ { .sent_pkts = 900,
		    .heard_pkts = 600,
		    .replies = 600,
		    .leased = true },
		  "is not held, and stays in the kernel: S is 0.58, not above "
		  "2.00. In the last 1 s it offered 900 packets, 900 were let "
		  "out and 600 came back (S 0.58 offered, 0.58 let out, "
		  "threshold 2.00).",
		  "2.00)." },
		{ { .sent_pkts = 40,
		    .over = true,
		    .patience_pkts = 12,
		    .patience_max_pkts = 48 },
		  "passes for 12 s on patience: 12 of 48 packets of its first "
		  "second are left. In the last 1 s",
		  "10 replies from 192.0.2.7 within 1 s would do without "
		  "that." },
		{ { .sent_pkts = 40, .over = true, .earned_pkts = 130 },
		  "passes for 12 s on credit: 130 packets, earned by answers, "
		  "are left. In",
		  "would do without that." },
		{ { .sent_pkts = 8,
		    .over = true,
		    .below_floor = true,
		    .floor_pkts = 10 },
		  "passes for 12 s as one of few: 10 packets of its pair may "
		  "leave in a window, answered or not. In",
		  "2 replies from 192.0.2.7 within 1 s would do without "
		  "that." },
		{ { .sent_pkts = 40, .over = true, .stream = true },
		  "passes for 12 s on patience, as a media stream that begins. "
		  "In",
		  "would do without that." },
		{ { .sent_pkts = 40,
		    .heard_pkts = 12,
		    .over = true,
		    .refused_rst = 12 },
		  "is over the threshold, for 12 s although S is 1.66: S that "
		  "decides is 5.36; replies were resets (12), which are no "
		  "consent. In",
		  "10 replies from 192.0.2.7 within 1 s would free it." },
		{ { .sent_pkts = 80,
		    .held_pkts = 3,
		    .by = PUMP_BY_PAIR,
		    .over = true,
		    .heard_pkts = 10,
		    .replies = 1,
		    .refused_rst = 2,
		    .refused_syn_ack = 40 },
		  "is held, for 12 s: S of what was let out is 5.34, above "
		  "2.00; replies were resets (2) and SYN-ACKs of handshakes "
		  "that were not completed (40), which are no consent. In",
		  "would free it." },
		{ { .held_pkts = 1,
		    .by = PUMP_BY_CONTACTS,
		    .pace_per_s = 20,
		    .before = 37 },
		  "is held, for 7 s: 20 first contacts a second, 37 before it. "
		  "In",
		  "; 1 wait. It leaves within about 1.9 s. An answer from a "
		  "host that was tried makes room sooner." },
		{ { .held_pkts = 1,
		    .by = PUMP_BY_CONNECTIONS,
		    .pace_per_s = 100,
		    .before = 4 },
		  "is held, for 7 s: 100 new connections a second to this "
		  "host, 4 before it. In",
		  "; 1 wait. It leaves within about 50 ms." },
		{ { .line = 60, .pace_per_s = 100 },
		  "is held, for 7 s: 100 new connections a second to this "
		  "host, 60 wait in line. In",
		  ". The last leaves within about 600 ms." },
		{ { .key = { .scope = FLOW_SCOPE_HOST },
		    .held_pkts = 11,
		    .by = PUMP_BY_CONTACTS,
		    .line = 30,
		    .pace_per_s = 20 },
		  "is held, for 7 s: 20 first contacts a second, 40 wait in "
		  "line. In",
		  "; 11 wait. The last leaves within about 2 s. An answer from "
		  "a host that was tried makes room sooner." },
		{ { .held_pkts = 3,
		    .by = PUMP_BY_RATE,
		    .held_slots = 2,
		    .rate_pkts_per_s = 20000,
		    .rate_bytes_per_s = 100000000 },
		  "is held, for 7 s: it waits for the rate of its host, "
		  "20000/s packets, 100MB/s. In",
		  "; 3 wait, in 2 places of their guest's ring. Those that "
		  "wait for it take turns." },
		{ { .key = { .scope = FLOW_SCOPE_HOST },
		    .rate_line = true,
		    .rate_pkts_per_s = 5 },
		  "is held, for 7 s: others wait for its rate, 5/s packets. In",
		  ". Those that wait for it take turns." },
		{ { .held_pkts = 1, .by = PUMP_BY_PAIR },
		  "is held, for 12 s: what came before it still waits. In",
		  "It is about to be let go." },
	};
	char sentence[SENTENCES_BYTES];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct toplist_row entry = flood(FLOW_SCOPE_PAIR);
		struct flow_key flood_key = entry.row.key;
		const char *rest;
		size_t length = strlen(rows[i].begins);

		entry.row = rows[i].row;
		if (entry.row.key.scope != FLOW_SCOPE_HOST)
			entry.row.key = flood_key;
		entry.row.offered_pkts = entry.row.sent_pkts;
		entry.row.window_ns = NS_PER_S;
		entry.row.ratio_q16 = 4 << 16;
		entry.row.enforced = true;
		entry.row.held_since_ns = 13 * NS_PER_S;
		entry.row.over_since_ns = 8 * NS_PER_S;
		sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S,
			      sentence);
		rest = strstr(sentence, ", lan0) ") + strlen(", lan0) ");
		if (strncmp(rest, rows[i].begins, length) != 0)
			assert_string_equal(rest, rows[i].begins);
		assert_string_equal(sentence + strlen(sentence) -
					    strlen(rows[i].ends),
				    rows[i].ends);
	}
}

static void test_every_state_has_its_sentence(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_PAIR);
	char sentence[SENTENCES_BYTES];

	(void)state;
	sentences_row(&entry, EXPLAIN_SHADOW, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "would be held (mode: shadow)"));
	sentences_row(&entry, EXPLAIN_ONE_SIDED, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "would be held, if both directions"));
	entry.row.enforced = false;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "this scope is not enforced"));
	entry.row.enforced = true;
	entry.row.held_pkts = 0;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "is over the threshold, for 12 s"));
	entry.row.exempt = true;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(strstr(sentence, "is exempt and never held"));
	assert_null(strstr(sentence, "would free it"));
	entry.row.exempt = false;
	entry.row.over = false;
	entry.row.heard_pkts = entry.row.replies = 3;
	sentences_row(&entry, EXPLAIN_ENFORCES, 20 * NS_PER_S, sentence);
	assert_non_null(
		strstr(sentence, "(pair, lan0) is not held: S is 1.70, "));
	assert_null(strstr(sentence, "would free it"));
}

static void test_the_longest_sentence_is_cut_not_overrun(void **state)
{
	struct toplist_row entry = flood(FLOW_SCOPE_FLOW);
	char sentence[SENTENCES_BYTES];

	(void)state;
	request_parse_address("2001:db8:1111:2222:3333:4444:5555:6666",
			      entry.row.key.inside);
	request_parse_address("2001:db8:1111:2222:3333:4444:5555:7777",
			      entry.row.key.outside);
	memset(entry.zone, 'z', sizeof(entry.zone) - 1);
	entry.row.offered_pkts = entry.row.sent_pkts = UINT32_MAX;
	entry.row.held_pkts = entry.row.releases = UINT32_MAX;
	entry.row.over_since_ns = 1;
	entry.row.refused_rst = entry.row.refused_syn_ack = UINT32_MAX;
	entry.row.icmp_errors = UINT32_MAX;
	entry.row.replies = UINT32_MAX - 1;
	entry.row.armed_ns = UINT64_MAX;
	entry.row.delay_ns = UINT64_MAX;
	entry.row.window_ns = 60 * NS_PER_S;
	sentences_row(&entry, EXPLAIN_ENFORCES, UINT64_MAX / 2, sentence);
	assert_true(strlen(sentence) < SENTENCES_BYTES);
	assert_true(strlen(sentence) > 600);
}

static void test_the_summary_counts_keys(void **state)
{
	struct toplist_row rows[3] = { flood(FLOW_SCOPE_FLOW),
				       flood(FLOW_SCOPE_PAIR),
				       flood(FLOW_SCOPE_HOST) };
	char sentence[SENTENCES_BYTES];
	uint8_t address[16];

	(void)state;
	request_parse_address("10.20.0.7", address);
	rows[2].row.enforced = false;
	sentences_summary(address, rows, 3, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence, "10.20.0.7 is held in 2 of 3 keys.");
	sentences_summary(address, rows, 0, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence, "Nothing was seen of 10.20.0.7 lately, "
				      "and nothing of it waits.");
	sentences_summary(address, rows, 3, EXPLAIN_SHADOW, sentence);
	assert_string_equal(sentence, "10.20.0.7 is not held, though 3 of 3 "
				      "keys are over the threshold.");
	rows[0].row.over = rows[1].row.over = rows[2].row.over = false;
	rows[0].row.held_pkts = rows[1].row.held_pkts = rows[2].row.held_pkts =
		0;
	sentences_summary(address, rows, 3, EXPLAIN_ENFORCES, sentence);
	assert_string_equal(sentence,
			    "10.20.0.7 is not held in any of 3 keys.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(test_a_held_pair_says_why_how_long_and_what_frees_it),
		T(test_each_scope_names_its_peer),
		T(test_each_reason_has_its_sentence),
		T(test_every_state_has_its_sentence),
		T(test_the_longest_sentence_is_cut_not_overrun),
		T(test_the_summary_counts_keys),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
