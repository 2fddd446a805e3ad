/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every capture below SYMTAP_CAPTURES through the pump and through the guard
 * inside of netback, at the times that the capture says, by the shipped default
 * without its paces: here all hosts are one.  Which packets wait, and until
 * when?  Captures are no part of the tree: skipped where nobody says where they
 * are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <sys/stat.h>

#include "flowtable/flow_fill.h"
#include "policy/policy.h"
#include "sim/capture.h"
#include "sim/initiators.h"
#include "sim/link.h"
#include "tests/pump_bed.h"
#include "xen-hooks/netback/guard.h"

enum { SKIPPED = 77, PACKETS = 20000, KEYS = 1 << 16 };

#define S              UINT64_C(1000000000)
#define BEGIN          (2000 * S)
#define LONGEST_GAP_NS (120 * S)

static const char POLICY[] =
	"limiter: {evidence: consent, force_one_sided: true}\n"
	"guards: {first_contacts: 0, new_connections: 0}\n"
	"limits: {pairs: 40000, flows: 40000, hosts: 24000, suspects: 40000, "
	"held_packets_per_key: 0, held_packets_per_host: 0}\n";

struct run {
	struct bed bed;
	struct guard *guard;
	struct initiators *initiators;
	uint64_t offered_ns[PACKETS], left_ns[PACKETS], ids[PACKETS];
	uint32_t count; /* of those that went out */
	uint64_t notes[PACKETS];
	uint32_t held[PACKETS], held_count;
	uint32_t bytes[PACKETS];
	uint32_t round;
	uint64_t until_ns;
};

struct tally {
	uint32_t files, out, guard, pump, differ;
	double guard_s, pump_s; /* waited */
};

static struct run the_run;
static struct tally all;

/* ------ the guard */

static void ask_all(struct run *run, uint64_t now_ns)
{
	uint32_t kept = 0;

	run->until_ns = GUARD_NEVER;
	run->round++;
	for (uint32_t i = 0; i < run->held_count; i++) {
		uint32_t at = run->held[i];

		if (guard_ask_again(run->guard, run->notes[at], run->bytes[at],
				    run->round, &run->until_ns,
				    now_ns) == GUARD_GO_ON)
			run->left_ns[at] = now_ns;
		else
			run->held[kept++] = at;
	}
	run->held_count = kept;
}

static void run_guard(struct run *run, uint64_t now_ns)
{
	while (run->until_ns <= now_ns)
		ask_all(run, run->until_ns);
}

static void offer_guard(struct run *run, const struct packet_meta *meta,
			bool out, uint64_t now_ns)
{
	struct guard_packet packet = { .meta = meta,
				       .segment_bytes =
					       evidence_payload_bytes(meta),
				       .wire_pkts = 1,
				       .slots = 1,
				       .bytes = meta->length_bytes };
	uint32_t at = run->count;

	flow_fill(meta, out ? FLOW_OUT : FLOW_IN, 0, &packet.flow);
	packet.pair = packet.flow;
	flow_fill_pair(&packet.pair);
	if (!out) {
		if (guard_hear(run->guard, &packet, now_ns))
			ask_all(run, now_ns);
		return;
	}
	if (guard_ask(run->guard, &packet, &run->notes[at], &run->until_ns,
		      now_ns) == GUARD_GO_ON) {
		run->left_ns[at] = now_ns;
		return;
	}
	run->left_ns[at] = 0;
	run->bytes[at] = packet.bytes;
	run->held[run->held_count++] = at;
}

/* ------ captures */

/* Guarded is who spoke first. */
static void offer(struct run *run, const struct packet_meta *meta,
		  uint64_t now_ns)
{
	struct pump_packet packet = { .meta = *meta, .wire_pkts = 1 };
	bool out = initiators_ask(run->initiators, &meta->ends,
				  initiators_hash(run->initiators, &meta->ends,
						  0));
	uint64_t id;

	packet.ends = out ? PUMP_ENDS_SRC : PUMP_ENDS_DST;
	run_guard(run, now_ns);
	id = bed_offer(&run->bed, &packet, now_ns);
	offer_guard(run, meta, out, now_ns);
	if (!out)
		return;
	run->offered_ns[run->count] = now_ns;
	run->ids[run->count++] = id;
}

/* Times of a file may run back, or be years apart.  Returns the last. */
static uint64_t read_all(struct run *run, struct capture *capture)
{
	uint64_t last_ns = 0, now_ns = BEGIN;
	struct capture_packet captured;
	enum packet_error error;
	struct packet_meta meta;

	while (run->count < PACKETS &&
	       capture_next(capture, &captured) == CAPTURE_PACKET) {
		uint64_t gap_ns = captured.time_ns - last_ns;

		if (last_ns == 0 || captured.time_ns < last_ns)
			gap_ns = 0;
		now_ns += gap_ns < LONGEST_GAP_NS ? gap_ns : LONGEST_GAP_NS;
		last_ns = captured.has_time ? captured.time_ns : last_ns;
		if (link_parse(captured.link_type, captured.bytes,
			       captured.captured_bytes, captured.wire_bytes,
			       &meta, &error) == LINK_PARSED &&
		    error == PACKET_OK && meta.kind == PACKET_UNICAST)
			offer(run, &meta, now_ns);
	}
	return now_ns;
}

static void add_up(const struct run *run, uint64_t end_ns, struct tally *tally)
{
	for (uint32_t at = 0; at < run->count; at++) {
		const struct bed_packet *packet =
			&run->bed.packets[run->ids[at]];
		uint64_t guard_ns = run->left_ns[at] ? run->left_ns[at]
						     : end_ns;
		uint64_t pump_ns = packet->fate == BED_PASSED ? packet->left_ns
							      : end_ns;

		tally->out++;
		tally->guard += guard_ns != run->offered_ns[at];
		tally->pump += pump_ns != run->offered_ns[at];
		tally->differ += (guard_ns != run->offered_ns[at]) !=
				 (pump_ns != run->offered_ns[at]);
		tally->guard_s +=
			(double)(guard_ns - run->offered_ns[at]) / 1e9;
		tally->pump_s += (double)(pump_ns - run->offered_ns[at]) / 1e9;
	}
}

static void tell(const char *name, const struct tally *tally)
{
	printf("%-52s %6u out; waited: guard %5u, %9.1f s; pump %5u, %9.1f s; "
	       "%u differ\n",
	       name, tally->out, tally->guard, tally->guard_s, tally->pump,
	       tally->pump_s, tally->differ);
}

static void begin(struct run *run)
{
	static const uint8_t hash_seed[16] = { 1 };
	static const uint64_t seed[2] = { 1, 2 };
	struct guard_params params;

	memset(run, 0, sizeof(*run));
	bed_init(&run->bed, POLICY);
	params = (struct guard_params){
		.gate = run->bed.policy->params[0],
		.scopes = GUARD_PAIR | GUARD_FLOW,
		.wants_consent = true,
		.credit = run->bed.policy->credit,
	};
	run->guard = calloc(1, guard_bytes(KEYS));
	run->initiators = initiators_new(100000, true, hash_seed);
	assert_non_null(run->guard);
	assert_non_null(run->initiators);
	guard_init(run->guard, &params, seed, KEYS);
	run->until_ns = GUARD_NEVER;
}

static int one_file(const char *path, const struct stat *status, int type,
		    struct FTW *place)
{
	struct tally tally = { 0 };
	struct run *run = &the_run;
	struct capture *capture;
	char wrong[256];
	uint64_t end_ns;

	(void)status;
	if (type != FTW_F || strstr(path, "pcap") == NULL ||
	    (capture = capture_open(path, wrong, sizeof(wrong))) == NULL)
		return 0;
	begin(run);
	end_ns = read_all(run, capture);
	bed_run(&run->bed, end_ns);
	run_guard(run, end_ns);
	add_up(run, end_ns, &tally);
	add_up(run, end_ns, &all);
	all.files++;
	tell(path + place->base, &tally);
	while (run->held_count > 0)
		guard_let_go(run->guard,
			     run->notes[run->held[--run->held_count]]);
	initiators_free(run->initiators);
	free(run->guard);
	bed_fini(&run->bed);
	capture_close(capture);
	return 0;
}

static void
test_netback_guard_holds_of_captures_what_the_pump_holds(void **state)
{
	(void)state;
	assert_int_equal(0, nftw(getenv("SYMTAP_CAPTURES"), one_file, 16,
				 FTW_PHYS));
	tell("all", &all);
	assert_true(all.files > 0 && all.pump > 0);
	assert_true(all.differ <= all.out / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_netback_guard_holds_of_captures_what_the_pump_holds),
	};

	if (getenv("SYMTAP_CAPTURES") == NULL) {
		puts("skipped: SYMTAP_CAPTURES does not say where captures "
		     "are");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
