/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIM_SWEEP_H
#define SIM_SWEEP_H

/*
 * The trade-off: a folder judged by many settings, good packets that come late
 * against attack packets let out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "sim/judgement.h"

enum { SWEEP_POINTS_MAX = 160 };

/* What counts as a reply, and how much may go out without one. */
struct sweep_consent {
	enum policy_evidence evidence;
	/* Both 0 where evidence is packets: there is none. */
	uint8_t patience_pkts, floor_pkts;
};

enum { SWEEP_CONSENTS = 6 };
extern const struct sweep_consent sweep_consents[SWEEP_CONSENTS];

struct sweep_point {
	uint32_t ratio_q16;
	uint64_t window_ns;
	struct sweep_consent consent;
	bool as_given; /* the policy's own settings */

	struct judge_figures good;   /* initiators and responders guarded */
	struct judge_figures attack; /* floods and scans of silent targets */
	double late_pct, late_pairs_pct; /* of the good */
	double let_out_pct;              /* of the attack packets */
	bool bettered; /* another point is at least as good in both */
};

struct sweep {
	struct judgement *judgement; /* borrowed */
	struct sweep_point points[SWEEP_POINTS_MAX];
	size_t count;
	bool unreadable; /* a capture could not be read, or not to its end */
};

/* Every combination, and `policy` as it is.  NULL: out of memory. */
struct sweep *sweep_new(struct judgement *judgement,
			const struct policy *policy);
void sweep_free(struct sweep *sweep);

/* `threads` as in crew.h. */
void sweep_run(struct sweep *sweep, const struct policy *policy,
	       size_t threads);

bool sweep_consent_equal(const struct sweep_consent *a,
			 const struct sweep_consent *b);

/* "T 2.0, window 1s, consent, patience 48, floor 10" */
enum { SWEEP_NAME_SIZE = 192 };
void sweep_name(const struct sweep_point *point,
		char ret_name[SWEEP_NAME_SIZE]);

/* "packets", or "consent, patience 48, floor 10" */
enum { SWEEP_CONSENT_SIZE = 48 };
void sweep_consent_name(const struct sweep_consent *consent,
			char ret_name[SWEEP_CONSENT_SIZE]);

#endif
