/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a key that waits at its vif, as time goes by. */
#include "shaper/io/nfqueue_ring.h"

#include <string.h>
#include <time.h>

#include "policy/policy.h"
#include "shaper/io/hold_count.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nfqueue_path.h"

enum {
	OPENS_AFTER_PKTS = 16,
	SPARE_CLASSES = 4, /* the others when they are wanted */
	CLOSE_MS = 2000,
	GAPS_MS = 200,
	GAP_MS = 5,
};
#define QUIET_NS UINT64_C(1000000000)
/* For what is on its way through an open class. */
#define LEAVE_NS UINT64_C(20000000)
/* Between two packets: who leaves the class then overtakes nobody. */
#define GAP_NS (GAP_MS * UINT64_C(1000000))

static const struct timespec millisecond = { .tv_nsec = 1000000 };

static void forget(struct nfqueue_ring *ring, struct ringed *ringed)
{
	uint16_t *at = &ring->firsts[ringed->where.key.zone];

	while (*at != ringed->where.class)
		at = &ring->keys[*at].next;
	*at = ringed->next;
	*ringed = (struct ringed){ .stage = RING_FREE };
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
	for (uint32_t class = ring->firsts[ringed->where.key.zone]; class != 0;
	     class = ring->keys[class].next)
		if (&ring->keys[class] != ringed &&
		    ring->keys[class].stage >= RING_HELD &&
		    flow_key_equal(&ring->keys[class].where.key,
				   &ringed->where.key))
			return true;
	return false;
}

/* A class that was made is kept, shut. */
static int prepare(struct nfqueue_ring *ring, uint32_t class)
{
	int error = 0;

	if (!ring->made[class])
		error = holdqdisc_make(ring->device, class);
	ring->made[class] = error == 0;
	return error;
}

int nfqueue_ring_prepare(struct nfqueue_ring *ring)
{
	int error = 0;

	for (uint32_t i = 0;
	     i < SPARE_CLASSES && error == 0 && ring->first + i < ring->end;
	     i++)
		error = prepare(ring, ring->first + i);
	return error;
}

void nfqueue_ring_catch(struct nfqueue *nfqueue, struct ringed *ringed,
			uint64_t now_ns)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	int error;

	ringed->tried = true;
	if (has_twin(ring, ringed))
		return;
	error = prepare(ring, ringed->where.class);
	if (error == 0)
		error = ringfilter_add(ring->filter, &ringed->where);
	failed(nfqueue, error);
	ringed->since_ns = now_ns;
	if (error == 0)
		ringed->stage = RING_HELD;
}

static void uncaught(struct nfqueue *nfqueue, struct ringed *ringed,
		     uint64_t now_ns)
{
	if (ringed->waiting_pkts == 0)
		forget(nfqueue->ring, ringed);
	else if (!ringed->tried)
		nfqueue_ring_catch(nfqueue, ringed, now_ns);
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
	ringed->stage = RING_OPEN;
	ringed->since_ns = now_ns;
	ringed->looked = false;
}

static void end(struct nfqueue *nfqueue, struct ringed *ringed, uint64_t now_ns)
{
	ringfilter_remove(nfqueue->ring->filter, &ringed->where);
	ringed->stage = RING_ENDING;
	ringed->since_ns = now_ns;
}

static bool look(struct nfqueue *nfqueue, const struct ringed *ringed,
		 struct holdcount *ret_count)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	uint32_t *dropped_pkts = &ring->dropped_pkts[ringed->where.class];

	if (holdcount_read(ringed->where.device, ringed->where.class,
			   ret_count) < 0)
		return false;
	nfqueue_count(nfqueue, NFQUEUE_ring_full_pkts,
		      ret_count->dropped_pkts - *dropped_pkts);
	*dropped_pkts = ret_count->dropped_pkts;
	return true;
}

/* Who is on his way out may be one of its own. */
static bool is_empty(const struct holdcount *count)
{
	return count->waiting_pkts == 0 && count->leaving_pkts == 0;
}

static bool is_inside(struct nfqueue *nfqueue, const struct ringed *ringed)
{
	struct holdcount count;

	return look(nfqueue, ringed, &count) && !is_empty(&count);
}

bool nfqueue_ring_count(struct nfqueue *nfqueue)
{
	const struct nfqueue_ring *ring = nfqueue->ring;
	struct holdcount count;

	if (ring == NULL || ring->used == 0)
		return false;
	for (uint32_t i = ring->first; i < ring->end; i++)
		if (ring->keys[i].stage >= RING_HELD)
			look(nfqueue, &ring->keys[i], &count);
	return true;
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

static void opened_for_long(struct nfqueue *nfqueue, struct ringed *ringed,
			    uint64_t now_ns)
{
	struct holdcount count;

	if (!look(nfqueue, ringed, &count) ||
	    (is_empty(&count) && count.left_pkts == ringed->left_pkts)) {
		end(nfqueue, ringed, now_ns);
		return;
	}
	ringed->left_pkts = count.left_pkts;
	/* Again after a gap, and then in a second. */
	ringed->looked = !ringed->looked;
	if (ringed->looked)
		ringed->came_ns = now_ns;
	else
		ringed->since_ns = now_ns;
}

static void ending(struct nfqueue *nfqueue, struct ringed *ringed,
		   uint64_t now_ns)
{
	if (now_ns - ringed->since_ns < LEAVE_NS || ringed->waiting_pkts > 0)
		return;
	if (is_inside(nfqueue, ringed)) {
		ringed->since_ns = now_ns;
		return;
	}
	shut_class(nfqueue, ringed);
	forget(nfqueue->ring, ringed);
}

static void advance(struct nfqueue *nfqueue, struct ringed *ringed,
		    uint64_t now_ns)
{
	switch (ringed->stage) {
	case RING_FREE:
		return;
	case RING_UNCAUGHT:
		uncaught(nfqueue, ringed, now_ns);
		return;
	case RING_HELD:
		held(nfqueue, ringed, now_ns);
		return;
	case RING_OPEN:
		if (ringed->waiting_pkts > 0 && !ringed->leaving) {
			shut_class(nfqueue, ringed);
			ringed->stage = RING_HELD;
		} else if (now_ns >= opened_until_ns(ringed)) {
			opened_for_long(nfqueue, ringed, now_ns);
		}
		return;
	case RING_ENDING:
		ending(nfqueue, ringed, now_ns);
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
	case RING_FREE:
	case RING_UNCAUGHT:
		break;
	case RING_HELD:
		if (ringed->asked && ringed->waiting_pkts == 0)
			return ringed->since_ns + QUIET_NS;
		break;
	case RING_OPEN:
		return opened_until_ns(ringed);
	case RING_ENDING:
		if (ringed->waiting_pkts == 0)
			return ringed->since_ns + LEAVE_NS;
		break;
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
	if (ringed->stage == RING_HELD)
		open_class(nfqueue, ringed, ringed->since_ns);
}

void nfqueue_ring_set_policy(struct nfqueue *nfqueue)
{
	struct nfqueue_ring *ring = nfqueue->ring;

	if (ring == NULL)
		return;
	memset(ring->zones, RING_UNKNOWN, sizeof(ring->zones));
	for (uint32_t i = ring->first; i < ring->end; i++) {
		const struct policy_vif *vif = policy_vif_of(
			nfqueue->config.policy, ring->keys[i].interface);

		if (vif == NULL || vif->way != POLICY_WAY_RING)
			let_all_go(nfqueue, &ring->keys[i]);
	}
}

/* As long as they take, but not for ever.  At least a moment, in which the next
 * interface sends what it got: it has room for so many. */
static void await_empty(struct nfqueue *nfqueue, const struct ringed *ringed,
			uint32_t *left_ms)
{
	do {
		nanosleep(&millisecond, NULL);
		*left_ms -= *left_ms > 0;
	} while (is_inside(nfqueue, ringed) && *left_ms > 0);
}

/* What goes by no device any more might overtake what still does.  Who floods
 * on leaves no gap: of him, what is on its way then may be overtaken. */
static void await_gap(struct nfqueue *nfqueue, const struct ringed *ringed,
		      uint32_t *left_ms)
{
	struct holdcount count = { 0 };
	uint32_t left_pkts, still_ms = 0;

	for (; still_ms<GAP_MS && * left_ms> 0; --*left_ms) {
		left_pkts = count.left_pkts;
		nanosleep(&millisecond, NULL);
		if (!look(nfqueue, ringed, &count))
			return;
		still_ms = is_empty(&count) && count.left_pkts == left_pkts
				   ? still_ms + 1
				   : 0;
	}
}

/* Who is on his way when the device goes would be lost with it. */
void nfqueue_ring_close(struct nfqueue *nfqueue)
{
	struct nfqueue_ring *ring = nfqueue->ring;
	uint32_t left_ms = CLOSE_MS, gaps_ms = GAPS_MS;

	if (ring == NULL || ring->used == 0)
		return;
	for (uint32_t i = ring->first; i < ring->end; i++) {
		if (ring->keys[i].stage < RING_HELD)
			continue;
		let_all_go(nfqueue, &ring->keys[i]);
		await_empty(nfqueue, &ring->keys[i], &left_ms);
	}
	left_ms = CLOSE_MS;
	for (uint32_t i = ring->first; i < ring->end; i++) {
		if (ring->keys[i].stage != RING_OPEN)
			continue;
		await_gap(nfqueue, &ring->keys[i], &gaps_ms);
		end(nfqueue, &ring->keys[i], ring->keys[i].since_ns);
		await_empty(nfqueue, &ring->keys[i], &left_ms);
	}
}
