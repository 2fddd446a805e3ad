/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/netback_record.h"

#include <string.h>

#include "shaper/pump.h"
#include "xen-hooks/netback/guard_record.h"

enum { VLANS = 4096, PKTS_MOST = 1 << 26 };

#define AGE_MOST_NS   UINT64_C(120000000000)
#define ARMED_MOST_NS UINT64_C(10000000000)

_Static_assert(sizeof(struct guard_record) == NETBACKRECORD_BYTES,
	       "as the module has it");
_Static_assert((int)GUARD_RECORD_RUNS == (int)PUMP_RECORD_RUNS,
	       "as many as everybody else");

static bool is_sound_key(const struct flow_key *key)
{
	return key->scope <= FLOW_SCOPE_PAIR && key->zone < VLANS;
}

static bool is_sound(const struct guard_record *record)
{
	if (!is_sound_key(&record->key) ||
	    record->armed_in_ns > ARMED_MOST_NS ||
	    record->runs_count > GUARD_RECORD_RUNS)
		return false;
	for (uint32_t i = 0; i < record->runs_count; i++)
		if (record->runs[i].age_ns > AGE_MOST_NS ||
		    record->runs[i].sent_pkts > PKTS_MOST ||
		    record->runs[i].heard_pkts > PKTS_MOST)
			return false;
	return true;
}

bool netbackrecord_read(const uint8_t *bytes, struct pump_record *ret_record)
{
	struct guard_record record;

	memcpy(&record, bytes, sizeof(record));
	if (!is_sound(&record))
		return false;
	memset(ret_record, 0, sizeof(*ret_record));
	ret_record->key = record.key;
	ret_record->releases = record.releases;
	ret_record->armed_in_ns = record.armed_in_ns;
	ret_record->runs_count = record.runs_count;
	for (uint32_t i = 0; i < record.runs_count; i++)
		ret_record->runs[i] = (struct pump_record_run){
			.age_ns = record.runs[i].age_ns,
			.sent_pkts = record.runs[i].sent_pkts,
			.heard_pkts = record.runs[i].heard_pkts,
		};
	return true;
}

static uint32_t at_most(uint32_t pkts)
{
	return pkts < PKTS_MOST ? pkts : PKTS_MOST;
}

bool netbackrecord_write(const struct pump_record *record,
			 uint8_t ret_bytes[NETBACKRECORD_BYTES])
{
	struct guard_record told = { .key = record->key,
				     .releases = record->releases,
				     .armed_in_ns = record->armed_in_ns };

	if (!is_sound_key(&record->key))
		return false;
	if (told.armed_in_ns > ARMED_MOST_NS)
		told.armed_in_ns = ARMED_MOST_NS;
	for (uint32_t i = 0; i < record->runs_count; i++) {
		const struct pump_record_run *run = &record->runs[i];

		/* It is in nobody's window any more. */
		if (run->age_ns > AGE_MOST_NS)
			continue;
		told.runs[told.runs_count++] = (struct guard_run){
			.age_ns = run->age_ns,
			.sent_pkts = at_most(run->sent_pkts),
			.heard_pkts = at_most(run->heard_pkts),
		};
	}
	memcpy(ret_bytes, &told, sizeof(told));
	return true;
}
