/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_RING_FILTER_H
#define SHAPER_IO_RING_FILTER_H

/*
 * Filters of the kernel that send packets of one key, as they leave a vif, to
 * the device where they wait (hold_qdisc.h), and there into a class of theirs.
 * Needs clsact, u32 and mirred, and cookies of actions, which Linux has had
 * since 4.11, and no program.  By one thread at a time, with CAP_NET_ADMIN.
 */

#include <stdbool.h>
#include <stdint.h>

#include "flowtable/flow.h"

struct ringfilter;

enum { RINGFILTER_CLASSES = 255 }; /* 1 .. */

/* 0 or -errno. */
int ringfilter_new(struct ringfilter **ret_filter);
void ringfilter_free(struct ringfilter *filter); /* NULL is fine */

struct ringfilter_key {
	struct flow_key key; /* scope flow (TCP or UDP, no fragments, no options
			      * before the ports), or pair */
	uint32_t vif;        /* interface that it comes by */
	uint32_t device;     /* where it waits */
	uint32_t class;
};

/* Once for each vif, before the first of its keys: the kernel then waits until
 * nobody is at work on a packet, which takes 50 ms beside who floods.  0 or
 * -errno. */
int ringfilter_prepare(struct ringfilter *filter, uint32_t vif);

/* 0 or -errno. */
int ringfilter_add(struct ringfilter *filter, const struct ringfilter_key *key);
/* It is not sent there any more; what waits keeps waiting.  Cannot fail. */
void ringfilter_remove(struct ringfilter *filter,
		       const struct ringfilter_key *key);

/* All that one of us left at a vif; no filter of anybody else's.  Cannot
 * fail. */
void ringfilter_clear(struct ringfilter *filter, uint32_t vif);

/* Try it, between the device and itself.  0 or -errno: this kernel cannot. */
int ringfilter_probe(struct ringfilter *filter, uint32_t device);

#endif
