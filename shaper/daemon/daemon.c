/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/daemon.h"

#include <event2/event.h>

#include "policy/policy.h"
#include "shaper/daemon/control.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/follow.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/heritage.h"
#include "shaper/daemon/hold.h"
#include "shaper/daemon/keeper.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/loop.h"
#include "shaper/daemon/memory.h"
#include "shaper/daemon/metrics.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/status_poll.h"
#include "shaper/daemon/travel.h"
#include "shaper/daemon/vifs.h"
#include "shaper/io/clock.h"
#include "shaper/io/net_watch.h"
#include "shaper/snapshot.h"

static size_t list_memory(const struct daemon *daemon,
			  struct memory_engine *ret_engines)
{
	size_t count = engines_count(daemon->engines);

	for (size_t i = 0; i < count; i++)
		ret_engines[i] = (struct memory_engine){
			.pump = engines_pump(daemon->engines, i),
			.zones = engines_zones(daemon->engines, i),
		};
	return count;
}

static void remember(struct daemon *daemon)
{
	struct memory_engine engines[STATUS_ENGINES_MAX];
	size_t count, keys;

	if (daemon->policy->state_file[0] == '\0')
		return;
	count = list_memory(daemon, engines);
	keys = memory_restore(daemon->policy->state_file, engines, count,
			      daemon->shard_seed, &daemon->status,
			      clock_wall_ns(), clock_now_ns());
	log_info(0, "symtapd: %zu keys taken up from %s", keys,
		 daemon->policy->state_file);
	travel_begin(daemon->travel, daemon->policy->state_file,
		     clock_now_ns());
}

/* After the state, which may be older. */
static void inherit(struct daemon *daemon)
{
	struct memory_engine engines[STATUS_ENGINES_MAX];
	size_t count, keys;

	if (daemon->heritage.slots_count == 0)
		return;
	count = list_memory(daemon, engines);
	keys = heritage_take(&daemon->heritage, engines, count,
			     daemon->shard_seed, daemon->policy,
			     clock_now_ns());
	log_info(0, "symtapd: %zu keys taken up from the kernel", keys);
}

void daemon_remember(struct daemon *daemon)
{
	remember(daemon);
	inherit(daemon);
}

static void save(struct daemon *daemon)
{
	struct memory_engine engines[STATUS_ENGINES_MAX];
	struct status *status = &daemon->status;
	uint64_t now_ns = clock_now_ns();
	size_t count = list_memory(daemon, engines);
	int error;

	if (daemon->policy->state_file[0] == '\0')
		return;
	for (size_t i = 0; i < count; i++) {
		snapshot_totals(engines[i].pump, &status->engines[i].totals);
		status->engines[i].io = *engines_io(daemon->engines, i);
	}
	if (engines_tap(daemon->engines) != NULL)
		status->engines[0].tap = *engines_tap(daemon->engines);
	status_sum(status, now_ns);
	error = memory_save(daemon->policy->state_file, engines, count, status,
			    clock_wall_ns(), now_ns);
	if (error < 0)
		log_error(-error, "symtapd: %s cannot be written",
			  daemon->policy->state_file);
}

void daemon_end(struct daemon *daemon)
{
	bool open = daemon->policy->nfqueue.fail == POLICY_FAIL_OPEN;

	notify_stopping(&daemon->notify);
	if (!open)
		guard_block(daemon->guard);
	engines_stop(daemon->engines);
	travel_stop(daemon->travel);
	vifs_stop(daemon->vifs);
	save(daemon);
	engines_close(daemon->engines);
	/* Nothing waits in the queues any more, so the rules may go. */
	if (open)
		guard_remove(daemon->guard);
	loop_free(daemon->loop);
	guard_free(daemon->guard);
	engines_free(daemon->engines);
	travel_free(daemon->travel);
	hold_free(daemon->hold);
	ring_free(daemon->ring);
	follow_free(daemon->follow);
	netwatch_free(daemon->net);
	status_poll_free(daemon->poll);
	reload_free(daemon->reload);
	vifs_free(daemon->vifs);
	keeper_free(daemon->keeper);
	metrics_free(daemon->metrics);
	control_free(daemon->control);
	event_base_free(daemon->base);
	notify_close(&daemon->notify);
	policy_free(daemon->policy);
}
