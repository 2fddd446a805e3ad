/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/plot.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	WIDTH = 900,
	PANEL_HEIGHT = 220,
	LEFT = 70,
	RIGHT = 20,
	TOP = 46, /* of the page, for its title */
	PANEL_TOP = 34,
	PANEL_BOTTOM = 34,
	TICKS = 5,
	SCALE = 2, /* pixels of a PNG for each point */
};

struct area {
	double left, top, width, height;
	double low, high; /* of its axis */
};

static void set_colour(cairo_t *cairo, unsigned int colour)
{
	cairo_set_source_rgb(cairo, (colour >> 16 & 0xff) / 255.0,
			     (colour >> 8 & 0xff) / 255.0,
			     (colour & 0xff) / 255.0);
}

static double text_width(cairo_t *cairo, const char *text)
{
	cairo_text_extents_t extents;

	cairo_text_extents(cairo, text, &extents);
	return extents.x_advance;
}

static void text_at(cairo_t *cairo, double x, double y, const char *text)
{
	cairo_move_to(cairo, x, y);
	cairo_show_text(cairo, text);
}

/* 1, 2 or 5 times a power of ten, so that about TICKS of them fit. */
static double tick_of(double span)
{
	double rough = span / TICKS, power = pow(10, floor(log10(rough)));
	double digit = rough / power;

	return power * (digit <= 1 ? 1 : digit <= 2 ? 2 : digit <= 5 ? 5 : 10);
}

static double y_of(const struct area *area, double value)
{
	return area->top + area->height -
	       (value - area->low) / (area->high - area->low) * area->height;
}

static void set_range(const struct plot_panel *panel, struct area *area)
{
	double low = 0, high = panel->least_top, tick;

	for (size_t i = 0; i < panel->curves_count; i++) {
		const struct plot_curve *curve = &panel->curves[i];

		for (size_t j = 0; j < curve->count; j++) {
			if (isnan(curve->values[j]))
				continue;
			low = fmin(low, curve->values[j]);
			high = fmax(high, curve->values[j]);
		}
	}
	if (high <= low)
		high = low + 1;
	tick = tick_of(high - low);
	area->low = floor(low / tick) * tick;
	area->high = ceil(high / tick) * tick;
}

static void draw_axes(cairo_t *cairo, const struct area *area,
		      double duration_s)
{
	double tick = tick_of(area->high - area->low);
	char text[32];

	cairo_set_line_width(cairo, 0.5);
	for (double value = area->low; value <= area->high + tick / 2;
	     value += tick) {
		double y = y_of(area, value);

		set_colour(cairo, 0xd0d0d0);
		cairo_move_to(cairo, area->left, y);
		cairo_line_to(cairo, area->left + area->width, y);
		cairo_stroke(cairo);
		set_colour(cairo, 0x404040);
		snprintf(text, sizeof(text), "%g",
			 fabs(value) < tick / 2 ? 0 : value);
		text_at(cairo, area->left - 6 - text_width(cairo, text), y + 4,
			text);
	}
	tick = tick_of(duration_s);
	for (double at = 0; at <= duration_s * (1 + 1e-9); at += tick) {
		double x = area->left + at / duration_s * area->width;

		snprintf(text, sizeof(text), "%g s", at);
		text_at(cairo, x - text_width(cairo, text) / 2,
			area->top + area->height + 16, text);
	}
}

static void draw_curve(cairo_t *cairo, const struct area *area,
		       const struct plot_curve *curve)
{
	static const double dashes[] = { 6, 4 };
	double step = area->width / (double)curve->count, last = 0;
	bool drawing = false;

	set_colour(cairo, curve->colour);
	cairo_set_line_width(cairo, 1.3);
	cairo_set_dash(cairo, dashes, curve->style == PLOT_DASHES ? 2 : 0, 0);
	for (size_t i = 0; i < curve->count; i++) {
		double x = area->left + (double)i * step, y;

		if (isnan(curve->values[i])) {
			drawing = false;
			continue;
		}
		y = y_of(area, curve->values[i]);
		if (!drawing)
			cairo_move_to(cairo, x, y);
		else if (curve->style == PLOT_STEPS)
			cairo_line_to(cairo, x, last);
		cairo_line_to(cairo, x, y);
		if (curve->style != PLOT_LINE)
			cairo_line_to(cairo, x + step, y);
		last = y;
		drawing = true;
	}
	cairo_stroke(cairo);
	cairo_set_dash(cairo, dashes, 0, 0);
}

static void draw_legend(cairo_t *cairo, const struct area *area,
			const struct plot_panel *panel)
{
	double x = area->left + area->width;

	for (size_t i = panel->curves_count; i-- > 0;) {
		const struct plot_curve *curve = &panel->curves[i];

		x -= text_width(cairo, curve->name);
		set_colour(cairo, curve->colour);
		text_at(cairo, x, area->top - 8, curve->name);
		x -= 16;
	}
}

static void draw_panel(cairo_t *cairo, const struct plot *plot, size_t index)
{
	const struct plot_panel *panel = &plot->panels[index];
	struct area area = {
		.left = LEFT,
		.top = TOP + PANEL_TOP + (double)index * PANEL_HEIGHT,
		.width = WIDTH - LEFT - RIGHT,
		.height = PANEL_HEIGHT - PANEL_TOP - PANEL_BOTTOM,
	};

	set_range(panel, &area);
	set_colour(cairo, 0x202020);
	text_at(cairo, area.left, area.top - 8, panel->title);
	draw_axes(cairo, &area, plot->duration_s);
	for (size_t i = 0; i < panel->curves_count; i++)
		draw_curve(cairo, &area, &panel->curves[i]);
	draw_legend(cairo, &area, panel);
}

static void draw(cairo_t *cairo, const struct plot *plot)
{
	set_colour(cairo, 0xffffff);
	cairo_paint(cairo);
	cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
			       CAIRO_FONT_WEIGHT_NORMAL);
	set_colour(cairo, 0x000000);
	cairo_set_font_size(cairo, 15);
	text_at(cairo, LEFT, 26, plot->title);
	cairo_set_font_size(cairo, 11);
	for (size_t i = 0; i < plot->panels_count; i++)
		draw_panel(cairo, plot, i);
}

static int errno_of(cairo_status_t status)
{
	switch (status) {
	case CAIRO_STATUS_SUCCESS:
		return 0;
	case CAIRO_STATUS_NO_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static bool ends_with(const char *path, const char *end)
{
	size_t length = strlen(path);

	return length >= strlen(end) &&
	       strcmp(path + length - strlen(end), end) == 0;
}

int plot_write(const char *path, const struct plot *plot)
{
	int height = TOP + (int)plot->panels_count * PANEL_HEIGHT;
	bool png = ends_with(path, ".png");
	cairo_surface_t *surface;
	cairo_status_t status;
	cairo_t *cairo;

	if (!png && !ends_with(path, ".svg"))
		return -EINVAL;
	surface = png ? cairo_image_surface_create(CAIRO_FORMAT_RGB24,
						   WIDTH * SCALE,
						   height * SCALE)
		      : cairo_svg_surface_create(path, WIDTH, height);
	cairo = cairo_create(surface);
	if (png)
		cairo_scale(cairo, SCALE, SCALE);
	draw(cairo, plot);
	status = cairo_status(cairo);
	cairo_destroy(cairo);
	if (status == CAIRO_STATUS_SUCCESS && png)
		status = cairo_surface_write_to_png(surface, path);
	cairo_surface_finish(surface);
	if (status == CAIRO_STATUS_SUCCESS)
		status = cairo_surface_status(surface);
	cairo_surface_destroy(surface);
	return errno_of(status);
}
