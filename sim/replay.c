/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/replay.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "flowtable/fragments.h"
#include "policy/index.h"
#include "policy/zones.h"
#include "sim/forged.h"
#include "sim/frame.h"
#include "sim/link.h"
#include "sim/replay_state.h"

/* --exact: more than any capture has that is compared with a model. */
enum {
	EXACT_FLOWS = 1 << 21,
	EXACT_PAIRS = 1 << 20,
	EXACT_HOSTS = 1 << 18,
	EXACT_SUSPECTS = 1 << 18,
};

/* ------ life */

/* Whatever address a guarded end has, it is inside. */
static struct policy_prefix everywhere[] = {
	{ .addr = { [10] = 0xff, [11] = 0xff }, .length = 96 },
	{ .length = 0 },
};

static bool copy_policy(struct replay *replay)
{
	struct policy *policy = &replay->policy;

	*policy = *replay->config.policy;
	policy->index = NULL;
	if (replay->config.guarded != REPLAY_BY_PREFIX)
		policy->inside = (struct policy_prefixes){
			.list = everywhere,
			.count = sizeof(everywhere) / sizeof(everywhere[0]),
		};
	if (replay->config.exact) {
		policy->limits.flows = EXACT_FLOWS;
		policy->limits.flows_per_host = EXACT_FLOWS;
		policy->limits.pairs = EXACT_PAIRS;
		policy->limits.pairs_per_host = EXACT_PAIRS;
		policy->limits.hosts = EXACT_HOSTS;
		policy->limits.suspects = EXACT_SUSPECTS;
		policy->force_one_sided = true;
		policy->first_contacts_per_s = 0;
		policy->connections_per_s = 0;
	}
	return policy_prepare(policy);
}

/* One zone for all, unless the policy tells VLANs apart. */
static bool knows_vlans(const struct policy *policy)
{
	for (size_t i = 0; i < policy->zones_count; i++)
		for (size_t j = 0; j < policy->zones[i].count; j++)
			if (policy->zones[i].members[j].vlan)
				return true;
	for (size_t i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].match.vlan)
			return true;
	return false;
}

static bool new_pump(struct replay *replay, const uint8_t seed[16])
{
	struct pump_config config = {
		.policy = &replay->policy,
		.zones = replay->zones,
		.shards = 1,
		.lift_bounds = replay->config.exact,
	};

	memcpy(config.seed, seed, sizeof(config.seed));
	replay->pump = pump_new(&config, REPLAY_START_NS);
	return replay->pump != NULL;
}

struct replay *replay_new(const struct replay_config *config)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	uint8_t seed[16];

	/* Nobody can make a capture that aims at our tables. */
	if (!replay || getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		goto fail;
	replay->config = *config;
	replay->counts_only = true;
	for (size_t i = 0; i < config->observers_count; i++)
		replay->counts_only &= config->observers[i].counts_only;
	replay->zones = zones_new();
	if (!copy_policy(replay) || !replay->zones ||
	    !held_init(&replay->held, 2 * REPLAY_BATCH))
		goto fail;
	for (size_t i = 0; i < REPLAY_BATCH; i++)
		replay->spares[i] = held_take(&replay->held);
	replay->with_vlans = knows_vlans(&replay->policy);
	replay->fragments =
		fragments_new(replay->policy.limits.fragments, seed);
	if (config->guarded != REPLAY_BY_PREFIX)
		replay->initiators = initiators_new(replay->policy.limits.pairs,
						    config->exact, seed);
	if (!replay->fragments ||
	    (config->guarded != REPLAY_BY_PREFIX && !replay->initiators))
		goto fail;
	if (new_pump(replay, seed))
		return replay;
fail:
	replay_free(replay);
	return NULL;
}

void replay_free(struct replay *replay)
{
	if (!replay)
		return;
	pump_free(replay->pump);
	initiators_free(replay->initiators);
	fragments_free(replay->fragments);
	held_fini(&replay->held);
	zones_free(replay->zones);
	index_free(replay->policy.index);
	free(replay);
}

/* ------ reading */

static void note_unknown_link(struct replay_counts *counts, uint32_t link_type)
{
	size_t i = 0;

	counts->unknown_link_pkts++;
	while (i < counts->unknown_links_count &&
	       counts->unknown_links[i].link_type != link_type)
		i++;
	if (i == REPLAY_LINK_TYPES_MAX)
		return;
	if (i == counts->unknown_links_count)
		counts->unknown_links[counts->unknown_links_count++].link_type =
			link_type;
	counts->unknown_links[i].packets++;
}

/* false: nothing in it that could be judged. */
static bool understand(struct replay_counts *counts, const struct frame *frame)
{
	switch ((enum link_status)frame->status) {
	case LINK_PARSED:
		break;
	case LINK_NO_IP:
		counts->not_ip++;
		return false;
	case LINK_BAD:
		counts->bad_link++;
		return false;
	case LINK_UNKNOWN:
		note_unknown_link(counts, frame->link_type);
		return false;
	}
	if (frame->error != PACKET_OK && frame->meta.ethertype == 0) {
		counts->errors[frame->error]++;
		return false;
	}
	counts->imperfect += frame->error != PACKET_OK;
	counts->parsed++;
	return true;
}

/* A century and a half: what a file may claim at most.  Sums of two such
 * spans do not overflow. */
#define SPAN_MAX_NS (UINT64_C(1) << 62)

/* Time runs on from the latest seen; it stands still where none is told. */
static uint64_t tell_time(struct replay *replay, const struct frame *frame)
{
	struct replay_counts *counts = &replay->counts;

	if (!frame->has_time)
		return counts->last_ns - counts->first_ns;
	if (!replay->has_begun) {
		replay->has_begun = true;
		counts->first_ns = counts->last_ns = frame->time_ns;
	} else if (frame->time_ns < counts->last_ns) {
		counts->time_ran_back++;
	} else if (frame->time_ns - counts->first_ns > SPAN_MAX_NS) {
		counts->last_ns = counts->first_ns + SPAN_MAX_NS;
	} else {
		counts->last_ns = frame->time_ns;
	}
	return counts->last_ns - counts->first_ns;
}

static uint16_t zone_of(struct replay *replay, const struct packet_meta *meta)
{
	uint16_t vlan = replay->with_vlans ? meta->vlan[0] : 0;

	if (replay->zone_vlan != vlan || !replay->has_zone) {
		replay->zone = zones_id(replay->zones, &replay->policy,
					REPLAY_INTERFACE, vlan);
		replay->zone_vlan = vlan;
		replay->has_zone = true;
	}
	return replay->zone;
}

void replay_frame(struct replay *replay, const struct frame *frame)
{
	struct pump_packet *packet = &replay->batch[replay->count];
	uint64_t now_ns = tell_time(replay, frame);

	replay->counts.packets++;
	if (!understand(&replay->counts, frame))
		return;
	packet->meta = frame->meta;
	memset(&packet->id, 0,
	       sizeof(*packet) - offsetof(struct pump_packet, id));
	packet->wire_pkts = 1;
	packet->arrived_ns = REPLAY_START_NS + now_ns;
	packet->src_zone = packet->dst_zone = zone_of(replay, &packet->meta);
	if (replay->config.arrives_inside &&
	    forged_is(replay->config.policy, &packet->meta,
		      frame->has_mac ? frame->mac : NULL)) {
		replay_tell_forged(replay, packet);
		return;
	}
	replay_prepare_ends(replay, packet, &replay->ends[replay->count]);
	if (++replay->count == REPLAY_BATCH)
		replay_flush(replay);
}

void replay_packet(struct replay *replay, const struct capture_packet *packet)
{
	struct frame frame;

	frame_parse(packet, &frame);
	replay_frame(replay, &frame);
}

/* Its deadlines alone lead the clock on: hours in which nothing is due cost
 * nothing. */
void replay_finish(struct replay *replay)
{
	uint64_t next_ns;

	replay_flush(replay);
	while (replay->held.used > REPLAY_BATCH &&
	       (next_ns = pump_next_ns(replay->pump)) != NS_NEVER) {
		pump_advance(replay->pump, next_ns);
		replay_collect(replay);
	}
	replay_look(replay);
	if (replay->initiators)
		replay->counts.forgotten =
			initiators_forgotten(replay->initiators);
}

const struct replay_counts *replay_counts(const struct replay *replay)
{
	return &replay->counts;
}

const struct stats *replay_stats(const struct replay *replay)
{
	return &replay->totals.stats;
}

bool replay_was_one_sided(const struct replay *replay)
{
	return replay->was_one_sided;
}
