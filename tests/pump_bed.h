/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PUMP_BED_H
#define TESTS_PUMP_BED_H

/*
 * A pump on a virtual clock, with nothing around it: what an adapter does, in
 * the smallest form.  Every packet set aside is brought back at once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/pump.h"
#include "shaper/snapshot.h"

enum bed_fate { BED_UNKNOWN, BED_PASSED, BED_WAITS, BED_DROPPED };

struct bed_packet {
	uint64_t left_ns; /* passed or dropped */
	uint8_t fate;     /* enum bed_fate */
};

struct bed {
	struct policy *policy;
	struct zones *zones;
	struct pump *pump;
	uint64_t now_ns;
	struct bed_packet *packets; /* by id, as they were offered */
	size_t count, capacity;
	uint64_t order[65536]; /* ids that came out late, as collected */
	size_t order_count;
};

struct policy;

/* `yaml` is the policy without `inside`, which is 10.0.0.0/8 and 2001:db8::/32;
 * enforced unless it says its mode.  The caller frees it.  Fails the test when
 * it does not parse. */
struct policy *bed_policy(const char *yaml);

/* The same, and plain S decides unless `yaml` says what is evidence. */
void bed_init(struct bed *bed, const char *yaml);
/* One that begins amid traffic (pump_config.amid). */
void bed_init_amid(struct bed *bed, const char *yaml);
void bed_fini(struct bed *bed);

/* "10.0.0.1:1000 > 192.0.2.1:53"; protocols "udp", "tcp", "icmp". */
void bed_packet(struct pump_packet *packet, const char *protocol,
		const char *src, uint16_t src_port, const char *dst,
		uint16_t dst_port);

/* Of one connection between 10.0.0.1 and 192.0.2.1:80, out or in. */
struct pump_packet bed_tcp(uint16_t port, uint8_t flags, bool in);

/* Run timers up to `now_ns`, each at its time. */
void bed_run(struct bed *bed, uint64_t now_ns);

/* Offer one packet at `now_ns`; returns its id. */
uint64_t bed_offer(struct bed *bed, const struct pump_packet *packet,
		   uint64_t now_ns);

/* How many of ids first..last were passed by `now_ns`. */
size_t bed_passed(const struct bed *bed, uint64_t first, uint64_t last,
		  uint64_t now_ns);

/* How many left from `from_ns` on and before `to_ns`. */
size_t bed_passed_between(const struct bed *bed, uint64_t from_ns,
			  uint64_t to_ns);

uint64_t bed_counter(const struct bed *bed, enum stats_counter counter);

/* The row of a key; false: it is not known. */
bool bed_row(struct bed *bed, enum flow_scope scope, const char *inside,
	     const char *outside, struct snapshot_row *ret_row);

void bed_address(const char *text, uint8_t ret_address[16]);

#endif
