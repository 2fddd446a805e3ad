/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/series_time.h"

#include "sim/series.h"

uint64_t series_time_cut(const struct series_time *time)
{
	const struct series_cut *last;

	if (time->cuts_count == 0)
		return 0;
	last = &time->cuts[time->cuts_count - 1];
	return last->before_ns + (last->end_ns - last->begin_ns);
}

/* What waits leaves within seconds, so that the first part of a silence is
 * shown. */
void series_time_arrive(struct series_time *time, uint64_t now_ns)
{
	if (now_ns > time->last_ns && now_ns - time->last_ns > SERIES_GAP_NS &&
	    time->cuts_count < SERIES_CUTS_MAX) {
		uint64_t before_ns = series_time_cut(time);

		time->cuts[time->cuts_count++] = (struct series_cut){
			.begin_ns = time->last_ns + SERIES_GAP_SHOWN_NS,
			.end_ns = now_ns,
			.before_ns = before_ns,
		};
	}
	if (now_ns > time->last_ns)
		time->last_ns = now_ns;
}

uint64_t series_time_shown(const struct series_time *time, uint64_t now_ns)
{
	for (size_t i = time->cuts_count; i > 0; i--) {
		const struct series_cut *cut = &time->cuts[i - 1];

		if (now_ns >= cut->end_ns)
			return now_ns - cut->before_ns -
			       (cut->end_ns - cut->begin_ns);
		if (now_ns >= cut->begin_ns)
			return cut->begin_ns - cut->before_ns;
	}
	return now_ns;
}
