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
#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_change.h"
#include "shaper/io/nft_compile.h"
#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_probe.h"
#include "shaper/io/nft_read.h"

/* Somebody may change things between our reading and our writing. */
enum { TRIES_MAX = 5 };

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

void nftrules_close(struct nftrules *rules)
{
	if (!rules)
		return;
	nftplan_free(rules->plan);
	nftbatch_free(rules->batch);
	nfthandle_close_log(rules);
	if (rules->watch)
		mnl_socket_close(rules->watch);
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

/* Read what is there, and write what is to be there in its place. */
static int change_once(struct nftrules *rules, const struct nftplan *next)
{
	struct nftplan *now;
	const char *what = "";
	int error = nftread_tables(rules->socket, &now);

	if (error)
		return nfthandle_fail(rules, error, "reading tables");
	nftbatch_reset(rules->batch);
	if (next)
		nftchange_build(rules->batch, now, next);
	else
		nftchange_remove(rules->batch, now);
	nftplan_free(now);
	error = nftbatch_commit(rules->batch, rules->socket, &what);
	if (error)
		nfthandle_fail(rules, error, "%s", what);
	return error;
}

static int change(struct nftrules *rules, const struct nftplan *next)
{
	int tries;
	int error = 0;

	for (tries = 0; tries < TRIES_MAX; tries++) {
		error = change_once(rules, next);
		if (error != -ENOENT && error != -EEXIST && error != -EBUSY)
			break;
	}
	return error;
}

static int verify(struct nftrules *rules, const struct nftplan *plan)
{
	struct nftplan *now;
	char difference[96];
	bool same;
	int error = nftread_tables(rules->socket, &now);

	if (error)
		return nfthandle_fail(rules, error, "reading tables");
	same = nftchange_is_done(now, plan, difference, sizeof(difference));
	nftplan_free(now);
	if (same)
		return 0;
	return nfthandle_fail(rules, -ESTALE, "not as installed: %s",
			      difference);
}

int nftrules_verify(struct nftrules *rules)
{
	if (!rules->plan)
		return nfthandle_fail(rules, -ESTALE, "nothing is installed");
	return verify(rules, rules->plan);
}

static int look_around(struct nftrules *rules,
		       const struct nftrules_config *config)
{
	int error = nftprobe_method(rules->batch, rules->socket, NFPROTO_INET,
				    &rules->method);

	if (error)
		return nfthandle_fail(
			rules, error,
			"the kernel can queue packets in no way we know");
	rules->asked = config->conntrack;
	rules->conntrack = config->conntrack;
	if (config->conntrack != NFTRULES_CONNTRACK_LOOK)
		return 0;
	error = nftprobe_conntrack(rules->socket, &rules->conntrack);
	if (error)
		nfthandle_fail(rules, error, "reading others' tables");
	return error;
}

static int put(struct nftrules *rules, const struct nftcompile *compile)
{
	struct nftplan *plan = nftcompile_plan(compile);
	int error;

	if (!plan)
		return nfthandle_fail(rules, -ENOMEM, "compiling the policy");
	error = change(rules, plan);
	if (!error)
		error = verify(rules, plan);
	if (error) {
		nftplan_free(plan);
		return error;
	}
	nftplan_free(rules->plan);
	rules->plan = plan;
	return 0;
}

static struct nftcompile compile_of(const struct nftrules *rules,
				    const struct nftrules_config *config)
{
	return (struct nftcompile){
		.policy = config->policy,
		.shard_seed = config->shard_seed,
		.shards = config->shards,
		.log_group = config->log_group,
		.method = rules->method,
		.conntrack = rules->conntrack,
	};
}

static bool has_log_rules(const struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->rules_count; i++)
		if (policy->rules[i].action == POLICY_LOG)
			return true;
	return false;
}

int nftrules_install(struct nftrules *rules,
		     const struct nftrules_config *config)
{
	struct nftcompile compile;
	int error;

	assert(config->shards >= 1 && config->shards <= SHARDS_MAX);
	error = look_around(rules, config);
	if (error)
		return error;
	if (has_log_rules(config->policy))
		error = nfthandle_bind_log(rules, config->log_group);
	if (error)
		return error;
	compile = compile_of(rules, config);
	error = put(rules, &compile);
	if (!error)
		atomic_store(&rules->host_prefix6,
			     config->policy->host_prefix6);
	return error;
}

int nftrules_update(struct nftrules *rules,
		    const struct nftrules_config *config)
{
	return nftrules_install(rules, config);
}

/* In place, so that nothing is dropped that waits elsewhere. */
static int block(struct nftrules *rules, const struct nftplan_table *table)
{
	struct nftplan *plan = nftplan_new();
	struct nftplan_table *copy;
	const char *what;
	int error = -ENOMEM;

	if (!plan)
		return -ENOMEM;
	copy = nftplan_table(plan, table->family);
	nftbatch_reset(rules->batch);
	nftbatch_counter(rules->batch, NFT_MSG_NEWOBJ, table->family,
			 NFTPLAN_NAME, "blocked");
	nftshards_block(rules->batch, table, copy);
	if (!nftplan_is_broken(plan))
		error = nftbatch_commit(rules->batch, rules->socket, &what);
	nftplan_free(plan);
	return error;
}

int nftrules_leave_blocking(struct nftrules *rules)
{
	const struct nftplan_table *table =
		rules->plan ? nftplan_find_table(rules->plan, NFPROTO_INET)
			    : NULL;
	int error;

	if (!table)
		return nfthandle_fail(rules, -ESTALE, "nothing is installed");
	error = block(rules, table);
	if (error)
		return nfthandle_fail(rules, error, "blocking");
	nftplan_free(rules->plan);
	rules->plan = NULL;
	return 0;
}

int nftrules_remove(struct nftrules *rules)
{
	int error = change(rules, NULL);

	if (error)
		return error;
	nftplan_free(rules->plan);
	rules->plan = NULL;
	return 0;
}

int nftrules_uninstall(struct nftrules *rules)
{
	return nftrules_remove(rules);
}
