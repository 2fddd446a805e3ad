/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_PUMP_WORLD_PACKETS_H
#define TESTS_PUMP_WORLD_PACKETS_H

/* The packets of a pump_world, what the pump says of each, and whether that may
 * be: for the pump_world*.c files only. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/pump.h"
#include "tests/pump_world_policies.h"

struct policy;
struct zones;

enum {
	HOSTS = 4,
	PEERS = 6, /* the last two are guarded as well */
	PORTS = 3,
	FLOWS = HOSTS * PEERS * PORTS,
	PACKETS_MAX = 4096,
	BATCH_MAX = 8,
	SEGMENTS_MAX = 5,
	RECORDS = 32,
};

enum fate { UNKNOWN, ASIDE, WAITS, PASSED, DROPPED };

struct sent_packet {
	uint8_t fate;
	uint8_t flow;
	uint8_t direction; /* out of or into its flow's host */
	bool super;        /* stands for itself and those after it */
	uint8_t segments;
	uint8_t pieces; /* it was put together of so many wire packets */
};

struct world {
	const uint8_t *bytes;
	size_t left;
	struct policy *policies[PUMP_WORLD_POLICIES];
	struct zones *zones;
	struct pump *pump;
	const struct policy *policy; /* in force */
	uint64_t now_ns;
	struct sent_packet packets[PACKETS_MAX]; /* by id */
	uint32_t count;
	uint32_t aside[PACKETS_MAX]; /* ids, each one wire packet */
	uint32_t aside_first, aside_count;
	uint32_t last[FLOWS][2]; /* id + 1 that passed last */
	uint64_t waits, dropped;
	bool rehomed; /* bounds may be passed until nothing waits */
	struct pump_record records[RECORDS];
	size_t records_count;
};

/* With SYMTAP_TRACE. */
void pumpworld_tell(const struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void pumpworld_tell_packet(const struct world *world, const char *what,
			   uint32_t id);

void pumpworld_host_address(uint32_t host, uint8_t address[16]);
void pumpworld_peer_address(uint32_t peer, uint8_t address[16]);

/* `whole`: a super-packet has not been taken apart yet. */
void pumpworld_fill_packet(const struct world *world, uint32_t id, bool whole,
			   struct pump_packet *packet);

/* The verdict of one wire packet, and of all of a super-packet. */
void pumpworld_settle(struct world *world, uint32_t id, uint8_t verdict);
void pumpworld_settle_all(struct world *world, uint32_t id, uint8_t verdict);

/* Every call of the pump's is followed by the first, and by the second when its
 * verdicts were carried out. */
void pumpworld_collect(struct world *world);
void pumpworld_check(struct world *world);

#endif
