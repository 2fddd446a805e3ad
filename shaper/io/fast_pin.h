/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_IO_FAST_PIN_H
#define SHAPER_IO_FAST_PIN_H

/*
 * The program's maps as files of a BPF file system: there they outlive a daemon
 * that was killed, and the next one reads what was leased (fast_left.h).
 *
 *	FOLDER/slots-vN		the table	N is FAST_VERSION
 *	FOLDER/memory-vN	what else the program has in memory
 *
 * The folder is one daemon's at a time.  What another version left there is
 * removed unread, and so is what is not as this one would make it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fast_fds;

enum { FASTPIN_TEXT_BYTES = 256 };

struct fastpin {
	int folder;   /* -1: nothing is pinned */
	bool is_next; /* beside what was there */
};

/* Descriptors of what was there; slots_count 0: nothing was. */
struct fastpin_left {
	int slots, memory;
	uint32_t slots_count;
};

struct fastpin_owner {
	uid_t uid;
	gid_t gid;
};

void fastpin_init(struct fastpin *pin);

/*
 * Make the folder if need be, `owner`'s (NULL: ours) and nobody else's; open
 * what is pinned there and pin `fds` beside it.  What went wrong, and what was
 * not read, is in ret_text; "": nothing.
 */
void fastpin_take(struct fastpin *pin, const char *folder,
		  const struct fastpin_owner *owner, const struct fast_fds *fds,
		  struct fastpin_left *ret_left,
		  char ret_text[FASTPIN_TEXT_BYTES]);
void fastpin_left_close(struct fastpin_left *left);

/* What was there has been taken over: `fds` stand in its place from now on.
 * Until then whoever ends has taken nothing away.  More than once is fine. */
void fastpin_put(struct fastpin *pin);

/* Orderly ends leave nothing behind. */
void fastpin_remove(struct fastpin *pin);

#endif
