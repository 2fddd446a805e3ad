/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/daemon/direct.h"

#include <errno.h>
#include <net/ethernet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/guard.h"
#include "shaper/daemon/log.h"
#include "shaper/io/clock.h"
#include "shaper/io/fast.h"
#include "shaper/io/nft_bridge.h"
#include "shaper/io/nft_links.h"
#include "shaper/io/nft_others.h"

enum { TAG_BYTES = 4 }; /* frames may have one that the MTU does not count */

/* After the last look, which is one a second. */
#define HOLDS_NS UINT64_C(3000000000)

struct direct {
	struct daemon *daemon;
	bool tracks, is_used;
	uint32_t bridges[FAST_PLACES]; /* 0: not there */
	struct fast_port uplinks[FAST_PORTS];
	uint32_t guards[FAST_PORTS]; /* of these, what the rules know */
	size_t guards_count;
	bool behind;             /* they know others */
	struct nftothers others; /* whose rules there are, */
	uint64_t others_seen;    /* as guard_others told when they were read, */
	bool others_known;       /* and could be; */
	bool calls_all;          /* and do all bridges call them? */
	char told[FAST_PLACES][STATUS_TEXT_BYTES]; /* what was logged last */
};

struct direct *direct_new(struct daemon *daemon)
{
	struct direct *direct = calloc(1, sizeof(*direct));

	if (direct != NULL)
		direct->daemon = daemon;
	return direct;
}

void direct_free(struct direct *direct)
{
	free(direct);
}

/* ------ may it? */

/* Of the policy and of this machine; NULL: nothing stands against it. */
static const char *refused_everywhere(const struct direct *direct)
{
	if (policy_wants_each_packet(direct->daemon->policy))
		return "a rule asks for each packet (log, or TCP flags)";
	if (direct->tracks)
		return "connections are tracked here, and tracking would miss "
		       "what the guest sends";
	if (!direct->others_known)
		return "the rules of others cannot be read";
	return NULL;
}

/* Rules of others for what passes by this port. */
static bool is_ruled(const struct direct *direct,
		     const struct nftlinks_link *bridge,
		     const struct nftlinks_link *port,
		     char ret_who[NFTOTHERS_TEXT_BYTES])
{
	const struct nftothers *others = &direct->others;

	return nftothers_at(others, NFTOTHERS_FRAMES, "", ret_who) ||
	       nftothers_at(others, NFTOTHERS_INGRESS, port->name, ret_who) ||
	       ((direct->calls_all || bridge->call_iptables ||
		 bridge->call_ip6tables) &&
		nftothers_at(others, NFTOTHERS_PACKETS, "", ret_who));
}

/* The bridge that `at` may send past; NULL: ret_wrong says why none, unless
 * nothing passes there now. */
static const struct nftlinks_link *bridge_of(const struct direct *direct,
					     const struct nftlinks *links,
					     size_t at,
					     char ret_wrong[STATUS_TEXT_BYTES])
{
	const struct nftlinks_link *port = nftlinks_find_index(
		links, fast_ifindex(direct->daemon->fast, at));
	const struct nftlinks_link *bridge =
		port ? nftlinks_find_index(links, port->master) : NULL;
	const char *wrong = refused_everywhere(direct);
	char who[NFTOTHERS_TEXT_BYTES];

	if (wrong != NULL)
		snprintf(ret_wrong, STATUS_TEXT_BYTES, "%s", wrong);
	else if (bridge == NULL || !bridge->bridge)
		snprintf(ret_wrong, STATUS_TEXT_BYTES,
			 "it is no port of a bridge");
	else if (bridge->filters_vlans)
		snprintf(ret_wrong, STATUS_TEXT_BYTES, "%s filters VLANs",
			 bridge->name);
	else if (bridge->spans)
		snprintf(ret_wrong, STATUS_TEXT_BYTES,
			 "%s speaks the spanning tree protocol", bridge->name);
	else if (port->locked)
		snprintf(ret_wrong, STATUS_TEXT_BYTES,
			 "it is locked: %s knows who may send", bridge->name);
	else if (is_ruled(direct, bridge, port, who))
		snprintf(ret_wrong, STATUS_TEXT_BYTES, "%s may stop it", who);
	else if (port->forwards)
		return bridge;
	return NULL;
}

/* ------ uplinks */

static bool is_guarded(const struct direct *direct,
		       const struct nftlinks_link *port)
{
	const struct policy *policy = direct->daemon->policy;

	for (size_t i = 0; i < FAST_PLACES; i++)
		if (fast_ifindex(direct->daemon->fast, i) == port->index)
			return true;
	for (size_t i = 0; i < policy->owners_count; i++)
		if (strcmp(policy->owners[i].interface, port->name) == 0)
			return true;
	for (size_t i = 0; i < policy->bindings_count; i++)
		if (strcmp(policy->bindings[i].interface, port->name) == 0)
			return true;
	return false;
}

static bool is_left_out(const struct direct *direct, uint32_t bridge)
{
	for (size_t i = 0; i < FAST_PLACES; i++)
		if (bridge != 0 && direct->bridges[i] == bridge)
			return true;
	return false;
}

/* Why the bridge may send elsewhere what is for who answers by this port. */
static bool is_shut(const struct direct *direct,
		    const struct nftlinks_link *port,
		    char ret_wrong[STATUS_TEXT_BYTES])
{
	char who[NFTOTHERS_TEXT_BYTES];

	if (port->isolated)
		snprintf(ret_wrong, STATUS_TEXT_BYTES, "%s is isolated",
			 port->name);
	else if (!port->learns)
		snprintf(ret_wrong, STATUS_TEXT_BYTES,
			 "the bridge does not learn who is at %s", port->name);
	else if (nftothers_at(&direct->others, NFTOTHERS_EGRESS, port->name,
			      who))
		snprintf(ret_wrong, STATUS_TEXT_BYTES, "%s may stop it at %s",
			 who, port->name);
	else
		return false;
	return true;
}

static bool leads_out(const struct direct *direct,
		      const struct nftlinks_link *port)
{
	return port->up && port->forwards && !is_guarded(direct, port);
}

static bool is_uplink(const struct direct *direct,
		      const struct nftlinks_link *port)
{
	char wrong[STATUS_TEXT_BYTES];

	return is_left_out(direct, port->master) && leads_out(direct, port) &&
	       !is_shut(direct, port, wrong);
}

/* What shuts the last of those that lead out of this bridge; "": one is open,
 * or there is none. */
static void why_shut(const struct direct *direct, const struct nftlinks *links,
		     uint32_t bridge, char ret_wrong[STATUS_TEXT_BYTES])
{
	ret_wrong[0] = '\0';
	for (size_t i = 0; i < links->count; i++) {
		const struct nftlinks_link *port = &links->list[i];

		if (port->master == bridge && leads_out(direct, port) &&
		    !is_shut(direct, port, ret_wrong)) {
			ret_wrong[0] = '\0';
			return;
		}
	}
}

static bool is_same(const struct fast_port *a, const struct fast_port *b)
{
	return a->ifindex == b->ifindex && a->bridge == b->bridge &&
	       a->most_bytes == b->most_bytes &&
	       memcmp(a->bridge_mac, b->bridge_mac, sizeof(a->bridge_mac)) == 0;
}

static struct fast_port uplink_of(const struct nftlinks *links,
				  const struct nftlinks_link *port)
{
	const struct nftlinks_link *bridge =
		nftlinks_find_index(links, port->master);
	struct fast_port uplink = {
		.ifindex = port->index,
		.bridge = port->master,
		.most_bytes = port->mtu_bytes + ETHER_HDR_LEN + TAG_BYTES,
	};

	if (bridge != NULL)
		memcpy(uplink.bridge_mac, bridge->mac, sizeof(bridge->mac));
	return uplink;
}

static void put_uplink(struct direct *direct, size_t at,
		       const struct fast_port *uplink)
{
	if (is_same(&direct->uplinks[at], uplink))
		return;
	direct->uplinks[at] = *uplink;
	fast_set_uplink(direct->daemon->fast, at, uplink);
}

/* Its own, or else one that is `vacant`; FAST_PORTS: there is none. */
static size_t uplink_place(const struct direct *direct, uint32_t ifindex,
			   const bool vacant[FAST_PORTS])
{
	size_t at = 0;

	while (at < FAST_PORTS && direct->uplinks[at].ifindex != ifindex)
		at++;
	if (at < FAST_PORTS)
		return at;
	at = 0;
	while (at < FAST_PORTS &&
	       (!vacant[at] || direct->uplinks[at].ifindex != 0))
		at++;
	return at;
}

/* Who finds no place is sent to by the bridge.  A place that was left now is
 * nobody's until the next change. */
static void set_uplinks(struct direct *direct, const struct nftlinks *links)
{
	const struct fast_port nobody = { 0 };
	bool vacant[FAST_PORTS];

	for (size_t i = 0; i < FAST_PORTS; i++) {
		const struct nftlinks_link *port =
			nftlinks_find_index(links, direct->uplinks[i].ifindex);

		vacant[i] = direct->uplinks[i].ifindex == 0;
		if (!vacant[i] && (port == NULL || !is_uplink(direct, port)))
			put_uplink(direct, i, &nobody);
	}
	for (size_t i = 0; i < links->count; i++) {
		const struct nftlinks_link *port = &links->list[i];
		const struct fast_port uplink = uplink_of(links, port);
		size_t at;

		if (!is_uplink(direct, port))
			continue;
		at = uplink_place(direct, port->index, vacant);
		if (at < FAST_PORTS)
			put_uplink(direct, at, &uplink);
	}
}

/* Where packets in come by. */
static void tell_guard(struct direct *direct)
{
	struct guard *guard = direct->daemon->guard;
	uint32_t ifindexes[FAST_PORTS];
	size_t count = 0;

	for (size_t i = 0; i < FAST_PORTS; i++)
		if (direct->uplinks[i].ifindex != 0)
			ifindexes[count++] = direct->uplinks[i].ifindex;
	if (count == direct->guards_count &&
	    memcmp(direct->guards, ifindexes, count * sizeof(*ifindexes)) == 0)
		return;
	if (guard_set_uplinks(guard, ifindexes, count) < 0) {
		if (!direct->behind)
			log_error(0, "rules: %s", guard_error(guard));
		direct->behind = true;
		return;
	}
	direct->behind = false;
	memcpy(direct->guards, ifindexes, count * sizeof(*ifindexes));
	direct->guards_count = count;
}

/* ------ telling */

static void tell(struct direct *direct, size_t at, const char *wrong)
{
	const char *name = fast_name(direct->daemon->fast, at);
	char text[STATUS_TEXT_BYTES] = "";

	if (wrong[0] != '\0')
		snprintf(text, sizeof(text), "%s: %.200s", name, wrong);
	if (strcmp(direct->told[at], text) == 0)
		return;
	memcpy(direct->told[at], text, sizeof(text));
	if (text[0] != '\0')
		log_warn(0, "fast path: by the bridge, not direct: %s", text);
}

static void look_at(struct direct *direct, const struct nftlinks *links)
{
	struct fast *fast = direct->daemon->fast;
	char shut[STATUS_TEXT_BYTES] = "";
	uint32_t asked = 0;

	for (size_t i = 0; i < FAST_PLACES; i++) {
		char wrong[STATUS_TEXT_BYTES] = "";
		const struct nftlinks_link *bridge = NULL;

		if (fast_ifindex(fast, i) != 0 &&
		    direct->daemon->policy->fast.direct)
			bridge = bridge_of(direct, links, i, wrong);
		direct->bridges[i] = bridge ? bridge->index : 0;
		fast_set_direct(fast, i, direct->bridges[i]);
		if (bridge != NULL && bridge->index != asked) {
			asked = bridge->index;
			why_shut(direct, links, asked, shut);
		}
		tell(direct, i, bridge != NULL ? shut : wrong);
	}
}

/* ------ each second */

/* false: they are what they were. */
static bool read_others(struct direct *direct)
{
	uint64_t seen = guard_others(direct->daemon->guard);
	bool calls_all = nftbridge_calls_all();
	bool is_new = nftothers_look_for_legacy(&direct->others) ||
		      calls_all != direct->calls_all;

	direct->calls_all = calls_all;
	if (direct->others_known && seen == direct->others_seen)
		return is_new;
	direct->others_known = nftothers_read(&direct->others) == 0;
	direct->others_seen = seen;
	return true;
}

static void look(struct direct *direct)
{
	struct daemon *daemon = direct->daemon;
	struct nftlinks links;
	int error;

	direct->is_used = daemon->policy->fast.direct;
	error = nftlinks_read(&links);
	if (error < 0) {
		log_error(-error, "fast path: interfaces cannot be read");
		links = (struct nftlinks){ 0 };
	}
	look_at(direct, &links);
	set_uplinks(direct, &links);
	tell_guard(direct);
	nftlinks_fini(&links);
}

bool direct_advance(struct direct *direct, bool anew)
{
	struct daemon *daemon = direct->daemon;
	bool tracks = guard_tracks(daemon->guard);

	if (!daemon->policy->fast.direct && !direct->is_used)
		return false;
	anew |= tracks != direct->tracks || direct->behind;
	direct->tracks = tracks;
	anew |= read_others(direct);
	if (anew)
		look(direct);
	fast_set_direct_until(daemon->fast, clock_now_ns() + HOLDS_NS);
	return anew;
}

bool direct_is_at(const struct direct *direct, size_t at)
{
	return direct->bridges[at] != 0 && direct->told[at][0] == '\0';
}

void direct_wrong(const struct direct *direct, char *ret_text, size_t bytes)
{
	ret_text[0] = '\0';
	for (size_t i = 0; i < FAST_PLACES && ret_text[0] == '\0'; i++)
		snprintf(ret_text, bytes, "%s", direct->told[i]);
}
