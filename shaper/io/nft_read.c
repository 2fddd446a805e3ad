/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_read.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaper/io/nft_plan.h"

enum { ANSWER_BYTES = 64 * 1024, TRIES_MAX = 20 };

struct collector {
	const struct nftread_request *request;
	uint32_t sequence;
	int error;
	bool interrupted, ended;
};

static void take_end(struct collector *collector,
		     const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = mnl_nlmsg_get_payload(message);

	collector->ended = true;
	if (message->nlmsg_type == NLMSG_ERROR &&
	    message->nlmsg_len >= mnl_nlmsg_size(sizeof(*error)) &&
	    collector->error == 0)
		collector->error = error->error;
}

/* What was begun before is not of this. */
static void take_message(struct collector *collector,
			 const struct nlmsghdr *message)
{
	if (message->nlmsg_seq != collector->sequence)
		return;
	if (message->nlmsg_flags & NLM_F_DUMP_INTR)
		collector->interrupted = true;
	if (message->nlmsg_type == NLMSG_DONE ||
	    message->nlmsg_type == NLMSG_ERROR)
		take_end(collector, message);
	else if (message->nlmsg_type >= NLMSG_MIN_TYPE && collector->error == 0)
		collector->error = collector->request->each(
			message, collector->request->data);
}

/* To its end also when it is interrupted, where the library leaves off: what is
 * left of it would be the answer to the next question. */
static int receive(struct mnl_socket *socket, struct collector *collector,
		   char *answer)
{
	int error = 0;

	while (error == 0 && !collector->ended) {
		const struct nlmsghdr *message = (const void *)answer;
		ssize_t bytes =
			mnl_socket_recvfrom(socket, answer, ANSWER_BYTES);
		int left = (int)bytes;

		if (bytes < 0 && errno != EINTR)
			error = -errno;
		for (; mnl_nlmsg_ok(message, left);
		     message = mnl_nlmsg_next(message, &left))
			take_message(collector, message);
	}
	if (error)
		return error;
	return collector->interrupted ? -EINTR : collector->error;
}

int nftread_dump(struct mnl_socket *socket,
		 const struct nftread_request *request)
{
	static _Thread_local uint32_t sequence;
	char bytes[1024];
	struct collector collector = { .request = request,
				       .sequence = ++sequence };
	struct nlmsghdr *header;
	char *answer;
	int error;

	header = nftnl_nlmsg_build_hdr(bytes, request->type,
				       (uint16_t)request->family, NLM_F_DUMP,
				       sequence);
	/* Table and name have the same numbers in every kind of request. */
	if (request->table)
		mnl_attr_put_strz(header, NFTA_SET_TABLE, request->table);
	if (request->name)
		mnl_attr_put_strz(header, NFTA_SET_NAME, request->name);
	/* An answer that nobody takes is in the next question's way. */
	answer = malloc(ANSWER_BYTES);
	if (!answer)
		return -ENOMEM;
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0)
		error = -errno;
	else
		error = receive(socket, &collector, answer);
	free(answer);
	return error;
}

static bool is_ours(const char *table)
{
	return table && strcmp(table, NFTPLAN_NAME) == 0;
}

static int take_table(const struct nlmsghdr *message, void *data)
{
	struct nftnl_table *table = nftnl_table_alloc();
	uint32_t family;
	size_t i;

	if (!table)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(message, table) == 0 &&
	    is_ours(nftnl_table_get_str(table, NFTNL_TABLE_NAME))) {
		family = nftnl_table_get_u32(table, NFTNL_TABLE_FAMILY);
		for (i = 0; i < NFTPLAN_TABLES; i++)
			if (NFTPLAN_FAMILIES[i] == family)
				nftplan_table(data, family);
	}
	nftnl_table_free(table);
	return 0;
}

static int take_chain(const struct nlmsghdr *message, void *data)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	struct nftplan_table *table;

	if (!chain)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(message, chain) < 0) {
		nftnl_chain_free(chain);
		return -EBADMSG;
	}
	table = nftplan_find_table(
		data, nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY));
	if (table && is_ours(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)))
		nftplan_take_chain(table, chain);
	else
		nftnl_chain_free(chain);
	return 0;
}

static int take_rule(const struct nlmsghdr *message, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftplan_table *table;
	struct nftnl_chain *chain = NULL;

	if (!rule)
		return -ENOMEM;
	if (nftnl_rule_nlmsg_parse(message, rule) < 0) {
		nftnl_rule_free(rule);
		return -EBADMSG;
	}
	table = nftplan_find_table(data,
				   nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY));
	if (table && is_ours(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE)))
		chain = nftplan_find_chain(
			table, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
	if (chain)
		nftnl_chain_rule_add_tail(rule, chain);
	else
		nftnl_rule_free(rule);
	return 0;
}

static int take_set(const struct nlmsghdr *message, void *data)
{
	struct nftnl_set *set = nftnl_set_alloc();
	struct nftplan_table *table;

	if (!set)
		return -ENOMEM;
	if (nftnl_set_nlmsg_parse(message, set) < 0) {
		nftnl_set_free(set);
		return -EBADMSG;
	}
	table = nftplan_find_table(data,
				   nftnl_set_get_u32(set, NFTNL_SET_FAMILY));
	if (table && is_ours(nftnl_set_get_str(set, NFTNL_SET_TABLE)))
		nftplan_take_set(table, set);
	else
		nftnl_set_free(set);
	return 0;
}

struct counters {
	void (*each)(const struct nftread_counter *counter, void *data);
	void *data;
};

static int take_counter(const struct nlmsghdr *message, void *data)
{
	const struct counters *counters = data;
	struct nftnl_obj *object = nftnl_obj_alloc();
	struct nftread_counter counter;

	if (!object)
		return -ENOMEM;
	if (nftnl_obj_nlmsg_parse(message, object) == 0 &&
	    is_ours(nftnl_obj_get_str(object, NFTNL_OBJ_TABLE)) &&
	    nftnl_obj_get_u32(object, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER) {
		counter.name = nftnl_obj_get_str(object, NFTNL_OBJ_NAME);
		counter.pkts = nftnl_obj_get_u64(object, NFTNL_OBJ_CTR_PKTS);
		counter.bytes = nftnl_obj_get_u64(object, NFTNL_OBJ_CTR_BYTES);
		counters->each(&counter, counters->data);
	}
	nftnl_obj_free(object);
	return 0;
}

int nftread_counters(struct mnl_socket *socket,
		     void (*each)(const struct nftread_counter *counter,
				  void *data),
		     void *data)
{
	struct counters counters = { each, data };
	/* A counter that was read twice or not at all does no harm. */
	int error = nftread_dump(
		socket, &(struct nftread_request){ .type = NFT_MSG_GETOBJ,
						   .family = NFPROTO_UNSPEC,
						   .table = NFTPLAN_NAME,
						   .each = take_counter,
						   .data = &counters });

	return error == -EINTR ? 0 : error;
}

static void note_counter(const struct nftread_counter *counter, void *data)
{
	nftplan_counter(data, counter->name);
}

static int take_elements(const struct nlmsghdr *message, void *data)
{
	return nftnl_set_elems_nlmsg_parse(message, data) < 0 ? -EBADMSG : 0;
}

int nftread_elements(struct mnl_socket *socket, struct nftnl_set *set)
{
	return nftread_dump(
		socket,
		&(struct nftread_request){
			.type = NFT_MSG_GETSETELEM,
			.family = nftnl_set_get_u32(set, NFTNL_SET_FAMILY),
			.table = NFTPLAN_NAME,
			.name = nftnl_set_get_str(set, NFTNL_SET_NAME),
			.each = take_elements,
			.data = set });
}

static int read_table(struct mnl_socket *socket, struct nftplan *plan,
		      struct nftplan_table *table)
{
	struct nftread_request request = { .type = NFT_MSG_GETCHAIN,
					   .family = table->family,
					   .each = take_chain,
					   .data = plan };
	int error = nftread_dump(socket, &request);
	size_t i;

	request.table = NFTPLAN_NAME;
	request.type = NFT_MSG_GETRULE;
	request.each = take_rule;
	if (!error)
		error = nftread_dump(socket, &request);
	request.type = NFT_MSG_GETSET;
	request.each = take_set;
	if (!error)
		error = nftread_dump(socket, &request);
	for (i = 0; !error && i < table->sets_count; i++)
		if (!nftplan_set_is_kept(table->sets[i]))
			error = nftread_elements(socket, table->sets[i]);
	request.type = NFT_MSG_GETOBJ;
	request.each = take_counter;
	request.data = &(struct counters){ note_counter, table };
	return error ? error : nftread_dump(socket, &request);
}

static int read_once(struct mnl_socket *socket, struct nftplan *plan)
{
	struct nftplan_table *table;
	size_t i;
	int error;

	error = nftread_dump(
		socket, &(struct nftread_request){ .type = NFT_MSG_GETTABLE,
						   .family = NFPROTO_UNSPEC,
						   .each = take_table,
						   .data = plan });
	for (i = 0; !error && i < NFTPLAN_TABLES; i++) {
		table = nftplan_find_table(plan, NFTPLAN_FAMILIES[i]);
		if (table)
			error = read_table(socket, plan, table);
	}
	return error;
}

int nftread_tables(struct mnl_socket *socket, struct nftplan **ret_plan)
{
	static const struct timespec PAUSE = { .tv_nsec = 5 * 1000 * 1000 };
	struct nftplan *plan;
	int tries;
	int error = -EINTR;

	for (tries = 0; error == -EINTR && tries < TRIES_MAX; tries++) {
		if (tries)
			nanosleep(&PAUSE, NULL);
		plan = nftplan_new();
		if (!plan)
			return -ENOMEM;
		error = read_once(socket, plan);
		/* Gone between two questions: it changes. */
		if (error == -ENOENT)
			error = -EINTR;
		if (!error && nftplan_is_broken(plan))
			error = -ENOMEM;
		if (!error) {
			*ret_plan = plan;
			return 0;
		}
		nftplan_free(plan);
	}
	return error == -EINTR ? -EAGAIN : error;
}
