/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xen-hooks/tap_message.h"

#include <errno.h>
#include <string.h>

enum { COUNTERS_BYTES_MAX = 64 * sizeof(uint64_t) };

_Static_assert(sizeof(struct tapcarrier_stats) <= COUNTERS_BYTES_MAX,
	       "ours are read");

/* What stands between the head and the bytes, and how many of those. */
static const struct shape {
	size_t fixed, bytes_min, bytes_max;
} shapes[TAPMESSAGE_KINDS] = {
	[TAPMESSAGE_HELLO] = { sizeof(struct tapmessage_hello), 0, 0 },
	[TAPMESSAGE_BEAT] = { 0, 0, 0 },
	[TAPMESSAGE_MODE] = { sizeof(struct tapmessage_hello), 0, 0 },
	[TAPMESSAGE_PACKET] = { sizeof(struct tapmessage_packet), 0,
				TAP_PACKET_BYTES },
	[TAPMESSAGE_VERDICT] = { sizeof(struct tapmessage_verdict), 0,
				 TAP_PACKET_BYTES },
	[TAPMESSAGE_FRAME] = { sizeof(struct tapmessage_frame),
			       TAP_FRAME_MIN_BYTES, TAP_PACKET_BYTES },
	[TAPMESSAGE_STATS] = { 0, 0, COUNTERS_BYTES_MAX },
};

const char *tap_mode_name(enum tap_mode mode)
{
	static const char *const names[TAP_MODES] = { "observe", "interpose",
						      "intercept" };

	return names[mode];
}

/* As the kernel has it: no slash, no space, and it ends.  Nothing behind. */
static bool is_name(const char name[TAP_NAME_BYTES])
{
	size_t length = strnlen(name, TAP_NAME_BYTES);

	if (length == TAP_NAME_BYTES)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '/')
			return false;
	for (size_t i = length; i < TAP_NAME_BYTES; i++)
		if (name[i] != '\0')
			return false;
	return true;
}

static bool is_lease(const struct tapmessage_verdict *verdict)
{
	return verdict->lease_pkts == 0 ||
	       (verdict->lease_pkts <= TAP_LEASE_PKTS &&
		verdict->verdict == TAP_PASS &&
		(verdict->id & TAPMESSAGE_MAY_LEASE) != 0);
}

static bool makes_sense(const struct tapmessage *message)
{
	const struct tapmessage_packet *packet = &message->packet;

	switch (message->kind) {
	case TAPMESSAGE_HELLO:
	case TAPMESSAGE_MODE:
		return message->hello.version >= TAPMESSAGE_VERSION_FIRST &&
		       message->hello.version <= TAPMESSAGE_VERSION &&
		       message->hello.mode < TAP_MODES;
	case TAPMESSAGE_PACKET:
		return packet->wire_bytes >= message->bytes_count &&
		       packet->mode < TAP_MODES && packet->vlan < 4096 &&
		       packet->has_mac <= 1 &&
		       packet->wire_pkts <= UINT16_MAX && is_name(packet->in) &&
		       is_name(packet->out) &&
		       (packet->mode == TAP_INTERPOSE) ==
			       (packet->id != TAPMESSAGE_SEEN);
	case TAPMESSAGE_VERDICT:
		return message->verdict.verdict < TAP_VERDICTS &&
		       is_lease(&message->verdict) &&
		       message->verdict.id != TAPMESSAGE_SEEN &&
		       (message->verdict.verdict == TAP_REPLACE) ==
			       (message->bytes_count > 0);
	case TAPMESSAGE_FRAME:
		return message->frame.interface[0] != '\0' &&
		       is_name(message->frame.interface);
	case TAPMESSAGE_STATS:
		return message->bytes_count % sizeof(uint64_t) == 0;
	case TAPMESSAGE_BEAT:
	case TAPMESSAGE_KINDS:
		return true;
	}
	return false;
}

long tapmessage_read(const uint8_t *at, size_t length,
		     struct tapmessage *ret_message)
{
	struct tapmessage message = { 0 };
	struct tapmessage_head head;
	const struct shape *shape;
	size_t bytes;

	if (length < sizeof(head))
		return 0;
	memcpy(&head, at, sizeof(head));
	if (head.kind >= TAPMESSAGE_KINDS)
		return -EPROTO;
	shape = &shapes[head.kind];
	if (head.length_bytes <
		    sizeof(head) + shape->fixed + shape->bytes_min ||
	    head.length_bytes > sizeof(head) + shape->fixed + shape->bytes_max)
		return -EPROTO;
	if (length < head.length_bytes)
		return 0;
	bytes = head.length_bytes - sizeof(head) - shape->fixed;
	message.kind = head.kind;
	memcpy(&message.packet, at + sizeof(head), shape->fixed);
	message.bytes = at + sizeof(head) + shape->fixed;
	message.bytes_count = bytes;
	if (!makes_sense(&message))
		return -EPROTO;
	*ret_message = message;
	return head.length_bytes;
}

size_t tapmessage_write(const struct tapmessage *message,
			uint8_t ret_bytes[TAPMESSAGE_BYTES_MAX])
{
	const struct shape *shape = &shapes[message->kind];
	const struct tapmessage_head head = {
		.length_bytes = (uint32_t)(sizeof(head) + shape->fixed +
					   message->bytes_count),
		.kind = message->kind,
	};

	memcpy(ret_bytes, &head, sizeof(head));
	memcpy(ret_bytes + sizeof(head), &message->packet, shape->fixed);
	if (message->bytes_count > 0)
		memcpy(ret_bytes + sizeof(head) + shape->fixed, message->bytes,
		       message->bytes_count);
	return head.length_bytes;
}
