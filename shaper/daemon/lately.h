/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_LATELY_H
#define SHAPER_DAEMON_LATELY_H

/*
 * Keys that were held back within the last minute, each as it was when it was
 * held back last.  A guest that is saved is silent for a while before its vif
 * leaves, and its windows forget meanwhile.  Main thread only.
 */

#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/memory.h"
#include "shaper/daemon/passage.h"

enum { LATELY_KEYS_MAX = 4096 };

#define LATELY_NS UINT64_C(60000000000)

struct lately;

struct lately *lately_new(void);         /* NULL: out of memory */
void lately_free(struct lately *lately); /* NULL is fine */

/* These are held back now.  More than LATELY_KEYS_MAX are not noted. */
void lately_note(struct lately *lately, const struct memory_record *records,
		 size_t count, uint64_t now_ns);

/* A guest's, at most `max`, and forgotten here; the zone of its own interface
 * becomes "".  Returns how many. */
size_t lately_take(struct lately *lately, const struct passage_guest *guest,
		   struct memory_record *ret_records, size_t max,
		   uint64_t now_ns);

#endif
