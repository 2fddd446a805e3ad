/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/fast_twin_state.h"

#include <stdio.h>

#include "policy/policy.h"
#include "shaper/io/fast_leases.h"
#include "shaper/pump_state.h"

enum { SAID_MAX = 20 };

/* false: it is not the program's. */
static bool read_leased(const struct twin *twin, const struct flow_key *key,
			struct twin_counts *ret_counts)
{
	struct twin_counts counts = { .known = true, .leased = true };

	if (!fastleases_read(twin->leases, key, twin->now_ns, &counts.sent_pkts,
			     &counts.heard_pkts))
		return false;
	*ret_counts = counts;
	return true;
}

bool twin_is_known(const struct twin *twin, int which,
		   const struct flow_key *key)
{
	struct twin_counts counts;

	return (which == FRONT && read_leased(twin, key, &counts)) ||
	       pump_entry_of(twin->sides[which].pump, key,
			     (enum flow_scope)key->scope);
}

struct twin_counts twin_counts_of(struct twin *twin, int which,
				  const struct flow_key *key)
{
	struct pump *pump = twin->sides[which].pump;
	struct twin_counts counts = { 0 };
	struct flow_entry *entry;

	if (which == FRONT && read_leased(twin, key, &counts))
		return counts;
	entry = pump_entry_of(pump, key, (enum flow_scope)key->scope);
	if (entry == NULL)
		return counts;
	engine_refresh(&pump->engine, entry);
	engine_sums(&pump->engine, entry, twin->now_ns, &counts.sent_pkts,
		    &counts.heard_pkts);
	counts.known = true;
	return counts;
}

static void complain(struct twin *twin, const char *what,
		     const struct ledger_key *key,
		     const struct twin_counts *low,
		     const struct twin_counts *is,
		     const struct twin_counts *high)
{
	const uint8_t *a = key->key.inside, *b = key->key.outside;

	if (twin->said++ >= SAID_MAX)
		return;
	printf("  %s: %s %u.%u.%u.%u:%u %u.%u.%u.%u:%u/%u at %llu: sent, heard "
	       "%u, %u not in %u, %u .. %u, %u\n",
	       what, flow_scope_name((enum flow_scope)key->key.scope), a[12],
	       a[13], a[14], a[15], key->key.inside_port, b[12], b[13], b[14],
	       b[15], key->key.outside_port, key->key.proto,
	       (unsigned long long)(twin->now_ns - twin->config.begin_ns),
	       is->sent_pkts, is->heard_pkts, low->sent_pkts, low->heard_pkts,
	       high->sent_pkts, high->heard_pkts);
}

static bool is_within(const struct twin_counts *low,
		      const struct twin_counts *is,
		      const struct twin_counts *high)
{
	return low->sent_pkts <= is->sent_pkts &&
	       is->sent_pkts <= high->sent_pkts &&
	       low->heard_pkts <= is->heard_pkts &&
	       is->heard_pkts <= high->heard_pkts;
}

void twin_set_apart(struct twin *twin, struct ledger_key *key)
{
	twin->results.apart += !key->apart;
	key->apart = true;
}

static void note_more(struct twin *twin, const struct twin_counts *alone,
		      const struct twin_counts *front)
{
	uint32_t sent = front->sent_pkts - alone->sent_pkts;
	uint32_t heard = front->heard_pkts - alone->heard_pkts;
	uint32_t most = sent > heard ? sent : heard;

	if (most > twin->results.most_more)
		twin->results.most_more = most;
}

/* The exact window, and that of buckets: what was leased lies in between. */
static void compare_leased(struct twin *twin, struct ledger_key *key,
			   const struct twin_counts *alone,
			   const struct twin_counts *front)
{
	struct twin_counts low, high;

	ledger_sums(key, twin->window_ns, twin->now_ns, &low.sent_pkts,
		    &low.heard_pkts);
	ledger_sums(key, twin->longest_ns, twin->now_ns, &high.sent_pkts,
		    &high.heard_pkts);
	if (!is_within(&low, front, &high)) {
		twin->results.outside++;
		complain(twin, "outside", key, &low, front, &high);
	}
	if (key->apart)
		return;
	if (!is_within(&low, alone, &low)) {
		twin->results.misread++;
		complain(twin, "alone", key, &low, alone, &low);
	}
	note_more(twin, alone, front);
}

void twin_compare(struct twin *twin, struct ledger_key *key)
{
	struct twin_counts alone = twin_counts_of(twin, ALONE, &key->key);
	struct twin_counts front = twin_counts_of(twin, FRONT, &key->key);

	ledger_forget(key, twin->longest_ns, twin->now_ns);
	key->leased |= front.leased;
	if (!alone.known || !front.known)
		return;
	if (!is_within(&alone, &front, &alone))
		key->unlike_ns = twin->now_ns;
	twin->results.compared++;
	if (key->leased) {
		compare_leased(twin, key, &alone, &front);
	} else if (!key->apart && !is_within(&alone, &front, &alone)) {
		twin->results.outside++;
		complain(twin, "never leased", key, &alone, &front, &alone);
	}
}

void twin_compare_all(struct twin *twin)
{
	struct ledger_key *key;
	size_t position = 0;

	while ((key = ledger_next(twin->ledger, &position)) != NULL)
		twin_compare(twin, key);
}

void twin_count_before(struct twin *twin, const struct ledger_key *key,
		       struct twin_before *ret)
{
	for (int which = 0; which < SIDES; which++) {
		ret->counts[which] = twin_counts_of(twin, which, &key->key);
		ret->late_pkts[which] = key->late_pkts[which];
	}
}

static uint32_t added(uint32_t before, uint32_t after)
{
	return after > before ? after - before : 0;
}

/*
 * What a TCP flow sent, and was acknowledged, is known to the program as long
 * as its lease lasts, to the engine until it is swept after the window: so an
 * acknowledgement that comes late counts for more with one or the other. So
 * does a handshake that is finished late, if its flow was forgotten.
 */
static bool is_worth_another(const struct twin *twin, bool out,
			     const struct twin_counts *alone,
			     const struct twin_counts *front)
{
	if (front->sent_pkts != alone->sent_pkts ||
	    twin->config.policy->evidence != POLICY_EVIDENCE_CONSENT)
		return false;
	return out ? front->heard_pkts + alone->heard_pkts == 1
		   : front->heard_pkts > 0 && alone->heard_pkts > 0;
}

static void compare_added(struct twin *twin, struct ledger_key *key, bool out,
			  const struct twin_counts *alone,
			  const struct twin_counts *front)
{
	if (key->apart || is_within(alone, front, alone))
		return;
	if (is_worth_another(twin, out, alone, front)) {
		twin->results.worth++;
		twin_set_apart(twin, key);
		return;
	}
	twin->results.unequal++;
	complain(twin, "adds", key, alone, front, alone);
}

/* Fourteen buckets are some nanoseconds longer than the window: what comes back
 * in these is forgotten at that moment, and hides what was added. */
static void unhide(const struct twin_before *before,
		   const struct twin_counts *now, struct twin_counts own[SIDES])
{
	if (!before->counts[FRONT].leased || now->leased)
		return;
	if (own[FRONT].sent_pkts < before->went_pkts)
		own[FRONT].sent_pkts = before->went_pkts;
	if (own[FRONT].heard_pkts < before->replies)
		own[FRONT].heard_pkts = before->replies;
	/* a handshake that is finished counts as heard, too */
	if (before->out && own[FRONT].heard_pkts < own[ALONE].heard_pkts)
		own[FRONT].heard_pkts = own[ALONE].heard_pkts;
}

/* Another one that may have been hidden so. */
static void add_handshake(struct twin *twin, struct ledger_key *key,
			  const struct twin_counts *front)
{
	uint32_t sent, heard;

	ledger_sums(key, twin->longest_ns, twin->now_ns, &sent, &heard);
	if (front->heard_pkts != heard + 1 ||
	    twin->config.policy->evidence != POLICY_EVIDENCE_CONSENT)
		return;
	twin->results.worth++;
	twin_set_apart(twin, key);
	ledger_add(key, 0, 1, twin->now_ns);
}

void twin_count_added(struct twin *twin, struct ledger_key *key,
		      const struct twin_before *before)
{
	struct twin_counts now[SIDES], own[SIDES];

	for (int i = 0; i < SIDES; i++) {
		const struct twin_counts *was = &before->counts[i];
		uint32_t late =
			(uint32_t)(key->late_pkts[i] - before->late_pkts[i]);

		now[i] = twin_counts_of(twin, i, &key->key);
		key->leased |= now[i].leased || was->leased;
		own[i].sent_pkts =
			added(was->sent_pkts + late, now[i].sent_pkts);
		own[i].heard_pkts = added(was->heard_pkts, now[i].heard_pkts);
	}
	unhide(before, &now[FRONT], own);
	for (int i = 0; i < SIDES; i++) {
		key->sent_pkts[i] += own[i].sent_pkts;
		key->heard_pkts[i] += own[i].heard_pkts;
	}
	compare_added(twin, key, before->out, &own[ALONE], &own[FRONT]);
	ledger_add(key, own[FRONT].sent_pkts, own[FRONT].heard_pkts,
		   twin->now_ns);
	if (before->counts[FRONT].leased && !now[FRONT].leased && before->out)
		add_handshake(twin, key, &now[FRONT]);
}

void twin_compare_totals(struct twin *twin)
{
	struct ledger_key *key;
	size_t position = 0;

	while ((key = ledger_next(twin->ledger, &position)) != NULL) {
		uint64_t sent[SIDES];

		for (int i = 0; i < SIDES; i++)
			sent[i] = key->sent_pkts[i] + key->late_pkts[i];
		if (sent[ALONE] == sent[FRONT] &&
		    (key->apart ||
		     key->heard_pkts[ALONE] == key->heard_pkts[FRONT]))
			continue;
		twin->results.totals++;
		if (twin->said++ < SAID_MAX)
			printf("  %s: ever sent %llu, %llu, heard %llu, %llu\n",
			       flow_scope_name((enum flow_scope)key->key.scope),
			       (unsigned long long)sent[ALONE],
			       (unsigned long long)sent[FRONT],
			       (unsigned long long)key->heard_pkts[ALONE],
			       (unsigned long long)key->heard_pkts[FRONT]);
	}
}
