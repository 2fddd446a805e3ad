/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_SENTENCES_H
#define SHAPER_DAEMON_SENTENCES_H

/* Why a key is held or not, in words. */

#include <stddef.h>
#include <stdint.h>

#include "shaper/daemon/explain.h"

struct toplist_row;

enum { SENTENCES_BYTES = 768 };

/* On one key: first, in one sentence, the reason and since when; then what was
 * counted, what waits, and what would free it. */
void sentences_row(const struct toplist_row *row, enum explain_mode mode,
		   uint64_t now_ns, char ret_text[SENTENCES_BYTES]);

/*
 * One on all `count` rows of `address`, the worst first: is it held, and by how
 * many of its keys.
 */
void sentences_summary(const uint8_t address[16],
		       const struct toplist_row *rows, size_t count,
		       enum explain_mode mode, char ret_text[SENTENCES_BYTES]);

#endif
