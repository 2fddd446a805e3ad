/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pump beside the naive model of its page, in random traffic.
 *
 *	SYMTAP_SEED  the first run's seed; the others count up from there
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
#include "tests/property/pump_model.h"
#include "tests/pump_bed.h"
#include "tests/random.h"

#define MS     1000000u
#define SECOND 1000000000u

enum {
	HOSTS = 3,
	PEERS = 3,
	PORTS = 2,
	FLOWS = HOSTS * PEERS * PORTS,
};

#define UNBOUND                                                            \
	"limits: {pairs: 1000, flows: 1000, hosts: 100, held_packets: 0, " \
	"held_bytes: 0, held_packets_per_host: 0, held_packets_per_key: 0}\n"

/* ------ the same traffic for both */

struct both {
	struct bed bed;
	struct model model;
	struct pump_packet out[FLOWS], in[FLOWS];
	uint8_t keys[FLOWS][MODEL_PACKET_KEYS];
	uint8_t keys_count;
	uint8_t flow_of[1 << 16]; /* by id */
};

static void make_packets(struct both *both)
{
	for (int flow = 0; flow < FLOWS; flow++) {
		char inside[32], outside[32];
		uint16_t port = (uint16_t)(1000 + flow % PORTS);

		snprintf(inside, sizeof(inside), "10.0.0.%d",
			 1 + flow / PORTS / PEERS);
		snprintf(outside, sizeof(outside), "192.0.2.%d",
			 1 + flow / PORTS % PEERS);
		bed_packet(&both->out[flow], "udp", inside, port, outside, 53);
		bed_packet(&both->in[flow], "udp", outside, 53, inside, port);
	}
}

/* A number for each key of the scopes in `enforce`, narrowest first; the
 * second host's are under the policy's own rule for it. */
static void number_keys(struct both *both, unsigned int enforce)
{
	static const int keys_of_scope[] = { FLOWS, HOSTS * PEERS, HOSTS };
	const struct policy *policy = both->bed.policy;
	size_t total = 0;

	both->keys_count = 0;
	for (int scope = 0; scope < FLOW_SCOPES; scope++)
		if (enforce >> scope & 1)
			total += (size_t)keys_of_scope[scope];
	model_init(&both->model, total, &policy->params[0], both->bed.now_ns);
	total = 0;
	for (int scope = 0; scope < FLOW_SCOPES; scope++) {
		if (!(enforce >> scope & 1))
			continue;
		for (int flow = 0; flow < FLOWS; flow++) {
			int number = flow * keys_of_scope[scope] / FLOWS;
			size_t key = total + (size_t)number;

			both->keys[flow][both->keys_count] = (uint8_t)key;
			if (flow / PORTS / PEERS == 1 &&
			    policy->params_count > 1)
				both->model.keys[key].params =
					policy->params[1];
		}
		both->keys_count++;
		total += (size_t)keys_of_scope[scope];
	}
}

static void both_init(struct both *both, const char *limiter,
		      const char *enforce)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml),
		 "limiter: {%s, enforce: %s}\n" UNBOUND
		 "rules: [{priority: 1, match: {src: 10.0.0.2/32}, "
		 "action: limit, threshold: 3.0, window: 500ms}]\n",
		 limiter, enforce);
	bed_init(&both->bed, yaml);
	make_packets(both);
	number_keys(both, both->bed.policy->enforce);
}

static void both_fini(struct both *both)
{
	bed_fini(&both->bed);
	model_fini(&both->model);
}

static void out(struct both *both, uint32_t flow, uint64_t now_ns)
{
	uint64_t id = bed_offer(&both->bed, &both->out[flow], now_ns);

	/* the bed numbers packets in as well */
	assert_true(id < sizeof(both->flow_of));
	both->flow_of[id] = (uint8_t)flow;
	model_offer(&both->model, both->keys[flow], both->keys_count, now_ns);
}

static void in(struct both *both, uint32_t flow, uint64_t now_ns)
{
	uint64_t id = bed_offer(&both->bed, &both->in[flow], now_ns);

	assert_true(id < sizeof(both->flow_of));
	both->flow_of[id] = FLOWS;
	model_heard(&both->model, both->keys[flow], both->keys_count, now_ns);
}

static void run(struct both *both, uint64_t now_ns)
{
	bed_run(&both->bed, now_ns);
	model_run(&both->model, now_ns);
}

/* Calls for each packet out; ids of the model count only those. */
static void
for_each_out(struct both *both,
	     void (*visit)(struct both *both, const struct bed_packet *got,
			   const struct model_packet *want, void *argument),
	     void *argument)
{
	size_t number = 0;

	for (size_t id = 0; id < both->bed.count; id++)
		if (both->flow_of[id] != FLOWS)
			visit(both, &both->bed.packets[id],
			      &both->model.packets[number++], argument);
	assert_int_equal(number, both->model.packets_count);
}

/* ------ equal, where windows are exact */

struct tally {
	size_t packets, delayed;
	uint64_t run;
};

static void check_equal(struct both *both, const struct bed_packet *got,
			const struct model_packet *want, void *argument)
{
	struct tally *tally = argument;
	uint64_t left_ns = want->left_ns;

	for (uint8_t i = 0; i < want->keys_count; i++)
		if (!both->model.keys[want->keys[i]].exact)
			return;
	assert_int_equal(got->fate, BED_PASSED);
	assert_int_not_equal(left_ns, MODEL_WAITS);
	if (got->left_ns + 5000 < left_ns || got->left_ns > left_ns + 5000)
		fail_msg("run %llu, key %u: came at %llu, left at %llu, model "
			 "%llu",
			 (unsigned long long)tally->run, want->keys[0],
			 (unsigned long long)want->arrived_ns,
			 (unsigned long long)got->left_ns,
			 (unsigned long long)left_ns);
	tally->packets++;
	tally->delayed += left_ns != want->arrived_ns;
}

/* Floods and trickles that are seldom answered. */
static void sparse_traffic(struct both *both, struct random *random)
{
	uint64_t now_ns = both->bed.now_ns;
	uint32_t events = random_in(random, 50, 400);
	uint32_t answered = random_in(random, 2, 12); /* one in so many */

	for (uint32_t i = 0; i < events; i++) {
		uint32_t flow = random_below(random, FLOWS);
		uint32_t count =
			random_once(random, 6) ? random_in(random, 1, 30) : 1;

		now_ns += 100000ull * (random_once(random, 10)
					       ? random_below(random, 20000)
					       : random_below(random, 500));
		for (; count > 0; count--)
			out(both, flow, now_ns);
		if (random_once(random, answered))
			in(both, random_below(random, FLOWS),
			   now_ns + 100000ull * random_below(random, 2));
		if (now_ns < both->bed.now_ns)
			now_ns = both->bed.now_ns;
	}
	run(both, now_ns + 2000ull * SECOND);
}

static const char *const limiters[] = {
	"threshold: 2.0",
	"threshold: 2.885",
	"threshold: 3.0, window: 4s",
	"threshold: 1.0, window: 200ms, first_delay: 1ms",
	"threshold: 0.0, window: 2s, max_delay: 100ms",
	"threshold: 4.0, window: 10s, first_delay: 20ms",
};
enum { LIMITERS = sizeof(limiters) / sizeof(limiters[0]) };

static void test_pump_equals_the_model_while_its_windows_are_exact(void **state)
{
	static const char *const enforcements[] = { "[flow]", "[pair]",
						    "[host]" };
	static struct both both;
	struct tally tally = { 0 };
	uint64_t seed = random_seed("pump_property", 1);

	(void)state;
	for (uint64_t i = 0; i < 180; i++) {
		struct random random;

		random_init(&random, seed + i);
		both_init(&both, limiters[i % LIMITERS],
			  enforcements[i / LIMITERS % 3]);
		tally.run = i;
		sparse_traffic(&both, &random);
		for_each_out(&both, check_equal, &tally);
		both_fini(&both);
	}
	printf("%zu packets compared, %zu of them delayed\n", tally.packets,
	       tally.delayed);
	assert_true(tally.delayed > 20000);
}

/* ------ one flow: all scopes alike */

static void
test_pump_treats_one_flow_alike_whatever_scopes_hold_it(void **state)
{
	static const char *const enforcements[] = {
		"[flow]", "[pair]",      "[pair, flow]", "[host, pair, flow]",
		"[host]", "[host, flow]"
	};
	enum { ENFORCEMENTS = 6, RUNS = 40, EVENTS = 300 };
	static struct bed bed;
	uint64_t seed = random_seed("one flow", 1000);

	(void)state;
	for (uint64_t i = 0; i < RUNS; i++) {
		uint64_t first[8 * EVENTS];
		size_t count = 0;

		for (int k = 0; k < ENFORCEMENTS; k++) {
			struct pump_packet packets[2];
			struct random random;
			uint64_t now_ns;
			char yaml[512];

			random_init(&random, seed + i);
			snprintf(yaml, sizeof(yaml),
				 "limiter: {%s, enforce: %s}\n" UNBOUND,
				 limiters[i % LIMITERS], enforcements[k]);
			bed_init(&bed, yaml);
			now_ns = bed.now_ns;
			bed_packet(&packets[0], "udp", "10.0.0.1", 1,
				   "192.0.2.1", 53);
			bed_packet(&packets[1], "udp", "192.0.2.1", 53,
				   "10.0.0.1", 1);
			for (int event = 0; event < EVENTS; event++) {
				uint32_t many = random_in(&random, 1, 8);
				bool reply = random_once(&random, 4);

				now_ns += random_next(&random) % (50 * MS);
				for (; many > 0; many--)
					bed_offer(&bed, &packets[reply],
						  now_ns);
			}
			bed_run(&bed, now_ns + 3000ull * SECOND);
			if (k == 0)
				count = bed.count;
			assert_int_equal(bed.count, count);
			for (size_t id = 0; id < count; id++) {
				if (k == 0)
					first[id] = bed.packets[id].left_ns;
				assert_int_equal(bed.packets[id].left_ns,
						 first[id]);
			}
			bed_fini(&bed);
		}
	}
}

/* ------ dense and answered: near, since windows keep runs, not packets */

struct key_tally {
	size_t delayed[2]; /* pump, model */
	double delay_s[2];
};

static void add_up(struct both *both, const struct bed_packet *got,
		   const struct model_packet *want, void *argument)
{
	struct key_tally *tally = (struct key_tally *)argument + want->keys[0];

	(void)both;
	assert_int_equal(got->fate, BED_PASSED);
	tally->delayed[0] += got->left_ns != want->arrived_ns;
	tally->delayed[1] += want->left_ns != want->arrived_ns;
	tally->delay_s[0] += (double)(got->left_ns - want->arrived_ns) / 1e9;
	tally->delay_s[1] += (double)(want->left_ns - want->arrived_ns) / 1e9;
}

/* Every flow at a pace and with a share of answers of its own. */
static void dense_traffic(struct both *both, struct random *random)
{
	struct {
		uint64_t next_ns, gap_ns, rtt_ns, reply_ns;
		uint32_t share; /* answered: so many of 1024 */
	} flows[FLOWS];
	uint64_t end_ns = both->bed.now_ns + 12ull * SECOND;
	uint64_t now_ns = both->bed.now_ns;

	for (int flow = 0; flow < FLOWS; flow++) {
		flows[flow].gap_ns = MS * random_in(random, 4, 60);
		flows[flow].rtt_ns = MS * random_in(random, 1, 200);
		flows[flow].share = random_in(random, 0, 1024);
		if (random_once(random, 2)) /* about what T asks for */
			flows[flow].share = random_in(random, 128, 384);
		flows[flow].next_ns =
			now_ns + random_next(random) % flows[flow].gap_ns;
		flows[flow].reply_ns = UINT64_MAX;
	}
	while (now_ns < end_ns) {
		uint32_t next = 0;
		bool reply = false;

		now_ns = UINT64_MAX;
		for (uint32_t flow = 0; flow < FLOWS; flow++) {
			if (flows[flow].next_ns < now_ns) {
				now_ns = flows[flow].next_ns;
				next = flow;
				reply = false;
			}
			if (flows[flow].reply_ns < now_ns) {
				now_ns = flows[flow].reply_ns;
				next = flow;
				reply = true;
			}
		}
		if (reply) {
			flows[next].reply_ns = UINT64_MAX;
			in(both, next, now_ns);
			continue;
		}
		out(both, next, now_ns);
		if (random_below(random, 1024) < flows[next].share &&
		    flows[next].reply_ns == UINT64_MAX)
			flows[next].reply_ns = now_ns + flows[next].rtt_ns;
		flows[next].next_ns = now_ns + flows[next].gap_ns / 2 +
				      random_next(random) % flows[next].gap_ns;
	}
	run(both, now_ns + 3000ull * SECOND);
}

static double apart(double a, double b)
{
	return a > b ? a - b : b - a;
}

/* A key that keeps crossing its threshold is chaotic: one packet that counts a
 * little longer moves all that follow.  So single keys are within
 * `share`/100, or `pkts` and `delay_s`. */
static bool is_within(const struct key_tally *tally, double share, double pkts,
		      double delay_share, double delay_s)
{
	double most_pkts = (double)tally->delayed[1] * share;
	double most_s = tally->delay_s[1] * delay_share;

	return apart((double)tally->delayed[0], (double)tally->delayed[1]) <=
		       (most_pkts > pkts ? most_pkts : pkts) &&
	       apart(tally->delay_s[0], tally->delay_s[1]) <=
		       (most_s > delay_s ? most_s : delay_s);
}

struct agreement {
	size_t keys, close, near;
	struct key_tally all;
};

static void agree(struct agreement *agreement, const struct key_tally *tally)
{
	if (tally->delayed[0] + tally->delayed[1] == 0)
		return;
	agreement->keys++;
	agreement->close += is_within(tally, 0.02, 1, 0.05, 0);
	agreement->near += is_within(tally, 0.10, 5, 0.25, 0.25);
	for (int side = 0; side < 2; side++) {
		agreement->all.delayed[side] += tally->delayed[side];
		agreement->all.delay_s[side] += tally->delay_s[side];
	}
}

static void test_pump_stays_near_the_model_in_dense_traffic(void **state)
{
	static const char *const enforcements[] = { "[flow]", "[pair]",
						    "[host]" };
	static struct both both;
	uint64_t seed = random_seed("dense", 2000);
	struct agreement agreement = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 24; i++) {
		struct key_tally tallies[MODEL_KEYS_MAX] = { 0 };
		struct random random;

		random_init(&random, seed + i);
		both_init(&both, limiters[i / 3 % 3], enforcements[i % 3]);
		dense_traffic(&both, &random);
		for_each_out(&both, add_up, tallies);
		for (size_t k = 0; k < both.model.keys_count; k++)
			agree(&agreement, &tallies[k]);
		both_fini(&both);
	}
	printf("of %zu delayed keys %zu within 2 %% (delay: 5 %%), %zu within "
	       "10 %% (25 %%)\n",
	       agreement.keys, agreement.close, agreement.near);
	printf("delayed in all %zu, model %zu; for %.0f s, model %.0f s\n",
	       agreement.all.delayed[0], agreement.all.delayed[1],
	       agreement.all.delay_s[0], agreement.all.delay_s[1]);
	assert_true(agreement.keys > 100);
	assert_true(agreement.close * 100 >= agreement.keys * 70);
	assert_true(agreement.near * 100 >= agreement.keys * 90);
	assert_true(apart((double)agreement.all.delayed[0],
			  (double)agreement.all.delayed[1]) <=
		    0.01 * (double)agreement.all.delayed[1]);
	assert_true(apart(agreement.all.delay_s[0], agreement.all.delay_s[1]) <=
		    0.01 * agreement.all.delay_s[1]);
}

/* ------ turns */

static void test_pump_lets_many_flows_of_a_closed_pair_take_turns(void **state)
{
	static const char *const enforcements[] = { "[pair, flow]",
						    "[host, pair, flow]",
						    "[host, flow]" };
	static struct bed bed;
	struct random random;

	(void)state;
	random_init(&random, random_seed("turns", 3000));
	for (int i = 0; i < 30; i++) {
		uint32_t flows = random_in(&random, 2, 60);
		uint32_t passed[60] = { 0 }, least = UINT32_MAX, most = 0;
		static uint8_t flow_of[60 * 40];
		struct pump_packet packet;
		char yaml[256];

		snprintf(yaml, sizeof(yaml), "limiter: {enforce: %s}\n" UNBOUND,
			 enforcements[i % 3]);
		bed_init(&bed, yaml);
		for (uint32_t k = 0; k < flows * 40; k++) {
			uint32_t flow = k % flows;
			uint64_t id;

			bed_packet(&packet, "udp", "10.0.0.1",
				   (uint16_t)(1000 + flow), "192.0.2.1", 53);
			id = bed_offer(&bed, &packet, bed.now_ns + k % 2);
			flow_of[id] = (uint8_t)flow;
		}
		bed_run(&bed, bed.now_ns + (uint64_t)random_in(&random, 1, 99) *
						   SECOND);
		for (size_t id = 0; id < bed.count; id++)
			passed[flow_of[id]] += bed.packets[id].fate ==
					       BED_PASSED;
		for (uint32_t flow = 0; flow < flows; flow++) {
			least = passed[flow] < least ? passed[flow] : least;
			most = passed[flow] > most ? passed[flow] : most;
		}
		assert_in_range(most - least, 0, 1);
		bed_fini(&bed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_pump_equals_the_model_while_its_windows_are_exact),
		cmocka_unit_test(
			test_pump_treats_one_flow_alike_whatever_scopes_hold_it),
		cmocka_unit_test(
			test_pump_stays_near_the_model_in_dense_traffic),
		cmocka_unit_test(
			test_pump_lets_many_flows_of_a_closed_pair_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
