/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>

#include "policy/policy.h"
#include "policy/zones.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/direct.h"
#include "shaper/daemon/engines.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/interfaces.h"
#include "shaper/daemon/loader.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/reload.h"
#include "shaper/io/fast.h"
#include "shaper/io/fast_table.h"
#include "shaper/io/ifnames.h"
#include "shaper/io/net_watch.h"

enum { ASKED_EACH = 3 }; /* seconds */

struct place {
	bool is_known; /* to the engines, with its zone */
	char way[FAST_TEXT_BYTES];
	char told[FAST_TEXT_BYTES]; /* what was logged last */
};

struct wanted {
	char names[FAST_PLACES][INTERFACES_NAME_BYTES];
	size_t count;
};

struct follow {
	struct daemon *daemon;
	struct fast *fast; /* NULL: none */
	struct ifnames *names;
	struct direct *direct; /* NULL: fast is, too */
	struct place places[FAST_PLACES];
	uint32_t applied[FAST_PLACES]; /* to the rules */
	struct wanted wanted;          /* listed when ... */
	uint64_t seen;                 /* ... netwatch_look gave this */
	bool has_listed;               /* by the policy in force */
	bool is_settled;               /* and nothing was left to do */
	bool ended;           /* the loader did, and with it the program */
	unsigned int unasked; /* times that it was not asked since */
};

/* ------ loading */

/* What the policy names is missed; `auto` is what there is. */
static void log_missing(const struct follow *follow, int error,
			const char *text)
{
	if (follow->daemon->policy->fast.all)
		log_info(error, "fast path: %s", text);
	else
		log_warn(error, "fast path: %s", text);
}

static void do_without(struct follow *follow, int error, const char *why)
{
	struct status_fast *status = &follow->daemon->status.fast;
	char text[2 * FAST_TEXT_BYTES];

	snprintf(status->wrong, sizeof(status->wrong), "%s", why);
	snprintf(text, sizeof(text), "%s; all packets come to the queues", why);
	log_missing(follow, -error, text);
}

static uint32_t keys_of(const struct policy *policy)
{
	struct sysinfo machine;
	uint64_t bytes;
	uint32_t keys;

	if (policy->fast.keys != 0 || sysinfo(&machine) < 0)
		return policy->fast.keys ? policy->fast.keys : FASTTABLE_USUAL;
	bytes = (uint64_t)machine.totalram * machine.mem_unit;
	keys = fasttable_slots_for(bytes);
	if (keys < FASTTABLE_USUAL)
		log_info(0, "fast path: %u keys, for %" PRIu64 " MiB of memory",
			 keys, bytes >> 20);
	return keys;
}

static void load(struct follow *follow)
{
	struct daemon *daemon = follow->daemon;
	const struct policy *policy = daemon->policy;
	struct fast_options options = {
		.slots = keys_of(policy),
		.mark_mask = UINT32_C(15) << policy->fast.mark_bit,
		.consent = policy->evidence == POLICY_EVIDENCE_CONSENT,
		.pump_only = policy->fast.hold == POLICY_HOLD_PUMP,
	};
	char text[FAST_TEXT_BYTES];
	int error;

	if (getrandom(options.seed, sizeof(options.seed), 0) !=
	    (ssize_t)sizeof(options.seed)) {
		do_without(follow, -errno, "there are no random numbers");
		return;
	}
	error = loader_load(daemon->loader, &options, policy->fast.pin,
			    &follow->fast, &daemon->heritage, text);
	if (error < 0) {
		do_without(follow, error, text);
		return;
	}
	error = ifnames_new(&follow->names);
	follow->direct = direct_new(daemon);
	if (error == 0 && follow->direct == NULL)
		error = -ENOMEM;
	if (error < 0) {
		fast_free(follow->fast);
		follow->fast = NULL;
		do_without(follow, error, "interfaces cannot be followed");
		return;
	}
	daemon->fast = follow->fast;
	if (text[0] != '\0')
		log_info(0, "fast path: %s", text);
}

struct follow *follow_new(struct daemon *daemon)
{
	struct follow *follow = calloc(1, sizeof(*follow));

	if (follow == NULL)
		return NULL;
	follow->daemon = daemon;
	daemon->status.fast.wanted = policy_wants_fast(daemon->policy);
	if (daemon->loader != NULL)
		load(follow);
	follow_policy(follow, daemon->policy);
	return follow;
}

void follow_free(struct follow *follow)
{
	if (follow == NULL)
		return;
	loader_free(follow->daemon->loader);
	fast_free(follow->fast);
	ifnames_free(follow->names);
	direct_free(follow->direct);
	free(follow);
}

/* ------ names */

static void list_wanted(const struct policy *policy, struct wanted *ret_wanted)
{
	struct wanted *wanted = ret_wanted;

	wanted->count = policy->fast.interfaces_count;
	memcpy(wanted->names, policy->fast.interfaces,
	       sizeof(policy->fast.interfaces));
	if (policy->fast.all)
		wanted->count =
			interfaces_guarded(policy, wanted->names, FAST_PLACES);
}

static bool is_wanted(const struct wanted *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->names[i], name) == 0)
			return true;
	return false;
}

/* FAST_PLACES: there is none. */
static size_t place_of(const struct follow *follow, const char *name)
{
	size_t at = 0;

	while (at < FAST_PLACES &&
	       strcmp(fast_name(follow->fast, at), name) != 0)
		at++;
	return at;
}

static void free_places(struct follow *follow, const struct wanted *wanted)
{
	for (size_t i = 0; i < FAST_PLACES; i++) {
		if (fast_ifindex(follow->fast, i) != 0 ||
		    is_wanted(wanted, fast_name(follow->fast, i)))
			continue;
		fast_set_name(follow->fast, i, "");
		follow->places[i] = (struct place){ 0 };
	}
}

/* What each engine's registry of its own says as well: which of them are one
 * zone. */
static void set_zones(struct follow *follow, const struct policy *policy)
{
	struct zones *zones = zones_new();
	uint16_t ids[FAST_PLACES];

	for (size_t i = 0; i < FAST_PLACES; i++) {
		const char *name = fast_name(follow->fast, i);
		size_t first = 0;

		/* Without memory, or nobody's: none but itself. */
		ids[i] = (uint16_t)(ZONES_MAX + i);
		if (zones != NULL && name[0] != '\0')
			ids[i] = zones_id(zones, policy, name, 0);
		while (ids[first] != ids[i])
			first++;
		fast_set_zone(follow->fast, i, (uint16_t)first);
	}
	zones_free(zones);
}

/* Who finds no place now is tried again, when those that go have gone. */
static bool name(struct follow *follow, const struct wanted *wanted)
{
	bool is_new = false;

	free_places(follow, wanted);
	for (size_t i = 0; i < wanted->count; i++) {
		size_t at = place_of(follow, "");

		if (place_of(follow, wanted->names[i]) < FAST_PLACES ||
		    at == FAST_PLACES)
			continue;
		fast_set_name(follow->fast, at, wanted->names[i]);
		is_new = true;
	}
	return is_new;
}

void follow_policy(struct follow *follow, const struct policy *policy)
{
	struct wanted wanted;

	if (follow->fast == NULL)
		return;
	list_wanted(policy, &wanted);
	name(follow, &wanted);
	set_zones(follow, policy);
	follow->has_listed = false;
}

void follow_engines_know(struct follow *follow)
{
	if (follow->fast == NULL)
		return;
	follow->has_listed = false;
	for (size_t i = 0; i < FAST_PLACES; i++)
		follow->places[i].is_known = fast_name(follow->fast, i)[0] !=
					     '\0';
}

static void on_known(void *self)
{
	struct follow *follow = self;

	follow_engines_know(follow);
	follow_advance(follow);
	reload_retry(follow->daemon->reload);
}

/* Tell the engines anew, who take everything back for that. */
static void tell_engines(struct follow *follow)
{
	engines_set_policy(follow->daemon->engines, follow->daemon->policy,
			   on_known, follow);
}

/* ------ interfaces */

static void tell(struct follow *follow, size_t at, const char *text, int error)
{
	struct place *place = &follow->places[at];
	const char *name = fast_name(follow->fast, at);
	char line[2 * FAST_TEXT_BYTES];

	if (strcmp(place->told, text) == 0)
		return;
	snprintf(place->told, sizeof(place->told), "%s", text);
	snprintf(line, sizeof(line),
		 "%s: %s; what comes by it goes to the queues", name, text);
	if (error == 0)
		log_info(0, "fast path: attached to %s (%s)", name, place->way);
	else
		log_missing(follow, 0, line);
}

/* What it is attached to from now on; 0: to nothing. */
static uint32_t attach(struct follow *follow, size_t at, uint32_t ifindex)
{
	struct place *place = &follow->places[at];
	const char *name = fast_name(follow->fast, at);
	char text[FAST_TEXT_BYTES];
	int error;

	if (ifindex == 0) {
		tell(follow, at, "there is no such interface", -ENODEV);
		return 0;
	}
	if (!interfaces_is_ethernet(name)) {
		tell(follow, at, "it is not Ethernet", -ENODEV);
		return 0;
	}
	error = loader_attach(follow->daemon->loader, ifindex, text);
	if (error < 0) {
		tell(follow, at, text, error);
		return 0;
	}
	memcpy(place->way, text, sizeof(place->way));
	place->told[0] = '\0';
	tell(follow, at, "attached", 0);
	return ifindex;
}

/* `as_before`: all that it is attached to is there, and it there. */
static uint32_t look_at(struct follow *follow, size_t at, bool as_before)
{
	const char *name = fast_name(follow->fast, at);
	uint32_t before = fast_ifindex(follow->fast, at);
	uint32_t now;

	if (!follow->places[at].is_known || !is_wanted(&follow->wanted, name) ||
	    !loader_answers(follow->daemon->loader))
		return 0;
	if (as_before && before != 0)
		return before;
	now = if_nametoindex(name);
	/* Packets in would be of its zone, and those out of the VRF's. */
	if (ifnames_has_vrf(follow->names, now)) {
		tell(follow, at, "it is in a VRF", -ENODEV);
		return 0;
	}
	if (now != 0 && now == before) {
		if (loader_is_attached(follow->daemon->loader, now))
			return now;
		log_warn(0, "fast path: somebody took it away from %s", name);
	}
	return attach(follow, at, now);
}

static void apply(struct follow *follow, const uint32_t next[FAST_PLACES])
{
	uint32_t ifindexes[FAST_PLACES];
	size_t count = 0;

	if (memcmp(follow->applied, next, sizeof(follow->applied)) == 0)
		return;
	for (size_t i = 0; i < FAST_PLACES; i++)
		if (next[i] != 0)
			ifindexes[count++] = next[i];
	if (guard_set_fast(follow->daemon->guard, ifindexes, count) == 0)
		memcpy(follow->applied, next, sizeof(follow->applied));
	else
		log_error(0, "rules: %s", guard_error(follow->daemon->guard));
}

/* Every name has its interface, and the rules know. */
static bool is_settled(const struct follow *follow,
		       const uint32_t next[FAST_PLACES])
{
	for (size_t i = 0; i < FAST_PLACES; i++)
		if (next[i] == 0 && fast_name(follow->fast, i)[0] != '\0')
			return false;
	return memcmp(follow->applied, next, sizeof(follow->applied)) == 0;
}

static void tell_status(const struct follow *follow)
{
	struct status_fast *status = &follow->daemon->status.fast;

	status->runs = !follow->ended;
	status->interfaces_count = 0;
	for (size_t i = 0; i < FAST_PLACES; i++) {
		size_t at = status->interfaces_count;

		if (fast_ifindex(follow->fast, i) == 0)
			continue;
		snprintf(status->interfaces[at].name,
			 sizeof(status->interfaces[at].name), "%s",
			 fast_name(follow->fast, i));
		snprintf(status->interfaces[at].way,
			 sizeof(status->interfaces[at].way), "%.7s",
			 follow->places[i].way);
		status->interfaces[at].direct = direct_is_at(follow->direct, i);
		status->interfaces_count++;
	}
	direct_wrong(follow->direct, status->direct_wrong,
		     sizeof(status->direct_wrong));
}

static bool has_place(const uint32_t ifindexes[FAST_PLACES], uint32_t ifindex)
{
	for (size_t i = 0; i < FAST_PLACES; i++)
		if (ifindexes[i] == ifindex)
			return true;
	return false;
}

/* What comes is told and queued for a moment, what goes as well: rather heard
 * twice than never.  Who has changed its name has another place. */
static void move(struct follow *follow, const uint32_t next[FAST_PLACES])
{
	struct fast *fast = follow->fast;
	uint32_t before[FAST_PLACES];

	for (size_t i = 0; i < FAST_PLACES; i++) {
		before[i] = fast_ifindex(fast, i);
		if (next[i] != 0)
			fast_set_ifindex(fast, i, next[i]);
	}
	apply(follow, next);
	for (size_t i = 0; i < FAST_PLACES; i++) {
		if (next[i] == 0)
			fast_set_ifindex(fast, i, 0);
		if (before[i] != 0 && !has_place(next, before[i]))
			loader_detach(follow->daemon->loader, before[i]);
	}
}

/* false: interfaces and policy are what they were. */
static bool list_anew(struct follow *follow)
{
	uint64_t seen = netwatch_look(follow->daemon->net);

	if (follow->has_listed && seen == follow->seen)
		return false;
	follow->seen = seen;
	follow->has_listed = true;
	list_wanted(follow->daemon->policy, &follow->wanted);
	return true;
}

/* That somebody else took the program away is seldom, and to be asked by two
 * processes and the kernel's routing netlink. */
static bool is_complete(struct follow *follow)
{
	struct loader *loader = follow->daemon->loader;

	if (follow->is_settled && ++follow->unasked < ASKED_EACH)
		return loader_is_there(loader);
	follow->unasked = 0;
	return loader_is_complete(loader);
}

void follow_advance(struct follow *follow)
{
	uint32_t next[FAST_PLACES];
	bool as_before;

	if (follow->fast == NULL)
		return;
	as_before = !list_anew(follow) && is_complete(follow);
	if (as_before && follow->is_settled) {
		if (direct_advance(follow->direct, false))
			tell_status(follow);
		return;
	}
	follow->is_settled = false;
	ifnames_update(follow->names);
	for (size_t i = 0; i < FAST_PLACES; i++)
		next[i] = look_at(follow, i, as_before);
	move(follow, next);
	direct_advance(follow->direct, true);
	if (!follow->ended && !loader_answers(follow->daemon->loader)) {
		follow->ended = true;
		do_without(follow, 0, "the process that attaches it has ended");
		tell_engines(follow);
	}
	tell_status(follow);
	if (engines_change(follow->daemon->engines))
		return;
	if (!name(follow, &follow->wanted)) {
		follow->is_settled = is_settled(follow, next);
		return;
	}
	set_zones(follow, follow->daemon->policy);
	tell_engines(follow);
}
