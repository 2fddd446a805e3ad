/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/refused.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"

#define NS_PER_S 1e9
/* What a rate is told by: as long as an element stays that is not put back. */
#define SPAN_S 0.5
/* The kernel's, by which elements age. */
#define CLOCK_S 0.004

enum { OLD_LOOKS_MAX = 1 };

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare(const void *a, const void *b)
{
	const struct nftrules_refused *first = a, *second = b;
	int difference = memcmp(first->inside, second->inside, 16);

	if (difference == 0)
		difference = memcmp(first->outside, second->outside, 16);
	if (difference == 0)
		difference = compare_numbers(first->inside_port,
					     second->inside_port);
	if (difference == 0)
		difference = compare_numbers(first->outside_port,
					     second->outside_port);
	if (difference == 0)
		difference = compare_numbers(first->proto, second->proto);
	if (difference == 0)
		difference = strncmp(first->interface, second->interface,
				     sizeof(first->interface));
	return difference;
}

static const struct refused_key *find(const struct refused *refused,
				      const struct nftrules_refused *element)
{
	return refused->count > 0
		       ? bsearch(element, refused->keys, refused->count,
				 sizeof(refused->keys[0]), compare)
		       : NULL;
}

/* Before a young element came, the rate was that of the look before: alone, a
 * few packets after a pause would be a flood. */
static uint64_t rate_of(const struct nftrules_refused *element,
			const struct refused_key *before)
{
	double age_s = (double)element->age_ns / NS_PER_S;
	double pkts = (double)element->pkts;

	if (age_s < CLOCK_S)
		age_s = CLOCK_S;
	if (before && age_s < SPAN_S) {
		pkts += (double)before->pkts_per_s * (SPAN_S - age_s);
		age_s = SPAN_S;
	}
	return (uint64_t)(pkts / age_s);
}

static void keep(struct refused *next, const struct refused_key *key)
{
	if (key->old_looks >= OLD_LOOKS_MAX || next->count == REFUSED_MAX)
		return;
	next->keys[next->count] = *key;
	next->keys[next->count++].old_looks++;
}

static void add(struct refused *next, const struct refused *before,
		const struct nftrules_refused *element)
{
	if (next->count == REFUSED_MAX)
		return;
	next->keys[next->count++] = (struct refused_key){
		.element = *element,
		.pkts_per_s = rate_of(element, find(before, element)),
	};
}

void refused_take(struct refused *refused, struct nftrules_refused *elements,
		  size_t count)
{
	static struct refused next;
	size_t i;

	next.count = 0;
	if (count > 0)
		qsort(elements, count, sizeof(*elements), compare);
	for (i = 0; i < count; i++)
		if (!elements[i].spared)
			add(&next, refused, &elements[i]);
	for (i = 0; i < refused->count; i++)
		if (count == 0 || !bsearch(&refused->keys[i].element, elements,
					   count, sizeof(*elements), compare))
			keep(&next, &refused->keys[i]);
	if (next.count > 0)
		qsort(next.keys, next.count, sizeof(next.keys[0]), compare);
	*refused = next;
}

static bool is_any(const uint8_t address[16])
{
	static const uint8_t any[16];

	return memcmp(address, any, 16) == 0;
}

/* Is all that the element, of the same guarded host, matches part of the key?
 */
static bool is_within(const struct nftrules_refused *element,
		      const struct flow_key *key)
{
	switch ((enum flow_scope)key->scope) {
	case FLOW_SCOPE_HOST:
		return true;
	case FLOW_SCOPE_PAIR:
		return !is_any(element->outside) &&
		       memcmp(element->outside, key->outside, 16) == 0;
	case FLOW_SCOPE_FLOW:
	case FLOW_SCOPES:
		break;
	}
	return memcmp(element->outside, key->outside, 16) == 0 &&
	       element->proto == key->proto &&
	       element->inside_port == key->inside_port &&
	       element->outside_port == key->outside_port;
}

/* The first whose inside address is not below that one. */
static size_t first_of(const struct refused *refused, const uint8_t inside[16])
{
	size_t from = 0, to = refused->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(refused->keys[middle].element.inside, inside, 16) <
		    0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

uint32_t refused_pkts(const struct refused *refused, const struct flow_key *key,
		      uint64_t window_ns)
{
	double pkts_per_s = 0, in_window;
	size_t i;

	for (i = first_of(refused, key->inside);
	     i < refused->count &&
	     memcmp(refused->keys[i].element.inside, key->inside, 16) == 0;
	     i++)
		if (is_within(&refused->keys[i].element, key))
			pkts_per_s += (double)refused->keys[i].pkts_per_s;
	in_window = pkts_per_s * (double)window_ns / NS_PER_S;
	return in_window < UINT32_MAX ? (uint32_t)in_window : UINT32_MAX;
}
