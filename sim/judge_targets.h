/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_TARGETS_H
#define SIM_JUDGE_TARGETS_H

/* What was found, against what is to be reached. */

#include <stdbool.h>
#include <stddef.h>

#include "sim/judge.h"
#include "sim/judge_list.h"

enum { JUDGE_FACTS_MAX = 8, JUDGE_TEXT_SIZE = 256 };

struct judge_fact {
	const char *name;
	const char *unit; /* "%", "ms", "packets", ... */
	double found;
	double limit;    /* at most; without meaning when it is not judged */
	bool judged;     /* false: printed only */
	char where[224]; /* of whom, when; may be empty */
};

struct judge_facts {
	struct judge_fact list[JUDGE_FACTS_MAX];
	size_t count;
};

/* What the operator set; the guards are held to it. */
struct judge_paces {
	uint32_t contacts_per_s;    /* 0: no such guard, and no target */
	uint32_t connections_per_s; /* the same */
};

/* Of a set of good captures together, or of one attack. */
void judge_targets(enum judge_family family,
		   const struct judge_figures *figures,
		   const struct judge_paces *paces,
		   struct judge_facts *ret_facts);

bool judge_fact_passes(const struct judge_fact *fact);
bool judge_facts_pass(const struct judge_facts *facts);

/* One sentence: why this conversation was held. */
void judge_explain(const struct judge_worst *worst,
		   char ret_text[JUDGE_TEXT_SIZE]);

/* "10.0.0.1:53 > 192.0.2.1:40000 udp", as wide as the key's scope. */
enum { JUDGE_KEY_SIZE = 192 };
void judge_print_key(const struct flow_key *key, char ret_text[JUDGE_KEY_SIZE]);

/* "flow", "pair", "host", "first contacts", "new connections" */
const char *judge_gate_name(enum pump_by by);

#endif
