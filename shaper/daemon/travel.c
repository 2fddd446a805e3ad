/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/travel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/daemon/lately.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/travel_state.h"
#include "shaper/io/clock.h"

/* Somebody waits for it. */
struct departure {
	struct travel *travel;
	struct travel_vif vif;
	void (*on_done)(void *self, uint64_t released_pkts);
	void *self;
};

#define WRITE_NS UINT64_C(1000000000)

struct travel *travel_new(struct mailbox *const *mailboxes, size_t count)
{
	struct travel *travel = calloc(1, sizeof(*travel));

	if (travel == NULL)
		return NULL;
	travel->passage = passage_new(mailboxes, count);
	travel->guests = remembered_new();
	travel->lately = lately_new();
	travel->log = (struct log_limit){ .subject = "guests",
					  .burst_lines = 1,
					  .lines_per_min = 1 };
	if (travel->passage != NULL && travel->guests != NULL &&
	    travel->lately != NULL)
		return travel;
	travel_free(travel);
	return NULL;
}

void travel_stop(struct travel *travel)
{
	passage_stop(travel->passage);
}

/* ------ the file */

static void write_down(struct travel *travel, uint64_t now_ns)
{
	int error;

	travel->changed = false;
	travel->written_ns = now_ns;
	if (travel->path[0] == '\0')
		return;
	error = remembered_save(travel->guests, travel->path, clock_wall_ns(),
				now_ns);
	if (error < 0)
		log_limited(&travel->log, LOG_LEVEL_WARN, -error,
			    "%s cannot be written", travel->path);
}

void travel_change(struct travel *travel, uint64_t now_ns)
{
	travel->changed = true;
	if (now_ns - travel->written_ns >= WRITE_NS)
		write_down(travel, now_ns);
}

void travel_free(struct travel *travel)
{
	if (travel == NULL)
		return;
	passage_free(travel->passage);
	if (travel->changed)
		write_down(travel, clock_now_ns());
	remembered_free(travel->guests);
	lately_free(travel->lately);
	free(travel->vifs);
	free(travel);
}

void travel_begin(struct travel *travel, const char *state_file,
		  uint64_t now_ns)
{
	const char *why = NULL;
	int error;

	if (state_file[0] == '\0')
		return;
	snprintf(travel->path, sizeof(travel->path), "%s.guests", state_file);
	error = remembered_load(travel->guests, travel->path, clock_wall_ns(),
				now_ns, &why);
	if (error == 1)
		log_warn(0, "guests: %s is not used: %s", travel->path, why);
	else if (error < 0 && error != -ENOENT)
		log_warn(-error, "guests: %s is not used", travel->path);
	else if (error == 0)
		log_info(0, "guests: %zu are remembered",
			 remembered_count(travel->guests));
}

void travel_advance(struct travel *travel, uint64_t now_ns)
{
	size_t before = remembered_count(travel->guests);

	passage_advance(travel->passage);
	remembered_advance(travel->guests, now_ns);
	if (travel->changed || remembered_count(travel->guests) != before)
		write_down(travel, now_ns);
}

/* ------ here and away */

static struct travel_vif *find(struct travel *travel,
			       const struct travel_vif *vif)
{
	for (size_t i = 0; i < travel->count; i++)
		if (travel->vifs[i].domain == vif->domain &&
		    travel->vifs[i].handle == vif->handle)
			return &travel->vifs[i];
	return NULL;
}

struct travel_vif *travel_find(struct travel *travel, const char *uuid)
{
	for (size_t i = 0; i < travel->count; i++)
		if (strcmp(travel->vifs[i].uuid, uuid) == 0)
			return &travel->vifs[i];
	return NULL;
}

static bool add(struct travel *travel, const struct travel_vif *vif)
{
	size_t room = travel->room ? 2 * travel->room : 64;
	struct travel_vif *vifs;

	if (travel->count == travel->room) {
		vifs = realloc(travel->vifs, room * sizeof(*vifs));
		if (vifs == NULL)
			return false;
		travel->vifs = vifs;
		travel->room = room;
	}
	travel->vifs[travel->count++] = *vif;
	return true;
}

void travel_give(struct travel *travel, const struct travel_vif *vif,
		 uint64_t now_ns)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];
	const struct pump_guest guest = { .addresses = vif->guest.addresses,
					  .count = vif->guest.count };
	size_t count = remembered_take(travel->guests, vif->uuid, &guest, keys);

	if (count == 0)
		return;
	log_info(0, "guests: %s of domain %u is known: %zu keys",
		 vif->guest.interface, vif->domain, count);
	passage_give(travel->passage, &vif->guest, keys, count,
		     now_ns + REMEMBERED_NS, NULL, NULL);
	travel_change(travel, now_ns);
}

void travel_arrive(struct travel *travel, const struct travel_vif *vif,
		   uint64_t now_ns)
{
	struct travel_vif *known = find(travel, vif);

	if (vif->uuid[0] == '\0')
		return;
	if (known != NULL)
		*known = *vif;
	else if (!add(travel, vif))
		return;
	travel_give(travel, vif, now_ns);
}

bool travel_has_guests(const struct travel *travel)
{
	return travel->count > 0;
}

void travel_note(struct travel *travel, const struct memory_record *records,
		 size_t count, uint64_t now_ns)
{
	if (travel_has_guests(travel))
		lately_note(travel->lately, records, count, now_ns);
}

void travel_remember(struct travel *travel, const struct travel_vif *vif,
		     const struct memory_record *keys, size_t count,
		     uint64_t now_ns)
{
	for (size_t i = 0; i < count && vif->uuid[0] != '\0'; i++)
		if (!remembered_add(travel->guests, vif->uuid, &keys[i],
				    now_ns))
			break;
	if (count > 0)
		travel_change(travel, now_ns);
}

/* It may be here once more: it was moved to another domain of this host. */
static void has_left(void *self, const struct passage_keys *taken)
{
	static struct memory_record lately[REMEMBERED_KEYS_MAX];
	struct departure *departure = self;
	struct travel *travel = departure->travel;
	const struct travel_vif *vif = &departure->vif;
	struct travel_vif *known = find(travel, vif);
	uint64_t now_ns = clock_now_ns();

	if (known != NULL)
		*known = travel->vifs[--travel->count];
	travel_remember(travel, vif, taken->keys, taken->count, now_ns);
	travel_remember(travel, vif, lately,
			lately_take(travel->lately, &vif->guest, lately,
				    REMEMBERED_KEYS_MAX, now_ns),
			now_ns);
	known = travel_find(travel, vif->uuid);
	if (known != NULL)
		travel_give(travel, known, now_ns);
	if (departure->on_done != NULL)
		departure->on_done(departure->self, taken->released_pkts);
	free(departure);
}

void travel_depart(struct travel *travel, const struct travel_vif *vif,
		   void (*on_done)(void *self, uint64_t released_pkts),
		   void *self)
{
	struct departure *departure = calloc(1, sizeof(*departure));

	if (departure == NULL) {
		if (on_done != NULL)
			on_done(self, 0);
		return;
	}
	departure->travel = travel;
	departure->vif = *vif;
	departure->on_done = on_done;
	departure->self = self;
	passage_take(travel->passage, &vif->guest, PASSAGE_LEAVE,
		     REMEMBERED_KEYS_MAX, has_left, departure);
}

/* ------ guests that others count */

void travel_set_elsewhere(struct travel *travel,
			  const struct passage_elsewhere *elsewhere)
{
	passage_set_elsewhere(travel->passage, elsewhere);
}

void travel_take(struct travel *travel, const struct travel_vif *vif,
		 void (*on_taken)(void *self, const struct passage_keys *taken),
		 void *self)
{
	passage_take(travel->passage, &vif->guest, PASSAGE_LEAVE,
		     REMEMBERED_KEYS_MAX, on_taken, self);
}

void travel_return(struct travel *travel, const struct travel_vif *vif,
		   const struct memory_record *keys, size_t count,
		   uint64_t now_ns)
{
	if (count > 0)
		passage_give(travel->passage, &vif->guest, keys, count,
			     now_ns + REMEMBERED_NS, NULL, NULL);
}

void travel_recall(struct travel *travel, const struct travel_vif *vif,
		   uint64_t now_ns)
{
	static struct memory_record keys[REMEMBERED_KEYS_MAX];
	size_t count = lately_take(travel->lately, &vif->guest, keys,
				   REMEMBERED_KEYS_MAX, now_ns);

	travel_return(travel, vif, keys, count, now_ns);
}
