/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/pump_world_policies.h"

#include <string.h>

#include "policy/parse.h"
#include "policy/policy.h"
#include "tests/check.h"

#define RINGS                                                         \
	"antispoof: {bindings: [{mac: 52:54:00:00:00:01, addresses: " \
	"10.0.0.1}, {mac: 52:54:00:00:00:02, addresses: 10.0.0.2}]}\n"

static const char *const texts[PUMP_WORLD_POLICIES] = {
	"mode: enforce\n",
	"mode: enforce\nlimiter: {enforce: [flow]}\n",
	"mode: enforce\nlimiter: {enforce: [pair]}\n",
	"mode: enforce\nlimiter: {enforce: [host]}\n",
	"mode: enforce\nlimiter: {enforce: [host, pair, flow]}\n",
	"mode: shadow\n",
	"mode: enforce\n"
	"limiter: {threshold: 0.0, window: 10ms, first_delay: 1us, "
	"enforce: [host, flow]}\n",
	"mode: enforce\n"
	"limiter: {threshold: 3.0, window: 60s, first_delay: 1s, "
	"enforce: [pair, flow]}\n"
	"rules: [{priority: 1, match: {proto: udp, dst_port: 54}, "
	"action: exempt}]\n",
	"mode: enforce\n"
	"rules:\n"
	"  - {priority: 1, match: {src: 10.0.0.1/32}, action: limit, "
	"threshold: 0.5, window: 100ms}\n"
	"  - {priority: 2, match: {dst: 192.0.2.2/32}, action: exempt}\n"
	"  - {priority: 3, match: {src: 10.0.0.2/32}, action: limit, "
	"threshold: 15.0, window: 2s}\n",
	"mode: enforce\nlimiter: {enforce: [host, flow]}\n"
	"rules:\n"
	"  - {priority: 1, match: {dst: 192.0.2.1/32}, action: limit, "
	"threshold: 4.0}\n",
	/* the purse and the guards, so small that both run out */
	"mode: enforce\nlimiter: {evidence: consent}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, patience: 3, credit: 2}\n"
	"guards: {first_contacts: 1, new_connections: 2}\n",
	"mode: shadow\n"
	"limiter: {evidence: consent, patience: 5, credit: 1, "
	"enforce: [pair]}\n"
	"guards: {first_contacts: 2, new_connections: 1}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, patience: 1, credit: 3, "
	"enforce: [host, pair, flow]}\n"
	"guards: {first_contacts: 1, new_connections: 1}\n"
	"rules: [{priority: 1, match: {dst: 192.0.2.2/32}, "
	"action: exempt}]\n",
	/* what a host may send in all */
	"mode: enforce\nrate: {packets: 40/s, burst: 100ms}\n",
	"mode: enforce\n"
	"limiter: {evidence: consent, enforce: [host, pair, flow]}\n"
	"guards: {first_contacts: 2, new_connections: 2}\n"
	"rate: {bytes: 3kB/s, burst: 50ms}\n"
	"antispoof: {bindings: [{mac: 52:54:00:00:00:01, "
	"addresses: 10.0.0.1, rate: {packets: 1/s, burst: 1s}}]}\n",
	/* places in a guest's ring */
	"mode: enforce\nrate: {packets: 100/s}\n"
	"xen: {vifs: follow, at_slots: shed, held_slots_per_key: 3, "
	"held_slots_per_vif: 5}\n" RINGS,
	"mode: enforce\n"
	"xen: {vifs: follow, at_slots: wait, held_slots_per_key: 2}\n" RINGS,
};

static struct policy *parse(const char *text)
{
	static struct policy_errors errors;
	char full[1024];
	struct policy *policy;
	int bytes = snprintf(full, sizeof(full),
			     "inside: [10.0.0.0/8, 2001:db8::/32]\n%s", text);

	CHECK(policy_parse("world", full, (size_t)bytes, &policy, &errors));
	if (!strstr(text, "evidence"))
		policy->evidence = POLICY_EVIDENCE_PACKETS;
	if (policy->xen.vifs)
		CHECK(policy_add_vif(policy, &(struct policy_vif){
						     .interface = "lan0",
						     .way = POLICY_WAY_QUEUE,
					     }));
	return policy;
}

void pump_world_load(struct policy *ret_policies[PUMP_WORLD_POLICIES])
{
	static struct policy *parsed[PUMP_WORLD_POLICIES];

	for (int i = 0; i < PUMP_WORLD_POLICIES; i++) {
		if (!parsed[i])
			parsed[i] = parse(texts[i]);
		ret_policies[i] = parsed[i];
	}
}
