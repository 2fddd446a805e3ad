/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_bed.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"

struct policy *bed_policy(const char *yaml)
{
	static struct policy_errors errors;
	struct policy *policy = NULL;
	char text[4096];
	int bytes = snprintf(text, sizeof(text),
			     "%sinside: [10.0.0.0/8, 2001:db8::/32]\n%s",
			     strstr(yaml, "mode:") ? "" : "mode: enforce\n",
			     yaml);

	if (!policy_parse("bed", text, (size_t)bytes, &policy, &errors))
		fail_msg("policy does not parse:\n%s", text);
	return policy;
}

static void init(struct bed *bed, const char *yaml, bool amid)
{
	memset(bed, 0, sizeof(*bed));
	bed->policy = bed_policy(yaml);
	/* the gate alone, unless a test says otherwise */
	if (!strstr(yaml, "evidence"))
		bed->policy->evidence = POLICY_EVIDENCE_PACKETS;
	bed->zones = zones_new();
	assert_non_null(bed->zones);
	/* the id that packets of the bed bear */
	assert_int_equal(zones_id(bed->zones, bed->policy, "lan0", 0), 0);
	bed->now_ns = 1000000000000u;
	bed->pump = pump_new(
		&(struct pump_config){
			.policy = bed->policy,
			.zones = bed->zones,
			.seed = "not so random",
			.shards = 1,
			.amid = amid,
		},
		bed->now_ns);
	assert_non_null(bed->pump);
}

void bed_init(struct bed *bed, const char *yaml)
{
	init(bed, yaml, false);
}

void bed_init_amid(struct bed *bed, const char *yaml)
{
	init(bed, yaml, true);
}

void bed_fini(struct bed *bed)
{
	pump_free(bed->pump);
	zones_free(bed->zones);
	policy_free(bed->policy);
	free(bed->packets);
}

void bed_address(const char *text, uint8_t ret_address[16])
{
	if (inet_pton(AF_INET6, text, ret_address) == 1)
		return;
	memset(ret_address, 0, 10);
	ret_address[10] = ret_address[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, ret_address + 12), 1);
}

void bed_packet(struct pump_packet *packet, const char *protocol,
		const char *src, uint16_t src_port, const char *dst,
		uint16_t dst_port)
{
	static const struct {
		const char *name;
		uint8_t number;
	} protocols[] = { { "udp", 17 }, { "tcp", 6 }, { "icmp", 1 } };

	memset(packet, 0, sizeof(*packet));
	for (size_t i = 0; i < 3; i++)
		if (strcmp(protocols[i].name, protocol) == 0)
			packet->meta.ends.proto = protocols[i].number;
	assert_int_not_equal(packet->meta.ends.proto, 0);
	bed_address(src, packet->meta.ends.src);
	bed_address(dst, packet->meta.ends.dst);
	packet->meta.ends.src_port = src_port;
	packet->meta.ends.dst_port = dst_port;
	packet->meta.ethertype = 0x0800;
	packet->meta.length_bytes = 128;
	packet->meta.header_bytes = 28;
	packet->wire_pkts = 1;
}

static void settle(struct bed *bed, uint64_t id, uint8_t verdict)
{
	struct bed_packet *packet = &bed->packets[id];

	assert_int_not_equal(packet->fate, BED_PASSED);
	assert_int_not_equal(packet->fate, BED_DROPPED);
	packet->fate = verdict == PUMP_PASS   ? BED_PASSED
		       : verdict == PUMP_WAIT ? BED_WAITS
					      : BED_DROPPED;
	packet->left_ns = bed->now_ns;
}

static void collect(struct bed *bed)
{
	struct pump_release releases[64];
	size_t count;

	while ((count = pump_collect(bed->pump, releases, 64)) > 0)
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(bed->packets[releases[i].id].fate,
					 BED_WAITS);
			settle(bed, releases[i].id, releases[i].verdict);
			if (bed->order_count < 65536)
				bed->order[bed->order_count++] = releases[i].id;
		}
}

void bed_run(struct bed *bed, uint64_t now_ns)
{
	uint64_t next_ns;

	collect(bed);
	while ((next_ns = pump_next_ns(bed->pump)) <= now_ns) {
		if (next_ns > bed->now_ns)
			bed->now_ns = next_ns;
		pump_advance(bed->pump, bed->now_ns);
		collect(bed);
	}
	bed->now_ns = now_ns;
}

uint64_t bed_offer(struct bed *bed, const struct pump_packet *packet,
		   uint64_t now_ns)
{
	struct pump_packet copy = *packet;
	uint64_t id = bed->count;

	bed_run(bed, now_ns);
	if (bed->count == bed->capacity) {
		bed->capacity = bed->capacity ? bed->capacity * 2 : 1024;
		bed->packets = realloc(bed->packets,
				       bed->capacity * sizeof(*bed->packets));
		assert_non_null(bed->packets);
	}
	bed->packets[bed->count++] = (struct bed_packet){ 0 };
	pump_offer(bed->pump, &copy, 1, now_ns);
	collect(bed);
	if (copy.verdict == PUMP_WAIT) {
		copy = *packet;
		copy.id = id;
		copy.super_packet = false;
		bed->packets[id].fate = BED_WAITS;
		pump_hold(bed->pump, &copy, 1, now_ns);
		if (copy.verdict != PUMP_WAIT)
			settle(bed, id, copy.verdict);
		pump_settle(bed->pump);
		collect(bed);
	} else {
		settle(bed, id, copy.verdict);
	}
	return id;
}

size_t bed_passed(const struct bed *bed, uint64_t first, uint64_t last,
		  uint64_t now_ns)
{
	size_t count = 0;

	for (uint64_t id = first; id <= last; id++)
		if (bed->packets[id].fate == BED_PASSED &&
		    bed->packets[id].left_ns <= now_ns)
			count++;
	return count;
}

uint64_t bed_counter(const struct bed *bed, enum stats_counter counter)
{
	struct snapshot_totals totals;

	snapshot_totals(bed->pump, &totals);
	return totals.stats.counter[counter];
}

bool bed_row(struct bed *bed, enum flow_scope scope, const char *inside,
	     const char *outside, struct snapshot_row *ret_row)
{
	struct snapshot_query query = {
		.scopes = (uint8_t)(1u << scope),
		.by_address = true,
	};
	struct snapshot_cursor cursor = { 0 };
	uint8_t want_outside[16] = { 0 };
	struct snapshot_row row;

	bed_address(inside, query.address);
	if (outside)
		bed_address(outside, want_outside);
	while (!cursor.ended)
		if (snapshot_rows(bed->pump, &query, &cursor, 64, &row, 1,
				  bed->now_ns) == 1 &&
		    memcmp(row.key.inside, query.address, 16) == 0 &&
		    memcmp(row.key.outside, want_outside, 16) == 0) {
			*ret_row = row;
			return true;
		}
	return false;
}

struct pump_packet bed_tcp(uint16_t port, uint8_t flags, bool in)
{
	struct pump_packet packet;

	if (in)
		bed_packet(&packet, "tcp", "192.0.2.1", 80, "10.0.0.1", port);
	else
		bed_packet(&packet, "tcp", "10.0.0.1", port, "192.0.2.1", 80);
	packet.meta.tcp_flags = flags;
	return packet;
}

size_t bed_passed_between(const struct bed *bed, uint64_t from_ns,
			  uint64_t to_ns)
{
	size_t count = 0;

	for (uint64_t id = 0; id < bed->count; id++)
		count += bed->packets[id].fate == BED_PASSED &&
			 bed->packets[id].left_ns >= from_ns &&
			 bed->packets[id].left_ns < to_ns;
	return count;
}
