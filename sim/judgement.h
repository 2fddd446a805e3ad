/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGEMENT_H
#define SIM_JUDGEMENT_H

/*
 * A folder of captures, judged by one policy.  A trial is one capture with one
 * side guarded: good captures are tried twice, initiators guarded and
 * responders guarded, attacks as JUDGE.tsv says.  Trials that are judged
 * together stand in one group.
 */

#include <stdbool.h>
#include <stddef.h>

#include "sim/judge.h"
#include "sim/judge_list.h"
#include "sim/judge_targets.h"

struct policy;

struct judge_trial {
	const struct judge_entry *entry;
	enum judge_guarded guarded;
	struct judge_figures figures;
	struct judge_facts facts;
	char problem[160]; /* "": none; what is wrong with its capture */
};

struct judge_group {
	enum judge_family family;
	enum judge_guarded guarded; /* of good captures */
	struct judge_trial *trials;
	size_t count;
	struct judge_figures figures; /* of all of them */
	struct judge_facts facts;     /* good captures: judged together */
	bool passed;
};

enum { JUDGE_GROUPS_MAX = JUDGE_FAMILIES + 1 };

struct judgement {
	char *folder;
	struct judge_list list;
	struct judge_paces paces; /* of the policy that it ran by */
	struct judge_trial *trials;
	size_t trials_count;
	struct judge_group groups[JUDGE_GROUPS_MAX];
	size_t groups_count;
	bool passed;     /* every target was reached */
	bool unreadable; /* a capture could not be read, or not to its end */
};

/* Reads JUDGE.tsv.  NULL: what is wrong was said on standard error. */
struct judgement *judgement_new(const char *folder);
void judgement_free(struct judgement *judgement);

/* One trial by `policy`; any number at the same time.  Writes figures and
 * problem of `trial`, which may be a copy. */
void judgement_try(const struct judgement *judgement,
		   const struct policy *policy, struct judge_trial *trial);

/* All trials, and the verdict; `threads` as in crew.h. */
void judgement_run(struct judgement *judgement, const struct policy *policy,
		   size_t threads);

/* "initiators guarded" */
const char *judgement_guarded_name(enum judge_guarded guarded);

#endif
