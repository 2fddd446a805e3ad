/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every Ethernet capture below SYMTAP_CAPTURES twice, by the shipped default:
 * through a pump, and through the kernel program with a pump behind it, at the
 * times that the capture says.  The same packets leave at once, but for a few:
 * what the program counted comes back in buckets of W/14.  Captures are no part
 * of the tree: skipped where nobody says where they are.
 */
#include <assert.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flowtable/packet.h"
#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/pump.h"
#include "sim/capture.h"
#include "sim/initiators.h"

enum {
	SKIPPED = 77,
	LINK_ETHERNET = 1,
	SLOTS = 65536,
	FRAME_MAX = 3500,    /* in one page, as BPF_PROG_TEST_RUN wants it */
	PACKETS_MAX = 60000, /* of one capture */
	DIFFER_PER_MILLE = 2,
};

#define BEGIN_NS       UINT64_C(10000000000000)
#define LONGEST_GAP_NS UINT64_C(120000000000)

static const char POLICY[] =
	"mode: enforce\n"
	"inside: [203.0.113.0/24]\n" /* the test says who is guarded */
	"limits: {pairs: 20000, flows: 40000, hosts: 4096}\n";

struct side {
	struct zones *zones;
	struct pump *pump;
};

struct run {
	struct side alone, front;
	struct fastleases *leases;
	struct initiators *initiators;
	uint64_t now_ns;
	uint32_t out, passed, held, held_alone, differ;
};

static struct policy *policy;
static struct fast *fast;
static struct run totals;
static uint32_t files;

static void side_init(struct side *side)
{
	struct pump_config config = { .policy = policy, .shards = 1 };

	side->zones = zones_new();
	assert(side->zones && zones_id(side->zones, policy, "lan0", 0) == 0);
	config.zones = side->zones;
	side->pump = pump_new(&config, BEGIN_NS);
	assert(side->pump);
}

static void side_fini(struct side *side)
{
	pump_free(side->pump);
	zones_free(side->zones);
}

static void run_until(struct side *side, uint64_t now_ns)
{
	struct pump_release releases[64];
	uint64_t next_ns;

	while ((next_ns = pump_next_ns(side->pump)) <= now_ns)
		pump_advance(side->pump, next_ns);
	while (pump_collect(side->pump, releases, 64) > 0)
		;
}

static uint8_t take(struct side *side, struct pump_packet *packet)
{
	pump_take(side->pump, packet, 1);
	return packet->verdict;
}

/* What the adapter does with a packet that the program did not pass. */
static uint8_t judge(struct run *run, struct pump_packet *packet, uint32_t mark,
		     bool out)
{
	bool unicast = packet->meta.kind == PACKET_UNICAST;
	struct flow_key flow = { 0 };
	uint8_t verdict;

	flow_key_of(&packet->meta, out ? FLOW_OUT : FLOW_IN, 0, &flow);
	if (unicast)
		fastleases_note(run->leases, run->front.pump, &flow, mark,
				run->now_ns);
	verdict = take(&run->front, packet);
	if (unicast && out && verdict == PUMP_PASS)
		fastleases_offer(run->leases, run->front.pump, &flow,
				 run->now_ns);
	return verdict;
}

struct told {
	struct run *run;
	struct pump_packet *packet;
};

static void on_event(void *self, const struct fast_event *event)
{
	struct told *told = self;

	(void)event;
	judge(told->run, told->packet, FASTLEASES_MARK_NONE, false);
}

static void one_packet(struct run *run, const struct capture_packet *captured,
		       struct pump_packet *packet, bool out)
{
	uint8_t bytes[FRAME_MAX] = { 0 };
	struct fast_frame frame = { .bytes = bytes,
				    .count_bytes = captured->wire_bytes,
				    .out = out };
	struct pump_packet copy = *packet;
	struct told told = { run, &copy };
	uint8_t alone, front = PUMP_PASS;
	uint32_t mark = 0;

	memcpy(bytes, captured->bytes, captured->captured_bytes);
	run_until(&run->alone, run->now_ns);
	run_until(&run->front, run->now_ns);
	alone = take(&run->alone, packet);
	fast_set_time(fast, run->now_ns);
	assert(fast_run(fast, &frame, &mark) == 0);
	fastleases_sweep(run->leases, run->front.pump, run->now_ns);
	if (!out) {
		fast_receive(fast, on_event, &told);
		return;
	}
	mark = fast_mark(fast, mark);
	if (mark != FAST_MARK_PASSED)
		front = judge(run, &copy, mark, true);
	run->out++;
	run->passed += mark == FAST_MARK_PASSED;
	run->held += front != PUMP_PASS;
	run->held_alone += alone != PUMP_PASS;
	run->differ += front != alone;
}

/* Guarded is who spoke first. */
static void read_one(struct run *run, const struct capture_packet *captured)
{
	struct pump_packet packet = { .wire_pkts = 1, .shard = PUMP_HERE };
	bool out;

	if (captured->link_type != LINK_ETHERNET ||
	    captured->wire_bytes > FRAME_MAX ||
	    packet_parse_ethernet(captured->bytes, captured->captured_bytes,
				  captured->wire_bytes,
				  &packet.meta) != PACKET_OK ||
	    packet.meta.kind == PACKET_NEIGHBOUR || packet.meta.vlan[0])
		return;
	out = initiators_ask(run->initiators, &packet.meta.ends,
			     initiators_hash(run->initiators, &packet.meta.ends,
					     0));
	packet.arrived_ns = run->now_ns;
	packet.ends = (uint8_t)(out ? PUMP_ENDS_SRC : PUMP_ENDS_DST);
	one_packet(run, captured, &packet, out);
}

static void read_all(struct run *run, struct capture *capture)
{
	struct capture_packet captured;
	uint64_t last_ns = 0;
	uint32_t count = 0;

	while (capture_next(capture, &captured) == CAPTURE_PACKET &&
	       count++ < PACKETS_MAX) {
		uint64_t gap_ns = captured.time_ns - last_ns;

		/* Times of a file may run back, or be years apart. */
		if (last_ns == 0 || captured.time_ns < last_ns)
			gap_ns = 0;
		run->now_ns += gap_ns < LONGEST_GAP_NS ? gap_ns
						       : LONGEST_GAP_NS;
		last_ns = captured.has_time ? captured.time_ns : last_ns;
		read_one(run, &captured);
	}
}

static void tell(const char *name, const struct run *run)
{
	printf("%-60s %7u out, %7u passed in the kernel, held %5u, alone %5u, "
	       "%u differ\n",
	       name, run->out, run->passed, run->held, run->held_alone,
	       run->differ);
	totals.out += run->out;
	totals.passed += run->passed;
	totals.held += run->held;
	totals.held_alone += run->held_alone;
	totals.differ += run->differ;
	files++;
}

static int one_file(const char *path, const struct stat *status, int type,
		    struct FTW *place)
{
	static const uint8_t SEED[16] = { 1 };
	char wrong[256];
	struct run run = { .now_ns = BEGIN_NS };
	struct capture *capture;
	struct fast_slot *slots;
	uint64_t k0, k1;
	uint32_t count;

	(void)status;
	if (type != FTW_F || strstr(path, "pcap") == NULL)
		return 0;
	capture = capture_open(path, wrong, sizeof(wrong));
	if (capture == NULL)
		return 0;
	side_init(&run.alone);
	side_init(&run.front);
	run.initiators = initiators_new(100000, true, SEED);
	slots = fast_slots(fast, &count);
	memset(slots, 0, count * sizeof(*slots));
	fast_hash_key(fast, &k0, &k1);
	run.leases = fastleases_new(slots, count, k0, k1);
	assert(run.initiators && run.leases);
	read_all(&run, capture);
	tell(path + place->base, &run);
	fastleases_free(run.leases);
	initiators_free(run.initiators);
	side_fini(&run.front);
	side_fini(&run.alone);
	capture_close(capture);
	return 0;
}

static void load(void)
{
	const struct fast_options options = {
		.slots = SLOTS, .mark_mask = 0xf, .consent = true, .test = true
	};
	char wrong[FAST_TEXT_BYTES] = "";
	struct policy_errors errors;
	int error = fast_new(&options, &fast, wrong);

	if (error < 0) {
		printf("skipped: %s (%s)\n", wrong, strerror(-error));
		exit(SKIPPED);
	}
	fast_set_test_zone(fast, 0);
	if (!policy_parse("captures", POLICY, strlen(POLICY), &policy, &errors))
		exit(1);
}

int main(void)
{
	const char *folder = getenv("SYMTAP_CAPTURES");

	if (folder == NULL) {
		puts("skipped: SYMTAP_CAPTURES does not say where captures "
		     "are");
		return SKIPPED;
	}
	load();
	nftw(folder, one_file, 16, FTW_PHYS);
	printf("%u files: %u out, %u passed in the kernel, held %u, alone %u, "
	       "%u differ\n",
	       files, totals.out, totals.passed, totals.held, totals.held_alone,
	       totals.differ);
	policy_free(policy);
	fast_free(fast);
	return files > 0 && totals.passed > totals.out / 100 &&
			       (uint64_t)totals.differ * 1000 <=
				       (uint64_t)totals.out * DIFFER_PER_MILLE
		       ? 0
		       : 1;
}
