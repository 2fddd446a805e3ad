/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_turns.h"

#include <stdlib.h>
#include <string.h>

#include "flowtable/packet.h"
#include "flowtable/siphash.h"
#include "xen-hooks/tap_carrier.h"

enum { SENDERS = 64, PAIRS = 64 };

#define NOBODY UINT32_MAX

/* Free ones have no queue. */
struct place {
	uint64_t id;
	struct queue *queue;
	uint32_t older, newer;
	uint16_t bytes_count;
	struct tapmessage_packet seen;
	uint8_t bytes[TAP_HEADERS_BYTES];
};

struct queue {
	uint32_t oldest, newest, count;
	uint32_t sender;
};

struct sender {
	uint32_t count, turn; /* of its pairs */
	struct queue pairs[PAIRS];
};

struct tapturns {
	uint8_t seed[16];
	uint32_t count, turn; /* of senders */
	struct sender senders[SENDERS];
	struct place places[];
};

struct tapturns *tapturns_new(uint32_t places, const uint8_t seed[16])
{
	struct tapturns *turns =
		calloc(1, sizeof(*turns) + places * sizeof(turns->places[0]));

	if (turns == NULL)
		return NULL;
	memcpy(turns->seed, seed, sizeof(turns->seed));
	for (uint32_t i = 0; i < SENDERS; i++)
		for (uint32_t j = 0; j < PAIRS; j++)
			turns->senders[i].pairs[j] =
				(struct queue){ NOBODY, NOBODY, 0, i };
	return turns;
}

void tapturns_free(struct tapturns *turns)
{
	free(turns);
}

static struct queue *queue_of(struct tapturns *turns,
			      const struct tapcarrier_packet *packet)
{
	const struct tapmessage_packet *seen = &packet->seen;
	struct {
		char in[TAP_NAME_BYTES], out[TAP_NAME_BYTES];
	} sender;
	struct {
		uint8_t src[16], dst[16];
	} pair = { 0 };
	struct packet_meta meta;
	uint64_t which;

	memcpy(sender.in, seen->in, sizeof(sender.in));
	memcpy(sender.out, seen->out, sizeof(sender.out));
	if (packet_parse(seen->ethertype, packet->bytes,
			 (uint32_t)packet->bytes_count, seen->wire_bytes,
			 &meta) == PACKET_OK) {
		memcpy(pair.src, meta.ends.src, sizeof(pair.src));
		memcpy(pair.dst, meta.ends.dst, sizeof(pair.dst));
	}
	which = siphash13(turns->seed, &sender, sizeof(sender)) % SENDERS;
	return &turns->senders[which]
			.pairs[siphash13(turns->seed, &pair, sizeof(pair)) %
			       PAIRS];
}

void tapturns_add(struct tapturns *turns, uint64_t id,
		  const struct tapcarrier_packet *packet)
{
	uint32_t at = (uint32_t)id;
	struct place *place = &turns->places[at];
	struct queue *queue = queue_of(turns, packet);

	*place = (struct place){
		.id = id,
		.queue = queue,
		.older = queue->newest,
		.newer = NOBODY,
		.seen = packet->seen,
	};
	place->bytes_count = packet->bytes_count < TAP_HEADERS_BYTES
				     ? (uint16_t)packet->bytes_count
				     : TAP_HEADERS_BYTES;
	memcpy(place->bytes, packet->bytes, place->bytes_count);
	if (queue->newest != NOBODY)
		turns->places[queue->newest].newer = at;
	else
		queue->oldest = at;
	queue->newest = at;
	queue->count++;
	turns->senders[queue->sender].count++;
	turns->count++;
}

bool tapturns_is_empty(const struct tapturns *turns)
{
	return turns->count == 0;
}

/* There is one. */
static struct place *first(struct tapturns *turns)
{
	struct sender *sender;

	while (turns->senders[turns->turn].count == 0)
		turns->turn = (turns->turn + 1) % SENDERS;
	sender = &turns->senders[turns->turn];
	while (sender->pairs[sender->turn].count == 0)
		sender->turn = (sender->turn + 1) % PAIRS;
	return &turns->places[sender->pairs[sender->turn].oldest];
}

bool tapturns_first(struct tapturns *turns, uint64_t *ret_id,
		    struct tapcarrier_packet *ret_packet)
{
	const struct place *place;

	if (turns->count == 0)
		return false;
	place = first(turns);
	*ret_id = place->id;
	*ret_packet = (struct tapcarrier_packet){
		.seen = place->seen,
		.bytes = place->bytes,
		.bytes_count = place->bytes_count,
	};
	return true;
}

void tapturns_next(struct tapturns *turns)
{
	const struct place *place = first(turns);
	struct sender *sender = &turns->senders[turns->turn];

	tapturns_leave(turns, (uint32_t)place->id);
	sender->turn = (sender->turn + 1) % PAIRS;
	turns->turn = (turns->turn + 1) % SENDERS;
}

uint64_t tapturns_newest_of_most(const struct tapturns *turns)
{
	const struct sender *sender = &turns->senders[0];
	const struct queue *queue;

	if (turns->count == 0)
		return 0;
	for (uint32_t i = 1; i < SENDERS; i++)
		if (turns->senders[i].count > sender->count)
			sender = &turns->senders[i];
	queue = &sender->pairs[0];
	for (uint32_t i = 1; i < PAIRS; i++)
		if (sender->pairs[i].count > queue->count)
			queue = &sender->pairs[i];
	return turns->places[queue->newest].id;
}

void tapturns_leave(struct tapturns *turns, uint32_t place_at)
{
	struct place *place = &turns->places[place_at];
	struct queue *queue = place->queue;

	if (queue == NULL)
		return;
	if (place->older != NOBODY)
		turns->places[place->older].newer = place->newer;
	else
		queue->oldest = place->newer;
	if (place->newer != NOBODY)
		turns->places[place->newer].older = place->older;
	else
		queue->newest = place->older;
	place->queue = NULL;
	queue->count--;
	turns->senders[queue->sender].count--;
	turns->count--;
}
