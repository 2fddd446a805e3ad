/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/way_rate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xen-hooks/rate_key.h"
#include "xen-hooks/rate_pace.h"

/* Who writes over our value, again and again, is answered so often. */
#define AGAIN_NS (RATEPACE_WINDOW_US * UINT64_C(1000))
/* What XenStore refused is tried again then. */
#define REFUSED_NS UINT64_C(1000000000)

struct paced {
	uint32_t domain, handle, queues;
	char interface[16];
	struct ratepace pace;
	bool dirty;                      /* its key is not what pace asks for */
	uint64_t retry_ns;               /* and is not written before; or 0 */
	bool touched;                    /* it may not be */
	char value[RATEKEY_VALUE_BYTES]; /* written last */
	uint64_t look_ns;                /* not before */
};

struct wayrate {
	struct paced *list;
	size_t count, room;
	struct wayrate_stats stats;
};

struct wayrate *wayrate_new(void)
{
	return calloc(1, sizeof(struct wayrate));
}

void wayrate_free(struct wayrate *rates)
{
	if (rates == NULL)
		return;
	free(rates->list);
	free(rates);
}

const struct wayrate_stats *wayrate_stats(const struct wayrate *rates)
{
	return &rates->stats;
}

static struct paced *find(struct wayrate *rates, uint32_t domain,
			  uint32_t handle)
{
	for (size_t i = 0; i < rates->count; i++)
		if (rates->list[i].domain == domain &&
		    rates->list[i].handle == handle)
			return &rates->list[i];
	return NULL;
}

static struct paced *add(struct wayrate *rates)
{
	size_t room = rates->room ? 2 * rates->room : 64;
	struct paced *list;

	if (rates->count == rates->room) {
		list = realloc(rates->list, room * sizeof(*list));
		if (list == NULL)
			return NULL;
		rates->list = list;
		rates->room = room;
	}
	rates->list[rates->count] = (struct paced){ 0 };
	return &rates->list[rates->count++];
}

/* Who has gone, or is not there to be asked, refuses nothing. */
static void note_error(struct wayrate *rates, int error)
{
	rates->stats.failed += error < 0 && error != -ENOENT &&
			       error != -ENOTCONN;
}

static void give_back(struct wayrate *rates, struct store *store,
		      uint32_t domain, uint32_t handle)
{
	if (store != NULL)
		note_error(rates, ratekey_free(store, domain, handle));
}

bool wayrate_know(struct wayrate *rates, struct store *store,
		  const struct vifkeys *keys)
{
	struct paced *paced = find(rates, keys->domain, keys->handle);

	if (paced == NULL) {
		paced = add(rates);
		if (paced == NULL)
			return false;
		paced->domain = keys->domain;
		paced->handle = keys->handle;
		if (keys->is_limited)
			give_back(rates, store, keys->domain, keys->handle);
	}
	paced->queues = keys->queues ? keys->queues : 1;
	memcpy(paced->interface, keys->interface, sizeof(paced->interface));
	return true;
}

void wayrate_forget(struct wayrate *rates, struct store *store, uint32_t domain,
		    uint32_t handle)
{
	struct paced *paced = find(rates, domain, handle);

	if (paced == NULL)
		return;
	if (paced->pace.limited || paced->dirty)
		give_back(rates, store, domain, handle);
	*paced = rates->list[--rates->count];
}

static void note(struct paced *paced, enum ratepace_action action)
{
	paced->dirty |= action != RATEPACE_NOTHING;
}

void wayrate_owes(struct wayrate *rates, const char *interface, uint32_t engine,
		  uint32_t packet_bytes, uint64_t now_ns)
{
	for (size_t i = 0; i < rates->count; i++) {
		struct paced *paced = &rates->list[i];

		if (engine < RATEPACE_ENGINES &&
		    strcmp(paced->interface, interface) == 0)
			note(paced, ratepace_owes(&paced->pace, engine,
						  packet_bytes, now_ns));
	}
}

void wayrate_touched(struct wayrate *rates, uint32_t domain, uint32_t handle)
{
	struct paced *paced = find(rates, domain, handle);

	if (paced != NULL && paced->pace.limited)
		paced->touched = true;
}

void wayrate_lost(struct wayrate *rates)
{
	for (size_t i = 0; i < rates->count; i++) {
		rates->list[i].dirty |= rates->list[i].pace.limited;
		rates->list[i].retry_ns = 0;
		rates->list[i].touched = false; /* it is written anyway */
	}
}

/* What is not ours any more is the operator's new word: kept, and paused as
 * before. */
static void look(struct wayrate *rates, struct store *store,
		 struct paced *paced, uint64_t now_ns)
{
	int is;

	if (!paced->touched || now_ns < paced->look_ns)
		return;
	paced->touched = false;
	if (!paced->pace.limited || paced->dirty)
		return;
	is = ratekey_is(store, paced->domain, paced->handle, paced->value);
	if (is != 0)
		return;
	rates->stats.changes++;
	paced->dirty = true;
	paced->look_ns = now_ns + AGAIN_NS;
}

static void write_key(struct wayrate *rates, struct store *store,
		      struct paced *paced, uint64_t now_ns)
{
	int error;

	if (paced->pace.limited)
		error = ratekey_limit(store, paced->domain, paced->handle,
				      paced->queues, paced->pace.window_bytes,
				      paced->value);
	else
		error = ratekey_free(store, paced->domain, paced->handle);
	/* Else what stands there would be in force for good. */
	paced->dirty = error < 0 && error != -ENOENT;
	paced->retry_ns = 0;
	if (error == -EAGAIN)
		paced->retry_ns = now_ns + AGAIN_NS;
	else if (paced->dirty && error != -ENOTCONN)
		paced->retry_ns = now_ns + REFUSED_NS;
	note_error(rates, error);
}

void wayrate_advance(struct wayrate *rates, struct store *store,
		     uint64_t now_ns)
{
	for (size_t i = 0; i < rates->count; i++) {
		struct paced *paced = &rates->list[i];

		note(paced, ratepace_advance(&paced->pace, now_ns));
		if (store == NULL)
			continue;
		look(rates, store, paced, now_ns);
		if (paced->dirty && now_ns >= paced->retry_ns)
			write_key(rates, store, paced, now_ns);
	}
}

uint64_t wayrate_next_ns(const struct wayrate *rates)
{
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < rates->count; i++) {
		const struct paced *paced = &rates->list[i];
		uint64_t of_one = ratepace_next_ns(&paced->pace);

		if (paced->touched && paced->look_ns < of_one)
			of_one = paced->look_ns;
		if (paced->dirty && paced->retry_ns > 0 &&
		    paced->retry_ns < of_one)
			of_one = paced->retry_ns;
		if (of_one < next_ns)
			next_ns = of_one;
	}
	return next_ns;
}

void wayrate_let_go(struct wayrate *rates, struct store *store)
{
	for (size_t i = 0; i < rates->count; i++) {
		struct paced *paced = &rates->list[i];

		if (paced->pace.limited || paced->dirty)
			give_back(rates, store, paced->domain, paced->handle);
		paced->pace = (struct ratepace){ 0 };
		paced->dirty = false;
	}
}
