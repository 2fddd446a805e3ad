/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/refusals.h"
#include "shaper/daemon/status.h"
#include "shaper/io/clock.h"
#include "shaper/io/net_watch.h"
#include "shaper/io/nft_rules.h"

enum {
	LOG_GROUP = 0x5359, /* "SY": nflog groups are shared with others */
	REFUSALS_AT_ONCE = 256,
	LOGS_AT_ONCE = 256,
};

#define FRESH_NS UINT64_C(100000000)

struct guard {
	struct guard_config config;
	struct nftrules *rules;
	struct nftrules_refuser *refuser;
	struct log_limit log_packets, log_refusals, log_rules;
	uint32_t fast_ifindexes[GUARD_FAST_MAX];
	size_t fast_count;
	uint32_t uplinks[GUARD_UPLINKS_MAX];
	size_t uplinks_count;
	bool refuses; /* there may be elements in the sets of refusals */
	bool unsure;  /* the rules may not be there */
	bool behind;  /* they may be of a policy that was taken back */
	uint64_t seen_changes; /* of interfaces */
	uint64_t counted_ns;
};

static struct nftrules_config rules_config(const struct guard *guard,
					   const struct policy *policy)
{
	return (struct nftrules_config){
		.policy = policy,
		.shard_seed = guard->config.shard_seed,
		.shards = guard->config.shards,
		.log_group = LOG_GROUP,
		.conntrack = NFTRULES_CONNTRACK_LOOK,
		.fast = guard->config.fast,
		.fast_ifindexes = guard->fast_ifindexes,
		.fast_count = guard->fast_count,
		.uplinks = guard->uplinks,
		.uplinks_count = guard->uplinks_count,
	};
}

static int install(struct guard *guard)
{
	struct nftrules_config config =
		rules_config(guard, guard->config.policy);
	int error = nftrules_install(guard->rules, &config);

	if (error < 0)
		log_limited(&guard->log_rules, LOG_LEVEL_ERROR, -error,
			    "rules: %s", nftrules_error(guard->rules));
	return error;
}

/* What is not in force is tried again in a second; `error` 0: all is. */
static void note_unsure(struct guard *guard, int error)
{
	struct status *status = guard->config.status;

	guard->unsure = error < 0;
	snprintf(status->rules_wrong, sizeof(status->rules_wrong), "%s",
		 error < 0 ? nftrules_error(guard->rules) : "");
}

int guard_new(const struct guard_config *config, struct guard **ret_guard)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int error;

	if (guard == NULL)
		return -ENOMEM;
	guard->config = *config;
	guard->refuses = true; /* a killed daemon's */
	guard->log_packets = (struct log_limit){ .subject = "packet",
						 .burst_lines = 100,
						 .lines_per_min = 600 };
	guard->log_refusals = (struct log_limit){ .subject = "rules",
						  .burst_lines = 5,
						  .lines_per_min = 6 };
	guard->log_rules = guard->log_refusals;
	error = nftrules_open(&guard->rules);
	if (error < 0) {
		log_error(-error, "rules: cannot be had");
		goto fail;
	}
	error = install(guard);
	if (error < 0)
		goto fail;
	error = nftrules_refuser_open(guard->rules, &guard->refuser);
	if (error < 0) {
		log_error(-error, "rules: %s", nftrules_error(guard->rules));
		if (config->policy->nfqueue.fail == POLICY_FAIL_OPEN)
			guard_remove(guard);
		else
			guard_block(guard);
		goto fail;
	}
	snprintf(config->status->method, sizeof(config->status->method), "%s",
		 nftrules_method(guard->rules));
	log_info(0, "rules: installed, packets come by \"%s\"",
		 config->status->method);
	*ret_guard = guard;
	return 0;

fail:
	guard_free(guard);
	return error;
}

int guard_update(struct guard *guard, const struct policy *policy)
{
	struct nftrules_config config;
	int error;

	if (guard == NULL)
		return 0;
	config = rules_config(guard, policy);
	error = nftrules_update(guard->rules, &config);
	guard->behind = error < 0;
	if (error < 0)
		return error;
	guard->config.policy = policy;
	return 0;
}

void guard_go_back(struct guard *guard, const struct policy *policy)
{
	if (guard_update(guard, policy) == 0)
		return;
	log_limited(&guard->log_rules, LOG_LEVEL_ERROR, 0, "rules: %s",
		    nftrules_error(guard->rules));
	guard->config.policy = policy;
}

/* As it was `before`, if it cannot be. */
static int carry_out(struct guard *guard, const struct guard *before)
{
	int error = guard_update(guard, guard->config.policy);

	if (error < 0) {
		*guard = *before;
		guard->behind = true;
	}
	return error;
}

int guard_set_fast(struct guard *guard, const uint32_t *ifindexes, size_t count)
{
	const struct guard before = *guard;

	assert(count <= GUARD_FAST_MAX);
	memcpy(guard->fast_ifindexes, ifindexes, count * sizeof(*ifindexes));
	guard->fast_count = count;
	return carry_out(guard, &before);
}

int guard_set_uplinks(struct guard *guard, const uint32_t *ifindexes,
		      size_t count)
{
	const struct guard before = *guard;

	assert(count <= GUARD_UPLINKS_MAX);
	memcpy(guard->uplinks, ifindexes, count * sizeof(*ifindexes));
	guard->uplinks_count = count;
	return carry_out(guard, &before);
}

const char *guard_error(const struct guard *guard)
{
	return nftrules_error(guard->rules);
}

int guard_block(struct guard *guard)
{
	int error = guard ? nftrules_leave_blocking(guard->rules) : 0;

	if (error < 0)
		log_error(-error, "rules: %s", nftrules_error(guard->rules));
	return error;
}

int guard_remove(struct guard *guard)
{
	int error = guard ? nftrules_remove(guard->rules) : 0;

	if (error < 0)
		log_error(-error, "rules: %s", nftrules_error(guard->rules));
	return error;
}

void guard_free(struct guard *guard)
{
	if (guard == NULL)
		return;
	nftrules_refuser_close(guard->refuser);
	nftrules_close(guard->rules);
	free(guard);
}

int guard_watch_fd(const struct guard *guard)
{
	return nftrules_watch_fd(guard->rules);
}

static void put_back(struct guard *guard)
{
	note_unsure(guard, install(guard));
	if (guard->unsure)
		return;
	guard->config.status->rules_restored++;
	log_warn(0, "rules: somebody changed or removed ours; put back");
}

/* Connection tracking came or went: it decides where packets may wait. */
static void follow_conntrack(struct guard *guard)
{
	int error = guard_update(guard, guard->config.policy);

	note_unsure(guard, error);
	if (error < 0)
		log_limited(&guard->log_rules, LOG_LEVEL_ERROR, -error,
			    "rules: %s", nftrules_error(guard->rules));
	else
		log_info(0, "rules: changed, as connection tracking did");
}

static void verify(struct guard *guard)
{
	int error = nftrules_verify(guard->rules), came;

	if (error == -ESTALE) {
		put_back(guard);
		return;
	}
	came = nftrules_look_for_conntrack(guard->rules);
	note_unsure(guard, error < 0 ? error : came);
	if (came > 0)
		follow_conntrack(guard);
}

void guard_watch(struct guard *guard)
{
	enum nftrules_event event = NFTRULES_QUIET;
	int error = nftrules_watch(guard->rules, &event);

	if (error < 0) {
		log_error(-error, "rules: %s", nftrules_error(guard->rules));
		event = NFTRULES_UNSURE;
	}
	switch (event) {
	case NFTRULES_QUIET:
		return;
	case NFTRULES_UNSURE:
		verify(guard);
		return;
	case NFTRULES_ALTERED:
		put_back(guard);
		return;
	case NFTRULES_CONNTRACK_CHANGED:
		follow_conntrack(guard);
		return;
	}
}

int guard_log_fd(const struct guard *guard)
{
	return nftrules_log_fd(guard->rules);
}

static const char *print_address(const uint8_t address[16],
				 char text[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return inet_ntop(AF_INET, address + 12, text, INET6_ADDRSTRLEN);
	return inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

void guard_log(struct guard *guard)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
	struct nftrules_log packet;
	uint64_t lost = 0;
	int left = LOGS_AT_ONCE;

	while (left-- > 0 && nftrules_next_log(guard->rules, &packet, &lost))
		log_limited(&guard->log_packets, LOG_LEVEL_INFO, 0,
			    "packet: rule %d: %s: %s port %u to %s port %u, "
			    "protocol %u, flags 0x%02x, %u bytes, %s to %s",
			    packet.priority, packet.out ? "out" : "in",
			    print_address(packet.src, src), packet.src_port,
			    print_address(packet.dst, dst), packet.dst_port,
			    packet.proto, packet.tcp_flags, packet.length_bytes,
			    packet.in_interface, packet.out_interface);
}

void guard_refuse(struct guard *guard, struct refusals *refusals,
		  uint64_t now_ns)
{
	struct refusals_entry entries[REFUSALS_AT_ONCE];
	struct pump_refusal wanted[REFUSALS_AT_ONCE];
	const char *interfaces[REFUSALS_AT_ONCE];
	size_t count, full = 0;
	int error;

	count = refusals_take(refusals, entries, REFUSALS_AT_ONCE);
	if (count == 0)
		return;
	guard->refuses = true;
	for (size_t i = 0; i < count; i++) {
		wanted[i] = entries[i].refusal;
		interfaces[i] = entries[i].interface;
	}
	error = nftrules_refuse(guard->refuser, wanted, interfaces, count,
				&full, now_ns);
	if (error < 0)
		log_limited(&guard->log_refusals, LOG_LEVEL_WARN, -error,
			    "rules: %zu refusals were not carried out", count);
	else if (full > 0)
		log_limited(&guard->log_refusals, LOG_LEVEL_WARN, 0,
			    "rules: %zu refusals found no place", full);
}

uint64_t guard_next_ns(const struct guard *guard)
{
	return nftrules_refuser_next_ns(guard->refuser);
}

void guard_advance(struct guard *guard, uint64_t now_ns)
{
	int error;

	if (nftrules_refuser_next_ns(guard->refuser) > now_ns)
		return;
	error = nftrules_refuser_advance(guard->refuser, now_ns);
	if (error < 0)
		log_limited(&guard->log_refusals, LOG_LEVEL_WARN, -error,
			    "rules: refusals were not lifted");
}

uint64_t guard_others(const struct guard *guard)
{
	return nftrules_others(guard->rules);
}

bool guard_tracks(const struct guard *guard)
{
	return nftrules_has_room(guard->rules);
}

static void look_at_rules(struct guard *guard)
{
	uint64_t changes = netwatch_look(guard->config.net);

	if (changes != guard->seen_changes &&
	    !nftrules_bridges_are_on(guard->rules))
		guard->unsure = true;
	guard->seen_changes = changes;
	guard->unsure |= nftrules_has_tracking_come(guard->rules);
	if (guard->unsure)
		verify(guard);
}

/* None comes but by guard_refuse. */
void guard_look(struct guard *guard)
{
	static struct nftrules_refused refused[REFUSED_MAX];
	struct refused *known;
	size_t count;

	if (guard == NULL)
		return;
	if (guard->behind)
		guard_go_back(guard, guard->config.policy);
	look_at_rules(guard);
	known = &guard->config.status->refused;
	if (!guard->refuses && known->count == 0)
		return;
	if (nftrules_refusals(guard->rules, refused, REFUSED_MAX, &count) < 0)
		return;
	guard->refuses = count > 0;
	refused_take(known, refused, count);
}

void guard_count(struct guard *guard, uint64_t now_ns)
{
	struct status *status;
	size_t count;

	if (guard == NULL || now_ns - guard->counted_ns < FRESH_NS)
		return;
	guard->counted_ns = now_ns;
	status = guard->config.status;
	if (nftrules_counters(guard->rules, status->kernel_counters,
			      STATUS_KERNEL_COUNTERS_MAX, &count) == 0)
		status->kernel_counters_count = count;
	if (nftrules_offenders(guard->rules, status->offenders,
			       STATUS_OFFENDERS_MAX, &count) == 0)
		status->offenders_count = count;
}
