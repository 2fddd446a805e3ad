/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vifs whose packets wait as they leave them (xen.way: ring).  The first of a
 * key that must wait do so in the queue, as everywhere; from then on the kernel
 * sends packets of that key to a class of a device of ours.  When none of them
 * waits here any more, one packet of the class is let go: it comes here as any
 * other, to be judged.  So all is decided by the pump, and nothing twice.  When
 * many in a row need not wait the class is opened, and when none has to for a
 * second everything is as before.
 *
 * What the kernel's filter does not catch (fragments, options, tags) waits in
 * the queue, as that of a key that finds no class.
 */
#include "shaper/io/nfqueue_ring.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nfqueue_path.h"

/* Each packet of a vif is compared with all of its keys, by the kernel and
 * here; and what one guest may take of the device. */
enum { KEYS_OF_VIF = 32 };

int nfqueue_set_ring(struct nfqueue *nfqueue, const struct holdqdisc *device,
		     uint32_t first_class, uint32_t classes)
{
	struct nfqueue_ring *ring = calloc(1, sizeof(*ring));
	int error;

	if (ring == NULL)
		return -ENOMEM;
	nfqueue->ring = ring;
	ring->first = first_class;
	ring->end = first_class + classes;
	error = holdqdisc_share(device, &ring->device);
	if (error == 0)
		error = ringfilter_new(&ring->filter);
	return error < 0 ? error : nfqueue_ring_prepare(ring);
}

void nfqueue_ring_free(struct nfqueue *nfqueue)
{
	if (nfqueue->ring == NULL)
		return;
	ringfilter_free(nfqueue->ring->filter);
	holdqdisc_free(nfqueue->ring->device);
	free(nfqueue->ring);
}

bool nfqueue_rings(struct nfqueue *nfqueue, const struct pump_packet *packet)
{
	const struct policy *policy = nfqueue->config.policy;
	const struct policy_vif *vif;
	uint8_t *zone;

	if (nfqueue->ring == NULL)
		return false;
	zone = &nfqueue->ring->zones[packet->src_zone];
	if (*zone == RING_UNKNOWN) {
		vif = policy_vif_of(policy, zones_get(nfqueue->config.zones,
						      packet->src_zone)
						    ->interface);
		*zone = vif != NULL && vif->way == POLICY_WAY_RING
				? RING_HERE
				: RING_ELSEWHERE;
	}
	return *zone == RING_HERE &&
	       policy_is_inside(policy, packet->meta.ends.src);
}

/* ------ keys */

static bool fits(const struct ringed *ringed, const struct flow_key *flow,
		 const struct flow_key *pair)
{
	const struct flow_key *key = &ringed->where.key;

	return ringed->stage != RING_FREE &&
	       flow_key_equal(key, key->scope == FLOW_SCOPE_FLOW ? flow : pair);
}

void nfqueue_ring_zones(const struct nfqueue *nfqueue, bool *ret_used)
{
	const struct nfqueue_ring *ring = nfqueue->ring;

	if (ring == NULL)
		return;
	for (uint32_t i = ring->first; i < ring->end; i++)
		if (ring->keys[i].stage != RING_FREE)
			ret_used[ring->keys[i].where.key.zone] = true;
}

/* The first that has a filter and fits, as for the kernel; else one that has
 * none. */
static struct ringed *find(struct nfqueue_ring *ring,
			   const struct pump_packet *packet,
			   struct flow_key *ret_flow)
{
	struct ringed *with = NULL, *without = NULL;
	struct flow_key pair;

	flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, ret_flow);
	flow_key_widen(ret_flow, FLOW_SCOPE_PAIR, &pair);
	for (uint32_t class = ring->firsts[packet->src_zone]; class != 0;) {
		struct ringed *ringed = &ring->keys[class];

		class = ringed->next;
		if (!fits(ringed, ret_flow, &pair))
			continue;
		if (ringed->stage == RING_UNCAUGHT)
			without = ringed;
		else if (with == NULL ||
			 ringed->where.class < with->where.class)
			with = ringed;
	}
	return with != NULL ? with : without;
}

static bool has_room(const struct nfqueue_ring *ring, uint16_t zone)
{
	uint32_t count = 0;

	for (uint32_t class = ring->firsts[zone]; class != 0;
	     class = ring->keys[class].next)
		count++;
	return count < KEYS_OF_VIF && ring->used < ring->end - ring->first;
}

static struct ringed *make(struct nfqueue *nfqueue,
			   const struct pump_packet *packet,
			   const struct flow_key *flow)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	const struct zone *zone =
		zones_get(nfqueue->config.zones, packet->src_zone);
	uint32_t class = ring->first;
	struct ringed *ringed;

	if (packet->meta.vlan[0] != 0 || !has_room(ring, packet->src_zone))
		return NULL;
	while (ring->keys[class].stage != RING_FREE)
		class ++;
	ringed = &ring->keys[class];
	*ringed = (struct ringed){ .stage = RING_UNCAUGHT };
	memcpy(ringed->interface, zone->interface, sizeof(ringed->interface));
	ringed->where.key = *flow;
	ringed->where.vif = if_nametoindex(zone->interface);
	ringed->where.device = holdqdisc_ifindex(ring->device);
	ringed->where.class = class;
	ringed->next = ring->firsts[packet->src_zone];
	ring->firsts[packet->src_zone] = (uint16_t) class;
	ring->used++;
	return ringed;
}

static struct ringed *ringed_of(struct nfqueue *nfqueue, uint64_t id)
{
	uint32_t class = nfqueue_ring_class(id);

	return class != 0 ? &nfqueue->ring->keys[class] : NULL;
}

uint64_t nfqueue_ring_hold(struct nfqueue *nfqueue,
			   const struct pump_packet *packet)
{
	struct flow_key flow;
	struct ringed *ringed;

	if (!nfqueue_rings(nfqueue, packet))
		return 0;
	ringed = find(nfqueue->ring, packet, &flow);
	if (ringed == NULL)
		ringed = make(nfqueue, packet, &flow);
	if (ringed == NULL)
		return 0;
	ringed->waiting_pkts++;
	ringed->passed_pkts = 0;
	ringed->asked = false;
	return (uint64_t)ringed->where.class << NFQUEUE_RING_SHIFT;
}

static bool has_flow_filter(const struct pump_packet *packet)
{
	return packet->by == PUMP_BY_FLOW &&
	       packet->meta.fragment == PACKET_WHOLE &&
	       (packet->meta.ends.proto == IPPROTO_TCP ||
		packet->meta.ends.proto == IPPROTO_UDP);
}

/* Of the packet's flow, or of its pair where that is what waits. */
static void widen(struct ringed *ringed, const struct pump_packet *packet)
{
	struct flow_key flow;

	if (ringed->stage != RING_UNCAUGHT || has_flow_filter(packet) ||
	    ringed->where.key.scope != FLOW_SCOPE_FLOW)
		return;
	flow = ringed->where.key;
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &ringed->where.key);
}

void nfqueue_ring_waits(struct nfqueue *nfqueue,
			const struct pump_packet *packet, uint64_t now_ns)
{
	struct flow_key flow;
	struct ringed *ringed;

	if (!packet->asked)
		return;
	ringed = find(nfqueue->ring, packet, &flow);
	if (ringed == NULL)
		ringed = make(nfqueue, packet, &flow);
	if (ringed == NULL || ringed->stage != RING_UNCAUGHT || ringed->tried)
		return;
	widen(ringed, packet);
	nfqueue_ring_catch(nfqueue, ringed, now_ns);
}

void nfqueue_ring_judged(struct nfqueue *nfqueue,
			 const struct pump_packet *packet)
{
	struct ringed *ringed = ringed_of(nfqueue, packet->id);

	if (ringed == NULL)
		return;
	nfqueue_count(nfqueue, NFQUEUE_ring_waited_pkts,
		      packet->verdict == PUMP_WAIT);
	widen(ringed, packet);
}

void nfqueue_ring_passed(struct nfqueue *nfqueue,
			 const struct pump_packet *packet, uint64_t now_ns)
{
	struct flow_key flow;
	struct ringed *ringed;

	if (nfqueue->ring->used == 0)
		return;
	ringed = find(nfqueue->ring, packet, &flow);
	if (ringed == NULL)
		return;
	ringed->came_ns = now_ns;
	if (ringed->stage != RING_HELD)
		return;
	ringed->asked = false;
	ringed->passed_pkts++;
}

/* What the kernel's program passes is not seen here, and so would wait in a
 * class from which one leaves when another was seen. */
bool nfqueue_ring_keeps(struct nfqueue *nfqueue,
			const struct pump_packet *packet)
{
	const struct ringed *ringed = NULL;
	struct flow_key flow;

	if (nfqueue->ring != NULL && nfqueue->ring->used > 0)
		ringed = find(nfqueue->ring, packet, &flow);
	return ringed != NULL && ringed->stage <= RING_HELD;
}

void nfqueue_ring_left(struct nfqueue *nfqueue, uint64_t id)
{
	struct ringed *ringed = ringed_of(nfqueue, id);

	if (ringed != NULL)
		ringed->waiting_pkts--;
}
