/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one packet costs the core: both scopes, random keys, one thread.
 * Parsing is not in it: packets are built outside of the measured time.
 * Beside it, in the same run and in turns:
 *
 *	uthash  the same two look-ups (flow and pair, 40-byte keys, the same
 *	        keyed hash, entries allocated beforehand) and a count
 *	floor   per scope two adjacent cache lines at an independent random
 *	        place of a table of the same size, in batches of the engine's
 *	        size, and one keyed hash
 *	chain   the same lines, each place told by the one read before
 *
 * usage: bench-engine [PAIRS...]   (default 1000 100000 1000000 4000000)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "flowtable/flowtable.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"
#include "tests/bench/engine_uthash.h"

#define SECOND 1000000000u

enum { BATCH = 64, ROUNDS = 7, BATCHES = 8192, SIDES = 4 };

static uint64_t random_state = 88172645463325252u;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	if (!file || fscanf(file, "%*s %lu", &pages) != 1)
		exit(1);
	fclose(file);
	return (uint64_t)pages * 4096;
}

static void *large(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	madvise(memory, bytes, MADV_HUGEPAGE);
	memset(memory, 1, bytes);
	return memory;
}

/* ------ the packets: pair i is one host of 65,536 and a peer of its own */

static void address_of(uint32_t number, uint8_t first, uint8_t address[16])
{
	memset(address, 0, 16);
	address[10] = address[11] = 0xff;
	address[12] = first;
	address[13] = (uint8_t)(number >> 16);
	address[14] = (uint8_t)(number >> 8);
	address[15] = (uint8_t)number;
}

static void ends_of(uint32_t pair, bool out, struct packet_ends *ends)
{
	uint8_t *inside = out ? ends->src : ends->dst;
	uint8_t *outside = out ? ends->dst : ends->src;

	memset(ends, 0, sizeof(*ends));
	address_of(pair & 0xffff, 10, inside);
	address_of(pair, (uint8_t)(100 + (pair >> 24)), outside);
	ends->src_port = out ? 40000 : 443;
	ends->dst_port = out ? 443 : 40000;
	ends->proto = 17;
}

struct traffic {
	uint32_t pairs;
	uint8_t *answered; /* per pair: its last packet was in */
	uint64_t now_ns, gap_ns;
	bool counts; /* the engine will see these packets */
	uint32_t batch[BATCH];
	struct pump_packet packets[BATCH];
};

/* Each pair's packets go out and in by turns, so that all of them conform. */
static void fill(struct traffic *traffic, int64_t sequential)
{
	for (uint32_t i = 0; i < BATCH; i++) {
		uint32_t pair = sequential >= 0
					? (uint32_t)sequential + i
					: (uint32_t)(random_next() >> 20);
		struct pump_packet *packet = &traffic->packets[i];

		pair %= traffic->pairs;
		traffic->batch[i] = pair;
		if (traffic->counts)
			traffic->answered[pair] ^= 1;
		packet->meta = (struct packet_meta){
			.length_bytes = 128,
			.header_bytes = 28,
		};
		ends_of(pair, traffic->answered[pair], &packet->meta.ends);
		packet->wire_pkts = 1;
		if (traffic->counts)
			traffic->now_ns += traffic->gap_ns;
	}
}

/* ------ the four sides */

struct bench {
	struct traffic traffic;
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	struct bench_uthash *uthash;
	uint8_t *floor[2];
	size_t floor_places[2];
	struct flowtable hasher;
	double ns[SIDES][ROUNDS];
	volatile uint64_t sink;
};

static struct policy *policy_for(uint32_t pairs)
{
	static struct policy_errors errors;
	struct policy *policy;
	char text[512];
	int bytes = snprintf(text, sizeof(text),
			     "mode: enforce\ninside: [10.0.0.0/8]\n"
			     "limits: {pairs: %u, flows: %u, hosts: 65536, "
			     "pairs_per_host: %u, flows_per_host: %u}\n",
			     pairs, pairs, pairs, pairs);

	if (!policy_parse("bench", text, (size_t)bytes, &policy, &errors))
		exit(1);
	return policy;
}

static double run_engine(struct bench *bench)
{
	uint64_t spent_ns = 0;

	for (int i = 0; i < BATCHES; i++) {
		uint64_t start_ns;

		fill(&bench->traffic, -1);
		start_ns = clock_now_ns();
		pump_offer(bench->pump, bench->traffic.packets, BATCH,
			   bench->traffic.now_ns);
		spent_ns += clock_now_ns() - start_ns;
	}
	return (double)spent_ns / BATCHES / BATCH;
}

static double run_uthash(struct bench *bench)
{
	struct flow_key keys[BATCH][2];
	uint64_t spent_ns = 0;

	for (int i = 0; i < BATCHES; i++) {
		uint64_t start_ns;

		fill(&bench->traffic, -1);
		for (int k = 0; k < BATCH; k++) {
			struct packet_meta meta;

			ends_of(bench->traffic.batch[k], true, &meta.ends);
			flow_key_of(&meta, FLOW_OUT, 0, &keys[k][0]);
			flow_key_widen(&keys[k][0], FLOW_SCOPE_PAIR,
				       &keys[k][1]);
		}
		start_ns = clock_now_ns();
		for (int k = 0; k < BATCH; k++) {
			bench_uthash_count(bench->uthash, 0, &keys[k][0]);
			bench_uthash_count(bench->uthash, 1, &keys[k][1]);
		}
		spent_ns += clock_now_ns() - start_ns;
	}
	return (double)spent_ns / BATCHES / BATCH;
}

/* A place told by the hash, as good as random. */
static uint8_t *place_of(const struct bench *bench, int scope, uint64_t hash)
{
	uint64_t mixed =
		hash * (scope ? 0x9e3779b97f4a7c15u : 0xc2b2ae3d27d4eb4fu);

	return bench->floor[scope] +
	       (size_t)(((mixed >> 32) * bench->floor_places[scope]) >> 32) *
		       128;
}

static double run_floor(struct bench *bench)
{
	struct flow_key keys[BATCH];
	uint8_t *places[BATCH][2];
	uint64_t spent_ns = 0;

	for (int i = 0; i < BATCHES; i++) {
		uint64_t start_ns;

		fill(&bench->traffic, -1);
		for (int k = 0; k < BATCH; k++)
			flow_key_of(&bench->traffic.packets[k].meta, FLOW_OUT,
				    0, &keys[k]);
		start_ns = clock_now_ns();
		for (int k = 0; k < BATCH; k++) {
			uint64_t hash =
				flowtable_hash(&bench->hasher, &keys[k]);

			for (int scope = 0; scope < 2; scope++) {
				places[k][scope] = place_of(bench, scope, hash);
				__builtin_prefetch(places[k][scope], 1);
				__builtin_prefetch(places[k][scope] + 64, 1);
			}
		}
		for (int k = 0; k < BATCH; k++)
			for (int scope = 0; scope < 2; scope++) {
				places[k][scope][0]++;
				places[k][scope][64]++;
			}
		spent_ns += clock_now_ns() - start_ns;
	}
	return (double)spent_ns / BATCHES / BATCH;
}

static double run_chain(struct bench *bench)
{
	uint64_t hash = random_next();
	uint64_t start_ns = clock_now_ns();
	int packets = BATCHES * BATCH / 8;

	for (int k = 0; k < packets; k++)
		for (int scope = 0; scope < 2; scope++) {
			uint8_t *place = place_of(bench, scope, hash);

			hash += (uint64_t)place[0] + place[64] +
				0x9e3779b97f4a7c15u;
		}
	bench->sink += hash;
	return (double)(clock_now_ns() - start_ns) / packets;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

/* Every pair is answered at once: what is measured are conversations, not first
 * contacts. */
static double fill_tables(struct bench *bench, uint32_t pairs)
{
	uint64_t before = resident_bytes();

	for (uint32_t i = 0; i < pairs; i += BATCH)
		for (int way = 0; way < 2; way++) {
			fill(&bench->traffic, i);
			pump_offer(bench->pump, bench->traffic.packets, BATCH,
				   bench->traffic.now_ns);
		}
	return (double)(resident_bytes() - before) / pairs;
}

static void fill_uthash(struct bench *bench, uint32_t pairs)
{
	bench->uthash = bench_uthash_new(pairs);
	for (uint32_t i = 0; i < pairs; i++) {
		struct packet_meta meta;
		struct flow_key keys[2];

		ends_of(i, true, &meta.ends);
		flow_key_of(&meta, FLOW_OUT, 0, &keys[0]);
		flow_key_widen(&keys[0], FLOW_SCOPE_PAIR, &keys[1]);
		bench_uthash_add(bench->uthash, 0, &keys[0]);
		bench_uthash_add(bench->uthash, 1, &keys[1]);
	}
}

static void run(uint32_t pairs)
{
	static struct bench bench;
	double (*const sides[SIDES])(struct bench *) = { run_engine, run_uthash,
							 run_floor, run_chain };
	struct snapshot_totals totals;
	double medians[SIDES], resident;
	size_t table_bytes;

	memset(&bench, 0, sizeof(bench));
	bench.policy = policy_for(pairs);
	bench.zones = zones_new();
	bench.traffic.now_ns = 1000000000000u;
	bench.traffic.pairs = pairs;
	/* 8 packets of each pair in a window, so that all of them are live;
	 * 5 million packets a second at most for few */
	bench.traffic.gap_ns = SECOND / 8 / pairs < 200 ? SECOND / 8 / pairs
							: 200;
	bench.traffic.answered = calloc(pairs, 1);
	bench.pump = pump_new(
		&(struct pump_config){
			.policy = bench.policy,
			.zones = bench.zones,
			.seed = "bench",
			.shards = 1,
		},
		bench.traffic.now_ns);
	if (!bench.pump || !bench.traffic.answered ||
	    !flowtable_init(&bench.hasher, pairs,
			    (const uint8_t *)"benchbench"
					     "bench!"))
		exit(1);
	bench.traffic.counts = true;
	resident = fill_tables(&bench, pairs);
	fill_uthash(&bench, pairs);
	table_bytes = flowtable_bytes(&bench.hasher);
	for (int scope = 0; scope < 2; scope++) {
		bench.floor[scope] = large(table_bytes);
		bench.floor_places[scope] = table_bytes / 128;
	}
	for (int round = 0; round < ROUNDS; round++)
		for (int side = 0; side < SIDES; side++) {
			bench.traffic.counts = side == 0;
			bench.ns[side][round] = sides[side](&bench);
		}
	for (int side = 0; side < SIDES; side++)
		medians[side] = median(bench.ns[side]);
	snapshot_totals(bench.pump, &totals);
	printf("%9u %8.1f %8.1f %8.1f %8.1f %8.2f %8.2f %10.1f %10.1f\n", pairs,
	       medians[0], medians[1], medians[2], medians[3],
	       medians[0] / medians[2], medians[1] / medians[0],
	       (double)table_bytes / bench.hasher.capacity, resident);
	if (totals.pairs < pairs || totals.suspects > pairs / 100 + 10)
		printf("          (%u pairs live, %u of them suspect)\n",
		       totals.pairs, totals.suspects);
	fflush(stdout);

	for (int scope = 0; scope < 2; scope++)
		munmap(bench.floor[scope], table_bytes);
	flowtable_fini(&bench.hasher);
	bench_uthash_free(bench.uthash);
	pump_free(bench.pump);
	zones_free(bench.zones);
	policy_free(bench.policy);
	free(bench.traffic.answered);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = { 1000, 100000, 1000000, 4000000 };

	printf("ns per packet, both scopes, batches of %d, medians of %d "
	       "rounds in turns; parsing excluded\n",
	       BATCH, ROUNDS);
	printf("%9s %8s %8s %8s %8s %8s %8s %10s %10s\n", "pairs", "engine",
	       "uthash", "floor", "chain", "/floor", "uthash/", "B/key",
	       "RSS/pair");
	for (int i = 1; i < argc; i++)
		run((uint32_t)strtoul(argv[i], NULL, 10));
	for (size_t i = 0; argc == 1 && i < 4; i++)
		run(defaults[i]);
	return 0;
}
