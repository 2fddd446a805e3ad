/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_ROOM_H
#define SHAPER_IO_NFQUEUE_ROOM_H

/*
 * Who waits before connection tracking.  While the first packet of a flow is
 * held, its connection is not confirmed, and every packet that went on to
 * tracking would make a connection of its own: with address translation, a
 * source port of its own.  The rules send what follows a first packet to the
 * room's queue; here it is known which firsts are held, and so who must wait.
 *
 * All that comes from the room arrives in the main queue next, and may be set
 * aside there: it is remembered until then, so as not to be taken for firsts.
 * Pure bookkeeping, of bounded size; no I/O.  Internal to the data path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nfqueue_room;
struct pump_packet;

enum {
	NFQUEUE_ROOM_FIRSTS = 4096,  /* flows whose first is held */
	NFQUEUE_ROOM_WAITING = 8192, /* packets, in all */
	NFQUEUE_ROOM_PER_FLOW = 64,  /* what more comes is dropped */
};

/* NULL: out of memory.  `seed` keys the hash of flows. */
struct nfqueue_room *nfqueue_room_new(const uint8_t seed[16]);
void nfqueue_room_free(struct nfqueue_room *room);

/*
 * This packet is going to be held.  If it is the first of its flow, returns
 * what nfqueue_room_left wants when it has left or was dropped; else 0.
 */
uint32_t nfqueue_room_hold(struct nfqueue_room *room,
			   const struct pump_packet *packet);
void nfqueue_room_left(struct nfqueue_room *room, uint32_t first);

enum nfqueue_room_answer {
	NFQUEUE_ROOM_GO,   /* on to the main queue, at once */
	NFQUEUE_ROOM_WAIT, /* its id is kept until nfqueue_room_collect */
	NFQUEUE_ROOM_DROP, /* too many of its flow wait */
};

/* A packet came into the room. */
enum nfqueue_room_answer nfqueue_room_ask(struct nfqueue_room *room,
					  uint32_t id,
					  const struct pump_packet *packet);

/* Ids of packets that need wait no longer, in order.  Returns how many. */
size_t nfqueue_room_collect(struct nfqueue_room *room, uint32_t *ret_ids,
			    size_t max);

/*
 * From nfqueue_room_open to nfqueue_room_shut, flows that were let go
 * (NFQUEUE_ROOM_GO, or collected) have their firsts behind them: their packets
 * are those that now come to the main queue.
 */
void nfqueue_room_open(struct nfqueue_room *room);
void nfqueue_room_shut(struct nfqueue_room *room);

#endif
