/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nfqueue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/io/nfqueue_reader.h"
#include "shaper/io/nfqueue_socket.h"
#include "shaper/pump.h"

enum {
	/* Of the sizes that a message takes in the kernel, the smallest.  The
	 * main socket is so made the tighter bound of the two, the queue's
	 * length the wider: what the socket refuses leaves a gap in the ids,
	 * and so can be counted also when it goes on unjudged. */
	MESSAGE_BYTES_MIN = 768,
	MAIN_BYTES_MAX = 256 << 20,
	HOLD_BYTES = 64 << 20,
	/* So many super-packets at once are set aside before the hold queue is
	 * emptied: each may come back as more than a thousand segments. */
	SUPER_PACKETS_ASIDE = 16,

	RATE_WINDOW_NS = 1000000,
	RATE_HIGH_PKTS = 150, /* in that window */
	SUPER_PACKET_OFFSETS = 8,
	PAUSE_NS = 20000,
	LOOK_NS = 1000000000, /* at the kernel's own counters */
};

struct nfqueue {
	struct nfqueue_config config;
	struct nfqueue_socket *main, *hold;
	struct nfqueue_reader reader;

	bool main_seen, hold_seen; /* then the next two hold */
	uint32_t main_last_id, hold_last_id;

	uint64_t rate_since_ns; /* see pause_ns */
	uint32_t rate_pkts, rate_supers;
	bool rate_high, drained;

	uint64_t look_ns; /* at the kernel's counters, next */
	struct nfqueue_socket_state main_state, hold_state;

	struct nfqueue_stats stats;
	struct nfqueue_batch main_batch, hold_batch;
	struct pump_release releases[NFQUEUE_BATCH];
};

static void count(struct nfqueue *nfqueue, enum nfqueue_counter counter,
		  uint64_t by)
{
	nfqueue->stats.counter[counter] += by;
}

/* Ids have no gaps but for what the socket had no room for. */
static uint32_t missed_before(const struct nfqueue_batch *batch, bool *seen,
			      uint32_t *last_id)
{
	uint32_t missed = 0;

	if (batch->count == 0)
		return 0;
	if (*seen)
		missed = batch->ids[batch->count - 1] - *last_id -
			 (uint32_t)batch->count;
	*seen = true;
	*last_id = batch->ids[batch->count - 1];
	return missed < UINT32_MAX / 2 ? missed : 0;
}

static uint32_t kernel_verdict(struct nfqueue *nfqueue, uint8_t verdict,
			       uint8_t shard)
{
	if (verdict == PUMP_DROP)
		return nfqueue_socket_drop();
	if (shard == PUMP_HERE || shard >= nfqueue->config.shards)
		return nfqueue_socket_accept();
	count(nfqueue, NFQUEUE_forwarded_shard_pkts, 1);
	return nfqueue_socket_requeue(nfqueue->config.shard_main_queue[shard]);
}

void nfqueue_collect(struct nfqueue *nfqueue)
{
	const struct pump_release *release;
	size_t got;

	while ((got = pump_collect(nfqueue->config.pump, nfqueue->releases,
				   NFQUEUE_BATCH)) > 0) {
		for (size_t i = 0; i < got; i++) {
			release = &nfqueue->releases[i];
			count(nfqueue,
			      release->verdict == PUMP_DROP
				      ? NFQUEUE_hold_dropped_pkts
				      : NFQUEUE_hold_passed_pkts,
			      1);
			nfqueue_socket_verdict(
				nfqueue->hold, (uint32_t)release->id,
				kernel_verdict(nfqueue, release->verdict,
					       release->shard));
		}
	}
	nfqueue_socket_flush(nfqueue->hold);
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
		if (packet->verdict == PUMP_WAIT)
			continue;
		count(nfqueue,
		      packet->verdict == PUMP_DROP ? NFQUEUE_hold_dropped_pkts
						   : NFQUEUE_hold_passed_pkts,
		      1);
		nfqueue_socket_verdict(nfqueue->hold, batch->ids[i],
				       kernel_verdict(nfqueue, packet->verdict,
						      packet->shard));
	}
	nfqueue_socket_flush(nfqueue->hold);
}

/* Moving a packet happens within the send that asks for it: whatever was set
 * aside is there, or is lost. */
static int receive_hold(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->hold_batch;
	int messages;

	while ((messages = nfqueue_socket_receive(nfqueue->hold)) > 0) {
		nfqueue_reader_read(&nfqueue->reader, nfqueue->hold,
				    (size_t)messages, true, now_ns, batch);
		count(nfqueue, NFQUEUE_hold_received_pkts, batch->count);
		count(nfqueue, NFQUEUE_hold_missed_pkts,
		      missed_before(batch, &nfqueue->hold_seen,
				    &nfqueue->hold_last_id));
		pump_hold(nfqueue->config.pump, batch->packets,
			  batch->judged_count, now_ns);
		/* What it let go meanwhile came before these. */
		nfqueue_collect(nfqueue);
		answer_held(nfqueue, batch);
	}
	return messages;
}

static void note_error(struct nfqueue *nfqueue, int error)
{
	count(nfqueue,
	      error == -ENOBUFS ? NFQUEUE_overruns : NFQUEUE_receive_errors, 1);
}

/*
 * What the kernel is to do with the messages from `from` on, as far as one send
 * may go.  Returns where the next one begins.
 */
static size_t decide(struct nfqueue *nfqueue, size_t from, size_t *next,
		     uint32_t verdicts[NFQUEUE_BATCH], uint32_t *ret_waiting)
{
	const struct nfqueue_batch *batch = &nfqueue->main_batch;
	const struct pump_packet *packet;
	uint32_t supers = 0;
	size_t i;

	*ret_waiting = 0;
	for (i = from; i < batch->count && supers < SUPER_PACKETS_ASIDE; i++) {
		verdicts[i] = nfqueue_socket_accept();
		if (*next == batch->judged_count || batch->judged[*next] != i)
			continue;
		packet = &batch->packets[(*next)++];
		if (packet->verdict == PUMP_WAIT) {
			verdicts[i] = nfqueue_socket_requeue(
				nfqueue->config.hold_queue);
			(*ret_waiting)++;
			supers += packet->super_packet;
		} else {
			verdicts[i] = kernel_verdict(nfqueue, packet->verdict,
						     packet->shard);
		}
	}
	return i;
}

static void name_all(struct nfqueue *nfqueue, size_t from, size_t end,
		     const uint32_t verdicts[NFQUEUE_BATCH], uint32_t of)
{
	for (size_t i = from; i < end; i++)
		if (verdicts[i] == of)
			nfqueue_socket_verdict(nfqueue->main,
					       nfqueue->main_batch.ids[i], of);
}

/*
 * Verdicts for the messages from *from on.  "Everything up to this id" costs
 * least, for what most of them get; it covers all that has no verdict yet, so
 * the others are named, singly, before it.  What passes is not to wait while
 * others are moved, so then it is named first.  Returns whether something was
 * set aside.
 */
static bool answer_some(struct nfqueue *nfqueue, size_t *from, size_t *next)
{
	const uint32_t accept = nfqueue_socket_accept();
	const uint32_t drop = nfqueue_socket_drop();
	const uint32_t *ids = nfqueue->main_batch.ids;
	uint32_t verdicts[NFQUEUE_BATCH];
	uint32_t passes = 0, drops = 0, waiting;
	size_t end = decide(nfqueue, *from, next, verdicts, &waiting);
	uint32_t most;

	for (size_t i = *from; i < end; i++) {
		passes += verdicts[i] == accept;
		drops += verdicts[i] == drop;
	}
	most = waiting > 0 || drops > passes ? drop : accept;
	name_all(nfqueue, *from, end, verdicts, most == drop ? accept : drop);
	for (size_t i = *from; i < end; i++)
		if (verdicts[i] != accept && verdicts[i] != drop)
			nfqueue_socket_verdict(nfqueue->main, ids[i],
					       verdicts[i]);
	if ((most == drop ? drops : passes) > 0)
		nfqueue_socket_verdict_up_to(nfqueue->main, ids[end - 1], most);
	nfqueue_socket_flush(nfqueue->main);
	count(nfqueue, NFQUEUE_passed_pkts, passes);
	count(nfqueue, NFQUEUE_dropped_pkts, drops);
	count(nfqueue, NFQUEUE_set_aside_pkts, waiting);
	*from = end;
	return waiting > 0;
}

static void answer_main(struct nfqueue *nfqueue, uint64_t now_ns)
{
	size_t from = 0, next = 0;
	bool set_aside = false;
	int error;

	while (from < nfqueue->main_batch.count) {
		if (!answer_some(nfqueue, &from, &next))
			continue;
		set_aside = true;
		error = receive_hold(nfqueue, now_ns);
		if (error < 0)
			note_error(nfqueue, error);
	}
	if (!set_aside)
		return;
	pump_settle(nfqueue->config.pump);
	nfqueue_collect(nfqueue);
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

/* How many came, or -errno. */
static int receive_main(struct nfqueue *nfqueue, uint64_t now_ns)
{
	struct nfqueue_batch *batch = &nfqueue->main_batch;
	int messages = nfqueue_socket_receive(nfqueue->main);

	if (messages < 0)
		return messages;
	nfqueue_reader_read(&nfqueue->reader, nfqueue->main, (size_t)messages,
			    false, now_ns, batch);
	note_rate(nfqueue, (size_t)messages, now_ns);
	if (messages == 0)
		return 0;
	count(nfqueue, NFQUEUE_received_pkts, batch->count);
	count(nfqueue, NFQUEUE_batches, 1);
	count(nfqueue, NFQUEUE_missed_pkts,
	      missed_before(batch, &nfqueue->main_seen,
			    &nfqueue->main_last_id));
	pump_offer(nfqueue->config.pump, batch->packets, batch->judged_count,
		   now_ns);
	/* What these let go waited before them, so it leaves before them. */
	nfqueue_collect(nfqueue);
	answer_main(nfqueue, now_ns);
	return messages;
}

/* A socket that lost something still works: count it and go on. */
static int on_readable(void *self, size_t fd_index, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;
	int error = 0;

	switch (fd_index) {
	case 0:
		error = receive_main(nfqueue, now_ns);
		break;
	case 1:
		error = receive_hold(nfqueue, now_ns);
		nfqueue_collect(nfqueue);
		break;
	case 2:
		error = nfqueue_reader_read_names(&nfqueue->reader);
		break;
	}
	if (error >= 0)
		return 0;
	note_error(nfqueue, error);
	return error == -EBADF || error == -ENOTCONN ? error : 0;
}

static uint64_t next_ns(const void *self)
{
	const struct nfqueue *nfqueue = self;
	uint64_t pump_ns = pump_next_ns(nfqueue->config.pump);

	return pump_ns < nfqueue->look_ns ? pump_ns : nfqueue->look_ns;
}

/* The kernel's counters are 32 bits wide and run over. */
static void look_at_queue(struct nfqueue *nfqueue, uint16_t queue,
			  struct nfqueue_socket_state *last)
{
	struct nfqueue_socket_state state;

	if (!nfqueue_socket_state(queue, &state))
		return;
	count(nfqueue, NFQUEUE_kernel_queue_dropped,
	      state.queue_dropped - last->queue_dropped);
	count(nfqueue, NFQUEUE_kernel_user_dropped,
	      state.user_dropped - last->user_dropped);
	*last = state;
}

static void look_at_kernel(struct nfqueue *nfqueue, uint64_t now_ns)
{
	look_at_queue(nfqueue, nfqueue->config.main_queue,
		      &nfqueue->main_state);
	look_at_queue(nfqueue, nfqueue->config.hold_queue,
		      &nfqueue->hold_state);
	nfqueue->look_ns = now_ns + LOOK_NS;
}

static int advance(void *self, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;

	if (now_ns >= pump_next_ns(nfqueue->config.pump))
		pump_advance(nfqueue->config.pump, now_ns);
	nfqueue_collect(nfqueue);
	if (now_ns >= nfqueue->look_ns)
		look_at_kernel(nfqueue, now_ns);
	return 0;
}

/*
 * Woken for every few packets, reader and kernel get in each other's way: at
 * 500 kpps a packet then costs twice of what it does in lots of thirty.  Not
 * where super-packets come: TCP would feel the delay more than we the gain.
 */
static uint64_t pause_ns(const void *self)
{
	const struct nfqueue *nfqueue = self;

	return nfqueue->rate_high && nfqueue->drained ? PAUSE_NS : 0;
}

/* What is in the main queue gets its verdicts; no more comes. */
int nfqueue_shut(struct nfqueue *nfqueue, uint64_t now_ns)
{
	int error = nfqueue_socket_shut(nfqueue->main);
	int messages;

	do {
		messages = receive_main(nfqueue, now_ns);
	} while (messages > 0);
	return error < 0 ? error : messages;
}

/* What waits is released, or dropped when the way is to be closed. */
static void close_down(void *self, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;

	nfqueue_shut(nfqueue, now_ns);
	receive_hold(nfqueue, now_ns);
	pump_settle(nfqueue->config.pump);
	pump_drain(nfqueue->config.pump,
		   nfqueue->config.fail_open ? PUMP_PASS : PUMP_DROP, now_ns);
	nfqueue_collect(nfqueue);
	look_at_kernel(nfqueue, now_ns);
}

static uint32_t main_bytes(uint32_t length_pkts)
{
	uint64_t bytes = (uint64_t)length_pkts * MESSAGE_BYTES_MIN;

	return bytes < MAIN_BYTES_MAX ? (uint32_t)bytes : MAIN_BYTES_MAX;
}

static int take_queues(struct nfqueue *nfqueue, uint16_t *ret_busy_queue)
{
	const struct nfqueue_config *config = &nfqueue->config;
	const struct nfqueue_socket_config main = {
		.queue = config->main_queue,
		.length_pkts = config->main_length_pkts,
		.receive_bytes = main_bytes(config->main_length_pkts),
		.fail_open = config->fail_open,
		.takes_super_packets = true,
	};
	/* Never fail-open: what finds no room there was to be held. */
	const struct nfqueue_socket_config hold = {
		.queue = config->hold_queue,
		.length_pkts = config->hold_length_pkts,
		.receive_bytes = HOLD_BYTES,
	};
	int error;

	*ret_busy_queue = hold.queue;
	error = nfqueue_socket_new(&hold, &nfqueue->hold);
	if (error < 0)
		return error;
	*ret_busy_queue = main.queue;
	return nfqueue_socket_new(&main, &nfqueue->main);
}

int nfqueue_new(const struct nfqueue_config *config,
		struct nfqueue **ret_nfqueue, uint16_t *ret_busy_queue)
{
	struct nfqueue *nfqueue = malloc(sizeof(*nfqueue));
	int error;

	if (nfqueue == NULL)
		return -ENOMEM;
	memset(nfqueue, 0, sizeof(*nfqueue));
	nfqueue->config = *config;
	nfqueue->reader = (struct nfqueue_reader){
		.zones = config->zones,
		.policy = config->policy,
		.shard = config->shard,
		.shards = config->shards,
		.shard_seed = config->shard_seed,
		.stats = &nfqueue->stats,
	};
	error = nfqueue_reader_init(&nfqueue->reader,
				    config->policy->limits.fragments,
				    config->seed);
	if (error == 0)
		error = take_queues(nfqueue, ret_busy_queue);
	if (error < 0) {
		nfqueue_free(nfqueue);
		return error;
	}
	*ret_nfqueue = nfqueue;
	return 0;
}

uint32_t nfqueue_owner(uint16_t queue)
{
	struct nfqueue_socket_state state;

	return nfqueue_socket_state(queue, &state) ? state.owner : 0;
}

void nfqueue_free(struct nfqueue *nfqueue)
{
	if (nfqueue == NULL)
		return;
	nfqueue_socket_free(nfqueue->main);
	nfqueue_socket_free(nfqueue->hold);
	nfqueue_reader_fini(&nfqueue->reader);
	free(nfqueue);
}

void nfqueue_datapath(struct nfqueue *nfqueue, struct datapath *ret_datapath)
{
	*ret_datapath = (struct datapath){
		.name = "nfqueue",
		.self = nfqueue,
		.pump = nfqueue->config.pump,
		.fds = { nfqueue_socket_fd(nfqueue->main),
			 nfqueue_socket_fd(nfqueue->hold),
			 nfqueue_reader_names_fd(&nfqueue->reader) },
		.fds_count = 3,
		.on_readable = on_readable,
		.next_ns = next_ns,
		.advance = advance,
		.pause_ns = pause_ns,
		.close = close_down,
	};
}

void nfqueue_set_policy(struct nfqueue *nfqueue, const struct policy *policy)
{
	nfqueue->reader.policy = policy;
	nfqueue_reader_forget(&nfqueue->reader);
}

const struct nfqueue_stats *nfqueue_stats(const struct nfqueue *nfqueue)
{
	return &nfqueue->stats;
}

uint64_t *nfqueue_refusals_lost(struct nfqueue *nfqueue)
{
	return &nfqueue->stats.counter[NFQUEUE_refusals_lost];
}
