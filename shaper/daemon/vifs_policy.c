/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How each vif is guarded: what is added to the policy, and what became of
 * it. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "shaper/daemon/daemon.h"
#include "shaper/daemon/log.h"
#include "shaper/daemon/reload.h"
#include "shaper/daemon/vif_table.h"
#include "shaper/daemon/vifs.h"
#include "shaper/daemon/vifs_netback.h"
#include "shaper/daemon/vifs_state.h"
#include "shaper/io/net_watch.h"

/* Who listens now: what is chosen from here on rests upon it. */
static void read_taps(struct vifs *vifs)
{
	if (vifs->taps_list == NULL)
		vifs->taps_list = viftaps_open();
	if (vifs->taps_list != NULL)
		viftaps_read(vifs->taps_list, &vifs->taps);
}

static const char *lacks_ring(const struct vifs *vifs, const struct vif *vif)
{
	return vifs->daemon->ring == NULL
		       ? vifs->daemon->ring_wrong
		       : ring_lacks(vif->keys.interface, vifs->taps_list != NULL
								 ? &vifs->taps
								 : NULL);
}

/* What is copied for somebody else is nobody's any more while it waits. */
static bool is_listened(const struct vifs *vifs, const struct vif *vif)
{
	return !vif->refused && vif->way == POLICY_WAY_QUEUE &&
	       viftaps_has(&vifs->taps, if_nametoindex(vif->keys.interface));
}

/* The other ways do not ask who listens. */
static bool rests_on_taps(const struct vifs *vifs)
{
	for (size_t i = 0; i < vifs->count; i++)
		if (vifs->list[i].asks_ring ||
		    (!vifs->list[i].refused &&
		     vifs->list[i].way == POLICY_WAY_QUEUE))
			return true;
	return false;
}

static bool is_as_before(const struct vifs *vifs, const struct vif *vif)
{
	return (!vif->asks_ring || vif->ring_lacks == lacks_ring(vifs, vif)) &&
	       vif->listened == is_listened(vifs, vif);
}

/* Nobody listens who did not, and interfaces are what they were, when all was
 * as it should be. */
static bool is_quiet(struct vifs *vifs)
{
	uint64_t seen = netwatch_look(vifs->daemon->net);
	struct viftaps before = vifs->taps;
	bool quiet = vifs->is_settled && seen == vifs->seen;

	if (rests_on_taps(vifs))
		read_taps(vifs);
	vifs->seen = seen;
	vifs->is_settled = true;
	return quiet && viftaps_equal(&before, &vifs->taps);
}

/* Somebody begins to listen to a vif, or ends; the module comes or goes. */
void vifs_look(struct vifs *vifs)
{
	bool same, quiet;

	if (vifs == NULL || vifs->count == 0)
		return;
	if (vifs->failed) {
		reload_vifs(vifs->daemon->reload);
		return;
	}
	same = vifsnetback_is_as_before(vifs);
	quiet = is_quiet(vifs);
	for (size_t i = 0; i < vifs->count && !(same && quiet); i++) {
		const struct vif *vif = &vifs->list[i];

		if (vif->leaving || (same && is_as_before(vifs, vif)))
			continue;
		vifs->is_settled = false;
		reload_vifs(vifs->daemon->reload);
		return;
	}
}

/* What the operator asks for of this vif, and then the tool stack. */
static void wish_of(const struct policy *policy, const struct vifkeys *keys,
		    struct guest_wish *ret_wish)
{
	const struct guest_identity guest = {
		.name = keys->name,
		.uuid = keys->uuid,
		.vif = keys->interface,
		.bridge = keys->bridge,
		.domain = keys->domain,
	};

	guests_wish_of(policy, &guest, &keys->wish, ret_wish);
}

/* With or without `ip`, no other guest's MAC: nor one that a bridge would learn
 * from a frame that carries no address. */
static bool own_port(struct policy *policy, const struct vifkeys *keys,
		     const struct guest_wish *wish)
{
	struct policy_owner owner = {
		.stamps = wish->mac == POLICY_XEN_MAC_OVERWRITE,
	};

	memcpy(owner.interface, keys->interface, sizeof(owner.interface));
	memcpy(owner.mac, keys->mac, sizeof(owner.mac));
	return policy_add_owner(policy, &owner);
}

/* A vif without `ip` may send from any address of the inside. */
static bool bind_one(struct policy *policy, struct vifkeys *keys,
		     const struct guest_wish *wish)
{
	struct policy_binding binding = {
		.addresses = { keys->addresses, keys->addresses_count },
	};

	if (!guests_add_rules(policy, keys->interface, wish))
		return false;
	if (!wish->guarded || !keys->has_mac)
		return true;
	if (!own_port(policy, keys, wish))
		return false;
	if (keys->addresses_count == 0)
		return true;
	binding.has_rate = (wish->said & GUEST_RATE) != 0;
	if (binding.has_rate)
		binding.rate = wish->rate;
	memcpy(binding.mac, keys->mac, sizeof(binding.mac));
	memcpy(binding.interface, keys->interface, sizeof(binding.interface));
	return policy_add_binding(policy, &binding);
}

/* It is held as small packets are, and that is said. */
static void say_if_listened(const struct vifs *vifs, struct vif *vif)
{
	size_t length = strlen(vif->why);

	vif->listened = is_listened(vifs, vif);
	if (vif->listened)
		snprintf(vif->why + length, sizeof(vif->why) - length,
			 "%ssomebody listens to it (see /proc/net/packet), so "
			 "no guest waits",
			 length > 0 ? "; " : "");
}

static const char *lacks_netback(const struct vifs *vifs, const struct vif *vif)
{
	return vifs->netback_lacks == NULL && vif->netback_wrong[0] != '\0'
		       ? vif->netback_wrong
		       : vifs->netback_lacks;
}

static bool give_way(struct vifs *vifs, struct policy *policy, struct vif *vif,
		     const struct guest_wish *wish)
{
	struct policy_vif entry = { 0 };
	bool before = vif->refused;

	vif->asks_ring =
		wish->way == POLICY_WAY_RING ||
		(wish->way == POLICY_WAY_AUTO && !policy->nfqueue.bridge);
	vif->ring_lacks = vif->asks_ring ? lacks_ring(vifs, vif)
					 : "not looked for";
	vif->refused = !vifways_choose(policy, vif->keys.interface,
				       vif->ring_lacks,
				       lacks_netback(vifs, vif), wish->way,
				       &vif->way, vif->why);
	say_if_listened(vifs, vif);
	vif->waits |= vif->refused != before;
	vif->in_netback = !vif->refused && wish->guarded &&
			  vif->way == POLICY_WAY_NETBACK;
	vif->asks_ring &= !vif->in_netback;
	vifnetback_settings(policy, wish, &vif->keys, &vif->netback);
	if (vif->refused)
		return true;
	memcpy(entry.interface, vif->keys.interface, sizeof(entry.interface));
	entry.way = vif->way;
	entry.is_listened = vif->listened;
	return policy_add_vif(policy, &entry);
}

void vifs_forget_refusals(struct vifs *vifs)
{
	for (size_t i = 0; vifs != NULL && i < vifs->count; i++)
		vifs->list[i].netback_wrong[0] = '\0';
}

static void look_for_module(struct vifs *vifs)
{
	const char *before = vifs->netback_lacks;

	vifs->netback_lacks = waynetback_lacks(vifs->netback);
	if (vifs->netback_lacks != before)
		vifs_forget_refusals(vifs);
}

bool vifs_apply(struct vifs *vifs, struct policy *policy)
{
	struct guest_wish wish;

	if (vifs == NULL || vifs->count == 0)
		return true;
	vifs->is_settled = false;
	read_taps(vifs);
	look_for_module(vifs);
	for (size_t i = 0; i < vifs->count; i++) {
		struct vif *vif = &vifs->list[i];

		vif->applied = true;
		if (vif->leaving)
			continue;
		wish_of(policy, &vif->keys, &wish);
		if (!bind_one(policy, &vif->keys, &wish) ||
		    !give_way(vifs, policy, vif, &wish))
			return false;
		viftable_way(vifs->table, &vif->keys,
			     vif->refused ? "" : policy_way_name(vif->way),
			     vif->why, !wish.guarded);
	}
	return policy_prepare(policy);
}

static void tell_way(const struct vifs *vifs, struct vif *vif)
{
	char text[WAY_TEXT_BYTES];

	snprintf(text, sizeof(text), "%s%.*s",
		 vif->refused ? "" : policy_way_name(vif->way),
		 WAY_TEXT_BYTES - 16, vif->why);
	if (strcmp(text, vif->told) == 0)
		return;
	memcpy(vif->told, text, sizeof(vif->told));
	if (!vif->refused && vif->way == POLICY_WAY_RING)
		ring_prepare(vifs->daemon->ring, vif->keys.interface);
	if (vif->refused)
		log_error(0, "xen: %s: its packets cannot wait: %s",
			  vif->keys.interface, vif->why);
	else
		log_info(0, "xen: %s: its packets wait by way of %s (%s)",
			 vif->keys.interface, policy_way_name(vif->way),
			 vif->why);
}

/* -ENODEV: it is only going or coming. */
static bool is_taken_by_netback(struct vifs *vifs, struct vif *vif)
{
	int error = vifsnetback_set(vifs, vif);
	const char *wrong = strerror(-error);

	if (error == 0)
		return true;
	vif->guarded = false;
	if (error == -ENODEV) {
		vif->refused = true;
		snprintf(vif->why, sizeof(vif->why), "%s", wrong);
		return true;
	}
	snprintf(vif->netback_wrong, sizeof(vif->netback_wrong),
		 "netback refuses it: %s", wrong);
	return false;
}

/* A vif that is there, once what guards it is in force, or could not be.
 * false: it is not, and has to have another way. */
static bool applied(struct vifs *vifs, struct vif *vif, bool good,
		    const char *wrong)
{
	bool guarded;

	if (good && !is_taken_by_netback(vifs, vif))
		return false;
	if (good)
		tell_way(vifs, vif);
	guarded = good && !vif->refused;
	vif->guarded = guarded;
	if (vif->waits && guarded)
		log_info(0, "xen: %s of domain %u (%s) is guarded",
			 vif->keys.interface, vif->keys.domain, vif->keys.name);
	if (vif->waits)
		vifs_report(vifs, &vif->keys,
			    guarded ? VIF_GUARDED : VIF_REFUSED,
			    good ? vif->why : wrong);
	/* What was wrong may pass: then it is to hear of that as well. */
	vif->waits &= !good;
	return true;
}

void vifs_applied(struct vifs *vifs, bool good, const char *wrong)
{
	bool all = true;
	size_t i = 0;

	if (vifs == NULL)
		return;
	vifs->failed = !good;
	snprintf(vifs->daemon->status.vifs_wrong,
		 sizeof(vifs->daemon->status.vifs_wrong), "%s",
		 good ? "" : wrong);
	while (i < vifs->count) {
		struct vif *vif = &vifs->list[i];

		if (!vif->applied || (vif->leaving && !good)) {
			i++;
			continue;
		}
		vif->applied = false;
		if (vif->leaving) {
			vifs_drain(vifs, &vif->keys, vif->going);
			vifs_remove_at(vifs, i);
			continue;
		}
		all &= applied(vifs, vif, good, wrong);
		i++;
	}
	if (!all)
		reload_vifs(vifs->daemon->reload);
}
