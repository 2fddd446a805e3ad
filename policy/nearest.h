/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_NEAREST_H
#define POLICY_NEAREST_H

/* Which known word a misspelt one was meant to be. */

#include <stddef.h>

/*
 * The changes (a letter more, less, other, or two swapped) that make `b` of
 * `a`, case ignored; `limit` + 1 when they are more than `limit`, or when one
 * of them is longer than 31 letters.
 */
size_t nearest_distance(const char *a, const char *b, size_t limit);

/* The closer of `best` (NULL: none yet) and `candidate`, or NULL when neither
 * is close enough to be worth a question. */
const char *nearest_of(const char *text, const char *best,
		       const char *candidate);

#endif
