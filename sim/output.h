/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_OUTPUT_H
#define SIM_OUTPUT_H

/* What `symtap-sim replay` says of a capture: as JSON, which symtap-sim(1)
 * promises, and as a table for people. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "sim/tally.h"

struct policy;
struct options;
struct result;

/* One line, one object.  false: it could not be written. */
bool output_json(FILE *file, const struct result *result,
		 const struct policy *policy, const struct options *options);

/* Who is guarded, in a line. */
void output_whom(FILE *file, const struct options *options);

/* What would have happened, in sentences, and a table of the worst keys, each
 * with its reason: of the narrowest scope that is enforced but for flows, which
 * are shown as their pair. */
void output_text(FILE *file, const struct result *result,
		 const struct policy *policy, const struct options *options);

/* Under several of them. */
struct output_totals {
	size_t captures, damaged, unreadable;
	uint64_t packets;
	struct tally_summary summary;
};
void output_add(struct output_totals *totals, const struct result *result);
void output_totals(FILE *file, const struct output_totals *totals);

/* The worst keys of all passes, worst first, at most `max`; the caller frees
 * the list.  NULL: there are none, or out of memory. */
const struct tally_key **output_keys(const struct result *result,
				     unsigned int scopes, size_t max,
				     size_t *ret_count);

/* All passes together. */
void output_summary(const struct result *result,
		    struct tally_summary *ret_summary);

/* Held by what is wider than a pair's gate. */
uint64_t output_guard_pkts(const struct tally_held *held);

/* Why packets could not be judged. */
enum { OUTPUT_REASONS_MAX = PACKET_ERRORS + REPLAY_LINK_TYPES_MAX + 4 };
struct output_reason {
	char name[64];
	uint64_t packets;
};
/* Returns how many there are. */
size_t output_reasons(const struct replay_counts *counts,
		      struct output_reason ret_reasons[OUTPUT_REASONS_MAX]);

/* The largest S of a key. */
double output_s(const struct tally_key *key);

/* "initiators", "responders", "prefix" */
const char *output_guarded(enum replay_guarded guarded);

#endif
