/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/engines.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/mailbox.h"
#include "shaper/daemon/refusals.h"
#include "shaper/daemon/worker.h"
#include "shaper/io/clock.h"
#include "shaper/io/fast_post.h"
#include "shaper/io/nfqueue.h"
#include "shaper/io/nft_rules.h"
#include "shaper/io/ring_filter.h"
#include "shaper/pump.h"
#include "xen-hooks/tap_judge.h"

enum {
	/* Packets that come while one batch is judged, many times over; longer
	 * would only be delay. */
	MAIN_LENGTH_PKTS = 16384,
	/* What sixteen super-packets of the smallest segments come to. */
	HOLD_SPARE_PKTS = 32768,
	HOLD_UNBOUND_PKTS = 1 << 24,
};

struct engine {
	struct engines *engines;
	struct zones *zones;
	struct pump *pump;
	struct nfqueue *nfqueue; /* or, where a tap brings the packets, NULL */
	struct tapjudge *judge;  /* else NULL */
	struct mailbox *mailbox;
	struct refusals *refusals;
	struct worker *worker;
	uint16_t queue, hold_queue;
};

struct engines {
	struct engines_config config;
	size_t count;
	struct engine engines[SHARDS_MAX];
	struct mailbox *mailboxes[SHARDS_MAX];
	struct fastpost *fast_posts[SHARDS_MAX];

	const struct policy *next_policy; /* being taken over */
	size_t next_underway;
	void (*on_next)(void *self);
	void *next_self;
	bool stopped;
};

/* `queues: auto` is one, and one more for every two processors past two. */
static uint8_t engines_wanted(const struct policy *policy)
{
	size_t wanted = policy->nfqueue.queues;
	cpu_set_t cpus;

	/* What waits there has one set of books. */
	if (policy_wants_fast(policy) && policy->fast.hold == POLICY_HOLD_QDISC)
		return 1;
	if (wanted == 0 && sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
		wanted = (size_t)CPU_COUNT(&cpus) / 2;
	if (wanted == 0)
		wanted = 1;
	return wanted < SHARDS_MAX ? (uint8_t)wanted : SHARDS_MAX;
}

static uint32_t main_length(const struct policy *policy)
{
	return policy->nfqueue.queue_length != 0 ? policy->nfqueue.queue_length
						 : MAIN_LENGTH_PKTS;
}

static uint32_t hold_length(const struct policy *policy)
{
	if (policy->limits.held_packets == 0)
		return HOLD_UNBOUND_PKTS;
	return policy_queue_length(policy) + HOLD_SPARE_PKTS;
}

static void describe_busy(uint16_t queue, char ret_wrong[ENGINES_TEXT_BYTES])
{
	snprintf(ret_wrong, ENGINES_TEXT_BYTES,
		 "queue %u belongs to another program (netlink port %u, mostly "
		 "its process id); end it, or choose other queues with "
		 "datapath.nfqueue.first_queue",
		 queue, nfqueue_owner(queue));
}

static int describe(const struct engine *engine, int error, uint16_t busy_queue,
		    char ret_wrong[ENGINES_TEXT_BYTES])
{
	if (error == -EBUSY)
		describe_busy(busy_queue, ret_wrong);
	else if (error == -EPERM)
		snprintf(ret_wrong, ENGINES_TEXT_BYTES,
			 "the kernel's queues need CAP_NET_ADMIN; run it as "
			 "root, or by its systemd unit");
	else if (error < 0)
		snprintf(ret_wrong, ENGINES_TEXT_BYTES,
			 "the kernel's queue %u cannot be had", engine->queue);
	return error;
}

static int open_queues(struct engine *engine, uint8_t shard,
		       char ret_wrong[ENGINES_TEXT_BYTES])
{
	const struct engines *engines = engine->engines;
	const struct policy *policy = engines->config.policy;
	uint8_t shards = (uint8_t)engines->count;
	uint16_t first = policy->nfqueue.first_queue;
	struct nfqueue_config config = {
		.pump = engine->pump,
		.zones = engine->zones,
		.policy = policy,
		.shard = shard,
		.shards = shards,
		.shard_seed = engines->config.shard_seed,
		.main_length_pkts = main_length(policy),
		.hold_length_pkts = hold_length(policy),
		.fail_open = policy->nfqueue.fail == POLICY_FAIL_OPEN,
		.fast = engines->config.fast,
		.fast_posts = shards > 1 ? engines->fast_posts : NULL,
		.hold = engines->config.hold,
	};
	uint16_t busy_queue = 0;
	int error;

	for (uint8_t i = 0; i < shards; i++)
		config.shard_main_queue[i] = nftrules_queue_number(
			first, shards, i, NFTRULES_QUEUE_MAIN);
	config.main_queue = config.shard_main_queue[shard];
	config.hold_queue = nftrules_queue_number(first, shards, shard,
						  NFTRULES_QUEUE_HOLD);
	config.room_queue = nftrules_queue_number(first, shards, shard,
						  NFTRULES_QUEUE_ROOM);
	engine->queue = config.main_queue;
	engine->hold_queue = config.hold_queue;
	memcpy(config.seed, engines->config.seed, sizeof(config.seed));
	error = nfqueue_new(&config, &engine->nfqueue, &busy_queue);
	return describe(engine, error, busy_queue, ret_wrong);
}

static int take_queues(struct engine *engine,
		       char ret_wrong[ENGINES_TEXT_BYTES])
{
	uint16_t busy_queue = 0;
	int error;

	if (engine->nfqueue == NULL)
		return 0;
	error = nfqueue_take(engine->nfqueue, &busy_queue);
	return describe(engine, error, busy_queue, ret_wrong);
}

/* The wire is the judge's from here on. */
static int take_wire(struct engine *engine)
{
	const struct engines *engines = engine->engines;
	struct tapjudge_config config = {
		.pump = engine->pump,
		.zones = engine->zones,
		.policy = engines->config.policy,
		.wire = *engines->config.tap,
	};

	memcpy(config.seed, engines->config.seed, sizeof(config.seed));
	engine->judge = tapjudge_new(&config);
	return engine->judge == NULL ? -ENOMEM : 0;
}

static void find_datapath(const struct engine *engine,
			  struct datapath *ret_datapath)
{
	if (engine->judge != NULL)
		tapjudge_datapath(engine->judge, ret_datapath);
	else
		nfqueue_datapath(engine->nfqueue, ret_datapath);
}

static int set_up(struct engine *engine, uint8_t shard,
		  char ret_wrong[ENGINES_TEXT_BYTES])
{
	struct engines *engines = engine->engines;
	struct pump_config config = {
		.policy = engines->config.policy,
		.shard = shard,
		.shards = (uint8_t)engines->count,
		.shard_seed = engines->config.shard_seed,
		.amid = engines->config.policy->nfqueue.fail ==
			POLICY_FAIL_OPEN,
	};
	int error;

	snprintf(ret_wrong, ENGINES_TEXT_BYTES,
		 "there is not enough memory for what the policy's limits "
		 "allow");
	memcpy(config.seed, engines->config.seed, sizeof(config.seed));
	engine->zones = zones_new();
	if (engine->zones == NULL)
		return -ENOMEM;
	config.zones = engine->zones;
	engine->pump = pump_new(&config, clock_now_ns());
	if (engine->pump == NULL)
		return -ENOMEM;
	error = mailbox_new(&engine->mailbox);
	if (error == 0)
		error = refusals_new(&engine->refusals);
	if (error == 0 && engines->config.fast != NULL && shard > 0)
		error = fastpost_new(&engines->fast_posts[shard]);
	if (error < 0 && error != -ENOMEM)
		snprintf(ret_wrong, ENGINES_TEXT_BYTES,
			 "engine %u cannot be set up", shard);
	if (error < 0)
		return error;
	return engines->config.tap != NULL
		       ? take_wire(engine)
		       : open_queues(engine, shard, ret_wrong);
}

int engines_new(const struct engines_config *config,
		struct engines **ret_engines,
		char ret_wrong[ENGINES_TEXT_BYTES])
{
	struct engines *engines = calloc(1, sizeof(*engines));
	int error;

	if (engines == NULL) {
		snprintf(ret_wrong, ENGINES_TEXT_BYTES, "out of memory");
		return -ENOMEM;
	}
	engines->config = *config;
	engines->count = config->tap != NULL ? 1
					     : engines_wanted(config->policy);
	for (uint8_t i = 0; i < engines->count; i++) {
		engines->engines[i].engines = engines;
		error = set_up(&engines->engines[i], i, ret_wrong);
		if (error < 0) {
			engines_free(engines);
			return error;
		}
		engines->mailboxes[i] = engines->engines[i].mailbox;
	}
	*ret_engines = engines;
	return 0;
}

int engines_set_pace(struct engines *engines, int fd)
{
	int error = 0;

	for (size_t i = 0; i < engines->count && error == 0; i++)
		error = nfqueue_set_pace(engines->engines[i].nfqueue, fd);
	return error;
}

int engines_set_ring(struct engines *engines, const struct holdqdisc *device)
{
	uint32_t share = RINGFILTER_CLASSES / (uint32_t)engines->count;
	int error = 0;

	for (uint32_t i = 0; i < engines->count && error == 0; i++)
		error = nfqueue_set_ring(engines->engines[i].nfqueue, device,
					 1 + i * share, share);
	return error;
}

int engines_start(struct engines *engines, char ret_wrong[ENGINES_TEXT_BYTES])
{
	struct worker_config config;
	struct engine *engine;
	int error;

	for (size_t i = 0; i < engines->count; i++) {
		engine = &engines->engines[i];
		config = (struct worker_config){
			.engine = { .zones = engine->zones,
				    .policy = engines->config.policy,
				    .nfqueue = engine->nfqueue,
				    .io = engine->nfqueue == NULL
						  ? NULL
						  : nfqueue_stats(
							    engine->nfqueue),
				    .tap = engine->judge == NULL
						   ? NULL
						   : tapjudge_stats(
							     engine->judge),
				    .shard = (uint8_t)i,
				    .shards = (uint8_t)engines->count },
			.mailbox = engine->mailbox,
		};
		if (engine->nfqueue != NULL) {
			config.refusals = engine->refusals;
			config.refusals_lost =
				nfqueue_refusals_lost(engine->nfqueue);
		}
		find_datapath(engine, &config.datapath);
		error = take_queues(engine, ret_wrong);
		if (error < 0)
			return error;
		snprintf(ret_wrong, ENGINES_TEXT_BYTES,
			 "threads cannot be started");
		error = worker_start(&config, &engine->worker);
		if (error < 0)
			return error;
	}
	return 0;
}

static bool policy_step(void *self, struct mailbox_engine *running,
			uint64_t now_ns)
{
	struct engine *engine = self;
	const struct policy *policy = engine->engines->next_policy;

	if (engine->nfqueue != NULL)
		nfqueue_recall(engine->nfqueue, now_ns);
	pump_set_policy(engine->pump, policy, now_ns);
	if (engine->judge != NULL)
		tapjudge_set_policy(engine->judge, policy);
	else
		nfqueue_set_policy(engine->nfqueue, policy, now_ns);
	running->policy = policy;
	return true;
}

static void policy_done(void *self, bool ended)
{
	struct engine *engine = self;
	struct engines *engines = engine->engines;

	/* One that ends judges no more; until it is freed it only reads. */
	(void)ended;
	if (--engines->next_underway > 0)
		return;
	engines->config.policy = engines->next_policy;
	/* Rules and interfaces are not to be changed any more. */
	if (engines->stopped)
		return;
	engines->on_next(engines->next_self);
}

int engines_set_policy(struct engines *engines, const struct policy *policy,
		       void (*on_done)(void *self), void *self)
{
	struct mailbox_task task = { .step = policy_step, .done = policy_done };

	if (engines_change(engines))
		return -EAGAIN;
	for (size_t i = 0; i < engines->count; i++)
		if (!mailbox_has_room(engines->mailboxes[i]))
			return -EAGAIN;
	engines->next_policy = policy;
	engines->next_underway = engines->count;
	engines->on_next = on_done;
	engines->next_self = self;
	for (size_t i = 0; i < engines->count; i++) {
		task.self = &engines->engines[i];
		mailbox_post(engines->mailboxes[i], &task);
	}
	return 0;
}

bool engines_change(const struct engines *engines)
{
	return engines->stopped || engines->next_underway > 0;
}

int engines_failure(const struct engines *engines)
{
	int error = 0;

	for (size_t i = 0; i < engines->count && error == 0; i++)
		if (engines->engines[i].worker != NULL)
			error = worker_failure(engines->engines[i].worker);
	return error;
}

/* A mailbox that is full empties as its engine goes on. */
static void ask_to_end(struct engine *engine)
{
	while (worker_end(engine->worker) == -EAGAIN &&
	       worker_failure(engine->worker) == 0) {
		mailbox_reap(engine->mailbox);
		sched_yield();
	}
}

void engines_stop(struct engines *engines)
{
	struct engine *engine;

	engines->stopped = true;
	for (size_t i = 0; i < engines->count; i++)
		if (engines->engines[i].worker != NULL)
			ask_to_end(&engines->engines[i]);
	for (size_t i = 0; i < engines->count; i++) {
		engine = &engines->engines[i];
		worker_join(engine->worker);
		engine->worker = NULL;
		if (engine->nfqueue == NULL)
			continue;
		nfqueue_recall(engine->nfqueue, clock_now_ns());
		nfqueue_shut(engine->nfqueue, clock_now_ns());
		/* What that made leases of. */
		nfqueue_recall(engine->nfqueue, clock_now_ns());
	}
	for (size_t i = 0; i < engines->count; i++)
		mailbox_close(engines->mailboxes[i]);
}

void engines_close(struct engines *engines)
{
	struct datapath path;

	for (size_t i = 0; i < engines->count; i++) {
		find_datapath(&engines->engines[i], &path);
		path.close(path.self, clock_now_ns());
	}
	for (size_t i = 0; i < engines->count; i++) {
		nfqueue_free(engines->engines[i].nfqueue);
		engines->engines[i].nfqueue = NULL;
		tapjudge_free(engines->engines[i].judge);
		engines->engines[i].judge = NULL;
	}
}

void engines_free(struct engines *engines)
{
	struct engine *engine;

	if (engines == NULL)
		return;
	for (size_t i = 0; i < engines->count; i++) {
		engine = &engines->engines[i];
		mailbox_free(engine->mailbox);
		nfqueue_free(engine->nfqueue);
		tapjudge_free(engine->judge);
		refusals_free(engine->refusals);
		pump_free(engine->pump);
		zones_free(engine->zones);
		fastpost_free(engines->fast_posts[i]);
	}
	free(engines);
}

size_t engines_count(const struct engines *engines)
{
	return engines->count;
}

struct mailbox *const *engines_mailboxes(const struct engines *engines)
{
	return engines->mailboxes;
}

struct refusals *engines_refusals(const struct engines *engines, size_t at)
{
	return engines->engines[at].refusals;
}

uint16_t engines_queue(const struct engines *engines, size_t at)
{
	return engines->engines[at].queue;
}

uint16_t engines_hold_queue(const struct engines *engines, size_t at)
{
	return engines->engines[at].hold_queue;
}

struct pump *engines_pump(const struct engines *engines, size_t at)
{
	return engines->engines[at].pump;
}

struct zones *engines_zones(const struct engines *engines, size_t at)
{
	return engines->engines[at].zones;
}

const struct nfqueue_stats *engines_io(const struct engines *engines, size_t at)
{
	static const struct nfqueue_stats none;
	const struct nfqueue *nfqueue = engines->engines[at].nfqueue;

	return nfqueue != NULL ? nfqueue_stats(nfqueue) : &none;
}

const struct tapjudge_stats *engines_tap(const struct engines *engines)
{
	const struct tapjudge *judge = engines->engines[0].judge;

	return judge != NULL ? tapjudge_stats(judge) : NULL;
}
