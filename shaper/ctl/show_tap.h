/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_SHOW_TAP_H
#define SHAPER_CTL_SHOW_TAP_H

/* What `status` says of a tap. */

struct json_t;

/* Nothing, where packets come by queues. */
void show_tap(const struct json_t *body);

#endif
