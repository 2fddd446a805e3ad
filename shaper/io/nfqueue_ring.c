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
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nfqueue_path.h"
#include "shaper/io/ring_filter.h"

enum {
	OPENS_AFTER_PKTS = 16,
	LEAVE_MS = 20, /* for what is on its way through an open class */
};
#define QUIET_NS UINT64_C(1000000000)
/* Between two packets: who leaves the class then overtakes nobody. */
#define GAP_NS UINT64_C(5000000)

enum stage {
	FREE,
	UNCAUGHT, /* by no filter, yet or at all: until none waits */
	HELD,
	OPEN,
	ENDING, /* nothing comes to its class any more */
};

struct ringed {
	enum stage stage;
	struct ringfilter_key where;
	char interface[16];
	uint32_t waiting_pkts; /* here */
	uint32_t passed_pkts;  /* in a row */
	bool tried;            /* UNCAUGHT: to have a filter */
	bool asked;            /* one was let go, and did not come yet */
	bool leaving;          /* with its vif: nothing is held any more */
	uint64_t since_ns;     /* of its stage, or since one was asked for */
	uint64_t came_ns;      /* the last of its packets */
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

	if (nfqueue->ring == NULL)
		return false;
	zone = &nfqueue->ring->zones[packet->src_zone];
	if (*zone == UNKNOWN) {
		vif = policy_vif_of(policy, zones_get(nfqueue->config.zones,
						      packet->src_zone)
						    ->interface);
		*zone = vif != NULL && vif->way == POLICY_WAY_RING ? HERE
								   : NOT_HERE;
	}
	return *zone == HERE && policy_is_inside(policy, packet->meta.ends.src);
}

/* ------ keys */

static bool fits(const struct ringed *ringed, const struct flow_key *flow,
		 const struct flow_key *pair)
{
	const struct flow_key *key = &ringed->where.key;

	return ringed->stage != FREE &&
	       flow_key_equal(key, key->scope == FLOW_SCOPE_FLOW ? flow : pair);
}

/* The first that has a filter and fits, as for the kernel; else one that has
 * none. */
static struct ringed *find(struct nfqueue_ring *ring,
			   const struct pump_packet *packet,
			   struct flow_key *ret_flow)
{
	struct ringed *without = NULL;
	struct flow_key pair;

	flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, ret_flow);
	flow_key_widen(ret_flow, FLOW_SCOPE_PAIR, &pair);
	for (uint32_t i = ring->first; ring->used > 0 && i < ring->end; i++) {
		struct ringed *ringed = &ring->keys[i];

		if (!fits(ringed, ret_flow, &pair))
			continue;
		if (ringed->stage != UNCAUGHT)
			return ringed;
		without = ringed;
	}
	return without;
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

	while (class < ring->end && ring->keys[class].stage != FREE)
		class ++;
	if (class == ring->end || packet->meta.vlan[0] != 0)
		return NULL;
	ringed = &ring->keys[class];
	*ringed = (struct ringed){ .stage = UNCAUGHT };
	memcpy(ringed->interface, zone->interface, sizeof(ringed->interface));
	ringed->where.key = *flow;
	ringed->where.vif = if_nametoindex(zone->interface);
	ringed->where.device = holdqdisc_ifindex(ring->device);
	ringed->where.class = class;
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

void nfqueue_ring_judged(struct nfqueue *nfqueue,
			 const struct pump_packet *packet)
{
	struct ringed *ringed = ringed_of(nfqueue, packet->id);
	struct flow_key flow;

	if (ringed == NULL)
		return;
	nfqueue_count(nfqueue, NFQUEUE_ring_waited_pkts,
		      packet->verdict == PUMP_WAIT);
	if (ringed->stage != UNCAUGHT || has_flow_filter(packet) ||
	    ringed->where.key.scope != FLOW_SCOPE_FLOW)
		return;
	flow = ringed->where.key;
	flow_key_widen(&flow, FLOW_SCOPE_PAIR, &ringed->where.key);
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
	if (ringed->stage != HELD)
		return;
	ringed->asked = false;
	ringed->passed_pkts++;
}

void nfqueue_ring_left(struct nfqueue *nfqueue, uint64_t id)
{
	struct ringed *ringed = ringed_of(nfqueue, id);

	if (ringed != NULL)
		ringed->waiting_pkts--;
}

/* ------ time */

static void forget(struct nfqueue_ring *ring, struct ringed *ringed)
{
	*ringed = (struct ringed){ .stage = FREE };
	ring->used--;
}

static void failed(struct nfqueue *nfqueue, int error)
{
	if (error < 0)
		nfqueue_count(nfqueue, NFQUEUE_ring_failed, 1);
}

static bool has_twin(const struct nfqueue_ring *ring,
		     const struct ringed *ringed)
{
	for (uint32_t i = ring->first; i < ring->end; i++)
		if (&ring->keys[i] != ringed && ring->keys[i].stage >= HELD &&
		    flow_key_equal(&ring->keys[i].where.key,
				   &ringed->where.key))
			return true;
	return false;
}

static void catch (struct nfqueue *nfqueue, struct ringed *ringed,
		   uint64_t now_ns)
{
	int error;

	if (ringed->waiting_pkts == 0) {
		forget(nfqueue->ring, ringed);
		return;
	}
	if (ringed->tried)
		return;
	ringed->tried = true;
	if (has_twin(nfqueue->ring, ringed))
		return;
	error = ringfilter_add(nfqueue->ring->filter, &ringed->where);
	failed(nfqueue, error);
	ringed->since_ns = now_ns;
	if (error == 0)
		ringed->stage = HELD;
}

static void shut_class(struct nfqueue *nfqueue, struct ringed *ringed)
{
	failed(nfqueue,
	       holdqdisc_shut(nfqueue->ring->device, ringed->where.class));
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
	if (ringed->waiting_pkts > 0)
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

static uint64_t opened_until_ns(const struct ringed *ringed)
{
	uint64_t quiet_ns = ringed->since_ns + QUIET_NS;
	uint64_t gap_ns = ringed->came_ns + GAP_NS;

	return gap_ns > quiet_ns ? gap_ns : quiet_ns;
}

static void advance(struct nfqueue *nfqueue, struct ringed *ringed,
		    uint64_t now_ns)
{
	switch (ringed->stage) {
	case FREE:
		return;
	case UNCAUGHT:
		catch (nfqueue, ringed, now_ns);
		return;
	case HELD:
		held(nfqueue, ringed, now_ns);
		return;
	case OPEN:
		if (ringed->waiting_pkts > 0 && !ringed->leaving) {
			shut_class(nfqueue, ringed);
			ringed->stage = HELD;
		} else if (now_ns >= opened_until_ns(ringed)) {
			end(nfqueue, ringed, now_ns);
		}
		return;
	case ENDING:
		if (now_ns - ringed->since_ns < LEAVE_MS * UINT64_C(1000000) ||
		    ringed->waiting_pkts > 0)
			return;
		shut_class(nfqueue, ringed);
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
		if (ringed->asked && ringed->waiting_pkts == 0)
			return ringed->since_ns + QUIET_NS;
		break;
	case OPEN:
		return opened_until_ns(ringed);
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
	ringed->leaving = true;
	if (ringed->stage == HELD)
		open_class(nfqueue, ringed, ringed->since_ns);
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
	for (uint32_t i = ring->first; i < ring->end; i++)
		if (ring->keys[i].stage == OPEN)
			end(nfqueue, &ring->keys[i], ring->keys[i].since_ns);
	nanosleep(&leave, NULL);
}
