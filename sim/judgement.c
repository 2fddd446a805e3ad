/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/judgement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/index.h"
#include "policy/policy.h"
#include "sim/capture.h"
#include "sim/crew.h"
#include "sim/replay.h"

enum { PATH_SIZE = 4096 };

#define LIST_NAME "JUDGE.tsv"

/* ------ the list */

static bool read_list(const char *folder, struct judge_list *ret_list)
{
	char path[PATH_SIZE];
	struct judge_list_error error = { 0 };
	char *text = malloc(JUDGE_LIST_BYTES_MAX + 1);
	size_t bytes = 0;
	bool good = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/" LIST_NAME, folder);
	file = fopen(path, "rb");
	if (file && text)
		bytes = fread(text, 1, JUDGE_LIST_BYTES_MAX + 1, file);
	if (!file || !text || ferror(file)) {
		fprintf(stderr, "symtap-sim: %s: %s\n", path, strerror(errno));
	} else {
		good = judge_list_parse(text, bytes, ret_list, &error);
		if (!good && error.line)
			fprintf(stderr, "symtap-sim: %s:%zu: %s\n", path,
				error.line, error.text);
		else if (!good)
			fprintf(stderr, "symtap-sim: %s: %s\n", path,
				error.text);
	}
	if (file)
		fclose(file);
	free(text);
	return good;
}

static void add_trials(struct judgement *judgement, enum judge_family family,
		       enum judge_guarded guarded)
{
	struct judge_group *group = &judgement->groups[judgement->groups_count];
	struct judge_trial *first = &judgement->trials[judgement->trials_count];

	*group = (struct judge_group){ .family = family,
				       .guarded = guarded,
				       .trials = first };
	for (size_t i = 0; i < judgement->list.count; i++) {
		const struct judge_entry *entry = &judgement->list.entries[i];

		if (entry->family != family)
			continue;
		first[group->count].entry = entry;
		first[group->count++].guarded =
			family == JUDGE_LEGIT ? guarded : entry->guarded;
	}
	judgement->trials_count += group->count;
	judgement->groups_count += group->count > 0;
}

struct judgement *judgement_new(const char *folder)
{
	struct judgement *judgement = calloc(1, sizeof(*judgement));

	if (!judgement || !read_list(folder, &judgement->list))
		goto fail;
	judgement->folder = strdup(folder);
	judgement->trials =
		calloc(2 * judgement->list.count, sizeof(*judgement->trials));
	if (!judgement->folder || !judgement->trials) {
		fputs("symtap-sim: out of memory\n", stderr);
		goto fail;
	}
	add_trials(judgement, JUDGE_LEGIT, JUDGE_GUARDED_INITIATORS);
	add_trials(judgement, JUDGE_LEGIT, JUDGE_GUARDED_RESPONDERS);
	for (int family = JUDGE_LEGIT + 1; family < JUDGE_FAMILIES; family++)
		add_trials(judgement, (enum judge_family)family,
			   JUDGE_GUARDED_PREFIX);
	return judgement;
fail:
	judgement_free(judgement);
	return NULL;
}

void judgement_free(struct judgement *judgement)
{
	if (!judgement)
		return;
	judge_list_fini(&judgement->list);
	free(judgement->trials);
	free(judgement->folder);
	free(judgement);
}

const char *judgement_guarded_name(enum judge_guarded guarded)
{
	switch (guarded) {
	case JUDGE_GUARDED_INITIATORS:
		return "initiators guarded";
	case JUDGE_GUARDED_RESPONDERS:
		return "responders guarded";
	case JUDGE_GUARDED_PREFIX:
		break;
	}
	return "prefix guarded";
}

/* ------ a trial */

static enum replay_guarded guarded_of(enum judge_guarded guarded)
{
	switch (guarded) {
	case JUDGE_GUARDED_INITIATORS:
		return REPLAY_INITIATORS;
	case JUDGE_GUARDED_RESPONDERS:
		return REPLAY_RESPONDERS;
	case JUDGE_GUARDED_PREFIX:
		break;
	}
	return REPLAY_BY_PREFIX;
}

static void feed(struct replay *replay, struct capture *capture,
		 struct judge_trial *trial)
{
	struct capture_packet packet;
	enum capture_status status;

	while ((status = capture_next(capture, &packet)) == CAPTURE_PACKET)
		replay_packet(replay, &packet);
	replay_finish(replay);
	if (status == CAPTURE_DAMAGED)
		snprintf(trial->problem, sizeof(trial->problem),
			 "damaged at byte %llu: %s",
			 (unsigned long long)capture_offset(capture),
			 capture_error(capture));
}

/* `policy` is its own: prepared, with the trial's guarded prefix. */
static void try_capture(const struct policy *policy, const char *path,
			struct judge_trial *trial)
{
	struct judge *judge = judge_new(policy);
	struct replay_observer observer;
	struct replay_config config = {
		.policy = policy,
		.guarded = guarded_of(trial->guarded),
		.arrives_inside = trial->entry->family == JUDGE_FORGED,
		.observers = &observer,
		.observers_count = 1,
	};
	struct replay *replay = NULL;
	struct capture *capture =
		capture_open(path, trial->problem, sizeof(trial->problem));

	if (judge) {
		observer = judge_observer(judge);
		replay = replay_new(&config);
	}
	if (!replay)
		snprintf(trial->problem, sizeof(trial->problem),
			 "out of memory");
	if (replay && capture) {
		feed(replay, capture, trial);
		judge_conclude(judge, &trial->figures);
	}
	replay_free(replay);
	capture_close(capture);
	judge_free(judge);
}

void judgement_try(const struct judgement *judgement,
		   const struct policy *policy, struct judge_trial *trial)
{
	struct policy own = *policy;
	char path[PATH_SIZE];

	trial->figures = (struct judge_figures){ 0 };
	trial->problem[0] = 0;
	own.index = NULL;
	if (trial->guarded == JUDGE_GUARDED_PREFIX) {
		/* What belongs there is what the list says. */
		own.inside = (struct policy_prefixes){
			.list = (struct policy_prefix *)&trial->entry->prefix,
			.count = 1,
		};
		own.sources_count = own.bindings_count = 0;
	}
	snprintf(path, sizeof(path), "%s/%s", judgement->folder,
		 trial->entry->file);
	if (policy_prepare(&own))
		try_capture(&own, path, trial);
	else
		snprintf(trial->problem, sizeof(trial->problem),
			 "out of memory");
	index_free(own.index);
}

/* ------ all */

struct run {
	struct judgement *judgement;
	const struct policy *policy;
};

static void piece(void *self, size_t at)
{
	struct run *run = self;

	judgement_try(run->judgement, run->policy, &run->judgement->trials[at]);
}

/* Good captures are judged together, attacks one by one. */
static void conclude(struct judgement *judgement, struct judge_group *group)
{
	group->figures = (struct judge_figures){ 0 };
	group->passed = true;
	for (size_t i = 0; i < group->count; i++) {
		struct judge_trial *trial = &group->trials[i];

		judge_merge(&group->figures, &trial->figures);
		judge_targets(group->family, &trial->figures, &judgement->paces,
			      &trial->facts);
		if (trial->problem[0])
			judgement->unreadable = true;
		if (group->family != JUDGE_LEGIT &&
		    !judge_facts_pass(&trial->facts))
			group->passed = false;
	}
	judge_targets(group->family, &group->figures, &judgement->paces,
		      &group->facts);
	if (group->family == JUDGE_LEGIT)
		group->passed = judge_facts_pass(&group->facts);
}

void judgement_run(struct judgement *judgement, const struct policy *policy,
		   size_t threads)
{
	struct run run = { judgement, policy };

	judgement->paces = (struct judge_paces){
		.contacts_per_s = policy->first_contacts_per_s,
		.connections_per_s = policy->connections_per_s,
	};
	crew_do(judgement->trials_count, threads, piece, &run);
	judgement->passed = true;
	judgement->unreadable = false;
	for (size_t i = 0; i < judgement->groups_count; i++) {
		conclude(judgement, &judgement->groups[i]);
		judgement->passed &= judgement->groups[i].passed;
	}
}
