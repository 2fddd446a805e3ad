/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who takes packets past us, or gets in their way. */
#include <errno.h>
#include <string.h>

#include "shaper/ctl/facts.h"
#include "shaper/daemon/findings.h"

static void judge_flowtables(const struct facts *facts,
			     struct findings *findings)
{
	if (facts->flowtables_error == -EPERM) {
		finding_remedy(findings_add(findings, "not-root",
					    FINDING_WARNING,
					    "Flow offload, and who else is at "
					    "the interfaces, was not looked "
					    "for: only root may."),
			       "Run `symtapctl doctor` as root.");
		return;
	}
	if (facts->flowtables_error == -EINTR) {
		finding_remedy(findings_add(findings, "flow-offload-unknown",
					    FINDING_WARNING,
					    "Whether flow offload is set up is "
					    "not known: nftables was changed "
					    "each time that it was asked."),
			       "Ask again, or `nft list flowtables`.");
		return;
	}
	if (facts->flowtables_error != 0 || facts->flowtables_count == 0)
		return;
	finding_remedy(findings_add(findings, "flow-offload", FINDING_PROBLEM,
				    "Flow offload is set up (flowtable %s%s): "
				    "its packets bypass the forward hook, and "
				    "with it symtap.",
				    facts->flowtables[0].name,
				    facts->flowtables[0].hardware
					    ? ", in hardware"
					    : ""),
		       "Remove the flowtable and the `flow add` rules that "
		       "use it (`nft list flowtables`).");
}

static const struct facts_interface *find(const struct facts *facts,
					  const char *name)
{
	size_t i;

	for (i = 0; i < facts->interfaces_count; i++)
		if (strcmp(facts->interfaces[i].name, name) == 0)
			return &facts->interfaces[i];
	return NULL;
}

static void judge_xdp(const struct hooks_program *program,
		      struct findings *findings)
{
	finding_remedy(findings_add(findings, "xdp", FINDING_WARNING,
				    "The XDP program %s at %s has packets "
				    "before symtap does: what it redirects "
				    "goes past.",
				    program->name, program->interface),
		       "If it redirects (XDP_REDIRECT, AF_XDP), take it away: "
		       "`ip link set dev %s xdp off`, and whoever loads it.  "
		       "One that only drops does no harm.",
		       program->interface);
}

/* Is one of ours at that place behind it? */
static bool is_before_us(const struct facts *facts, size_t i)
{
	const struct hooks_program *program = &facts->programs[i];
	size_t j;

	for (j = i + 1; j < facts->programs_count; j++)
		if (facts->programs[j].ours &&
		    facts->programs[j].place == program->place &&
		    strcmp(facts->programs[j].interface, program->interface) ==
			    0)
			return true;
	return false;
}

/* Behind us a packet was counted already; before us it may be another. */
static void judge_tc(const struct facts *facts, size_t i,
		     struct findings *findings)
{
	const struct hooks_program *program = &facts->programs[i];
	const char *where = program->place == HOOKS_INGRESS ? "ingress"
							    : "egress";

	finding_remedy(
		findings_add(findings, "tc-program", FINDING_WARNING,
			     "%s at %s, %s, runs %s symtap's fast "
			     "path: what it redirects, drops or "
			     "rewrites is counted %s.",
			     program->name, program->interface, where,
			     is_before_us(facts, i) ? "before" : "behind",
			     is_before_us(facts, i) ? "otherwise or not at all"
						    : "as if it went on"),
		"If it changes packets or where they go, leave %s out "
		"of `datapath: fast: interfaces`.  `tc filter show dev "
		"%s %s` and `bpftool net` show it.",
		program->interface, program->interface, where);
}

static void judge_skipped(const struct hooks_program *program,
			  struct findings *findings)
{
	finding_remedy(findings_add(findings, "tc-skipped", FINDING_WARNING,
				    "%s at %s, ingress, runs behind symtap's "
				    "fast path and does not see what conforms, "
				    "which leaves past the bridge.",
				    program->name, program->interface),
		       "If it limits or drops, leave `datapath: fast: direct` "
		       "out.  `tc filter show dev %s ingress` shows it.",
		       program->interface);
}

static void judge_programs(const struct facts *facts, struct findings *findings)
{
	const struct facts_interface *interface;
	size_t i;

	for (i = 0; i < facts->programs_count; i++) {
		interface = find(facts, facts->programs[i].interface);
		if (facts->programs[i].ours || interface == NULL)
			continue;
		if (facts->programs[i].place == HOOKS_XDP)
			judge_xdp(&facts->programs[i], findings);
		else if (interface->direct && facts->runs &&
			 facts->programs[i].place == HOOKS_INGRESS &&
			 !is_before_us(facts, i))
			judge_skipped(&facts->programs[i], findings);
		else if (interface->fast && facts->runs)
			judge_tc(facts, i, findings);
	}
}

static bool has_foreign_filter(const struct facts *facts, const char *interface)
{
	size_t i;

	for (i = 0; i < facts->programs_count; i++)
		if (!facts->programs[i].ours &&
		    facts->programs[i].place != HOOKS_XDP &&
		    strcmp(facts->programs[i].interface, interface) == 0)
			return true;
	return false;
}

static void judge_interfaces(const struct facts *facts,
			     struct findings *findings)
{
	const struct facts_interface *interface = facts->interfaces;
	size_t i;

	for (i = 0; i < facts->interfaces_count; i++, interface++) {
		if (interface->lro)
			finding_remedy(
				findings_add(findings, "lro", FINDING_WARNING,
					     "%s merges packets (LRO) and does "
					     "not tell how many: they count as "
					     "one.",
					     interface->name),
				"`ethtool -K %s lro off`; GRO does as well and "
				"tells.",
				interface->name);
		if (interface->tc_offload &&
		    has_foreign_filter(facts, interface->name))
			finding_remedy(
				findings_add(findings, "tc-offload",
					     FINDING_WARNING,
					     "%s carries out filters of tc by "
					     "itself (hw-tc-offload): what "
					     "they match may never come "
					     "here.",
					     interface->name),
				"`ethtool -K %s hw-tc-offload off`, or take "
				"away the filters that redirect.",
				interface->name);
	}
}

/* Who routes counts for the bridge what its ports bring. */
static void judge_ports(const struct facts *facts, struct findings *findings)
{
	const struct facts_interface *interface = facts->interfaces;

	for (size_t i = 0; i < facts->interfaces_count; i++, interface++)
		if (!facts->bridged && interface->bridge[0] != '\0')
			finding_remedy(
				findings_add(findings, "fast-at-port",
					     FINDING_WARNING,
					     "The fast path is at %s, a port "
					     "of %s, and hosts there are %s's "
					     "where packets are routed: all "
					     "of theirs come to the queues.",
					     interface->name, interface->bridge,
					     interface->bridge),
				"Name %s in its place in `datapath: fast: "
				"interfaces`; a port is right with `datapath: "
				"nfqueue: bridge`, where packets are bridged.",
				interface->bridge);
}

static void judge_marks(const struct facts *facts, struct findings *findings)
{
	if (facts->marks_count == 0)
		return;
	finding_remedy(findings_add(findings, "mark-taken", FINDING_PROBLEM,
				    "Bits 0x%x of the packet mark are the fast "
				    "path's, and others use them: %.100s%s.",
				    facts->mark_bits, facts->marks[0].text,
				    facts->marks_count > 1 ? ", and more" : ""),
		       "Give it four bits that nobody uses: `datapath: fast: "
		       "mark_bit`; or let the others look at their own bits "
		       "alone (`meta mark and MASK`, `fwmark VALUE/MASK`).");
}

void facts_judge_bypass(const struct facts *facts, struct findings *findings)
{
	judge_flowtables(facts, findings);
	judge_programs(facts, findings);
	judge_interfaces(facts, findings);
	judge_ports(facts, findings);
	judge_marks(facts, findings);
}
