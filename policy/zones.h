/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_ZONES_H
#define POLICY_ZONES_H

/*
 * Where a guarded host lives: an interface and VLAN, or a named group of them
 * from the policy.  Equal addresses in two zones never meet.  One registry per
 * engine; ids are small and dense, given in order of first sight, and mean
 * nothing outside of that registry.
 *
 * Interfaces come and go, and hosts choose the tags of their frames: so who has
 * a registry forgets now and then what nobody is of (zones_keep), and VLANs
 * that the policy does not name have half of the places; one that finds none is
 * its interface's own zone.
 */

#include <stdbool.h>
#include <stdint.h>

struct policy;
struct zones;

enum {
	ZONES_MAX = 4096,
	ZONES_TAGS_MAX = ZONES_MAX / 2,
	ZONE_NAME_SIZE = 32,
};

struct zone {
	char name[ZONE_NAME_SIZE]; /* "lan0", "lan0.17", "campus" */
	char interface[16];        /* first seen on */
	uint16_t vlan;             /* 0: untagged */
};

struct zones *zones_new(void); /* NULL: out of memory */
void zones_free(struct zones *zones);

/* What (interface, vlan) is called under `policy`: by its group in `zones:`, or
 * else by itself. */
void zones_name(const struct policy *policy, const char *interface,
		uint16_t vlan, char ret_name[ZONE_NAME_SIZE]);

/*
 * The id of the zone that (interface, vlan) belongs to under `policy` (its
 * `zones:` groups), made on first sight.  When ZONES_MAX are in use, all
 * further ones share the last id, "other".
 */
uint16_t zones_id(struct zones *zones, const struct policy *policy,
		  const char *interface, uint16_t vlan);

/* The id of a zone by its name, made on first sight: for state that returns. */
uint16_t zones_id_of_name(struct zones *zones, const char *name);

/* Have so many been made since the last zones_keep that it is time for the
 * next? */
bool zones_are_many(const struct zones *zones);

/* Forget all but these.  The ids of the others are given anew: nothing may be
 * known of them any more. */
void zones_keep(struct zones *zones, const bool kept[ZONES_MAX]);

/* Borrowed; never NULL for an id that this registry gave. */
const struct zone *zones_get(const struct zones *zones, uint16_t id);

#endif
