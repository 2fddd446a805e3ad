/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_CTL_SHOW_H
#define SHAPER_CTL_SHOW_H

/* Answers of the daemon as text on standard output. */

struct findings;
struct json_t;

void show_status(const struct json_t *body);
void show_stats(const struct json_t *body);
void show_top(const struct json_t *body);
void show_explain(const struct json_t *body);
void show_released(const struct json_t *body);
void show_exempted(const struct json_t *body);
void show_reloaded(const struct json_t *body);
void show_findings(const struct findings *findings);

#endif
