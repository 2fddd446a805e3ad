/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/vifs_netback.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/daemon.h"
#include "shaper/daemon/explain.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/vif_netback.h"
#include "shaper/daemon/vif_table.h"
#include "shaper/daemon/vifs_state.h"
#include "shaper/io/clock.h"

#define NS_PER_S UINT64_C(1000000000)

enum { NOTED_AT_ONCE = 32 }; /* vifs whose keys are read in a second */

static struct vif *find(const struct vifs *vifs, uint32_t domain,
			uint32_t handle)
{
	for (size_t i = 0; i < vifs->count; i++)
		if (vifs->list[i].keys.domain == domain &&
		    vifs->list[i].keys.handle == handle)
			return &vifs->list[i];
	return NULL;
}

/* ------ keys */

/* 0 or -errno. */
static int read_keys(const struct vifs *vifs, const struct vif *vif,
		     const struct passage_guest *guest,
		     struct memory_record *ret_keys, size_t max,
		     size_t *ret_count)
{
	static struct pump_record records[REMEMBERED_KEYS_MAX];
	const char *interface = vif->keys.interface;
	size_t count = 0, kept = 0;
	int error;

	if (max > REMEMBERED_KEYS_MAX)
		max = REMEMBERED_KEYS_MAX;
	error = waynetback_keys(vifs->netback, interface, records, max, &count);
	for (size_t i = 0; i < count; i++)
		kept += vifnetback_take(vifs->daemon->policy, &records[i],
					interface, guest, &ret_keys[kept]);
	*ret_count = kept;
	return error;
}

static size_t look(void *self, const struct passage_guest *guest,
		   struct memory_record *ret_keys, size_t max)
{
	const struct vifs *vifs = self;
	bool is_one = guest->interface[0] != '\0';
	size_t count = 0, more;

	for (size_t i = 0; i < vifs->count && count < max; i++) {
		const struct vif *vif = &vifs->list[i];

		if (!vif->is_there ||
		    (is_one ? strcmp(vif->keys.interface, guest->interface) != 0
			    : !vif->has_keys))
			continue;
		read_keys(vifs, vif, guest, ret_keys + count, max - count,
			  &more);
		count += more;
	}
	return count;
}

static bool give(void *self, const struct passage_guest *guest,
		 const struct memory_record *key)
{
	const struct vifs *vifs = self;

	for (size_t i = 0; i < vifs->count; i++) {
		const struct vif *vif = &vifs->list[i];
		struct pump_record record;

		if (vif->is_there &&
		    vifnetback_give(vifs->daemon->policy, key, &vif->keys,
				    guest, &record))
			return waynetback_give(vifs->netback,
					       vif->keys.interface,
					       &record) == 0;
	}
	return false;
}

void vifsnetback_begin(struct vifs *vifs)
{
	const struct passage_elsewhere elsewhere = { .look = look,
						     .give = give,
						     .self = vifs };

	if (vifs->netback != NULL)
		travel_set_elsewhere(vifs->daemon->travel, &elsewhere);
}

void vifsnetback_remember(struct vifs *vifs)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];

	for (size_t i = 0; i < vifs->count; i++) {
		const struct vif *vif = &vifs->list[i];
		const struct travel_vif guest = vifs_travel(&vif->keys);
		size_t count = 0;

		if (vif->is_there && !vif->leaving)
			read_keys(vifs, vif, &guest.guest, keys,
				  REMEMBERED_KEYS_MAX, &count);
		travel_remember(vifs->daemon->travel, &guest, keys, count,
				clock_now_ns());
	}
}

void vifsnetback_end(struct vifs *vifs)
{
	for (size_t i = 0; i < vifs->count; i++)
		if (vifs->list[i].is_there)
			waynetback_unset(vifs->netback,
					 vifs->list[i].keys.interface);
	waynetback_close(vifs->netback);
}

/* ------ there and back */

struct arrival {
	struct vifs *vifs;
	uint32_t domain, handle;
};

/* It may have left meanwhile: then they are given to who has it now. */
static void take_over(void *self, const struct passage_keys *taken)
{
	struct arrival *arrival = self;
	struct vifs *vifs = arrival->vifs;
	const struct vif *vif = find(vifs, arrival->domain, arrival->handle);

	if (vif != NULL) {
		const struct travel_vif guest = vifs_travel(&vif->keys);

		travel_return(vifs->daemon->travel, &guest, taken->keys,
			      taken->count, clock_now_ns());
	}
	free(arrival);
}

static void arrive(struct vifs *vifs, struct vif *vif)
{
	const struct travel_vif guest = vifs_travel(&vif->keys);
	struct arrival *arrival = calloc(1, sizeof(*arrival));

	vif->is_there = true;
	if (arrival == NULL)
		return;
	*arrival = (struct arrival){ .vifs = vifs,
				     .domain = vif->keys.domain,
				     .handle = vif->keys.handle };
	travel_take(vifs->daemon->travel, &guest, take_over, arrival);
}

static void lose(struct vifs *vifs, struct vif *vif)
{
	const struct travel_vif guest = vifs_travel(&vif->keys);

	log_warn(0, "xen: %s has no guard in netback any more",
		 vif->keys.interface);
	vif->is_there = vif->has_keys = false;
	travel_recall(vifs->daemon->travel, &guest, clock_now_ns());
}

static void leave(struct vifs *vifs, struct vif *vif)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];
	const struct travel_vif guest = vifs_travel(&vif->keys);
	size_t count;

	if (read_keys(vifs, vif, &guest.guest, keys, REMEMBERED_KEYS_MAX,
		      &count) < 0) {
		lose(vifs, vif);
		return;
	}
	vif->is_there = vif->has_keys = false;
	travel_return(vifs->daemon->travel, &guest, keys, count,
		      clock_now_ns());
}

static bool has_device(const struct vif *vif)
{
	return if_nametoindex(vif->keys.interface) != 0;
}

int vifsnetback_set(struct vifs *vifs, struct vif *vif)
{
	int error;

	if (vifs->netback == NULL)
		return 0;
	if (!vif->in_netback) {
		if (vif->is_there)
			leave(vifs, vif);
		/* Who was there before us may have left one. */
		waynetback_unset(vifs->netback, vif->keys.interface);
		return 0;
	}
	/* The module may have gone and come since it was last seen. */
	if (vif->is_there && has_device(vif) &&
	    waynetback_look(vifs->netback, vif->keys.interface) == -ENODEV)
		lose(vifs, vif);
	vif->netback.keys = &vif->keys;
	error = waynetback_set(vifs->netback, vif->keys.interface,
			       &vif->netback);
	if (error == 0 && !vif->is_there)
		arrive(vifs, vif);
	return error;
}

/* ------ once a second */

struct measure {
	struct vifs *vifs;
	uint64_t wall_ns;
	size_t next; /* of the list: they are told in the same order */
	bool missing;
};

static struct vif *find_name(struct measure *measure, const char *interface)
{
	const struct vifs *vifs = measure->vifs;

	for (size_t i = 0; i < vifs->count; i++) {
		struct vif *vif =
			&vifs->list[(measure->next + i) % vifs->count];

		if (strcmp(vif->keys.interface, interface) != 0)
			continue;
		measure->next += i + 1;
		return vif;
	}
	return NULL;
}

static void take_state(void *self, const struct waynetback_state *state)
{
	struct measure *measure = self;
	struct viftable *table = measure->vifs->table;
	uint64_t since_s = 0;
	struct vif *vif;

	if (state->interface[0] == '\0') {
		status_netback(&measure->vifs->daemon->status, state->counters);
		return;
	}
	vif = find_name(measure, state->interface);
	if (vif == NULL)
		return;
	vif->was_told = true;
	vif->has_keys = state->over_keys > 0 || state->expected_keys > 0 ||
			state->waits_ns > 0;
	if (state->waits_ns > 0)
		since_s = (measure->wall_ns - state->waits_ns) / NS_PER_S;
	viftable_add(table, state->interface,
		     (int32_t)(100 * explain_s(state->offered_pkts,
					       state->heard_pkts)),
		     (uint32_t)waynetback_waiting(state), since_s);
	viftable_counters(table, state->interface, state->counters);
}

/* What is held back now, should the module go without a word. */
static void note_keys(struct vifs *vifs)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];
	size_t noted = 0;

	for (size_t i = 0; i < vifs->count && noted < NOTED_AT_ONCE; i++) {
		const struct vif *vif =
			&vifs->list[vifs->noted++ % vifs->count];
		size_t count;

		if (!vif->is_there || !vif->has_keys)
			continue;
		read_keys(vifs, vif, NULL, keys, REMEMBERED_KEYS_MAX, &count);
		travel_note(vifs->daemon->travel, keys, count, clock_now_ns());
		noted++;
	}
}

/* One that is just leaving is no news. */
static bool is_lost(const struct vif *vif)
{
	return vif->is_there && !vif->was_told && !vif->leaving &&
	       has_device(vif);
}

void vifsnetback_measure(struct vifs *vifs)
{
	struct measure measure = { .vifs = vifs, .wall_ns = clock_wall_ns() };
	bool lost = false;
	int error;

	for (size_t i = 0; i < vifs->count; i++)
		vifs->list[i].was_told = false;
	if (vifs->netback == NULL)
		return;
	error = waynetback_all(vifs->netback, take_state, &measure);
	if (error < 0 && error != -ENOENT)
		return;
	for (size_t i = 0; i < vifs->count; i++) {
		struct vif *vif = &vifs->list[i];

		if (!is_lost(vif))
			continue;
		lose(vifs, vif);
		lost = true;
	}
	note_keys(vifs);
	if (lost)
		reload_vifs(vifs->daemon->reload);
}

bool vifsnetback_is_as_before(const struct vifs *vifs)
{
	return vifs->netback_lacks == waynetback_lacks(vifs->netback);
}
