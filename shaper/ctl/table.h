/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_TABLE_H
#define SHAPER_CTL_TABLE_H

/* The rows of `top` as lines of text. */

#include <stdbool.h>
#include <stddef.h>

struct json_t;

enum {
	TABLE_LINE_BYTES = 256,
};

struct table {
	bool has_outside; /* not for hosts */
	bool has_decides; /* the S that decides, beside the plain one */
	size_t inside_width, outside_width;
};

/*
 * Lay out for `body` (the answer to top).  `width` is the terminal's; 0: no
 * terminal, as wide as the addresses are.
 */
void table_lay_out(struct table *table, const struct json_t *body,
		   size_t width);

void table_head(const struct table *table, char ret_line[TABLE_LINE_BYTES]);
void table_row(const struct table *table, const struct json_t *row,
	       char ret_line[TABLE_LINE_BYTES]);

#endif
