/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nfqueue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/fragments.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/io/fast.h"
#include "shaper/io/nfqueue_path.h"
#include "shaper/io/nfqueue_room.h"

enum {
	/* Of the sizes that a message takes in the kernel, the smallest.  The
	 * main socket is so made the tighter bound of the two, the queue's
	 * length the wider: what the socket refuses leaves a gap in the ids,
	 * and so can be counted also when it goes on unjudged. */
	MESSAGE_BYTES_MIN = 768,
	MAIN_BYTES_MAX = 256 << 20,
	HOLD_BYTES = 64 << 20,
	ROOM_LENGTH_PKTS = NFQUEUE_ROOM_WAITING + 8192,
	ROOM_BYTES = 16 << 20,
	ROOM_ROUNDS = 64, /* what may wait there, and more */
	SINCE_IDS = 1 << 30,
	SHUT_ROUNDS = 64, /* of a batch: as many as the queue has places */

	PAUSE_NS = 20000,
	LOOK_NS = 1000000000, /* at the kernel's own counters */
};

/* Interfaces come and go, and hosts choose their tags.  No packet is in hand,
 * and who knows a zone by its number looks it up anew. */
static void forget_zones(struct nfqueue *nfqueue)
{
	bool used[ZONES_MAX] = { false };

	pump_zones(nfqueue->config.pump, used);
	nfqueue_ring_zones(nfqueue, used);
	zones_keep(nfqueue->config.zones, used);
}

static int read_names(struct nfqueue *nfqueue, uint64_t now_ns)
{
	int error = nfqueue_reader_read_names(&nfqueue->reader);

	if (zones_are_many(nfqueue->config.zones))
		nfqueue_set_policy(nfqueue, nfqueue->config.policy, now_ns);
	return error;
}

/* A socket that lost something still works: count it and go on. */
static int on_readable(void *self, size_t fd_index, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;
	const uint64_t *late = &nfqueue->stats.counter[NFQUEUE_verdicts_late];
	uint64_t late_before = *late;
	int error = 0;

	switch (fd_index) {
	case 0:
		error = nfqueue_receive_main(nfqueue, now_ns);
		break;
	case 1:
		error = nfqueue_receive_hold(nfqueue, now_ns);
		nfqueue_collect(nfqueue);
		break;
	case 2:
		error = read_names(nfqueue, now_ns);
		break;
	case 3:
		error = nfqueue_receive_room(nfqueue, now_ns);
		break;
	case 4:
		nfqueue_fast_wake(nfqueue, now_ns);
		break;
	}
	nfqueue_open_room(nfqueue, now_ns);
	nfqueue_pace_tell(nfqueue);
	nfqueue_ring_advance(nfqueue, now_ns);
	/* It may not be all that is gone. */
	if (*late != late_before)
		nfqueue->look_ns = now_ns;
	else if (nfqueue->look_ns == NS_NEVER)
		nfqueue->look_ns = now_ns + LOOK_NS;
	if (error >= 0)
		return 0;
	nfqueue_note_error(nfqueue, error);
	return error == -EBADF || error == -ENOTCONN ? error : 0;
}

static uint64_t next_ns(const void *self)
{
	const struct nfqueue *nfqueue = self;
	uint64_t pump_ns = pump_next_ns(nfqueue->config.pump);

	uint64_t fast_ns = nfqueue_fast_next_ns(nfqueue);
	uint64_t ring_ns = nfqueue_ring_next_ns(nfqueue);

	if (fast_ns < pump_ns)
		pump_ns = fast_ns;
	if (ring_ns < pump_ns)
		pump_ns = ring_ns;
	return pump_ns < nfqueue->look_ns ? pump_ns : nfqueue->look_ns;
}

/* The kernel's counters are 32 bits wide and run over. */
static void take_state(struct nfqueue *nfqueue,
		       struct nfqueue_socket_state *last,
		       const struct nfqueue_socket_state *state)
{
	nfqueue_count(nfqueue, NFQUEUE_kernel_queue_dropped,
		      state->queue_dropped - last->queue_dropped);
	nfqueue_count(nfqueue, NFQUEUE_kernel_user_dropped,
		      state->user_dropped - last->user_dropped);
	*last = *state;
}

static void look_at_queues(struct nfqueue *nfqueue, uint64_t now_ns)
{
	const uint16_t queues[] = { nfqueue->config.main_queue,
				    nfqueue->config.hold_queue };
	struct nfqueue_socket_state states[] = { nfqueue->main_state,
						 nfqueue->hold_state };

	if (nfqueue_socket_states(queues, 2, states) < 2)
		return;
	take_state(nfqueue, &nfqueue->main_state, &states[0]);
	take_state(nfqueue, &nfqueue->hold_state, &states[1]);
	if (states[1].waiting_pkts < nfqueue->held_pkts)
		nfqueue_forget_gone(nfqueue, now_ns);
}

/* What parts of ours count by themselves. */
static void look_at_parts(struct nfqueue *nfqueue)
{
	uint64_t *counter = nfqueue->stats.counter;

	counter[NFQUEUE_verdict_send_errors] =
		nfqueue_socket_send_errors(nfqueue->main) +
		nfqueue_socket_send_errors(nfqueue->hold) +
		nfqueue_socket_send_errors(nfqueue->waiting);
	counter[NFQUEUE_fragments_evicted] =
		fragments_stats(nfqueue->reader.fragments)->evicted;
}

/* The next time, where nothing waits, when something came. */
static void look_at_kernel(struct nfqueue *nfqueue, uint64_t now_ns)
{
	bool waits = nfqueue_ring_count(nfqueue) || nfqueue->held_pkts > 0;

	look_at_parts(nfqueue);
	look_at_queues(nfqueue, now_ns);
	nfqueue->look_ns = waits ? now_ns + LOOK_NS : NS_NEVER;
}

static int advance(void *self, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;

	if (now_ns >= pump_next_ns(nfqueue->config.pump))
		pump_advance(nfqueue->config.pump, now_ns);
	nfqueue_fast_advance(nfqueue, now_ns);
	nfqueue_collect(nfqueue);
	nfqueue_open_room(nfqueue, now_ns);
	nfqueue_pace_tell(nfqueue);
	nfqueue_ring_advance(nfqueue, now_ns);
	if (now_ns + NFQUEUE_EARLY_NS >= nfqueue->look_ns)
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

/* Before anything of the same key may pass by: what came meanwhile is judged,
 * and goes behind it. */
static void let_all_go(struct nfqueue *nfqueue, uint64_t now_ns)
{
	int rounds = SHUT_ROUNDS;
	int came;

	nfqueue_receive_hold(nfqueue, now_ns);
	pump_settle(nfqueue->config.pump);
	do {
		pump_drain(nfqueue->config.pump, PUMP_PASS, now_ns);
		nfqueue_collect(nfqueue);
		nfqueue_open_room(nfqueue, now_ns);
		came = nfqueue_receive_room(nfqueue, now_ns);
		if (came <= 0)
			came = nfqueue_receive_main(nfqueue, now_ns);
	} while (came > 0 && --rounds > 0);
	pump_drain(nfqueue->config.pump, PUMP_PASS, now_ns);
	nfqueue_collect(nfqueue);
}

/* What is in the main queue gets its verdicts; no more comes. */
int nfqueue_shut(struct nfqueue *nfqueue, uint64_t now_ns)
{
	int error, room_error, messages;

	if (nfqueue->config.fail_open) {
		let_all_go(nfqueue, now_ns);
		/* Those that came since. */
		nfqueue_socket_verdict_up_to(nfqueue->main,
					     nfqueue->main_ids.last + SINCE_IDS,
					     nfqueue_socket_accept());
	}
	error = nfqueue_socket_shut(nfqueue->main);
	room_error = nfqueue_socket_shut(nfqueue->waiting);
	nfqueue_qdisc_shut(nfqueue, now_ns);
	do {
		messages = nfqueue_receive_room(nfqueue, now_ns);
	} while (messages > 0);
	do {
		messages = nfqueue_receive_main(nfqueue, now_ns);
	} while (messages > 0);
	if (error == 0)
		error = room_error;
	return error < 0 ? error : messages;
}

/* What waits is released, or dropped when the way is to be closed. */
static void close_down(void *self, uint64_t now_ns)
{
	struct nfqueue *nfqueue = self;

	nfqueue_shut(nfqueue, now_ns);
	nfqueue_receive_hold(nfqueue, now_ns);
	pump_settle(nfqueue->config.pump);
	pump_drain(nfqueue->config.pump,
		   nfqueue->config.fail_open ? PUMP_PASS : PUMP_DROP, now_ns);
	nfqueue_collect(nfqueue);
	/* No first is held any more: whoever waited for one goes on. */
	for (int i = 0; i < ROOM_ROUNDS; i++)
		nfqueue_open_room(nfqueue, now_ns);
	/* They came after those. */
	nfqueue_ring_close(nfqueue);
	look_at_kernel(nfqueue, now_ns);
}

static uint32_t main_bytes(uint32_t length_pkts)
{
	uint64_t bytes = (uint64_t)length_pkts * MESSAGE_BYTES_MIN;

	return bytes < MAIN_BYTES_MAX ? (uint32_t)bytes : MAIN_BYTES_MAX;
}

static int open_queues(struct nfqueue *nfqueue, uint16_t *ret_busy_queue)
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
	/* What finds no room there goes on to the main queue. */
	const struct nfqueue_socket_config room = {
		.queue = config->room_queue,
		.length_pkts = ROOM_LENGTH_PKTS,
		.receive_bytes = ROOM_BYTES,
		.fail_open = true,
		.takes_super_packets = true,
	};
	int error;

	*ret_busy_queue = hold.queue;
	error = nfqueue_socket_new(&hold, &nfqueue->hold);
	if (error < 0)
		return error;
	*ret_busy_queue = room.queue;
	error = nfqueue_socket_new(&room, &nfqueue->waiting);
	if (error < 0)
		return error;
	*ret_busy_queue = main.queue;
	return nfqueue_socket_new(&main, &nfqueue->main);
}

int nfqueue_take(struct nfqueue *nfqueue, uint16_t *ret_busy_queue)
{
	int error;

	*ret_busy_queue = nfqueue->config.hold_queue;
	error = nfqueue_socket_take(nfqueue->hold);
	if (error < 0)
		return error;
	*ret_busy_queue = nfqueue->config.room_queue;
	error = nfqueue_socket_take(nfqueue->waiting);
	if (error < 0)
		return error;
	*ret_busy_queue = nfqueue->config.main_queue;
	return nfqueue_socket_take(nfqueue->main);
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
	nfqueue->room = nfqueue_room_new(config->seed);
	if (error == 0 && nfqueue->room == NULL)
		error = -ENOMEM;
	if (error == 0)
		error = nfqueue_fast_new(nfqueue);
	if (error == 0)
		error = nfqueue_qdisc_new(nfqueue);
	if (error == 0)
		error = open_queues(nfqueue, ret_busy_queue);
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
	nfqueue_socket_free(nfqueue->waiting);
	nfqueue_room_free(nfqueue->room);
	nfqueue_fast_free(nfqueue);
	nfqueue_qdisc_free(nfqueue);
	nfqueue_pace_free(nfqueue);
	nfqueue_ring_free(nfqueue);
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
			 nfqueue_reader_names_fd(&nfqueue->reader),
			 nfqueue_socket_fd(nfqueue->waiting) },
		.fds_count = 4,
		.on_readable = on_readable,
		.next_ns = next_ns,
		.advance = advance,
		.pause_ns = pause_ns,
		.close = close_down,
	};
	if (nfqueue->config.fast != NULL)
		ret_datapath->fds[ret_datapath->fds_count++] =
			nfqueue_fast_fd(nfqueue);
}

void nfqueue_recall(struct nfqueue *nfqueue, uint64_t now_ns)
{
	nfqueue_fast_recall(nfqueue, now_ns);
}

void nfqueue_set_policy(struct nfqueue *nfqueue, const struct policy *policy,
			uint64_t now_ns)
{
	if (zones_are_many(nfqueue->config.zones))
		forget_zones(nfqueue);
	nfqueue->config.policy = policy;
	nfqueue->reader.policy = policy;
	nfqueue_reader_forget(&nfqueue->reader);
	nfqueue_fast_set_policy(nfqueue);
	nfqueue_qdisc_set_policy(nfqueue, policy);
	nfqueue_pace_set_policy(nfqueue, now_ns);
	nfqueue_ring_set_policy(nfqueue);
}

const struct nfqueue_stats *nfqueue_stats(const struct nfqueue *nfqueue)
{
	return &nfqueue->stats;
}

uint64_t *nfqueue_refusals_lost(struct nfqueue *nfqueue)
{
	return &nfqueue->stats.counter[NFQUEUE_refusals_lost];
}
