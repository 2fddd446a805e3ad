/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_TAP_QUEUE_H
#define SHAPER_IO_TAP_QUEUE_H

/*
 * A kernel queue for who carries packets to a judge elsewhere: as much of each
 * is copied as is asked for, and a verdict may bring another packet.
 *
 * Each is one wire packet, or where super-packets are asked for, one of TCP's
 * whose segments are known (tap_segments.h).  All others are taken apart: they
 * are moved to the queue of the next number, which the kernel does before it
 * takes another verdict, and read from there before anything else is.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tapqueue;

struct tapqueue_packet {
	uint64_t id;
	uint32_t in_ifindex, out_ifindex; /* ports, where it is a bridge's */
	uint32_t wire_bytes;
	uint16_t wire_pkts; /* 1; of a super-packet: its segments */
	uint16_t ethertype;
	uint16_t vlan; /* a tag beside the bytes; 0: none */
	uint8_t mac[6];
	bool has_mac;
	const uint8_t *bytes; /* from layer 3 on; until the next call */
	size_t bytes_count;
};

/* Take the queue, and the next one: what finds no room among `length_pkts` goes
 * on (fail open) or is dropped.  0 or -errno. */
int tapqueue_new(uint16_t queue, uint32_t length_pkts, bool fail_open,
		 struct tapqueue **ret_queue);
/* What still waits is dropped by the kernel.  NULL is fine. */
void tapqueue_free(struct tapqueue *queue);

/* Poll both for reading. */
int tapqueue_fd(const struct tapqueue *queue);
int tapqueue_apart_fd(const struct tapqueue *queue);
/* That one is readable: somebody else's rules fill it. */
void tapqueue_read_apart(struct tapqueue *queue);

/* What comes from now on finds no room: it goes on (fail open) or is dropped.
 * What came before is still read, and waits for its verdict.  0 or -errno. */
int tapqueue_shut(struct tapqueue *queue);

/* From now on copy so much of each, and take super-packets as they are.
 * 0 or -errno. */
int tapqueue_copy(struct tapqueue *queue, uint32_t bytes, bool super_packets);

/* 1: a packet; 0: none for now; or -errno. */
int tapqueue_next(struct tapqueue *queue, struct tapqueue_packet *ret_packet);

/* Pass or drop it; `bytes`, unless NULL, take its place.  What is dropped the
 * kernel hears of with tapqueue_flush at the latest. */
void tapqueue_verdict(struct tapqueue *queue, uint64_t id, bool pass,
		      const uint8_t *bytes, size_t count);
void tapqueue_flush(struct tapqueue *queue);

#endif
