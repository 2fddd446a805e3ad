/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flowtable/fragments.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "flowtable/packet.h"
#include "flowtable/siphash.h"

enum {
	WAYS = 8,       /* of a set, in one direction */
	OWNER_WAYS = 2, /* of those, for one guarded end */
	SET_ENTRIES = 2 * WAYS,
	ENTRIES_MAX = 1 << 24,
};

/* All-zero is a free place: no key hashes to 0. */
struct entry {
	uint64_t key;
	uint64_t made_ns;
	uint32_t owner;
	uint16_t src_port;
	uint16_t dst_port;
	uint8_t proto;
	uint8_t kind;
	uint8_t unused[6];
};
_Static_assert(sizeof(struct entry) == 32, "two entries a cache line");

struct fragments {
	uint8_t seed[16];
	uint32_t sets; /* a power of two */
	struct fragments_stats stats;
	struct entry entries[]; /* sets x direction x ways */
};

/* What is hashed: no holes. */
struct fragment_key {
	uint8_t src[16];
	uint8_t dst[16];
	uint32_t id;
	uint16_t zone;
	uint8_t proto;
	uint8_t direction;
};
_Static_assert(sizeof(struct fragment_key) == 40, "fragment_key has holes");

struct owner_key {
	uint8_t addr[16];
	uint16_t zone;
};
_Static_assert(sizeof(struct owner_key) == 18, "owner_key has holes");

struct fragments *fragments_new(uint32_t entries, const uint8_t seed[16])
{
	struct fragments *fragments;
	uint32_t sets = 1;

	while (sets < ENTRIES_MAX / SET_ENTRIES && sets * SET_ENTRIES < entries)
		sets *= 2;
	fragments =
		calloc(1, sizeof(*fragments) + (size_t)sets * SET_ENTRIES *
						       sizeof(struct entry));
	if (!fragments)
		return NULL;
	memcpy(fragments->seed, seed, sizeof(fragments->seed));
	fragments->sets = sets;
	return fragments;
}

void fragments_free(struct fragments *fragments)
{
	free(fragments);
}

/* IPv6 reassembles by addresses and id alone (RFC 8200 4.5), and the fragments
 * of one packet may differ in what they call its protocol. */
static uint64_t key_of(const struct fragments *fragments,
		       const struct packet_meta *meta,
		       enum flow_direction direction, uint16_t zone)
{
	struct fragment_key key = {
		.id = meta->fragment_id,
		.zone = zone,
		.proto = meta->ethertype == 0x0800 ? meta->ends.proto : 0,
		.direction = (uint8_t)direction,
	};
	uint64_t hash;

	memcpy(key.src, meta->ends.src, 16);
	memcpy(key.dst, meta->ends.dst, 16);
	hash = siphash13(fragments->seed, &key, sizeof(key));
	return hash ? hash : 1;
}

static uint32_t owner_of(const struct fragments *fragments,
			 const struct packet_meta *meta,
			 enum flow_direction direction, uint16_t zone)
{
	const uint8_t *addr = direction == FLOW_OUT ? meta->ends.src
						    : meta->ends.dst;
	struct owner_key owner = { .zone = zone };

	memcpy(owner.addr, addr, meta->ethertype == 0x0800 ? 16 : 8);
	return (uint32_t)siphash13(fragments->seed, &owner, sizeof(owner));
}

static bool is_live(const struct entry *entry, uint64_t now_ns)
{
	return entry->key != 0 &&
	       (now_ns < entry->made_ns ||
		now_ns - entry->made_ns < FRAGMENTS_TIMEOUT_NS);
}

static struct entry *set_of(struct fragments *fragments, uint64_t key,
			    enum flow_direction direction)
{
	size_t set = (uint32_t)key & (fragments->sets - 1);

	return &fragments->entries[set * SET_ENTRIES +
				   (direction == FLOW_OUT ? 0 : WAYS)];
}

static struct entry *find(struct entry *set, uint64_t key, uint64_t now_ns)
{
	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key && is_live(&set[i], now_ns))
			return &set[i];
	}
	return NULL;
}

static int places_of(const struct entry *set, uint32_t owner, uint64_t now_ns)
{
	int places = 0;

	for (int i = 0; i < WAYS; i++)
		places += is_live(&set[i], now_ns) && set[i].owner == owner;
	return places;
}

/* The oldest place of whoever would have most.  The owner counts with what it
 * asks for, and at its share gives up one of its own even if others are free.
 */
static struct entry *place_for(struct entry *set, uint32_t owner,
			       uint64_t now_ns)
{
	bool at_share = places_of(set, owner, now_ns) >= OWNER_WAYS;
	struct entry *place = NULL;
	int most = 0;

	for (int i = 0; i < WAYS; i++) {
		int places;

		if (!is_live(&set[i], now_ns)) {
			if (at_share)
				continue;
			return &set[i];
		}
		places = places_of(set, set[i].owner, now_ns) +
			 (set[i].owner == owner);
		if (places > most ||
		    (places == most && set[i].made_ns < place->made_ns)) {
			place = &set[i];
			most = places;
		}
	}
	return place;
}

static void note_first(struct fragments *fragments,
		       const struct packet_meta *meta,
		       enum flow_direction direction, uint16_t zone,
		       uint64_t now_ns)
{
	uint64_t key = key_of(fragments, meta, direction, zone);
	uint32_t owner = owner_of(fragments, meta, direction, zone);
	struct entry *set = set_of(fragments, key, direction);
	struct entry *entry = find(set, key, now_ns);

	if (!entry) {
		entry = place_for(set, owner, now_ns);
		if (is_live(entry, now_ns))
			fragments->stats.evicted++;
	}
	*entry = (struct entry){
		.key = key,
		.made_ns = now_ns,
		.owner = owner,
		.src_port = meta->ends.src_port,
		.dst_port = meta->ends.dst_port,
		.proto = meta->ends.proto,
		.kind = meta->kind,
	};
}

static bool follow(struct fragments *fragments, struct packet_meta *meta,
		   enum flow_direction direction, uint16_t zone,
		   uint64_t now_ns)
{
	uint64_t key = key_of(fragments, meta, direction, zone);
	const struct entry *entry =
		find(set_of(fragments, key, direction), key, now_ns);

	if (!entry)
		return false;
	meta->ends.src_port = entry->src_port;
	meta->ends.dst_port = entry->dst_port;
	meta->ends.proto = entry->proto;
	meta->kind = entry->kind;
	return true;
}

enum fragments_result fragments_resolve(struct fragments *fragments,
					struct packet_meta *meta,
					enum flow_direction direction,
					uint16_t zone, uint64_t now_ns)
{
	switch ((enum packet_fragment)meta->fragment) {
	case PACKET_WHOLE:
		break;
	case PACKET_FIRST_FRAGMENT:
		note_first(fragments, meta, direction, zone, now_ns);
		fragments->stats.first++;
		return FRAGMENTS_FIRST;
	case PACKET_LATER_FRAGMENT:
		if (follow(fragments, meta, direction, zone, now_ns)) {
			fragments->stats.followed++;
			return FRAGMENTS_FOLLOWED;
		}
		fragments->stats.orphaned++;
		return FRAGMENTS_ORPHANED;
	}
	return FRAGMENTS_WHOLE;
}

enum {
	IPV4_MTU_MIN = 68,   /* RFC 791 3.2 */
	IPV6_MTU_MIN = 1280, /* RFC 8200 5 */
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	FRAGMENT_BYTES = 8, /* IPv6's header for it */
};

/* All but the last carry a multiple of 8 bytes. */
uint16_t fragments_count(uint16_t ethertype, uint32_t length_bytes,
			 uint32_t mtu_bytes)
{
	bool v6 = ethertype == 0x86dd;
	uint32_t mtu_min_bytes = v6 ? IPV6_MTU_MIN : IPV4_MTU_MIN;
	uint32_t ip_bytes = v6 ? IPV6_BYTES : IPV4_BYTES;
	uint32_t last_bytes, room_bytes, others;

	if (length_bytes <= mtu_bytes || mtu_bytes == 0 ||
	    length_bytes <= mtu_min_bytes)
		return 1;
	if (mtu_bytes < mtu_min_bytes)
		mtu_bytes = mtu_min_bytes;
	last_bytes = mtu_bytes - ip_bytes - (v6 ? FRAGMENT_BYTES : 0);
	room_bytes = last_bytes & ~7u;
	others = (length_bytes - ip_bytes - last_bytes - 1) / room_bytes + 1;
	return others < UINT16_MAX ? (uint16_t)(others + 1) : UINT16_MAX;
}

const struct fragments_stats *fragments_stats(const struct fragments *fragments)
{
	return &fragments->stats;
}
