/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_HOOKS_TAP_H
#define XEN_HOOKS_TAP_H

/*
 * The network tap: who carries a device's packets lets somebody else judge
 * them, who need not share its memory, its kernel or its fate.
 *
 *	carrier (tap_carrier.h)		has the packets: it sends what is to be
 *					seen of each, and does what is said
 *	judge (tap_judge.h)		says what becomes of each; for its pump
 *					it is one more datapath, so verdicts are
 *					those that NFQUEUE's packets get
 *	wire (tap_wire.h)		messages of tap_message.h between them:
 *					a ring that the carrier's domain grants
 *					(tap_vchan.h), a socket (tap_socket.h)
 *
 * Nobody believes the other: each byte is checked, memory is bounded, and a
 * judge that is silent for TAP_SILENCE_NS is none: what waits goes on or is
 * dropped, as the carrier is told, until there is a judge again.
 */

#include <stdint.h>

/* What the judge may do, from least to most.  It asks, the carrier decides by
 * what it was allowed to grant, and either may change it while packets come. */
enum tap_mode {
	TAP_OBSERVE,   /* packets go on at once, a copy of their headers is
			* counted */
	TAP_INTERPOSE, /* each waits for its verdict, and another may take its
			* place */
	TAP_INTERCEPT, /* each ends at the judge, whole; what leaves the device
			* are frames that the judge makes */
	TAP_MODES
};

enum tap_verdict {
	TAP_PASS,
	TAP_DROP,
	TAP_REPLACE, /* pass the bytes beside the verdict in its place */
	TAP_VERDICTS
};

enum {
	TAP_NAME_BYTES = 16,      /* of an interface, with its zero */
	TAP_HEADERS_BYTES = 192,  /* seen of each packet when it is judged */
	TAP_PACKET_BYTES = 9216,  /* the longest that is carried whole */
	TAP_FRAME_MIN_BYTES = 14, /* an Ethernet header */
	/* Without a gap an id is never used for two packets. */
	TAP_WAITING_MAX = 65536,
};

/* Packets of a flow that conforms, which the judge lets go without being asked:
 * so many at most, in that time, and they are shown to him a little later. */
enum { TAP_LEASE_PKTS = 65535 };
#define TAP_LEASE_NS  UINT64_C(100000000)
#define TAP_UNSAID_NS UINT64_C(20000000)

#define TAP_BEAT_NS    UINT64_C(200000000) /* something is said so often */
#define TAP_SILENCE_NS UINT64_C(800000000)
#define TAP_STATS_NS   UINT64_C(500000000) /* what was counted, as often */
/* For its first word, of a judge that has connected: it may have to set up all
 * else first. */
#define TAP_HELLO_NS UINT64_C(30000000000)

/* "observe" .. */
const char *tap_mode_name(enum tap_mode mode);

#endif
