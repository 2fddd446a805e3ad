/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_READER_H
#define SHAPER_IO_NFQUEUE_READER_H

/*
 * The kernel's messages to packets that a pump can judge: bytes are parsed,
 * interfaces become zones, later fragments get their ports, and what was put
 * together on its way here is counted.  Internal to the NFQUEUE data path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shaper/io/nfqueue_socket.h"
#include "shaper/io/nfqueue_stats.h"
#include "shaper/pump.h"

struct fragments;
struct ifnames;
struct policy;
struct zones;

enum { NFQUEUE_ZONE_CACHE = 256 };

/* The packets of one receive, and what becomes of each. */
struct nfqueue_batch {
	size_t count; /* packets */
	uint32_t ids[NFQUEUE_BATCH];
	size_t judged_count;
	uint16_t judged[NFQUEUE_BATCH]; /* which of those the pump is asked */
	uint32_t marks[NFQUEUE_BATCH];  /* of those, */
	struct pump_packet packets[NFQUEUE_BATCH]; /* and about what */
};

struct nfqueue_reader {
	struct zones *zones;         /* borrowed */
	const struct policy *policy; /* borrowed; see nfqueue_reader_forget */
	uint8_t shard, shards;
	uint32_t shard_seed;
	struct nfqueue_stats *stats; /* borrowed */

	/* the reader's own */
	struct ifnames *names;
	struct fragments *fragments;
	bool of_bridge; /* what comes: packets in a VLAN are told apart */
	uint32_t names_generation; /* that the cache is made from */
	uint32_t cache_generation;
	struct nfqueue_zone_cached {
		uint32_t ifindex;
		uint16_t vlan;
		uint16_t zone;
		uint32_t mtu_bytes;  /* 0: not known */
		uint32_t generation; /* of the cache; 0: empty */
	} cache[NFQUEUE_ZONE_CACHE];
};

/* The first members are filled in, the rest is 0.  0 or -errno. */
int nfqueue_reader_init(struct nfqueue_reader *reader, uint32_t fragments,
			const uint8_t seed[16]);
void nfqueue_reader_fini(struct nfqueue_reader *reader);

/* What the socket received last.  `again`: these were read before, in the
 * main queue, and are not counted again. */
void nfqueue_reader_read(struct nfqueue_reader *reader,
			 const struct nfqueue_socket *socket, size_t messages,
			 bool again, uint64_t now_ns,
			 struct nfqueue_batch *ret_batch);

/* The same for a packet that the kernel program tells of: one in, that has left
 * by `zone`'s interface, or one out that came by it.  false: nothing in it that
 * could be judged. */
struct fast_event;
bool nfqueue_reader_hear(struct nfqueue_reader *reader,
			 const struct fast_event *event, uint16_t zone,
			 uint64_t now_ns, struct pump_packet *ret_packet);

/* Which engine's the guarded host of this address is. */
uint8_t nfqueue_reader_shard(const struct nfqueue_reader *reader,
			     const uint8_t address[16], uint16_t zone);

/* Interfaces came, went or have changed.  0 or -errno. */
int nfqueue_reader_names_fd(const struct nfqueue_reader *reader);
int nfqueue_reader_read_names(struct nfqueue_reader *reader);

/* The zones are to be looked up anew, because the policy is another. */
void nfqueue_reader_forget(struct nfqueue_reader *reader);

#endif
