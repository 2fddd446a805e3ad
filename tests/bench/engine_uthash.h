/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_ENGINE_UTHASH_H
#define TESTS_BENCH_ENGINE_UTHASH_H

/* The look-ups of the engine's bench, done by uthash. */

#include <stdint.h>

struct bench_uthash;
struct flow_key;

/* Entries for `capacity` keys in each of two tables.  Exits when there is no
 * memory. */
struct bench_uthash *bench_uthash_new(uint32_t capacity);
void bench_uthash_free(struct bench_uthash *tables);
void bench_uthash_add(struct bench_uthash *tables, int table,
		      const struct flow_key *key);
void bench_uthash_count(struct bench_uthash *tables, int table,
			const struct flow_key *key);

#endif
