/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shaper/ctl/show_tap.h"

#include <stdio.h>

#include "shaper/ctl/cells.h"
#include "shaper/ctl/reply.h"

static const char *of_tap(const struct json_t *body, const char *name,
			  char cell[CELL_BYTES])
{
	char path[48];

	snprintf(path, sizeof(path), "tap.%s_packets", name);
	return cell_count(reply_number(body, path), cell);
}

void show_tap(const struct json_t *body)
{
	char first[CELL_BYTES], second[CELL_BYTES];

	if (!reply_has(body, "tap"))
		return;
	printf("tap: we may %s\n", reply_text(body, "tap.mode"));
	printf("  %s packets were shown, %s of them had no need of a verdict\n",
	       of_tap(body, "received", first),
	       of_tap(body, "observed", second));
	printf("  %s passed, %s dropped", of_tap(body, "passed", first),
	       of_tap(body, "dropped", second));
	printf("; by the carrier %s refused, %s left unjudged\n",
	       of_tap(body, "refused", first),
	       of_tap(body, "unjudged", second));
}
