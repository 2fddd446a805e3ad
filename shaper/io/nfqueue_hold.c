/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who waits: in the hold queue for a gate, in the room for a first packet. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "shaper/bpf/hold_memory.h"
#include "shaper/io/clock.h"
#include "shaper/io/nfqueue_path.h"
#include "shaper/io/nfqueue_room.h"

enum {
	/* Bounds what one wake-up may lead to. */
	ROUNDS_MAX = 16,
	FIRST_SHIFT = 32, /* a pump's id: ours, and above it the first */
	FIRST_MASK = 0xffff,
	REST_NS_MAX = 100000000,
};

/* After its verdict was sent. */
static void note_left(struct nfqueue *nfqueue, uint64_t id)
{
	uint32_t first = (uint32_t)(id >> FIRST_SHIFT) & FIRST_MASK;

	if (id & (HOLD_TICKET | NFQUEUE_PACE_TICKET))
		return;
	nfqueue_ring_left(nfqueue, id);
	if (first != 0)
		nfqueue_room_left(nfqueue->room, first);
}

/*
 * The kernel does with them what they are let go for.  After a whole batch more
 * may follow, and before the other end of a veth there is room for so many
 * (net.core.netdev_max_backlog, 1000).  Who takes them from there may have a
 * lower priority than we: he gets as long as they took us.
 */
static void let_go(struct nfqueue *nfqueue, size_t count)
{
	struct timespec rest = { 0 };
	uint64_t begin_ns, took_ns;

	if (count < NFQUEUE_BATCH) {
		nfqueue_socket_flush(nfqueue->hold);
		return;
	}
	begin_ns = clock_now_ns();
	nfqueue_socket_flush(nfqueue->hold);
	took_ns = clock_now_ns() - begin_ns;
	rest.tv_nsec = (long)(took_ns < REST_NS_MAX ? took_ns : REST_NS_MAX);
	nanosleep(&rest, NULL);
}

void nfqueue_collect(struct nfqueue *nfqueue)
{
	const struct pump_release *release;
	size_t got;

	while ((got = pump_collect(nfqueue->config.pump, nfqueue->releases,
				   NFQUEUE_BATCH)) > 0) {
		for (size_t i = 0; i < got; i++) {
			release = &nfqueue->releases[i];
			if (release->id & NFQUEUE_PACE_TICKET &&
			    !(release->id & HOLD_TICKET)) {
				nfqueue_pace_left(nfqueue, release->id);
				continue;
			}
			nfqueue_count(nfqueue,
				      release->verdict == PUMP_DROP
					      ? NFQUEUE_hold_dropped_pkts
					      : NFQUEUE_hold_passed_pkts,
				      1);
			if (release->id & HOLD_TICKET) {
				nfqueue_qdisc_left(nfqueue, release->id,
						   release->verdict);
				continue;
			}
			nfqueue->held_pkts--;
			nfqueue_socket_verdict(
				nfqueue->hold, (uint32_t)release->id,
				nfqueue_verdict(nfqueue, release->verdict,
						release->shard));
		}
		let_go(nfqueue, got);
		for (size_t i = 0; i < got; i++)
			note_left(nfqueue, nfqueue->releases[i].id);
	}
}

static void note_held(struct nfqueue *nfqueue, struct nfqueue_batch *batch)
{
	struct pump_packet *packet;

	for (size_t i = 0; i < batch->judged_count; i++) {
		packet = &batch->packets[i];
		packet->id |= (uint64_t)nfqueue_room_hold(nfqueue->room, packet)
			      << FIRST_SHIFT;
		packet->id |= nfqueue_ring_hold(nfqueue, packet);
	}
}

/* What does not wait here goes, and others wait for it. */
static void judge_held(struct nfqueue *nfqueue, struct nfqueue_batch *batch,
		       uint64_t now_ns)
{
	struct pump_packet *packets = batch->packets;
	size_t from = 0, end;

	while (from < batch->judged_count) {
		end = from;
		while (end < batch->judged_count &&
		       !nfqueue_paces(nfqueue, &packets[end]))
			end++;
		pump_hold(nfqueue->config.pump, packets + from, end - from,
			  now_ns);
		for (size_t i = from; i < end; i++)
			nfqueue_ring_judged(nfqueue, &packets[i]);
		if (end < batch->judged_count)
			nfqueue_pace_owe(nfqueue, &packets[end++], now_ns);
		from = end;
	}
}

/* What pump_hold does not keep goes on at once. */
static void answer_held(struct nfqueue *nfqueue,
			const struct nfqueue_batch *batch)
{
	const struct pump_packet *packet;
	size_t next = 0;

	for (size_t i = 0; i < batch->count; i++) {
		if (next == batch->judged_count || batch->judged[next] != i) {
			nfqueue_socket_verdict(nfqueue->hold, batch->ids[i],
					       nfqueue_socket_accept());
			continue;
		}
		packet = &batch->packets[next++];
		if (packet->verdict == PUMP_WAIT) {
			nfqueue->held_pkts++;
			continue;
		}
		nfqueue_count(nfqueue,
			      packet->verdict == PUMP_DROP
				      ? NFQUEUE_hold_dropped_pkts
				      : NFQUEUE_hold_passed_pkts,
			      1);
		nfqueue_socket_verdict(nfqueue->hold, batch->ids[i],
				       nfqueue_verdict(nfqueue, packet->verdict,
						       packet->shard));
	}
	nfqueue_socket_flush(nfqueue->hold);
	for (size_t i = 0; i < batch->judged_count; i++)
		if (batch->packets[i].verdict != PUMP_WAIT)
			note_left(nfqueue, batch->packets[i].id);
}

/* Moving a packet happens within the send that asks for it: whatever was set
 * aside is there, or is lost. */
int nfqueue_receive_hold(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->hold_batch;
	int messages;

	while ((messages = nfqueue_socket_receive(nfqueue->hold)) > 0) {
		nfqueue_reader_read(&nfqueue->reader, nfqueue->hold,
				    (size_t)messages, true, now_ns, batch);
		nfqueue_count(nfqueue, NFQUEUE_hold_received_pkts,
			      batch->count);
		nfqueue_count(nfqueue, NFQUEUE_hold_missed_pkts,
			      nfqueue_missed(&nfqueue->hold_ids, batch));
		note_held(nfqueue, batch);
		judge_held(nfqueue, batch, now_ns);
		/* What it let go meanwhile came before these. */
		nfqueue_collect(nfqueue);
		answer_held(nfqueue, batch);
	}
	return messages;
}

/* ------ what the kernel dropped while it waited */

struct gone {
	uint32_t last; /* id; how far the others are behind it is their age */
	uint32_t *ages, max, count; /* of all */
	uint32_t from;              /* which is lost */
};

static bool note_age(void *self, uint64_t id)
{
	struct gone *gone = self;

	if (!(id & (HOLD_TICKET | NFQUEUE_PACE_TICKET)) &&
	    gone->count < gone->max)
		gone->ages[gone->count++] = gone->last - (uint32_t)id;
	return false;
}

static bool is_gone(void *self, uint64_t id)
{
	const struct gone *gone = self;

	return !(id & (HOLD_TICKET | NFQUEUE_PACE_TICKET)) &&
	       gone->last - (uint32_t)id >= gone->from;
}

static int compare_ages(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/*
 * The kernel drops all that waits at once and tells nobody, so that those gone
 * are older than any that is still there.  Whatever waits came by our own
 * verdicts: once the queue was received, what it counts is what we know of.
 */
void nfqueue_forget_gone(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_socket_state state;
	struct gone gone = { 0 };

	nfqueue_receive_hold(nfqueue, now_ns);
	gone.last = nfqueue->hold_ids.last;
	gone.max = nfqueue->held_pkts;
	gone.ages = calloc((size_t)gone.max + 1, sizeof(*gone.ages));
	if (gone.ages == NULL)
		return;
	pump_forget(nfqueue->config.pump,
		    &(struct pump_lost){ note_age, &gone }, now_ns);
	nfqueue_collect(nfqueue);
	if (nfqueue_socket_state(nfqueue->config.hold_queue, &state) &&
	    state.waiting_pkts < gone.count) {
		qsort(gone.ages, gone.count, sizeof(*gone.ages), compare_ages);
		gone.from = gone.ages[state.waiting_pkts];
		pump_forget(nfqueue->config.pump,
			    &(struct pump_lost){ is_gone, &gone }, now_ns);
		nfqueue_collect(nfqueue);
	}
	free(gone.ages);
}

/* Until nothing is left in the main queue. */
static void drain_main(struct nfqueue *nfqueue, uint64_t now_ns)
{
	int rounds = ROUNDS_MAX;
	int messages;

	do {
		messages = nfqueue_receive_main(nfqueue, now_ns);
	} while (messages == NFQUEUE_BATCH && --rounds > 0);
	if (messages < 0)
		nfqueue_note_error(nfqueue, messages);
}

static void answer_room(struct nfqueue *nfqueue,
			const struct nfqueue_batch *batch)
{
	enum nfqueue_room_answer answer;
	size_t next = 0;

	for (size_t i = 0; i < batch->count; i++) {
		answer = NFQUEUE_ROOM_GO;
		if (next < batch->judged_count && batch->judged[next] == i)
			answer = nfqueue_room_ask(nfqueue->room, batch->ids[i],
						  &batch->packets[next++]);
		switch (answer) {
		case NFQUEUE_ROOM_GO:
			nfqueue_socket_verdict(nfqueue->waiting, batch->ids[i],
					       nfqueue_socket_accept());
			break;
		case NFQUEUE_ROOM_WAIT:
			nfqueue_count(nfqueue, NFQUEUE_room_waited_pkts, 1);
			break;
		case NFQUEUE_ROOM_DROP:
			nfqueue_count(nfqueue, NFQUEUE_room_dropped_pkts, 1);
			nfqueue_socket_verdict(nfqueue->waiting, batch->ids[i],
					       nfqueue_socket_drop());
			break;
		}
	}
	nfqueue_socket_flush(nfqueue->waiting);
}

/*
 * Firsts came to the main queue before those that follow them came here, so
 * with these in hand the main queue is emptied; then it is known which firsts
 * are held.
 */
int nfqueue_receive_room(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->waiting_batch;
	int messages = nfqueue_socket_receive(nfqueue->waiting);

	if (messages <= 0)
		return messages;
	nfqueue_reader_read(&nfqueue->reader, nfqueue->waiting,
			    (size_t)messages, true, now_ns, batch);
	nfqueue_count(nfqueue, NFQUEUE_room_received_pkts, batch->count);
	drain_main(nfqueue, now_ns);
	nfqueue_room_open(nfqueue->room);
	answer_room(nfqueue, batch);
	drain_main(nfqueue, now_ns);
	nfqueue_room_shut(nfqueue->room);
	return messages;
}

void nfqueue_open_room(struct nfqueue *nfqueue, uint64_t now_ns)
{
	uint32_t ids[NFQUEUE_BATCH];
	int rounds = ROUNDS_MAX;
	size_t count;

	while (rounds-- > 0) {
		nfqueue_room_open(nfqueue->room);
		count = nfqueue_room_collect(nfqueue->room, ids, NFQUEUE_BATCH);
		if (count == 0)
			break;
		for (size_t i = 0; i < count; i++)
			nfqueue_socket_verdict(nfqueue->waiting, ids[i],
					       nfqueue_socket_accept());
		nfqueue_socket_flush(nfqueue->waiting);
		drain_main(nfqueue, now_ns);
	}
	nfqueue_room_shut(nfqueue->room);
}
