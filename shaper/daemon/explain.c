/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/explain.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "shaper/asym.h"
#include "shaper/pump.h"
#include "shaper/snapshot.h"

double explain_s(uint32_t out_pkts, uint32_t in_pkts)
{
	return log2(((double)out_pkts + 1) / ((double)in_pkts + 1));
}

double explain_threshold(uint32_t ratio_q16)
{
	return log2((double)ratio_q16 / 65536);
}

/* The least r with (sent + 1) x 65536 <= ratio x (replies + r + 1). */
uint32_t explain_replies_needed(const struct snapshot_row *row)
{
	uint64_t left = ((uint64_t)row->sent_pkts + 1) << 16;
	uint64_t replies = (uint64_t)row->replies + 1;
	uint64_t enough;

	if (row->ratio_q16 == 0)
		return 0;
	enough = (left + row->ratio_q16 - 1) / row->ratio_q16;
	if (enough <= replies)
		return 0;
	return enough - replies > UINT32_MAX ? UINT32_MAX
					     : (uint32_t)(enough - replies);
}

void explain_address(const uint8_t address[16],
		     char ret_text[EXPLAIN_ADDRESS_BYTES])
{
	struct in6_addr v6;

	memcpy(&v6, address, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		inet_ntop(AF_INET, address + 12, ret_text,
			  EXPLAIN_ADDRESS_BYTES);
	else
		inet_ntop(AF_INET6, address, ret_text, EXPLAIN_ADDRESS_BYTES);
}

const char *explain_proto(uint8_t proto, char buffer[4])
{
	switch (proto) {
	case 0:
		return "";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	case IPPROTO_SCTP:
		return "sctp";
	case IPPROTO_GRE:
		return "gre";
	case IPPROTO_ESP:
		return "esp";
	case IPPROTO_AH:
		return "ah";
	default:
		snprintf(buffer, 4, "%u", proto);
		return buffer;
	}
}

static bool is_paced(const struct snapshot_row *row)
{
	return row->held_pkts > 0 ? row->by == PUMP_BY_CONTACTS ||
					    row->by == PUMP_BY_CONNECTIONS
				  : row->line > 0;
}

static bool waits_for_rate(const struct snapshot_row *row)
{
	return row->held_pkts > 0 ? row->by == PUMP_BY_RATE : row->rate_line;
}

/* Whose pace: that for which its own packets wait, or its own. */
static enum explain_reason reason_of_pace(const struct snapshot_row *row)
{
	bool contacts = row->held_pkts > 0 ? row->by == PUMP_BY_CONTACTS
					   : row->key.scope == FLOW_SCOPE_HOST;

	return contacts ? EXPLAIN_CONTACTS : EXPLAIN_CONNECTIONS;
}

static bool pays(const struct snapshot_row *row)
{
	return row->enforced && row->key.scope != FLOW_SCOPE_HOST &&
	       (row->below_floor || row->stream || row->patience_pkts > 0 ||
		row->earned_pkts > 0);
}

/* In the order in which they are asked. */
static enum explain_reason reason_to_pass(const struct snapshot_row *row)
{
	if (row->below_floor)
		return EXPLAIN_FLOOR;
	if (row->stream)
		return EXPLAIN_STREAM;
	return row->patience_pkts > 0 ? EXPLAIN_PATIENCE : EXPLAIN_CREDIT;
}

enum explain_reason explain_reason(const struct snapshot_row *row)
{
	bool plainly =
		asym_exceeds(row->sent_pkts, row->heard_pkts, row->ratio_q16);

	if (row->exempt)
		return EXPLAIN_SPARED;
	if (is_paced(row))
		return reason_of_pace(row);
	if (waits_for_rate(row))
		return EXPLAIN_RATE;
	if (row->over && row->held_pkts == 0 && pays(row))
		return reason_to_pass(row);
	if (row->over == plainly)
		return EXPLAIN_BY_S;
	return plainly ? EXPLAIN_EVIDENCE : EXPLAIN_REFUSED;
}

const char *explain_reason_name(enum explain_reason reason)
{
	static const char *const names[] = {
		[EXPLAIN_BY_S] = "S",
		[EXPLAIN_EVIDENCE] = "evidence",
		[EXPLAIN_REFUSED] = "refused",
		[EXPLAIN_FLOOR] = "floor",
		[EXPLAIN_PATIENCE] = "patience",
		[EXPLAIN_STREAM] = "stream",
		[EXPLAIN_CREDIT] = "credit",
		[EXPLAIN_CONTACTS] = "first-contacts",
		[EXPLAIN_CONNECTIONS] = "new-connections",
		[EXPLAIN_RATE] = "rate",
		[EXPLAIN_SPARED] = "exempt",
	};

	return names[reason];
}

static enum explain_state state_by_gate(const struct snapshot_row *row,
					enum explain_mode mode)
{
	if (!row->enforced || mode != EXPLAIN_ENFORCES)
		return EXPLAIN_COUNTED;
	return row->held_pkts > 0 ? EXPLAIN_HELD : EXPLAIN_OVER;
}

/* Guards ask nobody whether a scope is enforced. */
enum explain_state explain_state(const struct snapshot_row *row,
				 enum explain_mode mode)
{
	switch (explain_reason(row)) {
	case EXPLAIN_SPARED:
		return EXPLAIN_EXEMPT;
	case EXPLAIN_CONTACTS:
	case EXPLAIN_CONNECTIONS:
	case EXPLAIN_RATE:
		return mode == EXPLAIN_ENFORCES ? EXPLAIN_HELD
						: EXPLAIN_COUNTED;
	case EXPLAIN_FLOOR:
	case EXPLAIN_PATIENCE:
	case EXPLAIN_STREAM:
	case EXPLAIN_CREDIT:
		return EXPLAIN_PASSES;
	case EXPLAIN_BY_S:
	case EXPLAIN_EVIDENCE:
	case EXPLAIN_REFUSED:
		break;
	}
	if (row->over || row->held_pkts > 0)
		return state_by_gate(row, mode);
	return row->leased ? EXPLAIN_KERNEL : EXPLAIN_QUIET;
}

const char *explain_state_name(enum explain_state state)
{
	switch (state) {
	case EXPLAIN_QUIET:
		return "quiet";
	case EXPLAIN_KERNEL:
		return "kernel";
	case EXPLAIN_EXEMPT:
		return "exempt";
	case EXPLAIN_PASSES:
		return "passes";
	case EXPLAIN_COUNTED:
		return "counted";
	case EXPLAIN_OVER:
		return "over";
	case EXPLAIN_HELD:
		return "held";
	}
	return "?";
}
