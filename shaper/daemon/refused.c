/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/refused.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"

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

/* An element that is new, or was put back, began at 0. */
static uint64_t grown(const struct refused *refused,
		      const struct nftrules_refused *element)
{
	const struct refused_key *before =
		refused->count > 0
			? bsearch(element, refused->keys, refused->count,
				  sizeof(refused->keys[0]), compare)
			: NULL;

	if (before == NULL || before->element.pkts > element->pkts)
		return element->pkts;
	return element->pkts - before->element.pkts;
}

void refused_take(struct refused *refused, struct nftrules_refused *elements,
		  size_t count, uint64_t now_ns)
{
	static struct refused next;
	size_t i;

	next.count = 0;
	next.taken_ns = now_ns;
	next.span_ns = refused->taken_ns != 0 && now_ns > refused->taken_ns
			       ? now_ns - refused->taken_ns
			       : 0;
	if (count > 0)
		qsort(elements, count, sizeof(*elements), compare);
	for (i = 0; i < count && next.count < REFUSED_MAX; i++) {
		struct refused_key *key = &next.keys[next.count];

		if (elements[i].spared)
			continue;
		key->element = elements[i];
		key->grown_pkts = grown(refused, &elements[i]);
		next.count++;
	}
	*refused = next;
}

static bool is_any(const uint8_t address[16])
{
	static const uint8_t any[16];

	return memcmp(address, any, 16) == 0;
}

/* Is all that the element matches part of the key? */
static bool is_within(const struct nftrules_refused *element,
		      const struct flow_key *key)
{
	if (memcmp(element->inside, key->inside, 16) != 0)
		return false;
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

uint32_t refused_pkts(const struct refused *refused, const struct flow_key *key,
		      uint64_t window_ns)
{
	uint64_t pkts = 0;
	double in_window;
	size_t i;

	if (refused->span_ns == 0)
		return 0;
	for (i = 0; i < refused->count; i++)
		if (is_within(&refused->keys[i].element, key))
			pkts += refused->keys[i].grown_pkts;
	in_window = (double)pkts * (double)window_ns / (double)refused->span_ns;
	return in_window < UINT32_MAX ? (uint32_t)in_window : UINT32_MAX;
}
