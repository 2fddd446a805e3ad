/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FLOWTABLE_PAGES_H
#define FLOWTABLE_PAGES_H

/*
 * Memory of the tables that a packet finds its places in: zero, and costs
 * nothing until it is touched; in large pages where the kernel has them, since
 * every access is to a random place.
 */

#include <stddef.h>

/* NULL: out of memory.  The caller gives it back with the same size. */
void *pages_reserve(size_t bytes);
void pages_release(void *memory, size_t bytes);

#endif
