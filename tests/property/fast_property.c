/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random conversations under random policies through a pump alone, and through
 * the kernel program with a pump behind it: tests/fast_twin.h says what holds
 * then.  Out and in by turns, single and in super-packets, whole and in
 * fragments (in any order, overlapping), connections that begin, end and are
 * reset, errors, damage; time stands still, creeps, lands on the edge of a
 * bucket or leaps.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/errors.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "tests/fast_frames.h"
#include "tests/fast_merge.h"
#include "tests/fast_twin.h"
#include "tests/random.h"

enum {
	SKIPPED = 77,
	POLICIES = 40,
	STEPS = 1500,
	SLOTS = 256, /* sometimes too few */
	TALKS = 24,
};

#define BEGIN_NS UINT64_C(1001000000000)

struct talk {
	struct frames_talk talk;
	uint16_t zone;
	uint32_t seq, ack, far; /* far: what the other side knows of seq */
	uint32_t answered_pct;  /* how willing it is */
	bool begun;
};

struct world {
	struct random random;
	struct fast *fast;
	struct policy *policy;
	struct twin *twin;
	struct talk talks[TALKS];
	struct merge merge;
	uint64_t now_ns, span_ns, window_ns;
	uint16_t id; /* of the next fragments */
	uint32_t super_packets, fragments;
	struct twin_results sum;
	char yaml[1024];
};

/* ------ policies */

static uint32_t one_of(struct random *random, const uint32_t *values,
		       uint32_t count)
{
	return values[random_below(random, count)];
}

static void make_policy(struct world *world)
{
	static const uint32_t WINDOWS_MS[] = { 100,  101,  250,  999,
					       1000, 7000, 60000 };
	static const uint32_t TENTHS[] = { 10, 15, 20, 29, 30, 50 };
	struct random *random = &world->random;
	uint32_t window_ms = one_of(random, WINDOWS_MS, 7);
	uint32_t tenths = one_of(random, TENTHS, 6);
	bool spends = !random_once(random, 3);
	struct policy_errors errors;

	snprintf(world->yaml, sizeof(world->yaml),
		 "mode: enforce\n"
		 "inside: [10.0.0.0/8, \"2001:db8::/40\"]\n"
		 "limiter: {window: %ums, threshold: %u.%u, evidence: %s, "
		 "enforce: [%s], floor: %u, patience: %u, credit: %u}\n"
		 "guards: {first_contacts: %u, new_connections: %u}\n"
		 "limits: {pairs: 1000, flows: 1000, hosts: 64}\n",
		 window_ms, tenths / 10, tenths % 10,
		 random_once(random, 2) ? "packets" : "consent",
		 (const char *[]){ "flow, pair", "pair",
				   "flow" }[random_below(random, 3)],
		 spends ? random_below(random, 17) : 0,
		 spends ? random_below(random, 64) : 0,
		 spends ? random_below(random, 30) : 0,
		 random_once(random, 2) ? 0 : 20,
		 random_once(random, 2) ? 0 : 50);
	if (!policy_parse("random", world->yaml, strlen(world->yaml),
			  &world->policy, &errors)) {
		printf("%s", world->yaml);
		exit(1);
	}
	world->window_ns = window_ms * UINT64_C(1000000);
	world->span_ns = (uint64_t)fast_span(world->window_ns)
			 << FAST_SPAN_SHIFT;
}

/* ------ time */

static void pass_time(struct world *world)
{
	struct random *random = &world->random;
	uint64_t next_ns =
		(world->now_ns / world->span_ns + 1) * world->span_ns;

	switch (random_below(random, 12)) {
	case 0: /* not at all */
	case 1:
		break;
	case 2:
		world->now_ns += 1 + random_below(random, 100);
		break;
	case 3: /* to the edge of a bucket */
		world->now_ns = next_ns - random_below(random, 2);
		break;
	case 4:
		if (random_once(random, 20))
			world->now_ns +=
				world->window_ns + random_below(random, 3) - 1;
		break;
	case 5:
		if (random_once(random, 100))
			world->now_ns +=
				random_next(random) % (3 * world->window_ns);
		break;
	case 6: /* leases end, keys are forgotten */
		if (random_once(random, 400))
			world->now_ns += UINT64_C(41000000000);
		break;
	default:
		world->now_ns += random_next(random) % (world->window_ns / 100);
	}
}

/* ------ packets */

static void flush(struct world *world)
{
	const struct twin_frame *frame = merge_take(&world->merge);

	if (frame == NULL)
		return;
	world->super_packets += frame->gso_bytes != 0;
	twin_offer(world->twin, frame, world->now_ns);
}

static void offer(struct world *world, struct talk *talk, const uint8_t *bytes,
		  uint32_t count, bool out)
{
	if (world->merge.frame.wire_pkts == 0)
		world->merge.frame.zone = talk->zone;
	if (world->merge.frame.zone == talk->zone &&
	    merge_add(&world->merge, bytes, count, out))
		return;
	flush(world);
	world->merge.frame.zone = talk->zone;
	assert(merge_add(&world->merge, bytes, count, out));
}

static void say(struct world *world, struct talk *talk,
		struct frames_packet packet)
{
	uint8_t bytes[FRAMES_BYTES];
	uint32_t count;

	packet.seq = packet.out ? talk->seq : talk->ack;
	packet.ack = packet.out ? talk->ack : talk->far;
	count = frames_make(&talk->talk, &packet, bytes);
	if (random_once(&world->random, 300)) /* damage */
		count -= random_below(&world->random, count - 14);
	else if (random_once(&world->random, 300))
		bytes[14 + random_below(&world->random, count - 14)] ^=
			(uint8_t)random_next(&world->random);
	offer(world, talk, bytes, count, packet.out);
	*(packet.out ? &talk->seq : &talk->ack) += packet.payload_bytes;
}

/* One datagram in three pieces, which come as they like. */
static void say_in_pieces(struct world *world, struct talk *talk, bool out)
{
	struct random *random = &world->random;
	uint16_t id = world->id++;

	for (int i = 0; i < 4; i++) {
		uint16_t piece = (uint16_t)random_below(random, 3);

		say(world, talk,
		    (struct frames_packet){
			    .out = out,
			    .flags = FRAMES_ACK,
			    .id = id,
			    .offset_bytes = (uint16_t)(piece * 64),
			    .more = piece < 2,
			    .payload_bytes = piece == 2 ? 24 : 72,
		    });
		world->fragments++;
		if (random_once(random, 2))
			pass_time(world);
	}
}

static uint8_t flags_of(struct world *world, struct talk *talk, bool out)
{
	uint32_t dice = random_below(&world->random, 400);

	if (!talk->begun && out) {
		talk->begun = true;
		return FRAMES_SYN;
	}
	if (dice == 0)
		return FRAMES_RST;
	if (dice == 1)
		return FRAMES_FIN | FRAMES_ACK;
	if (dice < 4)
		return out ? FRAMES_SYN : FRAMES_SYN | FRAMES_ACK;
	return FRAMES_ACK;
}

static void say_some(struct world *world, struct talk *talk, bool out)
{
	struct random *random = &world->random;
	uint32_t bytes =
		(uint32_t[]){ 0, 1, 100, 536 }[random_below(random, 4)];
	uint32_t count = random_once(random, 4) ? random_in(random, 2, 9) : 1;

	if (random_once(random, 100)) {
		flush(world);
		say_in_pieces(world, talk, out);
		return;
	}
	while (count-- > 0)
		say(world, talk,
		    (struct frames_packet){
			    .out = out,
			    .flags = flags_of(world, talk, out),
			    .payload_bytes = bytes,
			    .error = !out && talk->talk.proto == FRAMES_ICMP &&
				     !talk->talk.v6 && random_once(random, 50),
		    });
	if (random_once(random, 3))
		flush(world);
}

static void step(struct world *world)
{
	struct random *random = &world->random;
	struct talk *talk = &world->talks[random_below(random, TALKS)];

	if (random_once(random, 200))
		talk->answered_pct =
			(uint32_t[]){ 0, 15, 40, 100,
				      250 }[random_below(random, 5)];
	flush(world);
	pass_time(world);
	say_some(world, talk, true);
	if (random_below(random, 250) >= talk->answered_pct)
		return;
	if (random_once(random, 2)) {
		flush(world);
		pass_time(world);
	}
	/* It acknowledges all, a part, or what was never sent. */
	if (!random_once(random, 5))
		talk->far = talk->seq - (random_once(random, 3)
						 ? random_below(random, 1000)
						 : 0);
	say_some(world, talk, false);
}

/* ------ life */

static void load(struct world *world)
{
	const struct fast_options options = { .slots = SLOTS,
					      .mark_mask = TWIN_MARK_MASK,
					      .consent = true,
					      .test = true };
	char wrong[FAST_TEXT_BYTES] = "";
	int error = fast_new(&options, &world->fast, wrong);

	if (error < 0) {
		printf("skipped: %s (%s)\n", wrong, strerror(-error));
		exit(SKIPPED);
	}
}

static void make_talks(struct world *world)
{
	static const uint8_t PROTOS[] = { FRAMES_TCP, FRAMES_UDP, FRAMES_TCP,
					  FRAMES_ICMP };

	for (unsigned int i = 0; i < TALKS; i++)
		world->talks[i] = (struct talk){
			.talk = { .host = (uint8_t)(1 + i % 2),
				  .remote = (uint8_t)(1 + i / 2 % 3),
				  .proto = PROTOS[i / 6 % 4],
				  .v6 = i % 8 >= 6,
				  .port = (uint16_t)(1000 + i / 12) },
			.zone = i % 5 == 4,
			.seq = (uint32_t)random_next(&world->random),
			.ack = (uint32_t)random_next(&world->random),
			.answered_pct = 250,
		};
}

static bool is_good(const struct twin_results *results)
{
	return results->unexplained + results->outside + results->misread +
			       results->unequal + results->totals ==
		       0 &&
	       results->worth <= results->in / 50;
}

static void tell(const struct world *world, const struct twin_results *results)
{
	printf("%u out, %u in: %u and %u by the kernel; %u super-packets, "
	       "%u fragments; held %u, alone %u; %u stricter, %u laxer, %u "
	       "unexplained; %llu counts, at most %u more, wrong %u+%u+%u+%u; "
	       "%u worth another; apart %u keys, %.1f ms\n",
	       results->out, results->in, results->passed, results->counted,
	       world->super_packets, world->fragments, results->held,
	       results->held_alone, results->stricter, results->laxer,
	       results->unexplained, (unsigned long long)results->compared,
	       results->most_more, results->outside, results->misread,
	       results->unequal, results->totals, results->worth,
	       results->apart, (double)results->apart_ns / 1e6);
}

static void one_policy(struct world *world)
{
	struct twin_config config = { .fast = world->fast,
				      .exact = true,
				      .begin_ns = BEGIN_NS };

	make_policy(world);
	config.policy = world->policy;
	fast_set_consent(world->fast,
			 world->policy->evidence == POLICY_EVIDENCE_CONSENT);
	world->now_ns = BEGIN_NS;
	world->twin = twin_new(&config);
	make_talks(world);
	for (int i = 0; i < STEPS; i++)
		step(world);
	flush(world);
	twin_end(world->twin);
	if (!is_good(twin_results(world->twin))) {
		printf("%s", world->yaml);
		tell(world, twin_results(world->twin));
	}
	twin_add_results(&world->sum, twin_results(world->twin));
	twin_free(world->twin);
	policy_free(world->policy);
}

int main(void)
{
	static struct world world;
	const struct twin_results *sum = &world.sum;

	random_init(&world.random, random_seed("fast", 7));
	load(&world);
	for (int i = 0; i < POLICIES; i++)
		one_policy(&world);
	fast_free(world.fast);
	tell(&world, sum);
	assert(is_good(sum));
	/* It was about something. */
	assert(sum->passed > sum->out / 20 && sum->counted > sum->in / 20);
	assert(sum->held > 0 && world.super_packets > 1000 &&
	       world.fragments > 1000);
	assert(sum->stricter + sum->laxer < sum->out / 100);
	return 0;
}
