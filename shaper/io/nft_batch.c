/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nft_batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	/* A set's elements fill an attribute of at most 64 KiB. */
	MESSAGE_ROOM = 96 * 1024,
	BYTES_MAX = 256 * 1024 * 1024,
	SEQUENCE_FIRST = 1,
	REPLY_BYTES = 32 * 1024,
};

struct label {
	char text[NFTBATCH_NAME + 16];
};

struct nftbatch {
	char *bytes;
	size_t used, size;
	struct label *labels; /* one per message, in order */
	size_t count, labels_size;
	struct nlmsghdr *last; /* while bytes does not move */
	bool failed;           /* out of memory on the way */
	char what[NFTBATCH_NAME + 16];
};

struct nftbatch *nftbatch_new(void)
{
	return calloc(1, sizeof(struct nftbatch));
}

void nftbatch_free(struct nftbatch *batch)
{
	if (!batch)
		return;
	free(batch->bytes);
	free(batch->labels);
	free(batch);
}

void nftbatch_reset(struct nftbatch *batch)
{
	batch->used = 0;
	batch->count = 0;
	batch->failed = false;
}

static bool reserve_bytes(struct nftbatch *batch, size_t more)
{
	size_t size = batch->size ? batch->size : 4 * (size_t)MESSAGE_ROOM;
	char *bytes;

	if (batch->used + more > BYTES_MAX)
		return false;
	while (size < batch->used + more)
		size *= 2;
	if (size == batch->size)
		return true;
	bytes = realloc(batch->bytes, size);
	if (!bytes)
		return false;
	batch->bytes = bytes;
	batch->size = size;
	return true;
}

static bool reserve_label(struct nftbatch *batch)
{
	size_t size = batch->labels_size ? 2 * batch->labels_size : 64;
	struct label *labels;

	if (batch->count < batch->labels_size)
		return true;
	labels = realloc(batch->labels, size * sizeof(*labels));
	if (!labels)
		return false;
	batch->labels = labels;
	batch->labels_size = size;
	return true;
}

static void add_mark(struct nftbatch *batch, bool begin)
{
	char *at = batch->bytes + batch->used;
	uint32_t sequence = SEQUENCE_FIRST + (uint32_t)batch->count + 1;
	struct nlmsghdr *header = begin ? nftnl_batch_begin(at, SEQUENCE_FIRST)
					: nftnl_batch_end(at, sequence);

	batch->used += NLMSG_ALIGN(header->nlmsg_len);
}

struct nlmsghdr *nftbatch_begin(struct nftbatch *batch, uint16_t type,
				uint32_t family, uint16_t flags,
				const char *verb, const char *what)
{
	if (batch->failed || !reserve_label(batch) ||
	    !reserve_bytes(batch, 2 * MESSAGE_ROOM)) {
		batch->failed = true;
		return NULL;
	}
	if (batch->used == 0)
		add_mark(batch, true);
	snprintf(batch->labels[batch->count].text, sizeof(struct label),
		 "%s %.*s", verb, NFTBATCH_NAME, what);
	batch->count++;
	return nftnl_nlmsg_build_hdr(batch->bytes + batch->used, type,
				     (uint16_t)family, flags,
				     SEQUENCE_FIRST + (uint32_t)batch->count);
}

void nftbatch_end(struct nftbatch *batch, const struct nlmsghdr *message)
{
	batch->used += NLMSG_ALIGN(message->nlmsg_len);
}

static uint16_t flags_of(uint16_t type)
{
	switch (type) {
	case NFT_MSG_NEWTABLE:
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_NEWSET:
	case NFT_MSG_NEWOBJ:
	case NFT_MSG_NEWSETELEM:
		return NLM_F_CREATE;
	case NFT_MSG_NEWRULE:
		return NLM_F_CREATE | NLM_F_APPEND;
	}
	return 0;
}

void nftbatch_table(struct nftbatch *batch, uint16_t type, uint32_t family,
		    const char *table)
{
	struct nlmsghdr *message;

	message = nftbatch_begin(batch, type, family, flags_of(type), "table",
				 table);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
	nftbatch_end(batch, message);
}

void nftbatch_chain(struct nftbatch *batch, uint16_t type,
		    const struct nftnl_chain *chain)
{
	struct nlmsghdr *message;

	message = nftbatch_begin(batch, type,
				 nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY),
				 flags_of(type), "chain",
				 nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
	if (!message)
		return;
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftbatch_end(batch, message);
}

void nftbatch_rule(struct nftbatch *batch, uint16_t type,
		   struct nftnl_rule *rule)
{
	const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	struct nlmsghdr *message;

	message = nftbatch_begin(batch, type,
				 nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
				 flags_of(type), "rule in",
				 chain ? chain : "all chains");
	if (!message)
		return;
	nftnl_rule_nlmsg_build_payload(message, rule);
	nftbatch_end(batch, message);
}

void nftbatch_set(struct nftbatch *batch, uint16_t type, struct nftnl_set *set)
{
	struct nlmsghdr *message;

	message = nftbatch_begin(batch, type,
				 nftnl_set_get_u32(set, NFTNL_SET_FAMILY),
				 flags_of(type), "set",
				 nftnl_set_get_str(set, NFTNL_SET_NAME));
	if (!message)
		return;
	if (type == NFT_MSG_NEWSET) {
		nftnl_set_nlmsg_build_payload(message, set);
	} else {
		mnl_attr_put_strz(message, NFTA_SET_TABLE,
				  nftnl_set_get_str(set, NFTNL_SET_TABLE));
		mnl_attr_put_strz(message, NFTA_SET_NAME,
				  nftnl_set_get_str(set, NFTNL_SET_NAME));
	}
	nftbatch_end(batch, message);
}

void nftbatch_elements(struct nftbatch *batch, uint16_t type,
		       struct nftnl_set *set)
{
	struct nftnl_set_elems_iter *iter = nftnl_set_elems_iter_create(set);
	struct nlmsghdr *message;
	int more = 1;

	if (!iter) {
		batch->failed = true;
		return;
	}
	while (more > 0 && nftnl_set_elems_iter_cur(iter)) {
		message = nftbatch_begin(
			batch, type, nftnl_set_get_u32(set, NFTNL_SET_FAMILY),
			flags_of(type), "elements of",
			nftnl_set_get_str(set, NFTNL_SET_NAME));
		if (!message)
			break;
		more = nftnl_set_elems_nlmsg_build_payload_iter(message, iter);
		nftbatch_end(batch, message);
	}
	nftnl_set_elems_iter_destroy(iter);
}

void nftbatch_counter(struct nftbatch *batch, uint16_t type, uint32_t family,
		      const char *table, const char *name)
{
	struct nftnl_obj *counter = nftnl_obj_alloc();
	struct nlmsghdr *message = NULL;

	if (counter)
		message = nftbatch_begin(batch, type, family, flags_of(type),
					 "counter", name);
	if (message) {
		nftnl_obj_set_str(counter, NFTNL_OBJ_TABLE, table);
		nftnl_obj_set_str(counter, NFTNL_OBJ_NAME, name);
		nftnl_obj_set_u32(counter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
		if (type == NFT_MSG_NEWOBJ) {
			nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_PKTS, 0);
			nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_BYTES, 0);
		}
		nftnl_obj_nlmsg_build_payload(message, counter);
		nftbatch_end(batch, message);
	} else {
		batch->failed = true;
	}
	nftnl_obj_free(counter);
}

/* The kernel reads the whole batch as one packet. */
static int make_room(struct mnl_socket *socket, size_t bytes)
{
	int room = (int)bytes + 4096;
	int fd = mnl_socket_get_fd(socket);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ==
		    0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) == 0)
		return 0;
	return -errno;
}

static int note_errors(struct nftbatch *batch, const char *reply, int bytes,
		       int so_far)
{
	const struct nlmsghdr *header = (const void *)reply;
	const struct nlmsgerr *error;
	size_t index;

	for (; mnl_nlmsg_ok(header, bytes);
	     header = mnl_nlmsg_next(header, &bytes)) {
		if (header->nlmsg_type != NLMSG_ERROR ||
		    header->nlmsg_len < mnl_nlmsg_size(sizeof(*error)))
			continue;
		error = mnl_nlmsg_get_payload(header);
		if (error->error == 0 || so_far != 0)
			continue;
		so_far = error->error;
		index = header->nlmsg_seq - SEQUENCE_FIRST - 1;
		snprintf(batch->what, sizeof(batch->what), "%s",
			 index < batch->count ? batch->labels[index].text
					      : "transaction");
	}
	return so_far;
}

/* The kernel has answered before sendto() returns. */
static int read_answers(struct nftbatch *batch, struct mnl_socket *socket)
{
	static _Thread_local char reply[REPLY_BYTES];
	int fd = mnl_socket_get_fd(socket);
	bool crowded = false;
	int error = 0;
	ssize_t bytes;

	for (;;) {
		bytes = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);
		if (bytes < 0 && errno == EINTR)
			continue;
		if (bytes < 0 && errno == ENOBUFS) {
			crowded = true; /* more complaints than fit */
			continue;
		}
		if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return crowded && !error ? -ENOBUFS : error;
		if (bytes < 0)
			return error ? error : -errno;
		error = note_errors(batch, reply, (int)bytes, error);
	}
}

int nftbatch_commit(struct nftbatch *batch, struct mnl_socket *socket,
		    const char **ret_what)
{
	int error;

	*ret_what = batch->what;
	snprintf(batch->what, sizeof(batch->what), "transaction");
	if (batch->failed)
		return -ENOMEM;
	if (batch->count == 0)
		return 0;
	add_mark(batch, false);
	error = make_room(socket, batch->used);
	if (error)
		return error;
	if (mnl_socket_sendto(socket, batch->bytes, batch->used) < 0)
		return -errno;
	return read_answers(batch, socket);
}
