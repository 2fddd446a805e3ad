/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judge.h"

#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "sim/book.h"
#include "sim/rate.h"

#define SILENCE_NS     UINT64_C(60000000000)
#define MICROSECOND_NS UINT64_C(1000)

enum { KEYS_MAX = 1 << 20 };

struct conversation {
	struct judge_worst told; /* begins with its key */
	uint64_t by_pkts[PUMP_BYS];
	uint64_t answered_ns;
	bool answered, let_out;
};

struct pair {
	struct flow_key key;
	uint64_t delay_ns;
	bool sent, late, heard, contacted;
	struct rate packets, connections;
};

struct host {
	struct flow_key key;
	struct rate contacts;
};

struct judge {
	const struct policy *policy;
	struct book conversations, pairs, hosts;
	struct judge_figures figures;
};

struct judge *judge_new(const struct policy *policy)
{
	struct judge *judge = calloc(1, sizeof(*judge));

	if (!judge)
		return NULL;
	judge->policy = policy;
	book_init(&judge->conversations, sizeof(struct conversation), KEYS_MAX);
	book_init(&judge->pairs, sizeof(struct pair), KEYS_MAX);
	book_init(&judge->hosts, sizeof(struct host), KEYS_MAX);
	return judge;
}

static void finish_rates(struct judge *judge)
{
	for (uint32_t i = 0; i < judge->pairs.count; i++) {
		struct pair *pair = book_entry(&judge->pairs, i);

		rate_finish(&pair->packets);
		rate_finish(&pair->connections);
	}
	for (uint32_t i = 0; i < judge->hosts.count; i++) {
		struct host *host = book_entry(&judge->hosts, i);

		rate_finish(&host->contacts);
	}
}

void judge_free(struct judge *judge)
{
	if (!judge)
		return;
	finish_rates(judge);
	book_fini(&judge->conversations);
	book_fini(&judge->pairs);
	book_fini(&judge->hosts);
	free(judge);
}

/* ------ what happens */

static void count_delay(struct judge_figures *figures,
			const struct replay_event *event)
{
	uint64_t delay_us =
		(event->left_ns - event->arrived_ns) / MICROSECOND_NS;
	size_t bucket = event->left_ns > event->arrived_ns;

	while (delay_us > 1 && bucket < JUDGE_DELAY_BUCKETS - 1) {
		delay_us >>= 1;
		bucket++;
	}
	if (event->fate == REPLAY_DROPPED)
		bucket = JUDGE_DELAY_BUCKETS - 1;
	figures->delays[bucket] += event->wire_pkts;
}

/* An out packet of any kind. */
static void count_out(struct judge_figures *figures,
		      const struct replay_event *event)
{
	uint64_t delay_ns = event->left_ns - event->arrived_ns;

	figures->out_pkts += event->wire_pkts;
	count_delay(figures, event);
	if (event->fate == REPLAY_DROPPED) {
		figures->late_pkts += event->wire_pkts;
		figures->dropped_pkts += event->wire_pkts;
		if (event->by >= PUMP_BYS)
			figures->limited_pkts += event->wire_pkts;
	} else {
		figures->let_out_pkts += event->wire_pkts;
	}
	if (event->fate == REPLAY_DELAYED) {
		figures->delayed_pkts += event->wire_pkts;
		if (delay_ns > JUDGE_LATE_NS)
			figures->late_pkts += event->wire_pkts;
		if (delay_ns > figures->delay_max_ns)
			figures->delay_max_ns = delay_ns;
	}
	if (event->fate != REPLAY_PASSED && event->by < PUMP_BYS)
		figures->by_pkts[event->by] += event->wire_pkts;
}

static void hold(struct conversation *conversation,
		 const struct replay_event *event)
{
	struct judge_worst *told = &conversation->told;
	uint64_t delay_ns = event->left_ns - event->arrived_ns;

	if (told->delayed_pkts + told->dropped_pkts == 0) {
		told->begin_ns = event->arrived_ns;
		told->out_before_pkts = told->out_pkts;
		told->in_before_pkts = told->in_pkts;
	}
	if (event->by < PUMP_BYS)
		conversation->by_pkts[event->by] += event->wire_pkts;
	if (event->fate == REPLAY_DROPPED) {
		told->dropped_pkts += event->wire_pkts;
		return;
	}
	told->delayed_pkts += event->wire_pkts;
	told->delay_ns += delay_ns * event->wire_pkts;
	if (delay_ns > told->longest_ns)
		told->longest_ns = delay_ns;
}

static void contact(struct judge *judge, const struct replay_event *event)
{
	struct flow_key key;
	struct host *host;

	flow_key_widen(&event->flow, FLOW_SCOPE_HOST, &key);
	policy_host_of(judge->policy, event->flow.inside, NULL, key.inside);
	judge->figures.first_contacts++;
	host = book_find_or_add(&judge->hosts, &key);
	if (host)
		rate_add(&host->contacts, event->arrived_ns, event->left_ns);
}

/* The first packet of a conversation that gets as far. */
static void connect(struct judge_figures *figures, struct pair *pair,
		    const struct replay_event *event)
{
	figures->new_connections++;
	figures->connections_delayed += event->fate == REPLAY_DELAYED;
	rate_add(&pair->connections, event->arrived_ns, event->left_ns);
}

static void count_let_out(struct judge *judge,
			  struct conversation *conversation, struct pair *pair,
			  const struct replay_event *event)
{
	if (!pair->contacted && !pair->heard)
		contact(judge, event);
	pair->contacted = true;
	pair->packets.silence_ns = SILENCE_NS;
	for (uint32_t i = 0; i < event->wire_pkts; i++)
		rate_add(&pair->packets, event->arrived_ns, event->left_ns);
	if (!conversation->let_out)
		connect(&judge->figures, pair, event);
	conversation->let_out = true;
}

/* false: there is no place for them. */
static bool find(struct judge *judge, const struct flow_key *flow,
		 struct conversation **ret_conversation, struct pair **ret_pair)
{
	struct flow_key key;

	flow_key_widen(flow, FLOW_SCOPE_PAIR, &key);
	*ret_conversation = book_find_or_add(&judge->conversations, flow);
	*ret_pair = book_find_or_add(&judge->pairs, &key);
	return *ret_conversation && *ret_pair;
}

static void out(struct judge *judge, const struct replay_event *event)
{
	struct judge_figures *figures = &judge->figures;
	struct conversation *conversation;
	struct pair *pair;

	if (!find(judge, &event->flow, &conversation, &pair))
		return;
	pair->sent = true;
	if (event->fate != REPLAY_PASSED) {
		hold(conversation, event);
		pair->delay_ns +=
			(event->left_ns - event->arrived_ns) * event->wire_pkts;
		pair->late |= event->fate == REPLAY_DROPPED ||
			      pair->delay_ns > JUDGE_LATE_NS;
		if (conversation->answered &&
		    event->arrived_ns > conversation->answered_ns)
			figures->answered_delayed_pkts += event->wire_pkts;
	}
	conversation->told.out_pkts += event->wire_pkts;
	if (event->fate != REPLAY_DROPPED)
		count_let_out(judge, conversation, pair, event);
	else if (!conversation->let_out)
		figures->connections_dropped += event->wire_pkts;
}

static void in(struct judge *judge, const struct replay_event *event)
{
	struct conversation *conversation;
	struct pair *pair;

	if (!find(judge, &event->flow, &conversation, &pair))
		return;
	conversation->told.in_pkts += event->wire_pkts;
	if (event->replies == 0)
		return;
	if (!conversation->answered)
		conversation->answered_ns = event->left_ns;
	conversation->answered = true;
	pair->heard = true;
	rate_hear(&pair->packets, event->wire_pkts, event->left_ns);
}

/* What never answers is not for S to hold. */
static void group(struct judge_figures *figures,
		  const struct replay_event *event)
{
	figures->group_pkts += event->wire_pkts;
	if (event->fate == REPLAY_DELAYED ||
	    (event->fate == REPLAY_DROPPED && event->by < PUMP_BYS))
		figures->group_held_pkts += event->wire_pkts;
}

/* What a host says to itself passes no gateway. */
static bool is_within_a_host(const struct flow_key *flow)
{
	return memcmp(flow->inside, flow->outside, sizeof(flow->inside)) == 0;
}

static void packet(void *self, const struct replay_event *event)
{
	struct judge *judge = self;
	struct judge_figures *figures = &judge->figures;

	if (event->left_ns > figures->duration_ns)
		figures->duration_ns = event->left_ns;
	if (event->fate == REPLAY_FORGED) {
		figures->forged_pkts += event->wire_pkts;
		return;
	}
	if (event->fate == REPLAY_TRANSIT || is_within_a_host(&event->flow)) {
		figures->transit_pkts += event->wire_pkts;
		return;
	}
	if (event->direction == FLOW_OUT)
		count_out(figures, event);
	else
		figures->in_pkts += event->wire_pkts;
	if (event->kind == PACKET_UNICAST) {
		if (event->direction == FLOW_OUT)
			out(judge, event);
		else
			in(judge, event);
	} else if (event->direction == FLOW_OUT) {
		group(figures, event);
	}
}

struct replay_observer judge_observer(struct judge *judge)
{
	return (struct replay_observer){ .self = judge, .packet = packet };
}

/* ------ conclusions */

static uint64_t weight(const struct judge_worst *worst)
{
	return worst->delay_ns + worst->dropped_pkts * JUDGE_NEVER_NS;
}

static void add_worst(struct judge_figures *figures,
		      const struct judge_worst *worst)
{
	size_t at = figures->worst_count;

	while (at > 0 && weight(worst) > weight(&figures->worst[at - 1]))
		at--;
	if (at == JUDGE_WORST_MAX)
		return;
	if (figures->worst_count < JUDGE_WORST_MAX)
		figures->worst_count++;
	memmove(&figures->worst[at + 1], &figures->worst[at],
		(figures->worst_count - 1 - at) * sizeof(*worst));
	figures->worst[at] = *worst;
}

static void conclude_conversation(struct judge_figures *figures,
				  struct conversation *conversation)
{
	struct judge_worst *told = &conversation->told;

	figures->conversations++;
	for (uint8_t by = 0; by < PUMP_BYS; by++)
		if (conversation->by_pkts[by] > conversation->by_pkts[told->by])
			told->by = by;
	if (told->delay_ns > figures->worst_ns)
		figures->worst_ns = told->delay_ns;
	if (told->delay_ns <= JUDGE_LONG_NS && told->dropped_pkts == 0)
		return;
	figures->long_conversations++;
	figures->never_conversations += told->delay_ns > JUDGE_NEVER_NS ||
					told->dropped_pkts > 0;
	add_worst(figures, told);
}

static void worse(struct judge_second *worst, uint32_t pkts,
		  uint32_t heard_pkts, const struct flow_key *key)
{
	judge_take_worse(worst,
			 &(struct judge_second){ pkts, heard_pkts, *key });
}

static void conclude_pair(struct judge_figures *figures, struct pair *pair)
{
	struct rate *packets = &pair->packets;
	struct rate *connections = &pair->connections;
	const struct flow_key *key = &pair->key;

	rate_finish(packets);
	rate_finish(connections);
	figures->pairs += pair->sent;
	figures->late_pairs += pair->late;
	worse(&figures->first_second, packets->first_max, 0, key);
	worse(&figures->later_second, packets->later_max, packets->later_heard,
	      key);
	worse(&figures->sliding_second, packets->sliding_max, 0, key);
	worse(&figures->connections, connections->first_max, 0, key);
	worse(&figures->connections, connections->later_max, 0, key);
	worse(&figures->connections_sliding, connections->any_max, 0, key);
	figures->unjudged += packets->lost + connections->lost;
}

void judge_conclude(struct judge *judge, struct judge_figures *ret_figures)
{
	struct judge_figures *figures = &judge->figures;

	for (uint32_t i = 0; i < judge->conversations.count; i++)
		conclude_conversation(figures,
				      book_entry(&judge->conversations, i));
	for (uint32_t i = 0; i < judge->pairs.count; i++)
		conclude_pair(figures, book_entry(&judge->pairs, i));
	for (uint32_t i = 0; i < judge->hosts.count; i++) {
		struct host *host = book_entry(&judge->hosts, i);
		struct rate *contacts = &host->contacts;

		rate_finish(contacts);
		worse(&figures->contacts, contacts->first_max, 0, &host->key);
		worse(&figures->contacts, contacts->later_max, 0, &host->key);
		worse(&figures->contacts_sliding, contacts->any_max, 0,
		      &host->key);
		figures->unjudged += contacts->lost;
	}
	figures->unjudged += judge->conversations.omitted +
			     judge->pairs.omitted + judge->hosts.omitted;
	*ret_figures = *figures;
}
