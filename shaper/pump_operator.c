/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator says: another policy, release, exempt, drain; and what is
 * lost. */
#include <string.h>

#include "shaper/pump_state.h"
#include "shaper/snapshot.h"

static struct suspect *suspect_of(const struct pump *pump, uint32_t id)
{
	return suspects_get(&pump->engine.suspects, id);
}

/* Of an address, at either end; or of a guest; or what is lost. */
struct whom {
	const uint8_t *address; /* NULL: of the guest */
	const struct pump_guest *guest;
	const struct pump_lost *lost; /* NULL: it leaves */
	bool not_forgiven;
};

static bool is_about(const struct flow_key *key, const struct whom *whom)
{
	if (whom->address == NULL)
		return pump_is_of_guest(whom->guest, key);
	return memcmp(key->inside, whom->address, 16) == 0 ||
	       (key->scope != FLOW_SCOPE_HOST &&
		memcmp(key->outside, whom->address, 16) == 0);
}

/* Windows are emptied: S starts anew, so that what comes next is not held on
 * account of what was forgiven. */
static void forgive(struct pump *pump, uint32_t id, const struct whom *whom)
{
	struct suspect *suspect = suspect_of(pump, id);

	if (whom->not_forgiven ||
	    !is_about(&engine_entry_of(&pump->engine, suspect)->key, whom))
		return;
	suspect->gate = (struct gate){ 0 };
	window_clear(&suspect->window);
	pump_stir_later(pump, id);
}

static bool leaves(const struct token *token, const struct whom *whom)
{
	if (whom->lost == NULL)
		return is_about(&token->key, whom);
	return !(token->flags & TOKEN_GHOST) &&
	       whom->lost->is_lost(whom->lost->self, token->id);
}

/* Also from FIFOs of wider keys.  Returns how many packets. */
static size_t release_from(struct pump *pump, uint32_t id,
			   const struct whom *whom)
{
	struct suspect *fifo = suspect_of(pump, id);
	uint32_t next = fifo->first;
	size_t released = 0;

	while (next) {
		uint32_t at = next;
		struct token *token = tokens_get(&pump->tokens, at);

		next = token->next;
		if (!leaves(token, whom))
			continue;
		released += token->wire_pkts;
		if (whom->lost == NULL)
			pump_note_sent(pump, token);
		pump_expel(pump, id, at, whom->lost ? PUMP_DROP : PUMP_PASS);
		if (fifo->first)
			pump_stir_later(pump, id);
	}
	return released;
}

static size_t release(struct pump *pump, const struct whom *whom,
		      uint64_t now_ns)
{
	const struct suspects *suspects = &pump->engine.suspects;
	const struct flowtable *hosts = &pump->engine.tables[FLOW_SCOPE_HOST];
	size_t released = 0;

	pump_advance(pump, now_ns);
	for (uint32_t id = 1; id < suspects->fresh; id++) {
		if (suspect_of(pump, id)->scope == FLOW_SCOPES)
			continue;
		released += release_from(pump, id, whom);
		forgive(pump, id, whom);
	}
	for (uint32_t slot = 0; slot < hosts->fresh; slot++) {
		uint32_t id = flowtable_entry(hosts, slot)->suspect;

		if (!flowtable_in_use(hosts, slot) || !id)
			continue;
		released += release_from(pump, id, whom);
		forgive(pump, id, whom);
	}
	pump_tell(pump);
	return released;
}

size_t pump_release_address(struct pump *pump, const uint8_t address[16],
			    uint64_t now_ns)
{
	const struct whom whom = { .address = address };

	return release(pump, &whom, now_ns);
}

size_t pump_release_guest(struct pump *pump, const struct pump_guest *guest,
			  uint64_t now_ns)
{
	const struct whom whom = { .guest = guest };

	return release(pump, &whom, now_ns);
}

size_t pump_let_go_guest(struct pump *pump, const struct pump_guest *guest,
			 uint64_t now_ns)
{
	const struct whom whom = { .guest = guest, .not_forgiven = true };

	return release(pump, &whom, now_ns);
}

size_t pump_forget(struct pump *pump, const struct pump_lost *lost,
		   uint64_t now_ns)
{
	const struct whom whom = { .lost = lost, .not_forgiven = true };
	size_t count = release(pump, &whom, now_ns);

	pump->engine.stats.counter[STATS_dropped_lost] += count;
	return count;
}

static bool end_exemption(struct engine *engine, const uint8_t address[16])
{
	for (uint32_t i = 0; i < engine->exemptions_count; i++) {
		if (memcmp(engine->exemptions[i].address, address, 16) != 0)
			continue;
		engine->exemptions[i] =
			engine->exemptions[--engine->exemptions_count];
		return true;
	}
	return false;
}

bool pump_exempt_address(struct pump *pump, const uint8_t address[16],
			 uint64_t until_ns, uint64_t now_ns)
{
	struct engine *engine = &pump->engine;

	pump_advance(pump, now_ns);
	end_exemption(engine, address);
	if (until_ns > now_ns) {
		struct engine_exemption *next;

		if (engine->exemptions_count == ENGINE_EXEMPTIONS_MAX)
			return false;
		next = &engine->exemptions[engine->exemptions_count++];
		memcpy(next->address, address, 16);
		next->until_ns = until_ns;
		pump_release_address(pump, address, now_ns);
		if (pump->upkeep_ns == NS_NEVER)
			pump->upkeep_ns = pump->now_ns + PUMP_UPKEEP_NS;
	}
	engine_reclassify(engine);
	pump_rehome(pump);
	return true;
}

static bool gains_patience(const struct policy *before,
			   const struct policy *after)
{
	return after->evidence == POLICY_EVIDENCE_CONSENT &&
	       after->credit.patience_pkts > 0 &&
	       (before->evidence != POLICY_EVIDENCE_CONSENT ||
		before->credit.patience_pkts == 0);
}

void pump_set_policy(struct pump *pump, const struct policy *policy,
		     uint64_t now_ns)
{
	pump_advance(pump, now_ns);
	if (gains_patience(pump->engine.policy, policy))
		engine_credit_begin(&pump->engine, pump->now_ns);
	engine_set_policy(&pump->engine, policy);
	pump_rehome(pump);
}

void pump_drain(struct pump *pump, enum pump_verdict verdict, uint64_t now_ns)
{
	uint64_t *dropped = &pump->engine.stats.counter[STATS_dropped_drain];
	uint32_t host;

	pump_advance(pump, now_ns);
	while ((host = lengths_longest(&pump->busiest)) != UINT32_MAX) {
		uint32_t id = lengths_longest(&pump->engine.hosts[host].fifos);
		uint32_t at = suspect_of(pump, id)->first;
		const struct token *token = tokens_get(&pump->tokens, at);

		if (verdict == PUMP_DROP)
			*dropped += token->wire_pkts;
		else
			pump_note_sent(pump, token);
		pump_expel(pump, id, at, verdict);
	}
	pump_tell(pump);
}
