/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The main queue: every packet comes here, and gets its verdict at once. */
#include <errno.h>

#include "shaper/io/nfqueue_path.h"

enum {
	RATE_WINDOW_NS = 1000000,
	RATE_HIGH_PKTS = 150, /* in that window */
	SUPER_PACKET_OFFSETS = 8,
};

uint32_t nfqueue_missed(struct nfqueue_ids *ids,
			const struct nfqueue_batch *batch)
{
	uint32_t missed = 0;

	if (batch->count == 0)
		return 0;
	if (ids->seen)
		missed = batch->ids[batch->count - 1] - ids->last -
			 (uint32_t)batch->count;
	ids->seen = true;
	ids->last = batch->ids[batch->count - 1];
	return missed < UINT32_MAX / 2 ? missed : 0;
}

uint32_t nfqueue_verdict(struct nfqueue *nfqueue, uint8_t verdict,
			 uint8_t shard)
{
	if (verdict == PUMP_DROP)
		return nfqueue_socket_drop();
	if (shard == PUMP_HERE || shard >= nfqueue->config.shards)
		return nfqueue_socket_accept();
	nfqueue_count(nfqueue, NFQUEUE_forwarded_shard_pkts, 1);
	return nfqueue_socket_requeue(nfqueue->config.shard_main_queue[shard]);
}

void nfqueue_note_error(struct nfqueue *nfqueue, int error)
{
	nfqueue_count(nfqueue,
		      error == -ENOBUFS ? NFQUEUE_overruns
					: NFQUEUE_receive_errors,
		      1);
}

/* Messages of a batch, and the packets to judge among them. */
struct part {
	size_t from, end;
	size_t judged_from, judged_end;
};

static void tell_ring(struct nfqueue *nfqueue, const struct pump_packet *packet,
		      uint64_t now_ns)
{
	if (packet->verdict == PUMP_DROP || !nfqueue_rings(nfqueue, packet))
		return;
	if (packet->verdict == PUMP_PASS)
		nfqueue_ring_passed(nfqueue, packet, now_ns);
	else
		nfqueue_ring_waits(nfqueue, packet, now_ns);
}

/* It goes, although it should wait: it will be made up for.  A super-packet
 * does so in its wire packets, as they come back. */
static bool goes(struct nfqueue *nfqueue, struct pump_packet *packet,
		 uint64_t now_ns)
{
	tell_ring(nfqueue, packet, now_ns);
	if (packet->verdict != PUMP_WAIT || packet->super_packet ||
	    !nfqueue_paces(nfqueue, packet))
		return false;
	nfqueue_pace_owe(nfqueue, packet, now_ns);
	return true;
}

/* Of vifs that do not, or not only, wait here.  Returns whether any packet went
 * that should have waited. */
static bool owe(struct nfqueue *nfqueue, const struct part *part,
		uint64_t now_ns)
{
	bool any = false;

	for (size_t i = part->judged_from; i < part->judged_end; i++) {
		struct pump_packet *packet = &nfqueue->main_batch.packets[i];

		if (goes(nfqueue, packet, now_ns))
			any = true;
	}
	return any;
}

/* What the kernel is to do with each.  Returns how many are set aside. */
static uint32_t decide(struct nfqueue *nfqueue, const struct part *part,
		       uint32_t verdicts[NFQUEUE_BATCH])
{
	const struct nfqueue_batch *batch = &nfqueue->main_batch;
	const struct pump_packet *packet;
	size_t next = part->judged_from;
	uint32_t waiting = 0;

	for (size_t i = part->from; i < part->end; i++) {
		verdicts[i] = nfqueue_socket_accept();
		if (next == part->judged_end || batch->judged[next] != i)
			continue;
		packet = &batch->packets[next++];
		if (packet->verdict == PUMP_WAIT) {
			verdicts[i] = nfqueue_socket_requeue(
				nfqueue->config.hold_queue);
			waiting++;
		} else {
			verdicts[i] = nfqueue_verdict(nfqueue, packet->verdict,
						      packet->shard);
		}
	}
	return waiting;
}

static void name_all(struct nfqueue *nfqueue, const struct part *part,
		     const uint32_t verdicts[NFQUEUE_BATCH], uint32_t of)
{
	for (size_t i = part->from; i < part->end; i++)
		if (verdicts[i] == of)
			nfqueue_socket_verdict(nfqueue->main,
					       nfqueue->main_batch.ids[i], of);
}

/*
 * Verdicts for these messages.  "Everything up to this id" costs
 * least, for what most of them get; it covers all that has no verdict yet, so
 * the others are named, singly, before it.  What passes is not to wait while
 * others are moved, so then it is named first.  Returns whether something was
 * set aside.
 */
static bool answer(struct nfqueue *nfqueue, const struct part *part)
{
	const uint32_t accept = nfqueue_socket_accept();
	const uint32_t drop = nfqueue_socket_drop();
	const uint32_t *ids = nfqueue->main_batch.ids;
	uint32_t verdicts[NFQUEUE_BATCH];
	uint32_t waiting = decide(nfqueue, part, verdicts);
	uint32_t passes = 0, drops = 0, most;

	for (size_t i = part->from; i < part->end; i++) {
		passes += verdicts[i] == accept;
		drops += verdicts[i] == drop;
	}
	most = waiting > 0 || drops > passes ? drop : accept;
	name_all(nfqueue, part, verdicts, most == drop ? accept : drop);
	for (size_t i = part->from; i < part->end; i++)
		if (verdicts[i] != accept && verdicts[i] != drop)
			nfqueue_socket_verdict(nfqueue->main, ids[i],
					       verdicts[i]);
	if ((most == drop ? drops : passes) > 0)
		nfqueue_socket_verdict_up_to(nfqueue->main, ids[part->end - 1],
					     most);
	nfqueue_socket_flush(nfqueue->main);
	nfqueue_count(nfqueue, NFQUEUE_passed_pkts, passes);
	nfqueue_count(nfqueue, NFQUEUE_dropped_pkts, drops);
	nfqueue_count(nfqueue, NFQUEUE_set_aside_pkts, waiting);
	return waiting > 0;
}

static void answer_main(struct nfqueue *nfqueue, const struct part *part,
			uint64_t now_ns)
{
	bool owed = (nfqueue->pace != NULL || nfqueue->ring != NULL) &&
		    owe(nfqueue, part, now_ns);
	int error;

	if (!answer(nfqueue, part) && !owed)
		return;
	error = nfqueue_receive_hold(nfqueue, now_ns);
	if (error < 0)
		nfqueue_note_error(nfqueue, error);
	pump_settle(nfqueue->config.pump);
	nfqueue_collect(nfqueue);
}

/* The pump stops behind a super-packet that is to be taken apart: it has come
 * back and has its verdicts before those that follow it are judged. */
static void judge_main(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->main_batch;
	struct part part = { 0 };

	while (part.end < batch->count) {
		part.from = part.end;
		part.judged_from = part.judged_end;
		part.judged_end += pump_offer(
			nfqueue->config.pump, batch->packets + part.judged_from,
			batch->judged_count - part.judged_from, now_ns);
		part.end = part.judged_end == batch->judged_count
				   ? batch->count
				   : batch->judged[part.judged_end - 1] + 1u;
		/* What these let go waited before them, so it leaves before
		 * them. */
		nfqueue_collect(nfqueue);
		answer_main(nfqueue, &part, now_ns);
	}
}

static void note_rate(struct nfqueue *nfqueue, size_t messages, uint64_t now_ns)
{
	uint32_t supers = 0;

	for (size_t i = 0; i < nfqueue->main_batch.judged_count; i++)
		supers += nfqueue->main_batch.packets[i].super_packet;
	nfqueue->rate_pkts += (uint32_t)messages;
	nfqueue->rate_supers += supers;
	nfqueue->drained = messages < NFQUEUE_BATCH;
	if (now_ns - nfqueue->rate_since_ns < RATE_WINDOW_NS)
		return;
	nfqueue->rate_high =
		nfqueue->rate_pkts >=
			RATE_HIGH_PKTS +
				nfqueue->rate_supers * SUPER_PACKET_OFFSETS &&
		now_ns - nfqueue->rate_since_ns < UINT64_C(2) * RATE_WINDOW_NS;
	nfqueue->rate_pkts = 0;
	nfqueue->rate_supers = 0;
	nfqueue->rate_since_ns = now_ns;
}

int nfqueue_receive_main(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->main_batch;
	int messages;

	/* Answers first: what they answer left before. */
	nfqueue_fast_receive(nfqueue, now_ns);
	messages = nfqueue_socket_receive(nfqueue->main);
	if (messages < 0)
		return messages;
	nfqueue_reader_read(&nfqueue->reader, nfqueue->main, (size_t)messages,
			    false, now_ns, batch);
	note_rate(nfqueue, (size_t)messages, now_ns);
	if (messages == 0)
		return 0;
	nfqueue_count(nfqueue, NFQUEUE_received_pkts, batch->count);
	nfqueue_count(nfqueue, NFQUEUE_batches, 1);
	nfqueue_count(nfqueue, NFQUEUE_missed_pkts,
		      nfqueue_missed(&nfqueue->main_ids, batch));
	nfqueue_fast_note(nfqueue, now_ns);
	judge_main(nfqueue, now_ns);
	nfqueue_fast_offer(nfqueue, now_ns);
	return messages;
}
