/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CHECK_ROW_H
#define TESTS_CHECK_ROW_H

/* For cmocka tests that walk a table: what differs, and in which row of it. */

#include <stdint.h>

#define CHECK_ROW(row, want, got) \
	check_row(row, (uint64_t)(want), (uint64_t)(got), #got, __LINE__)

static inline void check_row(const char *row, uint64_t want, uint64_t got,
			     const char *what, int line)
{
	if (want != got)
		fail_msg("%s, line %d: %s is %llu, want %llu", row, line, what,
			 (unsigned long long)got, (unsigned long long)want);
}

#endif
