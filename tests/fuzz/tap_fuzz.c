/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as what the other end of a tap says: messages that are given out
 * are the bytes that they came as, every packet gets one verdict, and neither
 * end is led to more. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/pump.h"
#include "xen-hooks/tap_carrier.h"
#include "xen-hooks/tap_judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

enum { PACKETS = 64, MS = 1000000 };

/* The other end: it says the input, in parts. */
struct mouth {
	const uint8_t *bytes;
	size_t left;
	bool closed;
	uint32_t heard, asked;
};

static void wake(void *self)
{
	(void)self;
}

static int hear_all(void *self, const uint8_t *bytes, size_t count)
{
	struct mouth *mouth = self;
	struct tapmessage message;

	assert(count > 0 && count <= TAPMESSAGE_BYTES_MAX);
	while (count > 0) {
		long length = tapmessage_read(bytes, count, &message);

		assert(length > 0);
		bytes += length;
		count -= (size_t)length;
	}
	mouth->heard++;
	return mouth->heard % 7 == 6 ? -EAGAIN : 0;
}

static bool has_room(void *self, size_t bytes)
{
	(void)self;
	(void)bytes;
	return true;
}

/* Every third time, so that packets take turns. */
static size_t unread_bytes(void *self)
{
	struct mouth *mouth = self;

	return mouth->asked++ % 3 == 2 ? UINT16_MAX : 0;
}

static ssize_t speak(void *self, uint8_t *ret_bytes, size_t room)
{
	struct mouth *mouth = self;
	size_t count = mouth->left % 211;

	if (mouth->left == 0)
		return -ENOTCONN;
	count = count == 0 ? 1 : count;
	if (count > mouth->left)
		count = mouth->left;
	assert(count <= room);
	memcpy(ret_bytes, mouth->bytes, count);
	mouth->bytes += count;
	mouth->left -= count;
	return (ssize_t)count;
}

static void close_mouth(void *self)
{
	struct mouth *mouth = self;

	assert(!mouth->closed);
	mouth->closed = true;
}

static bool has_other(void *self)
{
	(void)self;
	return true;
}

static struct tapwire wire_of(struct mouth *mouth)
{
	return (struct tapwire){ .self = mouth,
				 .fd = -1,
				 .has_other = has_other,
				 .wake = wake,
				 .send = hear_all,
				 .has_room = has_room,
				 .unread_bytes = unread_bytes,
				 .receive = speak,
				 .close = close_mouth };
}

static void check_messages(const uint8_t *bytes, size_t size_bytes)
{
	static uint8_t written[TAPMESSAGE_BYTES_MAX];
	struct tapmessage message;
	long length;

	while ((length = tapmessage_read(bytes, size_bytes, &message)) > 0) {
		assert(message.bytes + message.bytes_count == bytes + length);
		assert(tapmessage_write(&message, written) == (size_t)length);
		assert(memcmp(written, bytes, (size_t)length) == 0);
		bytes += length;
		size_bytes -= (size_t)length;
	}
}

/* ------ a hostile judge */

struct owner {
	uint8_t verdicts[PACKETS];
};

static void on_verdict(void *self, uint64_t token, enum tap_verdict verdict,
		       const uint8_t *bytes, size_t count)
{
	struct owner *owner = self;

	assert(token < PACKETS && owner->verdicts[token] == 0);
	assert(verdict < TAP_VERDICTS && count <= TAP_PACKET_BYTES);
	assert((verdict == TAP_REPLACE) == (bytes != NULL && count > 0));
	owner->verdicts[token] = 1;
}

static void on_frame(void *self, const char *interface, const uint8_t *bytes,
		     size_t count)
{
	(void)self;
	(void)bytes;
	assert(strlen(interface) > 0 && strlen(interface) < TAP_NAME_BYTES);
	assert(count >= TAP_FRAME_MIN_BYTES && count <= TAP_PACKET_BYTES);
}

static void on_mode(void *self, enum tap_mode mode, bool super_packets)
{
	(void)self;
	(void)super_packets;
	assert(mode < TAP_MODES);
}

static void judge_badly(const uint8_t *bytes, size_t size_bytes, uint8_t most)
{
	/* Of one flow, and what is not to be read. */
	static const uint8_t packets[2][28] = {
		{ 0x45, 0, 0, 28,  0, 0, 0, 0, 64, 17, 0,  0, 10,
		  0,    0, 1, 192, 0, 2, 1, 4, 0,  0,  53, 0, 8 },
		{ 0x45 },
	};
	const struct tapcarrier_config config = {
		.most = most % TAP_MODES,
		.waiting_max = 16,
		.longest_ns = 300u * MS,
	};
	struct mouth mouth = { .bytes = bytes, .left = size_bytes };
	const struct tapwire wire = wire_of(&mouth);
	struct owner owner = { 0 };
	const struct tapcarrier_owner callbacks = { on_verdict, on_frame,
						    on_mode, &owner };
	struct tapcarrier *carrier = tapcarrier_new(&config, &callbacks);
	uint64_t now_ns = 1000u * MS;

	tapcarrier_connect(carrier, &wire, now_ns);
	for (uint64_t i = 0; i < PACKETS; i++) {
		const struct tapcarrier_packet offered = {
			.token = i,
			.seen = { .wire_bytes = sizeof(packets[0]),
				  .mtu_bytes = 1500,
				  .ethertype = 0x0800,
				  .in = "vif1.0" },
			.bytes = packets[i % 8 == 7],
			.bytes_count = sizeof(packets[0]),
		};

		tapcarrier_offer(carrier, &offered, now_ns);
		now_ns += 10u * MS;
		tapcarrier_advance(carrier, true, now_ns);
	}
	tapcarrier_free(carrier);
	for (size_t i = 0; i < PACKETS; i++)
		assert(owner.verdicts[i] == 1);
	assert(mouth.closed);
}

/* ------ a hostile carrier */

static struct policy *policy_once(void)
{
	static const char text[] = "mode: enforce\ninside: [10.0.0.0/8]\n"
				   "limits: {pairs: 4096, flows: 4096, "
				   "hosts: 256, fragments: 256}\n";
	static struct policy_errors errors;
	static struct policy *policy;

	if (policy == NULL)
		policy_parse("fuzz", text, sizeof(text) - 1, &policy, &errors);
	return policy;
}

static void carry_badly(const uint8_t *bytes, size_t size_bytes)
{
	struct mouth mouth = { .bytes = bytes, .left = size_bytes };
	struct policy *policy = policy_once();
	uint64_t now_ns = UINT64_C(1000000000000);
	struct zones *zones = zones_new();
	struct pump *pump = pump_new(&(struct pump_config){ .policy = policy,
							    .zones = zones,
							    .shards = 1 },
				     now_ns);
	const struct tapjudge_config config = {
		.pump = pump,
		.zones = zones,
		.policy = policy,
		.wire = wire_of(&mouth),
	};
	struct tapjudge *judge = tapjudge_new(&config);
	struct datapath path;
	int error = 0;

	tapjudge_datapath(judge, &path);
	for (int i = 0; i < 8 && error == 0; i++) {
		error = path.advance(path.self, now_ns);
		if (error == 0)
			error = path.on_readable(path.self, 0, now_ns);
		now_ns += 100u * MS;
	}
	path.close(path.self, now_ns);
	tapjudge_free(judge);
	pump_free(pump);
	zones_free(zones);
	assert(mouth.closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	if (size_bytes == 0)
		return 0;
	check_messages(bytes + 1, size_bytes - 1);
	if (bytes[0] & 1)
		judge_badly(bytes + 1, size_bytes - 1, bytes[0] >> 1);
	else
		carry_badly(bytes + 1, size_bytes - 1);
	return 0;
}
