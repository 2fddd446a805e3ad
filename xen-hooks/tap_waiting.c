/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_waiting.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

/* Free places have no token, and are in a list of their own. */
struct place {
	struct tapwaiting_packet packet;
	uint64_t since_ns;
	uint32_t use; /* counts up with each packet: from 1 */
	uint32_t older, newer;
	bool taken;
};

struct tapwaiting {
	uint32_t count, places_count;
	uint32_t oldest, newest, unused;
	struct place places[];
};

struct tapwaiting *tapwaiting_new(uint32_t places)
{
	struct tapwaiting *waiting = calloc(
		1, sizeof(*waiting) + places * sizeof(waiting->places[0]));

	if (waiting == NULL)
		return NULL;
	waiting->places_count = places;
	waiting->oldest = NOBODY;
	waiting->newest = NOBODY;
	waiting->unused = NOBODY;
	for (uint32_t i = places; i-- > 0;) {
		waiting->places[i].newer = waiting->unused;
		waiting->unused = i;
	}
	return waiting;
}

void tapwaiting_free(struct tapwaiting *waiting)
{
	free(waiting);
}

uint64_t tapwaiting_add(struct tapwaiting *waiting,
			const struct tapwaiting_packet *packet, uint64_t now_ns)
{
	uint32_t at = waiting->unused;
	struct place *place = &waiting->places[at];

	if (at == NOBODY)
		return 0;
	waiting->unused = place->newer;
	place->packet = *packet;
	place->since_ns = now_ns;
	place->taken = true;
	place->use = place->use == INT32_MAX ? 1 : place->use + 1;
	place->older = waiting->newest;
	place->newer = NOBODY;
	if (waiting->newest != NOBODY)
		waiting->places[waiting->newest].newer = at;
	else
		waiting->oldest = at;
	waiting->newest = at;
	waiting->count++;
	return (uint64_t)place->use << 32 | at;
}

static struct tapwaiting_packet leave(struct tapwaiting *waiting, uint32_t at)
{
	struct place *place = &waiting->places[at];

	if (place->older != NOBODY)
		waiting->places[place->older].newer = place->newer;
	else
		waiting->oldest = place->newer;
	if (place->newer != NOBODY)
		waiting->places[place->newer].older = place->older;
	else
		waiting->newest = place->older;
	place->taken = false;
	place->newer = waiting->unused;
	waiting->unused = at;
	waiting->count--;
	return place->packet;
}

bool tapwaiting_take(struct tapwaiting *waiting, uint64_t id,
		     struct tapwaiting_packet *ret_packet)
{
	uint32_t at = (uint32_t)id;

	if (at >= waiting->places_count || !waiting->places[at].taken ||
	    waiting->places[at].use != id >> 32 ||
	    waiting->places[at].packet.follows)
		return false;
	*ret_packet = leave(waiting, at);
	return true;
}

bool tapwaiting_take_oldest(struct tapwaiting *waiting, uint64_t until_ns,
			    struct tapwaiting_packet *ret_packet)
{
	uint32_t at = waiting->oldest;

	if (at == NOBODY || waiting->places[at].since_ns > until_ns)
		return false;
	*ret_packet = leave(waiting, at);
	return true;
}

bool tapwaiting_take_follower(struct tapwaiting *waiting, uint32_t lease,
			      struct tapwaiting_packet *ret_packet)
{
	uint32_t at = waiting->oldest;

	while (at != NOBODY && waiting->places[at].packet.lease != lease)
		at = waiting->places[at].newer;
	if (at == NOBODY || !waiting->places[at].packet.follows)
		return false;
	*ret_packet = leave(waiting, at);
	return true;
}

uint64_t tapwaiting_oldest_ns(const struct tapwaiting *waiting)
{
	return waiting->oldest == NOBODY
		       ? UINT64_MAX
		       : waiting->places[waiting->oldest].since_ns;
}

uint32_t tapwaiting_count(const struct tapwaiting *waiting)
{
	return waiting->count;
}
