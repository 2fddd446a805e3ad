/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guarded host may send in all (`rate`).  It is asked after the other
 * guards and before any gate.  What does not fit waits at the head of the FIFO
 * in which it rests; the FIFO stands in line at its host, and those in line
 * take turns, one packet each.  While somebody stands there nobody else may go.
 *
 * Who waited for a gate before still counts as waiting for it: what that owes
 * him must not lapse while he stands here.
 */
#include "shaper/pump_state.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

uint32_t pump_rate(struct pump *pump, const struct engine_place *place,
		   uint32_t wire_pkts, uint32_t bytes)
{
	struct engine_host *host = &pump->engine.hosts[place->host_slot];
	uint32_t gate = place->host->suspect;

	if (!rate_is_set(&host->rate))
		return 0;
	if (pump->rate_turn || !gate || !suspect_of(pump, gate)->rated_first) {
		if (bucket_allows(&host->bucket, &host->rate, wire_pkts, bytes,
				  pump->now_ns))
			return 0;
	}
	return engine_suspect(&pump->engine, place->host, pump->now_ns);
}

void pump_rate_sent(struct pump *pump, const struct engine_place *place,
		    uint32_t wire_pkts, uint32_t bytes)
{
	struct engine_host *host = &pump->engine.hosts[place->host_slot];

	if (rate_is_set(&host->rate))
		bucket_take(&host->bucket, &host->rate, wire_pkts, bytes,
			    pump->now_ns);
}

/* ------ the line */

void pump_rate_join(struct pump *pump, uint32_t gate, uint32_t id)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct suspect *fifo = suspect_of(pump, id);

	fifo->rated_at = gate;
	fifo->rated_next = 0;
	fifo->rated_prev = wide->rated_last;
	if (wide->rated_last)
		suspect_of(pump, wide->rated_last)->rated_next = id;
	else
		wide->rated_first = id;
	wide->rated_last = id;
}

void pump_rate_leave(struct pump *pump, uint32_t id)
{
	struct suspect *fifo = suspect_of(pump, id);
	struct suspect *wide;

	if (!fifo->rated_at)
		return;
	wide = suspect_of(pump, fifo->rated_at);
	if (fifo->rated_prev)
		suspect_of(pump, fifo->rated_prev)->rated_next =
			fifo->rated_next;
	else
		wide->rated_first = fifo->rated_next;
	if (fifo->rated_next)
		suspect_of(pump, fifo->rated_next)->rated_prev =
			fifo->rated_prev;
	else
		wide->rated_last = fifo->rated_prev;
	fifo->rated_at = 0;
}

/* Bytes of what leaves next of this one: what was put together is as long as
 * it is when the last of its own goes. */
uint32_t pump_rate_bytes(const struct token *token)
{
	return token->wire_pkts > 1 ? 0 : token->bytes;
}

uint64_t pump_rate_next_ns(struct pump *pump, uint32_t gate)
{
	struct suspect *wide = suspect_of(pump, gate);
	struct engine_host *host;
	const struct suspect *fifo;

	if (!wide->rated_first)
		return NS_NEVER;
	host = &pump->engine.hosts[wide->slot];
	fifo = suspect_of(pump, wide->rated_first);
	return bucket_next_ns(
		&host->bucket, &host->rate, 1,
		pump_rate_bytes(tokens_get(&pump->tokens, fifo->first)),
		pump->now_ns);
}
