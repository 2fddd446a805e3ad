/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random traffic of a few hosts, by the shipped default, judged afterwards from
 * a list of what was let out when: floods of one flow and of many, sweeps,
 * connections, conversations, pauses; with reloads, exemptions, and both ends
 * guarded.
 *
 *	SYMTAP_SEED  the first run's seed; the others count up from there
 *	SYMTAP_RUNS  how many of each kind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "tests/pump_bed.h"
#include "tests/pump_invariants.h"
#include "tests/random.h"

#define S  UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* What the shipped default promises. */
enum {
	FIRST_SECOND_PKTS = 64,
	LATER_SECOND_PKTS = 12,
	CONTACTS_PER_S = 20,
	CONTACTS_RESERVED = 256,
	CONNECTIONS_PER_S = 100,
	PKTS_PER_REPLY = 16,
};

/* Its minute of silence, and its ticks. */
#define SILENCE_NS (60 * S + 10 * MS)
#define BEGIN_NS   (2000 * S)
#define DRAIN_NS   (400 * S)

enum {
	HOSTS = 4,
	ANSWERING = 4, /* peers 0..3; 4 and 5 are guarded, and silent */
	GUARDED = 2,
	PEERS = 400,
	EPISODES = 4,
	PACKETS = 12000,
	RUNS = 8,
};

enum kind { SHIPPED, EXACT, SHADOW, RELEASE, RELOAD, EXEMPT, KINDS };

struct packet {
	uint64_t id, offered_ns, left_ns;
	uint32_t host, peer;
	uint16_t port;
	bool in, passed, syn;
};

enum what { FLOOD, MANY_FLOWS, SWEEP, CONNECT, TALK, WHATS };

struct episode {
	enum what what;
	uint32_t host, peer, left, gap_us;
	uint16_t port;
	uint64_t next_ns;
};

struct run {
	struct bed bed;
	struct random random;
	enum kind kind;
	struct packet *packets;
	size_t count;
	struct episode episodes[EPISODES];
	struct policy *policies[2];
	uint16_t fresh_port;
	uint64_t now_ns;
};

static const char *const texts[KINDS] = {
	[SHIPPED] = "limiter: {evidence: consent}\n",
	[EXACT] = "limiter: {evidence: consent}\n",
	[SHADOW] = "limiter: {evidence: consent}\n",
	[RELEASE] = "limiter: {evidence: consent}\n"
		    "limits: {at_bound: release, held_packets_per_key: 8, "
		    "held_packets_per_host: 64}\n",
	[RELOAD] = "limiter: {evidence: consent}\n",
	[EXEMPT] = "limiter: {evidence: consent}\n",
};

/* ------ traffic */

static void host_name(uint32_t host, char text[40])
{
	snprintf(text, 40, "10.0.0.%u", host + 1);
}

static void peer_name(uint32_t peer, char text[40])
{
	if (peer >= ANSWERING && peer < ANSWERING + GUARDED)
		snprintf(text, 40, "10.0.1.%u", peer);
	else
		snprintf(text, 40, "192.0.%u.%u", peer / 200, peer % 200 + 1);
}

static void fill(const struct packet *sent, uint8_t tcp_flags,
		 struct pump_packet *packet)
{
	const char *proto = tcp_flags ? "tcp" : "udp";
	char host[40], peer[40];

	host_name(sent->host, host);
	peer_name(sent->peer, peer);
	if (sent->in)
		bed_packet(packet, proto, peer, 80, host, sent->port);
	else
		bed_packet(packet, proto, host, sent->port, peer, 80);
	packet->meta.tcp_flags = tcp_flags;
}

/* Returns whether it left at once. */
static bool offer(struct run *run, uint32_t host, uint32_t peer, uint16_t port,
		  bool in, uint8_t tcp_flags)
{
	struct packet *sent = &run->packets[run->count++];
	struct pump_packet packet;

	*sent = (struct packet){
		.offered_ns = run->now_ns,
		.host = host,
		.peer = peer,
		.port = port,
		.in = in,
		.syn = tcp_flags == 2,
	};
	fill(sent, tcp_flags, &packet);
	sent->id = bed_offer(&run->bed, &packet, run->now_ns);
	return run->bed.packets[sent->id].fate == BED_PASSED;
}

static void begin(struct run *run, struct episode *episode)
{
	struct random *random = &run->random;

	*episode = (struct episode){
		.what = (enum what)random_below(random, WHATS),
		.host = random_below(random, HOSTS),
		.peer = random_below(random, 12),
		.port = (uint16_t)random_in(random, 1000, 1003),
		.left = random_in(random, 1, 400),
		.gap_us = random_below(random, 4) * random_below(random, 8000),
		.next_ns = run->now_ns + random_below(random, 3000) * MS,
	};
	if (episode->what == TALK || episode->what == CONNECT)
		episode->peer %= ANSWERING;
	if (episode->what == CONNECT)
		episode->gap_us /= 8;
	if (random_once(random, 10))
		episode->next_ns += random_in(random, 58, 90) * S;
}

static void answer(struct run *run, const struct episode *episode,
		   uint16_t port, bool syn)
{
	uint32_t host = episode->host, peer = episode->peer;

	/* some seldom do: enough to be trusted, and no more */
	if (peer >= ANSWERING || (peer % 2 ? random_once(&run->random, 3)
					   : !random_once(&run->random, 30)))
		return;
	offer(run, host, peer, port, true, syn ? 18 : 0);
	if (syn && random_once(&run->random, 2))
		offer(run, host, peer, port, false, 16);
}

static void step(struct run *run, struct episode *episode)
{
	uint16_t port = episode->port;
	bool syn = episode->what == CONNECT;

	if (episode->what == SWEEP)
		episode->peer = random_below(&run->random, PEERS);
	if (episode->what == MANY_FLOWS || syn)
		port = run->fresh_port = (uint16_t)(run->fresh_port + 1) |
					 0x2000;
	if (offer(run, episode->host, episode->peer, port, false, syn ? 2 : 0))
		answer(run, episode, port, syn);
	episode->next_ns = run->now_ns + episode->gap_us * UINT64_C(1000);
	if (--episode->left == 0)
		begin(run, episode);
}

/* ------ the operator */

static void reload(struct run *run)
{
	struct policy *next = bed_policy(
		random_once(&run->random, 2) ? "limiter: {evidence: consent}\n"
					     : "limiter: {evidence: packets}\n"
					       "guards: {first_contacts: 5, "
					       "new_connections: 20}\n");

	pump_set_policy(run->bed.pump, next, run->now_ns);
	policy_free(run->bed.policy);
	run->bed.policy = next;
}

static void exempt(struct run *run)
{
	uint8_t address[16];
	char name[40];

	/* the last host only: the others are judged */
	host_name(HOSTS - 1, name);
	bed_address(name, address);
	if (random_once(&run->random, 2))
		pump_release_address(run->bed.pump, address, run->now_ns);
	else
		pump_exempt_address(run->bed.pump, address,
				    run->now_ns +
					    random_below(&run->random, 9) * S,
				    run->now_ns);
}

static void disturb(struct run *run)
{
	bed_run(&run->bed, run->now_ns);
	if (run->kind == RELOAD)
		reload(run);
	if (run->kind == EXEMPT)
		exempt(run);
	bed_run(&run->bed, run->now_ns);
	pump_check(run->bed.pump);
}

/* ------ a run */

static void run_init(struct run *run, enum kind kind, uint64_t seed)
{
	memset(run, 0, sizeof(*run));
	run->kind = kind;
	random_init(&run->random, seed);
	bed_init(&run->bed, texts[kind]);
	if (kind == SHADOW)
		run->bed.policy->mode = POLICY_SHADOW;
	if (kind == EXACT) {
		pump_free(run->bed.pump);
		run->bed.pump = pump_new(
			&(struct pump_config){
				.policy = run->bed.policy,
				.zones = run->bed.zones,
				.seed = "not so random",
				.shards = 1,
				.lift_bounds = true,
			},
			run->bed.now_ns);
		assert_non_null(run->bed.pump);
	}
	run->packets = calloc(PACKETS + 4, sizeof(*run->packets));
	assert_non_null(run->packets);
	run->now_ns = BEGIN_NS;
	for (int i = 0; i < EPISODES; i++)
		begin(run, &run->episodes[i]);
}

static void run_fini(struct run *run)
{
	bed_fini(&run->bed);
	free(run->packets);
}

static void run_all(struct run *run)
{
	while (run->count < PACKETS) {
		struct episode *next = &run->episodes[0];

		for (int i = 1; i < EPISODES; i++)
			if (run->episodes[i].next_ns < next->next_ns)
				next = &run->episodes[i];
		if (next->next_ns > run->now_ns)
			run->now_ns = next->next_ns;
		step(run, next);
		if (random_once(&run->random, 300))
			disturb(run);
	}
	pump_check(run->bed.pump);
	bed_run(&run->bed, run->now_ns + DRAIN_NS);
	assert_int_equal(0, pump_check(run->bed.pump));
}

/* ------ afterwards */

static void check_all_left(struct run *run)
{
	struct snapshot_totals totals;
	uint64_t passed = 0, dropped = 0, out = 0, noted;

	for (size_t i = 0; i < run->count; i++) {
		struct packet *sent = &run->packets[i];
		const struct bed_packet *seen = &run->bed.packets[sent->id];

		if (seen->fate != BED_PASSED && seen->fate != BED_DROPPED)
			fail_msg("packet %zu of %d is stuck", i, run->kind);
		sent->passed = seen->fate == BED_PASSED;
		sent->left_ns = seen->left_ns;
		passed += sent->passed;
		dropped += !sent->passed;
		out += !sent->in;
		assert_true(!sent->in || sent->left_ns == sent->offered_ns);
		if (run->kind == SHADOW)
			assert_true(sent->passed &&
				    sent->left_ns == sent->offered_ns);
	}
	snapshot_totals(run->bed.pump, &totals);
	assert_int_equal(0, totals.held_pkts);
	noted = bed_counter(&run->bed, STATS_out_pkts) +
		bed_counter(&run->bed, STATS_exempt_pkts);
	/* what comes in is counted as exempt as well */
	if (run->kind == EXEMPT)
		assert_in_range(noted, out, run->count);
	else
		assert_int_equal(out, noted);
	if (run->kind != SHADOW)
		assert_int_equal(
			dropped,
			bed_counter(&run->bed, STATS_dropped_key_bound) +
				bed_counter(&run->bed,
					    STATS_dropped_host_bound) +
				bed_counter(&run->bed, STATS_dropped_bound));
	if (run->kind == EXACT || run->kind == RELEASE)
		assert_int_equal(run->count, passed);
}

static int by_left(const void *a, const void *b)
{
	const struct packet *left = a, *right = b;

	if (left->left_ns != right->left_ns)
		return left->left_ns < right->left_ns ? -1 : 1;
	return left->id < right->id ? -1 : left->id > right->id;
}

static bool same_pair(const struct packet *a, const struct packet *b)
{
	return a->host == b->host && a->peer == b->peer;
}

/* Those of a flow leave as they came. */
static void check_order(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct packet *a = &run->packets[i];

		for (size_t k = i + 1; k < run->count && k < i + 400; k++) {
			const struct packet *b = &run->packets[k];

			if (same_pair(a, b) && a->port == b->port &&
			    a->in == b->in && a->passed && b->passed &&
			    a->id > b->id)
				assert_true(a->left_ns == b->left_ns);
		}
	}
}

/* What went out of a pair, and came in, as two lists. */
struct lists {
	const struct packet *out[PACKETS + 4], *in[PACKETS + 4];
	size_t outs, ins;
};

static void list_pair(const struct run *run, uint32_t host, uint32_t peer,
		      struct lists *ret)
{
	ret->outs = ret->ins = 0;
	for (size_t i = 0; i < run->count; i++) {
		const struct packet *sent = &run->packets[i];

		if (sent->host != host || sent->peer != peer || !sent->passed)
			continue;
		if (sent->in)
			ret->in[ret->ins++] = sent;
		else
			ret->out[ret->outs++] = sent;
	}
}

static void check_silent(const struct packet **list, size_t count)
{
	uint64_t begun_ns = 0, last_ns = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t at_ns = list[i]->left_ns;
		size_t most, in_second = 0;

		if (last_ns == 0 || at_ns - last_ns >= SILENCE_NS - 20 * MS)
			begun_ns = at_ns;
		last_ns = at_ns;
		most = at_ns < begun_ns + S ? FIRST_SECOND_PKTS
					    : LATER_SECOND_PKTS;
		while (i + in_second < count &&
		       list[i + in_second]->left_ns < at_ns + S)
			in_second++;
		if (in_second > most)
			fail_msg("host %u peer %u: %zu in the second from "
				 "%.6f, %.6f after it began",
				 list[i]->host, list[i]->peer, in_second,
				 (double)at_ns / 1e9,
				 (double)(at_ns - begun_ns) / 1e9);
	}
}

static size_t within(const struct packet *const *list, size_t count,
		     uint64_t from_ns, uint64_t to_ns)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++)
		found += list[i]->left_ns >= from_ns &&
			 list[i]->left_ns < to_ns;
	return found;
}

/* What was heard within a minute buys its part, at most. */
static void check_answered(const struct lists *lists)
{
	for (size_t i = 0; i < lists->outs; i += 10) {
		uint64_t at_ns = lists->out[i]->left_ns;

		assert_in_range(
			within(lists->out, lists->outs, at_ns, at_ns + S), 1,
			within(lists->in, lists->ins, at_ns - SILENCE_NS,
			       at_ns + S) *
					PKTS_PER_REPLY +
				FIRST_SECOND_PKTS);
	}
}

static void check_connections(const struct packet **list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t begun = 0;

		if (!list[i]->syn)
			continue;
		for (size_t k = i; k < count; k++) {
			if (list[k]->left_ns >= list[i]->left_ns + S)
				break;
			begun += list[k]->syn;
		}
		assert_in_range(begun, 1, CONNECTIONS_PER_S);
	}
}

/* First to a peer that never answered this host, after a minute of silence. */
static void check_contacts(const struct run *run, uint32_t host)
{
	static uint64_t last_ns[PEERS], contacts_ns[PACKETS];
	static bool heard[PEERS];
	size_t count = 0;

	memset(last_ns, 0, sizeof(last_ns));
	memset(heard, 0, sizeof(heard));
	for (size_t i = 0; i < run->count; i++) {
		const struct packet *sent = &run->packets[i];
		uint64_t silent_ns = sent->left_ns - last_ns[sent->peer];

		if (sent->host != host || !sent->passed)
			continue;
		heard[sent->peer] |= sent->in;
		/* what will answer is not judged here */
		if (sent->in || sent->peer < ANSWERING || heard[sent->peer])
			continue;
		if (silent_ns > SILENCE_NS)
			contacts_ns[count++] = sent->left_ns;
		last_ns[sent->peer] = sent->left_ns;
	}
	for (size_t i = CONTACTS_PER_S; i < count; i++)
		if (contacts_ns[i] < contacts_ns[i - CONTACTS_PER_S] + S &&
		    (i < CONTACTS_PER_S + CONTACTS_RESERVED ||
		     contacts_ns[i] < contacts_ns[i - CONTACTS_PER_S -
						  CONTACTS_RESERVED] +
					      S))
			fail_msg("host %u: %d contacts in the second until "
				 "%.6f",
				 host, CONTACTS_PER_S + 1,
				 (double)contacts_ns[i] / 1e9);
}

static void check_promises(const struct run *run)
{
	uint32_t hosts = run->kind == EXEMPT ? HOSTS - 1 : HOSTS;
	static struct lists lists;

	for (uint32_t host = 0; host < hosts; host++) {
		for (uint32_t peer = 0; peer < PEERS; peer++) {
			list_pair(run, host, peer, &lists);
			if (lists.ins == 0)
				check_silent(lists.out, lists.outs);
			else
				check_answered(&lists);
			check_connections(lists.out, lists.outs);
		}
		check_contacts(run, host);
	}
}

static void check_kind(enum kind kind)
{
	const char *text = getenv("SYMTAP_RUNS");
	uint64_t runs = text ? strtoull(text, NULL, 0) : RUNS;
	uint64_t first = random_seed("judgement", 1);
	static struct run run;

	for (uint64_t i = 0; i < runs; i++) {
		printf("kind %d: SYMTAP_SEED=%llu\n", (int)kind,
		       (unsigned long long)(first + i));
		run_init(&run, kind, first + i);
		run_all(&run);
		check_all_left(&run);
		qsort(run.packets, run.count, sizeof(*run.packets), by_left);
		check_order(&run);
		if (kind != SHADOW && kind != RELEASE)
			check_promises(&run);
		run_fini(&run);
	}
}

static void test_the_default_keeps_its_promises(void **state)
{
	(void)state;
	check_kind(SHIPPED);
}

static void test_it_does_with_exact_windows_and_no_bounds(void **state)
{
	(void)state;
	check_kind(EXACT);
}

static void test_shadow_holds_nothing_up(void **state)
{
	(void)state;
	check_kind(SHADOW);
}

static void test_release_at_the_bound_loses_nothing(void **state)
{
	(void)state;
	check_kind(RELEASE);
}

static void test_reloads_break_no_promise(void **state)
{
	(void)state;
	check_kind(RELOAD);
}

static void test_exemptions_break_no_promise_of_others(void **state)
{
	(void)state;
	check_kind(EXEMPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_default_keeps_its_promises),
		cmocka_unit_test(test_it_does_with_exact_windows_and_no_bounds),
		cmocka_unit_test(test_shadow_holds_nothing_up),
		cmocka_unit_test(test_release_at_the_bound_loses_nothing),
		cmocka_unit_test(test_reloads_break_no_promise),
		cmocka_unit_test(test_exemptions_break_no_promise_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
