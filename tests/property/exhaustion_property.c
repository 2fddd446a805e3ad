/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ten million random five-tuples: from one inside host, from outside to one
 * inside address, from outside to many.  Meanwhile a known flood stays at its
 * trickle, answered pairs pass at once, and so does a host that begins now.
 *
 *	SYMTAP_SEED    of the tuples
 *	SYMTAP_TUPLES  how many; 10 million, with sanitizers 300,000
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "tests/pump_bed.h"
#include "tests/random.h"

#define MS     1000000u
#define SECOND 1000000000u

enum { BATCH = 64, GOOD = 20, PAIRS = 100000, FLOWS = 200000, HOSTS = 1000 };

enum who { FLOOD, GOOD_PAIR, SPRAY, WHOS };

#if defined(__SANITIZE_ADDRESS__)
enum { TUPLES = 300000, SANITIZED = 1 };
#else
enum { TUPLES = 10000000, SANITIZED = 0 };
#endif

struct scene {
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	uint64_t now_ns;
	struct random random;
	struct pump_packet flood, good_out[GOOD], good_in[GOOD];
	uint64_t sent[WHOS], passed[WHOS];
	struct scene *alone; /* with nothing but the flood */
	uint64_t judging_ns, judged_pkts, worst_batch_ns;
};

/* ------ a small adapter: ids say whose packet it was */

static void collect(struct scene *scene)
{
	struct pump_release releases[BATCH];
	size_t count;

	while ((count = pump_collect(scene->pump, releases, BATCH)) > 0)
		for (size_t i = 0; i < count; i++)
			scene->passed[releases[i].id] += releases[i].verdict ==
							 PUMP_PASS;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static void offer(struct scene *scene, struct pump_packet *packets,
		  size_t count)
{
	uint64_t start_ns = cpu_ns(), spent_ns;

	for (size_t i = 0; i < count; i++)
		scene->sent[packets[i].id]++;
	pump_offer(scene->pump, packets, count, scene->now_ns);
	collect(scene);
	for (size_t i = 0; i < count; i++) {
		if (packets[i].verdict == PUMP_WAIT)
			pump_hold(scene->pump, &packets[i], 1, scene->now_ns);
		if (packets[i].verdict == PUMP_PASS)
			scene->passed[packets[i].id]++;
	}
	pump_settle(scene->pump);
	collect(scene);
	spent_ns = cpu_ns() - start_ns;
	scene->judging_ns += spent_ns;
	scene->judged_pkts += count;
	if (spent_ns > scene->worst_batch_ns)
		scene->worst_batch_ns = spent_ns;
}

static void advance(struct scene *scene, uint64_t now_ns)
{
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(scene->pump)) <= now_ns) {
		pump_advance(scene->pump, next_ns);
		collect(scene);
		assert_true(pump_next_ns(scene->pump) > next_ns);
	}
	scene->now_ns = now_ns;
}

/* ------ the scene */

static void scene_init(struct scene *scene, const char *enforce)
{
	static struct policy_errors errors;
	char text[512];
	int bytes = snprintf(text, sizeof(text),
			     "mode: enforce\ninside: [10.0.0.0/8]\n"
			     "limiter: {enforce: %s, evidence: packets}\n"
			     "guards: {first_contacts: 0, "
			     "new_connections: 0}\n"
			     "limits: {pairs: %d, flows: %d, hosts: %d}\n",
			     enforce, PAIRS, FLOWS, HOSTS);

	memset(scene, 0, sizeof(*scene));
	if (!policy_parse("scene", text, (size_t)bytes, &scene->policy,
			  &errors))
		fail_msg("policy does not parse");
	scene->zones = zones_new();
	zones_id(scene->zones, scene->policy, "lan0", 0);
	scene->now_ns = 1000ull * SECOND;
	scene->pump = pump_new(
		&(struct pump_config){
			.policy = scene->policy,
			.zones = scene->zones,
			.seed = "exhaustion",
			.shards = 1,
		},
		scene->now_ns);
	assert_non_null(scene->pump);
	random_init(&scene->random, random_seed("exhaustion", 1));

	bed_packet(&scene->flood, "udp", "10.0.0.1", 7, "192.0.2.1", 7);
	scene->flood.id = FLOOD;
	for (int i = 0; i < GOOD; i++) {
		char inside[32], outside[32];

		/* some belong to the spraying host, 10.0.0.2, which must not
		 * matter unless hosts hold packets */
		snprintf(inside, sizeof(inside), "10.0.0.%d",
			 (strstr(enforce, "host") ? 3 : 2) + i % 7);
		snprintf(outside, sizeof(outside), "192.0.2.%d", 10 + i);
		bed_packet(&scene->good_out[i], "udp", inside, 5, outside, 53);
		bed_packet(&scene->good_in[i], "udp", outside, 53, inside, 5);
		scene->good_out[i].id = GOOD_PAIR;
		scene->good_in[i].id = GOOD_PAIR;
	}
}

static void scene_fini(struct scene *scene)
{
	pump_free(scene->pump);
	zones_free(scene->zones);
	policy_free(scene->policy);
}

static void flood(struct scene *scene)
{
	struct pump_packet packets[10];

	for (int i = 0; i < 10; i++)
		packets[i] = scene->flood;
	offer(scene, packets, 10);
}

/* Each asks, and is answered. */
static void converse(struct scene *scene)
{
	for (int i = 0; i < GOOD; i++) {
		struct pump_packet packets[2] = { scene->good_out[i],
						  scene->good_in[i] };

		offer(scene, packets, 2);
	}
	assert_int_equal(scene->passed[GOOD_PAIR], scene->sent[GOOD_PAIR]);
}

/* A host that nobody has heard of asks somebody, twice, and is answered. */
static void newcomer(struct scene *scene, uint32_t number)
{
	struct pump_packet packets[3];
	char inside[32];

	snprintf(inside, sizeof(inside), "10.0.1.%u", number % 250);
	bed_packet(&packets[0], "udp", inside, (uint16_t)number, "192.0.2.99",
		   53);
	bed_packet(&packets[1], "udp", "192.0.2.99", 53, inside,
		   (uint16_t)number);
	packets[2] = packets[0];
	for (int i = 0; i < 3; i++)
		packets[i].id = GOOD_PAIR;
	offer(scene, packets, 3);
	assert_int_equal(scene->passed[GOOD_PAIR], scene->sent[GOOD_PAIR]);
}

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*s %lu", &pages), 1);
	fclose(file);
	return (uint64_t)pages * 4096;
}

static void row_of_flood(struct scene *scene, struct snapshot_row *ret_row)
{
	struct snapshot_query query = {
		.scopes = 1u << FLOW_SCOPE_FLOW,
		.by_address = true,
	};
	struct snapshot_cursor cursor = { 0 };
	size_t count = 0;

	memcpy(query.address, scene->flood.meta.ends.dst, 16);
	while (!cursor.ended && count == 0)
		count = snapshot_rows(scene->pump, &query, &cursor, 1u << 20,
				      ret_row, 1, scene->now_ns);
	assert_int_equal(count, 1);
}

/* As if there were nothing but the flood. */
static void check_flood(struct scene *scene)
{
	struct snapshot_row row, alone;

	row_of_flood(scene, &row);
	row_of_flood(scene->alone, &alone);
	assert_int_equal(scene->passed[FLOOD], scene->alone->passed[FLOOD]);
	assert_int_equal(row.releases, alone.releases);
	assert_int_equal(row.armed_ns, alone.armed_ns);
	assert_int_equal(row.sent_pkts, alone.sent_pkts);
	assert_int_equal(row.held_pkts, alone.held_pkts);
	assert_true(row.over && row.held_pkts > 0);
}

typedef void make_tuple(struct scene *scene, struct pump_packet *packet);

/* At a million packets a second. */
static void spray(struct scene *scene, make_tuple *make, uint64_t tuples)
{
	struct pump_packet packets[BATCH];
	uint64_t next_ns = scene->now_ns;
	uint32_t round = 0;

	for (uint64_t done = 0; done < tuples; done += BATCH) {
		for (int i = 0; i < BATCH; i++) {
			make(scene, &packets[i]);
			packets[i].id = SPRAY;
		}
		advance(scene, scene->now_ns + BATCH * 1000);
		offer(scene, packets, BATCH);
		if (scene->now_ns < next_ns)
			continue;
		next_ns += 20 * MS;
		advance(scene->alone, scene->now_ns);
		flood(scene->alone);
		flood(scene);
		check_flood(scene);
		converse(scene);
		if (round++ % 5 == 0)
			newcomer(scene, round);
	}
}

static void random_packet(struct random *random, struct pump_packet *packet,
			  bool out)
{
	uint64_t bits = random_next(random);
	struct packet_ends *ends = &packet->meta.ends;
	uint8_t *outside = out ? ends->dst : ends->src;

	bed_packet(packet, "udp", out ? "10.0.0.2" : "198.51.100.1",
		   (uint16_t)bits, out ? "198.51.100.1" : "10.0.0.3",
		   (uint16_t)(bits >> 16));
	memcpy(outside + 12, (const uint8_t *)&bits + 4, 4);
	if (outside[12] == 10)
		outside[12] = 11;
}

static void tuple_out(struct scene *scene, struct pump_packet *packet)
{
	random_packet(&scene->random, packet, true);
}

/* Each often enough to be over its threshold. */
static void tuple_out_six_times(struct scene *scene, struct pump_packet *packet)
{
	static struct pump_packet last;
	static uint32_t left;

	if (left-- == 0) {
		random_packet(&scene->random, &last, true);
		left = 5;
	}
	*packet = last;
}

static void tuple_in(struct scene *scene, struct pump_packet *packet)
{
	random_packet(&scene->random, packet, false);
}

static void tuple_in_to_many(struct scene *scene, struct pump_packet *packet)
{
	uint64_t bits = random_next(&scene->random);

	random_packet(&scene->random, packet, false);
	memcpy(packet->meta.ends.dst + 13, &bits, 3);
}

/* ------ */

static uint64_t tuples(void)
{
	const char *text = getenv("SYMTAP_TUPLES");

	return text ? strtoull(text, NULL, 0) : TUPLES;
}

static void tell(struct scene *scene, const char *what)
{
	struct snapshot_totals totals;
	uint64_t *counter = totals.stats.counter;

	snapshot_totals(scene->pump, &totals);
	printf("%s: %llu tuples, %.0f ns a packet, worst batch %.0f us; %u "
	       "pairs, %u flows, %u hosts, %u suspects; no place: %llu by "
	       "quota, %llu full, %llu from outside; judged by host %llu\n",
	       what, (unsigned long long)scene->sent[SPRAY],
	       (double)scene->judging_ns / (double)scene->judged_pkts,
	       (double)scene->worst_batch_ns / 1000, totals.pairs, totals.flows,
	       totals.hosts, totals.suspects,
	       (unsigned long long)counter[STATS_keys_refused_quota],
	       (unsigned long long)counter[STATS_keys_refused_full],
	       (unsigned long long)counter[STATS_keys_ignored_in],
	       (unsigned long long)counter[STATS_judged_by_host]);
}

/* Warm up until every table is as full as it gets, then all the rest. */
static void withstand(const char *what, const char *enforce, make_tuple *make,
		      void (*check)(struct scene *scene,
				    const struct snapshot_totals *totals))
{
	static struct scene scene, alone;
	struct snapshot_totals before, after;
	uint64_t bytes, flood_before, start_ns;

	scene_init(&scene, enforce);
	scene_init(&alone, enforce);
	scene.alone = &alone;
	spray(&scene, make, tuples() / 5);
	snapshot_totals(scene.pump, &before);
	bytes = resident_bytes();
	flood_before = scene.passed[FLOOD];
	start_ns = scene.now_ns;

	spray(&scene, make, tuples() - tuples() / 5);
	snapshot_totals(scene.pump, &after);
	tell(&scene, what);
	assert_int_equal(after.memory_bytes, before.memory_bytes);
	/* newcomers touch a large page now and then */
	if (!SANITIZED)
		assert_in_range(resident_bytes(), 0, bytes + (4u << 20));
	/* a trickle of 9 a second */
	assert_in_range(scene.passed[FLOOD] - flood_before, 0,
			(scene.now_ns - start_ns) * 9 / SECOND + 2);
	assert_in_range(after.pairs, 0, PAIRS + PAIRS / 8 + 1);
	assert_in_range(after.flows, 0, FLOWS + FLOWS / 8 + 1);
	assert_in_range(after.hosts, 0, HOSTS + HOSTS / 8 + 1);
	check(&scene, &after);
	scene_fini(&scene);
	scene_fini(&alone);
}

static void check_out(struct scene *scene, const struct snapshot_totals *totals)
{
	const uint64_t *counter = totals->stats.counter;

	/* a quarter of the pairs is its share, four packets each at once;
	 * past that its own gate judges */
	assert_true(counter[STATS_keys_refused_quota] > 0);
	assert_true(counter[STATS_judged_by_host] > 0);
	assert_int_equal(counter[STATS_keys_refused_full], 0);
	assert_true(scene->passed[SPRAY] < scene->sent[SPRAY] / 2);
}

static void check_suspects(struct scene *scene,
			   const struct snapshot_totals *totals)
{
	check_out(scene, totals);
	assert_true(totals->stats.counter[STATS_suspects_refused] > 0);
	/* one host borrows a quarter at most; the flood has what it needs */
	assert_in_range(totals->suspects, 0, totals->suspects_max / 4 + 100);
}

static void check_in(struct scene *scene, const struct snapshot_totals *totals)
{
	const uint64_t *counter = totals->stats.counter;

	assert_true(counter[STATS_keys_ignored_in] > 0);
	assert_int_equal(counter[STATS_keys_refused_quota], 0);
	assert_int_equal(counter[STATS_keys_refused_full], 0);
	assert_int_equal(scene->passed[SPRAY], scene->sent[SPRAY]);
}

static void test_pump_withstands_a_spray_from_inside(void **state)
{
	(void)state;
	withstand("out", "[pair, flow]", tuple_out, check_out);
}

static void test_pump_withstands_a_spray_from_inside_with_all(void **state)
{
	(void)state;
	withstand("out, [host, pair, flow]", "[host, pair, flow]", tuple_out,
		  check_out);
}

static void test_pump_withstands_a_spray_of_suspects(void **state)
{
	(void)state;
	withstand("out, six times", "[pair, flow]", tuple_out_six_times,
		  check_suspects);
}

static void test_pump_withstands_a_spray_from_outside_to_one(void **state)
{
	(void)state;
	withstand("in to one", "[pair, flow]", tuple_in, check_in);
}

static void test_pump_withstands_a_spray_from_outside_to_many(void **state)
{
	(void)state;
	withstand("in to many", "[host, pair, flow]", tuple_in_to_many,
		  check_in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pump_withstands_a_spray_from_inside),
		cmocka_unit_test(
			test_pump_withstands_a_spray_from_inside_with_all),
		cmocka_unit_test(test_pump_withstands_a_spray_of_suspects),
		cmocka_unit_test(
			test_pump_withstands_a_spray_from_outside_to_one),
		cmocka_unit_test(
			test_pump_withstands_a_spray_from_outside_to_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
