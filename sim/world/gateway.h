/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORLD_GATEWAY_H
#define SIM_WORLD_GATEWAY_H

/*
 * The pump between inside and outside, fed as the daemon's queues feed it: what
 * is to wait is set aside and brought back at once.  Refusals in the kernel,
 * which only spare work, are left out.  Without a policy: a plain forwarder.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/pump.h"

struct parcel;
struct policy;
struct stats;
struct zones;

struct gateway {
	struct pump *pump; /* NULL: a plain forwarder */
	struct zones *zones;
	uint16_t zone;
};

/* false: out of memory; gateway_fini all the same. */
bool gateway_init(struct gateway *gateway, const struct policy *policy,
		  uint64_t seed, uint64_t now_ns);
void gateway_fini(struct gateway *gateway);

/* The same policy once more. */
void gateway_reload(struct gateway *gateway, const struct policy *policy,
		    uint64_t now_ns);

/* What waits is dropped; collect it. */
void gateway_drain(struct gateway *gateway, uint64_t now_ns);

/* The pump ends, and another begins with what the first saved.  Drain it
 * before.  false: out of memory, and there is none. */
bool gateway_restart(struct gateway *gateway, const struct policy *policy,
		     uint64_t seed, uint64_t now_ns);

/* A parcel arrives.  PUMP_WAIT: its id comes from gateway_collect.  Call that
 * afterwards; what it gives left before this one. */
enum pump_verdict gateway_offer(struct gateway *gateway,
				const struct parcel *parcel, uint32_t id,
				uint64_t now_ns);

/* Up to `max` that go, or are dropped, now.  Call until 0. */
size_t gateway_collect(struct gateway *gateway,
		       struct pump_release *ret_releases, size_t max);

uint64_t gateway_next_ns(const struct gateway *gateway);
void gateway_advance(struct gateway *gateway, uint64_t now_ns);

/* Zeroed without a pump. */
void gateway_stats(const struct gateway *gateway, struct stats *ret_stats);

#endif
