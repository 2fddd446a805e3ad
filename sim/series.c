/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "flowtable/siphash.h"
#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/asym.h"
#include "shaper/window.h"
#include "sim/series_time.h"

enum {
	PLACES = 2048,   /* a power of two */
	CANDIDATES = 32, /* looked at before a new key is turned away */
	NOBODY = UINT16_MAX,
};

#define FIRST_BIN_NS UINT64_C(1000000)

const double series_delay_edges_ms[SERIES_DELAYS - 2] = {
	2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000,
};

struct tracked {
	struct series_key told; /* begins with its key */
	struct window offered, let_out;
	uint64_t window_ns;
	uint32_t ratio_q16, pairs; /* of a host */
	uint16_t next;             /* in its place's chain */
	bool over;                 /* its threshold, once */
	struct series_bin bins[SERIES_BINS];
};

struct series {
	const struct policy *policy;
	struct series_time time;
	struct series_sums sums;
	struct series_bin bins[SERIES_BINS];
	uint64_t delays[SERIES_DELAYS];
	struct tracked *keys[SERIES_KEYS];
	uint16_t places[PLACES], count, hand;
	uint8_t seed[16];
	uint64_t forgotten;
};

struct series *series_new(const struct policy *policy)
{
	struct series *series = calloc(1, sizeof(*series));

	if (!series || getrandom(series->seed, sizeof(series->seed), 0) < 0) {
		free(series);
		return NULL;
	}
	series->policy = policy;
	series->time.bin_ns = FIRST_BIN_NS;
	for (size_t i = 0; i < PLACES; i++)
		series->places[i] = NOBODY;
	return series;
}

void series_free(struct series *series)
{
	if (!series)
		return;
	for (size_t i = 0; i < series->count; i++)
		free(series->keys[i]);
	free(series);
}

/* ------ time */

static void halve(struct series_bin *bins)
{
	for (size_t i = 0; i < SERIES_BINS / 2; i++) {
		struct series_bin sum = bins[2 * i];
		const struct series_bin *more = &bins[2 * i + 1];

		sum.offered_pkts += more->offered_pkts;
		sum.let_out_pkts += more->let_out_pkts;
		sum.heard_pkts += more->heard_pkts;
		sum.delayed_pkts += more->delayed_pkts;
		sum.dropped_pkts += more->dropped_pkts;
		for (int by = 0; by <= PUMP_BYS; by++)
			sum.by_pkts[by] += more->by_pkts[by];
		sum.offered_s = fmaxf(sum.offered_s, more->offered_s);
		sum.let_out_s = fmaxf(sum.let_out_s, more->let_out_s);
		if (more->delay_max_ns > sum.delay_max_ns)
			sum.delay_max_ns = more->delay_max_ns;
		bins[i] = sum;
	}
	memset(&bins[SERIES_BINS / 2], 0, SERIES_BINS / 2 * sizeof(*bins));
}

/* Which bin; all bins become twice as long until it is one of them. */
static size_t bin_at(struct series *series, uint64_t now_ns)
{
	uint64_t shown_ns = series_time_shown(&series->time, now_ns);

	while (shown_ns / series->time.bin_ns >= SERIES_BINS) {
		series->time.bin_ns *= 2;
		halve(series->bins);
		for (size_t i = 0; i < series->count; i++)
			halve(series->keys[i]->bins);
	}
	if (shown_ns > series->time.shown_max_ns)
		series->time.shown_max_ns = shown_ns;
	return (size_t)(shown_ns / series->time.bin_ns);
}

/* ------ keys */

static uint16_t *place_of(struct series *series, const struct flow_key *key)
{
	return &series->places[siphash13(series->seed, key, sizeof(*key)) &
			       (PLACES - 1)];
}

static struct tracked *find(struct series *series, const struct flow_key *key)
{
	uint16_t at = *place_of(series, key);

	while (at != NOBODY &&
	       !flow_key_equal(&series->keys[at]->told.key, key))
		at = series->keys[at]->next;
	return at == NOBODY ? NULL : series->keys[at];
}

static void unlink_key(struct series *series, uint16_t at)
{
	uint16_t *link = place_of(series, &series->keys[at]->told.key);

	while (*link != at)
		link = &series->keys[*link]->next;
	*link = series->keys[at]->next;
}

static bool is_dull(const struct tracked *tracked)
{
	return !tracked->over && tracked->told.sums.delayed_pkts == 0 &&
	       tracked->told.sums.dropped_pkts == 0;
}

/* A place for one more: a new one, or that of a dull key.  NOBODY: none. */
static uint16_t make_place(struct series *series)
{
	if (series->count < SERIES_KEYS) {
		struct tracked *tracked = calloc(1, sizeof(*tracked));

		if (!tracked)
			return NOBODY;
		series->keys[series->count] = tracked;
		return series->count++;
	}
	for (int i = 0; i < CANDIDATES; i++) {
		uint16_t at = series->hand;

		series->hand = (uint16_t)((at + 1) % SERIES_KEYS);
		if (is_dull(series->keys[at])) {
			series->forgotten++;
			unlink_key(series, at);
			memset(series->keys[at], 0, sizeof(*series->keys[at]));
			return at;
		}
	}
	return NOBODY;
}

static struct tracked *add(struct series *series, const struct flow_key *key)
{
	static const struct zone anywhere = { .name = "capture" };
	const struct gate_params *params;
	struct policy_class class;
	struct tracked *tracked;
	uint16_t at = make_place(series), *place = place_of(series, key);

	if (at == NOBODY) {
		series->forgotten++;
		return NULL;
	}
	policy_classify(series->policy, key, &anywhere, &class);
	params = &series->policy->params[class.params];
	tracked = series->keys[at];
	tracked->told.key = *key;
	tracked->told.threshold =
		(float)log2((double)params->ratio_q16 / 65536.0);
	tracked->told.bins = tracked->bins;
	tracked->window_ns = params->window_ns;
	tracked->ratio_q16 = params->ratio_q16;
	tracked->next = *place;
	*place = at;
	return tracked;
}

/* NULL: no place for it. */
static struct tracked *key_of(struct series *series,
			      const struct flow_key *flow,
			      enum flow_scope scope, bool *ret_new)
{
	struct tracked *tracked;
	struct flow_key key;

	flow_key_widen(flow, scope, &key);
	if (scope == FLOW_SCOPE_HOST)
		policy_host_of(series->policy, flow->inside, NULL, key.inside);
	tracked = find(series, &key);
	*ret_new = !tracked;
	return tracked ? tracked : add(series, &key);
}

static void find_keys(struct series *series, const struct flow_key *flow,
		      struct tracked *ret_keys[2])
{
	bool new_pair, new_host;

	ret_keys[0] = key_of(series, flow, FLOW_SCOPE_PAIR, &new_pair);
	ret_keys[1] = key_of(series, flow, FLOW_SCOPE_HOST, &new_host);
	/* The host may have taken the pair's place. */
	if (ret_keys[0] && (ret_keys[0] == ret_keys[1] ||
			    ret_keys[0]->told.key.scope != FLOW_SCOPE_PAIR))
		ret_keys[0] = NULL;
	if (ret_keys[1])
		ret_keys[1]->pairs += new_pair;
}

/* ------ what is told */

static float plain_s(const struct window *window)
{
	return (float)log2(((double)window->sent_pkts + 1) /
			   ((double)window->heard_pkts + 1));
}

static void add_to_window(struct tracked *tracked, struct window *window,
			  const struct replay_event *event, uint64_t now_ns)
{
	bool out = event->direction == FLOW_OUT;

	if (now_ns < window_newest_ns(window))
		now_ns = window_newest_ns(window);
	window_slide(window, tracked->window_ns, now_ns);
	window_add(window, tracked->window_ns, out ? event->wire_pkts : 0,
		   out ? 0 : event->wire_pkts, now_ns);
}

static void captured(void *self, const struct replay_event *event)
{
	struct series *series = self;
	struct tracked *keys[2];
	size_t bin;

	series_time_arrive(&series->time, event->arrived_ns);
	bin = bin_at(series, event->arrived_ns);
	if (event->direction == FLOW_OUT) {
		series->bins[bin].offered_pkts += event->wire_pkts;
		series->sums.offered_pkts += event->wire_pkts;
	}
	if (event->kind != PACKET_UNICAST)
		return;
	find_keys(series, &event->flow, keys);
	for (int i = 0; i < 2; i++) {
		struct tracked *tracked = keys[i];
		struct series_bin *at;
		float s;

		if (!tracked)
			continue;
		add_to_window(tracked, &tracked->offered, event,
			      event->arrived_ns);
		s = plain_s(&tracked->offered);
		at = &tracked->bins[bin];
		at->offered_s = fmaxf(at->offered_s, s);
		tracked->told.s_max = fmaxf(tracked->told.s_max, s);
		tracked->over |= asym_exceeds(tracked->offered.sent_pkts,
					      tracked->offered.heard_pkts,
					      tracked->ratio_q16);
		if (event->direction == FLOW_OUT) {
			at->offered_pkts += event->wire_pkts;
			tracked->told.sums.offered_pkts += event->wire_pkts;
		}
	}
}

static void count(struct series_bin *bin, struct series_sums *sums,
		  const struct replay_event *event)
{
	uint64_t delay_ns = event->left_ns - event->arrived_ns;

	if (event->direction == FLOW_IN) {
		bin->heard_pkts += event->wire_pkts;
		sums->heard_pkts += event->wire_pkts;
		return;
	}
	if (event->fate == REPLAY_DROPPED) {
		bin->dropped_pkts += event->wire_pkts;
		sums->dropped_pkts += event->wire_pkts;
	} else {
		bin->let_out_pkts += event->wire_pkts;
		sums->let_out_pkts += event->wire_pkts;
	}
	if (event->fate == REPLAY_PASSED)
		return;
	bin->by_pkts[event->by] += event->wire_pkts;
	sums->by_pkts[event->by] += event->wire_pkts;
	if (event->fate == REPLAY_DROPPED)
		return;
	bin->delayed_pkts += event->wire_pkts;
	sums->delayed_pkts += event->wire_pkts;
	sums->delay_ns += delay_ns * event->wire_pkts;
	if (delay_ns > bin->delay_max_ns)
		bin->delay_max_ns = delay_ns;
	if (delay_ns > sums->delay_max_ns)
		sums->delay_max_ns = delay_ns;
}

static void count_delay(struct series *series, const struct replay_event *event)
{
	double delay_ms = (double)(event->left_ns - event->arrived_ns) / 1e6;
	size_t i = 0;

	if (event->direction != FLOW_OUT || event->fate == REPLAY_DROPPED)
		return;
	if (event->fate == REPLAY_DELAYED)
		i = 1;
	while (i > 0 && i < SERIES_DELAYS - 1 &&
	       delay_ms > series_delay_edges_ms[i - 1])
		i++;
	series->delays[i] += event->wire_pkts;
}

static void packet(void *self, const struct replay_event *event)
{
	struct series *series = self;
	struct tracked *keys[2];
	size_t bin = bin_at(series, event->left_ns);

	if (event->fate == REPLAY_FORGED)
		series->sums.forged_pkts += event->wire_pkts;
	if (event->fate == REPLAY_FORGED || event->fate == REPLAY_TRANSIT)
		return;
	count(&series->bins[bin], &series->sums, event);
	count_delay(series, event);
	if (event->kind != PACKET_UNICAST)
		return;
	find_keys(series, &event->flow, keys);
	for (int i = 0; i < 2; i++) {
		struct tracked *tracked = keys[i];
		struct series_bin *at;

		if (!tracked)
			continue;
		at = &tracked->bins[bin];
		count(at, &tracked->told.sums, event);
		if (event->fate == REPLAY_DROPPED)
			continue;
		add_to_window(tracked, &tracked->let_out, event,
			      event->left_ns);
		at->let_out_s =
			fmaxf(at->let_out_s, plain_s(&tracked->let_out));
	}
}

struct replay_observer series_observer(struct series *series)
{
	return (struct replay_observer){
		.self = series,
		.packet = packet,
		.captured = captured,
	};
}

/* ------ what is asked */

void series_total(const struct series *series, struct series_key *ret_total)
{
	*ret_total = (struct series_key){ .sums = series->sums,
					  .bins = series->bins };
}

static int compare(const void *a, const void *b)
{
	const struct tracked *x = *(struct tracked *const *)a;
	const struct tracked *y = *(struct tracked *const *)b;
	uint64_t held_x = x->told.sums.delayed_pkts + x->told.sums.dropped_pkts;
	uint64_t held_y = y->told.sums.delayed_pkts + y->told.sums.dropped_pkts;

	if (held_x != held_y)
		return held_x > held_y ? -1 : 1;
	if (x->told.s_max < y->told.s_max || x->told.s_max > y->told.s_max)
		return x->told.s_max > y->told.s_max ? -1 : 1;
	return memcmp(&x->told.key, &y->told.key, sizeof(x->told.key));
}

size_t series_worst(struct series *series, struct series_key *ret_keys,
		    size_t max)
{
	struct tracked *sorted[SERIES_KEYS];
	size_t told = 0;

	memcpy(sorted, series->keys, series->count * sizeof(sorted[0]));
	qsort(sorted, series->count, sizeof(sorted[0]), compare);
	for (size_t i = 0; i < series->count && told < max; i++) {
		const struct series_sums *sums = &sorted[i]->told.sums;
		bool narrow =
			sorted[i]->told.key.scope == FLOW_SCOPE_HOST &&
			(sorted[i]->pairs < 2 ||
			 sums->by_pkts[PUMP_BY_HOST] +
					 sums->by_pkts[PUMP_BY_CONTACTS] ==
				 0);

		if (!narrow && sums->offered_pkts)
			ret_keys[told++] = sorted[i]->told;
	}
	return told;
}

size_t series_bins(const struct series *series)
{
	return (size_t)(series->time.shown_max_ns / series->time.bin_ns) + 1;
}

uint64_t series_bin_ns(const struct series *series)
{
	return series->time.bin_ns;
}

uint64_t series_cut_ns(const struct series *series)
{
	return series_time_cut(&series->time);
}

uint64_t series_forgotten(const struct series *series)
{
	return series->forgotten;
}

const uint64_t *series_delays(const struct series *series)
{
	return series->delays;
}
