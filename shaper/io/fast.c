/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/fast.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shaper/bpf/fast_maps.h"
#include "shaper/io/fast_index.h"
#include "shaper/io/fast_program.h"

/* Made of fast.bpf.c by the build; it uses the above. */
#include <fast.skel.h>

enum { EVENTS_MAX = 1024 }; /* at once */

_Static_assert((int)FAST_PLACES == (int)FAST_INTERFACES, "one each");
_Static_assert((int)FAST_PORTS == (int)FAST_UPLINKS, "one each");

struct fast {
	struct fastprogram *program; /* NULL: somebody else's */
	struct fast_fds fds;
	struct symtap__bss *memory;
	struct ring_buffer *ring;
	struct fast_slot *slots;
	uint32_t slots_count, slots_taken;
	uint32_t attached; /* interfaces */
	char names[FAST_INTERFACES][IF_NAMESIZE];
	void (*on_event)(void *self, const struct fast_event *event);
	void *on_event_self;
	size_t received;
};

/* Whoever fills the ring as fast as it is read is not to keep us there. */
static int on_sample(void *self, void *data, size_t bytes)
{
	struct fast *fast = self;

	if (bytes >= sizeof(struct fast_event)) {
		fast->received++;
		fast->on_event(fast->on_event_self, data);
	}
	return fast->received < EVENTS_MAX ? 0 : -EAGAIN;
}

static void configure(struct fast *fast, const struct fast_options *options)
{
	struct fast_config *config = &fast->memory->fast_config;

	memcpy(&config->k0, options->seed, sizeof(config->k0));
	memcpy(&config->k1, options->seed + 8, sizeof(config->k1));
	config->version = FAST_VERSION;
	config->slot_bytes = sizeof(struct fast_slot);
	fast_multipliers_init(&config->multipliers, config->k0, config->k1);
	config->consent = options->consent;
	config->slots_mask = options->slots - 1;
	config->mark_mask = options->mark_mask;
	config->mark_shift = (uint32_t)__builtin_ctz(options->mark_mask);
	config->interfaces_count = FAST_INTERFACES;
}

static size_t slots_bytes(const struct fast *fast)
{
	return (size_t)fast->slots_count * FAST_ELEMENTS *
	       sizeof(struct fast_slot);
}

static void *map(int fd, size_t bytes)
{
	void *memory =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static int share(struct fast *fast)
{
	fast->slots = map(fast->fds.slots, slots_bytes(fast));
	fast->memory = map(fast->fds.memory, sizeof(*fast->memory));
	if (fast->slots == NULL || fast->memory == NULL)
		return -errno;
	fast->ring = ring_buffer__new(fast->fds.heard, on_sample, fast, NULL);
	return fast->ring == NULL ? -errno : 0;
}

static void close_fds(const struct fast_fds *fds)
{
	close(fds->slots);
	close(fds->heard);
	close(fds->memory);
}

int fast_open(const struct fast_options *options, const struct fast_fds *fds,
	      struct fast **ret_fast)
{
	struct fast *fast = calloc(1, sizeof(*fast));
	int error;

	if (fast == NULL) {
		close_fds(fds);
		return -ENOMEM;
	}
	fast->fds = *fds;
	fast->slots_count = options->slots;
	error = share(fast);
	if (error < 0) {
		fast_free(fast);
		return error;
	}
	configure(fast, options);
	*ret_fast = fast;
	return 0;
}

static int open_own(const struct fast_options *options,
		    const struct fastprogram *program, struct fast **ret_fast)
{
	struct fast_fds fds;

	fastprogram_fds(program, &fds);
	fds.slots = dup(fds.slots);
	fds.heard = dup(fds.heard);
	fds.memory = dup(fds.memory);
	return fast_open(options, &fds, ret_fast);
}

int fast_new(const struct fast_options *options, struct fast **ret_fast,
	     char ret_wrong[FAST_TEXT_BYTES])
{
	struct fastprogram *program;
	int error = fastprogram_new(options, &program, ret_wrong);

	if (error < 0)
		return error;
	error = fastprogram_load(program, ret_wrong);
	if (error < 0) {
		fastprogram_free(program);
		return error;
	}
	error = open_own(options, program, ret_fast);
	if (error < 0) {
		snprintf(ret_wrong, FAST_TEXT_BYTES,
			 "there is no memory for what it shares");
		fastprogram_free(program);
		return error;
	}
	(*ret_fast)->program = program;
	return 0;
}

void fast_free(struct fast *fast)
{
	if (fast == NULL)
		return;
	fastprogram_free(fast->program);
	ring_buffer__free(fast->ring);
	if (fast->slots != NULL)
		munmap(fast->slots, slots_bytes(fast));
	if (fast->memory != NULL)
		munmap(fast->memory, sizeof(*fast->memory));
	close_fds(&fast->fds);
	free(fast);
}

/* ------ interfaces */

static struct fast_interface *place(const struct fast *fast, size_t at)
{
	return &fast->memory->fast_config.interfaces[at];
}

void fast_set_name(struct fast *fast, size_t at, const char *name)
{
	snprintf(fast->names[at], sizeof(fast->names[at]), "%s", name);
}

const char *fast_name(const struct fast *fast, size_t at)
{
	return fast->names[at];
}

void fast_set_zone(struct fast *fast, size_t at, uint16_t zone)
{
	__atomic_store_n(&place(fast, at)->zone, zone, __ATOMIC_RELAXED);
}

uint16_t fast_zone(const struct fast *fast, size_t at)
{
	return (uint16_t)__atomic_load_n(&place(fast, at)->zone,
					 __ATOMIC_RELAXED);
}

uint32_t fast_ifindex(const struct fast *fast, size_t at)
{
	return __atomic_load_n(&place(fast, at)->ifindex, __ATOMIC_ACQUIRE);
}

bool fast_is_attached(const struct fast *fast)
{
	return __atomic_load_n(&fast->attached, __ATOMIC_RELAXED) > 0;
}

void fast_set_ifindex(struct fast *fast, size_t at, uint32_t ifindex)
{
	uint32_t before = fast_ifindex(fast, at);

	if (before == ifindex)
		return;
	if (before == 0)
		__atomic_add_fetch(&fast->attached, 1, __ATOMIC_RELAXED);
	else if (ifindex == 0)
		__atomic_sub_fetch(&fast->attached, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&place(fast, at)->ifindex, ifindex, __ATOMIC_RELEASE);
	fastindex_make(&fast->memory->fast_config);
}

bool fast_zone_of(const struct fast *fast, uint32_t ifindex, uint16_t *ret_zone)
{
	uint32_t at = fast_place_of(&fast->memory->fast_config, ifindex);

	if (at == FAST_INTERFACES)
		return false;
	*ret_zone = fast_zone(fast, at);
	return true;
}

void fast_set_direct(struct fast *fast, size_t at, uint32_t bridge)
{
	__atomic_store_n(&place(fast, at)->bridge, bridge, __ATOMIC_RELEASE);
}

void fast_set_uplink(struct fast *fast, size_t at,
		     const struct fast_port *uplink)
{
	struct fast_uplink *to = &fast->memory->fast_config.uplinks[at];

	__atomic_store_n(&to->bridge, 0, __ATOMIC_SEQ_CST);
	memset(fast->memory->symtap_ways, 0, sizeof(fast->memory->symtap_ways));
	to->ifindex = uplink->ifindex;
	to->most_bytes = uplink->most_bytes;
	to->bridge_mac = 0;
	memcpy(&to->bridge_mac, uplink->bridge_mac, sizeof(uplink->bridge_mac));
	__atomic_store_n(&to->bridge, uplink->bridge, __ATOMIC_RELEASE);
}

void fast_set_direct_until(struct fast *fast, uint64_t until_ns)
{
	__atomic_store_n(&fast->memory->fast_config.direct_until_ns, until_ns,
			 __ATOMIC_RELEASE);
}

void fast_set_links(struct fast *fast, bool links)
{
	fast->memory->fast_config.links = links;
}

void fast_set_bridge(struct fast *fast, bool bridge)
{
	fast->memory->fast_config.bridge = bridge;
}

void fast_set_consent(struct fast *fast, bool consent)
{
	fast->memory->fast_config.consent = consent;
}

/* ------ what is shared */

struct fast_slot *fast_slots(const struct fast *fast, uint32_t *ret_count)
{
	*ret_count = fast->slots_count;
	return fast->slots;
}

uint32_t *fast_taken(struct fast *fast)
{
	return &fast->slots_taken;
}

void fast_hash_key(const struct fast *fast, uint64_t *ret_k0, uint64_t *ret_k1)
{
	*ret_k0 = fast->memory->fast_config.k0;
	*ret_k1 = fast->memory->fast_config.k1;
}

struct hold_memory *fast_hold(const struct fast *fast)
{
	return &fast->memory->symtap_hold;
}

struct edt_memory *fast_edt(const struct fast *fast)
{
	return &fast->memory->symtap_edt;
}

uint32_t fast_mark(const struct fast *fast, uint32_t skb_mark)
{
	const struct fast_config *config = &fast->memory->fast_config;

	return (skb_mark & config->mark_mask) >> config->mark_shift;
}

int fast_fd(const struct fast *fast)
{
	return ring_buffer__epoll_fd(fast->ring);
}

size_t fast_receive(struct fast *fast,
		    void (*on_event)(void *self, const struct fast_event *),
		    void *self)
{
	fast->on_event = on_event;
	fast->on_event_self = self;
	fast->received = 0;
	ring_buffer__consume(fast->ring);
	return fast->received;
}

void fast_count(const struct fast *fast, struct fast_counts *ret_counts)
{
	const struct fast_counts *counts = fast->memory->fast_counts;
	struct fast_counts sum = { 0 };

	for (size_t i = 0; i < FAST_PROCESSORS; i++) {
		sum.out_passed_pkts += counts[i].out_passed_pkts;
		sum.in_passed_pkts += counts[i].in_passed_pkts;
		sum.steered_pkts += counts[i].steered_pkts;
		sum.given_back += counts[i].given_back;
		sum.told += counts[i].told;
		sum.untold += counts[i].untold;
		sum.direct_pkts += counts[i].direct_pkts;
	}
	*ret_counts = sum;
}

/* ------ tests */

void fast_set_time(struct fast *fast, uint64_t now_ns)
{
	fast->memory->fast_test_now_ns = now_ns;
}

void fast_set_test_zone(struct fast *fast, uint16_t zone)
{
	fast_set_zone(fast, 0, zone);
	fast_set_ifindex(fast, 0, 1);
}

void fast_set_test_looks(struct fast *fast, bool looks)
{
	fast->memory->fast_test_looks = looks;
}

int fast_run(struct fast *fast, const struct fast_frame *frame,
	     uint32_t *ret_mark)
{
	uint32_t span_ns;

	return fastprogram_run(fast->program, frame, 1, ret_mark, &span_ns);
}

int fast_run_departs(struct fast *fast, const struct fast_frame *frame,
		     uint64_t *ret_ns)
{
	return fastprogram_departs(fast->program, frame, ret_ns);
}

int fast_run_redirects(struct fast *fast, const struct fast_frame *frame,
		       bool *ret_redirects)
{
	return fastprogram_redirects(fast->program, frame, ret_redirects);
}

int fast_run_ns(struct fast *fast, const struct fast_frame *frame, int times,
		uint32_t *ret_ns)
{
	uint32_t mark;

	return fastprogram_run(fast->program, frame, times, &mark, ret_ns);
}
