/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHAPER_DAEMON_FINDINGS_H
#define SHAPER_DAEMON_FINDINGS_H

/*
 * What `doctor` found: something is not as it should be, and what to do about
 * it.  A healthy gateway has none.
 */

#include <stdbool.h>
#include <stddef.h>

struct status;

enum {
	FINDINGS_MAX = 48,
	FINDING_TEXT_BYTES = 256,
};

enum finding_weight {
	FINDING_WARNING, /* works, with a loss that somebody may notice */
	FINDING_PROBLEM, /* the gateway does not do what it was asked to */
};

struct finding {
	const char *id; /* "one-sided"; stable, for scripts */
	enum finding_weight weight;
	char what[FINDING_TEXT_BYTES];
	char remedy[FINDING_TEXT_BYTES];
};

struct findings {
	struct finding list[FINDINGS_MAX];
	size_t count; /* past FINDINGS_MAX nothing is added */
};

/* Add one, with an empty remedy.  Returns it to be completed; never NULL. */
struct finding *findings_add(struct findings *findings, const char *id,
			     enum finding_weight weight, const char *format,
			     ...) __attribute__((format(printf, 4, 5)));
void finding_remedy(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "warning", "problem" */
const char *finding_weight_name(enum finding_weight weight);

/* What the daemon knows by itself.  Cannot fail. */
void findings_of_status(const struct status *status, struct findings *findings);

#endif
