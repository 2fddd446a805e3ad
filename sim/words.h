/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

/* A text that is put together piece by piece; what is too long is cut. */

#include <stddef.h>

enum { WORDS_SIZE = 2048 };

struct words { /* all-zero: empty */
	size_t length;
	char text[WORDS_SIZE];
};

void words_add(struct words *words, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
