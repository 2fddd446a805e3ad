/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_PROGRESS_H
#define SIM_PROGRESS_H

/* How far it is, on standard error: one line that is drawn anew. */

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_INTERVAL_MS = 200 };

struct progress {
	uint64_t began_ms; /* wall time: for people, nothing is judged by it */
	bool shown;        /* a line is on the terminal */
};

void progress_init(struct progress *progress);

/* `size_bytes` 0: not known. */
void progress_draw(struct progress *progress, uint64_t read_bytes,
		   uint64_t size_bytes, uint64_t packets);

/* Wipe the line, before something else is written. */
void progress_wipe(struct progress *progress);

#endif
