/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_TERMINAL_H
#define SHAPER_CTL_TERMINAL_H

/* The operator's terminal as a page that is drawn anew, and keys. */

#include <stdbool.h>
#include <stddef.h>

/* Take it over: alternate screen, keys at once.  0 or -errno; -ENOTSUP: it is a
 * dumb one, which draws no page. */
int terminal_open(void);
/* Give it back as it was.  Also done when a signal ends us. */
void terminal_close(void);

/* Its size now; 80 and 24 when it does not say. */
void terminal_size(size_t *ret_width, size_t *ret_height);

enum {
	TERMINAL_TIME_UP = -1,
	TERMINAL_RESIZED = -2, /* or it was given back and taken again */
	TERMINAL_ENDED = -3,   /* by a signal, or its input ended */
};

/* A key (the byte), or one of the above after at most `wait_ms`. */
int terminal_key(int wait_ms);

enum terminal_style { TERMINAL_PLAIN, TERMINAL_BOLD, TERMINAL_REVERSE };

/*
 * Draw a page: begin, lines, end.  A line is cut at the width of the terminal;
 * bytes that are not printable ASCII are shown as '?'.
 */
void terminal_begin(void);
void terminal_line(enum terminal_style style, const char *text);
void terminal_end(void);

#endif
