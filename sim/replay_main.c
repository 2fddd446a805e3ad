/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "policy/policy.h"
#include "shaper/pump.h"
#include "sim/capture.h"
#include "sim/policy_file.h"
#include "sim/replay.h"
#include "sim/verbs.h"

struct count {
	uint64_t fates[REPLAY_TRANSIT + 1];
};

static void note(void *self, const struct replay_event *event)
{
	((struct count *)self)->fates[event->fate]++;
}

int replay_main(int argc, char **argv)
{
	struct policy *policy = policy_file_load(NULL);
	int status = EXIT_DONE;

	for (int i = 1; policy && i < argc; i++) {
		char why[256];
		struct count count = { 0 };
		struct replay_observer observer = { .self = &count,
						    .packet = note };
		struct capture *capture =
			capture_open(argv[i], why, sizeof(why));
		struct replay *replay = replay_new(
			&(struct replay_config){ .policy = policy,
						 .guarded = REPLAY_INITIATORS,
						 .observers = &observer,
						 .observers_count = 1 });
		struct capture_packet packet;
		enum capture_status end;

		if (!capture || !replay)
			return EXIT_NO;
		while ((end = capture_next(capture, &packet)) == CAPTURE_PACKET)
			replay_packet(replay, &packet);
		if (end == CAPTURE_DAMAGED)
			status = EXIT_DAMAGED;
		replay_finish(replay);
		printf("%s: %lu packets, %lu passed, %lu delayed, %lu "
		       "dropped\n",
		       argv[i], (unsigned long)replay_counts(replay)->packets,
		       (unsigned long)count.fates[REPLAY_PASSED],
		       (unsigned long)count.fates[REPLAY_DELAYED],
		       (unsigned long)count.fates[REPLAY_DROPPED]);
		replay_free(replay);
		capture_close(capture);
	}
	policy_free(policy);
	return status;
}
