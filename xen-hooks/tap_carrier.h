/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_CARRIER_H
#define XEN_HOOKS_TAP_CARRIER_H

/*
 * The end of the tap that has the packets.  It shows them to the judge and
 * tells its owner what becomes of each; without a judge, at once, what it was
 * told to do then.  One thread; no clock, and no I/O but by its wire.
 *
 *	tapcarrier_offer		on_verdict once for each, now or later
 *	poll wire.fd for tapcarrier_events, and tapcarrier_next_ns()
 *	  tapcarrier_advance
 *	tapcarrier_connect		when it is not, or no longer, connected
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/tap.h"
#include "xen-hooks/tap_stats.h"
#include "xen-hooks/tap_wire.h"

struct tapcarrier;

struct tapcarrier_config {
	enum tap_mode most;   /* that the judge may ask for */
	bool fail_open;       /* what no judge judges is passed */
	uint32_t waiting_max; /* for a verdict; 1..TAP_WAITING_MAX */
	uint64_t longest_ns;  /* then, it is as if there were no judge */
	uint8_t seed[16];     /* random; keys the hash of leases */
};

struct tapcarrier_packet {
	uint64_t token;                /* the owner's, for on_verdict */
	struct tapmessage_packet seen; /* id and mode: the carrier's */
	const uint8_t *bytes;          /* from layer 3 on */
	size_t bytes_count;
};

struct tapcarrier_owner {
	/* Of a packet; `bytes` are there with TAP_REPLACE. */
	void (*on_verdict)(void *self, uint64_t token, enum tap_verdict verdict,
			   const uint8_t *bytes, size_t count);
	/* Put a frame on an interface. */
	void (*on_frame)(void *self, const char *interface,
			 const uint8_t *bytes, size_t count);
	/* From now; TAP_INTERCEPT wants packets whole.  `super_packets`: and
	 * they may be shown, with the number of their wire packets. */
	void (*on_mode)(void *self, enum tap_mode mode, bool super_packets);
	void *self;
};

/* NULL: out of memory. */
struct tapcarrier *tapcarrier_new(const struct tapcarrier_config *config,
				  const struct tapcarrier_owner *owner);
/* What waits gets the verdict of `fail`. */
void tapcarrier_free(struct tapcarrier *carrier);

/* Speak with the judge by `wire`, which is closed when it is lost. */
void tapcarrier_connect(struct tapcarrier *carrier, const struct tapwire *wire,
			uint64_t now_ns);

/* Close it, if there is one; what waits gets the verdict of `fail`. */
void tapcarrier_lose(struct tapcarrier *carrier);

/* There is a wire; of tapcarrier_connect until it is lost. */
bool tapcarrier_is_connected(const struct tapcarrier *carrier);
bool tapcarrier_is_judged(const struct tapcarrier *carrier);

/* Poll wire.fd for them. */
short tapcarrier_events(const struct tapcarrier *carrier);

/*
 * One more would not have to be left unjudged.  A flood must not get past its
 * judge by being more than can be told: where packets can wait until then, as
 * in a kernel's queue, do not offer them meanwhile.
 */
bool tapcarrier_has_room(const struct tapcarrier *carrier);

void tapcarrier_offer(struct tapcarrier *carrier,
		      const struct tapcarrier_packet *packet, uint64_t now_ns);

/* From now on grant no more than this, and `most`. */
void tapcarrier_allow(struct tapcarrier *carrier, enum tap_mode mode,
		      uint64_t now_ns);

/* Read the wire and look at the time.  `readable`: its fd is. */
void tapcarrier_advance(struct tapcarrier *carrier, bool readable,
			uint64_t now_ns);
/* When it has something to do although nothing is readable. */
uint64_t tapcarrier_next_ns(const struct tapcarrier *carrier);

const struct tapcarrier_stats *
tapcarrier_stats(const struct tapcarrier *carrier);

#endif
