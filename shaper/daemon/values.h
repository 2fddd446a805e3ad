/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_VALUES_H
#define SHAPER_DAEMON_VALUES_H

/* Facts as JSON.  All return a new reference, NULL when out of memory. */

#include <stdint.h>

struct json_t;

/* To three places. */
struct json_t *values_decimal(double value);
struct json_t *values_seconds(uint64_t span_ns);
struct json_t *values_count(uint64_t value);

/* In seconds from then on, or up to then; null when `then_ns` is 0. */
struct json_t *values_since(uint64_t then_ns, uint64_t now_ns);
struct json_t *values_until(uint64_t then_ns, uint64_t now_ns);

struct json_t *values_address(const uint8_t address[16]);
/* A path or a name may hold any byte: what is not UTF-8 becomes '?'. */
struct json_t *values_text(const char *text);

#endif
