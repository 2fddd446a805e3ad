/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_STATE_JSON_H
#define SHAPER_DAEMON_STATE_JSON_H

/*
 * What `symtapctl state` is told, as lines of JSON that end in a newline.  All
 * return text to be freed by the caller, NULL when out of memory.
 */

#include <stddef.h>
#include <stdint.h>

struct remembered;
struct passage_keys;
struct request_state;
struct travel_vif;

enum { STATE_JSON_VERSION = 1 };

/*
 * The keys that were taken out of the engines, of the guests they belong to,
 * and what is remembered of guests that are away.  Times are spans.
 */
char *state_json_export(const struct request_state *asked,
			const struct passage_keys *taken,
			const struct remembered *guests,
			const struct travel_vif *vifs, size_t vifs_count,
			uint64_t now_ns);

/* `as`: "expected" or "remembered". */
char *state_json_imported(const char *as);

#endif
