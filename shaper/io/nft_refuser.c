/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Refusals on their way into the kernel's sets. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "shaper/io/nft_batch.h"
#include "shaper/io/nft_handle.h"
#include "shaper/io/nft_plan.h"
#include "shaper/io/nft_refusals.h"
#include "shaper/pump.h"

enum {
	/* How long a host's packets are looked at more closely.  Longer than
	 * most refusals, because kernels before 6.12 do not prolong it. */
	LOOK_MS = 600 * 1000,
	SHRINK_MS = 1000,
	NS_PER_MS = 1000 * 1000,
};

struct nftrules_refuser {
	struct nftrules *rules;
	struct mnl_socket *socket;
	struct nftbatch *batch;
	uint32_t family;
	uint64_t until_ns; /* when the last one has run out; NS_NEVER: none */
	/* Within one call: */
	const struct pump_refusal *refusals;
	const char *const *interfaces;
	size_t full;
	bool is_full[NFTREFUSALS_KINDS][2];
	uint64_t now_ns;
};

void nftrules_refuser_close(struct nftrules_refuser *refuser)
{
	if (!refuser)
		return;
	if (refuser->socket)
		mnl_socket_close(refuser->socket);
	nftbatch_free(refuser->batch);
	free(refuser);
}

/* A key as the registers hold it: each field takes whole words. */
struct key {
	uint8_t bytes[NFTPLAN_KEY];
	uint32_t length;
};

static void put(struct key *key, const void *field, uint32_t bytes)
{
	memcpy(key->bytes + key->length, field, bytes);
	key->length += (bytes + 3) & ~UINT32_C(3);
}

static void put_address(struct key *key, const uint8_t addr[16], bool ipv4)
{
	put(key, ipv4 ? addr + 12 : addr, ipv4 ? 4 : 16);
}

static void put_ports(struct key *key, uint16_t inside, uint16_t outside)
{
	put(key,
	    (uint8_t[]){ (uint8_t)(inside >> 8), (uint8_t)inside,
			 (uint8_t)(outside >> 8), (uint8_t)outside },
	    4);
}

static void put_host(struct key *key, const struct nftrules_refuser *refuser,
		     const uint8_t inside[16], bool ipv4)
{
	uint8_t host[16];
	unsigned int bit;

	memcpy(host, inside, sizeof(host));
	for (bit = refuser->rules->host_prefix6; !ipv4 && bit < 128; bit++)
		host[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
	put_address(key, host, ipv4);
}

static struct key key_of(const struct nftrules_refuser *refuser,
			 enum nftrefusals_kind kind,
			 const struct flow_key *flow, uint32_t ifindex,
			 bool ipv4)
{
	struct key key = { .length = 0 };

	put(&key, &ifindex, sizeof(ifindex));
	switch (kind) {
	case NFTREFUSALS_ANY:
		put_host(&key, refuser, flow->inside, ipv4);
		break;
	case NFTREFUSALS_HOST:
		put_address(&key, flow->inside, ipv4);
		break;
	case NFTREFUSALS_PAIR:
	case NFTREFUSALS_SPARED:
		put_address(&key, flow->inside, ipv4);
		put_address(&key, flow->outside, ipv4);
		break;
	case NFTREFUSALS_FLOW:
		put(&key, &flow->proto, 1);
		put_address(&key, flow->inside, ipv4);
		put_address(&key, flow->outside, ipv4);
		put_ports(&key, flow->inside_port, flow->outside_port);
		break;
	case NFTREFUSALS_KINDS:
		break;
	}
	return key;
}

static enum nftrefusals_kind kind_of(const struct pump_refusal *refusal)
{
	if (refusal->kind == PUMP_SPARE)
		return NFTREFUSALS_SPARED;
	switch ((enum flow_scope)refusal->key.scope) {
	case FLOW_SCOPE_FLOW:
		return NFTREFUSALS_FLOW;
	case FLOW_SCOPE_PAIR:
		return NFTREFUSALS_PAIR;
	case FLOW_SCOPE_HOST:
	case FLOW_SCOPES:
		break;
	}
	return NFTREFUSALS_HOST;
}

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t MAPPED[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(addr, MAPPED, sizeof(MAPPED)) == 0;
}

/* One element into the batch.  A timeout of 0: take it out. */
static bool add(struct nftrules_refuser *refuser, enum nftrefusals_kind kind,
		bool ipv4, const struct key *key, uint64_t timeout_ms)
{
	struct nftnl_set *set = nftnl_set_alloc();
	struct nftnl_set_elem *element = nftnl_set_elem_alloc();

	if (!set || !element) {
		if (set)
			nftnl_set_free(set);
		if (element)
			nftnl_set_elem_free(element);
		return false;
	}
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, refuser->family);
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFTPLAN_NAME);
	nftnl_set_set_str(set, NFTNL_SET_NAME, nftrefusals_set(kind, ipv4));
	nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key->bytes,
			   key->length);
	if (timeout_ms)
		nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT,
				       timeout_ms);
	nftnl_set_elem_add(set, element);
	nftbatch_elements(refuser->batch,
			  timeout_ms ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
			  set);
	nftnl_set_free(set);
	return true;
}

/* The kernel makes room at once for all that a set may hold, 7 MB for these,
 * and goes through it each second.  When an element goes there is room for
 * those that are there.  Should it fail, it costs no more than before. */
static void shrink(struct nftrules_refuser *refuser)
{
	const struct flow_key nobody = { 0 };
	const char *what;
	unsigned int i;

	refuser->family = refuser->rules->refusal_family;
	nftbatch_reset(refuser->batch);
	for (i = 0; i < 2 * NFTREFUSALS_KINDS; i++) {
		enum nftrefusals_kind kind = (enum nftrefusals_kind)(i / 2);
		bool ipv4 = i % 2 != 0;
		struct key key = key_of(refuser, kind, &nobody, 0, ipv4);

		if (!add(refuser, kind, ipv4, &key, SHRINK_MS) ||
		    !add(refuser, kind, ipv4, &key, 0))
			return;
	}
	(void)nftbatch_commit(refuser->batch, refuser->socket, &what);
}

int nftrules_refuser_open(struct nftrules *rules,
			  struct nftrules_refuser **ret_refuser)
{
	struct nftrules_refuser *refuser = calloc(1, sizeof(*refuser));
	int error;

	if (!refuser)
		return nfthandle_fail(rules, -ENOMEM, "refusals");
	refuser->rules = rules;
	refuser->until_ns = NS_NEVER;
	refuser->batch = nftbatch_new();
	refuser->socket = refuser->batch ? nfthandle_socket(rules) : NULL;
	if (!refuser->socket) {
		error = refuser->batch ? -errno : -ENOMEM;
		nftrules_refuser_close(refuser);
		return nfthandle_fail(rules, error, "a socket for refusals");
	}
	shrink(refuser);
	*ret_refuser = refuser;
	return 0;
}

/* Kernels do not prolong an element that is there (from 6.12 on they do, when
 * its timeout is another).  Put in, it can be taken out in any case; and all of
 * it happens at once. */
static int spare_anew(struct nftrules_refuser *refuser, bool ipv4,
		      const struct key *key, uint64_t timeout_ms)
{
	return add(refuser, NFTREFUSALS_SPARED, ipv4, key, timeout_ms) &&
			       add(refuser, NFTREFUSALS_SPARED, ipv4, key, 0) &&
			       add(refuser, NFTREFUSALS_SPARED, ipv4, key,
				   timeout_ms)
		       ? 0
		       : -ENOMEM;
}

/* One set element, and the mark that makes the kernel look for it. */
static int add_key(struct nftrules_refuser *refuser, enum nftrefusals_kind kind,
		   const struct flow_key *flow, uint32_t ifindex,
		   uint64_t timeout_ms)
{
	bool ipv4 = is_ipv4(flow->inside);
	struct key key = key_of(refuser, kind, flow, ifindex, ipv4);

	if (kind == NFTREFUSALS_SPARED && timeout_ms)
		return spare_anew(refuser, ipv4, &key, timeout_ms);
	if (!add(refuser, kind, ipv4, &key, timeout_ms))
		return -ENOMEM;
	if (timeout_ms == 0)
		return 0;
	key = key_of(refuser, NFTREFUSALS_ANY, flow, ifindex, ipv4);
	return add(refuser, NFTREFUSALS_ANY, ipv4, &key,
		   timeout_ms > LOOK_MS ? timeout_ms : LOOK_MS)
		       ? 0
		       : -ENOMEM;
}

/* A host that a binding names is all of its addresses. */
static int add_host(struct nftrules_refuser *refuser,
		    const struct flow_key *host, uint32_t ifindex,
		    uint64_t timeout_ms)
{
	const struct nfthandle_bound *bound;
	struct flow_key flow = *host;
	size_t count, i;
	int error = 0;

	bound = nfthandle_addresses(refuser->rules, host->inside, &count);
	if (count == 0)
		return add_key(refuser, NFTREFUSALS_HOST, host, ifindex,
			       timeout_ms);
	for (i = 0; !error && i < count; i++) {
		memcpy(flow.inside, bound[i].address, sizeof(flow.inside));
		error = add_key(refuser, NFTREFUSALS_HOST, &flow, ifindex,
				timeout_ms);
	}
	return error;
}

/* 0 also when it finds no place: see count_full. */
static int add_refusal(struct nftrules_refuser *refuser, size_t index)
{
	const struct pump_refusal *refusal = &refuser->refusals[index];
	enum nftrefusals_kind kind = kind_of(refusal);
	bool ipv4 = is_ipv4(refusal->key.inside);
	uint32_t ifindex = if_nametoindex(refuser->interfaces[index]);
	uint64_t ms = 0;

	if (ifindex == 0)
		return 0;
	if (refusal->kind != PUMP_LIFT) {
		if (refuser->is_full[kind][ipv4] ||
		    refuser->is_full[NFTREFUSALS_ANY][ipv4] ||
		    refusal->until_ns <= refuser->now_ns)
			return 0;
		ms = (refusal->until_ns - refuser->now_ns + NS_PER_MS - 1) /
		     NS_PER_MS;
	}
	if (kind == NFTREFUSALS_HOST)
		return add_host(refuser, &refusal->key, ifindex, ms);
	return add_key(refuser, kind, &refusal->key, ifindex, ms);
}

static int commit(struct nftrules_refuser *refuser, size_t from, size_t to)
{
	const char *what;
	size_t i;
	int error;

	nftbatch_reset(refuser->batch);
	for (i = from; i < to; i++) {
		error = add_refusal(refuser, i);
		if (error)
			return error;
	}
	return nftbatch_commit(refuser->batch, refuser->socket, &what);
}

/* The one that spoils a transaction.  0: the others may go on without it. */
static int give_up_on(struct nftrules_refuser *refuser, size_t index, int error)
{
	const struct pump_refusal *refusal = &refuser->refusals[index];

	/* Lifted, but its time had run out before. */
	if (error == -ENOENT && refusal->kind == PUMP_LIFT)
		return 0;
	if (error != -ENFILE)
		return error;
	refuser->is_full[kind_of(refusal)][is_ipv4(refusal->key.inside)] = true;
	return 0;
}

/* Halves what the kernel refuses, until only the culprits are left out. */
static int commit_range(struct nftrules_refuser *refuser, size_t from,
			size_t to)
{
	size_t middle = from + (to - from) / 2;
	int error;

	if (from == to)
		return 0;
	error = commit(refuser, from, to);
	if (error == 0 || (error != -ENFILE && error != -ENOENT))
		return error;
	if (to - from == 1)
		return give_up_on(refuser, from, error);
	error = commit_range(refuser, from, middle);
	return error ? error : commit_range(refuser, middle, to);
}

static void count_full(struct nftrules_refuser *refuser, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const struct pump_refusal *refusal = &refuser->refusals[i];
		bool ipv4 = is_ipv4(refusal->key.inside);

		if (refusal->kind != PUMP_LIFT &&
		    (refuser->is_full[kind_of(refusal)][ipv4] ||
		     if_nametoindex(refuser->interfaces[i]) == 0))
			refuser->full++;
	}
}

static void note_end(struct nftrules_refuser *refuser, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		const struct pump_refusal *refusal = &refuser->refusals[i];

		if (refusal->kind == PUMP_REFUSE &&
		    (refuser->until_ns == NS_NEVER ||
		     refuser->until_ns < refusal->until_ns))
			refuser->until_ns = refusal->until_ns;
	}
}

int nftrules_refuse(struct nftrules_refuser *refuser,
		    const struct pump_refusal *refusals,
		    const char *const *interfaces, size_t count,
		    size_t *ret_full, uint64_t now_ns)
{
	int error;

	refuser->family = refuser->rules->refusal_family;
	refuser->refusals = refusals;
	refuser->interfaces = interfaces;
	refuser->now_ns = now_ns;
	refuser->full = 0;
	memset(refuser->is_full, 0, sizeof(refuser->is_full));
	error = commit_range(refuser, 0, count);
	if (error)
		return error;
	count_full(refuser, count);
	note_end(refuser, count);
	*ret_full = refuser->full;
	return 0;
}

uint64_t nftrules_refuser_next_ns(const struct nftrules_refuser *refuser)
{
	return refuser->until_ns;
}

static void empty(struct nftrules_refuser *refuser, const char *name)
{
	struct nlmsghdr *message;

	message = nftbatch_begin(refuser->batch, NFT_MSG_DELSETELEM,
				 refuser->family, 0, "elements of", name);
	if (!message)
		return;
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, NFTPLAN_NAME);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, name);
	nftbatch_end(refuser->batch, message);
}

int nftrules_refuser_advance(struct nftrules_refuser *refuser, uint64_t now_ns)
{
	const char *what;

	if (now_ns < refuser->until_ns)
		return 0;
	refuser->until_ns = NS_NEVER;
	refuser->family = refuser->rules->refusal_family;
	nftbatch_reset(refuser->batch);
	empty(refuser, nftrefusals_set(NFTREFUSALS_ANY, true));
	empty(refuser, nftrefusals_set(NFTREFUSALS_ANY, false));
	return nftbatch_commit(refuser->batch, refuser->socket, &what);
}
