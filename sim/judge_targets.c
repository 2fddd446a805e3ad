/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge_targets.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy/address.h"
#include "policy/protocol.h"

#define NS_PER_MS 1e6
#define NS_PER_S  1e9

/* The figures to be reached; the README and the manual quote them. */
#define LATE_PKTS_PCT  0.1
#define LATE_PAIRS_PCT 1.0
enum {
	LONG_CONVERSATIONS = 2,
	FIRST_SECOND_PKTS = 64,
	LATER_SECOND_PKTS = 12,
	PER_HEARD_PKTS = 4,
};

/* ------ words */

const char *judge_gate_name(enum pump_by by)
{
	switch (by) {
	case PUMP_BY_FLOW:
		return "flow";
	case PUMP_BY_PAIR:
		return "pair";
	case PUMP_BY_HOST:
		return "host";
	case PUMP_BY_CONTACTS:
		return "first contacts";
	case PUMP_BY_CONNECTIONS:
		return "new connections";
	case PUMP_BY_RATE:
		return "rate";
	case PUMP_BYS:
		break;
	}
	return "plain limit";
}

static void print_end(const uint8_t address[16], uint16_t port, char *ret_text,
		      size_t size)
{
	char text[ADDRESS_TEXT_SIZE];

	address_print(address, text);
	if (port == 0)
		snprintf(ret_text, size, "%s", text);
	else
		snprintf(ret_text, size,
			 address_is_v4(address) ? "%s:%u" : "[%s]:%u", text,
			 port);
}

void judge_print_key(const struct flow_key *key, char ret_text[JUDGE_KEY_SIZE])
{
	char inside[ADDRESS_TEXT_SIZE + 8], outside[ADDRESS_TEXT_SIZE + 8];
	char proto[PROTOCOL_TEXT_SIZE];

	print_end(key->inside, key->inside_port, inside, sizeof(inside));
	print_end(key->outside, key->outside_port, outside, sizeof(outside));
	protocol_print(key->proto, proto);
	switch ((enum flow_scope)key->scope) {
	case FLOW_SCOPE_FLOW:
		snprintf(ret_text, JUDGE_KEY_SIZE, "%s > %s %s", inside,
			 outside, proto);
		return;
	case FLOW_SCOPE_PAIR:
		snprintf(ret_text, JUDGE_KEY_SIZE, "%s > %s", inside, outside);
		return;
	case FLOW_SCOPE_HOST:
	case FLOW_SCOPES:
		break;
	}
	snprintf(ret_text, JUDGE_KEY_SIZE, "%s", inside);
}

void judge_explain(const struct judge_worst *worst,
		   char ret_text[JUDGE_TEXT_SIZE])
{
	char heard[64] = "before anything was heard";

	if (worst->in_before_pkts)
		snprintf(heard, sizeof(heard), "%llu packets heard by then",
			 (unsigned long long)worst->in_before_pkts);
	snprintf(ret_text, JUDGE_TEXT_SIZE,
		 "held by the %s gate from %.3f s on, %s: %llu of %llu packets "
		 "waited %.1f ms in all, the longest %.1f ms, %llu were "
		 "dropped",
		 judge_gate_name((enum pump_by)worst->by),
		 (double)worst->begin_ns / NS_PER_S, heard,
		 (unsigned long long)worst->delayed_pkts,
		 (unsigned long long)worst->out_pkts,
		 (double)worst->delay_ns / NS_PER_MS,
		 (double)worst->longest_ns / NS_PER_MS,
		 (unsigned long long)worst->dropped_pkts);
}

/* ------ facts */

static struct judge_fact *add(struct judge_facts *facts, const char *name,
			      const char *unit, double found)
{
	struct judge_fact *fact = &facts->list[facts->count++];

	*fact = (struct judge_fact){ .name = name,
				     .unit = unit,
				     .found = found };
	return fact;
}

static struct judge_fact *add_judged(struct judge_facts *facts,
				     const char *name, const char *unit,
				     double found, double limit)
{
	struct judge_fact *fact = add(facts, name, unit, found);

	fact->limit = limit;
	fact->judged = true;
	return fact;
}

/* A guard that was lifted promises nothing. */
static struct judge_fact *add_paced(struct judge_facts *facts, const char *name,
				    uint32_t found, uint32_t pace)
{
	return pace ? add_judged(facts, name, "", found, pace)
		    : add(facts, name, "", found);
}

static void of(struct judge_fact *fact, const struct judge_second *second)
{
	char key[JUDGE_KEY_SIZE];

	if (second->pkts == 0)
		return;
	judge_print_key(&second->key, key);
	if (second->heard_pkts)
		snprintf(fact->where, sizeof(fact->where), "%s, %u heard", key,
			 second->heard_pkts);
	else
		snprintf(fact->where, sizeof(fact->where), "%s", key);
}

static double share_pct(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void judge_good(const struct judge_figures *figures,
		       struct judge_facts *facts)
{
	struct judge_fact *fact;

	fact = add_judged(facts, "outgoing packets late by more than 10 ms",
			  "%", share_pct(figures->late_pkts, figures->out_pkts),
			  LATE_PKTS_PCT);
	snprintf(fact->where, sizeof(fact->where), "%llu of %llu",
		 (unsigned long long)figures->late_pkts,
		 (unsigned long long)figures->out_pkts);
	fact = add_judged(facts, "host pairs with more than 10 ms in all", "%",
			  share_pct(figures->late_pairs, figures->pairs),
			  LATE_PAIRS_PCT);
	snprintf(fact->where, sizeof(fact->where), "%llu of %llu",
		 (unsigned long long)figures->late_pairs,
		 (unsigned long long)figures->pairs);
	fact = add_judged(facts, "conversations held more than 100 ms in all",
			  "", (double)figures->long_conversations,
			  LONG_CONVERSATIONS);
	snprintf(fact->where, sizeof(fact->where), "worst %.1f ms",
		 (double)figures->worst_ns / NS_PER_MS);
	add_judged(facts, "... more than 1 s, or with a packet dropped", "",
		   (double)figures->never_conversations, 0);
	add(facts, "longest delay of any packet", "ms",
	    (double)figures->delay_max_ns / NS_PER_MS);
}

static void judge_silent(const struct judge_figures *figures,
			 struct judge_facts *facts)
{
	const struct judge_second *later = &figures->later_second;

	of(add_judged(facts, "let out to one target in the first second",
		      "packets", figures->first_second.pkts, FIRST_SECOND_PKTS),
	   &figures->first_second);
	of(add_judged(facts, "let out to one target in any later second",
		      "packets", later->pkts,
		      LATER_SECOND_PKTS +
			      (double)later->heard_pkts * PER_HEARD_PKTS),
	   later);
	of(add(facts, "... in any sliding second after the first", "packets",
	       figures->sliding_second.pkts),
	   &figures->sliding_second);
}

static void judge_sweep(const struct judge_figures *figures,
			const struct judge_paces *paces,
			struct judge_facts *facts)
{
	of(add_paced(facts, "first contacts let out by one host in a second",
		     figures->contacts.pkts, paces->contacts_per_s),
	   &figures->contacts);
	of(add(facts, "... in any sliding second", "",
	       figures->contacts_sliding.pkts),
	   &figures->contacts_sliding);
	add_judged(facts, "packets of answered conversations delayed",
		   "packets", (double)figures->answered_delayed_pkts, 0);
}

static void judge_flood(const struct judge_figures *figures,
			const struct judge_paces *paces,
			struct judge_facts *facts)
{
	of(add_paced(facts, "new connections to one target in a second",
		     figures->connections.pkts, paces->connections_per_s),
	   &figures->connections);
	of(add(facts, "... in any sliding second", "",
	       figures->connections_sliding.pkts),
	   &figures->connections_sliding);
	add(facts, "new connections delayed", "",
	    (double)figures->connections_delayed);
	add(facts, "... dropped, more waiting than limits allow", "",
	    (double)figures->connections_dropped);
}

static void print_only(const struct judge_figures *figures,
		       struct judge_facts *facts)
{
	add(facts, "let out", "packets", (double)figures->let_out_pkts);
	add(facts, "delayed", "packets", (double)figures->delayed_pkts);
	add(facts, "came in", "packets", (double)figures->in_pkts);
}

void judge_targets(enum judge_family family,
		   const struct judge_figures *figures,
		   const struct judge_paces *paces,
		   struct judge_facts *ret_facts)
{
	*ret_facts = (struct judge_facts){ 0 };
	switch (family) {
	case JUDGE_LEGIT:
		judge_good(figures, ret_facts);
		break;
	case JUDGE_SILENT_TARGET:
		judge_silent(figures, ret_facts);
		break;
	case JUDGE_SWEEP:
		judge_sweep(figures, paces, ret_facts);
		break;
	case JUDGE_ANSWERED_FLOOD:
		judge_flood(figures, paces, ret_facts);
		break;
	case JUDGE_FORGED:
		add_judged(ret_facts, "let out", "packets",
			   (double)(figures->let_out_pkts +
				    figures->transit_pkts + figures->in_pkts),
			   0);
		break;
	case JUDGE_REFLECTED:
	case JUDGE_BROADCAST:
	case JUDGE_ANSWERED:
	case JUDGE_FAMILIES:
		print_only(figures, ret_facts);
		break;
	}
	if (figures->group_pkts)
		add_judged(ret_facts, "multicast and broadcast held by S",
			   "packets", (double)figures->group_held_pkts, 0);
	if (figures->unjudged)
		add_judged(ret_facts, "keys for which there was no place", "",
			   (double)figures->unjudged, 0);
}

bool judge_fact_passes(const struct judge_fact *fact)
{
	return !fact->judged || fact->found <= fact->limit;
}

bool judge_facts_pass(const struct judge_facts *facts)
{
	for (size_t i = 0; i < facts->count; i++)
		if (!judge_fact_passes(&facts->list[i]))
			return false;
	return true;
}
