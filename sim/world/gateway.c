/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/world/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "policy/address.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/snapshot.h"
#include "sim/world/dice.h"
#include "sim/world/parcel.h"

enum {
	RECORDS = 256,
	ETHERTYPE_V4 = 0x0800,
	ETHERTYPE_V6 = 0x86dd,
	MULTICAST_V4 = 0xe0, /* 224.0.0.0/4 */
	MULTICAST_V4_MASK = 0xf0,
	MULTICAST_V6 = 0xff,
};

static struct pump *make_pump(const struct gateway *gateway,
			      const struct policy *policy, uint64_t seed,
			      bool amid, uint64_t now_ns)
{
	struct pump_config config = { .policy = policy,
				      .zones = gateway->zones,
				      .shards = 1,
				      .amid = amid };
	struct dice dice = { seed };

	for (size_t i = 0; i < sizeof(config.seed); i++)
		config.seed[i] = (uint8_t)dice_roll(&dice);
	return pump_new(&config, now_ns);
}

bool gateway_init(struct gateway *gateway, const struct policy *policy,
		  uint64_t seed, uint64_t now_ns)
{
	*gateway = (struct gateway){ 0 };
	if (!policy)
		return true;
	gateway->zones = zones_new();
	if (!gateway->zones)
		return false;
	gateway->zone = zones_id(gateway->zones, policy, "world0", 0);
	gateway->pump = make_pump(gateway, policy, seed, false, now_ns);
	return gateway->pump != NULL;
}

/* ------ upkeep */

void gateway_reload(struct gateway *gateway, const struct policy *policy,
		    uint64_t now_ns)
{
	if (gateway->pump)
		pump_set_policy(gateway->pump, policy, now_ns);
}

void gateway_drain(struct gateway *gateway, uint64_t now_ns)
{
	if (gateway->pump)
		pump_drain(gateway->pump, PUMP_DROP, now_ns);
}

/* A piece at a time, from the old one into the new one. */
static bool hand_over(struct pump *from, struct pump *to, uint64_t now_ns)
{
	struct snapshot_cursor cursor = { 0 };
	struct pump_record *records = calloc(RECORDS, sizeof(*records));

	while (records && !cursor.ended) {
		size_t count = pump_export(from, &cursor, RECORDS, records,
					   RECORDS, now_ns);

		for (size_t i = 0; i < count; i++)
			pump_import(to, &records[i], 0, now_ns);
	}
	free(records);
	return records != NULL;
}

bool gateway_restart(struct gateway *gateway, const struct policy *policy,
		     uint64_t seed, uint64_t now_ns)
{
	struct pump *pump;
	bool good;

	if (!gateway->pump)
		return true;
	pump = make_pump(gateway, policy, seed,
			 policy->nfqueue.fail == POLICY_FAIL_OPEN, now_ns);
	good = pump && hand_over(gateway->pump, pump, now_ns);
	pump_free(gateway->pump);
	gateway->pump = pump;
	return good;
}

void gateway_fini(struct gateway *gateway)
{
	pump_free(gateway->pump);
	zones_free(gateway->zones);
	*gateway = (struct gateway){ 0 };
}

static uint8_t kind_of(const struct packet_ends *ends)
{
	bool group = address_is_v4(ends->dst)
			     ? (ends->dst[12] & MULTICAST_V4_MASK) ==
				       MULTICAST_V4
			     : ends->dst[0] == MULTICAST_V6;

	return group ? PACKET_MULTICAST : PACKET_UNICAST;
}

/* What the parser would have said of it. */
static void describe(const struct gateway *gateway, const struct parcel *parcel,
		     uint32_t id, struct pump_packet *ret_packet)
{
	*ret_packet = (struct pump_packet){
		.meta = {
			.ends = parcel->ends,
			.length_bytes = parcel->bytes,
			.header_bytes = parcel->header_bytes,
			.tcp_seq = parcel->tcp_seq,
			.tcp_ack = parcel->tcp_ack,
			.rtp_ssrc = parcel->rtp_ssrc,
			.rtp_seq = parcel->rtp_seq,
			.mss = parcel->mss,
			.ethertype = address_is_v4(parcel->ends.src)
					     ? ETHERTYPE_V4
					     : ETHERTYPE_V6,
			.kind = kind_of(&parcel->ends),
			.tcp_flags = parcel->tcp_flags,
		},
		.id = id,
		.src_zone = gateway->zone,
		.dst_zone = gateway->zone,
		.wire_pkts = 1,
	};
}

enum pump_verdict gateway_offer(struct gateway *gateway,
				const struct parcel *parcel, uint32_t id,
				uint64_t now_ns)
{
	struct pump_packet packet;

	if (!gateway->pump)
		return PUMP_PASS;
	describe(gateway, parcel, id, &packet);
	pump_offer(gateway->pump, &packet, 1, now_ns);
	if (packet.verdict != PUMP_WAIT)
		return (enum pump_verdict)packet.verdict;
	pump_hold(gateway->pump, &packet, 1, now_ns);
	pump_settle(gateway->pump);
	return (enum pump_verdict)packet.verdict;
}

size_t gateway_collect(struct gateway *gateway,
		       struct pump_release *ret_releases, size_t max)
{
	return gateway->pump ? pump_collect(gateway->pump, ret_releases, max)
			     : 0;
}

uint64_t gateway_next_ns(const struct gateway *gateway)
{
	return gateway->pump ? pump_next_ns(gateway->pump) : NS_NEVER;
}

void gateway_advance(struct gateway *gateway, uint64_t now_ns)
{
	pump_advance(gateway->pump, now_ns);
}

void gateway_stats(const struct gateway *gateway, struct stats *ret_stats)
{
	struct snapshot_totals totals;

	memset(ret_stats, 0, sizeof(*ret_stats));
	if (!gateway->pump)
		return;
	snapshot_totals(gateway->pump, &totals);
	*ret_stats = totals.stats;
}
