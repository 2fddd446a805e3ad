/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_LINKS_H
#define SHAPER_IO_FAST_LINKS_H

/*
 * The two programs at one interface: by tcx links where the kernel has them
 * (Linux 6.6), else as filters of a clsact qdisc.  Which of them is found out
 * by trying.  Attaching needs CAP_NET_ADMIN, and CAP_BPF on some kernels.
 *
 * A link is gone with its last descriptor.  A filter stays when its process is
 * killed, and is replaced by the next one: handle and priority tell that it is
 * ours.  The qdisc is left where it is, since others may use it by then.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FASTLINKS_TEXT_BYTES = 256 };

enum fastlinks_way { FASTLINKS_NONE, FASTLINKS_TCX, FASTLINKS_CLSACT };

/* All 0: nothing is attached. */
struct fastlinks {
	enum fastlinks_way way;
	uint32_t ifindex;
	int fds[2];           /* tcx: its links */
	uint32_t programs[2]; /* clsact: what we put there */
};

/* `in` hears what leaves by the interface, `out` what comes.  0 or -errno:
 * nothing is attached, and ret_wrong says what either way met. */
int fastlinks_attach(struct fastlinks *links, uint32_t ifindex, int in, int out,
		     char ret_wrong[FASTLINKS_TEXT_BYTES]);

/* Nobody took them away, and the interface is still there. */
bool fastlinks_are_there(const struct fastlinks *links);

/* What is somebody else's by now stays. */
void fastlinks_detach(struct fastlinks *links);

#endif
