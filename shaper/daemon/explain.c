/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/explain.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shaper/daemon/toplist.h"
#include "shaper/snapshot.h"

struct sentence {
	char *text;
	size_t used_bytes;
};

double explain_s(uint32_t out_pkts, uint32_t in_pkts)
{
	return log2(((double)out_pkts + 1) / ((double)in_pkts + 1));
}

double explain_threshold(uint32_t ratio_q16)
{
	return log2((double)ratio_q16 / 65536);
}

/* The least r with (sent + 1) x 65536 <= ratio x (heard + r + 1). */
uint32_t explain_replies_needed(const struct snapshot_row *row)
{
	uint64_t left = ((uint64_t)row->sent_pkts + 1) << 16;
	uint64_t heard = (uint64_t)row->heard_pkts + 1;
	uint64_t enough;

	if (row->ratio_q16 == 0)
		return 0;
	enough = (left + row->ratio_q16 - 1) / row->ratio_q16;
	if (enough <= heard)
		return 0;
	return enough - heard > UINT32_MAX ? UINT32_MAX
					   : (uint32_t)(enough - heard);
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

enum explain_state explain_state(const struct snapshot_row *row,
				 enum explain_mode mode)
{
	if (row->exempt)
		return EXPLAIN_EXEMPT;
	if (!row->over && row->held_pkts == 0)
		return EXPLAIN_QUIET;
	if (!row->enforced || mode != EXPLAIN_ENFORCES)
		return EXPLAIN_COUNTED;
	return row->held_pkts > 0 ? EXPLAIN_HELD : EXPLAIN_OVER;
}

const char *explain_state_name(enum explain_state state)
{
	switch (state) {
	case EXPLAIN_QUIET:
		return "quiet";
	case EXPLAIN_EXEMPT:
		return "exempt";
	case EXPLAIN_COUNTED:
		return "counted";
	case EXPLAIN_OVER:
		return "over";
	case EXPLAIN_HELD:
		return "held";
	}
	return "?";
}

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence,
						      const char *format, ...)
{
	size_t room_bytes = EXPLAIN_SENTENCE_BYTES - sentence->used_bytes;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sentence->text + sentence->used_bytes, room_bytes, format,
		      args);
	va_end(args);
	if (n > 0)
		sentence->used_bytes += (size_t)n < room_bytes ? (size_t)n
							       : room_bytes - 1;
}

/* "8 ms", "1.02 s", "3 min" */
static void say_span(struct sentence *sentence, uint64_t span_ns)
{
	double seconds = (double)span_ns / 1e9;

	if (seconds < 1)
		say(sentence, "%.3g ms", seconds * 1e3);
	else if (seconds < 180)
		say(sentence, "%.3g s", seconds);
	else
		say(sentence, "%.0f min", seconds / 60);
}

/* "10.20.0.7:5001 > 192.0.2.7:53/udp", "10.20.0.7 > 192.0.2.7" */
static void say_key(struct sentence *sentence, const struct flow_key *key)
{
	char inside[EXPLAIN_ADDRESS_BYTES], outside[EXPLAIN_ADDRESS_BYTES];
	char number[4];

	explain_address(key->inside, inside);
	explain_address(key->outside, outside);
	switch ((enum flow_scope)key->scope) {
	case FLOW_SCOPE_FLOW:
		say(sentence, "%s port %u to %s port %u/%s", inside,
		    key->inside_port, outside, key->outside_port,
		    explain_proto(key->proto, number));
		return;
	case FLOW_SCOPE_PAIR:
		say(sentence, "%s to %s", inside, outside);
		return;
	case FLOW_SCOPE_HOST:
	case FLOW_SCOPES:
		say(sentence, "%s to all others", inside);
		return;
	}
}

static void say_counts(struct sentence *sentence,
		       const struct snapshot_row *row)
{
	say(sentence, "in the last ");
	say_span(sentence, row->window_ns);
	say(sentence,
	    " it offered %u packets, %u were let out and %u came back "
	    "(S %.2f offered, %.2f let out, threshold %.2f)",
	    row->offered_pkts, row->sent_pkts, row->heard_pkts,
	    explain_s(row->offered_pkts, row->heard_pkts),
	    explain_s(row->sent_pkts, row->heard_pkts),
	    explain_threshold(row->ratio_q16));
}

static void say_wait(struct sentence *sentence, const struct snapshot_row *row,
		     uint64_t now_ns)
{
	if (row->held_pkts > 0)
		say(sentence, "; %u wait", row->held_pkts);
	if (row->icmp_errors > 0)
		say(sentence, "; %u ICMP error%s complained of it",
		    row->icmp_errors, row->icmp_errors == 1 ? "" : "s");
	if (row->armed_ns == 0)
		return;
	say(sentence, "; the next may leave in ");
	say_span(sentence, row->armed_ns > now_ns ? row->armed_ns - now_ns : 0);
	say(sentence, " (delay %u in a row, ", row->releases);
	say_span(sentence, row->delay_ns);
	say(sentence, ")");
}

static void say_what_frees(struct sentence *sentence,
			   const struct snapshot_row *row)
{
	uint32_t replies = explain_replies_needed(row);
	char outside[EXPLAIN_ADDRESS_BYTES];

	if (replies == 0) {
		say(sentence, ". It is about to be let go.");
		return;
	}
	say(sentence, ". %u repl%s", replies, replies == 1 ? "y" : "ies");
	if (row->key.scope != FLOW_SCOPE_HOST) {
		explain_address(row->key.outside, outside);
		say(sentence, " from %s", outside);
	}
	if (row->key.scope == FLOW_SCOPE_FLOW && row->key.outside_port != 0)
		say(sentence, " port %u", row->key.outside_port);
	say(sentence, " within ");
	say_span(sentence, row->window_ns);
	say(sentence, " would free it.");
}

static const char *counted_words(enum explain_mode mode)
{
	switch (mode) {
	case EXPLAIN_SHADOW:
		return " would be held (mode: shadow)";
	case EXPLAIN_ONE_SIDED:
		return " would be held, if both directions of the traffic "
		       "passed here";
	case EXPLAIN_ENFORCES:
		break;
	}
	return " is over the threshold, but this scope is not enforced";
}

static void say_state(struct sentence *sentence, enum explain_state state,
		      enum explain_mode mode)
{
	switch (state) {
	case EXPLAIN_QUIET:
		say(sentence, " is not held");
		return;
	case EXPLAIN_EXEMPT:
		say(sentence, " is exempt and never held");
		return;
	case EXPLAIN_COUNTED:
		say(sentence, "%s", counted_words(mode));
		return;
	case EXPLAIN_OVER:
		say(sentence, " is over the threshold");
		return;
	case EXPLAIN_HELD:
		say(sentence, " is held");
		return;
	}
}

void explain_row(const struct toplist_row *row, enum explain_mode mode,
		 uint64_t now_ns, char ret_sentence[EXPLAIN_SENTENCE_BYTES])
{
	struct sentence sentence = { ret_sentence, 0 };
	const struct snapshot_row *facts = &row->row;
	enum explain_state state = explain_state(facts, mode);

	say_key(&sentence, &facts->key);
	say(&sentence, " (%s, %s)",
	    flow_scope_name((enum flow_scope)facts->key.scope), row->zone);
	say_state(&sentence, state, mode);
	if (facts->over_since_ns != 0 && facts->over_since_ns <= now_ns &&
	    state != EXPLAIN_QUIET) {
		say(&sentence, ", for ");
		say_span(&sentence, now_ns - facts->over_since_ns);
	}
	say(&sentence, ": ");
	say_counts(&sentence, facts);
	if (state == EXPLAIN_QUIET || state == EXPLAIN_EXEMPT) {
		say(&sentence, ".");
		return;
	}
	say_wait(&sentence, facts, now_ns);
	say_what_frees(&sentence, facts);
}

void explain_summary(const uint8_t address[16], const struct toplist_row *rows,
		     size_t count, enum explain_mode mode,
		     char ret_sentence[EXPLAIN_SENTENCE_BYTES])
{
	struct sentence sentence = { ret_sentence, 0 };
	char text[EXPLAIN_ADDRESS_BYTES];
	size_t states[EXPLAIN_HELD + 1] = { 0 };
	size_t i;

	for (i = 0; i < count; i++)
		states[explain_state(&rows[i].row, mode)]++;
	explain_address(address, text);
	if (count == 0)
		say(&sentence,
		    "Nothing was seen of %s lately, and nothing of it waits.",
		    text);
	else if (states[EXPLAIN_HELD] > 0)
		say(&sentence, "%s is held in %zu of %zu keys.", text,
		    states[EXPLAIN_HELD], count);
	else if (states[EXPLAIN_OVER] > 0)
		say(&sentence,
		    "Nothing of %s waits now, but %zu of %zu keys are over "
		    "the threshold.",
		    text, states[EXPLAIN_OVER], count);
	else if (states[EXPLAIN_COUNTED] > 0)
		say(&sentence,
		    "%s is not held, though %zu of %zu keys are over the "
		    "threshold.",
		    text, states[EXPLAIN_COUNTED], count);
	else
		say(&sentence, "%s is not held in any of %zu keys.", text,
		    count);
}
