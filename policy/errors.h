/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_ERRORS_H
#define POLICY_ERRORS_H

/*
 * What is wrong with an operator's file: as many mistakes as there is room
 * for, each with its place, what is wrong and what would be right.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POLICY_ERRORS_MAX = 20, POLICY_ERROR_LINE_SIZE = 640 };

struct policy_error {
	bool warning;          /* usable, but probably not what was meant */
	uint32_t line, column; /* from 1; 0: the file as a whole */
	char key[96];          /* "rules[2].match.src"; "": none */
	char wrong[192];
	char right[192]; /* "": nothing to say */
};

struct policy_errors {
	char file_name[128];
	struct policy_error list[POLICY_ERRORS_MAX];
	size_t count;            /* in the list */
	size_t errors, warnings; /* found, also those past the list */
};

/* `file_name` is for the messages only and is copied. */
void policy_errors_init(struct policy_errors *errors, const char *file_name);

/*
 * Add one.  Text that is too long is cut; bytes that are not printable become
 * '?'.  When the list is full an error takes the place of a warning.
 */
void policy_errors_add(struct policy_errors *errors,
		       const struct policy_error *error);

/* Where there is no room for one more, count it, and true: what would be right
 * takes long to say of hundreds of thousands. */
bool policy_errors_count_only(struct policy_errors *errors);

/* In order of line and column; those of the whole file first. */
void policy_errors_sort(struct policy_errors *errors);

/*
 * "FILE:LINE:COLUMN: error: KEY: what is wrong; what would be right", without
 * a line feed.  Returns its length; `size` POLICY_ERROR_LINE_SIZE is enough.
 */
size_t policy_errors_print(const struct policy_errors *errors, size_t index,
			   char *ret_text, size_t size);

#endif
