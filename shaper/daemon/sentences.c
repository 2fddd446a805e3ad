/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/sentences.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "policy/units.h"
#include "shaper/daemon/toplist.h"
#include "shaper/snapshot.h"

struct text {
	char *start;
	size_t used_bytes;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *text,
						      const char *format, ...)
{
	size_t room_bytes = SENTENCES_BYTES - text->used_bytes;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->start + text->used_bytes, room_bytes, format, args);
	va_end(args);
	if (n > 0)
		text->used_bytes += (size_t)n < room_bytes ? (size_t)n
							   : room_bytes - 1;
}

/* "8 ms", "1.02 s", "3 min" */
static void say_span(struct text *text, uint64_t span_ns)
{
	double seconds = (double)span_ns / 1e9;

	if (seconds < 1)
		say(text, "%.3g ms", seconds * 1e3);
	else if (seconds < 180)
		say(text, "%.3g s", seconds);
	else
		say(text, "%.0f min", seconds / 60);
}

/* "10.20.0.7 port 5001 to 192.0.2.7 port 53/udp", "10.20.0.7 to 192.0.2.7" */
static void say_key(struct text *text, const struct flow_key *key)
{
	char inside[EXPLAIN_ADDRESS_BYTES], outside[EXPLAIN_ADDRESS_BYTES];
	char number[4];

	explain_address(key->inside, inside);
	explain_address(key->outside, outside);
	switch ((enum flow_scope)key->scope) {
	case FLOW_SCOPE_FLOW:
		say(text, "%s port %u to %s port %u/%s", inside,
		    key->inside_port, outside, key->outside_port,
		    explain_proto(key->proto, number));
		return;
	case FLOW_SCOPE_PAIR:
		say(text, "%s to %s", inside, outside);
		return;
	case FLOW_SCOPE_HOST:
	case FLOW_SCOPES:
		say(text, "%s to all others", inside);
		return;
	}
}

/* ------ the reason */

static double plain_s(const struct snapshot_row *row)
{
	return explain_s(row->sent_pkts, row->heard_pkts);
}

static double deciding_s(const struct snapshot_row *row)
{
	return explain_s(row->sent_pkts, row->replies);
}

static const char *counted_words(enum explain_mode mode)
{
	switch (mode) {
	case EXPLAIN_SHADOW:
		return "would be held (mode: shadow)";
	case EXPLAIN_ONE_SIDED:
		return "would be held, if both directions of the traffic "
		       "passed here";
	case EXPLAIN_ENFORCES:
		break;
	}
	return "is over the threshold, but this scope is not enforced";
}

static const char *state_words(enum explain_state state, enum explain_mode mode)
{
	switch (state) {
	case EXPLAIN_QUIET:
		return "is not held";
	case EXPLAIN_KERNEL:
		return "is not held, and stays in the kernel";
	case EXPLAIN_EXEMPT:
		return "is exempt and never held";
	case EXPLAIN_PASSES:
		return "passes";
	case EXPLAIN_COUNTED:
		return counted_words(mode);
	case EXPLAIN_OVER:
		return "is over the threshold";
	case EXPLAIN_HELD:
		break;
	}
	return "is held";
}

static bool is_let_be(enum explain_state state)
{
	return state == EXPLAIN_QUIET || state == EXPLAIN_KERNEL ||
	       state == EXPLAIN_EXEMPT;
}

/* What waits at a guard's pace is not over any threshold. */
static uint64_t since_ns(const struct snapshot_row *row,
			 enum explain_state state, enum explain_reason reason)
{
	if (reason == EXPLAIN_CONTACTS || reason == EXPLAIN_CONNECTIONS ||
	    reason == EXPLAIN_RATE)
		return row->held_since_ns;
	return is_let_be(state) ? 0 : row->over_since_ns;
}

static void say_s(struct text *text, const struct snapshot_row *row)
{
	if (row->over)
		say(text, ": S of what was let out is %.2f, above %.2f",
		    deciding_s(row), explain_threshold(row->ratio_q16));
	else if (row->held_pkts > 0)
		say(text, ": what came before it still waits");
	else
		say(text, ": S is %.2f, not above %.2f", plain_s(row),
		    explain_threshold(row->ratio_q16));
}

/* "its replies were resets (12), which are no consent" */
static void say_refused(struct text *text, const struct snapshot_row *row)
{
	if (row->refused_rst == 0 && row->refused_syn_ack == 0)
		return;
	say(text, "; replies were ");
	if (row->refused_rst > 0)
		say(text, "resets (%" PRIu32 ")", row->refused_rst);
	if (row->refused_rst > 0 && row->refused_syn_ack > 0)
		say(text, " and ");
	if (row->refused_syn_ack > 0)
		say(text,
		    "SYN-ACKs of handshakes that were not completed "
		    "(%" PRIu32 ")",
		    row->refused_syn_ack);
	say(text, ", which are no consent");
}

/* Does it stand in another's line? */
static bool stands_in_line(const struct snapshot_row *row)
{
	return row->held_pkts > 0 && row->key.scope != FLOW_SCOPE_HOST;
}

/* In its own: those that wait elsewhere, and what the host itself holds, whose
 * head stands there too. */
static uint64_t length_of_line(const struct snapshot_row *row)
{
	uint64_t more = row->held_pkts > 0 ? row->held_pkts - 1 : 0;

	return row->line + more;
}

static void say_pace(struct text *text, const struct snapshot_row *row,
		     enum explain_reason reason)
{
	if (reason == EXPLAIN_CONTACTS)
		say(text, ": %" PRIu32 " first contacts a second",
		    row->pace_per_s);
	else
		say(text, ": %" PRIu32 " new connections a second to this host",
		    row->pace_per_s);
	if (stands_in_line(row))
		say(text, ", %" PRIu32 " before it", row->before);
	else
		say(text, ", %" PRIu64 " wait in line", length_of_line(row));
}

static void say_rate(struct text *text, const struct snapshot_row *row)
{
	char limit[UNITS_TEXT_SIZE];

	say(text, row->held_pkts > 0 ? ": it waits for the rate of its host"
				     : ": others wait for its rate");
	if (row->rate_pkts_per_s > 0) {
		units_print_count_per_s(row->rate_pkts_per_s, limit);
		say(text, ", %s packets", limit);
	}
	if (row->rate_bytes_per_s > 0) {
		units_print_bytes_per_s(row->rate_bytes_per_s, limit);
		say(text, ", %s", limit);
	}
}

static void say_reason(struct text *text, const struct snapshot_row *row,
		       enum explain_reason reason)
{
	switch (reason) {
	case EXPLAIN_BY_S:
		say_s(text, row);
		break;
	case EXPLAIN_EVIDENCE:
		say(text,
		    " although S is %.2f: %" PRIu32 " packets that came back "
		    "count for %" PRIu32 ", since they acknowledge that much",
		    plain_s(row), row->heard_pkts, row->replies);
		return;
	case EXPLAIN_REFUSED:
		say(text, " although S is %.2f: S that decides is %.2f",
		    plain_s(row), deciding_s(row));
		break;
	case EXPLAIN_FLOOR:
		say(text,
		    " as one of few: %" PRIu32 " packets of its pair may leave "
		    "in a window, answered or not",
		    row->floor_pkts);
		return;
	case EXPLAIN_PATIENCE:
		say(text,
		    " on patience: %" PRIu32 " of %" PRIu32 " packets of its "
		    "first second are left",
		    row->patience_pkts, row->patience_max_pkts);
		return;
	case EXPLAIN_STREAM:
		say(text, " on patience, as a media stream that begins");
		return;
	case EXPLAIN_CREDIT:
		say(text,
		    " on credit: %" PRIu32 " packets, earned by answers, are "
		    "left",
		    row->earned_pkts);
		return;
	case EXPLAIN_CONTACTS:
	case EXPLAIN_CONNECTIONS:
		say_pace(text, row, reason);
		return;
	case EXPLAIN_RATE:
		say_rate(text, row);
		return;
	case EXPLAIN_SPARED:
		say(text, ": a rule or an exemption says so");
		return;
	}
	if (row->over)
		say_refused(text, row);
}

/* ------ the figures, and what frees it */

static void say_counts(struct text *text, const struct snapshot_row *row)
{
	say(text, ". In the last ");
	say_span(text, row->window_ns);
	say(text,
	    " it offered %" PRIu32 " packets, %" PRIu32 " were let out and "
	    "%" PRIu32 " came back (S %.2f offered, %.2f let out",
	    row->offered_pkts, row->sent_pkts, row->heard_pkts,
	    explain_s(row->offered_pkts, row->heard_pkts), plain_s(row));
	if (row->replies != row->heard_pkts)
		say(text, ", %.2f decides", deciding_s(row));
	say(text, ", threshold %.2f)", explain_threshold(row->ratio_q16));
}

static void say_wait(struct text *text, const struct snapshot_row *row,
		     uint64_t now_ns)
{
	if (row->held_pkts > 0)
		say(text, "; %" PRIu32 " wait", row->held_pkts);
	if (row->held_slots > 0)
		say(text, ", in %" PRIu32 " places of their guest's ring",
		    row->held_slots);
	if (row->icmp_errors > 0)
		say(text, "; %" PRIu32 " ICMP error%s complained of it",
		    row->icmp_errors, row->icmp_errors == 1 ? "" : "s");
	if (row->armed_ns == 0)
		return;
	say(text, "; the next may leave in ");
	say_span(text, row->armed_ns > now_ns ? row->armed_ns - now_ns : 0);
	say(text, " (delay %" PRIu32 " in a row, ", row->releases);
	say_span(text, row->delay_ns);
	say(text, ")");
}

/* "3 replies from 192.0.2.7 port 53 within 1 s" */
static void say_replies(struct text *text, const struct snapshot_row *row,
			uint32_t replies)
{
	char outside[EXPLAIN_ADDRESS_BYTES];

	say(text, "%" PRIu32 " repl%s", replies, replies == 1 ? "y" : "ies");
	if (row->key.scope != FLOW_SCOPE_HOST) {
		explain_address(row->key.outside, outside);
		say(text, " from %s", outside);
	}
	if (row->key.scope == FLOW_SCOPE_FLOW && row->key.outside_port != 0)
		say(text, " port %u", row->key.outside_port);
	say(text, " within ");
	say_span(text, row->window_ns);
}

static void say_place(struct text *text, const struct snapshot_row *row,
		      enum explain_reason reason)
{
	bool stands = stands_in_line(row);
	uint64_t line = stands ? row->before + UINT64_C(1)
			       : length_of_line(row);

	if (row->pace_per_s > 0) {
		say(text, stands ? " It leaves within about "
				 : " The last leaves within about ");
		say_span(text, line * UINT64_C(1000000000) / row->pace_per_s);
		say(text, ".");
	}
	if (reason == EXPLAIN_CONTACTS)
		say(text, " An answer from a host that was tried makes room "
			  "sooner.");
}

static void say_what_frees(struct text *text, const struct snapshot_row *row,
			   enum explain_state state, enum explain_reason reason)
{
	uint32_t replies = explain_replies_needed(row);

	say(text, ".");
	if (reason == EXPLAIN_CONTACTS || reason == EXPLAIN_CONNECTIONS) {
		say_place(text, row, reason);
	} else if (reason == EXPLAIN_RATE) {
		say(text, " Those that wait for it take turns.");
	} else if (replies == 0) {
		say(text, " It is about to be let go.");
	} else {
		say(text, " ");
		say_replies(text, row, replies);
		say(text, state == EXPLAIN_PASSES ? " would do without that."
						  : " would free it.");
	}
}

void sentences_row(const struct toplist_row *row, enum explain_mode mode,
		   uint64_t now_ns, char ret_text[SENTENCES_BYTES])
{
	struct text text = { ret_text, 0 };
	const struct snapshot_row *facts = &row->row;
	enum explain_state state = explain_state(facts, mode);
	enum explain_reason reason = explain_reason(facts);
	uint64_t began_ns = since_ns(facts, state, reason);

	say_key(&text, &facts->key);
	say(&text, " (%s, %s) %s",
	    flow_scope_name((enum flow_scope)facts->key.scope), row->zone,
	    state_words(state, mode));
	if (began_ns != 0 && began_ns <= now_ns) {
		say(&text, state == EXPLAIN_PASSES ? " for " : ", for ");
		say_span(&text, now_ns - began_ns);
	}
	say_reason(&text, facts, reason);
	say_counts(&text, facts);
	if (is_let_be(state)) {
		say(&text, ".");
		return;
	}
	say_wait(&text, facts, now_ns);
	say_what_frees(&text, facts, state, reason);
}

void sentences_summary(const uint8_t address[16],
		       const struct toplist_row *rows, size_t count,
		       enum explain_mode mode, char ret_text[SENTENCES_BYTES])
{
	struct text text = { ret_text, 0 };
	char name[EXPLAIN_ADDRESS_BYTES];
	size_t states[EXPLAIN_HELD + 1] = { 0 };
	size_t i;

	for (i = 0; i < count; i++)
		states[explain_state(&rows[i].row, mode)]++;
	explain_address(address, name);
	if (count == 0)
		say(&text,
		    "Nothing was seen of %s lately, and nothing of it waits.",
		    name);
	else if (states[EXPLAIN_HELD] > 0)
		say(&text, "%s is held in %zu of %zu keys.", name,
		    states[EXPLAIN_HELD], count);
	else if (states[EXPLAIN_OVER] > 0)
		say(&text,
		    "Nothing of %s waits now, but %zu of %zu keys are over "
		    "the threshold.",
		    name, states[EXPLAIN_OVER], count);
	else if (states[EXPLAIN_COUNTED] > 0)
		say(&text,
		    "%s is not held, though %zu of %zu keys are over the "
		    "threshold.",
		    name, states[EXPLAIN_COUNTED], count);
	else if (states[EXPLAIN_PASSES] > 0)
		say(&text,
		    "%s is not held: %zu of %zu keys are over the threshold "
		    "and pass on floor, patience or credit.",
		    name, states[EXPLAIN_PASSES], count);
	else
		say(&text, "%s is not held in any of %zu keys.", name, count);
}
