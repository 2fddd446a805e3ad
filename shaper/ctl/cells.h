/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_CELLS_H
#define SHAPER_CTL_CELLS_H

/* Numbers, spans and addresses in as few columns as they need.  Each returns
 * its buffer. */

#include <stddef.h>
#include <stdint.h>

enum { CELL_BYTES = 64 };

/* "0", "42", "9999", "12.3k", "4.56M": at most 5 columns below 1000 T */
const char *cell_count(double value, char cell[CELL_BYTES]);
/* "850ms", "1.02s", "12m", "3h", "4d": at most 5 columns below 27 years */
const char *cell_span(double seconds, char cell[CELL_BYTES]);
/* "1 d 3 h", "2 h 5 min", "42 s" */
const char *cell_long_span(double seconds, char cell[CELL_BYTES]);
/* "12.3 MiB" */
const char *cell_bytes(double bytes, char cell[CELL_BYTES]);
/*
 * `text` in at most `width` columns: its middle gives way to "~", since both
 * ends of an address tell it apart.  width is 3..CELL_BYTES - 1.
 */
const char *cell_shortened(const char *text, size_t width,
			   char cell[CELL_BYTES]);

#endif
