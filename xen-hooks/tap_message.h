/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_MESSAGE_H
#define XEN_HOOKS_TAP_MESSAGE_H

/*
 * What carrier and judge say to each other, as bytes of a stream.  Both run on
 * one machine, so numbers are as it has them.  Whatever is read is checked
 * here: a message that is given out is one that makes sense, and the first that
 * does not ends the stream.  Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-hooks/tap.h"
#include "xen-hooks/tap_stats.h"

enum tapmessage_kind {
	TAPMESSAGE_HELLO,   /* first, of both: which version, which mode */
	TAPMESSAGE_BEAT,    /* nothing else to say */
	TAPMESSAGE_MODE,    /* of the judge: please; of the carrier: from now */
	TAPMESSAGE_PACKET,  /* of the carrier */
	TAPMESSAGE_VERDICT, /* of the judge */
	TAPMESSAGE_FRAME,   /* of the judge: leaves by `interface` */
	TAPMESSAGE_STATS,   /* of the carrier: what it has counted; new ones
			     * come last, for a judge that knows more or fewer */
	TAPMESSAGE_KINDS
};

/* A judge of the first version takes every packet for one wire packet, and so
 * is shown no super-packets. */
enum {
	TAPMESSAGE_VERSION_FIRST = 1,
	TAPMESSAGE_VERSION = 2,
	TAPMESSAGE_SEEN = 0
};

/* Of a packet's id: the carrier knows a lease.  A judge that knows none gives
 * it back as it is, and a carrier that does not never has it. */
#define TAPMESSAGE_MAY_LEASE (UINT64_C(1) << 63)

/* Of a packet that has gone: TAPMESSAGE_SEEN, or one by which the carrier asks
 * for more than its lease. */
static inline bool tapmessage_has_gone(uint64_t id)
{
	return (id & ~TAPMESSAGE_MAY_LEASE) >> 32 == 0;
}

struct tapmessage_head {
	uint32_t length_bytes; /* of all of the message */
	uint32_t kind;
};

struct tapmessage_hello {
	uint32_t version;
	uint32_t mode;
};

struct tapmessage_packet {
	uint64_t id; /* TAPMESSAGE_SEEN: no verdict is waited for */
	uint32_t wire_bytes;
	uint32_t mtu_bytes; /* of the interface it came by; 0: not known */
	uint16_t ethertype;
	uint16_t vlan;  /* a tag beside the bytes; 0: none */
	uint8_t mac[6]; /* its source's */
	uint8_t has_mac;
	uint8_t mode; /* that it was taken in */
	char in[TAP_NAME_BYTES], out[TAP_NAME_BYTES];
	uint32_t wire_pkts; /* of a super-packet; 0: it is none */
};                          /* then its bytes, from layer 3 on */

struct tapmessage_verdict {
	uint64_t id;
	uint32_t verdict;
	uint32_t lease_pkts; /* TAP_PASS: so many more wire packets of its flow
			      * may go, with those that are left, within
			      * TAP_LEASE_NS */
}; /* then, with TAP_REPLACE, the other packet, from layer 3 on */

struct tapmessage_frame {
	char interface[TAP_NAME_BYTES];
}; /* then the frame */

_Static_assert(sizeof(struct tapmessage_head) == 8, "on the wire");
_Static_assert(sizeof(struct tapmessage_hello) == 8, "on the wire");
_Static_assert(sizeof(struct tapmessage_packet) == 64, "on the wire");
_Static_assert(sizeof(struct tapmessage_verdict) == 16, "on the wire");
_Static_assert(sizeof(struct tapmessage_frame) == 16, "on the wire");

/* One that was read; `bytes` are those behind it.  Of STATS they are counters,
 * as many as the other end has. */
struct tapmessage {
	enum tapmessage_kind kind;
	union {
		struct tapmessage_hello hello; /* of MODE, too */
		struct tapmessage_packet packet;
		struct tapmessage_verdict verdict;
		struct tapmessage_frame frame;
	};
	const uint8_t *bytes;
	size_t bytes_count;
};

enum {
	TAPMESSAGE_BYTES_MAX = sizeof(struct tapmessage_head) +
			       sizeof(struct tapmessage_packet) +
			       TAP_PACKET_BYTES,
	/* One that is judged. */
	TAPMESSAGE_HEADERS_MAX =
		TAPMESSAGE_BYTES_MAX - TAP_PACKET_BYTES + TAP_HEADERS_BYTES,
};

/*
 * Read the first message of `length` bytes.  How many bytes it has; 0: it is
 * not all there yet; -EPROTO: this is none.  ret_message->bytes point into
 * `at`.
 */
long tapmessage_read(const uint8_t *at, size_t length,
		     struct tapmessage *ret_message);

/* How many bytes of `ret_bytes` it is; `message` is one that makes sense. */
size_t tapmessage_write(const struct tapmessage *message,
			uint8_t ret_bytes[TAPMESSAGE_BYTES_MAX]);

#endif
