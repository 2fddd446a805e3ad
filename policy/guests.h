/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef POLICY_GUESTS_H
#define POLICY_GUESTS_H

/*
 * What is asked for of single vifs: by the operator, in `xen.guests`, and by
 * the tool stack, in a text of its own for one guest.  The operator's word
 * stands above; what neither says is as `xen` has it for all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct policy_errors;

enum {
	GUESTS_MAX = 1024,
	GUESTS_TEXT_BYTES = 1024, /* of the tool stack's text, at most */
};

/* Which of a wish's fields were said. */
enum guest_said {
	GUEST_WAY = 1,
	GUEST_MAC = 2,
	GUEST_GUARD = 4,
	GUEST_THRESHOLD = 8,
	GUEST_RATE = 16,
};

struct guest_wish { /* all-zero: nothing is said */
	uint8_t said;
	enum policy_way way;
	enum policy_xen_mac mac;
	bool guarded;       /* else anything passes, and nothing waits */
	uint32_t ratio_q16; /* instead of limiter.threshold */
	struct rate_params rate;
};

/* Who is meant: everything that is set must fit.  `*` stands for any
 * characters, `?` for one. */
struct policy_guest {
	struct guest_wish wish;                       /* first */
	char name[64], uuid[37], vif[16], bridge[16]; /* "": any */
	uint16_t domain;                              /* 0: any */
};

struct guest_identity {
	const char *name, *uuid, *vif, *bridge; /* "": unknown, or none */
	uint32_t domain;
};

/* `own` is what the tool stack says of it.  Every field of ret_wish is said,
 * but for threshold and rate, if nobody did.  Cannot fail. */
void guests_wish_of(const struct policy *policy,
		    const struct guest_identity *guest,
		    const struct guest_wish *own, struct guest_wish *ret_wish);

/*
 * The tool stack's text, such as "{way: rate, threshold: 4.0}".  false:
 * ret_errors has what is wrong and what would be right.
 */
bool guests_parse(const char *text, size_t bytes, struct guest_wish *ret_wish,
		  struct policy_errors *ret_errors);

/*
 * Rules for one vif, behind all others: nothing waits if it is not guarded, and
 * its own threshold, if not POLICY_PARAMS_MAX others are in use already. false:
 * out of memory.
 */
bool guests_add_rules(struct policy *policy, const char *vif,
		      const struct guest_wish *wish);

bool guest_equal(const struct policy_guest *a, const struct policy_guest *b);
bool guest_wish_equal(const struct guest_wish *a, const struct guest_wish *b);

#endif
