/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_H
#define SHAPER_IO_FAST_H

/*
 * What the kernel program of shaper/bpf and the daemon share, as the daemon
 * sees it: the table of leases, what it is told, what the program counted, and
 * which interfaces it works for.  Whoever has the privileges loads the program
 * (shaper/io/fast_program.h) and hands over three descriptors; from then on
 * nothing here makes a bpf(2) call.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edt_memory;
struct fast;
struct fast_counts;
struct fast_event;
struct fast_slot;
struct hold_memory;

enum {
	FAST_TEXT_BYTES = 256,
	FAST_PLACES = 256, /* of interfaces */
	FAST_PORTS = 16,   /* of bridges, by which others are reached */
};

struct fast_options {
	uint32_t slots;     /* a power of two */
	uint32_t mark_mask; /* four adjacent bits */
	uint8_t seed[16];   /* random; keys the hash */
	bool consent;       /* `evidence: consent` */
	bool test;          /* time is fast_set_time's */
	bool pump_only;     /* `hold: pump`; it is loaded sooner */
};

/* Of its maps: the table, the ring, what else it has in memory. */
struct fast_fds {
	int slots, heard, memory;
};

/* Of a program that was just loaded with the same options.  Takes the
 * descriptors over, also when it fails.  0 or -errno. */
int fast_open(const struct fast_options *options, const struct fast_fds *fds,
	      struct fast **ret_fast);
/* Load it as well, for tests.  0 or -errno; then ret_wrong says why this
 * kernel has no fast path. */
int fast_new(const struct fast_options *options, struct fast **ret_fast,
	     char ret_wrong[FAST_TEXT_BYTES]);
void fast_free(struct fast *fast);

/*
 * The interfaces have FAST_PLACES places.  The main thread names a place and
 * tells its zone, while no engine changes its policy; and when the program is
 * attached, its index makes it count.  A zone is the first place that is in it:
 * each engine knows what number of its own that is.
 */
void fast_set_name(struct fast *fast, size_t at, const char *name);
/* "": nobody's place. */
const char *fast_name(const struct fast *fast, size_t at);
void fast_set_zone(struct fast *fast, size_t at, uint16_t zone);
uint16_t fast_zone(const struct fast *fast, size_t at);
/* 0: no longer. */
void fast_set_ifindex(struct fast *fast, size_t at, uint32_t ifindex);
uint32_t fast_ifindex(const struct fast *fast, size_t at);
/* To any.  By each thread. */
bool fast_is_attached(const struct fast *fast);
/* false: it is not one of them. */
bool fast_zone_of(const struct fast *fast, uint32_t ifindex,
		  uint16_t *ret_zone);

/* `direct`: what is leased there may leave by a port of this bridge, past it;
 * 0: not. */
void fast_set_direct(struct fast *fast, size_t at, uint32_t bridge);

/* Place `at` of FAST_PORTS; all 0: nobody's any more.  What was heard by any of
 * them is forgotten.  A place is another's no sooner than a program that saw it
 * before has ended. */
struct fast_port {
	uint32_t ifindex, bridge;
	uint32_t most_bytes; /* of a frame, with its header */
	uint8_t bridge_mac[6];
};
void fast_set_uplink(struct fast *fast, size_t at,
		     const struct fast_port *uplink);
/* All this holds until then, and not at all before it is said. */
void fast_set_direct_until(struct fast *fast, uint64_t until_ns);

void fast_set_consent(struct fast *fast, bool consent);
/* A leased pair keeps to its interface and MAC: those that it was leased with,
 * which nftables had nothing against. */
void fast_set_links(struct fast *fast, bool links);

/* The interfaces are a bridge's ports. */
void fast_set_bridge(struct fast *fast, bool bridge);

/* The shared memory, all 0. */
struct fast_slot *fast_slots(const struct fast *fast, uint32_t *ret_count);
/* How many of them are in use by all engines: theirs to count. */
uint32_t *fast_taken(struct fast *fast);
void fast_hash_key(const struct fast *fast, uint64_t *ret_k0, uint64_t *ret_k1);

/* `hold: qdisc`, all 0. */
struct hold_memory *fast_hold(const struct fast *fast);

/* `hold: edt`, all 0. */
struct edt_memory *fast_edt(const struct fast *fast);

/* The lowest of the mark's bits; all of them. */
uint32_t fast_mark(const struct fast *fast, uint32_t skb_mark);

/* Packets that came in and are to be heard of: readable, and one after the
 * other.  `on_event` must not free.  Returns how many. */
int fast_fd(const struct fast *fast);
size_t fast_receive(struct fast *fast,
		    void (*on_event)(void *self, const struct fast_event *),
		    void *self);

/* Sums over all processors. */
void fast_count(const struct fast *fast, struct fast_counts *ret_counts);

/* For tests: one frame through the program, as if at an attached interface
 * whose ifindex is 1.  The mark it got, or -errno. */
struct fast_frame {
	const uint8_t *bytes;
	uint32_t count_bytes;
	uint32_t mark;
	uint32_t gso_size, gso_segs;
	uint32_t came_by; /* in: an ifindex; 0: as 1 */
	bool out;
};
void fast_set_time(struct fast *fast, uint64_t now_ns);
void fast_set_test_zone(struct fast *fast, uint16_t zone);
/* Keys are looked up, and nothing is done with them. */
void fast_set_test_looks(struct fast *fast, bool looks);
int fast_run(struct fast *fast, const struct fast_frame *frame,
	     uint32_t *ret_mark);
/* A frame out: when it may leave; 0: now; UINT64_MAX: it is dropped. */
int fast_run_departs(struct fast *fast, const struct fast_frame *frame,
		     uint64_t *ret_ns);
/* A frame out: does it leave past the bridge? */
int fast_run_redirects(struct fast *fast, const struct fast_frame *frame,
		       bool *ret_redirects);
/* Nanoseconds for each of `times` runs. */
int fast_run_ns(struct fast *fast, const struct fast_frame *frame, int times,
		uint32_t *ret_ns);

#endif
