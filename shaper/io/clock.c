/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/io/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;
	int error = clock_gettime(clock, &now);

	assert(error == 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}
