/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_VALUE_H
#define SIM_VALUE_H

/* Facts as JSON.  All return a new reference, NULL when out of memory. */

#include <stdbool.h>
#include <stdint.h>

struct json_t;

struct json_t *value_count(uint64_t count);
struct json_t *value_decimal(double value); /* to six places */
struct json_t *value_ms(uint64_t ns);

/* Text may come from outside, file names above all: what is no UTF-8 is shown
 * as '?'. */
struct json_t *value_text(const char *text);

/* To a new file, "-": standard output.  Takes `json`, which may be NULL, over.
 * false: what is wrong was said on standard error. */
bool value_write(struct json_t *json, const char *path);

#endif
