/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys of a guard inside of netback, any bytes at all: as the module takes them
 * from user space, and as the daemon takes them from the module.  What the one
 * tells makes sense to the other.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet_l4.h"
#include "shaper/pump.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/netback/guard_state.h"
#include "xen-hooks/netback_record.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { KEYS = 64, AT_ONCE = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct guard_params PARAMS = {
	.gate = { .ratio_q16 = 4 << 16,
		  .window_ns = SECOND,
		  .first_delay_ns = 2 * MS,
		  .max_delay_ns = 1024 * MS },
	.scopes = GUARD_PAIR | GUARD_FLOW,
	.mode = GUARD_OBSERVE, /* nobody has to keep what waits */
};

static void check(const struct pump_record *record)
{
	assert(record->key.scope <= FLOW_SCOPE_PAIR);
	assert(record->runs_count <= PUMP_RECORD_RUNS);
	assert(record->armed_in_ns <= 10 * SECOND);
}

/* What we make sense of, we say as we understood it. */
static void read_and_write(const uint8_t *bytes)
{
	uint8_t again[NETBACKRECORD_BYTES];
	struct pump_record record, same;

	if (!netbackrecord_read(bytes, &record))
		return;
	check(&record);
	assert(netbackrecord_write(&record, again));
	assert(netbackrecord_read(again, &same));
	assert(memcmp(&record, &same, sizeof(same)) == 0);
}

static void use(struct guard *guard, const struct flow_key *key,
		uint64_t now_ns)
{
	static const struct packet_meta udp = { .ends.proto =
							PACKET_PROTO_UDP };
	struct guard_packet packet = { .flow = *key,
				       .pair = *key,
				       .meta = &udp,
				       .wire_pkts = 1,
				       .slots = 1 };
	uint64_t note, until_ns = GUARD_NEVER;

	packet.flow.scope = FLOW_SCOPE_FLOW;
	packet.pair.scope = FLOW_SCOPE_PAIR;
	assert(guard_ask(guard, &packet, &note, &until_ns, now_ns) ==
	       GUARD_GO_ON);
}

static void tell(struct guard *guard, uint64_t now_ns)
{
	struct guard_record records[AT_ONCE];
	uint32_t position = 0, count;

	do {
		count = guard_state_tell(guard, &position, 16, records, AT_ONCE,
					 now_ns);
		assert(count <= AT_ONCE);
		for (uint32_t i = 0; i < count; i++) {
			uint8_t bytes[NETBACKRECORD_BYTES];

			memcpy(bytes, &records[i], sizeof(bytes));
			read_and_write(bytes);
			assert(records[i].runs_count <= GUARD_RECORD_RUNS);
		}
	} while (position != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = { 1, 2 };
	struct guard *guard = calloc(1, guard_bytes(KEYS));
	struct guard_summary summary = { 0 };
	uint64_t now_ns = 10000 * SECOND;
	uint32_t position = 0;

	assert(guard != NULL);
	guard_init(guard, &PARAMS, seed, KEYS);
	while (size > NETBACKRECORD_BYTES) {
		struct guard_record record;

		now_ns += *data * MS;
		memcpy(&record, data + 1, sizeof(record));
		read_and_write(data + 1);
		if (*data & 1)
			use(guard, &record.key, now_ns);
		guard_state_put(guard, &record, now_ns);
		if (*data & 2)
			use(guard, &record.key, now_ns);
		data += 1 + NETBACKRECORD_BYTES;
		size -= 1 + NETBACKRECORD_BYTES;
	}
	tell(guard, now_ns);
	do {
		guard_state_sum(guard, &position, 16, &summary, now_ns);
	} while (position != 0);
	assert(summary.expected_keys <= GUARD_EXPECTED_MOST);
	free(guard);
	return 0;
}
