/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/result.h"

#include <stdio.h>
#include <string.h>

#include "sim/capture.h"
#include "sim/feed.h"
#include "sim/series.h"
#include "sim/tally.h"
#include "sim/verbs.h"

enum { PROGRESS_PKTS = 4096 };

struct run {
	struct capture *capture;
	struct replay *replays[OPTIONS_PASSES_MAX];
	struct replay_observer observers[OPTIONS_PASSES_MAX][2];
};

static bool start_pass(const struct options *options,
		       const struct policy *policy, struct run *run,
		       struct result *result, size_t pass)
{
	struct replay_config config = {
		.policy = policy,
		.guarded = options->passes[pass],
		.arrives_inside = options->arrives_inside,
		.exact = options->exact,
		.observers = run->observers[pass],
		.observers_count = 1,
	};
	struct tally_config tally = {
		.policy = policy,
		.guarded = options->passes[pass],
		.exact = options->exact,
		.summary_only = options->keys == 0,
	};

	result->passes[pass].tally = tally_new(&tally);
	if (!result->passes[pass].tally)
		return false;
	run->observers[pass][0] = tally_observer(result->passes[pass].tally);
	if (options->report || options->plot) {
		result->passes[pass].series = series_new(policy);
		if (!result->passes[pass].series)
			return false;
		run->observers[pass][1] =
			series_observer(result->passes[pass].series);
		config.observers_count = 2;
	}
	run->replays[pass] = replay_new(&config);
	return run->replays[pass] != NULL;
}

static bool start(const struct options *options, const struct policy *policy,
		  struct run *run, struct result *result)
{
	run->capture =
		capture_open(result->file, result->why, sizeof(result->why));
	if (!run->capture)
		return false;
	snprintf(result->why, sizeof(result->why), "out of memory");
	for (size_t i = 0; i < options->passes_count; i++)
		if (!start_pass(options, policy, run, result, i))
			return false;
	result->passes_count = options->passes_count;
	result->why[0] = '\0';
	return true;
}

static void show(struct result_progress *progress, uint64_t read_bytes,
		 uint64_t packets)
{
	atomic_store_explicit(&progress->read_bytes, read_bytes,
			      memory_order_relaxed);
	atomic_store_explicit(&progress->packets, packets,
			      memory_order_relaxed);
}

static enum capture_status read_here(struct run *run, size_t passes,
				     struct result_progress *progress)
{
	struct capture_packet packet;
	struct frame frame;
	enum capture_status status;
	uint64_t packets = 0;

	while ((status = capture_next(run->capture, &packet)) ==
	       CAPTURE_PACKET) {
		frame_parse(&packet, &frame);
		for (size_t i = 0; i < passes; i++)
			replay_frame(run->replays[i], &frame);
		if (++packets % PROGRESS_PKTS == 0)
			show(progress, capture_read_bytes(run->capture),
			     packets);
	}
	show(progress, capture_read_bytes(run->capture), packets);
	return status;
}

static enum capture_status read_fed(struct run *run, struct feed *feed,
				    size_t passes,
				    struct result_progress *progress)
{
	const struct frame *frames;
	uint64_t packets = 0;
	size_t count;

	while ((count = feed_next(feed, &frames)) > 0) {
		for (size_t i = 0; i < passes; i++)
			for (size_t j = 0; j < count; j++)
				replay_frame(run->replays[i], &frames[j]);
		packets += count;
		show(progress, feed_read_bytes(feed), packets);
	}
	return feed_status(feed);
}

static enum capture_status read_all(struct run *run, size_t passes, bool ahead,
				    struct result_progress *progress)
{
	struct feed *feed = ahead ? feed_new(run->capture) : NULL;
	enum capture_status status;

	atomic_store_explicit(&progress->size_bytes,
			      capture_size_bytes(run->capture),
			      memory_order_relaxed);
	if (!feed)
		return read_here(run, passes, progress);
	status = read_fed(run, feed, passes, progress);
	feed_free(feed);
	return status;
}

static void finish(struct run *run, struct result *result)
{
	for (size_t i = 0; i < result->passes_count; i++) {
		struct replay *replay = run->replays[i];

		replay_finish(replay);
		result->passes[i].counts = *replay_counts(replay);
		result->passes[i].stats = *replay_stats(replay);
		result->passes[i].one_sided = replay_was_one_sided(replay);
	}
	result->counts = result->passes[0].counts;
}

void result_make(const struct options *options, const struct policy *policy,
		 const char *file, bool ahead, struct result_progress *progress,
		 struct result *ret_result)
{
	struct run run = { 0 };

	*ret_result = (struct result){ .file = file, .status = EXIT_NO };
	if (start(options, policy, &run, ret_result)) {
		ret_result->status = EXIT_DONE;
		if (read_all(&run, ret_result->passes_count, ahead, progress) ==
		    CAPTURE_DAMAGED) {
			ret_result->status = EXIT_DAMAGED;
			ret_result->offset = capture_offset(run.capture);
			snprintf(ret_result->why, sizeof(ret_result->why), "%s",
				 capture_error(run.capture));
		}
		finish(&run, ret_result);
	}
	for (size_t i = 0; i < OPTIONS_PASSES_MAX; i++)
		replay_free(run.replays[i]);
	if (run.capture)
		capture_close(run.capture);
}

bool result_is_complete(const struct result *result)
{
	static const enum stats_counter refusals[] = {
		STATS_keys_refused_quota, STATS_keys_refused_full,
		STATS_keys_ignored_in,    STATS_suspects_refused,
		STATS_hosts_refused,
	};

	for (size_t i = 0; i < result->passes_count; i++)
		for (size_t j = 0; j < sizeof(refusals) / sizeof(refusals[0]);
		     j++)
			if (result->passes[i].stats.counter[refusals[j]])
				return false;
	return result->counts.unjudged == 0;
}

void result_fini(struct result *result)
{
	for (size_t i = 0; i < OPTIONS_PASSES_MAX; i++) {
		tally_free(result->passes[i].tally);
		series_free(result->passes[i].series);
	}
}
