/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_REPORT_SERIES_H
#define SIM_REPORT_SERIES_H

/* The charts of one replay, into the last section of a page. */

#include <stddef.h>

struct page;
struct policy;
struct series;
struct series_key;

void report_draw(struct page *page, const struct series *series,
		 const struct series_key *worst, size_t count,
		 const struct policy *policy);

#endif
