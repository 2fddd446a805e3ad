/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_HERITAGE_H
#define SHAPER_DAEMON_HERITAGE_H

/*
 * What the kernel program of a daemon that was killed had been leased, given
 * to the engines of this one.  Main thread, while no engine's thread runs.
 */

#include <stddef.h>
#include <stdint.h>

struct loader_heritage;
struct memory_engine;
struct policy;

/* Takes the descriptors over.  Logs what is not read.  Returns how many keys
 * were taken up. */
size_t heritage_take(struct loader_heritage *heritage,
		     const struct memory_engine *engines, size_t count,
		     uint32_t shard_seed, const struct policy *policy,
		     uint64_t now_ns);

#endif
