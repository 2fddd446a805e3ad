/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_JUDGE_LIST_H
#define SIM_JUDGE_LIST_H

/*
 * JUDGE.tsv: which captures are judged, as what, and who is guarded in each.
 * Four columns, told by the first line: file, class, family, guarded.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

enum judge_family {
	JUDGE_LEGIT,          /* good traffic; the only family of its class */
	JUDGE_SILENT_TARGET,  /* one source, a target that does not answer */
	JUDGE_ANSWERED_FLOOD, /* new connections that are answered */
	JUDGE_SWEEP,          /* one source, many targets */
	JUDGE_FORGED,         /* every packet came in where none belongs */
	JUDGE_REFLECTED,      /* seen at the victim */
	JUDGE_BROADCAST,      /* to everybody on the link */
	JUDGE_ANSWERED,       /* symmetric by nature; printed only */
	JUDGE_FAMILIES
};

enum judge_guarded {
	JUDGE_GUARDED_INITIATORS,
	JUDGE_GUARDED_RESPONDERS,
	JUDGE_GUARDED_PREFIX,
};

enum { JUDGE_LIST_BYTES_MAX = 1 << 20, JUDGE_ROWS_MAX = 4096 };

struct judge_entry {
	char *file; /* relative to the folder */
	enum judge_family family;
	enum judge_guarded guarded;
	struct policy_prefix prefix;
};

struct judge_list {
	struct judge_entry *entries;
	size_t count;
};

struct judge_list_error {
	size_t line; /* from 1; 0: of the file as a whole */
	char text[256];
};

/* true: *ret_list is the caller's to judge_list_fini.  false: `error` says
 * what is wrong, and where. */
bool judge_list_parse(const char *text, size_t bytes,
		      struct judge_list *ret_list,
		      struct judge_list_error *error);
void judge_list_fini(struct judge_list *list);

/* "silent-target", ... */
const char *judge_family_name(enum judge_family family);

/* "legit" or "attack" */
const char *judge_class_name(enum judge_family family);

#endif
