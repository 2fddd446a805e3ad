/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_CLOCK_H
#define SHAPER_IO_CLOCK_H

#include <stdint.h>

/* Nanoseconds that never run back, from some point in the past; they go on
 * during suspend no more than the machine does.  Cannot fail. */
uint64_t clock_now_ns(void);

/* Nanoseconds since 1970, for people and for files that outlive us; may run
 * back.  Cannot fail. */
uint64_t clock_wall_ns(void);

#endif
