/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/credit.h"

static uint32_t ticks_of(uint64_t now_ns)
{
	return (uint32_t)(now_ns >> CREDIT_TICK_SHIFT);
}

static bool is_within(uint32_t since_ticks, uint32_t span_ticks,
		      uint64_t now_ns)
{
	return ticks_of(now_ns) - since_ticks < span_ticks;
}

bool credit_must_stay(const struct credit *credit, uint64_t now_ns)
{
	return credit->state & CREDIT_BEGAN &&
	       is_within(credit->sent_ticks, CREDIT_MINUTE_TICKS, now_ns);
}

uint64_t credit_began_ns(const struct credit *credit, uint64_t now_ns)
{
	uint32_t age_ticks = ticks_of(now_ns) - credit->began_ticks;
	uint64_t began_ns;

	if (!credit_must_stay(credit, now_ns))
		return 0;
	began_ns = ((now_ns >> CREDIT_TICK_SHIFT) - age_ticks)
		   << CREDIT_TICK_SHIFT;
	return began_ns ? began_ns : 1;
}

void credit_sent(struct credit *credit, const struct credit_params *params,
		 bool known_silent, uint64_t now_ns)
{
	if (!credit_must_stay(credit, now_ns)) {
		bool began = credit->state & CREDIT_BEGAN;

		credit->began_ticks = ticks_of(now_ns);
		credit->patience_pkts =
			began || known_silent ? params->patience_pkts : 0;
		credit->state |= CREDIT_BEGAN;
		credit->state &= (uint8_t)~CREDIT_STREAM;
	}
	credit->sent_ticks = ticks_of(now_ns);
	credit->state |= CREDIT_ASKED;
}

void credit_resume(struct credit *credit, const struct credit_params *params,
		   uint32_t pkts, uint64_t now_ns)
{
	if (!credit_must_stay(credit, now_ns)) {
		credit->began_ticks = ticks_of(now_ns) - CREDIT_STREAM_TICKS;
		credit->patience_pkts = 0;
		credit->state = CREDIT_BEGAN | CREDIT_ANSWERS;
	}
	credit->sent_ticks = ticks_of(now_ns);
	if (pkts >= CREDIT_ANSWERS)
		credit->state |= CREDIT_ANSWERS;
	if (pkts > 0)
		credit_heard(credit, params, pkts, now_ns);
}

static bool is_established(const struct credit *credit)
{
	return (credit->state & CREDIT_ANSWERED) == CREDIT_ANSWERS;
}

static uint32_t unlapsed_pkts(const struct credit *credit, uint64_t now_ns)
{
	return is_within(credit->heard_ticks, CREDIT_MINUTE_TICKS, now_ns)
		       ? credit->earned_pkts
		       : 0;
}

void credit_purse(const struct credit *credit, uint64_t now_ns,
		  uint32_t *ret_patience_pkts, uint32_t *ret_earned_pkts)
{
	bool begins =
		(credit->state & (CREDIT_BEGAN | CREDIT_STREAM)) ==
			CREDIT_BEGAN &&
		is_within(credit->began_ticks, CREDIT_SECOND_TICKS, now_ns);

	*ret_patience_pkts = begins ? credit->patience_pkts : 0;
	*ret_earned_pkts =
		is_established(credit) ? unlapsed_pkts(credit, now_ns) : 0;
}

void credit_heard(struct credit *credit, const struct credit_params *params,
		  uint32_t pkts, uint64_t now_ns)
{
	uint32_t earned = unlapsed_pkts(credit, now_ns);

	credit->heard_ticks = ticks_of(now_ns);
	if (credit->state & CREDIT_ASKED) {
		credit->state &= (uint8_t)~CREDIT_ASKED;
		if (!is_established(credit))
			credit->state++;
	}
	if (pkts > CREDIT_MAX_PKTS)
		pkts = CREDIT_MAX_PKTS;
	earned += pkts * params->earned_pkts;
	credit->earned_pkts =
		(uint16_t)(earned < CREDIT_MAX_PKTS ? earned : CREDIT_MAX_PKTS);
}

bool credit_pay(struct credit *credit, uint32_t pkts, uint64_t now_ns)
{
	uint32_t patience, earned;

	credit_purse(credit, now_ns, &patience, &earned);
	if (pkts > patience + earned)
		return false;
	if (pkts < patience)
		patience = pkts;
	if (patience > 0)
		credit->patience_pkts =
			(uint8_t)(credit->patience_pkts - patience);
	if (pkts > patience)
		credit->earned_pkts = (uint16_t)(earned - (pkts - patience));
	return true;
}

/* What was not spent is not saved, but for a small burst. */
bool credit_pay_stream(struct credit *credit,
		       const struct credit_params *params, uint64_t now_ns)
{
	uint32_t elapsed_ticks = ticks_of(now_ns) - credit->began_ticks;
	uint32_t due_pkts =
		elapsed_ticks * CREDIT_STREAM_PKTS_PER_S / CREDIT_SECOND_TICKS;

	if (!(credit->state & CREDIT_BEGAN) || params->patience_pkts == 0 ||
	    elapsed_ticks >= CREDIT_STREAM_TICKS)
		return false;
	if (!(credit->state & CREDIT_STREAM)) {
		if (credit->patience_pkts != params->patience_pkts)
			return false;
		credit->state |= CREDIT_STREAM;
		credit->patience_pkts = 0;
	}
	if (credit->patience_pkts < due_pkts)
		credit->patience_pkts = (uint8_t)due_pkts;
	if (credit->patience_pkts >= due_pkts + CREDIT_STREAM_BURST_PKTS)
		return false;
	credit->patience_pkts++;
	return true;
}

bool credit_pay_for(struct credit *credit, const struct credit_params *params,
		    uint32_t pkts, bool is_stream, uint64_t now_ns)
{
	if (pkts == 1 && is_stream && credit_pay_stream(credit, params, now_ns))
		return true;
	return credit_pay(credit, pkts, now_ns);
}

bool credit_may_forget(const struct credit *credit,
		       const struct credit_params *params, bool contacts_count,
		       bool crowded, uint64_t now_ns, bool *ret_early)
{
	*ret_early = false;
	if (!credit_must_stay(credit, now_ns))
		return true;
	/* Without patience it is remembered for the contacts alone. */
	if (params->patience_pkts == 0)
		return crowded || !contacts_count;
	if (!crowded || credit->state & CREDIT_STREAM ||
	    credit->patience_pkts < params->patience_pkts)
		return false;
	*ret_early = true;
	return true;
}
