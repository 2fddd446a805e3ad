/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/guests.h"

#include <stdlib.h>
#include <string.h>

/* Goes back to the last star only, so it ends after length x length steps. */
static bool fits(const char *pattern, const char *text)
{
	const char *star = NULL, *after = NULL;

	if (pattern[0] == '\0')
		return true;
	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			after = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++after;
		} else {
			return false;
		}
	}
	pattern += strspn(pattern, "*");
	return *pattern == '\0';
}

static bool is_meant(const struct policy_guest *guest,
		     const struct guest_identity *who)
{
	return (guest->domain == 0 || guest->domain == who->domain) &&
	       fits(guest->name, who->name) && fits(guest->uuid, who->uuid) &&
	       fits(guest->vif, who->vif) && fits(guest->bridge, who->bridge);
}

/* What `wish` leaves open. */
static void add(struct guest_wish *wish, const struct guest_wish *more)
{
	unsigned said = more->said & ~(unsigned)wish->said;

	if (said & GUEST_WAY)
		wish->way = more->way;
	if (said & GUEST_MAC)
		wish->mac = more->mac;
	if (said & GUEST_GUARD)
		wish->guarded = more->guarded;
	if (said & GUEST_THRESHOLD)
		wish->ratio_q16 = more->ratio_q16;
	if (said & GUEST_RATE)
		wish->rate = more->rate;
	wish->said = (uint8_t)(wish->said | said);
}

void guests_wish_of(const struct policy *policy,
		    const struct guest_identity *guest,
		    const struct guest_wish *own, struct guest_wish *ret_wish)
{
	struct guest_wish wish = { 0 };
	const struct guest_wish all = {
		.said = GUEST_WAY | GUEST_MAC | GUEST_GUARD,
		.way = policy->xen.way,
		.mac = policy->xen.mac,
		.guarded = true,
	};

	for (size_t i = 0; i < policy->xen.guests_count; i++) {
		if (!is_meant(&policy->xen.guests[i], guest))
			continue;
		wish = policy->xen.guests[i].wish;
		break;
	}
	add(&wish, own);
	add(&wish, &all);
	*ret_wish = wish;
}

/* Its place among the limits; 0, the default: none is left.  < 0: out of
 * memory. */
static int32_t find_params(struct policy *policy, uint32_t ratio_q16)
{
	struct gate_params wanted = policy->params[0], *list;
	size_t i;

	wanted.ratio_q16 = ratio_q16;
	for (i = 1; i < policy->params_count; i++)
		if (memcmp(&policy->params[i], &wanted, sizeof(wanted)) == 0)
			return (int32_t)i;
	if (policy->params_count == POLICY_PARAMS_MAX)
		return 0;
	list = realloc(policy->params, (i + 1) * sizeof(*list));
	if (list == NULL)
		return -1;
	list[i] = wanted;
	policy->params = list;
	policy->params_count++;
	return (int32_t)i;
}

static bool add_rule(struct policy *policy, const char *vif,
		     enum policy_action action, uint16_t params)
{
	struct policy_rule *list = realloc(
		policy->rules, (policy->rules_count + 1) * sizeof(*list));
	struct policy_rule *rule;

	if (list == NULL)
		return false;
	policy->rules = list;
	rule = &list[policy->rules_count++];
	memset(rule, 0, sizeof(*rule));
	rule->priority = INT32_MAX;
	rule->action = action;
	rule->params = params;
	memcpy(rule->match.interface, vif, strlen(vif) + 1);
	return true;
}

bool guests_add_rules(struct policy *policy, const char *vif,
		      const struct guest_wish *wish)
{
	int32_t params;

	if (!wish->guarded)
		return add_rule(policy, vif, POLICY_ACCEPT, 0);
	if (!(wish->said & GUEST_THRESHOLD) ||
	    wish->ratio_q16 == policy->params[0].ratio_q16)
		return true;
	params = find_params(policy, wish->ratio_q16);
	return params == 0 || (params > 0 && add_rule(policy, vif, POLICY_LIMIT,
						      (uint16_t)params));
}

bool guest_wish_equal(const struct guest_wish *a, const struct guest_wish *b)
{
	return a->said == b->said && a->way == b->way && a->mac == b->mac &&
	       a->guarded == b->guarded && a->ratio_q16 == b->ratio_q16 &&
	       a->rate.pkts_per_s == b->rate.pkts_per_s &&
	       a->rate.bytes_per_s == b->rate.bytes_per_s &&
	       a->rate.burst_ns == b->rate.burst_ns;
}

bool guest_equal(const struct policy_guest *a, const struct policy_guest *b)
{
	return guest_wish_equal(&a->wish, &b->wish) && a->domain == b->domain &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->uuid, b->uuid) == 0 &&
	       strcmp(a->vif, b->vif) == 0 && strcmp(a->bridge, b->bridge) == 0;
}
