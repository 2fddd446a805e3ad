/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/counters.h"

#define X(name, unit, help) { #name, unit, help },

const struct counter_row counters_core[STATS_COUNT] = { STATS_COUNTERS(X) };

const struct counter_row counters_io[NFQUEUE_COUNT] = { NFQUEUE_COUNTERS(X) };

const struct counter_row counters_tap[TAPJUDGE_COUNTERS_COUNT] = {
	TAPJUDGE_COUNTERS(X)
};

const struct counter_row counters_carrier[TAPCARRIER_COUNTERS_COUNT] = {
	TAPCARRIER_COUNTERS(X)
};

#undef X

const struct counter_row counters_unreadable[PACKET_ERRORS] = {
	[PACKET_OK] = { "", "", "" },
	[PACKET_NOT_IP] = { "not_ip", "packets",
			    "an ethertype that is not ours" },
	[PACKET_TRUNCATED] = { "truncated", "packets",
			       "fewer bytes than the headers need" },
	[PACKET_BAD_VERSION] = { "bad_version", "packets",
				 "ethertype and IP version disagree" },
	[PACKET_BAD_LENGTH] = { "bad_length", "packets",
				"a length field contradicts another" },
	[PACKET_TOO_MANY_HEADERS] = { "too_many_headers", "packets",
				      "more tags or extension headers than we "
				      "read" },
	[PACKET_BAD_ADDRESS] = { "bad_address", "packets",
				 "IPv6 with an address mapped from IPv4" },
};
_Static_assert(PACKET_ERRORS == PACKET_BAD_ADDRESS + 1,
	       "a reason without a name");
