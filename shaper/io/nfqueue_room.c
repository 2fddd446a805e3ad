/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/nfqueue_room.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/flow.h"
#include "flowtable/packet_meta.h"
#include "flowtable/siphash.h"
#include "shaper/pump.h"

enum {
	BUCKETS = 2 * NFQUEUE_ROOM_FIRSTS,
	/* Flows let go at once; slots for them, generously. */
	PASSED_MAX = 1024,
	PASSED_SLOTS = 2 * PASSED_MAX,

	PROTO_ICMP = 1,
	PROTO_UDP = 17,
	PROTO_ICMPV6 = 58,
};

/* Indices are one more than the place, so that 0 is none. */
struct first {
	uint64_t flow;
	uint32_t next; /* of its bucket, or of the free ones */
	uint32_t waiting_first, waiting_last;
	uint32_t waiting;
};

struct waiting {
	uint64_t flow;
	uint32_t id;
	uint32_t next;
};

struct nfqueue_room {
	uint8_t seed[16];
	uint32_t buckets[BUCKETS];
	struct first firsts[NFQUEUE_ROOM_FIRSTS];
	uint32_t free_first;
	struct waiting pool[NFQUEUE_ROOM_WAITING];
	uint32_t free_waiting;
	uint32_t ready_first, ready_last;

	bool is_open;
	uint32_t generation, passed_count;
	struct {
		uint64_t flow;
		uint32_t generation;
	} passed[PASSED_SLOTS];
};

struct nfqueue_room *nfqueue_room_new(const uint8_t seed[16])
{
	struct nfqueue_room *room = calloc(1, sizeof(*room));

	if (room == NULL)
		return NULL;
	memcpy(room->seed, seed, sizeof(room->seed));
	for (uint32_t i = 0; i < NFQUEUE_ROOM_FIRSTS; i++) {
		room->firsts[i].next = room->free_first;
		room->free_first = i + 1;
	}
	for (uint32_t i = 0; i < NFQUEUE_ROOM_WAITING; i++) {
		room->pool[i].next = room->free_waiting;
		room->free_waiting = i + 1;
	}
	return room;
}

void nfqueue_room_free(struct nfqueue_room *room)
{
	free(room);
}

/* Only these may have several packets under way before an answer comes. */
static bool is_concerned(const struct pump_packet *packet)
{
	const struct packet_meta *meta = &packet->meta;

	return meta->kind == PACKET_UNICAST &&
	       (meta->ends.proto == PROTO_UDP ||
		meta->ends.proto == PROTO_ICMP ||
		meta->ends.proto == PROTO_ICMPV6);
}

static uint64_t flow_of(const struct nfqueue_room *room,
			const struct pump_packet *packet)
{
	struct flow_key key;

	flow_key_of(&packet->meta, FLOW_OUT, packet->src_zone, &key);
	return siphash13(room->seed, &key, sizeof(key));
}

/* ------ flows that were let go just now */

void nfqueue_room_open(struct nfqueue_room *room)
{
	room->is_open = true;
	room->generation++;
	room->passed_count = 0;
}

void nfqueue_room_shut(struct nfqueue_room *room)
{
	room->is_open = false;
}

static uint32_t passed_slot(const struct nfqueue_room *room, uint64_t flow)
{
	uint32_t at = (uint32_t)(flow % PASSED_SLOTS);

	while (room->passed[at].generation == room->generation &&
	       room->passed[at].flow != flow)
		at = (at + 1) % PASSED_SLOTS;
	return at;
}

static void note_passed(struct nfqueue_room *room, uint64_t flow)
{
	uint32_t at;

	if (!room->is_open || room->passed_count == PASSED_MAX)
		return;
	at = passed_slot(room, flow);
	if (room->passed[at].generation == room->generation)
		return;
	room->passed[at].generation = room->generation;
	room->passed[at].flow = flow;
	room->passed_count++;
}

static bool has_passed(const struct nfqueue_room *room, uint64_t flow)
{
	return room->is_open &&
	       room->passed[passed_slot(room, flow)].generation ==
		       room->generation;
}

/* ------ firsts that are held */

static struct first *find_first(struct nfqueue_room *room, uint64_t flow)
{
	uint32_t at = room->buckets[flow % BUCKETS];

	while (at != 0 && room->firsts[at - 1].flow != flow)
		at = room->firsts[at - 1].next;
	return at == 0 ? NULL : &room->firsts[at - 1];
}

uint32_t nfqueue_room_hold(struct nfqueue_room *room,
			   const struct pump_packet *packet)
{
	uint32_t at = room->free_first;
	uint32_t *bucket;
	uint64_t flow;

	if (!is_concerned(packet) || at == 0)
		return 0;
	flow = flow_of(room, packet);
	/* A super-packet's segments share a connection: one stands for all. */
	if (has_passed(room, flow) || find_first(room, flow) != NULL)
		return 0;
	room->free_first = room->firsts[at - 1].next;
	bucket = &room->buckets[flow % BUCKETS];
	room->firsts[at - 1] = (struct first){ .flow = flow, .next = *bucket };
	*bucket = at;
	return at;
}

void nfqueue_room_left(struct nfqueue_room *room, uint32_t first)
{
	struct first *gone = &room->firsts[first - 1];
	uint32_t *at = &room->buckets[gone->flow % BUCKETS];

	while (*at != first)
		at = &room->firsts[*at - 1].next;
	*at = gone->next;
	if (gone->waiting_first != 0) {
		if (room->ready_last != 0)
			room->pool[room->ready_last - 1].next =
				gone->waiting_first;
		else
			room->ready_first = gone->waiting_first;
		room->ready_last = gone->waiting_last;
	}
	gone->next = room->free_first;
	room->free_first = first;
}

/* ------ who waits for them */

enum nfqueue_room_answer nfqueue_room_ask(struct nfqueue_room *room,
					  uint32_t id,
					  const struct pump_packet *packet)
{
	uint32_t at = room->free_waiting;
	struct first *first;
	uint64_t flow;

	if (!is_concerned(packet))
		return NFQUEUE_ROOM_GO;
	flow = flow_of(room, packet);
	first = find_first(room, flow);
	if (first == NULL) {
		note_passed(room, flow);
		return NFQUEUE_ROOM_GO;
	}
	if (at == 0 || first->waiting == NFQUEUE_ROOM_PER_FLOW)
		return NFQUEUE_ROOM_DROP;
	room->free_waiting = room->pool[at - 1].next;
	room->pool[at - 1] = (struct waiting){ .flow = flow, .id = id };
	if (first->waiting_last != 0)
		room->pool[first->waiting_last - 1].next = at;
	else
		first->waiting_first = at;
	first->waiting_last = at;
	first->waiting++;
	return NFQUEUE_ROOM_WAIT;
}

size_t nfqueue_room_collect(struct nfqueue_room *room, uint32_t *ret_ids,
			    size_t max)
{
	size_t count = 0;
	uint32_t at;

	while (count < max && (at = room->ready_first) != 0) {
		ret_ids[count++] = room->pool[at - 1].id;
		note_passed(room, room->pool[at - 1].flow);
		room->ready_first = room->pool[at - 1].next;
		if (room->ready_first == 0)
			room->ready_last = 0;
		room->pool[at - 1].next = room->free_waiting;
		room->free_waiting = at;
	}
	return count;
}
