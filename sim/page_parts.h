/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_PAGE_PARTS_H
#define SIM_PAGE_PARTS_H

/* The files of sim/report/ and the chart library, as the build put them into
 * the program. */

#include <stddef.h>

struct page_part {
	const char *bytes;
	size_t size;
};

extern const struct page_part page_part_page;
extern const struct page_part page_part_style;
extern const struct page_part page_part_script;
extern const struct page_part page_part_charts;

#endif
