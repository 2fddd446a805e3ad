/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the module knows of its vifs, and what it is given back. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include "shaper/pump.h"
#include "xen-hooks/netback/guard.h"
#include "xen-hooks/netback_record.h"
#include "xen-hooks/way_netback_wire.h"

/* ------ how all do */

struct hearing {
	struct waynetback_state state;
	void (*each)(void *self, const struct waynetback_state *state);
	void *self;
};

static void read_summary(const struct nlattr *attribute,
			 struct waynetback_state *state)
{
	struct guard_summary summary;

	if (mnl_attr_get_payload_len(attribute) != sizeof(summary))
		return;
	memcpy(&summary, mnl_attr_get_payload(attribute), sizeof(summary));
	state->waits_ns = summary.waits_ns;
	state->offered_pkts = summary.offered_pkts;
	state->heard_pkts = summary.heard_pkts;
	state->over_keys = summary.over_keys;
	state->expected_keys = summary.expected_keys;
}

static int note_state(const struct nlattr *attribute, void *self)
{
	const void *payload = mnl_attr_get_payload(attribute);
	const size_t bytes = mnl_attr_get_payload_len(attribute);
	struct waynetback_state *state = self;

	switch (mnl_attr_get_type(attribute)) {
	case NETGUARD_INTERFACE:
		snprintf(state->interface, sizeof(state->interface), "%.*s",
			 (int)bytes, (const char *)payload);
		break;
	case NETGUARD_COUNTERS:
		if (bytes == sizeof(state->counters))
			memcpy(state->counters, payload, bytes);
		break;
	case NETGUARD_SUMMARY:
		read_summary(attribute, state);
		break;
	}
	return MNL_CB_OK;
}

static int take_state(const struct nlmsghdr *message, void *self)
{
	struct hearing *hearing = self;
	int more;

	memset(&hearing->state, 0, sizeof(hearing->state));
	more = mnl_attr_parse(message, sizeof(struct genlmsghdr), note_state,
			      &hearing->state);
	if (more > MNL_CB_STOP)
		hearing->each(hearing->self, &hearing->state);
	return more;
}

int waynetback_all(struct waynetback *way,
		   void (*each)(void *self,
				const struct waynetback_state *state),
		   void *self)
{
	struct hearing hearing = { .each = each, .self = self };
	struct nlmsghdr *message;
	int error = waynetback_begin_dump(way, NULL, NETGUARD_GET, &message);

	return error < 0 ? error
			 : waynetback_ask(way, message, take_state, &hearing);
}

uint64_t waynetback_waiting(const struct waynetback_state *state)
{
	return state->counters[GUARD_waiting_pkts];
}

/* ------ keys */

struct telling {
	struct pump_record *records;
	size_t max, count;
};

static int note_records(const struct nlattr *attribute, void *self)
{
	const uint8_t *bytes = mnl_attr_get_payload(attribute);
	size_t left = mnl_attr_get_payload_len(attribute);
	struct telling *telling = self;

	if (mnl_attr_get_type(attribute) != NETGUARD_RECORDS)
		return MNL_CB_OK;
	for (; left >= NETBACKRECORD_BYTES && telling->count < telling->max;
	     left -= NETBACKRECORD_BYTES, bytes += NETBACKRECORD_BYTES)
		telling->count += netbackrecord_read(
			bytes, &telling->records[telling->count]);
	return MNL_CB_OK;
}

static int take_records(const struct nlmsghdr *message, void *self)
{
	return mnl_attr_parse(message, sizeof(struct genlmsghdr), note_records,
			      self);
}

int waynetback_keys(struct waynetback *way, const char *interface,
		    struct pump_record *ret_records, size_t max,
		    size_t *ret_count)
{
	struct telling telling = { .records = ret_records, .max = max };
	struct nlmsghdr *message;
	int error = waynetback_begin_dump(way, interface, NETGUARD_GET_KEYS,
					  &message);

	if (error < 0)
		return error;
	mnl_attr_put_u32(message, NETGUARD_MOST, (uint32_t)max);
	error = waynetback_ask(way, message, take_records, &telling);
	if (error == 0)
		*ret_count = telling.count;
	return error;
}

int waynetback_give(struct waynetback *way, const char *interface,
		    const struct pump_record *record)
{
	uint8_t bytes[NETBACKRECORD_BYTES];
	struct nlmsghdr *message;
	int error;

	if (!netbackrecord_write(record, bytes))
		return -EINVAL;
	error = waynetback_begin(way, interface, NETGUARD_PUT_KEYS, &message);
	if (error < 0)
		return error;
	mnl_attr_put(message, NETGUARD_RECORDS, sizeof(bytes), bytes);
	return waynetback_ask(way, message, NULL, NULL);
}
