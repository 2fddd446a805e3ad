/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

/*
 * Panels of curves above each other, over one axis of time, into an SVG or a
 * PNG file.  The only user of libcairo.
 */

#include <stdbool.h>
#include <stddef.h>

enum plot_style { PLOT_LINE, PLOT_STEPS, PLOT_DASHES };

struct plot_curve {
	const char *name;
	const double *values; /* NaN: nothing is known there */
	size_t count;         /* evenly spread over the time */
	enum plot_style style;
	unsigned int colour; /* 0xRRGGBB */
};

struct plot_panel {
	const char *title; /* with the unit */
	const struct plot_curve *curves;
	size_t curves_count;
	double least_top; /* the axis reaches at least here */
};

struct plot {
	const char *title;
	double duration_s;
	const struct plot_panel *panels;
	size_t panels_count;
};

/* As the end of `path` says: .svg or .png.  0 or -errno; -EINVAL: neither. */
int plot_write(const char *path, const struct plot *plot);

#endif
