/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the kernel program and the pump: what it sends here is noted before
 * it is judged, what may be leased to it is offered, and packets in that it
 * only tells of are judged as if they had come by the queue.  The first engine
 * is told, and tells the others of theirs.
 */
#include <errno.h>
#include <stdlib.h>

#include "flowtable/packet.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_leases.h"
#include "shaper/io/fast_post.h"
#include "shaper/io/hold_edt.h"
#include "shaper/io/nfqueue_path.h"

enum { HEARD = 64 };

/* A few keys are soon looked at, and so in larger steps. */
#define SWEEP_NS     UINT64_C(100000000)
#define FEW_SWEEP_NS UINT64_C(1000000000)

struct nfqueue_fast {
	struct fast *program;
	struct fastleases *leases;
	uint16_t zones[FAST_INTERFACES]; /* ours, of the program's */
	uint64_t unposted_pkts;          /* to others: no room */
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
	fastleases_share(fast->leases, fast_taken(fast->program));
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

static bool zone_of(const struct nfqueue_fast *fast, uint32_t ifindex,
		    uint16_t *ret_zone)
{
	uint16_t of_program;

	if (!fast_zone_of(fast->program, ifindex, &of_program) ||
	    of_program >= FAST_INTERFACES ||
	    fast->zones[of_program] == ZONES_MAX)
		return false;
	*ret_zone = fast->zones[of_program];
	return true;
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
		zone_of(fast, event->ifindex, &zone);
		nfqueue_qdisc_hear(nfqueue, fast->leases, event, zone,
				   fast->now_ns);
		return;
	}
	if (!zone_of(fast, event->ifindex, &zone) ||
	    !nfqueue_reader_hear(&nfqueue->reader, event, zone, fast->now_ns,
				 packet))
		return;
	flow_key_of(&packet->meta, FLOW_IN, packet->dst_zone, &flow);
	if (is_for_the_kernel(nfqueue, packet, &flow))
		return;
	if (packet->meta.kind == PACKET_UNICAST)
		fastleases_note(fast->leases, nfqueue->config.pump, &flow,
				FASTLEASES_MARK_NONE, fast->now_ns);
	if (++fast->heard_count == HEARD)
		flush(nfqueue);
}

/* ------ several engines */

static bool has_posts(const struct nfqueue *nfqueue)
{
	return nfqueue->config.fast_posts != NULL;
}

/* What cannot be read is nobody's, and stays here. */
static uint8_t shard_of_event(const struct nfqueue *nfqueue,
			      const struct fast_event *event)
{
	struct packet_meta meta;
	uint16_t zone;

	packet_parse_ethernet(event->bytes, event->captured_bytes,
			      event->wire_bytes, &meta);
	if (meta.ethertype == 0 ||
	    !zone_of(nfqueue->fast, event->ifindex, &zone) ||
	    !policy_is_inside(nfqueue->config.policy, meta.ends.dst))
		return nfqueue->config.shard;
	return nfqueue_reader_shard(&nfqueue->reader, meta.ends.dst, zone);
}

static void on_any_event(void *self, const struct fast_event *event)
{
	struct nfqueue *nfqueue = self;
	uint8_t shard = shard_of_event(nfqueue, event);

	if (shard == nfqueue->config.shard)
		on_event(nfqueue, event);
	else if (!fastpost_put(nfqueue->config.fast_posts[shard], event))
		nfqueue->fast->unposted_pkts += event->wire_pkts;
}

static size_t receive(struct nfqueue *nfqueue)
{
	struct fast *program = nfqueue->fast->program;
	uint8_t shard = nfqueue->config.shard;
	size_t count;

	if (!has_posts(nfqueue))
		return fast_receive(program, on_event, nfqueue);
	if (shard != 0)
		return fastpost_take(nfqueue->config.fast_posts[shard],
				     on_event, nfqueue);
	count = fast_receive(program, on_any_event, nfqueue);
	for (uint8_t i = 1; count > 0 && i < nfqueue->config.shards; i++)
		fastpost_ring(nfqueue->config.fast_posts[i]);
	return count;
}

int nfqueue_fast_fd(const struct nfqueue *nfqueue)
{
	uint8_t shard = nfqueue->config.shard;

	return shard == 0 ? fast_fd(nfqueue->fast->program)
			  : fastpost_fd(nfqueue->config.fast_posts[shard]);
}

void nfqueue_fast_wake(struct nfqueue *nfqueue, uint64_t now_ns)
{
	uint8_t shard = nfqueue->config.shard;

	if (shard != 0)
		fastpost_silence(nfqueue->config.fast_posts[shard]);
	nfqueue_fast_receive(nfqueue, now_ns);
}

void nfqueue_fast_receive(struct nfqueue *nfqueue, uint64_t now_ns)
{
	if (nfqueue->fast == NULL)
		return;
	nfqueue->fast->now_ns = now_ns;
	if (receive(nfqueue) == 0)
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

/* What bears no mark of the program came past it: in a VLAN, or by an interface
 * that it is not at.  One of a leased pair ends the lease, as a stranger does.
 */
static uint32_t mark_of(const struct nfqueue *nfqueue, uint32_t skb_mark)
{
	uint32_t mark = fast_mark(nfqueue->fast->program, skb_mark);

	return mark == FASTLEASES_MARK_NONE || mark == FAST_MARK_JUDGED
		       ? FAST_MARK_STRANGER
		       : mark;
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
		fastleases_note(nfqueue->fast->leases, nfqueue->config.pump,
				&flow, mark_of(nfqueue, batch->marks[i]),
				now_ns);
	}
}

static uint64_t sweep_span_ns(const struct nfqueue_fast *fast)
{
	return fastleases_are_few(fast->leases) ? FEW_SWEEP_NS : SWEEP_NS;
}

/* Its verdict has been carried out: what comes now comes after it. */
void nfqueue_fast_offer(struct nfqueue *nfqueue, uint64_t now_ns)
{
	const struct nfqueue_batch *batch = &nfqueue->main_batch;
	struct flow_key flow;

	/* Where no program is yet, or any more, there is nobody to lease to. */
	if (nfqueue->fast == NULL || !fast_is_attached(nfqueue->fast->program))
		return;
	for (size_t i = 0; i < batch->judged_count; i++) {
		const struct pump_packet *packet = &batch->packets[i];

		if (!is_out(nfqueue, packet) || packet->verdict != PUMP_PASS ||
		    nfqueue_ring_keeps(nfqueue, packet))
			continue;
		flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, &flow);
		fastleases_offer(nfqueue->fast->leases, nfqueue->config.pump,
				 &flow, now_ns);
	}
	if (nfqueue->fast->sweep_ns > now_ns + sweep_span_ns(nfqueue->fast))
		nfqueue->fast->sweep_ns = now_ns + sweep_span_ns(nfqueue->fast);
}

/* ------ time, and the end */

uint64_t nfqueue_fast_next_ns(const struct nfqueue *nfqueue)
{
	return nfqueue->fast ? nfqueue->fast->sweep_ns : NS_NEVER;
}

/* The program's counters are the first engine's. */
static void count_program(struct nfqueue *nfqueue)
{
	uint64_t *counter = nfqueue->stats.counter;
	const struct edt_memory *edt = fast_edt(nfqueue->fast->program);
	struct fast_counts counts;

	fast_count(nfqueue->fast->program, &counts);
	counter[NFQUEUE_fast_out_pkts] = counts.out_passed_pkts;
	counter[NFQUEUE_fast_direct_pkts] = counts.direct_pkts;
	counter[NFQUEUE_fast_in_pkts] = counts.in_passed_pkts;
	counter[NFQUEUE_fast_told_pkts] = counts.told;
	counter[NFQUEUE_fast_untold_pkts] =
		counts.untold + nfqueue->fast->unposted_pkts;
	counter[NFQUEUE_fast_steered_pkts] = counts.steered_pkts;
	counter[NFQUEUE_fast_given_back] = counts.given_back;
	counter[NFQUEUE_edt_waited_pkts] = edt->delayed_pkts;
	counter[NFQUEUE_edt_full_pkts] = edt->full_pkts;
}

void nfqueue_renew_stats(struct nfqueue *nfqueue)
{
	uint64_t *counter = nfqueue->stats.counter;
	const struct fastleases_stats *stats;

	if (nfqueue->fast == NULL)
		return;
	stats = fastleases_stats(nfqueue->fast->leases);
	if (nfqueue->config.shard == 0)
		count_program(nfqueue);
	counter[NFQUEUE_fast_leases] = stats->made;
	counter[NFQUEUE_fast_taken_back] = stats->taken_back;
	counter[NFQUEUE_fast_epochs] = stats->epochs;
	counter[NFQUEUE_fast_full] = stats->full;
	counter[NFQUEUE_fast_beyond_share] = stats->beyond_share;
	nfqueue_qdisc_count(nfqueue);
}

void nfqueue_fast_advance(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_fast *fast = nfqueue->fast;

	if (fast == NULL || now_ns + NFQUEUE_EARLY_NS < fast->sweep_ns)
		return;
	fast->sweep_ns = now_ns + sweep_span_ns(fast);
	fastleases_sweep(fast->leases, nfqueue->config.pump, now_ns);
}

void nfqueue_fast_recall(struct nfqueue *nfqueue, uint64_t now_ns)
{
	if (nfqueue->fast == NULL)
		return;
	fastleases_recall(nfqueue->fast->leases, nfqueue->config.pump, now_ns);
	nfqueue_renew_stats(nfqueue);
}

/* The program has one number for what is one zone to us. */
static void set_zones(struct nfqueue *nfqueue)
{
	struct nfqueue_fast *fast = nfqueue->fast;
	const struct fast *program = fast->program;

	for (size_t i = 0; i < FAST_INTERFACES; i++)
		fast->zones[i] = ZONES_MAX;
	for (size_t i = 0; i < FAST_INTERFACES; i++)
		if (fast_name(program, i)[0] != '\0')
			fast->zones[fast_zone(program, i)] = zones_id(
				nfqueue->config.zones, nfqueue->reader.policy,
				fast_name(program, i), 0);
	fastleases_set_zones(fast->leases, fast->zones);
}

void nfqueue_fast_set_policy(struct nfqueue *nfqueue)
{
	struct fast *program = nfqueue->config.fast;
	const struct policy *policy = nfqueue->reader.policy;

	if (program == NULL)
		return;
	fast_set_links(program, policy->sources_count > 0 ||
					policy->bindings_count > 0 ||
					policy->owners_count > 0);
	fast_set_bridge(program, policy->nfqueue.bridge);
	fast_set_consent(program, policy->evidence == POLICY_EVIDENCE_CONSENT);
	holdedt_configure(fast_edt(program), policy);
	set_zones(nfqueue);
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
		/* One table: the first engine tells. */
		if (nfqueue->config.shard == 0)
			fast_slots(nfqueue->fast->program, &now.keys_max);
		now.keys = stats->keys;
		now.leased = stats->leased;
	}
	*ret_leases = now;
}
