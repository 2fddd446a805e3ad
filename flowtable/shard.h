/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_SHARD_H
#define FLOWTABLE_SHARD_H

/*
 * Which engine a guarded host belongs to.  The kernel's rules compute the same
 * from a packet's bytes: Jenkins' hash over the 4 or 16 bytes of the address
 * as they lie in an nftables register.
 */

#include <stdint.h>

enum { SHARDS_MAX = 64 };

/*
 * The shard, 0..shards - 1, of the host that policy_host_of answered (IPv4 as
 * ::ffff:a.b.c.d, IPv6 as its prefix, host bits 0).  `shards` is 1..SHARDS_MAX
 * and `seed` the one that the rules were given.  Cannot fail.
 */
uint8_t shard_of(const uint8_t host[16], uint32_t seed, uint8_t shards);

/* The kernel's jhash(): lookup3 over `length` bytes.  Cannot fail. */
uint32_t shard_jhash(const uint8_t *bytes, uint32_t length, uint32_t seed);

#endif
