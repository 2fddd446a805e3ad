/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vif_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) ((item)->unhashed = true)
#include <uthash.h>

struct entry {
	struct viftable_row row;
	char interface[16];
	bool unhashed;
	UT_hash_handle hh; /* by interface */
};

struct viftable {
	struct entry **entries;
	size_t count, room;
	struct entry *by_interface;
};

struct viftable *viftable_new(void)
{
	return calloc(1, sizeof(struct viftable));
}

void viftable_free(struct viftable *table)
{
	if (table == NULL)
		return;
	HASH_CLEAR(hh, table->by_interface);
	for (size_t i = 0; i < table->count; i++)
		free(table->entries[i]);
	free(table->entries);
	free(table);
}

size_t viftable_count(const struct viftable *table)
{
	return table->count;
}

struct viftable_row *viftable_at(const struct viftable *table, size_t at)
{
	return &table->entries[at]->row;
}

static struct entry *find(const struct viftable *table,
			  const struct vifkeys *keys, size_t *ret_at)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct vifkeys *other = &table->entries[i]->row.keys;

		if (other->domain != keys->domain ||
		    other->handle != keys->handle)
			continue;
		*ret_at = i;
		return table->entries[i];
	}
	return NULL;
}

static struct entry *add(struct viftable *table)
{
	size_t room = table->room ? 2 * table->room : 64;
	struct entry **entries = table->entries, *entry;

	if (table->count == table->room) {
		entries = realloc(entries, room * sizeof(struct entry *));
		if (entries == NULL)
			return NULL;
		table->entries = entries;
		table->room = room;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry != NULL)
		entries[table->count++] = entry;
	return entry;
}

static void unhash(struct viftable *table, struct entry *entry)
{
	if (entry->interface[0] != '\0' && !entry->unhashed)
		HASH_DELETE(hh, table->by_interface, entry);
	entry->interface[0] = '\0';
}

/* Names are of XenStore: two vifs may claim one, and the later has it. */
static void hash(struct viftable *table, struct entry *entry)
{
	struct entry *same;

	if (strcmp(entry->interface, entry->row.keys.interface) == 0)
		return;
	unhash(table, entry);
	HASH_FIND_STR(table->by_interface, entry->row.keys.interface, same);
	if (same != NULL)
		unhash(table, same);
	memcpy(entry->interface, entry->row.keys.interface,
	       sizeof(entry->interface));
	entry->unhashed = false;
	HASH_ADD_STR(table->by_interface, interface, entry);
}

static void forget(struct viftable *table, size_t at)
{
	struct entry *entry = table->entries[at];

	unhash(table, entry);
	table->entries[at] = table->entries[--table->count];
	free(entry);
}

bool viftable_see(struct viftable *table, const struct vif_order *order)
{
	bool is_gone = order->state == VIF_ABSENT || order->state == VIF_GONE;
	size_t at;
	struct entry *entry = find(table, &order->keys, &at);

	if (order->is_of_slots) {
		if (entry != NULL)
			entry->row.slots = order->slots;
		return true;
	}
	if (is_gone) {
		if (entry != NULL)
			forget(table, at);
		return true;
	}
	if (entry == NULL) {
		entry = add(table);
		if (entry == NULL)
			return false;
		entry->row.slots = -1;
	}
	if (entry->row.state != order->state)
		entry->row.is_told = false;
	entry->row.keys = order->keys;
	entry->row.state = order->state;
	memcpy(entry->row.wrong, order->wrong, sizeof(order->wrong));
	hash(table, entry);
	return true;
}

void viftable_way(struct viftable *table, const struct vifkeys *keys,
		  const char *way, const char *why, bool is_unguarded)
{
	size_t at;
	struct entry *entry = find(table, keys, &at);
	struct vif_figures *figures;

	if (entry == NULL)
		return;
	figures = &entry->row.figures;
	memset(figures->way, 0, sizeof(figures->way));
	snprintf(figures->way, sizeof(figures->way), "%s", way);
	snprintf(entry->row.why, sizeof(entry->row.why), "%s", why);
	figures->is_unguarded = is_unguarded;
}

void viftable_forget_figures(struct viftable *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct vif_figures *figures = &table->entries[i]->row.figures;

		table->entries[i]->row.has_counters = false;
		figures->s_centi = 0;
		figures->held_pkts = 0;
		figures->since_s = 0;
	}
}

void viftable_add(struct viftable *table, const char *interface,
		  int32_t s_centi, uint32_t held_pkts, uint64_t since_s)
{
	struct vif_figures *figures;
	struct entry *entry;

	HASH_FIND_STR(table->by_interface, interface, entry);
	if (entry == NULL)
		return;
	figures = &entry->row.figures;
	if (s_centi > figures->s_centi)
		figures->s_centi = s_centi;
	figures->held_pkts += held_pkts;
	if (since_s != 0 &&
	    (figures->since_s == 0 || since_s < figures->since_s))
		figures->since_s = since_s;
}

void viftable_counters(struct viftable *table, const char *interface,
		       const uint64_t counters[NETBACKCOUNTERS])
{
	struct entry *entry;

	HASH_FIND_STR(table->by_interface, interface, entry);
	if (entry == NULL)
		return;
	entry->row.has_counters = true;
	memcpy(entry->row.counters, counters, sizeof(entry->row.counters));
}

const char *viftable_state(const struct viftable_row *row)
{
	if (row->state != VIF_ACTIVE)
		return vif_state_name(row->state);
	if (row->figures.is_unguarded)
		return "off";
	return row->figures.since_s != 0 ? "held" : "active";
}
