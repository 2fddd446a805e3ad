/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where symtapd was built without the fast path: there never is one, so what
 * needs one is not called. */
#include "shaper/io/fast.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int fast_new(const struct fast_options *options, struct fast **ret_fast,
	     char ret_wrong[FAST_TEXT_BYTES])
{
	(void)options;
	(void)ret_fast;
	snprintf(ret_wrong, FAST_TEXT_BYTES, "it was built without");
	return -EOPNOTSUPP;
}

void fast_free(struct fast *fast)
{
	(void)fast;
}

int fast_attach(struct fast *fast, const char *interface, uint16_t zone,
		char ret_wrong[FAST_TEXT_BYTES])
{
	(void)fast;
	(void)interface;
	(void)zone;
	(void)ret_wrong;
	abort();
}

size_t fast_interfaces(const struct fast *fast)
{
	(void)fast;
	abort();
}

const char *fast_interface(const struct fast *fast, size_t at)
{
	(void)fast;
	(void)at;
	abort();
}

const char *fast_way(const struct fast *fast, size_t at)
{
	(void)fast;
	(void)at;
	abort();
}

void fast_set_consent(struct fast *fast, bool consent)
{
	(void)fast;
	(void)consent;
	abort();
}

void fast_set_zone(struct fast *fast, size_t at, uint16_t zone)
{
	(void)fast;
	(void)at;
	(void)zone;
	abort();
}

bool fast_zone_of(const struct fast *fast, uint32_t ifindex, uint16_t *ret_zone)
{
	(void)fast;
	(void)ifindex;
	(void)ret_zone;
	abort();
}

struct fast_slot *fast_slots(const struct fast *fast, uint32_t *ret_count)
{
	(void)fast;
	(void)ret_count;
	abort();
}

void fast_hash_key(const struct fast *fast, uint64_t *ret_k0, uint64_t *ret_k1)
{
	(void)fast;
	(void)ret_k0;
	(void)ret_k1;
	abort();
}

struct hold_memory *fast_hold(const struct fast *fast)
{
	(void)fast;
	abort();
}

uint32_t fast_mark(const struct fast *fast, uint32_t skb_mark)
{
	(void)fast;
	(void)skb_mark;
	abort();
}

int fast_fd(const struct fast *fast)
{
	(void)fast;
	abort();
}

size_t fast_receive(struct fast *fast,
		    void (*on_event)(void *self, const struct fast_event *),
		    void *self)
{
	(void)fast;
	(void)on_event;
	(void)self;
	abort();
}

void fast_count(const struct fast *fast, struct fast_counts *ret_counts)
{
	(void)fast;
	(void)ret_counts;
	abort();
}
