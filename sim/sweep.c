/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/sweep.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/units.h"
#include "sim/crew.h"

#define MS_NS UINT64_C(1000000)

static const char *const thresholds[] = { "1.0", "1.585", "2.0",
					  "2.5", "2.885", "4.0" };
static const uint64_t windows_ns[] = { 500 * MS_NS, 1000 * MS_NS, 2000 * MS_NS,
				       4000 * MS_NS };
const struct sweep_consent sweep_consents[SWEEP_CONSENTS] = {
	{ POLICY_EVIDENCE_PACKETS, 0, 0 },
	{ POLICY_EVIDENCE_CONSENT, 0, 0 },
	{ POLICY_EVIDENCE_CONSENT, 0, 10 },
	{ POLICY_EVIDENCE_CONSENT, 48, 0 },
	{ POLICY_EVIDENCE_CONSENT, 48, 10 },
	{ POLICY_EVIDENCE_CONSENT, 96, 20 },
};

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

_Static_assert(COUNT_OF(thresholds) * COUNT_OF(windows_ns) * SWEEP_CONSENTS +
			       1 <=
		       SWEEP_POINTS_MAX,
	       "more points than there is room for");

static void add_point(struct sweep *sweep, uint32_t ratio_q16,
		      uint64_t window_ns, struct sweep_consent consent)
{
	struct sweep_point *point = &sweep->points[sweep->count++];
	const struct sweep_point *given = &sweep->points[0];

	*point = (struct sweep_point){ .ratio_q16 = ratio_q16,
				       .window_ns = window_ns,
				       .consent = consent };
	/* It is there already. */
	if (point != given && given->ratio_q16 == ratio_q16 &&
	    given->window_ns == window_ns &&
	    sweep_consent_equal(&given->consent, &consent))
		sweep->count--;
}

static struct sweep_consent consent_of(const struct policy *policy)
{
	bool packets = policy->evidence == POLICY_EVIDENCE_PACKETS;

	return (struct sweep_consent){
		.evidence = policy->evidence,
		.patience_pkts = packets ? 0 : policy->credit.patience_pkts,
		.floor_pkts = packets ? 0 : policy->credit.floor_pkts,
	};
}

struct sweep *sweep_new(struct judgement *judgement,
			const struct policy *policy)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	const struct gate_params *params = &policy->params[0];

	if (!sweep)
		return NULL;
	sweep->judgement = judgement;
	add_point(sweep, params->ratio_q16, params->window_ns,
		  consent_of(policy));
	sweep->points[0].as_given = true;
	for (size_t i = 0; i < COUNT_OF(thresholds); i++) {
		uint32_t ratio_q16 = params->ratio_q16;

		units_parse_log2(thresholds[i], &ratio_q16);
		for (size_t j = 0; j < COUNT_OF(windows_ns); j++)
			for (size_t k = 0; k < SWEEP_CONSENTS; k++)
				add_point(sweep, ratio_q16, windows_ns[j],
					  sweep_consents[k]);
	}
	return sweep;
}

void sweep_free(struct sweep *sweep)
{
	free(sweep);
}

bool sweep_consent_equal(const struct sweep_consent *a,
			 const struct sweep_consent *b)
{
	return a->evidence == b->evidence &&
	       a->patience_pkts == b->patience_pkts &&
	       a->floor_pkts == b->floor_pkts;
}

void sweep_consent_name(const struct sweep_consent *consent,
			char ret_name[SWEEP_CONSENT_SIZE])
{
	switch (consent->evidence) {
	case POLICY_EVIDENCE_CONSENT:
		snprintf(ret_name, SWEEP_CONSENT_SIZE,
			 "consent, patience %u, floor %u",
			 consent->patience_pkts, consent->floor_pkts);
		return;
	case POLICY_EVIDENCE_PACKETS:
		break;
	}
	snprintf(ret_name, SWEEP_CONSENT_SIZE, "packets");
}

void sweep_name(const struct sweep_point *point, char ret_name[SWEEP_NAME_SIZE])
{
	char threshold[UNITS_TEXT_SIZE], window[UNITS_TEXT_SIZE];
	char consent[SWEEP_CONSENT_SIZE];

	units_print_log2(point->ratio_q16, threshold);
	units_print_time(point->window_ns, window);
	sweep_consent_name(&point->consent, consent);
	snprintf(ret_name, SWEEP_NAME_SIZE, "T %s, window %s, %s%s", threshold,
		 window, consent, point->as_given ? ", as given" : "");
}

/* ------ a trial of a point */

struct run {
	struct sweep *sweep;
	const struct policy *policy;
	pthread_mutex_t lock;
};

/* The longest delay that a window gets by default: the largest of the doubled
 * ones not above 1.024 of it. */
static uint64_t max_delay_ns(const struct gate_params *params)
{
	uint64_t delay_ns = params->first_delay_ns;

	while (2 * delay_ns <= params->window_ns / 1000 * 1024)
		delay_ns *= 2;
	return delay_ns;
}

/* The first parameters are the default's; rules keep theirs. */
static struct gate_params *params_of(const struct policy *policy,
				     const struct sweep_point *point)
{
	struct gate_params *params =
		calloc(policy->params_count, sizeof(*params));

	if (!params)
		return NULL;
	memcpy(params, policy->params, policy->params_count * sizeof(*params));
	if (point->as_given)
		return params;
	params[0].ratio_q16 = point->ratio_q16;
	if (params[0].window_ns != point->window_ns) {
		params[0].window_ns = point->window_ns;
		params[0].max_delay_ns = max_delay_ns(&params[0]);
	}
	return params;
}

/* What S is for.  Sweeps and answered floods are paced, whatever S is. */
static bool is_weighed(enum judge_family family)
{
	return family == JUDGE_SILENT_TARGET;
}

static void piece(void *self, size_t at)
{
	struct run *run = self;
	struct judgement *judgement = run->sweep->judgement;
	size_t trials = judgement->trials_count;
	struct sweep_point *point = &run->sweep->points[at / trials];
	struct judge_trial trial = judgement->trials[at % trials];
	struct policy own = *run->policy;

	if (trial.entry->family != JUDGE_LEGIT &&
	    !is_weighed(trial.entry->family))
		return;
	own.params = params_of(run->policy, point);
	own.evidence = point->consent.evidence;
	own.credit.patience_pkts = point->consent.patience_pkts;
	own.credit.floor_pkts = point->consent.floor_pkts;
	if (own.params)
		judgement_try(judgement, &own, &trial);
	pthread_mutex_lock(&run->lock);
	if (!own.params || trial.problem[0])
		run->sweep->unreadable = true;
	judge_merge(trial.entry->family == JUDGE_LEGIT ? &point->good
						       : &point->attack,
		    &trial.figures);
	pthread_mutex_unlock(&run->lock);
	free(own.params);
}

/* ------ all */

static double share_pct(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static bool betters(const struct sweep_point *a, const struct sweep_point *b)
{
	return a->late_pct <= b->late_pct && a->let_out_pct <= b->let_out_pct &&
	       (a->late_pct < b->late_pct || a->let_out_pct < b->let_out_pct);
}

static void conclude(struct sweep *sweep)
{
	for (size_t i = 0; i < sweep->count; i++) {
		struct sweep_point *point = &sweep->points[i];

		point->late_pct =
			share_pct(point->good.late_pkts, point->good.out_pkts);
		point->late_pairs_pct =
			share_pct(point->good.late_pairs, point->good.pairs);
		point->let_out_pct = share_pct(point->attack.let_out_pkts,
					       point->attack.out_pkts);
	}
	for (size_t i = 0; i < sweep->count; i++)
		for (size_t j = 0; j < sweep->count; j++)
			sweep->points[i].bettered |=
				betters(&sweep->points[j], &sweep->points[i]);
}

void sweep_run(struct sweep *sweep, const struct policy *policy, size_t threads)
{
	struct run run = { .sweep = sweep, .policy = policy };

	pthread_mutex_init(&run.lock, NULL);
	crew_do(sweep->count * sweep->judgement->trials_count, threads, piece,
		&run);
	pthread_mutex_destroy(&run.lock);
	conclude(sweep);
}
