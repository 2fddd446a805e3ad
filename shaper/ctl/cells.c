/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/cells.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Three figures that mean something. */
static const char *scaled(double value, double step,
			  const char *const *suffixes, size_t count,
			  const char *blank, char cell[CELL_BYTES])
{
	size_t i = 0;
	int decimals;

	while (value >= 999.5 && i + 1 < count) {
		value /= step;
		i++;
	}
	decimals = i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	snprintf(cell, CELL_BYTES, "%.*f%s%s", decimals, value, blank,
		 suffixes[i]);
	return cell;
}

const char *cell_count(double value, char cell[CELL_BYTES])
{
	static const char *const suffixes[] = { "", "k", "M", "G", "T" };

	if (value >= 0 && value < 9999.5) {
		snprintf(cell, CELL_BYTES, "%.0f", value);
		return cell;
	}
	return scaled(value, 1000, suffixes, 5, "", cell);
}

const char *cell_bytes(double bytes, char cell[CELL_BYTES])
{
	static const char *const suffixes[] = { "B", "KiB", "MiB", "GiB",
						"TiB" };

	return scaled(bytes, 1024, suffixes, 5, " ", cell);
}

const char *cell_span(double seconds, char cell[CELL_BYTES])
{
	if (seconds < 0.9995)
		snprintf(cell, CELL_BYTES, "%.0fms", seconds * 1e3);
	else if (seconds < 9.995)
		snprintf(cell, CELL_BYTES, "%.2fs", seconds);
	else if (seconds < 119.5)
		snprintf(cell, CELL_BYTES, "%.0fs", seconds);
	else if (seconds < 7200)
		snprintf(cell, CELL_BYTES, "%.0fm", seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(cell, CELL_BYTES, "%.0fh", seconds / 3600);
	else
		snprintf(cell, CELL_BYTES, "%.0fd", seconds / 86400);
	return cell;
}

const char *cell_long_span(double seconds, char cell[CELL_BYTES])
{
	unsigned long long s = seconds > 0 ? (unsigned long long)seconds : 0;

	if (s < 60)
		snprintf(cell, CELL_BYTES, "%llu s", s);
	else if (s < 3600)
		snprintf(cell, CELL_BYTES, "%llu min %llu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(cell, CELL_BYTES, "%llu h %llu min", s / 3600,
			 s % 3600 / 60);
	else
		snprintf(cell, CELL_BYTES, "%llu d %llu h", s / 86400,
			 s % 86400 / 3600);
	return cell;
}

const char *cell_shortened(const char *text, size_t width,
			   char cell[CELL_BYTES])
{
	size_t length = strlen(text);
	size_t tail;

	assert(width >= 3 && width < CELL_BYTES);
	if (length <= width) {
		snprintf(cell, CELL_BYTES, "%s", text);
		return cell;
	}
	tail = width / 2;
	snprintf(cell, CELL_BYTES, "%.*s~%s", (int)(width - tail - 1), text,
		 text + length - tail);
	return cell;
}
