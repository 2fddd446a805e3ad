/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/progress.h"

#include <stdio.h>
#include <time.h>

enum { BAR_COLUMNS = 30 };

static uint64_t wall_ms(void)
{
	struct timespec now;

	timespec_get(&now, TIME_UTC);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_init(struct progress *progress)
{
	*progress = (struct progress){ .began_ms = wall_ms() };
}

static void draw_bar(double share)
{
	char bar[BAR_COLUMNS + 1];

	for (int i = 0; i < BAR_COLUMNS; i++)
		bar[i] = i < share * BAR_COLUMNS ? '#' : '.';
	bar[BAR_COLUMNS] = '\0';
	fprintf(stderr, "[%s] %3.0f %%  ", bar, share * 100);
}

void progress_draw(struct progress *progress, uint64_t read_bytes,
		   uint64_t size_bytes, uint64_t packets)
{
	uint64_t now_ms = wall_ms();
	double s = now_ms > progress->began_ms
			   ? (double)(now_ms - progress->began_ms) / 1000
			   : 0.001;
	double share = size_bytes && read_bytes < size_bytes
			       ? (double)read_bytes / (double)size_bytes
			       : 1;

	progress->shown = true;
	fputs("\r\033[K", stderr);
	if (size_bytes)
		draw_bar(share);
	fprintf(stderr, "%.2f M packets, %.2f M/s, %.0f MB/s",
		(double)packets / 1e6, (double)packets / 1e6 / s,
		(double)read_bytes / 1e6 / s);
	if (size_bytes && share > 0.001)
		fprintf(stderr, ", %.0f s left", s / share - s);
}

void progress_wipe(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
