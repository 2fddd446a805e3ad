/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast_left.h"

#include <string.h>
#include <sys/mman.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_counted.h"
#include "shaper/pump_lease.h"

/* Made of fast.bpf.c by the build: the order of what it has in memory. */
#include <bpf/libbpf.h>
#include <fast.skel.h>

#define WINDOW_MAX_NS UINT64_C(60000000000)

enum {
	SEGMENT_BYTES_MAX = 0x7fff,
	HEARD_MAX_PKTS = 1 << 26,
};

const char *fastleft_init(struct fastleft *left, const struct fast_slot *slots,
			  const struct fast_config *config, uint32_t count)
{
	*left = (struct fastleft){
		.table = { .slots = (struct fast_slot *)slots,
			   .count = count,
			   .multipliers = config->multipliers },
		.config = config,
	};
	if (config->version == 0)
		return "who pinned it ended before it was in use";
	if (config->version != FAST_VERSION)
		return "it is of another version";
	if (config->slot_bytes != sizeof(struct fast_slot) ||
	    config->slots_mask != count - 1 || (count & (count - 1)) != 0)
		return "it is damaged";
	return NULL;
}

static bool has_span(const struct fast_slot *slot)
{
	return slot->span_64ns != 0 &&
	       ((uint64_t)slot->span_64ns << FAST_SPAN_SHIFT) * FAST_SPANS <=
		       WINDOW_MAX_NS + 2 * FAST_SPANS * 64;
}

static bool is_leased_pair(const struct fast_slot *slot)
{
	return has_span(slot) && slot->kind == FAST_PAIR &&
	       slot->state & FAST_IN_KERNEL;
}

/* Beside its pair, or in a slot of its own. */
static bool is_leased_flow(const struct fastleft *left, uint32_t at,
			   const struct fast_slot *slot)
{
	struct flow_key pair;
	uint32_t up = at;

	if (!has_span(slot) || !slot->has_flow ||
	    slot->segment_bytes > SEGMENT_BYTES_MAX)
		return false;
	if (slot->kind == FAST_FLOW) {
		fasttable_key(&left->table, at, FLOW_SCOPE_PAIR, &pair);
		up = fasttable_find(&left->table, &pair);
	}
	return up != FASTTABLE_NONE && is_leased_pair(&left->table.slots[up]) &&
	       left->table.slots[up].span_64ns == slot->span_64ns;
}

/* 0: it is of none that the program was attached to. */
static uint32_t ifindex_of(const struct fastleft *left, uint16_t zone)
{
	for (size_t i = 0; i < FAST_INTERFACES; i++)
		if (left->config->interfaces[i].ifindex != 0 &&
		    left->config->interfaces[i].zone == zone)
			return left->config->interfaces[i].ifindex;
	return 0;
}

static bool read_at(const struct fastleft *left, uint32_t at,
		    struct pump_lease *ret_lease, uint32_t *ret_ifindex,
		    uint64_t now_ns)
{
	enum flow_scope scope = left->flows ? FLOW_SCOPE_FLOW : FLOW_SCOPE_PAIR;
	struct fast_slot slot = left->table.slots[at];

	if (left->flows ? !is_leased_flow(left, at, &slot)
			: !is_leased_pair(&slot))
		return false;
	*ret_ifindex = ifindex_of(left, slot.zone);
	if (*ret_ifindex == 0)
		return false;
	fastcounted_read(&left->table, at, scope, now_ns, ret_lease);
	ret_lease->key.zone = 0;
	if (ret_lease->heard_all_pkts > HEARD_MAX_PKTS)
		ret_lease->heard_all_pkts = HEARD_MAX_PKTS;
	return true;
}

bool fastleft_next(struct fastleft *left, struct pump_lease *ret_lease,
		   uint32_t *ret_ifindex, uint64_t now_ns)
{
	for (;;) {
		while (left->at < left->table.count)
			if (read_at(left, left->at++, ret_lease, ret_ifindex,
				    now_ns))
				return true;
		if (left->flows)
			return false;
		left->flows = true;
		left->at = 0;
	}
}

/* ------ maps */

static size_t slots_bytes_of(uint32_t count)
{
	return (size_t)count * FAST_ELEMENTS * sizeof(struct fast_slot);
}

const char *fastleft_open(struct fastleft *left, int slots_fd, int memory_fd,
			  uint32_t slots_count)
{
	size_t slots_bytes = slots_bytes_of(slots_count);
	const struct fast_slot *slots;
	struct symtap__bss *memory;
	const char *wrong;

	slots = mmap(NULL, slots_bytes, PROT_READ, MAP_SHARED, slots_fd, 0);
	if (slots == MAP_FAILED)
		return "it cannot be read";
	memory = mmap(NULL, sizeof(*memory), PROT_READ, MAP_SHARED, memory_fd,
		      0);
	if (memory == MAP_FAILED) {
		munmap((void *)slots, slots_bytes);
		return "it cannot be read";
	}
	wrong = fastleft_init(left, slots, &memory->fast_config, slots_count);
	left->memory = memory;
	if (wrong != NULL)
		fastleft_close(left);
	return wrong;
}

void fastleft_close(struct fastleft *left)
{
	munmap(left->table.slots, slots_bytes_of(left->table.count));
	munmap(left->memory, sizeof(struct symtap__bss));
}
