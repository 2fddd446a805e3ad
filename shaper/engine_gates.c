/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was sent and heard, and what the gates say to it. */
#include "shaper/engine.h"

#include "shaper/asym.h"

enum {
	SUSPECT_SHARE = 4,  /* one host borrows at most a quarter */
	RECLAIM_STEPS = 16, /* suspects looked at when none is left ... */
	RECLAIM_PAUSE_NS = 100000, /* ... and when none of those was free */
	SHOWN_PKTS_MIN = 8, /* of a key that borrows one only to be shown */
};

void engine_count(struct engine *engine, struct flow_entry *entry,
		  uint32_t sent_pkts, uint32_t heard_pkts, uint64_t now_ns)
{
	uint64_t window_ns = engine_params(engine, entry)->gate.window_ns;

	if (engine->exact)
		engine_suspect(engine, entry, now_ns);
	if (entry->suspect)
		window_add(&suspects_get(&engine->suspects, entry->suspect)
				    ->window,
			   window_ns, sent_pkts, heard_pkts, now_ns);
	else
		window_small_add(entry, window_ns, sent_pkts, heard_pkts,
				 now_ns);
}

/* The last quarter of the pool is for keys that are over. */
static bool may_borrow_early(const struct engine *engine)
{
	const struct suspects *suspects = &engine->suspects;

	return suspects->used < suspects->lent_max - suspects->lent_max / 4;
}

static bool has_its_share(const struct engine *engine,
			  const struct flow_entry *entry)
{
	const struct engine_host *host =
		&engine->hosts[engine_host_slot(engine, entry)];

	return !engine->exact &&
	       host->suspects > engine->suspects.lent_max / SUSPECT_SHARE;
}

static bool are_plenty(const struct engine *engine,
		       const struct flow_entry *entry)
{
	return may_borrow_early(engine) && !has_its_share(engine, entry);
}

/* Of the keys that an upload counts in, its own has a suspect, and so would
 * the others if its acknowledgements counted for one each. */
static bool may_borrow_to_show(struct engine *engine, struct flow_entry *entry,
			       uint32_t replies, uint32_t wire_pkts,
			       uint64_t now_ns)
{
	uint32_t sent, heard;

	if (wire_pkts == 0 || replies < wire_pkts || !are_plenty(engine, entry))
		return false;
	engine_sums(engine, entry, now_ns, &sent, &heard);
	return sent >= SHOWN_PKTS_MIN;
}

void engine_hear(struct engine *engine, struct flow_entry *entry,
		 uint32_t replies, uint32_t wire_pkts, uint64_t now_ns)
{
	if (replies == wire_pkts ||
	    (!entry->suspect && !engine->exact &&
	     !may_borrow_to_show(engine, entry, replies, wire_pkts, now_ns)) ||
	    !engine_suspect(engine, entry, now_ns)) {
		engine_count(engine, entry, 0, replies, now_ns);
		return;
	}
	window_hear(&suspects_get(&engine->suspects, entry->suspect)->window,
		    engine_params(engine, entry)->gate.window_ns, replies,
		    wire_pkts, now_ns);
}

uint32_t engine_heard_pkts(struct engine *engine, struct flow_entry *entry,
			   uint64_t now_ns)
{
	uint32_t sent, heard;

	engine_sums(engine, entry, now_ns, &sent, &heard);
	return entry->suspect ? suspects_get(&engine->suspects, entry->suspect)
					->window.plain_pkts
			      : heard;
}

void engine_sums(struct engine *engine, struct flow_entry *entry,
		 uint64_t now_ns, uint32_t *ret_sent_pkts,
		 uint32_t *ret_heard_pkts)
{
	uint64_t window_ns = engine_params(engine, entry)->gate.window_ns;

	if (entry->suspect) {
		struct window *window =
			&suspects_get(&engine->suspects, entry->suspect)
				 ->window;

		window_slide(window, window_ns, now_ns);
		*ret_sent_pkts = window->sent_pkts;
		*ret_heard_pkts = window->heard_pkts;
		return;
	}
	window_small_slide(entry, window_ns, now_ns);
	window_small_sums(entry, ret_sent_pkts, ret_heard_pkts);
}

static void note_over(struct engine *engine, struct suspect *suspect, bool over,
		      uint64_t now_ns)
{
	if (over == (suspect->over_since_ns != 0))
		return;
	suspect->over_since_ns = over ? now_ns : 0;
	engine->penalties += over ? 1u : UINT32_MAX;
}

/* What an acknowledgement stands for, and how many came, is known as long as
 * there is a suspect: an upload that came near its threshold once keeps it
 * while it lasts, unless others need one. */
static bool keeps_evidence(const struct engine *engine,
			   const struct suspect *suspect, uint32_t sent_pkts)
{
	const struct window *window = &suspect->window;

	return sent_pkts > 0 &&
	       (suspect->evidence.follows ||
		(sent_pkts >= SHOWN_PKTS_MIN &&
		 window->plain_pkts != window->heard_pkts)) &&
	       are_plenty(engine, engine_entry_of(engine, suspect));
}

void engine_absolve(struct engine *engine, uint32_t id, uint64_t now_ns)
{
	struct suspect *suspect = suspects_get(&engine->suspects, id);
	struct flow_entry *entry = engine_entry_of(engine, suspect);
	const struct engine_params *params;
	uint32_t sent, heard;

	engine_refresh(engine, entry);
	params = engine_params(engine, entry);
	if (suspect_waits(suspect) || suspect->aside_pkts || suspect->stirs ||
	    suspect->refused_until_ns > now_ns ||
	    (suspect->is_metered &&
	     !pacer_is_idle(&suspect->connections, now_ns)))
		return;
	engine_sums(engine, entry, now_ns, &sent, &heard);
	/* (0, 0) is far, even from a threshold below 1 */
	if (sent > 0 && asym_exceeds(sent, heard, params->far_q16))
		return;
	if ((engine->exact && sent + heard > 0) ||
	    keeps_evidence(engine, suspect, sent))
		return;
	note_over(engine, suspect, false, now_ns);
	window_shrink(entry, &suspect->window, params->gate.window_ns);
	entry->suspect = 0;
	if (suspect->scope != FLOW_SCOPE_HOST)
		engine->hosts[engine_host_slot(engine, entry)].suspects--;
	suspects_take_back(&engine->suspects, id);
}

/* Who has none to lend asks for every packet: not again at once when nobody
 * was ready to give one back. */
static void reclaim(struct engine *engine, uint64_t now_ns)
{
	struct suspects *suspects = &engine->suspects;
	uint32_t used = suspects->used;

	if (now_ns < engine->reclaim_ns)
		return;
	for (int i = 0; i < RECLAIM_STEPS && suspects->fresh > 1; i++) {
		if (++suspects->hand >= suspects->fresh)
			suspects->hand = 1;
		if (suspects_get(suspects, suspects->hand)->scope !=
		    FLOW_SCOPES)
			engine_absolve(engine, suspects->hand, now_ns);
	}
	if (suspects->used == used)
		engine->reclaim_ns = now_ns + RECLAIM_PAUSE_NS;
}

static uint32_t lend(struct engine *engine, struct flow_entry *entry,
		     uint64_t now_ns)
{
	struct suspects *suspects = &engine->suspects;
	struct engine_host *host =
		&engine->hosts[engine_host_slot(engine, entry)];
	uint32_t slot = engine_slot(engine, entry);
	uint32_t id = 0;

	if (entry->key.scope == FLOW_SCOPE_HOST)
		return suspects_of_host(suspects, slot);
	if (suspects->used == suspects->lent_max ||
	    has_its_share(engine, entry))
		reclaim(engine, now_ns);
	if (!has_its_share(engine, entry))
		id = suspects_lend(suspects, entry->key.scope, slot);
	if (id)
		host->suspects++;
	return id;
}

/* What left before it was lent. */
static void note_left(struct suspect *suspect)
{
	for (unsigned int i = 0; i < suspect->window.count; i++) {
		const struct window_run *run = window_run(&suspect->window, i);

		floor_left(&suspect->floor, run->sent_pkts, run->start_ns);
	}
}

/* What it is lent with: nothing was offered that did not leave. */
static void begin(struct engine *engine, struct flow_entry *entry,
		  struct suspect *suspect)
{
	uint64_t window_ns = engine_params(engine, entry)->gate.window_ns;
	struct window *window = &suspect->window;

	window_grow(window, entry, window_ns);
	window->grows = engine->exact;
	for (uint32_t i = 0; i < window->count; i++)
		suspect_offer(suspect, window_ns,
			      window_run(window, i)->sent_pkts,
			      window_run(window, i)->start_ns);
	note_left(suspect);
}

uint32_t engine_suspect(struct engine *engine, struct flow_entry *entry,
			uint64_t now_ns)
{
	uint32_t id;

	if (entry->suspect)
		return entry->suspect;
	id = lend(engine, entry, now_ns);
	if (id == 0) {
		engine->stats.counter[STATS_suspects_refused]++;
		return 0;
	}
	begin(engine, entry, suspects_get(&engine->suspects, id));
	entry->suspect = id;
	engine->stats.counter[STATS_suspects_made]++;
	return id;
}

enum engine_answer engine_ask(struct engine *engine, struct flow_entry *entry,
			      uint32_t wire_pkts, uint64_t now_ns)
{
	const struct engine_params *params = engine_params(engine, entry);
	uint32_t ratio_q16 = params->gate.ratio_q16;
	struct suspect *suspect;
	uint32_t sent, heard;
	bool over, was_armed;

	engine_sums(engine, entry, now_ns, &sent, &heard);
	over = asym_exceeds(sent + wire_pkts - 1, heard, ratio_q16);
	if (!entry->suspect) {
		if (!over && !engine->exact &&
		    (!asym_exceeds(sent, heard, params->near_q16) ||
		     !may_borrow_early(engine)))
			return ENGINE_OPEN;
		if (!engine_suspect(engine, entry, now_ns))
			return over ? ENGINE_NO_GATE : ENGINE_OPEN;
	}
	if (wire_pkts > 1 && over)
		return ENGINE_CLOSED;
	suspect = suspects_get(&engine->suspects, entry->suspect);
	note_over(engine, suspect, over, now_ns);
	gate_fire(&suspect->gate, suspect_waits(suspect), now_ns);
	was_armed = suspect->gate.armed_ns != 0;
	switch (gate_ask(&suspect->gate, &params->gate, sent, heard, now_ns)) {
	case GATE_OPEN:
		return ENGINE_OPEN;
	case GATE_OWES:
		return ENGINE_OWES;
	case GATE_CLOSED:
		break;
	}
	engine->stats.counter[STATS_releases_armed] += !was_armed;
	return ENGINE_CLOSED;
}

bool engine_allows(uint64_t *state_ns, uint32_t pkts_per_s, uint32_t pkts,
		   uint64_t now_ns)
{
	uint64_t burst_ns = 1000000000u;
	uint64_t arrival_ns = *state_ns > now_ns ? *state_ns : now_ns;

	if (pkts_per_s == 0)
		return false;
	arrival_ns += (uint64_t)pkts * (1000000000u / pkts_per_s);
	if (arrival_ns - now_ns > burst_ns)
		return false;
	*state_ns = arrival_ns;
	return true;
}
