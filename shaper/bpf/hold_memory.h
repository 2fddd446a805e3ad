/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_BPF_HOLD_MEMORY_H
#define SHAPER_BPF_HOLD_MEMORY_H

/*
 * `hold: qdisc`: which packets wait before a bridge.  Shared by the kernel
 * program and the daemon: also compiled for BPF.
 *
 * The program tells the daemon of each packet out that is not of a leased pair,
 * and either lets it go on or redirects it to a device where it waits, in a
 * class of its pair's, until the daemon lets one leave (hold_qdisc.h).  It
 * goes on only within a credit: so many packets of a pair and of a host may
 * have left of which the daemon did not say yet that they might.  One that
 * should have waited waits in the daemon's books, and keeps its credit until
 * its turn comes: so a flood gains its credit once, and no more.
 *
 * Pairs and hosts stand in buckets by a keyed hash, which hold nothing but
 * these counts; who shares one shares its credit.
 */

#include <stdint.h>

enum {
	HOLD_PAIRS = 4096, /* buckets; powers of two */
	HOLD_HOSTS = 1024,
	HOLD_OWN = 64,   /* classes that one pair has for itself: 1.. */
	HOLD_SHARED = 8, /* and those behind them, by host */
	HOLD_CLASSES = 1 + HOLD_OWN + HOLD_SHARED, /* 0: none */
	HOLD_ROOM = 128,                           /* a power of two */
	HOLD_PROBES = 8,
	HOLD_PAIR_PKTS = 4, /* the credits */
	HOLD_HOST_PKTS = 16,
};

/* All are wire packets. */
struct hold_bucket {
	uint32_t ahead;   /* went on, no word yet */
	uint32_t waiting; /* in a class */
	uint32_t class;   /* pair: where; a guess, see hold_class.owner */
};

struct hold_class {
	uint32_t owner; /* 1 + its pair; 0: free.  Not for shared ones */
	uint32_t waiting;
};

struct hold_memory {
	uint32_t ifindex; /* where they wait; 0: nothing is held so */
	uint32_t major;   /* of its classes, as in skb->priority */
	uint32_t pair_most_pkts, host_most_pkts, most_pkts; /* may wait */
	uint32_t waiting;
	uint64_t full_pkts;   /* dropped: so many waited */
	uint64_t untold_pkts; /* dropped: the ring was full */
	struct hold_bucket pairs[HOLD_PAIRS];
	struct hold_bucket hosts[HOLD_HOSTS];
	struct hold_class classes[HOLD_ROOM];
};

/* What the daemon is told of a packet out, as it gives it back to the pump. */
enum {
	HOLD_TICKET_HOST_SHIFT = 16,  /* pair: 16 bits */
	HOLD_TICKET_CLASS_SHIFT = 32, /* 0: it went on */
	HOLD_TICKET_MARK_SHIFT = 40,  /* of fastleases_note */
};
#define HOLD_TICKET (UINT64_C(1) << 63) /* it is one */

static inline uint32_t hold_ticket_pair(uint64_t ticket)
{
	return (uint32_t)ticket & (HOLD_PAIRS - 1);
}

static inline uint32_t hold_ticket_host(uint64_t ticket)
{
	return (uint32_t)(ticket >> HOLD_TICKET_HOST_SHIFT) & (HOLD_HOSTS - 1);
}

static inline uint32_t hold_ticket_class(uint64_t ticket)
{
	return (uint32_t)(ticket >> HOLD_TICKET_CLASS_SHIFT) & 0xff;
}

static inline uint32_t hold_ticket_mark(uint64_t ticket)
{
	return (uint32_t)(ticket >> HOLD_TICKET_MARK_SHIFT) & 0xff;
}

#endif
