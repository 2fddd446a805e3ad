/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `hold: qdisc`: packets out that the kernel program tells of, and that wait
 * before a bridge or have gone on already (shaper/bpf/hold_memory.h).  The pump
 * has a token for each of them, as for one in the hold queue.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/bpf/hold_memory.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/hold_qdisc.h"
#include "shaper/io/nfqueue_path.h"

_Static_assert(HOLD_CLASSES == 1 + HOLDQDISC_CLASSES, "0 is none");

struct nfqueue_qdisc {
	struct holdqdisc *device;
	struct hold_memory *memory;
	/* Of each class: packets that the pump has no token for, since it would
	 * have dropped them.  They leave when no others are there. */
	uint32_t surplus[HOLD_CLASSES];
};

static void set_bounds(struct hold_memory *memory, const struct policy *policy)
{
	const struct policy_limits *limits = &policy->limits;

	memory->pair_most_pkts = limits->held_packets_per_key;
	memory->host_most_pkts = limits->held_packets_per_host;
	memory->most_pkts = limits->held_packets ? limits->held_packets
						 : POLICY_HELD_PKTS_MAX;
}

int nfqueue_qdisc_new(struct nfqueue *nfqueue)
{
	struct nfqueue_qdisc *qdisc;

	if (nfqueue->config.hold == NULL)
		return 0;
	qdisc = calloc(1, sizeof(*qdisc));
	if (qdisc == NULL)
		return -ENOMEM;
	nfqueue->qdisc = qdisc;
	qdisc->device = nfqueue->config.hold;
	qdisc->memory = fast_hold(nfqueue->config.fast);
	set_bounds(qdisc->memory, nfqueue->config.policy);
	qdisc->memory->major = holdqdisc_major();
	__atomic_store_n(&qdisc->memory->ifindex,
			 holdqdisc_ifindex(qdisc->device), __ATOMIC_RELEASE);
	return 0;
}

void nfqueue_qdisc_free(struct nfqueue *nfqueue)
{
	free(nfqueue->qdisc);
}

void nfqueue_qdisc_shut(struct nfqueue *nfqueue, uint64_t now_ns)
{
	if (nfqueue->qdisc == NULL)
		return;
	__atomic_store_n(&nfqueue->qdisc->memory->ifindex, 0, __ATOMIC_RELEASE);
	nfqueue_fast_receive(nfqueue, now_ns);
}

void nfqueue_qdisc_set_policy(struct nfqueue *nfqueue,
			      const struct policy *policy)
{
	if (nfqueue->qdisc != NULL)
		set_bounds(nfqueue->qdisc->memory, policy);
}

void nfqueue_qdisc_count(struct nfqueue *nfqueue)
{
	uint64_t *counter = nfqueue->stats.counter;

	if (nfqueue->qdisc == NULL)
		return;
	counter[NFQUEUE_qdisc_full_pkts] = __atomic_load_n(
		&nfqueue->qdisc->memory->full_pkts, __ATOMIC_RELAXED);
	counter[NFQUEUE_qdisc_untold_pkts] = __atomic_load_n(
		&nfqueue->qdisc->memory->untold_pkts, __ATOMIC_RELAXED);
}

/* ------ packets leave */

static void give_back(uint32_t *count)
{
	__atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
}

static void let_go(struct nfqueue *nfqueue, uint32_t class)
{
	if (holdqdisc_let_go(nfqueue->qdisc->device, class) < 0)
		nfqueue_count(nfqueue, NFQUEUE_qdisc_failed, 1);
}

/* Freed for others when nobody is in it; the program enters before it asks
 * whose it is. */
static void leave_class(struct hold_class *class)
{
	if (__atomic_sub_fetch(&class->waiting, 1, __ATOMIC_ACQ_REL) == 0)
		__atomic_store_n(&class->owner, 0, __ATOMIC_RELEASE);
}

static void leave_buckets(struct hold_memory *memory, uint64_t ticket)
{
	give_back(&memory->pairs[hold_ticket_pair(ticket)].waiting);
	give_back(&memory->hosts[hold_ticket_host(ticket)].waiting);
	give_back(&memory->waiting);
}

static void let_surplus_go(struct nfqueue *nfqueue, uint32_t class)
{
	struct nfqueue_qdisc *qdisc = nfqueue->qdisc;
	struct hold_class *of = &qdisc->memory->classes[class];

	if (__atomic_load_n(&of->waiting, __ATOMIC_ACQUIRE) !=
	    qdisc->surplus[class])
		return;
	for (; qdisc->surplus[class] > 0; qdisc->surplus[class]--) {
		let_go(nfqueue, class);
		leave_class(of);
	}
}

void nfqueue_qdisc_left(struct nfqueue *nfqueue, uint64_t ticket,
			uint8_t verdict)
{
	struct nfqueue_qdisc *qdisc = nfqueue->qdisc;
	struct hold_memory *memory = qdisc->memory;
	uint32_t class = hold_ticket_class(ticket);

	if (class == 0) {
		give_back(&memory->pairs[hold_ticket_pair(ticket)].ahead);
		give_back(&memory->hosts[hold_ticket_host(ticket)].ahead);
		return;
	}
	leave_buckets(memory, ticket);
	if (verdict == PUMP_DROP) {
		qdisc->surplus[class]++;
	} else {
		let_go(nfqueue, class);
		leave_class(&memory->classes[class]);
	}
	let_surplus_go(nfqueue, class);
}

/* ------ packets are told of */

/* A wire packet at a time: so they come out of the device. */
static void hold(struct nfqueue *nfqueue, const struct pump_packet *packet,
		 uint32_t pkts, uint64_t ticket, uint64_t now_ns)
{
	struct pump_packet one = *packet;

	one.id = ticket;
	one.wire_pkts = 1;
	one.super_packet = false;
	nfqueue_count(nfqueue,
		      hold_ticket_class(ticket) == 0
			      ? NFQUEUE_qdisc_ahead_pkts
			      : NFQUEUE_qdisc_waited_pkts,
		      pkts);
	while (pkts-- > 0) {
		struct pump_packet each = one;

		pump_hold(nfqueue->config.pump, &each, 1, now_ns);
		nfqueue_collect(nfqueue);
		if (each.verdict != PUMP_WAIT)
			nfqueue_qdisc_left(nfqueue, ticket, each.verdict);
	}
	pump_settle(nfqueue->config.pump);
}

static void all_left(struct nfqueue *nfqueue, uint32_t pkts, uint64_t ticket,
		     uint8_t verdict)
{
	while (pkts-- > 0)
		nfqueue_qdisc_left(nfqueue, ticket, verdict);
}

static bool is_judged(struct nfqueue *nfqueue, const struct fast_event *event,
		      uint16_t zone, uint64_t now_ns,
		      struct pump_packet *ret_packet, struct flow_key *ret_flow)
{
	if (!nfqueue_reader_hear(&nfqueue->reader, event, zone, now_ns,
				 ret_packet) ||
	    ret_packet->meta.kind != PACKET_UNICAST)
		return false;
	flow_key_of(&ret_packet->meta, FLOW_OUT, ret_packet->src_zone,
		    ret_flow);
	return policy_action_of(nfqueue->config.policy, ret_flow,
				ret_packet->meta.tcp_flags,
				zones_get(nfqueue->config.zones,
					  ret_packet->src_zone)) !=
	       POLICY_ACCEPT;
}

void nfqueue_qdisc_hear(struct nfqueue *nfqueue, struct fastleases *leases,
			const struct fast_event *event, uint16_t zone,
			uint64_t now_ns)
{
	struct pump *pump = nfqueue->config.pump;
	uint64_t ticket = event->ticket;
	struct pump_packet packet;
	struct flow_key flow;

	if (nfqueue->qdisc == NULL || hold_ticket_class(ticket) >= HOLD_CLASSES)
		return;
	if (!is_judged(nfqueue, event, zone, now_ns, &packet, &flow)) {
		all_left(nfqueue, event->wire_pkts, ticket, PUMP_PASS);
		return;
	}
	fastleases_note(leases, pump, &flow, hold_ticket_mark(ticket), now_ns);
	pump_offer(pump, &packet, 1, now_ns);
	nfqueue_collect(nfqueue);
	if (packet.verdict == PUMP_WAIT) {
		hold(nfqueue, &packet, event->wire_pkts, ticket, now_ns);
	} else {
		all_left(nfqueue, event->wire_pkts, ticket, packet.verdict);
		if (packet.verdict == PUMP_PASS)
			fastleases_offer(leases, pump, &flow, now_ns);
	}
	nfqueue_collect(nfqueue);
}
