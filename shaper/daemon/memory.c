/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/counters.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/state.h"
#include "shaper/daemon/status.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"

enum { STEPS = 4096, RECORDS = 64 };

static void save_engine(struct state_writer *writer,
			const struct memory_engine *engine, uint64_t now_ns)
{
	struct pump_record records[RECORDS];
	struct snapshot_cursor cursor = { 0 };
	size_t count, i;

	while (!cursor.ended) {
		count = pump_export(engine->pump, &cursor, STEPS, records,
				    RECORDS, now_ns);
		for (i = 0; i < count; i++) {
			uint16_t zone = records[i].key.zone;

			state_add_record(writer, &records[i],
					 zones_get(engine->zones, zone)->name);
		}
	}
}

/* The prefix keeps equal names of the tables apart. */
static void save_counters(struct state_writer *writer,
			  const struct status_sums *sums)
{
	char name[STATE_NAME_BYTES];
	size_t i;

	for (i = 0; i < STATS_COUNT; i++) {
		snprintf(name, sizeof(name), "core.%s", counters_core[i].name);
		state_add_counter(writer, name, sums->totals.stats.counter[i]);
	}
	for (i = 0; i < NFQUEUE_COUNT; i++) {
		snprintf(name, sizeof(name), "io.%s", counters_io[i].name);
		state_add_counter(writer, name, sums->io.counter[i]);
	}
	for (i = 0; i < TAPJUDGE_COUNTERS_COUNT; i++) {
		snprintf(name, sizeof(name), "tap.%s", counters_tap[i].name);
		state_add_counter(writer, name, sums->tap.counter[i]);
	}
	for (i = 1; i < PACKET_ERRORS; i++) {
		snprintf(name, sizeof(name), "unreadable.%s",
			 counters_unreadable[i].name);
		state_add_counter(writer, name, sums->io.unreadable_pkts[i]);
	}
}

/* Two of each: whether the module was loaded anew meanwhile is found out when
 * it tells its own. */
static void save_netback(struct state_writer *writer,
			 const struct status_netback *netback)
{
	char name[STATE_NAME_BYTES];

	for (size_t i = 0; i < NETBACKCOUNTERS && netback->is_there; i++) {
		if (netbackcounters[i].is_level)
			continue;
		snprintf(name, sizeof(name), "netback.%s",
			 netbackcounters[i].name);
		state_add_counter(writer, name, netback->before[i]);
		snprintf(name, sizeof(name), "module.%s",
			 netbackcounters[i].name);
		state_add_counter(writer, name, netback->told[i]);
	}
}

static void save_exemptions(struct state_writer *writer,
			    const struct status *status, uint64_t now_ns)
{
	for (size_t i = 0; i < status->exemptions_count; i++)
		if (status->exemptions[i].until_ns > now_ns)
			state_add_exemption(
				writer, status->exemptions[i].address,
				status->exemptions[i].until_ns - now_ns);
}

int memory_save(const char *path, const struct memory_engine *engines,
		size_t count, const struct status *status, uint64_t wall_ns,
		uint64_t now_ns)
{
	struct state_writer writer;
	size_t i;
	int error;

	state_begin(&writer, wall_ns);
	save_counters(&writer, &status->sums);
	save_netback(&writer, &status->netback);
	save_exemptions(&writer, status, now_ns);
	for (i = 0; i < count; i++)
		save_engine(&writer, &engines[i], now_ns);
	error = state_save(&writer, path);
	if (writer.left_out > 0)
		log_warn(0, "state: %llu keys found no room in %s",
			 (unsigned long long)writer.left_out, path);
	state_fini(&writer);
	return error;
}

int memory_keep(const char *path, const struct memory_record *records,
		size_t count, const struct status *status, uint64_t wall_ns,
		uint64_t now_ns)
{
	struct state_writer writer;
	int error;

	state_begin(&writer, wall_ns);
	save_counters(&writer, &status->sums);
	save_netback(&writer, &status->netback);
	save_exemptions(&writer, status, now_ns);
	for (size_t i = 0; i < count; i++)
		state_add_record(&writer, &records[i].record, records[i].zone);
	error = state_save_soon(&writer, path);
	state_fini(&writer);
	return error;
}

static void restore_from(const struct counter_row *rows, size_t count,
			 const char *name, uint64_t value, uint64_t *counters)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(rows[i].name, name) == 0)
			counters[i] = value;
}

static void restore_netback(struct status_netback *netback, const char *name,
			    uint64_t value, uint64_t *counters)
{
	for (size_t i = 0; i < NETBACKCOUNTERS; i++) {
		if (netbackcounters[i].is_level ||
		    strcmp(netbackcounters[i].name, name) != 0)
			continue;
		netback->is_there = true;
		counters[i] = value;
		netback->counters[i] = netback->before[i] + netback->told[i];
	}
}

/* A counter that this version does not have is forgotten. */
static void restore_counter(struct status *status,
			    const struct state_item *item)
{
	struct status_sums *restored = &status->restored;
	const char *name = strchr(item->name, '.');

	if (name == NULL)
		return;
	name++;
	if (strncmp(item->name, "core.", 5) == 0)
		restore_from(counters_core, STATS_COUNT, name, item->value,
			     restored->totals.stats.counter);
	else if (strncmp(item->name, "netback.", 8) == 0)
		restore_netback(&status->netback, name, item->value,
				status->netback.before);
	else if (strncmp(item->name, "module.", 7) == 0)
		restore_netback(&status->netback, name, item->value,
				status->netback.told);
	else if (strncmp(item->name, "io.", 3) == 0)
		restore_from(counters_io, NFQUEUE_COUNT, name, item->value,
			     restored->io.counter);
	else if (strncmp(item->name, "tap.", 4) == 0)
		restore_from(counters_tap, TAPJUDGE_COUNTERS_COUNT, name,
			     item->value, restored->tap.counter);
	else
		restore_from(counters_unreadable, PACKET_ERRORS, name,
			     item->value, restored->io.unreadable_pkts);
}

static bool restore_record(struct state_item *item,
			   const struct memory_engine *engines, size_t count,
			   uint32_t shard_seed, const struct policy *policy,
			   uint64_t down_ns, uint64_t now_ns)
{
	struct flow_key *key = &item->record.key;
	const struct zone *zone;
	uint8_t host[16];
	uint8_t shard;

	key->zone = zones_id_of_name(engines[0].zones, item->zone);
	zone = zones_get(engines[0].zones, key->zone);
	policy_host_of(policy, key->inside, zone, host);
	shard = shard_of(host, shard_seed, (uint8_t)count);
	key->zone = zones_id_of_name(engines[shard].zones, item->zone);
	return pump_import(engines[shard].pump, &item->record, down_ns, now_ns);
}

static void restore_exemption(const struct state_item *item,
			      const struct memory_engine *engines, size_t count,
			      struct status *status, uint64_t down_ns,
			      uint64_t now_ns)
{
	uint64_t until_ns;
	size_t i;

	if (item->value <= down_ns || item->value - down_ns > UINT64_MAX / 2)
		return;
	until_ns = now_ns + (item->value - down_ns);
	if (!status_exempt(status, item->address, until_ns, now_ns))
		return;
	for (i = 0; i < count; i++)
		pump_exempt_address(engines[i].pump, item->address, until_ns,
				    now_ns);
}

/* The clock may have been set meanwhile: then no time has passed. */
static uint64_t down_ns_of(const struct state_reader *reader, uint64_t wall_ns)
{
	return wall_ns > reader->wall_ns ? wall_ns - reader->wall_ns : 0;
}

static void refuse(struct status *status, const char *path, int error,
		   const char *why)
{
	status->state_refused = true;
	log_warn(error, "state: %s is not used%s%s", path,
		 why != NULL ? ": " : "", why != NULL ? why : "");
}

size_t memory_restore(const char *path, const struct memory_engine *engines,
		      size_t count, uint32_t shard_seed, struct status *status,
		      uint64_t wall_ns, uint64_t now_ns)
{
	struct state_reader reader;
	struct state_item item;
	size_t size_bytes, keys = 0;
	uint64_t down_ns;
	uint8_t *bytes;
	const char *why;
	int error = state_load(path, &bytes, &size_bytes);

	if (error < 0) {
		if (error != -ENOENT)
			refuse(status, path, -error, NULL);
		return 0;
	}
	why = state_open(&reader, bytes, size_bytes);
	if (why != NULL) {
		refuse(status, path, 0, why);
		free(bytes);
		return 0;
	}
	down_ns = down_ns_of(&reader, wall_ns);
	while (state_next(&reader, &item)) {
		switch (item.kind) {
		case STATE_COUNTER:
			restore_counter(status, &item);
			break;
		case STATE_EXEMPTION:
			restore_exemption(&item, engines, count, status,
					  down_ns, now_ns);
			break;
		case STATE_RECORD:
			keys += restore_record(&item, engines, count,
					       shard_seed, status->policy,
					       down_ns, now_ns);
			break;
		case STATE_GUEST: /* in a file of their own */
			break;
		}
	}
	free(bytes);
	return keys;
}
