/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_TAP_BED_H
#define TESTS_UNIT_TAP_BED_H

/* The carrier's end of the tap, over a real socket, on a clock of the test's:
 * the test is the judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_socket.h"

#define MS UINT64_C(1000000)

enum { PACKETS = 512, NO_VERDICT = 99, WAITING = 64 };

struct bed {
	struct tapcarrier *carrier;
	struct tapwire judge;
	struct tapinbox inbox;
	int carrier_fd;
	uint64_t now_ns;
	uint8_t verdicts[PACKETS];
	uint32_t verdicts_count;
	uint8_t replaced[64];
	size_t replaced_count;
	char frame_interface[TAP_NAME_BYTES];
	size_t frame_bytes;
	enum tap_mode mode;
	bool super_packets;
};

static inline void on_verdict(void *self, uint64_t token,
			      enum tap_verdict verdict, const uint8_t *bytes,
			      size_t count)
{
	struct bed *bed = self;

	assert_true(token < PACKETS);
	/* Each once. */
	assert_int_equal(bed->verdicts[token], NO_VERDICT);
	bed->verdicts[token] = (uint8_t)verdict;
	bed->verdicts_count++;
	if (verdict == TAP_REPLACE) {
		memcpy(bed->replaced, bytes, count);
		bed->replaced_count = count;
	}
}

static inline void on_frame(void *self, const char *interface,
			    const uint8_t *bytes, size_t count)
{
	struct bed *bed = self;

	(void)bytes;
	memcpy(bed->frame_interface, interface, TAP_NAME_BYTES);
	bed->frame_bytes = count;
}

static inline void on_mode(void *self, enum tap_mode mode, bool super_packets)
{
	struct bed *bed = self;

	bed->mode = mode;
	bed->super_packets = super_packets;
}

/* By a wire that is as `change` makes it, unless that is NULL. */
static inline void connect_by(struct bed *bed, void (*change)(struct tapwire *))
{
	struct tapwire wire;
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	tapsocket_wire(ends[0], &wire);
	tapsocket_wire(ends[1], &bed->judge);
	bed->inbox = (struct tapinbox){ 0 };
	if (change != NULL)
		change(&wire);
	tapcarrier_connect(bed->carrier, &wire, bed->now_ns);
}

static inline void connect_anew(struct bed *bed)
{
	connect_by(bed, NULL);
}

static inline void bed_init(struct bed *bed, enum tap_mode most, bool fail_open)
{
	const struct tapcarrier_config config = {
		.most = most,
		.fail_open = fail_open,
		.waiting_max = WAITING,
		.longest_ns = 5000 * MS,
	};
	const struct tapcarrier_owner owner = { on_verdict, on_frame, on_mode,
						bed };

	*bed = (struct bed){ .now_ns = 1000 * MS };
	memset(bed->verdicts, NO_VERDICT, sizeof(bed->verdicts));
	bed->carrier = tapcarrier_new(&config, &owner);
	assert_non_null(bed->carrier);
	connect_anew(bed);
}

static inline void bed_fini(struct bed *bed)
{
	tapcarrier_free(bed->carrier);
	bed->judge.close(bed->judge.self);
}

static inline void advance(struct bed *bed, uint64_t span_ns)
{
	bed->now_ns += span_ns;
	tapcarrier_advance(bed->carrier, true, bed->now_ns);
}

/* As an owner does who has nothing else to do. */
static inline void ask_all(struct bed *bed)
{
	while (tapcarrier_next_ns(bed->carrier) <= bed->now_ns)
		advance(bed, 0);
}

/* As the judge. */
static inline void say(struct bed *bed, const struct tapmessage *message)
{
	assert_int_equal(tapwire_say(&bed->judge, message), 0);
	advance(bed, 0);
}

static inline void say_mode(struct bed *bed, enum tapmessage_kind kind,
			    enum tap_mode mode)
{
	const struct tapmessage message = {
		.kind = kind, .hello = { TAPMESSAGE_VERSION, mode }
	};

	say(bed, &message);
}

static inline void say_verdict(struct bed *bed, uint64_t id,
			       enum tap_verdict verdict)
{
	const struct tapmessage message = {
		.kind = TAPMESSAGE_VERDICT,
		.verdict = { .id = id, .verdict = verdict },
		.bytes = (const uint8_t *)"other",
		.bytes_count = verdict == TAP_REPLACE ? 5 : 0,
	};

	say(bed, &message);
}

/* The next of this kind; what comes before it is left out. */
static inline bool hear(struct bed *bed, enum tapmessage_kind kind,
			struct tapmessage *ret_message)
{
	while (tapinbox_next(&bed->inbox, &bed->judge, ret_message) == 1)
		if (ret_message->kind == kind)
			return true;
	return false;
}

static inline void offer(struct bed *bed, uint64_t token, size_t bytes,
			 uint32_t wire_bytes)
{
	static const uint8_t packet[2 * TAP_PACKET_BYTES] = { 0x45 };
	struct tapcarrier_packet offered = {
		.token = token,
		.seen = { .wire_bytes = wire_bytes,
			  .ethertype = 0x0800,
			  .in = "vif1.0",
			  .out = "eth0" },
		.bytes = packet,
		.bytes_count = bytes,
	};

	tapcarrier_offer(bed->carrier, &offered, bed->now_ns);
}

static inline void offer_by(struct bed *bed, uint64_t token,
			    const uint8_t *packet, uint32_t bytes,
			    const char *in)
{
	struct tapcarrier_packet offered = {
		.token = token,
		.seen = { .wire_bytes = bytes,
			  .mtu_bytes = 1500,
			  .ethertype = 0x0800,
			  .out = "eth0" },
		.bytes = packet,
		.bytes_count = bytes,
	};

	memcpy(offered.seen.in, in, strlen(in));
	tapcarrier_offer(bed->carrier, &offered, bed->now_ns);
}

/* Of TCP between two hosts, 40 bytes that could be a flow's. */
static inline void offer_tcp(struct bed *bed, uint64_t token, uint8_t port,
			     uint8_t flags, const char *in)
{
	uint8_t packet[40] = { 0x45, 0, 0, 40, 0,   0, 0, 0, 64,   6,    0, 0,
			       10,   0, 0, 1,  192, 0, 2, 1, 0x80, port, 0, 80,
			       0,    0, 0, 1,  0,   0, 0, 1, 0x50, flags };

	offer_by(bed, token, packet, sizeof(packet), in);
}

static inline uint64_t counter(const struct bed *bed,
			       enum tapcarrier_counter which)
{
	return tapcarrier_stats(bed->carrier)->counter[which];
}

#endif
