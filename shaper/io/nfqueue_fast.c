/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the kernel program and the pump: what it sends here is noted before
 * it is judged, what may be leased to it is offered, and packets in that it
 * only tells of are judged as if they had come by the queue.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/hold_edt.h"
#include "shaper/io/nfqueue_path.h"

enum { SWEEP_NS = 20000000, HEARD = 64 };

struct nfqueue_fast {
	struct fast *program;
	struct fastleases *leases;
	uint64_t now_ns, sweep_ns;
	struct pump_packet heard[HEARD];
	size_t heard_count;
};

int nfqueue_fast_new(struct nfqueue *nfqueue)
{
	struct nfqueue_fast *fast;
	struct fast_slot *slots;
	uint64_t k0, k1;
	uint32_t count;

	if (nfqueue->config.fast == NULL)
		return 0;
	fast = calloc(1, sizeof(*fast));
	if (fast == NULL)
		return -ENOMEM;
	nfqueue->fast = fast;
	fast->program = nfqueue->config.fast;
	slots = fast_slots(fast->program, &count);
	fast_hash_key(fast->program, &k0, &k1);
	fast->leases = fastleases_new(slots, count, k0, k1);
	if (fast->leases == NULL)
		return -ENOMEM;
	nfqueue_fast_set_policy(nfqueue);
	return 0;
}

void nfqueue_fast_free(struct nfqueue *nfqueue)
{
	if (nfqueue->fast == NULL)
		return;
	fastleases_free(nfqueue->fast->leases);
	free(nfqueue->fast);
}

/* ------ in */

static void flush(struct nfqueue *nfqueue)
{
	struct nfqueue_fast *fast = nfqueue->fast;
	size_t from = 0;

	while (from < fast->heard_count)
		from += pump_offer(nfqueue->config.pump, fast->heard + from,
				   fast->heard_count - from, fast->now_ns);
	fast->heard_count = 0;
}

static bool is_for_the_kernel(const struct nfqueue *nfqueue,
			      const struct pump_packet *packet,
			      const struct flow_key *flow)
{
	enum policy_action action = policy_action_of(
		nfqueue->config.policy, flow, packet->meta.tcp_flags,
		zones_get(nfqueue->config.zones, packet->dst_zone));

	return action == POLICY_ACCEPT || action == POLICY_DROP;
}

static void on_event(void *self, const struct fast_event *event)
{
	struct nfqueue *nfqueue = self;
	struct nfqueue_fast *fast = nfqueue->fast;
	struct pump_packet *packet = &fast->heard[fast->heard_count];
	struct flow_key flow;
	uint16_t zone;

	if (event->ticket != 0) {
		flush(nfqueue);
		zone = 0;
		fast_zone_of(fast->program, event->ifindex, &zone);
		nfqueue_qdisc_hear(nfqueue, fast->leases, event, zone,
				   fast->now_ns);
		return;
	}
	if (!fast_zone_of(fast->program, event->ifindex, &zone) ||
	    !nfqueue_reader_hear(&nfqueue->reader, event, zone, fast->now_ns,
				 packet))
		return;
	flow_key_of(&packet->meta, FLOW_IN, zone, &flow);
	if (is_for_the_kernel(nfqueue, packet, &flow))
		return;
	if (packet->meta.kind == PACKET_UNICAST)
		fastleases_note(fast->leases, nfqueue->config.pump, &flow,
				FASTLEASES_MARK_NONE, fast->now_ns);
	if (++fast->heard_count == HEARD)
		flush(nfqueue);
}

void nfqueue_fast_receive(struct nfqueue *nfqueue, uint64_t now_ns)
{
	if (nfqueue->fast == NULL)
		return;
	nfqueue->fast->now_ns = now_ns;
	if (fast_receive(nfqueue->fast->program, on_event, nfqueue) == 0)
		return;
	flush(nfqueue);
	nfqueue_collect(nfqueue);
}

/* ------ out */

static bool is_out(const struct nfqueue *nfqueue,
		   const struct pump_packet *packet)
{
	return packet->meta.kind == PACKET_UNICAST &&
	       policy_is_inside(nfqueue->config.policy, packet->meta.ends.src);
}

void nfqueue_fast_note(struct nfqueue *nfqueue, uint64_t now_ns)
{
	const struct nfqueue_batch *batch = &nfqueue->main_batch;
	struct flow_key flow;

	if (nfqueue->fast == NULL)
		return;
	for (size_t i = 0; i < batch->judged_count; i++) {
		const struct pump_packet *packet = &batch->packets[i];

		if (!is_out(nfqueue, packet))
			continue;
		flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, &flow);
		fastleases_note(
			nfqueue->fast->leases, nfqueue->config.pump, &flow,
			fast_mark(nfqueue->fast->program, batch->marks[i]),
			now_ns);
	}
}

/* Its verdict has been carried out: what comes now comes after it. */
void nfqueue_fast_offer(struct nfqueue *nfqueue, uint64_t now_ns)
{
	const struct nfqueue_batch *batch = &nfqueue->main_batch;
	struct flow_key flow;

	if (nfqueue->fast == NULL)
		return;
	for (size_t i = 0; i < batch->judged_count; i++) {
		const struct pump_packet *packet = &batch->packets[i];

		if (!is_out(nfqueue, packet) || packet->verdict != PUMP_PASS)
			continue;
		flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, &flow);
		fastleases_offer(nfqueue->fast->leases, nfqueue->config.pump,
				 &flow, now_ns);
	}
}

/* ------ time, and the end */

uint64_t nfqueue_fast_next_ns(const struct nfqueue *nfqueue)
{
	return nfqueue->fast ? nfqueue->fast->sweep_ns : NS_NEVER;
}

static void count(struct nfqueue *nfqueue)
{
	const struct fastleases_stats *stats =
		fastleases_stats(nfqueue->fast->leases);
	uint64_t *counter = nfqueue->stats.counter;
	const struct edt_memory *edt = fast_edt(nfqueue->fast->program);
	struct fast_counts counts;

	fast_count(nfqueue->fast->program, &counts);
	counter[NFQUEUE_fast_out_pkts] = counts.out_passed_pkts;
	counter[NFQUEUE_fast_in_pkts] = counts.in_passed_pkts;
	counter[NFQUEUE_fast_told_pkts] = counts.told;
	counter[NFQUEUE_fast_untold_pkts] = counts.untold;
	counter[NFQUEUE_fast_steered_pkts] = counts.steered_pkts;
	counter[NFQUEUE_fast_given_back] = counts.given_back;
	counter[NFQUEUE_fast_leases] = stats->made;
	counter[NFQUEUE_fast_taken_back] = stats->taken_back;
	counter[NFQUEUE_fast_epochs] = stats->epochs;
	counter[NFQUEUE_fast_full] = stats->full;
	counter[NFQUEUE_fast_beyond_share] = stats->beyond_share;
	nfqueue_qdisc_count(nfqueue);
	counter[NFQUEUE_edt_waited_pkts] = edt->delayed_pkts;
	counter[NFQUEUE_edt_full_pkts] = edt->full_pkts;
}

void nfqueue_fast_advance(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_fast *fast = nfqueue->fast;

	if (fast == NULL || now_ns < fast->sweep_ns)
		return;
	fast->sweep_ns = now_ns + SWEEP_NS;
	fastleases_sweep(fast->leases, nfqueue->config.pump, now_ns);
	count(nfqueue);
}

void nfqueue_fast_recall(struct nfqueue *nfqueue, uint64_t now_ns)
{
	if (nfqueue->fast == NULL)
		return;
	fastleases_recall(nfqueue->fast->leases, nfqueue->config.pump, now_ns);
	count(nfqueue);
}

void nfqueue_fast_set_policy(struct nfqueue *nfqueue)
{
	struct fast *program = nfqueue->config.fast;

	if (program == NULL)
		return;
	fast_set_links(program, nfqueue->reader.policy->sources_count ||
					nfqueue->reader.policy->bindings_count);
	fast_set_consent(program, nfqueue->reader.policy->evidence ==
					  POLICY_EVIDENCE_CONSENT);
	holdedt_configure(fast_edt(program), nfqueue->reader.policy);
	for (size_t i = 0; i < FAST_INTERFACES; i++)
		if (fast_name(program, i)[0] != '\0')
			fast_set_zone(program, i,
				      zones_id(nfqueue->config.zones,
					       nfqueue->reader.policy,
					       fast_name(program, i), 0));
}

/* ------ readers */

bool nfqueue_leased(const struct nfqueue *nfqueue, const struct flow_key *key,
		    uint64_t now_ns, uint32_t *ret_sent_pkts,
		    uint32_t *ret_heard_pkts)
{
	return nfqueue->fast &&
	       fastleases_read(nfqueue->fast->leases, key, now_ns,
			       ret_sent_pkts, ret_heard_pkts);
}

void nfqueue_count_leases(const struct nfqueue *nfqueue,
			  struct nfqueue_leases *ret_leases)
{
	struct nfqueue_leases now = { 0 };
	const struct fastleases_stats *stats;

	if (nfqueue->fast) {
		stats = fastleases_stats(nfqueue->fast->leases);
		fast_slots(nfqueue->fast->program, &now.keys_max);
		now.keys = stats->keys;
		now.leased = stats->leased;
	}
	*ret_leases = now;
}
