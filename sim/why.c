/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/why.h"

#include <math.h>
#include <stdio.h>

#include "policy/policy.h"
#include "policy/units.h"
#include "sim/words.h"

enum pump_by why_most(const uint64_t *by_pkts)
{
	int most = 0;

	for (int by = 1; by <= PUMP_BYS; by++)
		if (by_pkts[by] > by_pkts[most])
			most = by;
	return (enum pump_by)most;
}

/* "20000/s packets, 100MB/s"; a binding may have another. */
static void add_rate(struct words *words, const struct rate_params *rate)
{
	char text[UNITS_TEXT_SIZE];

	if (!rate_is_set(rate))
		words_add(words, "as its binding says");
	if (rate->pkts_per_s != 0) {
		units_print_count_per_s(rate->pkts_per_s, text);
		words_add(words, "%s packets%s", text,
			  rate->bytes_per_s != 0 ? ", " : "");
	}
	if (rate->bytes_per_s != 0) {
		units_print_bytes_per_s(rate->bytes_per_s, text);
		words_add(words, "%s", text);
	}
}

/* "2.0", "2.885" */
static const char *print_threshold(double threshold, char ret_text[16])
{
	size_t length = (size_t)snprintf(ret_text, 16, "%.3f", threshold);

	while (length > 2 && length < 16 && ret_text[length - 1] == '0' &&
	       ret_text[length - 2] != '.')
		ret_text[--length] = '\0';
	return ret_text;
}

/* All in all there were answers enough. */
static bool was_answered(const struct why *why)
{
	return why->in_pkts > 0 &&
	       log2(((double)why->out_pkts + 1) / ((double)why->in_pkts + 1)) <=
		       why->threshold;
}

static void add_s(struct words *words, const struct why *why, const char *whose,
		  const struct policy *policy)
{
	char window[UNITS_TEXT_SIZE], threshold[16];

	units_print_time(why->window_ns, window);
	print_threshold(why->threshold, threshold);
	if (why->s_max > why->threshold) {
		words_add(words, "%s S rose to %.1f, above the threshold of %s",
			  whose, why->s_max, threshold);
		if (why->sent_pkts)
			words_add(words,
				  ": in %s it had sent %u packets and heard %u",
				  window, why->sent_pkts, why->heard_pkts);
		if (policy->evidence == POLICY_EVIDENCE_CONSENT &&
		    was_answered(why))
			words_add(words, "; what came back came late, or is no "
					 "answer (a refusal, a connection "
					 "never finished)");
	} else if (policy->evidence == POLICY_EVIDENCE_CONSENT) {
		words_add(words,
			  "%s S stayed at %.1f, but not all that came back "
			  "is an answer (a refusal, a connection never "
			  "finished)",
			  whose, why->s_max);
	} else {
		words_add(words,
			  "%s S was %.1f as captured, and rose above %s "
			  "when packets that had waited left together",
			  whose, why->s_max, threshold);
	}
}

void why_add(struct words *words, const struct why *why,
	     const struct policy *policy)
{
	char threshold[16];

	switch (why->by) {
	case PUMP_BY_FLOW:
		if (why->s_max > why->threshold)
			add_s(words, why, "its", policy);
		else
			words_add(words,
				  "one of its conversations went above the "
				  "threshold of %s; S of all together stayed "
				  "at %.1f",
				  print_threshold(why->threshold, threshold),
				  why->s_max);
		return;
	case PUMP_BY_PAIR:
		add_s(words, why, "its", policy);
		return;
	case PUMP_BY_HOST:
		add_s(words, why, "the host's", policy);
		return;
	case PUMP_BY_CONTACTS:
		words_add(words,
			  "the host tried more than %u others in a second "
			  "which had not answered",
			  policy->first_contacts_per_s);
		return;
	case PUMP_BY_CONNECTIONS:
		words_add(words,
			  "more than %u new connections in a second to one "
			  "host",
			  policy->connections_per_s);
		return;
	case PUMP_BY_RATE:
		words_add(words, "the host sent more than its rate: ");
		add_rate(words, &policy->rate);
		return;
	case PUMP_BYS:
		break;
	}
	words_add(words, "more of its kind than the plain limit");
}

static void add_pace(struct words *words, const char *what, uint32_t pace)
{
	if (pace)
		words_add(words, "%u %s a second", pace, what);
	else
		words_add(words, "lifted");
}

void why_add_measure(struct words *words, enum pump_by by,
		     const struct policy *policy)
{
	const struct gate_params *params = &policy->params[0];
	char threshold[UNITS_TEXT_SIZE], window[UNITS_TEXT_SIZE];

	switch (by) {
	case PUMP_BY_FLOW:
	case PUMP_BY_PAIR:
	case PUMP_BY_HOST:
		if (!(policy->enforce & 1u << by)) {
			words_add(words, "not enforced");
			return;
		}
		units_print_log2(params->ratio_q16, threshold);
		units_print_time(params->window_ns, window);
		words_add(words, "S at most %s over %s", threshold, window);
		return;
	case PUMP_BY_CONTACTS:
		add_pace(words, "hosts that have not answered, of one host,",
			 policy->first_contacts_per_s);
		return;
	case PUMP_BY_CONNECTIONS:
		add_pace(words, "new connections of one host to another",
			 policy->connections_per_s);
		return;
	case PUMP_BY_RATE:
		add_rate(words, &policy->rate);
		return;
	case PUMP_BYS:
		break;
	}
	words_add(words, "multicast, DHCP, ICMP errors: packets a second");
}
