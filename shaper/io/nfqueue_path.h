/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_PATH_H
#define SHAPER_IO_NFQUEUE_PATH_H

/*
 * What the three queues of an engine share.  nfqueue.c sets them up and is
 * called by the loop; nfqueue_main.c judges packets as they come;
 * nfqueue_hold.c keeps those that wait.  Internal to the data path.
 */

#include <stdbool.h>
#include <stdint.h>

#include "shaper/io/nfqueue.h"
#include "shaper/io/nfqueue_reader.h"
#include "shaper/io/nfqueue_socket.h"
#include "shaper/pump.h"

struct fast_event;
struct fastleases;
struct nfqueue_fast;
struct nfqueue_pace;
struct nfqueue_qdisc;
struct nfqueue_ring;
struct nfqueue_room;

/* Ids have no gaps but for what a socket had no room for. */
struct nfqueue_ids {
	bool seen; /* then */
	uint32_t last;
};

struct nfqueue {
	struct nfqueue_config config;
	struct nfqueue_socket *main, *hold, *waiting; /* the room's */
	struct nfqueue_reader reader;
	struct nfqueue_room *room;
	struct nfqueue_fast *fast;   /* NULL: none */
	struct nfqueue_qdisc *qdisc; /* the same */
	struct nfqueue_pace *pace;   /* the same */
	struct nfqueue_ring *ring;   /* the same */
	struct nfqueue_ids main_ids, hold_ids;

	/* How fast packets come: see pause_ns. */
	uint64_t rate_since_ns;
	uint32_t rate_pkts, rate_supers;
	bool rate_high, drained;

	uint64_t look_ns; /* at the kernel's counters, next */
	struct nfqueue_socket_state main_state, hold_state;
	uint32_t held_pkts; /* in the hold queue, as far as we know */

	struct nfqueue_stats stats;
	struct nfqueue_batch main_batch, hold_batch, waiting_batch;
	struct pump_release releases[NFQUEUE_BATCH];
};

static inline void nfqueue_count(struct nfqueue *nfqueue,
				 enum nfqueue_counter counter, uint64_t by)
{
	nfqueue->stats.counter[counter] += by;
}

/* What is done now and then may be done so much sooner, as one is awake. */
enum { NFQUEUE_EARLY_NS = 50000000 };

/* How many packets before the last of `batch` were never received. */
uint32_t nfqueue_missed(struct nfqueue_ids *ids,
			const struct nfqueue_batch *batch);

/* The kernel's verdict for one of the pump's. */
uint32_t nfqueue_verdict(struct nfqueue *nfqueue, uint8_t verdict,
			 uint8_t shard);

/* A receive failed: counted. */
void nfqueue_note_error(struct nfqueue *nfqueue, int error);

/* One batch of the main queue.  How many messages came, or -errno. */
int nfqueue_receive_main(struct nfqueue *nfqueue, uint64_t now_ns);

/* All of the hold queue.  0 or -errno. */
int nfqueue_receive_hold(struct nfqueue *nfqueue, uint64_t now_ns);

/* The kernel has fewer in the hold queue than we: the pump forgets those that
 * are gone. */
void nfqueue_forget_gone(struct nfqueue *nfqueue, uint64_t now_ns);

/* One batch of the room, and what it leads to in the main queue.  How many
 * messages came, or -errno. */
int nfqueue_receive_room(struct nfqueue *nfqueue, uint64_t now_ns);

/* --- nfqueue_fast.c: what conforms stays in the kernel; all are fine without
 * a fast path */

/* 0 or -errno. */
int nfqueue_fast_new(struct nfqueue *nfqueue);
void nfqueue_fast_free(struct nfqueue *nfqueue);
/* Readable when there is something to receive, until woken. */
int nfqueue_fast_fd(const struct nfqueue *nfqueue);
void nfqueue_fast_wake(struct nfqueue *nfqueue, uint64_t now_ns);
/* Packets in that it tells of. */
void nfqueue_fast_receive(struct nfqueue *nfqueue, uint64_t now_ns);
/* Before the main batch is judged, and after its verdicts. */
void nfqueue_fast_note(struct nfqueue *nfqueue, uint64_t now_ns);
void nfqueue_fast_offer(struct nfqueue *nfqueue, uint64_t now_ns);
uint64_t nfqueue_fast_next_ns(const struct nfqueue *nfqueue);
void nfqueue_fast_advance(struct nfqueue *nfqueue, uint64_t now_ns);
void nfqueue_fast_recall(struct nfqueue *nfqueue, uint64_t now_ns);
/* Zones may be others. */
void nfqueue_fast_set_policy(struct nfqueue *nfqueue);

/* --- nfqueue_qdisc.c: `hold: qdisc`; all but the last two are fine
 * without */

/* 0 or -errno. */
int nfqueue_qdisc_new(struct nfqueue *nfqueue);
void nfqueue_qdisc_free(struct nfqueue *nfqueue);
/* What comes from now on goes on and is not told of. */
void nfqueue_qdisc_shut(struct nfqueue *nfqueue, uint64_t now_ns);
void nfqueue_qdisc_set_policy(struct nfqueue *nfqueue,
			      const struct policy *policy);
void nfqueue_qdisc_count(struct nfqueue *nfqueue);
/* A packet out that the program tells of. */
void nfqueue_qdisc_hear(struct nfqueue *nfqueue, struct fastleases *leases,
			const struct fast_event *event, uint16_t zone,
			uint64_t now_ns);
/* The pump let it go, or would drop it; `ticket` is its id. */
void nfqueue_qdisc_left(struct nfqueue *nfqueue, uint64_t ticket,
			uint8_t verdict);

/* --- nfqueue_pace.c: vifs that are paused; fine without any */

/* Above what is an id, and beside HOLD_TICKET. */
#define NFQUEUE_PACE_TICKET (UINT64_C(1) << 62)

void nfqueue_pace_free(struct nfqueue *nfqueue);
/* Vifs may be others. */
void nfqueue_pace_set_policy(struct nfqueue *nfqueue, uint64_t now_ns);
/* Is it sent by a vif that is paused rather than its packets held? */
bool nfqueue_paces(struct nfqueue *nfqueue, const struct pump_packet *packet);
/* One that was set aside, in single wire packets, goes; where it should wait,
 * the vif does.  Until pump_settle; collects. */
void nfqueue_pace_owe(struct nfqueue *nfqueue, struct pump_packet *packet,
		      uint64_t now_ns);
/* The pump would let it go by now; `id` is a ticket. */
void nfqueue_pace_left(struct nfqueue *nfqueue, uint64_t id);
/* At the end of a wake-up. */
void nfqueue_pace_tell(struct nfqueue *nfqueue);

/* --- nfqueue_ring.c: vifs whose packets wait as they leave them; fine without
 * any */

/* A held packet's id: its class, above the first that it is in the room. */
enum { NFQUEUE_RING_SHIFT = 48 };
static inline uint32_t nfqueue_ring_class(uint64_t id)
{
	return (uint32_t)(id >> NFQUEUE_RING_SHIFT) & 0xff;
}

void nfqueue_ring_free(struct nfqueue *nfqueue);
/* Vifs may be others. */
void nfqueue_ring_set_policy(struct nfqueue *nfqueue);
/* ret_used[zone] becomes true for each that a key of it is of. */
void nfqueue_ring_zones(const struct nfqueue *nfqueue, bool *ret_used);
/* Is it sent by such a vif? */
bool nfqueue_rings(struct nfqueue *nfqueue, const struct pump_packet *packet);
/* It came to the main queue, and may go. */
void nfqueue_ring_passed(struct nfqueue *nfqueue,
			 const struct pump_packet *packet, uint64_t now_ns);
/* Others of its key wait at the vif, so each has to come here. */
bool nfqueue_ring_keeps(struct nfqueue *nfqueue,
			const struct pump_packet *packet);
/* It came there, and must wait: before it is moved, which takes long beside who
 * floods, those that follow it go elsewhere. */
void nfqueue_ring_waits(struct nfqueue *nfqueue,
			const struct pump_packet *packet, uint64_t now_ns);
/* It came to the hold queue: what its id gets, or 0.  Then it was judged
 * there; and when it leaves, by its id. */
uint64_t nfqueue_ring_hold(struct nfqueue *nfqueue,
			   const struct pump_packet *packet);
void nfqueue_ring_judged(struct nfqueue *nfqueue,
			 const struct pump_packet *packet);
void nfqueue_ring_left(struct nfqueue *nfqueue, uint64_t id);
/* At the end of a wake-up. */
void nfqueue_ring_advance(struct nfqueue *nfqueue, uint64_t now_ns);
uint64_t nfqueue_ring_next_ns(const struct nfqueue *nfqueue);
/* What its device dropped, once a second.  false: nobody waits there. */
bool nfqueue_ring_count(struct nfqueue *nfqueue);
/* All that waits goes. */
void nfqueue_ring_close(struct nfqueue *nfqueue);

/* Let those go on who waited in the room for a packet that has left.  At the
 * end of a wake-up, outside of everything else. */
void nfqueue_open_room(struct nfqueue *nfqueue, uint64_t now_ns);

#endif
