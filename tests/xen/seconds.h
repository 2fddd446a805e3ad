/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XEN_SECONDS_H
#define XEN_SECONDS_H

/* Time as the guest's programs have it, in seconds. */

#include <signal.h>
#include <time.h>

static inline double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Set when it is told to end, and tells what there was until then. */
static volatile sig_atomic_t seconds_are_over;

static inline void seconds_end(int number)
{
	(void)number;
	seconds_are_over = 1;
}

/* Less than one. */
static inline void seconds_rest(double seconds)
{
	struct timespec span = { .tv_nsec = (long)(seconds * 1e9) };

	nanosleep(&span, NULL);
}

#endif
