/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

/* What must hold, for who has no test to fail: fuzzers share this code. */

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			fprintf(stderr, "%s:%d: does not hold: %s\n", \
				__FILE__, __LINE__, #condition);      \
			abort();                                      \
		}                                                     \
	} while (0)

#endif
