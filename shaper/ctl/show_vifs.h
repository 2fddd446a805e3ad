/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_SHOW_VIFS_H
#define SHAPER_CTL_SHOW_VIFS_H

/* The vifs of a Xen host as text on standard output. */

#include <time.h>

struct json_t;

/* The answer to vifs: a table, and below it what is wrong and why each way. */
void show_vifs(const struct json_t *body, time_t now_s);

/* Of the answer to status: how many there are; nothing if none is followed. */
void show_vif_sums(const struct json_t *body);

#endif
