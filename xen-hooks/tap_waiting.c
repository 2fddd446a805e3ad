/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_waiting.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX

struct links {
	uint32_t older, newer;
};

struct list {
	uint32_t oldest, newest;
};

/* Free places have no token, and are in a list of their own. */
struct place {
	struct tapwaiting_packet packet;
	uint64_t since_ns;
	uint32_t use; /* counts up with each packet: from 1 */
	struct links of_all, of_lease;
	bool taken;
};

struct tapwaiting {
	uint32_t count, places_count;
	uint32_t unused; /* by of_all.newer */
	struct list all;
	struct list *leases; /* by number; all that have none: 0 */
	struct place places[];
};

static const struct list nobody = { NOBODY, NOBODY };

struct tapwaiting *tapwaiting_new(uint32_t places, uint32_t leases)
{
	struct tapwaiting *waiting = calloc(
		1, sizeof(*waiting) + places * sizeof(waiting->places[0]));

	if (waiting == NULL)
		return NULL;
	waiting->leases = calloc(leases + 1, sizeof(waiting->leases[0]));
	if (waiting->leases == NULL) {
		free(waiting);
		return NULL;
	}
	waiting->places_count = places;
	waiting->all = nobody;
	for (uint32_t i = 0; i <= leases; i++)
		waiting->leases[i] = nobody;
	waiting->unused = NOBODY;
	for (uint32_t i = places; i-- > 0;) {
		waiting->places[i].of_all.newer = waiting->unused;
		waiting->unused = i;
	}
	return waiting;
}

void tapwaiting_free(struct tapwaiting *waiting)
{
	if (waiting == NULL)
		return;
	free(waiting->leases);
	free(waiting);
}

/* Which of a place's links, and of which list. */
static struct links *links_of(struct tapwaiting *waiting,
			      const struct list *list, uint32_t at)
{
	struct place *place = &waiting->places[at];

	return list == &waiting->all ? &place->of_all : &place->of_lease;
}

static void append(struct tapwaiting *waiting, struct list *list, uint32_t at)
{
	*links_of(waiting, list, at) = (struct links){ list->newest, NOBODY };
	if (list->newest != NOBODY)
		links_of(waiting, list, list->newest)->newer = at;
	else
		list->oldest = at;
	list->newest = at;
}

static void take_out(struct tapwaiting *waiting, struct list *list, uint32_t at)
{
	const struct links links = *links_of(waiting, list, at);

	if (links.older != NOBODY)
		links_of(waiting, list, links.older)->newer = links.newer;
	else
		list->oldest = links.newer;
	if (links.newer != NOBODY)
		links_of(waiting, list, links.newer)->older = links.older;
	else
		list->newest = links.older;
}

uint64_t tapwaiting_add(struct tapwaiting *waiting,
			const struct tapwaiting_packet *packet, uint64_t now_ns)
{
	uint32_t at = waiting->unused;
	struct place *place = &waiting->places[at];

	if (at == NOBODY)
		return 0;
	waiting->unused = place->of_all.newer;
	place->packet = *packet;
	place->packet.place = at;
	place->since_ns = now_ns;
	place->taken = true;
	place->use = place->use == INT32_MAX ? 1 : place->use + 1;
	append(waiting, &waiting->all, at);
	append(waiting, &waiting->leases[packet->lease], at);
	waiting->count++;
	return (uint64_t)place->use << 32 | at;
}

static struct tapwaiting_packet leave(struct tapwaiting *waiting, uint32_t at)
{
	struct place *place = &waiting->places[at];

	take_out(waiting, &waiting->all, at);
	take_out(waiting, &waiting->leases[place->packet.lease], at);
	place->taken = false;
	place->of_all.newer = waiting->unused;
	waiting->unused = at;
	waiting->count--;
	return place->packet;
}

uint32_t tapwaiting_lease(const struct tapwaiting *waiting, uint64_t id)
{
	return waiting->places[(uint32_t)id].packet.lease;
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
	uint32_t at = waiting->all.oldest;

	if (at == NOBODY || waiting->places[at].since_ns > until_ns)
		return false;
	*ret_packet = leave(waiting, at);
	return true;
}

bool tapwaiting_take_follower(struct tapwaiting *waiting, uint32_t lease,
			      struct tapwaiting_packet *ret_packet)
{
	uint32_t at = waiting->leases[lease].oldest;

	if (at == NOBODY || !waiting->places[at].packet.follows)
		return false;
	*ret_packet = leave(waiting, at);
	return true;
}

uint64_t tapwaiting_oldest_ns(const struct tapwaiting *waiting)
{
	return waiting->all.oldest == NOBODY
		       ? UINT64_MAX
		       : waiting->places[waiting->all.oldest].since_ns;
}

uint32_t tapwaiting_count(const struct tapwaiting *waiting)
{
	return waiting->count;
}
