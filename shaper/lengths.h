/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_LENGTHS_H
#define SHAPER_LENGTHS_H

/*
 * Which is the longest?  Items with a length, in lists by length: exact below
 * 64, by power of two from there on (then "longest" is right to a factor of
 * two).  Every operation takes constant time.  The links of all items live in
 * one array of the owner's, so that many `lengths` can share it; an item is in
 * at most one list.
 */

#include <stdint.h>

enum { LENGTHS_CLASSES = 96 };

struct lengths_link {        /* all-zero: in no list */
	uint32_t next, prev; /* item + 1; 0: none */
	uint32_t class;      /* its list, plus 1; 0: none */
};

struct lengths {                         /* all-zero: empty */
	uint32_t heads[LENGTHS_CLASSES]; /* item + 1; 0: none */
	uint64_t used[2];                /* bit: this class has items */
};

/* The item's length is now `length`; 0 takes it out.  Cannot fail. */
void lengths_set(struct lengths *lengths, struct lengths_link *links,
		 uint32_t item, uint32_t length);

/* UINT32_MAX: nothing there. */
uint32_t lengths_longest(const struct lengths *lengths);

#endif
