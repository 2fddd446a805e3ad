/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_NFQUEUE_RING_H
#define SHAPER_IO_NFQUEUE_RING_H

/* The keys that wait at their vifs.  nfqueue_ring.c is told of packets,
 * nfqueue_ring_stages.c of time.  Internal to these two. */

#include <stdbool.h>
#include <stdint.h>

#include "policy/zones.h"
#include "shaper/io/ring_filter.h"

struct holdqdisc;
struct nfqueue;

enum ring_stage {
	RING_FREE,
	RING_UNCAUGHT, /* by no filter, yet or at all: until none waits */
	RING_HELD,
	RING_OPEN,
	RING_ENDING, /* nothing comes to its class any more */
};

enum ring_zone { RING_UNKNOWN, RING_ELSEWHERE, RING_HERE };

struct ringed {
	enum ring_stage stage;
	struct ringfilter_key where;
	char interface[16];
	uint16_t next;         /* class of the same zone; 0: none */
	uint32_t waiting_pkts; /* here */
	uint32_t passed_pkts;  /* in a row */
	bool tried;            /* UNCAUGHT: to have a filter */
	bool asked;            /* one was let go, and did not come yet */
	bool leaving;          /* with its vif: nothing is held any more */
	uint64_t since_ns;     /* of its stage, or since one was asked for */
	uint64_t came_ns;      /* the last of its packets that came here */
	uint32_t left_pkts;    /* OPEN: of its class, when last looked at */
	bool looked;           /* OPEN: a moment ago */
};

struct nfqueue_ring {
	struct holdqdisc *device;
	struct ringfilter *filter;
	uint32_t first, end; /* classes of this engine */
	uint32_t used;
	uint8_t zones[ZONES_MAX];   /* enum ring_zone */
	uint16_t firsts[ZONES_MAX]; /* class; 0: none */
	bool made[RINGFILTER_CLASSES + 1];
	uint32_t dropped_pkts[RINGFILTER_CLASSES + 1]; /* as it said last */
	struct ringed keys[RINGFILTER_CLASSES + 1];    /* by class */
};

/* Classes that nobody has to wait for.  0 or -errno. */
int nfqueue_ring_prepare(struct nfqueue_ring *ring);

/* Try to give it a filter. */
void nfqueue_ring_catch(struct nfqueue *nfqueue, struct ringed *ringed,
			uint64_t now_ns);

#endif
