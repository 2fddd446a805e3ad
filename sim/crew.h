/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_CREW_H
#define SIM_CREW_H

/* Work that falls into pieces which know nothing of each other. */

#include <stdbool.h>
#include <stddef.h>

enum { CREW_THREADS_MAX = 64 };

/*
 * Do piece 0 to count - 1, each once, in any order, up to `threads` (0: as
 * many as there are processors) at the same time.  Returns when all are done;
 * without threads to be had, the caller does the work.
 */
void crew_do(size_t count, size_t threads, void (*piece)(void *self, size_t at),
	     void *self);

#endif
