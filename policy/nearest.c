/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/nearest.h"

#include <string.h>

enum { LETTERS_MAX = 31 };

static char lower(char letter)
{
	return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Damerau-Levenshtein, restricted to swaps of neighbours: three rows of the
 * table are alive at a time. */
size_t nearest_distance(const char *a, const char *b, size_t limit)
{
	size_t rows[3][LETTERS_MAX + 1];
	size_t a_length = strlen(a);
	size_t b_length = strlen(b);
	size_t distance;

	if (a_length > LETTERS_MAX || b_length > LETTERS_MAX)
		return limit + 1;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3];
		const size_t *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t other = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = least(least(above[j], row[j - 1]) + 1,
				       above[j - 1] + other);
			if (i > 1 && j > 1 &&
			    lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], above2[j - 2] + 1);
		}
	}
	distance = rows[a_length % 3][b_length];
	return distance <= limit ? distance : limit + 1;
}

const char *nearest_of(const char *text, const char *best,
		       const char *candidate)
{
	size_t limit = strlen(text) < 5 ? 1 : 2;
	size_t distance = nearest_distance(text, candidate, limit);

	if (distance > limit)
		return best;
	if (best == NULL || distance < nearest_distance(text, best, limit))
		return candidate;
	return best;
}
