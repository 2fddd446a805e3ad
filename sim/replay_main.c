/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `symtap-sim replay`: captures side by side, answers in their order. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/policy.h"
#include "sim/options.h"
#include "sim/output.h"
#include "sim/policy_file.h"
#include "sim/progress.h"
#include "sim/replay_plot.h"
#include "sim/report.h"
#include "sim/result.h"
#include "sim/verbs.h"

struct slot {
	struct result result;
	struct result_progress progress;
	bool done;
};

struct jobs {
	const struct options *options;
	const struct policy *policy;
	struct slot *slots; /* by file */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t started, printed;
	size_t ahead; /* so many may be started before they are printed */
	size_t threads_count;
	pthread_t threads[OPTIONS_JOBS_MAX];
	struct progress progress;
	bool draws, reads_ahead, said_whom;
	uint64_t size_bytes; /* of all files; 0: not known */
	FILE *json, *text;   /* NULL: not wanted */
	struct output_totals totals;
	struct report *report; /* NULL: not wanted */
	int status;
};

/* ------ a thread: one capture after the other */

static void *work(void *argument)
{
	struct jobs *jobs = argument;
	struct slot *slot;

	pthread_mutex_lock(&jobs->lock);
	while (jobs->started < jobs->options->files_count) {
		if (jobs->started >= jobs->printed + jobs->ahead) {
			pthread_cond_wait(&jobs->changed, &jobs->lock);
			continue;
		}
		slot = &jobs->slots[jobs->started];
		slot->result.file = jobs->options->files[jobs->started++];
		pthread_mutex_unlock(&jobs->lock);
		result_make(jobs->options, jobs->policy, slot->result.file,
			    jobs->reads_ahead, &slot->progress, &slot->result);
		pthread_mutex_lock(&jobs->lock);
		slot->done = true;
		pthread_cond_broadcast(&jobs->changed);
	}
	pthread_mutex_unlock(&jobs->lock);
	return NULL;
}

/* ------ the one that prints */

static void draw(struct jobs *jobs)
{
	uint64_t read_bytes = 0, packets = 0;

	for (size_t i = 0; i < jobs->options->files_count; i++) {
		read_bytes += jobs->slots[i].progress.read_bytes;
		packets += jobs->slots[i].progress.packets;
	}
	progress_draw(&jobs->progress, read_bytes, jobs->size_bytes, packets);
}

static void wait_a_while(struct jobs *jobs)
{
	struct timespec until;

	if (!jobs->draws) {
		pthread_cond_wait(&jobs->changed, &jobs->lock);
		return;
	}
	timespec_get(&until, TIME_UTC);
	until.tv_nsec += PROGRESS_INTERVAL_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	if (pthread_cond_timedwait(&jobs->changed, &jobs->lock, &until) ==
	    ETIMEDOUT)
		draw(jobs);
}

static void complain(const struct result *result)
{
	if (result->status == EXIT_DAMAGED)
		fprintf(stderr,
			"symtap-sim: %s: damaged at byte %" PRIu64
			": %s; results up to there\n",
			result->file, result->offset, result->why);
	else if (result->status != EXIT_DONE)
		fprintf(stderr, "symtap-sim: %s: %s\n", result->file,
			result->why);
}

/* What cannot be opened is worse than what ends early. */
static void note_status(struct jobs *jobs, int status)
{
	if (jobs->status == EXIT_DONE || status == EXIT_NO)
		jobs->status = status == EXIT_DONE ? jobs->status : status;
}

static const char *guarded_name(enum replay_guarded guarded)
{
	switch (guarded) {
	case REPLAY_BY_PREFIX:
		break;
	case REPLAY_INITIATORS:
		return "initiators guarded";
	case REPLAY_RESPONDERS:
		return "responders guarded";
	}
	return NULL;
}

static void report(struct jobs *jobs, const struct result *result)
{
	for (size_t i = 0; jobs->report && i < result->passes_count; i++)
		report_add(
			jobs->report,
			&(struct report_capture){
				.file = result->file,
				.guarded =
					guarded_name(jobs->options->passes[i]),
				.problem = result->why[0] ? result->why : NULL,
				.series = result->passes[i].series,
				.counts = &result->counts,
				.one_sided = result->passes[i].one_sided,
			});
}

static void plot(struct jobs *jobs, const struct result *result)
{
	const char *path = jobs->options->plot;
	int error = 0;

	if (path && result->passes_count > 0)
		error = replay_plot(path, result);
	if (error == 0)
		return;
	fprintf(stderr, "symtap-sim: %s: %s\n", path, strerror(-error));
	note_status(jobs, EXIT_NO);
}

static void print(struct jobs *jobs, const struct result *result)
{
	const struct options *options = jobs->options;

	progress_wipe(&jobs->progress);
	if (jobs->text && result->passes_count > 0 && !jobs->said_whom) {
		output_whom(jobs->text, options);
		jobs->said_whom = true;
	}
	if (jobs->text)
		output_text(jobs->text, result, jobs->policy, options);
	if (jobs->json && result->passes_count > 0 &&
	    !output_json(jobs->json, result, jobs->policy, options)) {
		fprintf(stderr, "symtap-sim: %s: %s\n", options->json,
			strerror(errno ? errno : ENOMEM));
		note_status(jobs, EXIT_NO);
	}
	output_add(&jobs->totals, result);
	report(jobs, result);
	plot(jobs, result);
	fflush(stdout);
	complain(result);
	note_status(jobs, result->status);
}

static void print_all(struct jobs *jobs)
{
	pthread_mutex_lock(&jobs->lock);
	for (size_t i = 0; i < jobs->options->files_count; i++) {
		struct slot *slot = &jobs->slots[i];

		while (!slot->done)
			wait_a_while(jobs);
		pthread_mutex_unlock(&jobs->lock);
		print(jobs, &slot->result);
		result_fini(&slot->result);
		pthread_mutex_lock(&jobs->lock);
		jobs->printed++;
		pthread_cond_broadcast(&jobs->changed);
	}
	pthread_mutex_unlock(&jobs->lock);
	progress_wipe(&jobs->progress);
	if (jobs->text && jobs->options->files_count > 1)
		output_totals(jobs->text, &jobs->totals);
}

/* ------ all of it */

static uint64_t size_of_all(const struct options *options)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < options->files_count; i++) {
		struct stat file;

		if (strcmp(options->files[i], "-") == 0)
			return 0;
		if (stat(options->files[i], &file) == 0 &&
		    S_ISREG(file.st_mode))
			bytes += (uint64_t)file.st_size;
	}
	return bytes;
}

/* JSON on standard output leaves no room for the table there. */
static bool open_outputs(struct jobs *jobs)
{
	const char *json = jobs->options->json;

	jobs->text = stdout;
	if (!json)
		return true;
	if (strcmp(json, "-") == 0) {
		jobs->json = stdout;
		jobs->text = NULL;
		return true;
	}
	jobs->json = fopen(json, "w");
	if (!jobs->json)
		fprintf(stderr, "symtap-sim: %s: %s\n", json, strerror(errno));
	return jobs->json != NULL;
}

static void close_outputs(struct jobs *jobs)
{
	if (jobs->json && jobs->json != stdout && fclose(jobs->json) != 0) {
		fprintf(stderr, "symtap-sim: %s: %s\n", jobs->options->json,
			strerror(errno));
		note_status(jobs, EXIT_NO);
	}
}

/* Those that we may run on: a container or taskset may leave us fewer. */
static size_t count_cores(void)
{
	cpu_set_t mine;

	if (sched_getaffinity(0, sizeof(mine), &mine) != 0)
		return 1;
	return (size_t)CPU_COUNT(&mine);
}

static void run(struct jobs *jobs)
{
	size_t wanted = jobs->options->jobs;
	size_t cores = count_cores();

	if (wanted == 0)
		wanted = cores;
	if (wanted > jobs->options->files_count)
		wanted = jobs->options->files_count;
	if (wanted > OPTIONS_JOBS_MAX)
		wanted = OPTIONS_JOBS_MAX;
	jobs->ahead = 2 * wanted;
	/* With cores to spare, reading and judging have one each. */
	jobs->reads_ahead = 2 * wanted <= cores;
	while (jobs->threads_count < wanted &&
	       pthread_create(&jobs->threads[jobs->threads_count], NULL, work,
			      jobs) == 0)
		jobs->threads_count++;
	if (jobs->threads_count == 0) {
		fputs("symtap-sim: no thread can be started\n", stderr);
		jobs->status = EXIT_NO;
		return;
	}
	print_all(jobs);
	for (size_t i = 0; i < jobs->threads_count; i++)
		pthread_join(jobs->threads[i], NULL);
}

static int replay(const struct options *options, const struct policy *policy)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	struct slot *slots = calloc(options->files_count, sizeof(*jobs->slots));
	int status = EXIT_NO;

	if (!jobs || !slots) {
		fputs("symtap-sim: out of memory\n", stderr);
		goto out;
	}
	jobs->options = options;
	jobs->policy = policy;
	jobs->slots = slots;
	jobs->draws = options->progress || isatty(STDERR_FILENO);
	jobs->size_bytes = size_of_all(options);
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_cond_init(&jobs->changed, NULL);
	progress_init(&jobs->progress);
	if (options->report)
		jobs->report = report_new(policy);
	if (options->report && !jobs->report)
		fputs("symtap-sim: out of memory\n", stderr);
	else if (open_outputs(jobs)) {
		run(jobs);
		close_outputs(jobs);
		if (jobs->report &&
		    !report_write(jobs->report, options->report))
			note_status(jobs, EXIT_NO);
		status = jobs->status;
	}
	report_free(jobs->report);
	pthread_cond_destroy(&jobs->changed);
	pthread_mutex_destroy(&jobs->lock);
out:
	free(slots);
	free(jobs);
	return status;
}

/* A policy without any bound on what waits asks for the same as --exact. */
static bool is_unbounded(const struct policy *policy)
{
	const struct policy_limits *limits = &policy->limits;

	return limits->held_packets == 0 && limits->held_bytes == 0 &&
	       limits->held_packets_per_host == 0 &&
	       limits->held_packets_per_key == 0;
}

static int judge_by_policy(struct options *options)
{
	struct policy *policy = policy_file_load(options->config);
	int status = EXIT_USAGE;

	if (!policy)
		return status;
	options->exact |= is_unbounded(policy);
	if (options->prefixes_count == 0 ||
	    policy_file_set_inside(policy, options->prefixes,
				   options->prefixes_count))
		status = replay(options, policy);
	policy_free(policy);
	return status;
}

int replay_main(int argc, char **argv)
{
	struct options options;
	int status = EXIT_USAGE;

	switch (options_parse(&options, argc, argv)) {
	case OPTIONS_WRONG:
		fputs("`symtap-sim replay --help` tells more.\n", stderr);
		break;
	case OPTIONS_HELP:
		fputs(options_help, stdout);
		status = EXIT_DONE;
		break;
	case OPTIONS_RUN:
		status = judge_by_policy(&options);
		break;
	}
	options_fini(&options);
	return status;
}
