/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "contrib/demo/beat.h"

#include <errno.h>
#include <time.h>

static const uint64_t NS_PER_S = 1000000000;

uint64_t beat_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void beat_init(struct beat *beat, uint64_t every_ns, unsigned seconds)
{
	beat->next_ns = beat_now_ns();
	beat->every_ns = every_ns;
	beat->end_ns = beat->next_ns + seconds * NS_PER_S;
}

bool beat_wait(struct beat *beat)
{
	struct timespec until;
	uint64_t now_ns = beat_now_ns();

	beat->next_ns += beat->every_ns;
	if (beat->next_ns < now_ns)
		beat->next_ns = now_ns;
	if (beat->next_ns >= beat->end_ns)
		return false;
	until.tv_sec = (time_t)(beat->next_ns / NS_PER_S);
	until.tv_nsec = (long)(beat->next_ns % NS_PER_S);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, 0) ==
	       EINTR)
		;
	return true;
}
