/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_DATAPATH_H
#define SHAPER_IO_DATAPATH_H

/*
 * What the daemon's loop knows of a way for packets to reach a pump.  Each
 * datapath runs on one thread with one pump of its own.
 */

#include <stddef.h>
#include <stdint.h>

struct pump;

enum { DATAPATH_FDS_MAX = 5 };

struct datapath {
	const char *name;
	void *self;
	struct pump *pump;
	int fds[DATAPATH_FDS_MAX]; /* poll for reading */
	size_t fds_count;

	/* A descriptor is readable: bounded work, then return.  0 or -errno;
	 * an error means that this data path has ended. */
	int (*on_readable)(void *self, size_t fd_index, uint64_t now_ns);

	/* When advance has something to do; NS_NEVER for never.  It may also be
	 * called earlier: after somebody else told the pump something. */
	uint64_t (*next_ns)(const void *self);
	int (*advance)(void *self, uint64_t now_ns);

	/* So much comes in by fds[0] that it is cheaper taken in larger lots:
	 * do not look at it for so long, then take it as readable.  0: look
	 * at once.  NULL: as if always 0. */
	uint64_t (*pause_ns)(const void *self);

	/* Release (or drop) what is held, and let go of everything. */
	void (*close)(void *self, uint64_t now_ns);
};

#endif
