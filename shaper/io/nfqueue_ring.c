/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vifs whose packets wait as they leave them (xen.way: ring).  The first of a
 * key that should wait goes, and the pump has a token for it; from then on the
 * kernel sends packets of that key to a class of a device of ours.  When the
 * token leaves, one packet of the class may: it comes here as any other, and
 * mostly gets a token in its turn.  So all is judged by the pump, and a key is
 * one packet ahead of it.  When many in a row needed no token the class is
 * opened, and when none needs one for a second everything is as before.
 *
 * What the kernel's filter does not catch (fragments, options, tags) waits in
 * the queue, as that of a key that finds no class.
 */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nfqueue_path.h"
#include "shaper/io/ring_filter.h"

enum {
	/* As in nfqueue_pace.c. */
	OWED_MAX_PKTS = 48,
	SEGMENT_BYTES = 1448,
	OPENS_AFTER_PKTS = 16,
	LEAVE_MS = 20, /* for what is on its way through an open class */
};
#define UNDERWAY_NS (UINT64_C(50) * 1000000) /* before a filter caught it */
#define QUIET_NS    UINT64_C(1000000000)

enum stage {
	FREE,
	UNCAUGHT, /* no filter could be had: until its tokens have left */
	HELD,
	OPEN,
	ENDING, /* nothing comes to its class any more */
};

struct ringed {
	enum stage stage;
	struct ringfilter_key where;
	char interface[16];
	uint32_t owed_pkts;
	uint32_t passed_pkts; /* in a row */
	bool asked;           /* one was let go, and did not come yet */
	uint64_t since_ns;    /* of its stage, or since one was asked for */
};

enum known { UNKNOWN, NOT_HERE, HERE };

struct nfqueue_ring {
	struct holdqdisc *device;
	struct ringfilter *filter;
	uint32_t first, end; /* classes of this engine */
	uint8_t zones[ZONES_MAX];
	uint32_t used;
	struct ringed keys[RINGFILTER_CLASSES + 1]; /* by class */
};

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
	return error < 0 ? error : ringfilter_new(&ring->filter);
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

	if (nfqueue->ring == NULL ||
	    !policy_is_inside(policy, packet->meta.ends.src))
		return false;
	zone = &nfqueue->ring->zones[packet->src_zone];
	if (*zone == UNKNOWN) {
		vif = policy_vif_of(policy, zones_get(nfqueue->config.zones,
						      packet->src_zone)
						    ->interface);
		*zone = vif != NULL && vif->way == POLICY_WAY_RING ? HERE
								   : NOT_HERE;
	}
	return *zone == HERE;
}

/* ------ keys */

/* The first that fits, as for the kernel. */
static struct ringed *find(struct nfqueue_ring *ring,
			   const struct pump_packet *packet,
			   struct flow_key *ret_flow, struct flow_key *ret_pair)
{
	flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, ret_flow);
	flow_key_widen(ret_flow, FLOW_SCOPE_PAIR, ret_pair);
	for (uint32_t i = ring->first; ring->used > 0 && i < ring->end; i++) {
		struct ringed *ringed = &ring->keys[i];
		const struct flow_key *key = &ringed->where.key;

		if (ringed->stage != FREE &&
		    flow_key_equal(key, key->scope == FLOW_SCOPE_FLOW
						? ret_flow
						: ret_pair))
			return ringed;
	}
	return NULL;
}

static bool has_flow_filter(const struct pump_packet *packet)
{
	return packet->by == PUMP_BY_FLOW &&
	       packet->meta.fragment == PACKET_WHOLE &&
	       (packet->meta.ends.proto == 6 || packet->meta.ends.proto == 17);
}

static struct ringed *make(struct nfqueue *nfqueue,
			   const struct pump_packet *packet,
			   const struct flow_key *flow,
			   const struct flow_key *pair)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	const struct zone *zone =
		zones_get(nfqueue->config.zones, packet->src_zone);
	uint32_t class = ring->first;
	struct ringed *ringed;

	while (class < ring->end && ring->keys[class].stage != FREE)
		class ++;
	if (class == ring->end || packet->meta.vlan[0] != 0)
		return NULL;
	ringed = &ring->keys[class];
	*ringed = (struct ringed){ .stage = UNCAUGHT };
	memcpy(ringed->interface, zone->interface, sizeof(ringed->interface));
	ringed->where.key = has_flow_filter(packet) ? *flow : *pair;
	ringed->where.vif = if_nametoindex(zone->interface);
	ringed->where.device = holdqdisc_ifindex(ring->device);
	ringed->where.class = class;
	ring->used++;
	return ringed;
}

static void failed(struct nfqueue *nfqueue, int error)
{
	if (error < 0)
		nfqueue_count(nfqueue, NFQUEUE_ring_failed, 1);
}

static void catch (struct nfqueue *nfqueue, struct ringed *ringed,
		   uint64_t now_ns)
{
	int error = ringfilter_add(nfqueue->ring->filter, &ringed->where);

	failed(nfqueue, error);
	ringed->since_ns = now_ns;
	if (error == 0)
		ringed->stage = HELD;
}

static void owe_pieces(struct nfqueue *nfqueue, struct ringed *ringed,
		       const struct pump_packet *packet, uint64_t now_ns)
{
	uint32_t pieces = packet->wire_pkts;
	struct pump_packet one = *packet;

	if (pieces == 0)
		pieces = 1 + packet->meta.length_bytes / SEGMENT_BYTES;
	if (packet->super_packet)
		one.meta.length_bytes = SEGMENT_BYTES;
	one.id = NFQUEUE_RING_TICKET | ringed->where.class;
	one.wire_pkts = 1;
	one.super_packet = false;
	for (; pieces > 0 && ringed->owed_pkts < OWED_MAX_PKTS; pieces--) {
		struct pump_packet each = one;

		pump_hold(nfqueue->config.pump, &each, 1, now_ns);
		if (each.verdict != PUMP_WAIT)
			break;
		ringed->owed_pkts++;
		nfqueue_count(nfqueue, NFQUEUE_ring_waited_pkts, 1);
	}
	nfqueue_collect(nfqueue);
}

/* Late for what left before its filter was there. */
static bool is_uncaught(const struct ringed *ringed, uint64_t now_ns)
{
	return ringed->stage == UNCAUGHT ||
	       (ringed->stage == HELD && !ringed->asked &&
		ringed->owed_pkts > 0 &&
		now_ns - ringed->since_ns > UNDERWAY_NS);
}

bool nfqueue_ring_owe(struct nfqueue *nfqueue, const struct pump_packet *packet,
		      uint64_t now_ns)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	struct flow_key flow, pair;
	struct ringed *ringed = find(ring, packet, &flow, &pair);
	bool is_new = ringed == NULL;

	if (is_new)
		ringed = make(nfqueue, packet, &flow, &pair);
	if (ringed == NULL || ringed->stage == ENDING ||
	    (!is_new && is_uncaught(ringed, now_ns)))
		return false;
	owe_pieces(nfqueue, ringed, packet, now_ns);
	ringed->passed_pkts = 0;
	if (!is_new && !ringed->asked && ringed->stage == HELD)
		return true;
	ringed->asked = false;
	ringed->since_ns = now_ns;
	if (is_new && ringed->owed_pkts > 0) {
		catch (nfqueue, ringed, now_ns);
	} else if (ringed->stage == OPEN && ringed->owed_pkts > 0) {
		failed(nfqueue,
		       holdqdisc_shut(ring->device, ringed->where.class));
		ringed->stage = HELD;
	}
	return true;
}

void nfqueue_ring_passed(struct nfqueue *nfqueue,
			 const struct pump_packet *packet)
{
	struct flow_key flow, pair;
	struct ringed *ringed = find(nfqueue->ring, packet, &flow, &pair);

	if (ringed == NULL || ringed->stage != HELD)
		return;
	ringed->asked = false;
	ringed->passed_pkts++;
}

void nfqueue_ring_left(struct nfqueue *nfqueue, uint64_t id)
{
	uint64_t class = id & ~NFQUEUE_RING_TICKET;

	nfqueue->ring->keys[class].owed_pkts--;
}

/* ------ time */

static void forget(struct nfqueue_ring *ring, struct ringed *ringed)
{
	*ringed = (struct ringed){ .stage = FREE };
	ring->used--;
}

static void open_class(struct nfqueue *nfqueue, struct ringed *ringed,
		       uint64_t now_ns)
{
	failed(nfqueue,
	       holdqdisc_open(nfqueue->ring->device, ringed->where.class));
	ringed->stage = OPEN;
	ringed->since_ns = now_ns;
}

static void end(struct nfqueue *nfqueue, struct ringed *ringed, uint64_t now_ns)
{
	ringfilter_remove(nfqueue->ring->filter, &ringed->where);
	ringed->stage = ENDING;
	ringed->since_ns = now_ns;
}

static void held(struct nfqueue *nfqueue, struct ringed *ringed,
		 uint64_t now_ns)
{
	if (ringed->owed_pkts > 0)
		return;
	if (ringed->passed_pkts >= OPENS_AFTER_PKTS ||
	    (ringed->asked && now_ns - ringed->since_ns >= QUIET_NS)) {
		open_class(nfqueue, ringed, now_ns);
	} else if (!ringed->asked) {
		failed(nfqueue, holdqdisc_let_go(nfqueue->ring->device,
						 ringed->where.class));
		ringed->asked = true;
		ringed->since_ns = now_ns;
	}
}

static void advance(struct nfqueue *nfqueue, struct ringed *ringed,
		    uint64_t now_ns)
{
	switch (ringed->stage) {
	case FREE:
		return;
	case UNCAUGHT:
		if (ringed->owed_pkts == 0)
			forget(nfqueue->ring, ringed);
		return;
	case HELD:
		held(nfqueue, ringed, now_ns);
		return;
	case OPEN:
		if (now_ns - ringed->since_ns >= QUIET_NS)
			end(nfqueue, ringed, now_ns);
		return;
	case ENDING:
		if (now_ns - ringed->since_ns < LEAVE_MS * UINT64_C(1000000) ||
		    ringed->owed_pkts > 0)
			return;
		failed(nfqueue, holdqdisc_shut(nfqueue->ring->device,
					       ringed->where.class));
		forget(nfqueue->ring, ringed);
		return;
	}
}

void nfqueue_ring_advance(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_ring *ring = nfqueue->ring;

	if (ring == NULL || ring->used == 0)
		return;
	for (uint32_t i = ring->first; i < ring->end; i++)
		advance(nfqueue, &ring->keys[i], now_ns);
}

static uint64_t due_ns(const struct ringed *ringed)
{
	switch (ringed->stage) {
	case FREE:
	case UNCAUGHT:
		break;
	case HELD:
		if (ringed->asked && ringed->owed_pkts == 0)
			return ringed->since_ns + QUIET_NS;
		break;
	case OPEN:
		return ringed->since_ns + QUIET_NS;
	case ENDING:
		return ringed->since_ns + LEAVE_MS * UINT64_C(1000000);
	}
	return NS_NEVER;
}

uint64_t nfqueue_ring_next_ns(const struct nfqueue *nfqueue)
{
	const struct nfqueue_ring *ring = nfqueue->ring;
	uint64_t next_ns = NS_NEVER;

	if (ring == NULL || ring->used == 0)
		return next_ns;
	for (uint32_t i = ring->first; i < ring->end; i++) {
		uint64_t of_one = due_ns(&ring->keys[i]);

		if (of_one < next_ns)
			next_ns = of_one;
	}
	return next_ns;
}

/* ------ another policy, and the end */

static void let_all_go(struct nfqueue *nfqueue, struct ringed *ringed)
{
	if (ringed->stage == HELD)
		open_class(nfqueue, ringed, ringed->since_ns);
	if (ringed->stage == OPEN)
		end(nfqueue, ringed, ringed->since_ns);
}

void nfqueue_ring_set_policy(struct nfqueue *nfqueue)
{
	struct nfqueue_ring *ring = nfqueue->ring;

	if (ring == NULL)
		return;
	memset(ring->zones, UNKNOWN, sizeof(ring->zones));
	for (uint32_t i = ring->first; i < ring->end; i++) {
		const struct policy_vif *vif = policy_vif_of(
			nfqueue->config.policy, ring->keys[i].interface);

		if (vif == NULL || vif->way != POLICY_WAY_RING)
			let_all_go(nfqueue, &ring->keys[i]);
	}
}

/* Who is on his way when the device goes would be lost with it. */
void nfqueue_ring_close(struct nfqueue *nfqueue)
{
	const struct timespec leave = { .tv_nsec = LEAVE_MS * 1000000L };
	struct nfqueue_ring *ring = nfqueue->ring;

	if (ring == NULL || ring->used == 0)
		return;
	for (uint32_t i = ring->first; i < ring->end; i++)
		let_all_go(nfqueue, &ring->keys[i]);
	nanosleep(&leave, NULL);
}
