/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts to findings. */
#include <string.h>

#include "shaper/ctl/facts.h"
#include "shaper/daemon/findings.h"

enum { CONNTRACK_FULL_PCT = 90 };

static void judge_forwarding(const struct facts *facts,
			     struct findings *findings)
{
	if (facts->bridged)
		return;
	if (facts->ipv4 && facts->ip_forward == 0)
		finding_remedy(findings_add(findings, "forwarding-ipv4",
					    FINDING_PROBLEM,
					    "This machine does not forward "
					    "IPv4: guarded hosts get "
					    "nowhere."),
			       "`sysctl -w net.ipv4.ip_forward=1`, and in "
			       "/etc/sysctl.d to keep it.");
	if (facts->ipv6 && facts->ipv6_forward == 0)
		finding_remedy(findings_add(findings, "forwarding-ipv6",
					    FINDING_PROBLEM,
					    "This machine does not forward "
					    "IPv6: guarded hosts get "
					    "nowhere."),
			       "`sysctl -w net.ipv6.conf.all.forwarding=1`, "
			       "and in /etc/sysctl.d to keep it.");
}

static void judge_netfilter(const struct facts *facts,
			    struct findings *findings)
{
	if (!facts->has_netfilter)
		finding_remedy(findings_add(findings, "no-netfilter",
					    FINDING_PROBLEM,
					    "The kernel has no netfilter."),
			       "Boot a kernel with CONFIG_NETFILTER, "
			       "CONFIG_NETFILTER_NETLINK_QUEUE and "
			       "CONFIG_NF_TABLES.");
}

static void judge_clock(const struct facts *facts, struct findings *findings)
{
	if (strcmp(facts->clock, "hpet") == 0 ||
	    strcmp(facts->clock, "acpi_pm") == 0 ||
	    strcmp(facts->clock, "jiffies") == 0)
		finding_remedy(findings_add(findings, "slow-clock",
					    FINDING_WARNING,
					    "The kernel's clock is %s, which "
					    "takes a microsecond or more to "
					    "read.",
					    facts->clock),
			       "See `dmesg | grep -i clocksource` for why "
			       "not tsc; in a virtual machine choose "
			       "kvm-clock, xen or hyperv.");
}

static bool is_bound(const struct facts *facts, uint32_t number)
{
	size_t i;

	for (i = 0; i < facts->bound_count; i++)
		if (facts->bound[i].number == number)
			return true;
	return false;
}

/* Ours are bound by us when the daemon runs, and by nobody when not. */
static void judge_queues(const struct facts *facts, struct findings *findings)
{
	size_t i;

	if (facts->runs && !facts->has_bound)
		return;
	for (i = 0; i < facts->queues_count; i++) {
		uint32_t number = facts->queues[i];

		if (facts->runs == is_bound(facts, number))
			continue;
		if (facts->runs)
			finding_remedy(
				findings_add(findings, "queue-lost",
					     FINDING_PROBLEM,
					     "Nobody listens at queue %u, "
					     "which is symtapd's.",
					     number),
				"Restart symtapd; its log says why it let go.");
		else
			finding_remedy(
				findings_add(findings, "queue-taken",
					     FINDING_PROBLEM,
					     "Another program listens at "
					     "queue %u.",
					     number),
				"Stop it (an IPS, another symtapd?), or set "
				"`datapath: nfqueue: first_queue` to a range "
				"that is free.");
		return;
	}
}

/* In a bridge's own hook the kernel takes a super-packet apart without its
 * Ethernet header, unless br_netfilter has noted where that is. */
static void judge_segments(const struct facts *facts, struct findings *findings)
{
	if (!facts->bridged || strcmp(facts->method, "queue") != 0 ||
	    (facts->bridge_iptables == 1 && facts->bridge_ip6tables == 1))
		return;
	finding_remedy(findings_add(findings, "bridge-segments",
				    FINDING_WARNING,
				    "Without br_netfilter this kernel loses "
				    "what it takes apart for symtap: some "
				    "segments of each upload are sent again, "
				    "which makes it slow."),
		       "`modprobe br_netfilter`, and set "
		       "net.bridge.bridge-nf-call-iptables and -ip6tables to "
		       "1; iptables sees bridged packets then, too.");
}

static void judge_bridge(const struct facts *facts, struct findings *findings)
{
	judge_segments(facts, findings);
	if (!facts->bridged && facts->has_bridge &&
	    (facts->bridge_iptables > 0 || facts->bridge_ip6tables > 0))
		finding_remedy(
			findings_add(findings, "bridge-nf", FINDING_WARNING,
				     "Bridged packets pass the routed hooks "
				     "(bridge-nf-call-iptables=1): what only "
				     "crosses a bridge here is judged as "
				     "well."),
			"`sysctl -w net.bridge.bridge-nf-call-iptables=0` and "
			"ip6tables likewise, unless another firewall needs "
			"it.");
	if (!facts->bridged || strcmp(facts->method, "target") != 0)
		return;
	if (facts->bridge_iptables != 1 || facts->bridge_ip6tables != 1)
		finding_remedy(findings_add(findings, "bridge-nf-off",
					    FINDING_PROBLEM,
					    "Bridged packets do not reach the "
					    "hooks that this kernel needs for "
					    "them."),
			       "Somebody changed bridge-nf-call-iptables or "
			       "-ip6tables back to 0; restart symtapd, and "
			       "keep sysctl scripts from it.");
	if (facts->bridge_vlan != 1 || facts->bridge_pppoe != 1)
		finding_remedy(findings_add(findings, "bridge-nf-tagged",
					    FINDING_PROBLEM,
					    "Bridged VLAN or PPPoE frames "
					    "bypass symtap."),
			       "Somebody changed bridge-nf-filter-vlan-tagged "
			       "or -pppoe-tagged back to 0; restart symtapd, "
			       "and keep sysctl scripts from it.");
}

static void judge_conntrack(const struct facts *facts,
			    struct findings *findings)
{
	if (facts->conntrack_max <= 0 ||
	    facts->conntrack_used * 100 <
		    facts->conntrack_max * CONNTRACK_FULL_PCT)
		return;
	finding_remedy(findings_add(findings, "conntrack-full", FINDING_WARNING,
				    "Connection tracking is nearly full (%ld "
				    "of %ld): the kernel drops what is new, "
				    "also of innocent hosts.",
				    facts->conntrack_used,
				    facts->conntrack_max),
		       "Raise net.netfilter.nf_conntrack_max; `symtapctl top "
		       "--scope host --by rate` shows who fills it.");
}

void facts_judge(const struct facts *facts, struct findings *findings)
{
	judge_clock(facts, findings);
	/* Of packets that pass another machine, this one knows nothing. */
	if (facts->is_tap)
		return;
	judge_netfilter(facts, findings);
	judge_forwarding(facts, findings);
	facts_judge_bypass(facts, findings);
	judge_queues(facts, findings);
	judge_bridge(facts, findings);
	judge_conntrack(facts, findings);
}
