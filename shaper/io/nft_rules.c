/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_rules.h"

#include <assert.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/shard.h"
#include "policy/policy.h"
#include "shaper/bpf/fast_maps.h"
#include "shaper/io/nft_alive.h"
#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_probe.h"
#include "shaper/io/nft_read.h"

int nfthandle_fail(struct nftrules *rules, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(rules->error, sizeof(rules->error), format, arguments);
	va_end(arguments);
	return error;
}

struct mnl_socket *nfthandle_socket(struct nftrules *rules)
{
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int error;

	if (!socket)
		return NULL;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = errno;
		mnl_socket_close(socket);
		errno = error;
		return NULL;
	}
	if (rules->ports_count < sizeof(rules->ports) / sizeof(*rules->ports))
		rules->ports[rules->ports_count++] =
			mnl_socket_get_portid(socket);
	return socket;
}

bool nfthandle_is_ours(const struct nftrules *rules, uint32_t port)
{
	size_t i;

	for (i = 0; i < rules->ports_count; i++)
		if (rules->ports[i] == port)
			return true;
	return false;
}

int nftrules_open(struct nftrules **ret_rules)
{
	struct nftrules *rules = calloc(1, sizeof(*rules));
	int error = -ENOMEM;

	if (!rules)
		return -ENOMEM;
	rules->batch = nftbatch_new();
	if (!rules->batch)
		goto fail;
	rules->socket = nfthandle_socket(rules);
	if (!rules->socket) {
		error = -errno;
		goto fail;
	}
	error = nfthandle_open_watch(rules);
	if (!error)
		error = nfthandle_open_log(rules);
	if (error)
		goto fail;
	*ret_rules = rules;
	return 0;
fail:
	nftrules_close(rules);
	return error;
}

/* It drops what waits in any queue, as each table does that goes. */
static void no_longer_alive(struct nftrules *rules)
{
	if (rules->alive)
		mnl_socket_close(rules->alive);
	rules->alive = NULL;
}

void nftrules_close(struct nftrules *rules)
{
	if (!rules)
		return;
	nftplan_free(rules->plan);
	free(rules->bound);
	nftbatch_free(rules->batch);
	nfthandle_close_log(rules);
	if (rules->watch)
		mnl_socket_close(rules->watch);
	no_longer_alive(rules);
	if (rules->socket)
		mnl_socket_close(rules->socket);
	free(rules);
}

const char *nftrules_error(const struct nftrules *rules)
{
	return rules->error;
}

const char *nftrules_method(const struct nftrules *rules)
{
	if (!rules->plan)
		return "";
	return rules->method == NFTEXPR_QUEUE_NATIVE ? "queue" : "target";
}

bool nftrules_has_room(const struct nftrules *rules)
{
	return rules->plan && rules->conntrack != NFTRULES_CONNTRACK_NONE;
}

uint16_t nftrules_queue_number(uint16_t first_queue, uint8_t shards,
			       uint8_t shard, enum nftrules_queue queue)
{
	switch (queue) {
	case NFTRULES_QUEUE_MAIN:
		return (uint16_t)(first_queue + 2 * shard);
	case NFTRULES_QUEUE_HOLD:
		return (uint16_t)(first_queue + 2 * shard + 1);
	case NFTRULES_QUEUE_ROOM:
		break;
	}
	return (uint16_t)(first_queue + 2 * shards + shard);
}

bool nftrules_bridges_are_on(const struct nftrules *rules)
{
	return nftbridge_is_on(&rules->settings);
}

int nftrules_verify(struct nftrules *rules)
{
	if (!rules->plan)
		return nfthandle_fail(rules, -ESTALE, "nothing is installed");
	if (!nftrules_bridges_are_on(rules))
		return nfthandle_fail(rules, -ESTALE,
				      "br_netfilter was switched off");
	return nfthandle_verify(rules, rules->plan);
}

/* Bridges by their own family where it can queue, else by br_netfilter. */
static int find_way(struct nftrules *rules, const struct policy *policy,
		    enum nftcompile_way *ret_way)
{
	int error;

	/* What the kernel can does not change. */
	if (rules->plan && rules->bridge == policy->nfqueue.bridge) {
		*ret_way = rules->way;
		return 0;
	}
	*ret_way = NFTCOMPILE_ROUTED;
	if (policy->nfqueue.bridge &&
	    nftprobe_method(rules->batch, rules->socket, NFPROTO_BRIDGE,
			    &rules->method) == 0) {
		*ret_way = NFTCOMPILE_BRIDGED;
		return 0;
	}
	if (policy->nfqueue.bridge)
		*ret_way = NFTCOMPILE_BR_NETFILTER;
	error = nftprobe_method(rules->batch, rules->socket, NFPROTO_INET,
				&rules->method);
	if (error)
		return nfthandle_fail(
			rules, error,
			"the kernel can queue packets in no way we know");
	return 0;
}

static int look_around(struct nftrules *rules,
		       const struct nftrules_config *config,
		       enum nftrules_conntrack *ret_conntrack)
{
	int error;

	rules->asked = config->conntrack;
	*ret_conntrack = config->conntrack;
	if (config->conntrack != NFTRULES_CONNTRACK_LOOK)
		return 0;
	error = nftprobe_conntrack(rules->socket, ret_conntrack);
	if (error)
		nfthandle_fail(rules, error, "reading others' tables");
	return error;
}

/* What an earlier run changed, and did not put back. */
static int recall_settings(struct nftrules *rules)
{
	struct nftplan *now;
	int error;

	if (rules->settings.count || rules->plan)
		return 0;
	error = nftread_tables(rules->socket, &now);
	if (error)
		return nfthandle_fail(rules, error, "reading tables");
	nftcompile_recall(now, &rules->settings);
	nftplan_free(now);
	return 0;
}

static int put_back_settings(struct nftrules *rules)
{
	int error = recall_settings(rules);

	if (!error && rules->settings.count) {
		error = nftbridge_put_back(&rules->settings);
		if (error)
			return nfthandle_fail(rules, error,
					      "putting br_netfilter back");
		rules->settings.count = 0;
	}
	return error;
}

/* What is on already because of an earlier run keeps its first record. */
static void merge_settings(struct nftbridge_settings *first,
			   const struct nftbridge_settings *more)
{
	size_t i;

	for (i = 0; i < more->count; i++)
		if (first->count < sizeof(first->was) / sizeof(first->was[0]))
			memcpy(first->was[first->count++], more->was[i],
			       sizeof(more->was[i]));
}

static int prepare_bridges(struct nftrules *rules, struct nftcompile *compile)
{
	struct nftbridge_settings more;
	int error;

	if (compile->way != NFTCOMPILE_BR_NETFILTER)
		return put_back_settings(rules);
	error = recall_settings(rules);
	if (error)
		return error;
	error = nftbridge_find(compile->policy, &compile->bridges, rules->error,
			       sizeof(rules->error));
	if (!error)
		error = nftbridge_plan(&compile->bridges, &more, rules->error,
				       sizeof(rules->error));
	if (error)
		return error;
	merge_settings(&rules->settings, &more);
	compile->settings = rules->settings;
	return 0;
}

/* Once there it stays, since others' packets wait. */
static int be_alive(struct nftrules *rules, const struct nftcompile *compile)
{
	const struct policy *policy = compile->policy;
	uint32_t bit = policy->fast.mark_bit;
	const char *what;
	int error;

	if (!compile->fast || rules->alive ||
	    policy->nfqueue.fail != POLICY_FAIL_CLOSED)
		return 0;
	rules->alive = nfthandle_socket(rules);
	if (!rules->alive)
		return nfthandle_fail(rules, -errno, "one more socket");
	error = nftalive_install(rules->batch, rules->alive,
				 compile->way == NFTCOMPILE_BRIDGED
					 ? NFPROTO_BRIDGE
					 : NFPROTO_INET,
				 ((1u << FAST_MARK_BITS) - 1) << bit,
				 (uint32_t)FAST_MARK_ALIVE << bit, &what);
	if (error) {
		no_longer_alive(rules);
		nfthandle_fail(rules, error, "fail: closed: %s", what);
	}
	return error;
}

static bool has_log_rules(const struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action == POLICY_LOG)
			return true;
	return false;
}

/* What there is no memory for is found out before the tables change. */
static int put(struct nftrules *rules, const struct nftcompile *compile,
	       enum nfthandle_change how)
{
	size_t count = 0;
	struct nfthandle_bound *bound =
		nfthandle_find_hosts(compile->policy, &count);
	int error;

	if (!bound)
		return nfthandle_fail(rules, -ENOMEM, "bindings");
	error = nfthandle_put(rules, compile, how);
	if (error) {
		free(bound);
		return error;
	}
	free(rules->bound);
	rules->bound = bound;
	rules->bound_count = count;
	rules->host_prefix6 = compile->policy->host_prefix6;
	return 0;
}

static int install(struct nftrules *rules, const struct nftrules_config *config,
		   enum nfthandle_change how)
{
	struct nftcompile compile = { .policy = config->policy,
				      .shard_seed = config->shard_seed,
				      .shards = config->shards,
				      .log_group = config->log_group,
				      .fast = config->fast,
				      .fast_ifindexes = config->fast_ifindexes,
				      .fast_count = config->fast_count,
				      .uplinks = config->uplinks,
				      .uplinks_count = config->uplinks_count };
	int error;

	assert(config->shards >= 1 && config->shards <= SHARDS_MAX);
	error = find_way(rules, config->policy, &compile.way);
	if (!error)
		error = look_around(rules, config, &compile.conntrack);
	if (!error)
		error = prepare_bridges(rules, &compile);
	if (!error && has_log_rules(config->policy))
		error = nfthandle_bind_log(rules, config->log_group);
	if (error)
		return error;
	compile.method = rules->method;
	error = be_alive(rules, &compile);
	if (!error)
		error = put(rules, &compile, how);
	if (error)
		return error;
	rules->way = compile.way;
	rules->conntrack = compile.conntrack;
	rules->bridge = config->policy->nfqueue.bridge;
	rules->refusal_family = compile.way == NFTCOMPILE_ROUTED
					? NFPROTO_INET
					: NFPROTO_BRIDGE;
	/* Only now: should we die, the tables know what to put back. */
	error = nftbridge_switch_on(&rules->settings);
	if (error)
		nfthandle_fail(rules, error, "switching br_netfilter on");
	return error;
}

int nftrules_install(struct nftrules *rules,
		     const struct nftrules_config *config)
{
	return install(rules, config, NFTHANDLE_WHOLE);
}

int nftrules_update(struct nftrules *rules,
		    const struct nftrules_config *config)
{
	return install(rules, config, NFTHANDLE_DIFFERENCE);
}

/* In place, so that nothing is dropped that waits elsewhere. */
static int block(struct nftrules *rules)
{
	struct nftplan *scratch = nftplan_new();
	const struct nftplan_table *table;
	const char *what;
	int error = -ENOMEM;
	size_t i;

	if (!scratch)
		return -ENOMEM;
	nftbatch_reset(rules->batch);
	for (i = 0; i < NFTPLAN_TABLES; i++) {
		table = nftplan_find_table(rules->plan, NFTPLAN_FAMILIES[i]);
		if (table)
			nftshards_block(rules->batch, table,
					nftplan_table(scratch, table->family));
	}
	if (!nftplan_is_broken(scratch))
		error = nftbatch_commit(rules->batch, rules->socket, &what);
	nftplan_free(scratch);
	return error;
}

int nftrules_leave_blocking(struct nftrules *rules)
{
	int error;

	if (!rules->plan)
		return nfthandle_fail(rules, -ESTALE, "nothing is installed");
	error = block(rules);
	if (error)
		return nfthandle_fail(rules, error, "blocking");
	no_longer_alive(rules);
	nftplan_free(rules->plan);
	rules->plan = NULL;
	return 0;
}

int nftrules_remove(struct nftrules *rules)
{
	int error = put_back_settings(rules);
	int removed = nfthandle_change(rules, NULL);

	if (error || removed)
		return error ? error : removed;
	no_longer_alive(rules);
	nftplan_free(rules->plan);
	rules->plan = NULL;
	return 0;
}

int nftrules_uninstall(struct nftrules *rules)
{
	return nftrules_remove(rules);
}
